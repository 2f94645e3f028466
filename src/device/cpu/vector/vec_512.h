/* Sixteen f32 lanes of AVX-512 (F, BW, DQ, VL). The same names exist in vec_256.h. */
#ifndef PL_DEVICE_CPU_VEC_512_H
#define PL_DEVICE_CPU_VEC_512_H

enum { VF_LANES = 16 };
typedef __m512 vf;
typedef __m512i vi;
typedef __mmask16 vm;

static inline vf vf_zero(void) { return _mm512_setzero_ps(); }
static inline vf vf_set(float x) { return _mm512_set1_ps(x); }
static inline vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void vf_store(float *p, vf v) { _mm512_storeu_ps(p, v); }

static inline vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
static inline vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
static inline vf vf_sqrt(vf a) { return _mm512_sqrt_ps(a); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }   /* a b + c */
static inline vf vf_fnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); } /* c - a b */
static inline vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }              /* a > b ? a : b */
static inline vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }              /* a < b ? a : b */
static inline vf vf_abs(vf a) { return _mm512_abs_ps(a); }
static inline vf vf_with_sign(vf magnitude, vf sign) { return _mm512_or_ps(_mm512_abs_ps(magnitude), _mm512_and_ps(sign, _mm512_set1_ps(-0.0f))); }

/* ---- masks ---- */
static inline vm vm_first(size_t n) { return (vm)(n >= 16 ? 0xFFFFu : (1u << n) - 1); }
static inline vm vm_between(size_t from, size_t to) { return _kandn_mask16(vm_first(from), vm_first(to)); }
static inline vm vf_less(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
static inline vm vf_equal(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
static inline vm vf_is_nan(vf a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
static inline vf vf_pick(vm m, vf yes, vf no) { return _mm512_mask_mov_ps(no, m, yes); }
static inline vf vf_load_at(const float *p, vm m) { return _mm512_maskz_loadu_ps(m, p); } /* 0 elsewhere */
static inline void vf_store_at(float *p, vf v, vm m) { _mm512_mask_storeu_ps(p, m, v); }

/* ---- bits ---- */
static inline vi vf_bits(vf a) { return _mm512_castps_si512(a); }
static inline vf vf_of_bits(vi a) { return _mm512_castsi512_ps(a); }
static inline vi vi_set(int x) { return _mm512_set1_epi32(x); }
static inline vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
static inline vi vi_sub(vi a, vi b) { return _mm512_sub_epi32(a, b); }
static inline vi vi_and(vi a, vi b) { return _mm512_and_si512(a, b); }
static inline vi vi_left_23(vi a) { return _mm512_slli_epi32(a, 23); }
static inline vi vi_right_23(vi a) { return _mm512_srai_epi32(a, 23); }
static inline vi vi_right_16(vi a) { return _mm512_srli_epi32(a, 16); }
static inline vf vf_of_int(vi a) { return _mm512_cvtepi32_ps(a); }

/* p 2^n, rounded once; n integral, |n| <= 160. */
static inline vf vf_scale(vf p, vf n) { return _mm512_scalef_ps(p, n); }

/* Sum of 32 lanes (a: 0..15, b: 16..31) by halving: j + (j + 16), then 8, 4, 2, 1. */
static inline float vf_fold_32(const vf lanes[2])
{
    __m512 s16 = _mm512_add_ps(lanes[0], lanes[1]);
    __m256 s8 = _mm256_add_ps(_mm512_castps512_ps256(s16), _mm512_extractf32x8_ps(s16, 1));
    __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));
}
/* The greatest lane by a > b ? a : b; no lane is NaN. */
static inline float vf_greatest(vf a)
{
    __m256 m8 = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 m4 = _mm_max_ps(_mm256_castps256_ps128(m8), _mm256_extractf128_ps(m8, 1));
    __m128 m2 = _mm_max_ps(m4, _mm_movehl_ps(m4, m4));
    return _mm_cvtss_f32(_mm_max_ss(m2, _mm_movehdup_ps(m2)));
}

/* ---- 16-bit floats in memory ---- */
static inline vf vf_load_f16(const uint16_t *p, vm m) { return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(m, p)); }
static inline vf vf_load_bf16(const uint16_t *p, vm m)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(m, p)), 16));
}
static inline vf vf_load_f64(const double *p, vm m)
{
    __m256 low = _mm512_cvtpd_ps(_mm512_maskz_loadu_pd((__mmask8)m, p));
    __m256 high = _mm512_cvtpd_ps(_mm512_maskz_loadu_pd((__mmask8)(m >> 8), p + 8));
    return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
}
/* The upper halves of the lanes: a bf16 each. */
static inline void vf_store_upper(uint16_t *p, vf v, vm m)
{
    _mm256_mask_storeu_epi16(p, m, _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_castps_si512(v), 16)));
}

/* Four rows of 16 -> quads of one column each: column 4 l + i in the l-th quarter of r[i]. */
static inline void vf_quads(vf r[4])
{
    vf a = _mm512_unpacklo_ps(r[0], r[1]), b = _mm512_unpackhi_ps(r[0], r[1]);
    vf c = _mm512_unpacklo_ps(r[2], r[3]), d = _mm512_unpackhi_ps(r[2], r[3]);
    r[0] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(c)));
    r[1] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(c)));
    r[2] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(b), _mm512_castps_pd(d)));
    r[3] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(b), _mm512_castps_pd(d)));
}
/* The l-th quarter of v; l is a constant after unrolling. */
static inline void vf_store_quad(float *p, vf v, size_t l)
{
    _mm_storeu_ps(p,
        l == 0       ? _mm512_castps512_ps128(v)
            : l == 1 ? _mm512_extractf32x4_ps(v, 1)
            : l == 2 ? _mm512_extractf32x4_ps(v, 2)
                     : _mm512_extractf32x4_ps(v, 3));
}

/* Transposes 16 x 16 in place. */
static inline void vf_transpose(vf r[16])
{
    vf t[16];
    PL_UNROLL
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    PL_UNROLL
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
        r[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
        r[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
        r[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
    }
    PL_UNROLL
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xDD);
        t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xDD);
    }
    PL_UNROLL
    for (int i = 0; i < 8; i++) {
        r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xDD);
    }
}

#endif
