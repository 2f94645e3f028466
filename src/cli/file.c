/* Opening, renaming and keeping output files. */
#define _DEFAULT_SOURCE /* flock */
#include "cli/output.h"

#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static pl_status fail_open(const cli_output *o, int error, pl_error *e)
{
    bool wrong = error == ENOENT || error == ENOTDIR || error == EISDIR || error == ENAMETOOLONG || error == ELOOP || error == EBADF;
    return pl_fail(e, wrong ? PL_USAGE : PL_MACHINE, "%s: cannot be written: %s", o->name, strerror(error));
}

/* ---- standard output, pipes, devices: written directly ---- */

static void examine(cli_output *o)
{
    struct stat st;
    off_t at = lseek(o->fd, 0, SEEK_CUR);
    int flags = fcntl(o->fd, F_GETFL);
    o->regular = fstat(o->fd, &st) == 0 && S_ISREG(st.st_mode);
    /* pwrite to a file opened for appending appends: a header could not be patched. */
    o->seekable = at >= 0 && flags >= 0 && !(flags & O_APPEND);
    o->begun = o->seekable ? (uint64_t)at : 0;
}

static pl_status open_direct(cli_output *o, const char *path, pl_error *e)
{
    o->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY); /* a pipe waits here for its reader */
    while (o->fd < 0 && errno == EINTR)
        o->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (o->fd < 0)
        return fail_open(o, errno, e);
    examine(o);
    return PL_OK;
}

/* The descriptor of ours that a name stands for; -1 if it names a file. */
static int own_descriptor(const char *name)
{
    static const char *const folders[] = {"/proc/self/fd/", "/dev/fd/"};
    if (strcmp(name, "/dev/stdout") == 0)
        return STDOUT_FILENO;
    if (strcmp(name, "/dev/stderr") == 0)
        return STDERR_FILENO;
    for (size_t i = 0; i < PL_COUNT(folders); i++) {
        const char *number = name + strlen(folders[i]);
        if (strncmp(name, folders[i], strlen(folders[i])) != 0)
            continue;
        size_t digits = strspn(number, "0123456789");
        if (digits > 0 && digits < 9 && !number[digits])
            return (int)strtol(number, NULL, 10);
    }
    return -1;
}

/* What others write to it before and behind us stays: the file is neither opened anew, which would
 * begin at its start, nor replaced. */
static pl_status open_own(cli_output *o, int descriptor, pl_error *e)
{
    o->fd = fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (o->fd < 0)
        return fail_open(o, errno, e);
    examine(o);
    return PL_OK;
}

/* ---- a regular file: FILE.partial, then FILE ---- */

/* Follows links to the name that is to be replaced, which need not exist, or to a descriptor of ours. */
static pl_status follow_links(cli_output *o, const char *path, char target[PATH_MAX], pl_error *e)
{
    char link[PATH_MAX];
    if (strlen(path) >= PATH_MAX)
        return fail_open(o, ENAMETOOLONG, e);
    strcpy(target, path);
    for (int links = 0; own_descriptor(target) < 0; links++) {
        ssize_t n = readlink(target, link, sizeof link - 1);
        if (n < 0 && errno != EINVAL && errno != ENOENT)
            return fail_open(o, errno, e);
        if (n < 0)
            break;
        if (links == 40)
            return fail_open(o, ELOOP, e);
        link[n] = '\0';
        char *slash = link[0] == '/' ? NULL : strrchr(target, '/');
        size_t folder = slash ? (size_t)(slash + 1 - target) : 0;
        if (folder + (size_t)n >= PATH_MAX)
            return fail_open(o, ENAMETOOLONG, e);
        memcpy(target + folder, link, (size_t)n + 1);
    }
    return PL_OK;
}

static pl_status name_files(cli_output *o, const char *target, pl_error *e)
{
    static const char suffix[] = ".partial";
    size_t n = strlen(target) + 1;
    o->target = malloc(n);
    o->partial = malloc(n + sizeof suffix);
    if (!o->target || !o->partial)
        return pl_fail_no_memory(e, 2 * n, "the name of the output");
    memcpy(o->target, target, n);
    memcpy(o->partial, target, n - 1);
    memcpy(o->partial + n - 1, suffix, sizeof suffix);
    return PL_OK;
}

/* The partial file, locked, so that two runs never write the same one. A run that has just finished
 * renames its file: then the name stands for another file than the one opened, and is opened anew. */
