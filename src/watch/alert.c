/* Conditions on a sample: METRIC OP VALUE, several joined by commas. */
#include "watch/watch.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum metric { FREE, AVAILABLE, USED, SWAP, RSS, PRESSURE, FULL_IN, OOM_KILL, METRICS } metric;
static const struct {
    const char *name;
    bool sized, device; /* takes a size or a part; can be asked of any device */
    const char *example;
} metrics[METRICS] = {
    [FREE] = {"free", true, true, "free<2GiB"},
    [AVAILABLE] = {"available", true, false, "available<2GiB"},
    [USED] = {"used", true, true, "used>90%"},
    [SWAP] = {"swap", true, false, "swap>1GiB"},
    [RSS] = {"rss", true, false, "rss>4GiB"},
    [PRESSURE] = {"pressure", false, false, "pressure>10"},
    [FULL_IN] = {"full_in", false, true, "full_in<5min"},
    [OOM_KILL] = {"oom_kill", false, false, "oom_kill>0"},
};

enum { ANY_DEVICE = -3, CPU_DEVICE = -2, ANY_GPU = -1 }; /* else the number of a GPU */
typedef struct term {
    metric what;
    int device;
    bool above, equal; /* > or >= ; < or <= */
    bool part;         /* value is percent of the whole */
    double value;
} term;

struct watch_alert {
    char *text;
    size_t count;
    term terms[];
};

static pl_status fail_at(const char *text, size_t n, const char *what, pl_error *e)
{
    pl_fail(e, PL_USAGE, "--alert: '%.*s': %s", (int)pl_min(n, 80), text, what);
    pl_hint(e, "write it as 'free<2GiB', 'gpu0.used>90%%', 'full_in<5min', 'pressure>10', 'oom_kill>0' or 'rss>4GiB'");
    return PL_USAGE;
}

/* "gpu1." -> 1, "cpu." "gpu." likewise; nothing: any. False for other words. */
static bool parse_device(const char **p, term *t)
{
    const char *dot = strchr(*p, '.');
    size_t name = strspn(*p, "abcdefghijklmnopqrstuvwxyz_");
    t->device = ANY_DEVICE;
    if (!dot || strcspn(*p, "<>=,") < (size_t)(dot - *p))
        return true;
    bool gpu = name == 3 && strncmp(*p, "gpu", 3) == 0;
    if (name == 3 && strncmp(*p, "cpu", 3) == 0 && *p + 3 == dot)
        t->device = CPU_DEVICE;
    else if (gpu && *p + 3 == dot)
        t->device = ANY_GPU;
    else if (gpu && strspn(*p + 3, "0123456789") == (size_t)(dot - *p - 3) && dot - *p < 8)
        t->device = atoi(*p + 3);
    else
        return false;
    *p = dot + 1;
    return true;
}

static bool parse_duration(const char *text, double *out)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"", 1}, {"s", 1}, {"sec", 1}, {"min", 60}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    size_t digits = strspn(text, "0123456789.");
    if (!digits || !pl_double_parse(text, digits, out))
        return false;
    for (size_t i = 0; i < PL_COUNT(units); i++)
        if (strcmp(text + digits, units[i].unit) == 0) {
            *out *= units[i].seconds;
            return true;
        }
    return false;
}

static bool parse_value(const char *text, term *t)
{
    uint64_t bytes;
    size_t n = strlen(text);
    if (t->what == FULL_IN)
        return parse_duration(text, &t->value);
    bool percent = n > 1 && text[n - 1] == '%' && t->what != RSS && t->what != OOM_KILL;
    if (percent || !metrics[t->what].sized) {
        t->part = metrics[t->what].sized;
        return pl_double_parse(text, n - percent, &t->value) && t->value >= 0;
    }
    if (!pl_bytes_parse(text, &bytes))
        return false;
    t->value = (double)bytes;
    return true;
}

/* One term from a copy without blanks. */
static pl_status parse_term(const char *text, const watch_options *o, term *t, pl_error *e)
{
    const char *p = text;
    size_t whole = strlen(text);
    *t = (term){.what = METRICS};
    if (!parse_device(&p, t))
        return fail_at(text, whole, "before the dot stands none of: cpu gpu gpu0 gpu1 ...", e);
    size_t n = strcspn(p, "<>=!");
    for (int i = 0; i < METRICS; i++)
        if (strlen(metrics[i].name) == n && strncmp(metrics[i].name, p, n) == 0)
            t->what = (metric)i;
    if (t->what == METRICS)
        return fail_at(text, whole, "there is no such metric, it is one of: free available used swap rss pressure full_in oom_kill", e);
    if (t->device != ANY_DEVICE && !metrics[t->what].device)
        return fail_at(text, whole, "this metric is not one of a device", e);
    if (t->what == RSS && !o->pid && !o->run)
        return fail_at(text, whole, "rss needs a process, give --pid N or --run -- COMMAND", e);
    p += n;
    t->above = *p == '>';
    if (*p != '<' && *p != '>')
        return fail_at(text, whole, "a comparison is missing, one of < <= > >=", e);
    t->equal = p[1] == '=';
    if (!parse_value(p + 1 + t->equal, t)) {
        char what[80];
        snprintf(what, sizeof what, "the value cannot be read, write it as in %s", metrics[t->what].example);
        return fail_at(text, whole, what, e);
    }
    return PL_OK;
}

