/* What the job of an event needs, by plimsoll's own ledgers. Part of the program, not of the room's
 * library: the figures come from the other programs of the house. */
#ifndef PL_EXPLAIN_NEED_H
#define PL_EXPLAIN_NEED_H

#include "explain/explain.h"

#include <jansson.h>

/* ---- ask.c ---- */

/* Runs `program` (found beside this one or where the house is installed) with argv (argv[0] is set
 * here) and reads the JSON object that it prints; exit codes 0 and 4 (does not fit) count as an
 * answer. Else its own message and status. Free with json_decref. */
pl_status pl__ask(const char *program, const char **argv, json_t **answer, pl_error *e);

/* ---- need.c ---- */

typedef struct pl__need {
    pl_oom_job job;     /* as computed: batch and length are given */
    bool batch_assumed; /* neither the log nor the user told it */
    uint64_t limit;     /* what the device had for the job; PL_NOT_GIVEN */
    uint64_t peak, biggest_batch;
    uint64_t weights, gradients, optimizer, activations, other;
    char cheaper[160]; /* settings with which the same batch fits, "" if there are none or none are needed */
    uint64_t cheaper_peak;
    uint64_t plimsoll; /* the smallest limit for the same in plimsoll; PL_NOT_GIVEN */
} pl__need;

/* The question, and what was answered last: events of one job share it. */
typedef struct pl__needs {
    const char *model;
    uint64_t batch; /* PL_NOT_GIVEN: as the log shows */
    bool has;
    pl_oom_job asked;
    pl__need last;
} pl__needs;

/* PL_NOTHING where the event is none of PyTorch's on a device: there the ledger says nothing. */
pl_status pl__need_of(pl__needs *q, const pl_oom *event, const pl__need **out, pl_error *e);
pl_status pl__need_json(const pl__need *n, pl_write write, void *self, pl_error *e);
pl_status pl__need_text(const pl__need *n, const char *model, pl_write write, void *self, pl_error *e);

#endif
