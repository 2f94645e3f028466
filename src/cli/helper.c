/* Verbs that are programs of their own, and where such a program is found. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

/* The folder that this program stands in, with links followed; "" if the system does not say. */
static void own_folder(char out[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
    out[n > 0 ? n : 0] = '\0';
    if (n <= 0) { /* no /proc: as it was started */
        const char *started = (const char *)getauxval(AT_EXECFN);
        if (!started || !realpath(started, out))
            *out = '\0';
    }
    char *slash = strrchr(out, '/');
    if (slash)
        *slash = '\0';
}

pl_status cli_helper_exec(const cli_call *call, const char *name, pl_error *e)
{
    /* As installed, and as it lies in a build folder. */
    static const char *const places[] = {"/../libexec/plimsoll/", "/libexec/plimsoll/"};
    char folder[PATH_MAX], paths[PL_COUNT(places)][PATH_MAX + 64];
    own_folder(folder);
    for (size_t i = 0; i < PL_COUNT(places); i++) {
        snprintf(paths[i], sizeof paths[i], "%s%s%s", folder, places[i], name);
        if (access(paths[i], F_OK) != 0)
            continue;
        call->argv[0] = paths[i];
        execv(paths[i], call->argv);
        return pl_fail(e, PL_MACHINE, "%s: cannot be started: %s", paths[i], strerror(errno));
    }
    pl_fail(e, PL_MACHINE, "%s: the program %s, which does this, is not there", cli_verbs[call->options.verb].name, name);
    for (size_t i = 0; i < PL_COUNT(places); i++)
        pl_hint(e, "looked for %s", paths[i]);
    return PL_MACHINE;
}
