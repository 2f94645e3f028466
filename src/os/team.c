/* A team of threads that takes many short jobs, a barrier and a gate.
 *
 * Waiting has three steps. A few microseconds of spinning: jobs follow each other that fast, and
 * anything else costs more. Then for about as long as a sleep with its wake-up would take (an idle
 * virtual CPU needs 20 us and more to come back) the waiter yields at each look: whoever it waits
 * for may be on the same CPU. Then it sleeps in the kernel, so that waiting costs nothing.
 *
 * Kernels that do not balance within milliseconds (small virtual machines) can leave two members on
 * one CPU for seconds while another idles, since a woken thread likes to stay where it was woken. A
 * waiter that again and again has to give its CPU to somebody else moves away from it by itself.
 *
 * Sleep and wake meet in one order: the sleeper announces itself and then looks at the word again
 * (the kernel does, in FUTEX_WAIT); the waker changes the word and then looks for sleepers. All four
 * steps are sequentially consistent, so one of the two sees the other. */
#define _GNU_SOURCE /* syscall, MAP_ANONYMOUS */
#include "os/os.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The thread's own record (TCB and static TLS) lies at the top of its stack; LEAST is what C
 * libraries ask for with a signal frame of the widest registers. Both are constants, so that a plan
 * is the same on every machine. */
#if defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER 1
#elif defined(__has_feature)
#define THREAD_SANITIZER __has_feature(thread_sanitizer)
#else
#define THREAD_SANITIZER 0
#endif
#if THREAD_SANITIZER
enum { RECORD_BYTES = 1 << 20 }; /* ThreadSanitizer's own state of a thread */
#else
enum { RECORD_BYTES = 8192 };
#endif
enum { PAGE = 4096, STACK_LEAST = 65536, LINE = 64 };

enum { SPINS_A_LOOK = 16, CROWDED_WAITS = 8, CPUS_MOST = 8192 };
static const double spin_seconds = 4e-6, yield_seconds = 30e-6;
static const double crowd_seconds = 5e-6; /* a yield that took longer let somebody else run */
static const double leave_seconds = 20e-3;

typedef struct member {
    _Alignas(LINE) _Atomic uint32_t turn; /* grows by one for every job this member takes part in */
    _Atomic uint32_t sleeping;
    pl_team *team;
    unsigned number;
    pthread_t thread;
    char *guard;
} member;

struct pl_team {
    unsigned threads;
    void (*job)(void *self, unsigned member); /* NULL: the end. Written while no member runs */
    void *self;
    _Alignas(LINE) _Atomic uint32_t pending; /* members of the running job that have not ended */
    _Atomic uint32_t waiting;                /* the caller sleeps on pending */
    member members[];                        /* [threads - 1]: member i + 1 */
};

static void futex_sleep(_Atomic uint32_t *word, uint32_t seen) { syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0); }
static void futex_wake(_Atomic uint32_t *word, int count) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0); }

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

/* Counts successive waits in which somebody else ran on this CPU; when there were many, steps aside
 * to any other CPU that this thread may use, once in a while at most. */
static void mind_crowd(bool taken, double now)
{
    static _Thread_local unsigned crowded;
    static _Thread_local double left;
    crowded = taken ? crowded + 1 : 0;
    if (crowded < CROWDED_WAITS || now - left < leave_seconds)
        return;
    crowded = 0;
    left = now;
    enum { WORD_BITS = 8 * sizeof(long) };
    unsigned long all[CPUS_MOST / WORD_BITS], others[CPUS_MOST / WORD_BITS];
    unsigned cpu = 0;
    long bytes = syscall(SYS_sched_getaffinity, 0, sizeof all, all);
    if (bytes <= 0 || syscall(SYS_getcpu, &cpu, NULL, NULL) != 0 || cpu >= CPUS_MOST)
        return;
    memcpy(others, all, (size_t)bytes);
    others[cpu / WORD_BITS] &= ~(1UL << cpu % WORD_BITS);
    if (syscall(SYS_sched_setaffinity, 0, bytes, others) == 0) /* refused if there is no other */
        syscall(SYS_sched_setaffinity, 0, bytes, all);
}

/* The first two steps of a wait: true as soon as done(word, value), false when it is time to sleep. */
static bool look(_Atomic uint32_t *word, bool (*done)(uint32_t now, uint32_t value), uint32_t value)
{
    double start = 0, now;
    do {
        for (int i = 0; i < SPINS_A_LOOK; i++) {
            if (done(atomic_load_explicit(word, memory_order_acquire), value))
                return true;
            relax();
        }
        now = pl_os_seconds();
        start = start == 0 ? now : start;
    } while (now - start < spin_seconds);
    bool taken = false, met = false;
    while (!met && now - start < spin_seconds + yield_seconds) {
        sched_yield();
        double after = pl_os_seconds();
        taken |= after - now > crowd_seconds;
        now = after;
        met = done(atomic_load_explicit(word, memory_order_acquire), value);
    }
    mind_crowd(taken, now);
    return met;
}

static bool differs(uint32_t now, uint32_t value) { return now != value; }
static bool equals(uint32_t now, uint32_t value) { return now == value; }
static bool reached(uint32_t now, uint32_t value) { return (int32_t)(now - value) >= 0; }

/* ---- the team ---- */

static void *member_main(void *argument)
{
    member *m = argument;
    pl_team *t = m->team;
    for (uint32_t seen = 0;; seen++) {
        if (!look(&m->turn, differs, seen)) {
            atomic_store(&m->sleeping, 1);
            while (atomic_load(&m->turn) == seen)
                futex_sleep(&m->turn, seen);
            atomic_store(&m->sleeping, 0);
        }
        if (!t->job)
            return NULL;
        t->job(t->self, m->number);
        if (atomic_fetch_sub(&t->pending, 1) == 1 && atomic_load(&t->waiting))
            futex_wake(&t->pending, 1);
    }
}

