/* How much memory a new process may plan with: the least of what the machine, its control groups and
 * its resource limits leave, less what other plimsolls still mean to take and a reserve. */
#include "os/kernel.h"

#include <stdio.h>
#include <string.h>

/* A sixteenth is left to the others, the kernel's own share of our work (page tables, pipes) and what
 * moves between planning and running; a gibibyte is enough on any machine. */
enum { RESERVE_PART = 16 };
static const uint64_t reserve_most = 1ULL << 30;

/* What is free moves all the time: rounded down to its upper six bits, two plans a moment apart are
 * the same. */
static uint64_t steady(uint64_t bytes)
{
    unsigned low = 0;
    while (bytes >> low >= 64)
        low++;
    return bytes >> low << low;
}

static uint64_t less(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

/* "Max address space         unlimited            unlimited            bytes" */
static uint64_t soft_limit(const char *line, const char *name)
{
    const char *value = pl__after(line, name);
    uint64_t bytes;
    return value && pl__number(value, &bytes) ? bytes : UINT64_MAX;
}

static uint64_t rlimit_left(const pl_os_view *view, const char **which)
{
    uint64_t space = UINT64_MAX, data = UINT64_MAX, used_space = 0, used_data = 0;
    pl__lines l;
    if (pl__lines_open(&l, view->proc, "self/limits"))
        for (char *line; (line = pl__lines_next(&l));) {
            uint64_t a = soft_limit(line, "Max address space "), d = soft_limit(line, "Max data size ");
            space = a < space ? a : space;
            data = d < data ? d : data;
        }
    pl__lines_close(&l);
    *which = "RLIMIT_AS";
    if (space == UINT64_MAX && data == UINT64_MAX)
        return UINT64_MAX;
    if (pl__lines_open(&l, view->proc, "self/status"))
        for (char *line; (line = pl__lines_next(&l));)
            if (!pl__kib(line, "VmSize", &used_space))
                pl__kib(line, "VmData", &used_data);
    pl__lines_close(&l);
    uint64_t a = space == UINT64_MAX ? space : less(space, used_space), d = data == UINT64_MAX ? data : less(data, used_data);
    if (d < a)
        *which = "RLIMIT_DATA";
    return d < a ? d : a;
}

static void state_reason(pl_spare *s, const pl__least *group, bool restricted, const char *rlimit_name)
{
    char left[32], limit[32], reserve[32], promised[32], used[32];
    pl_bytes_text(s->reserve, reserve);
    if (s->rlimit == s->bytes && s->rlimit < (s->cgroup < s->available ? s->cgroup : s->available)) {
        snprintf(s->reason, sizeof s->reason, "%s leaves %s", rlimit_name, pl_bytes_text(s->rlimit, left));
        return;
    }
    int n;
    if (s->cgroup <= s->available)
        n = snprintf(s->reason, sizeof s->reason, "container limit %s, %s in use, less %s reserve", pl_bytes_text(group->limit, limit),
            pl_bytes_text(group->used, used), reserve);
    else
        n = snprintf(s->reason, sizeof s->reason, "%s available on %s, less %s reserve", pl_bytes_text(s->available, left),
            restricted ? "the allowed NUMA nodes" : "this machine", reserve);
    if (s->promised && n > 0 && (size_t)n < sizeof s->reason)
        snprintf(s->reason + n, sizeof s->reason - (size_t)n, " and %s planned by other plimsolls", pl_bytes_text(s->promised, promised));
}

pl_status pl_os_spare(const pl_os_view *view, pl_spare *out, pl_error *e)
{
    pl__machine_memory machine;
    pl__lines scratch;
    const char *rlimit_name;
    bool known = pl__machine_read(view, -1, &scratch, &machine);
    /* before what is in use: what others touch meanwhile is then counted twice, not left out */
    uint64_t promised = pl__promised_by_others(view, machine.total);
    pl__least group;
    pl__least_begin(&group);
    pl__least_by_path(view, 0, &scratch, &group);
    pl__least_end(&group);
    *out = (pl_spare){.available = machine.available, .cgroup = group.headroom, .rlimit = rlimit_left(view, &rlimit_name)};
    if (out->available != UINT64_MAX)
        out->available = steady(out->available);
    uint64_t shared = out->cgroup < out->available ? out->cgroup : out->available;
    if (!known && shared == UINT64_MAX && out->rlimit == UINT64_MAX) {
        pl_fail(e, PL_MACHINE, "%s/meminfo: cannot be read, and no other limit is set: how much memory there is stays unknown", view->proc);
        pl_hint(e, "--memory SIZE sets the limit");
        return PL_MACHINE;
    }
    if (shared != UINT64_MAX) {
        out->promised = promised;
        out->reserve = shared / RESERVE_PART < reserve_most ? shared / RESERVE_PART : reserve_most;
        shared = less(less(shared, out->reserve), out->promised);
    }
    out->bytes = shared < out->rlimit ? shared : out->rlimit;
    state_reason(out, &group, machine.restricted, rlimit_name);
    return PL_OK;
}
