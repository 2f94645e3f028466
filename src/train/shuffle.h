/* The order of the examples in an epoch: a permutation computed place by place, so that it needs no
 * memory and training goes on at any place. docs/TRAINING.md states it.
 *
 * A cipher of 2 h bits (h the least that holds `count` places) in ROUNDS Feistel rounds, keyed by seed
 * and epoch, is walked from a place until it comes to one below `count` (cycle walking): a
 * permutation of [0, count). */
#ifndef PL_TRAIN_SHUFFLE_H
#define PL_TRAIN_SHUFFLE_H

#include "base/base.h"

enum { PL__SHUFFLE_ROUNDS = 8 };

typedef struct pl__shuffle {
    uint64_t count;
    unsigned half; /* bits */
    uint64_t keys[PL__SHUFFLE_ROUNDS];
} pl__shuffle;

void pl__shuffle_start(pl__shuffle *s, uint64_t seed, uint64_t epoch, uint64_t count);
uint64_t pl__shuffle_at(const pl__shuffle *s, uint64_t place); /* place < count */

#endif
