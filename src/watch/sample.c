/* One sample: the machine, its control group, the processes, the GPUs; and what they add up to. */
#include "watch/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What a sample may cost: the processes' walk ends after so much CPU time, and the GPUs' processes
 * are asked for less often where the driver is slow. Together well below half a percent of a core at
 * one sample a second. */
static const double walk_budget = 1.5e-3, uses_dear = 1.0e-3;
enum { DEAR_SAMPLES = 5 };

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

pl_status watch_state_start(watch_state *w, const watch_options *o, const pl_os_view *view, pl_error *e)
{
    *w = (watch_state){.options = o, .view = *view, .start = pl_os_seconds(), .root = (int)o->pid};
    w->watch_bytes = pl_os_watch_bytes(&w->view);
    w->watch_memory = pl_os_map(w->watch_bytes);
    if (!w->watch_memory)
        return pl_fail_no_memory(e, w->watch_bytes, "watch");
    w->watch = pl_os_watch_open(&w->view, w->watch_memory, w->watch_bytes);
    watch_processes_start(&w->processes, view->proc);
    pl_process_memory m;
    if (o->pid && !pl_os_process_memory(view, o->pid, &m)) {
        char name[48], text[64];
        snprintf(name, sizeof name, "%ld/stat", o->pid);
        bool there = watch_file_read(view->proc, name, text, sizeof text) > 0;
        return pl_fail(e, PL_BAD_INPUT, "--pid %ld: %s", o->pid, there ? "is a thread of the kernel or hidden from us" : "there is no such process");
    }
    return PL_OK;
}

static bool meminfo(const char *text, const char *key, uint64_t *out)
{
    const char *value = watch_line_find(text, key);
    if (!value)
        return false;
    *out = strtoull(value, NULL, 10) * 1024;
    return true;
}

void watch_count_kills(watch_state *w)
{
    watch_machine *m = &w->machine;
    char text[8192];
    const char *kills = watch_file_read(w->view.proc, "vmstat", text, sizeof text) > 0 ? watch_line_find(text, "oom_kill ") : NULL;
    m->has_oom_kill = kills != NULL;
    m->oom_kill = kills ? strtoull(kills, NULL, 10) : 0;
    pl_group group;
    bool of_root = w->root && pl_os_group(&w->view, w->root, &group);
    if (of_root || (!m->group_of_root && pl_os_group(&w->view, 0, &group))) {
        if (w->samples == 0 || group.id != m->group.id)
            w->group_kills_before = group.oom_kill;
        m->group = group;
        m->has_group = true;
        m->group_of_root |= of_root;
    }
    if (w->samples == 0)
        w->machine_kills_before = m->oom_kill;
}

uint64_t watch_oom_kills(const watch_state *w)
{
    const watch_machine *m = &w->machine;
    if (m->group.oom_kill > w->group_kills_before)
        return m->group.oom_kill - w->group_kills_before;
    return m->oom_kill > w->machine_kills_before ? m->oom_kill - w->machine_kills_before : 0;
}

static void read_machine(watch_state *w)
{
    watch_machine *m = &w->machine;
    char text[8192];
    m->known = watch_file_read(w->view.proc, "meminfo", text, sizeof text) > 0 && meminfo(text, "MemTotal:", &m->total);
    if (!m->known || !meminfo(text, "MemFree:", &m->unused))
        m->unused = 0;
    if (!m->known || !meminfo(text, "SwapTotal:", &m->swap_total) || !meminfo(text, "SwapFree:", &m->swap_free))
        m->swap_total = m->swap_free = 0;
    pl_os_watch_read(w->watch, &m->pressure);
    m->available = m->pressure.available;
    watch_count_kills(w);
    uint64_t headroom = m->has_group ? m->group.headroom : m->pressure.cgroup;
    if (m->has_group && m->pressure.cgroup < headroom && !w->root)
        headroom = m->pressure.cgroup;
    m->free = headroom < m->available ? headroom : m->available;
    if (m->free > m->total)
        m->free = m->total;
    /* The chart shows what a new process cannot have: of the machine, or of the limit it is under. */
    uint64_t whole = m->has_group && m->group.limit < m->total ? m->group.limit : m->total;
    watch_history_add(&m->history, m->known && whole ? (double)(whole > m->free ? whole - m->free : 0) / (double)whole : -1);
    if (m->known)
        watch_trend_add(&m->trend, w->now, (double)m->total - (double)m->free);
}

