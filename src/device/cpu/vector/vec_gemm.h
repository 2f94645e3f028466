/* Packed weights and C = epilogue(A B) for one vector width, included once by gemm.c of each. */
#ifndef PL_DEVICE_CPU_VEC_GEMM_H
#define PL_DEVICE_CPU_VEC_GEMM_H

#include "device/cpu/vector/vec_finish.h"
#include "device/cpu/vector/vec_product.h"

#include <assert.h>

/* ---- blocks: A packed as [depth][rows of the strip] ---- */
#define VF_PACKED_BLOCK(rows, panels) \
    static void packed_block_##rows##_##panels(const vf_block *x) { vf_block_run(rows, 2 * (panels), true, x, 1, rows); }
/* clang-format off */
VF_PACKED_BLOCK(1, 1)
VF_PACKED_BLOCK(2, 1)
VF_PACKED_BLOCK(3, 1)
VF_PACKED_BLOCK(4, 1)
VF_PACKED_BLOCK(5, 1)
VF_PACKED_BLOCK(6, 1)
#ifdef __AVX512F__
VF_PACKED_BLOCK(7, 1)
VF_PACKED_BLOCK(8, 1)
VF_PACKED_BLOCK(9, 1)
VF_PACKED_BLOCK(10, 1)
VF_PACKED_BLOCK(11, 1)
VF_PACKED_BLOCK(12, 1)
VF_PACKED_BLOCK(1, 4)
VF_PACKED_BLOCK(2, 4)
VF_PACKED_BLOCK(3, 4)
VF_PACKED_BLOCK(4, 2)
VF_PACKED_BLOCK(5, 2)
#else
VF_PACKED_BLOCK(1, 4)
VF_PACKED_BLOCK(2, 2)
VF_PACKED_BLOCK(3, 2)
#endif
/* clang-format on */

typedef struct block_choice {
    size_t panels; /* at once */
    vf_block_fn at_once, single;
} block_choice;

static const block_choice packed_blocks[VF_ROWS + 1] = {
#ifdef __AVX512F__
    [1] = {4, packed_block_1_4, packed_block_1_1},
    [2] = {4, packed_block_2_4, packed_block_2_1},
    [3] = {4, packed_block_3_4, packed_block_3_1},
    [4] = {2, packed_block_4_2, packed_block_4_1},
    [5] = {2, packed_block_5_2, packed_block_5_1},
    [6] = {1, packed_block_6_1, packed_block_6_1},
    [7] = {1, packed_block_7_1, packed_block_7_1},
    [8] = {1, packed_block_8_1, packed_block_8_1},
    [9] = {1, packed_block_9_1, packed_block_9_1},
    [10] = {1, packed_block_10_1, packed_block_10_1},
    [11] = {1, packed_block_11_1, packed_block_11_1},
    [12] = {1, packed_block_12_1, packed_block_12_1},
#else
    [1] = {4, packed_block_1_4, packed_block_1_1},
    [2] = {2, packed_block_2_2, packed_block_2_1},
    [3] = {2, packed_block_3_2, packed_block_3_1},
    [4] = {1, packed_block_4_1, packed_block_4_1},
    [5] = {1, packed_block_5_1, packed_block_5_1},
    [6] = {1, packed_block_6_1, packed_block_6_1},
#endif
};

/* ---- how a product is cut; no result depends on it ---- */
enum {
    DEPTH_BLOCK = 384,            /* of a panel: 48 KiB of AVX-512, its strip of A 18 KiB */
    STRIP_FLOATS = 8192,          /* a single strip of A this small stays in the first cache whole */
    ROW_BLOCK_FLOATS = 128 * 1024 /* A block in the second cache: 512 KiB, half of a Zen 4's */
};

typedef struct gemm_cut {
    size_t rows;   /* of a row block */
    size_t depth;  /* of a depth block */
    size_t panels; /* at once: no more than 4 */
} gemm_cut;

static size_t share_evenly(size_t whole, size_t most)
{
    size_t parts = (whole + most - 1) / most;
    return parts ? (whole + parts - 1) / parts : 0;
}

