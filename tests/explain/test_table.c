/* The table of wordings itself: each row can be found, and found as that row. */
#include "explain/inner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void names_are_unique_and_keys_begin_with_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < pl__wording_count; i++) {
        const pl__wording *w = &pl__wordings[i];
        assert_true(w->name[0] && w->key[0] && w->meaning[0]);
        assert_int_not_equal(w->key[0], '{');
        for (size_t k = 0; k < i; k++) {
            if (strcmp(w->name, pl__wordings[k].name) == 0 || strcmp(w->key, pl__wordings[k].key) == 0)
                fail_msg("%s and %s are one row", w->name, pl__wordings[k].name);
        }
    }
}

static void anchors_are_long_enough_and_stand_in_their_keys(void **state)
{
    (void)state;
    pl__scan_prepare();
    for (size_t i = 0; i < pl__wording_count; i++) {
        pl__slice anchor = pl__anchor(i);
        assert_true(anchor.n >= PL__ANCHOR_BYTES);
        assert_true(strcspn(anchor.s, "{}^") == anchor.n);
    }
}

/* A text that a key describes, with numbers for its figures. */
static size_t example(const char *key, char *out)
{
    size_t n = 0;
    for (const char *p = key; *p; p++) {
        if (*p == '^')
            continue;
        if (*p != '{') {
            out[n++] = *p == '~' ? ' ' : *p;
            continue;
        }
        size_t m = strcspn(p, "}");
        const char *value = memchr(p, ':', m) && p[m - 1] != '!' ? "12.00" : "3.00 GiB";
        static const char *const whole[] = {"{device", "{pid", "{opid", "{count", "{n}", "{cpu"};
        for (size_t i = 0; i < PL_COUNT(whole); i++)
            if (strncmp(p, whole[i], strlen(whole[i])) == 0)
                value = "7";
        value = strncmp(p, "{w}", 3) == 0 || strncmp(p, "{...}", 5) == 0 ? "word"
            : strncmp(p, "{shape", 6) == 0                               ? "4,4"
            : strncmp(p, "{dtype", 6) == 0                               ? "float"
                                                                         : value;
        n += (size_t)sprintf(out + n, "%s", value);
        p += m;
    }
    out[n] = '\0';
    return n;
}

static void every_key_is_met_by_its_own_example(void **state)
{
    (void)state;
    static pl__squeezed q;
    pl__scan_prepare();
    for (size_t i = 0; i < pl__wording_count; i++) {
        char text[1024];
        size_t n = example(pl__wordings[i].key, text);
        bool met = false;
        pl__hit hit;
        pl__squeeze(text, n, true, &q);
        for (size_t from = 0; !met && pl__scan(text, from, n, n, &hit); from = hit.at + 1)
            for (size_t a = 0; a < hit.count; a++) {
                size_t count, begin, end;
                const uint16_t *rows = pl__anchor_rows(hit.anchors[a], &count);
                for (size_t k = 0; k < count; k++) {
                    pl__figures f;
                    pl__figures_clear(&f);
                    size_t at = 0;
                    while (at < q.n && q.from[at] < hit.at)
                        at++;
                    met = met || (rows[k] == i && pl__key_near(i, text, n, hit.at) && pl__key_match(i, &q, at, &f, &begin, &end));
                }
            }
        if (!met)
            fail_msg("%s is not met by \"%s\"", pl__wordings[i].name, text);
    }
}

static void sizes_are_read_as_programs_write_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t length;
        uint64_t bytes;
    } sizes[] = {
        {"0bytes", 6, 0},
        {"1.50gib", 7, 1610612736},
        {"381.50mib", 9, 400031744},
        {"452.50kib", 9, 463360},
        {"2gb.buy", 3, 2147483648u},
        {"140.mib", 7, 146800640},
        {"8.38gof", 5, 8997956485u},
        {"805,306,368bytes", 16, 805306368},
        {"33285996544total", 11, 33285996544u},
        {"12.", 2, 12},
        {"18446744070399844352bytes", 25, 18446744070399844352u},
        {"1376256000b)", 11, 1376256000},
        {"7.5gb", 5, 8053063680u},
        {"x", 0, 0},
        {".5gib", 0, 0},
        {"99999999999999999999999gib", 0, 0},
    };
    for (size_t i = 0; i < PL_COUNT(sizes); i++) {
        uint64_t bytes = 0;
        size_t n = pl__size_parse(sizes[i].text, strlen(sizes[i].text), 0, &bytes);
        assert_int_equal(n, sizes[i].length);
        if (n)
            assert_int_equal(bytes, sizes[i].bytes);
    }
}