/* Ties the GPUs' users to processes, once a process and device. */
static void add_gpu_bytes(watch_state *w)
{
    for (size_t i = 0; i < w->processes.count; i++)
        w->processes.list[i].gpu = 0;
    for (size_t i = 0; i < w->gpus.use_count; i++) {
        watch_process *x = watch_processes_find(&w->processes, w->gpus.uses[i].pid);
        if (x && w->gpus.uses[i].bytes != UINT64_MAX)
            x->gpu += w->gpus.uses[i].bytes;
    }
}

static void add_groups(watch_state *w)
{
    for (size_t i = 0; i < w->groups.count; i++) {
        watch_group *g = &w->groups.list[i];
        g->resident = g->swap = g->gpu = g->processes = 0;
        g->rate = 0;
    }
    for (size_t i = 0; i < w->processes.count; i++) {
        const watch_process *x = &w->processes.list[i];
        if (x->pass == 0 || x->kernel || x->group >= w->groups.count)
            continue;
        watch_group *g = &w->groups.list[x->group];
        g->processes++;
        g->resident += x->resident;
        g->swap += x->swap;
        g->gpu += x->gpu;
        g->rate += x->rate;
        g->pid = x->pid;
    }
}

static void add_tree(watch_state *w)
{
    w->tree_resident = w->tree_swap = w->tree_gpu = 0;
    w->tree_count = 0;
    if (!w->root)
        return;
    for (size_t i = 0; i < w->processes.count; i++) {
        const watch_process *x = &w->processes.list[i];
        if (x->pass == 0 || !watch_processes_within(&w->processes, x, w->root))
            continue;
        w->tree_count++;
        w->tree_resident += x->resident;
        w->tree_swap += x->swap;
        w->tree_gpu += x->gpu;
    }
    pl_process_memory m;
    w->root_gone = !pl_os_process_memory(&w->view, w->root, &m);
    if (!w->root_gone)
        watch_trend_add(&w->tree_trend, w->now, (double)(w->tree_resident + w->tree_swap));
    uint64_t held = w->tree_resident + w->tree_swap;
    w->tree_peak = held > w->tree_peak ? held : w->tree_peak;
    if (!w->root_gone && m.peak > w->tree_peak)
        w->tree_peak = m.peak; /* the kernel's own high-water mark sees what lies between samples */
    w->tree_gpu_peak = w->tree_gpu > w->tree_gpu_peak ? w->tree_gpu : w->tree_gpu_peak;
}

void watch_sample(watch_state *w)
{
    struct timespec wall;
    w->now = pl_os_seconds();
    clock_gettime(CLOCK_REALTIME, &wall);
    w->unix_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
    read_machine(w);
    bool uses = w->use_cost < uses_dear || w->samples % DEAR_SAMPLES == 0;
    double before = cpu_seconds();
    watch_gpus_read(&w->gpus, w->view.sys, w->now, uses);
    if (uses)
        w->use_cost = cpu_seconds() - before;
    w->processes.swapping = w->machine.swap_total > w->machine.swap_free;
    watch_processes_read(&w->processes, &w->groups, w->now, w->samples == 0 ? 0 : walk_budget);
    add_gpu_bytes(w);
    add_groups(w);
    add_tree(w);
    w->samples++;
}

/* ---- who comes first ---- */

static const watch_state *sorting;
static watch_sort sorting_by;