static void call(member *m)
{
    atomic_fetch_add(&m->turn, 1);
    if (atomic_load(&m->sleeping))
        futex_wake(&m->turn, 1);
}

static size_t header_bytes(unsigned threads) { return pl_round_up(sizeof(pl_team) + (threads - 1) * sizeof(member), PAGE); }
static size_t stack_size(size_t stack_bytes) { return pl_round_up(pl_max(stack_bytes + RECORD_BYTES, STACK_LEAST), PAGE); }

size_t pl_team_bytes(unsigned threads, size_t stack_bytes)
{
    assert(threads > 0);
    return header_bytes(threads) + (threads - 1) * (PAGE + stack_size(stack_bytes));
}

/* Signals are the caller's: members start with all of them blocked but those of a fault. */
static void block_signals(sigset_t *before)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    sigset_t set;
    sigfillset(&set);
    for (size_t i = 0; i < PL_COUNT(faults); i++)
        sigdelset(&set, faults[i]);
    pthread_sigmask(SIG_SETMASK, &set, before);
}

static int start_member(member *m, char *guard, size_t stack)
{
    pthread_attr_t attributes;
    sigset_t before;
    if (mprotect(guard, PAGE, PROT_NONE) != 0)
        return errno;
    m->guard = guard;
    pthread_attr_init(&attributes);
    int error = pthread_attr_setstack(&attributes, guard + PAGE, stack);
    if (!error) {
        block_signals(&before);
        error = pthread_create(&m->thread, &attributes, member_main, m);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    pthread_attr_destroy(&attributes);
    if (error)
        mprotect(guard, PAGE, PROT_READ | PROT_WRITE);
    return error;
}

static pl_status fail_start(unsigned started, unsigned threads, int error, pl_error *e)
{
    pl_fail(e, PL_MACHINE, "threads: the system started %u of %u: %s", started, threads, strerror(error));
    pl_hint(e, "--threads %u would do", started);
    return PL_MACHINE;
}

pl_status pl_team_start(void *memory, unsigned threads, size_t stack_bytes, pl_team **out, pl_error *e)
{
    assert(threads > 0 && (uintptr_t)memory % PAGE == 0);
    pl_team *t = memory;
    char *place = (char *)memory + header_bytes(threads);
    size_t stack = stack_size(stack_bytes);
    memset(t, 0, sizeof(pl_team) + (threads - 1) * sizeof(member));
    for (t->threads = 1; t->threads < threads; t->threads++, place += PAGE + stack) {
        member *m = &t->members[t->threads - 1];
        m->team = t;
        m->number = t->threads;
        int error = start_member(m, place, stack);
        if (error) {
            unsigned started = t->threads;
            pl_team_stop(t);
            return fail_start(started, threads, error, e);
        }
    }
    *out = t;
    return PL_OK;
}

void pl_team_run(pl_team *t, unsigned count, void (*job)(void *self, unsigned member), void *self)
{
    assert(job && count > 0 && count <= t->threads);
    if (count > 1) {
        t->job = job;
        t->self = self;
        atomic_store_explicit(&t->pending, count - 1, memory_order_relaxed);
        for (unsigned i = 0; i + 1 < count; i++)
            call(&t->members[i]);
    }
    job(self, 0);
    if (count == 1 || look(&t->pending, equals, 0))
        return;
    atomic_store(&t->waiting, 1);
    for (uint32_t left; (left = atomic_load(&t->pending)) != 0;)
        futex_sleep(&t->pending, left);
    atomic_store(&t->waiting, 0);
}

void pl_team_stop(pl_team *t)
{
    if (!t)
        return;
    t->job = NULL;
    for (unsigned i = 0; i + 1 < t->threads; i++)
        call(&t->members[i]);
    for (unsigned i = 0; i + 1 < t->threads; i++) {
        pthread_join(t->members[i].thread, NULL);
        mprotect(t->members[i].guard, PAGE, PROT_READ | PROT_WRITE); /* the caller's memory as it was */
    }
}

/* ---- barrier: round is even and grows by two; its lowest bit says that somebody sleeps ---- */

void pl_barrier_init(pl_barrier *b, uint32_t count)
{
    assert(count > 0);
    atomic_init(&b->arrived, 0);
    atomic_init(&b->round, 0);
    b->count = count;
}

static bool passed(uint32_t now, uint32_t round) { return (now & ~1U) != round; }

void pl_barrier_wait(pl_barrier *b)
{
    uint32_t round = atomic_load_explicit(&b->round, memory_order_acquire) & ~1U;
    if (atomic_fetch_add_explicit(&b->arrived, 1, memory_order_acq_rel) + 1 == b->count) {
        atomic_store_explicit(&b->arrived, 0, memory_order_relaxed);
        if (atomic_exchange(&b->round, round + 2) & 1)
            futex_wake(&b->round, INT_MAX);
        return;
    }
    if (look(&b->round, passed, round))
        return;
    for (uint32_t now = atomic_load(&b->round); !passed(now, round); now = atomic_load(&b->round))
        if (now & 1 || atomic_compare_exchange_strong(&b->round, &now, round | 1))
            futex_sleep(&b->round, round | 1);
}

/* ---- gate ---- */

void pl_gate_open(pl_gate *g, uint32_t value)
{
    atomic_store(&g->value, value);
    futex_wake(&g->value, INT_MAX);
}

void pl_gate_wait(pl_gate *g, uint32_t at_least)
{
    if (look(&g->value, reached, at_least))
        return;
    for (uint32_t now; !reached(now = atomic_load(&g->value), at_least);)
        futex_sleep(&g->value, now);
}
