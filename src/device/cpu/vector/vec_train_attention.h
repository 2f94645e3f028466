/* Attention with dropout on its probabilities, forward and backward, for one vector width; included
 * once by train_attention.c of each. Built from the parts of vec_attention.h.
 *
 * Backward goes through the queries in blocks of up to QUERIES, strip by strip: scores and their
 * weights again, the slopes ds, dq. Then, for each strip of keys, the block goes on with the chains
 * of dv and dk: their left sides, p' and ds, stand [query][key], which is the way that a product
 * over rows takes them. The workspace holds k and v of one head packed (k twice) and two blocks of
 * QUERIES rows of a value per key. */
#ifndef PL_DEVICE_CPU_VEC_TRAIN_ATTENTION_H
#define PL_DEVICE_CPU_VEC_TRAIN_ATTENTION_H

#define VF_SPAN_ROWS 48
#include "device/cpu/vector/vec_attention.h"
#include "device/cpu/vector/vec_philox.h"

enum { QUERIES = VF_SPAN_ROWS, STRIPS_AT_ONCE = QUERIES / VF_ROWS };

/* ---- dropout ---- */
/* Dropped weights become zero; or, to be told apart later, get a sign: weights themselves have none. */
typedef enum drop_way { DROP, MARK } drop_way;

/* 2 n vectors of weights, be they keys or not: a span's rows have room behind them. */
PL_ALWAYS_INLINE void drop_keys(const vf_random *r, uint64_t column, float *weights, const drop_way way, const int n)
{
    vm kept[4];
    vf_random_kept(r, column, kept, n);
    for (int i = 0; i < 2 * n; i++) {
        vf e = vf_load(weights + i * VF_LANES);
        vf kept_sign = vf_pick(kept[i], vf_zero(), vf_set(-0.0f));
        vf_store(weights + i * VF_LANES, way == MARK ? vf_with_sign(e, kept_sign) : vf_pick(kept[i], e, vf_zero()));
    }
}

/* `row` counts from the text's first. */
PL_ALWAYS_INLINE void drop_row(const unit *u, const pl_dropout *d, size_t head, size_t row, float *weights, const drop_way way)
{
    vf_random r = vf_random_of(d, u->first + row);
    for (size_t from = 0; from < u->length; from += SPAN, weights += SPAN_FLOATS) {
        size_t count = pl_min(u->length - from, SPAN), at = 0;
        uint64_t column = (uint64_t)head * PL_DROPOUT_KEYS + from;
        for (; at + 2 * VF_LANES < count; at += 4 * VF_LANES)
            drop_keys(&r, column + at, weights + at, way, 2);
        if (at < count)
            drop_keys(&r, column + at, weights + at, way, 1);
    }
}

/* ---- forward ---- */
static void attend_dropping(const unit *u, const pl_dropout *d, size_t head)
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
        for (size_t r = 0; r < rows; r++) {
            drop_row(u, d, head, row + r, u->scores + r * SPAN_ROW, DROP);
            share[r] *= d->scale;
        }
        find_context(u, row, rows, share);
    }
}

static unit unit_of(const pl_attention *a, size_t at)
{
    size_t text = at / a->heads;
    unit u = {.a = a, .first = a->starts[text], .from = at % a->heads * a->head_width, .width = a->head_width};
    u.length = a->starts[text + 1] - u.first;
    return u;
}

static void attention_forward_of(const pl_attention_train *t, void *workspace, size_t first_unit, size_t last_unit)
{
    if (!t->dropout) {
        attention_of(&t->f, workspace, first_unit, last_unit);
        return;
    }
    for (size_t at = first_unit; at < last_unit; at++) {
        unit u = unit_of(&t->f, at);
        unit_place(&u, workspace);
        attend_dropping(&u, t->dropout, at % t->f.heads);
    }
}

/* ---- backward ---- */
/* Chains over queries: a strip of keys of [query][key] by a panel of [query][column]. */
#define VF_KEY_BLOCK(rows, vectors) \
    static void key_block_##rows##_##vectors(const vf_block *x) { vf_block_run(rows, vectors, false, x, 1, SPAN_ROW); }