static int compare_processes(const void *a, const void *b)
{
    const watch_process *x = &sorting->processes.list[*(const uint32_t *)a], *y = &sorting->processes.list[*(const uint32_t *)b];
    uint64_t p = x->resident + x->swap, q = y->resident + y->swap;
    int order = 0;
    if (sorting_by == SORT_GPU)
        order = (x->gpu < y->gpu) - (x->gpu > y->gpu);
    else if (sorting_by == SORT_RATE)
        order = (x->rate < y->rate) - (x->rate > y->rate);
    else if (sorting_by == SORT_NAME)
        order = strcmp(x->name, y->name);
    if (order == 0 && sorting_by != SORT_PID)
        order = (p < q) - (p > q);
    return order ? order : (x->pid > y->pid) - (x->pid < y->pid);
}

static bool matches(const watch_state *w, const watch_process *x, const char *filter)
{
    char user[24], pid[16];
    if (!filter || !*filter)
        return true;
    snprintf(pid, sizeof pid, "%d", x->pid);
    return strstr(x->name, filter) || strcmp(pid, filter) == 0 || strstr(watch_user_name(x->uid, user), filter) ||
        (x->group < w->groups.count && strstr(w->groups.list[x->group].label, filter));
}

size_t watch_order(const watch_state *w, watch_sort sort, const char *filter, uint32_t *order, size_t capacity)
{
    size_t count = 0;
    for (size_t i = 0; i < w->processes.count && count < capacity; i++) {
        const watch_process *x = &w->processes.list[i];
        if (x->pass == 0 || x->kernel || !matches(w, x, filter) || (w->root && !watch_processes_within(&w->processes, x, w->root)))
            continue;
        order[count++] = (uint32_t)i;
    }
    sorting = w;
    sorting_by = sort;
    if (count)
        qsort(order, count, sizeof *order, compare_processes);
    return count;
}

/* ---- what could not be seen ---- */

static void add_unseen(char *out, size_t capacity, const char *what)
{
    size_t n = strlen(out);
    if (*what)
        snprintf(out + n, capacity - n, "%s%s", n ? ", " : "", what);
}

/* /proc mounted with hidepid shows the own processes only: not even the first one. */
static bool others_hidden(const watch_state *w)
{
    char first[PATH_MAX];
    int n = w->view.proc ? snprintf(first, sizeof first, "%s/1", w->view.proc) : 0;
    return w->processes.count > 0 && n > 0 && (size_t)n < sizeof first && access(first, F_OK) != 0;
}

void watch_unseen(const watch_state *w, char *out, size_t capacity)
{
    char hidden[64];
    *out = '\0';
    if (!w->machine.known)
        add_unseen(out, capacity, "the machine's memory (no /proc/meminfo)");
    if (!w->machine.has_group)
        add_unseen(out, capacity, "the control group");
    if (!w->machine.pressure.has_stall)
        add_unseen(out, capacity, "memory pressure (the kernel has no PSI)");
    if (!w->processes.count)
        add_unseen(out, capacity, "processes");
    if (others_hidden(w))
        add_unseen(out, capacity, "processes of other users (/proc is mounted with hidepid)");
    if (w->processes.hidden) {
        snprintf(hidden, sizeof hidden, "%zu processes (no permission)", w->processes.hidden);
        add_unseen(out, capacity, hidden);
    }
    add_unseen(out, capacity, w->gpus.nvidia_note);
    add_unseen(out, capacity, w->gpus.amd_note);
}

void watch_state_end(watch_state *w)
{
    watch_gpus_free(&w->gpus);
    watch_processes_free(&w->processes);
    watch_groups_free(&w->groups);
    pl_os_watch_close(w->watch);
    if (w->watch_memory)
        pl_os_unmap(w->watch_memory, w->watch_bytes);
    w->watch = NULL;
    w->watch_memory = NULL;
}
