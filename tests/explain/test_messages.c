/* Every wording of messages.txt is read, as it stands and as logs print it: with the prefixes of
 * loggers, containers and ranks, in JSON, in colour, wrapped, in other encodings, in pieces. */
#include "explain/cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { GROWN = 16 * LOG_BYTES };

typedef struct layout {
    const char *name;
    size_t (*write)(const test_case *c, char *out);
    const char *skip; /* names of cases, each between spaces, that the layout takes away what they are about */
} layout;

typedef struct tally {
    const layout *layout;
    size_t piece, wrong;
    bool lines;
} tally;

static char grown[GROWN];

static size_t append(char *out, size_t n, const char *text, size_t m)
{
    assert_true(n + m < GROWN);
    memcpy(out + n, text, m);
    return n + m;
}

static size_t each_line(const test_case *c, char *out, const char *before, const char *after)
{
    size_t n = 0;
    for (size_t at = 0; at < c->log_n;) {
        size_t m = 0;
        while (at + m < c->log_n && c->log[at + m] != '\n')
            m++;
        n = append(out, n, before, strlen(before));
        n = append(out, n, c->log + at, m);
        n = append(out, n, after, strlen(after));
        at += m + 1;
    }
    return n;
}

static size_t plain(const test_case *c, char *out) { return append(out, 0, c->log, c->log_n); }
static size_t crlf(const test_case *c, char *out) { return each_line(c, out, "", "\r\n"); }
static size_t indented(const test_case *c, char *out) { return each_line(c, out, "    ", "\n"); }
static size_t colour(const test_case *c, char *out) { return each_line(c, out, "\x1b[31m", "\x1b[0m\n"); }
static size_t lost_colour(const test_case *c, char *out) { return each_line(c, out, "[31m", "[0m\n"); }
static size_t iso(const test_case *c, char *out) { return each_line(c, out, "2024-01-01T10:00:00.1234567Z ", "\n"); }
static size_t cri(const test_case *c, char *out) { return each_line(c, out, "2024-01-01T10:00:00.123456789Z stderr F ", "\n"); }
static size_t journal(const test_case *c, char *out) { return each_line(c, out, "Nov 12 10:10:10 host app[123]: ", "\n"); }
static size_t logging(const test_case *c, char *out) { return each_line(c, out, "2024-01-01 10:00:00,123 - ERROR - train.py - ", "\n"); }
static size_t server(const test_case *c, char *out) { return each_line(c, out, "ERROR 01-01 10:00:00 [core.py:120] ", "\n"); }
static size_t rank(const test_case *c, char *out) { return each_line(c, out, "[rank0]: ", "\n"); }
static size_t mpirun(const test_case *c, char *out) { return each_line(c, out, "[1,3]<stderr>:", "\n"); }
static size_t compose(const test_case *c, char *out) { return each_line(c, out, "trainer-1  | ", "\n"); }
static size_t quoted(const test_case *c, char *out) { return each_line(c, out, "> ", "\n"); }

static size_t fenced(const test_case *c, char *out)
{
    size_t n = append(out, 0, "```\n", 4);
    n = append(out, n, c->log, c->log_n);
    return append(out, n, "```\n", 4);
}

static size_t no_end(const test_case *c, char *out) { return append(out, 0, c->log, c->log_n - 1); }

static size_t progress(const test_case *c, char *out)
{
    static const char bar[] = "  5%|x   | 1/20 [00:01<00:10]\r 10%|xx  | 2/20 [00:02<00:09]\n";
    size_t n = append(out, 0, bar, sizeof bar - 1);
    return append(out, n, c->log, c->log_n);
}

static size_t padded(const test_case *c, char *out)
{
    size_t n = 0;
    while (n < 8 * LOG_BYTES)
        n = append(out, n, "some other line of the log with words in it\n", 44);
    return append(out, n, c->log, c->log_n);
}

/* Lines of a container's log as JSON. */
static size_t json(const test_case *c, char *out)
{
    size_t n = append(out, 0, "{\"log\":\"", 8);
    for (size_t at = 0; at < c->log_n; at++) {
        char b = c->log[at], code[8];
        if (b == '\n') {
            static const char end[] = "\\n\",\"stream\":\"stderr\",\"time\":\"2023-05-05T10:00:00.1Z\"}\n";
            n = append(out, n, end, sizeof end - 1);
            if (at + 1 < c->log_n)
                n = append(out, n, "{\"log\":\"", 8);
        } else if (b == '"' || b == '\\') {
            n = append(out, n, "\\", 1);
            n = append(out, n, &b, 1);
        } else if ((unsigned char)b < 0x20 || b == '<' || b == '>' || b == '&') {
            n = append(out, n, code, (size_t)snprintf(code, sizeof code, "\\u%04x", (unsigned char)b));
        } else {
            n = append(out, n, &b, 1);
        }
    }
    return n;
}

