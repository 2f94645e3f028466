#include "cli/progress.h"

#include <stdio.h>
#include <string.h>

/* Between two looks at the clock on a terminal and, where lines pile up, in a file. */
static const double terminal_step = 0.1, file_step = 5, patience = 0.4;

void cli_progress_start(cli_progress *p, const cli_voice *voice)
{
    double now = cli_seconds();
    *p = (cli_progress){.voice = voice, .started = now, .shown = now + (voice->terminal ? patience : file_step)};
}

/* Texts that were read but have no result are not done: the share of the input is that much smaller. */
static double share(const cli_input *in, uint64_t given, uint64_t done)
{
    if (in->pair_count > 0)
        return (double)done / (double)in->pair_count;
    if (in->size == 0 || given == 0)
        return -1;
    double read = (double)in->consumed / (double)in->size;
    return (read < 1 ? read : 1) * (double)done / (double)given;
}

static int put_time(char *out, size_t capacity, double seconds)
{
    unsigned long s = seconds < 1e7 ? (unsigned long)(seconds + 0.5) : 9999999;
    if (s >= 3600)
        return snprintf(out, capacity, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    return snprintf(out, capacity, "%lu:%02lu", s / 60, s % 60);
}

enum { BAR = 20 };

static void put_bar(char out[BAR * 3 + 1], double part)
{
    static const char full[] = "\xE2\x96\x88", empty[] = "\xE2\x96\x91";
    for (int i = 0; i < BAR; i++)
        memcpy(out + (size_t)i * 3, (double)i + 0.5 < part * BAR ? full : empty, 3);
    out[BAR * 3] = '\0';
}

static void show(cli_progress *p, const cli_input *in, uint64_t given, uint64_t done, uint64_t tokens, double now, bool last)
{
    char line[512], bar[BAR * 3 + 1], left[32] = "";
    double part = share(in, given, done), passed = now - p->started;
    size_t n = 0;
    n += (size_t)snprintf(line, sizeof line, "%s", p->voice->terminal ? "\r" : "");
    if (part >= 0 && p->voice->terminal) {
        put_bar(bar, part);
        n += (size_t)snprintf(line + n, sizeof line - n, "%s ", bar);
    }
    if (part >= 0)
        n += (size_t)snprintf(line + n, sizeof line - n, "%3.0f %%  ", part * 100);
    n += (size_t)snprintf(line + n, sizeof line - n, "%llu texts", (unsigned long long)done);
    if (passed > 0 && tokens > 0)
        n += (size_t)snprintf(line + n, sizeof line - n, "  %.0f tokens/s", (double)tokens / passed);
    if (last) {
        put_time(left, sizeof left, passed);
        n += (size_t)snprintf(line + n, sizeof line - n, "  in %s", left);
    } else if (part > p->base_share) {
        put_time(left, sizeof left, passed / (part - p->base_share) * (1 - part));
        n += (size_t)snprintf(line + n, sizeof line - n, "  %s left", left);
    }
    n += (size_t)snprintf(line + n, sizeof line - n, "%s%s", p->voice->terminal ? "\033[K" : "", p->voice->terminal && !last ? "" : "\n");
    cli_say_raw(line, pl_min(n, sizeof line - 1));
    p->line_open = p->voice->terminal && !last;
    p->shown = now;
}

void cli_progress_tick(cli_progress *p, const cli_input *in, uint64_t given, uint64_t done, uint64_t tokens)
{
    if (!p->voice->progress)
        return;
    double now = cli_seconds();
    if (now - p->shown < (p->voice->terminal ? terminal_step : file_step))
        return;
    show(p, in, given, done, tokens, now, false);
}

void cli_progress_end(cli_progress *p, const cli_input *in, uint64_t given, uint64_t done, uint64_t tokens)
{
    /* A run too short for a bar needs no summary on a terminal; one that was asked for it always has it. */
    double now = cli_seconds();
    bool due = p->voice->terminal ? p->line_open : p->voice->insists || now - p->started > patience;
    if (p->voice->progress && due)
        show(p, in, given, done, tokens, now, true);
}
