/* JSON for programs: sizes in bytes, null for what is not known. docs/WATCH.md describes every field. */
#include "watch/watch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LISTED = 20 }; /* processes a line, the largest; those that hold GPU memory stand with their GPU */

static void key(watch_out *o, const char *name) { watch_out_format(o, "\"%s\":", name); }

static void bytes(watch_out *o, const char *name, bool known, uint64_t value)
{
    key(o, name);
    if (known && value != UINT64_MAX)
        watch_out_format(o, "%llu,", (unsigned long long)value);
    else
        watch_out_text(o, "null,");
}

static void number(watch_out *o, const char *name, bool known, double value)
{
    char text[32];
    key(o, name);
    if (known && isfinite(value))
        watch_out_bytes(o, text, pl_double_text(value, text));
    else
        watch_out_text(o, "null");
    watch_out_text(o, ",");
}

static void string(watch_out *o, const char *name, const char *value)
{
    key(o, name);
    if (*value)
        watch_out_string(o, value);
    else
        watch_out_text(o, "null");
    watch_out_text(o, ",");
}

/* The last member of an object has no comma behind it. */
static void end_object(watch_out *o, const char *name, bool known, uint64_t value)
{
    key(o, name);
    if (known && value != UINT64_MAX)
        watch_out_format(o, "%llu}", (unsigned long long)value);
    else
        watch_out_text(o, "null}");
}

static void trend(watch_out *o, const watch_trend *t, double left)
{
    double slope = 0;
    bool sure = false, has = watch_trend_slope(t, &slope, &sure);
    double until = has ? watch_trend_until(t, left) : -1;
    number(o, "bytes_per_second", has, round(slope));
    number(o, "seconds_until_full", until >= 0, round(until * 10) / 10);
}

static void write_cpu(const watch_state *w, watch_out *o)
{
    const watch_machine *m = &w->machine;
    watch_out_text(o, "{");
    string(o, "device", "cpu");
    bytes(o, "total_bytes", m->known, m->total);
    bytes(o, "free_bytes", m->known, m->free);
    bytes(o, "used_bytes", m->known, m->total - m->free);
    trend(o, &m->trend, (double)m->free);
    bytes(o, "available_bytes", m->known, m->available);
    bytes(o, "unused_bytes", m->known, m->unused);
    bytes(o, "swap_total_bytes", m->known, m->swap_total);
    bytes(o, "swap_used_bytes", m->known, m->swap_total - m->swap_free);
    bytes(o, "limit_bytes", m->has_group, m->group.limit);
    bytes(o, "limit_free_bytes", m->has_group, m->group.headroom);
    bytes(o, "limit_used_bytes", m->has_group, m->group.used);
    number(o, "pressure_some", m->pressure.has_stall, m->pressure.some);
    number(o, "pressure_full", m->pressure.has_stall, m->pressure.full);
    key(o, "events");
    watch_out_text(o, "{");
    bytes(o, "high", m->group.has_events, m->group.high);
    bytes(o, "max", m->group.has_events, m->group.max);
    bytes(o, "oom", m->group.has_events, m->group.oom);
    bytes(o, "oom_kill", m->group.has_events, m->group.oom_kill);
    end_object(o, "machine_oom_kill", m->has_oom_kill, m->oom_kill);
    watch_out_text(o, "}");
}

static void write_process(const watch_state *w, const watch_process *x, int pid, watch_out *o)
{
    char user[24];
    watch_out_format(o, "{\"pid\":%d,", pid);
    string(o, "name", x ? x->name : "");
    string(o, "user", x ? watch_user_name(x->uid, user) : "");
    string(o, "container", x && x->group < w->groups.count ? w->groups.list[x->group].label : "");
}

