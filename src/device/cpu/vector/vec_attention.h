/* softmax(scale q k^T) v for one vector width, included once by attention.c of each.
 *
 * A unit (text and head) packs its keys transposed and its values, both in panels, once. Then strip
 * by strip of query rows: scores by the blocks of vec_product.h, softmax in place, context by the
 * same blocks. Scores and queries stand at one constant row stride, so that the rows of a block are
 * constant offsets from one pointer. */
#ifndef PL_DEVICE_CPU_VEC_ATTENTION_H
#define PL_DEVICE_CPU_VEC_ATTENTION_H

#include "device/cpu/vector/vec_math.h"
#include "device/cpu/vector/vec_product.h"

#include <math.h>

enum {
    SPAN = 512,             /* keys (or columns of the head) of one block of scores (queries) */
    SPAN_ROW = SPAN + 16,   /* its row stride: 33 lines, so that rows fall into different sets */
    SPAN_FLOATS = VF_ROWS * SPAN_ROW,
};

#define VF_SPAN_BLOCK(rows, vectors)                                                               \
    static void span_block_##rows##_##vectors(const vf_block *x)                                   \
    {                                                                                              \
        if (x->go_on)                                                                              \
            vf_block_run(rows, vectors, true, false, x, SPAN_ROW, 1);                              \
        else                                                                                       \
            vf_block_run(rows, vectors, false, false, x, SPAN_ROW, 1);                             \
    }
#define VF_SPAN_BLOCKS(rows) VF_SPAN_BLOCK(rows, 1) VF_SPAN_BLOCK(rows, 2)
VF_SPAN_BLOCKS(1) VF_SPAN_BLOCKS(2) VF_SPAN_BLOCKS(3) VF_SPAN_BLOCKS(4) VF_SPAN_BLOCKS(5) VF_SPAN_BLOCKS(6)
#ifdef __AVX512F__
VF_SPAN_BLOCKS(7) VF_SPAN_BLOCKS(8) VF_SPAN_BLOCKS(9) VF_SPAN_BLOCKS(10) VF_SPAN_BLOCKS(11) VF_SPAN_BLOCKS(12)
#endif

#define VF_SPAN_ENTRY(rows) [rows] = {span_block_##rows##_1, span_block_##rows##_2}
static const vf_block_fn span_blocks[VF_ROWS + 1][2] = {
    VF_SPAN_ENTRY(1), VF_SPAN_ENTRY(2), VF_SPAN_ENTRY(3),  VF_SPAN_ENTRY(4),  VF_SPAN_ENTRY(5),  VF_SPAN_ENTRY(6),
#ifdef __AVX512F__
    VF_SPAN_ENTRY(7), VF_SPAN_ENTRY(8), VF_SPAN_ENTRY(9), VF_SPAN_ENTRY(10), VF_SPAN_ENTRY(11), VF_SPAN_ENTRY(12),
#endif
};

/* One unit and where its parts stand in the workspace. */
typedef struct unit {
    const pl_attention *a;
    size_t first, length; /* rows of the text */
    size_t from, width;   /* columns of the head */
    float *keys;          /* [panel of keys][width][VF_PANEL] */
    float *values;        /* [panel of columns][length][VF_PANEL] */
    float *queries;       /* [span of columns][VF_ROWS][SPAN_ROW] */
    float *scores;        /* [span of keys][VF_ROWS][SPAN_ROW] */
    float *context;       /* [VF_ROWS][VF_PANEL] */
} unit;

static size_t panels_of(size_t n) { return (n + VF_PANEL - 1) / VF_PANEL; }
static size_t spans_of(size_t n) { return (n + SPAN - 1) / SPAN; }

