/* Parts by their formulas, the biggest batch, alternatives, and what no machine holds. */
#include "hub/make.h"
#include "pytorch/shape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB ((uint64_t)1024 * 1024)
#define GIB (1024 * MIB)

static const shape small = {.hidden = 96, .layers = 3, .heads = 4, .inner = 200, .vocabulary = 500, .positions = 128, .labels = 3};
static const shape base = {.hidden = 768, .layers = 12, .heads = 12, .inner = 3072, .vocabulary = 30522, .positions = 512, .labels = 2};
static const pl_torch_settings training = {.train = true, .batch = 8, .length = 64};

/* Fails the n-th allocation from now on; 0: none. */
static unsigned fail_at;
static bool fails(void) { return fail_at && --fail_at == 0; }
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__real_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size) { return fails() ? NULL : __real_realloc(block, size); }

static pl_torch_fit measure(const pl_model *m, const pl_torch_settings *s, uint64_t limit)
{
    pl_torch_fit fit;
    pl_error e;
    if (pl_torch_measure(m, s, limit, &fit, &e))
        fail_msg("%s", e.text);
    const pl_torch_parts *p = &fit.parts;
    assert_int_equal(fit.peak, p->weights + p->gradients + p->optimizer + p->activations + p->temporaries + p->rounding + p->context);
    assert_true(fit.fits == (fit.peak <= limit));
    return fit;
}

static void parts_follow_from_parameters(void **state)
{
    (void)state;
    shape_model m;
    shape_open(&small, true, &m);
    uint64_t n = shape_parameters(&small);
    pl_torch_settings s = training;
    pl_torch_fit fit = measure(&m.model, &s, GIB);
    assert_int_equal(fit.parts.weights, 4 * n);
    assert_int_equal(fit.parts.gradients, 4 * n);
    assert_int_equal(fit.parts.optimizer, 8 * n);
    s.optimizer = PL_TORCH_SGD;
    assert_int_equal(measure(&m.model, &s, GIB).parts.optimizer, 0);
    s.precision = PL_TORCH_BF16; /* autocast: the weights stay */
    assert_int_equal(measure(&m.model, &s, GIB).parts.weights, 4 * n);
    s.train = false;
    fit = measure(&m.model, &s, GIB);
    assert_int_equal(fit.parts.weights, 4 * n);
    assert_int_equal(fit.parts.gradients + fit.parts.optimizer + fit.parts.activations, 0);
    assert_true(fit.parts.temporaries > 0);
    shape_close(&m);
}

static uint64_t states_8bit(uint64_t n) { return n < 4096 ? 8 * n : 2 * n + 8 * ((n + 255) / 256); }

static void states_of_8_bits_have_scales(void **state)
{
    (void)state;
    shape_model m;
    shape_open(&small, true, &m);
    pl_torch_settings s = training;
    s.optimizer = PL_TORCH_ADAMW8BIT;
    uint64_t want = states_8bit(500 * 96) + states_8bit(128 * 96) + states_8bit(2 * 96) + 2 * states_8bit(96); /* embeddings */
    want += 3 * (4 * states_8bit(96 * 96) + 2 * states_8bit(96 * 200) + 4 * states_8bit(96) + states_8bit(200) + 5 * states_8bit(96));
    want += states_8bit(96 * 96) + states_8bit(96) + states_8bit(3 * 96) + states_8bit(3);
    assert_int_equal(measure(&m.model, &s, GIB).parts.optimizer, want);
    shape_close(&m);
}

static void every_part_grows_with_the_job(void **state)
{
    (void)state;
    shape_model m;
    shape_open(&small, true, &m);
    for (unsigned kind = 0; kind < 32; kind++) {
        pl_torch_settings s = training;
        s.precision = kind & 1 ? PL_TORCH_BF16 : PL_TORCH_F32;
        s.attention = kind & 2 ? PL_TORCH_EAGER : PL_TORCH_SDPA;
        s.checkpointing = (kind & 4) != 0;
        s.train = (kind & 8) != 0;
        s.hidden_dropout = s.attention_dropout = s.classifier_dropout = kind & 16 ? 0.1 : 0;
        pl_torch_fit before = {.peak = 0};
        for (s.batch = 1; s.batch < 40; s.batch += 3) {
            pl_torch_fit fit = measure(&m.model, &s, 4 * GIB);
            assert_true(fit.parts.activations >= before.parts.activations);
            assert_true(fit.parts.activations + fit.parts.temporaries >= before.parts.activations + before.parts.temporaries);
            before = fit;
        }
        before.parts.activations = 0;
        for (s.length = 1; s.length <= 128; s.length++) {
            pl_torch_fit fit = measure(&m.model, &s, 4 * GIB);
            assert_true(!s.train || fit.parts.activations > before.parts.activations);
            before = fit;
        }
    }
    shape_close(&m);
}

