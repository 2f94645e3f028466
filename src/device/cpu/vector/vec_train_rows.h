/* What training does row by row, column by column or element by element, for one vector width;
 * included once by train_rows.c of each. */
#ifndef PL_DEVICE_CPU_VEC_TRAIN_ROWS_H
#define PL_DEVICE_CPU_VEC_TRAIN_ROWS_H

#include "device/cpu/vector/vec_philox.h"
#include "device/cpu/vector/vec_train_math.h"

#include <math.h>

/* ---- dropout ---- */
/* 2 n vectors of a row, of which the first has columns and the others may have none. */
PL_ALWAYS_INLINE void drop(const vf_random *r, const float *x, float *y, size_t at, size_t width, vf scale, const int n)
{
    vm kept[4];
    vf_random_kept(r, at, kept, n);
    for (int i = 0; i < 2 * n && at < width; i++, at += VF_LANES) {
        vm m = vm_first(width - at);
        vf v = vf_canonical(vf_mul(vf_load_at(x + at, m), scale));
        vf_store_at(y + at, vf_pick(kept[i], v, vf_zero()), m);
    }
}

static void dropout_row(const pl_dropout_rows *d, size_t row)
{
    const float *x = d->x + row * d->x_stride;
    float *y = d->y + row * d->y_stride;
    vf_random r = vf_random_of(&d->d, row);
    vf scale = vf_set(d->d.scale);
    size_t at = 0;
    for (; at + 2 * VF_LANES < d->width; at += 4 * VF_LANES)
        drop(&r, x, y, at, d->width, scale, 2);
    if (at < d->width)
        drop(&r, x, y, at, d->width, scale, 1);
}

/* ---- layer norm ---- */
typedef struct norm_input {
    const float *x, *residual; /* of one row */
    size_t width;
} norm_input;

static inline norm_input norm_input_of(const pl_norm_train *n, size_t row)
{
    return (norm_input){n->f.x + row * n->f.x_stride, n->f.residual ? n->f.residual + row * n->f.residual_stride : NULL, n->f.width};
}

PL_ALWAYS_INLINE vf norm_load(const norm_input *in, size_t at, vm m)
{
    vf v = vf_load_at(in->x + at, m);
    return in->residual ? vf_add(v, vf_load_at(in->residual + at, m)) : v;
}

/* Mean, and 1 / sqrt(variance + eps), as the forward norm finds them. */
PL_ALWAYS_INLINE void find_stats(const norm_input *in, float eps, float *mean, float *scale)
{
    vf_sum sum = vf_sum_zero(), squares = vf_sum_zero();
    for (size_t at = 0; at < in->width; at += 32)
        for (size_t i = 0, a = at; i < VF_LANES_32 && a < in->width; i++, a += VF_LANES)
            sum.lanes[i] = vf_add(sum.lanes[i], norm_load(in, a, vm_first(in->width - a)));
    *mean = vf_sum_total(&sum) / (float)in->width;
    vf middle = vf_set(*mean);
    for (size_t at = 0; at < in->width; at += 32)
        for (size_t i = 0, a = at; i < VF_LANES_32 && a < in->width; i++, a += VF_LANES) {
            vm m = vm_first(in->width - a);
            vf d = vf_pick(m, vf_sub(norm_load(in, a, m), middle), vf_zero());
            squares.lanes[i] = vf_fma(d, d, squares.lanes[i]);
        }
    *scale = 1.0f / sqrtf(vf_sum_total(&squares) / (float)in->width + eps);
}

PL_ALWAYS_INLINE float one_nan(float x)
{
    uint32_t bits = PL_NAN_BITS;
    float nan;
    memcpy(&nan, &bits, sizeof nan);
    return x != x ? nan : x;
}

