#include "pull/hash.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK = 64, LENGTH_AT = 56 };

static uint32_t left(uint32_t x, unsigned n) { return x << n | x >> (32 - n); }
static uint32_t right(uint32_t x, unsigned n) { return x >> n | x << (32 - n); }
static uint32_t word(const unsigned char *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }

static void sha1_block(uint32_t state[8], const unsigned char *p)
{
    uint32_t w[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (unsigned i = 0; i < 80; i++)
        w[i] = i < 16 ? word(p + 4 * i) : left(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (unsigned i = 0; i < 80; i++) {
        uint32_t f = i < 20 ? ((b & c) | (~b & d)) + 0x5A827999u
            : i < 40        ? (b ^ c ^ d) + 0x6ED9EBA1u
            : i < 60        ? ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDCu
                            : (b ^ c ^ d) + 0xCA62C1D6u;
        uint32_t next = left(a, 5) + f + e + w[i];
        e = d;
        d = c;
        c = left(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

static const uint32_t sha256_k[64] = {
    0x428a2f98,
    0x71374491,
    0xb5c0fbcf,
    0xe9b5dba5,
    0x3956c25b,
    0x59f111f1,
    0x923f82a4,
    0xab1c5ed5,
    0xd807aa98,
    0x12835b01,
    0x243185be,
    0x550c7dc3,
    0x72be5d74,
    0x80deb1fe,
    0x9bdc06a7,
    0xc19bf174,
    0xe49b69c1,
    0xefbe4786,
    0x0fc19dc6,
    0x240ca1cc,
    0x2de92c6f,
    0x4a7484aa,
    0x5cb0a9dc,
    0x76f988da,
    0x983e5152,
    0xa831c66d,
    0xb00327c8,
    0xbf597fc7,
    0xc6e00bf3,
    0xd5a79147,
    0x06ca6351,
    0x14292967,
    0x27b70a85,
    0x2e1b2138,
    0x4d2c6dfc,
    0x53380d13,
    0x650a7354,
    0x766a0abb,
    0x81c2c92e,
    0x92722c85,
    0xa2bfe8a1,
    0xa81a664b,
    0xc24b8b70,
    0xc76c51a3,
    0xd192e819,
    0xd6990624,
    0xf40e3585,
    0x106aa070,
    0x19a4c116,
    0x1e376c08,
    0x2748774c,
    0x34b0bcb5,
    0x391c0cb3,
    0x4ed8aa4a,
    0x5b9cca4f,
    0x682e6ff3,
    0x748f82ee,
    0x78a5636f,
    0x84c87814,
    0x8cc70208,
    0x90befffa,
    0xa4506ceb,
    0xbef9a3f7,
    0xc67178f2,
};

static void sha256_block(uint32_t state[8], const unsigned char *p)
{
    uint32_t w[64], s[8];
    memcpy(s, state, sizeof s);
    for (unsigned i = 0; i < 64; i++) {
        if (i < 16) {
            w[i] = word(p + 4 * i);
            continue;
        }
        uint32_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (right(x, 7) ^ right(x, 18) ^ x >> 3) + (right(y, 17) ^ right(y, 19) ^ y >> 10);
    }
    for (unsigned i = 0; i < 64; i++) {
        uint32_t e = s[4], a = s[0];
        uint32_t one = s[7] + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) + ((e & s[5]) ^ (~e & s[6])) + sha256_k[i] + w[i];
        uint32_t two = (right(a, 2) ^ right(a, 13) ^ right(a, 22)) + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof s[0]);
        s[4] += one;
        s[0] = one + two;
    }
    for (unsigned i = 0; i < 8; i++)
        state[i] += s[i];
}

void pl__hash_start(pl__hash *h, pl__hash_kind kind)
{
    static const uint32_t starts[2][8] = {
        [PL__SHA1] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0},
        [PL__SHA256] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19},
    };
    *h = (pl__hash){.kind = kind};
    memcpy(h->state, starts[kind], sizeof h->state);
}

static void run(pl__hash *h, const unsigned char *block)
{
    if (h->kind == PL__SHA1)
        sha1_block(h->state, block);
    else
        sha256_block(h->state, block);
}

void pl__hash_add(pl__hash *h, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    size_t held = h->bytes % BLOCK;
    h->bytes += n;
    if (held) {
        size_t more = n < BLOCK - held ? n : BLOCK - held;
        memcpy(h->block + held, p, more);
        if (held + more < BLOCK)
            return;
        run(h, h->block);
        p += more;
        n -= more;
    }
    for (; n >= BLOCK; n -= BLOCK, p += BLOCK)
        run(h, p);
    if (n)
        memcpy(h->block, p, n);
}

void pl__hash_end(pl__hash *h, char out[PL__HASH_TEXT])
{
    uint64_t bits = 8 * h->bytes;
    size_t held = h->bytes % BLOCK;
    h->block[held++] = 0x80;
    if (held > LENGTH_AT) {
        memset(h->block + held, 0, BLOCK - held);
        run(h, h->block);
        held = 0;
    }
    memset(h->block + held, 0, LENGTH_AT - held);
    for (unsigned i = 0; i < 8; i++)
        h->block[LENGTH_AT + i] = (unsigned char)(bits >> (56 - 8 * i));
    run(h, h->block);
    for (unsigned i = 0, words = h->kind == PL__SHA1 ? 5 : 8; i < words; i++)
        snprintf(out + 8 * i, 9, "%08x", (unsigned)h->state[i]);
}
