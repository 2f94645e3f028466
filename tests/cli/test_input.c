/* Texts from files: each format, fed whole and in pieces of any size. */
#include "cli/input.h"
#include "cli/options.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { TEXT_BYTES = 64, MANY = 1 << 14 };

typedef struct reading {
    char log[MANY]; /* "3:text|pair\n" a record, "cut" where it is, then the end: "." or the message */
    size_t used;
    const char *columns[COLUMN_COUNT];
    size_t text_bytes;
} reading;

static void note(reading *r, const char *text, size_t n)
{
    assert_true(r->used + n < sizeof r->log);
    memcpy(r->log + r->used, text, n);
    r->used += n;
    r->log[r->used] = '\0';
}

static pl_status note_label(void *self, const cli_input *in, const char *text, size_t n, bool more, pl_error *e)
{
    (void)in;
    (void)e;
    note(self, text ? "<" : "[", 1);
    note(self, text ? text : "", n);
    note(self, more ? "..>" : ">", more ? 3 : 1);
    return PL_OK;
}

/* Feeds content through a pipe in pieces of `piece` bytes, asking for the next text in between. */
static void read_all(reading *r, cli_format format, const char *content, size_t bytes, size_t piece)
{
    static char memory[1 << 18];
    int ends[2];
    pl_error e = {0};
    pl_text text;
    cli_input in;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(cli_input_open(&in, "-", (int)format, &e), PL_OK);
    in.fd = ends[0];
    in.name = "F";
    in.take_label = note_label;
    in.label_self = r;
    memcpy(in.column_names, r->columns, sizeof in.column_names);
    cli_input_start(&in, memory, r->text_bytes ? r->text_bytes : TEXT_BYTES);
    r->used = 0;
    pl_status status = PL_AGAIN;
    size_t at = 0;
    while (status == PL_OK || status == PL_AGAIN) {
        status = cli_input_next(&in, 0, &text, &e);
        if (status == PL_AGAIN) {
            size_t n = pl_min(piece, bytes - at);
            if (n > 0)
                assert_int_equal(write(ends[1], content + at, n), n);
            else if (ends[1] >= 0) {
                close(ends[1]);
                ends[1] = -1;
            }
            at += n;
        }
        if (status != PL_OK)
            continue;
        char line[32];
        note(r, line, (size_t)snprintf(line, sizeof line, "%llu:", (unsigned long long)text.line));
        note(r, text.text, text.text_bytes);
        note(r, "(cut)", text.text_cut ? 5 : 0);
        if (text.pair) {
            note(r, "|", 1);
            note(r, text.pair, text.pair_bytes);
            note(r, "(cut)", text.pair_cut ? 5 : 0);
        }
        note(r, "\n", 1);
    }
    if (status == PL_END)
        note(r, ".", 1);
    else
        note(r, e.text, strlen(e.text));
    if (ends[1] >= 0)
        close(ends[1]);
    close(ends[0]);
}

static void check_bytes(reading *r, cli_format format, const char *content, size_t bytes, const char *want)
{
    static const size_t pieces[] = {1, 2, 3, 5, 7, 4096};
    for (size_t i = 0; i < PL_COUNT(pieces); i++) {
        read_all(r, format, content, bytes, pieces[i]);
        if (strcmp(r->log, want) != 0)
            print_error("pieces of %zu\n", pieces[i]);
        assert_string_equal(r->log, want);
    }
}

static void check(cli_format format, const char *content, const char *want)
{
    static reading r;
    memset(r.columns, 0, sizeof r.columns);
    r.text_bytes = 0;
    check_bytes(&r, format, content, strlen(content), want);
}

static void check_columns(cli_format format, const char *content, const char *want, const char *text, const char *pair, const char *label)
{
    static reading r;
    r.columns[COLUMN_TEXT] = text;
    r.columns[COLUMN_PAIR] = pair;
    r.columns[COLUMN_LABEL] = label;
    check_bytes(&r, format, content, strlen(content), want);
}

#define MARK "\xEF\xBB\xBF"

