/* What labels are taken for: classes in which order, numbers, several at once. */
#include "train/labels.h"

#include "train/files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char folder[] = "/tmp/plimsoll-labels-XXXXXX";

typedef struct made {
    pl_folder *model;
    pl_region region;
    pl__spool spool;
    pl__labels labels;
    char buffer[4096], record[65536];
    pl_error e;
} made;

/* "a", "b", ...: an example each; '|' parts the labels of a list, a leading '!' says that it is one, a
 * leading ' that it is a string. */
static pl_status make(made *m, const char *config, const char *const *rows)
{
    static const uint32_t ids[] = {1, 2, 3};
    static const uint8_t types[] = {0, 0, 1};
    char path[128];
    snprintf(path, sizeof path, "%s/config.json", folder);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs(config, f);
    fclose(f);
    memset(m, 0, sizeof *m);
    pl_region_init(&m->region, pl_memory_system());
    assert_int_equal(pl_folder_open_config(folder, pl_memory_system(), &m->model, &m->e), PL_OK);
    assert_int_equal(pl__spool_open(&m->spool, folder, 1000, m->buffer, sizeof m->buffer, &m->e), PL_OK);
    pl__label_look look = {0};
    pl_status s = PL_OK;
    for (uint64_t line = 1; *rows && !s; rows++, line++) {
        pl_label list[8];
        pl_example x = {.labels = list, .text.line = line, .list = **rows == '!'};
        for (const char *at = *rows + x.list; *at;) {
            size_t n = x.list ? strcspn(at, "|") : strlen(at);
            bool name = *at == '\'';
            list[x.label_count++] = (pl_label){at + name, n - name, name};
            at += n + (at[n] == '|');
        }
        s = pl__label_look_add(&look, &x, &m->e);
        if (!s)
            s = pl__spool_write(&m->spool, &x, ids, types, 3, &m->e);
    }
    if (!s)
        s = pl__spool_flush(&m->spool, &m->e);
    pl__label_source from = {&m->spool, 0, m->spool.end, m->record, "F"};
    return s ? s : pl__labels_make(&look, m->model, &from, &m->region, &m->labels, &m->e);
}

static void end(made *m)
{
    pl__spool_close(&m->spool);
    pl_folder_close(m->model);
    pl_region_free(&m->region);
}

/* The target of example `index`. */
static pl_status target(made *m, unsigned index, float *out)
{
    uint64_t at = 0;
    pl__example x;
    double number;
    for (unsigned i = 0;; i++) {
        assert_int_equal(pl__spool_read(&m->spool, at, m->record, &x, &m->e), PL_OK);
        if (i == index)
            break;
        at += x.head.bytes;
    }
    assert_int_equal(x.head.tokens, 3);
    assert_int_equal(pl__example_id(&m->spool, &x, 2), 3);
    return pl__labels_target(&m->labels, &x, "F", out, &number, &m->e);
}

static void names(const made *m, pl_problem problem, const char *const *want)
{
    assert_int_equal(m->labels.problem, problem);
    uint32_t n = 0;
    for (; want[n]; n++) {
        assert_true(n < m->labels.count);
        assert_string_equal(m->labels.names[n], want[n]);
    }
    assert_int_equal(m->labels.count, n);
}

#define ROWS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_names_are_sorted(void **state)
{
    (void)state;
    static made m;
    float t;
    assert_int_equal(make(&m, "{}", ROWS("pear", "apple", "pear", "zoo")), PL_OK);
    names(&m, PL_PROBLEM_SINGLE, ROWS("apple", "pear", "zoo"));
    assert_int_equal(target(&m, 3, &t), PL_OK);
    assert_true(t == 2);
    end(&m);
}

static void test_the_folders_order(void **state)
{
    (void)state;
    static made m;
    const char *config = "{\"id2label\":{\"0\":\"zoo\",\"1\":\"apple\"}}";
    assert_int_equal(make(&m, config, ROWS("apple", "zoo")), PL_OK);
    names(&m, PL_PROBLEM_SINGLE, ROWS("zoo", "apple"));
    assert_true(m.labels.of_folder);
    end(&m);
    assert_int_equal(make(&m, config, ROWS("apple", "zoo", "cat")), PL_OK); /* not exactly those */
    names(&m, PL_PROBLEM_SINGLE, ROWS("apple", "cat", "zoo"));
    end(&m);
    assert_int_equal(make(&m, "{\"id2label\":{\"0\":\"zoo\",\"1\":\"zoo\"}}", ROWS("apple", "zoo")), PL_OK); /* one name twice */
    names(&m, PL_PROBLEM_SINGLE, ROWS("apple", "zoo"));
    end(&m);
}

