/* plimsoll-explain: reads a log from a file or standard input and tells of every out-of-memory in it.
 * Started by `plimsoll explain ...` with "explain" as first argument; runs alone as well. */
#include "explain/need.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 256 * 1024, OUTPUT = 64 * 1024, STORIES = 20 /* told whole; of more a line each */ };

typedef struct options {
    const char *log; /* NULL: standard input */
    const char *color, *model;
    uint64_t batch;
    bool json;
} options;

static const char usage[] = "usage: plimsoll explain [LOG] [--model MODEL [--batch N]] [--json] [--color auto|always|never]\n"
                            "\n"
                            "Tells of every out-of-memory in a log: what ran out, who held what, why, and what to change.\n"
                            "LOG may be of any size, in any encoding, with progress bars and colours in it; without it (or\n"
                            "with -) standard input is read.\n"
                            "\n"
                            "  --model    the model of the job, a folder or ORG/NAME: says what PyTorch needs for it, what batch\n"
                            "             would have fitted, and what plimsoll needs for the same\n"
                            "  --batch    its batch, where the log does not show it\n"
                            "  --json     one JSON object: {\"found\":true,\"events\":[...]}, sizes in bytes\n"
                            "  --color    auto (default: on a terminal where NO_COLOR is not set), always or never\n"
                            "\n"
                            "Exit status: 0 found, 1 nothing found, 2 wrong usage, 3 the log could not be read.\n"
                            "\n"
                            "  plimsoll explain train.log\n"
                            "  kubectl logs trainer | plimsoll explain\n"
                            "  plimsoll explain --json slurm-123.out | jq '.events[0].advice'\n";

/* ---- output ---- */

typedef struct sink {
    char buffer[OUTPUT];
    size_t n;
    uint64_t events;
    bool json, color;
    pl__needs needs; /* model NULL: not asked */
} sink;

static pl_status flush(sink *s, pl_error *e)
{
    for (size_t at = 0; at < s->n;) {
        ssize_t n = write(STDOUT_FILENO, s->buffer + at, s->n - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EPIPE)
            return pl_fail(e, PL_BROKEN_PIPE, "standard output: the reader has gone");
        if (n < 0)
            return pl_fail(e, PL_MACHINE, "standard output: %s", strerror(errno));
        at += (size_t)n;
    }
    s->n = 0;
    return PL_OK;
}

static pl_status put(void *self, const char *text, size_t n, pl_error *e)
{
    sink *s = self;
    while (n > 0) {
        if (s->n == OUTPUT) {
            pl_status status = flush(s, e);
            if (status != PL_OK)
                return status;
        }
        size_t part = pl_min(n, OUTPUT - s->n);
        memcpy(s->buffer + s->n, text, part);
        s->n += part;
        text += part;
        n -= part;
    }
    return PL_OK;
}

static pl_status put_text(sink *s, const char *text, pl_error *e) { return put(s, text, strlen(text), e); }

static pl_status take_json(sink *s, const pl_oom *event, pl_error *e)
{
    const pl__need *need = NULL;
    pl_status status = put_text(s, s->events == 1 ? "{\"found\":true,\"events\":[" : ",", e);
    if (status == PL_OK)
        status = pl_oom_json(event, put, s, e);
    if (status != PL_OK || !s->needs.model)
        return status;
    pl_status known = pl__need_of(&s->needs, event, &need, e);
    if (known != PL_OK && known != PL_NOTHING)
        return known;
    s->n--; /* the event's last brace: one more member follows */
    status = put_text(s, ",\"need\":", e);
    if (status == PL_OK)
        status = known == PL_OK ? pl__need_json(need, put, s, e) : put_text(s, "null", e);
    return status == PL_OK ? put_text(s, "}", e) : status;
}

