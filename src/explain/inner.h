/* What the files of this room share. The way of a byte:
 *
 *     explain.c   any encoding -> UTF-8 in a window that slides over the log
 *     scan.c      finds the few places of the window that hold a word of the table
 *     squeeze.c   the text around such a place without spaces, line breaks, colours and escapes
 *     match.c     a row of the table against squeezed text: is it the message, and its figures
 *     credible.c  a message, or source code and prose that name one?
 *     who.c       which rank or container wrote the line
 *     trace.c     the phase, from the frames above the message
 *     job.c       settings of the job that the log shows
 *     event.c     messages -> events: one failure printed three times is one
 *     diagnose.c, advise.c, tell.c   cause, changes, story */
#ifndef PL_EXPLAIN_INNER_H
#define PL_EXPLAIN_INNER_H

#include "explain/explain.h"

/* ---- text at hand: a slice of the window ---- */
typedef struct pl__slice {
    const char *s;
    size_t n;
} pl__slice;

/* ---- the table ---- */

/* Who may follow whom in one failure: messages of one family, or of families that touch. */
typedef enum pl__family { PL__GPU, PL__CPU, PL__KILL, PL__SHM, PL__ALONE } pl__family;

enum {
    /* how much is asked of the surroundings before a message is believed */
    PL__PLAIN = 0, /* the wording alone proves it: it holds figures that source code has not */
    PL__ERROR = 1, /* only where an error message stands: after "Error:", alone on its line, in a JSON string */
    PL__WORD = 2,  /* only alone on its line, but for a prefix */
    PL__NEEDS = 3, /* the line must also say error or failure */
    PL__GUARD = 3,
    PL__FOLLOW = 4,      /* adds to an open event, never begins one */
    PL__STARTUP = 8,     /* a server's start */
    PL__TORCHLIKE = 16,  /* framework by the surroundings: the wording is CUDA's, not a framework's */
    PL__COUNTED = 32,    /* only if {count} is not zero */
    PL__NEW = 64,        /* each is its own failure even if it looks the same */
    PL__WEAK = 128,      /* another message about the same failure says more */
    PL__CODE = 256,      /* may stand in a comment or after '#' */
    PL__LOADING = 512,   /* weights are being loaded */
    PL__SPECIAL = 1024,  /* checked by name in special.c */
    PL__SHELL = 2048,    /* a shell's word: pl__killed_near first */
    PL__RECOVERED = 4096 /* says that the job went on in another way: a warning after all */
};

typedef struct pl__wording {
    const char *name;
    pl_framework framework;
    pl_kind kind;
    pl_cause cause;
    pl__family family;
    unsigned traits;
    const char *key;     /* what must stand there, with {figures} */
    const char *figures; /* what else to read in the message, separated by '|' */
    const char *meaning;
} pl__wording;

extern const pl__wording pl__wordings[];
extern const size_t pl__wording_count;

/* A pattern made ready: literals without spaces in lower case, and captures. */
enum { PL__PARTS = 14, PL__UNIT_NEEDED = 63 };
typedef enum pl__what {
    PL__LITERAL,
    PL__GAP,
    PL__SKIP_NUMBER,
    PL__SKIP_WORD,
    PL__REQUESTED,
    PL__CAPACITY,
    PL__FREE,
    PL__PROCESS,
    PL__ALLOCATED,
    PL__RESERVED,
    PL__ALLOWED,
    PL__IDLE,
    PL__EXTRA,
    PL__OTHER_BYTES,
    PL__OTHER_PID,
    PL__DEVICE,
    PL__PID,
    PL__COUNT,
    PL__HOST_INDEX,
    PL__SHAPE,
    PL__DTYPE
} pl__what;
typedef struct pl__part {
    pl__what what;
    uint8_t unit;   /* log2 of the unit where the text has none, or PL__UNIT_NEEDED */
    uint16_t at, n; /* literal: its place in the text pool */
} pl__part;
typedef struct pl__sequence {
    uint16_t first, count; /* parts */
} pl__sequence;

/* ---- figures read from one message ---- */
typedef struct pl__figures {
    uint64_t value[PL__DTYPE + 1]; /* by pl__what; PL_NOT_GIVEN */
    pl_holder others[PL_OOM_OTHERS];
    size_t other_count;
} pl__figures;

