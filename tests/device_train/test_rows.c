/* Norm, activations, sums over rows, scatter, update: every table against the reference, any cut
 * against the whole, the reference against differences and doubles. */
#include "device_train/train.h"

#include <math.h>
#include <string.h>

enum { TABLES = PL_ISA_COUNT };

static size_t some_width(dice *d, size_t i) { return i < 70 ? i + 1 : dice_between(d, 1, 1100); }

/* ---- norm ---- */
typedef struct norm_case {
    size_t rows, width, stride;
    float *x, *residual, *gain, *dy, *dgain, *dshift;
    bool go_on, in_place;
    float eps;
} norm_case;

static norm_case norm_make(dice *d, size_t rows, size_t width, bool wild)
{
    norm_case c = {
        .rows = rows, .width = width, .stride = width + dice_between(d, 0, 7), .go_on = dice_one_in(d, 2), .in_place = dice_one_in(d, 2), .eps = 1e-5f};
    size_t n = rows * c.stride;
    c.x = floats_take(d, n, wild);
    c.residual = dice_one_in(d, 2) ? floats_take(d, n, wild) : NULL;
    c.dy = floats_take(d, n, wild);
    c.gain = floats_take(d, width, wild);
    c.dgain = floats_take(d, width, false);
    c.dshift = floats_take(d, width, false);
    return c;
}

static void norm_free(norm_case *c)
{
    floats_free(c->x);
    floats_free(c->residual);
    floats_free(c->dy);
    floats_free(c->gain);
    floats_free(c->dgain);
    floats_free(c->dshift);
}

typedef struct norm_result {
    float *dx, *stats, *dgain, *dshift;
} norm_result;

static norm_result norm_run(dice *d, const pl_train_kernels *t, const norm_case *c)
{
    size_t n = c->rows * c->stride;
    norm_result r = {.dx = floats_copy(c->dy, n),
        .stats = floats_copy(c->x, 2 * c->rows),
        .dgain = floats_copy(c->dgain, c->width),
        .dshift = floats_copy(c->dshift, c->width)};
    pl_norm_train p = {
        .f = {.width = c->width, .x = c->x, .residual = c->residual, .x_stride = c->stride, .residual_stride = c->stride, .gain = c->gain, .eps = c->eps},
        .dy = c->in_place ? r.dx : c->dy,
        .dy_stride = c->stride,
        .dx = r.dx,
        .dx_stride = c->stride,
        .stats = (float(*)[2])(void *)r.stats};
    cuts rows = cuts_take(d, c->rows), columns = cuts_take(d, c->width), batches = cuts_take(d, c->rows);
    for (size_t i = 0; i < 3; i++)
        t->norm_backward(&p, rows.at[i], rows.at[i + 1]);
    p.dy = c->dy;
    p.dgain = r.dgain;
    p.dshift = r.dshift;
    p.go_on = c->go_on;
    for (size_t i = 0; i < 3; i++) { /* micro-batches, each in ranges of columns */
        pl_norm_train q = p;
        size_t first = batches.at[i];
        q.f.x += first * c->stride;
        q.f.residual = c->residual ? c->residual + first * c->stride : NULL;
        q.dy += first * c->stride;
        q.stats += first;
        q.rows = batches.at[i + 1] - first;
        q.go_on = c->go_on || i > 0;
        for (size_t j = 0; j < 3; j++)
            t->norm_gains(&q, columns.at[j], columns.at[j + 1]);
    }
    return r;
}

static void norm_result_free(norm_result *r)
{
    floats_free(r->dx);
    floats_free(r->stats);
    floats_free(r->dgain);
    floats_free(r->dshift);
}

