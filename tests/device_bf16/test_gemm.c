/* Products of the bf16 tables: near a sum in double, and the same bits however the call is cut. */
#include "device_bf16/bf16.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct product {
    size_t rows, columns, depth, a_stride, c_stride, residual_stride;
    pl_act act;
    float *a, *w, *c, *bias, *residual;
} product;

static product product_make(dice *d, size_t rows, size_t columns, size_t depth, bool wild)
{
    product p = {.rows = rows, .columns = columns, .depth = depth};
    p.a_stride = depth + dice_between(d, 0, 9);
    p.c_stride = columns + dice_between(d, 0, 9);
    p.residual_stride = columns + dice_between(d, 0, 9);
    p.act = (pl_act)(dice_roll(d) % PL_ACT_COUNT);
    p.a = floats_take(d, rows * p.a_stride, wild);
    p.w = floats_take(d, columns * depth, wild);
    p.c = floats_take(d, rows * p.c_stride, false);
    p.bias = dice_one_in(d, 3) ? NULL : floats_take(d, columns, wild);
    p.residual = dice_one_in(d, 2) ? NULL : floats_take(d, rows * p.residual_stride, wild);
    return p;
}

static void product_free(product *p)
{
    floats_free(p->a);
    floats_free(p->w);
    floats_free(p->c);
    floats_free(p->bias);
    floats_free(p->residual);
}

static size_t panels(const pl_kernels *k, size_t columns) { return (columns + k->panel - 1) / k->panel; }

static void *pack(const pl_kernels *k, const product *p, size_t from_depth, size_t depth)
{
    void *out = workspace_take(k->packed_bytes(p->columns, depth));
    k->pack(&(pl_pack){.out = out, .columns = p->columns, .depth = depth, .in = p->w + from_depth, .in_stride = p->depth * sizeof(float), .type = PL_F32});
    return out;
}

static pl_gemm gemm_of(const product *p, float *c)
{
    return (pl_gemm){.rows = p->rows,
        .columns = p->columns,
        .depth = p->depth,
        .a = p->a,
        .a_stride = p->a_stride,
        .c = c,
        .c_stride = p->c_stride,
        .bias = p->bias,
        .residual = p->residual,
        .residual_stride = p->residual_stride,
        .act = p->act,
        .last = true};
}

static void gemm_run(const pl_kernels *k, const pl_gemm *g, size_t first, size_t last)
{
    void *workspace = workspace_take(k->gemm_workspace(g->rows, g->depth));
    k->gemm(g, workspace, first, last);
    workspace_free(workspace);
}

/* The whole product in one call, into a copy of c. */
static float *run_whole(const pl_kernels *k, const product *p)
{
    float *c = floats_copy(p->c, p->rows * p->c_stride);
    void *b = pack(k, p, 0, p->depth);
    pl_gemm g = gemm_of(p, c);
    g.b = b;
    gemm_run(k, &g, 0, panels(k, p->columns));
    workspace_free(b);
    floats_check(c);
    return c;
}

/* ---- near the sum in double ---- */
static double act_in_double(pl_act act, double x)
{
    float y = (float)x;
    pl_kernels_of(PL_ISA_REFERENCE, PL_F32)->activate(act, &y, 1);
    return act == PL_ACT_NONE ? x : (double)y;
}

static void element_check(const product *p, size_t row, size_t column, float got)
{
    double sum = 0, size = 0;
    for (size_t k = 0; k < p->depth; k++) {
        double x = (double)bf16_near(p->a[row * p->a_stride + k]) * (double)bf16_near(p->w[column * p->depth + k]);
        sum += x;
        size += fabs(x);
    }
    sum += p->bias ? (double)p->bias[column] : 0;
    double slope = 1.2 + 2 * fabs(sum); /* of no activation more */
    double want = act_in_double(p->act, sum), allowed = 2e-5 + slope * ((double)p->depth * 0x1p-23 * size + 1e-6 * fabs(sum));
    want += p->residual ? (double)p->residual[row * p->residual_stride + column] : 0;
    if (!(fabs((double)got - want) <= allowed + 1e-6 * fabs(want)))
        fail_msg("%zux%zux%zu %s, row %zu column %zu: %.9g, not %.9g", p->rows, p->depth, p->columns, pl_act_name(p->act), row, column, (double)got, want);
}

