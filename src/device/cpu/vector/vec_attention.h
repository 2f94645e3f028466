/* softmax((scale q) k^T) v for one vector width, included once by attention.c of each.
 *
 * A unit (text and head) packs its keys transposed and its values, both in panels, once. Then strip
 * by strip of query rows: scores by the blocks of vec_product.h, softmax in place, context by the
 * same blocks. Scores and queries stand at one constant row stride, so that the rows of a block are
 * constant offsets from one pointer. */
#ifndef PL_DEVICE_CPU_VEC_ATTENTION_H
#define PL_DEVICE_CPU_VEC_ATTENTION_H

#include "device/cpu/vector/vec_math.h"
#include "device/cpu/vector/vec_product.h"

#include <assert.h>
#include <assert.h>
#include <math.h>

#ifndef VF_SPAN_ROWS
#define VF_SPAN_ROWS VF_ROWS /* rows that stand one behind the other in a span */
#endif

enum {
    SPAN = 512,           /* keys (or columns of the head) of one block of scores (queries) */
    SPAN_ROW = SPAN + 16, /* its row stride: 33 lines, so that rows fall into different sets */
    SPAN_FLOATS = VF_SPAN_ROWS * SPAN_ROW,
};

#define VF_SPAN_BLOCK(rows, vectors) \
    static void span_block_##rows##_##vectors(const vf_block *x) { vf_block_run(rows, vectors, false, x, SPAN_ROW, 1); }
#define VF_SPAN_BLOCKS(rows) VF_SPAN_BLOCK(rows, 1) VF_SPAN_BLOCK(rows, 2)
/* clang-format off */
VF_SPAN_BLOCKS(1)
VF_SPAN_BLOCKS(2)
VF_SPAN_BLOCKS(3)
VF_SPAN_BLOCKS(4)
VF_SPAN_BLOCKS(5)
VF_SPAN_BLOCKS(6)
#ifdef __AVX512F__
VF_SPAN_BLOCKS(7)
VF_SPAN_BLOCKS(8)
VF_SPAN_BLOCKS(9)
VF_SPAN_BLOCKS(10)
VF_SPAN_BLOCKS(11)
VF_SPAN_BLOCKS(12)
#endif
/* clang-format on */

typedef struct span_choice {
    vf_block_fn one, two; /* vectors of columns */
} span_choice;

#define VF_SPAN_ENTRY(rows) [rows] = {span_block_##rows##_1, span_block_##rows##_2}
static const span_choice span_blocks[VF_ROWS + 1] = {
    VF_SPAN_ENTRY(1),
    VF_SPAN_ENTRY(2),
    VF_SPAN_ENTRY(3),
    VF_SPAN_ENTRY(4),
    VF_SPAN_ENTRY(5),
    VF_SPAN_ENTRY(6),
#ifdef __AVX512F__
    VF_SPAN_ENTRY(7),
    VF_SPAN_ENTRY(8),
    VF_SPAN_ENTRY(9),
    VF_SPAN_ENTRY(10),
    VF_SPAN_ENTRY(11),
    VF_SPAN_ENTRY(12),
#endif
};

/* One unit and where its parts stand in the workspace. */
typedef struct unit {
    const pl_attention *a;
    size_t first, length; /* rows of the text */
    size_t from, width;   /* columns of the head */
    float *keys;          /* [panel of keys][width][VF_PANEL] */
    float *values;        /* [panel of columns][length][VF_PANEL] */
    float *queries;       /* [span of columns][VF_ROWS][SPAN_ROW], times scale */
    float *scores;        /* [span of keys][VF_ROWS][SPAN_ROW] */
    float *context;       /* [VF_ROWS][VF_PANEL] */
} unit;

static size_t panels_of(size_t n) { return (n + VF_PANEL - 1) / VF_PANEL; }
static size_t spans_of(size_t n) { return (n + SPAN - 1) / SPAN; }

/* Floats of each part. */
static size_t unit_keys(const unit *u) { return panels_of(u->length) * VF_PANEL * u->width; }
static size_t unit_values(const unit *u) { return panels_of(u->width) * VF_PANEL * u->length; }
static size_t unit_queries(const unit *u) { return spans_of(u->width) * SPAN_FLOATS; }
static size_t unit_scores(const unit *u) { return spans_of(u->length) * SPAN_FLOATS; }

static void unit_place(unit *u, float *workspace)
{
    u->keys = workspace;
    u->values = u->keys + unit_keys(u);
    u->queries = u->values + unit_values(u);
    u->scores = u->queries + unit_queries(u);
    u->context = u->scores + unit_scores(u);
}

