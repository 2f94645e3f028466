/* The processes, within a budget. Reading every process every second would cost more than all else;
 * so the largest are read at each sample, and a walk through /proc goes on where it stood, finding
 * new ones and looking at the others, for as long as the budget lasts. */
#include "watch/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HOT = 32, BUDGET_LOOKS = 8, KERNEL_PASSES = 32, GROUP_PASSES = 16 };
static const double rate_seconds = 10;

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void watch_processes_start(watch_processes *p, const char *proc) { *p = (watch_processes){.proc = proc, .pass = 1}; }

/* ---- pid -> entry ---- */

static size_t slot_of(const watch_processes *p, int pid)
{
    size_t i = (size_t)((uint32_t)pid * 2654435761U) & (p->slot_count - 1);
    while (p->slots[i] && p->list[p->slots[i] - 1].pid != pid)
        i = (i + 1) & (p->slot_count - 1);
    return i;
}

watch_process *watch_processes_find(const watch_processes *p, int pid)
{
    uint32_t at = p->slot_count ? p->slots[slot_of(p, pid)] : 0;
    return at ? &p->list[at - 1] : NULL;
}

static bool rebuild_slots(watch_processes *p)
{
    size_t wanted = 64;
    while (wanted < p->count * 2 + 2)
        wanted *= 2;
    if (wanted != p->slot_count) {
        uint32_t *slots = realloc(p->slots, wanted * sizeof *slots);
        if (!slots)
            return p->slot_count > p->count;
        p->slots = slots;
        p->slot_count = wanted;
    }
    memset(p->slots, 0, p->slot_count * sizeof *p->slots);
    for (size_t i = 0; i < p->count; i++)
        p->slots[slot_of(p, p->list[i].pid)] = (uint32_t)i + 1;
    return true;
}

static watch_process *add_process(watch_processes *p, int pid)
{
    if (!watch_grow((void **)&p->list, &p->capacity, p->count, sizeof *p->list))
        return NULL;
    p->list[p->count++] = (watch_process){.pid = pid, .group = WATCH_NO_GROUP, .fresh = true};
    if (p->slot_count < p->count * 2) {
        if (!rebuild_slots(p)) {
            p->count--;
            return NULL;
        }
    } else {
        p->slots[slot_of(p, pid)] = (uint32_t)p->count;
    }
    return &p->list[p->count - 1];
}

/* ---- one process ---- */

typedef struct stat_line {
    char name[16];
    int parent;
    bool kernel;
    uint64_t start, resident;
    uint32_t uid;
} stat_line;

/* Fields of /proc/PID/stat are counted from the last bracket: the name may hold anything. */
static bool parse_stat(char *text, stat_line *out)
{
    char *open = strchr(text, '('), *close = strrchr(text, ')');
    if (!open || !close || close < open)
        return false;
    *close = '\0';
    watch_copy(out->name, sizeof out->name, open + 1);
    watch_clean(out->name);
    char *p = close + 1;
    for (int field = 3; field <= 24; field++) {
        p += strspn(p, " ");
        if (!*p)
            return false;
        unsigned long long value = strtoull(p, NULL, 10);
        if (field == 4)
            out->parent = (int)value;
        if (field == 9)
            out->kernel = (value & 0x200000) != 0; /* PF_KTHREAD */
        if (field == 22)
            out->start = value;
        if (field == 24)
            out->resident = value;
        p += strcspn(p, " ");
    }
    return true;
}

/* 1 read, 0 not ours to read, -1 gone. */
static int read_stat(const watch_processes *p, int pid, stat_line *out)
{
    static uint64_t page;
    char path[4128], text[1024];
    struct stat s;
    if (!page)
        page = (uint64_t)sysconf(_SC_PAGESIZE);
    if ((size_t)snprintf(path, sizeof path, "%s/%d/stat", p->proc, pid) >= sizeof path)
        return -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES || errno == EPERM ? 0 : -1;
    ssize_t n = read(fd, text, sizeof text - 1);
    out->uid = fstat(fd, &s) == 0 ? s.st_uid : UINT32_MAX;
    close(fd);
    if (n <= 0)
        return -1;
    text[n] = '\0';
    if (!parse_stat(text, out))
        return -1;
    out->resident *= page;
    return 1;
}

static uint64_t read_swap(const watch_processes *p, int pid)
{
    pl_os_view view = {p->proc, "", NULL};
    pl_process_memory m;
    return pl_os_process_memory(&view, pid, &m) ? m.swap : 0;
}

/* Smoothed so that a jump fades within some ten seconds. */
static void take_rate(watch_process *x, uint64_t resident, double now)
{
    double time = now - x->at;
    if (x->at > 0 && time > 0) {
        double rate = ((double)resident - (double)x->resident) / time, weight = 1 - exp(-time / rate_seconds);
        x->rate += weight * (rate - x->rate);
    }
}

