/* Options, conditions, labels of groups, and text made safe. */
#include "os/fake.h"
#include "watch/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static pl_error e;

static pl_status parse(watch_options *o, int argc, const char **argv) { return watch_options_parse(argc, (char **)argv, o, &e); }
#define PARSE(o, ...) parse(o, (int)PL_COUNT(((const char *[]){"x", __VA_ARGS__})), (const char *[]){"x", __VA_ARGS__, NULL})

static void options(void **state)
{
    (void)state;
    watch_options o;
    assert_int_equal(PARSE(&o, "watch"), PL_OK);
    assert_true(!o.devices && o.interval == 1 && !o.run && !o.pid);
    assert_int_equal(PARSE(&o, "devices", "--json"), PL_OK);
    assert_true(o.devices && o.json);
    assert_int_equal(PARSE(&o, "--interval=0.5", "--pid", "17", "--once"), PL_OK);
    assert_true(o.interval == 0.5 && o.pid == 17 && o.once);
    assert_int_equal(PARSE(&o, "watch", "--run", "--", "a", "--json", "b"), PL_OK);
    assert_true(o.run && strcmp(o.run[0], "a") == 0 && strcmp(o.run[1], "--json") == 0 && !o.run[3] && !o.json);
    assert_int_equal(PARSE(&o, "watch", "--run", "--interval", "2", "a"), PL_OK);
    assert_true(o.interval == 2 && strcmp(o.run[0], "a") == 0);
    assert_int_equal(PARSE(&o, "watch", "--alert", "free<1", "--exec", "true", "-h"), PL_OK);
    assert_true(o.help && o.exec);
}

static void wrong_options(void **state)
{
    (void)state;
    watch_options o;
    assert_int_equal(PARSE(&o, "watch", "--intervall", "1"), PL_USAGE);
    assert_non_null(strstr(e.text, "did you mean --interval?"));
    assert_int_equal(PARSE(&o, "devices", "--once"), PL_USAGE);
    assert_int_equal(PARSE(&o, "watch", "extra"), PL_USAGE);
    assert_int_equal(PARSE(&o, "watch", "--pid"), PL_USAGE);
    assert_int_equal(PARSE(&o, "watch", "--json=yes"), PL_USAGE);
    assert_int_equal(PARSE(&o, "watch", "--run"), PL_USAGE);
    assert_int_equal(PARSE(&o, "watch", "--run", "--"), PL_USAGE);
    assert_int_equal(PARSE(&o, "watch", "--", "a"), PL_USAGE);
    assert_int_equal(PARSE(&o, "watch", "--exec", "a"), PL_USAGE);
    assert_int_equal(PARSE(&o, "watch", "--alert", "free<1", "--run", "--", "a"), PL_USAGE);
    assert_int_equal(PARSE(&o, "watch", "--pid", "1", "--run", "--", "a"), PL_USAGE);
    assert_int_equal(PARSE(&o, "watch", "--color", "maybe"), PL_USAGE);
    static const char *const pids[] = {"0", "-1", "x", "1x", "", "99999999999999999999", "1.5", " 1"};
    static const char *const intervals[] = {"0", "-1", "x", "", "nan", "inf", "1e99", "0.01", "1s"};
    for (size_t i = 0; i < PL_COUNT(pids); i++)
        assert_int_equal(PARSE(&o, "watch", "--pid", pids[i]), PL_USAGE);
    for (size_t i = 0; i < PL_COUNT(intervals); i++)
        assert_int_equal(PARSE(&o, "watch", "--interval", intervals[i]), PL_USAGE);
}

/* A machine of 16 GiB with 4 free, two GPUs of 8 GiB with 1 and 6 free. */
static void fill_state(watch_state *w)
{
    w->machine = (watch_machine){.known = true, .total = 16 * GIB, .available = 5 * GIB, .free = 4 * GIB, .swap_total = 2 * GIB, .swap_free = GIB};
    w->machine.pressure = (pl_pressure){.has_stall = true, .some = 12.5};
    w->machine.oom_kill = 3;
    w->machine_kills_before = 2;
    static watch_gpu gpus[2];
    gpus[0] = (watch_gpu){.index = 0, .known = true, .total = 8 * GIB, .free = GIB, .used = 7 * GIB};
    gpus[1] = (watch_gpu){.index = 1, .known = true, .total = 8 * GIB, .free = 6 * GIB, .used = 2 * GIB};
    for (int i = 0; i < 30; i++)
        watch_trend_add(&gpus[0].trend, i, (double)(MIB * 10) * i); /* full in 102 s */
    w->gpus.list = gpus;
    w->gpus.count = 2;
    w->root = 1;
    w->tree_resident = 3 * GIB;
}

