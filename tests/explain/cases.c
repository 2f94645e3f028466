#include "explain/cases.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void put_line(char *out, size_t capacity, const char *line)
{
    size_t n = strlen(line);
    assert(n < capacity);
    memcpy(out, line, n + 1);
}

/* Takes a line that is not log text; false: it is. */
static bool take_mark(test_case *c, const char *line)
{
    if (strncmp(line, "--- ", 4) == 0) {
        assert(c->wanted_n < MOST_EVENTS);
        put_line(c->wanted[c->wanted_n++], sizeof c->wanted[0], line + 4);
    } else if (strncmp(line, "+++ ", 4) == 0 && c->wanted_n) {
        put_line(c->must[c->must_n++], sizeof c->must[0], line + 4);
    } else if (strncmp(line, "!!! ", 4) == 0 && c->wanted_n) {
        put_line(c->never[c->never_n++], sizeof c->never[0], line + 4);
    } else {
        return false;
    }
    return true;
}

size_t cases_each(void (*each)(const test_case *c, void *self), void *self)
{
    FILE *f = fopen(PL_SOURCE_DIR "/tests/explain/messages.txt", "rb");
    test_case *c = calloc(1, sizeof *c);
    char *line = malloc(LOG_BYTES);
    assert(f && c && line);
    size_t count = 0;
    bool inside = false;
    for (;;) {
        bool more = fgets(line, LOG_BYTES, f) != NULL;
        bool next = more && strncmp(line, "=== ", 4) == 0, rest = more && strncmp(line, "# ----", 6) == 0;
        if (inside && (!more || next || rest)) {
            while (c->log_n > 1 && c->log[c->log_n - 1] == '\n' && c->log[c->log_n - 2] == '\n')
                c->log_n--; /* blank lines before the next case */
            each(c, self);
            count++;
        }
        if (!more)
            break;
        if (next || rest) {
            memset(c, 0, sizeof *c);
            inside = next;
            line[strcspn(line, "\n")] = '\0';
            if (next)
                put_line(c->name, sizeof c->name, line + 4);
            continue;
        }
        char text[LOG_BYTES];
        put_line(text, sizeof text, line);
        text[strcspn(text, "\n")] = '\0';
        if (inside && !take_mark(c, text)) {
            size_t n = strlen(line);
            assert(c->log_n + n <= sizeof c->log);
            memcpy(c->log + c->log_n, line, n);
            c->log_n += n;
        }
    }
    free(line);
    free(c);
    fclose(f);
    return count;
}

static pl_status keep(void *self, const pl_oom *event, pl_error *e)
{
    (void)e;
    found *f = self;
    if (f->count < MOST_EVENTS)
        f->events[f->count] = *event;
    f->count++;
    return PL_OK;
}

void explain_log(const char *log, size_t n, size_t piece, found *out)
{
    pl_error e = {0};
    pl_explain *x;
    out->count = 0;
    pl_status status = pl_explain_open(pl_memory_system(), keep, out, &x, &e);
    assert(status == PL_OK);
    for (size_t at = 0; at < n; at += piece ? piece : n) {
        size_t part = piece && piece < n - at ? piece : n - at;
        status = pl_explain_feed(x, log + at, part, &e);
        assert(status == PL_OK);
    }
    status = pl_explain_end(x, &e);
    assert(status == PL_OK);
    pl_explain_close(x);
    (void)status;
}

/* ---- comparing ---- */

typedef struct complaint {
    char *out;
    size_t n, capacity;
} complaint;

static void complain(complaint *c, const char *what, const char *got, const char *wanted)
{
    if (c->n + 1 < c->capacity)
        c->n += (size_t)snprintf(c->out + c->n, c->capacity - c->n, "%s is %s, wanted %s; ", what, got, wanted);
    c->n = c->n < c->capacity ? c->n : c->capacity - 1;
}

/* "9.00GiB+1.50MiB": bytes, and half a unit of the last digits. */
static double size_of(const char *text, double *tolerance)
{
    static const struct {
        const char *unit;
        double scale;
    } units[] = {{"bytes", 1}, {"KiB", 1024.}, {"MiB", 1048576.}, {"GiB", 1073741824.}};
    double sum = 0;
    *tolerance = 1;
    for (const char *p = text; *p;) {
        char *end;
        double value = strtod(p, &end);
        const char *point = memchr(p, '.', (size_t)(end - p));
        size_t u = 0;
        while (u < PL_COUNT(units) && strncmp(end, units[u].unit, strlen(units[u].unit)) != 0)
            u++;
        assert(u < PL_COUNT(units));
        double step = units[u].scale;
        for (const char *d = point ? point + 1 : end; d < end; d++)
            step /= 10;
        sum += value * units[u].scale;
        *tolerance += step * 0.5005;
        p = end + strlen(units[u].unit);
        p += *p == '+';
    }
    return sum;
}

static bool near(uint64_t got, const char *wanted)
{
    double tolerance, value = size_of(wanted, &tolerance);
    double gap = (double)got - value;
    return got != PL_NOT_GIVEN && gap <= tolerance && -gap <= tolerance;
}