static pl_status take_text(sink *s, const pl_oom *event, pl_error *e)
{
    const pl__need *need = NULL;
    pl_status status = pl_oom_text(event, s->events, s->color, put, s, e);
    if (status != PL_OK || !s->needs.model)
        return status;
    pl_status known = pl__need_of(&s->needs, event, &need, e);
    if (known == PL_NOTHING)
        return PL_OK;
    if (known != PL_OK)
        flush(s, NULL); /* the story stands even where the need cannot be told */
    return known == PL_OK ? pl__need_text(need, s->needs.model, put, s, e) : known;
}

static pl_status take(void *self, const pl_oom *event, pl_error *e)
{
    sink *s = self;
    s->events++;
    if (s->json)
        return take_json(s, event, e);
    if (s->events <= STORIES)
        return take_text(s, event, e);
    pl_status begun = s->events == STORIES + 1 ? put_text(s, "\nMore, in short:\n", e) : PL_OK;
    return begun == PL_OK ? pl_oom_brief(event, s->events, s->color, put, s, e) : begun;
}

static pl_status finish(sink *s, const char *name, pl_error *e)
{
    pl_status status = PL_OK;
    char line[512];
    if (s->json)
        status = put_text(s, s->events ? "]}\n" : "{\"found\":false,\"events\":[]}\n", e);
    else if (s->events == 0 && snprintf(line, sizeof line, "No out-of-memory in %.400s.\n", name) > 0)
        status = put_text(s, line, e);
    return status == PL_OK ? flush(s, e) : status;
}

/* ---- reading ---- */

