/* plimsoll: run and fine-tune Hugging Face transformer encoders inside a memory limit.
 *
 * The way through this header:
 *
 *     pl_plan_make   a folder, options and a limit -> a plan: every byte by name, or why none fits
 *     pl_open        a plan -> a session: takes its memory, reads what stays resident, seals
 *     pl_run         texts by callback -> results by callback, in input order, no allocation
 *     pl_embed       the same for an array of texts, into the caller's buffer
 *     pl_close
 *
 * Rules that hold for every function:
 *   - Status is returned, results go through pointers, `pl_error *` may be NULL.
 *   - A handle serves one call at a time (a second gets PL_BUSY); different handles run side by side.
 *   - No signal handlers, no output, no environment variables read behind the caller's back.
 *   - After fork the child may only close what it inherited.
 *   - Number formatting and parsing ignore the locale.
 *   - Strings are UTF-8; sizes are bytes unless a name says otherwise.
 */
#ifndef PLIMSOLL_H
#define PLIMSOLL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PL_API __attribute__((visibility("default")))
#else
#define PL_API
#endif

#define PL_VERSION "0.1.0"

/* Outcome of a call. The command's exit codes are the first column of pl_status_exit_code(). */
#define PL_STATUS_MAP(X)                            \
    X(PL_OK, 0, "done")                             \
    X(PL_NOTHING, 1, "nothing found")               \
    X(PL_USAGE, 2, "wrong usage")                   \
    X(PL_BAD_INPUT, 3, "bad input")                 \
    X(PL_NO_FIT, 4, "does not fit the limit")       \
    X(PL_MACHINE, 5, "the machine failed")          \
    X(PL_BUSY, 5, "the handle serves another call") \
    X(PL_STOPPED, 130, "stopped on request")        \
    X(PL_END, 0, "no more input")                   \
    X(PL_AGAIN, 0, "nothing ready yet")             \
    X(PL_BROKEN_PIPE, 141, "the reader of the output has gone")

typedef enum pl_status {
#define PL_STATUS_ENUM(name, exit_code, text) name,
    PL_STATUS_MAP(PL_STATUS_ENUM)
#undef PL_STATUS_ENUM
        PL_STATUS_COUNT
} pl_status;

/* What went wrong, where, and what would be right. `text` is one line "FILE: where: what", without
 * control characters; `hints` holds further lines, each ended by '\n'. Over-long names are cut in
 * their middle and marked "[...]". */
typedef struct pl_error {
    pl_status status;
    char text[2048];
    char hints[2048];
} pl_error;

PL_API const char *pl_version(void);
PL_API const char *pl_status_text(pl_status status);
PL_API int pl_status_exit_code(pl_status status);


/* ---- options ---- */

typedef enum pl_task { PL_TASK_AUTO, PL_TASK_EMBED, PL_TASK_CLASSIFY } pl_task; /* AUTO: classify if the folder has a head, else embed */
typedef enum pl_precision { PL_PRECISION_F32, PL_PRECISION_BF16, PL_PRECISION_F16, PL_PRECISION_AUTO } pl_precision;
/* FOLDER: as modules.json says, else mean. */
typedef enum pl_pooling_choice { PL_POOLING_FOLDER, PL_POOLING_MEAN, PL_POOLING_CLS, PL_POOLING_MAX, PL_POOLING_LAST } pl_pooling_choice;
typedef enum pl_normalize_choice { PL_NORMALIZE_FOLDER, PL_NORMALIZE_YES, PL_NORMALIZE_NO } pl_normalize_choice;

/* Memory that the caller itself holds and wants under the same limit: a line of the ledger. */
typedef struct pl_outside {
    const char *name;
    uint64_t bytes;
    uint32_t texts; /* and so many times pl_plan_text_bytes, which only the plan tells */
} pl_outside;

/* Where the environment matters, the caller reads it and says so here; NULL is unset. */
typedef struct pl_environment {
    const char *hf_hub_cache, *hf_home, *xdg_cache_home, *home;
    const char *runtime_folder; /* where planned peaks of one user's jobs are published; NULL: not */
    const char *isa;            /* "reference" "avx2" "avx512" "avx512_bf16" "amx"; NULL: the fastest */
    const char *machine_record; /* file written by calibration; NULL: the built-in table */
} pl_environment;

