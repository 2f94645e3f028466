/* Matrix product by VDPBF16PS: 12 rows x 32 columns of sums in registers.
 *
 * A chain takes a pair of rows of the weights at a step, in the order that VDPBF16PS has; packed
 * depth ends with zero pairs, which change nothing. Mostly sums go from the registers to C; where
 * a chain goes on, is very deep, or few rows are left, they wait in the workspace. Two lines of a
 * panel for 24 products can come from the second cache without being late. */
#include "device/cpu/avx512_bf16/avx512_bf16.h"
#include "device/cpu/avx512_bf16/tail.h"

#include <assert.h>

enum {
    BLOCK_ROWS = 12,
    DEPTH_STEPS = 48,       /* steps of a depth block, at most: a panel of 96 KiB */
    CHUNK_BYTES = 512 << 10 /* packed rows that stay in the second cache */
};

static size_t chunk_rows(size_t rows, size_t depth)
{
    size_t most = pl_max(CHUNK_BYTES / (bf16_steps(depth) * BF16_STEP * 2), BLOCK_ROWS);
    size_t chunks = (rows + most - 1) / most;
    size_t each = chunks ? (rows + chunks - 1) / chunks : 0;
    return (each + BLOCK_ROWS - 1) / BLOCK_ROWS * BLOCK_ROWS;
}

/* Serves every product of at most so many rows and depth: fewer rows may stand in larger chunks. */
size_t pl__avx512_bf16_gemm_workspace(size_t rows, size_t depth)
{
    size_t blocks = (rows + BLOCK_ROWS - 1) / BLOCK_ROWS * BLOCK_ROWS, row_bytes = bf16_steps(depth) * BF16_STEP * 2;
    return pl_min(blocks * row_bytes, CHUNK_BYTES + BLOCK_ROWS * row_bytes) + blocks * BF16_PANEL * sizeof(float);
}

/* Rows [first, first + rows) of A as bf16: [row][steps x 32]. */
PL_ALWAYS_INLINE void rows_pack(const pl_gemm *g, size_t first, size_t rows, unsigned char *out, pl_dtype type)
{
    size_t steps = bf16_steps(g->depth), width = type == PL_BF16 ? 2 : sizeof(float);
    const char *from = (const char *)g->a + first * g->a_stride * width;
    for (size_t row = 0; row < rows; row++, from += g->a_stride * width)
        for (size_t step = 0; step < steps; step++, out += BF16_STEP * 2)
            _mm512_store_si512(out, bf16_load(from, type, step * BF16_STEP, g->depth - step * BF16_STEP));
}

/* ---- a block of sums in registers: `rows` rows (a constant) by a panel ---- */
typedef struct factors {
    const unsigned char *a; /* rows, a_step bytes apart */
    size_t a_step;
    const unsigned char *b; /* of the panel */
    size_t pairs;           /* of depth */
} factors;

PL_ALWAYS_INLINE void block_begin(vf s[][2], const float *sums, int rows)
{
    PL_UNROLL
    for (int r = 0; r < rows; r++) {
        s[r][0] = sums ? vf_load(sums + r * BF16_PANEL) : vf_zero();
        s[r][1] = sums ? vf_load(sums + r * BF16_PANEL + 16) : vf_zero();
    }
}

PL_ALWAYS_INLINE void block_add(vf s[][2], const factors *f, int rows)
{
    const unsigned char *a = f->a, *b = f->b;
    for (size_t pair = 0; pair < f->pairs; pair++, a += 4, b += 128) {
        __m512bh b0 = (__m512bh)_mm512_load_si512(b), b1 = (__m512bh)_mm512_load_si512(b + 64);
        PL_UNROLL
        for (int r = 0; r < rows; r++) {
            int two;
            memcpy(&two, a + (size_t)r * f->a_step, sizeof two);
            __m512bh both = (__m512bh)_mm512_set1_epi32(two);
            s[r][0] = _mm512_dpbf16_ps(s[r][0], both, b0);
            s[r][1] = _mm512_dpbf16_ps(s[r][1], both, b1);
        }
    }
}

/* Sums from zero or as they stand, back to memory. */
PL_ALWAYS_INLINE void rows_multiply(const factors *f, bool begins, float *sums, int rows)
{
    vf s[BLOCK_ROWS][2];
    block_begin(s, begins ? NULL : sums, rows);
    block_add(s, f, rows);
    PL_UNROLL
    for (int r = 0; r < rows; r++) {
        vf_store(sums + r * BF16_PANEL, s[r][0]);
        vf_store(sums + r * BF16_PANEL + 16, s[r][1]);
    }
}

typedef void (*multiply)(const factors *f, bool begins, float *sums);

#define ROWS_MAP(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)
#define ROWS_FUNCTION(n) \
    static void multiply_##n(const factors *f, bool begins, float *sums) { rows_multiply(f, begins, sums, n); }
ROWS_MAP(ROWS_FUNCTION)
#undef ROWS_FUNCTION

static const multiply multiply_rows[BLOCK_ROWS + 1] = {
#define ROWS_ENTRY(n) [n] = multiply_##n,
    ROWS_MAP(ROWS_ENTRY)
#undef ROWS_ENTRY
};

