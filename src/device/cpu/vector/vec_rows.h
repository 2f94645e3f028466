/* What is done row by row or element by element, for one vector width; included once by rows.c of
 * each. */
#ifndef PL_DEVICE_CPU_VEC_ROWS_H
#define PL_DEVICE_CPU_VEC_ROWS_H

#include "device/cpu/vector/vec_math.h"

#include <math.h>

/* ---- layer norm: a few rows at once, so that their sums and divisions overlap ---- */
enum { NORM_ROWS = VF_LANES == 16 ? 4 : 2 };

typedef struct norm_rows {
    const float *x[NORM_ROWS], *residual[NORM_ROWS]; /* residual[0] NULL: none */
    vf mean[NORM_ROWS];
} norm_rows;

/* A vector of x + residual of row r; lanes outside m are zero and not read. */
PL_ALWAYS_INLINE vf norm_load(const norm_rows *w, int r, size_t at, vm m, bool whole)
{
    vf v = whole ? vf_load(w->x[r] + at) : vf_load_at(w->x[r] + at, m);
    if (!w->residual[0])
        return v;
    return vf_add(v, whole ? vf_load(w->residual[r] + at) : vf_load_at(w->residual[r] + at, m));
}

/* One vector's part of each row's sum, or of its sum of squares about the mean. */
PL_ALWAYS_INLINE void norm_add(const norm_rows *w, const int n, bool squares, size_t at, vm m, bool whole, vf_sum *sum, size_t lane)
{
    for (int r = 0; r < n; r++) {
        vf v = norm_load(w, r, at, m, whole);
        if (squares) {
            v = vf_sub(v, w->mean[r]);
            v = whole ? v : vf_pick(m, v, vf_zero());
            sum[r].lanes[lane] = vf_fma(v, v, sum[r].lanes[lane]);
        } else {
            sum[r].lanes[lane] = vf_add(sum[r].lanes[lane], v);
        }
    }
}

PL_ALWAYS_INLINE void norm_sums(const norm_rows *w, const int n, bool squares, size_t width, float *out)
{
    vf_sum sum[NORM_ROWS];
    for (int r = 0; r < n; r++)
        sum[r] = vf_sum_zero();
    size_t at = 0;
    for (; at + 32 <= width; at += 32)
        for (size_t i = 0; i < VF_LANES_32; i++)
            norm_add(w, n, squares, at + i * VF_LANES, vm_first(VF_LANES), true, sum, i);
    for (size_t i = 0; i < VF_LANES_32; i++)
        if (at + i * VF_LANES < width)
            norm_add(w, n, squares, at + i * VF_LANES, vm_first(width - at - i * VF_LANES), false, sum, i);
    for (int r = 0; r < n; r++)
        out[r] = vf_sum_total(&sum[r]);
}

PL_ALWAYS_INLINE void norm_some(const pl_norm *n, size_t row, const int rows)
{
    norm_rows w;
    float sums[NORM_ROWS], width = (float)n->width;
    vf scale[NORM_ROWS];
    for (size_t r = 0; r < (size_t)rows; r++) {
        w.x[r] = n->x + (row + r) * n->x_stride;
        w.residual[r] = n->residual ? n->residual + (row + r) * n->residual_stride : NULL;
    }
    norm_sums(&w, rows, false, n->width, sums);
    for (int r = 0; r < rows; r++)
        w.mean[r] = vf_set(sums[r] / width);
    norm_sums(&w, rows, true, n->width, sums);
    for (int r = 0; r < rows; r++)
        scale[r] = vf_set(1.0f / sqrtf(sums[r] / width + n->eps));
    for (size_t at = 0; at < n->width; at += VF_LANES) {
        vm m = vm_first(n->width - at);
        vf gain = vf_load_at(n->gain + at, m), shift = vf_load_at(n->shift + at, m);
        for (int r = 0; r < rows; r++) {
            vf d = vf_mul(vf_sub(norm_load(&w, r, at, m, false), w.mean[r]), scale[r]);
            vf_store_at(n->y + (row + (size_t)r) * n->y_stride + at, vf_canonical(vf_fma(d, gain, shift)), m);
        }
    }
}

static void norm_all(const pl_norm *n, size_t first_row, size_t last_row)
{
    size_t row = first_row;
    for (; row + NORM_ROWS <= last_row; row += NORM_ROWS)
        norm_some(n, row, NORM_ROWS);
    for (; row < last_row; row++)
        norm_some(n, row, 1);
}

/* ---- embeddings ---- */
static void embed_sum_row(const pl_embed_sum *e, size_t row)
{
    float *x = e->x + row * e->stride;
    const float *position = e->position + e->positions[row] * e->width;
    const float *type = e->type ? e->type + (e->types ? e->types[row] : 0) * e->width : NULL;
    for (size_t at = 0; at < e->width; at += VF_LANES) {
        vm m = vm_first(e->width - at);
        vf v = vf_load_at(x + at, m);
        if (type)
            v = vf_add(v, vf_load_at(type + at, m));
        vf_store_at(x + at, vf_canonical(vf_add(v, vf_load_at(position + at, m))), m);
    }
}

