/* The functions of docs/NUMERICS.md on vectors: the same operations in the same order as
 * cpu/reference/ref_math.c, lane by lane. */
#ifndef PL_DEVICE_CPU_VEC_MATH_H
#define PL_DEVICE_CPU_VEC_MATH_H

#include "device/cpu/vector/vec.h"
#include "device/device.h"

/* In this order of operands a NaN stays one. */
PL_ALWAYS_INLINE vf vf_clip(vf x, float least, float most) { return vf_min(vf_set(most), vf_max(vf_set(least), x)); }

/* Horner's scheme in N vectors at once, so that one's latency hides behind the others. */
PL_ALWAYS_INLINE void vf_horner(const float *c, int count, const vf *x, vf *p, int n)
{
    for (int i = 0; i < n; i++)
        p[i] = vf_set(c[count - 1]);
    PL_UNROLL
    for (int k = count - 2; k >= 0; k--)
        for (int i = 0; i < n; i++)
            p[i] = vf_fma(p[i], x[i], vf_set(c[k]));
}

/* x = n ln 2 + r: r, and n as a float. |x| < 2^21. */
PL_ALWAYS_INLINE vf vf_exp_reduce(vf x, vf *n)
{
    *n = vf_sub(vf_fma(x, vf_set(PL_LOG2E), vf_set(PL_ROUNDER)), vf_set(PL_ROUNDER));
    return vf_fnma(*n, vf_set(PL_LN2_LOW), vf_fnma(*n, vf_set(PL_LN2_HIGH), x));
}

/* exp of n vectors at once (at most eight). Where nothing is above PL_EXP_MOST, `most` may say so. */
PL_ALWAYS_INLINE void vf_exp_many(vf *x, int n, bool most)
{
    static const float q_of[PL_EXP_COUNT] = PL_EXP_Q;
    vf whole[8], q[8];
    for (int i = 0; i < n; i++) {
        if (!most)
            x[i] = vf_min(vf_set(PL_EXP_MOST), x[i]); /* in this order of operands a NaN stays one */
        x[i] = vf_max(vf_set(PL_EXP_LEAST), x[i]);
        x[i] = vf_exp_reduce(x[i], &whole[i]);
    }
    vf_horner(q_of, PL_EXP_COUNT, x, q, n);
    for (int i = 0; i < n; i++)
        q[i] = vf_fma(q[i], x[i], vf_set(1.0f));
    for (int i = 0; i < n; i++)
        x[i] = vf_scale(vf_fma(q[i], x[i], vf_set(1.0f)), whole[i]);
}
PL_ALWAYS_INLINE vf vf_exp(vf x)
{
    vf_exp_many(&x, 1, false);
    return x;
}

/* tanh |x| = e / (e + 2), e = exp(2 |x|) - 1 without cancellation. */
PL_ALWAYS_INLINE vf vf_tanh(vf x)
{
    static const float q_of[PL_EXP_COUNT] = PL_EXP_Q;
    vf y = vf_min(vf_set(PL_TANH_MOST), vf_abs(x));
    vf n, q;
    vf r = vf_exp_reduce(vf_add(y, y), &n);
    vf_horner(q_of, PL_EXP_COUNT, &r, &q, 1);
    vf less_one = vf_fma(vf_mul(r, r), q, r);
    vf two_n = vf_scale(vf_set(1.0f), n);
    vf e = vf_fma(two_n, less_one, vf_sub(two_n, vf_set(1.0f)));
    return vf_with_sign(vf_div(e, vf_add(e, vf_set(2.0f))), x);
}

PL_ALWAYS_INLINE vf vf_sigmoid(vf x)
{
    vf e = vf_exp(vf_sub(vf_zero(), vf_abs(x)));
    vf one = vf_set(1.0f);
    return vf_div(vf_pick(vf_less(x, vf_zero()), e, one), vf_add(one, e));
}

/* x P(x^2 - centre) up to x^2 = 2 centre, +-1 beyond: erf(x) or erf(x / sqrt 2) of n vectors. */
PL_ALWAYS_INLINE void vf_centred(const float *p_of, int count, float centre, const vf *x, vf *out, int n)
{
    vf u[8];
    for (int i = 0; i < n; i++)
        u[i] = vf_min(vf_set(centre), vf_fma(x[i], x[i], vf_set(-centre)));
    vf_horner(p_of, count, u, out, n);
    for (int i = 0; i < n; i++)
        out[i] = vf_clip(vf_mul(out[i], x[i]), -1.0f, 1.0f);
}
PL_ALWAYS_INLINE vf vf_erf(vf x)
{
    static const float p_of[PL_ERF_COUNT] = PL_ERF_P;
    vf e;
    vf_centred(p_of, PL_ERF_COUNT, PL_ERF_CENTRE, &x, &e, 1);
    return e;
}

