/* Every golden tokenizer against what the reference library made of the golden texts. */
#include "text/texts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LENGTH = 4096 };

static pl_text_view view_of(const json_t *texts, const json_t *index)
{
    const json_t *text = json_array_get(texts, (size_t)json_integer_value(index));
    return (pl_text_view){json_string_value(text), json_string_length(text), false};
}

static uint32_t number_at(const json_t *list, size_t i) { return (uint32_t)json_integer_value(json_array_get(list, i)); }

static void compare(const char *name, const bench *b, const json_t *row)
{
    const json_t *ids = json_object_get(row, "ids"), *types = json_object_get(row, "types"), *offsets = json_object_get(row, "offsets");
    char *shown = json_dumps(json_object_get(row, "texts"), JSON_COMPACT);
    if (b->out.count != json_array_size(ids))
        fail_msg("%s: texts %s: %zu tokens instead of %zu", name, shown, b->out.count, json_array_size(ids));
    for (size_t i = 0; i < b->out.count; i++) {
        const json_t *offset = json_array_get(offsets, i);
        if (b->out.ids[i] != number_at(ids, i) || b->out.types[i] != number_at(types, i))
            fail_msg("%s: texts %s: token %zu is %u (type %u) instead of %u (%u)", name, shown, i, b->out.ids[i], b->out.types[i], number_at(ids, i),
                number_at(types, i));
        if (b->out.offsets[i][0] != number_at(offset, 0) || b->out.offsets[i][1] != number_at(offset, 1))
            fail_msg("%s: texts %s: token %zu lies at %u-%u instead of %u-%u", name, shown, i, b->out.offsets[i][0], b->out.offsets[i][1], number_at(offset, 0),
                number_at(offset, 1));
        assert_true(b->out.ids[i] < pl_tokenizer_ids(b->t));
    }
    free(shown);
}

static void encodes_as_the_library(void **state)
{
    (void)state;
    json_t *texts = golden_json("texts.json");
    for (const char *const *name = golden_tokenizers; *name; name++) {
        char path[128];
        snprintf(path, sizeof path, "%s/expected.json", *name);
        json_t *rows = golden_json(path), *row;
        bench b;
        bench_init(&b, golden_open(*name), 8192, LENGTH);
        assert_true(json_array_size(rows) > 100);
        size_t i;
        json_array_foreach(rows, i, row)
        {
            const json_t *which = json_object_get(row, "texts");
            pl_text_view first = view_of(texts, json_array_get(which, 0)), second;
            bool pair = json_array_size(which) == 2;
            if (pair)
                second = view_of(texts, json_array_get(which, 1));
            size_t length = (size_t)json_integer_value(json_object_get(row, "length"));
            pl_error e;
            if (bench_encode(&b, first, pair ? &second : NULL, length ? length : LENGTH, &e))
                fail_msg("%s: row %zu: %s", *name, i, e.text);
            compare(*name, &b, row);
        }
        json_decref(rows);
        bench_free(&b);
    }
    json_decref(texts);
}

/* Nothing but ids asked for: the same ids. */
static void gives_ids_alone(void **state)
{
    (void)state;
    bench b;
    bench_init(&b, golden_open("wordpiece_uncased"), 256, 64);
    pl_encoding all = b.out;
    uint32_t ids[64];
    pl_text_view text = {"The harbour is quiet\xE2\x80\xA6", 23, false};
    pl_error e;
    assert_int_equal(bench_encode(&b, text, NULL, 64, &e), PL_OK);
    size_t count = b.out.count;
    memcpy(ids, b.out.ids, count * sizeof *ids);
    b.out.types = NULL;
    b.out.offsets = NULL;
    assert_int_equal(bench_encode(&b, text, NULL, 64, &e), PL_OK);
    assert_int_equal(b.out.count, count);
    assert_memory_equal(b.out.ids, ids, count * sizeof *ids);
    b.out = all;
    bench_free(&b);
}

static void names_tokens(void **state)
{
    (void)state;
    pl_tokenizer *t = golden_open("wordpiece_flags");
    uint32_t id;
    size_t n;
    assert_true(pl_tokenizer_id(t, "</s>", 4, &id));
    const char *text = pl_tokenizer_token(t, id, &n);
    assert_int_equal(n, 4);
    assert_memory_equal(text, "</s>", 4);
    assert_true(pl_tokenizer_id(t, "new york", 8, &id)); /* added behind the vocabulary */
    assert_true(id >= 500 && id < pl_tokenizer_ids(t));
    text = pl_tokenizer_token(t, id, &n);
    assert_memory_equal(text, "new york", 8);
    assert_false(pl_tokenizer_id(t, "zzzz", 4, &id));
    assert_null(pl_tokenizer_token(t, 123456, &n));
    for (uint32_t i = 0; i < pl_tokenizer_ids(t); i++) { /* every id has a name that has this id */
        text = pl_tokenizer_token(t, i, &n);
        assert_non_null(text);
        assert_true(pl_tokenizer_id(t, text, n, &id));
        assert_int_equal(id, i);
    }
    assert_int_equal(pl_tokenizer_special_count(t, false), 2);
    assert_int_equal(pl_tokenizer_special_count(t, true), 3);
    pl_tokenizer_close(t);
}

static void refuses_what_is_no_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n, byte;
    } bad[] = {{"\xFF", 1, 0}, {"abc\xC0\x80", 5, 3}, {"a\xED\xA0\x80", 4, 1}, {"0123456789\xE4\xB8", 12, 10}, {"\xF4\x90\x80\x80", 4, 0},
        {"01234567012345670123456701234567012345670123456701234567012345670123456\x80", 72, 71}};
    for (const char *const *name = golden_tokenizers; *name; name++) {
        bench b;
        bench_init(&b, golden_open(*name), 256, 64);
        for (size_t i = 0; i < PL_COUNT(bad); i++) {
            pl_error e;
            char place[32];
            snprintf(place, sizeof place, "byte %zu ", bad[i].byte);
            assert_int_equal(bench_encode(&b, (pl_text_view){bad[i].text, bad[i].n, false}, NULL, 64, &e), PL_BAD_INPUT);
            assert_non_null(strstr(e.text, "not UTF-8"));
            assert_non_null(strstr(e.text, place));
        }
        bench_free(&b);
    }
}

static void wants_room_for_special_tokens(void **state)
{
    (void)state;
    bench b;
    bench_init(&b, golden_open("wordpiece_uncased"), 64, 8);
    pl_text_view text = {"harbour bell", 12, false};
    pl_error e;
    assert_int_equal(bench_encode(&b, text, NULL, 1, &e), PL_USAGE);
    assert_int_equal(bench_encode(&b, text, &text, 2, &e), PL_USAGE);
    assert_int_equal(bench_encode(&b, text, NULL, 2, &e), PL_OK);
    assert_int_equal(b.out.count, 2);
    assert_int_equal(bench_encode(&b, text, &text, 3, &e), PL_OK);
    assert_int_equal(b.out.count, 3);
    bench_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_as_the_library),
        cmocka_unit_test(gives_ids_alone),
        cmocka_unit_test(names_tokens),
        cmocka_unit_test(refuses_what_is_no_text),
        cmocka_unit_test(wants_room_for_special_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