static gemm_cut gemm_cut_make(size_t rows, size_t depth, bool bf16)
{
    gemm_cut cut = {.panels = rows > 0 && rows <= VF_ROWS ? packed_blocks[rows].panels : 1};
    size_t most = DEPTH_BLOCK;
    if (bf16)
        most = DEPTH_BLOCK / cut.panels; /* the widened panels stay in the first cache */
    else if (rows > 0 && rows <= VF_ROWS)
        most = pl_max(DEPTH_BLOCK, STRIP_FLOATS / rows);
    cut.depth = share_evenly(depth, most);
    cut.rows = share_evenly(rows, cut.depth ? pl_max(VF_ROWS, ROW_BLOCK_FLOATS / cut.depth) : VF_ROWS);
    return cut;
}

/* The workspace: packed A, widened B, one tile for a panel that C does not have whole. */
enum { TILE_FLOATS = VF_ROWS * VF_PANEL };
static size_t packed_a_floats(gemm_cut cut) { return pl_round_up(cut.rows * cut.depth + VF_LANES, 16); }

/* Never less for fewer rows or less depth, so that one workspace serves every smaller product: packed
 * A has at most `cut.rows * cut.depth` floats, which by the above is at most this. */
static size_t gemm_workspace_as(size_t rows, size_t depth, bool bf16)
{
    size_t block = pl_min(rows * pl_min(depth, DEPTH_BLOCK), ROW_BLOCK_FLOATS);
    size_t strip = pl_min(pl_min(rows, VF_ROWS) * depth, STRIP_FLOATS);
    size_t floats = pl_round_up(pl_max(block, strip) + VF_LANES, 16);
    size_t widened = bf16 ? (size_t)DEPTH_BLOCK * VF_PANEL : 0;
    return (floats + widened + TILE_FLOATS) * sizeof(float);
}

/* ---- A: one strip of rows x depth as [depth][rows], four rows at a time ---- */
/* Columns [k, k + some) of the strip. Each column is written in whole quads: what stands behind its
 * last row is written again with the next column, or is slack. */
PL_ALWAYS_INLINE void pack_columns(float *out, const float *a, size_t stride, size_t rows, const size_t quads, size_t some, const bool bf16)
{
    vf q[3][4];
    vm m = vm_first(some);
    PL_UNROLL
    for (size_t g = 0; g < quads; g++) {
        PL_UNROLL
        for (size_t i = 0; i < 4; i++) {
            size_t r = pl_min(4 * g + i, rows - 1);
            _mm_prefetch((const char *)(a + (r + rows) * stride), _MM_HINT_T0); /* the next strip */
            q[g][i] = some == VF_LANES ? vf_load(a + r * stride) : vf_load_at(a + r * stride, m);
            if (bf16)
                q[g][i] = vf_round_bf16(q[g][i]);
        }
        vf_quads(q[g]);
    }
    PL_UNROLL
    for (size_t k = 0; k < VF_LANES; k++) {
        if (some < VF_LANES && k == some)
            break;
        PL_UNROLL
        for (size_t g = 0; g < quads; g++)
            vf_store_quad(out + k * rows + 4 * g, q[g][k % 4], k / 4);
    }
}

PL_ALWAYS_INLINE void pack_strip_as(float *out, const float *a, size_t stride, size_t rows, const size_t quads, size_t depth, const bool bf16)
{
    size_t k = 0;
    for (; k + VF_LANES <= depth; k += VF_LANES)
        pack_columns(out + k * rows, a + k, stride, rows, quads, VF_LANES, bf16);
    if (k < depth)
        pack_columns(out + k * rows, a + k, stride, rows, quads, depth - k, bf16);
}

PL_ALWAYS_INLINE void pack_strip(float *out, const float *a, size_t stride, size_t rows, size_t depth, const bool bf16)
{
    if (rows > 8)
        pack_strip_as(out, a, stride, rows, 3, depth, bf16);
    else if (rows > 4)
        pack_strip_as(out, a, stride, rows, 2, depth, bf16);
    else
        pack_strip_as(out, a, stride, rows, 1, depth, bf16);
}

/* Strip by strip in order: each writes over the slack of the one before. */
PL_ALWAYS_INLINE void pack_a(float *out, const pl_gemm *g, size_t row, size_t rows, size_t k, size_t depth, bool bf16)
{
    size_t strips = vf_strips(rows);
    for (size_t s = 0; s < strips; s++) {
        size_t from = vf_strip_start(rows, strips, s), to = vf_strip_start(rows, strips, s + 1);
        pack_strip(out + from * depth, g->a + (row + from) * g->a_stride + k, g->a_stride, to - from, depth, bf16);
    }
}