static bool one_of(const char *name, const char *list)
{
    size_t n = name ? strlen(name) : 0;
    for (const char *p = list; name && *p;) {
        size_t m = strcspn(p, "|");
        if (m == n && memcmp(p, name, n) == 0)
            return true;
        p += m + (p[m] == '|');
    }
    return false;
}

static bool others_are(const pl_oom *event, const char *wanted)
{
    size_t count = 0;
    char copy[256];
    put_line(copy, sizeof copy, wanted);
    for (char *save, *p = strtok_r(copy, ",", &save); p; p = strtok_r(NULL, ",", &save), count++) {
        char *size = strchr(p, ':');
        if (!size || count >= event->other_count || strtoull(p, NULL, 10) != event->others[count].pid || !near(event->others[count].bytes, size + 1))
            return false;
    }
    return count == event->other_count;
}

static void check_value(complaint *c, const pl_oom *event, const char *key, const char *wanted, bool lines)
{
    static const struct {
        const char *key;
        size_t at;
    } figures[] = {{"req", offsetof(pl_oom, requested)}, {"cap", offsetof(pl_oom, capacity)}, {"free", offsetof(pl_oom, free)},
        {"proc", offsetof(pl_oom, process)}, {"alloc", offsetof(pl_oom, allocated)}, {"res", offsetof(pl_oom, reserved)}, {"allow", offsetof(pl_oom, allowed)}};
    char got[32];
    for (size_t i = 0; i < PL_COUNT(figures); i++)
        if (strcmp(key, figures[i].key) == 0) {
            uint64_t value;
            memcpy(&value, (const char *)event + figures[i].at, sizeof value);
            snprintf(got, sizeof got, "%lld", (long long)value);
            if (strcmp(wanted, "null") == 0 ? value != PL_NOT_GIVEN : !near(value, wanted))
                complain(c, key, got, wanted);
            return;
        }
    const char *phase = pl_phase_name(event->phase);
    if (strcmp(key, "dev") == 0) {
        snprintf(got, sizeof got, "%lld", (long long)event->device);
        if (strcmp(wanted, event->device == PL_NOT_GIVEN ? "null" : got) != 0)
            complain(c, key, got, wanted);
    } else if (strcmp(key, "line") == 0) {
        snprintf(got, sizeof got, "%llu", (unsigned long long)event->line);
        if (lines && strcmp(got, wanted) != 0)
            complain(c, key, got, wanted);
    } else if (strcmp(key, "cause") == 0) {
        if (!one_of(pl_cause_name(event->cause), wanted))
            complain(c, key, pl_cause_name(event->cause), wanted);
    } else if (strcmp(key, "phase") == 0) {
        if (!one_of(phase, wanted))
            complain(c, key, phase ? phase : "null", wanted);
    } else {
        assert(strcmp(key, "others") == 0);
        if (!others_are(event, wanted))
            complain(c, key, "different", wanted);
    }
}

static void check_event(complaint *c, const pl_oom *event, const char *wanted, bool lines)
{
    char copy[512];
    put_line(copy, sizeof copy, wanted);
    char *save, *word = strtok_r(copy, " ", &save);
    if (!one_of(pl_framework_name(event->framework), word))
        complain(c, "framework", pl_framework_name(event->framework), word);
    word = strtok_r(NULL, " ", &save);
    if (!one_of(pl_kind_name(event->kind), word))
        complain(c, "kind", pl_kind_name(event->kind), word);
    while ((word = strtok_r(NULL, " ", &save))) {
        char *value = strchr(word, '=');
        assert(value);
        *value = '\0';
        check_value(c, event, word, value + 1, lines);
    }
    if (event->summary[0] == '\0')
        complain(c, "summary", "empty", "a story");
}

static bool advised(const found *f, const char *text)
{
    for (size_t i = 0; i < f->count; i++)
        for (size_t k = 0; k < f->events[i].advice_count; k++)
            for (const char *p = f->events[i].advice[k].action; *p; p++)
                if (strncasecmp(p, text, strlen(text)) == 0)
                    return true;
    return false;
}

void case_check(const test_case *t, const found *f, bool lines, char *why, size_t capacity)
{
    complaint c = {why, 0, capacity};
    why[0] = '\0';
    if (f->count != t->wanted_n) {
        char got[32], wanted[32];
        snprintf(got, sizeof got, "%zu", f->count);
        snprintf(wanted, sizeof wanted, "%zu", t->wanted_n);
        complain(&c, "number of events", got, wanted);
        return;
    }
    for (size_t i = 0; i < f->count; i++)
        check_event(&c, &f->events[i], t->wanted[i], lines);
    for (size_t i = 0; i < t->must_n; i++)
        if (!advised(f, t->must[i]))
            complain(&c, "advice", "lacking", t->must[i]);
    for (size_t i = 0; i < t->never_n; i++)
        if (advised(f, t->never[i]))
            complain(&c, "advice", "already in use or of no help", t->never[i]);
}