static void test_whole_numbers_in_their_own_order(void **state)
{
    (void)state;
    static made m;
    float t;
    assert_int_equal(make(&m, "{}", ROWS("10", "9", "-1", "010", "-100")), PL_OK);
    names(&m, PL_PROBLEM_SINGLE, ROWS("-1", "9", "10"));
    assert_int_equal(target(&m, 3, &t), PL_OK); /* 010 is 10 */
    assert_true(t == 2);
    assert_int_equal(target(&m, 4, &t), PL_OK);
    assert_true(t == (float)PL__LABEL_IGNORED);
    end(&m);
}

static void test_strings_that_look_like_numbers(void **state)
{
    (void)state;
    static made m;
    assert_int_equal(make(&m, "{}", ROWS("'10", "'9", "'1.5")), PL_OK);
    names(&m, PL_PROBLEM_SINGLE, ROWS("1.5", "10", "9"));
    end(&m);
    assert_int_equal(make(&m, "{}", ROWS("10", "9", "x")), PL_OK); /* a column of names, some of digits */
    names(&m, PL_PROBLEM_SINGLE, ROWS("10", "9", "x"));
    end(&m);
}

static void test_fractions_are_a_regression(void **state)
{
    (void)state;
    static made m;
    float t;
    assert_int_equal(make(&m, "{}", ROWS("1", "2.5", "-3e-1")), PL_OK);
    names(&m, PL_PROBLEM_REGRESSION, ROWS("LABEL_0"));
    assert_int_equal(target(&m, 2, &t), PL_OK);
    assert_true(t == -0.3f);
    end(&m);
    assert_int_equal(make(&m, "{\"id2label\":{\"0\":\"stars\"}}", ROWS("1", "2.5")), PL_OK);
    names(&m, PL_PROBLEM_REGRESSION, ROWS("stars"));
    end(&m);
}

static void test_problem_type_decides(void **state)
{
    (void)state;
    static made m;
    float t[3];
    assert_int_equal(make(&m, "{\"problem_type\":\"regression\",\"num_labels\":1}", ROWS("1", "2")), PL_OK);
    assert_int_equal(m.labels.problem, PL_PROBLEM_REGRESSION);
    end(&m);
    assert_int_equal(make(&m, "{\"problem_type\":\"single_label_classification\"}", ROWS("1.0", "0.0", "1")), PL_OK);
    names(&m, PL_PROBLEM_SINGLE, ROWS("0", "1"));
    end(&m);
    assert_int_equal(make(&m, "{\"problem_type\":\"multi_label_classification\"}", ROWS("b, a", "c")), PL_OK);
    names(&m, PL_PROBLEM_MULTI, ROWS("a", "b", "c"));
    assert_int_equal(target(&m, 0, t), PL_OK);
    assert_true(t[0] == 1 && t[1] == 1 && t[2] == 0);
    end(&m);
}

static void test_lists(void **state)
{
    (void)state;
    static made m;
    float t[3];
    assert_int_equal(make(&m, "{}", ROWS("!'b|'a", "!", "!'c")), PL_OK);
    names(&m, PL_PROBLEM_MULTI, ROWS("a", "b", "c"));
    assert_int_equal(target(&m, 1, t), PL_OK);
    assert_true(t[0] == 0 && t[1] == 0 && t[2] == 0);
    end(&m);
    assert_int_equal(make(&m, "{}", ROWS("['x', \"y\"]", "[]", "[y]")), PL_OK); /* as a table writes them */
    names(&m, PL_PROBLEM_MULTI, ROWS("x", "y"));
    end(&m);
    assert_int_equal(make(&m, "{}", ROWS("[\"x, y\", 'it's']", "[\"rock 'n'\"]", "['1.5', 2]")), PL_OK); /* commas and quotes in names */
    names(&m, PL_PROBLEM_MULTI, ROWS("1.5", "2", "it's", "rock 'n'", "x, y"));
    end(&m);
    assert_int_equal(make(&m, "{\"problem_type\":\"multi_label_classification\"}", ROWS("'x, y", "'z")), PL_OK); /* strings of JSON are no lists */
    names(&m, PL_PROBLEM_MULTI, ROWS("x, y", "z"));
    end(&m);
}

