/* What training does row by row, column by column or element by element. */
#include "device/cpu/reference/ref_train.h"

#include <math.h>
#include <string.h>

static float norm_input(const pl_norm_train *n, size_t row, size_t i)
{
    float x = n->f.x[row * n->f.x_stride + i];
    return n->f.residual ? x + n->f.residual[row * n->f.residual_stride + i] : x;
}

/* As the forward norm finds them. */
static void find_stats(const pl_norm_train *n, size_t row, float *mean, float *scale)
{
    float width = (float)n->f.width, lanes[32] = {0};
    for (size_t i = 0; i < n->f.width; i++)
        lanes[i % 32] += norm_input(n, row, i);
    *mean = pl__ref_fold_32(lanes) / width;
    memset(lanes, 0, sizeof lanes);
    for (size_t i = 0; i < n->f.width; i++) {
        float d = norm_input(n, row, i) - *mean;
        lanes[i % 32] = fmaf(d, d, lanes[i % 32]);
    }
    *scale = 1.0f / sqrtf(pl__ref_fold_32(lanes) / width + n->f.eps);
}

static void norm_row_backward(const pl_norm_train *n, size_t row)
{
    float mean, scale, width = (float)n->f.width;
    find_stats(n, row, &mean, &scale);
    n->stats[row][0] = pl__ref_canonical(mean);
    n->stats[row][1] = pl__ref_canonical(scale);
    const float *dy = n->dy + row * n->dy_stride;
    float sums[32] = {0}, products[32] = {0};
    for (size_t i = 0; i < n->f.width; i++) {
        float g = dy[i] * n->f.gain[i], xhat = (norm_input(n, row, i) - mean) * scale;
        sums[i % 32] += g;
        products[i % 32] = fmaf(g, xhat, products[i % 32]);
    }
    float g_mean = pl__ref_fold_32(sums) / width, product_mean = pl__ref_fold_32(products) / width;
    for (size_t i = 0; i < n->f.width; i++) {
        float g = dy[i] * n->f.gain[i], xhat = (norm_input(n, row, i) - mean) * scale;
        n->dx[row * n->dx_stride + i] = pl__ref_canonical(scale * fmaf(-xhat, product_mean, g - g_mean));
    }
}

void pl__ref_norm_backward(const pl_norm_train *n, size_t first_row, size_t last_row)
{
    for (size_t row = first_row; row < last_row; row++)
        norm_row_backward(n, row);
}

void pl__ref_norm_gains(const pl_norm_train *n, size_t first_column, size_t last_column)
{
    for (size_t i = first_column; i < last_column; i++) {
        float gain = n->go_on ? n->dgain[i] : 0.0f, shift = n->go_on ? n->dshift[i] : 0.0f;
        for (size_t row = 0; row < n->rows; row++) {
            float dy = n->dy[row * n->dy_stride + i];
            float xhat = (norm_input(n, row, i) - n->stats[row][0]) * n->stats[row][1];
            gain = fmaf(dy, xhat, gain);
            shift += dy;
        }
        n->dgain[i] = pl__ref_canonical(gain);
        n->dshift[i] = pl__ref_canonical(shift);
    }
}

void pl__ref_act_backward(const pl_act_train *a, size_t first_row, size_t last_row)
{
    for (size_t row = first_row; row < last_row; row++)
        for (size_t i = 0; i < a->width; i++) {
            float slope = pl__ref_act_slope(a->act, a->x[row * a->x_stride + i]);
            a->dx[row * a->dx_stride + i] = pl__ref_canonical(a->dy[row * a->dy_stride + i] * slope);
        }
}

void pl__ref_column_sum(const pl_column_sum *c, size_t first_column, size_t last_column)
{
    for (size_t i = first_column; i < last_column; i++) {
        float sum = c->go_on ? c->sum[i] : 0.0f;
        for (size_t row = 0; row < c->rows; row++)
            sum += c->x[row * c->stride + i];
        c->sum[i] = pl__ref_canonical(sum);
    }
}

void pl__ref_scatter_add(const pl_scatter *s, size_t first_column, size_t last_column)
{
    for (size_t row = 0; row < s->rows; row++) {
        float *to = s->table + s->index[row] * s->table_stride;
        for (size_t i = first_column; i < last_column; i++)
            to[i] = pl__ref_canonical(to[i] + s->x[row * s->stride + i]);
    }
}

void pl__ref_adamw(const pl_adamw *a, size_t first, size_t last)
{
    float b1 = (float)a->b1, b2 = (float)a->b2, rest1 = (float)(1.0 - a->b1), rest2 = (float)(1.0 - a->b2);
    for (size_t i = first; i < last; i++) {
        float g = a->gradient[i] * a->clip;
        float m = fmaf(b1, a->m[i], rest1 * g);
        float v = fmaf(b2, a->v[i], rest2 * g * g);
        float w = fmaf(-a->step_size, m / (sqrtf(v) / a->root2 + a->eps), a->w[i] * a->keep);
        a->m[i] = pl__ref_canonical(m);
        a->v[i] = pl__ref_canonical(v);
        a->w[i] = pl__ref_canonical(w);
    }
}

double pl__ref_sum_squares(const float *x, size_t n)
{
    double sum = 0;
    for (size_t block = 0; block < n; block += PL_SQUARES_BLOCK) {
        float lanes[32] = {0};
        for (size_t i = block; i < pl_min(block + PL_SQUARES_BLOCK, n); i++)
            lanes[i % 32] = fmaf(x[i], x[i], lanes[i % 32]);
        sum += (double)pl__ref_canonical(pl__ref_fold_32(lanes));
    }
    return sum;
}
