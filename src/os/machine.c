/* The machine's own memory and processes: meminfo, NUMA nodes, /proc/PID/status. */
#include "os/kernel.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct meminfo {
    uint64_t total, free, available, active_file, inactive_file, reclaimable, cached, buffers, shmem, dirty, writeback;
    uint64_t commit_limit, committed, anonymous;
    bool has_total, has_free, has_available, has_lists, has_anonymous;
} meminfo;

static void meminfo_line(meminfo *m, const char *line)
{
    m->has_total |= pl__kib(line, "MemTotal", &m->total);
    m->has_free |= pl__kib(line, "MemFree", &m->free);
    m->has_available |= pl__kib(line, "MemAvailable", &m->available);
    m->has_anonymous |= pl__kib(line, "AnonPages", &m->anonymous);
    m->has_lists |= pl__kib(line, "Inactive(file)", &m->inactive_file);
    const struct {
        const char *key;
        uint64_t *value;
    } rest[] = {{"Active(file)", &m->active_file}, {"SReclaimable", &m->reclaimable}, {"Cached", &m->cached}, {"Buffers", &m->buffers}, {"Shmem", &m->shmem},
        {"Dirty", &m->dirty}, {"Writeback", &m->writeback}, {"CommitLimit", &m->commit_limit}, {"Committed_AS", &m->committed}};
    for (size_t i = 0; i < PL_COUNT(rest); i++)
        if (pl__kib(line, rest[i].key, rest[i].value))
            break;
}

