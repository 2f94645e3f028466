/* jansson values by way of the walker: the same as jansson's own reader gives, bounded, counted; the
 * typed members of documents. */
#include "base/failing.h"
#include "json/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[64];

static void write_file(const char *text, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_int_equal(fwrite(text, 1, n, f), n);
    fclose(f);
}

static json_t *load(const char *text)
{
    pl_error e;
    json_t *value = NULL;
    write_file(text, strlen(text));
    if (pl_json_load(path, 1 << 20, &value, &e))
        fail_msg("%s: %s", text, e.text);
    return value;
}

static void refused(const char *text, const char *words)
{
    pl_error e;
    json_t *value = (json_t *)1;
    write_file(text, strlen(text));
    assert_int_equal(pl_json_load(path, 1000, &value, &e), PL_BAD_INPUT);
    assert_null(value);
    assert_int_equal(strncmp(e.text, path, strlen(path)), 0);
    if (!strstr(e.text, words))
        fail_msg("%s: no \"%s\" in: %s", text, words, e.text);
}

static void values_are_those_of_jansson(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "{\"a\":1,\"b\":-2.5,\"c\":[],\"d\":{\"e\":null,\"f\":[true,false,\"x\",[1,2,[3]]]}}",
        "{\"\\u00e9\":\"\\ud83d\\udea2\"}",
        "{\"big\":9223372036854775807,\"small\":-9223372036854775808,\"e\":1e-12,\"z\":-0.0}",
    };
    for (size_t i = 0; i < PL_COUNT(texts); i++) {
        json_t *ours = load(texts[i]), *theirs = json_loads(texts[i], 0, NULL);
        assert_true(json_equal(ours, theirs));
        json_decref(ours);
        json_decref(theirs);
    }
    json_t *value = load("{\"a\":1000000000000000019884624838656,\"b\":\"x\\u0000y\",\"c\":3.0}");
    assert_true(json_real_value(json_object_get(value, "a")) == 1e30);
    assert_int_equal(json_string_length(json_object_get(value, "b")), 3);
    assert_true(json_is_real(json_object_get(value, "c")));
    json_decref(value);
}