typedef struct pl_options {
    size_t size; /* sizeof(pl_options), set by pl_options_init: later versions stay compatible */
    pl_task task;
    uint64_t memory;    /* the limit; 0: what the machine can spare now */
    const char *device; /* "auto" "cpu"; NULL is auto */
    pl_precision precision;
    uint32_t threads;    /* 0: CPUs the process may use */
    uint32_t max_length; /* tokens a text, special ones included; 0: the model's own maximum */
    pl_pooling_choice pooling;
    pl_normalize_choice normalize;
    uint32_t longest; /* plan for texts of at most so many tokens (known input); 0: max_length */
    uint64_t tokens;  /* tokens of the whole input where known, for the estimate; 0: unknown */
    const pl_outside *outside;
    size_t outside_count;
    const pl_environment *environment; /* NULL: nothing set */
} pl_options;

PL_API void pl_options_init(pl_options *options); /* the defaults above */

/* ---- plan ---- */

typedef struct pl_plan pl_plan;

/* Plans the job: reads config, tokenizer and the headers of the weight files, no weight. PL_OK also
 * when nothing fits (pl_plan_fits says so); errors are bad input and usage. The plan is a pure
 * function of folder, options, limit and machine record. The caller frees with pl_plan_free. */
PL_API pl_status pl_plan_make(const char *model, const pl_options *options, pl_plan **out, pl_error *e);
/* The plan saved by pl_plan_json, for exactly this model and options. Not JSON or no plan:
 * PL_BAD_INPUT; another model, task, options or a limit below its peak: PL_NO_FIT. */
PL_API pl_status pl_plan_load(const char *model, const pl_options *options, const char *file, pl_plan **out, pl_error *e);
PL_API void pl_plan_free(pl_plan *plan); /* NULL is allowed */

PL_API bool pl_plan_fits(const pl_plan *plan);
PL_API uint64_t pl_plan_limit(const pl_plan *plan);
PL_API uint64_t pl_plan_peak(const pl_plan *plan);
PL_API uint64_t pl_plan_floor(const pl_plan *plan);
PL_API const char *pl_plan_limit_reason(const pl_plan *plan); /* "set by --memory", "container limit ..." */
PL_API pl_task pl_plan_task(const pl_plan *plan);
PL_API pl_precision pl_plan_precision(const pl_plan *plan); /* F32 or BF16, AUTO resolved */
PL_API uint32_t pl_plan_max_length(const pl_plan *plan);
PL_API uint32_t pl_plan_threads(const pl_plan *plan);
/* Fills e with PL_NO_FIT: the limit, the floor, what each knob would buy. For plans that do not fit. */
PL_API pl_status pl_plan_refusal(const pl_plan *plan, pl_error *e);

/* Printed forms, written piece by piece through `write` (which returns PL_OK to go on). */
typedef pl_status (*pl_write)(void *self, const char *text, size_t n, pl_error *e);
PL_API pl_status pl_plan_json(const pl_plan *plan, pl_write write, void *self, pl_error *e); /* one object, one line */
PL_API pl_status pl_plan_text(const pl_plan *plan, bool color, pl_write write, void *self, pl_error *e);
PL_API pl_status pl_plan_program(const pl_plan *plan, pl_write write, void *self, pl_error *e);
PL_API pl_status pl_plan_svg(const pl_plan *plan, pl_write write, void *self, pl_error *e);
PL_API pl_status pl_plan_knobs_json(const pl_plan *plan, pl_write write, void *self, pl_error *e); /* the "knobs" object alone */

/* ---- what the model answers ---- */

typedef enum pl_answer { PL_ANSWER_EMBEDDING, PL_ANSWER_SINGLE_LABEL, PL_ANSWER_MULTI_LABEL, PL_ANSWER_REGRESSION } pl_answer;
PL_API pl_answer pl_plan_answer(const pl_plan *plan);
PL_API size_t pl_plan_width(const pl_plan *plan);                    /* floats a result: embedding dimension, or labels */
PL_API const char *pl_plan_label(const pl_plan *plan, size_t index); /* NULL beyond the labels; valid as long as the plan */

/* ---- run ---- */

typedef struct pl_session pl_session;

/* Takes the plan's memory, starts threads, reads what stays resident, seals. The plan must outlive
 * the session. PL_NO_FIT if the plan does not fit, or needs more than the machine can spare now
 * (plan again with `memory` 0); PL_MACHINE if the system refuses what it had to spare. */