static void test_txt(void **state)
{
    (void)state;
    check(FORMAT_TXT, "", ".");
    check(FORMAT_TXT, MARK, ".");
    check(FORMAT_TXT, "\n", "1:\n.");
    check(FORMAT_TXT, "a\nb", "1:a\n2:b\n.");
    check(FORMAT_TXT, "a\r\nb\r\n\r\nc\n", "1:a\n2:b\n3:\n4:c\n.");
    check(FORMAT_TXT, "a\rb\r\r\nc\r", "1:a\rb\r\n2:c\r\n.");
    check(FORMAT_TXT, "  x \n\ty\n", "1:  x \n2:\ty\n.");
    check(FORMAT_TXT, MARK "a\n" MARK "b\n", "1:a\n2:" MARK "b\n.");
    check(FORMAT_TXT, "\xEF\xBB\xBE", "1:\xEF\xBB\xBE\n.");
    check(FORMAT_TXT, "one\xE2\x80\xA8two\x0b\x0c\x1e\n", "1:one\xE2\x80\xA8two\x0b\x0c\x1e\n.");
}

static void test_txt_utf8(void **state)
{
    (void)state;
    check(FORMAT_TXT, "a\nb\xFF\n", "1:a\nF: line 2: byte 2 of the text is not UTF-8, which the input must be");
    check(FORMAT_TXT, "\xC3\n", "F: line 1: byte 2 of the text is not UTF-8, which the input must be");
    check(FORMAT_TXT, "\xC3", "F: line 1: byte 2 of the text is not UTF-8, which the input must be");
    check(FORMAT_TXT, "\xED\xA0\x80\n", "F: line 1: byte 2 of the text is not UTF-8, which the input must be");
    check(FORMAT_TXT, "\xC0\x80\n", "F: line 1: byte 1 of the text is not UTF-8, which the input must be");
    check(FORMAT_TXT, "\xF4\x90\x80\x80\n", "F: line 1: byte 2 of the text is not UTF-8, which the input must be");
    check(FORMAT_TXT, "\xF4\x8F\xBF\xBF\xE0\xA0\x80\n", "1:\xF4\x8F\xBF\xBF\xE0\xA0\x80\n.");
    check(FORMAT_TXT, "\xEF\xBB", "F: line 1: byte 3 of the text is not UTF-8, which the input must be");
}

/* A longer text comes cut at a character, however long it is, and its whole is still checked. */
static void test_cut(void **state)
{
    (void)state;
    static reading r;
    memset(r.columns, 0, sizeof r.columns);
    r.text_bytes = 4;
    check_bytes(&r, FORMAT_TXT, "abcd\nabcde\n", 11, "1:abcd\n2:abcd(cut)\n.");
    check_bytes(&r, FORMAT_TXT, "abcd\r\nabc\r\r\n", 12, "1:abcd\n2:abc\r\n.");
    check_bytes(&r, FORMAT_TXT, "abc\xC3\xA9\n", 6, "1:abc(cut)\n.");
    check_bytes(&r, FORMAT_TXT, "ab\xC3\xA9\n", 5, "1:ab\xC3\xA9\n.");
    check_bytes(&r, FORMAT_TXT, "ab\xE2\x82\xAC\n", 6, "1:ab(cut)\n.");
    check_bytes(&r, FORMAT_TXT, "a\xF0\x9F\x9A\xA2\n", 6, "1:a(cut)\n.");
    check_bytes(&r, FORMAT_TXT, "abcdefghi\xFF\n", 11, "F: line 1: byte 10 of the text is not UTF-8, which the input must be");
    check_bytes(&r, FORMAT_CSV, "text,text_pair\n\"ab\"\"cd\",abcdef\n", 31, "2:ab\"c(cut)|abcd(cut)\n.");
    check_bytes(&r, FORMAT_JSONL, "{\"text\":\"ab\\ncde\"}\n", 19, "1:ab\nc(cut)\n.");
}

static void test_zero_bytes(void **state)
{
    (void)state;
    static reading r;
    memset(r.columns, 0, sizeof r.columns);
    r.text_bytes = 0;
    read_all(&r, FORMAT_TXT, "a\0b\nc", 5, 2);
    assert_int_equal(r.used, 11);
    assert_memory_equal(r.log, "1:a\0b\n2:c\n.", 11);
    read_all(&r, FORMAT_CSV, "text\n\"a\0b\"\n", 11, 3);
    assert_memory_equal(r.log, "2:a\0b\n.", 7);
    read_all(&r, FORMAT_JSONL, "{\"text\":\"a\\u0000b\"}", 19, 3);
    assert_memory_equal(r.log, "1:a\0b\n.", 7);
}