/* Reads pid into its entry; NULL when it is gone or must not be read. */
static watch_process *refresh(watch_processes *p, watch_groups *g, int pid, double now, bool hot)
{
    stat_line line = {0};
    watch_process *x = watch_processes_find(p, pid);
    int got = read_stat(p, pid, &line);
    if (got <= 0) {
        p->hidden_now += got == 0;
        if (x)
            x->pass = 0; /* the next sweep takes it */
        return NULL;
    }
    if (!x && !(x = add_process(p, pid)))
        return NULL;
    if (x->start != line.start)
        *x = (watch_process){.pid = pid, .start = line.start, .group = WATCH_NO_GROUP, .fresh = true};
    bool first = x->at == 0;
    if (!line.kernel) {
        take_rate(x, line.resident, now);
        if (x->group == WATCH_NO_GROUP || (p->pass + (uint32_t)pid) % GROUP_PASSES == 0)
            x->group = watch_groups_of(g, p->proc, pid);
        if (p->swapping && (hot || !p->whole))
            x->swap = read_swap(p, pid);
    }
    watch_copy(x->name, sizeof x->name, line.name); /* exec may have changed it */
    x->parent = line.parent;
    x->uid = line.uid;
    x->kernel = line.kernel;
    x->resident = line.resident;
    x->fresh = first;
    x->at = now;
    x->pass = p->pass;
    return x;
}

/* ---- all of them ---- */

static void read_largest(watch_processes *p, watch_groups *g, double now)
{
    int pids[HOT];
    uint64_t sizes[HOT];
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++) {
        const watch_process *x = &p->list[i];
        uint64_t size = x->resident + x->swap;
        if (x->kernel || (count == HOT && size <= sizes[HOT - 1]))
            continue;
        size_t at = count < HOT ? count++ : HOT - 1;
        for (; at > 0 && sizes[at - 1] < size; at--) {
            sizes[at] = sizes[at - 1];
            pids[at] = pids[at - 1];
        }
        sizes[at] = size;
        pids[at] = x->pid;
    }
    for (size_t i = 0; i < count; i++)
        refresh(p, g, pids[i], now, true);
}

/* At the end of a pass: forgets who was not met, and groups without members. */
static void sweep(watch_processes *p, watch_groups *g)
{
    size_t kept = 0;
    for (size_t i = 0; i < g->count; i++)
        g->list[i].processes = 0;
    for (size_t i = 0; i < p->count; i++) {
        watch_process *x = &p->list[i];
        if (x->pass != p->pass)
            continue;
        if (x->group < g->count)
            g->list[x->group].processes++;
        p->list[kept++] = *x;
    }
    p->count = kept;
    for (size_t i = 0; i < g->count; i++)
        if (g->list[i].processes == 0)
            g->list[i].key = 0;
    while (g->count && g->list[g->count - 1].key == 0)
        g->count--;
    rebuild_slots(p);
    p->whole = true;
    p->pass++;
}

/* Kernel threads hold nothing of their own and stay what they are: they are only met. */
static bool only_meet(watch_processes *p, int pid)
{
    watch_process *x = watch_processes_find(p, pid);
    if (!x || !x->kernel || p->pass % KERNEL_PASSES == 0)
        return false;
    x->pass = p->pass;
    return true;
}

void watch_processes_read(watch_processes *p, watch_groups *g, double now, double budget)
{
    double end = cpu_seconds() + budget;
    if (budget > 0)
        read_largest(p, g, now);
    if (!p->walk && !(p->walk = opendir(p->proc)))
        return;
    for (unsigned looks = 1;; looks++) {
        struct dirent *entry = readdir(p->walk);
        if (!entry) {
            sweep(p, g);
            rewinddir(p->walk);
            p->hidden = p->hidden_now;
            p->hidden_now = 0;
            return;
        }
        char *rest;
        long pid = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? strtol(entry->d_name, &rest, 10) : 0;
        if (pid <= 0 || pid > INT32_MAX || *rest || only_meet(p, (int)pid))
            continue;
        watch_process *x = watch_processes_find(p, (int)pid);
        if (!x || x->at != now)
            refresh(p, g, (int)pid, now, false);
        else
            x->pass = p->pass;
        if (budget > 0 && looks % BUDGET_LOOKS == 0 && cpu_seconds() > end)
            return;
    }
}

bool watch_processes_within(const watch_processes *p, const watch_process *x, int root)
{
    for (int depth = 0; x && depth < 1000; depth++) {
        if (x->pid == root)
            return true;
        if (x->parent <= 1 || x->parent == x->pid)
            return false;
        x = watch_processes_find(p, x->parent);
    }
    return false;
}

void watch_processes_free(watch_processes *p)
{
    if (p->walk)
        closedir(p->walk);
    free(p->list);
    free(p->slots);
    *p = (watch_processes){0};
}