static pl_status read_all(int fd, const char *name, pl_explain *x, pl_error *e)
{
    static char piece[PIECE];
    for (;;) {
        ssize_t n = read(fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pl_fail(e, PL_BAD_INPUT, "%s: %s", name, strerror(errno));
        if (n == 0)
            return PL_OK;
        pl_status status = pl_explain_feed(x, piece, (size_t)n, e);
        if (status != PL_OK)
            return status;
    }
}

static pl_status explain(int fd, const char *name, sink *s, pl_error *e)
{
    pl_explain *x;
    pl_status status = pl_explain_open(pl_memory_system(), take, s, &x, e);
    if (status != PL_OK)
        return status;
    status = read_all(fd, name, x, e);
    if (status == PL_OK)
        status = pl_explain_end(x, e);
    pl_explain_close(x);
    return status == PL_OK ? finish(s, name, e) : status;
}

static pl_status run(const options *o, sink *s, pl_error *e)
{
    bool standard = !o->log || strcmp(o->log, "-") == 0;
    const char *name = standard ? "standard input" : o->log;
    int fd = standard ? STDIN_FILENO : open(o->log, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return pl_fail(e, PL_BAD_INPUT, "%s: %s", name, strerror(errno));
    pl_status status = explain(fd, name, s, e);
    if (!standard)
        close(fd);
    return status;
}

/* ---- options ---- */

static pl_status set_color(options *o, const char *value, pl_error *e)
{
    if (!value || (strcmp(value, "auto") != 0 && strcmp(value, "always") != 0 && strcmp(value, "never") != 0))
        return pl_fail(e, PL_USAGE, "--color: %s, and it must be auto, always or never", value ? value : "no value");
    o->color = value;
    return PL_OK;
}

static pl_status set_batch(options *o, const char *value, pl_error *e)
{
    enum { MOST_BATCH = 1 << 24 };
    double number;
    bool whole = value && *value && strspn(value, "0123456789") == strlen(value) && pl_double_parse(value, strlen(value), &number);
    if (!whole || !(number >= 1 && number <= MOST_BATCH))
        return pl_fail(e, PL_USAGE, "--batch: %s, and it must be a whole number from 1 to %d", value ? value : "no value", MOST_BATCH);
    o->batch = (uint64_t)number;
    return PL_OK;
}

static pl_status set_model(options *o, const char *value, pl_error *e)
{
    if (!value || !*value)
        return pl_fail(e, PL_USAGE, "--model: no value, and it must be a model's folder or ORG/NAME");
    o->model = value;
    return PL_OK;
}

typedef struct valued {
    const char *name;
    pl_status (*set)(options *o, const char *value, pl_error *e);
} valued;
static const valued with_value[] = {{"--color", set_color}, {"--model", set_model}, {"--batch", set_batch}};

/* "--name VALUE" or "--name=VALUE" at argv[*at]; PL_NOTHING where it is neither. */
static pl_status set_valued(options *o, int argc, char **argv, int *at, pl_error *e)
{
    for (size_t i = 0; i < PL_COUNT(with_value); i++) {
        size_t n = strlen(with_value[i].name);
        if (strncmp(argv[*at], with_value[i].name, n) != 0)
            continue;
        if (argv[*at][n] == '=')
            return with_value[i].set(o, argv[*at] + n + 1, e);
        if (argv[*at][n] == '\0')
            return with_value[i].set(o, *at + 1 < argc ? argv[++*at] : NULL, e);
    }
    return PL_NOTHING;
}

static pl_status unknown_option(const char *argument, pl_error *e)
{
    static const char *const known[] = {"--json", "--color", "--model", "--batch", "--help", "--version"};
    pl_fail(e, PL_USAGE, "%s: no such option of explain", argument);
    const char *near = pl_nearest(argument, known, PL_COUNT(known));
    if (near)
        pl_hint(e, "did you mean %s?", near);
    return PL_USAGE;
}

/* PL_NOTHING: help or version was printed. */
static pl_status parse(int argc, char **argv, options *o, sink *s, pl_error *e)
{
    bool files_only = false;
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        pl_status status = PL_OK;
        if (files_only || a[0] != '-' || a[1] == '\0') {
            if (o->log)
                return pl_fail(e, PL_USAGE, "%s: one log at a time, and %s was given already", a, o->log);
            o->log = a;
        } else if (strcmp(a, "--") == 0) {
            files_only = true;
        } else if (strcmp(a, "--json") == 0) {
            o->json = true;
        } else if (strcmp(a, "-q") == 0 || strcmp(a, "-v") == 0) {
            continue; /* taken by every verb; there is nothing to say more or less */
        } else if (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0) {
            status = put_text(s, usage, e);
            return status == PL_OK ? PL_NOTHING : status;
        } else if (strcmp(a, "--version") == 0) {
            status = put_text(s, "plimsoll-explain " PL_VERSION "\n", e);
            return status == PL_OK ? PL_NOTHING : status;
        } else {
            status = set_valued(o, argc, argv, &i, e);
            if (status == PL_NOTHING)
                status = unknown_option(a, e);
        }
        if (status != PL_OK)
            return status;
    }
    if (o->batch != PL_NOT_GIVEN && !o->model)
        return pl_fail(e, PL_USAGE, "--batch: says something about the need of a model, and --model is missing");
    return PL_OK;
}

static int complain(const pl_error *e, pl_status status)
{
    char text[8192];
    if (status != PL_BROKEN_PIPE) {
        size_t n = pl_min(pl_error_print(e, text, sizeof text), sizeof text);
        ssize_t written = write(STDERR_FILENO, text, n);
        (void)written; /* where standard error cannot be written there is no one to tell */
    }
    return pl_status_exit_code(status);
}

int main(int argc, char **argv)
{
    static sink s;
    pl_error e = {0};
    options o = {.color = "auto", .batch = PL_NOT_GIVEN};
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of write */
    if (argc > 1 && strcmp(argv[1], "explain") == 0) {
        argv[1] = argv[0];
        argc--;
        argv++;
    }
    pl_status status = parse(argc, argv, &o, &s, &e);
    if (status == PL_NOTHING) {
        status = flush(&s, &e);
        return status == PL_OK ? 0 : complain(&e, status);
    }
    if (status != PL_OK)
        return complain(&e, status);
    s.json = o.json;
    s.needs = (pl__needs){.model = o.model, .batch = o.batch};
    s.color = strcmp(o.color, "auto") == 0 ? pl_terminal_colored(STDOUT_FILENO) : strcmp(o.color, "always") == 0;
    status = run(&o, &s, &e);
    if (status != PL_OK)
        return complain(&e, status);
    return s.events ? 0 : pl_status_exit_code(PL_NOTHING);
}
