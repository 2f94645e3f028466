/* Unigram: pieces with scores; the text is cut into the pieces of the largest sum. */
#ifndef PL_TEXT_UNIGRAM_H
#define PL_TEXT_UNIGRAM_H

#include "text/vocab.h"

/* The pieces' strings are the vocabulary. `prefixes` is a filter over the hashes of everything that a
 * piece begins with: two bits of one word each. What is not in it begins no piece. */
typedef struct pl__pieces {
    double *scores;     /* [count], by id */
    uint64_t *prefixes; /* [1 << prefix_bits] */
    uint32_t prefix_bits;
    double unk_score;
    uint32_t byte_ids[256]; /* id of "<0x2A>", PL__NONE: not in the vocabulary */
} pl__pieces;

static inline uint64_t pl__prefix_mask(uint64_t h) { return 1ULL << (h >> 8 & 63) | 1ULL << (h >> 14 & 63); }
static inline bool pl__may_begin(const pl__pieces *p, uint64_t h)
{
    uint64_t mask = pl__prefix_mask(h);
    return (p->prefixes[h >> (64 - p->prefix_bits)] & mask) == mask;
}

#endif
