/* Reading stops early and goes on exactly: long texts, cut texts, whatever the window's end meets. */
#include "text/texts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LONG = 1 << 17, LENGTH = LONG };

typedef struct text {
    char *bytes;
    size_t n;
} text;

/* The golden texts one behind the other, with and without blanks, until they fill LONG. */
static text make_long(size_t seed)
{
    json_t *texts = golden_json("texts.json");
    text t = {malloc(LONG), 0};
    size_t count = json_array_size(texts);
    for (size_t i = seed;; i = i * 7 + 3) {
        const json_t *one = json_array_get(texts, i % count);
        size_t n = json_string_length(one);
        if (t.n + n + 1 > LONG)
            break;
        memcpy(t.bytes + t.n, json_string_value(one), n);
        t.n += n;
        if (i % 3)
            t.bytes[t.n++] = ' ';
        if (i > 1 << 30)
            i %= 1009;
    }
    json_decref(texts);
    return t;
}

/* The first tokens of a truncated text are those of the whole one. */
static void truncates_to_a_prefix(void **state)
{
    (void)state;
    for (const char *const *name = golden_tokenizers; *name; name++)
        for (size_t seed = 1; seed <= 3; seed++) {
            bench b;
            text t = make_long(seed);
            pl_error e;
            bench_init(&b, golden_open(*name), t.n, LENGTH);
            if (bench_encode(&b, (pl_text_view){t.bytes, t.n, false}, NULL, LENGTH, &e))
                fail_msg("%s: %s", *name, e.text);
            size_t count = b.out.count, before = b.out.ids[0] < 4 && pl_tokenizer_special_count(b.t, false), special = pl_tokenizer_special_count(b.t, false);
            uint32_t *ids = malloc(count * sizeof *ids);
            memcpy(ids, b.out.ids, count * sizeof *ids);
            static const size_t lengths[] = {3, 17, 64, 300, 2000};
            for (size_t i = 0; i < PL_COUNT(lengths); i++) {
                size_t length = lengths[i] + special;
                if (bench_encode(&b, (pl_text_view){t.bytes, t.n, false}, NULL, length, &e))
                    fail_msg("%s at %zu: %s", *name, length, e.text);
                if (b.out.count != pl_min(length, count))
                    fail_msg("%s: %zu tokens instead of %zu", *name, b.out.count, length);
                size_t text_tokens = pl_min(lengths[i], count - special);
                if (memcmp(b.out.ids + before, ids + before, text_tokens * sizeof *ids) != 0)
                    fail_msg("%s: other tokens when truncated to %zu", *name, length);
            }
            free(ids);
            free(t.bytes);
            bench_free(&b);
        }
}

/* A cut text has the tokens of the whole one, or says that they are not certain. */
static void cut_texts_are_certain_or_refused(void **state)
{
    (void)state;
    for (const char *const *name = golden_tokenizers; *name; name++) {
        bench b;
        text t = make_long(5);
        pl_error e;
        size_t certain = 0, length = 24;
        uint32_t ids[24];
        bench_init(&b, golden_open(*name), t.n, length);
        assert_int_equal(bench_encode(&b, (pl_text_view){t.bytes, t.n, false}, NULL, length, &e), PL_OK);
        memcpy(ids, b.out.ids, b.out.count * sizeof *ids);
        size_t count = b.out.count;
        for (size_t n = 1; n < 3000; n += 1 + n / 40) {
            char *copy = malloc(n); /* so that a sanitizer sees a byte too much read */
            memcpy(copy, t.bytes, n);
            pl_status status = bench_encode(&b, (pl_text_view){copy, n, true}, NULL, length, &e);
            free(copy);
            if (status) {
                assert_int_equal(status, PL_BAD_INPUT);
                assert_non_null(strstr(e.text, "longer than"));
                continue;
            }
            certain++;
            if (b.out.count != count || memcmp(b.out.ids, ids, count * sizeof *ids) != 0)
                fail_msg("%s: cut after %zu bytes: other tokens", *name, n);
        }
        if (certain <= 5)
            fail_msg("%s: %zu beginnings were certain", *name, certain);
        free(t.bytes);
        bench_free(&b);
    }
}

/* What stands far behind the last token that is kept is not read: it may even be cut there. */
static void long_words_stay_linear(void **state)
{
    (void)state;
    enum { BYTES = 1 << 18 };
    char *word = malloc(BYTES);
    static const char *const fills[] = {"a", " ", "\xE4\xB8\xAD", "\xCC\x81", "ab", "-", "\xF0\x9F\x98\x80\xCC\x81", "e\xCC\x81\xCC\xA3"};
    for (const char *const *name = golden_tokenizers; *name; name++)
        for (size_t f = 0; f < PL_COUNT(fills); f++) {
            size_t n = strlen(fills[f]), filled = 0;
            for (; filled + n <= BYTES; filled += n)
                memcpy(word + filled, fills[f], n);
            bench b;
            pl_error e;
            bench_init(&b, golden_open(*name), filled, 64);
            if (bench_encode(&b, (pl_text_view){word, filled, false}, NULL, 64, &e))
                fail_msg("%s: %s", *name, e.text);
            assert_true(b.out.count <= 64);
            bench_free(&b);
        }
    free(word);
}

/* The longer text of a pair gets the odd place, found even when both are much longer than that. */
static void counts_on_for_the_odd_place(void **state)
{
    (void)state;
    bench b;
    pl_error e;
    char many[4000], few[2000];
    for (size_t i = 0; i < sizeof many; i++)
        many[i] = i % 2 ? ' ' : 'a';
    memcpy(few, many, sizeof few);
    bench_init(&b, golden_open("wordpiece_uncased"), sizeof many, 16);
    pl_text_view longer = {many, sizeof many, false}, shorter = {few, sizeof few, false};
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(bench_encode(&b, turn ? shorter : longer, turn ? &longer : &shorter, 8, &e), PL_OK);
        size_t second = 0;
        for (size_t i = 0; i < b.out.count; i++)
            second += b.out.types[i];
        assert_int_equal(second, turn ? 4 : 3); /* with the separator */
    }
    bench_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncates_to_a_prefix),
        cmocka_unit_test(cut_texts_are_certain_or_refused),
        cmocka_unit_test(long_words_stay_linear),
        cmocka_unit_test(counts_on_for_the_odd_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
