/* An event as JSON and as people read it. */
#include "explain/inner.h"

#include <stdio.h>
#include <string.h>

typedef struct out {
    pl_write write;
    void *self;
    pl_error *e;
    pl_status status;
    bool color;
} out;

static void put(out *o, const char *text, size_t n)
{
    if (o->status == PL_OK && n > 0)
        o->status = o->write(o->self, text, n, o->e);
}

static void print(out *o, const char *format, ...) PL_PRINTF(2, 3);
static void print(out *o, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put(o, text, n < 0 ? 0 : pl_min((size_t)n, sizeof text - 1));
}

static void string(out *o, const char *text)
{
    char quoted[6 * 1024 + 2];
    size_t n = text ? pl_json_string(text, pl_min(strlen(text), 1024), quoted, sizeof quoted) : 0;
    if (text)
        put(o, quoted, n);
    else
        put(o, "null", 4);
}

static void number(out *o, const char *key, uint64_t value)
{
    if (pl__given(value))
        print(o, ",\"%s\":%llu", key, (unsigned long long)value);
    else
        print(o, ",\"%s\":null", key);
}

pl_status pl_oom_json(const pl_oom *event, pl_write write, void *self, pl_error *e)
{
    out o = {write, self, e, PL_OK, false};
    print(&o, "{\"line\":%llu,\"framework\":\"%s\",\"kind\":\"%s\"", (unsigned long long)event->line, pl_framework_name(event->framework),
        pl_kind_name(event->kind));
    number(&o, "device", event->device);
#define NUMBER(name) number(&o, #name "_bytes", event->name);
    PL_FIGURE_MAP(NUMBER)
#undef NUMBER
    print(&o, ",\"others\":[");
    for (size_t i = 0; i < event->other_count; i++) {
        const pl_holder *other = &event->others[i];
        if (pl__given(other->pid))
            print(&o, "%s{\"pid\":%llu,\"bytes\":%llu}", i ? "," : "", (unsigned long long)other->pid, (unsigned long long)other->bytes);
        else
            print(&o, "%s{\"pid\":null,\"bytes\":%llu}", i ? "," : "", (unsigned long long)other->bytes);
    }
    print(&o, "],\"phase\":");
    string(&o, pl_phase_name(event->phase));
    print(&o, ",\"cause\":\"%s\",\"summary\":", pl_cause_name(event->cause));
    string(&o, event->summary);
    print(&o, ",\"advice\":[");
    for (size_t i = 0; i < event->advice_count; i++) {
        print(&o, "%s{\"action\":", i ? "," : "");
        string(&o, event->advice[i].action);
        number(&o, "saves_bytes", event->advice[i].saves);
        print(&o, "}");
    }
    print(&o, "]}");
    return o.status;
}

/* ---- for people ---- */

enum { LINE_WIDTH = 78, BAR_WIDTH = 60 };

static void style(out *o, const char *code)
{
    if (o->color)
        print(o, "\x1b[%sm", code);
}

/* Words broken at spaces so that lines stay below LINE_WIDTH, each after `indent` spaces. */
static void paragraph(out *o, const char *text, size_t indent, size_t first)
{
    size_t column = first;
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, " ");
        if (column > indent && column + n + 1 > LINE_WIDTH) {
            print(o, "\n%*s", (int)indent, "");
            column = indent;
        } else if (p != text) {
            print(o, " ");
            column++;
        }
        put(o, p, n);
        column += n;
        p += n + (p[n] == ' ');
    }
    print(o, "\n");
}

pl_status pl__paragraph(const char *text, size_t indent, pl_write write, void *self, pl_error *e)
{
    out o = {write, self, e, PL_OK, false};
    print(&o, "%*s", (int)indent, "");
    paragraph(&o, text, indent, indent);
    return o.status;
}

typedef struct share {
    const char *name, *glyph, *code;
    uint64_t bytes;
} share;

static uint64_t known(uint64_t v) { return pl__given(v) ? v : 0; }

/* Who held what, largest certainty first; what no figure explains is the rest. */
static size_t shares(const pl_oom *event, share list[6])
{
    uint64_t tensors = known(event->allocated), idle = known(pl__idle(event)), own = known(event->process), reserved = known(event->reserved);
    uint64_t overhead = own > pl_max((size_t)reserved, (size_t)tensors) ? own - pl_max((size_t)reserved, (size_t)tensors) : 0;
    uint64_t others = known(pl__others_hold(event)), left = known(event->free);
    size_t n = 0;
    list[n++] = (share){"tensors", "\xE2\x96\x88", "36", tensors};
    list[n++] = (share){"idle", "\xE2\x96\x93", "33", idle};
    list[n++] = (share){"rest of the process", "\xE2\x96\x92", "34", overhead};
    list[n++] = (share){"others", "\xE2\x96\x91", "31", others};
    uint64_t sum = tensors + idle + overhead + others + left;
    list[n++] = (share){"not told", "\xC2\xB7", "90", event->capacity > sum ? event->capacity - sum : 0};
    list[n++] = (share){"free", " ", "32", left};
    return n;
}