pl_status watch_alert_parse(const char *text, const watch_options *o, watch_alert **out, pl_error *e)
{
    size_t n = strlen(text), count = 1, used = 0;
    for (size_t i = 0; i < n; i++)
        count += text[i] == ',';
    watch_alert *a = calloc(1, sizeof *a + count * sizeof(term) + n + 1);
    if (!a)
        return pl_fail_no_memory(e, n, "--alert");
    a->text = (char *)(a->terms + count);
    for (size_t i = 0; i < n; i++)
        if (!isspace((unsigned char)text[i]))
            a->text[used++] = text[i];
    for (char *p = a->text; a->count < count; a->count++) {
        char *comma = strchr(p, ',');
        if (comma)
            *comma = '\0';
        pl_status status = parse_term(p, o, &a->terms[a->count], e);
        if (status) {
            free(a);
            return status;
        }
        p = comma ? comma + 1 : p + strlen(p);
    }
    *out = a;
    return PL_OK;
}

void watch_alert_free(watch_alert *a) { free(a); }

/* What a device says about a metric; false where it is unknown. */
static bool device_value(const term *t, uint64_t total, uint64_t free_bytes, const watch_trend *trend, double *now, double *whole)
{
    *whole = (double)total;
    if (t->what == FREE)
        *now = (double)free_bytes;
    else if (t->what == USED)
        *now = (double)(total - free_bytes);
    else {
        *now = watch_trend_until(trend, (double)free_bytes);
        return *now >= 0;
    }
    return true;
}

static bool other_value(const term *t, const watch_state *w, double *now, double *whole)
{
    const watch_machine *m = &w->machine;
    *whole = (double)m->total;
    switch (t->what) {
    case AVAILABLE: *now = (double)m->available; return m->known;
    case SWAP:
        *now = (double)(m->swap_total - m->swap_free);
        *whole = (double)m->swap_total;
        return m->known;
    case RSS: *now = (double)w->tree_resident; return w->root != 0;
    case PRESSURE: *now = m->pressure.some; return m->pressure.has_stall;
    case OOM_KILL: *now = (double)watch_oom_kills(w); return true;
    default: return false;
    }
}

static const char *value_text(const term *t, double value, char out[32])
{
    if (t->what == FULL_IN)
        return watch_duration(value, out);
    if (metrics[t->what].sized)
        return pl_bytes_text((uint64_t)value, out);
    snprintf(out, 32, t->what == PRESSURE ? "%.2f %%" : "%.0f", value);
    return out;
}

static bool compare(const term *t, const char *device, double now, double whole, char why[160])
{
    char left[32], right[32];
    double value = t->part ? t->value / 100 * whole : t->value;
    bool holds = t->above ? now > value : now < value;
    if (!holds && !(t->equal && now == value))
        return false;
    if (t->part) {
        snprintf(why, 160, "%s%s%s %.1f %% %s%s %g %%", device, *device ? " " : "", metrics[t->what].name, whole > 0 ? now / whole * 100 : 0,
            t->above ? ">" : "<", t->equal ? "=" : "", t->value);
        return true;
    }
    snprintf(why, 160, "%s%s%s %s %s%s %s", device, *device ? " " : "", metrics[t->what].name, value_text(t, now, left), t->above ? ">" : "<",
        t->equal ? "=" : "", value_text(t, value, right));
    return true;
}

static bool term_holds(const term *t, const watch_state *w, char why[160])
{
    double now, whole;
    const watch_machine *m = &w->machine;
    if (!metrics[t->what].device)
        return other_value(t, w, &now, &whole) && compare(t, "", now, whole, why);
    uint64_t total = m->has_group && m->group.limit < m->total ? m->group.limit : m->total;
    if ((t->device == ANY_DEVICE || t->device == CPU_DEVICE) && m->known &&
        device_value(t, total, m->free < total ? m->free : total, &m->trend, &now, &whole) && compare(t, "cpu", now, whole, why))
        return true;
    for (size_t i = 0; i < w->gpus.count && t->device != CPU_DEVICE; i++) {
        const watch_gpu *g = &w->gpus.list[i];
        char name[16];
        if (!g->known || (t->device >= 0 && (unsigned)t->device != g->index))
            continue;
        snprintf(name, sizeof name, "gpu%u", g->index);
        if (device_value(t, g->total, g->free, &g->trend, &now, &whole) && compare(t, name, now, whole, why))
            return true;
    }
    return false;
}

bool watch_alert_holds(const watch_alert *a, const watch_state *w, char why[160])
{
    for (size_t i = 0; i < a->count; i++)
        if (term_holds(&a->terms[i], w, why))
            return true;
    return false;
}