static void test_norm_equal(void **state)
{
    (void)state;
    dice d = {31};
    pair pairs[TABLES];
    size_t count = pairs_take(pairs, PL_F32);
    for (size_t i = 0; i < 110; i++) {
        norm_case c = norm_make(&d, dice_between(&d, 1, 9), some_width(&d, i), dice_one_in(&d, 4));
        norm_result want = norm_run(&d, pairs[0].t, &c);
        for (size_t t = 0; t < count; t++) {
            norm_result got = norm_run(&d, pairs[t].t, &c);
            floats_equal("dx", pairs[t].k, got.dx, want.dx, c.rows * c.stride, false);
            floats_equal("stats", pairs[t].k, got.stats, want.stats, 2 * c.rows, false);
            floats_equal("dgain", pairs[t].k, got.dgain, want.dgain, c.width, false);
            floats_equal("dshift", pairs[t].k, got.dshift, want.dshift, c.width, false);
            norm_result_free(&got);
        }
        norm_result_free(&want);
        norm_free(&c);
    }
}

/* sum_i dy_i norm(z)_i gain_i of one row, in double */
static double norm_loss(const double *z, const norm_case *c, size_t row)
{
    double mean = 0, variance = 0, loss = 0;
    for (size_t i = 0; i < c->width; i++)
        mean += z[i] / (double)c->width;
    for (size_t i = 0; i < c->width; i++)
        variance += (z[i] - mean) * (z[i] - mean) / (double)c->width;
    for (size_t i = 0; i < c->width; i++)
        loss += (double)c->dy[row * c->stride + i] * (double)c->gain[i] * (z[i] - mean) / sqrt(variance + (double)c->eps);
    return loss;
}

static void test_norm_differences(void **state)
{
    (void)state;
    dice d = {32};
    norm_case c = norm_make(&d, 5, 47, false);
    c.go_on = false;
    norm_result r = norm_run(&d, pl_train_kernels_of(PL_ISA_REFERENCE, PL_F32), &c);
    double dgain[47] = {0}, dshift[47] = {0};
    for (size_t row = 0; row < c.rows; row++) {
        double z[47], h = 1e-5;
        for (size_t i = 0; i < c.width; i++)
            z[i] = (double)c.x[row * c.stride + i] + (c.residual ? (double)c.residual[row * c.stride + i] : 0);
        double mean = (double)r.stats[2 * row], scale = (double)r.stats[2 * row + 1];
        for (size_t i = 0; i < c.width; i++) {
            double at = z[i];
            z[i] = at + h;
            double more = norm_loss(z, &c, row);
            z[i] = at - h;
            double want = (more - norm_loss(z, &c, row)) / (2 * h);
            z[i] = at;
            assert_true(fabs((double)r.dx[row * c.stride + i] - want) < 1e-5);
            dgain[i] += (double)c.dy[row * c.stride + i] * (at - mean) * scale;
            dshift[i] += (double)c.dy[row * c.stride + i];
        }
    }
    for (size_t i = 0; i < c.width; i++)
        assert_true(fabs((double)r.dgain[i] - dgain[i]) < 1e-5 && fabs((double)r.dshift[i] - dshift[i]) < 1e-5);
    norm_result_free(&r);
    norm_free(&c);
}

/* ---- activations ---- */
static void test_act_equal(void **state)
{
    (void)state;
    dice d = {33};
    pair pairs[TABLES];
    size_t count = pairs_take(pairs, PL_F32);
    for (size_t i = 0; i < 12 * PL_ACT_COUNT; i++) {
        size_t rows = dice_between(&d, 1, 4), width = dice_between(&d, 1, 300), stride = width + dice_between(&d, 0, 4), n = rows * stride;
        float *x = floats_take(&d, n, dice_one_in(&d, 2)), *dy = floats_take(&d, n, dice_one_in(&d, 4)), *want = NULL;
        for (size_t j = 0; j < n; j++)
            x[j] *= 6.0f;
        for (size_t t = 0; t < count; t++) {
            float *got = floats_copy(dy, n);
            pl_act_train a = {.act = (pl_act)(i % PL_ACT_COUNT),
                .width = width,
                .x = x,
                .dy = dice_one_in(&d, 2) ? got : dy,
                .dx = got,
                .x_stride = stride,
                .dy_stride = stride,
                .dx_stride = stride};
            cuts c = cuts_take(&d, rows);
            for (size_t j = 0; j < 3; j++)
                pairs[t].t->act_backward(&a, c.at[j], c.at[j + 1]);
            if (t == 0)
                want = floats_copy(got, n);
            floats_equal(pl_act_name(a.act), pairs[t].k, got, want, n, false);
            floats_free(got);
        }
        floats_free(want);
        floats_free(x);
        floats_free(dy);
    }
}

