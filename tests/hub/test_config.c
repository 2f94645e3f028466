/* config.json: labels, broken files, lengths. */
#include "hub/make.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define CONFIG "model/config.json"

/* ---- labels ---- */

static void labels_have_names(void **state)
{
    (void)state;
    static const struct {
        const char *config;
        size_t count;
        const char *last;
        pl_problem problem;
    } cases[] = {
        {"{}", 2, "LABEL_1", PL_PROBLEM_SINGLE},
        {"{\"num_labels\":5}", 5, "LABEL_4", PL_PROBLEM_SINGLE},
        {"{\"num_labels\":1}", 1, "LABEL_0", PL_PROBLEM_REGRESSION},
        {"{\"id2label\":null,\"num_labels\":3,\"label2id\":null,\"problem_type\":null}", 3, "LABEL_2", PL_PROBLEM_SINGLE},
        {"{\"id2label\":{\"0\":\"only\"}}", 1, "only", PL_PROBLEM_REGRESSION},
        {"{\"id2label\":{\"2\":\"c\",\"0\":\"a\",\"1\":\"b\"},\"label2id\":{\"a\":0}}", 3, "c", PL_PROBLEM_SINGLE},
        {"{\"id2label\":{\"0\":\"a\",\"1\":\"\\u00e9 \\\"\"},\"num_labels\":9}", 2, "\xC3\xA9 \"", PL_PROBLEM_SINGLE},
        {"{\"id2label\":{\"0\":\"a\",\"1\":\"b\"},\"problem_type\":\"multi_label_classification\"}", 2, "b", PL_PROBLEM_MULTI},
        {"{\"id2label\":{\"0\":\"a\",\"1\":\"b\"},\"problem_type\":\"regression\"}", 2, "b", PL_PROBLEM_REGRESSION},
        {"{\"num_labels\":1,\"problem_type\":\"multi_label_classification\"}", 1, "LABEL_0", PL_PROBLEM_MULTI},
        {"{\"num_labels\":12,\"problem_type\":\"single_label_classification\"}", 12, "LABEL_11", PL_PROBLEM_SINGLE},
        {"{\"num_labels\":65536}", 65536, "LABEL_65535", PL_PROBLEM_SINGLE},
    };
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        make_model();
        make_text(CONFIG, cases[i].config);
        pl_folder *f = make_open();
        assert_int_equal(pl_folder_labels(f), cases[i].count);
        assert_string_equal(pl_folder_label(f, cases[i].count - 1), cases[i].last);
        assert_null(pl_folder_label(f, cases[i].count));
        assert_int_equal(pl_folder_problem(f), cases[i].problem);
        pl_folder_close(f);
    }
}

static void broken_configs_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *config, *words;
    } cases[] = {
        {"", "empty"},
        {"[]", "no object"},
        {"{\"a\":1", "line 1, column 7"},
        {"{\"a\":1,\"a\":1}", "stands twice"},
        {"{} {}", "after the end"},
        {"{\"a\":NaN}", "'N' where a value should stand"},
        {"\xEF\xBB\xBF{}", "byte order mark"},
        {"{\"id2label\":[\"a\"]}", "id2label"},
        {"{\"id2label\":{}}", "id2label"},
        {"{\"id2label\":{\"0\":\"a\",\"2\":\"b\"}}", "key \"2\", the numbers \"0\" to \"1\""},
        {"{\"id2label\":{\"1\":\"a\",\"2\":\"b\"}}", "key \"2\""},
        {"{\"id2label\":{\"LABEL_0\":\"a\"}}", "key \"LABEL_0\""},
        {"{\"id2label\":{\"00\":\"a\"}}", "key \"00\""},
        {"{\"id2label\":{\"-0\":\"a\"}}", "key \"-0\""},
        {"{\"id2label\":{\"\":\"a\"}}", "key \"\""},
        {"{\"id2label\":{\"0\":3}}", "label 0 is 3, a string would be right"},
        {"{\"id2label\":{\"0\":null}}", "label 0 is null"},
        {"{\"id2label\":{\"0\":\"a\\u0000\"}}", "label 0"},
        {"{\"label2id\":[1]}", "label2id"},
        {"{\"num_labels\":0}", "num_labels: is 0"},
        {"{\"num_labels\":-1}", "num_labels"},
        {"{\"num_labels\":100000000}", "num_labels"},
        {"{\"num_labels\":\"3\"}", "num_labels"},
        {"{\"problem_type\":\"guessing\"}", "is \"guessing\""},
        {"{\"problem_type\":3}", "problem_type"},
        {"{\"problem_type\":\"single_label_classification\",\"num_labels\":1}", "two labels or more"},
    };
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        make_model();
        make_text(CONFIG, cases[i].config);
        make_refused(CONFIG, cases[i].words);
    }
    make_model();
    assert_int_equal(unlink(make_path(CONFIG)), 0);
    make_refused("model", "there is no config.json");
    assert_int_equal(mkdir(make_path(CONFIG), 0700), 0);
    make_refused(CONFIG, "folder");
    assert_int_equal(rmdir(make_path(CONFIG)), 0);
    assert_int_equal(symlink("config.json", make_path(CONFIG)), 0);
    make_refused(CONFIG, "cannot be opened");
    char *huge = malloc((2 << 20) + 1);
    memset(huge, ' ', 2 << 20);
    huge[2 << 20] = '\0';
    make_text(CONFIG, huge);
    free(huge);
    make_refused(CONFIG, "2.00 MiB");
    pl_error e;
    pl_folder *f;
    assert_int_equal(pl_folder_open(make_path("nowhere"), NULL, &f, &e), PL_BAD_INPUT);
    assert_non_null(strstr(e.text, "there is no such folder"));
    assert_int_equal(pl_folder_open(make_path("model/model.safetensors"), NULL, &f, &e), PL_BAD_INPUT);
    assert_non_null(strstr(e.text, "is no folder"));
}

