/* XXH64 after its specification (Yann Collet, "XXH64 algorithm", xxHash's doc/xxhash_spec.md). */
#include "train/digest.h"

#include <string.h>

static const uint64_t P1 = 0x9E3779B185EBCA87u, P2 = 0xC2B2AE3D27D4EB4Fu, P3 = 0x165667B19E3779F9u, P4 = 0x85EBCA77C2B2AE63u, P5 = 0x27D4EB2F165667C5u;

enum { STRIPE = 32 };

static uint64_t turn(uint64_t x, unsigned by) { return x << by | x >> (64 - by); }
static uint64_t mix(uint64_t lane, uint64_t input) { return turn(lane + input * P2, 31) * P1; }
static uint64_t merge(uint64_t acc, uint64_t lane) { return (acc ^ mix(0, lane)) * P1 + P4; }

static uint64_t word(const unsigned char *at)
{
    uint64_t x;
    memcpy(&x, at, sizeof x);
    return x;
}

static void stripe(pl__digest *d, const unsigned char *at)
{
    for (int i = 0; i < 4; i++)
        d->lanes[i] = mix(d->lanes[i], word(at + 8 * i));
}

void pl__digest_start(pl__digest *d, uint64_t seed) { *d = (pl__digest){.lanes = {seed + P1 + P2, seed + P2, seed, seed - P1}, .seed = seed}; }

void pl__digest_add(pl__digest *d, const void *bytes, size_t n)
{
    const unsigned char *at = bytes;
    size_t held = (size_t)(d->total % STRIPE);
    d->total += n;
    if (held) {
        size_t part = pl_min(n, STRIPE - held);
        memcpy(d->rest + held, at, part);
        at += part;
        n -= part;
        if (held + part < STRIPE)
            return;
        stripe(d, d->rest);
    }
    for (; n >= STRIPE; at += STRIPE, n -= STRIPE)
        stripe(d, at);
    if (n)
        memcpy(d->rest, at, n);
}

uint64_t pl__digest_value(const pl__digest *d)
{
    uint64_t h = d->seed + P5;
    if (d->total >= STRIPE) {
        h = turn(d->lanes[0], 1) + turn(d->lanes[1], 7) + turn(d->lanes[2], 12) + turn(d->lanes[3], 18);
        for (int i = 0; i < 4; i++)
            h = merge(h, d->lanes[i]);
    }
    h += d->total;
    const unsigned char *at = d->rest;
    size_t n = (size_t)(d->total % STRIPE);
    for (; n >= 8; at += 8, n -= 8)
        h = turn(h ^ mix(0, word(at)), 27) * P1 + P4;
    if (n >= 4) {
        uint32_t x;
        memcpy(&x, at, sizeof x);
        h = turn(h ^ x * P1, 23) * P2 + P3;
        at += 4;
        n -= 4;
    }
    for (; n > 0; at++, n--)
        h = turn(h ^ *at * P5, 11) * P1;
    h = (h ^ h >> 33) * P2;
    h = (h ^ h >> 29) * P3;
    return h ^ h >> 32;
}

uint64_t pl__digest_of(const void *bytes, size_t n, uint64_t seed)
{
    pl__digest d;
    pl__digest_start(&d, seed);
    pl__digest_add(&d, bytes, n);
    return pl__digest_value(&d);
}
