/* Random bits: known answers of the generator, rates, independence; every table against the
 * reference. */
#include "device_train/train.h"

#include <math.h>
#include <string.h>

/* ---- Philox as its authors write it, from their known answers on ---- */
static void philox(uint32_t c[4], uint32_t k0, uint32_t k1)
{
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        uint64_t p = (uint64_t)0xD2511F53u * c[0], q = (uint64_t)0xCD9E8D57u * c[2];
        uint32_t next[4] = {(uint32_t)(q >> 32) ^ c[1] ^ k0, (uint32_t)q, (uint32_t)(p >> 32) ^ c[3] ^ k1, (uint32_t)p};
        memcpy(c, next, sizeof next);
    }
}

static void test_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t c[4], k[2], out[4];
    } known[] = {/* kat_vectors of Random123 */
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
    for (size_t i = 0; i < PL_COUNT(known); i++) {
        uint32_t c[4];
        memcpy(c, known[i].c, sizeof c);
        philox(c, known[i].k[0], known[i].k[1]);
        assert_memory_equal(c, known[i].out, sizeof c);
    }
}

/* The reference keeps exactly where that generator's word reaches the threshold. */
static void test_reference(void **state)
{
    (void)state;
    dice d = {21};
    enum { WIDTH = 37 };
    const pl_train_kernels *t = pl_train_kernels_of(PL_ISA_REFERENCE, PL_F32);
    for (int i = 0; i < 50; i++) {
        uint64_t key = dice_roll(&d);
        pl_dropout_rows r = {.d = {&key, (uint32_t)dice_roll(&d), (uint32_t)dice_roll(&d), 1.0f}, .width = WIDTH};
        float ones[WIDTH], y[WIDTH];
        for (size_t j = 0; j < WIDTH; j++)
            ones[j] = 1.0f;
        r.x = ones;
        r.y = y;
        t->dropout(&r, 0, 1);
        for (uint32_t j = 0; j < WIDTH; j++) {
            uint32_t c[4] = {j / 4, r.d.site, 0, 0};
            philox(c, (uint32_t)key, (uint32_t)(key >> 32));
            assert_true(y[j] == (c[j % 4] >= r.d.threshold ? 1.0f : 0.0f));
        }
    }
}

static void test_equal(void **state)
{
    (void)state;
    dice d = {22};
    pair pairs[PL_ISA_COUNT];
    size_t count = pairs_take(pairs, PL_F32);
    for (size_t i = 0; i < 120; i++) {
        size_t rows = dice_between(&d, 1, 6), width = i < 80 ? i + 1 : dice_between(&d, 1, 700), x_stride = width + dice_between(&d, 0, 5),
               y_stride = width + dice_between(&d, 0, 5);
        uint64_t keys[6];
        for (size_t r = 0; r < rows; r++)
            keys[r] = dice_roll(&d);
        float *x = floats_take(&d, (rows - 1) * x_stride + width, dice_one_in(&d, 3)), *y = floats_take(&d, (rows - 1) * y_stride + width, false), *want = NULL;
        pl_dropout_rows r = {.d = {keys, (uint32_t)dice_roll(&d), dice_one_in(&d, 5) ? 0 : (uint32_t)dice_roll(&d), 1.25f},
            .width = width,
            .x = x,
            .x_stride = x_stride,
            .y_stride = y_stride};
        for (size_t t = 0; t < count; t++) {
            float *got = floats_copy(y, (rows - 1) * y_stride + width);
            r.y = got;
            cuts c = cuts_take(&d, rows);
            for (size_t j = 0; j < 3; j++)
                pairs[t].t->dropout(&r, c.at[j], c.at[j + 1]);
            if (want)
                floats_equal("dropout", pairs[t].k, got, want, (rows - 1) * y_stride + width, false);
            else
                want = floats_copy(got, (rows - 1) * y_stride + width);
            floats_free(got);
        }
        floats_free(want);
        floats_free(x);
        floats_free(y);
    }
}

