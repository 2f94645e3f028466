/* The walker: every event, every fault with its place, windows that cut anything, limits, and each
 * allocation failed once. Differential against jansson over made and broken documents. */
#include "base/failing.h"
#include "json/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const pl_json_limits wide = {.scalar_bytes = 1 << 20, .depth = 200, .bytes = 1 << 24};
static char path[64];

/* ---- events as text: {k:"v",...} with one letter for each kind ---- */

typedef struct trace {
    char *text;
    size_t used, capacity;
} trace;

static void put(trace *t, const char *bytes, size_t n)
{
    if (t->used + n + 1 > t->capacity) {
        t->capacity = 2 * (t->used + n + 1);
        t->text = realloc(t->text, t->capacity);
    }
    memcpy(t->text + t->used, bytes, n);
    t->used += n;
    t->text[t->used] = '\0';
}

/* Walks to the end; *text (the caller frees it) shows what came. */
static pl_status walk(pl_json_walker *w, char **text, pl_error *e)
{
    static const char *const marks[] = {"{", "[", ")", "s", "n", "t", "f", "0", "."};
    trace t = {NULL, 0, 0};
    put(&t, "", 0);
    for (;;) {
        pl_json_event event;
        pl_status status = pl_json_next(w, &event, e);
        if (status) {
            *text = t.text;
            return status;
        }
        size_t n;
        const char *key = pl_json_key(w, &n);
        if (key) {
            assert_int_equal(key[n], '\0');
            put(&t, key, n);
            put(&t, ":", 1);
        }
        put(&t, marks[event], 1);
        const char *scalar = pl_json_scalar(w, &n);
        assert_int_equal(scalar != NULL, event == PL_JSON_STRING || event == PL_JSON_NUMBER);
        if (scalar) {
            assert_int_equal(scalar[n], '\0');
            put(&t, "<", 1);
            put(&t, scalar, n);
            put(&t, ">", 1);
        }
        if (event == PL_JSON_DONE) {
            *text = t.text;
            return PL_OK;
        }
    }
}

static pl_status walk_text(const char *json, size_t n, const pl_json_limits *limits, char **text, pl_error *e)
{
    pl_json_walker *w;
    *text = NULL;
    pl_status status = pl_json_open_text(json, n, "text", limits, NULL, &w, e);
    if (status)
        return status;
    status = walk(w, text, e);
    pl_json_close(w);
    return status;
}

static pl_status walk_file(const char *json, size_t n, char **text, pl_error *e)
{
    FILE *f = fopen(path, "wb");
    assert_int_equal(fwrite(json, 1, n, f), n);
    fclose(f);
    pl_json_walker *w;
    *text = NULL;
    pl_status status = pl_json_open(path, &wide, NULL, &w, e);
    if (status)
        return status;
    status = walk(w, text, e);
    pl_json_close(w);
    return status;
}

static void events_come_in_order(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{}", "{)."},
        {"[]", "[)."},
        {" [ 1 , 2 ]\n", "[n<1>n<2>)."},
        {"{\"a\":{\"b\":[true,false,null]},\"c\":\"d\"}", "{a:{b:[tf0))c:s<d>)."},
        {"\"\"", "s<>."},
        {"-0.5e+10", "n<-0.5e+10>."},
        {"0", "n<0>."},
        {"[0,-0,1E5,1e-5,10.25]", "[n<0>n<-0>n<1E5>n<1e-5>n<10.25>)."},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u65E5\\ud83d\\udea2\"", "s<\"\\/\b\f\n\r\t\xC3\xA9\xE6\x97\xA5\xF0\x9F\x9A\xA2>."},
        {"{\"\\u0061\":1,\"\":2}", "{a:n<1>:n<2>)."},
        {"\t\r\n true \r\n", "t."},
        {"\"\xEF\xBF\xBF\xF4\x8F\xBF\xBF\x7F\"", "s<\xEF\xBF\xBF\xF4\x8F\xBF\xBF\x7F>."},
        {"[[[[]],[]]]", "[[[[))[)))."},
        {"{\"a\":1,\"a\":2}", "{a:n<1>a:n<2>)."},
    };
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        pl_error e;
        char *text;
        if (walk_text(cases[i][0], strlen(cases[i][0]), &wide, &text, &e))
            fail_msg("%s: %s", cases[i][0], e.text);
        assert_string_equal(text, cases[i][1]);
        free(text);
        assert_int_equal(walk_file(cases[i][0], strlen(cases[i][0]), &text, &e), PL_OK);
        assert_string_equal(text, cases[i][1]);
        free(text);
    }
    pl_error e;
    pl_json_walker *w;
    pl_json_event event;
    size_t n;
    assert_int_equal(pl_json_open_text("\"a\\u0000b\"", 10, "text", &wide, NULL, &w, &e), PL_OK);
    assert_int_equal(pl_json_next(w, &event, &e), PL_OK);
    const char *scalar = pl_json_scalar(w, &n);
    assert_int_equal(n, 3);
    assert_memory_equal(scalar, "a\0b", 4);
    pl_json_close(w);
}

