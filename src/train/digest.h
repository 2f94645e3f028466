/* A 64-bit checksum of a stream of bytes: what a checkpoint's blocks, the data and the model are known
 * by. It finds what was cut, swapped or damaged; it is no defence against somebody who forges. */
#ifndef PL_TRAIN_DIGEST_H
#define PL_TRAIN_DIGEST_H

#include "base/base.h"

typedef struct pl__digest {
    uint64_t lanes[4], seed, total;
    unsigned char rest[32];
} pl__digest;

void pl__digest_start(pl__digest *d, uint64_t seed);
void pl__digest_add(pl__digest *d, const void *bytes, size_t n);
uint64_t pl__digest_value(const pl__digest *d); /* of what was added so far */
uint64_t pl__digest_of(const void *bytes, size_t n, uint64_t seed);

#endif