PL_API pl_status pl_open(const pl_plan *plan, pl_session **out, pl_error *e);
PL_API void pl_close(pl_session *session); /* NULL is allowed */

typedef struct pl_text {
    const char *text, *pair; /* UTF-8, not terminated; pair NULL: none. Valid until the next call of the source */
    size_t text_bytes, pair_bytes;
    bool text_cut, pair_cut; /* the source could not hold the rest of it */
    uint64_t line;           /* for messages; 0: none */
} pl_text;

/* Gives the next text: PL_OK, PL_END (no more), PL_AGAIN (none became ready within wait_ms; -1 waits
 * until there is one), or an error that ends the run. */
typedef pl_status (*pl_source)(void *self, int wait_ms, pl_text *text, pl_error *e);

typedef struct pl_result {
    uint64_t index;      /* 0, 1, 2 ... in input order */
    const float *values; /* [pl_plan_width]: embedding or logits; valid during the call */
    const float *scores; /* [pl_plan_width]: softmax or sigmoid of the logits; NULL for embeddings and regression */
} pl_result;

/* Takes results in input order; another status than PL_OK ends the run with it. */
typedef pl_status (*pl_sink)(void *self, const pl_result *result, pl_error *e);

/* Runs all texts of source through the model. Results of finished windows have been delivered when
 * it returns, whatever the status. Nothing is allocated. Messages about a text are prefixed with
 * `input` and its line. */
PL_API pl_status pl_run(pl_session *session, const char *input, pl_source source, void *source_self, pl_sink sink, void *sink_self, pl_error *e);
/* texts[0..count) -> out[count][pl_plan_width]. */
PL_API pl_status pl_embed(pl_session *session, const char *const *texts, size_t count, float *out, pl_error *e);
/* Asks a running call to end soon with PL_STOPPED; async-signal-safe, may come from any thread. */
PL_API void pl_stop(pl_session *session);

/* Asks a session to go on within `bytes` from now on; 0: the limit it began with. A running call
 * drops the window at hand, plans again and computes it within the new limit: the same bits. It
 * returns at once and is async-signal-safe; pl_stats.limit_bytes shows when it is done. PL_NO_FIT,
 * and nothing changes, if that is below what the session can go on with (pl_session_floor). A
 * session also goes on with less by itself when the machine or its container runs short, and grows
 * again when there has been room for half a minute. */
PL_API pl_status pl_shrink(pl_session *session, uint64_t bytes);
PL_API uint64_t pl_session_floor(const pl_session *session);

typedef struct pl_phase_stats {
    const char *name;
    double seconds;
    uint64_t bytes;
} pl_phase_stats;

typedef struct pl_stats {
    uint64_t texts, tokens, distinct_texts, windows;
    double
        seconds; /* tokenising and computing, waiting for streamed weights included, without loading and without waiting for input or for the reader of results */
    double load_seconds;
    uint64_t read_bytes;
    uint64_t limit_bytes; /* in force now */
    uint64_t peak_bytes;  /* of the plan in force */
    uint64_t bends;       /* how often it planned again */
    pl_phase_stats phases[8];
    size_t phase_count;
} pl_stats;
PL_API void pl_session_stats(const pl_session *session, pl_stats *out); /* also while a call runs: a snapshot for progress */

/* ---- tokenizer alone ---- */

typedef struct pl_encoder pl_encoder;
PL_API pl_status pl_encoder_open(const char *model, const pl_options *options, pl_encoder **out, pl_error *e); /* uses max_length and environment */
PL_API void pl_encoder_close(pl_encoder *encoder);
PL_API uint32_t pl_encoder_max_length(const pl_encoder *encoder);
PL_API size_t pl_encoder_text_bytes(const pl_encoder *encoder); /* longest text it takes whole; longer ones come `cut` */
typedef struct pl_tokens {
    size_t count;
    const uint32_t *ids;
    const uint8_t *types;
    const uint32_t (*offsets)[2]; /* characters */
} pl_tokens;
PL_API pl_status pl_encoder_run(pl_encoder *encoder, const char *input, const pl_text *text, pl_tokens *out, pl_error *e); /* valid until the next call */
PL_API const char *pl_encoder_token(const pl_encoder *encoder, uint32_t id, size_t *n);