static void faults_have_a_place(void **state)
{
    (void)state;
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"", "text: is empty, JSON is expected"},
        {" ", "text: line 1, column 2: the end of the text where a value should stand"},
        {"\n\n  x", "text: line 3, column 3: 'x' where a value should stand"},
        {"[1,\n 2,,3]", "text: line 2, column 4: ',' where a value should stand"},
        {"[1,]", "text: line 1, column 4: ']' right after a comma"},
        {"{\"a\":1,}", "text: line 1, column 8: '}' right after a comma"},
        {"[1 2]", "text: line 1, column 4: '2' where ',' or ']' should stand"},
        {"{\"a\" 1}", "text: line 1, column 6: '1' where ':' should stand after a key"},
        {"{\"a\":}", "text: line 1, column 6: '}' where a value should stand"},
        {"{a:1}", "text: line 1, column 2: 'a' where a key in quotes should stand"},
        {"{\"a\":1", "text: line 1, column 7: the end of the text where ',' or '}' should stand"},
        {"[", "text: line 1, column 2: the end of the text where a value should stand"},
        {"{", "text: line 1, column 2: the end of the text where a key in quotes should stand"},
        {"]", "text: line 1, column 1: ']' where a value should stand"},
        {"[}", "text: line 1, column 2: '}' where a value should stand"},
        {"{} x", "text: line 1, column 4: 'x' after the end of the value"},
        {"1 2", "text: line 1, column 3: '2' after the end of the value"},
        {"nul", "text: line 1, column 4: a value is misspelt, null would be right"},
        {"trve", "text: line 1, column 3: a value is misspelt, true would be right"},
        {"nullx", "text: line 1, column 5: 'x' after the end of the value"},
        {"01", "text: line 1, column 2: a number that begins with 0"},
        {"-", "text: line 1, column 2: the end of the text where a digit of a number should stand"},
        {"1.", "text: line 1, column 3: the end of the text where a digit of a number should stand"},
        {"1.e5", "text: line 1, column 3: 'e' where a digit of a number should stand"},
        {"1e+", "text: line 1, column 4: the end of the text where a digit of a number should stand"},
        {"+1", "text: line 1, column 1: '+' where a value should stand"},
        {".5", "text: line 1, column 1: '.' where a value should stand"},
        {"NaN", "text: line 1, column 1: 'N' where a value should stand"},
        {"Infinity", "text: line 1, column 1: 'I' where a value should stand"},
        {"'a'", "text: line 1, column 1: ''' where a value should stand"},
        {"\"a", "text: line 1, column 3: the text ends within a string"},
        {"\"a\nb\"", "text: line 1, column 3: a control character within a string, \\u000a would be right"},
        {"\"\\x\"", "text: line 1, column 3: an escape that JSON does not know"},
        {"\"\\u12g4\"", "text: line 1, column 6: \\u needs four hexadecimal digits"},
        {"\"\\ud83d\"", "text: line 1, column 8: a lone surrogate in a \\u escape, which is no character"},
        {"\"\\ud83dx\"", "text: line 1, column 8: a lone surrogate in a \\u escape, which is no character"},
        {"\"\\ude00\\ud83d\"", "text: line 1, column 8: a lone surrogate in a \\u escape, which is no character"},
        {"\"\\ud83d\\u0041\"", "text: line 1, column 14: a lone surrogate in a \\u escape, which is no character"},
        {"\"\\ud83d\\n\"", "text: line 1, column 9: a lone surrogate in a \\u escape, which is no character"},
        {"\"\xC3(\"", "text: line 1, column 3: a string is not valid UTF-8"},
        {"\"\xFF\"", "text: line 1, column 3: a string is not valid UTF-8"},
        {"\"\xED\xA0\x80\"", "text: line 1, column 5: a string is not valid UTF-8"},
        {"\"\xE6\x97\"", "text: line 1, column 4: a string is not valid UTF-8"},
        {"\xEF\xBB\xBF{}", "text: line 1, column 1: a byte order mark, JSON is saved without"},
        {"[\x01]", "text: line 1, column 2: byte 0x01 where a value should stand"},
    };
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        pl_error e;
        char *text;
        if (walk_text(cases[i].json, strlen(cases[i].json), &wide, &text, &e) != PL_BAD_INPUT)
            fail_msg("%s: is accepted", cases[i].json);
        assert_string_equal(e.text, cases[i].message);
        free(text);
        assert_int_equal(walk_file(cases[i].json, strlen(cases[i].json), &text, &e), PL_BAD_INPUT);
        assert_string_equal(e.text + strlen(path), cases[i].message + strlen("text"));
        free(text);
    }
}

