#include "cli/cli.h"

#include "cli/signals.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { AUTO, ALWAYS, NEVER }; /* of --color and --progress */

static int choice(const cli_options *o, cli_option_id id) { return cli_given(o, id) ? o->values[id].choice : AUTO; }

cli_voice cli_voice_make(const cli_options *o)
{
    cli_voice voice = {.quiet = cli_given(o, OPT_QUIET), .verbose = cli_given(o, OPT_VERBOSE)};
    bool watched = isatty(STDERR_FILENO) == 1;
    voice.terminal = pl_terminal(STDERR_FILENO);
    int color = choice(o, OPT_COLOR), progress = choice(o, OPT_PROGRESS);
    voice.color = color == ALWAYS || (color == AUTO && pl_terminal_colored(STDERR_FILENO));
    voice.progress = !voice.quiet && (progress == ALWAYS || (progress == AUTO && watched));
    voice.insists = progress == ALWAYS;
    return voice;
}

bool cli_stdout_colored(const cli_options *o) { return choice(o, OPT_COLOR) != NEVER && pl_terminal_colored(STDOUT_FILENO); }

void cli_say_raw(const char *text, size_t n)
{
    while (n > 0) {
        ssize_t wrote = write(STDERR_FILENO, text, n);
        if (wrote < 0 && errno == EINTR && !cli_signals_caught())
            continue;
        if (wrote < 0 && errno == EAGAIN) {
            struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
            if (poll(&ready, 1, 1000) > 0)
                continue;
        }
        if (wrote <= 0)
            return; /* nobody listens; results matter more */
        text += wrote;
        n -= (size_t)wrote;
    }
}

void cli_say(const cli_voice *voice, const char *format, ...)
{
    if (voice->quiet)
        return;
    char line[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    size_t length = n < 0 ? 0 : pl_min((size_t)n, sizeof line - 2);
    for (size_t i = 0; i < length; i++) /* names may hold anything */
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7F)
            line[i] = '?';
    line[length] = '\n';
    cli_say_raw(line, length + 1);
}

void cli_say_error(const cli_voice *voice, const pl_error *e)
{
    char text[sizeof *e + 512];
    size_t n = pl_min(pl_error_print(e, text, sizeof text), sizeof text - 1);
    static const char name[] = "plimsoll:", red[] = "\033[1;31m", plain[] = "\033[0m";
    size_t skip = 0;
    if (voice->color && n > sizeof name) {
        cli_say_raw(red, sizeof red - 1);
        cli_say_raw(name, sizeof name - 1);
        cli_say_raw(plain, sizeof plain - 1);
        skip = sizeof name - 1;
    }
    cli_say_raw(text + skip, n - skip);
}

double cli_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
