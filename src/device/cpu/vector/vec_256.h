/* Eight f32 lanes of AVX2 with FMA and F16C. The same names exist in vec_512.h. */
#ifndef PL_DEVICE_CPU_VEC_256_H
#define PL_DEVICE_CPU_VEC_256_H

enum { VF_LANES = 8 };
typedef __m256 vf;
typedef __m256i vi;
typedef __m256 vm; /* all bits of a lane, or none */

static inline vf vf_zero(void) { return _mm256_setzero_ps(); }
static inline vf vf_set(float x) { return _mm256_set1_ps(x); }
static inline vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void vf_store(float *p, vf v) { _mm256_storeu_ps(p, v); }

static inline vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
static inline vf vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
static inline vf vf_sqrt(vf a) { return _mm256_sqrt_ps(a); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }   /* a b + c */
static inline vf vf_fnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); } /* c - a b */
static inline vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }              /* a > b ? a : b */
static inline vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }              /* a < b ? a : b */
static inline vf vf_abs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
static inline vf vf_with_sign(vf magnitude, vf sign) { return _mm256_or_ps(vf_abs(magnitude), _mm256_and_ps(sign, _mm256_set1_ps(-0.0f))); }

/* ---- masks ---- */
static inline vm vm_first(size_t n)
{
    __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(n >= 8 ? 8 : (int)n), lane));
}
static inline vm vm_between(size_t from, size_t to) { return _mm256_andnot_ps(vm_first(from), vm_first(to)); }
static inline vm vf_less(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
static inline vm vf_equal(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
static inline vm vf_is_nan(vf a) { return _mm256_cmp_ps(a, a, _CMP_UNORD_Q); }
static inline vf vf_pick(vm m, vf yes, vf no) { return _mm256_blendv_ps(no, yes, m); }
static inline vf vf_load_at(const float *p, vm m) { return _mm256_maskload_ps(p, _mm256_castps_si256(m)); } /* 0 elsewhere */
static inline void vf_store_at(float *p, vf v, vm m) { _mm256_maskstore_ps(p, _mm256_castps_si256(m), v); }

/* ---- bits ---- */
static inline vi vf_bits(vf a) { return _mm256_castps_si256(a); }
static inline vf vf_of_bits(vi a) { return _mm256_castsi256_ps(a); }
static inline vi vi_set(int x) { return _mm256_set1_epi32(x); }
static inline vi vi_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
static inline vi vi_sub(vi a, vi b) { return _mm256_sub_epi32(a, b); }
static inline vi vi_and(vi a, vi b) { return _mm256_and_si256(a, b); }
static inline vi vi_left_23(vi a) { return _mm256_slli_epi32(a, 23); }
static inline vi vi_right_23(vi a) { return _mm256_srai_epi32(a, 23); }
static inline vi vi_right_16(vi a) { return _mm256_srli_epi32(a, 16); }
static inline vf vf_of_int(vi a) { return _mm256_cvtepi32_ps(a); }

/* p 2^n, rounded once; n integral, |n| <= 160. The first of the two factors leaves a normal p
 * normal (exact), so that only the second rounds. */
static inline vf vf_scale(vf p, vf n)
{
    __m256i whole = _mm256_cvtps_epi32(n);
    __m256i half = _mm256_srai_epi32(whole, 1);
    __m256i bias = _mm256_set1_epi32(127);
    __m256i first = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
    __m256i second = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(whole, half), bias), 23);
    return vf_mul(vf_mul(p, _mm256_castsi256_ps(first)), _mm256_castsi256_ps(second));
}

/* Sum of 32 lanes, eight a vector, by halving: j + (j + 16), then 8, 4, 2, 1. */
static inline float vf_fold_32(const vf lanes[4])
{
    __m256 s8 = _mm256_add_ps(_mm256_add_ps(lanes[0], lanes[2]), _mm256_add_ps(lanes[1], lanes[3]));
    __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));
}
/* The greatest lane by a > b ? a : b; no lane is NaN. */
static inline float vf_greatest(vf a)
{
    __m128 m4 = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    __m128 m2 = _mm_max_ps(m4, _mm_movehl_ps(m4, m4));
    return _mm_cvtss_f32(_mm_max_ss(m2, _mm_movehdup_ps(m2)));
}

