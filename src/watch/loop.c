/* The round of a watch: sample when it is time, show, look whether the condition holds, wait. */
#define _GNU_SOURCE /* ppoll */
#include "watch/watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t stopped; /* the signal that asked us to end */
static void on_stop(int signal) { stopped = signal; }
static void on_wake(int signal) { (void)signal; }

int watch_fail(const pl_error *e)
{
    char text[5120];
    size_t n = pl_min(pl_error_print(e, text, sizeof text), sizeof text - 1);
    ssize_t ignored = write(STDERR_FILENO, text, n);
    (void)ignored;
    return pl_status_exit_code(e->status);
}

typedef struct loop {
    const watch_options *o;
    watch_state w;
    watch_out out;
    watch_alert *alert;
    bool alert_held; /* at the last sample */
    pid_t command;   /* of --exec, running */
    watch_job *job;
    watch_screen *screen;
    sigset_t waiting; /* mask while we wait: signals come only then */
} loop;

static void catch_signals(loop *l)
{
    static const int stops[] = {SIGINT, SIGTERM, SIGHUP}, wakes[] = {SIGCHLD};
    sigset_t block;
    struct sigaction a = {.sa_handler = on_stop};
    sigemptyset(&a.sa_mask);
    sigemptyset(&block);
    for (size_t i = 0; i < PL_COUNT(stops); i++) {
        sigaction(stops[i], &a, NULL);
        sigaddset(&block, stops[i]);
    }
    a.sa_handler = on_wake;
    for (size_t i = 0; i < PL_COUNT(wakes); i++) {
        sigaction(wakes[i], &a, NULL);
        sigaddset(&block, wakes[i]);
    }
    sigaddset(&block, SIGWINCH);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of write */
    sigprocmask(SIG_BLOCK, &block, &l->waiting);
    if (l->o->run) { /* the terminal's keys go to the job too, and it is the one to answer them */
        signal(SIGINT, SIG_IGN);
        signal(SIGQUIT, SIG_IGN);
    }
}

static bool wants_color(const watch_options *o, int fd) { return o->color == COLOR_ALWAYS || (o->color == COLOR_AUTO && pl_terminal_colored(fd)); }

/* 0, or the exit code that a broken output calls for. */
static int output_trouble(const watch_out *out)
{
    pl_error e;
    if (!out->error)
        return 0;
    if (out->error == EPIPE)
        return pl_status_exit_code(PL_BROKEN_PIPE);
    pl_fail(&e, PL_MACHINE, "standard output: cannot be written: %s", strerror(out->error));
    return watch_fail(&e);
}

static void show(loop *l)
{
    if (l->screen)
        watch_screen_draw(l->screen);
    else if (l->o->json)
        watch_json_line(&l->w, &l->out);
    else if (!l->o->run) {
        char unseen[512];
        if (l->w.samples == 1 && (watch_unseen(&l->w, unseen, sizeof unseen), *unseen))
            fprintf(stderr, "plimsoll: not seen: %s\n", unseen);
        watch_text_line(&l->w, &l->out);
    }
}

/* True when the watch ends because of the condition. */
static bool mind_alert(loop *l)
{
    char why[160], text[200];
    if (!l->alert)
        return false;
    bool holds = watch_alert_holds(l->alert, &l->w, why), begins = holds && !l->alert_held;
    l->alert_held = holds;
    if (!holds)
        return false;
    if (!l->o->exec) {
        watch_screen_close(l->screen);
        l->screen = NULL;
        fprintf(stderr, "plimsoll: alert: %s\n", why);
        return true;
    }
    if (begins) {
        if (!l->command)
            l->command = watch_command_start(l->o->exec, why, l->screen != NULL);
        snprintf(text, sizeof text, "alert: %s", why);
        if (l->screen)
            watch_screen_say(l->screen, text);
        else
            fprintf(stderr, "plimsoll: %s\n", text);
    }
    return false;
}

static void reap_command(loop *l)
{
    if (l->command && waitpid(l->command, NULL, WNOHANG) == l->command)
        l->command = 0;
}

