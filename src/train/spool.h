/* The examples, tokenised once, in an unnamed file: nothing of them stays in memory but where each
 * begins. A record is its head, the token ids, the runs of equal token types, the labels' texts, and
 * XXH64 of all that, with its place in the file as seed: whoever opens the file through /proc and
 * changes it is noticed. */
#ifndef PL_TRAIN_SPOOL_H
#define PL_TRAIN_SPOOL_H

#include "train/digest.h"

typedef struct pl__record {
    uint64_t line;
    uint32_t tokens, runs, labels;
    uint32_t bytes; /* of the whole record */
    uint32_t label_bytes;
    uint32_t list; /* labels came as a list */
} pl__record;

/* A record in memory, read whole. */
typedef struct pl__example {
    pl__record head;
    const char *ids, *runs, *labels; /* not aligned */
} pl__example;

typedef struct pl__spool {
    int file;           /* -1: none */
    const char *folder; /* where it stands, for messages */
    unsigned id_bytes;  /* of a token id: 2 or 4 */
    uint64_t end;       /* bytes written */
    uint64_t longest;   /* bytes of the longest record */
    char *buffer;       /* [capacity] of the writer */
    size_t used, capacity;
    pl__digest *digest; /* of what is written, without lines; NULL: none */
    pl__digest sum;     /* of the record being written */
} pl__spool;

/* An unnamed file in `folder`. PL_MACHINE names the folder. */
pl_status pl__spool_open(pl__spool *s, const char *folder, uint32_t vocabulary, char *buffer, size_t capacity, pl_error *e);
void pl__spool_close(pl__spool *s);

pl_status pl__spool_write(pl__spool *s, const pl_example *x, const uint32_t *ids, const uint8_t *types, uint32_t tokens, pl_error *e);
pl_status pl__spool_flush(pl__spool *s, pl_error *e);
/* The record at `offset`, which must hold the beginning of one; `memory` holds `longest` bytes. */
pl_status pl__spool_read(const pl__spool *s, uint64_t offset, char *memory, pl__example *out, pl_error *e);
/* The head of the record at `offset` alone: reading it at the end shows whether that was true. */
pl_status pl__spool_head(const pl__spool *s, uint64_t offset, pl__record *out, pl_error *e);
pl_status pl__spool_changed(const pl__spool *s, uint64_t offset, pl_error *e); /* the error of a record that is not as it was written */

uint32_t pl__example_id(const pl__spool *s, const pl__example *x, uint32_t i);
void pl__example_types(const pl__example *x, uint8_t *out); /* [tokens] */
/* The label at *at (an offset in x->labels, 0 for the first), and goes on to the next. */
pl_label pl__example_label(const pl__example *x, uint32_t *at);

#endif