static void copy_tile(float *to, size_t to_stride, const float *from, size_t from_stride, size_t rows, size_t columns)
{
    vm low = vm_first(columns), high = vm_first(columns > VF_LANES ? columns - VF_LANES : 0);
    for (size_t r = 0; r < rows; r++) {
        const float *f = from + r * from_stride;
        float *t = to + r * to_stride;
        vf_store_at(t, vf_load_at(f, low), low);
        if (columns > VF_LANES)
            vf_store_at(t + VF_LANES, vf_load_at(f + VF_LANES, high), high);
    }
}

typedef struct gemm_step {
    const pl_gemm *g;
    size_t row, rows; /* the row block */
    size_t depth;     /* of the depth block */
    const float *a;   /* packed */
    const float *b;   /* at the depth block of the first panel */
    size_t b_panel;
    float *tile;
    bool go_on, last;
} gemm_step;

/* One panel group of one row and depth block. */
static void run_panels(const gemm_step *s, size_t panel, size_t panels)
{
    const pl_gemm *g = s->g;
    size_t column = panel * VF_PANEL, columns = pl_min(g->columns - column, panels * VF_PANEL);
    bool whole = columns == panels * VF_PANEL;
    size_t strips = vf_strips(s->rows);
    for (size_t i = 0; i < strips; i++) {
        size_t from = vf_strip_start(s->rows, strips, i), rows = vf_strip_start(s->rows, strips, i + 1) - from;
        const block_choice *choice = &packed_blocks[rows];
        float *c = g->c + (s->row + from) * g->c_stride + column;
        vf_block x = {.depth = s->depth,
            .a = s->a + from * s->depth,
            .b = s->b,
            .b_panel = s->b_panel,
            .c = whole ? c : s->tile,
            .c_stride = whole ? g->c_stride : VF_PANEL,
            .go_on = s->go_on};
        x.ahead = (const char *)(s->b + panels * s->b_panel) + i * (s->depth / VF_DEPTH_STEP) * 128;
        if (s->last && g->act == PL_ACT_NONE && whole) {
            x.finish = true;
            x.bias = g->bias ? g->bias + column : NULL;
            x.residual = g->residual ? g->residual + (s->row + from) * g->residual_stride + column : NULL;
            x.residual_stride = g->residual_stride;
        }
        x.touch = x.residual ? x.residual : x.c;
        x.touch_stride = x.residual ? g->residual_stride : x.c_stride;
        if (!whole && s->go_on)
            copy_tile(s->tile, VF_PANEL, c, g->c_stride, rows, columns);
        (panels == 1 ? choice->single : choice->at_once)(&x);
        if (s->last && !x.finish)
            vf_finish_tile(g, (vf_tile){s->row + from, rows, column, columns}, x.c, x.c_stride);
        else if (!whole) /* then not finished either */
            copy_tile(c, g->c_stride, s->tile, VF_PANEL, rows, columns);
    }
}

/* Depth block k of `panels` panels of bf16 as f32. */
static void widen_panels(float *out, const uint16_t *b, size_t b_panel, size_t panels, size_t depth)
{
    vm all = vm_first(VF_LANES);
    for (size_t p = 0; p < panels; p++)
        for (size_t i = 0; i < depth * VF_PANEL; i += VF_LANES)
            vf_store(out + p * depth * VF_PANEL + i, vf_load_bf16(b + p * b_panel + i, all));
}

