/* Matrix product on tiles: 32 rows x 32 columns of sums in four tiles.
 *
 * A chain is a sequence of tile steps of 32 along depth, each one sum of 32 products in the order
 * that TDPBF16PS has, added to what stands. Zero rows and zero depth beside it change nothing, so
 * an element depends on its row, its column and the depth alone.
 *
 * Way of a call: up to CHUNK_BYTES of rows become tile-ready bf16 in the workspace; per weight
 * panel, per block of depth (24 KiB of weights, which stay in the first cache), per 32 rows: the
 * steps. Sums are stored to the workspace, and while the tiles work at the next 32 rows, the
 * vector units, idle then, carry those sums through bias, activation and residual to C. */
#include "device/cpu/amx/amx.h"
#include "device/cpu/amx/tiles.h"
#include "device/cpu/avx512_bf16/tail.h"

#include <assert.h>

enum {
    TILE_BYTES = 1024,
    BLOCK_ROWS = 32,
    BLOCK_SUMS = BLOCK_ROWS * BF16_PANEL,
    DEPTH_STEPS = 12,     /* steps of a depth block, about */
    CHUNK_BYTES = 1 << 20 /* tile-ready rows that stay in the second cache */
};

/* n cut into the fewest parts of at most `most`, as even as can be: the size of one. */
static size_t part_of(size_t n, size_t most)
{
    size_t parts = (n + most - 1) / most;
    return parts ? (n + parts - 1) / parts : 0;
}

/* Rows that are packed at a time: whole blocks of 32, spread evenly. */
static size_t chunk_rows(size_t rows, size_t depth)
{
    size_t most = pl_max(CHUNK_BYTES / (bf16_steps(depth) * BF16_STEP * 2), BLOCK_ROWS);
    return (part_of(rows, most) + BLOCK_ROWS - 1) / BLOCK_ROWS * BLOCK_ROWS;
}

/* Serves every product of at most so many rows and depth: fewer rows may stand in larger chunks. */
size_t pl__amx_gemm_workspace(size_t rows, size_t depth)
{
    size_t blocks = (rows + BLOCK_ROWS - 1) / BLOCK_ROWS * BLOCK_ROWS, row_bytes = bf16_steps(depth) * BF16_STEP * 2;
    return pl_min(blocks * row_bytes, CHUNK_BYTES + BLOCK_ROWS * row_bytes) + blocks * BF16_PANEL * sizeof(float);
}

/* Rows [first, first + rows) of A as tiles: [16 rows][step] of 1 KiB, zero rows up to a whole tile. */
PL_ALWAYS_INLINE void rows_pack(const pl_gemm *g, size_t first, size_t rows, unsigned char *out, pl_dtype type)
{
    size_t steps = bf16_steps(g->depth), whole = g->depth / BF16_STEP, width = type == PL_BF16 ? 2 : sizeof(float);
    const char *from = (const char *)g->a + first * g->a_stride * width;
    for (size_t row = 0; row < (rows + 15) / 16 * 16; row++, from += g->a_stride * width) {
        unsigned char *to = out + row / 16 * steps * TILE_BYTES + row % 16 * 64;
        if (row >= rows) {
            for (size_t step = 0; step < steps; step++)
                _mm512_store_si512(to + step * TILE_BYTES, _mm512_setzero_si512());
            continue;
        }
        for (size_t step = 0; step < whole; step++)
            _mm512_store_si512(to + step * TILE_BYTES, bf16_load(from, type, step * BF16_STEP, BF16_STEP));
        if (whole < steps)
            _mm512_store_si512(to + whole * TILE_BYTES, bf16_load(from, type, whole * BF16_STEP, g->depth % BF16_STEP));
    }
}

/* What one thread's walk through a chunk needs besides the call. */
typedef struct walk {
    const pl_gemm *g;
    const unsigned char *a; /* tile-ready rows of the chunk */
    float *sums;            /* [blocks][32][32] */
    size_t first_row, rows, steps;
    const unsigned char *ahead, *ahead_end; /* weights to be brought near: the next panel */
    size_t ahead_lines;                     /* a step */
    bf16_tail tail;
} walk;

/* `steps` steps for 32 rows (or, two == false, 16), sums in tiles 0 to 3; the waiting block is
 * finished meanwhile, evenly from the second step on: before, its sums are still on their way. */
PL_ALWAYS_INLINE void block_multiply(walk *w, const unsigned char *a, const unsigned char *b, size_t steps, bool two, bf16_act act, pl_dtype c_type)
{
    bf16_tail t = w->tail;
    const unsigned char *ahead = w->ahead;
    size_t ahead_lines = ahead < w->ahead_end ? w->ahead_lines : 0, lower = w->steps * TILE_BYTES;
    size_t pairs = t.rows / 2, due = 0; /* due: in parts of a pair, steps - 1 to one */
    for (size_t k = 0; k < steps; k++, a += TILE_BYTES, b += BF16_STEP_BYTES) {
        TILE_LOAD(6, b, 128);
        TILE_LOAD(7, b + 64, 128);
        TILE_LOAD_PASSING(4, a, 64);
        TILE_PRODUCT(0, 4, 6);
        TILE_PRODUCT(1, 4, 7);
        if (two) {
            TILE_LOAD_PASSING(5, a + lower, 64);
            TILE_PRODUCT(2, 5, 6);
            TILE_PRODUCT(3, 5, 7);
        }
        for (size_t i = 0; i < ahead_lines; i++, ahead += 64)
            _mm_prefetch((const char *)ahead, _MM_HINT_T1);
        for (due += k ? pairs : 0; due >= steps && t.rows >= 2; due -= steps - 1)
            bf16_tail_rows(&t, 2, act, c_type);
    }
    bf16_tail_finish(&t, act, c_type);
    w->tail.rows = 0;
    w->ahead = ahead;
}

