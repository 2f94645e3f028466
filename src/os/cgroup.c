/* Control groups: where this process's group is, and what its memory files say.
 *
 * Three pieces of text meet. /proc/self/cgroup gives the group's path in a hierarchy, as seen from
 * the root of our cgroup namespace; /proc/self/mountinfo gives where a hierarchy is mounted and which
 * of its groups is the mount's root; the folder below the mount point holds the files. In a
 * container without a cgroup namespace the path (/docker/abc) lies below the mount's root
 * (/docker/abc) and the folder is the mount point itself; with namespaces that came later than the
 * mount the path may name nothing at all, and again the mount point is the best answer. */
#include "os/kernel.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether `word` stands in the comma-separated list. */
static bool lists(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; p; p = strchr(p, ',')) {
        p += *p == ',';
        if (strncmp(p, word, n) == 0 && (p[n] == '\0' || p[n] == ','))
            return true;
    }
    return false;
}

/* The path field of "4:cpu,memory:/path", or of "0::/path" in version 2. */
static bool group_path(const pl_os_view *view, long pid, int version, const char *controller, char path[PL__PATH])
{
    char name[32];
    pl__lines l;
    bool found = false;
    snprintf(name, sizeof name, "%ld/cgroup", pid);
    if (pl__lines_open(&l, view->proc, pid ? name : "self/cgroup"))
        for (char *line; !found && (line = pl__lines_next(&l));) {
            char *list = strchr(line, ':');
            char *at = list ? strchr(list + 1, ':') : NULL;
            if (!at || at[1] != '/')
                continue;
            *at = '\0';
            found = version == 2 ? strcmp(line, "0:") == 0 : lists(list + 1, controller);
            if (found)
                snprintf(path, PL__PATH, "%s", at + 1);
        }
    pl__lines_close(&l);
    return found;
}

/* mountinfo writes blanks and backslashes in paths as \ooo. */
static void unescape(char *s)
{
    char *out = s;
    while (*s) {
        bool octal = s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' && s[3] <= '7';
        if (octal) {
            *out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
            s += 4;
        } else {
            *out++ = *s++;
        }
    }
    *out = '\0';
}

typedef struct mount {
    char *root, *point;
} mount;

/* "36 35 98:0 /group /point rw,noatime master:1 - cgroup cgroup rw,memory" */
static bool parse_mount(char *line, int version, const char *controller, mount *out)
{
    char *field[5], *p = line;
    for (size_t i = 0; i < PL_COUNT(field); i++) {
        field[i] = p;
        p = strchr(p, ' ');
        if (!p)
            return false;
        *p++ = '\0';
    }
    char *type = strstr(p, "- ");
    if (!type || (type != p && type[-1] != ' '))
        return false;
    type += 2;
    char *options = strrchr(type, ' '), *source = strchr(type, ' ');
    if (!options || !source)
        return false;
    *source = '\0';
    if (strcmp(type, version == 2 ? "cgroup2" : "cgroup") != 0 || (version == 1 && !lists(options + 1, controller)))
        return false;
    *out = (mount){field[3], field[4]};
    unescape(out->root);
    unescape(out->point);
    return true;
}

static bool is_folder(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

/* Puts the path of the mount point, as the view sees it, into out. */
static bool place_mount(const pl_os_view *view, const char *point, pl__cgroup *out)
{
    const char *below = pl__after(point, "/sys/");
    int n = below ? snprintf(out->path, PL__PATH, "%s/%s", view->sys, below) : snprintf(out->path, PL__PATH, "%s", point);
    if (n <= 0 || n >= PL__PATH)
        return false;
    out->mount = (size_t)n;
    return is_folder(out->path);
}

/* Appends the group's path below the mount. Folders that are gone are no harm: their files are
 * missing and the walk upwards passes them. Returns how well it matched: 2 the mount's root is an
 * ancestor of the group, 1 some ending of the path is there, 0 the mount point alone. */
static int descend(const char *group, const char *root, pl__cgroup *out)
{
    size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);
    bool under = strncmp(group, root, n) == 0 && (group[n] == '/' || group[n] == '\0');
    const char *rest = under ? group + n : group;
    bool outside = strncmp(rest, "/..", 3) == 0 && (rest[3] == '/' || rest[3] == '\0');
    for (; *rest && !outside; rest += 1 + strcspn(rest + 1, "/")) {
        size_t first = 1 + strcspn(rest + 1, "/"), all = strlen(rest);
        if (rest[1] == '\0' || out->mount + all >= PL__PATH)
            break;
        memcpy(out->path + out->mount, rest, first);
        out->path[out->mount + first] = '\0';
        if (is_folder(out->path)) {
            memcpy(out->path + out->mount, rest, all + 1);
            return under && rest == group + n ? 2 : 1;
        }
    }
    out->path[out->mount] = '\0';
    return under && (group[n] == '\0' || group[n + 1] == '\0') ? 2 : 0;
}

