/* From the command line to a plan: the same way for `plan` and for the run that it plans. */
#ifndef CLI_JOB_H
#define CLI_JOB_H

#include "cli/cli.h"
#include "cli/footprint.h"

typedef struct cli_job {
    const cli_call *call;
    const char *model;
    pl_options options;
    pl_environment environment;
    pl_outside outside[CLI_OUTSIDE];
    cli_needs needs;
    pl_plan *plan;
    char *runtime; /* from malloc: where jobs of one user tell each other what they plan */
} cli_job;

/* Options and environment for the library; PL_USAGE where they cannot go together. */
pl_status cli_job_start(cli_job *job, const cli_call *call, pl_task task, pl_error *e);
/* Makes (or, with --plan, loads) the plan. The command's own buffers depend on the number of labels,
 * so for very many it is made twice. A plan made before is freed. */
pl_status cli_job_plan(cli_job *job, pl_error *e);
void cli_job_end(cli_job *job);

#endif
