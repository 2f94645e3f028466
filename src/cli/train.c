/* plimsoll train: a program of its own does it; what is wrong on the command line is told here. */
#include "cli/cli.h"

static pl_status check(const cli_options *o, pl_error *e)
{
    if (!cli_given(o, OPT_DATA))
        return pl_fail(e, PL_USAGE, "train: --data FILE is missing, what shall it learn from?");
    if (!cli_given(o, OPT_OUTPUT) && !cli_given(o, OPT_DRY_RUN))
        return pl_fail(e, PL_USAGE, "train: -o OUT is missing, where shall the trained model go?");
    return PL_OK;
}

pl_status cli_verb_train(cli_call *call, pl_error *e)
{
    pl_status status = check(&call->options, e);
    return status == PL_OK ? cli_helper_exec(call, "plimsoll-train", e) : status;
}
