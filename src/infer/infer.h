/* From a folder to answers: what stands behind the plan and session of the public header. Private
 * to the room, but for reading folders and options, which train does in the same way. */
#ifndef PL_INFER_H
#define PL_INFER_H

#include "exec/exec.h"
#include "govern/govern.h"
#include "plan/plan.h"
#include "text/text.h"

enum { PL__REASON_BYTES = 224 };

/* ---- what options ask of the machine; training asks the same ---- */
pl_status pl__device_check(const char *device, pl_error *e);
pl_status pl__isa_choose(const pl_options *o, pl_dtype compute, pl_isa *isa, pl_error *e);
pl_status pl__limit_choose(const pl_options *o, uint64_t *limit, char reason[PL__REASON_BYTES], pl_error *e);

/* A tokenizer with the lengths that hold for a model: what plan and encoder share. */
typedef struct pl__reading {
    pl_folder *folder;
    pl_tokenizer *tokenizer;
    uint32_t max_length; /* tokens a text, special ones included */
    size_t text_bytes;   /* longest text taken whole */
} pl__reading;

struct pl_plan {
    pl_region region;
    pl__reading reading;
    pl_model model;
    pl_plan_request request;
    pl_ledger_line held[25];
    pl_plan_found found;
    pl_knobs knobs; /* those of the plan: found.best, or a saved plan's */
    bool fits;
    uint64_t peak;
    pl_plan_sizes sizes;
    void *tables; /* the program's */
    pl_program program;
    pl_ledger ledger;
    uint64_t limit;
    char reason[PL__REASON_BYTES];
    pl_isa isa;
    pl_precision precision;
    const char *runtime_folder;
    uint64_t digest; /* of what the program depends on: family, dimensions, tensors */
    bool saved;
};

/* A plan read from a file. */
typedef struct pl__saved {
    const char *file;
    pl_knobs knobs;
    uint64_t peak, limit, digest;
} pl__saved;
pl_status pl__plan_from(const char *model, const pl_options *options, const pl__saved *saved, pl_plan **out, pl_error *e);

uint64_t pl__virtual_bytes(const pl_plan *plan);

enum { PL__STACK_BYTES = 64 << 10 };

/* What a program depends on: a saved plan for another model must not run. */
uint64_t pl__model_digest(const pl_model *m);

/* Fixed parts of the window, and what it keeps a row and a text of a pass. */
typedef struct pl__window_sizes {
    uint64_t fixed, row, text;
} pl__window_sizes;
pl__window_sizes pl__window_measure(const pl__reading *r, uint32_t width, uint32_t longest);

/* `config_only`: without weights, for the tokenizer alone. */
pl_status pl__reading_open(const char *model, const pl_options *options, bool config_only, pl__reading *out, pl_error *e);
/* Sets max_length: asked (0: the model's own) against what positions allow (0: unknown). */
pl_status pl__reading_length(pl__reading *r, uint32_t asked, uint32_t positions, pl_error *e);
void pl__reading_close(pl__reading *r);

/* Texts that have been read and wait, and the pass made of the first of them. */
typedef struct pl__window {
    uint32_t token_room, text_room; /* waiting */
    uint32_t *ids;                  /* [token_room] */
    uint8_t *types;
    uint32_t *starts; /* [text_room + 1] */
    uint32_t texts, tokens;
    /* the pass: distinct texts only */
    uint32_t pass_rows, pass_texts; /* room */
    uint32_t *row_ids, *row_positions;
    uint8_t *row_types;
    uint32_t *row_starts; /* [pass_texts + 1] */
    uint32_t *distinct;   /* [text_room] waiting text -> text of the pass */
    uint32_t *table;      /* [table_size] hash -> text of the pass + 1 */
    uint32_t table_size;  /* a power of two */
    float *scores;        /* [width] */
    void *workspace;      /* the tokenizer's */
    size_t workspace_bytes;
} pl__window;
void pl__window_lay_out(pl__window *w, pl_carver *c, const pl__reading *r, uint32_t width, uint32_t longest, uint32_t pass_rows, uint32_t pass_texts);
/* Takes waiting texts from the first on, as many as a pass of rows and texts holds. Returns how many. */
uint32_t pl__window_make_pass(pl__window *w, const pl_model *m, uint32_t most_rows, uint32_t most_texts, pl_pass *pass);
void pl__window_drop(pl__window *w, uint32_t texts); /* the first ones, done */

struct pl_session {
    const pl_plan *plan;
    pl_program program; /* in force: the plan's, or one made since */
    pl_knobs knobs;
    char *front, *back;
    uint64_t front_bytes, back_bytes;
    pl_team *team;
    pl_exec *exec;
    void *exec_memory;
    bool drop_behind, loaded;
    pl_promise *promise;
    pl__window window;
    _Atomic bool busy, stop;

    /* going on with less */
    pl_region region;        /* groups for planning again */
    pl_plan_request request; /* what the job already holds bounds it */
    pl_ledger_line held[26]; /* the plan's, and the program it began with */
    void *scratch;
    pl_governor governor;
    pl_os_watch *watch;
    pl_os_view view;
    uint64_t floor, foreign; /* foreign: held by the program around us when the session was opened */
    _Atomic uint64_t asked;  /* by pl_shrink: bytes + 1, taken by the running call; 0: nothing */
    _Atomic uint64_t limit, peak, bends;

    /* snapshot for progress */
    _Atomic uint64_t texts, tokens, distinct, windows;
    _Atomic double seconds;
    double load_seconds, tokenize_seconds, pass_seconds;
    uint64_t text_bytes, load_bytes;
};

char *pl__arena_of(const pl_session *s, bool huge);
/* Makes ready for pl__bend at opening. `bytes` beside the window that it takes is in the ledger. */
pl_status pl__bend_prepare(pl_session *s, pl_error *e);
void pl__bend_end(pl_session *s);
enum { PL__BEND_BYTES = 64 << 10 }; /* for the ledger: a copy of the groups, scratch, the watch's files */
/* Another limit is wanted: plans again within it and reads what stays resident. */
bool pl__bend_wanted(pl_session *s);
pl_status pl__bend(pl_session *s, pl_error *e);
void pl__bend_look(pl_session *s); /* at the machine; may stop the running pass */

#endif
