/* From the command line to a training: the same way for `train` and for the `plan --train` of it. */
#ifndef CLI_LEARN_H
#define CLI_LEARN_H

#include "cli/input.h"
#include "cli/job.h"
#include "cli/output.h"
#include "cli/progress.h"

enum { CLI_LABEL_BYTES = 1 << 16, CLI_LABELS = 1 << 12 }; /* of one text */

/* The labels of the record at hand. */
typedef struct cli_labels {
    char *bytes;    /* [CLI_LABEL_BYTES] */
    pl_label *list; /* [CLI_LABELS] */
    size_t used, count;
} cli_labels;

typedef struct cli_learn {
    cli_job job; /* options and environment; its plan is not used */
    pl_training training;
    pl_trainer *trainer;
    cli_input input;
    cli_labels labels;
    cli_progress progress;
    uint64_t texts; /* read of the file at hand */
    pl_outside outside[CLI_OUTSIDE + 1];
    char *output;  /* [CLI_OUTPUT_BYTES] */
    char *reading; /* until all is read */
    size_t reading_bytes;
} cli_learn;

/* Options -> a trainer, the data read, the plan made. */
pl_status cli_learn_prepare(cli_learn *l, cli_call *call, pl_error *e);
void cli_learn_end(cli_learn *l);

pl_status cli_plan_training(cli_call *call, pl_error *e); /* plan --train */

#endif