/* Longest text, in bytes, that a session takes whole: what a source needs to hold. */
PL_API size_t pl_plan_text_bytes(const pl_plan *plan);

/* ---- training ---- */
/* Fine-tunes a classifier inside the limit. The way through:
 *
 *     pl_trainer_open    a folder, options and a recipe: what can be wrong without data is told
 *     pl_trainer_read    examples by callback, tokenised once into an unnamed file beside the output
 *     pl_trainer_plan    every byte of the job by name, or why no plan fits; without data it plans for
 *                        whole batches of the longest texts
 *     pl_trainer_run     trains, and writes a folder that transformers loads as it is
 *     pl_trainer_close
 *
 * What is learned depends on model, data and recipe alone: never on limit, threads or machine. */

typedef struct pl_trainer pl_trainer;

typedef enum pl_schedule { PL_SCHEDULE_LINEAR, PL_SCHEDULE_COSINE, PL_SCHEDULE_CONSTANT, PL_SCHEDULE_CONSTANT_WITH_WARMUP } pl_schedule;

/* The recipe, with the defaults of Hugging Face's Trainer, and where things go. */
typedef struct pl_training {
    size_t size;        /* sizeof(pl_training), set by pl_training_init */
    const char *out;    /* the folder to write; NULL: nothing is saved (a plan, a dry run) */
    double epochs;      /* 3; fractions are allowed */
    uint64_t max_steps; /* 0: as epochs say */
    uint32_t batch;     /* 8 texts a step of the optimizer */
    double lr;          /* 5e-5 */
    pl_schedule schedule;
    uint64_t warmup_steps; /* 0: by the ratio */
    double warmup_ratio;
    double weight_decay;  /* never on biases and norms */
    double max_grad_norm; /* 1; 0: off */
    double label_smoothing;
    double dropout;                 /* below 0: as config.json says */
    bool shuffle;                   /* true */
    uint64_t seed;                  /* 42: of shuffling, dropout and a fresh head */
    bool head_only;                 /* learn only what stands behind the last layer */
    uint32_t last_layers;           /* learn so many of the last layers and what stands behind; 0: everything */
    uint32_t shards;                /* 1 */
    bool best;                      /* end with the best evaluated weights */
    const char *metric;             /* what is best: "loss" (NULL), or a figure of the evaluation */
    uint32_t early_stopping;        /* evaluations without a better one until it stops; 0: never */
    uint64_t log_every, save_every; /* 500 steps each */
    uint32_t keep;                  /* 2 checkpoints */
    bool resume, overwrite, dry_run;
    const char *spill; /* folder for what does not stay in memory; NULL: beside `out` */
} pl_training;
PL_API void pl_training_init(pl_training *training);

/* The strings of options and training must live as long as the trainer. A line of options.outside
 * with `texts` is memory that the caller gives back when all is read. */
PL_API pl_status pl_trainer_open(const char *model, const pl_options *options, const pl_training *training, pl_trainer **out, pl_error *e);
PL_API void pl_trainer_close(pl_trainer *trainer);              /* NULL is allowed */
PL_API size_t pl_trainer_text_bytes(const pl_trainer *trainer); /* longest text it takes whole */

/* A label: a name, or a number as it is written. What kind a column is follows from all of it: whole
 * numbers and names are classes, numbers with a fraction a regression, lists several labels a text.
 * config.json's problem_type, where it is set, decides. */
typedef struct pl_label {
    const char *text;
    size_t bytes;
    bool name; /* a name even if it looks like a number */
} pl_label;
typedef struct pl_example {
    pl_text text;
    const pl_label *labels; /* valid until the next call of the source */
    size_t label_count;
    bool list;
} pl_example;
typedef pl_status (*pl_examples)(void *self, pl_example *example, pl_error *e); /* PL_OK, PL_END, or an error that ends it */

/* PL_ROLE_TEXTS: those of training, but labels are not looked at and taken to be the folder's; good for a
 * plan only. */
typedef enum pl_role { PL_ROLE_TRAIN, PL_ROLE_EVALUATE, PL_ROLE_TEXTS } pl_role;
/* Reads all examples of a role, training's first. Messages begin with `name` and the line. */
PL_API pl_status pl_trainer_read(pl_trainer *trainer, pl_role role, const char *name, pl_examples next, void *self, pl_error *e);

