/* The products of training in the two bf16 tables: rows packed as the right side, and C = A^T B by
 * the table's own product, once the columns of a block of A stand as rows of bf16. */
#include "device/cpu/avx512_bf16/train.h"

#include "device/cpu/avx512_bf16/bf16.h"

enum { TURNED_BYTES = 256 << 10 }; /* columns of A that are turned into rows at a time */

/* Sixteen columns of two rows as pairs, each rounded as in every bf16 product. */
PL_ALWAYS_INLINE vf pairs_of(vf first, vf second)
{
    const __m512i order = _mm512_set_epi16(
        31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return vf_of_bits(_mm512_permutexvar_epi16(order, bf16_round(first, second)));
}

/* ---- rows as the right side ---- */
/* Rows `row` and row + 1 of the depth, where they are among the call's; other halves of the pairs stay. */
static void pair_pack(const pl_pack_rows *p, size_t row)
{
    bool first = row >= p->first_row, second = row + 1 < p->first_row + p->rows;
    __mmask32 halves = (first ? 0x55555555u : 0) | (second ? 0xAAAAAAAAu : 0);
    size_t steps = bf16_steps(p->depth);
    unsigned char *out = (unsigned char *)p->out + row / BF16_STEP * BF16_STEP_BYTES + row % BF16_STEP / 2 * 128;
    const float *in = first ? p->in + (row - p->first_row) * p->in_stride : p->in, *next = first ? in + p->in_stride : in;
    for (size_t column = 0; column < pl_round_up(p->columns, BF16_PANEL); column += VF_LANES) {
        vm m = vm_first(column < p->columns ? p->columns - column : 0);
        vf a = first ? vf_load_at(in + column, m) : vf_zero();
        vf b = second ? vf_load_at(next + column, m) : vf_zero();
        _mm512_mask_storeu_epi16(out + column / BF16_PANEL * steps * BF16_STEP_BYTES + column % BF16_PANEL * 4, halves, vf_bits(pairs_of(a, b)));
    }
}

static void padding_clear(const pl_pack_rows *p)
{
    size_t steps = bf16_steps(p->depth), panels = pl_round_up(p->columns, BF16_PANEL) / BF16_PANEL;
    for (size_t panel = 0; panel < panels; panel++)
        for (size_t row = p->depth; row < steps * BF16_STEP; row++) {
            unsigned char *pair = (unsigned char *)p->out + (panel * steps + row / BF16_STEP) * BF16_STEP_BYTES + row % BF16_STEP / 2 * 128;
            __mmask32 half = row % 2 ? 0xAAAAAAAAu : 0x55555555u;
            _mm512_mask_storeu_epi16(pair, half, _mm512_setzero_si512());
            _mm512_mask_storeu_epi16(pair + 64, half, _mm512_setzero_si512());
        }
}

void pl__bf16_pack_rows(const pl_pack_rows *p)
{
    for (size_t row = p->first_row / 2 * 2; row < p->first_row + p->rows; row += 2)
        pair_pack(p, row);
    if (p->first_row + p->rows == p->depth)
        padding_clear(p);
}

/* ---- columns of A as rows ---- */
static size_t rows_at_once(size_t rows, size_t depth)
{
    size_t most = pl_max(TURNED_BYTES / (pl_round_up(pl_max(depth, 1), BF16_STEP) * 2) / 32 * 32, 32);
    size_t parts = (rows + most - 1) / most;
    return parts ? pl_round_up((rows + parts - 1) / parts, 32) : 0;
}

/* Columns of a[depth][..] -> out[rows][stride], a multiple of 32 of depth, its padding zero. */
static void columns_turn(uint16_t *out, size_t stride, const float *a, size_t a_stride, size_t rows, size_t depth)
{
    for (size_t k = 0; k < depth; k += BF16_STEP)
        for (size_t row = 0; row < rows; row += 16) {
            vm m = vm_first(rows - row);
            vf v[16];
#pragma GCC unroll 16
            for (size_t i = 0; i < 16; i++) {
                size_t at = k + 2 * i;
                const float *in = a + at * a_stride + row;
                v[i] = pairs_of(at < depth ? vf_load_at(in, m) : vf_zero(), at + 1 < depth ? vf_load_at(in + a_stride, m) : vf_zero());
            }
            vf_transpose(v);
            for (size_t i = 0; i < pl_min(rows - row, 16); i++)
                _mm512_store_si512(out + (row + i) * stride + k, vf_bits(v[i]));
        }
}

size_t pl__bf16_gemm_tn_workspace(const pl_kernels *k, size_t rows, size_t depth)
{
    size_t some = rows_at_once(rows, depth);
    return pl_round_up(some * pl_round_up(depth, BF16_STEP) * sizeof(uint16_t), 64) + k->gemm_workspace(some, depth);
}

void pl__bf16_gemm_tn(const pl_kernels *k, const pl_gemm *g, void *workspace, size_t first_panel, size_t last_panel)
{
    size_t some = rows_at_once(g->rows, g->depth), stride = pl_round_up(g->depth, BF16_STEP);
    uint16_t *turned = workspace;
    void *rest = (unsigned char *)workspace + pl_round_up(some * stride * sizeof *turned, 64);
    for (size_t row = 0; row < g->rows; row += some) {
        pl_gemm part = {.rows = pl_min(some, g->rows - row),
            .columns = g->columns,
            .depth = g->depth,
            .a_bf16 = turned,
            .a_stride = stride,
            .a_type = PL_BF16,
            .b = g->b,
            .c = g->c + row * g->c_stride,
            .c_stride = g->c_stride,
            .go_on = g->go_on,
            .last = g->last};
        columns_turn(turned, stride, g->a + row, g->a_stride, part.rows, g->depth);
        k->gemm(&part, rest, first_panel, last_panel);
    }
}
