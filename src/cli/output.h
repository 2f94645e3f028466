/* Where results go: standard output, a pipe or device, or a regular file that is written beside its
 * name as FILE.partial and renamed into place when it is complete.
 *
 * Nothing is allocated but two names while opening: the buffer is the caller's. Invariant: whole <= flushed + used, and the file's
 * bytes [begun, begun + whole) are finished results. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "base/base.h"

#include <string.h>

typedef struct cli_output {
    const char *name; /* for messages: as the user gave it */
    int fd;           /* -1: not open */
    char *buffer;
    size_t used, capacity;
    uint64_t begun;                    /* where in the file our first byte stands; 0 where that means nothing */
    uint64_t flushed;                  /* bytes handed to the system */
    uint64_t whole;                    /* bytes up to the end of the last finished result */
    uint64_t lost;                     /* finished results that a failing file could not take in the end */
    size_t header_bytes, record_bytes; /* of results of one length; 0: a result is a line */
    bool regular;                      /* a file that can be cut back to its finished results */
    bool seekable;
    bool replaces;          /* written as `partial`, to be renamed to `target` */
    bool resumed;           /* `partial` was there before and holds results */
    char *target, *partial; /* from malloc; NULL: written directly */
} cli_output;

enum {
    CLI_OUTPUT_RESUME = 1, /* a FILE.partial that is there is not emptied */
    CLI_OUTPUT_SEEK = 2,   /* PL_USAGE unless seekable */
};
/* path NULL: standard output. Errors: PL_USAGE where no such file can be, PL_MACHINE otherwise. */
pl_status cli_output_open(cli_output *o, const char *path, unsigned flags, char *buffer, size_t capacity, pl_error *e);
/* After a resuming open: the first `count` results of FILE.partial are taken over and what follows
 * them is dropped. PL_USAGE if it holds fewer. */
pl_status cli_output_take_over(cli_output *o, uint64_t count, pl_error *e);

/* All return PL_OK, PL_BROKEN_PIPE (without a message), PL_STOPPED when a signal came while the reader
 * did not read, or PL_MACHINE. */
pl_status cli_output_put(cli_output *o, const char *bytes, size_t n, pl_error *e);
pl_status cli_output_flush(cli_output *o, pl_error *e);
pl_status cli_output_patch(cli_output *o, uint64_t offset, const void *bytes, size_t n, pl_error *e); /* seekable only */
/* Complete: flushes, syncs a file to its disk and renames it into place. */
pl_status cli_output_commit(cli_output *o, pl_error *e);
/* Not complete: writes what is finished, cuts what is not, and counts in `lost` what could not be kept. */
void cli_output_settle(cli_output *o);
/* Settles and closes; FILE.partial without any result is removed. Returns true if it stays. */
bool cli_output_abandon(cli_output *o);

/* Room for n bytes at the end of the buffer, n at most a fraction of capacity; the caller writes there
 * and adds to `used`. */
static inline pl_status cli_output_reserve(cli_output *o, size_t n, pl_error *e) { return o->capacity - o->used >= n ? PL_OK : cli_output_flush(o, e); }
static inline void cli_output_byte(cli_output *o, char c) { o->buffer[o->used++] = c; } /* after a reserve */
static inline void cli_output_mark(cli_output *o) { o->whole = o->flushed + o->used; }  /* a result ends here */

pl_status cli_output_text(cli_output *o, const char *text, pl_error *e);
pl_status cli_output_number(cli_output *o, uint64_t number, pl_error *e);
pl_status cli_output_float(cli_output *o, float value, pl_error *e);
pl_status cli_output_double(cli_output *o, double value, pl_error *e);
pl_status cli_output_string(cli_output *o, const char *text, size_t n, pl_error *e); /* as JSON */
pl_status cli_output_write(void *self, const char *text, size_t n, pl_error *e);     /* a pl_write */

#endif
