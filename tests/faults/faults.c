/* One failing call: linked into a build of the command with --wrap, so that every call of these
 * functions from the program and its archives comes through here.
 *
 * PLIMSOLL_FAULT=KIND:N:HOW   the Nth call of KIND fails (HOW "fail"), transfers half of what it was
 *                             asked ("short"), is interrupted ("eintr") or finds the end ("end")
 * PLIMSOLL_FAULT_COUNTS=FILE  a 32-bit count per kind, in the order of KINDS, kept while it runs
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS, syscall */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* name, errno of a failure */
/* clang-format off */
#define KINDS(X) \
    X(malloc, ENOMEM) X(calloc, ENOMEM) X(realloc, ENOMEM) X(mmap, ENOMEM) X(open, EMFILE) X(openat, EMFILE) \
    X(fopen, EMFILE) X(read, EIO) X(pread, EIO) X(write, ENOSPC) X(pwrite, ENOSPC) X(fsync, EIO) X(rename, EACCES) \
    X(ftruncate, ENOSPC) X(fstat, EIO) X(pthread_create, EAGAIN)
/* clang-format on */

enum kind {
#define KIND_ENUM(name, error) K_##name,
    KINDS(KIND_ENUM)
#undef KIND_ENUM
        KIND_COUNT
};
static const char *const names[KIND_COUNT] = {
#define KIND_NAME(name, error) #name,
    KINDS(KIND_NAME)
#undef KIND_NAME
};
static const int errors[KIND_COUNT] = {
#define KIND_ERROR(name, error) error,
    KINDS(KIND_ERROR)
#undef KIND_ERROR
};

enum how { NORMAL, FAIL, SHORT, INTERRUPT, END };
static _Atomic uint32_t own_counts[KIND_COUNT];
static _Atomic uint32_t *counts = own_counts;
static enum kind fault_kind = KIND_COUNT;
static enum how fault_how;
static uint32_t fault_number;

/* Counts a call and says how it shall go. */
static enum how count(enum kind kind)
{
    uint32_t number = atomic_fetch_add_explicit(&counts[kind], 1, memory_order_relaxed) + 1;
    return kind == fault_kind && number == fault_number ? fault_how : NORMAL;
}

static int fails(enum kind kind, enum how how)
{
    if (how == FAIL)
        errno = errors[kind];
    else if (how == INTERRUPT)
        errno = EINTR;
    return how == FAIL || how == INTERRUPT;
}

#define REAL(type, name, ...) type __real_##name(__VA_ARGS__)
REAL(void *, malloc, size_t);
REAL(void *, calloc, size_t, size_t);
REAL(void *, realloc, void *, size_t);
REAL(void *, mmap, void *, size_t, int, int, int, off_t);
REAL(int, open, const char *, int, ...);
REAL(int, openat, int, const char *, int, ...);
REAL(FILE *, fopen, const char *, const char *);
REAL(ssize_t, read, int, void *, size_t);
REAL(ssize_t, pread, int, void *, size_t, off_t);
REAL(ssize_t, write, int, const void *, size_t);
REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
REAL(int, fsync, int);
REAL(int, rename, const char *, const char *);
REAL(int, ftruncate, int, off_t);
REAL(int, fstat, int, struct stat *);
REAL(int, pthread_create, pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

#define WRAP(type, name, ...)        \
    type __wrap_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__)

WRAP(void *, malloc, size_t n) { return fails(K_malloc, count(K_malloc)) ? NULL : __real_malloc(n); }
WRAP(void *, calloc, size_t a, size_t b) { return fails(K_calloc, count(K_calloc)) ? NULL : __real_calloc(a, b); }
WRAP(void *, realloc, void *p, size_t n) { return fails(K_realloc, count(K_realloc)) ? NULL : __real_realloc(p, n); }
WRAP(void *, mmap, void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
    return fails(K_mmap, count(K_mmap)) ? MAP_FAILED : __real_mmap(at, n, protection, flags, fd, offset);
}
/* PLIMSOLL_FAULT_MEMINFO=FILE: what the machine has left is read there, so that a test can take it away. */
static const char *path_of(const char *path)
{
    const char *other = strcmp(path, "/proc/meminfo") == 0 ? getenv("PLIMSOLL_FAULT_MEMINFO") : NULL;
    return other ? other : path;
}