static void pack_keys(const unit *u)
{
    for (size_t key = 0; key < u->length; key += VF_LANES) {
        float *out = u->keys + key / VF_PANEL * VF_PANEL * u->width + key % VF_PANEL;
        const float *in = u->a->k + (u->first + key) * u->a->stride + u->from;
        size_t rows = pl_min(u->length - key, VF_LANES);
        for (size_t c = 0; c < u->width; c += VF_LANES) {
            vm m = vm_first(u->width - c);
            vf t[VF_LANES];
            for (size_t r = 0; r < VF_LANES; r++)
                t[r] = r < rows ? vf_load_at(in + r * u->a->stride + c, m) : vf_zero();
            vf_transpose(t);
            for (size_t i = 0; i < pl_min(u->width - c, VF_LANES); i++)
                vf_store(out + (c + i) * VF_PANEL, t[i]);
        }
    }
}

static void pack_values(const unit *u)
{
    for (size_t c = 0; c < u->width; c += VF_PANEL) {
        float *out = u->values + c * u->length;
        const float *in = u->a->v + u->first * u->a->stride + u->from + c;
        vm low = vm_first(u->width - c), high = vm_first(u->width - c > VF_LANES ? u->width - c - VF_LANES : 0);
        bool two = u->width - c > VF_LANES;
        for (size_t key = 0; key < u->length; key++) {
            vf_store(out, vf_load_at(in, low));
            if (two)
                vf_store(out + VF_LANES, vf_load_at(in + VF_LANES, high));
            out += VF_PANEL;
            in += u->a->stride;
        }
    }
}

static void scale_queries(const unit *u, size_t row, size_t rows)
{
    vf scale = vf_set(u->a->scale);
    for (size_t r = 0; r < rows; r++) {
        const float *in = u->a->q + (u->first + row + r) * u->a->stride + u->from;
        for (size_t c = 0; c < u->width; c += VF_LANES) {
            float *out = u->queries + c / SPAN * SPAN_FLOATS + r * SPAN_ROW + c % SPAN;
            vf_store(out, vf_mul(vf_load_at(in + c, vm_first(u->width - c)), scale));
        }
    }
}

/* The chains of one strip: depth in spans of A, one panel of B, into c; at the end times share. */
static void run_spans(const float *a, size_t depth, const float *b, size_t rows, size_t columns, float *c, size_t c_stride, const float *share)
{
    assert(rows >= 1 && rows <= VF_ROWS);
    const span_choice *choice = &span_blocks[rows];
    vf_block_fn run = columns > VF_LANES ? choice->two : choice->one;
    for (size_t k = 0; k < depth; k += SPAN)
        run(&(vf_block){.depth = pl_min(depth - k, SPAN),
            .a = a + k / SPAN * SPAN_FLOATS,
            .b = b + k * VF_PANEL,
            .c = c,
            .c_stride = c_stride,
            .go_on = k > 0,
            .share = k + SPAN >= depth ? share : NULL});
}

static void find_scores(const unit *u, size_t rows)
{
    for (size_t key = 0; key < u->length; key += VF_PANEL)
        run_spans(u->queries, u->width, u->keys + key * u->width, rows, pl_min(u->length - key, VF_PANEL), u->scores + key / SPAN * SPAN_FLOATS + key % SPAN,
            SPAN_ROW, NULL);
}

/* Rows of scores, n at once: each score -> exp(score - greatest of its row); share: 1 / their sum. */
enum { WEIGH_ROWS = VF_LANES == 16 ? 4 : 2 };

PL_ALWAYS_INLINE void find_greatest(const unit *u, const float *rows, const int n, vf *top)
{
    const vf least = vf_set(-INFINITY);
    for (int r = 0; r < n; r++)
        top[r] = least;
    for (size_t from = 0; from < u->length; from += SPAN, rows += SPAN_FLOATS) {
        size_t count = pl_min(u->length - from, SPAN), at = 0;
        for (; at + VF_LANES <= count; at += VF_LANES)
            for (int r = 0; r < n; r++)
                top[r] = vf_max(vf_load(rows + r * SPAN_ROW + at), top[r]); /* passes over NaN */
        if (at < count)
            for (int r = 0; r < n; r++)
                top[r] = vf_max(vf_pick(vm_first(count - at), vf_load(rows + r * SPAN_ROW + at), least), top[r]);
    }
    for (int r = 0; r < n; r++)
        top[r] = vf_set(vf_greatest(top[r]));
}

