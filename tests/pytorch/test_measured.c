/* The stated model against what PyTorch holds: measured.json, made by tests/golden/make_pytorch.py. */
#include "hub/make.h"
#include "pytorch/shape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static unsigned whole(const json_t *c, const char *key) { return (unsigned)json_integer_value(json_object_get(c, key)); }
static const char *word(const json_t *c, const char *key) { return json_string_value(json_object_get(c, key)); }
static bool truth(const json_t *c, const char *key) { return json_is_true(json_object_get(c, key)); }

static shape shape_of(const json_t *c)
{
    const json_t *list = json_object_get(c, "shape");
    unsigned n[4];
    for (size_t i = 0; i < 4; i++)
        n[i] = (unsigned)json_integer_value(json_array_get(list, i));
    return (shape){.distilbert = strcmp(word(c, "family"), "distilbert") == 0,
        .hidden = n[0],
        .layers = n[1],
        .heads = n[2],
        .inner = n[3],
        .vocabulary = 1000,
        .positions = 512,
        .labels = whole(c, "labels"),
        .act = word(c, "act")};
}

static pl_torch_settings settings_of(const json_t *c)
{
    const char *precision = word(c, "precision");
    double p = json_number_value(json_object_get(c, "dropout"));
    return (pl_torch_settings){.train = true,
        .batch = whole(c, "batch"),
        .length = whole(c, "length"),
        .precision = strcmp(precision, "f32") == 0 ? PL_TORCH_F32
            : strcmp(precision, "bf16") == 0       ? PL_TORCH_BF16
                                                   : PL_TORCH_F16,
        .attention = strcmp(word(c, "attention"), "eager") == 0 ? PL_TORCH_EAGER : PL_TORCH_SDPA,
        .checkpointing = truth(c, "checkpointing"),
        .hidden_dropout = p,
        .attention_dropout = p,
        .classifier_dropout = p};
}

/* Off by how many thousandths. */
static double off(double got, double right) { return (got - right) / right * 1000; }

static void compare(const json_t *c, double *worst, double peaks[2])
{
    enum { SLACK = 16 }; /* scalars */
    shape s = shape_of(c);
    pl_torch_settings settings = settings_of(c);
    shape_model m;
    pl_torch_fit fit;
    pl_error e;
    shape_open(&s, true, &m);
    if (pl_torch_measure(&m.model, &settings, 1ull << 40, &fit, &e))
        fail_msg("%s", e.text);
    char *name = json_dumps(c, JSON_COMPACT);
    double right = json_number_value(json_object_get(c, "activations")), got = (double)fit.parts.activations;
    *worst = got > right + SLACK || got + SLACK < right ? (off(got, right) < 0 ? -off(got, right) : off(got, right)) : 0;
    if (*worst > 0)
        print_message("%s: activations %.0f\n", name, got);
    double peak = json_number_value(json_object_get(c, "peak")), ours = (double)(fit.parts.activations + fit.parts.temporaries);
    if (peak > 0) {
        double by = off(ours, peak);
        peaks[0] = by < peaks[0] ? by : peaks[0];
        peaks[1] = by > peaks[1] ? by : peaks[1];
        if (by < -2 || by > 2)
            print_message("%s: peak %.0f, %+.1f thousandths\n", name, ours, by);
    }
    free(name);
    shape_close(&m);
}

static void all(void **state)
{
    (void)state;
    json_t *cases = json_load_file(PL_SOURCE_DIR "/tests/pytorch/measured.json", 0, NULL);
    assert_true(json_array_size(cases) > 100);
    double worst = 0, peaks[2] = {0, 0};
    for (size_t i = 0; i < json_array_size(cases); i++) {
        double by;
        compare(json_array_get(cases, i), &by, peaks);
        worst = by > worst ? by : worst;
    }
    json_decref(cases);
    print_message("activations off by %.2f thousandths at most, peaks by %.1f to %.1f\n", worst, peaks[0], peaks[1]);
    assert_true(worst == 0);
    assert_true(peaks[0] > -2 && peaks[1] < 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all)};
    return cmocka_run_group_tests_name("pytorch measured", tests, make_begin, make_end);
}