static void conditions(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool holds;
        const char *why; /* NULL: any */
    } cases[] = {
        {"free<2GiB", true, "gpu0 free 1.00 GiB < 2.00 GiB"},
        {"free<1GiB", false, NULL},
        {"free<=1GiB", true, NULL},
        {"cpu.free<2GiB", false, NULL},
        {"cpu.free<4.5GiB", true, NULL},
        {"gpu.free<2GiB", true, NULL},
        {"gpu1.free<2GiB", false, NULL},
        {"gpu0.free<2GiB", true, NULL},
        {"gpu7.free<99GiB", false, NULL},
        {" gpu1.free < 50% , gpu0.free < 50% ", true, NULL},
        {"free>5GiB", true, "gpu1 free 6.00 GiB > 5.00 GiB"},
        {"used>80%", true, "gpu0 used 87.5 % > 80 %"},
        {"cpu.used>80%", false, NULL},
        {"available<6GiB", true, NULL},
        {"swap>512MiB", true, NULL},
        {"swap>=50%", true, NULL},
        {"swap>50%", false, NULL},
        {"pressure>10", true, "pressure 12.50 % > 10.00 %"},
        {"pressure>12.5%", false, NULL},
        {"full_in<5min", true, NULL},
        {"full_in<1min", false, NULL},
        {"gpu1.full_in<9h", false, NULL},
        {"oom_kill>0", true, "oom_kill 1 > 0"},
        {"oom_kill>1", false, NULL},
        {"rss>2G", true, NULL},
        {"rss>4G,free<1K", false, NULL},
    };
    static watch_state w;
    watch_options o = {.pid = 1};
    fill_state(&w);
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        watch_alert *a;
        char why[160] = "";
        assert_int_equal(watch_alert_parse(cases[i].text, &o, &a, &e), PL_OK);
        if (watch_alert_holds(a, &w, why) != cases[i].holds)
            fail_msg("%s", cases[i].text);
        if (cases[i].why)
            assert_string_equal(why, cases[i].why);
        watch_alert_free(a);
    }
    w.machine.known = w.gpus.list[0].known = w.gpus.list[1].known = false; /* what is not known never holds */
    w.machine.pressure.has_stall = false;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        watch_alert *a;
        char why[160];
        assert_int_equal(watch_alert_parse(cases[i].text, &o, &a, &e), PL_OK);
        assert_int_equal(watch_alert_holds(a, &w, why), strncmp(cases[i].text, "oom_kill>0", 10) == 0 || strncmp(cases[i].text, "rss>2G", 6) == 0);
        watch_alert_free(a);
    }
}

static void wrong_conditions(void **state)
{
    (void)state;
    static const char *const texts[] = {"", ",", "free", "free<", "free<2GiB,", "fre<2GiB", "free=2GiB", "free<x", "free<2XiB", "disk.free<2G",
        "gpu99999999.free<1", "cpu.pressure>1", "rss>1G", "full_in<soon", "full_in<5parsec", "oom_kill>90%", "pressure>-1", "free<-1", "cpu1.free<1",
        "free<18446744073709551616", "free<nan%"};
    watch_options o = {0};
    watch_alert *a;
    for (size_t i = 0; i < PL_COUNT(texts); i++)
        if (watch_alert_parse(texts[i], &o, &a, &e) != PL_USAGE)
            fail_msg("'%s' was taken", texts[i]);
    srand(3);
    for (int i = 0; i < 20000; i++) {
        char text[24];
        int n = rand() % 23;
        for (int k = 0; k < n; k++)
            text[k] = "gpucfre0.<>=2G%,ull_in5m \xff"[rand() % 26];
        text[n] = '\0';
        if (watch_alert_parse(text, &o, &a, &e) == PL_OK)
            watch_alert_free(a);
    }
}