static void write_gpu(const watch_state *w, size_t at, watch_out *o)
{
    const watch_gpu *g = &w->gpus.list[at];
    watch_out_format(o, "{\"device\":\"%s:%u\",", strcmp(g->vendor, "nvidia") == 0 ? "cuda" : g->vendor, g->index);
    string(o, "vendor", g->vendor);
    string(o, "name", g->name);
    string(o, "uuid", g->uuid);
    string(o, "bus", g->bus);
    watch_out_format(o, "\"mig\":%s,", g->mig ? "true" : "false");
    bytes(o, "instance", g->mig && g->instance != UINT32_MAX, g->instance);
    bytes(o, "total_bytes", g->known, g->total);
    bytes(o, "free_bytes", g->known, g->free);
    bytes(o, "used_bytes", g->known, g->used);
    trend(o, &g->trend, (double)g->free);
    string(o, "trouble", g->trouble);
    key(o, "processes");
    watch_out_text(o, "[");
    bool first = true;
    for (size_t i = 0; i < w->gpus.use_count; i++) {
        const watch_use *u = &w->gpus.uses[i];
        if (u->gpu != at)
            continue;
        watch_out_text(o, first ? "" : ",");
        first = false;
        write_process(w, watch_processes_find(&w->processes, u->pid), u->pid, o);
        end_object(o, "bytes", true, u->bytes);
    }
    watch_out_text(o, "]}");
}

static void write_devices(const watch_state *w, watch_out *o)
{
    key(o, "devices");
    watch_out_text(o, "[");
    write_cpu(w, o);
    for (size_t i = 0; i < w->gpus.count; i++) {
        watch_out_text(o, ",");
        write_gpu(w, i, o);
    }
    watch_out_text(o, "],");
}

static void write_processes(const watch_state *w, watch_out *o)
{
    uint32_t *order = malloc((w->processes.count + 1) * sizeof *order);
    size_t count = order ? watch_order(w, SORT_MEMORY, NULL, order, w->processes.count) : 0;
    watch_out_format(o, "\"process_count\":%zu,", count);
    key(o, "processes");
    watch_out_text(o, "[");
    for (size_t i = 0; i < count && i < LISTED; i++) {
        const watch_process *x = &w->processes.list[order[i]];
        watch_out_text(o, i ? "," : "");
        write_process(w, x, x->pid, o);
        bytes(o, "resident_bytes", true, x->resident);
        bytes(o, "swap_bytes", true, x->swap);
        number(o, "bytes_per_second", !x->fresh, round(x->rate));
        end_object(o, "gpu_bytes", true, x->gpu);
    }
    watch_out_text(o, "],");
    free(order);
}

static void write_tree(const watch_state *w, watch_out *o)
{
    if (!w->root)
        return;
    double left = (double)w->machine.free;
    key(o, "watched");
    watch_out_format(o, "{\"pid\":%d,\"processes\":%zu,", w->root, w->tree_count);
    bytes(o, "resident_bytes", !w->root_gone, w->tree_resident);
    bytes(o, "swap_bytes", !w->root_gone, w->tree_swap);
    bytes(o, "gpu_bytes", !w->root_gone, w->tree_gpu);
    trend(o, &w->tree_trend, left);
    end_object(o, "peak_bytes", true, w->tree_peak);
    watch_out_text(o, ",");
}

static void write_unseen(const watch_state *w, watch_out *o)
{
    char text[512];
    watch_unseen(w, text, sizeof text);
    key(o, "not_seen");
    if (*text)
        watch_out_string(o, text);
    else
        watch_out_text(o, "null");
}

static void write_time(const watch_state *w, watch_out *o)
{
    time_t seconds = (time_t)(w->unix_ms / 1000);
    struct tm t;
    gmtime_r(&seconds, &t);
    watch_out_format(o, "\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\",", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec,
        (int)(w->unix_ms % 1000));
}

void watch_json_line(watch_state *w, watch_out *o)
{
    watch_out_text(o, "{");
    write_time(w, o);
    number(o, "seconds", true, round((w->now - w->start) * 1000) / 1000);
    write_devices(w, o);
    write_tree(w, o);
    write_processes(w, o);
    write_unseen(w, o);
    watch_out_text(o, "}\n");
    watch_out_flush(o);
}

void watch_json_devices(watch_state *w, watch_out *o)
{
    watch_out_text(o, "{");
    write_devices(w, o);
    write_processes(w, o);
    write_unseen(w, o);
    watch_out_text(o, "}\n");
    watch_out_flush(o);
}