static void knobs_save_what_they_say(void **state)
{
    (void)state;
    shape_model m;
    shape_open(&base, true, &m);
    pl_torch_settings s = {.train = true, .batch = 16, .length = 512};
    pl_torch_fit plain = measure(&m.model, &s, 40 * GIB);
    s.attention = PL_TORCH_EAGER;
    assert_true(measure(&m.model, &s, 40 * GIB).parts.activations > plain.parts.activations + 12ull * 12 * 16 * 512 * 512 * 4 - 12ull * 12 * 16 * 512 * 4 - 1);
    s.attention = PL_TORCH_SDPA;
    s.checkpointing = true; /* the inputs of 12 layers, the last hidden rows, one norm, a few texts' rows */
    uint64_t rows = 16 * 512 * 768 * 4, kept = measure(&m.model, &s, 40 * GIB).parts.activations;
    assert_true(kept > 14 * rows && kept < 14 * rows + MIB);
    s.checkpointing = false;
    s.precision = PL_TORCH_BF16;
    pl_torch_fit narrow = measure(&m.model, &s, 40 * GIB);
    assert_true(narrow.parts.activations < plain.parts.activations * 7 / 10);
    s.precision = PL_TORCH_F16;
    assert_int_equal(measure(&m.model, &s, 40 * GIB).peak, narrow.peak);
    s = (pl_torch_settings){.train = true, .batch = 16, .length = 512, .hidden_dropout = 0.1};
    assert_int_equal(measure(&m.model, &s, 40 * GIB).parts.activations - plain.parts.activations, 25 * rows / 4); /* masks of a byte */
    shape_close(&m);
}

static void biggest(const pl_model *m, pl_torch_settings s, uint64_t limit)
{
    pl_torch_fit fit;
    pl_error e;
    if (pl_torch_fit_make(m, &s, limit, &fit, &e))
        fail_msg("%s", e.text);
    uint32_t most = fit.biggest_batch;
    assert_true(fit.fits || most != s.batch);
    s.batch = most;
    if (most > 0)
        assert_true(measure(m, &s, limit).fits);
    s.batch = most + 1;
    assert_false(measure(m, &s, limit).fits);
}

static void biggest_batch_fits_and_one_more_does_not(void **state)
{
    (void)state;
    const shape *shapes[] = {&small, &base};
    for (size_t k = 0; k < PL_COUNT(shapes); k++) {
        shape_model m;
        shape_open(shapes[k], true, &m);
        for (unsigned kind = 0; kind < 16; kind++)
            for (uint64_t limit = 300 * MIB; limit < 30 * GIB; limit = limit * 5 / 2 + 12345) {
                pl_torch_settings s = {.train = (kind & 8) == 0,
                    .batch = 3,
                    .length = 128,
                    .checkpointing = (kind & 4) != 0,
                    .precision = kind & 1 ? PL_TORCH_BF16 : PL_TORCH_F32,
                    .attention = kind & 2 ? PL_TORCH_EAGER : PL_TORCH_SDPA};
                biggest(&m.model, s, limit);
            }
        shape_close(&m);
    }
}