/* ---- sums over rows ---- */
static void test_sums_equal(void **state)
{
    (void)state;
    dice d = {34};
    pair pairs[TABLES];
    size_t count = pairs_take(pairs, PL_F32);
    for (size_t i = 0; i < 120; i++) {
        enum { ENTRIES = 7 };
        bool wild = dice_one_in(&d, 4), go_on = dice_one_in(&d, 2);
        size_t rows = dice_between(&d, 1, 40), width = some_width(&d, i), stride = width + dice_between(&d, 0, 5),
               table_stride = width + dice_between(&d, 0, 5);
        float *x = floats_take(&d, rows * stride, wild), *sum = floats_take(&d, width, false), *table = floats_take(&d, ENTRIES * table_stride, false),
              *want = NULL, *want_table = NULL;
        uint32_t index[40];
        for (size_t r = 0; r < rows; r++)
            index[r] = (uint32_t)dice_between(&d, 0, ENTRIES - 1);
        for (size_t t = 0; t < count; t++) {
            float *got = floats_copy(sum, width), *got_table = floats_copy(table, ENTRIES * table_stride);
            cuts c = cuts_take(&d, width), batches = cuts_take(&d, rows);
            for (size_t b = 0; b < 3; b++)
                for (size_t j = 0; j < 3; j++) {
                    size_t first = batches.at[b], some = batches.at[b + 1] - first;
                    pairs[t].t->column_sum(
                        &(pl_column_sum){.rows = some, .x = x + first * stride, .stride = stride, .sum = got, .go_on = go_on || b > 0}, c.at[j], c.at[j + 1]);
                    pairs[t].t->scatter_add(
                        &(pl_scatter){
                            .rows = some, .x = x + first * stride, .stride = stride, .index = index + first, .table = got_table, .table_stride = table_stride},
                        c.at[j], c.at[j + 1]);
                }
            if (t == 0) {
                want = floats_copy(got, width);
                want_table = floats_copy(got_table, ENTRIES * table_stride);
            }
            floats_equal("column_sum", pairs[t].k, got, want, width, false);
            floats_equal("scatter_add", pairs[t].k, got_table, want_table, ENTRIES * table_stride, false);
            floats_free(got);
            floats_free(got_table);
        }
        floats_free(want);
        floats_free(want_table);
        floats_free(x);
        floats_free(sum);
        floats_free(table);
    }
}

static void test_sums_values(void **state)
{
    (void)state;
    const pl_train_kernels *t = pl_train_kernels_of(PL_ISA_REFERENCE, PL_F32);
    float x[6] = {1, 2, 3, 4, 5, 6}, sum[2] = {10, 20}, table[6] = {0};
    t->column_sum(&(pl_column_sum){.rows = 3, .x = x, .stride = 2, .sum = sum, .go_on = true}, 0, 2);
    assert_true(sum[0] == 19.0f && sum[1] == 32.0f);
    t->column_sum(&(pl_column_sum){.rows = 3, .x = x, .stride = 2, .sum = sum}, 0, 1);
    assert_true(sum[0] == 9.0f && sum[1] == 32.0f);
    t->scatter_add(&(pl_scatter){.rows = 3, .x = x, .stride = 2, .index = (uint32_t[]){2, 0, 2}, .table = table, .table_stride = 2}, 0, 2);
    float want[6] = {3, 4, 0, 0, 6, 8};
    assert_memory_equal(table, want, sizeof want);
}

