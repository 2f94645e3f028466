/* Any bytes, constant memory, linear time: what a log may do to its reader. */
#include "explain/cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define OOM                                                                                                                                                \
    "RuntimeError: CUDA out of memory. Tried to allocate 98.00 MiB (GPU 0; 1.96 GiB total capacity; 1.41 GiB already allocated; 18.25 MiB free; 1.49 GiB " \
    "reserved in total by PyTorch)\n"

/* ---- a memory source that counts ---- */

typedef struct counted {
    size_t blocks, bytes, taken;
} counted;

static void *take_counted(void *self, size_t bytes)
{
    counted *c = self;
    c->blocks++;
    c->taken++;
    c->bytes += bytes;
    return calloc(1, bytes);
}

static void give_counted(void *self, void *block, size_t bytes)
{
    counted *c = self;
    c->blocks--;
    c->bytes -= bytes;
    free(block);
}

typedef struct tally {
    uint64_t events, last_line;
} tally;

static pl_status count(void *self, const pl_oom *event, pl_error *e)
{
    (void)e;
    tally *t = self;
    t->events++;
    assert_true(event->line >= t->last_line);
    t->last_line = event->line;
    return PL_OK;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Feeds `text` again and again until `bytes` were fed; returns the time it took. */
static double feed_often(const char *text, size_t n, size_t bytes, tally *t)
{
    pl_error e = {0};
    pl_explain *x;
    double start = seconds();
    *t = (tally){0};
    assert_int_equal(pl_explain_open(pl_memory_system(), count, t, &x, &e), PL_OK);
    for (size_t fed = 0; fed < bytes; fed += n)
        assert_int_equal(pl_explain_feed(x, text, n, &e), PL_OK);
    assert_int_equal(pl_explain_end(x, &e), PL_OK);
    pl_explain_close(x);
    return seconds() - start;
}

static void takes_one_block_whatever_comes(void **state)
{
    (void)state;
    counted c = {0};
    pl_memory memory = {take_counted, give_counted, &c};
    pl_error e = {0};
    tally t = {0};
    pl_explain *x;
    assert_int_equal(pl_explain_open(&memory, count, &t, &x, &e), PL_OK);
    size_t bytes = c.bytes;
    assert_true(bytes < 2 << 20);
    for (size_t i = 0; i < 40000; i++) {
        assert_int_equal(pl_explain_feed(x, "step 12 loss 0.31 memory: 11042 of what is killed and allocated\n", 64, &e), PL_OK);
        if (i % 1000 == 999)
            assert_int_equal(pl_explain_feed(x, OOM, sizeof OOM - 1, &e), PL_OK);
    }
    assert_int_equal(pl_explain_end(x, &e), PL_OK);
    pl_explain_close(x);
    assert_int_equal(c.taken, 1);
    assert_int_equal(c.bytes, 0);
    assert_int_equal(t.events, 40);
}

static void *take_none(void *self, size_t bytes)
{
    (void)self;
    (void)bytes;
    return NULL;
}

static void says_when_there_is_no_memory(void **state)
{
    (void)state;
    pl_memory memory = {take_none, NULL, NULL};
    pl_error e = {0};
    pl_explain *x;
    tally t = {0};
    assert_int_equal(pl_explain_open(&memory, count, &t, &x, &e), PL_MACHINE);
    assert_non_null(strstr(e.text, "the system gave no memory"));
    pl_explain_close(NULL);
}

static void takes_any_bytes(void **state)
{
    (void)state;
    static char noise[1 << 16];
    uint64_t z = 1;
    tally t;
    for (size_t round = 0; round < 30; round++) {
        for (size_t i = 0; i < sizeof noise; i++) {
            z = z * 6364136223846793005u + 1442695040888963407u;
            noise[i] = (char)(z >> 33);
        }
        /* pieces of messages among the noise, cut anywhere */
        for (size_t i = 0; i < 60; i++) {
            z = z * 6364136223846793005u + 1442695040888963407u;
            size_t at = (z >> 20) % (sizeof noise - 400), from = (z >> 40) % 100, n = 1 + (z >> 50) % 80;
            memcpy(noise + at, &OOM[from], n);
        }
        feed_often(noise, sizeof noise, sizeof noise * 3, &t);
    }
}

static void takes_a_line_without_end(void **state)
{
    (void)state;
    static char line[1 << 16];
    tally t;
    static const char *const fills[] = {"a", "\"", "\\", "memory ", "out of ", "\x1b[", "[rank1", "| ", "99999999", "{\"log\":\"", "Killed", "\r", "\n", "\\n"};
    for (size_t i = 0; i < PL_COUNT(fills); i++) {
        size_t n = strlen(fills[i]);
        for (size_t at = 0; at < sizeof line; at++)
            line[at] = fills[i][at % n];
        double used = feed_often(line, sizeof line, 1 << 20, &t);
        assert_true(used < 10); /* minutes if a look-back were not bounded; far above what it takes */
    }
}

/* Twice the log takes about twice the time, for logs that touch every table. */
static void is_linear(void **state)
{
    (void)state;
    static const char *const lines[] = {OOM, "epoch 3 step 120 loss 2.31 memory: 11023 MiB allocated, 3 processes killed, exit code 1\n",
        "  File \"/a/b/train.py\", line 12, in forward\n    out of memory handling allocate killed process\n"};
    for (size_t i = 0; i < PL_COUNT(lines); i++) {
        tally t;
        size_t n = strlen(lines[i]), small = i == 0 ? 300000 : 4000000;
        feed_often(lines[i], n, small, &t);
        double once = feed_often(lines[i], n, small, &t), twice = feed_often(lines[i], n, 2 * small, &t);
        assert_true(twice < 4 * once + 0.1);
    }
}

static void delivers_in_order_and_while_reading(void **state)
{
    (void)state;
    pl_error e = {0};
    pl_explain *x;
    tally t = {0};
    assert_int_equal(pl_explain_open(pl_memory_system(), count, &t, &x, &e), PL_OK);
    char text[256];
    for (int i = 1; i < 4000; i++) { /* each asks for another size: its own failure */
        int n = snprintf(text, sizeof text,
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate %d.00 MiB. GPU 0 has a total capacity of 9.00 GiB of which 1.00 MiB is free.\n", i);
        assert_int_equal(pl_explain_feed(x, text, (size_t)n, &e), PL_OK);
        for (int k = 0; k < 10; k++)
            assert_int_equal(
                pl_explain_feed(x, "another line of the same log, as long as lines are and of no interest to anyone who reads it\n", 93, &e), PL_OK);
    }
    assert_true(t.events > 1000); /* long before the end */
    assert_int_equal(pl_explain_end(x, &e), PL_OK);
    pl_explain_close(x);
    assert_int_equal(t.events, 3999);
}

static pl_status refuse(void *self, const pl_oom *event, pl_error *e)
{
    (void)self;
    (void)event;
    return pl_fail(e, PL_BROKEN_PIPE, "the reader has gone");
}

static void passes_on_what_the_sink_says(void **state)
{
    (void)state;
    pl_error e = {0};
    pl_explain *x;
    assert_int_equal(pl_explain_open(pl_memory_system(), refuse, NULL, &x, &e), PL_OK);
    assert_int_equal(pl_explain_feed(x, OOM, sizeof OOM - 1, &e), PL_OK);
    assert_int_equal(pl_explain_end(x, &e), PL_BROKEN_PIPE);
    pl_explain_close(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_one_block_whatever_comes),
        cmocka_unit_test(says_when_there_is_no_memory),
        cmocka_unit_test(takes_any_bytes),
        cmocka_unit_test(takes_a_line_without_end),
        cmocka_unit_test(is_linear),
        cmocka_unit_test(delivers_in_order_and_while_reading),
        cmocka_unit_test(passes_on_what_the_sink_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
