/* Attention with dropout: every table against the reference, any share of units against the whole,
 * the reference against doubles and their differences. */
#include "device_train/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TEXTS = 6 };

typedef struct job {
    size_t texts, heads, width, rows, longest, stride, out_stride, dout_stride, dqkv_stride;
    uint32_t starts[MOST_TEXTS + 1];
    float *qkv, *dout, *out, *dqkv; /* q, k and v side by side; out and dqkv as they were before */
    uint64_t *keys;
    pl_dropout dropout;
    bool drops;
    float scale;
} job;

static job job_make(dice *d, size_t texts, size_t least, size_t most, size_t heads, size_t width, bool wild)
{
    job j = {.texts = texts, .heads = heads, .width = width, .drops = dice_one_in(d, 2), .scale = 0.3f};
    for (size_t t = 0; t < texts; t++) {
        size_t length = dice_one_in(d, 9) ? 0 : dice_between(d, least, most);
        j.starts[t + 1] = j.starts[t] + (uint32_t)length;
        j.longest = pl_max(j.longest, length);
    }
    j.rows = j.starts[texts];
    size_t hidden = heads * width;
    j.stride = 3 * hidden + dice_between(d, 0, 5);
    j.out_stride = hidden + dice_between(d, 0, 5);
    j.dout_stride = hidden + dice_between(d, 0, 5);
    j.dqkv_stride = 3 * hidden + dice_between(d, 0, 5);
    j.qkv = floats_take(d, j.rows * j.stride, wild);
    j.dout = floats_take(d, j.rows * j.dout_stride, wild);
    j.out = floats_take(d, j.rows * j.out_stride, false);
    j.dqkv = floats_take(d, j.rows * j.dqkv_stride, false);
    j.keys = calloc(j.rows + 1, sizeof *j.keys);
    assert_non_null(j.keys);
    for (size_t r = 0; r < j.rows; r++)
        j.keys[r] = dice_roll(d);
    j.dropout = (pl_dropout){j.keys, (uint32_t)dice_roll(d), dice_one_in(d, 8) ? 0 : (uint32_t)(dice_roll(d) >> 33), 1.25f};
    return j;
}

static void job_free(job *j)
{
    floats_free(j->qkv);
    floats_free(j->dout);
    floats_free(j->out);
    floats_free(j->dqkv);
    free(j->keys);
}

typedef struct answers {
    float *out, *dqkv;
} answers;

static answers run(dice *d, pair p, const job *j)
{
    size_t hidden = j->heads * j->width;
    answers r = {floats_copy(j->out, j->rows * j->out_stride), floats_copy(j->dqkv, j->rows * j->dqkv_stride)};
    pl_attention_train a = {.f = {.texts = j->texts,
                                .heads = j->heads,
                                .head_width = j->width,
                                .starts = j->starts,
                                .q = j->qkv,
                                .k = j->qkv + hidden,
                                .v = j->qkv + 2 * hidden,
                                .stride = j->stride,
                                .out = r.out,
                                .out_stride = j->out_stride,
                                .scale = j->scale},
        .dropout = j->drops ? &j->dropout : NULL,
        .dout = j->dout,
        .dout_stride = j->dout_stride,
        .dq = r.dqkv,
        .dk = r.dqkv + hidden,
        .dv = r.dqkv + 2 * hidden,
        .dqkv_stride = j->dqkv_stride};
    void *workspace = workspace_take(p.t->attention_workspace(j->longest, j->width));
    cuts c = cuts_take(d, j->texts * j->heads);
    for (size_t i = 0; i < 3; i++) {
        p.t->attention_forward(&a, workspace, c.at[i], c.at[i + 1]);
        p.t->attention_backward(&a, workspace, c.at[i], c.at[i + 1]);
    }
    if (!j->drops) { /* the very bits of inference */
        float *plain = floats_copy(j->out, j->rows * j->out_stride);
        void *other = workspace_take(p.k->attention_workspace(j->longest, j->width));
        a.f.out = plain;
        p.k->attention(&a.f, other, 0, j->texts * j->heads);
        floats_equal("attention without dropout", p.k, r.out, plain, j->rows * j->out_stride, false);
        floats_free(plain);
        workspace_free(other);
    }
    workspace_free(workspace);
    return r;
}

