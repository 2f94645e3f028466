/* Slopes of the activations, and log for those outside kernels. */
#include "device/cpu/reference/ref_train.h"

#include <math.h>

/* In this order of operands a NaN stays one. */
static float clip(float x, float least, float most) { return pl__ref_less(most, pl__ref_greater(least, x)); }

/* Phi(x) + x phi(x), Phi the normal distribution and phi its density */
static float gelu_slope(float x)
{
    float y = clip(x, -PL_GELU_SLOPE_MOST, PL_GELU_SLOPE_MOST);
    float below = fmaf(0.5f, pl__ref_erf_root(y), 0.5f);
    return fmaf(y * PL_ROOT_INVERSE_2_PI, pl__ref_exp(-0.5f * y * y), below);
}

/* s = sigmoid(z); returns its slope s (1 - s) = e / (1 + e)^2, e = exp(-|z|), without cancellation */
static float sigmoid_slope(float z, float *s)
{
    float e = pl__ref_exp(-fabsf(z));
    float share = 1.0f / (1.0f + e);
    *s = z < 0.0f ? e * share : share;
    return e * share * share;
}

/* y s(2 u): s + y 2 u' s' */
static float gelu_new_slope(float x)
{
    float y = clip(x, -PL_GELU_SLOPE_MOST, PL_GELU_SLOPE_MOST), s;
    float u = PL_SQRT_2_OVER_PI * (y + PL_GELU_CUBE * y * y * y);
    float bell = sigmoid_slope(u + u, &s);
    float inner = PL_SQRT_2_OVER_PI * fmaf(PL_GELU_CUBE_3 * y, y, 1.0f);
    return fmaf(y * (inner + inner), bell, s);
}

/* z s(z): s + z s' */
static float swish_slope(float z)
{
    float y = clip(z, -PL_SIGMOID_SLOPE_MOST, PL_SIGMOID_SLOPE_MOST), s;
    float bell = sigmoid_slope(y, &s);
    return fmaf(y, bell, s);
}

/* w + y s (1 - w^2) with w = tanh log(1 + e) = n / (n + 2), n = e (e + 2): s (1 - w^2) = 4 e (e + 1) / (n + 2)^2 */
static float mish_slope(float x)
{
    float y = clip(x, -PL_SIGMOID_SLOPE_MOST, PL_MISH_MOST);
    float e = pl__ref_exp(y);
    float n = e * (e + 2.0f), d = n + 2.0f;
    return fmaf(y, 4.0f * e * (e + 1.0f) / (d * d), n / d);
}

static float laplace_slope(float x)
{
    float z = (x - PL_LAPLACE_MEAN) / PL_LAPLACE_WIDTH;
    return PL_LAPLACE_SLOPE * pl__ref_exp(-(z * z));
}

float pl__ref_act_slope(pl_act act, float x)
{
    float s;
    switch (act) {
    case PL_ACT_GELU: return gelu_slope(x);
    case PL_ACT_GELU_10: return pl__ref_act(PL_ACT_GELU, x) > 10.0f ? 0.0f : gelu_slope(x);
    case PL_ACT_GELU_NEW:
    case PL_ACT_GELU_FAST: return gelu_new_slope(x);
    case PL_ACT_QUICK_GELU: return swish_slope(PL_QUICK_GELU_SLOPE * x);
    case PL_ACT_RELU: return x <= 0.0f ? 0.0f : 1.0f;
    case PL_ACT_RELU2: return 2.0f * pl__ref_greater(0.0f, x);
    case PL_ACT_RELU6: return x <= 0.0f || x >= 6.0f ? 0.0f : 1.0f;
    case PL_ACT_LEAKY_RELU: return x > 0.0f ? 1.0f : PL_LEAK;
    case PL_ACT_SILU: return swish_slope(x);
    case PL_ACT_MISH: return mish_slope(x);
    case PL_ACT_LAPLACE: return laplace_slope(x);
    case PL_ACT_SIGMOID: s = pl__ref_sigmoid(x); return s * (1.0f - s);
    case PL_ACT_TANH: s = pl__ref_tanh(x); return fmaf(-s, s, 1.0f);
    case PL_ACT_NONE:
    case PL_ACT_COUNT: break;
    }
    return 1.0f;
}

float pl_math_log(float x) { return pl__ref_canonical(pl__ref_log(x)); }
