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

static inline size_t bf16_steps(size_t depth) { return (depth + BF16_STEP - 1) / BF16_STEP; }

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

/* ---- GELU by its distribution function: x Phi(x), Phi(x) = 1/2 + t P(t^2 - c^2/2), t = x held in
 * [-c, c]. P is the minimax polynomial of |error of x Phi(x)|, found by linear programming over
 * Chebyshev points with 1/2 + c P(c^2/2) = 1; centred, so that no coefficient cancels another.
 * Error of the result for every x, in f32: GELU 1.2e-5, its tanh form 0.9e-5 (half a unit of bf16
 * at 0.1 is 24e-5). -infinity gives -0 up to 1e-6, +infinity itself, a NaN a NaN. ---- */
enum { BF16_GELU_COUNT = 10 };
typedef struct bf16_gelu {
    float most, centre; /* c, c^2/2 */
    float p[BF16_GELU_COUNT];
} bf16_gelu;
extern const bf16_gelu pl__bf16_gelu_erf, pl__bf16_gelu_tanh;

PL_ALWAYS_INLINE void bf16_gelu_two(const bf16_gelu *f, vf x[2])
{
    vf t[2], u[2], p[2];
    for (int i = 0; i < 2; i++) {
        x[i] = vf_max(vf_set(-f->most), x[i]); /* in this order a NaN stays one */
        t[i] = vf_min(vf_set(f->most), x[i]);
        u[i] = vf_fma(t[i], t[i], vf_set(-f->centre));
        p[i] = vf_set(f->p[BF16_GELU_COUNT - 1]);
    }
#pragma GCC unroll 16
    for (int k = BF16_GELU_COUNT - 2; k >= 0; k--)
        for (int i = 0; i < 2; i++)
            p[i] = vf_fma(p[i], u[i], vf_set(f->p[k]));
    for (int i = 0; i < 2; i++)
        x[i] = vf_mul(x[i], vf_fma(p[i], t[i], vf_set(0.5f)));
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
