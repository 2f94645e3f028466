#include "cli/signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/time.h>
#include <unistd.h>

enum { DISCARDED = 3 };

static _Atomic(pl_session *) running;
static _Atomic(pl_trainer *) training;
static _Atomic(const char *) discarded[DISCARDED];
static atomic_int caught;
static atomic_bool begun;
static pthread_t main_thread;

/* A signal may come between the last look at `caught` and a system call that then waits for ever. So
 * from the first signal on an alarm knocks every 50 ms and interrupts whatever waits, until the run
 * has noticed. */
static void knock_on(void)
{
    static const struct itimerval often = {{0, 50000}, {0, 50000}};
    setitimer(ITIMER_REAL, &often, NULL);
}

static void end_at_once(int number)
{
    if (!atomic_load(&begun))
        for (size_t i = 0; i < DISCARDED; i++) {
            const char *path = atomic_load(&discarded[i]);
            if (path)
                unlink(path);
        }
    _exit(128 + number);
}

/* Only async-signal-safe calls: lock-free atomics, unlink, _exit, setitimer, pthread_kill, pl_stop,
 * pl_trainer_stop. */
static void on_signal(int number)
{
    int saved = errno;
    int none = 0;
    if (!atomic_load(&begun) || !atomic_compare_exchange_strong(&caught, &none, number))
        end_at_once(number);
    pl_session *session = atomic_load(&running);
    pl_trainer *trainer = atomic_load(&training);
    if (session)
        pl_stop(session);
    if (trainer)
        pl_trainer_stop(trainer);
    knock_on();
    if (!pthread_equal(pthread_self(), main_thread))
        pthread_kill(main_thread, SIGALRM);
    errno = saved;
}

/* An alarm that another thread got wakes nobody: hand it on to the thread that waits. */
static void on_alarm(int number)
{
    int saved = errno;
    if (!pthread_equal(pthread_self(), main_thread))
        pthread_kill(main_thread, number);
    errno = saved;
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction old, action = {.sa_handler = handler}; /* no SA_RESTART: waiting calls return */
    sigemptyset(&action.sa_mask);
    if (number != SIGALRM && (sigaction(number, NULL, &old) != 0 || old.sa_handler == SIG_IGN))
        return; /* nohup, and jobs that a shell puts in the background */
    sigaction(number, &action, NULL);
}

void cli_signals_install(void)
{
    main_thread = pthread_self();
    handle(SIGALRM, on_alarm);
    handle(SIGINT, on_signal);
    handle(SIGTERM, on_signal);
    handle(SIGHUP, on_signal);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    sigset_t wanted; /* a mask inherited from the parent must not make us deaf */
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGALRM);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGHUP);
    sigprocmask(SIG_UNBLOCK, &wanted, NULL);
}

void cli_signals_begin(pl_session *session)
{
    atomic_store(&running, session);
    atomic_store(&begun, true);
}

void cli_signals_begin_training(pl_trainer *trainer)
{
    atomic_store(&training, trainer);
    atomic_store(&begun, true);
}

void cli_signals_end(void)
{
    atomic_store(&running, NULL);
    atomic_store(&training, NULL);
}

int cli_signals_caught(void) { return atomic_load(&caught); }

void cli_signals_discard(const char *path)
{
    for (size_t i = 0; i < DISCARDED; i++) {
        const char *none = NULL;
        if (atomic_compare_exchange_strong(&discarded[i], &none, path))
            return;
    }
}

void cli_signals_keep(const char *path)
{
    for (size_t i = 0; i < DISCARDED; i++) {
        const char *held = path;
        atomic_compare_exchange_strong(&discarded[i], &held, NULL);
    }
}
