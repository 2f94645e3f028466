/* Text for people, where there is no screen: plain, so that it can be piped. */
#include "watch/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BAR = 24, TOP = 12 };

/* "[#######-----------------]  29 % used", green, yellow or red where colours are wanted. */
static void bar(watch_out *o, double part, bool color)
{
    int filled = part <= 0 ? 0 : part >= 1 ? BAR : (int)(part * BAR + 0.5);
    watch_out_text(o, color ? part < 0.75 ? "[\x1b[32m" : part < 0.9 ? "[\x1b[33m" : "[\x1b[31m" : "[");
    for (int i = 0; i < BAR; i++) {
        if (i == filled && color)
            watch_out_text(o, "\x1b[0m");
        watch_out_text(o, i < filled ? "#" : "-");
    }
    watch_out_format(o, "%s] %3.0f %% used", color && filled == BAR ? "\x1b[0m" : "", part * 100);
}

static void device_line(watch_out *o, const char *label, uint64_t free_bytes, uint64_t total, bool color)
{
    char a[32], b[32];
    watch_out_format(o, "%-12s %9s free of %9s  ", label, pl_bytes_text(free_bytes, a), pl_bytes_text(total, b));
    bar(o, total ? (double)(total - free_bytes) / (double)total : 0, color);
}

static void trend_words(watch_out *o, const watch_trend *t, double left)
{
    double slope;
    bool sure;
    char rate[32], time[32];
    if (!watch_trend_slope(t, &slope, &sure))
        return;
    watch_out_format(o, "  %s", watch_rate_text(slope, rate));
    double until = watch_trend_until(t, left);
    if (until >= 0)
        watch_out_format(o, ", full in %s", watch_duration(until, time));
}

static void write_cpu(const watch_state *w, watch_out *o, bool color)
{
    const watch_machine *m = &w->machine;
    char a[32], b[32], c[32];
    if (!m->known) {
        watch_out_text(o, "CPU memory   unknown: /proc/meminfo cannot be read\n");
        return;
    }
    device_line(o, "CPU memory", m->available < m->total ? m->available : m->total, m->total, color);
    trend_words(o, &m->trend, (double)m->free);
    if (m->swap_total)
        watch_out_format(o, "\n  swap       %9s used of %9s", pl_bytes_text(m->swap_total - m->swap_free, a), pl_bytes_text(m->swap_total, b));
    if (m->has_group && m->group.limit != UINT64_MAX)
        watch_out_format(o, "\n  limit      %9s free of %9s, %s in use", pl_bytes_text(m->group.headroom, a), pl_bytes_text(m->group.limit, b),
            pl_bytes_text(m->group.used, c));
    else if (m->has_group)
        watch_out_format(o, "\n  limit      none on this control group, %s in use", pl_bytes_text(m->group.used, a));
    if (m->pressure.has_stall)
        watch_out_format(o, "\n  pressure   some %.2f %%, full %.2f %% of the last 10 s", m->pressure.some, m->pressure.full);
    if (m->group.has_events)
        watch_out_format(o, "\n  events     limit hit %llu times, %llu processes killed for memory", (unsigned long long)m->group.max,
            (unsigned long long)m->group.oom_kill);
    if (m->has_oom_kill)
        watch_out_format(o, "%s%llu on the whole machine", m->group.has_events ? ", " : "\n  events     killed for memory: ", (unsigned long long)m->oom_kill);
    watch_out_text(o, "\n");
}

static void gpu_label(const watch_gpu *g, char out[32])
{
    if (g->mig && g->instance != UINT32_MAX)
        snprintf(out, 32, "  MIG %u/%u", g->index, g->instance);
    else if (g->mig)
        snprintf(out, 32, "  MIG %u", g->index);
    else
        snprintf(out, 32, "GPU %u", g->index);
}

