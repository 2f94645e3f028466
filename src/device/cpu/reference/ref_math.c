/* The functions of docs/NUMERICS.md, one IEEE operation at a time. */
#include "device/cpu/reference/reference.h"

#include <math.h>
#include <string.h>

uint32_t pl__ref_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

float pl__ref_of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

float pl__ref_canonical(float x) { return x != x ? pl__ref_of_bits(PL_NAN_BITS) : x; }
float pl__ref_greater(float a, float b) { return a > b ? a : b; }
float pl__ref_less(float a, float b) { return a < b ? a : b; }

/* In this order of operands a NaN stays one. */
static float clip(float x, float least, float most) { return pl__ref_less(most, pl__ref_greater(least, x)); }

/* p 2^n rounded once: the first factor leaves a normal p normal. */
static float scale(float p, float n)
{
    int whole = (int)n, half = whole >> 1;
    float first = pl__ref_of_bits((uint32_t)(half + 127) << 23);
    float second = pl__ref_of_bits((uint32_t)(whole - half + 127) << 23);
    return p * first * second;
}

static float horner(const float *c, int count, float x)
{
    float p = c[count - 1];
    for (int k = count - 2; k >= 0; k--)
        p = fmaf(p, x, c[k]);
    return p;
}

static const float exp_q[PL_EXP_COUNT] = PL_EXP_Q;

/* x = n ln 2 + r */
static float exp_reduce(float x, float *n)
{
    *n = fmaf(x, PL_LOG2E, PL_ROUNDER) - PL_ROUNDER;
    return fmaf(-*n, PL_LN2_LOW, fmaf(-*n, PL_LN2_HIGH, x));
}

float pl__ref_exp(float x)
{
    if (x != x)
        return x;
    x = clip(x, PL_EXP_LEAST, PL_EXP_MOST);
    float n;
    float r = exp_reduce(x, &n);
    float q = horner(exp_q, PL_EXP_COUNT, r);
    return scale(fmaf(fmaf(q, r, 1.0f), r, 1.0f), n);
}

float pl__ref_tanh(float x)
{
    if (x != x)
        return x;
    float y = pl__ref_less(PL_TANH_MOST, fabsf(x)), n;
    float r = exp_reduce(y + y, &n);
    float less_one = fmaf(r * r, horner(exp_q, PL_EXP_COUNT, r), r); /* exp(r) - 1 */
    float two_n = scale(1.0f, n);
    float e = fmaf(two_n, less_one, two_n - 1.0f);
    return copysignf(e / (e + 2.0f), x);
}

float pl__ref_sigmoid(float x)
{
    float e = pl__ref_exp(-fabsf(x));
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

/* x P(x^2 - centre) up to x^2 = 2 centre, +-1 beyond */
static float centred(const float *p, int count, float centre, float x)
{
    float u = pl__ref_less(centre, fmaf(x, x, -centre));
    return clip(horner(p, count, u) * x, -1.0f, 1.0f);
}

float pl__ref_erf(float x)
{
    static const float p[PL_ERF_COUNT] = PL_ERF_P;
    return centred(p, PL_ERF_COUNT, PL_ERF_CENTRE, x);
}

float pl__ref_erf_root(float x)
{
    static const float p[PL_GELU_COUNT] = PL_GELU_P;
    return centred(p, PL_GELU_COUNT, PL_GELU_CENTRE, x);
}

float pl__ref_log(float x)
{
    static const float log_q[PL_LOG_COUNT] = PL_LOG_Q;
    if (x != x || x < 0.0f)
        return pl__ref_of_bits(PL_NAN_BITS);
    if (x == 0.0f)
        return -INFINITY;
    if (x == INFINITY)
        return x;
    bool tiny = x < 0x1p-126f;
    uint32_t bits = pl__ref_bits(tiny ? x * 0x1p+23f : x);
    int32_t k = ((int32_t)bits - PL_LOG_ROOT_BITS) >> 23;
    float f = pl__ref_of_bits(bits - ((uint32_t)k << 23)) - 1.0f;
    float e = (float)k - (tiny ? 23.0f : 0.0f);
    float square = f * f;
    float t = fmaf(e, PL_LN2_LOW, square * f * horner(log_q, PL_LOG_COUNT, f));
    return fmaf(e, PL_LN2_HIGH, f + fmaf(-0.5f, square, t));
}

static float gelu(float x)
{
    float half = 0.5f * x;
    return fmaf(half, pl__ref_erf_root(x), half);
}

static float gelu_new(float x)
{
    float t = pl__ref_tanh(PL_SQRT_2_OVER_PI * (x + PL_GELU_CUBE * x * x * x));
    float half = 0.5f * x;
    return fmaf(half, t, half);
}

/* tanh(log(1 + e)) = e (e + 2) / (e (e + 2) + 2) */
static float mish(float x)
{
    float e = pl__ref_exp(pl__ref_less(PL_MISH_MOST, x));
    float n = e * (e + 2.0f);
    return x * (n / (n + 2.0f));
}

static float relu(float x) { return pl__ref_greater(0.0f, x); }

float pl__ref_act(pl_act act, float x)
{
    switch (act) {
    case PL_ACT_GELU: return gelu(x);
    case PL_ACT_GELU_10: return clip(gelu(x), -10.0f, 10.0f);
    case PL_ACT_GELU_NEW:
    case PL_ACT_GELU_FAST: return gelu_new(x);
    case PL_ACT_QUICK_GELU: return x * pl__ref_sigmoid(PL_QUICK_GELU_SLOPE * x);
    case PL_ACT_RELU: return relu(x);
    case PL_ACT_RELU2: return relu(x) * relu(x);
    case PL_ACT_RELU6: return clip(x, 0.0f, 6.0f);
    case PL_ACT_LEAKY_RELU: return x > 0.0f ? x : PL_LEAK * x;
    case PL_ACT_SILU: return x * pl__ref_sigmoid(x);
    case PL_ACT_MISH: return mish(x);
    case PL_ACT_LAPLACE: return 0.5f * (1.0f + pl__ref_erf((x - PL_LAPLACE_MEAN) / PL_LAPLACE_WIDTH));
    case PL_ACT_SIGMOID: return pl__ref_sigmoid(x);
    case PL_ACT_TANH: return pl__ref_tanh(x);
    case PL_ACT_NONE:
    case PL_ACT_COUNT: break;
    }
    return x;
}

float pl_math_exp(float x) { return pl__ref_canonical(pl__ref_exp(x)); }
float pl_math_tanh(float x) { return pl__ref_canonical(pl__ref_tanh(x)); }
float pl_math_sigmoid(float x) { return pl__ref_canonical(pl__ref_sigmoid(x)); }