static void near_the_sum_in_double(void **state)
{
    pl_fp_state saved;
    const pl_kernels *k = table_enter(state, &saved);
    dice d = {11};
    for (int round = 0; round < 120; round++) {
        product p = product_make(&d, dice_between(&d, 1, 70), dice_between(&d, 1, 100), dice_between(&d, 0, dice_one_in(&d, 4) ? 900 : 130), false);
        if (round == 0) {
            product_free(&p);
            p = product_make(&d, 20, 40, 0, false);
        }
        p.act = (pl_act)(round % PL_ACT_COUNT);
        float *c = run_whole(k, &p);
        for (size_t row = 0; row < p.rows; row++) {
            for (size_t column = 0; column < p.columns; column++)
                element_check(&p, row, column, c[row * p.c_stride + column]);
            assert_memory_equal(c + row * p.c_stride + p.columns, p.c + row * p.c_stride + p.columns, (p.c_stride - p.columns) * sizeof *c);
        }
        floats_free(c);
        product_free(&p);
    }
    k->leave(&saved);
}

/* Every activation over its whole range, through the product by one. */
static void activations_over_their_range(void **state)
{
    pl_fp_state saved;
    const pl_kernels *k = table_enter(state, &saved);
    enum { ROWS = 4096 };
    for (unsigned act = 0; act < PL_ACT_COUNT; act++) {
        product p = {.rows = ROWS, .columns = 1, .depth = 1, .a_stride = 1, .c_stride = 1, .act = (pl_act)act};
        dice d = {act};
        float one = 1;
        p.a = floats_take(&d, ROWS, false);
        p.c = floats_take(&d, ROWS, false);
        p.w = floats_copy(&one, 1);
        for (int i = 0; i < ROWS; i++)
            p.a[i] = bf16_near((float)i * 0x1p-7f - 16);
        float *c = run_whole(k, &p);
        for (size_t i = 0; i < ROWS; i++)
            element_check(&p, i, 0, c[i]);
        floats_free(c);
        product_free(&p);
    }
    k->leave(&saved);
}

/* Training keeps what stands before an activation: done apart it gives what a product gives at once. */
static void activations_apart(void **state)
{
    pl_fp_state saved;
    const pl_kernels *k = table_enter(state, &saved);
    dice d = {19};
    for (unsigned act = 0; act < PL_ACT_COUNT; act++) {
        product p = product_make(&d, dice_between(&d, 1, 30), dice_between(&d, 1, 100), dice_between(&d, 1, 200), dice_one_in(&d, 2));
        floats_free(p.residual);
        p.residual = NULL;
        p.act = (pl_act)act;
        float *want = run_whole(k, &p);
        p.act = PL_ACT_NONE;
        float *got = run_whole(k, &p);
        for (size_t row = 0; row < p.rows; row++) {
            k->activate((pl_act)act, got + row * p.c_stride, p.columns);
            if (memcmp(got + row * p.c_stride, want + row * p.c_stride, p.columns * sizeof *got) != 0)
                fail_msg("%s apart: row %zu differs", pl_act_name((pl_act)act), row);
        }
        floats_free(want);
        floats_free(got);
        product_free(&p);
    }
    k->leave(&saved);
}