static int compare_uses(const void *a, const void *b)
{
    const watch_use *x = a, *y = b;
    if (x->gpu != y->gpu)
        return x->gpu < y->gpu ? -1 : 1;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

static void write_uses(const watch_state *w, size_t at, watch_out *o)
{
    for (size_t i = 0; i < w->gpus.use_count; i++) {
        const watch_use *u = &w->gpus.uses[i];
        char a[32], user[24];
        if (u->gpu != at)
            continue;
        const watch_process *x = watch_processes_find(&w->processes, u->pid);
        watch_out_format(o, "  held by    %9s pid %d", u->bytes == UINT64_MAX ? "unknown" : pl_bytes_text(u->bytes, a), u->pid);
        if (x)
            watch_out_format(o, " %s %s", watch_user_name(x->uid, user), x->name);
        else
            watch_out_text(o, " (not visible from here, or just ended)");
        if (x && x->group < w->groups.count && w->groups.list[x->group].label[0])
            watch_out_format(o, " in %s", w->groups.list[x->group].label);
        watch_out_text(o, "\n");
    }
}

static void write_gpus(watch_state *w, watch_out *o, bool color)
{
    if (w->gpus.use_count)
        qsort(w->gpus.uses, w->gpus.use_count, sizeof *w->gpus.uses, compare_uses);
    for (size_t i = 0; i < w->gpus.count; i++) {
        const watch_gpu *g = &w->gpus.list[i];
        char label[32];
        gpu_label(g, label);
        if (g->known) {
            device_line(o, label, g->free, g->total, color);
            trend_words(o, &g->trend, (double)g->free);
            watch_out_format(o, "  %s", g->name);
        } else {
            watch_out_format(o, "%-12s %s", label, g->name);
        }
        watch_out_format(o, "%s%s\n", g->trouble[0] ? ": " : "", g->trouble);
        write_uses(w, i, o);
    }
}

static void write_processes(const watch_state *w, watch_out *o, size_t most)
{
    uint32_t *order = malloc((w->processes.count + 1) * sizeof *order);
    size_t count = order ? watch_order(w, SORT_MEMORY, NULL, order, w->processes.count) : 0;
    if (count)
        watch_out_text(o, "\n      PID USER        RESIDENT       SWAP        GPU  NAME             CONTAINER\n");
    for (size_t i = 0; i < count && i < most; i++) {
        const watch_process *x = &w->processes.list[order[i]];
        char a[32], b[32], c[32], user[24];
        watch_out_format(o, "%9d %-9.9s %10s %10s %10s  %-16s %s\n", x->pid, watch_user_name(x->uid, user), pl_bytes_text(x->resident, a),
            x->swap ? pl_bytes_text(x->swap, b) : "-", x->gpu ? pl_bytes_text(x->gpu, c) : "-", x->name,
            x->group < w->groups.count ? w->groups.list[x->group].label : "");
    }
    if (count > most)
        watch_out_format(o, "      and %zu more\n", count - most);
    free(order);
}

static void write_unseen(const watch_state *w, watch_out *o)
{
    char text[512];
    watch_unseen(w, text, sizeof text);
    if (*text)
        watch_out_format(o, "not seen: %s\n", text);
}

static void write_tree(const watch_state *w, watch_out *o)
{
    char a[32], b[32], c[32];
    if (!w->root)
        return;
    watch_out_format(o, "process %d  %s resident, %s swapped, %s on GPUs, in %zu process%s; peak %s\n", w->root, pl_bytes_text(w->tree_resident, a),
        pl_bytes_text(w->tree_swap, b), pl_bytes_text(w->tree_gpu, c), w->tree_count, w->tree_count == 1 ? "" : "es",
        pl_bytes_text(w->tree_peak, (char[32]){0}));
}

void watch_text_once(watch_state *w, watch_out *o, bool color)
{
    write_cpu(w, o, color);
    write_gpus(w, o, color);
    write_unseen(w, o);
    write_tree(w, o);
    write_processes(w, o, w->root ? SIZE_MAX : TOP);
    watch_out_flush(o);
}

void watch_text_last(watch_state *w, watch_out *o)
{
    write_cpu(w, o, false);
    write_gpus(w, o, false);
    watch_out_flush(o);
}

void watch_text_devices(watch_state *w, watch_out *o, bool color)
{
    write_cpu(w, o, color);
    write_gpus(w, o, color);
    write_unseen(w, o);
    write_processes(w, o, TOP);
    watch_out_flush(o);
}

void watch_text_line(watch_state *w, watch_out *o)
{
    const watch_machine *m = &w->machine;
    char a[32], b[32];
    time_t seconds = (time_t)(w->unix_ms / 1000);
    struct tm t;
    localtime_r(&seconds, &t);
    watch_out_format(o, "%02d:%02d:%02d  cpu %s free of %s", t.tm_hour, t.tm_min, t.tm_sec, pl_bytes_text(m->free, a), pl_bytes_text(m->total, b));
    trend_words(o, &m->trend, (double)m->free);
    for (size_t i = 0; i < w->gpus.count; i++) {
        const watch_gpu *g = &w->gpus.list[i];
        if (!g->known || g->mig)
            continue;
        watch_out_format(o, "  gpu%u %s free of %s", g->index, pl_bytes_text(g->free, a), pl_bytes_text(g->total, b));
        trend_words(o, &g->trend, (double)g->free);
    }
    if (w->root) {
        watch_out_format(o, "  pid %d %s", w->root, pl_bytes_text(w->tree_resident + w->tree_swap, a));
        trend_words(o, &w->tree_trend, (double)m->free);
    }
    watch_out_text(o, "\n");
    watch_out_flush(o);
}
