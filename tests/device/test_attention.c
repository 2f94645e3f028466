/* Attention of every table against the reference, bit for bit; the reference against doubles. */
#include "device/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct scene {
    pl_attention a;
    uint32_t starts[8];
    size_t longest, rows;
    float *q, *k, *v, *out;
} scene;

static scene scene_make(dice *d, size_t texts, size_t longest, size_t heads, size_t width, bool wild)
{
    scene s = {.longest = longest};
    for (size_t t = 0; t < texts; t++) {
        size_t length = t == 0 ? longest : dice_between(d, 0, longest);
        s.starts[t + 1] = s.starts[t] + (uint32_t)length;
    }
    s.rows = s.starts[texts];
    size_t hidden = heads * width, stride = hidden + dice_between(d, 0, 7), out_stride = hidden + dice_between(d, 0, 7);
    s.q = floats_take(d, s.rows * stride, wild);
    s.k = floats_take(d, s.rows * stride, wild);
    s.v = floats_take(d, s.rows * stride, wild);
    s.out = floats_take(d, s.rows * out_stride, false);
    s.a = (pl_attention){.texts = texts,
        .heads = heads,
        .head_width = width,
        .q = s.q,
        .k = s.k,
        .v = s.v,
        .stride = stride,
        .out_stride = out_stride,
        .scale = 1.0f / sqrtf((float)width)};
    return s;
}

static void scene_free(scene *s)
{
    floats_free(s->q);
    floats_free(s->k);
    floats_free(s->v);
    floats_free(s->out);
}

static float *run(const pl_kernels *k, const scene *s, size_t share)
{
    float *out = floats_copy(s->out, s->rows * s->a.out_stride);
    pl_attention a = s->a;
    a.starts = s->starts;
    a.out = out;
    void *workspace = workspace_take(k->attention_workspace(s->longest, a.head_width));
    size_t units = a.texts * a.heads, middle = units * share / 16;
    pl_fp_state state;
    k->enter(&state);
    k->attention(&a, workspace, middle, units);
    k->attention(&a, workspace, 0, middle);
    k->leave(&state);
    workspace_free(workspace);
    return out;
}

static void compare(dice *d, size_t texts, size_t longest, size_t heads, size_t width, bool wild)
{
    const pl_kernels *tables[PL_ISA_COUNT];
    size_t count = tables_f32(tables);
    scene s = scene_make(d, texts, longest, heads, width, wild);
    float *want = run(tables[0], &s, dice_between(d, 0, 16));
    for (size_t t = 1; t < count; t++) {
        float *got = run(tables[t], &s, dice_between(d, 0, 16));
        floats_equal("attention", tables[t], got, want, s.rows * s.a.out_stride, false);
        floats_free(got);
    }
    floats_free(want);
    scene_free(&s);
}

static void test_lengths(void **state)
{
    (void)state;
    dice d = {1};
    for (size_t length = 1; length <= 130; length += length < 40 ? 1 : 3)
        compare(&d, 1 + length % 3, length, 1 + length % 2, dice_between(&d, 1, 70), length % 5 == 0);
}

static void test_widths(void **state)
{
    (void)state;
    dice d = {2};
    for (size_t width = 1; width <= 140; width += width < 40 ? 1 : 7)
        compare(&d, 2, dice_between(&d, 1, 40), 2, width, false);
    compare(&d, 1, 30, 1, 256, false);
    compare(&d, 1, 20, 1, 600, false); /* more than one span of queries */
}

static void test_long_texts(void **state)
{
    (void)state;
    dice d = {3};
    compare(&d, 1, 512, 1, 2, false);
    compare(&d, 1, 513, 1, 3, false);
    compare(&d, 1, 1030, 1, 2, true);
}

static void test_against_double(void **state)
{
    (void)state;
    dice d = {4};
    scene s = scene_make(&d, 2, 45, 3, 20, false);
    float *out = run(pl_kernels_of(PL_ISA_REFERENCE, PL_F32), &s, 7);
    for (size_t t = 0; t < s.a.texts; t++)
        for (size_t row = s.starts[t]; row < s.starts[t + 1]; row++)
            for (size_t c = 0; c < s.a.heads * s.a.head_width; c++) {
                size_t from = c / s.a.head_width * s.a.head_width;
                double sum = 0, context = 0;
                for (size_t key = s.starts[t]; key < s.starts[t + 1]; key++) {
                    double score = 0;
                    for (size_t i = 0; i < s.a.head_width; i++)
                        score += (double)s.q[row * s.a.stride + from + i] * (double)s.k[key * s.a.stride + from + i];
                    double p = exp(score * (double)s.a.scale);
                    sum += p;
                    context += p * (double)s.v[key * s.a.stride + c];
                }
                assert_true(fabs(context / sum - (double)out[row * s.a.out_stride + c]) < 2e-6);
            }
    floats_free(out);
    scene_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_against_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
