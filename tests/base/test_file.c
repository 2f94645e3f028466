/* Files of strangers: what stands in a file's place is named, never waited for. */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- pread as the tests want it: interrupted, short, failing (linked with --wrap=pread) ---- */
ssize_t __real_pread(int fd, void *out, size_t bytes, off_t offset);
ssize_t __wrap_pread(int fd, void *out, size_t bytes, off_t offset);
static enum { PLAIN, INTERRUPTED, SHORT, BROKEN } manner;

ssize_t __wrap_pread(int fd, void *out, size_t bytes, off_t offset)
{
    static unsigned calls;
    if (manner == INTERRUPTED && calls++ % 3 != 0) {
        errno = EINTR;
        return -1;
    }
    if (manner == BROKEN) {
        errno = EIO;
        return -1;
    }
    return __real_pread(fd, out, manner == SHORT && bytes > 7 ? 7 : bytes, offset);
}

static char folder[64];

static const char *path_of(const char *name)
{
    static char path[100];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int begin(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/plimsoll-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    static const char *const names[] = {"file", "pipe", "socket", "loop", "dangling"};
    for (size_t i = 0; i < PL_COUNT(names); i++)
        unlink(path_of(names[i]));
    return rmdir(folder);
}

static void refused(const char *name, const char *word)
{
    pl_error e;
    int fd = -7;
    uint64_t bytes;
    assert_int_equal(pl_file_open(path_of(name), &fd, &bytes, &e), PL_BAD_INPUT);
    assert_int_equal(fd, -7);
    assert_non_null(strstr(e.text, path_of(name)));
    if (!strstr(e.text, word))
        fail_msg("%s: no \"%s\" in: %s", name, word, e.text);
}

static void only_regular_files_open(void **state)
{
    (void)state;
    refused("file", "no such file");
    assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
    refused("pipe", "named pipe");
    assert_int_equal(symlink("loop", path_of("loop")), 0);
    refused("loop", "cannot be opened");
    assert_int_equal(symlink("nowhere", path_of("dangling")), 0);
    refused("dangling", "no such file");
    refused("", "folder");
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path_of("socket"));
    assert_int_equal(bind(s, (struct sockaddr *)&address, sizeof address), 0);
    refused("socket", "socket");
    close(s);
    pl_error e;
    int fd;
    uint64_t bytes;
    assert_int_equal(pl_file_open("/dev/zero", &fd, &bytes, &e), PL_BAD_INPUT);
    assert_non_null(strstr(e.text, "a device"));
}

static void reads_are_whole(void **state)
{
    (void)state;
    FILE *f = fopen(path_of("file"), "wb");
    for (int i = 0; i < 1000; i++)
        fputc(i % 251, f);
    fclose(f);
    int fd;
    uint64_t bytes;
    pl_error e;
    assert_int_equal(pl_file_open(path_of("file"), &fd, &bytes, &e), PL_OK);
    assert_int_equal(bytes, 1000);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    unsigned char buffer[1000];
    assert_int_equal(pl_file_read(fd, "file", 300, buffer, 700, &e), PL_OK);
    for (int i = 0; i < 700; i++)
        assert_int_equal(buffer[i], (i + 300) % 251);
    assert_int_equal(pl_file_read(fd, "file", 300, buffer, 0, &e), PL_OK);
    assert_int_equal(pl_file_read(fd, "file", 300, buffer, 701, &e), PL_BAD_INPUT);
    assert_string_equal(e.text, "file: byte 1000: the file is truncated, 1 more bytes should follow");
    assert_int_equal(pl_file_read(fd, "file", UINT64_MAX - 3, buffer, 8, &e), PL_BAD_INPUT);
    assert_int_equal(pl_file_read(fd, "file", 1ULL << 63, buffer, 8, &e), PL_BAD_INPUT);
    for (manner = INTERRUPTED; manner <= SHORT; manner++) {
        memset(buffer, 0xFF, sizeof buffer);
        assert_int_equal(pl_file_read(fd, "file", 1, buffer, 999, &e), PL_OK);
        for (int i = 0; i < 999; i++)
            assert_int_equal(buffer[i], (i + 1) % 251);
        assert_int_equal(pl_file_read(fd, "file", 1, buffer, 1000, &e), PL_BAD_INPUT);
    }
    manner = BROKEN;
    assert_int_equal(pl_file_read(fd, "file", 1, buffer, 10, &e), PL_MACHINE);
    assert_int_equal(strncmp(e.text, "file: byte 1: cannot be read: ", 30), 0);
    manner = PLAIN;
    close(fd);
    assert_int_equal(pl_file_read(fd, "file", 0, buffer, 8, &e), PL_MACHINE);
}

static void faults_have_owners(void **state)
{
    (void)state;
    pl_error e;
    assert_int_equal(pl_file_fail("x", EIO, "cannot be read", &e), PL_MACHINE);
    assert_int_equal(pl_file_fail("x", EMFILE, "cannot be opened", &e), PL_MACHINE);
    assert_int_equal(pl_file_fail("x", EACCES, "cannot be opened", &e), PL_BAD_INPUT);
    assert_int_equal(pl_file_fail("x", ENAMETOOLONG, "cannot be opened", &e), PL_BAD_INPUT);
    assert_int_equal(strncmp(e.text, "x: cannot be opened: ", 21), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_regular_files_open), cmocka_unit_test(reads_are_whole), cmocka_unit_test(faults_have_owners)};
    return cmocka_run_group_tests_name("files", tests, begin, end);
}