static void gelu_at_its_ends(void **state)
{
    pl_fp_state saved;
    const pl_kernels *k = table_enter(state, &saved);
    static const pl_act acts[] = {PL_ACT_GELU, PL_ACT_GELU_NEW, PL_ACT_GELU_FAST};
    for (size_t i = 0; i < PL_COUNT(acts); i++) {
        float a[] = {INFINITY, -INFINITY, NAN, 0, 1e30f, -1e30f, 0x1p-100f}, one = 1;
        product p = {.rows = PL_COUNT(a), .columns = 1, .depth = 1, .a_stride = 1, .c_stride = 1, .act = acts[i], .a = a, .w = &one};
        dice d = {1};
        p.c = floats_take(&d, PL_COUNT(a), false);
        float *c = run_whole(k, &p);
        assert_true(c[0] == INFINITY);
        assert_true(fabsf(c[1]) < 2e-5f && fabsf(c[5]) < 2e-5f);
        assert_true(isnan(c[2]));
        assert_true(c[3] == 0);
        assert_true(fabsf(c[4] / bf16_near(1e30f) - 1) < 1e-5f);
        assert_true(fabsf(c[6] / 0x1p-101f - 1) < 1e-4f); /* x/2 to the end */
        floats_free(c);
        floats_free(p.c);
    }
    k->leave(&saved);
}

/* ---- the same bits ---- */
static void rows_equal(const char *what, const product *p, const float *got, size_t got_stride, const float *want, size_t first, size_t rows)
{
    for (size_t i = 0; i < rows; i++)
        if (memcmp(got + i * got_stride, want + (first + i) * p->c_stride, p->columns * sizeof *got) != 0)
            fail_msg("%s: row %zu of %zux%zux%zu differs", what, first + i, p->rows, p->depth, p->columns);
}

static void a_row_does_not_see_its_neighbours(void **state)
{
    pl_fp_state saved;
    const pl_kernels *k = table_enter(state, &saved);
    dice d = {12};
    for (int round = 0; round < 60; round++) {
        product p = product_make(&d, dice_between(&d, 1, 140), dice_between(&d, 1, 100), dice_between(&d, 1, 200), dice_one_in(&d, 3));
        float *want = run_whole(k, &p);
        void *b = pack(k, &p, 0, p.depth);
        for (size_t first = 0, rows; first < p.rows; first += rows) {
            rows = pl_min(dice_between(&d, 1, 50), p.rows - first);
            float *c = floats_copy(p.c, rows * p.c_stride);
            pl_gemm g = gemm_of(&p, c);
            g.b = b;
            g.rows = rows;
            g.a += first * p.a_stride;
            if (g.residual)
                g.residual += first * p.residual_stride;
            gemm_run(k, &g, 0, panels(k, p.columns));
            rows_equal("some rows alone", &p, c, p.c_stride, want, first, rows);
            floats_free(c);
        }
        workspace_free(b);
        floats_free(want);
        product_free(&p);
    }
    k->leave(&saved);
}

/* More rows than are packed at a time. */
static void many_rows_are_rows(void **state)
{
    pl_fp_state saved;
    const pl_kernels *k = table_enter(state, &saved);
    dice d = {13};
    product p = product_make(&d, 707, 33, 2050, false);
    p.act = PL_ACT_GELU;
    float *want = run_whole(k, &p);
    void *b = pack(k, &p, 0, p.depth);
    for (size_t first = 0; first < p.rows; first += 101) {
        float *c = floats_copy(p.c, 3 * p.c_stride);
        pl_gemm g = gemm_of(&p, c);
        g.b = b;
        g.rows = pl_min(3, p.rows - first);
        g.a += first * p.a_stride;
        if (g.residual)
            g.residual += first * p.residual_stride;
        gemm_run(k, &g, 0, panels(k, p.columns));
        rows_equal("three of 707", &p, c, p.c_stride, want, first, g.rows);
        floats_free(c);
    }
    workspace_free(b);
    floats_free(want);
    product_free(&p);
    k->leave(&saved);
}

