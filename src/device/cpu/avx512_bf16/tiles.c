/* The products of tiles in attention by VDPBF16PS: eight rows x two tiles of sums in registers. */
#include "device/cpu/avx512_bf16/attention.h"
#include "device/cpu/avx512_bf16/avx512_bf16.h"

enum { ROWS = 8 };

static void rows_multiply(const bf16_tiles *t, const unsigned char *a, const unsigned char *b, float *sums)
{
    vf s[ROWS][2];
    for (int r = 0; r < ROWS; r++)
        s[r][0] = s[r][1] = vf_zero();
    for (size_t step = 0; step < t->steps; step++, a += BF16_TILE_BYTES, b += t->step_b) {
        size_t pairs = step + 1 < t->steps ? 16 : t->last_pairs;
        for (size_t pair = 0; pair < pairs; pair++) {
            __m512bh b0 = (__m512bh)_mm512_load_si512(b + pair * 64), b1 = (__m512bh)_mm512_load_si512(b + t->next_b + pair * 64);
#pragma GCC unroll 8
            for (int r = 0; r < ROWS; r++) {
                int two;
                memcpy(&two, a + r * 64 + pair * 4, sizeof two);
                __m512bh both = (__m512bh)_mm512_set1_epi32(two);
                s[r][0] = _mm512_dpbf16_ps(s[r][0], both, b0);
                s[r][1] = _mm512_dpbf16_ps(s[r][1], both, b1);
            }
        }
    }
    for (int r = 0; r < ROWS; r++) {
        vf_store(sums + r * 16, s[r][0]);
        vf_store(sums + BF16_TILE_SUMS + r * 16, s[r][1]);
    }
}

static void tiles_multiply(const bf16_tiles *t)
{
    for (size_t row = 0; row < t->rows; row += ROWS)
        for (size_t i = 0; i < t->count; i += 2)
            rows_multiply(t, t->a + row * 64, t->b + i * t->next_b, t->sums + i * BF16_TILE_SUMS + row * 16);
}

void pl__avx512_bf16_attention(const pl_attention *a, void *workspace, size_t first_unit, size_t last_unit)
{
    pl__bf16_attention(a, workspace, first_unit, last_unit, tiles_multiply);
}
