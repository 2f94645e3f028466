/* Packing of rows and the product over rows. */
#include "device/cpu/reference/ref_train.h"

#include <math.h>

enum { PANEL = 32 };

static void pack_rows(const pl_pack_rows *p, bool bf16)
{
    size_t end = pl_round_up(p->columns, PANEL);
    for (size_t k = 0; k < p->rows; k++)
        for (size_t column = 0; column < end; column++) {
            float x = column < p->columns ? p->in[k * p->in_stride + column] : 0.0f;
            float *panel = (float *)p->out + column / PANEL * PANEL * p->depth + column % PANEL;
            panel[(p->first_row + k) * PANEL] = bf16 ? pl__ref_round_bf16(x) : x;
        }
}

void pl__ref_pack_rows_f32(const pl_pack_rows *p) { pack_rows(p, false); }
void pl__ref_pack_rows_bf16(const pl_pack_rows *p) { pack_rows(p, true); }

size_t pl__ref_gemm_tn_workspace(size_t rows, size_t depth)
{
    (void)rows;
    (void)depth;
    return 0;
}

/* One element: a column of A with a column of B. */
static float chain(const pl_gemm *g, size_t row, size_t column, bool bf16)
{
    const float *b = (const float *)g->b + column / PANEL * PANEL * g->depth + column % PANEL;
    float sum = g->go_on ? g->c[row * g->c_stride + column] : 0.0f;
    for (size_t k = 0; k < g->depth; k++) {
        float a = g->a[k * g->a_stride + row];
        sum = fmaf(bf16 ? pl__ref_round_bf16(a) : a, b[k * PANEL], sum);
    }
    return g->last ? pl__ref_canonical(sum) : sum;
}

static void gemm_tn(const pl_gemm *g, size_t first_panel, size_t last_panel, bool bf16)
{
    size_t last = pl_min(last_panel * PANEL, g->columns);
    for (size_t row = 0; row < g->rows; row++)
        for (size_t column = first_panel * PANEL; column < last; column++)
            g->c[row * g->c_stride + column] = chain(g, row, column, bf16);
}

void pl__ref_gemm_tn_f32(const pl_gemm *g, const pl_row_texts *texts, void *workspace, size_t first_panel, size_t last_panel)
{
    (void)texts; /* a step is one row: no cut can split it */
    (void)workspace;
    gemm_tn(g, first_panel, last_panel, false);
}

void pl__ref_gemm_tn_bf16(const pl_gemm *g, const pl_row_texts *texts, void *workspace, size_t first_panel, size_t last_panel)
{
    (void)texts; /* a step is one row: no cut can split it */
    (void)workspace;
    gemm_tn(g, first_panel, last_panel, true);
}