static void answers_free(answers *r)
{
    floats_free(r->out);
    floats_free(r->dqkv);
}

static void compare(dice *d, const job *j)
{
    pair pairs[PL_ISA_COUNT];
    size_t count = pairs_take(pairs, PL_F32);
    answers want = run(d, pairs[0], j);
    for (size_t t = 0; t < count; t++) {
        answers got = run(d, pairs[t], j);
        floats_equal("out", pairs[t].k, got.out, want.out, j->rows * j->out_stride, false);
        floats_equal("dq dk dv", pairs[t].k, got.dqkv, want.dqkv, j->rows * j->dqkv_stride, false);
        answers_free(&got);
    }
    answers_free(&want);
}

static void test_lengths(void **state)
{
    (void)state;
    dice d = {41};
    for (size_t length = 1; length <= 140; length += length < 70 ? 1 : 7) {
        job j = job_make(&d, dice_between(&d, 1, 3), length, length, dice_between(&d, 1, 3), dice_between(&d, 1, 40), dice_one_in(&d, 6));
        compare(&d, &j);
        job_free(&j);
    }
}

static void test_widths(void **state)
{
    (void)state;
    dice d = {42};
    for (size_t width = 1; width <= 130; width += width < 68 ? 1 : 9) {
        job j = job_make(&d, dice_between(&d, 1, MOST_TEXTS), 1, 30, dice_between(&d, 1, 3), width, dice_one_in(&d, 6));
        compare(&d, &j);
        job_free(&j);
    }
}

/* Beyond a span of keys, beyond a span of columns. */
static void test_large(void **state)
{
    (void)state;
    dice d = {43};
    static const size_t sizes[][2] = {{511, 8}, {512, 33}, {513, 16}, {560, 5}, {1030, 20}, {1600, 3}, {40, 700}, {14, 1025}};
    for (size_t i = 0; i < PL_COUNT(sizes); i++) {
        job j = job_make(&d, 1, sizes[i][0], sizes[i][0], 1, sizes[i][1], false);
        compare(&d, &j);
        job_free(&j);
    }
}

/* The tables that promise their bits for themselves alone: without dropout inference's bits, with it
 * those of f32, whose kernels they take. */
static void test_bf16(void **state)
{
    (void)state;
    dice d = {45};
    for (int isa = PL_ISA_AVX512_BF16; isa < PL_ISA_COUNT; isa++)
        for (int i = 0; i < 10 && pl_isa_present() >> isa & 1; i++) {
            pair p = {pl_kernels_of((pl_isa)isa, PL_BF16), pl_train_kernels_of((pl_isa)isa, PL_BF16)};
            pair f32 = {pl_kernels_of(PL_ISA_AVX512, PL_F32), pl_train_kernels_of(PL_ISA_AVX512, PL_F32)};
            job j = job_make(&d, 3, 1, 90, 2, dice_between(&d, 1, 70), false);
            pl_fp_state fp;
            p.k->enter(&fp);
            answers got = run(&d, p, &j), want = run(&d, f32, &j);
            p.k->leave(&fp);
            if (j.drops)
                floats_equal("out", p.k, got.out, want.out, j.rows * j.out_stride, false);
            floats_equal("dq dk dv", p.k, got.dqkv, want.dqkv, j.rows * j.dqkv_stride, false);
            answers_free(&got);
            answers_free(&want);
            job_free(&j);
        }
}

/* ---- in double ---- */
typedef struct exact {
    const job *j;
    double *x;  /* qkv */
    bool *kept; /* [row][head][key of the text] */
} exact;

