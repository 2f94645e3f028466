/* How many threads are worth starting: affinity, cores, quota. */
#define _GNU_SOURCE /* syscall */
#include "os/kernel.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The calling thread's affinity. The C library's cpu_set_t ends at 1024 CPUs; the mask in status and
 * the system call behind it do not. status lists CPUs that are not there, so `online` is cut out. */
static bool allowed_cpus(const pl_os_view *view, pl__lines *l, pl__set *out)
{
    static const char *const files[] = {"thread-self/status", "self/status"};
    bool found = false;
    for (size_t i = 0; i < PL_COUNT(files) && !found; i++) {
        if (pl__lines_open(l, view->proc, files[i]))
            for (char *line; !found && (line = pl__lines_next(l));) {
                const char *mask = pl__after(line, "Cpus_allowed:");
                found = mask && pl__set_parse_mask(mask, out);
            }
        pl__lines_close(l);
    }
    if (!found) {
        memset(out, 0, sizeof *out);
        return syscall(SYS_sched_getaffinity, 0, sizeof out->words, out->words) > 0;
    }
    pl__set online;
    if (pl__lines_open(l, view->sys, "devices/system/cpu/online")) {
        const char *line = pl__lines_next(l);
        if (line && pl__set_parse_list(line, &online))
            for (size_t i = 0; i < PL__SET_WORDS; i++)
                out->words[i] &= online.words[i];
    }
    pl__lines_close(l);
    return true;
}

/* Whether an allowed CPU of a lower number is on the same core. */
static bool shares_core(const pl_os_view *view, unsigned cpu, const pl__set *allowed, pl__lines *l)
{
    char name[80];
    pl__set siblings;
    bool shares = false;
    snprintf(name, sizeof name, "devices/system/cpu/cpu%u/topology/thread_siblings_list", cpu);
    if (pl__lines_open(l, view->sys, name)) {
        const char *line = pl__lines_next(l);
        if (line && pl__set_parse_list(line, &siblings))
            for (unsigned i = 0; i < cpu && !shares; i++)
                shares = pl__set_has(&siblings, i) && pl__set_has(allowed, i);
    }
    pl__lines_close(l);
    return shares;
}

static unsigned count_cores(const pl_os_view *view, pl__lines *l)
{
    pl__set allowed;
    unsigned count = 0;
    if (!allowed_cpus(view, l, &allowed)) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        return online > 0 ? (unsigned)online : 1;
    }
    for (unsigned i = 0; i < PL__SET_WORDS * 64; i++)
        count += pl__set_has(&allowed, i) && !shares_core(view, i, &allowed, l);
    return count;
}

/* CPUs' worth of time of one group: v2 "200000 100000" or "max 100000", v1 quota (-1: none) and period. */
static uint64_t group_quota(const pl__cgroup *g, pl__lines *l)
{
    uint64_t quota = 0, period = 0;
    if (g->version == 1) {
        if (!pl__read_value(g->path, "cpu.cfs_quota_us", &quota) || !pl__read_value(g->path, "cpu.cfs_period_us", &period))
            return UINT64_MAX;
    } else if (pl__lines_open(l, g->path, "cpu.max")) {
        const char *line = pl__lines_next(l), *blank = line ? strchr(line, ' ') : NULL;
        if (!blank || !pl__number(line, &quota) || !pl__number(blank, &period))
            quota = 0;
        pl__lines_close(l);
    }
    if (quota == 0 || period == 0 || quota == UINT64_MAX)
        return UINT64_MAX;
    return quota / period + (quota % period != 0);
}

unsigned pl_os_cpus(const pl_os_view *view)
{
    pl__lines l;
    uint64_t count = count_cores(view, &l);
    for (int version = 1; version <= 2; version++) {
        pl__cgroup g;
        if (!pl__cgroup_find(view, 0, version, "cpu", &g))
            continue;
        do {
            uint64_t quota = group_quota(&g, &l);
            count = quota < count ? quota : count;
        } while (pl__cgroup_up(&g));
    }
    return count ? (unsigned)count : 1;
}

double pl_os_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
