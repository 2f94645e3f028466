/* A running optimizer step. Private to the room. */
#ifndef PL_TRAIN_STATE_H
#define PL_TRAIN_STATE_H

#include "train/emit.h"

#include <stdatomic.h>

/* ---- the store: parameters, gradients, moments, in memory or in the spill file ---- */
typedef enum pl__what { PL__WEIGHTS, PL__MOMENT1, PL__MOMENT2, PL__GRADIENTS, PL__INPUTS, PL__KEPT, PL__WHATS } pl__what;

typedef struct pl__traffic { /* bytes from and to the spill file */
    _Atomic uint64_t read, written;
} pl__traffic;

typedef struct pl__store {
    char *memory[PL__WHATS];     /* what is resident, or NULL */
    uint64_t file_at[PL__WHATS]; /* offset in the spill file */
    uint64_t skipped[PL__WHATS]; /* elements of the store that come before its first one */
    uint64_t filed[PL__WHATS];   /* elements in the file; those behind them are in memory */
    int file;                    /* -1: nothing is spilled */
    uint64_t file_bytes;         /* its size, which never changes */
    bool disk;                   /* the file is larger than what stays in the page cache */
    pl__traffic *traffic;
} pl__store;
/* Elements of the store; the resident ones are copied. PL_MACHINE when the disk fails or is full. */
pl_status pl__store_get(const pl__store *s, pl__what what, uint64_t first, uint64_t count, float *out, pl_error *e);
pl_status pl__store_set(const pl__store *s, pl__what what, uint64_t first, uint64_t count, const float *in, pl_error *e);
/* Of a file that the page cache does not hold: has the kernel read elements before they are needed, and
 * write them before it needs their pages. Nothing waits, nothing changes but when. */
void pl__store_ahead(const pl__store *s, pl__what what, uint64_t first, uint64_t count);
void pl__store_behind(const pl__store *s, pl__what what, uint64_t first, uint64_t count);
/* Where resident elements from `first` on stand; NULL if that is in the file. */
static inline float *pl__store_at(const pl__store *s, pl__what what, uint64_t first)
{
    uint64_t at = first - s->skipped[what];
    return at >= s->filed[what] ? (float *)(void *)s->memory[what] + (at - s->filed[what]) : NULL;
}
uint64_t pl__store_file_bytes(const pl_step_request *r, const pl_step_knobs *k, const pl__parameters *p, const pl__step_layout *l, uint64_t at[PL__WHATS]);
uint64_t pl__spilled_state(const pl_step_knobs *k, const pl__parameters *p); /* elements of each moment that are in the file: the first, so those of words */
pl_status pl__spill_open(const char *folder, uint64_t bytes, pl__store *s, pl_error *e);

/* ---- a micro-batch of the batch at hand ---- */
typedef struct pl__micro {
    uint32_t first_text, last_text, first_row, last_row;
    uint32_t shard;
    bool opens, closes;     /* its shard: chains begin, chains end */
    const uint32_t *starts; /* [texts + 1] from 0 */
} pl__micro;

/* ---- rows of the word table: words.c ---- */
typedef struct pl__pace { /* of a step, for AdamW */
    float keep, step_size, root2;
} pl__pace;
enum { PL__WINDOW = 255 /* steps that a row may be behind */ };

typedef struct pl__words {
    uint64_t width;   /* of a row; 0: words do not learn */
    uint64_t *bits;   /* [used / 64] the batch has the word */
    uint32_t *ranks;  /* [used / 64] words of the batch that stand before */
    uint32_t *places; /* [batch rows] place of a row's word among those of the batch */
    uint32_t *rows;   /* [count] words of the batch, ascending */
    uint32_t count;
    uint32_t window; /* steps since all rows were up to date */
    uint8_t *done;   /* [used] of them, those that the row has been through */
    pl__pace *paces; /* [window] */
} pl__words;

typedef struct pl__member_state {
    _Alignas(64) pl_fp_state fp;
} pl__member_state;

struct pl_step {
    pl_step_request request;
    pl_step_plan plan;
    pl_region region; /* what lives as long as the step: parameters, tables of programs */
    pl__parameters params;
    pl__step_program program;
    void *tables;
    uint64_t tables_bytes, tables_room;
    char *front, *arena, *mapped;
    uint64_t front_bytes, mapped_bytes;
    pl_team *team;
    pl__store store;
    pl__traffic traffic;
    pl__member_state *members;
    pl__words words;
    void *words_memory;

    /* of the running step */
    const pl_batch *batch;
    bool eval;
    uint64_t t;
    double lr;
    uint32_t valid_texts; /* with a target that counts */
    double loss;
    uint32_t bad_text;
    size_t bad_yield;
    double clip;
    pl__micro *micros;
    uint32_t micro_count, shard_count;
    uint64_t *keys; /* [rows] */
    pl_barrier barrier;
    _Atomic uint64_t next;
    _Atomic bool stop, failed, error_taken;
    bool ends;
    pl_error error;
    pl_status status;
    _Atomic uint64_t asked; /* bytes + 1 */
    uint64_t limit, bends, floor;
    void (*look)(void *self);
    void *look_self;
    double looked; /* when; seconds */
};

void pl__step_fail(pl_step *s, pl_status status, const pl_error *e);
bool pl__step_ending(const pl_step *s);
/* All members run it: false if the step ends early (all agree). */
bool pl__step_agree(pl_step *s, unsigned member);
void pl__step_op_run(pl_step *s, const pl__step_op *op, const pl__micro *micro, bool first, unsigned member);
void pl__fetch_run(pl_step *s, const pl__fetch *f, unsigned member);
pl_status pl__step_prepare(pl_step *s, pl_error *e); /* tables and members */
pl_status pl__step_bend(pl_step *s, pl_error *e);    /* goes over to another limit, if one was asked for */
static inline void *pl__workspace(const pl_step *s, unsigned member) { return s->arena + s->program.l.workspace + member * s->program.l.workspace_bytes; }

#endif