static void group_labels(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"/", ""},
        {"/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "docker 0123456789ab"},
        {"/system.slice/docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope", "docker 0123456789ab"},
        {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod12.slice/cri-containerd-fedcba9876543210fedcba9876543210.scope",
            "containerd fedcba987654"},
        {"/kubepods/burstable/pod1234/aaaaaaaabbbbbbbbccccccccddddddddaaaaaaaabbbbbbbbccccccccdddddddd", "pod aaaaaaaabbbb"},
        {"/machine.slice/libpod-00112233445566778899aabbccddeeff.scope/container", "podman 001122334455"},
        {"/lxc/web/init.scope", "init.scope"},
        {"/lxc/web", "lxc web"},
        {"/lxc.payload.web", "lxc web"},
        {"/slurm/uid_1000/job_4711/step_0/task_0", "slurm job 4711"},
        {"/system.slice/ssh.service", "ssh.service"},
        {"/user.slice/user-1000.slice/session-3.scope", "session 3"},
        {"/user.slice/user-1000.slice", "user 1000"},
        {"/user.slice/user-1000.slice/user@1000.service/app.slice/firefox.service", "firefox.service"},
        {"/my/own/group", "group"},
        {"/x\033[31m\xff", "x?[31m?"},
    };
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        char label[48];
        watch_group_label(cases[i][0], label);
        assert_string_equal(label, cases[i][1]);
    }
}

static void group_of_a_process(void **state)
{
    (void)state;
    fake tree;
    watch_groups g = {0};
    fake_make(&tree);
    fake_put(&tree, "proc/5/cgroup", "12:pids:/\n4:cpu,memory:/slurm/uid_1/job_9\n0::/\n");
    fake_put(&tree, "proc/6/cgroup", "12:pids:/\n4:memory:/\n1:name=systemd:/user.slice\n0::/system.slice/ssh.service\n");
    fake_put(&tree, "proc/7/cgroup", "0::/\n");
    fake_put(&tree, "proc/8/cgroup", "garbage\n::\n%0900d", 0);
    fake_put(&tree, "proc/9/cgroup", "0::/system.slice/ssh.service\n");
    static const char *const labels[] = {"slurm job 9", "ssh.service", "", ""};
    for (int i = 0; i < 4; i++) {
        uint32_t at = watch_groups_of(&g, tree.proc, 5 + i);
        assert_string_equal(g.list[at].label, labels[i]);
    }
    assert_int_equal(watch_groups_of(&g, tree.proc, 9), watch_groups_of(&g, tree.proc, 6));
    assert_int_equal(watch_groups_of(&g, tree.proc, 99), WATCH_NO_GROUP);
    assert_int_equal(g.count, 3);
    watch_groups_free(&g);
    fake_end(&tree);
}

static const char *json_of(const char *text, char out[512])
{
    watch_out o;
    FILE *f = tmpfile();
    watch_out_start(&o, fileno(f));
    watch_out_string(&o, text);
    watch_out_flush(&o);
    rewind(f);
    out[fread(out, 1, 511, f)] = '\0';
    fclose(f);
    return out;
}

static void strings(void **state)
{
    (void)state;
    char out[512], text[64];
    assert_string_equal(json_of("a\"\\\n\x01", out), "\"a\\\"\\\\\\n\\u0001\"");
    assert_string_equal(json_of("\xff\xc3\xa4\xc3", out), "\"\xEF\xBF\xBD\xc3\xa4\xEF\xBF\xBD\"");
    assert_string_equal(json_of("1234567890123456789012345678901\xc3\xa4\xc3\xa4", out), "\"1234567890123456789012345678901\xc3\xa4\xc3\xa4\"");
    strcpy(text, "ok \x1b[2J \xc3\xa4 \xc2\x9b \xe2\x82 \x7f");
    watch_clean(text);
    assert_string_equal(text, "ok ?[2J \xc3\xa4 ?? ?? ?");
    assert_string_equal(watch_duration(3.21, out), "3.2 s");
    assert_string_equal(watch_duration(75, out), "1 min");
    assert_string_equal(watch_duration(7865, out), "2 h 11 min");
    assert_string_equal(watch_duration(1e6, out), "12 days");
    assert_string_equal(watch_rate_text(-2.5 * 1024 * 1024, out), "-2.50 MiB/s");
    assert_string_equal(watch_rate_text(10, out), "steady");
}

static void user_names(void **state)
{
    (void)state;
    char name[24];
    assert_string_equal(watch_user_name(0, name), "root");
    assert_string_equal(watch_user_name(4123456789U, name), "4123456789");
    for (uint32_t i = 0; i < 40; i++) /* more than are kept */
        watch_user_name(2000000 + i, name);
    assert_string_equal(watch_user_name(0, name), "root");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(options), cmocka_unit_test(wrong_options), cmocka_unit_test(conditions),
        cmocka_unit_test(wrong_conditions), cmocka_unit_test(group_labels), cmocka_unit_test(group_of_a_process), cmocka_unit_test(strings),
        cmocka_unit_test(user_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