/* A window of 32 KiB cuts the document at every one of its bytes. */
static void windows_cut_anything(void **state)
{
    (void)state;
    static const char document[] = "{\"k\\u00e9\xC3\xA9y\":[-12.5e-3,true,null,\"\\ud83d\\udea2\xF0\x9F\x9A\xA2\\n\"],\"z\":false}";
    static const char wanted[] = "{k\xC3\xA9\xC3\xA9y:[n<-12.5e-3>t0s<\xF0\x9F\x9A\xA2\xF0\x9F\x9A\xA2\n>)z:f).";
    size_t n = strlen(document), window = 1 << 15;
    char *json = malloc(2 * window + n);
    for (size_t cut = 0; cut <= n; cut++) {
        size_t blanks = window - cut;
        memset(json, ' ', blanks);
        memcpy(json + blanks, document, n);
        pl_error e;
        char *text;
        if (walk_file(json, blanks + n, &text, &e))
            fail_msg("cut at %zu: %s", cut, e.text);
        assert_string_equal(text, wanted);
        free(text);
    }
    /* and a long string over several windows */
    size_t length = 3 * window;
    json = realloc(json, length + 2);
    json[0] = json[length + 1] = '"';
    for (size_t i = 0; i < length; i++)
        json[i + 1] = "\xE6\x97\xA5"[i % 3];
    pl_error e;
    char *text;
    assert_int_equal(walk_file(json, length + 2, &text, &e), PL_OK);
    assert_int_equal(strlen(text), length + 4);
    assert_memory_equal(text + 2, json + 1, length);
    free(text);
    free(json);
}

static void ranges_of_files(void **state)
{
    (void)state;
    FILE *f = fopen(path, "wb+");
    fputs("garbage{\"a\":1}  garbage", f);
    fflush(f);
    pl_error e;
    pl_json_walker *w;
    char *text;
    assert_int_equal(pl_json_open_range(fileno(f), "header", 7, 9, &wide, NULL, &w, &e), PL_OK);
    assert_int_equal(walk(w, &text, &e), PL_OK);
    assert_string_equal(text, "{a:n<1>).");
    free(text);
    pl_json_close(w);
    assert_int_equal(pl_json_open_range(fileno(f), "header", 7, 10, &wide, NULL, &w, &e), PL_OK);
    assert_int_equal(walk(w, &text, &e), PL_BAD_INPUT);
    assert_string_equal(e.text, "header: line 1, column 10: 'g' after the end of the value");
    free(text);
    pl_json_close(w);
    assert_int_equal(pl_json_open_range(fileno(f), "header", 7, 100, &wide, NULL, &w, &e), PL_OK);
    assert_int_equal(walk(w, &text, &e), PL_BAD_INPUT); /* the file is shorter than that */
    assert_non_null(strstr(e.text, "truncated"));
    free(text);
    pl_json_close(w);
    fclose(f);
}

