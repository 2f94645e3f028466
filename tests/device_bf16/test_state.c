/* What a thread of the bf16 tables holds: MXCSR and tiles, across threads, CPUs and signals. */
#define _GNU_SOURCE /* sched_setaffinity, setitimer */
#include "device_bf16/bf16.h"
#include "tiles/tiles.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <xmmintrin.h>

static void the_control_word_comes_back(void **state)
{
    pl_fp_state saved;
    unsigned before = _mm_getcsr(), strange = 0xFFC0; /* to zero, flushing */
    _mm_setcsr(strange);
    const pl_kernels *k = table_enter(state, &saved);
    unsigned inside = _mm_getcsr();
    k->leave(&saved);
    unsigned after = _mm_getcsr();
    _mm_setcsr(before);
    assert_int_equal(inside & 0xFFC0, 0x1F80);
    assert_int_equal(after & 0xFFC0, strange);
}

/* One product, small enough to be run thousands of times and large enough to use every tile. */
enum { ROWS = 40, COLUMNS = 64, DEPTH = 96 };
typedef struct product {
    const pl_kernels *k;
    float a[ROWS * DEPTH], want[ROWS * COLUMNS];
    void *b;
    int rounds, differ;
} product;

static bool product_differs(const product *p, const float *c)
{
    bool differ = false;
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        differ |= c[i] != p->want[i];
    return differ;
}

static void product_once(const product *p, float *c, void *workspace)
{
    pl_gemm g = {.rows = ROWS,
        .columns = COLUMNS,
        .depth = DEPTH,
        .a = p->a,
        .a_stride = DEPTH,
        .b = p->b,
        .c = c,
        .c_stride = COLUMNS,
        .act = PL_ACT_GELU,
        .last = true};
    p->k->gemm(&g, workspace, 0, COLUMNS / p->k->panel);
}

static void *product_repeat(void *self)
{
    product *p = self;
    float *c = calloc(1, sizeof p->want);
    void *workspace = workspace_take(p->k->gemm_workspace(ROWS, DEPTH));
    pl_fp_state saved;
    p->k->enter(&saved);
    for (int i = 0; i < p->rounds; i++) {
        product_once(p, c, workspace);
        p->differ += product_differs(p, c);
        if (i % 64 == 63) { /* move to another CPU, where there is one */
            cpu_set_t all, one;
            if (sched_getaffinity(0, sizeof all, &all) != 0)
                continue;
            size_t cpu = (size_t)i / 64 % CPU_SETSIZE;
            while (!CPU_ISSET(cpu, &all))
                cpu = (cpu + 1) % CPU_SETSIZE;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof one, &one);
            sched_yield();
            sched_setaffinity(0, sizeof all, &all);
        }
    }
    p->k->leave(&saved);
    workspace_free(workspace);
    free(c);
    return NULL;
}

static product *product_make(const pl_kernels *k)
{
    dice d = {31};
    product *p = calloc(1, sizeof *p);
    float *w = floats_take(&d, COLUMNS * DEPTH, false);
    p->k = k;
    p->b = workspace_take(k->packed_bytes(COLUMNS, DEPTH));
    for (size_t i = 0; i < ROWS * DEPTH; i++)
        p->a[i] = dice_float(&d);
    k->pack(&(pl_pack){.out = p->b, .columns = COLUMNS, .depth = DEPTH, .in = w, .in_stride = DEPTH * sizeof *w, .type = PL_F32});
    void *workspace = workspace_take(k->gemm_workspace(ROWS, DEPTH));
    product_once(p, p->want, workspace);
    workspace_free(workspace);
    floats_free(w);
    return p;
}

static void product_free(product *p)
{
    workspace_free(p->b);
    free(p);
}

