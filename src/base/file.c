#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

pl_status pl_file_fail(const char *path, int error, const char *what, pl_error *e)
{
    bool ours = error == EIO || error == EMFILE || error == ENFILE || error == ENOMEM || error == ENXIO || error == ESTALE;
    if (error == ENOENT)
        return pl_fail(e, PL_BAD_INPUT, "%s: there is no such file", path);
    return pl_fail(e, ours ? PL_MACHINE : PL_BAD_INPUT, "%s: %s: %s", path, what, strerror(error));
}

static const char *kind_text(mode_t mode) { return S_ISDIR(mode) ? "a folder" : S_ISFIFO(mode) ? "a named pipe" : S_ISSOCK(mode) ? "a socket" : "a device"; }

pl_status pl_file_open(const char *path, int *fd, uint64_t *bytes, pl_error *e)
{
    int file;
    do
        file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    while (file < 0 && errno == EINTR);
    if (file < 0 && errno == ENXIO) /* what open(2) says of sockets */
        return pl_fail(e, PL_BAD_INPUT, "%s: is a socket, a regular file is needed", path);
    if (file < 0)
        return pl_file_fail(path, errno, "cannot be opened", e);
    struct stat st;
    if (fstat(file, &st) != 0) {
        int error = errno;
        close(file);
        return pl_file_fail(path, error, "cannot be examined", e);
    }
    if (!S_ISREG(st.st_mode)) {
        close(file);
        return pl_fail(e, PL_BAD_INPUT, "%s: is %s, a regular file is needed", path, kind_text(st.st_mode));
    }
    *fd = file;
    *bytes = (uint64_t)st.st_size;
    return PL_OK;
}

pl_status pl_file_read(int fd, const char *name, uint64_t offset, void *out, size_t bytes, pl_error *e)
{
    size_t done = 0;
    while (done < bytes) {
        uint64_t at = offset + done;
        if (at < offset || at > INT64_MAX)
            return pl_fail(e, PL_BAD_INPUT, "%s: byte %llu: lies behind the end of any file", name, (unsigned long long)offset);
        ssize_t n = pread(fd, (char *)out + done, bytes - done, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pl_fail(e, PL_MACHINE, "%s: byte %llu: cannot be read: %s", name, (unsigned long long)at, strerror(errno));
        if (n == 0)
            return pl_fail(e, PL_BAD_INPUT, "%s: byte %llu: the file is truncated, %llu more bytes should follow", name, (unsigned long long)at,
                (unsigned long long)(bytes - done));
        done += (size_t)n;
    }
    return PL_OK;
}
