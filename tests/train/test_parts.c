/* The small parts of training: checksum, order of the examples, schedule, narrowing. */
#include "train/digest.h"
#include "train/narrow.h"
#include "train/schedule.h"
#include "train/shuffle.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- checksum: values of the specification's own test vectors ---- */

static void test_digest_vectors(void **state)
{
    (void)state;
    assert_int_equal(pl__digest_of("", 0, 0), 0xEF46DB3751D8E999u);
    assert_int_equal(pl__digest_of("a", 1, 0), 0xD24EC4F1A98C6E5Bu);
    assert_int_equal(pl__digest_of("abc", 3, 0), 0x44BC2CF5AD770999u);
}

static void test_digest_pieces(void **state)
{
    (void)state;
    unsigned char bytes[300];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 37 + 11);
    for (size_t n = 0; n <= sizeof bytes; n += 7)
        for (size_t cut = 0; cut <= n; cut += 13) {
            pl__digest d;
            pl__digest_start(&d, 5);
            pl__digest_add(&d, bytes, cut);
            pl__digest_add(&d, bytes + cut, n - cut);
            assert_int_equal(pl__digest_value(&d), pl__digest_of(bytes, n, 5));
        }
}

/* ---- order ---- */

static void test_shuffle_is_a_permutation(void **state)
{
    (void)state;
    static const uint64_t counts[] = {1, 2, 3, 4, 5, 16, 17, 100, 1000, 4097};
    for (size_t c = 0; c < PL_COUNT(counts); c++) {
        unsigned char *seen = calloc(counts[c], 1);
        assert_non_null(seen);
        pl__shuffle s;
        pl__shuffle_start(&s, 42, 3, counts[c]);
        for (uint64_t i = 0; i < counts[c]; i++) {
            uint64_t at = pl__shuffle_at(&s, i);
            assert_true(at < counts[c]);
            assert_false(seen[at]);
            seen[at] = 1;
        }
        free(seen);
    }
}

static void test_shuffle_depends_on_seed_and_epoch(void **state)
{
    (void)state;
    enum { N = 1000 };
    pl__shuffle a, b, c;
    pl__shuffle_start(&a, 1, 0, N);
    pl__shuffle_start(&b, 2, 0, N);
    pl__shuffle_start(&c, 1, 1, N);
    unsigned same_seed = 0, same_epoch = 0, fixed = 0;
    for (uint64_t i = 0; i < N; i++) {
        same_seed += pl__shuffle_at(&a, i) == pl__shuffle_at(&b, i);
        same_epoch += pl__shuffle_at(&a, i) == pl__shuffle_at(&c, i);
        fixed += pl__shuffle_at(&a, i) == i;
    }
    assert_true(same_seed < 12 && same_epoch < 12 && fixed < 12); /* one is expected of each */
}

/* Each example comes to each tenth of the epoch about equally often. */
static void test_shuffle_is_even(void **state)
{
    (void)state;
    enum { N = 50, EPOCHS = 4000, PARTS = 5 };
    unsigned hits[PARTS] = {0};
    for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
        pl__shuffle s;
        pl__shuffle_start(&s, 7, epoch, N);
        hits[pl__shuffle_at(&s, 3) * PARTS / N]++;
    }
    for (int i = 0; i < PARTS; i++) /* five standard deviations of a binomial */
        assert_true(abs((int)hits[i] - EPOCHS / PARTS) < 130);
}

/* ---- schedule ---- */

static void test_cosine(void **state)
{
    (void)state;
    for (int i = 0; i <= 40000; i++) {
        double x = i * 0.001;
        assert_true(fabs(pl__cosine(x) - cos(x)) < 2e-15);
    }
    assert_true(pl__cosine(0) == 1.0);
}

static pl__schedule schedule(pl_schedule kind, uint64_t warmup, uint64_t steps)
{
    pl_training t;
    pl__schedule s;
    pl_error e;
    pl_training_init(&t);
    t.schedule = kind;
    t.warmup_steps = warmup;
    t.max_steps = steps;
    t.lr = 1e-3;
    assert_int_equal(pl__schedule_make(&t, 100, &s, &e), PL_OK);
    return s;
}

