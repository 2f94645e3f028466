#include "watch/watch.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The options of both verbs, once: parser and help are driven by this table. */
/* clang-format off */
#define OPTION_MAP(X)                                                                              \
    X(PID, "--pid", "N", false, "show process N and its descendants, and the limit they are under") \
    X(ONCE, "--once", NULL, false, "print one sample and end")                                     \
    X(JSON, "--json", NULL, true, "print JSON, a line a sample; sizes in bytes")                   \
    X(INTERVAL, "--interval", "SECONDS", false, "time between samples, default 1")                 \
    X(ALERT, "--alert", "CONDITION", false, "end with exit code 4 when it holds")                  \
    X(EXEC, "--exec", "COMMAND", false, "instead of ending, start COMMAND by sh each time the condition begins to hold") \
    X(RUN, "--run", NULL, false, "start the command after -- under observation; its exit code is passed on, and if it dies of memory it is explained") \
    X(COLOR, "--color", "WHEN", true, "auto, always or never; auto is on a terminal, unless NO_COLOR is set") \
    X(HELP, "--help", NULL, true, "print this; -h too")
/* clang-format on */

enum {
#define OPTION_ENUM(id, name, argument, both, meaning) OPTION_##id,
    OPTION_MAP(OPTION_ENUM)
#undef OPTION_ENUM
        OPTION_COUNT
};

static const struct {
    const char *name, *argument;
    bool both; /* also of `devices` */
    const char *meaning;
} rows[] = {
#define OPTION_ROW(id, name, argument, both, meaning) {name, argument, both, meaning},
    OPTION_MAP(OPTION_ROW)
#undef OPTION_ROW
};

static const char watch_head[] = "plimsoll watch - who holds memory now and where it is going\n"
                                 "\n"
                                 "  plimsoll watch [--pid N] [--interval SECONDS] [--once] [--json]\n"
                                 "  plimsoll watch --alert CONDITION [--exec COMMAND]\n"
                                 "  plimsoll watch [--json] --run -- COMMAND [ARGUMENT...]\n"
                                 "\n"
                                 "Options:\n";
static const char watch_tail[] = "\n"
                                 "A condition is METRIC OP VALUE; of several, joined by commas, one is enough.\n"
                                 "  free available used swap  a size or a part: free<2GiB, used>=90%\n"
                                 "  rss                       a size, of the process watched: rss>4GiB\n"
                                 "  pressure                  percent of time stalled for memory: pressure>10\n"
                                 "  full_in                   time until full at the present rate: full_in<5min\n"
                                 "  oom_kill                  processes killed since the watch began: oom_kill>0\n"
                                 "free, used and full_in are of any device, or of one: cpu.free gpu.free gpu1.free\n"
                                 "\n"
                                 "Examples:\n"
                                 "  plimsoll watch\n"
                                 "  plimsoll watch --json --interval 10 >memory.jsonl\n"
                                 "  plimsoll watch --alert 'gpu.free<2GiB' --exec 'notify-send \"$PLIMSOLL_ALERT\"'\n"
                                 "  plimsoll watch --run -- python train.py\n";
static const char devices_head[] = "plimsoll devices - each device: total, free, held by whom\n"
                                   "\n"
                                   "  plimsoll devices [--json]\n"
                                   "\n"
                                   "Options:\n";
static const char devices_tail[] = "\n"
                                   "Example:\n"
                                   "  plimsoll devices\n";

void watch_help_print(bool devices, watch_out *o)
{
    enum { MEANING_AT = 22, WIDTH = 80 };
    watch_out_text(o, devices ? devices_head : watch_head);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        char name[40];
        if (devices && !rows[i].both)
            continue;
        snprintf(name, sizeof name, "%s%s%s", rows[i].name, rows[i].argument ? " " : "", rows[i].argument ? rows[i].argument : "");
        watch_out_format(o, "  %-*s", MEANING_AT - 3, name);
        size_t column = MEANING_AT - 1;
        for (const char *word = rows[i].meaning; *word;) {
            size_t n = strcspn(word, " ");
            if (column + 1 + n > WIDTH) {
                watch_out_format(o, "\n%*s", MEANING_AT - 1, "");
                column = MEANING_AT - 1;
            }
            watch_out_format(o, " %.*s", (int)n, word);
            column += 1 + n;
            word += n;
            word += strspn(word, " ");
        }
        watch_out_text(o, "\n");
    }
    watch_out_text(o, devices ? devices_tail : watch_tail);
}

static const char *verb(const watch_options *o) { return o->devices ? "devices" : "watch"; }

