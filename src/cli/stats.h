/* --stats FILE, and what the process measured of itself. */
#ifndef CLI_STATS_H
#define CLI_STATS_H

#include "cli/cli.h"
#include "cli/metrics.h"
#include "cli/output.h"

/* Peak of the process as the kernel counts it: VmHWM + VmSwap of /proc/self/status; 0 if unknown. */
uint64_t cli_peak_measured(void);

/* metrics may be NULL. Writes and commits; `out` was opened before the run, so that a FILE that cannot
 * be is told at once. */
pl_status cli_stats_write(cli_output *out, const cli_call *call, const pl_plan *plan, const pl_stats *stats, cli_metrics *metrics, pl_error *e);
pl_status cli_stats_training(cli_output *out, const cli_call *call, const pl_trainer *trainer, const pl_training_stats *stats, pl_error *e);

#endif
