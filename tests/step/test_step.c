/* An optimizer step: gradients against differences of the loss, and the same bits whatever is kept,
 * spilled, cut into micro-batches or shared among threads. */
#include "../infer/folder.h"

#include "text/text.h"
#include "train/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TEXTS = 12, LONGEST = 24, MOST_ROWS = TEXTS * LONGEST, LABELS = 3, STEPS = 4 };

static const test_model bert = {.hidden = 48, .heads = 4, .inner = 88, .layers = 3, .positions = 32, .labels = LABELS};
static const test_model distil = {.hidden = 40, .heads = 2, .inner = 64, .layers = 2, .positions = 32, .labels = LABELS, .distilbert = true};

static uint32_t ids[MOST_ROWS], positions[MOST_ROWS], starts[TEXTS + 1], used[TEST_VOCABULARY];
static uint8_t types[MOST_ROWS];
static uint64_t examples[TEXTS];
static float targets[TEXTS];

static pl_batch make_batch(void)
{
    uint32_t seed = 3, rows = 0;
    for (uint32_t t = 0; t < TEXTS; t++) {
        starts[t] = rows;
        uint32_t n = 2 + t * 7 % (LONGEST - 1);
        for (uint32_t i = 0; i < n; i++, rows++) {
            seed = seed * 1664525u + 1013904223u;
            ids[rows] = i == 0 ? 2 : 5 + (seed >> 16) % 60;
            positions[rows] = i;
            types[rows] = i > n / 2;
        }
        examples[t] = 100 + t;
        targets[t] = (float)(t % LABELS);
    }
    starts[TEXTS] = rows;
    for (uint32_t i = 0; i < TEST_VOCABULARY; i++)
        used[i] = i;
    return (pl_batch){
        .texts = TEXTS, .rows = rows, .ids = ids, .types = types, .positions = positions, .starts = starts, .examples = examples, .targets = targets};
}

typedef struct fixture {
    const char *path;
    pl_folder *folder;
    pl_region region;
    pl_model model;
    pl_step_request request;
} fixture;

static void open_model(fixture *f, const test_model *m)
{
    pl_error e;
    f->path = test_folder_make(m);
    pl_region_init(&f->region, NULL);
    assert_int_equal(pl_folder_open(f->path, pl_memory_system(), &f->folder, &e), PL_OK);
    if (pl_model_make(f->folder, &(pl_model_choice){.task = PL_TASK_CLASSIFY}, &f->region, &f->model, &e))
        fail_msg("%s", e.text);
    pl_isa isa = pl_isa_best(pl_isa_present(), PL_F32);
    f->request = (pl_step_request){
        .model = &f->model,
        .kernels = pl_kernels_of(isa, PL_F32),
        .train = pl_train_kernels_of(isa, PL_F32),
        .limit = 1 << 30,
        .threads = 2,
        .recipe = {.problem = PL_PROBLEM_SINGLE,
            .labels = LABELS,
            .b1 = 0.9,
            .b2 = 0.999,
            .eps = 1e-8,
            .max_grad_norm = 1,
            .weight_decay = 0.01,
            .seed = 42,
            .shards = 1},
        .batch = TEXTS,
        .longest = LONGEST,
        .batch_rows = MOST_ROWS,
        .used = used,
        .used_count = TEST_VOCABULARY,
        .spill_folder = "/tmp",
        .spill_free = 1 << 30,
    };
    assert_int_equal(pl_rates_of(isa, PL_F32, NULL, &f->request.rates, &e), PL_OK);
}

static void close_model(fixture *f)
{
    pl_folder_close(f->folder);
    pl_region_free(&f->region);
    test_folder_remove(f->path);
}

static pl_step *open_step(fixture *f, const pl_step_knobs *knobs)
{
    pl_error e;
    pl_step_plan plan;
    pl_step *s;
    if (pl_step_plan_make(&f->request, &f->region, &plan, &e))
        fail_msg("%s", e.text);
    assert_true(plan.fits);
    if (knobs) {
        plan.knobs = *knobs;
        plan.spill_bytes = 64 << 20;
    }
    if (pl_step_open(&f->request, &plan, &s, &e))
        fail_msg("%s", e.text);
    return s;
}

static double loss_of(pl_step *s, const pl_batch *b)
{
    float logits[TEXTS * LABELS];
    uint32_t bad;
    pl_error e;
    assert_int_equal(pl_step_eval(s, b, logits, &e), PL_OK);
    return pl_step_loss(&s->request.recipe, logits, b->targets, b->texts, &bad);
}

/* Directional derivatives: along a random direction in one parameter the loss changes as the
 * gradient says. */
