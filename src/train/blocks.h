/* A file in blocks, each with its checksum: what is cut, damaged or put together from two files is
 * noticed before it is used. The first block names the file; the others are bound to it.
 *
 *     block = up to PL__BLOCK bytes, then XXH64(bytes, seed) in 8 bytes
 *     seed of block 0: MAGIC; of block n: the checksum of block 0, plus n */
#ifndef PL_TRAIN_BLOCKS_H
#define PL_TRAIN_BLOCKS_H

#include "train/files.h"

enum { PL__BLOCK = 60 << 10 }; /* with its checksum it fits the buffers */

/* `first` is block 0 (at most PL__BLOCK bytes); what follows is cut into blocks of PL__BLOCK bytes. */
typedef struct pl__block_writer {
    pl__sink sink;
    uint64_t binding, index;
    char *block;
    size_t used;
} pl__block_writer;
pl_status pl__blocks_begin(pl__block_writer *w, const char *path, const void *first, size_t bytes, char *buffer, size_t capacity, char *block, pl_error *e);
void pl__blocks_put(pl__block_writer *w, const void *bytes, size_t n);
pl_status pl__blocks_end(pl__block_writer *w);
uint64_t pl__blocks_bytes(size_t first, uint64_t rest); /* of the file */

typedef struct pl__block_reader {
    int fd;
    const char *path;
    uint64_t at, binding, index, left; /* left: bytes of data behind block 0 still to come */
    char *block;
    size_t filled, taken;
    pl_error *e;
} pl__block_reader;
/* Block 0 into first[0..bytes). Anything wrong: PL_BAD_INPUT that says what and where. */
pl_status pl__blocks_open(pl__block_reader *r, const char *path, void *first, size_t bytes, char *block, pl_error *e);
/* Then: so many bytes must follow, and no more. */
pl_status pl__blocks_expect(pl__block_reader *r, uint64_t rest);
pl_status pl__blocks_get(pl__block_reader *r, void *bytes, size_t n);
void pl__blocks_close(pl__block_reader *r);

#endif