/* Waits until `due`, a key, a byte of the job, or a signal. */
static void wait_until(loop *l, double due)
{
    struct pollfd ready[2] = {{.fd = l->screen ? STDIN_FILENO : -1, .events = POLLIN}, {.fd = l->job ? watch_job_error_fd(l->job) : -1, .events = POLLIN}};
    double left = due - pl_os_seconds();
    if (left < 0)
        left = 0;
    struct timespec timeout = {(time_t)left, (long)((left - (double)(time_t)left) * 1e9)};
    ppoll(ready, 2, &timeout, &l->waiting);
    if (l->job)
        watch_job_relay(l->job);
}

/* One look at everything; returns an exit code, or -1 to go on. */
static int take_sample(loop *l)
{
    watch_sample(&l->w);
    if (l->w.root_gone && !l->job) {
        watch_screen_close(l->screen);
        l->screen = NULL;
        fprintf(stderr, "plimsoll: process %d has ended; its peak was %s\n", l->w.root, pl_bytes_text(l->w.tree_peak, (char[32]){0}));
        return 0;
    }
    show(l);
    int trouble = output_trouble(&l->out);
    if (trouble && !l->job)
        return trouble;
    return mind_alert(l) ? pl_status_exit_code(PL_NO_FIT) : -1;
}

static int go_round(loop *l)
{
    double due = pl_os_seconds();
    for (;;) {
        if (pl_os_seconds() >= due) {
            int code = take_sample(l);
            if (code >= 0)
                return code;
            due += l->o->interval;
            if (due < pl_os_seconds()) /* we were stopped for a while: no catching up */
                due = pl_os_seconds() + l->o->interval;
        }
        wait_until(l, due);
        reap_command(l);
        if (l->job && watch_job_reap(l->job))
            return watch_job_report(l->job, &l->w, wants_color(l->o, STDERR_FILENO));
        if (stopped && l->job) {
            watch_job_signal(l->job, stopped);
            stopped = 0;
        }
        if (stopped)
            return 128 + stopped;
        if (l->screen && !watch_screen_keys(l->screen))
            return 0;
    }
}

static int print_once(loop *l)
{
    char why[160];
    bool color = wants_color(l->o, STDOUT_FILENO);
    watch_sample(&l->w);
    if (l->o->devices)
        l->o->json ? watch_json_devices(&l->w, &l->out) : watch_text_devices(&l->w, &l->out, color);
    else
        l->o->json ? watch_json_line(&l->w, &l->out) : watch_text_once(&l->w, &l->out, color);
    int trouble = output_trouble(&l->out);
    if (trouble || !l->alert || !watch_alert_holds(l->alert, &l->w, why))
        return trouble;
    fprintf(stderr, "plimsoll: alert: %s\n", why);
    if (!l->o->exec)
        return pl_status_exit_code(PL_NO_FIT);
    pid_t command = watch_command_start(l->o->exec, why, false);
    while (command && waitpid(command, NULL, 0) < 0 && errno == EINTR)
        ;
    return 0;
}

static int run(loop *l, const pl_os_view *view)
{
    pl_error e;
    if (l->o->alert && watch_alert_parse(l->o->alert, l->o, &l->alert, &e))
        return watch_fail(&e);
    if (watch_state_start(&l->w, l->o, view, &e))
        return watch_fail(&e);
    watch_out_start(&l->out, STDOUT_FILENO);
    catch_signals(l);
    if (l->o->devices || l->o->once)
        return print_once(l);
    if (l->o->run) {
        int code;
        if (watch_job_start(l->o, &l->job, &code, &e)) {
            watch_fail(&e);
            return code;
        }
        l->w.root = watch_job_pid(l->job);
    } else if (!l->o->json && pl_terminal(STDOUT_FILENO) && isatty(STDIN_FILENO)) {
        watch_screen_open(&l->w, wants_color(l->o, STDOUT_FILENO), &l->screen);
    }
    return go_round(l);
}

int watch_loop(const watch_options *o, const pl_os_view *view)
{
    loop *l = pl_os_map(sizeof *l);
    pl_error e;
    if (!l) {
        pl_fail_no_memory(&e, sizeof *l, "watch");
        return watch_fail(&e);
    }
    l->o = o;
    int code = run(l, view);
    watch_screen_close(l->screen);
    watch_state_end(&l->w);
    watch_alert_free(l->alert);
    watch_job_free(l->job);
    pl_os_unmap(l, sizeof *l);
    return code;
}