/* ---- squeezed text ---- */
enum { PL__SQUEEZED = 6144, PL__BEFORE = 768 };
typedef struct pl__squeezed {
    char text[PL__SQUEEZED];     /* lower case */
    uint32_t from[PL__SQUEEZED]; /* offset of each byte in the source */
    size_t n;
} pl__squeezed;
/* `strip`: without the prefix of a logger where a line repeats that of the line before. */
void pl__squeeze(const char *s, size_t n, bool strip, pl__squeezed *out);
size_t pl__prefix_bytes(const char *line, size_t n); /* sight.c: what a logger put first, with its spaces */
/* The same with single spaces and case kept, ended by '\0': one line to read. Returns its length. */
size_t pl__clean(const char *s, size_t n, char *out, size_t capacity);

/* ---- matching (match.c) ---- */
void pl__patterns_prepare(void);      /* once per process; not for concurrent first use */
pl__slice pl__anchor(size_t wording); /* the word to look for, lower case, at least PL__ANCHOR_BYTES */
enum { PL__ANCHOR_BYTES = 6 };
/* What must stand beside the anchor, white space aside; 0: anything. */
void pl__anchor_sides(size_t wording, char *before, char *after);
/* Quick look at raw text: may the key stand around the anchor at s[at]? */
bool pl__key_near(size_t wording, const char *s, size_t n, size_t at);
/* The key in squeezed text with its literal that holds the anchor at `at`: fills figures, *end. */
bool pl__key_match(size_t wording, const pl__squeezed *q, size_t at, pl__figures *f, size_t *begin, size_t *end);
void pl__figures_clear(pl__figures *f);
/* Reads the row's other figures in [begin, limit); returns where the last of them ends. */
size_t pl__figures_read(size_t wording, const pl__squeezed *q, size_t begin, size_t limit, pl__figures *f);
size_t pl__scope_end(size_t wording, const pl__squeezed *q, size_t end);
/* Each returns its length, 0 where there is none. */
size_t pl__digits_parse(const char *s, size_t n, double *value); /* separators only before groups of three */
size_t pl__whole_parse(const char *s, size_t n, uint64_t *value);
size_t pl__shape_parse(const char *s, size_t n, uint64_t *elements); /* "32,1024,64": the product */
size_t pl__dtype_parse(const char *s, size_t n, uint64_t *bytes);
/* "1.50gib" at s: bytes and length; digits may have separators. 0: no number. */
size_t pl__size_parse(const char *s, size_t n, unsigned default_unit, uint64_t *bytes);

/* ---- scanning (scan.c) ---- */
enum { PL__HITS = 8 };
typedef struct pl__hit {
    size_t at;
    unsigned anchors[PL__HITS]; /* those that stand there */
    size_t count;
} pl__hit;
void pl__scan_prepare(void); /* once per process */
/* The next place in s[from..to) where an anchor begins; text may be read up to s[n). */
bool pl__scan(const char *s, size_t from, size_t to, size_t n, pl__hit *hit);
/* The same for an anchor that the line break at s[end] cuts in two (a terminal's width). */
bool pl__scan_across(const char *s, size_t n, size_t end, pl__hit *hit);
/* Rows and settings that share an anchor, in the order of their tables. Settings follow rows: their
 * numbers begin at pl__wording_count. */
const uint16_t *pl__anchor_rows(unsigned anchor, size_t *count);

/* ---- lines ---- */
size_t pl__line_begin(const char *s, size_t at);
size_t pl__line_end(const char *s, size_t n, size_t at);
size_t pl__line_next(const char *s, size_t n, size_t end);                   /* where the line after the one that ends there begins */
bool pl__line_above(const char *s, size_t line, size_t *begin, size_t *end); /* of the line that begins there; false: it is the first */
bool pl__has(const char *s, size_t n, const char *word);                     /* ASCII case ignored */
size_t pl__find(const char *s, size_t n, const char *word);                  /* SIZE_MAX: none */
bool pl__exact(const char *s, size_t n, const char *word);                   /* case matters */

/* ---- credible.c ---- */
typedef struct pl__place {
    const char *s; /* the window */
    size_t n;
    size_t line, line_end; /* the line of the key's first byte */
    size_t begin, end;     /* the key */
    size_t figures_end;    /* the last figure, where a message is wrapped */
} pl__place;
bool pl__killed_near(const char *s, size_t n, size_t at);
bool pl__credible(const pl__wording *w, const pl__place *p, const pl__figures *f, size_t figure_count);

/* ---- who.c: a line's writer ---- */
typedef enum pl__who_kind { PL__NOBODY, PL__RANK, PL__PID_OF, PL__NAME, PL__ENGINE } pl__who_kind;
typedef struct pl__who {
    pl__who_kind kind;
    uint64_t id;
    uint64_t device; /* NCCL prints it in the prefix */
} pl__who;
pl__who pl__who_wrote(const char *line, size_t n);
bool pl__who_may_be(pl__who a, pl__who b);
int64_t pl__clock(const char *line, size_t n); /* seconds of the day in a prefix, -1 */

