#include "hub/folder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void pl__heap(pl_folder *f, size_t more, size_t less)
{
    f->now += more;
    f->peak = pl_max(f->peak, f->now);
    f->now -= less;
}

void *pl__take(pl_folder *f, size_t bytes, pl_error *e)
{
    void *p = pl_region_take(&f->region, bytes);
    if (!p)
        pl_fail_no_memory(e, bytes, f->root);
    return p;
}

char *pl__copy(pl_folder *f, const char *text, size_t n, pl_error *e)
{
    char *p = pl_region_string(&f->region, text, n);
    if (!p)
        pl_fail_no_memory(e, n + 1, f->root);
    return p;
}

char *pl__join(pl_folder *f, const char *folder, const char *name, pl_error *e)
{
    size_t a = strlen(folder), b = strlen(name);
    while (a > 1 && folder[a - 1] == '/')
        a--;
    char *path = pl__take(f, a + b + 2, e);
    if (path)
        snprintf(path, a + b + 2, "%.*s%s%s", (int)a, folder, b && folder[a - 1] != '/' ? "/" : "", name);
    return path;
}

bool pl__exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

bool pl__stays_inside(const char *path, size_t n)
{
    if (memchr(path, '\0', n) || (n > 0 && path[0] == '/'))
        return false;
    for (const char *part = path;; part++) {
        size_t length = strcspn(part, "/");
        if (length == 2 && part[0] == '.' && part[1] == '.')
            return false;
        part += length;
        if (!*part)
            return true;
    }
}

pl_status pl__load(pl_folder *f, const char *path, bool array, json_t **out, pl_error *e)
{
    pl_status status = array ? pl_json_load_array(path, PL__SMALL_JSON, &f->memory, out, e) : pl_json_load_with(path, PL__SMALL_JSON, &f->memory, out, e);
    if (!status)
        pl__heap(f, pl_json_held(*out), 0);
    return status;
}

void pl__forget(pl_folder *f, json_t *value)
{
    if (!value)
        return;
    pl__heap(f, 0, pl_json_held(value));
    json_decref(value);
}
