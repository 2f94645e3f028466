/* What embed and classify have in common: texts through the model, results in order. */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "cli/job.h"
#include "cli/input.h"
#include "cli/metrics.h"
#include "cli/output.h"
#include "cli/progress.h"

typedef struct cli_run {
    cli_call *call;
    cli_job job;
    cli_input input;
    cli_output output, stats;
    pl_session *session;
    cli_progress progress;
    cli_metrics metrics;
    bool measures;      /* metrics are wanted */
    uint64_t skip;      /* texts still to be passed over */
    uint64_t given;     /* texts handed to the session */
    uint64_t delivered; /* results that came back */
    uint64_t base;      /* results that the output held before */
    uint64_t bends;     /* told so far */
    uint32_t *order;    /* [labels]: room to sort them */
    size_t width;
    const struct cli_printer *printer;
} cli_run;

/* How results become bytes. begin and end may be NULL; end also makes a file of what is there so far
 * whole. record_bytes: length of a result in the file behind header_bytes, 0 for lines. */
typedef struct cli_printer {
    pl_task task;
    bool seeks;
    size_t header_bytes;
    size_t (*record_bytes)(const cli_run *run);    /* NULL: lines */
    pl_status (*check)(cli_run *run, pl_error *e); /* NULL: any plan is right */
    pl_status (*begin)(cli_run *run, pl_error *e);
    pl_status (*print)(cli_run *run, const pl_result *result, pl_error *e);
    pl_status (*end)(cli_run *run, pl_error *e);
} cli_printer;

pl_status cli_run_texts(cli_run *run, cli_call *call, const cli_printer *printer, pl_error *e);

/* After a run that ended early: what is finished stays, and e says where and how to go on. `base`
 * results were in the output before, `passed` texts were passed over, `delivered` results are new. */
void cli_keep_finished(cli_output *o, pl_status status, uint64_t base, uint64_t passed, uint64_t delivered, pl_error *e);

/* Opens what -i, -t, --input-format and the column options name; reads standard input where nothing
 * is named and it is no terminal. */
pl_status cli_input_choose(cli_input *in, const cli_options *o, pl_error *e);

#endif