static void bad_files_are_refused(void **state)
{
    (void)state;
    refused("", "is empty");
    refused("[1]", "no object");
    refused("7", "no object");
    refused("{\"a\":1", "line 1, column 7");
    refused("{\"a\":1} {}", "after the end");
    refused("{\"a\":1,\"b\":{\"x\":1,\"x\":2}}", "\"x\" stands twice");
    refused("{\"a\\u0000b\":1}", "NUL");
    refused("{\"a\":1e999}", "beyond the range");
    refused("{\"a\":-1e999}", "beyond the range");
    char long_text[1200];
    memset(long_text, ' ', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    refused(long_text, "1.17 KiB, more than the 1000 bytes");
    char deep[900] = "{\"a\":";
    memset(deep + 5, '[', 400);
    memset(deep + 405, ']', 400);
    strcpy(deep + 805, "}");
    refused(deep, "deeper");
    pl_error e;
    json_t *value;
    write_file("[1,2]", 5);
    assert_int_equal(pl_json_load_array(path, 100, NULL, &value, &e), PL_OK);
    assert_int_equal(json_array_size(value), 2);
    json_decref(value);
    write_file("{}", 2);
    assert_int_equal(pl_json_load_array(path, 100, NULL, &value, &e), PL_BAD_INPUT);
    assert_non_null(strstr(e.text, "no array"));
    assert_int_equal(pl_json_load("/nowhere/config.json", 100, &value, &e), PL_BAD_INPUT);
}

/* A million empty objects in a file of the allowed size must not become 240 MB. */
static void heap_is_bounded(void **state)
{
    (void)state;
    enum { BYTES = 1 << 20 };
    char *text = malloc(BYTES);
    memcpy(text, "{\"a\":[", 6);
    size_t n = 6;
    while (n < BYTES - 5) {
        memcpy(text + n, "{},", 3);
        n += 3;
    }
    memcpy(text + n - 1, "]}", 2);
    write_file(text, n + 1);
    failing_jansson(0);
    pl_error e;
    json_t *value;
    assert_int_equal(pl_json_load(path, BYTES, &value, &e), PL_BAD_INPUT);
    assert_non_null(strstr(e.text, "too many values"));
    assert_int_equal(failing_jansson_blocks(), 0);
    /* one long string at the end of a small file is no reason */
    memset(text, 'x', BYTES);
    memcpy(text, "{\"a\":\"", 6);
    memcpy(text + BYTES - 2, "\"}", 2);
    write_file(text, BYTES);
    assert_int_equal(pl_json_load(path, BYTES, &value, &e), PL_OK);
    json_decref(value);
    /* twenty thousand labels, both ways round */
    char *p = text + sprintf(text, "{\"id2label\":{");
    for (int i = 0; i < 20000; i++)
        p += sprintf(p, "%s\"%d\":\"L%d\"", i ? "," : "", i, i);
    p += sprintf(p, "},\"label2id\":{");
    for (int i = 0; i < 20000; i++)
        p += sprintf(p, "%s\"L%d\":%d", i ? "," : "", i, i);
    p += sprintf(p, "}}");
    write_file(text, (size_t)(p - text));
    assert_int_equal(pl_json_load(path, BYTES, &value, &e), PL_OK);
    assert_true(pl_json_held(value) >= failing_jansson_bytes());
    json_decref(value);
    assert_int_equal(failing_jansson_blocks(), 0);
    free(text);
}

/* pl_json_held is never less than what the heap gave, and not much more. */
static void held_is_an_upper_bound(void **state)
{
    (void)state;
    for (int members = 0; members < 300; members += 1 + members / 7)
        for (int length = 0; length < 60; length += 7) {
            failing_jansson(0);
            json_t *root = json_object();
            for (int i = 0; i < members; i++) {
                char key[80];
                snprintf(key, sizeof key, "%d%.*s", i, length, "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghij");
                json_object_set_new(root, key,
                    i % 4 == 0       ? json_string(key)
                        : i % 4 == 1 ? json_integer(i)
                        : i % 4 == 2 ? json_real(i)
                                     : json_pack("[i,b,n,{}]", i, 1));
            }
            size_t counted = pl_json_held(root), real = failing_jansson_bytes();
            if (counted < real || counted > 2 * real + 64)
                fail_msg("%d members of %d: counted %zu, real %zu", members, length, counted, real);
            json_decref(root);
        }
    failing_jansson(0);
}

static void allocations_fail_once(void **state)
{
    (void)state;
    static const char text[] =
        "{\"a\":{\"b\":[1,2.5,\"s\",true,{}]},\"c\":\"d\",\"e\":[[],[null]],\"1\":1,\"2\":2,\"3\":3,\"4\":4,\"5\":5,\"6\":6,\"7\":7,\"8\":8,\"9\":9}";
    write_file(text, strlen(text));
    bool finished = false;
    for (size_t fail_at = 1; !finished; fail_at++) {
        failing_jansson(fail_at);
        failing source;
        failing_init(&source, 0);
        pl_error e;
        json_t *value;
        pl_status status = pl_json_load_with(path, 1000, &source.memory, &value, &e);
        finished = failing_jansson_takes() < fail_at;
        if (!finished && status) { /* jansson goes on without some of its growth */
            assert_int_equal(status, PL_MACHINE);
            assert_non_null(strstr(e.text, "no memory"));
        }
        assert_true(!finished || status == PL_OK);
        json_decref(value);
        assert_int_equal(failing_jansson_blocks(), 0);
        assert_int_equal(source.blocks, 0);
    }
    failing_jansson(0);
    for (size_t fail_at = 1;; fail_at++) {
        failing source;
        failing_init(&source, fail_at);
        pl_error e;
        json_t *value;
        pl_status status = pl_json_load_with(path, 1000, &source.memory, &value, &e);
        assert_int_equal(source.blocks, 0);
        json_decref(value);
        if (!status)
            break;
        assert_int_equal(status, PL_MACHINE);
    }
}

static void parts_of_a_walk(void **state)
{
    (void)state;
    static const char text[] = "{\"vocab\":[\"a\",\"b\"],\"small\":{\"x\":[1,2]},\"after\":\"yes\"}";
    pl_json_limits limits = {.scalar_bytes = 100, .depth = 10, .bytes = 1000};
    pl_error e;
    pl_json_walker *w;
    pl_json_event event;
    size_t n;
    assert_int_equal(pl_json_open_text(text, strlen(text), "text", &limits, NULL, &w, &e), PL_OK);
    pl_json_next(w, &event, &e);
    pl_json_next(w, &event, &e);
    assert_int_equal(pl_json_skip(w, &e), PL_OK);
    pl_json_next(w, &event, &e);
    json_t *value;
    assert_int_equal(pl_json_value(w, event, 13, &value, &e), PL_OK);
    assert_int_equal(json_array_size(json_object_get(value, "x")), 2);
    json_decref(value);
    assert_int_equal(pl_json_next(w, &event, &e), PL_OK);
    assert_string_equal(pl_json_key(w, &n), "after");
    assert_int_equal(pl_json_value(w, event, 100, &value, &e), PL_OK);
    assert_string_equal(json_string_value(value), "yes");
    json_decref(value);
    pl_json_close(w);

    assert_int_equal(pl_json_open_text(text, strlen(text), "text", &limits, NULL, &w, &e), PL_OK);
    pl_json_next(w, &event, &e);
    assert_int_equal(pl_json_value(w, event, 20, &value, &e), PL_BAD_INPUT);
    assert_null(value);
    assert_non_null(strstr(e.text, "more than 20 bytes"));
    pl_json_close(w);
}

static void members_have_types(void **state)
{
    (void)state;
    json_t *root = load("{\"n\":12,\"r\":1.5,\"t\":true,\"s\":\"text\",\"z\":null,\"neg\":-1,\"o\":{},\"w\":12.0,\"nul\":\"a\\u0000b\",\"big\":1e20,"
                        "\"long\":\"0123456789012345678901234567890123456789012345678901234567890123456789\"}");
    pl_json_doc d = {"config.json", root};
    pl_error e;
    uint64_t size;
    double real;
    bool flag;
    const char *text;
    assert_int_equal(pl_json_size(d, "n", 1, 12, 5, &size, &e), PL_OK);
    assert_int_equal(size, 12);
    assert_int_equal(pl_json_size(d, "absent", 1, 12, 5, &size, &e), PL_OK);
    assert_int_equal(size, 5);
    assert_int_equal(pl_json_size(d, "z", 1, 12, 6, &size, &e), PL_OK);
    assert_int_equal(size, 6);
    assert_int_equal(pl_json_size(d, "n", 13, 20, 5, &size, &e), PL_BAD_INPUT);
    assert_string_equal(e.text, "config.json: n: is 12, a whole number from 13 to 20 would be right");
    assert_int_equal(pl_json_size(d, "n", 0, 11, 5, &size, &e), PL_BAD_INPUT);
    assert_int_equal(pl_json_size(d, "neg", 0, UINT64_MAX, 5, &size, &e), PL_BAD_INPUT);
    assert_int_equal(pl_json_size(d, "w", 0, 100, 5, &size, &e), PL_BAD_INPUT);
    assert_int_equal(pl_json_size(d, "big", 0, UINT64_MAX, 5, &size, &e), PL_BAD_INPUT);
    assert_non_null(strstr(e.text, "is 1e+20"));
    assert_int_equal(pl_json_size(d, "long", 0, 9, 5, &size, &e), PL_BAD_INPUT);
    assert_non_null(strstr(e.text, "is \"012345678901234567890123456789012345678901234567...\","));
    assert_int_equal(pl_json_real(d, "r", 0, &real, &e), PL_OK);
    assert_true(real == 1.5);
    assert_int_equal(pl_json_real(d, "n", 0, &real, &e), PL_OK);
    assert_true(real == 12);
    assert_int_equal(pl_json_real(d, "absent", 0.25, &real, &e), PL_OK);
    assert_true(real == 0.25);
    assert_int_equal(pl_json_real(d, "s", 0, &real, &e), PL_BAD_INPUT);
    assert_string_equal(e.text, "config.json: s: is \"text\", a number would be right");
    assert_int_equal(pl_json_bool(d, "t", false, &flag, &e), PL_OK);
    assert_true(flag);
    assert_int_equal(pl_json_bool(d, "n", false, &flag, &e), PL_BAD_INPUT);
    assert_int_equal(pl_json_text(d, "s", NULL, &text, &e), PL_OK);
    assert_string_equal(text, "text");
    assert_int_equal(pl_json_text(d, "absent", "other", &text, &e), PL_OK);
    assert_string_equal(text, "other");
    assert_int_equal(pl_json_text(d, "o", NULL, &text, &e), PL_BAD_INPUT);
    assert_string_equal(e.text, "config.json: o: is an object, a string would be right");
    assert_int_equal(pl_json_text(d, "nul", NULL, &text, &e), PL_BAD_INPUT);
    assert_true(pl_json_has(d, "n"));
    assert_false(pl_json_has(d, "z"));
    assert_false(pl_json_has(d, "absent"));
    json_decref(root);
}

static int begin(void **state)
{
    (void)state;
    failing_jansson(0);
    strcpy(path, "/tmp/plimsoll-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int end(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_those_of_jansson),
        cmocka_unit_test(bad_files_are_refused),
        cmocka_unit_test(heap_is_bounded),
        cmocka_unit_test(held_is_an_upper_bound),
        cmocka_unit_test(allocations_fail_once),
        cmocka_unit_test(parts_of_a_walk),
        cmocka_unit_test(members_have_types),
    };
    return cmocka_run_group_tests_name("values", tests, begin, end);
}
