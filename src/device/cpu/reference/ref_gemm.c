/* Packed weights and the matrix product. */
#include "device/cpu/reference/reference.h"

#include <assert.h>
#include <math.h>

enum { PANEL = 32 };

/* [panel][depth][32]; columns beyond the last are zero. */
size_t pl__ref_packed_bytes(size_t columns, size_t depth) { return pl_round_up(columns, PANEL) * depth * sizeof(float); }

static void pack(const pl_pack *p, bool bf16)
{
    float *out = p->out;
    size_t end = pl_round_up(p->first_column + p->columns, PANEL);
    for (size_t column = p->first_column; column < end; column++) {
        size_t at = column - p->first_column;
        const char *in = (const char *)p->in + at * p->in_stride;
        float *panel = out + column / PANEL * PANEL * p->depth + column % PANEL;
        for (size_t k = 0; k < p->depth; k++) {
            float w = at < p->columns ? pl__ref_widen(in, p->type, k) : 0.0f;
            panel[k * PANEL] = bf16 ? pl__ref_round_bf16(w) : w;
        }
    }
}

void pl__ref_pack_f32(const pl_pack *p) { pack(p, false); }
void pl__ref_pack_bf16(const pl_pack *p) { pack(p, true); }

static float finish(const pl_gemm *g, size_t row, size_t column, float x)
{
    if (g->bias)
        x += g->bias[column];
    x = pl__ref_act(g->act, x);
    if (g->residual)
        x += g->residual[row * g->residual_stride + column];
    return pl__ref_canonical(x);
}

static void gemm(const pl_gemm *g, size_t first_panel, size_t last_panel, bool bf16)
{
    assert(g->a_type == PL_F32 && g->c_type == PL_F32);
    for (size_t row = 0; row < g->rows; row++)
        for (size_t panel = first_panel; panel < last_panel; panel++) {
            const float *a = g->a + row * g->a_stride;
            const float *b = (const float *)g->b + panel * PANEL * g->depth;
            float *c = g->c + row * g->c_stride + panel * PANEL;
            size_t columns = pl_min(g->columns - panel * PANEL, PANEL);
            float chain[PANEL];
            for (size_t j = 0; j < columns; j++)
                chain[j] = g->go_on ? c[j] : 0.0f;
            for (size_t k = 0; k < g->depth; k++)
                for (size_t j = 0; j < columns; j++)
                    chain[j] = fmaf(bf16 ? pl__ref_round_bf16(a[k]) : a[k], b[k * PANEL + j], chain[j]);
            for (size_t j = 0; j < columns; j++)
                c[j] = g->last ? finish(g, row, panel * PANEL + j, chain[j]) : chain[j];
        }
}

void pl__ref_gemm_f32(const pl_gemm *g, void *workspace, size_t first_panel, size_t last_panel)
{
    (void)workspace;
    gemm(g, first_panel, last_panel, false);
}

void pl__ref_gemm_bf16(const pl_gemm *g, void *workspace, size_t first_panel, size_t last_panel)
{
    (void)workspace;
    gemm(g, first_panel, last_panel, true);
}