/* Each thread its own tiles; threads come and go and move between CPUs. */
static void threads_that_move(void **state)
{
    pl_fp_state saved;
    const pl_kernels *k = table_enter(state, &saved);
    product *p = product_make(k);
    enum { THREADS = 3 };
    pthread_t threads[THREADS];
    product *own[THREADS];
    for (int i = 0; i < THREADS; i++) {
        own[i] = malloc(sizeof *p);
        memcpy(own[i], p, sizeof *p);
        own[i]->rounds = 1000;
        assert_int_equal(pthread_create(&threads[i], NULL, product_repeat, own[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(own[i]->differ, 0);
        free(own[i]);
    }
    product_free(p);
    k->leave(&saved);
}

static volatile float signal_sum;
static volatile sig_atomic_t signals;

/* A handler that computes, with vectors and with kernels of its own. */
static product *signal_product;
static float signal_c[ROWS * COLUMNS];
static void *signal_workspace;

static void on_signal(int number)
{
    (void)number;
    signals++;
    for (int i = 1; i < 50; i++)
        signal_sum = signal_sum + 1.0f / (float)i;
    pl_fp_state saved;
    signal_product->k->enter(&saved);
    product_once(signal_product, signal_c, signal_workspace);
    signal_product->k->leave(&saved);
}

static void signals_while_computing(void **state)
{
    pl_fp_state saved;
    const pl_kernels *k = table_enter(state, &saved);
    if (tiles_in_software() && strcmp(k->name, "amx") == 0) {
        k->leave(&saved);
        fprintf(stderr, "skipped: only a real CPU's tiles outlive a signal\n");
        skip();
    }
    product *p = product_make(k);
    signal_product = p;
    signal_workspace = workspace_take(k->gemm_workspace(ROWS, DEPTH));
    float *c = calloc(1, sizeof p->want);
    void *workspace = workspace_take(k->gemm_workspace(ROWS, DEPTH));
    struct sigaction act = {.sa_handler = on_signal}, old;
    struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    signals = 0;
    sigaction(SIGALRM, &act, &old);
    setitimer(ITIMER_REAL, &often, NULL);
    int differ = 0, rounds = 0;
    for (; signals < 40 && rounds < 2000000; rounds++) {
        product_once(p, c, workspace);
        differ += product_differs(p, c);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &old, NULL);
    assert_int_equal(differ, 0);
    assert_true(signals > 0);
    assert_memory_equal(signal_c, p->want, sizeof p->want);
    workspace_free(workspace);
    workspace_free(signal_workspace);
    free(c);
    product_free(p);
    k->leave(&saved);
}

/* What is no product is the f32 table's own. */
static void rows_are_those_of_avx512(void **state)
{
    pl_fp_state saved;
    const pl_kernels *k = table_enter(state, &saved), *f = pl_kernels_of(PL_ISA_AVX512, PL_F32);
    dice d = {32};
    for (int round = 0; round < 60; round++) {
        size_t width = round < 30 ? dice_between(&d, 1, 100) : dice_between(&d, 100, 1100), rows = dice_between(&d, 1, 9);
        bool wild = dice_one_in(&d, 4), apart = dice_one_in(&d, 2);
        float *x = floats_take(&d, rows * width, wild), *residual = floats_take(&d, rows * width, wild), *gain = floats_take(&d, width, false);
        float *shift = floats_take(&d, width, false), *y = floats_copy(x, rows * width), *z = floats_copy(x, rows * width);
        pl_norm n = {.width = width, .x = apart ? x : y, .x_stride = width, .y = y, .y_stride = width, .gain = gain, .shift = shift, .eps = 1e-12f};
        n.residual = dice_one_in(&d, 2) ? residual : NULL;
        n.residual_stride = width;
        k->norm(&n, 0, rows);
        n.y = z;
        n.x = apart ? x : z;
        f->norm(&n, 0, rows);
        floats_equal("norm", k, y, z, rows * width, false);
        floats_check(y);
        floats_free(x);
        floats_free(y);
        floats_free(z);
        floats_free(residual);
        floats_free(gain);
        floats_free(shift);
    }
    k->leave(&saved);
}

int main(void)
{
    tables_find();
    const struct CMUnitTest tests[] = {
        BOTH_TABLES(the_control_word_comes_back),
        BOTH_TABLES(threads_that_move),
        BOTH_TABLES(signals_while_computing),
        BOTH_TABLES(rows_are_those_of_avx512),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
