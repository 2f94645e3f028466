/* SHA-1 and SHA-256 (FIPS 180-4), by which the hub names its files. */
#ifndef PL_PULL_HASH_H
#define PL_PULL_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef enum pl__hash_kind { PL__SHA1, PL__SHA256 } pl__hash_kind;
enum { PL__HASH_TEXT = 65 }; /* hexadecimal digits of the longest, and '\0' */

typedef struct pl__hash {
    pl__hash_kind kind;
    uint32_t state[8];
    uint64_t bytes;
    unsigned char block[64]; /* the part of a block that is not full */
} pl__hash;

void pl__hash_start(pl__hash *h, pl__hash_kind kind);
void pl__hash_add(pl__hash *h, const void *bytes, size_t n);
void pl__hash_end(pl__hash *h, char out[PL__HASH_TEXT]);

#endif