static void sizes_are_written_rounded(void **state)
{
    (void)state;
    char text[32];
    assert_string_equal(pl__size_text(0, text), "0 bytes");
    assert_string_equal(pl__size_text(1023, text), "1023 bytes");
    assert_string_equal(pl__size_text(1245540516, text), "1.16 GiB");
    assert_string_equal(pl__size_text(UINT64_MAX - 1, text), "16.00 EiB");
}

static void squeezing_drops_what_logs_put_between(void **state)
{
    (void)state;
    static pl__squeezed q;
    static const struct {
        const char *text, *squeezed;
    } texts[] = {
        {"CUDA out\n of  memory", "cudaoutofmemory"},
        {"a \x1b[0;31mb\x1b[0m c", "abc"},
        {"a\\u001b[31mb\\u001b[0m", "ab"},
        {"[31mred[0m", "red"},
        {"x\\n\\\"y\\\\\\\"", "x\"y\""},
        {"a\\u003e\\u003e", "a>>"},
        {"a&gt;&quot;", "a>\""},
        {"\xE2\x94\x82 in a frame \xE2\x94\x82", "inaframe"},
        {"> quoted\n> text", "quotedtext"},
        {"#033[1mbold#033[0m", "bold"},
        {"1\n.02 GiB", "1.02gib"},
        {"7\n2024-01-01 next", "7\n2024-01-01next"},
        {"2024-01-01 10:00:00 of 22.20\n2024-01-01 10:00:01 GiB", "2024-01-0110:00:00of22.20gib"},
        {"trainer-1  | of 22.20\ntrainer-1  | GiB", "trainer-1|of22.20gib"},
        {"[0]", "[0]"},
        {"^[[32mgreen^[[0m", "green"},
    };
    for (size_t i = 0; i < PL_COUNT(texts); i++) {
        pl__squeeze(texts[i].text, strlen(texts[i].text), true, &q);
        q.text[q.n] = '\0';
        assert_string_equal(q.text, texts[i].squeezed);
    }
}

static void writers_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        pl__who_kind kind;
        uint64_t id;
    } lines[] = {
        {"[rank3]: x", PL__RANK, 3},
        {"[1,12]<stderr>: x", PL__RANK, 12},
        {" 7: x", PL__RANK, 7},
        {"(VllmWorker rank=1 pid=29) ERROR x", PL__RANK, 1},
        {"[default2]:x", PL__RANK, 2},
        {"(EngineCore_DP0 pid=12) x", PL__ENGINE, 0},
        {"(RayWorker pid=4711) x", PL__PID_OF, 4711},
        {"ng30903:3063028:3066152 [3] NCCL WARN", PL__PID_OF, 3063028},
        {"node7:120:131 [0] NCCL WARN", PL__PID_OF, 120},
        {"12:30:05 [0] x", PL__NOBODY, 0},
        {"RuntimeError: x", PL__NOBODY, 0},
        {"2024-01-01 12:00:00 x", PL__NOBODY, 0},
    };
    for (size_t i = 0; i < PL_COUNT(lines); i++) {
        pl__who who = pl__who_wrote(lines[i].line, strlen(lines[i].line));
        if (who.kind != lines[i].kind || (who.kind != PL__ENGINE && who.kind != PL__NOBODY && who.id != lines[i].id))
            fail_msg("%s: kind %d, id %llu", lines[i].line, (int)who.kind, (unsigned long long)who.id);
    }
    assert_int_equal(pl__clock("2024-05-05 01:02:03,9 x", 23), 3723);
    assert_int_equal(pl__clock("no clock 1:2:3", 14), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_unique_and_keys_begin_with_words),
        cmocka_unit_test(anchors_are_long_enough_and_stand_in_their_keys),
        cmocka_unit_test(every_key_is_met_by_its_own_example),
        cmocka_unit_test(sizes_are_read_as_programs_write_them),
        cmocka_unit_test(sizes_are_written_rounded),
        cmocka_unit_test(squeezing_drops_what_logs_put_between),
        cmocka_unit_test(writers_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
