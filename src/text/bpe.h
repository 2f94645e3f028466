/* Byte pair encoding: which pair of neighbours becomes which token, and in which order of preference. */
#ifndef PL_TEXT_BPE_H
#define PL_TEXT_BPE_H

#include "text/vocab.h"

/* Merges stand in order of rank. A slot of the table is 0 or a rank + 1, found from the pair's hash by
 * linear probing. */
typedef struct pl__merges {
    uint32_t (*pairs)[2]; /* [count] ids of left and right */
    uint32_t *made;       /* [count] id of both together */
    uint32_t *slots;      /* [1 << slot_bits] */
    uint32_t count, slot_bits;
    uint32_t byte_ids[256];     /* id of the character that stands for a byte, PL__NONE: not in the vocabulary */
    uint32_t fallback_ids[256]; /* id of "<0x2A>" */
} pl__merges;

static inline uint32_t pl__merge_slot(const pl__merges *m, uint32_t left, uint32_t right)
{
    uint64_t key = (uint64_t)left << 32 | right;
    key = (key ^ key >> 29) * 0x9E3779B97F4A7C15ULL;
    return (uint32_t)((key ^ key >> 32) * 0xD1B54A32D192ED03ULL >> (64 - m->slot_bits));
}

/* The rank of a pair, PL__NONE if nothing merges it. */
static inline uint32_t pl__merge_rank(const pl__merges *m, uint32_t left, uint32_t right)
{
    uint32_t mask = (uint32_t)((1ULL << m->slot_bits) - 1);
    for (uint32_t at = pl__merge_slot(m, left, right);; at = (at + 1) & mask) {
        uint32_t slot = m->slots[at];
        if (slot == 0)
            return PL__NONE;
        if (m->pairs[slot - 1][0] == left && m->pairs[slot - 1][1] == right)
            return slot - 1;
    }
}

#endif