static void alternatives_are_ranked(void **state)
{
    (void)state;
    shape_model m;
    shape_open(&base, true, &m);
    static pl_torch_fit others[PL_TORCH_ALTERNATIVES];
    size_t count;
    pl_error e;
    pl_torch_settings s = {.train = true, .batch = 24, .length = 512};
    for (unsigned i = 0; i < 4; i++) {
        s.optimizer = i == 1 ? PL_TORCH_ADAMW8BIT : i == 2 ? PL_TORCH_SGD : PL_TORCH_ADAMW;
        s.train = i < 3;
        assert_int_equal(pl_torch_alternatives(&m.model, &s, 6 * GIB, others, PL_COUNT(others), &count, &e), PL_OK);
        assert_int_equal(count, s.train ? 15 : 3);
        for (size_t k = 0; k < count; k++) {
            const pl_torch_settings *t = &others[k].settings;
            assert_true(t->batch == s.batch && t->length == s.length && t->train == s.train);
            assert_false(t->precision == s.precision && t->attention == s.attention && t->checkpointing == s.checkpointing && t->optimizer == s.optimizer);
            if (k == 0)
                continue;
            const pl_torch_fit *a = &others[k - 1], *b = &others[k];
            assert_true(a->fits >= b->fits);
            assert_true(a->fits != b->fits || a->biggest_batch > b->biggest_batch || (a->biggest_batch == b->biggest_batch && a->peak <= b->peak));
        }
    }
    assert_int_equal(pl_torch_alternatives(&m.model, &training, GIB, others, 4, &count, &e), PL_OK);
    assert_int_equal(count, 4);
    shape_close(&m);
}

static void base_models_are_read(void **state)
{
    (void)state;
    shape without = small;
    without.headless = true;
    for (unsigned i = 0; i < 2; i++) {
        without.distilbert = i == 1;
        shape_model m;
        shape_open(&without, false, &m); /* BertModel's pooler counts, DistilBertModel has none */
        pl_torch_settings s = {.batch = 4, .length = 100};
        pl_torch_fit fit = measure(&m.model, &s, GIB);
        assert_int_equal(m.model.task, PL_TASK_EMBED);
        assert_int_equal(fit.parts.weights, 4 * shape_parameters(&without));
        shape_close(&m);
        shape_open(&without, true, &m); /* training adds a head of as many labels as config.json says */
        s.train = true;
        uint64_t head = 3 * 96 + 3 + (i ? 96 * 96 + 96 : 0);
        assert_int_equal(measure(&m.model, &s, GIB).parts.weights, 4 * (shape_parameters(&without) + head));
        shape_close(&m);
    }
}

static void nothing_overflows(void **state)
{
    (void)state;
    shape vast = {.hidden = 1 << 12, .layers = 2, .heads = 1 << 12, .inner = 1 << 20, .vocabulary = 2, .positions = 1 << 24, .labels = 2};
    shape_model m;
    shape_open(&vast, true, &m);
    pl_torch_settings s = {.train = true, .batch = PL_TORCH_MOST_BATCH, .length = 1 << 24};
    pl_torch_fit fit;
    pl_error e;
    assert_int_equal(pl_torch_measure(&m.model, &s, UINT64_MAX, &fit, &e), PL_USAGE);
    assert_int_equal(pl_torch_fit_make(&m.model, &s, UINT64_MAX, &fit, &e), PL_USAGE);
    s.batch = 1;
    s.length = 1;
    assert_int_equal(pl_torch_fit_make(&m.model, &s, 1, &fit, &e), PL_OK);
    assert_true(!fit.fits && fit.biggest_batch == 0 && fit.peak > 1);
    assert_int_equal(pl_torch_fit_make(&m.model, &s, UINT64_MAX, &fit, &e), PL_OK);
    assert_true(fit.fits && fit.biggest_batch == PL_TORCH_MOST_BATCH);
    shape_close(&m);
}

static void failing_memory_is_told(void **state)
{
    (void)state;
    shape_model m;
    shape_open(&small, true, &m);
    unsigned failures = 0;
    for (unsigned i = 1;; i++) {
        pl_torch_fit fit;
        pl_error e;
        fail_at = i;
        pl_status status = pl_torch_fit_make(&m.model, &training, GIB, &fit, &e);
        bool reached = fail_at == 0;
        fail_at = 0;
        if (!reached) {
            assert_int_equal(status, PL_OK);
            break;
        }
        assert_int_equal(status, PL_MACHINE);
        failures++;
    }
    assert_true(failures > 10);
    shape_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parts_follow_from_parameters), cmocka_unit_test(states_of_8_bits_have_scales),
        cmocka_unit_test(every_part_grows_with_the_job), cmocka_unit_test(knobs_save_what_they_say), cmocka_unit_test(biggest_batch_fits_and_one_more_does_not),
        cmocka_unit_test(alternatives_are_ranked), cmocka_unit_test(base_models_are_read), cmocka_unit_test(nothing_overflows),
        cmocka_unit_test(failing_memory_is_told)};
    return cmocka_run_group_tests_name("pytorch fit", tests, make_begin, make_end);
}
