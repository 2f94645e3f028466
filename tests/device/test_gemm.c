/* C = epilogue(A B) of every table against the reference, bit for bit, over shapes, splits, strides
 * and epilogues; the reference against a sum in double. */
#include "device/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct product {
    size_t rows, columns, depth, cut;                  /* the chain in two calls: depth [0, cut) and [cut, depth) */
    size_t a_stride, c_stride, residual_stride, first; /* first: columns of another weight before ours */
    pl_act act;
    bool last, wild;
    float *a, *w, *v, *c, *bias, *residual;
} product;

static product product_make(dice *d, size_t rows, size_t columns, size_t depth, bool wild)
{
    product p = {.rows = rows, .columns = columns, .depth = depth, .wild = wild};
    p.first = dice_one_in(d, 2) ? 0 : dice_between(d, 0, columns);
    p.cut = dice_one_in(d, 2) ? 0 : dice_between(d, 0, depth);
    p.a_stride = depth + dice_between(d, 0, 9);
    p.c_stride = columns + dice_between(d, 0, 9);
    p.residual_stride = columns + dice_between(d, 0, 9);
    p.act = (pl_act)(dice_roll(d) % PL_ACT_COUNT);
    p.last = !dice_one_in(d, 5);
    p.a = floats_take(d, rows * p.a_stride, wild);
    p.w = floats_take(d, columns * depth, wild);
    p.c = floats_take(d, rows * p.c_stride, wild);
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

/* The weight's columns from `from` on, of depth [k, k + depth), packed in one or two calls. */
static void *pack(const pl_kernels *k, const product *p, size_t from_depth, size_t depth)
{
    void *out = workspace_take(k->packed_bytes(p->columns, depth));
    const float *in = p->w + from_depth;
    size_t stride = p->depth * sizeof(float);
    if (p->first > 0)
        k->pack(&(pl_pack){out, 0, p->first, depth, in, stride, PL_F32});
    if (p->columns > p->first)
        k->pack(&(pl_pack){out, p->first, p->columns - p->first, depth, in + p->first * p->depth, stride, PL_F32});
    return out;
}

/* Runs the product by k into a copy of c, panels in two shares. */
static float *run(const pl_kernels *k, const product *p, size_t share)
{
    float *c = floats_copy(p->c, p->rows * p->c_stride);
    pl_gemm g = {.rows = p->rows,
        .columns = p->columns,
        .a_stride = p->a_stride,
        .c = c,
        .c_stride = p->c_stride,
        .bias = p->bias,
        .residual = p->residual,
        .residual_stride = p->residual_stride,
        .act = p->act};
    size_t panels = (p->columns + k->panel - 1) / k->panel, middle = panels * share / 16;
    for (unsigned part = 0; part < 2; part++) {
        size_t from = part ? p->cut : 0, to = part ? p->depth : p->cut;
        if (part == 0 && p->cut == 0)
            continue;
        g.a = p->a + from;
        g.depth = to - from;
        g.go_on = part == 1 && p->cut > 0;
        g.last = part == 1 && p->last;
        void *b = pack(k, p, from, to - from);
        g.b = b;
        void *workspace = workspace_take(k->gemm_workspace(g.rows, g.depth));
        pl_fp_state state;
        k->enter(&state);
        k->gemm(&g, workspace, 0, middle);
        k->gemm(&g, workspace, middle, panels);
        k->leave(&state);
        workspace_free(workspace);
        workspace_free(b);
    }
    return c;
}

static void compare(dice *d, product *p, const pl_kernels **tables, size_t count)
{
    float *want = run(tables[0], p, dice_between(d, 0, 16));
    for (size_t t = 1; t < count; t++) {
        float *got = run(tables[t], p, dice_between(d, 0, 16));
        floats_equal("gemm", tables[t], got, want, p->rows * p->c_stride, !p->last);
        floats_free(got);
    }
    floats_free(want);
}

/* Every number of rows to 130 in f32; a few products are large enough to be cut in all ways. */
static void shapes(dice *d, const pl_kernels **tables, size_t count, size_t step)
{
    for (size_t rows = 0; rows <= 130; rows += step) {
        bool large = rows % 32 == 16;
        product p = product_make(
            d, large ? dice_between(d, 130, 400) : rows, dice_between(d, 1, large ? 40 : 110), dice_between(d, 1, large ? 1000 : 70), dice_one_in(d, 4));
        compare(d, &p, tables, count);
        product_free(&p);
    }
}

static void test_equal_f32(void **state)
{
    (void)state;
    const pl_kernels *tables[PL_ISA_COUNT];
    shapes(&(dice){1}, tables, tables_f32(tables), 1);
}

static void test_equal_bf16(void **state)
{
    (void)state;
    const pl_kernels *tables[PL_ISA_COUNT];
    shapes(&(dice){2}, tables, tables_bf16_by_f32(tables), 2);
}

/* Single rows of great depth and many panels at once. */
static void test_few_rows(void **state)
{
    (void)state;
    const pl_kernels *tables[PL_ISA_COUNT];
    size_t count = tables_f32(tables);
    dice d = {3};
    for (size_t rows = 1; rows <= 13; rows++) {
        product p = product_make(&d, rows, dice_between(&d, 70, 140), dice_between(&d, 700, 2500), false);
        compare(&d, &p, tables, count);
        product_free(&p);
    }
}

/* A row's bits do not depend on the rows beside it. */
static void test_row_alone(void **state)
{
    (void)state;
    const pl_kernels *tables[PL_ISA_COUNT];
    size_t count = tables_f32(tables);
    dice d = {4};
    product p = product_make(&d, 61, 77, 500, false);
    p.last = true;
    for (size_t t = 0; t < count; t++) {
        float *all = run(tables[t], &p, 5);
        for (size_t row = 0; row < p.rows; row += 7) {
            product one = p;
            one.rows = 1;
            one.a = floats_copy(p.a + row * p.a_stride, p.a_stride);
            one.c = floats_copy(p.c + row * p.c_stride, p.c_stride);
            one.residual = p.residual ? floats_copy(p.residual + row * p.residual_stride, p.residual_stride) : NULL;
            float *alone = run(tables[t], &one, 3);
            floats_equal("a row alone", tables[t], alone, all + row * p.c_stride, p.columns, false);
            floats_free(alone);
            floats_free(one.a);
            floats_free(one.c);
            floats_free(one.residual);
        }
        floats_free(all);
    }
    product_free(&p);
}

/* A workspace for many rows serves fewer: a plan asks once, for its largest tile. */
static void test_workspace_grows(void **state)
{
    (void)state;
    dice d = {6};
    for (unsigned bf16 = 0; bf16 < 2; bf16++) {
        const pl_kernels *tables[PL_ISA_COUNT];
        size_t count = bf16 ? tables_bf16_by_f32(tables) : tables_f32(tables);
        for (size_t i = 0; i < 20000; i++) {
            size_t rows = dice_between(&d, 1, 700), depth = dice_between(&d, 1, 4000);
            size_t fewer = dice_between(&d, 1, rows), less = dice_between(&d, 1, depth);
            for (size_t t = 0; t < count; t++) {
                assert_true(tables[t]->gemm_workspace(fewer, less) <= tables[t]->gemm_workspace(rows, depth));
                assert_true(tables[t]->attention_workspace(fewer, less) <= tables[t]->attention_workspace(rows, depth));
            }
        }
    }
}

/* |chain - exact| <= depth 2^-24 sum |a b| */
static void test_against_double(void **state)
{
    (void)state;
    dice d = {5};
    for (size_t i = 0; i < 20; i++) {
        product p = product_make(&d, dice_between(&d, 1, 9), dice_between(&d, 1, 40), dice_between(&d, 1, 300), false);
        p.act = PL_ACT_NONE;
        p.last = true;
        p.cut = 0;
        float *c = run(pl_kernels_of(PL_ISA_REFERENCE, PL_F32), &p, 8);
        for (size_t row = 0; row < p.rows; row++)
            for (size_t column = 0; column < p.columns; column++) {
                double sum = 0, size = 0;
                for (size_t k = 0; k < p.depth; k++) {
                    double x = (double)p.a[row * p.a_stride + k] * (double)p.w[column * p.depth + k];
                    sum += x;
                    size += fabs(x);
                }
                double rest = (p.bias ? (double)p.bias[column] : 0) + (p.residual ? (double)p.residual[row * p.residual_stride + column] : 0);
                double error = fabs(sum + rest - (double)c[row * p.c_stride + column]);
                assert_true(error <= ((double)p.depth + 4) * 0x1p-24 * (size + fabs(rest) + 4));
            }
        floats_free(c);
        product_free(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_f32),
        cmocka_unit_test(test_equal_bf16),
        cmocka_unit_test(test_few_rows),
        cmocka_unit_test(test_row_alone),
        cmocka_unit_test(test_against_double),
        cmocka_unit_test(test_workspace_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