static void test_large_numbers_are_names(void **state)
{
    (void)state;
    static made m;
    assert_int_equal(make(&m, "{}", ROWS("12345678901234568", "12345678901234567", "9")), PL_OK);
    names(&m, PL_PROBLEM_SINGLE, ROWS("12345678901234567", "12345678901234568", "9"));
    end(&m);
    assert_int_equal(make(&m, "{}", ROWS("12345678901234568", "0.5")), PL_OK);
    names(&m, PL_PROBLEM_REGRESSION, ROWS("LABEL_0"));
    end(&m);
}

static void test_one_class(void **state)
{
    (void)state;
    static made m;
    assert_int_equal(make(&m, "{}", ROWS("same", "same")), PL_OK);
    names(&m, PL_PROBLEM_SINGLE, ROWS("same", "LABEL_1"));
    assert_int_equal(m.labels.found, 1);
    end(&m);
    assert_int_equal(make(&m, "{\"id2label\":{\"0\":\"no\",\"1\":\"same\"}}", ROWS("same", "same")), PL_OK);
    names(&m, PL_PROBLEM_SINGLE, ROWS("no", "same"));
    end(&m);
}

static void test_many(void **state)
{
    (void)state;
    static made m;
    enum { N = 200 };
    static char texts[N][8];
    static const char *rows[N + 1];
    float t;
    for (int i = 0; i < N; i++) {
        snprintf(texts[i], sizeof texts[i], "n%03d", (i * 77) % N);
        rows[i] = texts[i];
    }
    assert_int_equal(make(&m, "{}", rows), PL_OK);
    assert_int_equal(m.labels.count, N);
    for (unsigned i = 0; i < N; i += 17) {
        assert_int_equal(target(&m, i, &t), PL_OK);
        assert_string_equal(m.labels.names[(int)t], rows[i]);
    }
    end(&m);
}

static void test_refused(void **state)
{
    (void)state;
    static made m;
    float t;
    assert_int_equal(make(&m, "{}", ROWS("a", "")), PL_BAD_INPUT);
    end(&m);
    assert_int_equal(make(&m, "{\"problem_type\":\"regression\",\"num_labels\":1}", ROWS("1", "two")), PL_OK);
    assert_int_equal(target(&m, 1, &t), PL_BAD_INPUT);
    assert_non_null(strstr(m.e.text, "F: line 2: label 'two'"));
    end(&m);
    assert_int_equal(make(&m, "{}", ROWS("-100", "-100")), PL_BAD_INPUT);
    end(&m);
    assert_int_equal(make(&m, "{\"problem_type\":\"single_label_classification\"}", ROWS("!'a|'b")), PL_BAD_INPUT);
    end(&m);
    assert_int_equal(make(&m, "{}", ROWS("!1|2", "!0.5|1.5")), PL_BAD_INPUT); /* several numbers to be predicted */
    assert_non_null(strstr(m.e.text, "F: line 2: 0.5 in a list of labels"));
    end(&m);
    assert_int_equal(make(&m, "{}", ROWS("[0.5, 1]", "[1, 2]")), PL_BAD_INPUT);
    end(&m);
    assert_int_equal(make(&m, "{}", ROWS("0.5", "1e999")), PL_BAD_INPUT);
    assert_non_null(strstr(m.e.text, "F: line 2: the labels are numbers, but this one is not finite"));
    end(&m);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return pl__folder_remove(folder, NULL) == PL_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_sorted),
        cmocka_unit_test(test_the_folders_order),
        cmocka_unit_test(test_whole_numbers_in_their_own_order),
        cmocka_unit_test(test_strings_that_look_like_numbers),
        cmocka_unit_test(test_fractions_are_a_regression),
        cmocka_unit_test(test_problem_type_decides),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_large_numbers_are_names),
        cmocka_unit_test(test_one_class),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
