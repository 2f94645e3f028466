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
    /* Where texts are not cut before the model: the first symbols that some merge joins, last of the
     * left and first of the right. Between two that are not among them no merge ever reaches. A slot
     * is 0 or (left << 32 | right) + 1. NULL: not kept. */
    uint64_t *join_slots;
    uint32_t join_bits;
    uint32_t byte_ids[256];     /* id of the character that stands for a byte, PL__NONE: not in the vocabulary */
    uint32_t fallback_ids[256]; /* id of "<0x2A>" */
} pl__merges;

static inline uint32_t pl__pair_slot(uint32_t bits, uint32_t left, uint32_t right)
{
    uint64_t key = (uint64_t)left << 32 | right;
    key = (key ^ key >> 29) * 0x9E3779B97F4A7C15ULL;
    return (uint32_t)((key ^ key >> 32) * 0xD1B54A32D192ED03ULL >> (64 - bits));
}
static inline uint32_t pl__merge_slot(const pl__merges *m, uint32_t left, uint32_t right) { return pl__pair_slot(m->slot_bits, left, right); }

/* The slot that holds the join, or the free one where it would stand. */
static inline uint64_t *pl__join_slot(const pl__merges *m, uint32_t left, uint32_t right)
{
    uint64_t key = ((uint64_t)left << 32 | right) + 1;
    uint32_t mask = (uint32_t)((1ULL << m->join_bits) - 1), at = pl__pair_slot(m->join_bits, left, right);
    while (m->join_slots[at] && m->join_slots[at] != key)
        at = (at + 1) & mask;
    return &m->join_slots[at];
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
