/* Norm, embeddings, pooling, unit length, activations and widening of every table against the
 * reference, bit for bit; the reference against doubles. */
#include "device/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROWS = 70 };

/* Every table runs the same job on its own copy of y; the first is the reference. */
typedef void (*row_job)(const pl_kernels *k, const void *self, float *y);

static void compare(const char *what, row_job run, const void *self, const float *y, size_t n)
{
    const pl_kernels *tables[PL_ISA_COUNT];
    size_t count = tables_f32(tables);
    float *want = floats_copy(y, n);
    pl_fp_state state;
    tables[0]->enter(&state);
    run(tables[0], self, want);
    tables[0]->leave(&state);
    for (size_t t = 1; t < count; t++) {
        float *got = floats_copy(y, n);
        tables[t]->enter(&state);
        run(tables[t], self, got);
        tables[t]->leave(&state);
        floats_equal(what, tables[t], got, want, n, false);
        floats_free(got);
    }
    floats_free(want);
}

/* ---- norm ---- */
typedef struct norm_case {
    pl_norm n;
    size_t rows, alias; /* y is: 0 itself, 1 x, 2 the residual */
} norm_case;

static void run_norm(const pl_kernels *k, const void *self, float *y)
{
    const norm_case *c = self;
    pl_norm n = c->n;
    n.y = y;
    if (c->alias == 1)
        n.x = y;
    if (c->alias == 2)
        n.residual = y;
    size_t middle = c->rows / 3;
    k->norm(&n, middle, c->rows);
    k->norm(&n, 0, middle);
}

static void test_norm(void **state)
{
    (void)state;
    dice d = {1};
    for (size_t i = 0; i < 200; i++) {
        size_t width = i < 140 ? i + 1 : dice_between(&d, 1, 1200), rows = dice_between(&d, 1, 9);
        size_t stride = width + dice_between(&d, 0, 5);
        bool wild = i % 7 == 0;
        float *x = floats_take(&d, rows * stride, wild), *residual = floats_take(&d, rows * stride, wild);
        float *y = floats_take(&d, rows * stride, wild);
        float *gain = floats_take(&d, width, wild), *shift = floats_take(&d, width, wild);
        norm_case c = {{.width = width,
                           .x = x,
                           .residual = i % 3 ? residual : NULL,
                           .x_stride = stride,
                           .residual_stride = stride,
                           .y_stride = stride,
                           .gain = gain,
                           .shift = shift,
                           .eps = 1e-12f},
            rows, i % 3};
        compare("norm", run_norm, &c, y, rows * stride);
        floats_free(x);
        floats_free(residual);
        floats_free(y);
        floats_free(gain);
        floats_free(shift);
    }
}

static void test_norm_against_double(void **state)
{
    (void)state;
    dice d = {2};
    enum { WIDTH = 300 };
    float *x = floats_take(&d, WIDTH, false), *gain = floats_take(&d, WIDTH, false), *y = floats_take(&d, WIDTH, false);
    norm_case c = {{.width = WIDTH, .x = x, .x_stride = WIDTH, .y_stride = WIDTH, .gain = gain, .shift = gain, .eps = 1e-5f}, 1, 0};
    run_norm(pl_kernels_of(PL_ISA_REFERENCE, PL_F32), &c, y);
    double mean = 0, variance = 0;
    for (size_t i = 0; i < WIDTH; i++)
        mean += (double)x[i] / WIDTH;
    for (size_t i = 0; i < WIDTH; i++)
        variance += ((double)x[i] - mean) * ((double)x[i] - mean) / WIDTH;
    for (size_t i = 0; i < WIDTH; i++) {
        double want = ((double)x[i] - mean) / sqrt(variance + 1e-5) * (double)gain[i] + (double)gain[i];
        assert_true(fabs(want - (double)y[i]) < 3e-6);
    }
    floats_free(x);
    floats_free(gain);
    floats_free(y);
}

/* ---- embeddings ---- */
typedef struct embed_case {
    pl_embed_sum e;
    size_t rows;
} embed_case;