/* Where hierarchies are by custom, for machines that do not show their mounts. */
static bool customary(const pl_os_view *view, int version, const char *controller, const char *group, pl__cgroup *out)
{
    char point[64];
    for (int i = 0; i < 2; i++) {
        const char *folder = version == 1 ? controller : i == 0 ? "unified" : "";
        if ((version == 1 && i == 1) || (size_t)snprintf(point, sizeof point, "/sys/fs/cgroup%s%s", *folder ? "/" : "", folder) >= sizeof point)
            break;
        if (place_mount(view, point, out)) {
            descend(group, "/", out);
            return true;
        }
    }
    return false;
}

bool pl__cgroup_find(const pl_os_view *view, long pid, int version, const char *controller, pl__cgroup *out)
{
    char group[PL__PATH];
    if (!group_path(view, pid, version, controller, group))
        return false;
    pl__lines l;
    pl__cgroup candidate = {.version = version};
    int best = -1;
    if (pl__lines_open(&l, view->proc, "self/mountinfo"))
        for (char *line; best < 2 && (line = pl__lines_next(&l));) {
            mount m;
            if (!parse_mount(line, version, controller, &m) || !place_mount(view, m.point, &candidate))
                continue;
            int match = descend(group, m.root, &candidate);
            if (match > best) {
                best = match;
                *out = candidate;
            }
        }
    pl__lines_close(&l);
    out->version = version;
    return best >= 0 || customary(view, version, controller, group, out);
}

bool pl__cgroup_up(pl__cgroup *g)
{
    size_t n = strlen(g->path);
    if (n <= g->mount)
        return false;
    while (n > g->mount && g->path[n - 1] != '/')
        n--;
    while (n > g->mount && g->path[n - 1] == '/')
        n--;
    g->path[n] = '\0';
    return true;
}

static const char *group_file(int version, int which)
{
    static const char *const names[2][PL__GROUP_FILES] = {
        {"memory.usage_in_bytes", "memory.limit_in_bytes", NULL, "memory.memsw.usage_in_bytes", "memory.memsw.limit_in_bytes", "memory.stat"},
        {"memory.current", "memory.max", "memory.high", NULL, NULL, "memory.stat"},
    };
    return names[version - 1][which];
}

static uint64_t first_value(int fd, pl__lines *scratch, uint64_t otherwise)
{
    uint64_t value = otherwise;
    if (fd >= 0) {
        pl__lines_start(scratch, fd);
        const char *line = pl__lines_next(scratch);
        if (!line || !pl__number_or_max(line, &value))
            value = otherwise;
    }
    return value;
}

