/* How far a run is, on standard error: texts, rate, share, time left. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "cli/cli.h"
#include "cli/input.h"

typedef struct cli_progress {
    const cli_voice *voice;
    double started, shown; /* seconds */
    uint64_t base;         /* texts passed over: their share of the input took no time */
    double base_share;
    bool line_open; /* a line is being overwritten */
} cli_progress;

void cli_progress_start(cli_progress *p, const cli_voice *voice);
/* `given` texts were read from `in`, `done` results have come, of which `tokens` tokens. Cheap to call often. */
void cli_progress_tick(cli_progress *p, const cli_input *in, uint64_t given, uint64_t done, uint64_t tokens);
void cli_progress_end(cli_progress *p, const cli_input *in, uint64_t given, uint64_t done, uint64_t tokens);

#endif