static void gradients(fixture *f)
{
    pl_batch b = make_batch();
    pl_step *s = open_step(f, &(pl_step_knobs){.micro_rows = 40});
    pl_step_result r;
    pl_error e;
    uint64_t n = pl_step_elements(s);
    float *before = malloc(n * sizeof *before), *gradient = malloc(n * sizeof *gradient);
    assert_int_equal(pl_step_get(s, 0, 0, n, before, &e), PL_OK);
    double first = loss_of(s, &b);
    if (pl_step_run(s, &b, 1, 0, &r, &e))
        fail_msg("%s", e.text);
    assert_true(fabs(first - r.loss) < 1e-6 * fabs(first));
    assert_int_equal(pl__store_get(&s->store, PL__GRADIENTS, 0, n, gradient, &e), PL_OK);
    double square = 0;
    for (size_t i = 0; i < pl_step_parameters(s); i++) {
        const pl_parameter *p = pl_step_parameter(s, i);
        double along = 0, size = 0;
        float *moved = malloc(p->count * sizeof *moved);
        for (uint64_t k = 0; k < p->count; k++) {
            along += (double)gradient[p->first + k] * gradient[p->first + k];
            size = fmax(size, fabs((double)before[p->first + k]));
        }
        square += along;
        double norm = sqrt(along), step = 2e-2;
        if (norm < 1e-5) {
            free(moved);
            continue;
        }
        double loss[2];
        for (int side = 0; side < 2; side++) {
            for (uint64_t k = 0; k < p->count; k++)
                moved[k] = (float)(before[p->first + k] + (side ? step : -step) * gradient[p->first + k] / norm);
            pl_step_set(s, 0, p->first, p->count, moved, &e);
            loss[side] = loss_of(s, &b);
        }
        pl_step_set(s, 0, p->first, p->count, before + p->first, &e);
        double seen = (loss[1] - loss[0]) / (2 * step);
        if (fabs(seen - norm) > 0.02 * norm + 2e-5)
            fail_msg("%s: the loss changes by %g, the gradient says %g", p->name, seen, norm);
        free(moved);
    }
    assert_true(fabs(sqrt(square) - r.grad_norm) < 1e-4 * r.grad_norm);
    free(before);
    free(gradient);
    pl_step_close(s);
}

static void bert_gradients(void **state)
{
    (void)state;
    fixture f;
    open_model(&f, &bert);
    gradients(&f);
    close_model(&f);
}

static void distilbert_gradients(void **state)
{
    (void)state;
    fixture f;
    open_model(&f, &distil);
    gradients(&f);
    close_model(&f);
}

static void train(fixture *f, const pl_step_knobs *knobs, float *out, double *loss, uint64_t shrink)
{
    pl_batch b = make_batch();
    pl_step *s = open_step(f, knobs);
    pl_error e;
    pl_step_result r;
    for (uint64_t t = 1; t <= STEPS; t++) {
        if (shrink && t == 2)
            assert_int_equal(pl_step_shrink(s, shrink), PL_OK);
        if (shrink && t == 4)
            assert_int_equal(pl_step_shrink(s, 0), PL_OK);
        if (pl_step_run(s, &b, t, 1e-3, &r, &e))
            fail_msg("%s", e.text);
        assert_int_equal(r.bad_text, UINT32_MAX);
        loss[t - 1] = r.loss;
    }
    if (shrink)
        assert_true(pl_step_bends(s) > 0);
    assert_int_equal(pl_step_get(s, 0, 0, pl_step_elements(s), out, &e), PL_OK);
    pl_step_close(s);
}

static void same(const test_model *m, double dropout)
{
    fixture f;
    open_model(&f, m);
    f.request.recipe.hidden_dropout = f.request.recipe.attention_dropout = f.request.recipe.classifier_dropout = dropout;
    uint64_t n = 0;
    pl__parameters params;
    pl_error e;
    make_batch();
    assert_int_equal(pl__parameters_make(&f.request, &f.region, &params, &e), PL_OK);
    n = params.elements;
    float *truth = malloc(n * sizeof *truth), *other = malloc(n * sizeof *other);
    double losses[STEPS], again[STEPS];
    train(&f, NULL, truth, losses, 0);
    assert_true(losses[STEPS - 1] < losses[0] || dropout > 0);
    for (unsigned i = 0; i < 24; i++) {
        pl_step_knobs k = {.micro_rows = LONGEST + i * 11,
            .kept_layers = i % (m->layers + 1),
            .spill_state = i & 1,
            .spill_gradients = i & 2,
            .spill_weights = i & 4,
            .spill_inputs = i & 8};
        f.request.threads = 1 + i % 3;
        train(&f, &k, other, again, 0);
        assert_memory_equal(losses, again, sizeof losses);
        assert_memory_equal(truth, other, n * sizeof *truth);
    }
    f.request.threads = 2;
    pl_step_plan plan;
    assert_int_equal(pl_step_plan_make(&f.request, &f.region, &plan, &e), PL_OK);
    train(&f, NULL, other, again, plan.floor);
    assert_memory_equal(truth, other, n * sizeof *truth);
    free(truth);
    free(other);
    close_model(&f);
}

static void bert_same(void **state)
{
    (void)state;
    same(&bert, 0);
}
static void bert_same_dropout(void **state)
{
    (void)state;
    same(&bert, 0.2);
}
static void distilbert_same(void **state)
{
    (void)state;
    same(&distil, 0.1);
}

static void floor_and_ledger(void **state)
{
    (void)state;
    fixture f;
    open_model(&f, &bert);
    make_batch();
    pl_error e;
    pl_step_plan plan;
    f.request.limit = 1;
    assert_int_equal(pl_step_plan_make(&f.request, &f.region, &plan, &e), PL_OK);
    assert_false(plan.fits);
    uint64_t floor = f.request.limit = plan.floor;
    assert_int_equal(pl_step_plan_make(&f.request, &f.region, &plan, &e), PL_OK);
    assert_true(plan.fits && plan.peak == floor);
    assert_int_equal(pl_ledger_peak(&plan.ledger), plan.peak);
    f.request.limit = floor - 1;
    assert_int_equal(pl_step_plan_make(&f.request, &f.region, &plan, &e), PL_OK);
    assert_false(plan.fits);
    close_model(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bert_gradients),
        cmocka_unit_test(distilbert_gradients),
        cmocka_unit_test(bert_same),
        cmocka_unit_test(bert_same_dropout),
        cmocka_unit_test(distilbert_same),
        cmocka_unit_test(floor_and_ledger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