static void test_csv(void **state)
{
    (void)state;
    check(FORMAT_CSV, "", ".");
    check(FORMAT_CSV, MARK, ".");
    check(FORMAT_CSV, "text", ".");
    check(FORMAT_CSV, "text\n", ".");
    check(FORMAT_CSV, "text\na\n", "2:a\n.");
    check(FORMAT_CSV, MARK "text\r\na\r\n", "2:a\n.");
    check(FORMAT_CSV, "text\na\n\nb\n\r\n\"\"\nc", "2:a\n4:b\n6:\n7:c\n.");
    check(FORMAT_CSV, "id,text,more\n1,a,\"x,\"\"y\"\"\nz\"\n2,\"two\nlines\",\n", "2:a\n4:two\nlines\n.");
    check(FORMAT_CSV, "\"text\"\n\"a\r\nb\"\r\n\"\r\"\n", "2:a\r\nb\n4:\r\n.");
    check(FORMAT_CSV, "text\na\"b\n", "2:a\"b\n.");
    check(FORMAT_CSV, "text\na\rb\n", "2:a\rb\n.");
    check(FORMAT_CSV, "id,text\n1,", "2:\n.");
    check(FORMAT_CSV, "id,text\n,\n", "2:\n.");
    check(FORMAT_TSV, "id\ttext\n1\ta, b\n2\t\"c\td\"\n", "2:a, b\n3:c\td\n.");
    check(FORMAT_CSV, "text\n a \n", "2: a \n.");
}

static void test_csv_columns(void **state)
{
    (void)state;
    check(FORMAT_CSV, "text,text_pair\na,b\n", "2:a|b\n.");
    check(FORMAT_CSV, "text_pair,text\nb,a\n", "2:a|b\n.");
    check(FORMAT_CSV, "sentence2,idx,sentence1\nb,1,a\n", "2:a|b\n.");
    check(FORMAT_CSV, "premise,hypothesis,label\na,b,c\n", "2:a|b\n.");
    check(FORMAT_CSV, "question,sentence\na,b\n", "2:a|b\n.");
    check(FORMAT_CSV, "label,sentence\nx,a\n", "2:a\n.");
    check(FORMAT_CSV, "sentence,text\nb,a\n", "2:a\n.");
    check(FORMAT_CSV, "sentence1,sentence\na,b\n", "2:b\n.");
    check(FORMAT_CSV, "Text\na\n", "F: line 1: no column is called text, nor is there another that texts are taken from by itself");
    check_columns(FORMAT_CSV, "text,b,c\nx,y,z\n", "2:y\n.", "b", NULL, NULL);
    check_columns(FORMAT_CSV, "text,text_pair,c\nx,y,z\n", "2:x|z\n.", NULL, "c", NULL);
    check_columns(FORMAT_CSV, "text,b,c\nx,y,z\n", "2:y|z\n.", "b", "c", NULL);
    check_columns(FORMAT_CSV, "text,b\nx,y\n", "F: line 1: there is no column 'nope' (--text-column)", "nope", NULL, NULL);
    check_columns(FORMAT_CSV, "text,b\nx,y\n", "F: line 1: the text and its pair or label would be the same column", "b", "b", NULL);
    check_columns(FORMAT_CSV, "text,b\nx,y\n", "F: line 1: the second text and the label would be the same column", NULL, "b", "b");
    check_columns(FORMAT_CSV, "text,gold\na,x\nb,\"y, z\"\n", "<x>2:a\n<y, z>3:b\n.", NULL, NULL, "gold");
}

static void test_csv_errors(void **state)
{
    (void)state;
    check(FORMAT_CSV, "text\na\n\"b\nc\n", "2:a\nF: line 3: the quote that opens here is never closed; a quote inside a quoted field must be doubled");
    check(FORMAT_CSV, "text\n\"a\"b\n", "F: line 2: a quoted field goes on behind its closing quote; a quote inside must be doubled");
    check(FORMAT_CSV, "text\n\"a\"\rb\n", "F: line 2: a quoted field goes on behind its closing quote; a quote inside must be doubled");
    check(FORMAT_CSV, "text\na\nb,c\n", "2:a\nF: line 3: 2 fields, the header has 1; a field that holds a comma must stand in quotes");
    check(FORMAT_CSV, "id,text\n\"x\ny\"\n", "F: line 2: 1 fields, the header has 2; a field that holds a comma must stand in quotes");
    check(FORMAT_CSV, "text\n\"a\n\xFF\"\n", "F: line 3: byte 3 of the text is not UTF-8, which the input must be");
    check(FORMAT_CSV, "id,text\n\xFF,a\n", "F: line 2: byte 1 of the text is not UTF-8, which the input must be");
}