static pl_status open_locked(cli_output *o, pl_error *e)
{
    for (;;) {
        struct stat held, named;
        o->fd = open(o->partial, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0666);
        if (o->fd < 0)
            return fail_open(o, errno, e);
        if (fstat(o->fd, &held) != 0 || !S_ISREG(held.st_mode))
            return pl_fail(e, PL_USAGE, "%s: is no regular file, remove it or write elsewhere", o->partial);
        if (flock(o->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
            return pl_fail(e, PL_MACHINE, "%s: another process is writing it, wait for it or write elsewhere", o->partial);
        if (stat(o->partial, &named) == 0 && named.st_dev == held.st_dev && named.st_ino == held.st_ino)
            return PL_OK;
        close(o->fd);
    }
}

/* Mode and, where we may, owner of the file replaced, before anything of worth is written. A
 * set-user-ID bit never passes to another owner. */
static void take_mode(const cli_output *o, const struct stat *old)
{
    mode_t mode = old->st_mode & 07777;
    if (fchown(o->fd, old->st_uid, old->st_gid) != 0) {
        mode &= 0777;
        if (fchown(o->fd, (uid_t)-1, old->st_gid) != 0)
            mode &= 0707; /* another group has no claim to the old one's rights */
    }
    fchmod(o->fd, mode);
}

static pl_status open_partial(cli_output *o, const struct stat *old, bool resume, pl_error *e)
{
    struct stat before;
    bool was_there = lstat(o->partial, &before) == 0;
    pl_status status = open_locked(o, e);
    if (status != PL_OK)
        return status;
    o->replaces = o->regular = o->seekable = true;
    o->resumed = resume && was_there;
    if (!o->resumed) {
        if (ftruncate(o->fd, 0) != 0)
            return fail_open(o, errno, e);
        cli_signals_discard(o->partial);
        if (old)
            take_mode(o, old);
    }
    return PL_OK;
}

static pl_status fail_no_seek(const cli_output *o, pl_error *e)
{
    pl_fail(e, PL_USAGE, "%s: is not seekable, which this format needs: its header is written last", o->name);
    pl_hint(e, "write to a file: -o FILE");
    return PL_USAGE;
}

/* A name: a descriptor of ours, a pipe or device, or a file to be replaced. */
static pl_status open_named(cli_output *o, const char *path, unsigned flags, pl_error *e)
{
    char target[PATH_MAX];
    struct stat st;
    bool there = stat(path, &st) == 0;
    if (there && S_ISDIR(st.st_mode))
        return pl_fail(e, PL_USAGE, "%s: is a folder, a file is needed", path);
    pl_status status = follow_links(o, path, target, e);
    if (status != PL_OK)
        return status;
    if (own_descriptor(target) >= 0)
        return open_own(o, own_descriptor(target), e);
    if (there && (flags & CLI_OUTPUT_SEEK) && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
        return fail_no_seek(o, e); /* without waiting for a reader */
    if (there && !S_ISREG(st.st_mode))
        return open_direct(o, path, e);
    status = name_files(o, target, e);
    return status == PL_OK ? open_partial(o, there ? &st : NULL, (flags & CLI_OUTPUT_RESUME) != 0, e) : status;
}

pl_status cli_output_open(cli_output *o, const char *path, unsigned flags, char *buffer, size_t capacity, pl_error *e)
{
    bool standard = !path || strcmp(path, "-") == 0;
    *o = (cli_output){.name = standard ? "standard output" : path, .fd = STDOUT_FILENO, .buffer = buffer, .capacity = capacity};
    pl_status status = PL_OK;
    if (!path)
        examine(o);
    else if (standard) /* a copy: results and statistics may both go there */
        status = open_own(o, STDOUT_FILENO, e);
    else
        status = open_named(o, path, flags, e);
    return status == PL_OK && (flags & CLI_OUTPUT_SEEK) && !o->seekable ? fail_no_seek(o, e) : status;
}

/* ---- going on ---- */

/* Where the first `count` lines end, or bytes beyond the file's end if it has fewer. */
static pl_status find_line(cli_output *o, uint64_t count, uint64_t *end, pl_error *e)
{
    uint64_t at = 0;
    while (count > 0) {
        ssize_t n = pread(o->fd, o->buffer, o->capacity, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pl_fail(e, PL_MACHINE, "%s: cannot be read: %s", o->partial, strerror(errno));
        if (n == 0) {
            *end = UINT64_MAX;
            return PL_OK;
        }
        const char *p = o->buffer, *stop = o->buffer + n;
        while (count > 0 && p < stop && (p = memchr(p, '\n', (size_t)(stop - p))) != NULL) {
            p++;
            count--;
        }
        at += count > 0 ? (uint64_t)n : (uint64_t)(p - o->buffer);
    }
    *end = at;
    return PL_OK;
}

pl_status cli_output_take_over(cli_output *o, uint64_t count, pl_error *e)
{
    uint64_t end = 0;
    struct stat st;
    if (o->record_bytes == 0) {
        pl_status status = find_line(o, count, &end, e);
        if (status != PL_OK)
            return status;
    } else if (!pl_mul(count, o->record_bytes, &end) || !pl_add(end, o->header_bytes, &end)) {
        end = UINT64_MAX;
    }
    if (fstat(o->fd, &st) != 0 || end > (uint64_t)st.st_size) {
        pl_fail(e, PL_USAGE, "--skip %llu: %s holds fewer results, so some would be missing", (unsigned long long)count, o->partial);
        pl_hint(e, "skip as many as it holds, or remove it to write the rest alone");
        return PL_USAGE;
    }
    if (ftruncate(o->fd, (off_t)end) != 0 || lseek(o->fd, (off_t)end, SEEK_SET) < 0)
        return fail_open(o, errno, e);
    o->flushed = o->whole = end;
    return PL_OK;
}

/* ---- the end ---- */

static void forget_discard(const cli_output *o)
{
    if (o->partial)
        cli_signals_keep(o->partial);
}

static void sync_folder(const char *path)
{
    char folder[PATH_MAX];
    if (strlen(path) >= sizeof folder)
        return;
    strcpy(folder, path);
    char *slash = strrchr(folder, '/');
    if (slash == folder)
        slash++;
    if (slash)
        *slash = '\0';
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

static pl_status put_in_place(cli_output *o, pl_error *e)
{
    if (fsync(o->fd) != 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS)
        return pl_fail(e, PL_MACHINE, "%s: cannot be written: %s", o->partial, strerror(errno));
    if (rename(o->partial, o->target) != 0)
        return pl_fail(e, PL_MACHINE, "%s: cannot be renamed to %s: %s", o->partial, o->target, strerror(errno));
    forget_discard(o);
    sync_folder(o->target);
    return PL_OK;
}

pl_status cli_output_commit(cli_output *o, pl_error *e)
{
    pl_status status = cli_output_flush(o, e);
    if (status == PL_OK && o->replaces)
        status = put_in_place(o, e);
    if (status != PL_OK)
        return status;
    int fd = o->fd;
    o->fd = -1;
    /* NFS and quotas tell of a full disk only here. */
    if (close(fd) != 0 && errno != EINTR && errno != EBADF)
        return pl_fail(e, PL_MACHINE, "%s: cannot be written: %s", o->name, strerror(errno));
    return PL_OK;
}

/* The end of the last whole line within the first `end` bytes of the file. */
static uint64_t last_line(const cli_output *o, uint64_t end)
{
    char bytes[512];
    while (end > 0) {
        size_t n = (size_t)pl_min(end, sizeof bytes);
        if (pread(o->fd, bytes, n, (off_t)(end - n)) != (ssize_t)n)
            return end; /* unreadable: it stays as it is */
        for (size_t i = n; i > 0; i--)
            if (bytes[i - 1] == '\n')
                return end - n + i;
        end -= n;
    }
    return 0;
}

/* The file took only `flushed` bytes: its finished results end earlier than those that were made. */
static void count_lost(cli_output *o)
{
    uint64_t made = o->whole;
    if (o->record_bytes > 0) {
        uint64_t behind = o->flushed > o->header_bytes ? o->flushed - o->header_bytes : 0;
        o->whole = o->header_bytes + behind / o->record_bytes * o->record_bytes;
        o->lost = (made - o->whole) / o->record_bytes;
    } else {
        o->whole = last_line(o, o->flushed);
        for (size_t i = 0; i < o->used; i++)
            o->lost += o->buffer[i] == '\n';
    }
}

void cli_output_settle(cli_output *o)
{
    if (o->whole > o->flushed) {
        o->used = (size_t)(o->whole - o->flushed);
        if (cli_output_flush(o, NULL) != PL_OK && o->replaces)
            count_lost(o);
    }
    o->used = 0;
    if (o->replaces && o->flushed > o->whole && ftruncate(o->fd, (off_t)o->whole) == 0)
        o->flushed = o->whole;
}

bool cli_output_abandon(cli_output *o)
{
    if (o->fd < 0)
        return false;
    cli_output_settle(o);
    bool stays = o->replaces && (o->resumed || o->whole > o->header_bytes);
    if (o->replaces && !stays)
        unlink(o->partial);
    forget_discard(o);
    if (o->fd > STDERR_FILENO)
        close(o->fd);
    o->fd = -1;
    return stays;
}
