/* Error records: one clean line whatever the names in it, hints, statuses. */
#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void text_is_one_clean_line(void **state)
{
    (void)state;
    pl_error e;
    assert_int_equal(pl_fail(&e, PL_BAD_INPUT, "%s: is wrong", "a\nplimsoll: fine\x1b[31m\x7f\xff\xc2\x9b"), PL_BAD_INPUT);
    assert_string_equal(e.text, "a\\x0aplimsoll: fine\\x1b[31m\\x7f\\xff\\xc2\\x9b: is wrong");
    assert_int_equal(e.status, PL_BAD_INPUT);
    assert_string_equal(e.hints, "");
    pl_fail(&e, PL_USAGE, "%s", "\xC3\xBC \xE6\x97\xA5 \xF0\x9F\x9A\xA2 \xED\xA0\x80");
    assert_string_equal(e.text, "\xC3\xBC \xE6\x97\xA5 \xF0\x9F\x9A\xA2 \\xed\\xa0\\x80");
}

static void long_names_keep_both_ends(void **state)
{
    (void)state;
    pl_error e;
    for (size_t n = 1900; n < 30000; n += n < 2200 ? 1 : 1777) {
        char *name = malloc(n + 1);
        for (size_t i = 0; i < n; i += 2)
            memcpy(name + i, "\xC3\xBC", pl_min(2, n - i));
        name[n] = '\0';
        pl_fail(&e, PL_BAD_INPUT, "begin %s: is wrong", name);
        assert_true(strlen(e.text) < sizeof e.text);
        assert_int_equal(strncmp(e.text, "begin \xC3\xBC", 8), 0);
        assert_int_equal(pl_utf8_valid(e.text, strlen(e.text)), strlen(e.text));
        if (n > 2100)
            assert_non_null(strstr(e.text, "[...]"));
        if (n < 12000)
            assert_non_null(strstr(e.text, ": is wrong"));
        free(name);
    }
}

static void printed_as_the_command_does(void **state)
{
    (void)state;
    pl_error e;
    pl_fail(&e, PL_NO_FIT, "needs more");
    pl_hint(&e, "try %d", 1);
    pl_hint(&e, "or\ntwo");
    char out[256];
    static const char wanted[] = "plimsoll: needs more\n  hint: try 1\n  hint: or\\x0atwo\n";
    assert_int_equal(pl_error_print(&e, out, sizeof out), strlen(wanted));
    assert_string_equal(out, wanted);
    for (size_t capacity = 1; capacity < sizeof wanted; capacity++) {
        memset(out, '#', sizeof out);
        assert_int_equal(pl_error_print(&e, out, capacity), strlen(wanted));
        assert_int_equal(out[capacity], '#');
    }
    for (int i = 0; i < 1000; i++)
        pl_hint(&e, "hint number %d %0*d", i, i % 300, 0);
    assert_true(strlen(e.hints) < sizeof e.hints);
    assert_int_equal(e.hints[strlen(e.hints) - 1], '\n');
}

static void no_record_is_fine(void **state)
{
    (void)state;
    assert_int_equal(pl_fail(NULL, PL_MACHINE, "x"), PL_MACHINE);
    pl_hint(NULL, "x");
    pl_error_clear(NULL);
    assert_int_equal(pl_fail_no_memory(NULL, 5, "x"), PL_MACHINE);
    pl_error e;
    pl_fail_no_memory(&e, 2048, "tokenizer");
    assert_non_null(strstr(e.text, "2.00 KiB"));
    pl_error_clear(&e);
    assert_int_equal(e.status, PL_OK);
}

static void statuses_have_codes(void **state)
{
    (void)state;
    assert_int_equal(pl_status_exit_code(PL_OK), 0);
    assert_int_equal(pl_status_exit_code(PL_USAGE), 2);
    assert_int_equal(pl_status_exit_code(PL_BAD_INPUT), 3);
    assert_int_equal(pl_status_exit_code(PL_NO_FIT), 4);
    assert_int_equal(pl_status_exit_code(PL_MACHINE), 5);
    assert_int_equal(pl_status_exit_code((pl_status)1000), 5);
    for (int s = 0; s < PL_STATUS_COUNT; s++)
        assert_true(*pl_status_text((pl_status)s));
    assert_string_equal(pl_status_text((pl_status)1000), "unknown status");
    assert_string_equal(pl_version(), PL_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_one_clean_line),
        cmocka_unit_test(long_names_keep_both_ends),
        cmocka_unit_test(printed_as_the_command_does),
        cmocka_unit_test(no_record_is_fine),
        cmocka_unit_test(statuses_have_codes),
    };
    return cmocka_run_group_tests_name("errors", tests, NULL, NULL);
}