static void norm_row_backward(const pl_norm_train *n, size_t row)
{
    norm_input in = norm_input_of(n, row);
    float mean, scale, width = (float)in.width;
    find_stats(&in, n->f.eps, &mean, &scale);
    n->stats[row][0] = one_nan(mean);
    n->stats[row][1] = one_nan(scale);
    const float *dy = n->dy + row * n->dy_stride;
    float *dx = n->dx + row * n->dx_stride;
    vf middle = vf_set(mean), by = vf_set(scale);
    vf_sum sums = vf_sum_zero(), products = vf_sum_zero();
    for (size_t at = 0; at < in.width; at += 32)
        for (size_t i = 0, a = at; i < VF_LANES_32 && a < in.width; i++, a += VF_LANES) {
            vm m = vm_first(in.width - a);
            vf g = vf_mul(vf_load_at(dy + a, m), vf_load_at(n->f.gain + a, m));
            vf xhat = vf_pick(m, vf_mul(vf_sub(norm_load(&in, a, m), middle), by), vf_zero());
            sums.lanes[i] = vf_add(sums.lanes[i], g);
            products.lanes[i] = vf_fma(g, xhat, products.lanes[i]);
        }
    vf g_mean = vf_set(vf_sum_total(&sums) / width), product_mean = vf_set(vf_sum_total(&products) / width);
    for (size_t a = 0; a < in.width; a += VF_LANES) {
        vm m = vm_first(in.width - a);
        vf g = vf_mul(vf_load_at(dy + a, m), vf_load_at(n->f.gain + a, m));
        vf xhat = vf_mul(vf_sub(norm_load(&in, a, m), middle), by);
        vf_store_at(dx + a, vf_canonical(vf_mul(by, vf_fnma(xhat, product_mean, vf_sub(g, g_mean)))), m);
    }
}

/* ---- sums over rows: `n` vectors of columns at once through all rows ---- */
enum { COLUMNS_AT_ONCE = 8 };

PL_ALWAYS_INLINE void gain_columns(const pl_norm_train *n, size_t column, size_t last, const int count)
{
    vf gain[COLUMNS_AT_ONCE], shift[COLUMNS_AT_ONCE];
    vm m[COLUMNS_AT_ONCE];
    for (int i = 0; i < count; i++) {
        size_t at = column + (size_t)i * VF_LANES;
        m[i] = vm_first(last - at);
        gain[i] = n->go_on ? vf_load_at(n->dgain + at, m[i]) : vf_zero();
        shift[i] = n->go_on ? vf_load_at(n->dshift + at, m[i]) : vf_zero();
    }
    for (size_t row = 0; row < n->rows; row++) {
        norm_input in = norm_input_of(n, row);
        vf middle = vf_set(n->stats[row][0]), by = vf_set(n->stats[row][1]);
        const float *dy = n->dy + row * n->dy_stride;
        for (int i = 0; i < count; i++) {
            size_t at = column + (size_t)i * VF_LANES;
            vf d = vf_load_at(dy + at, m[i]), xhat = vf_mul(vf_sub(norm_load(&in, at, m[i]), middle), by);
            gain[i] = vf_fma(d, xhat, gain[i]);
            shift[i] = vf_add(shift[i], d);
        }
    }
    for (int i = 0; i < count; i++) {
        size_t at = column + (size_t)i * VF_LANES;
        vf_store_at(n->dgain + at, vf_canonical(gain[i]), m[i]);
        vf_store_at(n->dshift + at, vf_canonical(shift[i]), m[i]);
    }
}

static void gains(const pl_norm_train *n, size_t first, size_t last)
{
    enum { SOME = COLUMNS_AT_ONCE / 2 }; /* two chains each */
    for (; first + (SOME - 1) * VF_LANES < last; first += SOME * VF_LANES)
        gain_columns(n, first, last, SOME);
    for (; first < last; first += VF_LANES)
        gain_columns(n, first, last, 1);
}

PL_ALWAYS_INLINE void sum_columns(const pl_column_sum *c, size_t column, size_t last, const int count)
{
    vf sum[COLUMNS_AT_ONCE];
    vm m[COLUMNS_AT_ONCE];
    for (int i = 0; i < count; i++) {
        size_t at = column + (size_t)i * VF_LANES;
        m[i] = vm_first(last - at);
        sum[i] = c->go_on ? vf_load_at(c->sum + at, m[i]) : vf_zero();
    }
    for (size_t row = 0; row < c->rows; row++)
        for (int i = 0; i < count; i++)
            sum[i] = vf_add(sum[i], vf_load_at(c->x + row * c->stride + column + (size_t)i * VF_LANES, m[i]));
    for (int i = 0; i < count; i++)
        vf_store_at(c->sum + column + (size_t)i * VF_LANES, vf_canonical(sum[i]), m[i]);
}

