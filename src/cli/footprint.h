/* What the command itself holds in memory, known before it starts: lines of the ledger that the
 * library cannot know. `plan` and the run it plans for take the same figures from here. */
#ifndef CLI_FOOTPRINT_H
#define CLI_FOOTPRINT_H

#include "cli/options.h"

/* What the command's buffers depend on beside the longest text; known for certain only from a plan. */
typedef struct cli_needs {
    size_t labels; /* of a classifier, else 0 */
    bool regression;
} cli_needs;

enum { CLI_OUTSIDE = 3, CLI_OUTPUT_BYTES = 1 << 15 };

/* "program", "command's buffers", "stack". */
void cli_outside(const cli_options *o, const cli_needs *needs, pl_outside out[CLI_OUTSIDE]);
/* Room to put labels in order. */
static inline size_t cli_order_bytes(const cli_needs *needs) { return pl_round_up(needs->labels * sizeof(uint32_t), 64); }
/* All buffers: input, output, order of labels, metrics; without the texts under construction. */
size_t cli_buffers_bytes(const cli_options *o, const cli_needs *needs);
/* Writes to every page of buffers that were just taken: a machine that cannot give them says so now. */
void cli_buffers_touch(char *block, size_t bytes);
/* Reads every page of the program once, so that nothing of it comes into memory later. */
void cli_program_touch(void);

#endif
