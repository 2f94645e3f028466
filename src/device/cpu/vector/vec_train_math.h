/* Slopes of the activations on vectors: the operations of cpu/reference/ref_train_math.c, lane by
 * lane. */
#ifndef PL_DEVICE_CPU_VEC_TRAIN_MATH_H
#define PL_DEVICE_CPU_VEC_TRAIN_MATH_H

#include "device/cpu/train_constants.h"
#include "device/cpu/vector/vec_math.h"

/* At most four vectors at once. */
PL_ALWAYS_INLINE void vf_gelu_slope_many(vf *x, const int n)
{
    static const float p_of[PL_GELU_COUNT] = PL_GELU_P;
    vf below[4], e[4];
    const vf half = vf_set(0.5f);
    for (int i = 0; i < n; i++)
        x[i] = vf_clip(x[i], -PL_GELU_SLOPE_MOST, PL_GELU_SLOPE_MOST);
    vf_centred(p_of, PL_GELU_COUNT, PL_GELU_CENTRE, x, below, n);
    for (int i = 0; i < n; i++) {
        below[i] = vf_fma(half, below[i], half);
        e[i] = vf_mul(vf_mul(vf_set(-0.5f), x[i]), x[i]);
    }
    vf_exp_many(e, n, true);
    for (int i = 0; i < n; i++)
        x[i] = vf_fma(vf_mul(x[i], vf_set(PL_ROOT_INVERSE_2_PI)), e[i], below[i]);
}

PL_ALWAYS_INLINE vf vf_gelu_slope(vf x)
{
    vf_gelu_slope_many(&x, 1);
    return x;
}

PL_ALWAYS_INLINE vf vf_sigmoid_slope(vf z, vf *s)
{
    const vf one = vf_set(1.0f);
    vf e = vf_sub(vf_zero(), vf_abs(z));
    vf_exp_many(&e, 1, true);
    vf share = vf_div(one, vf_add(one, e)), left = vf_mul(e, share);
    *s = vf_pick(vf_less(z, vf_zero()), left, share);
    return vf_mul(left, share);
}

PL_ALWAYS_INLINE vf vf_gelu_new_slope(vf x)
{
    vf y = vf_clip(x, -PL_GELU_SLOPE_MOST, PL_GELU_SLOPE_MOST), s;
    vf cube = vf_mul(vf_mul(vf_mul(vf_set(PL_GELU_CUBE), y), y), y);
    vf u = vf_mul(vf_set(PL_SQRT_2_OVER_PI), vf_add(y, cube));
    vf bell = vf_sigmoid_slope(vf_add(u, u), &s);
    vf inner = vf_mul(vf_set(PL_SQRT_2_OVER_PI), vf_fma(vf_mul(vf_set(PL_GELU_CUBE_3), y), y, vf_set(1.0f)));
    return vf_fma(vf_mul(y, vf_add(inner, inner)), bell, s);
}

PL_ALWAYS_INLINE vf vf_swish_slope(vf z)
{
    vf y = vf_clip(z, -PL_SIGMOID_SLOPE_MOST, PL_SIGMOID_SLOPE_MOST), s;
    vf bell = vf_sigmoid_slope(y, &s);
    return vf_fma(y, bell, s);
}

PL_ALWAYS_INLINE vf vf_mish_slope(vf x)
{
    vf y = vf_clip(x, -PL_SIGMOID_SLOPE_MOST, PL_MISH_MOST);
    vf e = vf_exp(y);
    vf n = vf_mul(e, vf_add(e, vf_set(2.0f))), d = vf_add(n, vf_set(2.0f));
    vf above = vf_mul(vf_mul(vf_set(4.0f), e), vf_add(e, vf_set(1.0f)));
    return vf_fma(y, vf_div(above, vf_mul(d, d)), vf_div(n, d));
}

PL_ALWAYS_INLINE vf vf_laplace_slope(vf x)
{
    vf z = vf_div(vf_sub(x, vf_set(PL_LAPLACE_MEAN)), vf_set(PL_LAPLACE_WIDTH));
    return vf_mul(vf_set(PL_LAPLACE_SLOPE), vf_exp(vf_sub(vf_zero(), vf_mul(z, z))));
}

/* 0 where x <= 0, else `above`; a NaN is above. */
PL_ALWAYS_INLINE vf vf_step(vf x, vf above)
{
    vf above_zero = vf_pick(vf_less(x, vf_zero()), vf_zero(), above);
    return vf_pick(vf_equal(x, vf_zero()), vf_zero(), above_zero);
}

PL_ALWAYS_INLINE vf vf_act_slope(pl_act act, vf x)
{
    const vf one = vf_set(1.0f), zero = vf_zero(), six = vf_set(6.0f);
    vf s;
    switch (act) {
    case PL_ACT_GELU: return vf_gelu_slope(x);
    case PL_ACT_GELU_10: return vf_pick(vf_less(vf_set(10.0f), vf_gelu(x)), zero, vf_gelu_slope(x));
    case PL_ACT_GELU_NEW:
    case PL_ACT_GELU_FAST: return vf_gelu_new_slope(x);
    case PL_ACT_QUICK_GELU: return vf_swish_slope(vf_mul(vf_set(PL_QUICK_GELU_SLOPE), x));
    case PL_ACT_RELU: return vf_step(x, one);
    case PL_ACT_RELU2: return vf_mul(vf_set(2.0f), vf_relu(x));
    case PL_ACT_RELU6: s = vf_pick(vf_less(six, x), zero, one); return vf_step(x, vf_pick(vf_equal(x, six), zero, s));
    case PL_ACT_LEAKY_RELU: return vf_pick(vf_less(zero, x), one, vf_set(PL_LEAK));
    case PL_ACT_SILU: return vf_swish_slope(x);
    case PL_ACT_MISH: return vf_mish_slope(x);
    case PL_ACT_LAPLACE: return vf_laplace_slope(x);
    case PL_ACT_SIGMOID: s = vf_sigmoid(x); return vf_mul(s, vf_sub(one, s));
    case PL_ACT_TANH: s = vf_tanh(x); return vf_fnma(s, s, one);
    default: return one;
    }
}

#endif