static void column_sum(const pl_column_sum *c, size_t first, size_t last)
{
    for (; first + (COLUMNS_AT_ONCE - 1) * VF_LANES < last; first += COLUMNS_AT_ONCE * VF_LANES)
        sum_columns(c, first, last, COLUMNS_AT_ONCE);
    for (; first < last; first += VF_LANES)
        sum_columns(c, first, last, 1);
}

static void scatter_add(const pl_scatter *s, size_t first, size_t last)
{
    for (size_t row = 0; row < s->rows; row++) {
        float *to = s->table + s->index[row] * s->table_stride;
        const float *from = s->x + row * s->stride;
        for (size_t at = first; at < last; at += VF_LANES) {
            vm m = vm_first(last - at);
            vf_store_at(to + at, vf_canonical(vf_add(vf_load_at(to + at, m), vf_load_at(from + at, m))), m);
        }
    }
}

/* ---- elements ---- */
PL_ALWAYS_INLINE void act_backward_as(pl_act act, const float *x, const float *dy, float *dx, size_t n)
{
    size_t at = 0;
    if (act == PL_ACT_GELU)
        for (; at + 4 * VF_LANES <= n; at += 4 * VF_LANES) {
            vf slope[4];
            for (size_t i = 0; i < 4; i++)
                slope[i] = vf_load(x + at + i * VF_LANES);
            vf_gelu_slope_many(slope, 4);
            for (size_t i = 0; i < 4; i++)
                vf_store(dx + at + i * VF_LANES, vf_canonical(vf_mul(vf_load(dy + at + i * VF_LANES), slope[i])));
        }
    for (; at < n; at += VF_LANES) {
        vm m = vm_first(n - at);
        vf slope = vf_act_slope(act, vf_load_at(x + at, m));
        vf_store_at(dx + at, vf_canonical(vf_mul(vf_load_at(dy + at, m), slope)), m);
    }
}

static void act_row_backward(const pl_act_train *a, size_t row)
{
    const float *x = a->x + row * a->x_stride, *dy = a->dy + row * a->dy_stride;
    float *dx = a->dx + row * a->dx_stride;
    if (a->act == PL_ACT_GELU)
        act_backward_as(PL_ACT_GELU, x, dy, dx, a->width);
    else
        act_backward_as(a->act, x, dy, dx, a->width);
}

static void adamw(const pl_adamw *a, size_t first, size_t last)
{
    const vf b1 = vf_set((float)a->b1), b2 = vf_set((float)a->b2), rest1 = vf_set((float)(1.0 - a->b1)), rest2 = vf_set((float)(1.0 - a->b2));
    const vf clip = vf_set(a->clip), keep = vf_set(a->keep), step = vf_set(a->step_size), root2 = vf_set(a->root2), eps = vf_set(a->eps);
    for (size_t at = first; at < last; at += VF_LANES) {
        vm some = vm_first(last - at);
        vf g = vf_mul(vf_load_at(a->gradient + at, some), clip);
        vf m = vf_fma(b1, vf_load_at(a->m + at, some), vf_mul(rest1, g));
        vf v = vf_fma(b2, vf_load_at(a->v + at, some), vf_mul(vf_mul(rest2, g), g));
        vf move = vf_div(m, vf_add(vf_div(vf_sqrt(v), root2), eps));
        vf w = vf_fnma(step, move, vf_mul(vf_load_at(a->w + at, some), keep));
        vf_store_at(a->m + at, vf_canonical(m), some);
        vf_store_at(a->v + at, vf_canonical(v), some);
        vf_store_at(a->w + at, vf_canonical(w), some);
    }
}

static double sum_squares(const float *x, size_t n)
{
    double total = 0;
    for (size_t block = 0; block < n; block += PL_SQUARES_BLOCK) {
        const float *from = x + block;
        size_t count = pl_min(n - block, PL_SQUARES_BLOCK), at = 0;
        vf_sum sum = vf_sum_zero();
        for (; at + 32 <= count; at += 32)
            for (size_t i = 0; i < VF_LANES_32; i++) {
                vf v = vf_load(from + at + i * VF_LANES);
                sum.lanes[i] = vf_fma(v, v, sum.lanes[i]);
            }
        for (size_t i = 0; at < count; i++, at += VF_LANES) {
            vf v = vf_load_at(from + at, vm_first(count - at));
            sum.lanes[i] = vf_fma(v, v, sum.lanes[i]);
        }
        total += (double)one_nan(vf_sum_total(&sum));
    }
    return total;
}

#endif
