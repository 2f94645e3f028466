/* plimsoll shrink: asks a running plimsoll to go on within another limit. */
#include "cli/cli.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static pl_status check(const cli_options *o, pl_error *e)
{
    const char *pid = o->operands[0], *size = o->operands[1];
    uint64_t bytes;
    if (strspn(pid, "0123456789") != strlen(pid) || strlen(pid) > 9 || atoi(pid) == 0)
        return pl_fail(e, PL_USAGE, "shrink: '%s' is no process number", pid);
    if (!pl_bytes_parse(size, &bytes))
        return pl_fail(e, PL_USAGE, "shrink: '%s' is no size, write it as 300MiB, 2GiB, 1.5G, 800MB, 123456789 or 0", size);
    return PL_OK;
}

pl_status cli_verb_shrink(cli_call *call, pl_error *e)
{
    pl_status status = check(&call->options, e);
    return status == PL_OK ? cli_helper_exec(call, "plimsoll-shrink", e) : status;
}