static void test_jsonl(void **state)
{
    (void)state;
    check(FORMAT_JSONL, "", ".");
    check(FORMAT_JSONL, "\n \t\r\n", ".");
    check(FORMAT_JSONL, "{\"text\":\"a\"}", "1:a\n.");
    check(FORMAT_JSONL, MARK "{\"text\":\"a\"}\r\n\n{\"text\":\"b\"}\n", "1:a\n3:b\n.");
    check(FORMAT_JSONL, " { \"id\" : {\"text\":[1,\"x\",{}]} , \"text\" : \"a\" , \"n\" : [ ] } \n", "1:a\n.");
    check(FORMAT_JSONL, "{\"text\":\"a\",\"text_pair\":\"b\"}\n{\"text\":\"c\",\"text_pair\":null}\n{\"text\":\"d\"}\n", "1:a|b\n2:c\n3:d\n.");
    check(FORMAT_JSONL, "{\"text\":\"\"}", "1:\n.");
    check(FORMAT_JSONL, "{\"text\":\"a\",\"text\":\"b\"}", "1:b\n.");
    check(FORMAT_JSONL, "{\"te\\u0078t\":\"a\"}", "1:a\n.");
    check(FORMAT_JSONL, "{\"text\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\\ud83d\\udea2\"}", "1:\"\\/\b\f\n\r\t\xC3\xA9\xE2\x82\xAC\xF0\x9F\x9A\xA2\n.");
    check(FORMAT_JSONL, "{\"a\":-0,\"b\":1.5e+3,\"c\":0.1E9,\"d\":true,\"e\":false,\"f\":null,\"text\":\"a\"}", "1:a\n.");
    check_columns(FORMAT_JSONL, "{\"text\":\"x\",\"b\":\"y\",\"text_pair\":\"z\"}", "1:y\n.", "b", NULL, NULL);
    check_columns(FORMAT_JSONL, "{\"text\":\"x\",\"b\":\"y\"}", "1:x|y\n.", NULL, "b", NULL);
    check_columns(FORMAT_JSONL, "{\"text\":\"x\",\"gold\":\"y\"}\n{\"gold\":-1.5,\"text\":\"z\"}", "[><y>1:x\n[><-1.5>2:z\n.", NULL, NULL, "gold");
    check_columns(FORMAT_JSONL, "{\"text\":\"x\",\"gold\":[\"y\",2,true]}\n{\"gold\":[],\"text\":\"z\"}", "[><y><2><true>1:x\n[>2:z\n.", NULL, NULL, "gold");
}

static void test_jsonl_errors(void **state)
{
    (void)state;
    static const struct {
        const char *content, *message;
    } cases[] = {
        {"{\"text\":7}", "column 9: \"text\" is a number, a string is needed"},
        {"{\"text\":null}", "column 9: \"text\" is null, a string is needed"},
        {"{\"text\":[\"a\"]}", "column 9: \"text\" is a list, a string is needed"},
        {"{\"text\":\"a\",\"text_pair\":{}}", "column 25: \"text_pair\" is an object, a string is needed"},
        {"[\"a\"]", "column 1: a JSON object like {\"text\":\"...\"} is needed on each line"},
        {"text", "column 1: a JSON object like {\"text\":\"...\"} is needed on each line"},
        {"{text:1}", "column 2: a key in double quotes is needed here"},
        {"{\"text\" \"a\"}", "column 9: ':' is needed here"},
        {"{\"text\":\"a\"", "column 12: the input ends in the middle of an object"},
        {"{\"text\":\"a\"\n}", "column 12: the object is not closed on its line"},
        {"{\"text\":\"a\n\"}", "column 11: the string is not closed on its line"},
        {"{\"text\":\"a\tb\"}", "column 11: a control character in a string must be escaped"},
        {"{\"text\":\"\\x\"}", "column 11: there is no such escape in JSON strings"},
        {"{\"text\":\"\\u12g4\"}", "column 14: four hexadecimal digits must follow \\u"},
        {"{\"text\":\"\\ud83d\"}", "column 16: is half of a surrogate pair (\\ud83d), which is no character"},
        {"{\"text\":\"\\ud83d\\n\"}", "column 17: is half of a surrogate pair (\\ud83d), which is no character"},
        {"{\"text\":\"\\ud83d\\u0041\"}", "column 21: is half of a surrogate pair (\\ud83d), which is no character"},
        {"{\"text\":\"\\udea2\"}", "column 15: is half of a surrogate pair (\\udea2), which is no character"},
        {"{\"text\":\"a\",}", "column 13: a key in double quotes is needed here"},
        {"{\"a\":[1,],\"text\":\"a\"}", "column 9: a JSON value is needed here"},
        {"{\"a\":[1},\"text\":\"a\"}", "column 8: ',' or ']' is needed here"},
        {"{\"a\":01,\"text\":\"a\"}", "column 7: is no JSON number"},
        {"{\"a\":1.,\"text\":\"a\"}", "column 8: is no JSON number"},
        {"{\"a\":-,\"text\":\"a\"}", "column 7: is no JSON number"},
        {"{\"a\":nul,\"text\":\"a\"}", "column 9: a JSON value is needed here"},
        {"{\"a\":NaN,\"text\":\"a\"}", "column 6: a JSON value is needed here"},
        {"{\"text\":\"a\"} {\"text\":\"b\"}", "column 14: there is more behind the object, which must be alone on its line"},
    };
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        char want[256];
        snprintf(want, sizeof want, "F: line 1, %s", cases[i].message);
        check(FORMAT_JSONL, cases[i].content, want);
    }
    check(FORMAT_JSONL, "{\"text\":\"a\"}\n{\"b\":\"a\"}\n", "1:a\nF: line 2: the object has no \"text\"");
    check(FORMAT_JSONL, "{}", "F: line 1: the object has no \"text\"");
    check(FORMAT_JSONL, "{\"text\":\"a\xFF\"}", "F: line 1: byte 2 of the text is not UTF-8, which the input must be");
    check(FORMAT_JSONL, "{\"b\":\"a\xC3\",\"text\":\"\"}", "F: line 1: byte 3 of the text is not UTF-8, which the input must be");
    check_columns(FORMAT_JSONL, "{\"text\":\"a\"}", "F: line 1: the object has no \"gold\"", NULL, NULL, "gold");
}