static void panels_and_slices_change_nothing(void **state)
{
    pl_fp_state saved;
    const pl_kernels *k = table_enter(state, &saved);
    dice d = {14};
    for (int round = 0; round < 80; round++) {
        product p = product_make(&d, dice_between(&d, 1, 70), dice_between(&d, 1, 150), dice_between(&d, 1, 400), dice_one_in(&d, 3));
        float *want = run_whole(k, &p), *c = floats_copy(p.c, p.rows * p.c_stride);
        for (size_t at = 0, depth; at < p.depth; at += depth) {
            depth = pl_min(dice_between(&d, 1, 5) * k->depth_step, p.depth - at);
            void *b = pack(k, &p, at, depth);
            pl_gemm g = gemm_of(&p, c);
            g.a += at;
            g.b = b;
            g.depth = depth;
            g.go_on = at > 0;
            g.last = at + depth == p.depth;
            size_t all = panels(k, p.columns);
            for (size_t first = 0, count; first < all; first += count) {
                count = pl_min(dice_between(&d, 1, 3), all - first);
                gemm_run(k, &g, first, first + count);
            }
            workspace_free(b);
        }
        rows_equal("by panels and slices", &p, c, p.c_stride, want, 0, p.rows);
        floats_check(c);
        floats_free(c);
        floats_free(want);
        product_free(&p);
    }
    k->leave(&saved);
}

/* bf16 in memory: c is the f32 one rounded, and a gives what the f32 one gives. */
static void bf16_activations_change_nothing(void **state)
{
    pl_fp_state saved;
    const pl_kernels *k = table_enter(state, &saved);
    assert_int_equal(k->activation, PL_BF16);
    dice d = {15};
    for (int round = 0; round < 60; round++) {
        product p = product_make(&d, dice_between(&d, 1, 70), dice_between(&d, 1, 100), dice_between(&d, 1, 200), dice_one_in(&d, 4));
        float *want = run_whole(k, &p);
        void *b = pack(k, &p, 0, p.depth);
        uint16_t *a = bf16_copy(p.a, p.rows * p.a_stride), *c = bf16_copy(p.c, p.rows * p.c_stride);
        pl_gemm g = gemm_of(&p, NULL);
        g.b = b;
        g.a_bf16 = a;
        g.a_type = PL_BF16;
        g.c_bf16 = c;
        g.c_type = PL_BF16;
        gemm_run(k, &g, 0, panels(k, p.columns));
        for (size_t row = 0; row < p.rows; row++)
            for (size_t column = 0; column < p.c_stride; column++) {
                size_t i = row * p.c_stride + column;
                bool inside = column < p.columns;
                if (inside && isnan(want[i]))
                    assert_true(isnan(bf16_value(c[i])));
                else
                    assert_int_equal(c[i], bf16_of(inside ? want[i] : p.c[i]));
            }
        free(a);
        free(c);
        workspace_free(b);
        floats_free(want);
        product_free(&p);
    }
    k->leave(&saved);
}

/* A row of NaNs and infinities spoils itself only. */
static void wild_rows_keep_to_themselves(void **state)
{
    pl_fp_state saved;
    const pl_kernels *k = table_enter(state, &saved);
    dice d = {16};
    for (int round = 0; round < 20; round++) {
        product p = product_make(&d, 40, 70, 100, false);
        p.act = round % 2 ? PL_ACT_GELU : PL_ACT_NONE;
        float *tame = run_whole(k, &p);
        for (size_t row = 1; row < p.rows; row += 3)
            for (size_t i = 0; i < p.depth; i++)
                p.a[row * p.a_stride + i] = i % 7 == 3 ? NAN : dice_wild(&d);
        float *mixed = run_whole(k, &p);
        for (size_t row = 0; row < p.rows; row++)
            for (size_t column = 0; column < p.columns; column++)
                if (row % 3 == 1)
                    assert_true(isnan(mixed[row * p.c_stride + column]));
                else
                    assert_memory_equal(mixed + row * p.c_stride + column, tame + row * p.c_stride + column, sizeof *tame);
        floats_free(tame);
        floats_free(mixed);
        product_free(&p);
    }
    k->leave(&saved);
}