static void sums_load(const float *sums, bool two)
{
    TILE_LOAD(0, sums, 128);
    TILE_LOAD(1, sums + 16, 128);
    if (two) {
        TILE_LOAD(2, sums + 16 * BF16_PANEL, 128);
        TILE_LOAD(3, sums + 16 * BF16_PANEL + 16, 128);
    }
}

static void sums_store(float *sums, bool two)
{
    TILE_STORE(0, sums, 128);
    TILE_STORE(1, sums + 16, 128);
    if (two) {
        TILE_STORE(2, sums + 16 * BF16_PANEL, 128);
        TILE_STORE(3, sums + 16 * BF16_PANEL + 16, 128);
    }
}

static void sums_zero(void)
{
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
}

PL_ALWAYS_INLINE void panel_multiply(walk *w, size_t panel, const unsigned char *b, bf16_act act, pl_dtype c_type)
{
    const pl_gemm *g = w->g;
    size_t blocks = (w->rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    size_t part_steps = part_of(w->steps, DEPTH_STEPS);
    for (size_t at = 0; at < w->steps; at += part_steps) {
        size_t steps = pl_min(part_steps, w->steps - at);
        for (size_t block = 0; block < blocks; block++) {
            size_t row = block * BLOCK_ROWS, rows = pl_min(BLOCK_ROWS, w->rows - row);
            float *sums = w->sums + block * BLOCK_SUMS;
            bool two = rows > 16, begins = at == 0 && !g->go_on;
            if (at == 0 && g->go_on) {
                bf16_tail_finish(&w->tail, act, c_type); /* it may stand in these sums */
                pl__bf16_sums_read(g, w->first_row + row, rows, panel, sums);
            }
            if (begins)
                sums_zero();
            else
                sums_load(sums, two);
            const unsigned char *a = w->a + (row / 16 * w->steps + at) * TILE_BYTES;
            if (two)
                block_multiply(w, a, b + at * BF16_STEP_BYTES, steps, true, act, c_type);
            else
                block_multiply(w, a, b + at * BF16_STEP_BYTES, steps, false, act, c_type);
            sums_store(sums, two);
            if (at + steps == w->steps)
                pl__bf16_tail_begin(&w->tail, g, w->first_row + row, rows, panel, sums);
        }
    }
}

PL_ALWAYS_INLINE void chunk_multiply(walk *w, size_t first_panel, size_t last_panel, bf16_act act, pl_dtype c_type)
{
    size_t panel_bytes = w->steps * BF16_STEP_BYTES;
    size_t blocks = pl_max((w->rows + BLOCK_ROWS - 1) / BLOCK_ROWS, 1);
    w->ahead_lines = (BF16_STEP_BYTES / 64 + blocks - 1) / blocks;
    for (size_t panel = first_panel; panel < last_panel; panel++) {
        const unsigned char *b = (const unsigned char *)w->g->b + panel * panel_bytes;
        w->ahead = b + panel_bytes;
        w->ahead_end = panel + 1 < last_panel ? w->ahead + panel_bytes : w->ahead;
        panel_multiply(w, panel, b, act, c_type);
    }
    bf16_tail_finish(&w->tail, act, c_type);
}

/* One compiled form for each end of a product. */
#define FORM(name, act, c_type) \
    static void name(walk *w, size_t first_panel, size_t last_panel) { chunk_multiply(w, first_panel, last_panel, act, c_type); }
FORM(chunk_raw, BF16_RAW, PL_F32)
FORM(chunk_plain, BF16_PLAIN, PL_F32)
FORM(chunk_plain_bf16, BF16_PLAIN, PL_BF16)
FORM(chunk_erf, BF16_GELU_ERF, PL_F32)
FORM(chunk_erf_bf16, BF16_GELU_ERF, PL_BF16)
FORM(chunk_tanh, BF16_GELU_TANH, PL_F32)
FORM(chunk_tanh_bf16, BF16_GELU_TANH, PL_BF16)
#undef FORM

void pl__amx_gemm(const pl_gemm *g, void *workspace, size_t first_panel, size_t last_panel)
{
    static void (*const forms[][2])(walk *, size_t, size_t) = {
        [BF16_RAW] = {chunk_raw, chunk_raw},
        [BF16_PLAIN] = {chunk_plain, chunk_plain_bf16},
        [BF16_GELU_ERF] = {chunk_erf, chunk_erf_bf16},
        [BF16_GELU_TANH] = {chunk_tanh, chunk_tanh_bf16},
    };
    assert(pl__amx_ready());
    bf16_gemm_check(g);
    size_t chunk = chunk_rows(g->rows, g->depth), steps = bf16_steps(g->depth);
    for (size_t row = 0; row < g->rows && first_panel < last_panel; row += chunk) {
        walk w = {.g = g, .a = workspace, .first_row = row, .rows = pl_min(chunk, g->rows - row), .steps = steps};
        w.sums = (float *)(void *)((unsigned char *)workspace + chunk * steps * BF16_STEP * 2);
        if (g->a_type == PL_BF16)
            rows_pack(g, row, w.rows, workspace, PL_BF16);
        else
            rows_pack(g, row, w.rows, workspace, PL_F32);
        forms[bf16_act_of(g)][g->c_type == PL_BF16](&w, first_panel, last_panel);
    }
}
