/* Metrics against the figures of scikit-learn 1.9 and SciPy 1.17 for the same answers. */
#include "cli/metrics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct fixture {
    pl_plan *plan;
    char *memory;
    cli_metrics m;
    cli_input in;
    pl_error e;
} fixture;

static void start(fixture *f, const char *model)
{
    pl_options options;
    pl_options_init(&options);
    options.task = PL_TASK_CLASSIFY;
    assert_int_equal(pl_plan_make(model, &options, &f->plan, &f->e), PL_OK);
    f->memory = calloc(1, cli_metrics_bytes(pl_plan_width(f->plan), true));
    assert_non_null(f->memory);
    assert_int_equal(cli_metrics_start(&f->m, f->plan, f->memory, &f->e), PL_OK);
    f->in = (cli_input){.name = "F", .format = FORMAT_CSV, .record_line = 3};
}

static void end(fixture *f)
{
    pl_plan_free(f->plan);
    free(f->memory);
}

static pl_status give(fixture *f, const char *gold)
{
    pl_status status = cli_metrics_take(&f->m, &f->in, gold, strlen(gold), false, &f->e);
    return status == PL_OK ? cli_metrics_given(&f->m, &f->in, &f->e) : status;
}

static void result(fixture *f, const float *values)
{
    pl_result r = {.values = values};
    cli_metrics_result(&f->m, &r);
}

static void figures(fixture *f, const char *const *names, const double *want, size_t count)
{
    pl_figure found[PL_FIGURES];
    assert_int_equal(pl_score_figures(&f->m.score, found), count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(found[i].name, names[i]);
        if (isnan(want[i]))
            assert_true(isnan(found[i].value));
        else
            assert_true(fabs(found[i].value - want[i]) < 1e-12);
    }
}

static void say(fixture *f, size_t label, size_t labels)
{
    float logits[8] = {0};
    logits[label] = 1;
    assert_true(labels <= 8);
    result(f, logits);
}

static void test_single(void **state)
{
    (void)state;
    static const char *const is[] = {"a", "b", "c", "2", "b", "0", "1.0", "c"};
    static const size_t said[] = {0, 2, 2, 2, 1, 1, 1, 0};
    fixture f;
    start(&f, "task=classify,labels=a+b+c");
    for (size_t i = 0; i < PL_COUNT(is); i++)
        assert_int_equal(give(&f, is[i]), PL_OK);
    for (size_t i = 0; i < PL_COUNT(said); i++)
        say(&f, said[i], 3);
    figures(&f, (const char *const[]){"accuracy", "f1_macro", "matthews"}, (const double[]){0.625, 0.611111111111111, 0.42857142857142855}, 3);
    end(&f);
}

static void test_two_labels(void **state)
{
    (void)state;
    static const size_t is[] = {0, 1, 1, 0, 1, 1}, said[] = {0, 1, 0, 1, 1, 1};
    fixture f;
    start(&f, "task=classify,labels=no+yes");
    for (size_t i = 0; i < PL_COUNT(is); i++) { /* one by one */
        assert_int_equal(give(&f, is[i] ? "yes" : "no"), PL_OK);
        say(&f, said[i], 2);
    }
    figures(&f, (const char *const[]){"accuracy", "f1", "matthews"}, (const double[]){0.6666666666666666, 0.75, 0.25}, 3);
    end(&f);
}

static void test_multi(void **state)
{
    (void)state;
    static const char *const is[] = {"a,c", "", "[\"b\", 'c']", "a"};
    static const float said[][3] = {{1, -1, 1}, {-1, 1, -1}, {-1, 0.1f, 0}, {2, -1, -3}};
    fixture f;
    start(&f, "task=multi,labels=a+b+c");
    for (size_t i = 0; i < PL_COUNT(is); i++) {
        assert_int_equal(give(&f, is[i]), PL_OK);
        result(&f, said[i]);
    }
    figures(&f, (const char *const[]){"accuracy", "f1_micro", "f1_macro"}, (const double[]){0.5, 0.8, 0.7777777777777777}, 3);
    end(&f);
    start(&f, "task=multi,labels=a+b+c"); /* a label that never occurs counts as 0, as in scikit-learn */
    assert_int_equal(give(&f, "a"), PL_OK);
    result(&f, said[3]);
    figures(&f, (const char *const[]){"accuracy", "f1_micro", "f1_macro"}, (const double[]){1, 1, 0.3333333333333333}, 3);
    end(&f);
}

/* Where classes are called by numbers, "1.0" is the class 1, not the second one; -100 is no answer, as in training. */
static void test_numbers(void **state)
{
    (void)state;
    static const char *const is[] = {"1", "1.0", "+02", "4", "-100", "-100.0"};
    static const size_t right[] = {0, 0, 1, 2};
    fixture f;
    start(&f, "task=classify,labels=1+2+4");
    for (size_t i = 0; i < PL_COUNT(is); i++)
        assert_int_equal(give(&f, is[i]), PL_OK);
    for (size_t i = 0; i < PL_COUNT(is); i++)
        say(&f, i < PL_COUNT(right) ? right[i] : 0, 3);
    figures(&f, (const char *const[]){"accuracy", "f1_macro", "matthews"}, (const double[]){1, 1, 1}, 3);
    assert_int_equal(f.m.score.texts, 4);
    assert_int_equal(give(&f, "0"), PL_BAD_INPUT);
    assert_int_equal(give(&f, "3"), PL_BAD_INPUT);
    assert_int_equal(give(&f, "-1"), PL_BAD_INPUT);
    end(&f);
    start(&f, "task=classify,labels=12345678901234567+12345678901234568");
    assert_int_equal(give(&f, "12345678901234568"), PL_OK);
    say(&f, 1, 2);
    assert_int_equal(f.m.score.right, 1);
    assert_int_equal(give(&f, "12345678901234569"), PL_BAD_INPUT);
    assert_int_equal(give(&f, "1"), PL_BAD_INPUT);
    end(&f);
}

