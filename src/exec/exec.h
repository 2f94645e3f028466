/* Walks a program over the texts of a pass. Takes its memory once, then never allocates. */
#ifndef PL_EXEC_H
#define PL_EXEC_H

#include "hub/hub.h"
#include "os/os.h"
#include "program/program.h"

typedef struct pl_exec pl_exec;

/* A pass: token rows of whole texts, packed side by side without padding. */
typedef struct pl_pass {
    uint32_t rows, texts;
    const uint32_t *ids;       /* [rows], each below the vocabulary */
    const uint8_t *types;      /* [rows] */
    const uint32_t *positions; /* [rows], each within the position table as loaded */
    const uint32_t *starts;    /* [texts + 1] */
    /* Run once by the calling thread while the others compute: reading the next texts. NULL: none */
    void (*beside)(void *self);
    /* Called by the calling thread between slices of weights, some times a second at most; may ask
     * to stop. NULL: none */
    void (*tick)(void *self);
    void *self;
} pl_pass;

/* Bytes of the executor itself, beside the arena, for a program. */
size_t pl_exec_bytes(const pl_program *p);

/* `memory` holds pl_exec_bytes, `arena` the program's arena (64-byte aligned, zeroed, untouched).
 * The team has a member per thread and, where slabs are streamed, one more that reads. The program,
 * the folder and the team must outlive the executor. */
void pl_exec_make(const pl_program *p, const pl_kernels *k, const pl_folder *folder, pl_team *team, void *memory, void *arena, pl_exec **out);

/* Reads the tables and what stays resident. PL_BAD_INPUT: a file is cut or was rewritten;
 * PL_MACHINE: reading failed; PL_STOPPED. */
pl_status pl_exec_load(pl_exec *x, pl_error *e);

/* Runs a pass; the answers then stand in pl_exec_result. The same errors; after one of them the
 * answers are not valid, and the next pass may run. */
pl_status pl_exec_pass(pl_exec *x, const pl_pass *pass, pl_error *e);
const float *pl_exec_result(const pl_exec *x, uint32_t text); /* [result_width] */

/* Asks a running load or pass to end with PL_STOPPED; async-signal-safe. Stays until cleared. */
void pl_exec_stop(pl_exec *x);
void pl_exec_clear(pl_exec *x);

typedef struct pl_exec_stats {
    uint64_t read_bytes;
    double read_seconds, wait_seconds; /* reading and packing; compute threads waiting for it */
} pl_exec_stats;
void pl_exec_stats_get(const pl_exec *x, pl_exec_stats *out);
/* Pages of weight files are dropped from the page cache behind the reader. */
void pl_exec_drop_behind(pl_exec *x, bool on);

#endif