static pl_status fail_unknown(const watch_options *o, const char *word, size_t n, pl_error *e)
{
    const char *names[OPTION_COUNT];
    char given[80];
    size_t count = 0;
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (rows[i].both || !o->devices)
            names[count++] = rows[i].name;
    watch_copy(given, sizeof given, word);
    given[pl_min(n, sizeof given - 1)] = '\0';
    const char *nearest = pl_nearest(given, names, count);
    if (nearest)
        pl_fail(e, PL_USAGE, "%s: there is no such option of %s, did you mean %s?", given, verb(o), nearest);
    else
        pl_fail(e, PL_USAGE, "%s: there is no such option of %s", given, verb(o));
    pl_hint(e, "`plimsoll help %s` lists them", verb(o));
    return PL_USAGE;
}

static pl_status parse_pid(const char *text, watch_options *o, pl_error *e)
{
    char *end;
    o->pid = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || o->pid < 1 || o->pid > INT_MAX)
        return pl_fail(e, PL_USAGE, "--pid: '%s' is no process number, a whole number from 1 is needed", text);
    return PL_OK;
}

static pl_status parse_interval(const char *text, watch_options *o, pl_error *e)
{
    if (!pl_double_parse(text, strlen(text), &o->interval) || !(o->interval >= 0.05) || !(o->interval <= 86400))
        return pl_fail(e, PL_USAGE, "--interval: '%s' is no number of seconds from 0.05 to 86400", text);
    return PL_OK;
}

static pl_status parse_color(const char *text, watch_options *o, pl_error *e)
{
    static const char *const words[] = {"auto", "always", "never"};
    for (size_t i = 0; i < PL_COUNT(words); i++)
        if (strcmp(text, words[i]) == 0) {
            o->color = (watch_color)i;
            return PL_OK;
        }
    return pl_fail(e, PL_USAGE, "--color: '%s' is none of: auto always never", text);
}

static pl_status take(int id, const char *value, watch_options *o, pl_error *e)
{
    switch (id) {
    case OPTION_PID: return parse_pid(value, o, e);
    case OPTION_ONCE: o->once = true; break;
    case OPTION_JSON: o->json = true; break;
    case OPTION_INTERVAL: return parse_interval(value, o, e);
    case OPTION_ALERT: o->alert = value; break;
    case OPTION_EXEC: o->exec = value; break;
    case OPTION_COLOR: return parse_color(value, o, e);
    case OPTION_HELP: o->help = true; break;
    default: break;
    }
    return PL_OK;
}

static pl_status check(const watch_options *o, bool run, pl_error *e)
{
    if (o->help)
        return PL_OK;
    if (run && !o->run)
        return pl_fail(e, PL_USAGE, "--run: the command is missing, write --run -- COMMAND [ARGUMENT...]");
    if (o->exec && !o->alert)
        return pl_fail(e, PL_USAGE, "--exec: it is --alert that starts the command, give one: --alert 'free<2GiB'");
    if (o->run && o->pid)
        return pl_fail(e, PL_USAGE, "--pid: cannot be given with --run, which watches the process that it starts");
    if (o->run && o->once)
        return pl_fail(e, PL_USAGE, "--once: cannot be given with --run, which watches until the command ends");
    if (o->run && o->alert && !o->exec)
        return pl_fail(e, PL_USAGE, "--alert: with --run it needs --exec, since the job's exit code is passed on");
    return PL_OK;
}

pl_status watch_options_parse(int argc, char **argv, watch_options *o, pl_error *e)
{
    *o = (watch_options){.interval = 1};
    int i = 1;
    bool run = false;
    if (i < argc && (strcmp(argv[i], "watch") == 0 || strcmp(argv[i], "devices") == 0))
        o->devices = argv[i++][0] == 'd';
    for (; i < argc; i++) {
        const char *word = strcmp(argv[i], "-h") == 0 ? "--help" : argv[i], *value = NULL;
        size_t n = strcspn(word, "=");
        int id = 0;
        if (run && (word[0] != '-' || strcmp(word, "--") == 0)) {
            i += strcmp(word, "--") == 0;
            o->run = i < argc ? argv + i : NULL;
            break;
        }
        if (word[0] != '-')
            return pl_fail(e, PL_USAGE, "'%s': %s takes no argument", word, verb(o));
        while (id < OPTION_COUNT && (strlen(rows[id].name) != n || strncmp(rows[id].name, word, n) != 0 || (o->devices && !rows[id].both)))
            id++;
        if (strcmp(word, "--") == 0 && !run)
            return pl_fail(e, PL_USAGE, "--: stands before the command of --run, which is not given");
        if (id == OPTION_COUNT)
            return fail_unknown(o, word, n, e);
        if (!rows[id].argument && word[n])
            return pl_fail(e, PL_USAGE, "%s: takes no value, but has '%s'", rows[id].name, word + n + 1);
        if (rows[id].argument)
            value = word[n] ? word + n + 1 : i + 1 < argc ? argv[++i] : NULL;
        if (rows[id].argument && !value)
            return pl_fail(e, PL_USAGE, "%s: its value is missing, write %s %s", rows[id].name, rows[id].name, rows[id].argument);
        run |= id == OPTION_RUN;
        pl_status status = take(id, value, o, e);
        if (status)
            return status;
    }
    return check(o, run, e);
}
