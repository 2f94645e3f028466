/* classify --label-column: right answers wait here until the results come, then count.
 * Nothing is allocated. The answers in flight have a fixed number of places: where none is left, the
 * source says that nothing is ready, and the window closes. */
#ifndef CLI_METRICS_H
#define CLI_METRICS_H

#include "cli/input.h"
#include "cli/output.h"

#include "base/score.h"

typedef struct cli_metrics {
    const pl_plan *plan;
    size_t words;                  /* of an entry */
    uint64_t *ring;                /* [places][words]: a label's index, a number's bits, or a bit a label */
    uint64_t places, given, taken; /* given - taken are in flight; the entry at `given` is being read */
    bool filled;                   /* it has a value */
    bool numbers;                  /* the labels' names are whole numbers */
    pl_score score;
} cli_metrics;

size_t cli_metrics_bytes(size_t labels, bool regression);
pl_status cli_metrics_start(cli_metrics *m, const pl_plan *plan, char *memory, pl_error *e);

bool cli_metrics_full(const cli_metrics *m);
pl_status cli_metrics_take(void *self, const cli_input *in, const char *text, size_t n, bool more, pl_error *e); /* a cli_label_take */
pl_status cli_metrics_given(cli_metrics *m, const cli_input *in, pl_error *e);                                   /* the record is whole */
void cli_metrics_result(cli_metrics *m, const pl_result *result);

#endif
