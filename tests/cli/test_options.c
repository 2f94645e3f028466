/* The command line: forms that are right, and what is said of those that are not. */
#include "cli/options.h"
#include "cli/texts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static cli_options o;
static pl_error e;

/* Words are separated by one blank; "~" stands for an empty word. */
static pl_status parse(cli_verb_id verb, const char *line)
{
    static char copy[512];
    static char *words[32];
    int count = 0;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
        if (strcmp(word, "~") == 0)
            *word = '\0';
        words[count++] = word;
    }
    pl_error_clear(&e);
    return cli_options_parse(&o, verb, count, words, &e);
}

static void refused(cli_verb_id verb, const char *line, const char *text)
{
    assert_int_equal(parse(verb, line), PL_USAGE);
    assert_string_equal(e.text, text);
}

static void test_forms(void **state)
{
    (void)state;
    assert_int_equal(parse(VERB_EMBED, "--memory 1.5G m -i=x --threads=3 -qv --precision bf16"), PL_OK);
    assert_string_equal(o.operands[0], "m");
    assert_int_equal(o.values[OPT_MEMORY].number, 3u << 29);
    assert_string_equal(o.values[OPT_INPUT].text, "=x");
    assert_int_equal(o.values[OPT_THREADS].number, 3);
    assert_true(cli_given(&o, OPT_QUIET) && cli_given(&o, OPT_VERBOSE) && !cli_given(&o, OPT_HELP));
    assert_int_equal(o.values[OPT_PRECISION].choice, PL_PRECISION_BF16);
    assert_int_equal(parse(VERB_EMBED, "m -ifile -qi other --input=third"), PL_OK);
    assert_string_equal(o.values[OPT_INPUT].text, "third");
    assert_int_equal(parse(VERB_EMBED, "-i - -- --model"), PL_OK);
    assert_string_equal(o.operands[0], "--model");
    assert_string_equal(o.values[OPT_INPUT].text, "-");
    assert_int_equal(parse(VERB_SHRINK, "1 0"), PL_OK);
    assert_int_equal(parse(VERB_HELP, ""), PL_OK);
    assert_int_equal(parse(VERB_EMBED, "--help --nonsense"), PL_OK);
}

static void test_texts(void **state)
{
    (void)state;
    assert_int_equal(parse(VERB_EMBED, "m -t -5 --text=--memory --text-pair -x -t ~ -tz"), PL_OK);
    assert_int_equal(o.text_count, 4);
    assert_string_equal(o.texts[0].text, "-5");
    assert_null(o.texts[0].pair);
    assert_string_equal(o.texts[1].text, "--memory");
    assert_string_equal(o.texts[1].pair, "-x");
    assert_string_equal(o.texts[2].text, "");
    assert_string_equal(o.texts[3].text, "z");
    refused(VERB_EMBED, "m --text-pair b", "--text-pair: there is no -t before it that it could go with");
    refused(VERB_EMBED, "m -t a --text-pair b --text-pair c", "--text-pair: the -t before it has a second text already");
}

static void test_refused(void **state)
{
    (void)state;
    refused(VERB_EMBED, "m --memroy 1", "--memroy: there is no such option, did you mean --memory?");
    refused(VERB_CLASSIFY, "m --theads=2", "--theads: there is no such option, did you mean --threads?");
    refused(VERB_CLASSIFY, "m --logit", "--logit: there is no such option, did you mean --logits?");
    refused(VERB_EMBED, "m --zzzzzzzzzz", "--zzzzzzzzzz: there is no such option");
    refused(VERB_EMBED, "m -z", "-z: there is no such option");
    refused(VERB_EMBED, "m -memory", "-memory: there is no such option");
    refused(VERB_TOKENIZE, "m --top 2", "--top: is no option of tokenize");
    refused(VERB_EMBED, "m --batch 2", "--batch: is no option of embed");
    refused(VERB_EMBED, "m --logits=yes", "--logits: is no option of embed");
    refused(VERB_CLASSIFY, "m --logits=yes", "--logits: takes no value, but has 'yes'");
    refused(VERB_CLASSIFY, "m --memory", "--memory: its value is missing, write --memory SIZE");
    refused(VERB_CLASSIFY, "m -i", "-i: its value is missing, write -i FILE");
    refused(VERB_CLASSIFY, "m -i ~", "-i: an empty name names no file");
    refused(VERB_CLASSIFY, "", "classify: MODEL is missing");
    refused(VERB_CLASSIFY, "~", "classify: an empty argument names nothing, MODEL is needed");
    refused(VERB_CLASSIFY, "m n", "'n': classify takes MODEL and nothing more, 'm' is given already");
    refused(VERB_DEVICES, "x", "'x': devices takes no argument");
    refused(VERB_EMBED, "m --precision f64", "--precision: 'f64' is none of: f32 bf16 f16 auto");
    refused(VERB_EMBED, "m --precision f3", "--precision: 'f3' is none of: f32 bf16 f16 auto");
}

