/* Planned peaks of several jobs: published, counted, gone with the process, and never a way in. */
#define _DEFAULT_SOURCE /* truncate, usleep */
#include "os/fake.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

static fake tree;
static char ledger[160];
static pl_os_view real_proc; /* this machine's processes, a ledger of our own */

static int begin(void **state)
{
    (void)state;
    fake_make(&tree);
    fake_put(&tree, "proc/meminfo", "MemTotal: %d kB\nMemAvailable: %d kB\n", 16 << 20, 8 << 20);
    snprintf(ledger, sizeof ledger, "%s/plimsoll-promises-%lu", tree.runtime, (unsigned long)geteuid());
    real_proc = (pl_os_view){"/proc", tree.sys, tree.runtime};
    return 0;
}

static int end(void **state)
{
    (void)state;
    fake_end(&tree);
    return 0;
}

static uint64_t promised(const pl_os_view *view)
{
    pl_spare s;
    pl_error e;
    assert_int_equal(pl_os_spare(view, &s, &e), PL_OK);
    return s.promised;
}

static void put_process(unsigned pid, unsigned start, unsigned rss_kib)
{
    char name[48];
    snprintf(name, sizeof name, "proc/%u/stat", pid);
    fake_put(&tree, name, "%u (a ) b (c)) S 1 1 1 0 -1 4194304 1 1 1 1 1 1 1 1 20 0 1 0 %u 9 9\n", pid, start);
    snprintf(name, sizeof name, "proc/%u/status", pid);
    fake_put(&tree, name, "VmRSS:\t%u kB\nVmSwap:\t0 kB\n", rss_kib);
}

static void put_records(const char *text)
{
    FILE *f = fopen(ledger, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(ledger, 0600), 0);
}

static size_t record_text(char *out, unsigned pid, unsigned start, unsigned long long planned)
{
    return (size_t)sprintf(out, "%-19u %-21u %-21llu\n", pid, start, planned);
}

static void counts_what_others_have_not_touched(void **state)
{
    (void)state;
    char text[1024] = "";
    size_t n = record_text(text, 100, 5000, 64 * MIB);
    n += record_text(text + n, 200, 6000, 32 * MIB);  /* holds more than it planned */
    n += record_text(text + n, 300, 7000, 16 * MIB);  /* dead */
    n += record_text(text + n, 400, 8000, 8 * MIB);   /* another process with that number now */
    n += record_text(text + n, 500, 9000, 900 * GIB); /* more than the machine has */
    record_text(text + n, 600, 9500, 10 * MIB);
    put_process(100, 5000, 16 << 10);
    put_process(200, 6000, 33 << 10);
    put_process(400, 8001, 0);
    put_process(500, 9000, 0);
    put_process(600, 9500, 1 << 10);
    put_records(text);
    assert_int_equal(promised(&tree.view), (64 - 16 + 10 - 1) * MIB);
    pl_spare s;
    pl_error e;
    assert_int_equal(pl_os_spare(&tree.view, &s, &e), PL_OK);
    assert_int_equal(s.bytes, 8 * GIB - s.reserve - s.promised);
    assert_non_null(strstr(s.reason, "57.0 MiB planned by other plimsolls"));
}

static void tolerates_any_content(void **state)
{
    (void)state;
    srand(7);
    put_process(100, 5000, 0);
    for (int round = 0; round < 200; round++) {
        FILE *f = fopen(ledger, "w");
        for (int i = rand() % 700; i > 0; i--)
            fputc("0123456789 \n\0x-"[rand() % 15], f);
        fclose(f);
        assert_true(promised(&tree.view) < UINT64_MAX);
    }
    char text[130];
    record_text(text, 100, 5000, 64 * MIB);
    text[40] = '\0';
    put_records(text);
    assert_int_equal(promised(&tree.view), 0);
    pl_promise *p; /* and writes where garbage stood */
    pl_promise_make(&real_proc, MIB, &p);
    assert_non_null(p);
    pl_promise_end(p);
    assert_int_equal(truncate(ledger, 1LL << 40), 0); /* no ledger of ours is that long */
    assert_int_equal(promised(&tree.view), 0);
    pl_promise_make(&real_proc, MIB, &p);
    assert_null(p);
}

static void refuses_what_is_not_a_plain_file_of_ours(void **state)
{
    (void)state;
    pl_promise *p;
    char victim[160];
    snprintf(victim, sizeof victim, "%s/victim", tree.root);
    fake_put(&tree, "victim", "precious\n");
    assert_int_equal(symlink(victim, ledger), 0);
    pl_promise_make(&real_proc, MIB, &p);
    assert_null(p);
    unlink(ledger);
    assert_int_equal(link(victim, ledger), 0);
    pl_promise_make(&real_proc, MIB, &p);
    assert_null(p);
    unlink(ledger);
    assert_int_equal(mkfifo(ledger, 0600), 0);
    pl_promise_make(&real_proc, MIB, &p);
    assert_null(p);
    assert_int_equal(promised(&tree.view), 0);
    unlink(ledger);
    assert_int_equal(mkdir(ledger, 0700), 0);
    pl_promise_make(&real_proc, MIB, &p);
    assert_null(p);
    rmdir(ledger);
    if (geteuid() == 0) {
        put_records("");
        assert_int_equal(chown(ledger, 12345, 12345), 0);
        pl_promise_make(&real_proc, MIB, &p);
        assert_null(p);
        unlink(ledger);
    }
    struct stat s;
    assert_int_equal(stat(victim, &s), 0);
    assert_int_equal(s.st_size, 9);
    pl_os_view nowhere = {"/proc", tree.sys, "/nonexistent/folder"}, none = {"/proc", tree.sys, NULL};
    pl_promise_make(&nowhere, MIB, &p);
    assert_null(p);
    pl_promise_make(&none, MIB, &p);
    assert_null(p);
    pl_promise_change(NULL, 1);
    pl_promise_end(NULL);
}

