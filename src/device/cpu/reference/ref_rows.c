/* What is done row by row or element by element. */
#include "device/cpu/reference/reference.h"

#include <math.h>
#include <string.h>

float pl__ref_round_bf16(float x)
{
    if (x != x)
        return pl__ref_canonical(x);
    uint32_t bits = pl__ref_bits(x);
    return pl__ref_of_bits((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000u);
}

static float widen_f16(uint16_t half)
{
    float sign = half & 0x8000 ? -1.0f : 1.0f;
    uint32_t exponent = half >> 10 & 31, fraction = half & 1023;
    if (exponent == 31)
        return fraction ? pl__ref_of_bits(PL_NAN_BITS) : sign * INFINITY;
    if (exponent == 0)
        return sign * (float)fraction * 0x1p-24f;
    return sign * pl__ref_of_bits((exponent + 112) << 23 | fraction << 13);
}

float pl__ref_widen(const void *in, pl_dtype type, size_t at)
{
    uint16_t half;
    double wide;
    float x;
    switch (type) {
    case PL_F16:
        memcpy(&half, (const char *)in + at * sizeof half, sizeof half);
        x = widen_f16(half);
        break;
    case PL_BF16:
        memcpy(&half, (const char *)in + at * sizeof half, sizeof half);
        x = pl__ref_of_bits((uint32_t)half << 16);
        break;
    case PL_F64:
        memcpy(&wide, (const char *)in + at * sizeof wide, sizeof wide);
        x = (float)wide;
        break;
    default: memcpy(&x, (const char *)in + at * sizeof x, sizeof x);
    }
    return pl__ref_canonical(x);
}

void pl__ref_widen_all(float *out, const void *in, pl_dtype type, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = pl__ref_widen(in, type, i);
}

void pl__ref_activate(pl_act act, float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = pl__ref_canonical(pl__ref_act(act, x[i]));
}

float pl__ref_fold_32(float lanes[32])
{
    for (size_t half = 16; half > 0; half /= 2)
        for (size_t j = 0; j < half; j++)
            lanes[j] += lanes[j + half];
    return lanes[0];
}

static void norm_row(const pl_norm *n, const float *x, const float *residual, float *y)
{
    float width = (float)n->width;
    float lanes[32] = {0};
    for (size_t i = 0; i < n->width; i++) {
        y[i] = residual ? x[i] + residual[i] : x[i];
        lanes[i % 32] += y[i];
    }
    float mean = pl__ref_fold_32(lanes) / width;
    memset(lanes, 0, sizeof lanes);
    for (size_t i = 0; i < n->width; i++) {
        float d = y[i] - mean;
        lanes[i % 32] = fmaf(d, d, lanes[i % 32]);
    }
    float variance = pl__ref_fold_32(lanes) / width;
    float scale = 1.0f / sqrtf(variance + n->eps);
    for (size_t i = 0; i < n->width; i++)
        y[i] = pl__ref_canonical(fmaf((y[i] - mean) * scale, n->gain[i], n->shift[i]));
}

void pl__ref_norm(const pl_norm *n, size_t first_row, size_t last_row)
{
    for (size_t row = first_row; row < last_row; row++)
        norm_row(n, n->x + row * n->x_stride, n->residual ? n->residual + row * n->residual_stride : NULL, n->y + row * n->y_stride);
}

void pl__ref_embed_sum(const pl_embed_sum *e, size_t first_row, size_t last_row)
{
    for (size_t row = first_row; row < last_row; row++) {
        float *x = e->x + row * e->stride;
        const float *position = e->position + e->positions[row] * e->width;
        const float *type = e->type ? e->type + (e->types ? e->types[row] : 0) * e->width : NULL;
        for (size_t i = 0; i < e->width; i++)
            x[i] = pl__ref_canonical((type ? x[i] + type[i] : x[i]) + position[i]);
    }
}

/* One column of a text's rows, by a sum of 32 lanes; row j weighs j + 1 if weighted. */
static float pool_sum(const float *x, size_t stride, size_t rows, bool weighted)
{
    float lanes[32] = {0};
    for (size_t j = 0; j < rows; j++)
        lanes[j % 32] = fmaf(weighted ? (float)(j + 1) : 1.0f, x[j * stride], lanes[j % 32]);
    return pl__ref_fold_32(lanes);
}

/* The greatest of a column; a NaN anywhere is the result. */
static float pool_max(const float *x, size_t stride, size_t rows)
{
    float greatest = x[0];
    for (size_t j = 1; j < rows; j++)
        if (greatest == greatest)
            greatest = pl__ref_greater(greatest, x[j * stride]);
    return greatest;
}

static float pool_column(pl_pooling mode, const float *x, size_t stride, size_t rows)
{
    if (rows == 0)
        return 0.0f;
    uint64_t weights = (uint64_t)rows * (rows + 1) / 2; /* 1 + 2 + ... */
    switch (mode) {
    case PL_POOL_MEAN: return pool_sum(x, stride, rows, false) / (float)rows;
    case PL_POOL_SQRT_MEAN: return pool_sum(x, stride, rows, false) / sqrtf((float)rows);
    case PL_POOL_WEIGHTED_MEAN: return pool_sum(x, stride, rows, true) / (float)weights;
    case PL_POOL_MAX: return pool_max(x, stride, rows);
    case PL_POOL_LAST: return x[(rows - 1) * stride];
    case PL_POOL_CLS:
    case PL_POOLING_COUNT: break;
    }
    return x[0];
}

void pl__ref_pool(const pl_pool *p, size_t first_text, size_t last_text)
{
    for (size_t text = first_text; text < last_text; text++) {
        size_t rows = p->starts[text + 1] - p->starts[text];
        const float *x = p->x + p->starts[text] * p->x_stride;
        for (size_t i = 0; i < p->width; i++)
            p->y[text * p->y_stride + i] = pl__ref_canonical(pool_column(p->mode, x + i, p->x_stride, rows));
    }
}

void pl__ref_unit_length(float *x, size_t stride, size_t width, size_t first_row, size_t last_row)
{
    for (size_t row = first_row; row < last_row; row++) {
        float *v = x + row * stride;
        float lanes[32] = {0};
        for (size_t i = 0; i < width; i++)
            lanes[i % 32] = fmaf(v[i], v[i], lanes[i % 32]);
        float length = pl__ref_greater(PL_UNIT_LEAST, sqrtf(pl__ref_fold_32(lanes))); /* a NaN stays one */
        for (size_t i = 0; i < width; i++)
            v[i] = pl__ref_canonical(v[i] / length);
    }
}