/* log; of denormals too. log 0 = -infinity, of less NaN. */
PL_ALWAYS_INLINE vf vf_log(vf x)
{
    static const float q_of[PL_LOG_COUNT] = PL_LOG_Q;
    vf tiny_scale = vf_set(0x1p+23f), least_normal = vf_set(0x1p-126f);
    vm tiny = vf_less(x, least_normal);
    vf y = vf_pick(tiny, vf_mul(x, tiny_scale), x);
    vi k = vi_right_23(vi_sub(vf_bits(y), vi_set(PL_LOG_ROOT_BITS)));
    vf f = vf_sub(vf_of_bits(vi_sub(vf_bits(y), vi_left_23(k))), vf_set(1.0f));
    vf e = vf_sub(vf_of_int(k), vf_pick(tiny, vf_set(23.0f), vf_zero()));
    vf square = vf_mul(f, f), q;
    vf_horner(q_of, PL_LOG_COUNT, &f, &q, 1);
    vf t = vf_fma(e, vf_set(PL_LN2_LOW), vf_mul(vf_mul(square, f), q));
    t = vf_add(f, vf_fma(vf_set(-0.5f), square, t));
    vf result = vf_fma(e, vf_set(PL_LN2_HIGH), t);
    vf infinity = vf_of_bits(vi_set(0x7F800000));
    result = vf_pick(vf_less(x, infinity), result, x); /* infinity and NaN are their own */
    result = vf_pick(vf_equal(x, vf_zero()), vf_sub(vf_zero(), infinity), result);
    return vf_pick(vf_less(x, vf_zero()), vf_of_bits(vi_set((int)PL_NAN_BITS)), result);
}

/* ---- activations ---- */
/* At most eight vectors at once. */
PL_ALWAYS_INLINE void vf_gelu_many(vf *x, int n)
{
    static const float p_of[PL_GELU_COUNT] = PL_GELU_P;
    vf e[8];
    vf_centred(p_of, PL_GELU_COUNT, PL_GELU_CENTRE, x, e, n);
    for (int i = 0; i < n; i++) {
        vf half = vf_mul(vf_set(0.5f), x[i]);
        x[i] = vf_fma(half, e[i], half);
    }
}
PL_ALWAYS_INLINE vf vf_gelu(vf x)
{
    vf_gelu_many(&x, 1);
    return x;
}
PL_ALWAYS_INLINE vf vf_gelu_new(vf x)
{
    vf cube = vf_mul(vf_mul(vf_mul(vf_set(PL_GELU_CUBE), x), x), x);
    vf t = vf_tanh(vf_mul(vf_set(PL_SQRT_2_OVER_PI), vf_add(x, cube)));
    vf half = vf_mul(vf_set(0.5f), x);
    return vf_fma(half, t, half);
}
/* x tanh(log(1 + e^x)) with tanh log(1 + e) = e (e + 2) / (e (e + 2) + 2). */
PL_ALWAYS_INLINE vf vf_mish(vf x)
{
    vf e = vf_exp(vf_min(vf_set(PL_MISH_MOST), x));
    vf n = vf_mul(e, vf_add(e, vf_set(2.0f)));
    return vf_mul(x, vf_div(n, vf_add(n, vf_set(2.0f))));
}
PL_ALWAYS_INLINE vf vf_laplace(vf x)
{
    vf z = vf_div(vf_sub(x, vf_set(PL_LAPLACE_MEAN)), vf_set(PL_LAPLACE_WIDTH));
    return vf_mul(vf_set(0.5f), vf_add(vf_set(1.0f), vf_erf(z)));
}
PL_ALWAYS_INLINE vf vf_relu(vf x) { return vf_max(vf_zero(), x); } /* a NaN stays one, -0 too */

/* The caller's loop stands outside a switch on act when act is a constant. */
PL_ALWAYS_INLINE vf vf_act(pl_act act, vf x)
{
    switch (act) {
    case PL_ACT_GELU: return vf_gelu(x);
    case PL_ACT_GELU_10: return vf_clip(vf_gelu(x), -10.0f, 10.0f);
    case PL_ACT_GELU_NEW:
    case PL_ACT_GELU_FAST: return vf_gelu_new(x);
    case PL_ACT_QUICK_GELU: return vf_mul(x, vf_sigmoid(vf_mul(vf_set(PL_QUICK_GELU_SLOPE), x)));
    case PL_ACT_RELU: return vf_relu(x);
    case PL_ACT_RELU2: return vf_mul(vf_relu(x), vf_relu(x));
    case PL_ACT_RELU6: return vf_clip(x, 0.0f, 6.0f);
    case PL_ACT_LEAKY_RELU: return vf_pick(vf_less(vf_zero(), x), x, vf_mul(vf_set(PL_LEAK), x));
    case PL_ACT_SILU: return vf_mul(x, vf_sigmoid(x));
    case PL_ACT_MISH: return vf_mish(x);
    case PL_ACT_LAPLACE: return vf_laplace(x);
    case PL_ACT_SIGMOID: return vf_sigmoid(x);
    case PL_ACT_TANH: return vf_tanh(x);
    default: return x;
    }
}

#endif