static void test_jsonl_depth(void **state)
{
    (void)state;
    char content[2 * JSON_DEPTH + 64] = "{\"a\":";
    size_t n = strlen(content);
    memset(content + n, '[', JSON_DEPTH - 1);
    memset(content + n + JSON_DEPTH - 1, ']', JSON_DEPTH - 1);
    strcpy(content + n + 2 * JSON_DEPTH - 2, ",\"text\":\"x\"}");
    check(FORMAT_JSONL, content, "1:x\n.");
    content[n + JSON_DEPTH - 1] = '[';
    check(FORMAT_JSONL, content, "F: line 1, column 517: is nested deeper than 512 levels");
}

static void test_texts(void **state)
{
    (void)state;
    static const cli_pair pairs[] = {{"a", NULL}, {"b", ""}, {"cd\xC3\xA9", "e"}, {"\xFF", NULL}};
    static char memory[1 << 17];
    cli_input in;
    pl_text text;
    pl_error e;
    cli_input_open_texts(&in, pairs, PL_COUNT(pairs));
    cli_input_start(&in, memory, 3);
    assert_int_equal(cli_input_next(&in, -1, &text, &e), PL_OK);
    assert_true(text.text_bytes == 1 && !text.pair && !text.text_cut && text.line == 1);
    assert_int_equal(cli_input_next(&in, -1, &text, &e), PL_OK);
    assert_true(text.pair && text.pair_bytes == 0);
    assert_int_equal(cli_input_next(&in, -1, &text, &e), PL_OK);
    assert_true(text.text_bytes == 2 && text.text_cut && text.pair_bytes == 1 && !text.pair_cut);
    assert_int_equal(cli_input_next(&in, -1, &text, &e), PL_BAD_INPUT);
}

static void test_opening(void **state)
{
    (void)state;
    cli_input in;
    pl_error e;
    assert_int_equal(cli_input_open(&in, "no-such-file.csv", -1, &e), PL_BAD_INPUT);
    assert_non_null(strstr(e.text, "no-such-file.csv"));
    assert_int_equal(cli_input_open(&in, PL_SOURCE_DIR, -1, &e), PL_BAD_INPUT);
    assert_non_null(strstr(e.text, "folder"));
    assert_int_equal(cli_input_open(&in, PL_SOURCE_DIR "/CMakeLists.txt", -1, &e), PL_OK);
    assert_int_equal(in.format, FORMAT_TXT);
    assert_true(in.size > 0);
    cli_input_close(&in);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_txt),
        cmocka_unit_test(test_txt_utf8),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_zero_bytes),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_csv_columns),
        cmocka_unit_test(test_csv_errors),
        cmocka_unit_test(test_jsonl),
        cmocka_unit_test(test_jsonl_errors),
        cmocka_unit_test(test_jsonl_depth),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_opening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
