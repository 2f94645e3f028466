/* pl_os_cpus on machines of every kind. */
#include "os/fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static fake tree;

static int begin(void **state)
{
    (void)state;
    fake_make(&tree);
    return 0;
}

static int end(void **state)
{
    (void)state;
    fake_end(&tree);
    return 0;
}

static void siblings(unsigned cpu, const char *list)
{
    char name[96];
    snprintf(name, sizeof name, "sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", cpu);
    fake_put(&tree, name, "%s\n", list);
}

static void affinity_and_online(void **state)
{
    (void)state;
    fake_put(&tree, "proc/self/status", "Cpus_allowed:\tff\n");
    assert_int_equal(pl_os_cpus(&tree.view), 8);
    fake_put(&tree, "sys/devices/system/cpu/online", "0-2,5\n");
    assert_int_equal(pl_os_cpus(&tree.view), 4);
    fake_put(&tree, "proc/thread-self/status", "Cpus_allowed:\t06\n"); /* the thread's own comes first */
    assert_int_equal(pl_os_cpus(&tree.view), 2);
    fake_put(&tree, "sys/devices/system/cpu/online", "7-3,x\n"); /* garbage: not used */
    assert_int_equal(pl_os_cpus(&tree.view), 2);
    fake_put(&tree, "sys/devices/system/cpu/online", "64\n");
    assert_int_equal(pl_os_cpus(&tree.view), 1); /* never none */
}

static void more_than_1024(void **state)
{
    (void)state;
    char mask[256 * 9 + 1] = "";
    for (int i = 0; i < 256; i++)
        strcat(mask, i ? ",80000001" : "80000001");
    fake_put(&tree, "proc/self/status", "Name:\tx\nCpus_allowed:\t%s\n", mask);
    assert_int_equal(pl_os_cpus(&tree.view), 512);
}

static void cores_first(void **state)
{
    (void)state;
    fake_put(&tree, "proc/self/status", "Cpus_allowed:\tff\n");
    for (unsigned i = 0; i < 8; i++) {
        char list[16];
        snprintf(list, sizeof list, "%u,%u", i % 4, i % 4 + 4);
        siblings(i, list);
    }
    assert_int_equal(pl_os_cpus(&tree.view), 4);
    fake_put(&tree, "proc/self/status", "Cpus_allowed:\tf1\n"); /* 0 and 4 pair up, 5 6 7 are alone */
    assert_int_equal(pl_os_cpus(&tree.view), 4);
    fake_put(&tree, "proc/self/status", "Cpus_allowed:\t30\n");
    assert_int_equal(pl_os_cpus(&tree.view), 2);
}

static void quota_of_version_2(void **state)
{
    (void)state;
    fake_put(&tree, "proc/self/status", "Cpus_allowed:\tffffffff\n");
    fake_put(&tree, "proc/self/cgroup", "0::/a/b\n");
    fake_put(&tree, "proc/self/mountinfo", "31 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    fake_put(&tree, "sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    assert_int_equal(pl_os_cpus(&tree.view), 32);
    fake_put(&tree, "sys/fs/cgroup/a/cpu.max", "250000 100000\n");
    assert_int_equal(pl_os_cpus(&tree.view), 3);
    fake_put(&tree, "sys/fs/cgroup/a/b/cpu.max", "50000 100000\n");
    assert_int_equal(pl_os_cpus(&tree.view), 1);
    fake_put(&tree, "sys/fs/cgroup/a/b/cpu.max", "banana\n");
    fake_put(&tree, "sys/fs/cgroup/a/cpu.max", "5 0\n");
    assert_int_equal(pl_os_cpus(&tree.view), 32);
}

static void quota_of_version_1(void **state)
{
    (void)state;
    fake_put(&tree, "proc/self/status", "Cpus_allowed:\tffffffff\n");
    fake_put(&tree, "proc/self/cgroup", "3:cpuset:/z\n2:cpu,cpuacct:/x\n");
    fake_put(&tree, "proc/self/mountinfo", "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n");
    fake_put(&tree, "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "-1\n");
    fake_put(&tree, "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
    assert_int_equal(pl_os_cpus(&tree.view), 32);
    fake_put(&tree, "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "400001\n");
    assert_int_equal(pl_os_cpus(&tree.view), 5);
}

static void this_machine(void **state)
{
    (void)state;
    pl_os_view view = {"/proc", "/sys", NULL}, nothing = {tree.proc, tree.sys, NULL};
    assert_true(pl_os_cpus(&view) >= 1);
    assert_true(pl_os_cpus(&nothing) >= pl_os_cpus(&view)); /* asks the system */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        T(affinity_and_online), T(more_than_1024), T(cores_first), T(quota_of_version_2), T(quota_of_version_1), T(this_machine)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
