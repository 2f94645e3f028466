/* Attention with dropout on its probabilities, forward and backward, of one text and head. */
#include "device/cpu/reference/ref_train.h"

#include <math.h>

/* Three rows of a value per key. */
size_t pl__ref_attention_train_workspace(size_t longest_text, size_t head_width)
{
    (void)head_width;
    return pl_round_up(3 * longest_text * sizeof(float), 64);
}

/* One text and head. */
typedef struct unit {
    const pl_attention_train *t;
    size_t first, length;     /* rows of the text */
    size_t head, from, width; /* columns of the head */
} unit;

static unit unit_of(const pl_attention_train *t, size_t at)
{
    const pl_attention *a = &t->f;
    size_t text = at / a->heads, head = at % a->heads;
    return (unit){t, a->starts[text], a->starts[text + 1] - a->starts[text], head, head * a->head_width, a->head_width};
}

static bool keeps(const unit *u, size_t query, size_t key)
{
    const pl_dropout *d = u->t->dropout;
    return !d || pl__ref_keeps(d, u->first + query, (uint64_t)u->head * PL_DROPOUT_KEYS + key);
}

static float dropout_scale(const unit *u) { return u->t->dropout ? u->t->dropout->scale : 1.0f; }

/* e: exp(score - greatest score) of each key; returns 1 / their sum: the forward kernel's. */
static float weigh(const unit *u, size_t query, float *e)
{
    const pl_attention *a = &u->t->f;
    const float *q = a->q + (u->first + query) * a->stride + u->from;
    float greatest = -INFINITY;
    for (size_t key = 0; key < u->length; key++) {
        const float *k = a->k + (u->first + key) * a->stride + u->from;
        float chain = 0.0f;
        for (size_t c = 0; c < u->width; c++)
            chain = fmaf(q[c] * a->scale, k[c], chain);
        e[key] = chain;
        greatest = pl__ref_greater(chain, greatest); /* passes over NaN */
    }
    float lanes[32] = {0};
    for (size_t key = 0; key < u->length; key++) {
        e[key] = pl__ref_exp(e[key] - greatest);
        lanes[key % 32] += e[key];
    }
    return 1.0f / pl__ref_fold_32(lanes);
}

static void attend(const unit *u, float *e)
{
    const pl_attention *a = &u->t->f;
    for (size_t query = 0; query < u->length; query++) {
        float share = weigh(u, query, e) * dropout_scale(u);
        for (size_t key = 0; key < u->length; key++)
            e[key] = keeps(u, query, key) ? e[key] : 0.0f;
        for (size_t c = 0; c < u->width; c++) {
            float chain = 0.0f;
            for (size_t key = 0; key < u->length; key++)
                chain = fmaf(e[key], a->v[(u->first + key) * a->stride + u->from + c], chain);
            a->out[(u->first + query) * a->out_stride + u->from + c] = pl__ref_canonical(chain * share);
        }
    }
}

void pl__ref_attention_forward(const pl_attention_train *a, void *workspace, size_t first_unit, size_t last_unit)
{
    for (size_t at = first_unit; at < last_unit; at++) {
        unit u = unit_of(a, at);
        attend(&u, workspace);
    }
}

/* ---- backward ---- */
/* dropped: p' of each key; ds: gradient of its score. */
static void find_slopes(const unit *u, size_t query, float *p, float *dropped, float *ds)
{
    const pl_attention_train *t = u->t;
    const float *dout = t->dout + (u->first + query) * t->dout_stride + u->from;
    float share = weigh(u, query, p), scale = dropout_scale(u), lanes[32] = {0};
    for (size_t key = 0; key < u->length; key++) {
        bool kept = keeps(u, query, key);
        dropped[key] = kept ? p[key] * (share * scale) : 0.0f;
        p[key] *= share;
        const float *v = t->f.v + (u->first + key) * t->f.stride + u->from;
        float chain = 0.0f;
        for (size_t c = 0; c < u->width; c++)
            chain = fmaf(dout[c], v[c], chain);
        ds[key] = kept ? chain * scale : 0.0f;
        lanes[key % 32] = fmaf(p[key], ds[key], lanes[key % 32]);
    }
    float mean = pl__ref_fold_32(lanes);
    for (size_t key = 0; key < u->length; key++)
        ds[key] = p[key] * (ds[key] - mean);
}

/* The query's part of every chain of dk and dv. */
static void go_on_keys(const unit *u, size_t query, const float *dropped, const float *ds)
{
    const pl_attention_train *t = u->t;
    const float *q = t->f.q + (u->first + query) * t->f.stride + u->from;
    const float *dout = t->dout + (u->first + query) * t->dout_stride + u->from;
    for (size_t key = 0; key < u->length; key++) {
        float *dk = t->dk + (u->first + key) * t->dqkv_stride + u->from;
        float *dv = t->dv + (u->first + key) * t->dqkv_stride + u->from;
        for (size_t c = 0; c < u->width; c++) {
            dk[c] = fmaf(ds[key], q[c], query ? dk[c] : 0.0f);
            dv[c] = fmaf(dropped[key], dout[c], query ? dv[c] : 0.0f);
        }
    }
}

static void attend_backward(const unit *u, float *workspace)
{
    const pl_attention_train *t = u->t;
    float *p = workspace, *dropped = p + u->length, *ds = dropped + u->length;
    for (size_t query = 0; query < u->length; query++) {
        find_slopes(u, query, p, dropped, ds);
        for (size_t c = 0; c < u->width; c++) {
            float chain = 0.0f;
            for (size_t key = 0; key < u->length; key++)
                chain = fmaf(ds[key], t->f.k[(u->first + key) * t->f.stride + u->from + c], chain);
            t->dq[(u->first + query) * t->dqkv_stride + u->from + c] = pl__ref_canonical(chain * t->f.scale);
        }
        go_on_keys(u, query, dropped, ds);
    }
    for (size_t key = 0; key < u->length; key++)
        for (size_t c = 0; c < u->width; c++) {
            size_t at = (u->first + key) * t->dqkv_stride + u->from + c;
            t->dk[at] = pl__ref_canonical(t->dk[at] * t->f.scale);
            t->dv[at] = pl__ref_canonical(t->dv[at]);
        }
}

void pl__ref_attention_backward(const pl_attention_train *a, void *workspace, size_t first_unit, size_t last_unit)
{
    for (size_t at = first_unit; at < last_unit; at++) {
        unit u = unit_of(a, at);
        attend_backward(&u, workspace);
    }
}
