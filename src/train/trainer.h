/* Everything around the optimizer step: examples in, a trained folder out. Private to the room.
 *
 * The order of what is held: reading (tokenizer and its workspace), then, the tokenizer given back,
 * the work block below, then the step's own memory. Nothing of it grows with the data but `index`. */
#ifndef PL_TRAIN_TRAINER_H
#define PL_TRAIN_TRAINER_H

#include "base/score.h"
#include "govern/govern.h"
#include "infer/infer.h"
#include "train/journal.h"
#include "train/labels.h"
#include "train/schedule.h"
#include "train/shuffle.h"
#include "train/step.h"

#include <stdatomic.h>

/* Examples of one role: a stretch of the spool. */
typedef struct pl__set {
    const char *name; /* NULL: none were read */
    uint64_t first, end;
    uint64_t examples, tokens;
    uint32_t longest;
    uint64_t digest;
} pl__set;

/* What training works with beside the step: one block, laid out by pl__work_lay_out. */
typedef struct pl__work {
    uint64_t *index; /* [train.examples] where each begins in the spool */
    uint32_t *ids, *positions, *starts;
    uint8_t *types;
    uint64_t *examples, *lines;
    float *targets, *logits; /* [batch][labels]; a single label's targets use [batch] */
    double *numbers;         /* [batch] right answers of a regression */
    uint64_t *bits;          /* [words] right answers of several labels */
    char *record;            /* [longest record] */
    char *buffer, *second;   /* [PL__BUFFER] each: files in and out */
    void *score;
    size_t bytes;
} pl__work;
enum { PL__BUFFER = 64 << 10 };

/* Where the training stands; all of it is in a checkpoint. */
typedef struct pl__progress {
    uint64_t step;
    double loss_sum; /* since the last line of the log */
    uint64_t loss_steps;
    double total_loss;  /* over all steps */
    uint64_t evaluated; /* the step that was evaluated last; 0: none */
    uint64_t best_step; /* 0: none */
    double best_value;
    uint64_t worse; /* evaluations since the best */
    bool ended;     /* by early stopping */
    uint64_t texts, tokens;
} pl__progress;

/* Elements of the step's store that learn. */
typedef struct pl__learned {
    uint64_t first, count;
} pl__learned;

typedef struct pl__paths {
    char *parent, *out, *partial, *spill; /* from the system's memory; out and partial NULL: nothing is saved */
} pl__paths;

/* A plan read from a file: its knobs, and what work they were made for. */
typedef struct pl__saved_plan {
    const char *file; /* NULL: there is none */
    pl_step_knobs knobs;
    uint64_t limit, peak, batch, batch_rows, longest, words, threads, shards, max_length;
    char family[32], digest[24], precision[8], isa[32];
} pl__saved_plan;

struct pl_trainer {
    const char *name; /* of the model, as the caller has it */
    pl_options options;
    pl_training recipe;
    pl__reading reading; /* the tokenizer is given back when all is read */
    pl_region region;    /* as long as the trainer: operators, labels, ledger */
    pl__paths paths;
    uint64_t limit;
    char reason[PL__REASON_BYTES];

    /* reading */
    char *reader; /* one block: workspace, encoding, the writer's buffer */
    size_t reader_bytes;
    pl_encoding encoding;
    void *workspace;
    size_t workspace_bytes;
    uint32_t *longest;                                    /* [batch] heap of the longest texts of training, the shortest on top */
    uint64_t tokenizer_held, tokenizer_peak, folder_peak; /* for the ledger */
    uint64_t *used_bits;                                  /* [vocabulary / 64] token ids that the data has */
    uint32_t *used_rank;                                  /* [vocabulary / 64] how many ids stand before */
    uint32_t *used, used_count;
    pl__spool spool;
    pl__set sets[2]; /* by pl_role */
    pl__label_look look;
    pl__labels labels;
    double read_seconds;
    uint32_t types; /* rows of the model's type table */