static void run_embed(const pl_kernels *k, const void *self, float *y)
{
    const embed_case *c = self;
    pl_embed_sum e = c->e;
    e.x = y;
    k->embed_sum(&e, 0, c->rows / 2);
    k->embed_sum(&e, c->rows / 2, c->rows);
}

static void test_embed_sum(void **state)
{
    (void)state;
    dice d = {3};
    for (size_t i = 0; i < 60; i++) {
        size_t width = dice_between(&d, 1, 100), rows = dice_between(&d, 1, MOST_ROWS), stride = width + i % 3;
        uint32_t positions[MOST_ROWS];
        uint8_t types[MOST_ROWS];
        for (size_t r = 0; r < rows; r++) {
            positions[r] = (uint32_t)dice_between(&d, 0, 19);
            types[r] = (uint8_t)dice_between(&d, 0, 1);
        }
        float *x = floats_take(&d, rows * stride, i % 4 == 0), *position = floats_take(&d, 20 * width, false);
        float *type = floats_take(&d, 2 * width, i % 4 == 1);
        embed_case c = {
            {.width = width, .stride = stride, .position = position, .positions = positions, .type = i % 3 ? type : NULL, .types = i % 3 == 1 ? types : NULL},
            rows};
        compare("embed_sum", run_embed, &c, x, rows * stride);
        floats_free(x);
        floats_free(position);
        floats_free(type);
    }
}

/* ---- pooling ---- */
static void run_pool(const pl_kernels *k, const void *self, float *y)
{
    pl_pool p = *(const pl_pool *)self;
    p.y = y;
    k->pool(&p, 2, 4);
    k->pool(&p, 0, 2);
}

static void test_pool(void **state)
{
    (void)state;
    dice d = {4};
    for (size_t i = 0; i < 140; i++) {
        size_t width = dice_between(&d, 1, 70), stride = width + i % 3;
        uint32_t starts[5] = {0};
        for (size_t t = 0; t < 4; t++)
            starts[t + 1] = starts[t] + (uint32_t)dice_between(&d, 0, t == 3 ? 150 : 40);
        float *x = floats_take(&d, starts[4] * stride, i % 5 == 0), *y = floats_take(&d, 4 * stride, false);
        pl_pool p = {.mode = (pl_pooling)(i % PL_POOLING_COUNT), .width = width, .starts = starts, .x = x, .x_stride = stride, .y_stride = stride};
        compare("pool", run_pool, &p, y, 4 * stride);
        floats_free(x);
        floats_free(y);
    }
}

static void test_pool_means(void **state)
{
    (void)state;
    static const float x[] = {1, 5, NAN, 3, 2, 4, 5, -1, 1}; /* three rows of three */
    static const uint32_t starts[] = {0, 3, 3};
    static const struct {
        pl_pooling mode;
        float want[2];
    } cases[] = {
        {PL_POOL_CLS, {1, 5}},
        {PL_POOL_MEAN, {3, 2}},
        {PL_POOL_MAX, {5, 5}},
        {PL_POOL_LAST, {5, -1}},
        {PL_POOL_SQRT_MEAN, {9 / 1.7320508f, 6 / 1.7320508f}},
        {PL_POOL_WEIGHTED_MEAN, {22.0f / 6, 6.0f / 6}},
    };
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        float y[6];
        pl_pool p = {.mode = cases[i].mode, .width = 3, .starts = starts, .x = x, .x_stride = 3, .y = y, .y_stride = 3};
        pl_kernels_of(PL_ISA_REFERENCE, PL_F32)->pool(&p, 0, 2);
        for (size_t c = 0; c < 2; c++)
            assert_true(fabsf(y[c] - cases[i].want[c]) < 1e-6f);
        assert_true(cases[i].mode == PL_POOL_LAST ? y[2] == 1 : y[2] != y[2]);
        assert_true(y[3] == 0 && y[4] == 0 && y[5] == 0);
    }
}