static uint64_t less(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

/* Saturating, since garbage may stand in any file. */
static uint64_t plus(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return pl_add(a, b, &sum) ? sum : UINT64_MAX;
}

/* Kernels before 3.14 do not say what is available. Theirs is free + file cache + slab less the
 * watermarks, and the kernel keeps at most half of either for itself: half is what is certain. */
static uint64_t estimate(const meminfo *m)
{
    uint64_t file = m->has_lists ? plus(m->active_file, m->inactive_file) : less(plus(m->cached, m->buffers), m->shmem);
    file = less(less(file, m->dirty), m->writeback);
    return plus(plus(m->free, file / 2), m->reclaimable / 2);
}

/* What the nodes' own files can say: everything that could become free, before the kernel's reserves. */
static uint64_t node_raw(const meminfo *m) { return plus(plus(m->free, plus(m->active_file, m->inactive_file)), m->reclaimable); }

static bool read_node(const pl_os_view *view, unsigned node, pl__lines *l, meminfo *out)
{
    char name[64];
    *out = (meminfo){0};
    snprintf(name, sizeof name, "devices/system/node/node%u/meminfo", node);
    if (pl__lines_open(l, view->sys, name))
        for (char *line; (line = pl__lines_next(l));) { /* "Node 0 MemFree:  12 kB" */
            char *key = strncmp(line, "Node ", 5) == 0 ? strchr(line + 5, ' ') : NULL;
            if (key)
                meminfo_line(out, key + 1);
        }
    pl__lines_close(l);
    return out->has_total && out->has_free;
}

static bool read_set(const char *root, const char *file, const char *key, pl__lines *l, pl__set *out)
{
    bool found = false;
    if (pl__lines_open(l, root, file))
        for (char *line; !found && (line = pl__lines_next(l));) {
            const char *value = pl__after(line, key);
            found = value && (*key ? pl__set_parse_mask(value, out) : pl__set_parse_list(value, out));
        }
    pl__lines_close(l);
    return found;
}

static unsigned count_set(const pl__set *s)
{
    unsigned count = 0;
    for (size_t i = 0; i < PL__SET_WORDS; i++)
        count += (unsigned)__builtin_popcountll(s->words[i]);
    return count;
}

/* Nodes have no MemAvailable of their own. The machine's is the sum of what could become free less
 * what the kernel keeps; the allowed nodes bear their share, by size, of what it keeps. */
static void restrict_nodes(const pl_os_view *view, pl__lines *l, pl__machine_memory *m)
{
    pl__set allowed, nodes;
    if (!read_set(view->sys, "devices/system/node/online", "", l, &nodes) || count_set(&nodes) < 2 ||
        !read_set(view->proc, "self/status", "Mems_allowed:", l, &allowed))
        return;
    uint64_t all_raw = 0, all_total = 0, raw = 0, total = 0;
    bool excluded = false;
    for (unsigned i = 0; i < PL__SET_WORDS * 64; i++) {
        meminfo node;
        if (!pl__set_has(&nodes, i) || !read_node(view, i, l, &node) || node.total == 0)
            continue;
        bool here = pl__set_has(&allowed, i);
        all_raw = plus(all_raw, node_raw(&node));
        all_total = plus(all_total, node.total);
        raw = plus(raw, here ? node_raw(&node) : 0);
        total = plus(total, here ? node.total : 0);
        excluded |= !here;
    }
    if (!excluded || total == 0)
        return;
    double kept = (double)less(all_raw, m->available) * ((double)total / (double)all_total);
    uint64_t available = less(raw, kept < 1e18 ? (uint64_t)kept : UINT64_MAX);
    m->restricted = true;
    m->total = total;
    if (available < m->available)
        m->available = available;
}

/* Under strict accounting (overcommit_memory 2) mappings are refused beyond the commit limit,
 * whatever is free. */
static void restrict_commit(const pl_os_view *view, const meminfo *info, pl__machine_memory *m)
{
    uint64_t mode;
    if (info->commit_limit && pl__read_value(view->proc, "sys/vm/overcommit_memory", &mode) && mode == 2) {
        uint64_t left = less(info->commit_limit, info->committed);
        if (left < m->available)
            m->available = left;
    }
}

bool pl__machine_read(const pl_os_view *view, int file, pl__lines *l, pl__machine_memory *out)
{
    meminfo info = {0};
    if (file >= 0)
        pl__lines_start(l, file);
    else
        pl__lines_open(l, view->proc, "meminfo");
    for (char *line; (line = pl__lines_next(l));)
        meminfo_line(&info, line);
    pl__lines_close(l);
    *out = (pl__machine_memory){info.total, UINT64_MAX, info.has_anonymous ? info.anonymous : UINT64_MAX, false};
    if (!info.has_available && !info.has_free)
        return false;
    out->available = info.has_available ? info.available : estimate(&info);
    if (info.has_total && out->available > info.total)
        out->available = info.total;
    restrict_nodes(view, l, out);
    restrict_commit(view, &info, out);
    return true;
}

bool pl_os_process_memory(const pl_os_view *view, long pid, pl_process_memory *out)
{
    char name[32];
    pl__lines l;
    *out = (pl_process_memory){0};
    if (pid)
        snprintf(name, sizeof name, "%ld/status", pid);
    bool found = false;
    if (pl__lines_open(&l, view->proc, pid ? name : "self/status"))
        for (char *line; (line = pl__lines_next(&l));) {
            found |= pl__kib(line, "VmRSS", &out->resident);
            if (!pl__kib(line, "VmSwap", &out->swap) && !pl__kib(line, "VmHWM", &out->peak))
                pl__kib(line, "VmSize", &out->virtual_bytes);
        }
    pl__lines_close(&l);
    return found;
}

/* percpu_counter_batch of the kernel is max(32, 2 x CPUs) pages; each CPU may hold that much back. */
uint64_t pl_os_count_slack(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN), page = sysconf(_SC_PAGESIZE);
    uint64_t n = cpus > 0 ? (uint64_t)cpus : 1;
    return n * (2 * n > 32 ? 2 * n : 32) * (page > 0 ? (uint64_t)page : 4096);
}

/* vm.NAME_bytes where it is set, else vm.NAME_ratio percent. */
static uint64_t dirty_share(const pl_os_view *view, const char *name, uint64_t ratio, uint64_t bytes)
{
    char file[64];
    uint64_t value;
    snprintf(file, sizeof file, "sys/vm/%s_bytes", name);
    if (pl__read_value(view->proc, file, &value) && value > 0)
        return pl_min(value, bytes);
    snprintf(file, sizeof file, "sys/vm/%s_ratio", name);
    if (pl__read_value(view->proc, file, &value) && value <= 100)
        ratio = value;
    return bytes / 100 * ratio;
}

uint64_t pl_os_may_wait(const pl_os_view *view, uint64_t bytes)
{
    enum { BACKGROUND = 10, LIMIT = 20 }; /* Linux's own */
    uint64_t begins = dirty_share(view, "dirty_background", BACKGROUND, bytes), ends = dirty_share(view, "dirty", LIMIT, bytes);
    return pl_min(begins, ends) / 2 + ends / 2;
}
