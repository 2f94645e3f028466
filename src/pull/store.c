#include "pull/pull.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

bool pl__store_path(const pl__store *st, char out[PL__PATH_BYTES], const char *format, ...)
{
    int n = snprintf(out, PL__PATH_BYTES, "%s/", st->folder);
    va_list args;
    va_start(args, format);
    int more = n < PL__PATH_BYTES ? vsnprintf(out + n, (size_t)(PL__PATH_BYTES - n), format, args) : 0;
    va_end(args);
    return n + more < PL__PATH_BYTES;
}

static pl_status too_long(const pl__store *st, pl_error *e) { return pl_fail(e, PL_BAD_INPUT, "%s: paths in it are too long", st->folder); }

static pl_status broken(const char *path, const char *what, int error, pl_error *e)
{
    return pl_fail(e, PL_MACHINE, "%s: %s: %s", path, what, strerror(error));
}

pl_status pl__store_folders(const char *path, pl_error *e)
{
    char at[PL__PATH_BYTES];
    if ((size_t)snprintf(at, sizeof at, "%s", path) >= sizeof at)
        return pl_fail(e, PL_BAD_INPUT, "%s: the path is too long", path);
    for (char *slash = strchr(at + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(at, 0777) != 0 && errno != EEXIST)
            return broken(at, "the folder cannot be made", errno, e);
        *slash = '/';
    }
    return PL_OK;
}

pl_status pl__store_open(pl__store *st, const char *cache, const pl_hub_name *name, pl_error *e)
{
    char leaf[300];
    snprintf(leaf, sizeof leaf, "models--%.*s%s%.*s", name->org ? (int)name->org_bytes : 0, name->org ? name->org : "", name->org ? "--" : "",
        (int)name->name_bytes, name->name);
    bool fits = (size_t)snprintf(st->folder, sizeof st->folder, "%s/%s", cache, leaf) < sizeof st->folder;
    fits &= (size_t)snprintf(st->locks, sizeof st->locks, "%s/.locks/%s", cache, leaf) < sizeof st->locks;
    if (!fits)
        return pl_fail(e, PL_BAD_INPUT, "%s: the path of the cache is too long", cache);
    char inside[PL__PATH_BYTES];
    return pl__store_path(st, inside, "blobs/x") ? pl__store_folders(inside, e) : too_long(st, e);
}

/* How long nothing is said about a lock that somebody else holds. */
enum { QUIET_TENTHS = 10 };

pl_status pl__store_lock(const pl__store *st, const char *hash, const volatile int *stop, int *fd, pl_error *e)
{
    char path[PL__PATH_BYTES];
    if ((size_t)snprintf(path, sizeof path, "%s/%s.lock", st->locks, hash) >= sizeof path)
        return too_long(st, e);
    pl_status s = pl__store_folders(path, e);
    if (s)
        return s;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (*fd < 0)
        return broken(path, "the lock cannot be opened", errno, e);
    for (unsigned tenths = 0; flock(*fd, LOCK_EX | LOCK_NB) != 0; tenths++) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            break; /* a file system without locks: what is downloaded is checked all the same */
        if (*stop) {
            close(*fd);
            return pl_fail(e, PL_STOPPED, "stopped while another download had the lock");
        }
        if (tenths == QUIET_TENTHS && !st->quiet)
            fprintf(stderr, "another download of the same file is running, waiting for it\n");
        nanosleep(&(struct timespec){0, 100000000}, NULL);
    }
    return PL_OK;
}

static uint64_t size_of(const pl__store *st, const pl__entry *entry, const char *ending, bool *exists)
{
    char path[PL__PATH_BYTES];
    struct stat found;
    *exists = pl__store_path(st, path, "blobs/%s%s", entry->hash, ending) && stat(path, &found) == 0 && S_ISREG(found.st_mode);
    return *exists ? (uint64_t)found.st_size : 0;
}

bool pl__store_has(const pl__store *st, const pl__entry *entry)
{
    bool exists;
    return size_of(st, entry, "", &exists) == entry->bytes && exists;
}

uint64_t pl__store_begun(const pl__store *st, const pl__entry *entry)
{
    bool exists;
    uint64_t bytes = size_of(st, entry, ".incomplete", &exists);
    return bytes <= entry->bytes ? bytes : 0;
}

/* A link beside, renamed into place: readers see the old one or the new one. */
static pl_status replace(const char *target, const char *path, pl_error *e)
{
    char beside[PL__PATH_BYTES], old[PL__PATH_BYTES];
    ssize_t n = readlink(path, old, sizeof old - 1);
    if (n >= 0 && (size_t)n == strlen(target) && memcmp(old, target, (size_t)n) == 0)
        return PL_OK;
    if ((size_t)snprintf(beside, sizeof beside, "%s.%ld.tmp", path, (long)getpid()) >= sizeof beside)
        return pl_fail(e, PL_BAD_INPUT, "%s: the path is too long", path);
    unlink(beside);
    if (symlink(target, beside) == 0 && rename(beside, path) == 0)
        return PL_OK;
    int error = errno;
    unlink(beside);
    return broken(path, "the link cannot be made", error, e);
}

pl_status pl__store_link(const pl__store *st, const char *commit, const pl__entry *entry, pl_error *e)
{
    char path[PL__PATH_BYTES], target[PL__PATH_BYTES] = "../../";
    if (!pl__store_path(st, path, "snapshots/%s/%s", commit, entry->path))
        return too_long(st, e);
    size_t used = strlen(target);
    for (const char *c = entry->path; *c; c++)
        if (*c == '/' && used + 4 < sizeof target)
            used += (size_t)snprintf(target + used, sizeof target - used, "../");
    if ((size_t)snprintf(target + used, sizeof target - used, "blobs/%s", entry->hash) >= sizeof target - used)
        return too_long(st, e);
    pl_status s = pl__store_folders(path, e);
    return s ? s : replace(target, path, e);
}

pl_status pl__store_reference(const pl__store *st, const char *revision, const char *commit, pl_error *e)
{
    char path[PL__PATH_BYTES], beside[PL__PATH_BYTES + 32];
    if (strcmp(revision, commit) == 0)
        return PL_OK;
    if (!pl__store_path(st, path, "refs/%s", revision))
        return too_long(st, e);
    pl_status s = pl__store_folders(path, e);
    if (s)
        return s;
    snprintf(beside, sizeof beside, "%s.%ld.tmp", path, (long)getpid());
    size_t n = strlen(commit);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    bool done = fd >= 0 && write(fd, commit, n) == (ssize_t)n && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (done && rename(beside, path) == 0)
        return PL_OK;
    error = done ? errno : error;
    unlink(beside);
    return broken(path, "cannot be written", error, e);
}

pl_status pl__store_room(const pl__store *st, uint64_t bytes, pl_error *e)
{
    struct statvfs fs;
    if (statvfs(st->folder, &fs) != 0)
        return PL_OK; /* writing will tell */
    uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    char need[32], has[32];
    if (bytes <= free_bytes)
        return PL_OK;
    pl_fail(e, PL_MACHINE, "%s: %s are still to be downloaded, the disk has %s", st->folder, pl_bytes_text(bytes, need), pl_bytes_text(free_bytes, has));
    pl_hint(e, "HF_HUB_CACHE=FOLDER puts the cache elsewhere");
    return PL_MACHINE;
}