static void limits_hold(void **state)
{
    (void)state;
    pl_json_limits narrow = {.scalar_bytes = 4, .depth = 3, .bytes = 40};
    pl_error e;
    char *text;
    assert_int_equal(walk_text("[\"abcd\",1234,[[]]]", 18, &narrow, &text, &e), PL_OK);
    free(text);
    static const struct {
        const char *json, *message;
    } over[] = {
        {"\"abcde\"", "a string or number of more than 4 bytes"},
        {"12345", "a string or number of more than 4 bytes"},
        {"{\"abcde\":1}", "a string or number of more than 4 bytes"},
        {"\"abc\\u00e9\"", "a string or number of more than 4 bytes"},
        {"[[[[]]]]", "nested deeper than 3 levels"},
        {"[[[{}]]]", "nested deeper than 3 levels"},
        {"[                                       ]", "has 41 bytes, more than the 40 bytes that such a file may have"},
    };
    for (size_t i = 0; i < PL_COUNT(over); i++) {
        assert_int_equal(walk_text(over[i].json, strlen(over[i].json), &narrow, &text, &e), PL_BAD_INPUT);
        if (!strstr(e.text, over[i].message))
            fail_msg("%s: %s", over[i].json, e.text);
        free(text);
    }
    /* depth costs bits, not stack */
    enum { DEEP = 1000000 };
    char *json = malloc(2 * DEEP);
    memset(json, '[', DEEP);
    memset(json + DEEP, ']', DEEP);
    pl_json_limits deep = {.scalar_bytes = 1, .depth = DEEP, .bytes = 2 * DEEP};
    assert_int_equal(walk_text(json, 2 * DEEP, &deep, &text, &e), PL_OK);
    free(text);
    assert_int_equal(walk_text(json, 2 * DEEP, &wide, &text, &e), PL_BAD_INPUT);
    assert_string_equal(e.text, "text: line 1, column 201: nested deeper than 200 levels");
    free(text);
    free(json);
}

static void skipping_leaves_the_rest(void **state)
{
    (void)state;
    static const char json[] = "{\"a\":{\"x\":[1,{\"y\":[]}]},\"b\":[],\"c\":[[2]],\"d\":4}";
    pl_error e;
    pl_json_walker *w;
    pl_json_event event;
    assert_int_equal(pl_json_open_text(json, strlen(json), "text", &wide, NULL, &w, &e), PL_OK);
    assert_int_equal(pl_json_next(w, &event, &e), PL_OK);
    for (const char *expected = "abcd"; *expected; expected++) {
        size_t n;
        assert_int_equal(pl_json_next(w, &event, &e), PL_OK);
        assert_int_equal(*pl_json_key(w, &n), *expected);
        assert_int_equal(pl_json_skip(w, &e), PL_OK);
        if (*expected == 'd') { /* a scalar stays */
            assert_string_equal(pl_json_scalar(w, &n), "4");
            assert_int_equal(pl_json_fail(w, &e, "is %d", 4), PL_BAD_INPUT);
            assert_string_equal(e.text, "text: line 1, column 46: is 4");
        }
    }
    assert_int_equal(pl_json_next(w, &event, &e), PL_OK);
    assert_int_equal(event, PL_JSON_END);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pl_json_next(w, &event, &e), PL_OK);
        assert_int_equal(event, PL_JSON_DONE);
    }
    pl_json_close(w);
    assert_int_equal(pl_json_open_text("[[1,", 4, "text", &wide, NULL, &w, &e), PL_OK);
    assert_int_equal(pl_json_next(w, &event, &e), PL_OK);
    assert_int_equal(pl_json_skip(w, &e), PL_BAD_INPUT);
    assert_int_equal(pl_json_next(w, &event, &e), PL_BAD_INPUT); /* and stays failed */
    pl_json_close(w);
    pl_json_close(NULL);
}