static uint64_t less(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

/* File pages on the two LRU lists that reclaim takes without writing anything: pages of tmpfs are on
 * the anonymous lists already, dirty pages and those under way to the disk are not free at once.
 * v1 writes the group's own figures first and those with its children as total_*; usage includes the
 * children, so the latter count where there are any. */
static uint64_t reclaimable(int version, int fd, pl__lines *scratch, uint64_t *inherited)
{
    enum { INACTIVE, ACTIVE, DIRTY, WRITEBACK, KEYS };
    static const char *const keys[2][KEYS] = {
        {"inactive_file ", "active_file ", "dirty ", "writeback "}, {"inactive_file ", "active_file ", "file_dirty ", "file_writeback "}};
    uint64_t own[KEYS] = {0}, total[KEYS] = {0}, value;
    bool totals = false;
    if (fd < 0)
        return 0;
    pl__lines_start(scratch, fd);
    for (char *line; (line = pl__lines_next(scratch));) {
        const char *whole = pl__after(line, "total_");
        const char *name = whole ? whole : line, *after = pl__after(line, "hierarchical_memory_limit ");
        if (after && !pl__number_or_max(after, inherited))
            *inherited = UINT64_MAX;
        for (size_t i = 0; i < KEYS; i++)
            if ((after = pl__after(name, keys[version - 1][i])) && pl__number(after, &value)) {
                *(whole ? &total[i] : &own[i]) = value;
                totals |= whole != NULL;
            }
    }
    const uint64_t *v = totals ? total : own;
    uint64_t file;
    if (!pl_add(v[INACTIVE], v[ACTIVE], &file))
        return 0; /* garbage */
    return less(less(file, v[DIRTY]), v[WRITEBACK]);
}

void pl__group_read(int version, const int files[PL__GROUP_FILES], pl__lines *scratch, pl__group_memory *out)
{
    uint64_t usage = first_value(files[PL__USAGE], scratch, 0);
    uint64_t max = first_value(files[PL__LIMIT], scratch, UINT64_MAX), high = first_value(files[PL__HIGH], scratch, UINT64_MAX);
    uint64_t swap_limit = first_value(files[PL__SWAP_LIMIT], scratch, UINT64_MAX);
    out->inherited = UINT64_MAX;
    uint64_t file = reclaimable(version, files[PL__STAT], scratch, &out->inherited);
    out->used = less(usage, file);
    out->limit = max < high ? max : high;
    out->headroom = out->limit == UINT64_MAX ? UINT64_MAX : less(out->limit, out->used);
    out->over = less(out->used, out->limit);
    if (swap_limit != UINT64_MAX) { /* memory and swap together: swap used by others is taken from us */
        uint64_t left = less(swap_limit, less(first_value(files[PL__SWAP_USAGE], scratch, usage), file));
        if (left < out->headroom) {
            out->headroom = left;
            if (swap_limit < out->limit)
                out->limit = swap_limit;
        }
    }
}

void pl__group_open(const pl__cgroup *g, int files[PL__GROUP_FILES])
{
    for (int i = 0; i < PL__GROUP_FILES; i++) {
        const char *name = group_file(g->version, i);
        files[i] = name ? pl__open(g->path, name) : -1;
    }
}

void pl__group_close(int files[PL__GROUP_FILES])
{
    for (int i = 0; i < PL__GROUP_FILES; i++)
        if (files[i] >= 0)
            close(files[i]);
}

void pl__least_begin(pl__least *l) { *l = (pl__least){.headroom = UINT64_MAX, .limit = UINT64_MAX, .inherited = UINT64_MAX}; }

void pl__least_take(pl__least *l, const pl__group_memory *m)
{
    if (m->headroom < l->headroom || (m->headroom == l->headroom && m->over > l->over)) {
        l->headroom = m->headroom;
        l->limit = m->limit;
        l->used = m->used;
        l->over = m->over;
    }
    if (m->inherited < l->inherited) {
        l->inherited = m->inherited;
        l->inherited_used = m->used;
    }
}

/* An ancestor beyond the mount point: v1 tells its limit, and its use is at least ours. */
void pl__least_end(pl__least *l)
{
    uint64_t left = less(l->inherited, l->inherited_used);
    if (l->inherited != UINT64_MAX && left < l->headroom) {
        l->headroom = left;
        l->limit = l->inherited;
        l->used = l->inherited_used;
        l->over = less(l->inherited_used, l->inherited);
    }
}

void pl__least_by_path(const pl_os_view *view, long pid, pl__lines *scratch, pl__least *l)
{
    for (int version = 1; version <= 2; version++) {
        pl__cgroup g;
        if (!pl__cgroup_find(view, pid, version, "memory", &g))
            continue;
        do {
            int files[PL__GROUP_FILES];
            pl__group_memory m;
            pl__group_open(&g, files);
            pl__group_read(version, files, scratch, &m);
            pl__group_close(files);
            pl__least_take(l, &m);
        } while (pl__cgroup_up(&g));
    }
}

/* "oom_kill 3" in v2's memory.events and, since Linux 4.13, in v1's memory.oom_control. */
static void read_events(const pl__cgroup *g, pl__lines *l, pl_group *out)
{
    const struct {
        const char *key;
        uint64_t *value;
    } keys[] = {{"high ", &out->high}, {"max ", &out->max}, {"oom ", &out->oom}, {"oom_kill ", &out->oom_kill}};
    if (pl__lines_open(l, g->path, g->version == 1 ? "memory.oom_control" : "memory.events")) {
        for (const char *line, *value; (line = pl__lines_next(l));)
            for (size_t i = 0; i < PL_COUNT(keys); i++)
                if ((value = pl__after(line, keys[i].key)) && pl__number(value, keys[i].value))
                    out->has_events = true;
    }
    pl__lines_close(l);
    if (g->version == 1)
        pl__read_value(g->path, "memory.failcnt", &out->max);
}

bool pl_os_group(const pl_os_view *view, long pid, pl_group *out)
{
    pl__least tightest;
    pl__lines l;
    bool found = false;
    *out = (pl_group){0};
    pl__least_begin(&tightest);
    pl__least_by_path(view, pid, &l, &tightest);
    pl__least_end(&tightest);
    out->limit = tightest.limit;
    out->headroom = tightest.headroom;
    for (int version = 2; version >= 1 && !out->has_events; version--) {
        pl__cgroup g;
        int files[PL__GROUP_FILES];
        pl__group_memory m;
        if (!pl__cgroup_find(view, pid, version, "memory", &g))
            continue;
        pl__group_open(&g, files);
        pl__group_read(version, files, &l, &m);
        if (files[PL__USAGE] >= 0) {
            found = true;
            out->used = m.used;
            out->id = 14695981039346656037ULL; /* FNV-1a */
            for (const char *c = g.path; *c; c++)
                out->id = (out->id ^ (unsigned char)*c) * 1099511628211ULL;
            read_events(&g, &l, out);
        }
        pl__group_close(files);
    }
    return found;
}
