/* Which plan: lifetimes, places, knobs, cost, search. Pure: no device, no file is touched.
 *
 * A request (model, limit, threads, what is held beside) is searched over the knobs; the choice is
 * compiled into a program and a ledger in which every byte has a name and a moment. */
#ifndef PL_PLAN_H
#define PL_PLAN_H

#include "model/model.h"
#include "program/program.h"

/* Rates of one thread, from the machine record. */
typedef struct pl_rates {
    double flops;        /* matrix products, operations a second */
    double weight_bytes; /* packed weights on their way from memory to the kernel, bytes a second */
    double touch_bytes;  /* activations written and read again, bytes a second */
    double read_bytes;   /* weight files from the page cache */
    double pack_bytes;   /* packing, bytes of the file */
    double read_call;    /* seconds of one read call */
    double step;         /* seconds of one operation on one tile, beside its work */
} pl_rates;
/* The built-in record of an instruction set, or the one read from `record` (key=value lines). */
pl_status pl_rates_of(pl_isa isa, pl_dtype compute, const char *record, pl_rates *out, pl_error *e);

/* Moments of a job, in order; a ledger line lives from one to another, both included. */
#define PL_MOMENT_MAP(X) X(OPEN, "opening") X(LOAD, "loading") X(EMBED, "embeddings") X(ATTENTION, "attention") X(FEED_FORWARD, "feed-forward") X(HEAD, "head")
typedef enum pl_moment {
#define PL_MOMENT_ENUM(name, text) PL_MOMENT_##name,
    PL_MOMENT_MAP(PL_MOMENT_ENUM)
#undef PL_MOMENT_ENUM
        PL_MOMENT_COUNT
} pl_moment;
const char *pl_moment_name(pl_moment moment);

typedef struct pl_ledger_line {
    const char *name, *group;
    uint64_t bytes;
    uint8_t from, to; /* pl_moment */
} pl_ledger_line;

typedef struct pl_plan_request {
    const pl_model *model;
    const pl_kernels *kernels;
    pl_rates rates;
    uint64_t limit;
    uint32_t threads;
    uint32_t longest;           /* rows of the longest text */
    uint64_t tokens;            /* of the whole input; 0: unknown */
    const pl_ledger_line *held; /* what is held beside the arena */
    size_t held_count;
    uint64_t window_fixed, window_row, window_text; /* what the window keeps: once, a row, a text */
    uint64_t team;                                  /* bytes of the threads' stacks, the reader's too */
    uint32_t most_pass_rows;                        /* 0: as many as serve. While a job runs its window cannot grow: */
    uint64_t most_walk;                             /* nor the room for the executor, */
    uint64_t most_back;                             /* and the arena and the next program share what is mapped; 0: any */
    struct pl__groups *groups;                      /* made by pl_plan_prepare */
} pl_plan_request;

/* Groups the model's operators for the search; tables come from `region`. */
pl_status pl_plan_prepare(pl_plan_request *r, pl_region *region, pl_error *e);

typedef struct pl_knobs {
    uint64_t slab;     /* most bytes of one slab of weights */
    uint32_t resident; /* groups of operators whose slabs stay in memory, from the first */
    uint32_t slots;    /* slabs in flight; 0: every slab stays */
    uint32_t tile_rows;
    uint32_t pass_rows;
    bool huge;
} pl_knobs;

typedef struct pl_choice {
    pl_knobs knobs;
    uint64_t peak;
    double seconds_per_row;
} pl_choice;

typedef struct pl_plan_found {
    bool fits;
    pl_choice best;  /* where nothing fits: the smallest */
    pl_choice floor; /* the smallest of all */
    bool has_next;
    pl_choice next; /* the smallest that is at least 5 % faster and does not fit */
} pl_plan_found;

/* Never allocates; a few milliseconds. */
void pl_plan_search(const pl_plan_request *r, pl_plan_found *out);

/* Peak of a choice of knobs, or UINT64_MAX where they make no program for this request. */
uint64_t pl_plan_peak_of(const pl_plan_request *r, const pl_knobs *knobs);
double pl_plan_cost_of(const pl_plan_request *r, const pl_knobs *knobs); /* seconds a row; knobs that make a program */

typedef struct pl_ledger {
    pl_ledger_line *lines;
    size_t count;
} pl_ledger;

/* What a choice maps: the window with the threads' stacks, the arena, the program's tables. */
typedef struct pl_plan_sizes {
    uint64_t front, window, walk, team, back, program;
} pl_plan_sizes;
void pl_plan_sizes_of(const pl_plan_request *r, const pl_knobs *knobs, pl_plan_sizes *out);

/* Compiles knobs into a program and its ledger (NULL: none). The program's tables go to `tables`
 * (pl_plan_sizes.program bytes), `scratch` needs pl_plan_scratch bytes; the ledger's lines come
 * from `region`. */
size_t pl_plan_scratch(const pl_plan_request *r);
pl_status pl_plan_compile(
    const pl_plan_request *r, const pl_knobs *knobs, void *tables, void *scratch, pl_program *program, pl_region *region, pl_ledger *ledger, pl_error *e);

uint64_t pl_ledger_at(const pl_ledger *l, unsigned moment);
uint64_t pl_ledger_peak(const pl_ledger *l);
/* Of the resident bytes of a process about to leave the ledger's first moment: what the ledger does not
 * count, the program that the library serves. What only the first moment needs is given back by then. */
uint64_t pl_ledger_outside(const pl_ledger *l, uint64_t resident);

/* Bytes of weights read in one pass by a program, and calls it takes. */
uint64_t pl_program_streamed_bytes(const pl_program *p);

#endif
