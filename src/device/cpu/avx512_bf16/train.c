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
/* Row `at` and the one behind it of a packed depth: an absent row is zero, of pairs only `halves` are written. */
static void pair_write(const pl_pack_rows *p, size_t depth, size_t at, const float *first, const float *second, __mmask32 halves)
{
    size_t steps = bf16_steps(depth);
    unsigned char *out = (unsigned char *)p->out + at / BF16_STEP * BF16_STEP_BYTES + at % BF16_STEP / 2 * 128;
    for (size_t column = 0; column < pl_round_up(p->columns, BF16_PANEL); column += VF_LANES) {
        vm m = vm_first(column < p->columns ? p->columns - column : 0);
        vf a = first ? vf_load_at(first + column, m) : vf_zero();
        vf b = second ? vf_load_at(second + column, m) : vf_zero();
        _mm512_mask_storeu_epi16(out + column / BF16_PANEL * steps * BF16_STEP_BYTES + column % BF16_PANEL * 4, halves, vf_bits(pairs_of(a, b)));
    }
}

/* Rows `row` and row + 1 of the depth, where they are among the call's; other halves of the pairs stay. */
static void pair_pack(const pl_pack_rows *p, size_t row)
{
    bool first = row >= p->first_row, second = row + 1 < p->first_row + p->rows;
    const float *in = first ? p->in + (row - p->first_row) * p->in_stride : NULL;
    const float *next = second ? p->in + (row + 1 - p->first_row) * p->in_stride : NULL;
    pair_write(p, p->depth, row, in, next, (first ? 0x55555555u : 0) | (second ? 0xAAAAAAAAu : 0));
}

static void padding_clear(const pl_pack_rows *p, size_t depth)
{
    size_t steps = bf16_steps(depth), panels = pl_round_up(p->columns, BF16_PANEL) / BF16_PANEL;
    for (size_t panel = 0; panel < panels; panel++)
        for (size_t row = depth; row < steps * BF16_STEP; row++) {
            unsigned char *pair = (unsigned char *)p->out + (panel * steps + row / BF16_STEP) * BF16_STEP_BYTES + row % BF16_STEP / 2 * 128;
            __mmask32 half = row % 2 ? 0xAAAAAAAAu : 0x55555555u;
            _mm512_mask_storeu_epi16(pair, half, _mm512_setzero_si512());
            _mm512_mask_storeu_epi16(pair + 64, half, _mm512_setzero_si512());
        }
}

/* Texts of their own steps: a pair never joins two, and what a step has beyond its text is zero. */
static void texts_pack(const pl_pack_rows *p, size_t row_step)
{
    size_t padded = pl_padded_rows(p->texts, p->rows, row_step), texts = p->texts->starts ? p->texts->texts : p->rows, at = 0;
    for (size_t t = 0; t < texts; t++) {
        size_t from = p->texts->starts ? p->texts->starts[t] : t, end = p->texts->starts ? p->texts->starts[t + 1] : t + 1;
        size_t next = at + pl_round_up(end - from, row_step);
        for (; at < next; at += 2, from += 2)
            pair_write(p, padded, at, from < end ? p->in + from * p->in_stride : NULL, from + 1 < end ? p->in + (from + 1) * p->in_stride : NULL, UINT32_MAX);
    }
    padding_clear(p, padded);
}

void pl__bf16_pack_rows(const pl_pack_rows *p, size_t row_step)
{
    if (p->texts) {
        texts_pack(p, row_step);
        return;
    }
    for (size_t row = p->first_row / 2 * 2; row < p->first_row + p->rows; row += 2)
        pair_pack(p, row);
    if (p->first_row + p->rows == p->depth)
        padding_clear(p, p->depth);
}

/* ---- columns of A as rows ---- */
static size_t rows_at_once(size_t rows, size_t depth)
{
    size_t most = pl_max(TURNED_BYTES / (bf16_steps(depth) * BF16_STEP * 2) / 32 * 32, 32);
    size_t parts = (rows + most - 1) / most;
    return parts ? pl_round_up((rows + parts - 1) / parts, 32) : 0;
}

/* The rows of a chain one after the other, NULL where a step has a zero row. */
typedef struct chain_rows {
    const pl_row_texts *texts;
    const float *a;
    size_t a_stride, rows, row_step;
    size_t text, row, left; /* next row; positions left in the text's steps */
    size_t end;             /* of the text's rows */
} chain_rows;

static const float *row_next(chain_rows *c)
{
    while (c->left == 0) {
        if (!c->texts || !c->texts->starts) {
            if (c->row == c->rows)
                return NULL;
            c->end = c->texts ? c->row + 1 : c->rows;
        } else {
            if (c->text == c->texts->texts)
                return NULL;
            c->end = c->texts->starts[++c->text];
        }
        c->left = c->texts ? pl_round_up(c->end - c->row, c->row_step) : c->end - c->row;
    }
    c->left--;
    return c->row < c->end ? c->a + c->row++ * c->a_stride : NULL;
}

/* Columns [first, first + count) of the chain's rows -> out[count][stride], stride a multiple of 32. */
static void columns_turn(uint16_t *out, size_t stride, chain_rows c, size_t first, size_t count)
{
    for (size_t k = 0; k < stride; k += BF16_STEP) {
        const float *in[BF16_STEP];
        for (size_t i = 0; i < BF16_STEP; i++)
            in[i] = row_next(&c);
        for (size_t at = 0; at < count; at += 16) {
            vm m = vm_first(count - at);
            vf v[16];
#pragma GCC unroll 16
            for (size_t i = 0; i < 16; i++)
                v[i] = pairs_of(
                    in[2 * i] ? vf_load_at(in[2 * i] + first + at, m) : vf_zero(), in[2 * i + 1] ? vf_load_at(in[2 * i + 1] + first + at, m) : vf_zero());
            vf_transpose(v);
            for (size_t i = 0; i < pl_min(count - at, 16); i++)
                _mm512_store_si512(out + (at + i) * stride + k, vf_bits(v[i]));
        }
    }
}

size_t pl__bf16_gemm_tn_workspace(const pl_kernels *k, size_t rows, size_t depth)
{
    size_t some = rows_at_once(rows, depth);
    return pl_round_up(some * bf16_steps(depth) * BF16_STEP * sizeof(uint16_t), 64) + k->gemm_workspace(some, depth);
}

void pl__bf16_gemm_tn(const pl_kernels *k, size_t row_step, const pl_gemm *g, const pl_row_texts *texts, void *workspace, size_t first_panel, size_t last_panel)
{
    size_t depth = pl_padded_rows(texts, g->depth, row_step), some = rows_at_once(g->rows, depth), stride = bf16_steps(depth) * BF16_STEP;
    chain_rows chain = {.texts = texts, .a = g->a, .a_stride = g->a_stride, .rows = g->depth, .row_step = row_step};
    uint16_t *turned = workspace;
    void *rest = (unsigned char *)workspace + pl_round_up(some * stride * sizeof *turned, 64);
    for (size_t row = 0; row < g->rows; row += some) {
        pl_gemm part = {.rows = pl_min(some, g->rows - row),
            .columns = g->columns,
            .depth = depth,
            .a_bf16 = turned,
            .a_stride = stride,
            .a_type = PL_BF16,
            .b = g->b,
            .c = g->c + row * g->c_stride,
            .c_stride = g->c_stride,
            .go_on = g->go_on,
            .last = g->last};
        columns_turn(turned, stride, chain, row, part.rows);
        k->gemm(&part, rest, first_panel, last_panel);
    }
}