#define VF_KEY_BLOCKS(rows) VF_KEY_BLOCK(rows, 1) VF_KEY_BLOCK(rows, 2)
/* clang-format off */
VF_KEY_BLOCKS(1)
VF_KEY_BLOCKS(2)
VF_KEY_BLOCKS(3)
VF_KEY_BLOCKS(4)
VF_KEY_BLOCKS(5)
VF_KEY_BLOCKS(6)
#ifdef __AVX512F__
VF_KEY_BLOCKS(7)
VF_KEY_BLOCKS(8)
VF_KEY_BLOCKS(9)
VF_KEY_BLOCKS(10)
VF_KEY_BLOCKS(11)
VF_KEY_BLOCKS(12)
#endif
/* clang-format on */

#define VF_KEY_ENTRY(rows) [rows] = {key_block_##rows##_1, key_block_##rows##_2}
static const vf_block_fn key_blocks[VF_ROWS + 1][2] = {
    VF_KEY_ENTRY(1),
    VF_KEY_ENTRY(2),
    VF_KEY_ENTRY(3),
    VF_KEY_ENTRY(4),
    VF_KEY_ENTRY(5),
    VF_KEY_ENTRY(6),
#ifdef __AVX512F__
    VF_KEY_ENTRY(7),
    VF_KEY_ENTRY(8),
    VF_KEY_ENTRY(9),
    VF_KEY_ENTRY(10),
    VF_KEY_ENTRY(11),
    VF_KEY_ENTRY(12),
#endif
};

/* One unit, and where its parts stand in the workspace. */
typedef struct backward {
    const pl_attention_train *t;
    size_t head;
    unit u;              /* keys: k; values: k; scores: e, then p' */
    float *v;            /* packed as keys */
    float *ds;           /* as scores */
    float *q, *dout;     /* rows of the block as values: [panel of columns][rows][VF_PANEL] */
    float *dout_queries; /* rows of the strip as queries */
} backward;

/* Floats of the parts. */
typedef struct backward_parts {
    size_t keys, values, rows, queries, scores, all;
} backward_parts;

static backward_parts backward_parts_of(size_t length, size_t width)
{
    backward_parts p = {
        .keys = panels_of(length) * VF_PANEL * width, .values = panels_of(width) * VF_PANEL * length, .rows = panels_of(width) * VF_PANEL * QUERIES};
    p.queries = spans_of(width) * SPAN_FLOATS;
    p.scores = spans_of(length) * SPAN_FLOATS;
    p.all = 2 * p.keys + p.values + 2 * p.rows + p.queries + 2 * p.scores + VF_ROWS * VF_PANEL;
    return p;
}

static void backward_place(backward *b, float *at)
{
    backward_parts p = backward_parts_of(b->u.length, b->u.width);
    b->u.keys = at;
    b->v = b->u.keys + p.keys;
    b->u.values = b->v + p.keys;
    b->q = b->u.values + p.values;
    b->dout = b->q + p.rows;
    b->u.queries = b->dout + p.rows;
    b->dout_queries = b->u.queries + VF_ROWS * SPAN_ROW; /* a strip has VF_ROWS of a span's rows */
    b->u.scores = b->u.queries + p.queries;
    b->ds = b->u.scores + p.scores;
    b->u.context = b->ds + p.scores;
}

/* Rows [row, row + rows) of x, which stands as q, k or v do, packed as keys or as values. */
static void pack_rows_as_keys(const unit *u, const float *x, size_t stride, float *out)
{
    pl_attention a = {.k = x, .stride = stride};
    unit w = *u;
    w.a = &a;
    w.keys = out;
    pack_keys(&w);
}

static void pack_rows_as_values(const unit *u, const float *x, size_t stride, size_t row, size_t rows, float *out)
{
    pl_attention a = {.v = x, .stride = stride};
    unit w = *u;
    w.a = &a;
    w.first += row;
    w.length = rows;
    w.values = out;
    pack_values(&w);
}

/* dp of each key of a strip, before dropout. */
static void find_products(const backward *b, size_t row, size_t rows, float *ds)
{
    pl_attention a = {.q = b->t->dout, .stride = b->t->dout_stride, .scale = 1.0f};
    unit w = b->u;
    w.a = &a;
    w.queries = b->dout_queries;
    w.keys = b->v;
    w.scores = ds;
    scale_queries(&w, row, rows);
    find_scores(&w, rows);
}

