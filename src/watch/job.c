/* --run: a job under observation. Its standard error passes through us, so that its end is at hand
 * when the job dies; all else is as if we were not there: it has our terminal, our input, our
 * signals, and we end as it ended. */
#define _GNU_SOURCE /* wait4, memfd_create */
#include "watch/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TAIL_BYTES = 1 << 16 };

struct watch_job {
    int pid, error_fd, status;
    bool ended;
    uint64_t peak; /* largest resident set of one process, as the kernel counted it */
    double start, end;
    size_t written; /* bytes of standard error so far; the last TAIL_BYTES are kept */
    char tail[TAIL_BYTES];
};

/* What the child does until it is the job. A failure to start is told through `report`. */
static void become_job(const watch_options *o, int error_fd, int report)
{
    static const int reset[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ, SIGCHLD};
    sigset_t none;
    for (size_t i = 0; i < PL_COUNT(reset); i++)
        signal(reset[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (o->json) /* standard output is for samples */
        dup2(STDERR_FILENO, STDOUT_FILENO);
    dup2(error_fd, STDERR_FILENO);
    execvp(o->run[0], o->run);
    int error = errno;
    ssize_t ignored = write(report, &error, sizeof error);
    (void)ignored;
    _exit(error == ENOENT ? 127 : 126);
}

/* The exit codes are those of a shell that cannot start a command. */
static pl_status fail_start(const char *command, int error, int *code, pl_error *e)
{
    *code = error == ENOENT ? 127 : 126;
    return pl_fail(e, PL_MACHINE, "%s: cannot be started: %s", command, error == ENOENT ? "there is no such command" : strerror(error));
}

pl_status watch_job_start(const watch_options *o, watch_job **out, int *code, pl_error *e)
{
    int errors[2], report[2], failure = 0;
    watch_job *j = pl_os_map(sizeof *j);
    *code = 5;
    if (!j)
        return pl_fail_no_memory(e, sizeof *j, "--run");
    if (pipe(errors) != 0)
        return fail_start(o->run[0], errno, code, e);
    if (pipe(report) != 0) {
        close(errors[0]);
        close(errors[1]);
        return fail_start(o->run[0], errno, code, e);
    }
    for (int i = 0; i < 2; i++) {
        fcntl(errors[i], F_SETFD, FD_CLOEXEC);
        fcntl(report[i], F_SETFD, FD_CLOEXEC);
    }
    j->start = pl_os_seconds();
    j->pid = (int)fork();
    if (j->pid == 0)
        become_job(o, errors[1], report[1]);
    failure = j->pid < 0 ? errno : 0;
    close(errors[1]);
    close(report[1]);
    if (!failure && read(report[0], &failure, sizeof failure) == (ssize_t)sizeof failure)
        waitpid(j->pid, NULL, 0);
    close(report[0]);
    if (failure) {
        close(errors[0]);
        pl_os_unmap(j, sizeof *j);
        return fail_start(o->run[0], failure, code, e);
    }
    fcntl(errors[0], F_SETFL, O_NONBLOCK);
    j->error_fd = errors[0];
    *out = j;
    return PL_OK;
}

int watch_job_pid(const watch_job *j) { return j->pid; }
int watch_job_error_fd(const watch_job *j) { return j->error_fd; }

static void write_all(const char *text, size_t n)
{
    while (n) {
        ssize_t done = write(STDERR_FILENO, text, n);
        if (done < 0 && errno != EINTR)
            return; /* nobody reads it; the job goes on */
        text += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
}

/* One read, so that a job that never stops writing does not keep us from our samples. */
static ssize_t relay_once(watch_job *j)
{
    char text[8192];
    ssize_t n = read(j->error_fd, text, sizeof text);
    if (n <= 0)
        return n;
    write_all(text, (size_t)n);
    for (ssize_t i = 0; i < n; i++)
        j->tail[(j->written + (size_t)i) % TAIL_BYTES] = text[i];
    j->written += (size_t)n;
    return n;
}

void watch_job_relay(watch_job *j)
{
    if (j->error_fd < 0)
        return;
    ssize_t n = relay_once(j);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        close(j->error_fd);
        j->error_fd = -1;
    }
}

bool watch_job_reap(watch_job *j)
{
    struct rusage use;
    if (j->ended)
        return true;
    pid_t got = wait4(j->pid, &j->status, WNOHANG, &use);
    if (got != j->pid)
        return false;
    j->ended = true;
    j->end = pl_os_seconds();
    j->peak = (uint64_t)use.ru_maxrss * 1024;
    while (j->error_fd >= 0 && relay_once(j) > 0) /* what it left; whoever else holds the pipe may keep it */
        ;
    return true;
}

void watch_job_signal(watch_job *j, int signal)
{
    if (!j->ended)
        kill(j->pid, signal);
}

/* ---- the end ---- */

static int exit_code(const watch_job *j) { return WIFSIGNALED(j->status) ? 128 + WTERMSIG(j->status) : WEXITSTATUS(j->status); }

/* libexec/plimsoll/plimsoll-explain lies beside this program. */
static bool explain_path(char *out, size_t capacity)
{
    ssize_t n = readlink("/proc/self/exe", out, capacity - 1);
    if (n <= 0)
        return false;
    out[n] = '\0';
    char *slash = strrchr(out, '/');
    size_t left = slash ? capacity - (size_t)(slash + 1 - out) : 0;
    return left > sizeof "plimsoll-explain" && strcpy(slash + 1, "plimsoll-explain") && access(out, X_OK) == 0;
}

static void write_tail(const watch_job *j, watch_out *o)
{
    size_t kept = pl_min(j->written, TAIL_BYTES), from = (j->written - kept) % TAIL_BYTES;
    size_t first = pl_min(kept, TAIL_BYTES - from);
    watch_out_bytes(o, j->tail + from, first);
    watch_out_bytes(o, j->tail, kept - first);
    watch_out_text(o, "\n");
}

/* The kernel's line, which the job's own output cannot hold, from the last sample of the job. */
static void write_kill(const watch_job *j, const watch_state *w, watch_out *o)
{
    const watch_process *x = watch_processes_find(&w->processes, j->pid);
    bool group = w->machine.has_group && w->machine.group.limit != UINT64_MAX;
    if (group)
        watch_out_format(o, "memory: usage %llukB, limit %llukB, failcnt %llu\n", (unsigned long long)w->machine.group.used / 1024,
            (unsigned long long)w->machine.group.limit / 1024, (unsigned long long)w->machine.group.max);
    watch_out_format(o, "%s: Killed process %d (%s) total-vm:%llukB, anon-rss:%llukB, file-rss:0kB, shmem-rss:0kB\n",
        group ? "Memory cgroup out of memory" : "Out of memory", j->pid, x ? x->name : "job", (unsigned long long)w->tree_resident / 1024,
        (unsigned long long)w->tree_resident / 1024);
}

/* The end of the job's standard error as a file, so that explain may read and write as it likes. */
static int tail_file(const watch_job *j, const watch_state *w, bool killed)
{
    int fd = memfd_create("plimsoll-job", MFD_CLOEXEC);
    watch_out o;
    watch_out_start(&o, fd);
    write_tail(j, &o);
    if (killed)
        write_kill(j, w, &o);
    watch_out_flush(&o);
    if (fd >= 0)
        lseek(fd, 0, SEEK_SET);
    return fd;
}

static void become_explain(const char *path, int input, int output, bool color)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    execl(path, path, "explain", "--color", color ? "always" : "never", (char *)NULL);
    _exit(127);
}

/* What explain makes of the end of the job's standard error goes to ours, if it found something: its
 * words are held back until then. */
static bool explain(watch_job *j, const watch_state *w, bool killed, bool color)
{
    char path[4096];
    int ends[2], status = 0, input = tail_file(j, w, killed);
    if (input < 0 || !explain_path(path, sizeof path) || pipe(ends) != 0) {
        if (input >= 0)
            close(input);
        return false;
    }
    pid_t pid = fork();
    if (pid == 0)
        become_explain(path, input, ends[1], color);
    close(input);
    close(ends[1]);
    size_t held = 0; /* in the tail's place, which has been written out */
    for (ssize_t n; (n = read(ends[0], j->tail + held, TAIL_BYTES - held)) > 0 || (n < 0 && errno == EINTR);) {
        held += n > 0 ? (size_t)n : 0;
        if (held == TAIL_BYTES) { /* who says that much has found something */
            write_all(j->tail, held);
            held = 0;
        }
    }
    close(ends[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    bool found = pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (found) {
        write_all("\n", 1);
        write_all(j->tail, held);
    }
    return found;
}

static void say_ending(const watch_job *j, const watch_state *w, watch_out *o)
{
    char time[32], peak[32], gpu[32];
    uint64_t most = w->tree_peak > j->peak ? w->tree_peak : j->peak;
    if (WIFSIGNALED(j->status))
        watch_out_format(o, "plimsoll: the job was ended by signal %d (%s)", WTERMSIG(j->status), strsignal(WTERMSIG(j->status)));
    else
        watch_out_format(o, "plimsoll: the job ended with exit code %d", WEXITSTATUS(j->status));
    watch_out_format(o, " after %s; its peak was %s", watch_duration(j->end - j->start, time), pl_bytes_text(most, peak));
    if (w->tree_gpu_peak)
        watch_out_format(o, " and %s on GPUs", pl_bytes_text(w->tree_gpu_peak, gpu));
    watch_out_text(o, "\n");
}

int watch_job_report(watch_job *j, watch_state *w, bool color)
{
    watch_out o;
    int code = exit_code(j);
    watch_count_kills(w); /* as of now: the last sample was before the end */
    bool killed = code == 128 + SIGKILL && watch_oom_kills(w) > 0;
    watch_out_start(&o, STDERR_FILENO);
    say_ending(j, w, &o);
    if (killed)
        watch_out_format(&o, "plimsoll: the kernel killed %llu process%s for memory meanwhile\n", (unsigned long long)watch_oom_kills(w),
            watch_oom_kills(w) == 1 ? "" : "es");
    watch_out_flush(&o);
    if (code != 0 && explain(j, w, killed, color)) {
        watch_out_format(&o, "\nthe devices %.1f s before the job's end:\n", j->end > w->now ? j->end - w->now : 0);
        watch_text_last(w, &o);
    }
    return code;
}

void watch_job_free(watch_job *j)
{
    if (!j)
        return;
    if (j->error_fd >= 0)
        close(j->error_fd);
    pl_os_unmap(j, sizeof *j);
}
