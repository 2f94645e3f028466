#include "train/shuffle.h"

/* The finalizer of SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

void pl__shuffle_start(pl__shuffle *s, uint64_t seed, uint64_t epoch, uint64_t count)
{
    *s = (pl__shuffle){.count = count, .half = 1};
    while (s->half < 32 && (UINT64_C(1) << 2 * s->half) < count)
        s->half++;
    uint64_t key = mix(mix(seed + 0x9E3779B97F4A7C15u) ^ epoch);
    for (int i = 0; i < PL__SHUFFLE_ROUNDS; i++)
        s->keys[i] = mix(key += 0x9E3779B97F4A7C15u);
}

static uint64_t encipher(const pl__shuffle *s, uint64_t x)
{
    uint64_t mask = (UINT64_C(1) << s->half) - 1, left = x >> s->half, right = x & mask;
    for (int i = 0; i < PL__SHUFFLE_ROUNDS; i++) {
        uint64_t next = left ^ (mix(right + s->keys[i]) & mask);
        left = right;
        right = next;
    }
    return left << s->half | right;
}

uint64_t pl__shuffle_at(const pl__shuffle *s, uint64_t place)
{
    do
        place = encipher(s, place);
    while (place >= s->count);
    return place;
}