static void test_squares(void **state)
{
    (void)state;
    dice d = {35};
    pair pairs[TABLES];
    size_t count = pairs_take(pairs, PL_F32);
    for (size_t i = 0; i < 150; i++) {
        size_t n = i < 100 ? i : dice_between(&d, 1, 20000);
        float *x = floats_take(&d, n, i % 10 == 9);
        double want = pairs[0].t->sum_squares(x, n), exact = 0;
        for (size_t j = 0; j < n; j++)
            exact += (double)x[j] * (double)x[j];
        if (i % 10 != 9)
            assert_true(fabs(want - exact) <= 1e-5 * exact);
        for (size_t t = 1; t < count; t++) {
            double got = pairs[t].t->sum_squares(x, n);
            assert_memory_equal(&got, &want, sizeof got);
        }
        floats_free(x);
    }
}

/* ---- the update ---- */
static void test_adamw(void **state)
{
    (void)state;
    dice d = {36};
    pair pairs[TABLES];
    size_t count = pairs_take(pairs, PL_F32);
    for (size_t i = 0; i < 100; i++) {
        bool wild = i % 8 == 7;
        size_t n = some_width(&d, i);
        float *first[4], *want[3] = {NULL};
        for (size_t j = 0; j < 4; j++)
            first[j] = floats_take(&d, n, wild);
        for (size_t j = 0; j < n && !wild; j++)
            first[2][j] = fabsf(first[2][j]);
        double lr = 1e-3, b1 = 0.9, b2 = 0.999, eps = 1e-8, decay = 0.01;
        unsigned step = 3;
        pl_adamw a = {.gradient = first[3],
            .clip = 0.7f,
            .keep = (float)(1 - lr * decay),
            .b1 = b1,
            .b2 = b2,
            .step_size = (float)(lr / (1 - pow(b1, step))),
            .root2 = (float)sqrt(1 - pow(b2, step)),
            .eps = (float)eps};
        for (size_t t = 0; t < count; t++) {
            a.w = floats_copy(first[0], n);
            a.m = floats_copy(first[1], n);
            a.v = floats_copy(first[2], n);
            cuts c = cuts_take(&d, n);
            for (size_t j = 0; j < 3; j++)
                pairs[t].t->adamw(&a, c.at[j], c.at[j + 1]);
            if (t == 0) {
                want[0] = floats_copy(a.w, n);
                want[1] = floats_copy(a.m, n);
                want[2] = floats_copy(a.v, n);
            }
            floats_equal("w", pairs[t].k, a.w, want[0], n, false);
            floats_equal("m", pairs[t].k, a.m, want[1], n, false);
            floats_equal("v", pairs[t].k, a.v, want[2], n, false);
            floats_free(a.w);
            floats_free(a.m);
            floats_free(a.v);
        }
        for (size_t j = 0; j < n && !wild; j++) {
            double g = (double)first[3][j] * (double)a.clip;
            double m = b1 * (double)first[1][j] + (1 - b1) * g, v = b2 * (double)first[2][j] + (1 - b2) * g * g;
            double w = (double)first[0][j] * (1 - lr * decay) - lr * (m / (1 - pow(b1, step))) / (sqrt(v / (1 - pow(b2, step))) + eps);
            assert_true(fabs((double)want[0][j] - w) < 4e-7 && fabs((double)want[1][j] - m) < 4e-7 && fabs((double)want[2][j] - v) < 4e-7 * v + 1e-12);
        }
        for (size_t j = 0; j < 4; j++)
            floats_free(first[j]);
        for (size_t j = 0; j < 3; j++)
            floats_free(want[j]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_norm_equal),
        cmocka_unit_test(test_norm_differences),
        cmocka_unit_test(test_act_equal),
        cmocka_unit_test(test_sums_equal),
        cmocka_unit_test(test_sums_values),
        cmocka_unit_test(test_squares),
        cmocka_unit_test(test_adamw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