/* One vector of keys of each row, `lane` of the 32-lane sums. */
PL_ALWAYS_INLINE void weigh_keys(float *rows, const int n, const vf *top, vf_sum *sum, size_t lane, vm m)
{
    vf x[WEIGH_ROWS];
    for (int r = 0; r < n; r++)
        x[r] = vf_sub(vf_load(rows + r * SPAN_ROW), top[r]);
    vf_exp_many(x, n, true);
    for (int r = 0; r < n; r++) {
        vf_store(rows + r * SPAN_ROW, x[r]);
        sum[r].lanes[lane] = vf_add(sum[r].lanes[lane], vf_pick(m, x[r], vf_zero()));
    }
}

PL_ALWAYS_INLINE void weigh_rows(const unit *u, float *rows, const int n, float *share)
{
    vf top[WEIGH_ROWS];
    vf_sum sum[WEIGH_ROWS];
    find_greatest(u, rows, n, top);
    for (int r = 0; r < n; r++)
        sum[r] = vf_sum_zero();
    for (size_t from = 0; from < u->length; from += SPAN, rows += SPAN_FLOATS) {
        size_t count = pl_min(u->length - from, SPAN), at = 0; /* SPAN is a multiple of 32 */
        for (; at + 32 <= count; at += 32)
            for (size_t i = 0; i < VF_LANES_32; i++)
                weigh_keys(rows + at + i * VF_LANES, n, top, sum, i, vm_first(VF_LANES));
        for (size_t i = 0; i < VF_LANES_32; i++)
            if (at + i * VF_LANES < count)
                weigh_keys(rows + at + i * VF_LANES, n, top, sum, i, vm_first(count - at - i * VF_LANES));
    }
    for (int r = 0; r < n; r++)
        share[r] = 1.0f / vf_sum_total(&sum[r]);
}

static void weigh_strip(const unit *u, size_t rows, float *share)
{
    size_t r = 0;
    for (; r + WEIGH_ROWS <= rows; r += WEIGH_ROWS)
        weigh_rows(u, u->scores + r * SPAN_ROW, WEIGH_ROWS, share + r);
    for (; r < rows; r++)
        weigh_rows(u, u->scores + r * SPAN_ROW, 1, share + r);
}

static void find_context(const unit *u, size_t row, size_t rows, const float *share)
{
    for (size_t c = 0; c < u->width; c += VF_PANEL) {
        size_t columns = pl_min(u->width - c, VF_PANEL), stride = u->a->out_stride;
        float *out = u->a->out + (u->first + row) * stride + u->from + c;
        bool whole = columns % VF_LANES == 0;
        run_spans(u->scores, u->length, u->values + c * u->length, rows, columns, whole ? out : u->context, whole ? stride : VF_PANEL, share);
        for (size_t at = 0; at < columns && !whole; at += VF_LANES) {
            vm m = vm_first(columns - at);
            for (size_t r = 0; r < rows; r++)
                vf_store_at(out + r * stride + at, vf_load(u->context + r * VF_PANEL + at), m);
        }
    }
}

static void attend(const unit *u)
{
    pack_keys(u);
    pack_values(u);
    size_t strips = vf_strips(u->length);
    for (size_t s = 0; s < strips; s++) {
        size_t row = vf_strip_start(u->length, strips, s), rows = vf_strip_start(u->length, strips, s + 1) - row;
        float share[VF_ROWS];
        scale_queries(u, row, rows);
        find_scores(u, rows);
        weigh_strip(u, rows, share);
        find_context(u, row, rows, share);
    }
}

static size_t attention_workspace_of(size_t longest_text, size_t head_width)
{
    unit u = {.length = longest_text, .width = head_width};
    return (unit_keys(&u) + unit_values(&u) + unit_queries(&u) + unit_scores(&u) + VF_ROWS * VF_PANEL) * sizeof(float);
}

static void attention_of(const pl_attention *a, void *workspace, size_t first_unit, size_t last_unit)
{
    assert(a->in_type == PL_F32 && a->out_type == PL_F32);
    for (size_t at = first_unit; at < last_unit; at++) {
        size_t text = at / a->heads;
        unit u = {.a = a, .first = a->starts[text], .from = at % a->heads * a->head_width, .width = a->head_width};
        u.length = a->starts[text + 1] - u.first;
        unit_place(&u, workspace);
        attend(&u);
    }
}

#endif