/* Runs `job` in a child that keeps what it did until told to end. Returns its id. */
static pid_t child(void (*job)(void), int *tell)
{
    int ready[2], go[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char c = 'r';
        close(go[1]);
        job();
        if (write(ready[1], &c, 1) != 1 || read(go[0], &c, 1) < 0)
            _exit(1);
        _exit(0);
    }
    char c;
    close(go[0]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    close(ready[1]);
    *tell = go[1];
    return pid;
}

static void finish(pid_t pid, int tell)
{
    int status;
    close(tell);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void promise_two(void)
{
    pl_promise *a, *b, *c;
    pl_promise_make(&real_proc, GIB, &a);
    pl_promise_make(&real_proc, 2 * GIB, &b);
    pl_promise_make(&real_proc, 4 * GIB, &c);
    pl_promise_change(b, GIB);
    pl_promise_end(c);
}

static void lives_as_long_as_the_process(void **state)
{
    (void)state;
    int tell;
    pid_t pid = child(promise_two, &tell);
    uint64_t others = promised(&real_proc);
    assert_true(others < 2 * GIB && others > 2 * GIB - 200 * MIB); /* less the child's own RSS */
    finish(pid, tell);
    assert_int_equal(promised(&real_proc), 0);
    struct stat before, after;
    assert_int_equal(stat(ledger, &before), 0);
    pid = child(promise_two, &tell); /* takes the dead one's place */
    assert_int_equal(stat(ledger, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    finish(pid, tell);
}

static pl_promise *inherited;
static void meddle(void)
{
    pl_promise_change(inherited, 5 * GIB);
    pl_promise_end(inherited);
}

static void a_forked_child_changes_nothing(void **state)
{
    (void)state;
    int tell;
    pl_promise_make(&real_proc, GIB, &inherited);
    assert_non_null(inherited);
    FILE *f = fopen(ledger, "r");
    char before[64], after[64];
    assert_int_equal(fread(before, 1, 64, f), 64);
    pid_t pid = child(meddle, &tell);
    finish(pid, tell);
    rewind(f);
    assert_int_equal(fread(after, 1, 64, f), 64);
    assert_memory_equal(before, after, 64);
    assert_int_equal(promised(&real_proc), 0); /* one's own does not count */
    fclose(f);
    pl_promise_end(inherited);
}

static void a_held_lock_does_not_hang(void **state)
{
    (void)state;
    put_records("");
    int fd = open(ledger, O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    double start = pl_os_seconds();
    pl_promise *p;
    pl_promise_make(&real_proc, GIB, &p);
    assert_null(p);
    assert_int_equal(promised(&real_proc), 0);
    assert_true(pl_os_seconds() - start < 5);
    close(fd);
}

static void many_at_once(void **state)
{
    (void)state;
    enum { JOBS = 8 };
    for (int i = 0; i < JOBS; i++)
        if (fork() == 0) {
            for (int k = 0; k < 40; k++) {
                pl_promise *p;
                pl_promise_make(&real_proc, MIB, &p);
                pl_promise_change(p, 2 * MIB);
                pl_promise_end(p);
            }
            _exit(0);
        }
    for (int i = 0; i < JOBS; i++)
        wait(NULL);
    struct stat s;
    assert_int_equal(stat(ledger, &s), 0);
    assert_int_equal(s.st_size % 64, 0);
    assert_true(s.st_size <= JOBS * 64);
    assert_int_equal(promised(&real_proc), 0);
}

/* Jobs that start together: each sees what all before it took. Without turns some would see the same. */
static void in_turn(void **state)
{
    (void)state;
    enum { JOBS = 4 };
    int seen[2], hold[2];
    assert_int_equal(pipe(seen), 0);
    assert_int_equal(pipe(hold), 0);
    for (int i = 0; i < JOBS; i++)
        if (fork() == 0) {
            close(hold[1]);
            int turn = pl_promise_turn(&real_proc);
            char before = (char)((promised(&real_proc) + GIB / 2) / GIB), end;
            usleep(2000);
            pl_promise *p;
            pl_promise_make(&real_proc, GIB, &p);
            pl_promise_turn_end(turn);
            bool told = write(seen[1], &before, 1) == 1;
            _exit(!told || read(hold[0], &end, 1) != 0); /* lives until all have looked */
        }
    unsigned counts[JOBS] = {0};
    for (int i = 0; i < JOBS; i++) {
        char before = -1;
        assert_int_equal(read(seen[0], &before, 1), 1);
        assert_in_range(before, 0, JOBS - 1);
        counts[(int)before]++;
    }
    close(hold[1]);
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(counts[i], 1);
        wait(NULL);
    }
    close(hold[0]);
    close(seen[0]);
    close(seen[1]);
    pl_promise_turn_end(pl_promise_turn(&(pl_os_view){"/proc", "/sys", NULL})); /* where there is no folder */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {T(counts_what_others_have_not_touched), T(tolerates_any_content), T(refuses_what_is_not_a_plain_file_of_ours),
        T(lives_as_long_as_the_process), T(a_forked_child_changes_nothing), T(a_held_lock_does_not_hang), T(many_at_once), T(in_turn)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
