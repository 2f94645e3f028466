/* An optimizer step: gradients against differences of the loss, and the same bits whatever is kept,
 * spilled, cut into micro-batches or shared among threads, in f32 and in bf16, with shards and without. */
#include "../infer/folder.h"

#include "device/cpu/avx512_bf16/train.h"
#include "device/cpu/tables.h"
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

/* Under ThreadSanitizer each barrier costs a thousand times more: every fifth plan then, and of the
 * tests those that share a step among threads in different ways. */
#if defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD_SANITIZER 1
#endif
#endif
#ifndef THREAD_SANITIZER
#define THREAD_SANITIZER 0
#endif
enum { EVERY = THREAD_SANITIZER ? 5 : 1 };

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

/* ---- what computes ---- */
typedef struct path {
    pl_isa isa;
    pl_dtype compute;
    bool wide; /* as AMX: 32 rows a step, on any machine that has AVX512_BF16 */
} path;

#ifdef PL_HAVE_AVX512_BF16
static void wide_pack_rows(const pl_pack_rows *p) { pl__bf16_pack_rows(p, 32); }
static void wide_gemm_tn(const pl_gemm *g, const pl_row_texts *texts, void *workspace, size_t first_panel, size_t last_panel)
{
    pl__bf16_gemm_tn(&pl__avx512_bf16, 32, g, texts, workspace, first_panel, last_panel);
}
#endif

static const pl_train_kernels *kernels_of(path p)
{
    const pl_train_kernels *k = pl_train_kernels_of(p.isa, p.compute);
#ifdef PL_HAVE_AVX512_BF16
    static pl_train_kernels wide;
    wide = *k;
    wide.row_step = 32;
    wide.pack_rows = wide_pack_rows;
    wide.gemm_tn = wide_gemm_tn;
    k = p.wide ? &wide : k;
#endif
    return k;
}

static path fastest(void) { return (path){pl_isa_best(pl_isa_present(), PL_F32), PL_F32, false}; }
static bool has(pl_isa isa) { return pl_isa_present() >> isa & 1; }