static void test_numbers(void **state)
{
    (void)state;
    static const char *const counts[] = {"0", "-1", "1.5", "x", "~", "18446744073709551616", "+1"};
    for (size_t i = 0; i < PL_COUNT(counts); i++) {
        char line[64];
        snprintf(line, sizeof line, "m --threads %s", counts[i]);
        assert_int_equal(parse(VERB_EMBED, line), PL_USAGE);
    }
    assert_int_equal(parse(VERB_EMBED, "m --skip 0"), PL_OK);
    assert_int_equal(parse(VERB_EMBED, "m --skip 18446744073709551615"), PL_OK);
    assert_true(o.values[OPT_SKIP].number == UINT64_MAX);
    static const char *const sizes[] = {"0", "0MiB", "-5MiB", "10XB", "~", "MiB", "nan", "inf", "1.5.5G", "0x10", "18446744073709551616", ".", "1,5GiB", "1e9"};
    for (size_t i = 0; i < PL_COUNT(sizes); i++) {
        char line[64];
        snprintf(line, sizeof line, "m --memory %s", sizes[i]);
        assert_int_equal(parse(VERB_EMBED, line), PL_USAGE);
    }
    assert_int_equal(parse(VERB_TRAIN, "m --lr 5e-5 --epochs 0.5"), PL_OK);
    assert_true(o.values[OPT_LR].real == 5e-5 && o.values[OPT_EPOCHS].real == 0.5);
    assert_int_equal(parse(VERB_TRAIN, "m --lr -1"), PL_USAGE);
    assert_int_equal(parse(VERB_TRAIN, "m --lr inf"), PL_USAGE);
    assert_int_equal(parse(VERB_TRAIN, "m --lr 1e999"), PL_USAGE);
}

static void test_verbs(void **state)
{
    (void)state;
    cli_verb_id verb;
    assert_int_equal(cli_verb_find("classify", &verb, &e), PL_OK);
    assert_int_equal(verb, VERB_CLASSIFY);
    assert_int_equal(cli_verb_find("tokenise", &verb, &e), PL_USAGE);
    assert_string_equal(e.text, "'tokenise': there is no such verb, did you mean 'tokenize'?");
    assert_int_equal(cli_verb_find("", &verb, &e), PL_USAGE);
    assert_string_equal(e.text, "'': there is no such verb");
}

/* The table itself: names and letters of a verb are unique, every verb has its text, every option's
 * meaning reads as a part of a sentence. */
static void test_table(void **state)
{
    (void)state;
    for (int a = 0; a < OPT_COUNT; a++) {
        const cli_option_row *x = &cli_option_rows[a];
        assert_true(x->verbs != 0 && *x->meaning && x->meaning[strlen(x->meaning) - 1] != '.');
        assert_true((x->kind == KIND_FLAG) == (x->argument == NULL));
        assert_true((x->kind == KIND_CHOICE) == (x->words != NULL));
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(x->name, cli_option_rows[b].name);
            assert_true(!x->letter || x->letter != cli_option_rows[b].letter);
        }
    }
    for (int i = 0; i < VERB_COUNT; i++)
        assert_non_null(cli_verb_texts[i].examples[0].command);
    size_t n;
    assert_memory_equal(cli_word("txt jsonl csv tsv", 3, &n), "tsv", 3);
    assert_int_equal(n, 3);
    assert_null(cli_word("txt jsonl csv tsv", 4, &n));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_verbs),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