/* Lays a unit's parts out behind `at`; returns the floats they take. */
static size_t unit_place(unit *u, float *at)
{
    size_t keys = panels_of(u->length) * VF_PANEL * u->width, values = panels_of(u->width) * VF_PANEL * u->length;
    size_t queries = spans_of(u->width) * SPAN_FLOATS, scores = spans_of(u->length) * SPAN_FLOATS;
    if (at) {
        u->keys = at;
        u->values = u->keys + keys;
        u->queries = u->values + values;
        u->scores = u->queries + queries;
        u->context = u->scores + scores;
    }
    return keys + values + queries + scores + VF_ROWS * VF_PANEL;
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

static void copy_queries(const unit *u, size_t row, size_t rows)
{
    for (size_t r = 0; r < rows; r++) {
        const float *in = u->a->q + (u->first + row + r) * u->a->stride + u->from;
        for (size_t c = 0; c < u->width; c += VF_LANES) {
            float *out = u->queries + c / SPAN * SPAN_FLOATS + r * SPAN_ROW + c % SPAN;
            vf_store(out, vf_load_at(in + c, vm_first(u->width - c)));
        }
    }
}

/* A product of one strip: depth in spans of A, one panel of B, the chains into c. */
static void run_spans(const float *a, size_t depth, const float *b, size_t rows, size_t columns, float *c,
                      size_t c_stride)
{
    vf_block_fn run = span_blocks[rows][columns > VF_LANES];
    for (size_t k = 0; k < depth; k += SPAN)
        run(&(vf_block){.depth = pl_min(depth - k, SPAN), .a = a + k / SPAN * SPAN_FLOATS, .b = b + k * VF_PANEL,
                        .c = c, .c_stride = c_stride, .go_on = k > 0});
}

static void find_scores(const unit *u, size_t rows)
{
    for (size_t key = 0; key < u->length; key += VF_PANEL)
        run_spans(u->queries, u->width, u->keys + key * u->width, rows, pl_min(u->length - key, VF_PANEL),
                  u->scores + key / SPAN * SPAN_FLOATS + key % SPAN, SPAN_ROW);
}

/* Scores of one row -> exp(score - greatest); returns 1 / their sum. */
static float weigh_row(const unit *u, float *row)
{
    const vf scale = vf_set(u->a->scale), least = vf_set(-INFINITY);
    vf greatest = least;
    for (size_t key = 0; key < u->length; key += VF_LANES) {
        vf s = vf_mul(vf_load(row + key / SPAN * SPAN_FLOATS + key % SPAN), scale);
        if (u->length - key < VF_LANES)
            s = vf_pick(vm_first(u->length - key), s, least);
        greatest = vf_max(s, greatest); /* passes over NaN */
    }
    const vf top = vf_set(vf_greatest(greatest));
    vf_sum sum = vf_sum_zero();
    for (size_t key = 0; key < u->length; key += 32)
        for (size_t i = 0; i < VF_LANES_32; i++) {
            size_t at = key + i * VF_LANES;
            if (at >= u->length)
                break;
            float *p = row + at / SPAN * SPAN_FLOATS + at % SPAN;
            vf e = vf_exp(vf_sub(vf_mul(vf_load(p), scale), top));
            vf_store(p, e);
            if (u->length - at < VF_LANES)
                e = vf_pick(vm_first(u->length - at), e, vf_zero());
            sum.lanes[i] = vf_add(sum.lanes[i], e);
        }
    return 1.0f / vf_sum_total(&sum);
}

static void find_context(const unit *u, size_t row, size_t rows, const float *share)
{
    for (size_t c = 0; c < u->width; c += VF_PANEL) {
        size_t columns = pl_min(u->width - c, VF_PANEL);
        run_spans(u->scores, u->length, u->values + c * u->length, rows, columns, u->context, VF_PANEL);
        vm low = vm_first(columns), high = vm_first(columns > VF_LANES ? columns - VF_LANES : 0);
        for (size_t r = 0; r < rows; r++) {
            const float *in = u->context + r * VF_PANEL;
            float *out = u->a->out + (u->first + row + r) * u->a->out_stride + u->from + c;
            vf_store_at(out, vf_canonical(vf_mul(vf_load(in), vf_set(share[r]))), low);
            if (columns > VF_LANES)
                vf_store_at(out + VF_LANES, vf_canonical(vf_mul(vf_load(in + VF_LANES), vf_set(share[r]))), high);
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
        copy_queries(u, row, rows);
        find_scores(u, rows);
        for (size_t r = 0; r < rows; r++)
            share[r] = weigh_row(u, u->scores + r * SPAN_ROW);
        find_context(u, row, rows, share);
    }
}

static size_t attention_workspace_of(size_t longest_text, size_t head_width)
{
    unit u = {.length = longest_text, .width = head_width};
    return unit_place(&u, NULL) * sizeof(float);
}

static void attention_of(const pl_attention *a, void *workspace, size_t first_unit, size_t last_unit)
{
    for (size_t at = first_unit; at < last_unit; at++) {
        size_t text = at / a->heads;
        unit u = {.a = a, .first = a->starts[text], .from = at % a->heads * a->head_width, .width = a->head_width};
        u.length = a->starts[text + 1] - u.first;
        unit_place(&u, workspace);
        attend(&u);
    }
}

#endif
