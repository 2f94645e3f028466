/* One call of the program: what main hands to the verbs, and how they speak on standard error. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "cli/options.h"

typedef struct cli_voice {
    bool quiet, verbose;
    bool color;    /* on standard error */
    bool terminal; /* standard error is one that knows escape sequences: not with TERM=dumb */
    bool progress; /* lines, where it is no such terminal */
    bool insists;  /* it was asked for, so that a short run shows it too */
} cli_voice;

typedef struct cli_call {
    cli_options options;
    cli_voice voice;
    double started; /* CLOCK_MONOTONIC, seconds */
    char **argv;    /* argv[1] is the verb */
} cli_call;

/* A verb: does all it has to do and returns how it went; the text of a failure is in e. */
typedef pl_status (*cli_verb_run)(cli_call *call, pl_error *e);
pl_status cli_verb_plan(cli_call *call, pl_error *e);
pl_status cli_verb_tokenize(cli_call *call, pl_error *e);
pl_status cli_verb_embed(cli_call *call, pl_error *e);
pl_status cli_verb_classify(cli_call *call, pl_error *e);
pl_status cli_verb_train(cli_call *call, pl_error *e);
pl_status cli_verb_shrink(cli_call *call, pl_error *e);
pl_status cli_verb_help(cli_call *call, pl_error *e);
pl_status cli_version_print(pl_error *e);
pl_status cli_usage_print(pl_error *e); /* of the command as a whole */
pl_status cli_help_print(cli_verb_id verb, pl_error *e);

/* Replaces this process by libexec/plimsoll/NAME with this process's verb and arguments; comes back
 * only with PL_MACHINE: which program is missing and where it was looked for. */
pl_status cli_helper_exec(const cli_call *call, const char *name, pl_error *e);

/* ---- standard error ---- */
cli_voice cli_voice_make(const cli_options *o);
/* A line for people, unless they asked for quiet. */
void cli_say(const cli_voice *voice, const char *format, ...) PL_PRINTF(2, 3);
void cli_say_error(const cli_voice *voice, const pl_error *e);
void cli_say_raw(const char *text, size_t n); /* whole, whatever signals */

double cli_seconds(void); /* CLOCK_MONOTONIC */
/* Whether what is written to standard output may carry colour. */
bool cli_stdout_colored(const cli_options *o);

#endif