static void infinities_and_denormals(void **state)
{
    pl_fp_state saved;
    const pl_kernels *k = table_enter(state, &saved);
    float a[] = {INFINITY, -INFINITY, 0x1p-130f, 0x1.fffffep+127f, 0x1p-126f, -0.0f}, w[] = {2.0f, 0x1p-10f}, c[12] = {0};
    product p = {.rows = 6, .columns = 2, .depth = 1, .a_stride = 1, .c_stride = 2, .a = a, .w = w};
    void *b = pack(k, &p, 0, 1);
    pl_gemm g = gemm_of(&p, c);
    g.b = b;
    gemm_run(k, &g, 0, 1);
    assert_true(c[0] == INFINITY && c[2] == -INFINITY);
    assert_true(c[4] == 0 && c[5] == 0);         /* denormals of bf16 are zero */
    assert_true(c[6] == INFINITY);               /* rounds up to infinity */
    assert_true(c[8] == 0x1p-125f && c[9] == 0); /* sums that would be denormal are zero */
    workspace_free(b);
    k->leave(&saved);
}

/* ---- packing ---- */
static void convert(void *out, const float *in, pl_dtype type, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (type == PL_F64)
            ((double *)out)[i] = (double)in[i];
        else if (type == PL_BF16)
            ((uint16_t *)out)[i] = bf16_of(in[i]);
        else if (type == PL_F16) /* of in[i] = 0, 0.5, 1 or 2 */
            ((uint16_t *)out)[i] = in[i] == 0 ? 0 : in[i] == 0.5f ? 0x3800 : in[i] == 1 ? 0x3C00 : 0x4000;
        else
            ((float *)out)[i] = in[i];
}

/* Weights side by side, of any type, each set pad included, are the weight that they are together. */
static void weights_stand_side_by_side(void **state)
{
    pl_fp_state saved;
    const pl_kernels *k = table_enter(state, &saved);
    static const pl_dtype types[] = {PL_F32, PL_F16, PL_BF16, PL_F64};
    static const float values[] = {0, 0.5f, 1, 2};
    dice d = {17};
    for (int round = 0; round < 60; round++) {
        size_t columns = dice_between(&d, 1, 120), depth = dice_between(&d, 1, 90), bytes = k->packed_bytes(columns, depth);
        float *w = floats_take(&d, columns * depth, false);
        for (size_t i = 0; i < columns * depth; i++)
            w[i] = values[dice_roll(&d) % 4];
        unsigned char *whole = workspace_take(bytes), *parts = workspace_take(bytes);
        double *source = malloc((columns * depth + 1) * sizeof *source);
        assert_non_null(source);
        k->pack(&(pl_pack){.out = whole, .columns = columns, .depth = depth, .in = w, .in_stride = depth * sizeof *w, .type = PL_F32});
        for (size_t first = 0, count; first < columns; first += count) {
            count = pl_min(dice_between(&d, 1, 50), columns - first);
            pl_dtype type = types[dice_roll(&d) % PL_COUNT(types)];
            convert(source, w + first * depth, type, count * depth);
            k->pack(&(pl_pack){
                .out = parts, .first_column = first, .columns = count, .depth = depth, .in = source, .in_stride = depth * pl_dtype_bytes(type), .type = type});
        }
        assert_int_equal(bytes % 64, 0);
        assert_memory_equal(whole, parts, bytes);
        free(source);
        workspace_free(whole);
        workspace_free(parts);
        floats_free(w);
    }
    k->leave(&saved);
}

int main(void)
{
    tables_find();
    const struct CMUnitTest tests[] = {
        BOTH_TABLES(near_the_sum_in_double),
        BOTH_TABLES(activations_over_their_range),
        BOTH_TABLES(activations_apart),
        BOTH_TABLES(gelu_at_its_ends),
        BOTH_TABLES(a_row_does_not_see_its_neighbours),
        BOTH_TABLES(many_rows_are_rows),
        BOTH_TABLES(panels_and_slices_change_nothing),
        BOTH_TABLES(bf16_activations_change_nothing),
        BOTH_TABLES(wild_rows_keep_to_themselves),
        BOTH_TABLES(infinities_and_denormals),
        BOTH_TABLES(weights_stand_side_by_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
