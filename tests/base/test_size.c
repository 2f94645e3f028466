/* Byte counts for people and back, checked arithmetic, element types. */
#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void sizes_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"300MiB", 314572800},
        {"2GiB", 2147483648},
        {"1.5G", 1610612736},
        {"800MB", 800000000},
        {"123456789", 123456789},
        {"0", 0},
        {"1kB", 1000},
        {"1K", 1024},
        {"1KiB", 1024},
        {".5M", 524288},
        {"1.", 1},
        {"1B", 1},
        {"18446744073709551615", UINT64_MAX},
        {"16777215TiB", 16777215ULL << 40},
        {"0.000000000000000001EiB", 1},
        {"15.999999999999999999E", 18446744073709551614ULL},
        {"11.17GiB", 11993696174ULL},
    };
    static const char *const bad[] = {
        "", "M", "MiB", "-1", "+1", " 1", "1 ", "1 MiB", "1mb", "1XB", "1.5.5M", "0x10", "1e9", "18446744073709551616", "16E", "99999999T", "1,5G", "nan"};
    uint64_t bytes;
    for (size_t i = 0; i < PL_COUNT(good); i++) {
        if (!pl_bytes_parse(good[i].text, &bytes))
            fail_msg("%s is not read", good[i].text);
        assert_int_equal(bytes, good[i].bytes);
    }
    for (size_t i = 0; i < PL_COUNT(bad); i++)
        if (pl_bytes_parse(bad[i], &bytes))
            fail_msg("\"%s\" is read as %llu", bad[i], (unsigned long long)bytes);
}

static void sizes_are_shown(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } known[] = {
        {0, "0 bytes"},
        {1023, "1023 bytes"},
        {1024, "1.00 KiB"},
        {10240, "10.0 KiB"},
        {102400, "100 KiB"},
        {9856615, "9.39 MiB"},
        {1ULL << 30, "1.00 GiB"},
        {UINT64_MAX, "15.9 EiB"},
        {(1ULL << 50) * 3 / 2, "1.50 PiB"},
    };
    char out[32];
    for (size_t i = 0; i < PL_COUNT(known); i++)
        assert_string_equal(pl_bytes_text(known[i].bytes, out), known[i].text);
}

static void sums_are_checked(void **state)
{
    (void)state;
    uint64_t out;
    assert_true(pl_add(UINT64_MAX - 1, 1, &out) && out == UINT64_MAX);
    assert_false(pl_add(UINT64_MAX, 1, &out));
    assert_true(pl_mul(1ULL << 32, (1ULL << 32) - 1, &out));
    assert_false(pl_mul(1ULL << 32, 1ULL << 32, &out));
    assert_int_equal(pl_round_up(0, 64), 0);
    assert_int_equal(pl_round_up(1, 64), 64);
    assert_int_equal(pl_round_up(64, 64), 64);
}

static void types_have_names(void **state)
{
    (void)state;
    for (int i = 0; i < PL_DTYPE_COUNT; i++) {
        pl_dtype type;
        const char *name = pl_dtype_name((pl_dtype)i);
        assert_true(pl_dtype_parse(name, strlen(name), &type) && (int)type == i);
        assert_true(pl_dtype_bytes(type) >= 1 && pl_dtype_bytes(type) <= 8);
        assert_false(pl_dtype_parse(name, strlen(name) - 1, &type) && (int)type == i);
    }
    pl_dtype type;
    assert_false(pl_dtype_parse("", 0, &type));
    assert_false(pl_dtype_parse("f32", 3, &type));
    assert_false(pl_dtype_parse("F32x", 4, &type));
    assert_int_equal(pl_dtype_bytes(PL_BF16), 2);
    assert_int_equal(pl_dtype_bytes(PL_F64), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_read), cmocka_unit_test(sizes_are_shown), cmocka_unit_test(sums_are_checked), cmocka_unit_test(types_have_names)};
    return cmocka_run_group_tests_name("sizes", tests, NULL, NULL);
}