/* ---- unit length ---- */
typedef struct unit_case {
    size_t width, stride, rows;
} unit_case;

static void run_unit(const pl_kernels *k, const void *self, float *y)
{
    const unit_case *c = self;
    k->unit_length(y, c->stride, c->width, 0, c->rows);
}

static void test_unit_length(void **state)
{
    (void)state;
    dice d = {5};
    for (size_t i = 0; i < 100; i++) {
        unit_case c = {i + 1, i + 1 + i % 4, 3};
        float *x = floats_take(&d, c.rows * c.stride, i % 4 == 0);
        if (i % 10 == 0)
            memset(x, 0, c.width * sizeof *x);
        compare("unit_length", run_unit, &c, x, c.rows * c.stride);
        floats_free(x);
    }
}

/* ---- elements ---- */
typedef struct element_case {
    pl_act act;
    const void *in;
    pl_dtype type;
    size_t n;
} element_case;

static void run_act(const pl_kernels *k, const void *self, float *y)
{
    const element_case *c = self;
    k->activate(c->act, y, c->n);
}

static void run_widen(const pl_kernels *k, const void *self, float *y)
{
    const element_case *c = self;
    k->widen(y, c->in, c->type, c->n);
}

static void test_activate(void **state)
{
    (void)state;
    dice d = {6};
    for (unsigned act = 0; act < PL_ACT_COUNT; act++)
        for (size_t n = 0; n < 150; n += 1 + n / 20) {
            element_case c = {.act = (pl_act)act, .n = n};
            float *x = floats_take(&d, n, true);
            compare(pl_act_name(c.act), run_act, &c, x, n);
            floats_free(x);
        }
}

/* All 65536 of the short types; the long ones from random bits. */
static void test_widen(void **state)
{
    (void)state;
    dice d = {7};
    enum { N = 65536 };
    uint16_t *halves = malloc(N * sizeof *halves);
    double *doubles = malloc(N * sizeof *doubles);
    char *odd = malloc(N * sizeof *halves + 1);
    float *y = floats_take(&d, N, true);
    for (size_t i = 0; i < N; i++) {
        halves[i] = (uint16_t)i;
        uint64_t bits = dice_roll(&d);
        memcpy(doubles + i, &bits, sizeof bits);
        if (i % 2)
            doubles[i] = (double)dice_wild(&d) * (1 + 0x1p-25 * (double)(i % 7)); /* where f32 rounds and underflows */
    }
    memcpy(odd + 1, halves, N * sizeof *halves);
    for (size_t n = N - 20; n <= N; n += 3) {
        compare("widen F16", run_widen, &(element_case){.in = halves, .type = PL_F16, .n = n}, y, N);
        compare("widen BF16", run_widen, &(element_case){.in = halves, .type = PL_BF16, .n = n}, y, N);
        compare("widen F16 at odd bytes", run_widen, &(element_case){.in = odd + 1, .type = PL_F16, .n = n}, y, N);
        compare("widen F64", run_widen, &(element_case){.in = doubles, .type = PL_F64, .n = n}, y, N);
        compare("widen F32", run_widen, &(element_case){.in = y, .type = PL_F32, .n = n}, y, N);
    }
    pl_kernels_of(PL_ISA_REFERENCE, PL_F32)->widen(y, halves, PL_F16, N);
    assert_true(y[0x3C00] == 1.0f && y[0xC000] == -2.0f && y[0x0001] == 0x1p-24f && y[0x7BFF] == 65504.0f);
    assert_true(y[0x7C00] == INFINITY && y[0x7E01] != y[0x7E01] && signbit(y[0x8000]) && y[0x03FF] == 0x3FFp-24f);
    free(halves);
    free(doubles);
    free(odd);
    floats_free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_norm),
        cmocka_unit_test(test_norm_against_double),
        cmocka_unit_test(test_embed_sum),
        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_pool_means),
        cmocka_unit_test(test_unit_length),
        cmocka_unit_test(test_activate),
        cmocka_unit_test(test_widen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