WRAP(int, open, const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    return fails(K_open, count(K_open)) ? -1 : __real_open(path_of(path), flags, mode);
}
WRAP(int, openat, int folder, const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    return fails(K_openat, count(K_openat)) ? -1 : __real_openat(folder, path_of(path), flags, mode);
}
WRAP(FILE *, fopen, const char *path, const char *mode) { return fails(K_fopen, count(K_fopen)) ? NULL : __real_fopen(path, mode); }

static size_t half(enum how how, size_t n) { return how == SHORT && n > 1 ? n / 2 : n; }

WRAP(ssize_t, read, int fd, void *out, size_t n)
{
    enum how how = count(K_read);
    return how == END ? 0 : fails(K_read, how) ? -1 : __real_read(fd, out, half(how, n));
}
WRAP(ssize_t, pread, int fd, void *out, size_t n, off_t offset)
{
    enum how how = count(K_pread);
    return how == END ? 0 : fails(K_pread, how) ? -1 : __real_pread(fd, out, half(how, n), offset);
}
WRAP(ssize_t, write, int fd, const void *in, size_t n)
{
    enum how how = count(K_write);
    return fails(K_write, how) ? -1 : __real_write(fd, in, half(how, n));
}
WRAP(ssize_t, pwrite, int fd, const void *in, size_t n, off_t offset)
{
    enum how how = count(K_pwrite);
    return fails(K_pwrite, how) ? -1 : __real_pwrite(fd, in, half(how, n), offset);
}
WRAP(int, fsync, int fd) { return fails(K_fsync, count(K_fsync)) ? -1 : __real_fsync(fd); }
WRAP(int, rename, const char *from, const char *to) { return fails(K_rename, count(K_rename)) ? -1 : __real_rename(from, to); }
WRAP(int, ftruncate, int fd, off_t n) { return fails(K_ftruncate, count(K_ftruncate)) ? -1 : __real_ftruncate(fd, n); }
WRAP(int, fstat, int fd, struct stat *out) { return fails(K_fstat, count(K_fstat)) ? -1 : __real_fstat(fd, out); }
WRAP(int, pthread_create, pthread_t *thread, const pthread_attr_t *how, void *(*start)(void *), void *self)
{
    return fails(K_pthread_create, count(K_pthread_create)) ? EAGAIN : __real_pthread_create(thread, how, start, self);
}

__attribute__((constructor)) static void read_environment(void)
{
    const char *path = getenv("PLIMSOLL_FAULT_COUNTS");
    int fd = path ? __real_open(path, O_RDWR | O_CREAT, 0600) : -1;
    if (fd >= 0 && __real_ftruncate(fd, sizeof own_counts) == 0) {
        void *shared = __real_mmap(NULL, sizeof own_counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        counts = shared == MAP_FAILED ? own_counts : shared;
        memset((void *)counts, 0, sizeof own_counts);
        close(fd);
    }
    const char *fault = getenv("PLIMSOLL_FAULT");
    for (enum kind k = 0; fault && k < KIND_COUNT; k++) {
        size_t n = strlen(names[k]);
        if (strncmp(fault, names[k], n) != 0 || fault[n] != ':')
            continue;
        char *end;
        fault_number = (uint32_t)strtoul(fault + n + 1, &end, 10);
        fault_how = !strcmp(end, ":short") ? SHORT : !strcmp(end, ":eintr") ? INTERRUPT : !strcmp(end, ":end") ? END : FAIL;
        fault_kind = k;
    }
}
