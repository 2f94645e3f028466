/* Random bits of dropout by Philox 4x32-10, a vector of columns at a time.
 *
 * Four lanes of a vector are one counter's words c0..c3, so that the words come out in the order of
 * their columns. A round multiplies c0 and c2, which stand in the even lanes, to products
 * [low0 high0 low2 high2], turns those around to [high2 low2 high0 low0], and adds c1 and c3 (moved
 * to the even lanes) and the round's key by exclusive or. */
#ifndef PL_DEVICE_CPU_VEC_PHILOX_H
#define PL_DEVICE_CPU_VEC_PHILOX_H

#include "device/cpu/train_constants.h"
#include "device/cpu/vector/vec.h"
#include "device/train.h"

enum { PHILOX_ROUNDS = 10 };

#ifdef __AVX512F__
static inline vi vi_quads(int a, int b, int c, int d) { return _mm512_set4_epi32(d, c, b, a); }
static inline vi vi_quad_numbers(void) { return _mm512_setr_epi32(0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0); }
static inline vi vi_xor(vi a, vi b) { return _mm512_xor_si512(a, b); }
static inline vi vi_xor_3(vi a, vi b, vi c) { return _mm512_ternarylogic_epi32(a, b, c, 0x96); }
static inline vi vi_mul_even(vi a, vi b) { return _mm512_mul_epu32(a, b); }
static inline vi vi_turn_quads(vi a) { return _mm512_shuffle_epi32(a, (_MM_PERM_ENUM)0x1B); }
static inline vi vi_odd_to_even(vi a) { return _mm512_srli_epi64(a, 32); }
static inline vm vf_has_sign(vf a) { return _mm512_movepi32_mask(_mm512_castps_si512(a)); }
static inline vm vi_at_least(vi a, vi b) { return _mm512_cmp_epu32_mask(a, b, _MM_CMPINT_NLT); }
#else
static inline vi vi_quads(int a, int b, int c, int d) { return _mm256_setr_epi32(a, b, c, d, a, b, c, d); }
static inline vi vi_quad_numbers(void) { return _mm256_setr_epi32(0, 0, 0, 0, 1, 0, 0, 0); }
static inline vi vi_xor(vi a, vi b) { return _mm256_xor_si256(a, b); }
static inline vi vi_xor_3(vi a, vi b, vi c) { return vi_xor(vi_xor(a, b), c); }
static inline vi vi_mul_even(vi a, vi b) { return _mm256_mul_epu32(a, b); }
static inline vi vi_turn_quads(vi a) { return _mm256_shuffle_epi32(a, 0x1B); }
static inline vi vi_odd_to_even(vi a) { return _mm256_srli_epi64(a, 32); }
static inline vm vf_has_sign(vf a) { return _mm256_castsi256_ps(_mm256_srai_epi32(_mm256_castps_si256(a), 31)); }
static inline vm vi_at_least(vi a, vi b) { return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_max_epu32(a, b), a)); }
#endif

/* One row key and site. */
typedef struct vf_random {
    vi keys[PHILOX_ROUNDS]; /* [key0 0 key1 0] of each round */
    vi first;               /* counters of columns 0.. */
    vi threshold;
} vf_random;

PL_ALWAYS_INLINE vf_random vf_random_of(const pl_dropout *d, size_t row)
{
    vf_random r = {.first = vi_xor(vi_quad_numbers(), vi_quads(0, (int)d->site, 0, 0)), .threshold = vi_set((int)d->threshold)};
    uint32_t k0 = (uint32_t)d->row_keys[row], k1 = (uint32_t)(d->row_keys[row] >> 32);
    for (int i = 0; i < PHILOX_ROUNDS; i++, k0 += PL_PHILOX_W0, k1 += PL_PHILOX_W1)
        r.keys[i] = vi_quads((int)k0, 0, (int)k1, 0);
    return r;
}

/* Which of the columns column + i * VF_LANES .. + VF_LANES, i < n <= 4, are kept; column a multiple
 * of four. */
PL_ALWAYS_INLINE void vf_random_kept(const vf_random *r, uint64_t column, vm *kept, const int n)
{
    const vi m = vi_quads((int)PL_PHILOX_M0, 0, (int)PL_PHILOX_M1, 0);
    vi x[4];
#pragma GCC unroll 4
    for (int i = 0; i < n; i++)
        x[i] = vi_add(r->first, vi_quads((int)(uint32_t)(column / 4 + (uint64_t)i * (VF_LANES / 4)), 0, 0, 0));
#pragma GCC unroll 10
    for (int round = 0; round < PHILOX_ROUNDS; round++)
#pragma GCC unroll 4
        for (int i = 0; i < n; i++)
            x[i] = vi_xor_3(vi_turn_quads(vi_mul_even(x[i], m)), vi_odd_to_even(x[i]), r->keys[round]);
#pragma GCC unroll 4
    for (int i = 0; i < n; i++)
        kept[i] = vi_at_least(x[i], r->threshold);
}

#endif