/* sum of out * dout, the loss whose gradients attention_backward gives */
static double exact_loss(const exact *e)
{
    const job *j = e->j;
    size_t hidden = j->heads * j->width;
    double loss = 0, p[64];
    for (size_t t = 0; t < j->texts; t++)
        for (size_t i = j->starts[t]; i < j->starts[t + 1]; i++)
            for (size_t h = 0; h < j->heads; h++) {
                size_t first = j->starts[t], length = j->starts[t + 1] - first;
                double sum = 0;
                for (size_t k = 0; k < length; k++) {
                    double s = 0;
                    for (size_t c = 0; c < j->width; c++)
                        s += e->x[i * j->stride + h * j->width + c] * e->x[(first + k) * j->stride + hidden + h * j->width + c];
                    sum += p[k] = exp(s * (double)j->scale);
                }
                for (size_t k = 0; k < length; k++)
                    for (size_t c = 0; c < j->width; c++)
                        if (e->kept[(i * j->heads + h) * 64 + k])
                            loss += p[k] / sum * (j->drops ? (double)j->dropout.scale : 1) * e->x[(first + k) * j->stride + 2 * hidden + h * j->width + c] *
                                (double)j->dout[i * j->dout_stride + h * j->width + c];
            }
    return loss;
}

/* Which probabilities dropout keeps: columns head * 2^20 + key of the row's key. */
static void find_kept(const job *j, bool *kept)
{
    for (size_t t = 0; t < j->texts; t++)
        for (uint32_t i = j->starts[t]; i < j->starts[t + 1]; i++)
            for (size_t h = 0; h < j->heads; h++) {
                size_t length = j->starts[t + 1] - j->starts[t], width = (h << 20) + length;
                if (!j->drops) {
                    memset(kept + (i * j->heads + h) * 64, true, 64);
                    continue;
                }
                float *ones = calloc(width, sizeof *ones);
                assert_non_null(ones);
                for (size_t k = 0; k < length; k++)
                    ones[(h << 20) + k] = 1.0f;
                pl_dropout_rows r = {.d = j->dropout, .width = width, .x = ones, .y = ones};
                r.d.row_keys = j->keys + i;
                pl_train_kernels_of(PL_ISA_AVX2, PL_F32)->dropout(&r, 0, 1);
                for (size_t k = 0; k < length; k++)
                    kept[(i * j->heads + h) * 64 + k] = ones[(h << 20) + k] != 0;
                free(ones);
            }
}

static void test_differences(void **state)
{
    (void)state;
    if (!(pl_isa_present() >> PL_ISA_AVX2 & 1))
        skip(); /* the reference takes too long to drop millions of columns */
    dice d = {44};
    for (int drops = 0; drops < 2; drops++) {
        job j = job_make(&d, 3, 4, 14, 2, 5, false);
        j.drops = drops;
        answers r = run(&d, (pair){pl_kernels_of(PL_ISA_REFERENCE, PL_F32), pl_train_kernels_of(PL_ISA_REFERENCE, PL_F32)}, &j);
        exact e = {&j, calloc(j.rows * j.stride, sizeof *e.x), calloc(j.rows * j.heads * 64, sizeof *e.kept)};
        assert_true(e.x && e.kept);
        for (size_t i = 0; i < j.rows * j.stride; i++)
            e.x[i] = (double)j.qkv[i];
        find_kept(&j, e.kept);
        double loss = 0;
        for (size_t row = 0; row < j.rows; row++)
            for (size_t c = 0; c < j.heads * j.width; c++)
                loss += (double)r.out[row * j.out_stride + c] * (double)j.dout[row * j.dout_stride + c];
        assert_true(fabs(loss - exact_loss(&e)) < 1e-4);
        for (size_t row = 0; row < j.rows; row++)
            for (size_t c = 0; c < 3 * j.heads * j.width; c++) {
                double *x = e.x + row * j.stride + c, at = *x, h = 1e-5;
                *x = at + h;
                double more = exact_loss(&e);
                *x = at - h;
                double want = (more - exact_loss(&e)) / (2 * h);
                *x = at;
                assert_true(fabs((double)r.dqkv[row * j.dqkv_stride + c] - want) < 1e-5);
            }
        free(e.x);
        free(e.kept);
        answers_free(&r);
        job_free(&j);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
