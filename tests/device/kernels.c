#include "device/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

uint64_t dice_roll(dice *d)
{
    uint64_t z = d->state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

size_t dice_between(dice *d, size_t least, size_t most) { return least + dice_roll(d) % (most - least + 1); }
bool dice_one_in(dice *d, size_t n) { return dice_roll(d) % n == 0; }

float dice_float(dice *d)
{
    float a = (float)(dice_roll(d) >> 40) * 0x1p-24f, b = (float)(dice_roll(d) >> 40) * 0x1p-24f;
    return (a + b - 1.0f) * 2.0f;
}

float dice_wild(dice *d)
{
    static const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, -NAN, 0x1p-149f, -0x1p-130f, 0x1.fffffep+127f, 1e-30f, 88.7f, -104.0f};
    uint32_t bits = (uint32_t)dice_roll(d);
    float x;
    memcpy(&x, &bits, sizeof x);
    return dice_one_in(d, 2) ? special[bits % PL_COUNT(special)] : x;
}

/* [size][floats][guard]; the size fills the 64 bytes before the floats */
enum { HEAD = 64, GUARD = 16, GUARD_BYTE = 0xA5 };

static float *floats_new(size_t n)
{
    size_t bytes = pl_round_up(HEAD + n * sizeof(float) + GUARD, 64);
    char *base = aligned_alloc(64, bytes);
    assert_non_null(base);
    memcpy(base, &n, sizeof n);
    memset(base + HEAD + n * sizeof(float), GUARD_BYTE, GUARD);
    return (float *)(void *)(base + HEAD);
}

float *floats_take(dice *d, size_t n, bool wild)
{
    float *p = floats_new(n);
    for (size_t i = 0; i < n; i++)
        p[i] = wild && dice_one_in(d, 16) ? dice_wild(d) : dice_float(d);
    return p;
}

float *floats_copy(const float *from, size_t n)
{
    float *p = floats_new(n);
    memcpy(p, from, n * sizeof *p);
    return p;
}

void floats_check(const float *p)
{
    size_t n;
    memcpy(&n, (const char *)p - HEAD, sizeof n);
    const unsigned char *guard = (const unsigned char *)(p + n);
    for (size_t i = 0; i < GUARD; i++)
        assert_int_equal(guard[i], GUARD_BYTE);
}

void floats_free(float *p)
{
    if (!p)
        return;
    floats_check(p);
    free((char *)p - HEAD);
}

static size_t tables(const pl_kernels **out, pl_dtype compute)
{
    static const pl_isa isas[] = {PL_ISA_REFERENCE, PL_ISA_AVX2, PL_ISA_AVX512};
    size_t count = 0;
    for (size_t i = 0; i < PL_COUNT(isas); i++)
        if (pl_isa_present() >> isas[i] & 1)
            out[count++] = pl_kernels_of(isas[i], compute);
    return count;
}

size_t tables_f32(const pl_kernels *out[PL_ISA_COUNT]) { return tables(out, PL_F32); }
size_t tables_bf16_by_f32(const pl_kernels *out[PL_ISA_COUNT]) { return tables(out, PL_BF16); }

void floats_equal(const char *what, const pl_kernels *k, const float *got, const float *want, size_t n, bool any_nan)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t g, w;
        memcpy(&g, got + i, sizeof g);
        memcpy(&w, want + i, sizeof w);
        if (g == w || (any_nan && got[i] != got[i] && want[i] != want[i]))
            continue;
        fail_msg("%s by %s: element %zu of %zu is %a (%08x), not %a (%08x)", what, k->name, i, n, (double)got[i], g, (double)want[i], w);
    }
}

void *workspace_take(size_t bytes)
{
    void *p = aligned_alloc(64, pl_round_up(pl_max(bytes, 1), 64));
    assert_non_null(p);
    memset(p, 0xFF, pl_round_up(pl_max(bytes, 1), 64)); /* NaNs, to be seen if they are read */
    return p;
}

void workspace_free(void *p) { free(p); }