/* ---- 16-bit floats in memory ---- */
static inline __m128i vec_load_16(const uint16_t *p, vm m)
{
    unsigned some = (unsigned)_mm256_movemask_ps(m);
    if (some == 0xFF)
        return _mm_loadu_si128((const __m128i *)(const void *)p);
    uint16_t lanes[8] = {0};
    for (unsigned i = 0; i < 8; i++)
        if (some >> i & 1)
            memcpy(lanes + i, p + i, sizeof *p); /* p may be odd */
    return _mm_loadu_si128((const __m128i *)(const void *)lanes);
}
static inline vf vf_load_f16(const uint16_t *p, vm m) { return _mm256_cvtph_ps(vec_load_16(p, m)); }
static inline vf vf_load_bf16(const uint16_t *p, vm m) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(vec_load_16(p, m)), 16)); }
static inline vf vf_load_f64(const double *p, vm m)
{
    __m256i low = _mm256_cvtepi32_epi64(_mm_castps_si128(_mm256_castps256_ps128(m)));
    __m256i high = _mm256_cvtepi32_epi64(_mm_castps_si128(_mm256_extractf128_ps(m, 1)));
    __m128 low4 = _mm256_cvtpd_ps(_mm256_maskload_pd(p, low));
    __m128 high4 = _mm256_cvtpd_ps(_mm256_maskload_pd(p + 4, high));
    return _mm256_insertf128_ps(_mm256_castps128_ps256(low4), high4, 1);
}
/* The upper halves of the lanes: a bf16 each. */
static inline void vf_store_upper(uint16_t *p, vf v, vm m)
{
    __m256i upper = _mm256_srli_epi32(_mm256_castps_si256(v), 16);
    __m128i packed = _mm_packus_epi32(_mm256_castsi256_si128(upper), _mm256_extracti128_si256(upper, 1));
    unsigned some = (unsigned)_mm256_movemask_ps(m);
    if (some == 0xFF) {
        _mm_storeu_si128((__m128i *)(void *)p, packed);
        return;
    }
    uint16_t lanes[8];
    _mm_storeu_si128((__m128i *)(void *)lanes, packed);
    for (unsigned i = 0; i < 8; i++)
        if (some >> i & 1)
            p[i] = lanes[i];
}

/* Four rows of 8 -> quads of one column each: column 4 l + i in the l-th half of r[i]. */
static inline void vf_quads(vf r[4])
{
    vf a = _mm256_unpacklo_ps(r[0], r[1]), b = _mm256_unpackhi_ps(r[0], r[1]);
    vf c = _mm256_unpacklo_ps(r[2], r[3]), d = _mm256_unpackhi_ps(r[2], r[3]);
    r[0] = _mm256_shuffle_ps(a, c, 0x44);
    r[1] = _mm256_shuffle_ps(a, c, 0xEE);
    r[2] = _mm256_shuffle_ps(b, d, 0x44);
    r[3] = _mm256_shuffle_ps(b, d, 0xEE);
}
/* The l-th half of v. */
static inline void vf_store_quad(float *p, vf v, size_t l) { _mm_storeu_ps(p, l == 0 ? _mm256_castps256_ps128(v) : _mm256_extractf128_ps(v, 1)); }

/* Transposes 8 x 8 in place. */
static inline void vf_transpose(vf r[8])
{
    vf t[8];
    PL_UNROLL
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    vf u[8];
    PL_UNROLL
    for (int i = 0; i < 8; i += 4) {
        u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xEE);
        u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
    }
    PL_UNROLL
    for (int i = 0; i < 4; i++) {
        r[i] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
        r[i + 4] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
    }
}

#endif
