/* The executor's own state. Private to the room. */
#ifndef PL_EXEC_STATE_H
#define PL_EXEC_STATE_H

#include "exec/exec.h"

#include <stdatomic.h>

/* A tile: texts [first_text, last_text) of the pass, token rows [first_row, last_row). */
typedef struct pl__tile {
    uint32_t first_text, last_text, first_row, last_row;
    const uint32_t *starts; /* [texts + 1] rows of the tile, from 0 */
} pl__tile;

typedef struct pl__member {
    _Alignas(64) pl_fp_state fp;
    double wait_seconds;
} pl__member;

struct pl_exec {
    const pl_program *p;
    const pl_kernels *k;
    const pl_folder *folder;
    pl_team *team;
    char *arena;
    bool drop_behind;

    /* of the running pass */
    const pl_pass *pass;
    pl__tile *tiles; /* [tile_room] */
    uint32_t tile_count, tile_room;
    uint32_t *starts;      /* [pass_texts + tile_room] behind the tiles' starts */
    pl_gate *progress;     /* [tile_room]: stages done on a tile */
    _Atomic uint64_t next; /* next (stage, tile) or tile to hand out */
    pl_barrier barrier;    /* of the members that share one tile */
    bool together_ends;    /* what member 0 saw, for all to agree */
    double last_tick;

    /* streamed slabs: the n-th streamed stage uses slot n % slot_count */
    uint32_t *ordinal; /* [stages] number among the streamed ones */
    uint32_t streamed_count;
    pl_gate loaded;         /* slabs that have been read in this pass */
    pl_gate *freed;         /* [slot_count] streamed stages that are done with a slot: ordinal + 1 */
    _Atomic uint32_t *left; /* [slot_count] tiles that still need the slab in the slot */

    _Atomic uint64_t next_load; /* next stage or table to load at open */

    _Atomic bool stop;        /* asked from outside */
    _Atomic bool error_taken; /* by the first member that fails, which fills error and status */
    _Atomic bool failed;
    pl_error error;
    pl_status status;

    _Atomic uint64_t read_bytes;
    double read_seconds;
    pl__member *members; /* [threads + 1] */
};

static inline bool pl__ending(pl_exec *x)
{
    return atomic_load_explicit(&x->stop, memory_order_relaxed) || atomic_load_explicit(&x->failed, memory_order_relaxed);
}
void pl__fail(pl_exec *x, pl_status status, const pl_error *e); /* the first one counts */

/* A share of an operation's units: member `of` members. */
typedef struct pl__share {
    uint32_t member, of;
} pl__share;
void pl__op_run(pl_exec *x, const pl_op *op, const pl__tile *tile, const char *slab, uint32_t scratch_member, uint32_t workspace_member, pl__share share);

/* Reads a load into `base` through the staging bytes. */
pl_status pl__load_run(pl_exec *x, const pl_load *l, char *base, char *staging, uint64_t staging_bytes, pl_error *e);
void pl__reader_run(pl_exec *x);                    /* the reading member's part in a pass */
void pl__load_members(pl_exec *x, unsigned member); /* a member's part in loading what stays */
void pl__gates_release(pl_exec *x);                 /* wakes every waiter of a pass that ends early */

#endif