/* What the slopes of a row need beside its keys. */
typedef struct slope_row {
    vf share, dropped_share, scale, mean;
} slope_row;

/* One vector of keys: ds holds dp, which goes through dropout, and p dp joins the sum. */
PL_ALWAYS_INLINE vf slope_sum(const slope_row *r, const float *weights, float *ds, vf sum, vm m, const bool dropping)
{
    vf e = vf_load(weights), dp = vf_load(ds);
    if (dropping) {
        dp = vf_pick(vf_has_sign(e), vf_zero(), vf_mul(dp, r->scale));
        e = vf_abs(e);
        vf_store(ds, dp);
    }
    return vf_fma(vf_pick(m, vf_mul(e, r->share), vf_zero()), vf_pick(m, dp, vf_zero()), sum);
}

/* One vector of keys: weights become p', ds what it is named for. */
PL_ALWAYS_INLINE void slope_end(const slope_row *r, float *weights, float *ds, const bool dropping)
{
    vf marked = vf_load(weights), e = dropping ? vf_abs(marked) : marked;
    vf p = vf_mul(e, r->share), dropped = vf_mul(e, r->dropped_share);
    vf_store(ds, vf_mul(p, vf_sub(vf_load(ds), r->mean)));
    vf_store(weights, dropping ? vf_pick(vf_has_sign(marked), vf_zero(), dropped) : dropped);
}

PL_ALWAYS_INLINE void find_slopes(size_t length, float *weights, float *ds, float share, float scale, const bool dropping)
{
    slope_row r = {.share = vf_set(share), .dropped_share = vf_set(share * scale), .scale = vf_set(scale)};
    vf_sum sum = vf_sum_zero();
    for (size_t from = 0; from < length; from += SPAN) {
        size_t count = pl_min(length - from, SPAN);
        float *w = weights + from / SPAN * SPAN_FLOATS, *d = ds + from / SPAN * SPAN_FLOATS;
        for (size_t at = 0; at < count; at += 32)
            for (size_t i = 0, k = at; i < VF_LANES_32 && k < count; i++, k += VF_LANES)
                sum.lanes[i] = slope_sum(&r, w + k, d + k, sum.lanes[i], vm_first(count - k), dropping);
    }
    r.mean = vf_set(vf_sum_total(&sum));
    for (size_t from = 0; from < length; from += SPAN) {
        float *w = weights + from / SPAN * SPAN_FLOATS, *d = ds + from / SPAN * SPAN_FLOATS;
        for (size_t at = 0; at < pl_min(length - from, SPAN); at += VF_LANES)
            slope_end(&r, w + at, d + at, dropping);
    }
}

/* A strip of queries: p' and ds to stand at `weights` and `ds`, dq to the caller. */
static void find_strip(const backward *b, size_t row, size_t rows, float *weights, float *ds)
{
    const pl_attention_train *t = b->t;
    float share[VF_ROWS], scale[VF_ROWS];
    unit w = b->u;
    w.scores = weights;
    scale_queries(&w, row, rows);
    find_scores(&w, rows);
    weigh_strip(&w, rows, share);
    find_products(b, row, rows, ds);
    for (size_t r = 0; r < rows; r++) {
        float *weights_row = weights + r * SPAN_ROW, *ds_row = ds + r * SPAN_ROW;
        if (t->dropout) {
            drop_row(&w, t->dropout, b->head, row + r, weights_row, MARK);
            find_slopes(w.length, weights_row, ds_row, share[r], t->dropout->scale, true);
        } else
            find_slopes(w.length, weights_row, ds_row, share[r], 1.0f, false);
        scale[r] = t->f.scale;
    }
    pl_attention a = t->f;
    a.out = t->dq;
    a.out_stride = t->dqkv_stride;
    w.a = &a;
    w.scores = ds;
    find_context(&w, row, rows, scale);
}

/* A block of queries and what its chains over queries begin and end with. */
typedef struct query_block {
    size_t row, rows;
    bool go_on, last;
} query_block;