/* ---- statistics over rows as training keys them ---- */
enum { ROWS = 2000, COLUMNS = 64 };

static bool kept_at(uint64_t seed, uint64_t step, uint64_t example, uint32_t position, uint32_t site, double p, bool kept[COLUMNS])
{
    uint64_t key = pl_dropout_row_key(seed, step, example, position);
    float ones[COLUMNS], y[COLUMNS];
    for (size_t j = 0; j < COLUMNS; j++)
        ones[j] = 1.0f;
    pl_dropout_rows r = {.d = {&key, site, (uint32_t)(p * 0x1p32 + 0.5), 1.0f}, .width = COLUMNS, .x = ones, .y = y};
    pl_train_kernels_of(PL_ISA_REFERENCE, PL_F32)->dropout(&r, 0, 1);
    for (size_t j = 0; j < COLUMNS; j++)
        kept[j] = y[j] != 0;
    return true;
}

/* |deviation| of a count of n independent draws, in standard deviations */
static double off(double count, double n, double p) { return fabs(count - n * p) / sqrt(n * p * (1 - p)); }

static void test_rate(void **state)
{
    (void)state;
    static const double rates[] = {0.05, 0.1, 0.5, 0.9};
    for (size_t i = 0; i < PL_COUNT(rates); i++) {
        double dropped = 0, by_column[COLUMNS] = {0};
        for (uint32_t row = 0; row < ROWS; row++) {
            bool kept[COLUMNS];
            kept_at(7, 3, row / 50, row % 50, 2, rates[i], kept);
            for (size_t j = 0; j < COLUMNS; j++) {
                dropped += !kept[j];
                by_column[j] += !kept[j];
            }
        }
        assert_true(off(dropped, ROWS * COLUMNS, rates[i]) < 4);
        for (size_t j = 0; j < COLUMNS; j++)
            assert_true(off(by_column[j], ROWS, rates[i]) < 5);
    }
}

/* One part of the key changed: the two patterns agree as independent draws do. */
static void test_independence(void **state)
{
    (void)state;
    for (int part = 0; part < 6; part++) {
        double both = 0, p = 0.3;
        for (uint32_t row = 0; row < ROWS; row++) {
            bool a[COLUMNS], b[COLUMNS];
            kept_at(1, 5, row, 9, 4, p, a);
            if (part == 0)
                kept_at(2, 5, row, 9, 4, p, b);
            else if (part == 1)
                kept_at(1, 6, row, 9, 4, p, b);
            else if (part == 2)
                kept_at(1, 5, row + 1, 9, 4, p, b);
            else if (part == 3)
                kept_at(1, 5, row, 10, 4, p, b);
            else if (part == 4)
                kept_at(1, 5, row, 9, 5, p, b);
            else
                for (size_t j = 0; j < COLUMNS; j++)
                    b[j] = a[(j + 1) % COLUMNS]; /* the column beside it */
            for (size_t j = 0; j < COLUMNS; j++)
                both += !a[j] && !b[j];
        }
        assert_true(off(both, ROWS * COLUMNS, p * p) < 4.5);
    }
}

/* No two rows of a step have one key; a swap of two parts is another key. */
static void test_keys(void **state)
{
    (void)state;
    enum { SOME = 4000 };
    static uint64_t keys[SOME];
    for (uint32_t i = 0; i < SOME; i++)
        keys[i] = pl_dropout_row_key(1, i / 400, i / 40 % 10, i % 40);
    for (size_t i = 0; i < SOME; i++)
        for (size_t j = i + 1; j < SOME; j++)
            assert_true(keys[i] != keys[j]);
    assert_true(pl_dropout_row_key(1, 2, 3, 4) != pl_dropout_row_key(2, 1, 3, 4));
    assert_true(pl_dropout_row_key(1, 2, 3, 4) != pl_dropout_row_key(1, 3, 2, 4));
    assert_true(pl_dropout_row_key(1, 2, 3, 4) != pl_dropout_row_key(1, 2, 4, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_independence),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