/* ---- trace.c ---- */
pl_phase pl__phase(const char *s, size_t message, pl__who who);

/* ---- job.c: what the log shows of the job ---- */
typedef struct pl__job {
    /* PL_NOT_GIVEN where not shown */
    uint64_t batch, eval_batch, accumulation, length, new_tokens, model_length, sequences, batched_tokens, tensor_parallel, layers_on_gpu, context, micro_batch,
        parallel, worker_count;
    double utilization, fraction; /* of the device that a server may take; below 0: not shown */
    bool training, trainer, sentence_transformers, accelerate, diffusers, lightning, slurm, kubernetes, docker, vllm, sglang, tgi;
    bool checkpointing, half, quantized, lora, small_optimizer, sharded, offload, expandable, flash, no_grad, eager, kv_small, eval_moves, growth,
        no_preallocate, device_map, bucketed, split_conf, mps_unlimited;
} pl__job;
void pl__job_init(pl__job *job);
size_t pl__setting_count(void);
pl__slice pl__setting_anchor(size_t index);
void pl__setting_read(size_t index, const char *s, size_t n, size_t at, pl__job *job);

/* ---- event.c ---- */
typedef struct pl__hints {
    uint32_t line;        /* frameworks named on the message's line, a bit each */
    uint32_t around;      /* and in the text around it */
    pl_framework nearest; /* PL_FRAMEWORK_COUNT: none */
    bool training, gpu;   /* gpu: the line names one */
} pl__hints;
typedef struct pl__message {
    const pl__wording *w;
    pl__figures f;
    unsigned figure_count;
    uint64_t line, at; /* at: offset in the log */
    pl__who who;
    int64_t clock;
    pl_phase phase;
    pl__hints hints;
    char text[400];
} pl__message;

typedef struct pl__open {
    pl_oom event;
    pl__figures f;
    const pl__wording *w; /* the wording that told most */
    unsigned weight;
    pl__who who;
    int64_t clock;
    uint64_t last_line, last_at;
    bool limit_seen, training;
    pl_cause told; /* by the wordings alone */
} pl__open;

enum { PL__OPEN = 24, PL__GROWTHS = 16 };
typedef struct pl__growth {
    pl__who who;
    uint64_t device, first, last, requested;
    unsigned steps;
} pl__growth;

typedef struct pl__events {
    pl__open open[PL__OPEN]; /* in the order of the log */
    size_t count;
    pl__growth growth[PL__GROWTHS];
    size_t growth_count;
    pl_oom_sink sink;
    void *self;
} pl__events;
/* Says whether the job went on between an offset of the log and the message at hand. */
typedef struct pl__between {
    bool (*went_on)(const void *self, uint64_t from);
    const void *self;
} pl__between;
pl_status pl__event_add(pl__events *v, const pl__message *m, const pl__between *between, const pl__job *job, pl_error *e);
/* Delivers events too old to grow; `line` UINT64_MAX delivers all. */
pl_status pl__event_age(pl__events *v, uint64_t line, const pl__job *job, pl_error *e);

/* ---- diagnose.c, advise.c, tell.c ---- */
void pl__diagnose(pl__open *o, pl__events *v);
bool pl__is_self(const pl_oom *event, size_t other); /* a holder that is the process itself under another name */
uint64_t pl__others_hold(const pl_oom *event);       /* bytes of others by subtraction; PL_NOT_GIVEN */
uint64_t pl__idle(const pl_oom *event);              /* held by the framework's allocator and unused */
void pl__advise(pl__open *o, const pl__job *job);
void pl__tell(pl__open *o, const pl__job *job);

/* print.c: one paragraph in lines that fit a terminal, each after `indent` spaces. */
pl_status pl__paragraph(const char *text, size_t indent, pl_write write, void *self, pl_error *e);

/* ---- words to a buffer of fixed size; marks what was cut by its caller's choice of size ---- */
typedef struct pl__words {
    char *out;
    size_t n, capacity;
} pl__words;
void pl__say(pl__words *w, const char *format, ...) PL_PRINTF(2, 3);
/* "1.16 GiB": two decimals, rounded, as the messages themselves write sizes. Returns out. */
char *pl__size_text(uint64_t bytes, char out[32]);

static inline bool pl__given(uint64_t value) { return value != PL_NOT_GIVEN; }
static inline char pl__lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }
static inline bool pl__digit(char c) { return c >= '0' && c <= '9'; }
static inline bool pl__letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static inline bool pl__word(char c) { return pl__letter(c) || pl__digit(c) || c == '_'; }

#endif
