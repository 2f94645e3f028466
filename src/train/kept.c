/* Numbered folders in OUT.partial. A folder that has its name is whole: it was written as ".new-...",
 * synced, renamed; one to be removed is renamed ".old-..." first. */
#include "train/files.h"
#include "train/trainer.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 64 };

char *pl__kept_path(const pl_trainer *t, const char *stem, uint64_t number, const char *file, pl_error *e)
{
    char name[NAME_BYTES * 2];
    snprintf(name, sizeof name, "%s-%" PRIu64 "%s%s", stem, number, *file ? "/" : "", file);
    return pl__path_join(t->paths.partial, name, e);
}

static bool number_of(const char *name, const char *stem, uint64_t *number)
{
    enum { DIGITS = 18 };
    size_t n = strlen(stem);
    if (strncmp(name, stem, n) != 0 || name[n] != '-' || name[n + 1] == '\0' || (name[n + 1] == '0' && name[n + 2]))
        return false;
    *number = 0;
    size_t i = n + 1;
    for (; name[i] >= '0' && name[i] <= '9' && i <= n + DIGITS; i++)
        *number = *number * 10 + (uint64_t)(name[i] - '0');
    return name[i] == '\0';
}

bool pl__kept_is_name(const char *name)
{
    uint64_t number;
    return strncmp(name, ".new-", 5) == 0 || strncmp(name, ".old-", 5) == 0 || number_of(name, "checkpoint", &number) || number_of(name, "best", &number);
}

static pl_status open_partial(const pl_trainer *t, DIR **out, pl_error *e)
{
    *out = opendir(t->paths.partial);
    if (*out || errno == ENOENT)
        return PL_OK;
    return pl_fail(e, PL_MACHINE, "%s: cannot be opened: %s", t->paths.partial, strerror(errno));
}

pl_status pl__kept_list(const pl_trainer *t, const char *stem, uint64_t *numbers, size_t room, size_t *count, pl_error *e)
{
    DIR *d;
    *count = 0;
    pl_status s = open_partial(t, &d, e);
    if (s || !d)
        return s;
    for (struct dirent *entry; (entry = readdir(d));) {
        uint64_t number;
        if (!number_of(entry->d_name, stem, &number))
            continue;
        size_t at = pl_min(*count, room);
        for (; at > 0 && numbers[at - 1] < number; at--) /* few, and kept in order */
            if (at < room)
                numbers[at] = numbers[at - 1];
        if (at < room) {
            numbers[at] = number;
            *count = pl_min(*count + 1, room);
        }
    }
    closedir(d);
    return PL_OK;
}

pl_status pl__kept_begin(const pl_trainer *t, const char *stem, uint64_t number, char **folder, pl_error *e)
{
    char name[NAME_BYTES];
    snprintf(name, sizeof name, ".new-%s", stem);
    *folder = pl__kept_path(t, name, number, "", e);
    pl_status s = *folder ? pl__folder_remove(*folder, e) : PL_MACHINE;
    return s ? s : pl__folder_make(*folder, e);
}

pl_status pl__kept_end(const pl_trainer *t, const char *stem, uint64_t number, const char *folder, pl_error *e)
{
    pl_status s = pl__folder_sync(folder, e);
    if (!s)
        s = pl__kept_remove(t, stem, number, e); /* a damaged one that was passed over */
    char *path = s ? NULL : pl__kept_path(t, stem, number, "", e);
    if (!s)
        s = path ? pl__rename(folder, path, e) : PL_MACHINE;
    pl__path_free(path);
    return s ? s : pl__folder_sync(t->paths.partial, e);
}

pl_status pl__kept_remove(const pl_trainer *t, const char *stem, uint64_t number, pl_error *e)
{
    char name[NAME_BYTES];
    snprintf(name, sizeof name, ".old-%s", stem);
    char *from = pl__kept_path(t, stem, number, "", e), *to = pl__kept_path(t, name, number, "", e);
    pl_status s = from && to ? PL_OK : PL_MACHINE;
    if (!s && pl__folder_there(from)) {
        s = pl__folder_remove(to, e);
        if (!s)
            s = pl__rename(from, to, e);
        if (!s)
            s = pl__folder_remove(to, e);
    }
    pl__path_free(from);
    pl__path_free(to);
    return s;
}

pl_status pl__kept_sweep(const pl_trainer *t, pl_error *e)
{
    DIR *d;
    pl_status s = open_partial(t, &d, e);
    if (s || !d)
        return s;
    for (struct dirent *entry; !s && (entry = readdir(d));) {
        if (strncmp(entry->d_name, ".new-", 5) != 0 && strncmp(entry->d_name, ".old-", 5) != 0)
            continue;
        char *path = pl__path_join(t->paths.partial, entry->d_name, e);
        s = path ? pl__folder_remove(path, e) : PL_MACHINE;
        pl__path_free(path);
    }
    closedir(d);
    return s;
}
