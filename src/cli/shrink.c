/* plimsoll shrink: asks a running plimsoll to go on within another limit. */
#include "cli/cli.h"
#include "cli/requests.h"

#include <stdlib.h>
#include <string.h>

pl_status cli_verb_shrink(cli_call *call, pl_error *e)
{
    const char *pid = call->options.operands[0], *size = call->options.operands[1];
    uint64_t bytes;
    long number = strspn(pid, "0123456789") == strlen(pid) && strlen(pid) < 10 ? strtol(pid, NULL, 10) : 0;
    if (number == 0)
        return pl_fail(e, PL_USAGE, "shrink: '%s' is no process number", pid);
    if (!pl_bytes_parse(size, &bytes))
        return pl_fail(e, PL_USAGE, "shrink: '%s' is no size, write it as 300MiB, 2GiB, 1.5G, 800MB, 123456789 or 0", size);
    return cli_requests_ask(number, bytes, e);
}