/* A whole block whose chains are whole too: from zero to C without a detour through memory. */
PL_ALWAYS_INLINE void block_finish(const factors *f, bf16_tail *tail, bf16_act act, pl_dtype c_type)
{
    vf s[BLOCK_ROWS][2];
    block_begin(s, NULL, BLOCK_ROWS);
    block_add(s, f, BLOCK_ROWS);
    bf16_tail t = *tail;
    PL_UNROLL
    for (int r = 0; r < BLOCK_ROWS; r += 2)
        bf16_tail_write(&t, s[r], 2, act, c_type);
    *tail = t;
}

/* ---- rows that stay in the second cache, and their sums for one panel ---- */
typedef struct chunk {
    const pl_gemm *g;
    const unsigned char *a;
    size_t a_step; /* bytes from row to row */
    float *sums;
    size_t first_row, rows, steps;
} chunk;

/* Rows of whole steps of bf16 are read where they stand, others are packed. */
static void rows_take(chunk *c, void *workspace)
{
    const pl_gemm *g = c->g;
    if (g->a_type == PL_BF16 && g->depth > 0 && g->depth % BF16_STEP == 0) {
        c->a = (const unsigned char *)(g->a_bf16 + c->first_row * g->a_stride);
        c->a_step = g->a_stride * sizeof *g->a_bf16;
        return;
    }
    c->a = workspace;
    c->a_step = c->steps * BF16_STEP * 2;
    if (g->a_type == PL_BF16)
        rows_pack(g, c->first_row, c->rows, workspace, PL_BF16);
    else
        rows_pack(g, c->first_row, c->rows, workspace, PL_F32);
}

/* Whole blocks of rows, where a chain is one block of depth; returns the rows that are done. */
PL_ALWAYS_INLINE size_t panel_finish(const chunk *c, size_t panel, const unsigned char *b, bf16_act act, pl_dtype c_type)
{
    const pl_gemm *g = c->g;
    size_t row = 0;
    if (c->rows < BLOCK_ROWS || c->steps > DEPTH_STEPS || g->go_on || bf16_act_apart(g))
        return 0;
    bf16_tail t;
    pl__bf16_tail_begin(&t, g, c->first_row, 0, panel, c->sums);
    for (; row + BLOCK_ROWS <= c->rows; row += BLOCK_ROWS)
        block_finish(&(factors){c->a + row * c->a_step, c->a_step, b, c->steps * BF16_STEP / 2}, &t, act, c_type);
    return row;
}

PL_ALWAYS_INLINE void panel_multiply(const chunk *c, size_t panel, bf16_act act, pl_dtype c_type)
{
    const pl_gemm *g = c->g;
    const unsigned char *b = (const unsigned char *)g->b + panel * c->steps * BF16_STEP_BYTES;
    size_t done = panel_finish(c, panel, b, act, c_type);
    for (size_t at = 0; at < c->steps; at += DEPTH_STEPS) {
        size_t steps = pl_min(DEPTH_STEPS, c->steps - at);
        for (size_t row = done; row < c->rows; row += BLOCK_ROWS) {
            size_t rows = pl_min(BLOCK_ROWS, c->rows - row);
            float *sums = c->sums + row * BF16_PANEL;
            if (at == 0 && g->go_on)
                pl__bf16_sums_read(g, c->first_row + row, rows, panel, sums);
            factors f = {c->a + row * c->a_step + at * BF16_STEP * 2, c->a_step, b + at * BF16_STEP_BYTES, steps * BF16_STEP / 2};
            multiply_rows[rows](&f, at == 0 && !g->go_on, sums);
            if (at + steps < c->steps)
                continue;
            bf16_tail t;
            pl__bf16_tail_begin(&t, g, c->first_row + row, rows, panel, sums);
            bf16_tail_finish(&t, act, c_type);
        }
    }
}

/* One compiled form for each end of a product. */
#define FORM(name, act, c_type) \
    static void name(const chunk *c, size_t panel) { panel_multiply(c, panel, act, c_type); }
FORM(panel_raw, BF16_RAW, PL_F32)
FORM(panel_plain, BF16_PLAIN, PL_F32)
FORM(panel_plain_bf16, BF16_PLAIN, PL_BF16)
FORM(panel_erf, BF16_GELU_ERF, PL_F32)
FORM(panel_erf_bf16, BF16_GELU_ERF, PL_BF16)
FORM(panel_tanh, BF16_GELU_TANH, PL_F32)
FORM(panel_tanh_bf16, BF16_GELU_TANH, PL_BF16)
#undef FORM

void pl__avx512_bf16_gemm(const pl_gemm *g, void *workspace, size_t first_panel, size_t last_panel)
{
    static void (*const forms[][2])(const chunk *, size_t) = {
        [BF16_RAW] = {panel_raw, panel_raw},
        [BF16_PLAIN] = {panel_plain, panel_plain_bf16},
        [BF16_GELU_ERF] = {panel_erf, panel_erf_bf16},
        [BF16_GELU_TANH] = {panel_tanh, panel_tanh_bf16},
    };
    bf16_gemm_check(g);
    size_t most = chunk_rows(g->rows, g->depth), steps = bf16_steps(g->depth);
    for (size_t row = 0; row < g->rows && first_panel < last_panel; row += most) {
        chunk c = {.g = g, .first_row = row, .rows = pl_min(most, g->rows - row), .steps = steps};
        c.sums = (float *)(void *)((unsigned char *)workspace + most * steps * BF16_STEP * 2);
        rows_take(&c, workspace);
        for (size_t panel = first_panel; panel < last_panel; panel++)
            forms[bf16_act_of(g)][g->c_type == PL_BF16](&c, panel);
    }
}
