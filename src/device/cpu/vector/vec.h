/* A vector of f32 lanes under one set of names, whatever its width: vec_512.h or vec_256.h, as the
 * file that includes this is compiled. Kernels written on these names, each from IEEE operations
 * and FMA alone, give the same bits at every width. */
#ifndef PL_DEVICE_CPU_VEC_H
#define PL_DEVICE_CPU_VEC_H

#include "base/base.h"
#include "device/cpu/coefficients.h"

#include <immintrin.h>
#include <string.h>

/* Before a loop of few and constant turns: it is unrolled whole, so that arrays become registers. */
#ifdef __clang__
#define PL_UNROLL _Pragma("clang loop unroll(full)")
#else
#define PL_UNROLL _Pragma("GCC unroll 16")
#endif

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#include "device/cpu/vector/vec_512.h"
#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#include "device/cpu/vector/vec_256.h"
#else
#error "compile this file with -mavx2 -mfma -mf16c, or with -mavx512{f,bw,dq,vl} as well"
#endif

#define PL_ALWAYS_INLINE static inline __attribute__((always_inline))

enum { VF_LANES_32 = 32 / VF_LANES }; /* vectors that hold the 32 lanes of a row sum */

/* NaNs differ in sign and payload by operand order; what leaves a kernel is the one NaN. */
static inline vf vf_canonical(vf a) { return vf_pick(vf_is_nan(a), vf_of_bits(vi_set((int)PL_NAN_BITS)), a); }

/* Rounded to bf16, nearest even; a NaN becomes the one NaN. */
static inline vf vf_round_bf16(vf a)
{
    vi bits = vf_bits(a);
    vi odd = vi_and(vi_right_16(bits), vi_set(1));
    vi up = vi_and(vi_add(bits, vi_add(odd, vi_set(0x7FFF))), vi_set((int)0xFFFF0000u));
    return vf_canonical(vf_pick(vf_is_nan(a), a, vf_of_bits(up)));
}

/* Elements of any float type from memory as f32: the value itself, rounded to nearest even for
 * F64. Lanes outside m are zero and their memory is not read. `in` need not be aligned. */
PL_ALWAYS_INLINE vf vf_load_as(const void *in, pl_dtype type, size_t at, vm m)
{
    switch (type) {
    case PL_F16: return vf_load_f16((const uint16_t *)in + at, m);
    case PL_BF16: return vf_load_bf16((const uint16_t *)in + at, m);
    case PL_F64: return vf_load_f64((const double *)in + at, m);
    default: return vf_load_at((const float *)in + at, m);
    }
}

/* ---- the 32-lane sum of a row: lane j takes elements j, j + 32, ... ---- */
typedef struct vf_sum {
    vf lanes[VF_LANES_32];
} vf_sum;

PL_ALWAYS_INLINE vf_sum vf_sum_zero(void)
{
    vf_sum s;
    for (int i = 0; i < VF_LANES_32; i++)
        s.lanes[i] = vf_zero();
    return s;
}
PL_ALWAYS_INLINE float vf_sum_total(const vf_sum *s) { return vf_fold_32(s->lanes); }

#endif
