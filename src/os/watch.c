/* What is left while a job runs. One set of open files for each group between this process and the
 * mount point, one for meminfo, one for PSI; a reading is a handful of pread. */
#include "os/kernel.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

typedef struct level {
    int version;
    int files[PL__GROUP_FILES];
} level;

/* Room for a process that is moved to a deeper group later. What is deeper still is opened anew for
 * each reading. */
enum { LEVELS_MORE = 8 };

struct pl_os_watch {
    const pl_os_view *view;
    pl_os_view copy;
    int meminfo, own; /* own: /proc/self/cgroup, to notice a move */
    int stall, stat;  /* PSI, and memory.stat of the group it is of; stat -1: it is the machine's */
    uint64_t own_hash;
    size_t count, capacity;
    bool deeper, own_stall;
    pl__lines scratch;
    level levels[];
};

static size_t depth(const pl_os_view *view)
{
    size_t levels = 0;
    for (int version = 1; version <= 2; version++) {
        pl__cgroup g;
        if (pl__cgroup_find(view, 0, version, "memory", &g))
            do
                levels++;
            while (pl__cgroup_up(&g));
    }
    return levels;
}

size_t pl_os_watch_bytes(const pl_os_view *view) { return pl_round_up(sizeof(pl_os_watch) + (depth(view) + LEVELS_MORE) * sizeof(level), 16); }

/* FNV-1a over the lines of /proc/self/cgroup. */
static uint64_t hash_own(pl_os_watch *w)
{
    uint64_t hash = 14695981039346656037ULL;
    pl__lines_start(&w->scratch, w->own);
    for (const char *line; (line = pl__lines_next(&w->scratch));)
        for (const char *p = line;; p++) {
            hash = (hash ^ (unsigned char)*p) * 1099511628211ULL;
            if (!*p)
                break;
        }
    return hash;
}

static void find_levels(pl_os_watch *w)
{
    w->count = 0;
    w->deeper = w->own_stall = false;
    w->stall = w->stat = -1;
    for (int version = 2; version >= 1; version--) {
        pl__cgroup g;
        if (!pl__cgroup_find(w->view, 0, version, "memory", &g))
            continue;
        if (version == 2 && w->stall < 0 && strlen(g.path) > g.mount) {
            w->stall = pl__open(g.path, "memory.pressure");
            w->stat = w->stall >= 0 ? pl__open(g.path, "memory.stat") : -1;
            w->own_stall = w->stall >= 0;
        }
        do {
            if (w->count < w->capacity) {
                level *l = &w->levels[w->count++];
                l->version = version;
                pl__group_open(&g, l->files);
            } else {
                w->deeper = true;
            }
        } while (pl__cgroup_up(&g));
    }
    if (w->stall < 0)
        w->stall = pl__open(w->view->proc, "pressure/memory");
}

static void close_levels(pl_os_watch *w)
{
    for (size_t i = 0; i < w->count; i++)
        pl__group_close(w->levels[i].files);
    if (w->stall >= 0)
        close(w->stall);
    if (w->stat >= 0)
        close(w->stat);
    w->count = 0;
    w->stall = w->stat = -1;
}

pl_os_watch *pl_os_watch_open(const pl_os_view *view, void *memory, size_t bytes)
{
    assert(bytes >= sizeof(pl_os_watch) && (uintptr_t)memory % 16 == 0);
    pl_os_watch *w = memory;
    memset(w, 0, sizeof *w);
    w->copy = *view;
    w->view = &w->copy;
    w->capacity = (bytes - sizeof *w) / sizeof(level);
    w->meminfo = pl__open(view->proc, "meminfo");
    w->own = pl__open(view->proc, "self/cgroup");
    w->own_hash = hash_own(w);
    find_levels(w);
    return w;
}

/* "some avg10=0.00 avg60=..." without the locale's decimal point. */
static bool read_average(const char *line, const char *kind, double *out)
{
    const char *value = pl__after(line, kind);
    size_t n = value ? strcspn(value, " ") : 0;
    return n > 0 && pl_double_parse(value, n, out) && *out >= 0;
}

static void read_stall(pl_os_watch *w, pl_pressure *out)
{
    if (w->stall < 0)
        return;
    pl__lines_start(&w->scratch, w->stall);
    for (const char *line; (line = pl__lines_next(&w->scratch));)
        if (read_average(line, "some avg10=", &out->some) || read_average(line, "full avg10=", &out->full))
            out->has_stall = true;
    if (w->stat < 0)
        return;
    pl__lines_start(&w->scratch, w->stat);
    for (const char *line, *value; (line = pl__lines_next(&w->scratch));)
        if ((value = pl__after(line, "anon ")) && !pl__number(value, &out->anonymous))
            out->anonymous = UINT64_MAX;
}

void pl_os_watch_read(pl_os_watch *w, pl_pressure *out)
{
    *out = (pl_pressure){.cgroup = UINT64_MAX, .limit = UINT64_MAX, .available = UINT64_MAX, .anonymous = UINT64_MAX};
    uint64_t hash = hash_own(w);
    if (hash != w->own_hash) {
        close_levels(w);
        find_levels(w);
        w->own_hash = hash;
    }
    pl__least l;
    pl__least_begin(&l);
    for (size_t i = 0; i < w->count && !w->deeper; i++) {
        pl__group_memory m;
        pl__group_read(w->levels[i].version, w->levels[i].files, &w->scratch, &m);
        pl__least_take(&l, &m);
    }
    if (w->deeper)
        pl__least_by_path(w->view, 0, &w->scratch, &l);
    pl__least_end(&l);
    out->cgroup = l.headroom;
    out->limit = l.limit;
    out->over = l.over;
    pl__machine_memory machine;
    if (pl__machine_read(w->view, w->meminfo, &w->scratch, &machine))
        out->available = machine.available;
    if (!w->own_stall)
        out->anonymous = machine.anonymous;
    read_stall(w, out);
}

void pl_os_watch_close(pl_os_watch *w)
{
    if (!w)
        return;
    close_levels(w);
    if (w->meminfo >= 0)
        close(w->meminfo);
    if (w->own >= 0)
        close(w->own);
}