static void files_are_examined(void **state)
{
    (void)state;
    pl_error e;
    pl_json_walker *w;
    assert_int_equal(pl_json_open("/nowhere/x.json", &wide, NULL, &w, &e), PL_BAD_INPUT);
    assert_string_equal(e.text, "/nowhere/x.json: there is no such file");
    assert_null(w);
    assert_int_equal(pl_json_open("/tmp", &wide, NULL, &w, &e), PL_BAD_INPUT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(pl_json_open(path, &wide, NULL, &w, &e), PL_BAD_INPUT);
    assert_non_null(strstr(e.text, "named pipe"));
    assert_int_equal(unlink(path), 0);
    FILE *f = fopen(path, "wb");
    assert_int_equal(ftruncate(fileno(f), 1L << 40), 0); /* sparse: nothing of it is read */
    fclose(f);
    assert_int_equal(pl_json_open(path, &wide, NULL, &w, &e), PL_BAD_INPUT);
    assert_non_null(strstr(e.text, "1.00 TiB"));
}

static void allocations_fail_once(void **state)
{
    (void)state;
    size_t length = 100000;
    char *json = malloc(length);
    memset(json, 'a', length);
    memcpy(json, "{\"a\":[\"", 7);
    memcpy(json + length - 3, "\"]}", 3);
    for (size_t fail_at = 1;; fail_at++) {
        failing source;
        failing_init(&source, fail_at);
        pl_error e;
        pl_json_walker *w;
        char *text = NULL;
        pl_status status = pl_json_open_text(json, length, "text", &wide, &source.memory, &w, &e);
        if (!status) {
            status = walk(w, &text, &e);
            pl_json_close(w);
        }
        free(text);
        assert_int_equal(source.blocks, 0);
        if (!status) {
            assert_true(fail_at > 3 && source.takes < fail_at);
            assert_true(source.most < 4 * length);
            break;
        }
        assert_int_equal(status, PL_MACHINE);
        assert_non_null(strstr(e.text, "no memory"));
    }
    free(json);
}

/* ---- made documents, whole and broken, judged as jansson judges them ---- */

static uint64_t random_state;
static uint32_t roll(uint32_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % below;
}

static void make_value(trace *t, unsigned depth)
{
    static const char *const scalars[] = {"0", "-1", "12.5", "1e5", "-0.25E-3", "true", "false", "null", "\"\"", "\"abc\"", "\"\\u00e9\\n\\\\\"",
        "\"\xC3\xA9\xE6\x97\xA5\"", "\"\\ud83d\\udea2\"", "99999999"};
    uint32_t kind = roll(depth > 4 ? 4 : 8);
    if (kind < 4) {
        const char *s = scalars[roll(PL_COUNT(scalars))];
        put(t, s, strlen(s));
        return;
    }
    bool object = kind < 6;
    uint32_t count = roll(4);
    put(t, object ? "{" : "[", 1);
    for (uint32_t i = 0; i < count; i++) {
        char key[32];
        if (i)
            put(t, ", ", 1 + roll(2));
        if (object)
            put(t, key, (size_t)snprintf(key, sizeof key, "\"k%u\" : ", i));
        make_value(t, depth + 1);
    }
    put(t, object ? "}" : "]", 1);
}

static void jansson_agrees(void **state)
{
    (void)state;
    random_state = 12345;
    trace t = {NULL, 0, 0};
    for (int round = 0; round < 20000; round++) {
        t.used = 0;
        make_value(&t, 0);
        if (roll(4)) { /* break it at one byte */
            static const char bytes[] = "{}[],:\"\\0129.eE+-tfnu \n\x01\xC3\xA9\xFF";
            t.text[roll((uint32_t)t.used)] = bytes[roll(sizeof bytes - 1)];
        }
        json_error_t error;
        json_t *theirs = json_loadb(t.text, t.used, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
        bool range = !theirs && (json_error_code(&error) == json_error_numeric_overflow);
        pl_error e;
        char *text;
        pl_status ours = walk_text(t.text, t.used, &wide, &text, &e);
        if (!range && (ours == PL_OK) != (theirs != NULL))
            fail_msg("%.*s: jansson says %s, the walker %s", (int)t.used, t.text, theirs ? "right" : error.text, ours ? e.text : "right");
        free(text);
        json_decref(theirs);
    }
    free(t.text);
}

static int begin(void **state)
{
    (void)state;
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
        cmocka_unit_test(events_come_in_order),
        cmocka_unit_test(faults_have_a_place),
        cmocka_unit_test(windows_cut_anything),
        cmocka_unit_test(ranges_of_files),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(skipping_leaves_the_rest),
        cmocka_unit_test(files_are_examined),
        cmocka_unit_test(allocations_fail_once),
        cmocka_unit_test(jansson_agrees),
    };
    return cmocka_run_group_tests_name("walker", tests, begin, end);
}
