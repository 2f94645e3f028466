/* Random bits of dropout by Philox 4x32-10, two vectors of columns at a time.
 *
 * A counter's words c0..c3 stand in four vectors, each word in the lower half of 64 bits: a product
 * of 32 by 32 bits then has its low half where a word belongs and its high half one shuffle away,
 * and what the upper halves hold never matters. The first two rounds begin with constants
 * (c1 = site, c2 = c3 = 0) and are computed as far as they have to be. */
#ifndef PL_DEVICE_CPU_VEC_PHILOX_H
#define PL_DEVICE_CPU_VEC_PHILOX_H

#include "device/cpu/train_constants.h"
#include "device/cpu/vector/vec.h"
#include "device/train.h"

/* Counters stand so that the words come out in the order of their columns: see vf_random_words. */
#ifdef __AVX512F__
static inline vi vi_counters(void) { return _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7); }
static inline vi vi_halves(uint64_t x) { return _mm512_set1_epi64((long long)x); }
static inline vi vi_xor(vi a, vi b) { return _mm512_xor_si512(a, b); }
static inline vi vi_xor_3(vi a, vi b, vi c) { return _mm512_ternarylogic_epi64(a, b, c, 0x96); }
static inline vi vi_mul_halves(vi a, vi b) { return _mm512_mul_epu32(a, b); }
static inline vi vi_upper(vi a) { return _mm512_shuffle_epi32(a, (_MM_PERM_ENUM)0xF5); } /* to the lower halves */
static inline vi vi_join_halves(vi lower, vi upper) { return _mm512_mask_shuffle_epi32(lower, 0xAAAA, upper, (_MM_PERM_ENUM)0xA0); }
static inline vi vi_first_quads(vi a, vi b) { return _mm512_unpacklo_epi64(a, b); }
static inline vi vi_second_quads(vi a, vi b) { return _mm512_unpackhi_epi64(a, b); }
static inline vm vi_at_least(vi a, vi b) { return _mm512_cmp_epu32_mask(a, b, _MM_CMPINT_NLT); }
static inline vm vf_has_sign(vf a) { return _mm512_movepi32_mask(_mm512_castps_si512(a)); }
#else
static inline vi vi_counters(void) { return _mm256_setr_epi64x(0, 2, 1, 3); }
static inline vi vi_halves(uint64_t x) { return _mm256_set1_epi64x((long long)x); }
static inline vi vi_xor(vi a, vi b) { return _mm256_xor_si256(a, b); }
static inline vi vi_xor_3(vi a, vi b, vi c) { return vi_xor(vi_xor(a, b), c); }
static inline vi vi_mul_halves(vi a, vi b) { return _mm256_mul_epu32(a, b); }
static inline vi vi_upper(vi a) { return _mm256_shuffle_epi32(a, 0xF5); }
static inline vi vi_join_halves(vi lower, vi upper) { return _mm256_blend_epi32(lower, _mm256_shuffle_epi32(upper, 0xA0), 0xAA); }
static inline vi vi_first_quads(vi a, vi b) { return _mm256_unpacklo_epi64(a, b); }
static inline vi vi_second_quads(vi a, vi b) { return _mm256_unpackhi_epi64(a, b); }
static inline vm vi_at_least(vi a, vi b) { return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_max_epu32(a, b), a)); }
static inline vm vf_has_sign(vf a) { return _mm256_castsi256_ps(_mm256_srai_epi32(_mm256_castps_si256(a), 31)); }
#endif

enum { PHILOX_ROUNDS = 10 };

/* One row key and site. */
typedef struct vf_random {
    vi keys[PHILOX_ROUNDS][2]; /* xored to c0, to c2 */
    vi low, high;              /* of round 1's product of c0, which is a constant; high: with the key of c2 */
    vi threshold;
} vf_random;

PL_ALWAYS_INLINE vf_random vf_random_of(const pl_dropout *d, size_t row)
{
    vf_random r = {.threshold = vi_set((int)d->threshold)};
    vi k0 = vi_set((int)(uint32_t)d->row_keys[row]), k1 = vi_set((int)(uint32_t)(d->row_keys[row] >> 32));
#pragma GCC unroll 10
    for (uint32_t i = 0; i < PHILOX_ROUNDS; i++) {
        r.keys[i][0] = vi_add(k0, vi_set((int)(i * PL_PHILOX_W0)));
        r.keys[i][1] = vi_add(k1, vi_set((int)(i * PL_PHILOX_W1)));
    }
    r.low = vi_mul_halves(vi_xor(vi_set((int)d->site), k0), vi_halves(PL_PHILOX_M0));
    r.high = vi_xor(vi_upper(r.low), r.keys[1][1]);
    return r;
}

/* Words of the columns from `column`, a multiple of four, two vectors of each of n <= 2 neighbours. */
PL_ALWAYS_INLINE void vf_random_words(const vf_random *r, uint64_t column, vi (*out)[2], const int n)
{
    const vi m0 = vi_halves(PL_PHILOX_M0), m1 = vi_halves(PL_PHILOX_M1);
    vi c0[2], c1[2], c2[2], c3[2];
#pragma GCC unroll 2
    for (int i = 0; i < n; i++) {
        vi counter = vi_add(vi_counters(), vi_halves((uint32_t)(column / 4 + (uint64_t)i * (VF_LANES / 2))));
        vi product = vi_mul_halves(counter, m0);
        c1[i] = vi_mul_halves(vi_xor(vi_upper(product), r->keys[0][1]), m1);
        c0[i] = vi_xor(vi_upper(c1[i]), r->keys[1][0]);
        c2[i] = vi_xor(product, r->high);
        c3[i] = r->low;
    }
#pragma GCC unroll 8
    for (int round = 2; round < PHILOX_ROUNDS; round++) {
#pragma GCC unroll 2
        for (int i = 0; i < n; i++) {
            vi p0 = vi_mul_halves(c0[i], m0), p1 = vi_mul_halves(c2[i], m1);
            c0[i] = vi_xor_3(vi_upper(p1), c1[i], r->keys[round][0]);
            c2[i] = vi_xor_3(vi_upper(p0), c3[i], r->keys[round][1]);
            c1[i] = p1;
            c3[i] = p0;
        }
    }
#pragma GCC unroll 2
    for (int i = 0; i < n; i++) {
        vi a = vi_join_halves(c0[i], c1[i]), b = vi_join_halves(c2[i], c3[i]);
        out[i][0] = vi_first_quads(a, b);
        out[i][1] = vi_second_quads(a, b);
    }
}

/* Which of the columns column + i * VF_LANES .. + VF_LANES are kept, i < 2 n <= 4. */
PL_ALWAYS_INLINE void vf_random_kept(const vf_random *r, uint64_t column, vm *kept, const int n)
{
    vi words[2][2];
    vf_random_words(r, column, words, n);
    for (int i = 0; i < n; i++) {
        kept[2 * i] = vi_at_least(words[i][0], r->threshold);
        kept[2 * i + 1] = vi_at_least(words[i][1], r->threshold);
    }
}

#endif