/* A list comes value by value, after a sign that a new one begins. */
static void test_list(void **state)
{
    (void)state;
    fixture f;
    start(&f, "task=multi,labels=a+b+c");
    f.in.format = FORMAT_JSONL;
    assert_int_equal(cli_metrics_take(&f.m, &f.in, NULL, 0, false, &f.e), PL_OK);
    assert_int_equal(cli_metrics_take(&f.m, &f.in, "a", 1, false, &f.e), PL_OK);
    assert_int_equal(cli_metrics_take(&f.m, &f.in, "c", 1, false, &f.e), PL_OK);
    assert_int_equal(cli_metrics_given(&f.m, &f.in, &f.e), PL_OK);
    result(&f, (const float[]){1, -1, 1});
    assert_int_equal(f.m.score.right, 1);
    assert_int_equal(cli_metrics_take(&f.m, &f.in, NULL, 0, false, &f.e), PL_OK);
    assert_int_equal(cli_metrics_given(&f.m, &f.in, &f.e), PL_OK); /* none of them is an answer */
    end(&f);
    start(&f, "task=classify,labels=a+b+c");
    f.in.format = FORMAT_JSONL;
    assert_int_equal(cli_metrics_take(&f.m, &f.in, NULL, 0, false, &f.e), PL_OK);
    assert_int_equal(cli_metrics_given(&f.m, &f.in, &f.e), PL_BAD_INPUT);
    assert_int_equal(cli_metrics_take(&f.m, &f.in, "a", 1, false, &f.e), PL_OK);
    assert_int_equal(cli_metrics_take(&f.m, &f.in, "b", 1, false, &f.e), PL_BAD_INPUT);
    end(&f);
}

static void test_regression(void **state)
{
    (void)state;
    static const char *const is[] = {"1", "2.5", "2.5", "4.0", "5e-1"};
    static const float said[] = {0.5f, 2, 3, 2, 1};
    fixture f;
    start(&f, "task=regression,width=1");
    for (size_t i = 0; i < PL_COUNT(is); i++)
        assert_int_equal(give(&f, is[i]), PL_OK);
    for (size_t i = 0; i < PL_COUNT(said); i++)
        result(&f, &said[i]);
    figures(&f, (const char *const[]){"mse", "pearson", "spearmanr"}, (const double[]){1.0, 0.6747699033149638, 0.6578947368421054}, 3);
    /* they are asked for twice, for a person and for --stats */
    figures(&f, (const char *const[]){"mse", "pearson", "spearmanr"}, (const double[]){1.0, 0.6747699033149638, 0.6578947368421054}, 3);
    assert_int_equal(give(&f, "x"), PL_BAD_INPUT);
    assert_int_equal(give(&f, "nan"), PL_BAD_INPUT);
    end(&f);
    start(&f, "task=regression,width=1"); /* no variance: not defined */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(give(&f, "1"), PL_OK);
        result(&f, &said[0]);
    }
    figures(&f, (const char *const[]){"mse", "pearson", "spearmanr"}, (const double[]){0.25, (double)NAN, (double)NAN}, 3);
    end(&f);
}

static void test_unknown(void **state)
{
    (void)state;
    fixture f;
    start(&f, "task=classify,labels=a+b+c");
    assert_int_equal(give(&f, "martian"), PL_BAD_INPUT);
    assert_string_equal(f.e.text, "F: line 3: label 'martian' is none of the model's 3: a, b, c");
    assert_int_equal(give(&f, ""), PL_BAD_INPUT);
    assert_int_equal(give(&f, "3"), PL_BAD_INPUT);
    assert_int_equal(give(&f, "1.5"), PL_BAD_INPUT);
    assert_int_equal(cli_metrics_take(&f.m, &f.in, "a", 1, true, &f.e), PL_BAD_INPUT);
    pl_figure found[PL_FIGURES];
    assert_int_equal(pl_score_figures(&f.m.score, found), 0);
    end(&f);
}

/* Answers in flight fill the ring; then the source has to wait for results. */
static void test_ring(void **state)
{
    (void)state;
    fixture f;
    size_t flight = 0;
    start(&f, "task=classify,labels=a+b+c");
    for (int round = 0; round < 3; round++) {
        for (; !cli_metrics_full(&f.m); flight++)
            assert_int_equal(give(&f, f.m.given % 2 ? "a" : "b"), PL_OK);
        assert_true(flight > 1000);
        for (; flight > 0; flight--)
            say(&f, f.m.taken % 2 ? 0 : 1, 3);
    }
    assert_int_equal(f.m.score.right, f.m.score.texts);
    end(&f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single),
        cmocka_unit_test(test_two_labels),
        cmocka_unit_test(test_multi),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_regression),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_ring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
