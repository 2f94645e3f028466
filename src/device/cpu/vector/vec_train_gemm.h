/* Rows packed as the right side of a product, and the product over rows C = A^T B, for one vector
 * width, included once by gemm.c of each. The product is vec_gemm.h's but for the packing of
 * A, whose rows of depth stand contiguous already. */
#ifndef PL_DEVICE_CPU_VEC_TRAIN_GEMM_H
#define PL_DEVICE_CPU_VEC_TRAIN_GEMM_H

#include "device/cpu/vector/vec_gemm.h"
#include "device/train.h"

enum { ROWS_AT_ONCE = 16 }; /* rows of depth whose lines stay in the first cache while their columns pass */

/* `depth` rows of `rows` columns of A, strip by strip as [depth][rows of the strip]: the rows of
 * depth [k, k + some) of all strips. A vector is written whole: what stands behind a strip's row is
 * written again with its next row: k has to grow. */
PL_ALWAYS_INLINE void pack_a_some(float *out, const float *a, size_t stride, size_t rows, size_t depth, size_t k, size_t some, const bool bf16)
{
    size_t strips = vf_strips(rows);
    for (size_t s = 0; s < strips; s++) {
        size_t from = vf_strip_start(rows, strips, s), height = vf_strip_start(rows, strips, s + 1) - from;
        const float *in = a + k * stride + from;
        float *to = out + from * depth + k * height;
        vm m = vm_first(height);
        for (size_t i = 0; i < some; i++, in += stride, to += height) {
            vf v = vf_load_at(in, m);
            if (bf16)
                v = vf_round_bf16(v);
            if ((depth - k - i) * height >= VF_LANES)
                vf_store(to, v);
            else
                vf_store_at(to, v, m); /* behind it stands another strip */
        }
    }
}

PL_ALWAYS_INLINE void pack_a_tn(float *out, const float *a, size_t stride, size_t rows, size_t depth, const bool bf16)
{
    for (size_t k = 0; k < depth; k += ROWS_AT_ONCE)
        pack_a_some(out, a, stride, rows, depth, k, pl_min(depth - k, ROWS_AT_ONCE), bf16);
}

PL_ALWAYS_INLINE void gemm_tn_as(const pl_gemm *g, void *workspace, size_t first_panel, size_t last_panel, const bool bf16)
{
    gemm_cut cut = gemm_cut_make(g->rows, g->depth, bf16);
    float *a = workspace, *widened = a + packed_a_floats(cut);
    float *tile = widened + (bf16 ? (size_t)DEPTH_BLOCK * VF_PANEL : 0);
    size_t whole_panels = pl_min(last_panel, g->columns / VF_PANEL), b_panel = g->depth * VF_PANEL;
    pl_gemm plain = *g;
    plain.bias = plain.residual = NULL;
    plain.act = PL_ACT_NONE;
    for (size_t row = 0; row < g->rows; row += cut.rows)
        for (size_t k = 0; k < g->depth || k == 0; k += cut.depth) {
            gemm_step s = {.g = &plain,
                .row = row,
                .rows = pl_min(cut.rows, g->rows - row),
                .a = a,
                .tile = tile,
                .depth = pl_min(cut.depth, g->depth - k),
                .go_on = g->go_on || k > 0};
            s.last = g->last && k + s.depth == g->depth;
            pack_a_tn(a, g->a + k * g->a_stride + row, g->a_stride, s.rows, s.depth, bf16);
            for (size_t p = first_panel, n; p < last_panel; p += n) {
                n = p + cut.panels <= whole_panels ? cut.panels : 1;
                size_t at = p * b_panel + k * VF_PANEL;
                s.b = bf16 ? widened : (const float *)g->b + at;
                s.b_panel = bf16 ? s.depth * VF_PANEL : b_panel;
                if (bf16)
                    widen_panels(widened, (const uint16_t *)g->b + at, b_panel, n, s.depth);
                run_panels(&s, p, n);
            }
            if (g->depth == 0)
                break;
        }
}

/* One vector of a panel, rows of depth one after the other. */
PL_ALWAYS_INLINE void pack_rows_vector(const pl_pack_rows *p, size_t column, size_t row, size_t rows, const bool bf16)
{
    vm all = vm_first(VF_LANES), m = vm_first(column < p->columns ? p->columns - column : 0);
    size_t out = column / VF_PANEL * VF_PANEL * p->depth + (p->first_row + row) * VF_PANEL + column % VF_PANEL;
    const float *in = p->in + row * p->in_stride + pl_min(column, p->columns);
    for (size_t k = 0; k < rows; k++, out += VF_PANEL, in += p->in_stride)
        if (bf16)
            vf_store_upper((uint16_t *)p->out + out, vf_round_bf16(vf_load_at(in, m)), all);
        else
            vf_store((float *)p->out + out, vf_load_at(in, m));
}

PL_ALWAYS_INLINE void pack_rows_as(const pl_pack_rows *p, const bool bf16)
{
    size_t end = pl_round_up(p->columns, VF_PANEL);
    for (size_t row = 0; row < p->rows; row += ROWS_AT_ONCE)
        for (size_t column = 0; column < end; column += VF_LANES)
            pack_rows_vector(p, column, row, pl_min(ROWS_AT_ONCE, p->rows - row), bf16);
}

/* ---- the entries of a table ---- */
/* A step is one row here, so texts say nothing: no cut can split one. */
#define VF_TRAIN_GEMM_ENTRIES(isa)                                                                                                     \
    void pl__##isa##_pack_rows_f32(const pl_pack_rows *p) { pack_rows_as(p, false); }                                                  \
    void pl__##isa##_pack_rows_bf16(const pl_pack_rows *p) { pack_rows_as(p, true); }                                                  \
    size_t pl__##isa##_gemm_tn_workspace_f32(size_t rows, size_t depth) { return gemm_workspace_as(rows, depth, false); }              \
    size_t pl__##isa##_gemm_tn_workspace_bf16(size_t rows, size_t depth) { return gemm_workspace_as(rows, depth, true); }              \
    void pl__##isa##_gemm_tn_f32(const pl_gemm *g, const pl_row_texts *texts, void *workspace, size_t first_panel, size_t last_panel)  \
    {                                                                                                                                  \
        (void)texts;                                                                                                                   \
        gemm_tn_as(g, workspace, first_panel, last_panel, false);                                                                      \
    }                                                                                                                                  \
    void pl__##isa##_gemm_tn_bf16(const pl_gemm *g, const pl_row_texts *texts, void *workspace, size_t first_panel, size_t last_panel) \
    {                                                                                                                                  \
        (void)texts;                                                                                                                   \
        gemm_tn_as(g, workspace, first_panel, last_panel, true);                                                                       \
    }

#endif