/* ---- pooling: one vector of columns through all rows of a text ---- */
/* Row j goes to lane j % 32 of a sum by columns; lanes as vectors, folded by halving. */
PL_ALWAYS_INLINE vf pool_sum(const float *x, size_t stride, size_t rows, vm m, bool weighted)
{
    vf lanes[32];
    for (size_t j = 0; j < 32; j++)
        lanes[j] = vf_zero();
    for (size_t j = 0; j < rows; j++) {
        vf v = vf_load_at(x + j * stride, m);
        lanes[j % 32] = weighted ? vf_fma(vf_set((float)(j + 1)), v, lanes[j % 32]) : vf_add(lanes[j % 32], v);
    }
    for (size_t half = 16; half > 0; half /= 2)
        for (size_t j = 0; j < half; j++)
            lanes[j] = vf_add(lanes[j], lanes[j + half]);
    return lanes[0];
}

/* A NaN anywhere in a column is its result. */
static vf pool_max(const float *x, size_t stride, size_t rows, vm m)
{
    vf greatest = vf_load_at(x, m);
    for (size_t j = 1; j < rows; j++)
        greatest = vf_pick(vf_is_nan(greatest), greatest, vf_max(greatest, vf_load_at(x + j * stride, m)));
    return greatest;
}

static vf pool_columns(pl_pooling mode, const float *x, size_t stride, size_t rows, vm m)
{
    uint64_t weights = (uint64_t)rows * (rows + 1) / 2; /* 1 + 2 + ... */
    switch (mode) {
    case PL_POOL_MEAN: return vf_div(pool_sum(x, stride, rows, m, false), vf_set((float)rows));
    case PL_POOL_SQRT_MEAN: return vf_div(pool_sum(x, stride, rows, m, false), vf_set(sqrtf((float)rows)));
    case PL_POOL_WEIGHTED_MEAN: return vf_div(pool_sum(x, stride, rows, m, true), vf_set((float)weights));
    case PL_POOL_MAX: return pool_max(x, stride, rows, m);
    case PL_POOL_LAST: return vf_load_at(x + (rows - 1) * stride, m);
    case PL_POOL_CLS:
    case PL_POOLING_COUNT: break;
    }
    return vf_load_at(x, m);
}

static void pool_text(const pl_pool *p, size_t text)
{
    size_t rows = p->starts[text + 1] - p->starts[text];
    const float *x = p->x + p->starts[text] * p->x_stride;
    float *y = p->y + text * p->y_stride;
    for (size_t at = 0; at < p->width; at += VF_LANES) {
        vm m = vm_first(p->width - at);
        vf v = rows == 0 ? vf_zero() : vf_canonical(pool_columns(p->mode, x + at, p->x_stride, rows, m));
        vf_store_at(y + at, v, m);
    }
}

/* ---- x / max(|x|, least) ---- */
static void unit_length_row(float *x, size_t width)
{
    norm_rows w = {.x = {x}, .mean = {vf_zero()}};
    float length;
    norm_sums(&w, 1, true, width, &length);
    length = sqrtf(length);
    if (PL_UNIT_LEAST > length) /* a NaN stays one */
        length = PL_UNIT_LEAST;
    for (size_t at = 0; at < width; at += VF_LANES) {
        vm m = vm_first(width - at);
        vf_store_at(x + at, vf_canonical(vf_div(vf_load_at(x + at, m), vf_set(length))), m);
    }
}

/* ---- elements ---- */
PL_ALWAYS_INLINE void activate_as(pl_act act, float *x, size_t n)
{
    size_t at = 0;
    if (act == PL_ACT_GELU)
        for (; at + 4 * VF_LANES <= n; at += 4 * VF_LANES) {
            vf v[4];
            for (size_t i = 0; i < 4; i++)
                v[i] = vf_load(x + at + i * VF_LANES);
            vf_gelu_many(v, 4);
            for (size_t i = 0; i < 4; i++)
                vf_store(x + at + i * VF_LANES, vf_canonical(v[i]));
        }
    for (; at < n; at += VF_LANES) {
        vm m = vm_first(n - at);
        vf_store_at(x + at, vf_canonical(vf_act(act, vf_load_at(x + at, m))), m);
    }
}

static void activate_all(pl_act act, float *x, size_t n)
{
    if (act == PL_ACT_GELU)
        activate_as(PL_ACT_GELU, x, n);
    else
        activate_as(act, x, n);
}

PL_ALWAYS_INLINE void widen_as(float *out, const void *in, pl_dtype type, size_t n)
{
    for (size_t at = 0; at < n; at += VF_LANES) {
        vm m = vm_first(n - at);
        vf_store_at(out + at, vf_canonical(vf_load_as(in, type, at, m)), m);
    }
}

static void widen_all(float *out, const void *in, pl_dtype type, size_t n)
{
    switch (type) {
    case PL_F16: widen_as(out, in, PL_F16, n); break;
    case PL_BF16: widen_as(out, in, PL_BF16, n); break;
    case PL_F64: widen_as(out, in, PL_F64, n); break;
    default: widen_as(out, in, PL_F32, n);
    }
}

#endif
