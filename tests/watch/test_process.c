/* The table of processes over a /proc that changes, and whole samples of machines that are not there. */
#include "os/fake.h"
#include "watch/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static fake tree;
static watch_processes p;
static watch_groups g;

static int begin(void **state)
{
    (void)state;
    fake_make(&tree);
    watch_processes_start(&p, tree.proc);
    g = (watch_groups){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    watch_processes_free(&p);
    watch_groups_free(&g);
    fake_end(&tree);
    return 0;
}

static void put(int pid, const char *name, int parent, unsigned start, unsigned pages, const char *group)
{
    char path[48];
    bool kernel = strcmp(name, "kthreadd") == 0;
    snprintf(path, sizeof path, "proc/%d/stat", pid);
    fake_put(&tree, path, "%d (%s) S %d 1 1 0 -1 %u 1 1 1 1 1 1 1 1 20 0 1 0 %u 1000 %u 18446744073709551615\n", pid, name, parent,
        kernel ? 0x200040U : 0x400000U, start, pages);
    snprintf(path, sizeof path, "proc/%d/cgroup", pid);
    fake_put(&tree, path, "0::%s\n", group);
}

static void take_away(int pid)
{
    char path[48];
    snprintf(path, sizeof path, "proc/%d/stat", pid);
    fake_remove(&tree, path);
    snprintf(path, sizeof path, "proc/%d/cgroup", pid);
    fake_remove(&tree, path);
    snprintf(path, sizeof path, "proc/%d", pid);
    fake_remove(&tree, path);
}

static uint64_t page(void) { return (uint64_t)sysconf(_SC_PAGESIZE); }

static void found_changed_gone(void **state)
{
    (void)state;
    put(1, "init", 0, 1, 10, "/");
    put(2, "kthreadd", 0, 1, 0, "/");
    put(30, "a ) b (c", 1, 7, 1000, "/system.slice/a.service");
    put(31, "child", 30, 9, 500, "/system.slice/a.service");
    fake_put(&tree, "proc/77/stat", "garbage");
    fake_put(&tree, "proc/78/stat", "78 (cut) S 1 1");
    fake_folder(&tree, "proc/self");
    fake_folder(&tree, "proc/12x");
    watch_processes_read(&p, &g, 1, 0);
    assert_int_equal(p.count, 4);
    const watch_process *x = watch_processes_find(&p, 30);
    assert_non_null(x);
    assert_string_equal(x->name, "a ) b (c");
    assert_true(x->resident == 1000 * page() && x->uid == geteuid() && x->fresh);
    assert_string_equal(g.list[x->group].label, "a.service");
    assert_true(watch_processes_find(&p, 2)->kernel);
    assert_true(watch_processes_within(&p, watch_processes_find(&p, 31), 30));
    assert_false(watch_processes_within(&p, watch_processes_find(&p, 30), 31));
    put(30, "python", 1, 7, 3000, "/system.slice/a.service"); /* exec, and grown */
    put(31, "other", 1, 10, 5, "/system.slice/b.service");    /* the number was used again */
    watch_processes_read(&p, &g, 2, 0);
    x = watch_processes_find(&p, 30);
    assert_string_equal(x->name, "python");
    assert_true(x->rate > 0 && !x->fresh);
    x = watch_processes_find(&p, 31);
    assert_true(x->rate == 0 && x->fresh);
    assert_string_equal(g.list[x->group].label, "b.service");
    take_away(30);
    watch_processes_read(&p, &g, 3, 0);
    assert_null(watch_processes_find(&p, 30));
    assert_int_equal(p.count, 3);
    put(40, "new", 1, 11, 5, "/system.slice/c.service"); /* takes the place of the group that is gone */
    size_t groups = g.count;
    watch_processes_read(&p, &g, 4, 0);
    assert_int_equal(g.count, groups);
}

static void a_budget_goes_on_where_it_stood(void **state)
{
    (void)state;
    for (int i = 1; i <= 300; i++)
        put(i, "p", 1, 5, (unsigned)i, "/");
    watch_processes_read(&p, &g, 1, 0);
    assert_int_equal(p.count, 300);
    put(5, "p", 1, 5, 999999, "/");
    put(300, "p", 1, 5, 999998, "/");
    int rounds = 0;
    double now = 2;
    for (uint32_t pass = p.pass; p.pass < pass + 2 && rounds < 1000; rounds++)
        watch_processes_read(&p, &g, now++, 1e-9);
    assert_true(rounds > 4 && rounds < 1000);
    assert_true(watch_processes_find(&p, 5)->resident == 999999 * page());
    put(300, "p", 1, 5, 7, "/"); /* now among the largest: seen at once */
    watch_processes_read(&p, &g, now, 1e-9);
    assert_true(watch_processes_find(&p, 300)->resident == 7 * page());
}

static void coming_and_going_does_not_grow(void **state)
{
    (void)state;
    char group[32];
    size_t most = 0, groups = 0;
    for (int round = 0; round < 60; round++) {
        for (int i = 0; i < 20; i++) {
            snprintf(group, sizeof group, "/job/%d", round * 20 + i);
            put(1000 + round * 20 + i, "job", 1, 5, 10, group);
        }
        watch_processes_read(&p, &g, round, 0);
        for (int i = 0; i < 20; i++)
            take_away(1000 + round * 20 + i);
        watch_processes_read(&p, &g, round + 0.5, 0);
        most = p.capacity > most && round > 2 ? p.capacity : most;
        groups = g.capacity > groups && round > 2 ? g.capacity : groups;
    }
    assert_true(most <= 64 && groups <= 64);
    assert_int_equal(p.count, 0);
}

/* ---- whole samples ---- */

static pl_status start(watch_state *w, watch_options *o)
{
    pl_error e;
    return watch_state_start(w, o, &tree.view, &e);
}

static void sample_of_a_container(void **state)
{
    (void)state;
    watch_options o = {.interval = 1};
    watch_state *w = calloc(1, sizeof *w);
    fake_put(&tree, "proc/meminfo", "MemTotal: %d kB\nMemFree: 1048576 kB\nMemAvailable: %d kB\nSwapTotal: 2048 kB\nSwapFree: 1024 kB\n", 16 << 20, 8 << 20);
    fake_put(&tree, "proc/vmstat", "nr_free_pages 1\noom_kill 4\n");
    fake_put(&tree, "proc/self/cgroup", "0::/\n");
    fake_put(&tree, "proc/self/mountinfo", "31 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    fake_put(&tree, "sys/fs/cgroup/memory.max", "4294967296\n");
    fake_put(&tree, "sys/fs/cgroup/memory.current", "3221225472\n");
    fake_put(&tree, "sys/fs/cgroup/memory.events", "high 0\nmax 7\noom 0\noom_kill 1\n");
    put(9, "python", 1, 3, 100, "/");
    assert_int_equal(start(w, &o), PL_OK);
    watch_sample(w);
    const watch_machine *m = &w->machine;
    assert_true(m->known && m->total == 16 * GIB && m->available == 8 * GIB && m->free == GIB && m->swap_total - m->swap_free == MIB);
    assert_true(m->has_group && m->group.limit == 4 * GIB && m->group.max == 7);
    assert_int_equal(watch_oom_kills(w), 0); /* none since we watch */
    assert_true(watch_history_back(&m->history, 0) == 0.75);
    fake_put(&tree, "sys/fs/cgroup/memory.events", "high 0\nmax 7\noom 0\noom_kill 3\n");
    fake_put(&tree, "proc/vmstat", "oom_kill 9\n");
    watch_sample(w);
    assert_int_equal(watch_oom_kills(w), 2);
    char text[512];
    watch_unseen(w, text, sizeof text);
    assert_null(strstr(text, "the control group"));
    assert_non_null(strstr(text, "no PSI"));
    assert_non_null(strstr(text, "hidepid"));
    put(1, "init", 0, 1, 100, "/");
    watch_unseen(w, text, sizeof text);
    assert_null(strstr(text, "hidepid"));
    watch_state_end(w);
    free(w);
}

static void sample_of_nothing(void **state)
{
    (void)state;
    watch_options o = {.interval = 1};
    watch_state *w = calloc(1, sizeof *w);
    static watch_out out;
    assert_int_equal(start(w, &o), PL_OK);
    watch_sample(w);
    watch_sample(w);
    char text[512];
    watch_unseen(w, text, sizeof text);
    assert_non_null(strstr(text, "no /proc/meminfo"));
    assert_non_null(strstr(text, "the control group"));
    assert_non_null(strstr(text, "processes"));
    FILE *f = tmpfile();
    watch_out_start(&out, fileno(f));
    watch_text_once(w, &out, false);
    watch_json_line(w, &out);
    watch_text_line(w, &out);
    assert_int_equal(out.error, 0);
    fclose(f);
    watch_state_end(w);
    free(w);
}

static void one_process_and_its_tree(void **state)
{
    (void)state;
    watch_options o = {.interval = 1, .pid = 50};
    watch_state *w = calloc(1, sizeof *w);
    fake_put(&tree, "proc/meminfo", "MemTotal: %d kB\nMemAvailable: %d kB\n", 16 << 20, 8 << 20);
    assert_int_equal(start(w, &o), PL_BAD_INPUT);
    watch_state_end(w);
    put(50, "sh", 1, 3, 100, "/");
    assert_int_equal(start(w, &o), PL_BAD_INPUT); /* no VmRSS: a thread of the kernel */
    watch_state_end(w);
    fake_put(&tree, "proc/50/status", "VmHWM: 8192 kB\nVmRSS: 400 kB\n");
    put(51, "python", 50, 4, 1000, "/");
    put(52, "worker", 51, 5, 2000, "/");
    put(60, "else", 1, 5, 90000, "/");
    assert_int_equal(start(w, &o), PL_OK);
    watch_sample(w);
    assert_int_equal(w->tree_count, 3);
    assert_true(w->tree_resident == 3100 * page());
    assert_true(w->tree_peak == pl_max(3100 * page(), 8 * MIB));
    uint32_t order[8];
    assert_int_equal(watch_order(w, SORT_MEMORY, NULL, order, 8), 3);
    assert_int_equal(w->processes.list[order[0]].pid, 52);
    assert_int_equal(watch_order(w, SORT_PID, NULL, order, 8), 3);
    assert_int_equal(w->processes.list[order[0]].pid, 50);
    assert_int_equal(watch_order(w, SORT_NAME, "pyth", order, 8), 1);
    fake_remove(&tree, "proc/50/status");
    watch_sample(w);
    assert_true(w->root_gone);
    watch_state_end(w);
    free(w);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {T(found_changed_gone), T(a_budget_goes_on_where_it_stood), T(coming_and_going_does_not_grow), T(sample_of_a_container),
        T(sample_of_nothing), T(one_process_and_its_tree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
