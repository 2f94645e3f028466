/* pl_os_spare and pl_os_watch on machines of every kind. Both must agree on the tightest group. */
#include "os/fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define V2 "sys/fs/cgroup"
#define V1 "sys/fs/cgroup/memory"
#define V2_MOUNT "31 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1_MOUNT "35 31 0:32 %s /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
#define V1_NO_LIMIT "9223372036854771712\n"

static fake tree;

static int begin(void **state)
{
    (void)state;
    fake_make(&tree);
    fake_put(&tree, "proc/meminfo", "MemTotal: %d kB\nMemFree: 100 kB\nMemAvailable:   %d kB\n", 16 << 20, 8 << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    fake_end(&tree);
    return 0;
}

static pl_spare spare(void)
{
    pl_spare s;
    pl_error e;
    assert_int_equal(pl_os_spare(&tree.view, &s, &e), PL_OK);
    size_t bytes = pl_os_watch_bytes(&tree.view);
    void *memory = aligned_alloc(16, bytes);
    pl_os_watch *w = pl_os_watch_open(&tree.view, memory, bytes);
    pl_pressure p;
    for (int i = 0; i < 2; i++) { /* twice: files that stay open are read from their beginning */
        pl_os_watch_read(w, &p);
        assert_int_equal(p.cgroup, s.cgroup);
        assert_int_equal(p.available, s.available);
    }
    pl_os_watch_close(w);
    free(memory);
    return s;
}

static void v2_group(const char *path, const char *max, uint64_t current, uint64_t inactive, uint64_t active, uint64_t dirty)
{
    char name[512];
    snprintf(name, sizeof name, V2 "%s/memory.max", path);
    fake_put(&tree, name, "%s\n", max);
    snprintf(name, sizeof name, V2 "%s/memory.current", path);
    fake_put(&tree, name, "%llu\n", (unsigned long long)current);
    snprintf(name, sizeof name, V2 "%s/memory.stat", path);
    fake_put(&tree, name,
        "anon 1\nfile 2\nshmem 7\nfile_mapped 3\nfile_dirty %llu\nfile_writeback 0\ninactive_anon 9\nactive_anon 9\ninactive_file %llu\nactive_file "
        "%llu\nunevictable 0\n",
        (unsigned long long)dirty, (unsigned long long)inactive, (unsigned long long)active);
}

static void v1_group(const char *path, const char *limit, uint64_t usage, uint64_t own_file, uint64_t total_file, const char *inherited)
{
    char name[512];
    snprintf(name, sizeof name, V1 "%s/memory.limit_in_bytes", path);
    fake_put(&tree, name, "%s", limit);
    snprintf(name, sizeof name, V1 "%s/memory.usage_in_bytes", path);
    fake_put(&tree, name, "%llu\n", (unsigned long long)usage);
    snprintf(name, sizeof name, V1 "%s/memory.stat", path);
    fake_put(&tree, name,
        "cache 5\ndirty 0\ninactive_file %llu\nactive_file 0\nhierarchical_memory_limit %stotal_cache 9\ntotal_dirty 0\ntotal_inactive_file "
        "%llu\ntotal_active_file 0\n",
        (unsigned long long)own_file, inherited, (unsigned long long)total_file);
}

static void machine_alone(void **state)
{
    (void)state;
    pl_spare s = spare();
    assert_int_equal(s.available, 8 * GIB);
    assert_true(s.cgroup == UINT64_MAX && s.rlimit == UINT64_MAX && s.promised == 0);
    assert_int_equal(s.reserve, 512 * MIB); /* a sixteenth */
    assert_int_equal(s.bytes, 8 * GIB - s.reserve);
    assert_string_equal(s.reason, "8.00 GiB available on this machine, less 512 MiB reserve");
}

static void v2_limits_of_several_ancestors(void **state)
{
    (void)state;
    fake_put(&tree, "proc/self/cgroup", "0::/a/b/c\n");
    fake_put(&tree, "proc/self/mountinfo", "22 27 0:21 / /proc rw - proc proc rw\n" V2_MOUNT);
    v2_group("/a/b/c", "max", 10 * MIB, 0, 0, 0);
    v2_group("/a/b", "67108864", 40 * MIB, 10 * MIB, 6 * MIB, 2 * MIB);
    v2_group("/a", "134217728", 120 * MIB, 10 * MIB, 0, 0);
    pl_spare s = spare();
    assert_int_equal(s.cgroup, 128 * MIB - 110 * MIB);
    assert_int_equal(s.bytes, s.cgroup - s.cgroup / 16);
    v2_group("/a", "max", 120 * MIB, 10 * MIB, 0, 0);
    s = spare();
    assert_int_equal(s.cgroup, 64 * MIB - (40 - 10 - 6 + 2) * MIB);
    assert_string_equal(s.reason, "container limit 64.0 MiB, 26.0 MiB in use, less 2.37 MiB reserve");
    fake_put(&tree, V2 "/a/b/c/memory.high", "20971520\n"); /* no limit, but a wall all the same */
    s = spare();
    assert_int_equal(s.cgroup, 10 * MIB);
    fake_put(&tree, V2 "/a/b/c/memory.high", "max\n");
    fake_put(&tree, V2 "/a/b/c/memory.max", "0\n"); /* use above the limit */
    s = spare();
    assert_true(s.cgroup == 0 && s.bytes == 0);
}

static void v2_of_a_namespace_and_outside_of_it(void **state)
{
    (void)state;
    static const char *const paths[] = {"/", "/../../other", "/system.slice/docker-1.scope", "/gone (deleted)"};
    fake_put(&tree, "proc/self/mountinfo", V2_MOUNT);
    v2_group("", "33554432", 2 * MIB, 0, 0, 0);
    for (size_t i = 0; i < PL_COUNT(paths); i++) { /* none of these is a folder below the mount */
        fake_put(&tree, "proc/self/cgroup", "0::%s\n", paths[i]);
        assert_int_equal(spare().cgroup, 30 * MIB);
    }
    fake_put(&tree, "proc/self/cgroup", "0::/docker/1/job\n"); /* its ending is */
    v2_group("/job", "8388608", MIB, 0, 0, 0);
    assert_int_equal(spare().cgroup, 7 * MIB);
    fake_put(&tree, "proc/self/cgroup", "0::/job/gone (deleted)\n"); /* its beginning is */
    assert_int_equal(spare().cgroup, 7 * MIB);
}

static void v1_with_children_and_no_limit(void **state)
{
    (void)state;
    fake_put(&tree, "proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/x/y\n1:name=systemd:/x\n");
    fake_put(&tree, "proc/self/mountinfo", V1_MOUNT, "/");
    v1_group("/x/y", V1_NO_LIMIT, 3 * MIB, 0, 0, V1_NO_LIMIT);
    assert_true(spare().cgroup == UINT64_MAX);
    v1_group("/x", "104857600\n", 90 * MIB, 1, 50 * MIB, "104857600\n");
    assert_int_equal(spare().cgroup, 60 * MIB);
    /* memory and swap together: what others have swapped out is taken from us */
    fake_put(&tree, V1 "/x/memory.memsw.limit_in_bytes", "104857600\n");
    fake_put(&tree, V1 "/x/memory.memsw.usage_in_bytes", "%llu\n", 140 * MIB);
    assert_int_equal(spare().cgroup, 10 * MIB);
}

static void v1_ancestor_out_of_sight(void **state)
{
    (void)state;
    fake_put(&tree, "proc/self/cgroup", "4:memory:/docker/abc\n");
    fake_put(&tree, "proc/self/mountinfo", V1_MOUNT, "/docker/abc");
    v1_group("", V1_NO_LIMIT, 12 * MIB, 0, 2 * MIB, "67108864\n");
    assert_int_equal(spare().cgroup, 54 * MIB);
}

static void hybrid_reads_both(void **state)
{
    (void)state;
    fake_put(&tree, "proc/self/cgroup", "4:memory:/job\n0::/user.slice\n");
    fake_put(&tree, "proc/self/mountinfo", V1_MOUNT "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n", "/");
    fake_put(&tree, "sys/fs/cgroup/unified/user.slice/cgroup.procs", "1\n");
    v1_group("/job", "50331648\n", 8 * MIB, 0, 0, "50331648\n");
    assert_int_equal(spare().cgroup, 40 * MIB);
}

static void mounts_not_shown(void **state)
{
    (void)state;
    fake_put(&tree, "proc/self/cgroup", "0::/job\n");
    v2_group("/job", "8388608", MIB, 0, 0, 0);
    assert_int_equal(spare().cgroup, 7 * MIB);
}

static void mount_point_elsewhere_with_blanks(void **state)
{
    (void)state;
    fake_put(&tree, "proc/self/cgroup", "0::/job\n");
    fake_put(&tree, "proc/self/mountinfo", "1 2 0:3 / %s/my\\040groups rw - cgroup2 none rw\n", tree.root);
    fake_put(&tree, "my groups/job/memory.max", "8388608\n");
    fake_put(&tree, "my groups/job/memory.current", "1048576\n");
    assert_int_equal(spare().cgroup, 7 * MIB);
}

static void garbage_is_no_limit(void **state)
{
    (void)state;
    static const char *const junk[] = {"", "\n", "-1\n", "0x40\n", "99999999999999999999999\n", "12 apples\xff", "maximum\n"};
    fake_put(&tree, "proc/self/mountinfo", "garbage\n%01000d\n- cgroup2\n1 2 3 4 - - - -\n" V2_MOUNT, 0);
    fake_put(&tree, "proc/self/cgroup", ":\n::\n0:\n%09000d\n0::/job\n", 0);
    for (size_t i = 0; i < PL_COUNT(junk); i++) {
        v2_group("/job", junk[i], MIB, 0, 0, 0);
        pl_spare s = spare();
        assert_true(s.cgroup == UINT64_MAX || i == 5);
        fake_put(&tree, V2 "/job/memory.max", "8388608\n");
        fake_put(&tree, V2 "/job/memory.current", "%s", junk[i]);
        s = spare();
        assert_true(s.cgroup <= 8 * MIB);
        v2_group("/job", "8388608", 2 * MIB, UINT64_MAX, UINT64_MAX, 0); /* the sum overflows */
        assert_int_equal(spare().cgroup, 6 * MIB);
        fake_put(&tree, V2 "/job/memory.stat", "inactive_file %sinactive_file", junk[i]);
        assert_true(spare().cgroup >= 6 * MIB);
    }
}

static void long_stat_lines_are_passed(void **state)
{
    (void)state;
    fake_put(&tree, "proc/self/mountinfo", V2_MOUNT);
    fake_put(&tree, "proc/self/cgroup", "0::/job\n");
    v2_group("/job", "8388608", 4 * MIB, 0, 0, 0);
    for (int width = 4080; width < 4110; width++) { /* around the size of the line buffer */
        fake_put(&tree, V2 "/job/memory.stat", "x%0*d\ninactive_file 1048576\n", width, 0);
        assert_int_equal(spare().cgroup, 5 * MIB);
    }
}

static void old_kernel_without_available(void **state)
{
    (void)state;
    fake_put(&tree, "proc/meminfo",
        "MemTotal: 1048576 kB\nMemFree: 1024 kB\nBuffers: 0 kB\nCached: 9000 kB\nActive(file): 4096 kB\nInactive(file): 4096 kB\nSReclaimable: 2048 kB\n");
    assert_int_equal(spare().available, 6 * MIB);
    fake_put(&tree, "proc/meminfo", "MemTotal: 1048576 kB\nMemFree: 1024 kB\nBuffers: 1024 kB\nCached: 8192 kB\nShmem: 1024 kB\n");
    assert_int_equal(spare().available, 5 * MIB);
}

static void nothing_known(void **state)
{
    (void)state;
    fake_remove(&tree, "proc/meminfo");
    pl_spare s;
    pl_error e;
    assert_int_equal(pl_os_spare(&tree.view, &s, &e), PL_MACHINE);
    assert_non_null(strstr(e.hints, "--memory"));
    fake_put(&tree, "proc/self/mountinfo", V2_MOUNT);
    fake_put(&tree, "proc/self/cgroup", "0::/\n");
    v2_group("", "33554432", 2 * MIB, 0, 0, 0);
    assert_int_equal(pl_os_spare(&tree.view, &s, &e), PL_OK);
    assert_int_equal(s.bytes, 30 * MIB - 30 * MIB / 16);
}

static void strict_overcommit(void **state)
{
    (void)state;
    fake_put(&tree, "proc/meminfo", "MemTotal: 4194304 kB\nMemFree: 9 kB\nMemAvailable: 2097152 kB\nCommitLimit: 1048576 kB\nCommitted_AS: 524288 kB\n");
    fake_put(&tree, "proc/sys/vm/overcommit_memory", "0\n");
    assert_int_equal(spare().available, 2 * GIB);
    fake_put(&tree, "proc/sys/vm/overcommit_memory", "2\n");
    assert_int_equal(spare().available, 512 * MIB);
}

static void node(int n, unsigned total, unsigned free_kib, unsigned file)
{
    char name[96];
    snprintf(name, sizeof name, "sys/devices/system/node/node%d/meminfo", n);
    fake_put(&tree, name,
        "Node %d MemTotal: %u kB\nNode %d MemFree: %u kB\nNode %d Active(file): %u kB\nNode %d Inactive(file): 0 kB\nNode %d SReclaimable: 0 kB\n", n, total, n,
        free_kib, n, file, n, n);
}

static void numa_nodes(void **state)
{
    (void)state;
    /* 5 GiB could become free, 4 are available: the kernel keeps 1, a half of it on each equal node */
    fake_put(&tree, "proc/meminfo", "MemTotal: 16777216 kB\nMemAvailable: 4194304 kB\n");
    fake_put(&tree, "sys/devices/system/node/online", "0-2\n");
    node(0, 8 << 20, 1 << 20, 0);
    node(1, 8 << 20, 2 << 20, 2 << 20);
    node(2, 0, 0, 0); /* CPUs only */
    fake_put(&tree, "proc/self/status", "VmRSS: 4 kB\nMems_allowed:\t00000000,00000003\n");
    assert_int_equal(spare().available, 4 * GIB);
    fake_put(&tree, "proc/self/status", "Mems_allowed:\t00000000,00000001\n");
    pl_spare s = spare();
    assert_int_equal(s.available, 512 * MIB);
    assert_non_null(strstr(s.reason, "the allowed NUMA nodes"));
    fake_put(&tree, "proc/self/status", "Mems_allowed:\t2\n");
    assert_int_equal(spare().available, 3 * GIB + 512 * MIB);
    fake_put(&tree, "proc/self/status", "Mems_allowed:\tzebra\n");
    assert_int_equal(spare().available, 4 * GIB);
}

static void resource_limits(void **state)
{
    (void)state;
    fake_put(&tree, "proc/self/status", "VmSize:\t  1024 kB\nVmData:\t  512 kB\n");
    fake_put(&tree, "proc/self/limits",
        "Limit                     Soft Limit           Hard Limit           Units     \nMax data size             unlimited            unlimited            "
        "bytes     \nMax address space         33554432             unlimited            bytes     \n");
    pl_spare s = spare();
    assert_int_equal(s.rlimit, 31 * MIB);
    assert_int_equal(s.bytes, 31 * MIB);
    assert_string_equal(s.reason, "RLIMIT_AS leaves 31.0 MiB");
    fake_put(&tree, "proc/self/limits",
        "Max data size             1048576            unlimited            bytes     \nMax address space         33554432             unlimited            "
        "bytes     \n");
    s = spare();
    assert_int_equal(s.rlimit, MIB / 2);
    assert_string_equal(s.reason, "RLIMIT_DATA leaves 512 KiB");
}

/* memory.high is written while the job runs, below what is used too. */
static void watch_sees_a_soft_limit(void **state)
{
    (void)state;
    fake_put(&tree, "proc/self/mountinfo", V2_MOUNT);
    fake_put(&tree, "proc/self/cgroup", "0::/job\n");
    v2_group("/job", "max", 6 * MIB, 0, 0, 0);
    fake_put(&tree, V2 "/job/memory.high", "max\n");
    fake_put(&tree, V2 "/job/memory.pressure", "some avg10=40.00 avg60=1.00 avg300=0.00 total=3\nfull avg10=20.00 avg60=0.00 avg300=0.00 total=1\n");
    fake_put(&tree, V2 "/job/memory.stat", "anon 5242880\nfile 0\n");
    size_t bytes = pl_os_watch_bytes(&tree.view);
    void *memory = aligned_alloc(16, bytes);
    pl_os_watch *w = pl_os_watch_open(&tree.view, memory, bytes);
    pl_pressure p;
    pl_os_watch_read(w, &p);
    assert_true(p.cgroup == UINT64_MAX && p.over == 0);
    assert_true(p.has_stall && p.full == 20 && p.anonymous == 5 * MIB);
    fake_put(&tree, V2 "/job/memory.high", "8388608\n");
    pl_os_watch_read(w, &p);
    assert_true(p.cgroup == 2 * MIB && p.limit == 8 * MIB && p.over == 0);
    fake_put(&tree, V2 "/job/memory.high", "4194304\n");
    pl_os_watch_read(w, &p);
    assert_true(p.cgroup == 0 && p.limit == 4 * MIB && p.over == 2 * MIB);
    fake_put(&tree, V2 "/job/memory.stat", "file 0\n");
    pl_os_watch_read(w, &p);
    assert_true(p.anonymous == UINT64_MAX);
    pl_os_watch_close(w);
    free(memory);
}

static void watch_follows(void **state)
{
    (void)state;
    fake_put(&tree, "proc/self/mountinfo", V2_MOUNT);
    fake_put(&tree, "proc/self/cgroup", "0::/job\n");
    fake_put(&tree, "proc/pressure/memory", "some avg10=12.50 avg60=1.00 avg300=0.00 total=3\nfull avg10=3.25 avg60=0.00 avg300=0.00 total=1\n");
    v2_group("/job", "8388608", MIB, 0, 0, 0);
    size_t bytes = pl_os_watch_bytes(&tree.view);
    void *memory = aligned_alloc(16, bytes);
    pl_os_watch *w = pl_os_watch_open(&tree.view, memory, bytes);
    pl_pressure p;
    pl_os_watch_read(w, &p);
    assert_true(p.cgroup == 7 * MIB && p.limit == 8 * MIB && p.available == 8 * GIB);
    assert_true(p.has_stall && p.some == 12.5 && p.full == 3.25);
    fake_put(&tree, V2 "/job/memory.high", "4194304\n");
    pl_os_watch_read(w, &p); /* the file came later: not opened, so not seen; others are */
    assert_int_equal(p.cgroup, 7 * MIB);
    fake_put(&tree, V2 "/job/memory.max", "3145728\n");
    pl_os_watch_read(w, &p);
    assert_true(p.cgroup == 2 * MIB && p.limit == 3 * MIB);
    char deep[512] = ""; /* deeper than there is room for, so by path; the limit is at its end and at its beginning */
    for (int i = 0; i < 30; i++)
        strcat(deep, i ? "/d" : "/e");
    v2_group(deep, "5242880", MIB, 0, 0, 0);
    fake_put(&tree, "proc/self/cgroup", "0::%s\n", deep);
    pl_os_watch_read(w, &p);
    assert_int_equal(p.cgroup, 4 * MIB);
    v2_group("/e", "2097152", MIB, 0, 0, 0);
    pl_os_watch_read(w, &p);
    assert_int_equal(p.cgroup, MIB);
    fake_put(&tree, "proc/self/cgroup", "0::/job\n");
    pl_os_watch_read(w, &p);
    assert_int_equal(p.cgroup, 2 * MIB);
    pl_os_watch_close(w);
    free(memory);
}

static void group_of_any_process(void **state)
{
    (void)state;
    pl_group g;
    fake_put(&tree, "proc/self/mountinfo", V2_MOUNT);
    fake_put(&tree, "proc/77/cgroup", "0::/a/b\n");
    assert_false(pl_os_group(&tree.view, 77, &g)); /* no such folder, and the mount point counts nothing */
    v2_group("/a/b", "max", 9 * MIB, MIB, 0, 0);
    v2_group("/a", "16777216", 12 * MIB, 0, 0, 0);
    fake_put(&tree, V2 "/a/b/memory.events", "low 0\nhigh 4\nmax 3\noom 2\noom_kill 1\n");
    assert_true(pl_os_group(&tree.view, 77, &g));
    uint64_t id = g.id;
    assert_true(g.used == 8 * MIB && g.limit == 16 * MIB && g.headroom == 4 * MIB);
    assert_true(g.has_events && g.high == 4 && g.max == 3 && g.oom == 2 && g.oom_kill == 1);
    fake_put(&tree, "proc/78/cgroup", "4:memory:/x\n");
    fake_put(&tree, "proc/self/mountinfo", V1_MOUNT, "/");
    v1_group("/x", V1_NO_LIMIT, 3 * MIB, 0, MIB, V1_NO_LIMIT);
    fake_put(&tree, V1 "/x/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n");
    fake_put(&tree, V1 "/x/memory.failcnt", "6\n");
    assert_true(pl_os_group(&tree.view, 78, &g));
    assert_true(g.used == 2 * MIB && g.limit == UINT64_MAX && g.has_events && g.max == 6 && g.oom_kill == 5);
    assert_true(g.id != id);
    assert_false(pl_os_group(&tree.view, 79, &g));
}

static void this_machine(void **state)
{
    (void)state;
    pl_os_view view = {"/proc", "/sys", NULL};
    pl_spare s;
    pl_error e;
    assert_int_equal(pl_os_spare(&view, &s, &e), PL_OK);
    assert_true(s.bytes > 0 && s.bytes <= s.available && s.available < UINT64_MAX);
    pl_process_memory m;
    assert_true(pl_os_process_memory(&view, 0, &m));
    assert_true(m.resident > 0 && m.peak + pl_os_count_slack() >= m.resident && m.virtual_bytes >= m.resident);
    assert_true(pl_os_process_memory(&view, (long)getpid(), &m));
    assert_false(pl_os_process_memory(&view, 1L << 30, &m));
}

static void pages(void **state)
{
    (void)state;
    assert_null(pl_os_map(0));
    assert_null(pl_os_map(1ULL << 62));
    char *p = pl_os_map(4 * MIB);
    assert_non_null(p);
    pl_os_advise_huge(p, 4 * MIB, false);
    memset(p, 1, 4 * MIB);
    pl_os_release(p, 4 * MIB);
    assert_int_equal(p[MIB], 0);
    pl_os_unmap(p, 4 * MIB);
}

static void what_may_wait(void **state)
{
    (void)state;
    assert_int_equal(pl_os_may_wait(&tree.view, 1000), 150); /* Linux's own: 10 and 20 percent */
    fake_put(&tree, "proc/sys/vm/dirty_background_ratio", "4\n");
    fake_put(&tree, "proc/sys/vm/dirty_ratio", "40\n");
    assert_int_equal(pl_os_may_wait(&tree.view, 1000), 220);
    fake_put(&tree, "proc/sys/vm/dirty_ratio", "junk\n");
    assert_int_equal(pl_os_may_wait(&tree.view, 1000), 120);
    fake_put(&tree, "proc/sys/vm/dirty_bytes", "300\n");
    fake_put(&tree, "proc/sys/vm/dirty_background_bytes", "0\n"); /* not set */
    assert_int_equal(pl_os_may_wait(&tree.view, 1000), 170);
    assert_int_equal(pl_os_may_wait(&tree.view, 100), 52); /* not more than there is */
    fake_put(&tree, "proc/sys/vm/dirty_background_bytes", "900\n");
    assert_int_equal(pl_os_may_wait(&tree.view, 1000), 300);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        T(machine_alone),
        T(v2_limits_of_several_ancestors),
        T(v2_of_a_namespace_and_outside_of_it),
        T(v1_with_children_and_no_limit),
        T(v1_ancestor_out_of_sight),
        T(hybrid_reads_both),
        T(mounts_not_shown),
        T(mount_point_elsewhere_with_blanks),
        T(garbage_is_no_limit),
        T(long_stat_lines_are_passed),
        T(old_kernel_without_available),
        T(nothing_known),
        T(strict_overcommit),
        T(numa_nodes),
        T(resource_limits),
        T(watch_sees_a_soft_limit),
        T(watch_follows),
        T(group_of_any_process),
        T(what_may_wait),
        T(this_machine),
        T(pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