    /* the plan */
    pl_model model;
    double dropouts[3]; /* hidden, attention, classifier */
    pl__schedule schedule;
    pl_ledger_line held[40];
    const char *outside_names[16];
    uint64_t most_rows; /* of a batch, were the longest texts to come together */
    pl_step_request request;
    pl_step_plan plan;
    uint64_t region_planned; /* bytes of region when the ledger was made */
    bool spill_is_memory, planned;
    bool texts_only; /* the data has no labels: a plan is all that is wanted */
    pl__saved_plan saved_plan;
    char *recipe_text; /* what a checkpoint must agree with */
    pl__learned learned;
    uint64_t checkpoint_bytes, output_bytes;

    /* running */
    void *work_memory;
    pl__work work;
    pl_step *step;
    uint64_t foreign; /* resident, of the program around us, when the run began */
    int lock;         /* 1 + the descriptor that holds OUT.partial; 0: none */
    pl__progress progress;
    pl__journal journal;
    pl_score score;
    pl_events events;
    void *events_self;
    pl_governor governor;
    pl_os_watch *watch;
    pl_os_view view;
    pl_promise *promise;
    _Atomic(pl_step *) running;
    _Atomic bool busy, stop;
    bool placed;                   /* OUT has its name already, see pl__output_is_finished */
    _Atomic uint64_t asked;        /* by pl_trainer_shrink: bytes + 1 */
    uint64_t saved;                /* step of the newest checkpoint */
    uint64_t bends, read, written; /* of the step that is closed */
    _Atomic uint64_t shown_step, shown_texts, shown_tokens, shown_peak, shown_limit;
    _Atomic double step_seconds;
    double evaluate_seconds, save_seconds;
};

/* ---- trainer.c ---- */
void pl__reader_free(pl_trainer *t);

/* ---- trainer_plan.c ---- */
void pl__work_lay_out(const pl_trainer *t, pl_carver *c, pl__work *w);

pl_status pl__size_for(pl_trainer *t, uint64_t batch_rows, pl_error *e); /* the request and what is held beside the step */

/* ---- fit.c ---- */
pl_status pl__search(const pl_step_request *r, pl_step_plan *out, pl_error *e); /* all but the ledger */
pl_status pl__fit(pl_trainer *t, pl_error *e);

/* ---- saved.c ---- */
pl_status pl__saved_take(pl_trainer *t, pl_error *e); /* the plan is the saved one, or PL_NO_FIT */

/* ---- batch.c: examples of the spool as the step wants them ---- */
pl_status pl__batch_load(pl_trainer *t, const pl__set *set, const uint64_t *offsets, uint32_t texts, pl_batch *out, pl_error *e);
/* The next texts of a set in order, as many as fit a batch; *at goes on. */
pl_status pl__batch_next(pl_trainer *t, const pl__set *set, uint64_t *at, pl_batch *out, pl_error *e);
pl_status pl__index_make(pl_trainer *t, pl_error *e);
/* Which examples a step takes, 1, 2, .. */
typedef struct pl__order {
    pl__shuffle shuffle;
    bool shuffled;
    uint64_t first;
    uint32_t texts;
} pl__order;
void pl__order_of(const pl_trainer *t, uint64_t step, pl__order *out);
uint64_t pl__order_at(const pl__order *o, uint32_t text); /* number of the example */
/* Token rows of the largest batch: `*most` if the longest texts come together, `*out` of those that come.
 * For this the schedule's steps are gone through where they are few enough (pl__steps_counted; 4 bytes an
 * example meanwhile). */
bool pl__steps_counted(const pl_trainer *t);
pl_status pl__count_rows(const pl_trainer *t, uint64_t *out, uint64_t *most, pl_error *e);

/* ---- evaluate.c ---- */
enum { PL__MOST_FIGURES = PL_FIGURES + 1 };
pl_answer pl__answer_of(pl_problem problem);
/* "eval_loss", "eval_accuracy" ..; returns how many. */
size_t pl__figure_names(const pl_trainer *t, const char *names[PL__MOST_FIGURES]);
/* The figure that a metric's name means, with or without "eval_"; PL_USAGE lists them. */
pl_status pl__metric_find(const pl_trainer *t, unsigned *index, bool *less_is_better, pl_error *e);
pl_status pl__evaluate(pl_trainer *t, double values[PL__MOST_FIGURES], pl_error *e);