/* ---- lengths ---- */

static void lengths_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *file, *text;
        uint64_t sentence, tokenizer;
    } cases[] = {
        {"model/other.json", "{}", 0, 0},
        {"model/sentence_bert_config.json", "{\"max_seq_length\":256,\"do_lower_case\":false}", 256, 0},
        {"model/sentence_bert_config.json", "{\"max_seq_length\":null}", 0, 0},
        {"model/sentence_bert_config.json", "{}", 0, 0},
        {"model/sentence_bert_config.json", "{\"max_seq_length\":64,\"do_lower_case\":true}", 64, 0},
        {"model/sentence_roberta_config.json", "{\"max_seq_length\":128}", 128, 0},
        {"model/tokenizer_config.json", "{\"model_max_length\":512}", 0, 512},
        {"model/tokenizer_config.json", "{\"added_tokens_decoder\":{\"0\":{\"content\":\"x\",\"model_max_length\":5}},\"model_max_length\":77}", 0, 77},
        {"model/tokenizer_config.json", "{\"model_max_length\":1000000000000000019884624838656}", 0, 0},
        {"model/tokenizer_config.json", "{\"model_max_length\":1e30}", 0, 0},
        {"model/tokenizer_config.json", "{\"model_max_length\":512.0}", 0, 512},
        {"model/tokenizer_config.json", "{\"model_max_length\":null}", 0, 0},
        {"model/tokenizer_config.json", "{\"chat_template\":\"{% x %}\"}", 0, 0},
    };
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        make_model();
        make_text(cases[i].file, cases[i].text);
        pl_folder *f = make_open();
        assert_int_equal(pl_folder_sentence_length(f), cases[i].sentence);
        assert_int_equal(pl_folder_model_max_length(f), cases[i].tokenizer);
        assert_int_equal(pl_folder_lower_case(f) != NULL, strstr(cases[i].text, "\"do_lower_case\":true") != NULL);
        pl_folder_close(f);
    }
    static const struct {
        const char *file, *text, *words;
    } bad[] = {
        {"model/sentence_bert_config.json", "{\"do_lower_case\":\"yes\"}", "do_lower_case"},
        {"model/sentence_bert_config.json", "{\"max_seq_length\":-3}", "max_seq_length"},
        {"model/sentence_bert_config.json", "{\"max_seq_length\":0}", "max_seq_length"},
        {"model/sentence_bert_config.json", "{\"max_seq_length\":\"x\"}", "max_seq_length"},
        {"model/sentence_bert_config.json", "{", "line 1"},
        {"model/tokenizer_config.json", "{\"model_max_length\":0}", "model_max_length"},
        {"model/tokenizer_config.json", "{\"model_max_length\":-5}", "model_max_length"},
        {"model/tokenizer_config.json", "{\"model_max_length\":5.5}", "model_max_length"},
        {"model/tokenizer_config.json", "{\"model_max_length\":\"5\"}", "model_max_length"},
        {"model/tokenizer_config.json", "{\"model_max_length\":[5]}", "model_max_length"},
        {"model/tokenizer_config.json", "{\"model_max_length\":5,\"model_max_length\":6}", "twice"},
        {"model/tokenizer_config.json", "{\"model_max_length\":5} x", "after the end"},
        {"model/tokenizer_config.json", "[]", "no object"},
    };
    for (size_t i = 0; i < PL_COUNT(bad); i++) {
        make_model();
        make_text(bad[i].file, bad[i].text);
        make_refused(bad[i].file, bad[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_have_names),
        cmocka_unit_test(broken_configs_are_named),
        cmocka_unit_test(lengths_are_read),
    };
    return cmocka_run_group_tests_name("config", tests, make_begin, make_end);
}