PL_ALWAYS_INLINE void gemm_as(const pl_gemm *g, void *workspace, size_t first_panel, size_t last_panel, bool bf16)
{
    assert(g->a_type == PL_F32 && g->c_type == PL_F32);
    gemm_cut cut = gemm_cut_make(g->rows, g->depth, bf16);
    float *a = workspace, *widened = a + packed_a_floats(cut);
    float *tile = widened + (bf16 ? (size_t)DEPTH_BLOCK * VF_PANEL : 0);
    size_t whole_panels = pl_min(last_panel, g->columns / VF_PANEL), b_panel = g->depth * VF_PANEL;
    for (size_t row = 0; row < g->rows; row += cut.rows)
        for (size_t k = 0; k < g->depth || k == 0; k += cut.depth) {
            gemm_step s = {.g = g,
                .row = row,
                .rows = pl_min(cut.rows, g->rows - row),
                .a = a,
                .tile = tile,
                .depth = pl_min(cut.depth, g->depth - k),
                .go_on = g->go_on || k > 0};
            s.last = g->last && k + s.depth == g->depth;
            pack_a(a, g, row, s.rows, k, s.depth, bf16);
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

/* ---- weights: rows of [columns][depth] into [panel][depth][VF_PANEL] ---- */
static inline size_t packed_bytes_as(size_t columns, size_t depth, bool bf16)
{
    return pl_round_up(pl_round_up(columns, VF_PANEL) * depth * (bf16 ? sizeof(uint16_t) : sizeof(float)), 64);
}

/* VF_LANES columns of one panel, those in m of the caller's; depth in steps of a transpose. */
PL_ALWAYS_INLINE void pack_half_panel(const pl_pack *p, size_t column, vm m, bool bf16, pl_dtype type)
{
    size_t panel_at = column / VF_PANEL * VF_PANEL * p->depth + column % VF_PANEL;
    for (size_t k = 0; k < p->depth; k += VF_LANES) {
        vm some = vm_first(p->depth - k);
        vf t[VF_LANES];
        for (size_t r = 0; r < VF_LANES; r++) {
            size_t at = column + r - p->first_column; /* wraps to beyond all before the first */
            t[r] = at < p->columns ? vf_load_as((const char *)p->in + at * p->in_stride, type, k, some) : vf_zero();
        }
        vf_transpose(t);
        for (size_t i = 0; i < pl_min(p->depth - k, VF_LANES); i++) {
            size_t out = panel_at + (k + i) * VF_PANEL;
            if (bf16)
                vf_store_upper((uint16_t *)p->out + out, vf_round_bf16(t[i]), m);
            else
                vf_store_at((float *)p->out + out, t[i], m);
        }
    }
}

PL_ALWAYS_INLINE void pack_as(const pl_pack *p, bool bf16)
{
    size_t end = pl_round_up(p->first_column + p->columns, VF_PANEL);
    for (size_t column = p->first_column / VF_LANES * VF_LANES; column < end; column += VF_LANES) {
        size_t skip = column < p->first_column ? p->first_column - column : 0; /* another's columns */
        vm m = vm_between(skip, VF_LANES);
        switch (p->type) {
        case PL_F16: pack_half_panel(p, column, m, bf16, PL_F16); break;
        case PL_BF16: pack_half_panel(p, column, m, bf16, PL_BF16); break;
        case PL_F64: pack_half_panel(p, column, m, bf16, PL_F64); break;
        default: pack_half_panel(p, column, m, bf16, PL_F32);
        }
    }
}

/* ---- the entries of a table ---- */
#define VF_GEMM_ENTRIES(isa)                                                                                             \
    size_t pl__##isa##_packed_bytes_f32(size_t columns, size_t depth) { return packed_bytes_as(columns, depth, false); } \
    size_t pl__##isa##_packed_bytes_bf16(size_t columns, size_t depth) { return packed_bytes_as(columns, depth, true); } \
    void pl__##isa##_pack_f32(const pl_pack *p) { pack_as(p, false); }                                                   \
    void pl__##isa##_pack_bf16(const pl_pack *p) { pack_as(p, true); }                                                   \
    size_t pl__##isa##_gemm_workspace_f32(size_t rows, size_t depth) { return gemm_workspace_as(rows, depth, false); }   \
    size_t pl__##isa##_gemm_workspace_bf16(size_t rows, size_t depth) { return gemm_workspace_as(rows, depth, true); }   \
    void pl__##isa##_gemm_f32(const pl_gemm *g, void *workspace, size_t first_panel, size_t last_panel)                  \
    {                                                                                                                    \
        gemm_as(g, workspace, first_panel, last_panel, false);                                                           \
    }                                                                                                                    \
    void pl__##isa##_gemm_bf16(const pl_gemm *g, void *workspace, size_t first_panel, size_t last_panel)                 \
    {                                                                                                                    \
        gemm_as(g, workspace, first_panel, last_panel, true);                                                            \
    }

#endif
