/* The regular expressions: matches one after the other, and how far an open text is certain. What is
 * right here was asked of the library; differ_tokenizers.py asks on. */
#include "text/regex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static pl_region region, scratch;
static pl__frame stack[PL__FRAMES];

/* "[0-2][3-3]": where the matches lie. */
static const char *matches(const char *pattern, const char *text, size_t n, bool open, size_t *certain)
{
    static char out[4096];
    const pl__regex *r;
    char why[128];
    pl__matcher m;
    pl__match match;
    size_t used = 0;
    *out = '\0';
    if (pl__regex_compile(&region, &scratch, pattern, strlen(pattern), &r, why)) {
        snprintf(out, sizeof out, "%s", why);
        return out;
    }
    pl__matcher_init(&m, r, (pl__frames){stack, PL__FRAMES}, NULL, 0, text, n, open);
    while (pl__matcher_next(&m, &match))
        used += (size_t)snprintf(out + used, sizeof out - used, "[%zu-%zu]", match.start, match.stop);
    if (certain)
        *certain = m.certain;
    return m.failed ? "failed" : out;
}

static void finds_matches(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text, *found;
    } cases[] = {
        {"a", "banana", "[1-2][3-4][5-6]"},
        {"an|ana", "banana", "[1-3][3-5]"}, /* the first alternative, not the longest */
        {"a*", "baac", "[0-0][1-3][4-4]"},  /* no empty match right behind a match */
        {"a*?b", "aab ab", "[0-3][4-6]"},
        {"(?:ab)+", "ababxab", "[0-4][5-7]"},
        {"a{2,3}", "aaaaa", "[0-3][3-5]"},
        {"a{,2}b", "aaab", "[1-4]"},
        {"a{2}?", "aaa", "[0-2][3-3]"}, /* an optional {2}; the empty match at 2 stands behind a match */
        {"x{", "x{", "[0-2]"},
        {"\\d++\\d|x", "123x", "[3-4]"},
        {"\\d{1,2}+x", "12345x", "[0-6]"}, /* a group repeated, not possessive */
        {"(?>a+)a|b", "aab", "[2-3]"},
        {"\\s+(?!\\S)|\\s+", "a   b  ", "[1-3][3-4][5-7]"},
        {"(?<=a)b|(?<!a)c", "abcac", "[1-2][2-3]"},
        {"(?<=ab|c)x", "abx cx x", "[2-3][5-6]"},
        {"^b|a$", "a\nb\na", "[0-1][2-3][4-5]"},
        {"\\Aa|a\\z", "aba", "[0-1][2-3]"},
        /* the superscript two is a word's character to \w alone and to \b, to none in a class */
        {"\\w+", "a\xC2\xB2$", "[0-3]"},
        {"\\p{Word}+", "a\xC2\xB2$", "[0-3]"},
        {"\\W+", "a\xC2\xB2$", "[3-4]"},
        {"\\b", "a\xC2\xB2$", "[0-0][3-3]"},
        {"[\\w]+", "a\xC2\xB2$", "[0-1]"},
        {"[\\W]+", "a\xC2\xB2$", "[1-4]"},
        {"[\\p{Word}]+", "a\xC2\xB2$", "[0-1]"},
        {"[[:word:]]+", "a\xC2\xB2$", "[0-1]"},
        {"\\w+|[^\\w\\s]+",
            "$\xC2\xB2"
            "a \xC2\xB2$",
            "[0-3][3-4][5-7][7-8]"},
        {"\\bfoo\\b", "foo foobar", "[0-3]"},
        {"[a-c&&[^b]]", "abc", "[0-1][2-3]"},
        {"[]x]", "x]", "[0-1][1-2]"},
        {"[^a]", "ab\n", "[1-2][2-3]"},
        {"[[:digit:]a-]+", "1-a2", "[0-4]"},
        {"(?i)Kelvin",
            "kELVIN \xE2\x84\xAA"
            "elvin",
            "[0-6][7-15]"},
        {"(?i:'S)", "'s '\xC5\xBF", "[0-2][3-6]"},
        {"(?i)[^a]", "aAb", "[2-3]"},
        {"a(?i)b|c", "aB ac C", "[0-2][3-5]"},
        {"(?x) a b # c\n c", "abc", "[0-3]"},
        {"(?m).", "\n", "[0-1]"},
        {".", "a\n", "[0-1]"},
        {"\\R", "a\r\nb\n", "[1-3][4-5]"},
        {"\\p{Han}+|\\p{^L}",
            "\xE6\xB8\xAF\xE8\x88\xB9"
            "a1",
            "[0-6][7-8]"},
        {"\\h", "g1F", "[1-2][2-3]"},
        {"\\u00e9|\\x{e8}", "\xC3\xA9\xC3\xA8", "[0-2][2-4]"},
        {"(a?)*b", "aab", "[0-3]"},
        {"", "ab", "[0-0][1-1][2-2]"},
    };
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        const char *found = matches(cases[i].pattern, cases[i].text, strlen(cases[i].text), false, NULL);
        if (strcmp(found, cases[i].found) != 0)
            fail_msg("%s in \"%s\": %s instead of %s", cases[i].pattern, cases[i].text, found, cases[i].found);
    }
}

