/* Which container, service or session a process belongs to, told from its control group's path. */
#include "watch/watch.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t hex_run(const char *s)
{
    size_t n = 0;
    while (isxdigit((unsigned char)s[n]) && !isupper((unsigned char)s[n]))
        n++;
    return n;
}

/* "docker-<id>.scope" and its like, or a folder that is an id. */
static bool container_label(const char *name, size_t n, const char *before, char out[48])
{
    static const struct {
        const char *prefix, *label;
    } runtimes[] = {{"docker-", "docker"}, {"cri-containerd-", "containerd"}, {"containerd-", "containerd"}, {"nerdctl-", "containerd"}, {"crio-", "cri-o"},
        {"libpod-", "podman"}};
    for (size_t i = 0; i < PL_COUNT(runtimes); i++) {
        size_t prefix = strlen(runtimes[i].prefix);
        if (n > prefix && strncmp(name, runtimes[i].prefix, prefix) == 0 && hex_run(name + prefix) >= 12) {
            snprintf(out, 48, "%s %.12s", runtimes[i].label, name + prefix);
            return true;
        }
    }
    if (hex_run(name) >= 32 && hex_run(name) == n) {
        bool docker = strncmp(before, "docker/", 7) == 0, pod = strncmp(before, "pod", 3) == 0 || strncmp(before, "kubepods", 8) == 0;
        snprintf(out, 48, "%s %.12s", docker ? "docker" : pod ? "pod" : "container", name);
        return true;
    }
    if (n > 12 && strncmp(name, "lxc.payload.", 12) == 0) {
        snprintf(out, 48, "lxc %.*s", (int)pl_min(n - 12, 40), name + 12);
        return true;
    }
    return false;
}

static bool ends(const char *name, size_t n, const char *ending)
{
    size_t m = strlen(ending);
    return n > m && strncmp(name + n - m, ending, m) == 0;
}

static bool scope_label(const char *name, size_t n, const char *before, char out[48])
{
    if (strncmp(before, "lxc/", 4) == 0)
        snprintf(out, 48, "lxc %.*s", (int)pl_min(n, 40), name);
    else if (n > 4 && strncmp(name, "job_", 4) == 0)
        snprintf(out, 48, "slurm job %.*s", (int)pl_min(n - 4, 30), name + 4);
    else if (ends(name, n, ".service"))
        snprintf(out, 48, "%.*s", (int)pl_min(n, 47), name);
    else if (ends(name, n, ".scope"))
        n > 14 && strncmp(name, "session-", 8) == 0 ? snprintf(out, 48, "session %.*s", (int)pl_min(n - 14, 30), name + 8)
                                                    : snprintf(out, 48, "%.*s", (int)pl_min(n, 47), name);
    else if (n > 11 && strncmp(name, "user-", 5) == 0 && ends(name, n, ".slice"))
        snprintf(out, 48, "user %.*s", (int)pl_min(n - 11, 30), name + 5);
    else
        return false;
    return true;
}

/* The innermost component that names a container wins, then the innermost that names a service, job
 * or session; else the path's own end. */
void watch_group_label(const char *path, char out[48])
{
    char other[48] = "", last[48] = "", found[48] = "";
    const char *before = "";
    for (const char *p = path; *p;) {
        p += strspn(p, "/");
        size_t n = strcspn(p, "/");
        if (n == 0)
            break;
        container_label(p, n, before, found);
        scope_label(p, n, before, other);
        snprintf(last, sizeof last, "%.*s", (int)pl_min(n, 47), p);
        before = p;
        p += n;
    }
    watch_copy(out, 48, found[0] ? found : other[0] ? other : last);
    watch_clean(out);
}

/* The path that tells most: of the memory controller, of version 2, of systemd, in this order, the
 * first that is not the root. */
static const char *telling_path(char *text)
{
    static const char *const lists[] = {"memory", "", "name=systemd"};
    for (size_t i = 0; i < PL_COUNT(lists); i++)
        for (char *line = text; line && *line; line = strchr(line, '\n')) {
            line += *line == '\n';
            char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL, *end = strchr(line, '\n');
            if (!path || (end && path > end) || path[1] != '/')
                continue;
            size_t n = (size_t)(path - list - 1), m = strlen(lists[i]);
            bool match = m == 0 ? n == 0 : false;
            for (const char *word = list + 1; m && word < path; word += strcspn(word, ",:") + 1)
                match |= strncmp(word, lists[i], m) == 0 && (word[m] == ',' || word[m] == ':');
            if (match && path[2] != '\0' && path[2] != '\n') {
                if (end)
                    *end = '\0';
                return path + 1;
            }
        }
    return "/";
}

uint32_t watch_groups_of(watch_groups *g, const char *proc, int pid)
{
    char text[4096], name[32];
    snprintf(name, sizeof name, "%d/cgroup", pid);
    if (watch_file_read(proc, name, text, sizeof text) <= 0)
        return WATCH_NO_GROUP;
    const char *path = telling_path(text);
    uint64_t key = 14695981039346656037ULL;
    for (const char *p = path; *p; p++)
        key = (key ^ (unsigned char)*p) * 1099511628211ULL;
    key += key == 0;
    size_t place = g->count;
    for (size_t i = 0; i < g->count; i++) {
        if (g->list[i].key == key)
            return (uint32_t)i;
        if (g->list[i].key == 0)
            place = i;
    }
    if (place == g->count) {
        if (g->count >= WATCH_NO_GROUP || !watch_grow((void **)&g->list, &g->capacity, g->count, sizeof *g->list))
            return WATCH_NO_GROUP;
        g->count++;
    }
    g->list[place] = (watch_group){.key = key};
    watch_group_label(path, g->list[place].label);
    return (uint32_t)place;
}

void watch_groups_free(watch_groups *g)
{
    free(g->list);
    *g = (watch_groups){0};
}
