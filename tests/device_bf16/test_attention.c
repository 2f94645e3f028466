/* Attention of the bf16 tables: near the softmax in double, and the same bits whatever stands beside
 * a text and however units are shared out. */
#include "device_bf16/bf16.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct job {
    size_t texts, heads, width, stride, out_stride, rows, longest;
    uint32_t starts[12];
    float scale;
    float *qkv, *out;
} job;

static job job_make(dice *d, const size_t *lengths, size_t texts, size_t heads, size_t width)
{
    job j = {.texts = texts, .heads = heads, .width = width, .scale = 1 / sqrtf((float)width)};
    assert_true(texts < PL_COUNT(j.starts));
    for (size_t t = 0; t < texts; t++) {
        j.starts[t + 1] = (uint32_t)(j.starts[t] + lengths[t]);
        j.longest = pl_max(j.longest, lengths[t]);
    }
    j.rows = j.starts[texts];
    j.stride = 3 * heads * width + dice_between(d, 0, 5);
    j.out_stride = heads * width + dice_between(d, 0, 5);
    j.qkv = floats_take(d, j.rows * j.stride, false);
    for (size_t i = 0; i < j.rows * j.stride; i++)
        j.qkv[i] *= 3;
    j.out = floats_take(d, j.rows * j.out_stride, false);
    return j;
}

static void job_free(job *j)
{
    floats_free(j->qkv);
    floats_free(j->out);
}

static pl_attention attention_of(const job *j, float *out)
{
    size_t hidden = j->heads * j->width;
    return (pl_attention){.texts = j->texts,
        .heads = j->heads,
        .head_width = j->width,
        .starts = j->starts,
        .q = j->qkv,
        .k = j->qkv + hidden,
        .v = j->qkv + 2 * hidden,
        .stride = j->stride,
        .out = out,
        .out_stride = j->out_stride,
        .scale = j->scale};
}

static void attend(const pl_kernels *k, const job *j, const pl_attention *a, size_t share)
{
    void *workspace = workspace_take(k->attention_workspace(j->longest, j->width));
    for (size_t unit = 0, units = j->texts * j->heads; unit < units; unit += share)
        k->attention(a, workspace, unit, pl_min(unit + share, units));
    workspace_free(workspace);
}

static float *run(const pl_kernels *k, const job *j, size_t share)
{
    float *out = floats_copy(j->out, j->rows * j->out_stride);
    pl_attention a = attention_of(j, out);
    attend(k, j, &a, share);
    floats_check(out);
    return out;
}

/* One row of one head. */
static void row_check(const job *j, size_t text, size_t row, size_t head, const float *got)
{
    size_t first = j->starts[text], length = j->starts[text + 1] - first, hidden = j->heads * j->width;
    double *p = malloc(length * sizeof *p), greatest = -INFINITY, total = 0;
    assert_non_null(p);
    for (size_t i = 0; i < length; i++) {
        const float *q = j->qkv + row * j->stride + head * j->width, *key = j->qkv + (first + i) * j->stride + hidden + head * j->width;
        double s = 0;
        for (size_t c = 0; c < j->width; c++)
            s += (double)bf16_near(q[c]) * (double)bf16_near(key[c]);
        p[i] = s * (double)j->scale;
        greatest = fmax(greatest, p[i]);
    }
    for (size_t i = 0; i < length; i++)
        total += p[i] = exp(p[i] - greatest);
    for (size_t c = 0; c < j->width; c++) {
        double want = 0, size = 0;
        for (size_t i = 0; i < length; i++) {
            double x = p[i] / total * (double)bf16_near(j->qkv[(first + i) * j->stride + 2 * hidden + head * j->width + c]);
            want += x;
            size += fabs(x);
        }
        /* each weight is rounded to eight bits */
        if (!(fabs((double)got[c] - want) <= 0x1.02p-8 * size + 1e-30))
            fail_msg("text of %zu, width %zu, row %zu: %.9g, not %.9g", length, j->width, row - first, (double)got[c], want);
    }
    free(p);
}

static void near_softmax_in_double(void **state)
{
    pl_fp_state saved;
    const pl_kernels *k = table_enter(state, &saved);
    static const size_t lengths[] = {0, 1, 2, 15, 16, 17, 31, 33, 64, 130};
    static const size_t widths[] = {1, 2, 8, 16, 31, 32, 33, 48, 64, 80, 128, 7};
    dice d = {21};
    for (size_t w = 0; w < PL_COUNT(widths); w++) {
        job j = job_make(&d, lengths, PL_COUNT(lengths), 1 + w % 3, widths[w]);
        float *out = run(k, &j, SIZE_MAX / 2);
        for (size_t text = 0; text < j.texts; text++)
            for (size_t row = j.starts[text]; row < j.starts[text + 1]; row++)
                for (size_t head = 0; head < j.heads; head++)
                    row_check(&j, text, row, head, out + row * j.out_stride + head * j.width);
        for (size_t row = 0; row < j.rows; row++) {
            size_t hidden = j.heads * j.width, from = row * j.out_stride + hidden;
            assert_memory_equal(out + from, j.out + from, (j.out_stride - hidden) * sizeof *out);
        }
        floats_free(out);
        job_free(&j);
    }
    k->leave(&saved);
}