static void refuses_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *why;
    } cases[] = {
        {"(", "group without an end"},
        {")", ") too many"},
        {"*", "repeats nothing"},
        {"[a", "class without an end"},
        {"a{3,2}", "interval"},
        {"[b-a]", "empty range"},
        {"\\p{Foo}", "not known"},
        {"(a)\\1", "not supported"},
        {"(?<=a+)b", "no fixed length"},
        {"\\X", "not supported"},
        {"a\\", "ends in a backslash"},
        {"(?~a)", "not supported"},
        {"(?i)strasse", "ligature"},
        {"a{2000}", "too often"},
        {"[[:foo:]]", "not known"},
    };
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        const char *why = matches(cases[i].pattern, "", 0, false, NULL);
        if (!strstr(why, cases[i].why))
            fail_msg("%s: %s", cases[i].pattern, why);
    }
    char deep[4096];
    memset(deep, '(', sizeof deep);
    deep[sizeof deep - 1] = '\0';
    assert_non_null(strstr(matches(deep, "", 0, false, NULL), "too deeply"));
}

/* Of an open text, matches are given as far as nothing behind it can change them. */
static void knows_how_far_it_is_certain(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text, *found;
        size_t certain;
    } cases[] = {
        {"a+", "baab", "[1-3]", 4},
        {"a+", "baa", "", 1},
        {"a", "ba", "[1-2]", 2},
        {"abc", "xab", "", 1},
        {"\\s+(?!\\S)|\\s+", "a  b ", "[1-2][2-3]", 4},
        {" ?\\p{L}+| ", "ab cd", "[0-2]", 2},
        {"x$", "ax", "", 1},
        {"a|ab", "xa", "[1-2]", 2},
    };
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        size_t certain;
        const char *found = matches(cases[i].pattern, cases[i].text, strlen(cases[i].text), true, &certain);
        if (strcmp(found, cases[i].found) != 0 || certain != cases[i].certain)
            fail_msg(
                "%s in \"%s\"...: %s up to %zu instead of %s up to %zu", cases[i].pattern, cases[i].text, found, certain, cases[i].found, cases[i].certain);
    }
}

/* A match that would take forever is given up, as the library does. */
static void gives_up(void **state)
{
    (void)state;
    char text[64];
    memset(text, 'a', sizeof text);
    assert_string_equal(matches("(?:a|a)*b", text, sizeof text, false, NULL), "failed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_matches),
        cmocka_unit_test(refuses_by_name),
        cmocka_unit_test(knows_how_far_it_is_certain),
        cmocka_unit_test(gives_up),
    };
    pl_region_init(&region, NULL);
    pl_region_init(&scratch, NULL);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    pl_region_free(&region);
    pl_region_free(&scratch);
    return failures;
}