static void bar(out *o, const pl_oom *event)
{
    share s[6];
    char size[32];
    if (!pl__given(event->capacity) || event->capacity == 0 || (!pl__given(event->free) && !pl__given(event->allocated)))
        return;
    size_t n = shares(event, s);
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += s[i].bytes / 1024;
    if (total == 0)
        return;
    print(o, "\n   [");
    uint64_t done = 0, drawn = 0;
    for (size_t i = 0; i < n; i++) {
        done += s[i].bytes / 1024;
        uint64_t end = (uint64_t)((double)done / (double)total * BAR_WIDTH + 0.5);
        style(o, s[i].code);
        for (; drawn < end; drawn++)
            print(o, "%s", s[i].glyph);
        style(o, "0");
    }
    print(o, "] %s\n   ", pl__size_text(event->capacity, size));
    for (size_t i = 0, shown = 0; i < n; i++) {
        if (s[i].bytes == 0)
            continue;
        print(o, "%s", shown++ ? "  " : " ");
        style(o, s[i].code);
        print(o, "%s", s[i].glyph);
        style(o, "0");
        print(o, " %s %s", s[i].name, pl__size_text(s[i].bytes, size));
    }
    print(o, "\n");
}

static const char *kind_words(pl_kind kind)
{
    static const char *const words[PL_KIND_COUNT] = {[PL_KIND_DEVICE] = "out of memory on the device",
        [PL_KIND_HOST] = "out of memory on the host",
        [PL_KIND_KILLED] = "killed for lack of memory",
        [PL_KIND_HIDDEN] = "out of memory, named as something else",
        [PL_KIND_WARNING] = "short of memory (a warning)"};
    return words[kind];
}

static void headline(out *o, const pl_oom *event, uint64_t count)
{
    style(o, "1");
    print(o, "%llu. Line %llu: %s (%s)", (unsigned long long)count, (unsigned long long)event->line, kind_words(event->kind),
        pl_framework_name(event->framework));
    style(o, "0");
}

static void title(out *o, const pl_oom *event, uint64_t count)
{
    headline(o, event, count);
    print(o, "\n   ");
    style(o, "2");
    paragraph(o, event->message, 3, 3);
    style(o, "0");
}

pl_status pl_oom_brief(const pl_oom *event, uint64_t count, bool color, pl_write write, void *self, pl_error *e)
{
    out o = {write, self, e, PL_OK, color};
    char size[32];
    headline(&o, event, count);
    if (pl__given(event->requested))
        print(&o, ", %s", pl__size_text(event->requested, size));
    print(&o, ", cause: %s\n", pl_cause_name(event->cause));
    return o.status;
}

/* "Why: what to type" on two lines, so that the second can be copied. */
static void advice(out *o, const pl_advice *a, size_t count)
{
    char why[640], size[32];
    const char *type = strstr(a->action, ": ");
    int n = type ? (int)(type - a->action) : (int)strlen(a->action);
    if (pl__given(a->saves))
        snprintf(why, sizeof why, "%.*s (up to %s)", n, a->action, pl__size_text(a->saves, size));
    else
        snprintf(why, sizeof why, "%.*s", n, a->action);
    style(o, "1");
    print(o, "   %zu.", count);
    style(o, "0");
    print(o, " ");
    paragraph(o, why, 6, 6);
    if (!type)
        return;
    print(o, "      ");
    style(o, "36");
    paragraph(o, type + 2, 6, 6);
    style(o, "0");
}

pl_status pl_oom_text(const pl_oom *event, uint64_t count, bool color, pl_write write, void *self, pl_error *e)
{
    out o = {write, self, e, PL_OK, color};
    if (count > 1)
        print(&o, "\n");
    title(&o, event, count);
    print(&o, "\n   ");
    paragraph(&o, event->summary, 3, 3);
    bar(&o, event);
    if (event->advice_count > 0)
        print(&o, "\n   What to change:\n");
    for (size_t i = 0; i < event->advice_count; i++)
        advice(&o, &event->advice[i], i + 1);
    return o.status;
}
