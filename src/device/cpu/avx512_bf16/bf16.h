/* What the two bf16 tables, avx512_bf16 and amx, have in common: how elements become bf16, how
 * weights are packed, and the cheap exp and GELU whose errors lie far below a rounding to bf16. */
#ifndef PL_DEVICE_CPU_BF16_H
#define PL_DEVICE_CPU_BF16_H

#include "device/cpu/vector/vec.h"
#include "device/device.h"

enum {
    BF16_PANEL = 32,       /* columns of a weight panel: two vectors of sums, two tiles */
    BF16_STEP = 32,        /* depth of one tile product; packed depth is padded to it */
    BF16_STEP_BYTES = 2048 /* one step of a panel: 16 pairs of rows x 32 columns x 2 */
};

/* At least one, of zeros, so that a chain of nothing is a chain too. */
static inline size_t bf16_steps(size_t depth) { return depth ? (depth + BF16_STEP - 1) / BF16_STEP : 1; }

/* ---- packed weights: [panel][step][pair of rows][column][2], both tables alike ---- */
size_t pl__bf16_packed_bytes(size_t columns, size_t depth);
void pl__bf16_pack(const pl_pack *p);


/* ---- elements ---- */
static inline __mmask32 bf16_first(size_t n) { return n >= 32 ? 0xFFFFFFFFu : (__mmask32)((1ull << n) - 1); }

/* Two vectors rounded to nearest even, low first; denormals become zero as in every bf16 product. */
static inline __m512i bf16_round(vf low, vf high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }

/* 32 elements of any float type as bf16. Lanes from n on are zero and their memory is not read. */
PL_ALWAYS_INLINE __m512i bf16_load(const void *in, pl_dtype type, size_t at, size_t n)
{
    if (type == PL_BF16)
        return _mm512_maskz_loadu_epi16(bf16_first(n), (const uint16_t *)in + at);
    vf low = vf_load_as(in, type, at, vm_first(n));
    vf high = n > 16 ? vf_load_as(in, type, at + 16, vm_first(n - 16)) : vf_zero();
    return bf16_round(low, high);
}

/* ---- GELU by its distribution function: x Phi(x), where Phi on each of sixteen intervals of width
 * 4/7 over [-c, c] is a cubic in d, the distance from the interval's middle in widths. Tiles leave
 * one vector unit to FMA; coefficients looked up by a permutation use the other, which makes this
 * half the cost of one long polynomial. Minimax of |x| error (linear programming over Chebyshev
 * points). Error of the result for every x, in f32: 1.6e-5, or relative 2.4e-6 beyond c; half a
 * unit of bf16 at 0.1 is 24e-5. -infinity gives -1.1e-5, +infinity itself, a NaN a NaN. ---- */
typedef struct bf16_gelu {
    _Alignas(64) float p[4][16];
} bf16_gelu;
extern const bf16_gelu pl__bf16_gelu_erf, pl__bf16_gelu_tanh;
void pl__bf16_activate(pl_act act, float *x, size_t n);

/* `n` vectors (a constant) side by side, so that one's latency hides behind the others. */
PL_ALWAYS_INLINE void bf16_gelu_many(const bf16_gelu *f, vf *x, int n)
{
    vf c = vf_set(4.571424f); /* less than 8 widths, so that the last interval is the last */
    vf rounder = vf_set(0x1.8p+23f), d[4], p[4];
    vi interval[4];
    for (int i = 0; i < n; i++) {
        x[i] = vf_max(vf_sub(vf_zero(), c), x[i]); /* in this order a NaN stays one */
        vf z = vf_fma(vf_min(c, x[i]), vf_set(1.75f), vf_set(-0.5f));
        vf whole = vf_add(z, rounder);
        interval[i] = vf_bits(whole); /* its low four bits */
        d[i] = vf_sub(z, vf_sub(whole, rounder));
    }
    for (int i = 0; i < n; i++)
        p[i] = _mm512_permutexvar_ps(interval[i], vf_load(f->p[3]));
    for (int k = 2; k >= 0; k--)
        for (int i = 0; i < n; i++)
            p[i] = vf_fma(p[i], d[i], _mm512_permutexvar_ps(interval[i], vf_load(f->p[k])));
    for (int i = 0; i < n; i++)
        x[i] = vf_mul(x[i], p[i]);
}

/* 2^t for t <= 0 or NaN, relative error 3.4e-6; 2^0 is 1 exactly. Below 2^-126 it need not go on
 * falling: such a weight is zero in bf16. */
PL_ALWAYS_INLINE vf bf16_exp2(vf t)
{
    t = vf_max(vf_set(-126.0f), t);
    vf f = _mm512_reduce_ps(t, 0x09); /* t - floor(t) */
    vf p = vf_set(1.355491579e-02f);
    p = vf_fma(p, f, vf_set(5.203489587e-02f));
    p = vf_fma(p, f, vf_set(2.413777411e-01f));
    p = vf_fma(p, f, vf_set(6.930324435e-01f));
    p = vf_fma(p, f, vf_set(1.0f));
    return _mm512_scalef_ps(p, t); /* p 2^floor(t) */
}

#endif