static void open_model(fixture *f, const test_model *m, path p)
{
    pl_error e;
    f->path = test_folder_make(m);
    pl_region_init(&f->region, NULL);
    assert_int_equal(pl_folder_open(f->path, pl_memory_system(), &f->folder, &e), PL_OK);
    if (pl_model_make(f->folder, &(pl_model_choice){.task = PL_TASK_CLASSIFY}, &f->region, &f->model, &e))
        fail_msg("%s", e.text);
    f->request = (pl_step_request){
        .model = &f->model,
        .kernels = pl_kernels_of(p.isa, p.compute),
        .train = kernels_of(p),
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
    assert_int_equal(pl_rates_of(p.isa, p.compute, NULL, &f->request.rates, &e), PL_OK);
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

/* As if every word had a gradient. */
static float *gradients_of(pl_step *s)
{
    uint64_t n = pl_step_elements(s), first = s->params.gradient_first;
    float *g = calloc(n, sizeof *g);
    const float *words = (const float *)(const void *)(s->arena + s->program.word_gradients);
    pl_error e;
    assert_int_equal(pl__store_get(&s->store, PL__GRADIENTS, first, n - first, g + first, &e), PL_OK);
    for (uint32_t i = 0; i < s->words.count; i++)
        memcpy(g + s->words.rows[i] * s->words.width, words + i * s->words.width, s->words.width * sizeof *g);
    return g;
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
    float *before = malloc(n * sizeof *before);
    assert_int_equal(pl_step_get(s, 0, 0, n, before, &e), PL_OK);
    double first = loss_of(s, &b);
    if (pl_step_run(s, &b, 1, 0, &r, &e))
        fail_msg("%s", e.text);
    assert_true(fabs(first - r.loss) < 1e-6 * fabs(first));
    float *gradient = gradients_of(s);
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
    open_model(&f, &bert, fastest());
    gradients(&f);
    close_model(&f);
}

static void distilbert_gradients(void **state)
{
    (void)state;
    fixture f;
    open_model(&f, &distil, fastest());
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

static uint64_t elements_of(fixture *f)
{
    pl__parameters params;
    pl_error e;
    make_batch();
    assert_int_equal(pl__parameters_make(&f->request, &f->region, &params, &e), PL_OK);
    return params.elements;
}

static void same(const test_model *m, path p, double dropout, uint32_t shards)
{
    fixture f;
    open_model(&f, m, p);
    f.request.recipe.hidden_dropout = f.request.recipe.attention_dropout = f.request.recipe.classifier_dropout = dropout;
    f.request.recipe.shards = shards;
    uint64_t n = elements_of(&f);
    pl_error e;
    float *truth = malloc(n * sizeof *truth), *other = malloc(n * sizeof *other);
    double losses[STEPS], again[STEPS];
    train(&f, NULL, truth, losses, 0);
    assert_true(losses[STEPS - 1] < losses[0] || dropout > 0);
    for (unsigned i = 0; i < 24; i += EVERY) {
        pl_step_knobs k = {.micro_rows = LONGEST + i * 11,
            .kept_layers = i % (m->layers + 1),
            .passing_layers = i / 3 % (i % (m->layers + 1) + 1),
            .rest = i % (m->layers + 1) < m->layers ? i / 2 % PL_RESTS : PL_REST_NOTHING,
            .passing_rest = i % (m->layers + 1) < m->layers && i / 2 % PL_RESTS != PL_REST_NOTHING && i / 5 % 2,
            .resident_state = i & 1 ? i * 5 % PL_STATE_PARTS : 0,
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
    same(&bert, fastest(), 0, 1);
}
static void bert_same_dropout(void **state)
{
    (void)state;
    same(&bert, fastest(), 0.2, 1);
}
static void distilbert_same(void **state)
{
    (void)state;
    same(&distil, fastest(), 0.1, 1);
}
static void shards_same(void **state)
{
    (void)state;
    same(&bert, fastest(), 0.1, 2);
    if (THREAD_SANITIZER)
        return;
    same(&distil, fastest(), 0, 7);
    same(&bert, fastest(), 0, TEXTS);
}

static void bf16_same(void **state)
{
    (void)state;
    if (THREAD_SANITIZER) {
        same(&distil, (path){pl_isa_best(pl_isa_present(), PL_BF16), PL_BF16, false}, 0.1, 3);
        return;
    }
    same(&bert, (path){pl_isa_best(pl_isa_present() & ~(1u << PL_ISA_AVX512_BF16 | 1u << PL_ISA_AMX), PL_BF16), PL_BF16, false}, 0.1, 1);
    for (int isa = PL_ISA_AVX512_BF16; isa < PL_ISA_COUNT; isa++)
        if (has((pl_isa)isa)) {
            same(&bert, (path){(pl_isa)isa, PL_BF16, false}, 0, 1);
            same(&distil, (path){(pl_isa)isa, PL_BF16, false}, 0.1, 3);
        }
    if (has(PL_ISA_AVX512_BF16)) {
        same(&bert, (path){PL_ISA_AVX512_BF16, PL_BF16, true}, 0, 1);
        same(&distil, (path){PL_ISA_AVX512_BF16, PL_BF16, true}, 0.1, 2);
    }
}

static double distance(const float *a, const float *b, uint64_t n)
{
    double apart = 0, size = 0;
    for (uint64_t i = 0; i < n; i++) {
        apart += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        size += (double)b[i] * (double)b[i];
    }
    return sqrt(apart / size);
}

/* ---- gradients of one step ---- */
static float *gradient_of(path p, uint32_t shards, uint64_t *n, double *loss)
{
    fixture f;
    open_model(&f, &bert, p);
    f.request.recipe.shards = shards;
    pl_batch b = make_batch();
    pl_step *s = open_step(&f, &(pl_step_knobs){.micro_rows = 60});
    pl_step_result r;
    pl_error e;
    if (pl_step_run(s, &b, 1, 0, &r, &e))
        fail_msg("%s", e.text);
    *loss = r.loss;
    *n = pl_step_elements(s);
    float *g = gradients_of(s);
    pl_step_close(s);
    close_model(&f);
    return g;
}

/* Every path near f32, the paths by f32 arithmetic equal, the others near them. */
static void bf16_gradients(void **state)
{
    (void)state;
    uint64_t n;
    double loss, exact, reference_loss;
    float *f32 = gradient_of(fastest(), 1, &n, &exact), *reference = gradient_of((path){PL_ISA_REFERENCE, PL_BF16, false}, 1, &n, &reference_loss);
    double lost = distance(reference, f32, n);
    assert_true(lost > 1e-4 && lost < 2e-2);
    for (int isa = PL_ISA_AVX2; isa < PL_ISA_COUNT; isa++) {
        if (!has((pl_isa)isa))
            continue;
        float *g = gradient_of((path){(pl_isa)isa, PL_BF16, false}, 1, &n, &loss);
        assert_true(fabs(loss - exact) < 5e-3 * exact);
        if (isa <= PL_ISA_AVX512)
            assert_memory_equal(g, reference, n * sizeof *g);
        else if (distance(g, reference, n) > 1.5 * lost)
            fail_msg("%s: the gradient is %g from the reference's, which is %g from f32", pl_isa_name((pl_isa)isa), distance(g, reference, n), lost);
        free(g);
    }
    free(f32);
    free(reference);
}

/* Shards change the order of sums, nothing else; and the order they do change. */
static void shards_gradients(void **state)
{
    (void)state;
    uint64_t n;
    double loss, first;
    float *one = gradient_of(fastest(), 1, &n, &first);
    for (uint32_t shards = 2; shards <= TEXTS; shards++) {
        float *g = gradient_of(fastest(), shards, &n, &loss);
        double apart = distance(g, one, n);
        assert_true(loss == first && apart > 0 && apart < 1e-6);
        free(g);
    }
    free(one);
}

/* ---- words that a batch lacks ---- */

/* A short batch whose words come again after one step or after hundreds. */
static pl_batch sparse_batch(uint64_t step)
{
    pl_batch b = make_batch();
    uint32_t seed = (uint32_t)step * 2654435761u;
    b.texts = 2;
    b.rows = starts[2];
    for (uint32_t i = 0; i < b.rows; i++) {
        seed = seed * 1664525u + 1013904223u;
        ids[i] = i % 3 == 0 ? 2 : step % 100 == 7 ? 5 + (seed >> 16) % 60 : 5 + (uint32_t)(step % 9);
    }
    return b;
}

enum { SPARSE_STEPS = 2 * PL__WINDOW + 90 };

/* All that is learned, with words brought up to date when they are asked for: behind every `often`-th step. */
static float *learn_sparse(fixture *f, const pl_step_knobs *knobs, uint64_t often, uint64_t shrink)
{
    pl_step *s = open_step(f, knobs);
    uint64_t n = pl_step_elements(s);
    float *all = malloc(3 * n * sizeof *all), logits[TEXTS * LABELS];
    pl_error e;
    pl_step_result r;
    for (uint64_t t = 1; t <= SPARSE_STEPS; t++) {
        pl_batch b = sparse_batch(t);
        if (shrink && (t == 40 || t == 300))
            assert_int_equal(pl_step_shrink(s, t == 40 ? shrink : 0), PL_OK);
        if (pl_step_run(s, &b, t, 1e-3 / (double)t, &r, &e))
            fail_msg("%s", e.text);
        b = sparse_batch(t + 50);
        if (t % 31 == 0)
            assert_int_equal(pl_step_eval(s, &b, logits, &e), PL_OK);
        if (often && t % often == 0)
            assert_int_equal(pl_step_get(s, 0, 0, n, all, &e), PL_OK);
    }
    if (shrink)
        assert_true(pl_step_bends(s) > 0);
    for (int what = 0; what < 3; what++)
        assert_int_equal(pl_step_get(s, what, 0, n, all + (uint64_t)what * n, &e), PL_OK);
    pl_step_close(s);
    return all;
}

static void absent_words(void **state)
{
    (void)state;
    fixture f;
    open_model(&f, &bert, fastest());
    uint64_t n = elements_of(&f);
    pl_step_plan plan;
    pl_error e;
    assert_int_equal(pl_step_plan_make(&f.request, &f.region, &plan, &e), PL_OK);
    pl_step *untouched = open_step(&f, NULL);
    enum { ABSENT = 80 }; /* no batch has it */
    float before[48];
    uint64_t at = ABSENT * 48;
    assert_int_equal(pl_step_get(untouched, 0, at, 48, before, &e), PL_OK);
    pl_step_close(untouched);
    float *truth = learn_sparse(&f, NULL, 1, 0); /* every row in every step */
    for (unsigned i = 0; i < 48; i++) {
        float w = before[i];
        for (uint64_t t = 1; t <= SPARSE_STEPS; t++)
            w *= (float)(1.0 - 1e-3 / (double)t * 0.01);
        assert_true(w == truth[at + i] && truth[n + at + i] == 0 && truth[2 * n + at + i] == 0);
    }
    for (unsigned i = 0; i < 6; i++) {
        pl_step_knobs k = {
            .micro_rows = LONGEST, .spill_state = i > 0, .resident_state = i * 5 % PL_STATE_PARTS, .spill_weights = i & 1, .spill_gradients = i & 2};
        f.request.threads = i < 5 ? 1 + i % 3 : 2; /* those of the floor */
        float *other = learn_sparse(&f, i < 5 ? &k : NULL, i % 3 * 17, i == 5 ? plan.floor : 0);
        assert_memory_equal(truth, other, 3 * n * sizeof *truth);
        free(other);
    }
    free(truth);
    close_model(&f);
}

static void floor_and_ledger(void **state)
{
    (void)state;
    fixture f;
    open_model(&f, &bert, fastest());
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
        cmocka_unit_test(bert_same_dropout),
        cmocka_unit_test(shards_same),
        cmocka_unit_test(bf16_same),
        cmocka_unit_test(floor_and_ledger),
    };
    const struct CMUnitTest more[] = {
        cmocka_unit_test(bert_gradients),
        cmocka_unit_test(distilbert_gradients),
        cmocka_unit_test(bert_same),
        cmocka_unit_test(distilbert_same),
        cmocka_unit_test(shards_gradients),
        cmocka_unit_test(bf16_gradients),
        cmocka_unit_test(absent_words),
    };
    int failed = cmocka_run_group_tests_name("step", tests, NULL, NULL);
    return THREAD_SANITIZER ? failed : failed + cmocka_run_group_tests_name("step, more", more, NULL, NULL);
}