/* ---- recipe.c: what a checkpoint must agree with, as lines "option=value" ---- */
pl_status pl__recipe_text(pl_trainer *t, char **out, pl_error *e); /* from the region */
const char *pl__precision_text(const pl_kernels *k);               /* "f32", "bf16 (amx)" */
enum { PL__RECIPE_BYTES = 2048 };
pl_status pl__recipe_compare(const char *saved, const char *now, const char *where, pl_error *e);

/* ---- checkpoint.c ---- */
pl_status pl__checkpoint_save(pl_trainer *t, pl_error *e);
/* Is there one to go on from? Reads recipes only, touches nothing; PL_USAGE where the recipe differs. */
pl_status pl__checkpoint_look(pl_trainer *t, bool *found, pl_error *e);
pl_status pl__checkpoint_load(pl_trainer *t, pl_error *e); /* into the step; what is damaged is passed over and told */
uint64_t pl__checkpoint_size(const pl_trainer *t);
/* Removes what --keep does not keep, and best weights that no checkpoint speaks of. */
pl_status pl__checkpoint_prune(pl_trainer *t, pl_error *e);

/* ---- best.c: the best evaluated weights ---- */
pl_status pl__best_save(pl_trainer *t, pl_error *e);
pl_status pl__best_load(pl_trainer *t, pl_error *e);
pl_status pl__best_check(pl_trainer *t, uint64_t step, pl_error *e);
pl_status pl__best_prune(pl_trainer *t, const uint64_t *wanted, size_t count, pl_error *e);

/* ---- kept.c: numbered folders in OUT.partial ---- */
/* Numbers of the folders STEM-N, greatest first: at most `room` of them. */
pl_status pl__kept_list(const pl_trainer *t, const char *stem, uint64_t *numbers, size_t room, size_t *count, pl_error *e);
char *pl__kept_path(const pl_trainer *t, const char *stem, uint64_t number, const char *file, pl_error *e);
/* A new folder is written under another name and then takes its own at once. */
pl_status pl__kept_begin(const pl_trainer *t, const char *stem, uint64_t number, char **folder, pl_error *e);
pl_status pl__kept_end(const pl_trainer *t, const char *stem, uint64_t number, const char *folder, pl_error *e);
pl_status pl__kept_remove(const pl_trainer *t, const char *stem, uint64_t number, pl_error *e);
bool pl__kept_is_name(const char *name);                    /* of such a folder, or of one half written or half removed */
pl_status pl__kept_sweep(const pl_trainer *t, pl_error *e); /* what interrupted runs left half written or half removed */

/* ---- output.c ---- */
pl_status pl__output_lock(pl_trainer *t, pl_error *e); /* against another training into it; PL_OK where there is none yet */
void pl__output_unlock(pl_trainer *t);
pl_status pl__output_begin(pl_trainer *t, bool resumed, pl_error *e);
/* Writes everything into OUT.partial, then makes it OUT. */
pl_status pl__output_finish(pl_trainer *t, pl_error *e);
/* OUT.partial, or OUT itself, holds a complete model already: only the last renaming is left, or what
 * comes behind it. `damage`: it once did, and why it is not taken. */
pl_status pl__output_is_finished(pl_trainer *t, bool *yes, pl_error *damage, pl_error *e);
pl_status pl__output_place(pl_trainer *t, pl_error *e);
/* PL_USAGE where OUT.partial holds what no training leaves there: it would be lost, or become part of OUT. */
pl_status pl__output_strangers(const pl_trainer *t, pl_error *e);
/* Its parts. */
void pl__output_name(const pl_trainer *t, const pl_parameter *p, char *out, size_t capacity); /* as transformers saves it */
pl_dtype pl__output_type(const pl_trainer *t, const pl_parameter *p);
pl_status pl__output_config(pl_trainer *t, const char *path, pl_error *e);
pl_status pl__output_weights(pl_trainer *t, const char *path, pl_error *e);
uint64_t pl__output_bytes(const pl_trainer *t);
pl_status pl__output_state(pl_trainer *t, const char *path, pl_error *e);
pl_status pl__output_card(pl_trainer *t, const char *path, pl_error *e);
pl_status pl__output_curve(pl_trainer *t, const char *path, pl_error *e);

void pl__note(pl_trainer *t, const char *format, ...) PL_PRINTF(2, 3);

#endif
