/* How a set of knobs lies in memory: the one place where sizes are added up, for the search and for
 * the compiler alike. Private to the room. */
#ifndef PL_PLAN_LAYOUT_H
#define PL_PLAN_LAYOUT_H

#include "plan/slab.h"

/* All groups cut so that no slab exceeds a bound, and the first `resident` of them kept. */
typedef struct pl__cut {
    bool possible;
    uint64_t slot;          /* largest streamed slab */
    uint64_t resident;      /* bytes of resident slabs */
    uint64_t streamed_file; /* bytes read in one pass */
    uint64_t streamed_calls;
    uint64_t run;                /* longest row piece of any slab */
    uint64_t stages, ops, loads; /* of the program */
    uint64_t reload_columns;     /* floats of C stored and loaded again a row, over all groups */
    uint64_t row_flops;          /* products of token rows, a row */
    uint64_t weight_bytes;       /* all packed slabs */
} pl__cut;
void pl__cut_make(const pl_plan_request *r, uint64_t slab, uint32_t resident, pl__cut *out);
uint64_t pl__tables_bytes(const pl__cut *cut);     /* of the program */
uint64_t pl__slab_least(const pl_plan_request *r); /* smallest bound that works */
uint64_t pl__slab_most(const pl_plan_request *r);  /* bound under which no group is cut */

typedef struct pl__layout {
    uint64_t tables, tables_bytes;
    uint64_t resident, resident_bytes;
    uint64_t slots, slots_bytes;
    uint64_t staging, staging_bytes;
    uint64_t buffers, buffers_bytes;                 /* rows and texts of the pass */
    uint64_t thread, thread_bytes;                   /* of one member */
    uint64_t thread_buffers;                         /* of them, buffers that outlive a group */
    uint64_t local_most, workspace, workspace_bytes; /* within a member's scratch */
    uint64_t arena;                                  /* all of the above */
    uint64_t program;                                /* the program's tables, a mapping of their own */
    uint64_t walk;                                   /* of the window: state of the executor */
    uint64_t window, team;
    uint64_t front, back; /* mapped for window and team; for the arena: both rounded to pages */
    uint64_t peak;        /* with what is held beside */
    uint32_t tile_texts, pass_texts;
} pl__layout;
void pl__layout_make(const pl_plan_request *r, const pl__cut *cut, const pl_knobs *k, pl__layout *out);
uint64_t pl__buffer_bytes(const pl__buffer *b, uint64_t rows, uint64_t texts);
bool pl__streams(const pl_plan_request *r, const pl_knobs *k);
uint32_t pl__texts_of(uint32_t rows);
/* A buffer that lives in the member's scratch under these knobs. */
static inline bool pl__in_thread(const pl__buffer *b, bool streams) { return !streams && !b->result; }

pl_status pl__ledger_make(const pl_plan_request *r, const pl_knobs *k, const pl__layout *l, pl_region *region, pl_ledger *out, pl_error *e);

double pl__seconds_per_row(const pl_plan_request *r, const pl__cut *cut, const pl_knobs *k, const pl__layout *l);

#endif
