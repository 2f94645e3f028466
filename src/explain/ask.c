/* Another program of the house, asked for its JSON. */
#define _GNU_SOURCE /* memfd_create */
#include "explain/need.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Beside this program, as installed, and as it lies in a build folder. */
static pl_status find(const char *program, char path[PATH_MAX], pl_error *e)
{
    static const char *const places[] = {"", "../../bin/", "../../"};
    char folder[PATH_MAX / 2];
    ssize_t n = readlink("/proc/self/exe", folder, sizeof folder - 1);
    folder[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[1] = '\0';
    for (size_t i = 0; i < PL_COUNT(places); i++) {
        struct stat st;
        snprintf(path, PATH_MAX, "%s%s%s", folder, places[i], program);
        if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0)
            return PL_OK;
    }
    return pl_fail(e, PL_MACHINE, "--model: the program %s, which computes this, is not at its place beside %s", program, folder);
}

/* The program with standard output and errors into files of memory: its exit status, or -1. */
static int start_and_wait(const char *path, const char **argv, int out, int err)
{
    pid_t pid = fork();
    if (pid == 0) {
        int nothing = open("/dev/null", O_RDONLY);
        if (nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0)
            execv(path, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    int status = 0;
    pid_t got = -1;
    while (pid > 0 && (got = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
        continue;
    return got == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Its first line, without the name that programs of the house put first. */
static pl_status retell(int err, int code, const char *program, pl_error *e)
{
    static const pl_status statuses[] = {[2] = PL_USAGE, [3] = PL_BAD_INPUT, [4] = PL_NO_FIT};
    pl_status status = code >= 2 && code < (int)PL_COUNT(statuses) ? statuses[code] : PL_MACHINE;
    char text[1024];
    ssize_t n = pread(err, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    const char *own = strncmp(text, "plimsoll: ", 10) == 0 ? text + 10 : text;
    if (!*own)
        return pl_fail(e, PL_MACHINE, "--model: %s ended without an answer", program);
    return pl_fail(e, status, "--model: %s", own);
}

static pl_status read_json(int out, const char *program, json_t **answer, pl_error *e)
{
    struct stat st;
    json_error_t wrong;
    *answer = NULL;
    if (fstat(out, &st) == 0 && st.st_size > 0) {
        void *text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, out, 0);
        if (text == MAP_FAILED)
            return pl_fail(e, PL_MACHINE, "--model: %s", strerror(errno));
        *answer = json_loadb(text, (size_t)st.st_size, JSON_REJECT_DUPLICATES, &wrong);
        munmap(text, (size_t)st.st_size);
    }
    return json_is_object(*answer) ? PL_OK : pl_fail(e, PL_MACHINE, "--model: %s did not answer in JSON", program);
}

static pl_status ask(const char *program, const char **argv, int out, int err, json_t **answer, pl_error *e)
{
    enum { DOES_NOT_FIT = 4 };
    char path[PATH_MAX];
    pl_status status = find(program, path, e);
    if (status != PL_OK)
        return status;
    argv[0] = path;
    int code = start_and_wait(path, argv, out, err);
    bool told = code == DOES_NOT_FIT && lseek(out, 0, SEEK_END) > 0;
    return code == 0 || told ? read_json(out, program, answer, e) : retell(err, code, program, e);
}

pl_status pl__ask(const char *program, const char **argv, json_t **answer, pl_error *e)
{
    int out = memfd_create("answer", MFD_CLOEXEC), err = memfd_create("message", MFD_CLOEXEC);
    pl_status status = out >= 0 && err >= 0 ? ask(program, argv, out, err, answer, e) : pl_fail(e, PL_MACHINE, "--model: %s", strerror(errno));
    if (out >= 0)
        close(out);
    if (err >= 0)
        close(err);
    return status;
}