/* get_scheduler of transformers, as its source has it. */
static void test_rates(void **state)
{
    (void)state;
    enum { STEPS = 20, WARMUP = 4 };
    pl__schedule linear = schedule(PL_SCHEDULE_LINEAR, WARMUP, STEPS), cosine = schedule(PL_SCHEDULE_COSINE, WARMUP, STEPS);
    pl__schedule constant = schedule(PL_SCHEDULE_CONSTANT, WARMUP, STEPS), warm = schedule(PL_SCHEDULE_CONSTANT_WITH_WARMUP, WARMUP, STEPS);
    for (uint64_t step = 1; step <= STEPS; step++) {
        double at = (double)(step - 1), up = at / WARMUP, part = (at - WARMUP) / (STEPS - WARMUP);
        bool warming = step - 1 < WARMUP;
        assert_true(fabs(pl__schedule_lr(&linear, step) - 1e-3 * (warming ? up : 1 - part)) < 1e-18);
        assert_true(fabs(pl__schedule_lr(&cosine, step) - 1e-3 * (warming ? up : 0.5 * (1 + cos(3.14159265358979323846 * part)))) < 1e-17);
        assert_true(pl__schedule_lr(&constant, step) == 1e-3);
        assert_true(pl__schedule_lr(&warm, step) == 1e-3 * (warming ? up : 1));
    }
}

static void test_steps(void **state)
{
    (void)state;
    pl_training t;
    pl__schedule s;
    pl_error e;
    pl_training_init(&t);
    t.warmup_ratio = 0.1;
    t.epochs = 1.5;
    assert_int_equal(pl__schedule_make(&t, 17, &s, &e), PL_OK); /* 8 + 8 + 1 */
    assert_int_equal(s.per_epoch, 3);
    assert_int_equal(s.steps, 5);  /* ceil(4.5) */
    assert_int_equal(s.warmup, 1); /* ceil(0.5) */
    t.warmup_steps = 7;
    assert_int_equal(pl__schedule_make(&t, 17, &s, &e), PL_OK);
    assert_int_equal(s.warmup, 7);
    t.max_steps = 4;
    assert_int_equal(pl__schedule_make(&t, 17, &s, &e), PL_OK);
    assert_int_equal(s.steps, 4);
    assert_true(s.epochs == 2);
    t.max_steps = 0;
    t.epochs = 1e300;
    assert_int_equal(pl__schedule_make(&t, 17, &s, &e), PL_USAGE);
}

/* ---- narrowing ---- */

static uint16_t half(float x, pl_dtype type)
{
    uint16_t out;
    pl__narrow(&out, &x, 1, type);
    return out;
}

static void test_narrow(void **state)
{
    (void)state;
    static const struct {
        float x;
        uint16_t f16, bf16;
    } cases[] = {
        {0, 0, 0},
        {-0.0f, 0x8000, 0x8000},
        {1, 0x3C00, 0x3F80},
        {-2, 0xC000, 0xC000},
        {65504, 0x7BFF, 0x4780},
        {65519, 0x7BFF, 0x4780},
        {65520, 0x7C00, 0x4780},
        {INFINITY, 0x7C00, 0x7F80},
        {6.103515625e-05f, 0x0400, 0x3880},
        {5.9604645e-08f, 0x0001, 0x3380},
        {2.9802322e-08f, 0, 0x3300},
        {2.98023259e-08f, 1, 0x3300},
        {1.00048828125f, 0x3C00, 0x3F80},
        {1.00146484375f, 0x3C02, 0x3F80},
        {1.00390625f, 0x3C04, 0x3F80},
        {1.01171875f, 0x3C0C, 0x3F82},
    };
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        assert_int_equal(half(cases[i].x, PL_F16), cases[i].f16);
        assert_int_equal(half(cases[i].x, PL_BF16), cases[i].bf16);
    }
    assert_true((half(NAN, PL_F16) & 0x7FFF) > 0x7C00);
    assert_true((half(NAN, PL_BF16) & 0x7FFF) > 0x7F80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest_vectors),
        cmocka_unit_test(test_digest_pieces),
        cmocka_unit_test(test_shuffle_is_a_permutation),
        cmocka_unit_test(test_shuffle_depends_on_seed_and_epoch),
        cmocka_unit_test(test_shuffle_is_even),
        cmocka_unit_test(test_cosine),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_narrow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