static void long_texts(void **state)
{
    pl_fp_state saved;
    const pl_kernels *k = table_enter(state, &saved);
    static const size_t lengths[] = {127, 128, 129, 257, 1000, 8192};
    dice d = {22};
    for (size_t i = 0; i < PL_COUNT(lengths); i++) {
        job j = job_make(&d, lengths + i, 1, 1, 32);
        float *out = run(k, &j, 1);
        for (size_t row = 0; row < j.rows; row += 1 + j.rows / 40)
            row_check(&j, 0, row, 0, out + row * j.out_stride);
        floats_free(out);
        job_free(&j);
    }
    k->leave(&saved);
}

/* Scores far apart, the greatest first or last: what stands must fade to nothing, or to all. */
static void far_scores(void **state)
{
    pl_fp_state saved;
    const pl_kernels *k = table_enter(state, &saved);
    dice d = {23};
    size_t length = 300;
    for (size_t at = 0; at < length; at += 299) {
        job j = job_make(&d, &length, 1, 1, 32);
        for (size_t row = 0; row < length; row++)
            for (size_t c = 0; c < 32; c++) {
                j.qkv[row * j.stride + c] = 8;
                j.qkv[row * j.stride + 32 + c] = row == at ? 8 : -8;
            }
        float *out = run(k, &j, 1);
        for (size_t row = 0; row < length; row++)
            for (size_t c = 0; c < 32; c++)
                assert_true(out[row * j.out_stride + c] == bf16_near(j.qkv[at * j.stride + 64 + c]));
        floats_free(out);
        job_free(&j);
    }
    k->leave(&saved);
}

/* A text of one row is its own value, to the bit. */
static void one_row_is_its_value(void **state)
{
    pl_fp_state saved;
    const pl_kernels *k = table_enter(state, &saved);
    dice d = {24};
    static const size_t lengths[] = {1, 1, 1};
    job j = job_make(&d, lengths, 3, 2, 40);
    float *out = run(k, &j, 2);
    for (size_t row = 0; row < 3; row++)
        for (size_t c = 0; c < 80; c++)
            assert_true(out[row * j.out_stride + c] == bf16_near(j.qkv[row * j.stride + 160 + c]));
    floats_free(out);
    job_free(&j);
    k->leave(&saved);
}

static void a_text_does_not_see_its_neighbours(void **state)
{
    pl_fp_state saved;
    const pl_kernels *k = table_enter(state, &saved);
    dice d = {25};
    for (int round = 0; round < 25; round++) {
        size_t lengths[6];
        for (size_t i = 0; i < PL_COUNT(lengths); i++)
            lengths[i] = dice_between(&d, 0, round % 5 ? 70 : 300);
        job j = job_make(&d, lengths, 6, dice_between(&d, 1, 4), dice_between(&d, 1, 70));
        for (size_t i = 0; i < (lengths[1]) * j.stride; i += 7) /* the second text is wild */
            j.qkv[j.starts[1] * j.stride + i] = dice_wild(&d);
        float *all = run(k, &j, SIZE_MAX / 2), *shared = run(k, &j, dice_between(&d, 1, 3));
        assert_memory_equal(all, shared, j.rows * j.out_stride * sizeof *all);
        for (size_t text = 0; text < j.texts; text++) {
            job alone = j;
            alone.texts = 1;
            alone.starts[0] = 0;
            alone.starts[1] = (uint32_t)(alone.rows = alone.longest = lengths[text]);
            alone.qkv = floats_copy(j.qkv + j.starts[text] * j.stride, alone.rows * j.stride);
            alone.out = floats_copy(j.out + j.starts[text] * j.out_stride, alone.rows * j.out_stride);
            float *out = run(k, &alone, 1);
            assert_memory_equal(out, all + j.starts[text] * j.out_stride, alone.rows * j.out_stride * sizeof *out);
            if (text != 1)
                for (size_t i = 0; i < alone.rows * j.out_stride; i++)
                    assert_true(isfinite(out[i]));
            floats_free(out);
            job_free(&alone);
        }
        floats_free(all);
        floats_free(shared);
        job_free(&j);
    }
    k->leave(&saved);
}

static void bf16_activations_change_nothing(void **state)
{
    pl_fp_state saved;
    const pl_kernels *k = table_enter(state, &saved);
    dice d = {26};
    for (int round = 0; round < 20; round++) {
        static const size_t lengths[] = {3, 40, 0, 17, 150};
        job j = job_make(&d, lengths, 5, 3, dice_between(&d, 1, 70));
        float *want = run(k, &j, 4);
        uint16_t *qkv = bf16_copy(j.qkv, j.rows * j.stride), *out = bf16_copy(j.out, j.rows * j.out_stride);
        size_t hidden = j.heads * j.width;
        pl_attention a = attention_of(&j, NULL);
        a.q_bf16 = qkv;
        a.k_bf16 = qkv + hidden;
        a.v_bf16 = qkv + 2 * hidden;
        a.out_bf16 = out;
        a.in_type = a.out_type = PL_BF16;
        attend(k, &j, &a, 1);
        for (size_t i = 0; i < j.rows * j.out_stride; i++)
            assert_int_equal(out[i], bf16_of(i % j.out_stride < hidden ? want[i] : j.out[i]));
        free(qkv);
        free(out);
        floats_free(want);
        job_free(&j);
    }
    k->leave(&saved);
}

int main(void)
{
    tables_find();
    const struct CMUnitTest tests[] = {
        BOTH_TABLES(near_softmax_in_double),
        BOTH_TABLES(long_texts),
        BOTH_TABLES(far_scores),
        BOTH_TABLES(one_row_is_its_value),
        BOTH_TABLES(a_text_does_not_see_its_neighbours),
        BOTH_TABLES(bf16_activations_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
