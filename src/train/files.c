#define _GNU_SOURCE /* O_TMPFILE, statx */
#include "train/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pl_status fail(const char *path, const char *what, pl_error *e) { return pl_fail(e, PL_MACHINE, "%s: %s: %s", path, what, strerror(errno)); }

/* ---- without a name ---- */

pl_status pl__unnamed_open(const char *folder, int *fd, pl_error *e)
{
    *fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        char *name = pl__path_join(folder, ".plimsoll-XXXXXX", e);
        if (!name)
            return PL_MACHINE;
        *fd = mkostemp(name, O_CLOEXEC);
        if (*fd >= 0)
            unlink(name);
        pl__path_free(name);
    }
    if (*fd >= 0)
        return PL_OK;
    fail(folder, "no file can be made in it", e);
    pl_hint(e, "--spill names another folder");
    return PL_MACHINE;
}

/* ---- whole transfers ---- */

static pl_status transfer_failed(const char *name, const char *what, const char *cannot, pl_error *e)
{
    int error = errno;
    pl_fail(e, PL_MACHINE, "%s: %s%scannot be %s: %s", name, what, *what ? " " : "", cannot, strerror(error));
    if (error == ENOSPC || error == EDQUOT)
        pl_hint(e, "the disk is full; free some of it and go on with --resume, or choose another folder");
    if (error == EFBIG)
        pl_hint(e, "ulimit -f is too small for it");
    return PL_MACHINE;
}

pl_status pl__write_at(int fd, uint64_t offset, const void *bytes, size_t n, const char *name, const char *what, pl_error *e)
{
    const char *from = bytes;
    while (n > 0) {
        ssize_t wrote = pwrite(fd, from, n, (off_t)offset);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0) {
            errno = wrote ? errno : ENOSPC;
            return transfer_failed(name, what, "written", e);
        }
        from += wrote;
        offset += (uint64_t)wrote;
        n -= (size_t)wrote;
    }
    return PL_OK;
}

pl_status pl__read_at(int fd, uint64_t offset, void *bytes, size_t n, const char *name, const char *what, pl_error *e)
{
    char *to = bytes;
    while (n > 0) {
        ssize_t got = pread(fd, to, n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            errno = got ? errno : EIO;
            return transfer_failed(name, what, "read", e);
        }
        to += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return PL_OK;
}

/* ---- names and folders ---- */

char *pl__path_join(const char *folder, const char *name, pl_error *e)
{
    size_t n = strlen(folder), m = strlen(name);
    char *path = malloc(n + m + 2);
    if (!path) {
        pl_fail_no_memory(e, n + m + 2, folder);
        return NULL;
    }
    bool slash = n > 0 && folder[n - 1] != '/' && m > 0;
    memcpy(path, folder, n);
    if (slash)
        path[n++] = '/';
    memcpy(path + n, name, m + 1);
    return path;
}

void pl__path_free(char *path) { free(path); }

pl_status pl__folder_make(const char *path, pl_error *e)
{
    struct stat st;
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
        return PL_OK;
    return fail(path, "the folder cannot be made", e);
}

pl_status pl__folder_sync(const char *path, pl_error *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail(path, "the folder cannot be opened", e);
    int failed = fsync(fd) != 0 && errno != EINVAL && errno != EROFS; /* some file systems have nothing to sync */
    if (failed)
        fail(path, "the folder cannot be synced to its disk", e);
    close(fd);
    return failed ? PL_MACHINE : PL_OK;
}

bool pl__folder_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

bool pl__is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A kernel before 5.8 does not say it of a bind mount. */
bool pl__is_mount(const char *path)
{
    struct statx x;
    return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &x) == 0 && (x.stx_attributes & x.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT);
}

static pl_status remove_one(const char *path, pl_error *e);

static pl_status empty_folder(const char *path, pl_error *e)
{
    DIR *d = opendir(path);
    if (!d)
        return fail(path, "cannot be opened", e);
    pl_status s = PL_OK;
    for (struct dirent *entry; !s && (entry = readdir(d));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *inside = pl__path_join(path, entry->d_name, e);
        s = inside ? remove_one(inside, e) : PL_MACHINE;
        pl__path_free(inside);
    }
    closedir(d);
    return s;
}

static pl_status remove_one(const char *path, pl_error *e)
{
    if (unlink(path) == 0 || errno == ENOENT)
        return PL_OK;
    if (errno != EISDIR && errno != EPERM)
        return fail(path, "cannot be removed", e);
    pl_status s = empty_folder(path, e);
    if (!s && rmdir(path) != 0 && errno != ENOENT)
        s = fail(path, "cannot be removed", e);
    return s;
}

pl_status pl__folder_remove(const char *path, pl_error *e) { return remove_one(path, e); }

pl_status pl__rename(const char *from, const char *to, pl_error *e)
{
    if (rename(from, to) == 0)
        return PL_OK;
    int error = errno;
    return pl_fail(e, PL_MACHINE, "%s: cannot be renamed to %s: %s", from, to, strerror(error));
}

/* ---- files being written ---- */

pl_status pl__sink_open(pl__sink *s, const char *path, char *buffer, size_t capacity, pl_error *e)
{
    *s = (pl__sink){.path = path, .buffer = buffer, .capacity = capacity, .e = e};
    unlink(path); /* a link would be followed, a pipe waited for; a folder stays and is the error */
    s->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (s->fd < 0)
        s->status = fail(path, "cannot be made", e);
    return s->status;
}

static void flush(pl__sink *s)
{
    if (!s->status)
        s->status = pl__write_at(s->fd, s->done, s->buffer, s->used, s->path, "", s->e);
    s->done += s->used;
    s->used = 0;
}

void pl__sink_put(pl__sink *s, const void *bytes, size_t n)
{
    const char *from = bytes;
    while (n > 0 && !s->status) {
        size_t part = pl_min(n, s->capacity - s->used);
        memcpy(s->buffer + s->used, from, part);
        s->used += part;
        from += part;
        n -= part;
        if (s->used == s->capacity)
            flush(s);
    }
}

pl_status pl__sink_write(void *self, const char *text, size_t n, pl_error *e)
{
    pl__sink *s = self;
    (void)e; /* the one given at opening */
    pl__sink_put(s, text, n);
    return s->status;
}

pl_status pl__sink_close(pl__sink *s)
{
    if (s->fd < 0)
        return s->status;
    flush(s);
    if (!s->status && fsync(s->fd) != 0 && errno != EINVAL)
        s->status = transfer_failed(s->path, "", "synced to its disk", s->e);
    if (close(s->fd) != 0 && !s->status)
        s->status = transfer_failed(s->path, "", "closed", s->e);
    s->fd = -1;
    if (s->status)
        unlink(s->path);
    return s->status;
}

pl_status pl__file_copy(const char *from, const char *to, char *buffer, size_t capacity, pl_error *e)
{
    int fd;
    uint64_t bytes;
    pl_status st = pl_file_open(from, &fd, &bytes, e);
    if (st)
        return st;
    pl__sink s;
    size_t half = capacity / 2;
    st = pl__sink_open(&s, to, buffer, half, e);
    for (uint64_t at = 0; at < bytes && !st; at += half) {
        size_t n = pl_min(half, bytes - at);
        st = pl_file_read(fd, from, at, buffer + half, n, e);
        if (!st)
            pl__sink_put(&s, buffer + half, n);
    }
    pl_status closed = pl__sink_close(&s);
    close(fd);
    return st ? st : closed;
}
