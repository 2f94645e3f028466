/* Team, barrier and gate. Meant to be run under ThreadSanitizer too: plain variables cross threads
 * here with nothing but the team's own ordering between them. */
#define _DEFAULT_SOURCE
#include "os/os.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 4, STACK = 1 << 17 };
static void *memory;
static size_t memory_bytes;

static pl_team *start(unsigned threads)
{
    pl_team *t;
    pl_error e;
    memory_bytes = pl_team_bytes(threads, STACK);
    memory = pl_os_map(memory_bytes);
    assert_non_null(memory);
    assert_int_equal(pl_team_start(memory, threads, STACK, &t, &e), PL_OK);
    return t;
}

static void stop(pl_team *t)
{
    pl_team_stop(t);
    memset(memory, 1, memory_bytes); /* guard pages are gone */
    pl_os_unmap(memory, memory_bytes);
}

typedef struct counts {
    unsigned long runs[THREADS];
    unsigned long total;
} counts;

static void count(void *self, unsigned member) { ((counts *)self)->runs[member]++; }

static void every_member_once(void **state)
{
    (void)state;
    pl_team *t = start(THREADS);
    counts c = {0};
    unsigned long expected[THREADS] = {0};
    for (int i = 0; i < 5000; i++) {
        unsigned n = 1 + (unsigned)(i * 7 % THREADS);
        pl_team_run(t, n, count, &c);
        for (unsigned k = 0; k < n; k++)
            expected[k]++;
        assert_memory_equal(c.runs, expected, sizeof expected);
        if (i % 500 == 0) /* long enough for all to sleep */
            nanosleep(&(struct timespec){0, 2000000}, NULL);
    }
    stop(t);
}

static void team_of_one(void **state)
{
    (void)state;
    pl_team *t = start(1);
    counts c = {0};
    pl_team_run(t, 1, count, &c);
    assert_int_equal(c.runs[0], 1);
    stop(t);
    pl_team_stop(NULL);
}

typedef struct relay {
    pl_barrier barrier;
    unsigned long values[THREADS];
    bool wrong;
} relay;

/* Each round every member reads what its neighbour wrote in the round before. */
static void pass_on(void *self, unsigned member)
{
    relay *r = self;
    for (unsigned long round = 1; round <= 2000; round++) {
        r->values[member] = round * THREADS + member;
        pl_barrier_wait(&r->barrier);
        unsigned next = (member + 1) % THREADS;
        bool wrong = r->values[next] != round * THREADS + next;
        pl_barrier_wait(&r->barrier);
        if (wrong)
            r->wrong = true;
        if (member == 0 && round % 400 == 0)
            nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
}

static void barrier_orders(void **state)
{
    (void)state;
    pl_team *t = start(THREADS);
    relay r = {.wrong = false};
    pl_barrier_init(&r.barrier, THREADS);
    pl_team_run(t, THREADS, pass_on, &r);
    assert_false(r.wrong);
    stop(t);
}

typedef struct stream {
    pl_gate filled, emptied;
    unsigned slots[2];
    unsigned base;
    unsigned long sum;
} stream;

enum { ITEMS = 3000 };
static void produce_or_consume(void *self, unsigned member)
{
    stream *s = self;
    for (unsigned i = 0; i < ITEMS; i++) {
        if (member == 1) {
            if (i >= 2)
                pl_gate_wait(&s->emptied, s->base + i - 1);
            s->slots[i % 2] = i;
            pl_gate_open(&s->filled, s->base + i + 1);
        } else {
            pl_gate_wait(&s->filled, s->base + i + 1);
            s->sum += s->slots[i % 2];
            pl_gate_open(&s->emptied, s->base + i + 1);
        }
    }
}

static void gate_orders_across_the_wrap(void **state)
{
    (void)state;
    pl_team *t = start(2);
    stream s = {.base = UINT32_MAX - ITEMS / 2};
    atomic_init(&s.filled.value, s.base);
    atomic_init(&s.emptied.value, s.base);
    pl_team_run(t, 2, produce_or_consume, &s);
    assert_int_equal(s.sum, (unsigned long)ITEMS * (ITEMS - 1) / 2);
    stop(t);
}

static void use_stack(void *self, unsigned member)
{
    volatile char deep[STACK - 16384];
    for (size_t i = 0; i < sizeof deep; i += 512)
        deep[i] = (char)member;
    ((counts *)self)->runs[member] = (unsigned long)deep[512];
}

static void stacks_are_as_large_as_asked(void **state)
{
    (void)state;
    pl_team *t = start(THREADS);
    counts c = {0};
    pl_team_run(t, THREADS, use_stack, &c);
    assert_int_equal(c.runs[THREADS - 1], THREADS - 1);
    stop(t);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED 0
#endif

static int overflow(volatile char *above, int left)
{
    volatile char here[4096];
    here[0] = above ? above[0] : 1;
    return left == 0 ? here[0] : overflow(here, left - 1) + here[0];
}

static void overflow_in_member(void *self, unsigned member)
{
    if (member == 1)
        *(int *)self = overflow(NULL, STACK / 2048);
}

static void guard_catches_overflow(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    pid_t pid = fork();
    if (pid == 0) {
        int value = 0;
        signal(SIGSEGV, SIG_DFL);
        pl_team_run(start(3), 3, overflow_in_member, &value);
        _exit(value == 12345);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void look_at_mask(void *self, unsigned member)
{
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    if (member)
        ((bool *)self)[member] = sigismember(&now, SIGTERM) && sigismember(&now, SIGUSR1) && !sigismember(&now, SIGSEGV);
}

static void members_leave_signals_to_the_caller(void **state)
{
    (void)state;
    bool blocked[THREADS] = {false};
    pl_team *t = start(THREADS);
    pl_team_run(t, THREADS, look_at_mask, blocked);
    assert_true(blocked[1] && blocked[2] && blocked[3]);
    sigset_t mine;
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    assert_false(sigismember(&mine, SIGTERM));
    stop(t);
}

static void waiting_costs_no_cpu(void **state)
{
    (void)state;
    pl_team *t = start(THREADS);
    struct timespec before, after;
    nanosleep(&(struct timespec){0, 5000000}, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    nanosleep(&(struct timespec){0, 100000000}, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    double used = (double)(after.tv_sec - before.tv_sec) + 1e-9 * (double)(after.tv_nsec - before.tv_nsec);
    assert_true(used < 0.02);
    stop(t);
}

static void start_and_stop_many(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        pl_team *t = start(1 + (unsigned)i % THREADS);
        counts c = {0};
        if (i % 2)
            pl_team_run(t, 1, count, &c);
        stop(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_once),
        cmocka_unit_test(team_of_one),
        cmocka_unit_test(barrier_orders),
        cmocka_unit_test(gate_orders_across_the_wrap),
        cmocka_unit_test(stacks_are_as_large_as_asked),
        cmocka_unit_test(guard_catches_overflow),
        cmocka_unit_test(members_leave_signals_to_the_caller),
        cmocka_unit_test(waiting_costs_no_cpu),
        cmocka_unit_test(start_and_stop_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