static size_t wrapped(const test_case *c, char *out, size_t width)
{
    size_t n = 0, column = 0;
    for (size_t at = 0; at < c->log_n; at++) {
        bool begins = (c->log[at] & 0xC0) != 0x80;
        if (c->log[at] != '\n' && begins && column == width) {
            n = append(out, n, "\n", 1);
            column = 0;
        }
        column = c->log[at] == '\n' ? 0 : column + begins;
        n = append(out, n, &c->log[at], 1);
    }
    return n;
}
static size_t wrapped120(const test_case *c, char *out) { return wrapped(c, out, 120); }
static size_t wrapped150(const test_case *c, char *out) { return wrapped(c, out, 150); }

static size_t utf16(const test_case *c, char *out, bool big)
{
    size_t n = append(out, 0, big ? "\xFE\xFF" : "\xFF\xFE", 2);
    for (size_t at = 0; at < c->log_n;) {
        const unsigned char *s = (const unsigned char *)c->log + at;
        size_t width = s[0] < 0x80 ? 1 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
        uint32_t code = s[0];
        if (width > 1)
            code = s[0] & (0x7Fu >> width);
        for (size_t i = 1; i < width; i++)
            code = code << 6 | (s[i] & 63u);
        at += width;
        assert_true(code < 0x10000);
        char low = (char)(code & 255), high = (char)(code >> 8);
        n = append(out, n, big ? &high : &low, 1);
        n = append(out, n, big ? &low : &high, 1);
    }
    return n;
}
static size_t utf16_little(const test_case *c, char *out) { return utf16(c, out, false); }
static size_t utf16_big(const test_case *c, char *out) { return utf16(c, out, true); }

#define RANKED " ranks ranks-interleaved nccl-two-ranks "
#define WRAPPED " docker-json json-traceback wrapped-status "
static const layout layouts[] = {
    {"plain", plain, ""},
    {"CRLF", crlf, ""},
    {"indented", indented, ""},
    {"colour", colour, ""},
    {"colour without escape", lost_colour, ""},
    {"ISO time", iso, ""},
    {"CRI", cri, ""},
    {"journal", journal, ""},
    {"logging", logging, ""},
    {"server", server, ""},
    {"rank", rank, RANKED},
    {"mpirun", mpirun, RANKED},
    {"compose", compose, ""},
    {"quoted", quoted, ""},
    {"fenced", fenced, ""},
    {"no end", no_end, ""},
    {"progress", progress, ""},
    {"padded", padded, ""},
    {"JSON", json, WRAPPED},
    {"UTF-16LE", utf16_little, ""},
    {"UTF-16BE", utf16_big, ""},
};
static const layout wraps[] = {{"wrapped at 120", wrapped120, ""}, {"wrapped at 150", wrapped150, ""}};

static bool skipped(const layout *l, const test_case *c)
{
    char name[80];
    snprintf(name, sizeof name, " %s ", c->name);
    bool source = strncmp(c->name, "source-", 7) == 0; /* no log: nobody puts the time before it */
    return (source && l != &layouts[0]) || strstr(l->skip, name) != NULL;
}

static void try_case(const test_case *c, void *self)
{
    tally *t = self;
    static found f;
    char why[2048];
    if (skipped(t->layout, c))
        return;
    size_t n = t->layout->write(c, grown);
    explain_log(grown, n, t->piece, &f);
    case_check(c, &f, t->lines, why, sizeof why);
    if (why[0]) {
        t->wrong++;
        print_message("%s, %s: %s\n", c->name, t->layout->name, why);
    }
}

static void reads_every_wording(void **state)
{
    (void)state;
    tally t = {.layout = &layouts[0], .lines = true};
    assert_true(cases_each(try_case, &t) > 200);
    assert_int_equal(t.wrong, 0);
}

static void reads_them_in_every_layout(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t i = 1; i < PL_COUNT(layouts); i++) {
        tally t = {.layout = &layouts[i]};
        cases_each(try_case, &t);
        wrong += t.wrong;
    }
    assert_int_equal(wrong, 0);
}

static void is_told_in_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(layouts); i++) { /* those that keep the lines as they are */
        if (strcmp(layouts[i].name, "CRLF") != 0 && strcmp(layouts[i].name, "UTF-16LE") != 0 && strcmp(layouts[i].name, "rank") != 0)
            continue;
        tally t = {.layout = &layouts[i], .lines = true};
        cases_each(try_case, &t);
        assert_int_equal(t.wrong, 0);
    }
}

/* A hard wrap may cut what a guard looks at; nearly all must be read all the same. */
static void reads_most_when_wrapped(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(wraps); i++) {
        tally t = {.layout = &wraps[i]};
        size_t count = cases_each(try_case, &t);
        assert_true(t.wrong * 50 <= count);
    }
}

static void takes_pieces_of_any_size(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 7, 513, 4096};
    for (size_t i = 0; i < PL_COUNT(pieces); i++) {
        tally t = {.layout = &layouts[0], .piece = pieces[i], .lines = true};
        cases_each(try_case, &t);
        assert_int_equal(t.wrong, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_wording),
        cmocka_unit_test(reads_them_in_every_layout),
        cmocka_unit_test(is_told_in_lines),
        cmocka_unit_test(reads_most_when_wrapped),
        cmocka_unit_test(takes_pieces_of_any_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
