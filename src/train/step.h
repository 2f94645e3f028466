/* One optimizer step: forward, backward, update, inside the memory that a plan gave it.
 *
 * The step goes through the model layer by layer with the whole optimizer batch (as inference goes
 * through a window), micro-batch by micro-batch within a layer; what it keeps, computes again or
 * spills is the plan's choice and never changes a bit. Parameters, gradients and moments live in a
 * store, in memory or in a spill file. */
#ifndef PL_TRAIN_STEP_H
#define PL_TRAIN_STEP_H

#include "device/train.h"
#include "model/model.h"
#include "os/os.h"
#include "plan/plan.h"

/* What is learned: part of the recipe, never of the plan. */
typedef struct pl_recipe {
    pl_problem problem;
    uint32_t labels;
    double label_smoothing;
    double hidden_dropout, attention_dropout, classifier_dropout;
    double projection_dropout;                       /* of attention's output projection: BERT's is the hidden one, DistilBERT has none */
    double b1, b2, eps, weight_decay, max_grad_norm; /* max_grad_norm 0: no clipping */
    uint64_t seed;
    uint32_t first_layer; /* layers below it and the embeddings stay as they are; 0: embeddings too learn */
    bool head_only;       /* only what stands behind the last layer learns */
    uint32_t shards;      /* gradients are summed per shard of the batch, then over shards by a fixed tree */
} pl_recipe;

typedef struct pl_step_request {
    const pl_model *model; /* made for PL_TASK_CLASSIFY; a head that the folder lacks is fresh */
    const pl_kernels *kernels;
    const pl_train_kernels *train;
    pl_rates rates;
    pl_recipe recipe;
    uint64_t limit;
    uint32_t threads;
    uint32_t batch;       /* texts of an optimizer step */
    uint32_t longest;     /* rows of the longest text */
    uint64_t batch_rows;  /* most token rows that `batch` texts can have: batch x longest, or known from the data */
    uint64_t usual_rows;  /* of a batch on average, for the cost; 0: as many as it can have */
    const uint32_t *used; /* [used_count] token ids that the data has, ascending */
    uint32_t used_count;
    const pl_ledger_line *held;
    size_t held_count;
    const char *spill_folder;      /* NULL: nothing may be spilled */
    bool spill_is_memory;          /* on tmpfs, ramfs or hugetlbfs: spilled bytes count as memory */
    uint64_t spill_free;           /* bytes the file system and RLIMIT_FSIZE allow there */
    uint64_t spill_cached;         /* bytes of a spill file that stay in the page cache, where they cost copies only */
    uint64_t spill_waiting;        /* bytes of it that may wait to be written before writers are held up */
    double spill_bytes_per_second; /* of the disk, for what is more; 0: no disk has a say */
} pl_step_request;

enum { PL_STATE_PARTS = 16 };
/* What is kept of a layer that is not kept whole, each with what comes before it. The product that
 * makes a sum costs four times its bytes' share in BERT, the one before the activation as much for
 * its wider value; all else is cheaper to have again. */
typedef enum pl_rest { PL_REST_NOTHING, PL_REST_SUMS, PL_REST_FEED_FORWARD, PL_RESTS } pl_rest;
typedef struct pl_step_knobs {
    uint32_t micro_rows;                              /* token rows of a micro-batch; texts are whole */
    uint32_t kept_layers;                             /* layers whose inner activations are kept rather than computed again */
    uint32_t passing_layers;                          /* the first of the kept ones: what they keep goes through the spill file */
    uint32_t rest;                                    /* pl_rest: what the other layers keep */
    bool passing_rest;                                /* that goes through the spill file */
    uint32_t resident_state;                          /* with spill_state: of PL_STATE_PARTS parts those of the moments that stay in memory */
    bool spill_inputs;                                /* inputs of the layers, between forward and backward */
    bool spill_state, spill_gradients, spill_weights; /* moments; gradients; parameters */
} pl_step_knobs;

typedef struct pl_step_plan {
    bool fits;
    pl_step_knobs knobs;
    uint64_t peak, floor;
    double seconds_per_step;                         /* of a usual batch */
    double disk_seconds;                             /* of it, those that the disk is busy: it decides where they are all */
    uint64_t spill_bytes, spill_read, spill_written; /* file size; a step */
    bool has_next;                                   /* the smallest plan that is 5 % faster and does not fit */
    uint64_t next_peak;
    double next_seconds;
    pl_ledger ledger;
} pl_step_plan;

