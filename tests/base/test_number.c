/* Numbers as text: float32 at every exponent against the C library, doubles both ways, all of it
 * again in a locale that writes a comma. An argument multiplies the samples. */
#include "base/base.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static unsigned long samples = 300000;

static uint64_t random_bits(void)
{
    static uint64_t state = 1;
    uint64_t z = state += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static const char *float_text(float value)
{
    static char out[17];
    memset(out, '#', sizeof out);
    size_t n = pl_float_text(value, out);
    assert_true(n <= 16);
    out[n] = '\0';
    return out;
}

/* Digits without sign, point, exponent and outer zeros; returns their number. */
static int digits_of(const char *text, char out[32])
{
    int n = 0;
    for (; *text && *text != 'e'; text++)
        if (*text >= '0' && *text <= '9' && (n > 0 || *text != '0'))
            out[n++] = *text;
    while (n > 0 && out[n - 1] == '0')
        n--;
    out[n] = '\0';
    return n;
}

/* Reads back; no shorter decimal does; the nearest of its length where that reads back too. */
static void check_float(uint32_t bits)
{
    float value = float_of(bits);
    const char *text = float_text(value);
    if (strtof(text, NULL) != value)
        fail_msg("%08x printed as %s", bits, text);
    char ours[32], theirs[32], longer[64];
    int n = digits_of(text, ours);
    if (n > 1) {
        snprintf(longer, sizeof longer, "%.*e", n - 2, (double)value);
        if (strtof(longer, NULL) == value)
            fail_msg("%08x printed as %s, %s is shorter", bits, text, longer);
    }
    snprintf(longer, sizeof longer, "%.*e", n - 1, (double)value);
    digits_of(longer, theirs);
    if (strtof(longer, NULL) == value && strcmp(ours, theirs) != 0)
        fail_msg("%08x printed as %s, %s is nearer", bits, text, longer);
}

static void floats_read_back(void **state)
{
    (void)state;
    static const uint32_t edges[] = {0, 1, 2, 3, 0x3FFFFF, 0x400000, 0x400001, 0x7FFFFD, 0x7FFFFE, 0x7FFFFF};
    for (uint32_t exponent = 0; exponent < 255; exponent++) {
        for (size_t i = exponent == 0; i < PL_COUNT(edges); i++)
            check_float(exponent << 23 | edges[i]);
        for (int i = 0; i < 64; i++)
            check_float(exponent << 23 | ((uint32_t)random_bits() & 0x7FFFFF) | 1);
    }
    for (unsigned long i = 0; i < samples; i++) {
        uint32_t bits = (uint32_t)random_bits();
        if ((bits & 0x7F800000) != 0x7F800000 && bits << 1)
            check_float(bits);
    }
    for (int power = -45; power <= 38; power++) { /* powers of ten and their neighbours */
        char text[16];
        snprintf(text, sizeof text, "1e%d", power);
        float value = strtof(text, NULL);
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        for (uint32_t near = bits < 4 ? 1 : bits - 3; near < bits + 3; near++)
            check_float(near);
    }
}

static void floats_have_one_form(void **state)
{
    (void)state;
    static const struct {
        float value;
        const char *text;
    } known[] = {
        {0.0f, "0"},
        {-0.0f, "-0.0"},
        {1.0f, "1"},
        {-1.0f, "-1"},
        {0.1f, "0.1"},
        {0.5f, "0.5"},
        {1.5f, "1.5"},
        {100.0f, "100"},
        {123456.0f, "123456"},
        {1e-7f, "1e-07"},
        {5e-5f, "5e-05"},
        {0.0001f, "0.0001"},
        {0.00012345f, "0.00012345"},
        {-3.25e-5f, "-3.25e-05"},
        {16777216.0f, "16777216"},
        {1e10f, "10000000000"},
        {1e14f, "100000000000000"},
        {1e15f, "1e+15"},
        {3.4028235e38f, "3.4028235e+38"},
        {1.1754944e-38f, "1.1754944e-38"},
        {1e-45f, "1e-45"},
        {0.3f, "0.3"},
        {1.0f / 3, "0.33333334"},
        {2.0f / 3, "0.6666667"},
        {1e30f, "1e+30"},
        {-1.17549435e-38f, "-1.1754944e-38"},
        {9.8607613e-32f, "9.8607613e-32"},
        {33554432.0f, "33554432"},
        {8388608.5f, "8388608"},
    };
    for (size_t i = 0; i < PL_COUNT(known); i++)
        assert_string_equal(float_text(known[i].value), known[i].text);
    assert_string_equal(float_text(NAN), "null");
    assert_string_equal(float_text(INFINITY), "null");
    assert_string_equal(float_text(-INFINITY), "null");
}

static const char *double_text(double value)
{
    static char out[33];
    memset(out, '#', sizeof out);
    size_t n = pl_double_text(value, out);
    assert_true(n <= 32);
    out[n] = '\0';
    return out;
}

static void doubles_have_one_form(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } known[] = {
        {0, "0"},
        {-0.0, "-0.0"},
        {1, "1"},
        {0.1, "0.1"},
        {5e-5, "5e-05"},
        {0.30000000000000004, "0.30000000000000004"},
        {1e15, "1e+15"},
        {123456789012345, "123456789012345"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {5e-324, "5e-324"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {-1e100, "-1e+100"},
        {9007199254740992, "9.007199254740992e+15"},
    };
    for (size_t i = 0; i < PL_COUNT(known); i++)
        assert_string_equal(double_text(known[i].value), known[i].text);
    assert_string_equal(double_text(NAN), "null");
    assert_string_equal(double_text(-INFINITY), "null");
}

static double parsed(const char *text)
{
    double value = -12345;
    if (!pl_double_parse(text, strlen(text), &value))
        fail_msg("%s is not read", text);
    return value;
}

static void doubles_read_back(void **state)
{
    (void)state;
    for (unsigned long i = 0; i < samples / 30; i++) {
        uint64_t bits = random_bits();
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        const char *text = double_text(value);
        if (parsed(text) != value)
            fail_msg("%.17g printed as %s", value, text);
        char longer[64], ours[32];
        int n = digits_of(text, ours);
        snprintf(longer, sizeof longer, "%.*e", n > 1 ? n - 2 : 0, value);
        if (n > 1 && strtod(longer, NULL) == value)
            fail_msg("%s printed as %s", longer, text);
    }
}

/* Half way between two doubles, and a hair beyond, with as many digits as it takes. */
static void halves_round_to_even(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++) {
        uint64_t bits = random_bits() >> 2; /* positive, below 2^513 */
        double low, high;
        memcpy(&low, &bits, sizeof low);
        bits++;
        memcpy(&high, &bits, sizeof high);
        char text[1400];
        long double middle = ((long double)low + (long double)high) / 2;
        int n = snprintf(text, sizeof text - 2, "%.1100Le", middle);
        char *e = strchr(text, 'e');
        assert_true(n > 0 && e);
        double wanted = strtod(text, NULL);
        assert_true(parsed(text) == wanted);
        e[-1] = '1'; /* the last of 1100 digits: now above the middle */
        assert_true(parsed(text) == strtod(text, NULL));
    }
}

static void odd_forms_are_judged(void **state)
{
    (void)state;
    static const char *const good[] = {
        "0",
        "-0",
        "+1",
        "1.",
        ".5",
        "1e5",
        "1E+5",
        "1e-5",
        "00012",
        "1e400",
        "-1e400",
        "1e-400",
        "0e999999999999999999999",
        "0.00000000000000000000000000000000000000000001e44",
        "1e00000000000000000005",
        "123456789012345678901234567890",
        "179769313486231580793728971405301e276",
        "4.9406564584124654e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "9007199254740993",
        "9007199254740992.99999999999999999999999999999999",
        "1e23",
        "8.5e22",
        "1e22",
        "123456789012345e22",
    };
    for (size_t i = 0; i < PL_COUNT(good); i++)
        assert_true(parsed(good[i]) == strtod(good[i], NULL));
    assert_true(signbit(parsed("-0")));
    static const char *const bad[] = {
        "", "-", "+", ".", "e5", "1e", "1e+", "1e5.0", " 1", "1 ", "0x10", "inf", "nan", "1,5", "1..5", "--1", "1e--5", "1_000", "\xC2\xB2"};
    double value;
    for (size_t i = 0; i < PL_COUNT(bad); i++)
        assert_false(pl_double_parse(bad[i], strlen(bad[i]), &value));
    assert_false(pl_double_parse("1\0", 2, &value));
    assert_true(pl_double_parse("12345", 2, &value) && value == 12);
    /* digits beyond what can matter cost no room and still break a tie */
    enum { LONG = 100000 };
    char *text = malloc(LONG + 1);
    memset(text, '0', LONG);
    memcpy(text, "9007199254740993.", 17);
    assert_true(pl_double_parse(text, LONG, &value) && value == 9007199254740992.0);
    text[LONG - 1] = '1';
    assert_true(pl_double_parse(text, LONG, &value) && value == 9007199254740994.0);
    memset(text, '9', LONG);
    assert_true(pl_double_parse(text, LONG, &value) && isinf(value));
    free(text);
}

static void locale_has_no_say(void **state)
{
    (void)state;
    static const char *const comma[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "nl_NL.UTF-8", "ps_AF.UTF-8"};
    size_t i = 0;
    while (i < PL_COUNT(comma) && !setlocale(LC_ALL, comma[i]))
        i++;
    if (i == PL_COUNT(comma))
        skip(); /* this machine has none of them */
    assert_string_equal(float_text(0.5f), "0.5");
    assert_string_equal(double_text(0.25), "0.25");
    assert_true(parsed("0.125") == 0.125);
    assert_true(parsed("0.1234567890123456789012345678901234567890") > 0.12);
    setlocale(LC_ALL, "C");
}

int main(int argc, char **argv)
{
    if (argc > 1)
        samples *= strtoul(argv[1], NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_read_back),
        cmocka_unit_test(floats_have_one_form),
        cmocka_unit_test(doubles_have_one_form),
        cmocka_unit_test(doubles_read_back),
        cmocka_unit_test(halves_round_to_even),
        cmocka_unit_test(odd_forms_are_judged),
        cmocka_unit_test(locale_has_no_say),
    };
    return cmocka_run_group_tests_name("numbers", tests, NULL, NULL);
}