/* Keys [key, key + n) by one panel of columns from `column`: out goes on with left^T right. */
static void run_keys(
    const backward *b, const query_block *q, const float *left, const float *right, size_t key, size_t n, size_t column, float *out, const float *share)
{
    size_t columns = pl_min(b->u.width - column, VF_PANEL), stride = b->t->dqkv_stride;
    bool whole = columns % VF_LANES == 0;
    float *to = out + (b->u.first + key) * stride + b->u.from + column, *tile = b->u.context;
    for (size_t at = 0; at < columns && !whole && q->go_on; at += VF_LANES)
        for (size_t r = 0; r < n; r++)
            vf_store(tile + r * VF_PANEL + at, vf_load_at(to + r * stride + at, vm_first(columns - at)));
    key_blocks[n][columns > VF_LANES](&(vf_block){.depth = q->rows,
        .a = left + key / SPAN * SPAN_FLOATS + key % SPAN,
        .b = right + column * q->rows,
        .c = whole ? to : tile,
        .c_stride = whole ? stride : VF_PANEL,
        .go_on = q->go_on,
        .share = q->last ? share : NULL});
    for (size_t at = 0; at < columns && !whole; at += VF_LANES)
        for (size_t r = 0; r < n; r++)
            vf_store_at(to + r * stride + at, vf_load(tile + r * VF_PANEL + at), vm_first(columns - at));
}

static void go_on_keys(const backward *b, const query_block *q)
{
    const pl_attention_train *t = b->t;
    float one[VF_ROWS], scale[VF_ROWS];
    for (size_t r = 0; r < VF_ROWS; r++) {
        one[r] = 1.0f;
        scale[r] = t->f.scale;
    }
    pack_rows_as_values(&b->u, t->f.q, t->f.stride, q->row, q->rows, b->q);
    pack_rows_as_values(&b->u, t->dout, t->dout_stride, q->row, q->rows, b->dout);
    for (size_t from = 0; from < b->u.length; from += SPAN) { /* no strip reaches over a span's end */
        size_t count = pl_min(b->u.length - from, SPAN), strips = vf_strips(count);
        for (size_t s = 0; s < strips; s++) {
            size_t at = vf_strip_start(count, strips, s), n = vf_strip_start(count, strips, s + 1) - at;
            for (size_t column = 0; column < b->u.width; column += VF_PANEL) {
                run_keys(b, q, b->u.scores, b->dout, from + at, n, column, t->dv, one);
                run_keys(b, q, b->ds, b->q, from + at, n, column, t->dk, scale);
            }
        }
    }
}

static void attend_backward(const backward *b)
{
    const pl_attention_train *t = b->t;
    const unit *u = &b->u;
    pack_rows_as_keys(u, t->f.k, t->f.stride, u->keys);
    pack_rows_as_keys(u, t->f.v, t->f.stride, b->v);
    pack_rows_as_values(u, t->f.k, t->f.stride, 0, u->length, u->values);
    size_t strips = vf_strips(u->length);
    for (size_t s = 0; s < strips; s += STRIPS_AT_ONCE) {
        size_t end = pl_min(s + STRIPS_AT_ONCE, strips), first = vf_strip_start(u->length, strips, s);
        for (size_t i = s; i < end; i++) {
            size_t row = vf_strip_start(u->length, strips, i), rows = vf_strip_start(u->length, strips, i + 1) - row;
            find_strip(b, row, rows, u->scores + (row - first) * SPAN_ROW, b->ds + (row - first) * SPAN_ROW);
        }
        query_block q = {.row = first, .rows = vf_strip_start(u->length, strips, end) - first, .go_on = s > 0, .last = end == strips};
        go_on_keys(b, &q);
    }
}

static size_t attention_train_workspace_of(size_t longest_text, size_t head_width)
{
    return pl_max(backward_parts_of(longest_text, head_width).all * sizeof(float), attention_workspace_of(longest_text, head_width));
}

static void attention_backward_of(const pl_attention_train *t, void *workspace, size_t first_unit, size_t last_unit)
{
    for (size_t at = first_unit; at < last_unit; at++) {
        backward b = {.t = t, .head = at % t->f.heads, .u = unit_of(&t->f, at)};
        backward_place(&b, workspace);
        attend_backward(&b);
    }
}

#endif
