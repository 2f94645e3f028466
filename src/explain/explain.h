/* Other programs' out-of-memory messages: what ran out, who held what, why, and what to change.
 *
 *     pl_explain_open -> pl_explain_feed (bytes of a log, in any pieces) -> pl_explain_end
 *
 * Each event goes to the sink once nothing later in the log can add to it, in the order of the log.
 * Memory is constant and time linear, whatever the bytes. Everything that is known of wordings
 * stands in wordings.c; docs/EXPLAIN.md is written from it. */
#ifndef PL_EXPLAIN_H
#define PL_EXPLAIN_H

#include "base/base.h"

#define PL_FRAMEWORK_MAP(X)     \
    X(PYTORCH, "pytorch")       \
    X(TENSORFLOW, "tensorflow") \
    X(JAX, "jax")               \
    X(ONNXRUNTIME, "onnxruntime") X(LLAMA, "llama.cpp") X(VLLM, "vllm") X(TGI, "tgi") X(TEI, "tei") X(OLLAMA, "ollama") X(LINUX, "linux") X(OTHER, "other")
#define PL_KIND_MAP(X) X(DEVICE, "device") X(HOST, "host") X(KILLED, "killed") X(HIDDEN, "hidden") X(WARNING, "warning")
#define PL_CAUSE_MAP(X)     \
    X(UNKNOWN, "unknown")   \
    X(CAPACITY, "capacity") \
    X(SINGLE_REQUEST, "single_request") X(FRAGMENTATION, "fragmentation") X(OTHER_PROCESS, "other_process") X(LIMIT, "limit") X(HOST, "host") X(LEAK, "leak")
#define PL_PHASE_MAP(X) \
    X(NONE, NULL)       \
    X(LOAD, "load")     \
    X(FORWARD, "forward") X(BACKWARD, "backward") X(OPTIMIZER, "optimizer") X(GENERATE, "generate") X(EVALUATE, "evaluate") X(STARTUP, "startup")

#define PL_ENUM_FRAMEWORK(name, text) PL_FRAMEWORK_##name,
#define PL_ENUM_KIND(name, text) PL_KIND_##name,
#define PL_ENUM_CAUSE(name, text) PL_CAUSE_##name,
#define PL_ENUM_PHASE(name, text) PL_PHASE_##name,
typedef enum pl_framework { PL_FRAMEWORK_MAP(PL_ENUM_FRAMEWORK) PL_FRAMEWORK_COUNT } pl_framework;
typedef enum pl_kind { PL_KIND_MAP(PL_ENUM_KIND) PL_KIND_COUNT } pl_kind;
typedef enum pl_cause { PL_CAUSE_MAP(PL_ENUM_CAUSE) PL_CAUSE_COUNT } pl_cause;
typedef enum pl_phase { PL_PHASE_MAP(PL_ENUM_PHASE) PL_PHASE_COUNT } pl_phase;
const char *pl_framework_name(pl_framework framework);
const char *pl_kind_name(pl_kind kind);
const char *pl_cause_name(pl_cause cause);
const char *pl_phase_name(pl_phase phase); /* NULL for NONE */

#define PL_NOT_GIVEN UINT64_MAX /* a size that the message does not give */

/* The sizes of an event, in the order of its JSON. */
#define PL_FIGURE_MAP(X) X(requested) X(capacity) X(free) X(process) X(allocated) X(reserved) X(allowed)

typedef struct pl_holder {
    uint64_t pid; /* PL_NOT_GIVEN: all those beyond the listed ones */
    uint64_t bytes;
} pl_holder;

typedef struct pl_advice {
    char action[512];
    uint64_t saves; /* bytes, PL_NOT_GIVEN when they do not follow */
} pl_advice;

enum { PL_OOM_OTHERS = 64, PL_OOM_ADVICE = 8 };

/* What the log shows of the job that ran out; sizes are PL_NOT_GIVEN where it does not. */
typedef struct pl_oom_job {
    uint64_t batch, length;
    bool training, half, checkpointing, small_optimizer;
} pl_oom_job;

typedef struct pl_oom {
    uint64_t line; /* of the message's first line, 1 is the first; lines end at LF */
    pl_framework framework;
    pl_kind kind;
    pl_cause cause;
    pl_phase phase;
    uint64_t device; /* PL_NOT_GIVEN: none named */
#define PL_OOM_FIGURE(name) uint64_t name;
    PL_FIGURE_MAP(PL_OOM_FIGURE)
#undef PL_OOM_FIGURE
    pl_holder others[PL_OOM_OTHERS];
    size_t other_count;
    char message[400];  /* the words that told, as one clean line */
    char summary[1024]; /* the story, one paragraph */
    pl_advice advice[PL_OOM_ADVICE];
    size_t advice_count;
    pl_oom_job job;
} pl_oom;

typedef pl_status (*pl_oom_sink)(void *self, const pl_oom *event, pl_error *e);

typedef struct pl_explain pl_explain;

pl_status pl_explain_open(const pl_memory *memory, pl_oom_sink sink, void *self, pl_explain **out, pl_error *e);
pl_status pl_explain_feed(pl_explain *x, const char *bytes, size_t n, pl_error *e);
pl_status pl_explain_end(pl_explain *x, pl_error *e); /* delivers what is still open */
void pl_explain_close(pl_explain *x);                 /* NULL is allowed */

/* One event as a JSON object, and as people read it (`number` counts events, `color` uses ANSI): the
 * whole story, and one line of it for logs with very many. */
pl_status pl_oom_json(const pl_oom *event, pl_write write, void *self, pl_error *e);
pl_status pl_oom_brief(const pl_oom *event, uint64_t count, bool color, pl_write write, void *self, pl_error *e);
pl_status pl_oom_text(const pl_oom *event, uint64_t count, bool color, pl_write write, void *self, pl_error *e);

/* The table of wordings, row by row, for documentation and tests; false beyond the last. */
typedef struct pl_wording_view {
    const char *name, *key, *figures, *meaning;
    pl_framework framework;
    pl_kind kind;
    pl_cause cause;
} pl_wording_view;
bool pl_wording_at(size_t index, pl_wording_view *out);

#endif
