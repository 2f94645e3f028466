/* GPUs: NVIDIA's by a stand-in library, AMD's by a tree like sysfs. */
#define _DEFAULT_SOURCE
#include "os/fake.h"
#include "watch/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static fake tree;
static watch_gpus g;

static void world(const char *text) { fake_put(&tree, "nvml", "%s", text); }

static int begin(void **state)
{
    (void)state;
    char path[96];
    fake_make(&tree);
    snprintf(path, sizeof path, "%s/nvml", tree.root);
    setenv("FAKE_NVML", path, 1);
    g = (watch_gpus){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    watch_gpus_free(&g);
    fake_end(&tree);
    return 0;
}

static void several_gpus(void **state)
{
    (void)state;
    world("gpu NVIDIA_A100 81920 512 20480\nprocess 10 20000\nprocess 11 -1\ngraphics 10 20000\ngraphics 12 100\ngpu Tesla_T4 15360 0 15360\n");
    watch_gpus_read(&g, tree.sys, 1, true);
    assert_string_equal(g.nvidia_note, "");
    assert_int_equal(g.count, 2);
    assert_string_equal(g.list[0].name, "NVIDIA A100");
    assert_string_equal(g.list[0].bus, "00000000:17:00.0");
    assert_true(g.list[0].total == 80 * GIB && g.list[0].used == 20 * GIB && g.list[0].free == (81920 - 512 - 20480) * MIB);
    assert_true(g.list[1].known && g.list[1].free == 0 && g.list[1].index == 1);
    assert_int_equal(g.use_count, 3); /* pid 10 stands in both lists, once counts */
    assert_true(g.uses[0].pid == 10 && g.uses[0].bytes == 20000 * MIB && g.uses[1].bytes == UINT64_MAX && g.uses[2].pid == 12);
    watch_gpus_read(&g, tree.sys, 2, false); /* not asked for: kept */
    assert_int_equal(g.use_count, 3);
    assert_int_equal(g.list[0].trend.count, 2);
}

static void processes_come_and_go(void **state)
{
    (void)state;
    char *text = malloc(1 << 15);
    strcpy(text, "gpu X 1000 0 500\n");
    for (int i = 0; i < 500; i++) /* more than fit the first list */
        sprintf(text + strlen(text), "process %d 1\n", 100 + i);
    world(text);
    free(text);
    watch_gpus_read(&g, tree.sys, 1, true);
    assert_int_equal(g.use_count, 500);
    size_t capacity = g.use_capacity;
    world("gpu X 1000 0 0\n");
    watch_gpus_read(&g, tree.sys, 2, true);
    assert_int_equal(g.use_count, 0);
    assert_int_equal(g.use_capacity, capacity);
}

static void mig(void **state)
{
    (void)state;
    world("gpu A100 40960 0 30000\nmig 7 0 9728 9000\nmig 9 1 4864 10\nprocess 20 8000 7 0\nprocess 21 5 9 1\nprocess 22 3 3 3\ngpu T4 15360 0 1\n");
    watch_gpus_read(&g, tree.sys, 1, true);
    assert_int_equal(g.count, 4);
    assert_true(!g.list[0].mig && g.list[1].mig && g.list[2].mig && !g.list[3].mig);
    assert_true(g.list[1].instance == 7 && g.list[1].total == 9728 * MIB && g.list[2].compute == 1);
    assert_true(g.uses[0].gpu == 1 && g.uses[1].gpu == 2 && g.uses[2].gpu == 0); /* the last belongs to no MIG device we see */
    world("gpu A100 40960 0 30000\nmig 9 1 4864 10\nprocess 21 5 9 1\ngpu T4 15360 0 1\nprocess 30 1\n");
    watch_gpus_read(&g, tree.sys, 2, true);
    assert_int_equal(g.count, 3);
    assert_true(g.list[1].instance == 9 && g.list[1].trend.count == 2); /* kept its history */
    assert_true(g.use_count == 2 && g.uses[0].gpu == 1 && g.uses[1].gpu == 2 && g.uses[1].pid == 30);
}

static void lost_and_hidden(void **state)
{
    (void)state;
    world("gpu A 1000 0 100\ngpu B 1000 0 200\n");
    watch_gpus_read(&g, tree.sys, 1, true);
    world("gpu A 1000 0 100\nnomemory\ngpu B 1000 0 200\nlost\n");
    watch_gpus_read(&g, tree.sys, 2, true);
    assert_int_equal(g.count, 2);
    assert_true(!g.list[0].known && strcmp(g.list[0].trouble, "Insufficient Permissions") == 0);
    assert_true(!g.list[1].known && strcmp(g.list[1].trouble, "GPU is lost") == 0); /* told by its number: it no longer says who it is */
    world("gpu A 1000 0 100\ngpu B 1000 0 300\n");
    watch_gpus_read(&g, tree.sys, 3, true);
    assert_true(g.list[0].known && g.list[0].trouble[0] == '\0');
    assert_true(g.list[1].known && g.list[1].used == 300 * MIB && g.list[1].trend.count == 2);
    for (int i = 0; i < 50; i++) { /* to and fro does not grow */
        world(i % 2 ? "gpu A 1000 0 100\ngpu B 1000 0 300\n" : "gpu A 1000 0 100\nlost\ngpu B 1000 0 300\nlost\n");
        watch_gpus_read(&g, tree.sys, 4 + i, true);
    }
    assert_int_equal(g.count, 2);
}

static void a_driver_that_goes_and_comes(void **state)
{
    (void)state;
    world("fail 18\n");
    watch_gpus_read(&g, tree.sys, 1, true);
    assert_string_equal(g.nvidia_note, "NVIDIA GPUs (Driver/library version mismatch)");
    world("gpu A 1000 0 100\nprocess 5 50\n");
    watch_gpus_read(&g, tree.sys, 2, true); /* too soon to ask again */
    assert_int_equal(g.count, 0);
    watch_gpus_read(&g, tree.sys, 12, true);
    assert_true(g.count == 1 && g.list[0].known && g.nvidia_note[0] == '\0');
    world("fail 1\n");
    watch_gpus_read(&g, tree.sys, 13, true);
    assert_true(g.count == 1 && !g.list[0].known && g.use_count == 0);
    assert_non_null(strstr(g.nvidia_note, "has gone"));
    watch_gpus_read(&g, tree.sys, 14, true);
    world("gpu A 1000 0 100\n");
    watch_gpus_read(&g, tree.sys, 30, true);
    assert_true(g.count == 1 && g.list[0].known && g.list[0].trouble[0] == '\0');
}

static void amd(void **state)
{
    (void)state;
    fake_put(&tree, "sys/class/drm/version", "drm\n");
    fake_put(&tree, "sys/class/drm/card0/device/vendor", "0x8086\n"); /* no memory of its own */
    fake_put(&tree, "sys/class/drm/card1/device/mem_info_vram_total", "17163091968\n");
    fake_put(&tree, "sys/class/drm/card1/device/mem_info_vram_used", "1073741824\n");
    fake_put(&tree, "sys/class/drm/card1/device/product_name", "Instinct MI50\n");
    fake_folder(&tree, "sys/class/drm/card1/device/drm/renderD128");
    fake_folder(&tree, "sys/class/drm/card1-DP-1");
    fake_put(&tree, "sys/class/drm/card10/device/mem_info_vram_total", "8589934592\n");
    fake_put(&tree, "sys/class/drm/card10/device/mem_info_vram_used", "garbage\n");
    fake_put(&tree, "sys/class/kfd/kfd/topology/nodes/0/gpu_id", "0\n");
    fake_put(&tree, "sys/class/kfd/kfd/topology/nodes/1/gpu_id", "777\n");
    fake_put(&tree, "sys/class/kfd/kfd/topology/nodes/1/properties", "cpu_cores_count 0\ndrm_render_minor 128\n");
    fake_put(&tree, "sys/class/kfd/kfd/proc/42/vram_777", "536870912\n");
    fake_put(&tree, "sys/class/kfd/kfd/proc/42/vram_888", "5\n");
    fake_put(&tree, "sys/class/kfd/kfd/proc/43/vram_777", "0\n");
    watch_gpus_read(&g, tree.sys, 1, true);
    assert_int_equal(g.count, 2);
    assert_true(g.list[0].known && g.list[0].index == 0 && g.list[0].used == GIB);
    assert_string_equal(g.list[0].name, "Instinct MI50");
    assert_true(!g.list[1].known && g.list[1].index == 1 && g.list[1].trouble[0]);
    assert_string_equal(g.list[1].name, "AMD GPU");
    assert_true(g.use_count == 1 && g.uses[0].pid == 42 && g.uses[0].bytes == 512 * MIB && g.uses[0].gpu == 0);
    for (int i = 2; i < 10; i++)
        watch_gpus_read(&g, tree.sys, i, true);
    assert_true(g.count == 2 && g.use_count == 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {T(several_gpus), T(processes_come_and_go), T(mig), T(lost_and_hidden), T(a_driver_that_goes_and_comes), T(amd)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