/* Moments of the ledger: opening, loading, then forward, backward and update. Lines come from `region`. */
pl_status pl_step_plan_make(const pl_step_request *r, pl_region *region, pl_step_plan *out, pl_error *e);

/* The plan of these knobs, whose floor is the search's; fits as the request's limit and disk say. */
pl_status pl_step_plan_with(const pl_step_request *r, const pl_step_knobs *knobs, pl_region *region, pl_step_plan *out, pl_error *e);

/* ---- parameters by name, as transformers saves them ---- */
typedef struct pl_parameter {
    const char *name; /* of the folder's tensor, or of the fresh head's as transformers names it */
    pl_dtype type;    /* of the folder's tensor; F32 where it is fresh */
    uint32_t rank;
    uint64_t shape[2];
    uint64_t first, count; /* elements in the store; the word table has rows of `used` only */
    bool words;            /* the word table */
    bool learns, decays;
} pl_parameter;

typedef struct pl_step pl_step;

/* Takes the plan's memory, opens the spill file, reads the weights (a fresh head is drawn from
 * N(0, initializer_range) by the counter generator), moments zero. */
pl_status pl_step_open(const pl_step_request *r, const pl_step_plan *plan, pl_step **out, pl_error *e);
void pl_step_close(pl_step *s); /* NULL is allowed; the spill file is gone before it was ever named */

size_t pl_step_parameters(const pl_step *s);
const pl_parameter *pl_step_parameter(const pl_step *s, size_t index);

/* ---- running ---- */
typedef struct pl_batch {
    uint32_t texts, rows;
    const uint32_t *ids;       /* [rows] indices into `used` */
    const uint8_t *types;      /* [rows] */
    const uint32_t *positions; /* [rows] */
    const uint32_t *starts;    /* [texts + 1] */
    const uint64_t *examples;  /* [texts] number of the example in the data: keys of its dropout */
    const float *targets;      /* single label: [texts] index, < 0: ignored; regression: [texts]; multi label: [texts][labels] */
} pl_batch;

typedef struct pl_step_result {
    double loss;          /* mean over the texts of the batch that are not ignored */
    double grad_norm;     /* before clipping */
    uint32_t bad_text;    /* first text with a loss that is not finite, or UINT32_MAX */
    size_t bad_parameter; /* first parameter with a gradient that is not finite, or SIZE_MAX */
} pl_step_result;

/* One optimizer step; `t` counts from 1. When the loss or a gradient is not finite nothing is
 * updated and the result says where. PL_STOPPED: nothing has been updated. */
pl_status pl_step_run(pl_step *s, const pl_batch *batch, uint64_t t, double lr, pl_step_result *out, pl_error *e);
/* Forward only, no dropout: logits[texts][labels]. Batches as large as those of training. */
pl_status pl_step_eval(pl_step *s, const pl_batch *batch, float *logits, pl_error *e);

/* Elements [first, first + count) of parameters (what = 0) or moments (1: m, 2: v), in store order. */
uint64_t pl_step_elements(const pl_step *s);
pl_status pl_step_get(pl_step *s, int what, uint64_t first, uint64_t count, float *out, pl_error *e);
pl_status pl_step_set(pl_step *s, int what, uint64_t first, uint64_t count, const float *in, pl_error *e);

/* Loss of one batch of logits, with smoothing: what training minimises (evaluation uses it too). */
double pl_step_loss(const pl_recipe *r, const float *logits, const float *targets, uint32_t texts, uint32_t *bad_text);

/* Another limit from the next micro-batch on: PL_NO_FIT if it is below what can be gone on with. */
pl_status pl_step_shrink(pl_step *s, uint64_t bytes);
/* Has `look` called by the thread that runs the step, between two micro-batches, a few times a second. */
void pl_step_watch(pl_step *s, void (*look)(void *self), void *self);
void pl_step_stop(pl_step *s); /* async-signal-safe; the running step ends with PL_STOPPED */
const pl_step_plan *pl_step_plan_now(const pl_step *s);
uint64_t pl_step_bends(const pl_step *s);
void pl_step_traffic(const pl_step *s, uint64_t *read, uint64_t *written); /* bytes from and to the spill file so far */

#endif
