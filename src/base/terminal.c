#include "base/base.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool pl_terminal(int fd)
{
    const char *term = getenv("TERM");
    return isatty(fd) == 1 && term && *term && strcmp(term, "dumb") != 0;
}

bool pl_terminal_colored(int fd)
{
    const char *no = getenv("NO_COLOR");
    return pl_terminal(fd) && !(no && *no);
}