/* Before pl_trainer_plan, which then takes the plan saved by pl_trainer_json as it is, or fails with
 * PL_NO_FIT where model, data or options are others. Not JSON or no plan: PL_BAD_INPUT. `file` must live
 * as long as the trainer. */
PL_API pl_status pl_trainer_load_plan(pl_trainer *trainer, const char *file, pl_error *e);

/* As pl_plan_make, and the same questions to ask of the result. */
PL_API pl_status pl_trainer_plan(pl_trainer *trainer, pl_error *e);
PL_API bool pl_trainer_fits(const pl_trainer *trainer);
PL_API uint64_t pl_trainer_limit(const pl_trainer *trainer);
PL_API uint64_t pl_trainer_peak(const pl_trainer *trainer);
PL_API uint64_t pl_trainer_floor(const pl_trainer *trainer); /* the smallest limit that works, for a running training too */
PL_API const char *pl_trainer_limit_reason(const pl_trainer *trainer);
PL_API pl_precision pl_trainer_precision(const pl_trainer *trainer); /* F32 or BF16, AUTO resolved */
PL_API pl_status pl_trainer_refusal(const pl_trainer *trainer, pl_error *e);
PL_API pl_status pl_trainer_json(const pl_trainer *trainer, pl_write write, void *self, pl_error *e);
PL_API pl_status pl_trainer_text(const pl_trainer *trainer, bool color, pl_write write, void *self, pl_error *e);
PL_API pl_status pl_trainer_program(const pl_trainer *trainer, pl_write write, void *self, pl_error *e);
PL_API pl_status pl_trainer_svg(const pl_trainer *trainer, pl_write write, void *self, pl_error *e);
PL_API pl_status pl_trainer_knobs_json(const pl_trainer *trainer, pl_write write, void *self, pl_error *e);

/* What happens while it runs. */
typedef enum pl_event_kind {
    PL_EVENT_NOTE,       /* `text` for people: what was decided, what was passed over */
    PL_EVENT_STEP,       /* a step is done: a moment to show progress */
    PL_EVENT_LOG,        /* each log_every steps: loss, the mean since the last one, lr and grad_norm of this step */
    PL_EVENT_EVALUATION, /* after each epoch and at the end: figures, "eval_loss" first */
    PL_EVENT_SAVED,      /* `text` is the folder of a checkpoint */
} pl_event_kind;
typedef struct pl_event {
    pl_event_kind kind;
    const char *text;
    uint64_t step, steps; /* done, in all */
    double epoch;
    double loss, lr, grad_norm;
    const char *const *names; /* [figures] */
    const double *values;     /* [figures] NaN: not defined */
    size_t figures;
} pl_event;
/* Another status than PL_OK ends the training with it; what is done is kept as a checkpoint. */
typedef pl_status (*pl_events)(void *self, const pl_event *event, pl_error *e);

/* Trains. PL_NO_FIT as pl_open; PL_STOPPED: a checkpoint of the step it came in is kept in
 * OUT.partial. A loss or gradient that is not finite: PL_BAD_INPUT naming step, text and tensor. */
PL_API pl_status pl_trainer_run(pl_trainer *trainer, pl_events events, void *self, pl_error *e);
PL_API void pl_trainer_stop(pl_trainer *trainer);                        /* async-signal-safe, from any thread */
PL_API pl_status pl_trainer_shrink(pl_trainer *trainer, uint64_t bytes); /* as pl_shrink */

typedef struct pl_training_stats {
    uint64_t step, steps;              /* done, in all */
    uint64_t run_steps, texts, tokens; /* of this run */
    double loss;                       /* mean since the last line of the log */
    double seconds;                    /* in steps */
    double read_seconds, evaluate_seconds, save_seconds;
    uint64_t limit_bytes, peak_bytes, bends;
    uint64_t read_bytes, written_bytes; /* from and to the spill file so far */
} pl_training_stats;
PL_API void pl_trainer_stats(const pl_trainer *trainer, pl_training_stats *out);

/* ---- sizes, as the command writes them ---- */
PL_API bool pl_size_parse(const char *text, uint64_t *bytes); /* 300MiB 2GiB 1.5G 800MB 123456789 */

/* Names of libraries with versions and CPU features in use, one a line, for --version. */
PL_API pl_status pl_build_info(pl_write write, void *self, pl_error *e);

#ifdef __cplusplus
}
#endif
#endif
