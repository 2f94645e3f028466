/* UTF-8, JSON strings, the nearest word. */
#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One code point or raw unit as UTF-8 would write it, surrogates included. */
static size_t encode(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t width = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = width; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)((width == 2 ? 0xC0 : width == 3 ? 0xE0 : 0xF0) | c);
    return width;
}

static void utf8_is_judged(void **state)
{
    (void)state;
    char text[8];
    for (uint32_t c = 0; c < 0x120000; c++) {
        size_t n = encode(c, text);
        bool valid = c < 0x110000 && (c < 0xD800 || c > 0xDFFF);
        if (pl_utf8_valid(text, n) != (valid ? n : 0))
            fail_msg("U+%X", c);
        if (n > 1)
            assert_int_equal(pl_utf8_valid(text, n - 1), 0); /* cut */
    }
    static const char *const bad[] = {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFE", "\xFF", "\xC3(", "\xE2\x82("};
    for (size_t i = 0; i < PL_COUNT(bad); i++) {
        char with[16] = "ab";
        strcat(with, bad[i]);
        assert_int_equal(pl_utf8_valid(with, strlen(with)), 2);
    }
    assert_int_equal(pl_utf8_valid("a\0b", 3), 3);
    assert_int_equal(pl_utf8_valid("", 0), 0);
}

static void check_json(const char *text, size_t n, const char *wanted)
{
    char out[256];
    memset(out, '#', sizeof out);
    size_t length = pl_json_string(text, n, out, sizeof out);
    assert_int_equal(length, strlen(wanted));
    assert_true(length <= 6 * n + 2);
    assert_memory_equal(out, wanted, length);
    assert_int_equal(out[length], '#');
    for (size_t capacity = 0; capacity < length; capacity++) {
        char *exact = malloc(capacity ? capacity : 1);
        assert_int_equal(pl_json_string(text, n, exact, capacity), length);
        assert_memory_equal(exact, wanted, capacity);
        free(exact);
    }
}

static void strings_become_json(void **state)
{
    (void)state;
    check_json("", 0, "\"\"");
    check_json("plain", 5, "\"plain\"");
    check_json("\"\\/\b\f\n\r\t", 8, "\"\\\"\\\\/\\b\\f\\n\\r\\t\"");
    check_json("a\0\x01\x1f\x7f", 5, "\"a\\u0000\\u0001\\u001f\\u007f\"");
    check_json("\xC3\xBC\xE6\x97\xA5\xF0\x9F\x9A\xA2", 9, "\"\xC3\xBC\xE6\x97\xA5\xF0\x9F\x9A\xA2\"");
    check_json("a\xFF\xC3"
               "b\xE6\x97",
        6, "\"a\\ufffd\\ufffdb\\ufffd\\ufffd\"");
    check_json("\xED\xA0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\"");
    assert_int_equal(pl_json_string("abc", 3, NULL, 0), 5);
}

static void nearest_word_is_found(void **state)
{
    (void)state;
    static const char *const verbs[] = {"plan", "tokenize", "embed", "classify", "train", "explain", "watch", "devices", "pull", "help"};
    static const char *const pairs[][2] = {
        {"emebd", "embed"}, {"clasify", "classify"}, {"tokenise", "tokenize"}, {"tran", "train"}, {"explian", "explain"}, {"plna", "plan"}};
    for (size_t i = 0; i < PL_COUNT(pairs); i++) {
        const char *found = pl_nearest(pairs[i][0], verbs, PL_COUNT(verbs));
        assert_non_null(found);
        assert_string_equal(found, pairs[i][1]);
    }
    char vast[300];
    memset(vast, 'a', sizeof vast - 1);
    vast[sizeof vast - 1] = '\0';
    assert_null(pl_nearest("", verbs, PL_COUNT(verbs)));
    assert_null(pl_nearest("something", verbs, PL_COUNT(verbs)));
    assert_null(pl_nearest(vast, verbs, PL_COUNT(verbs)));
    assert_null(pl_nearest("plan", verbs, 0));
    assert_null(pl_nearest("plan", (const char *const[]){vast}, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(utf8_is_judged), cmocka_unit_test(strings_become_json), cmocka_unit_test(nearest_word_is_found)};
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
