/* The limit never changes the answer: any plan, thread count, instruction set, order, company and
 * change of the limit in mid-run gives the same bytes. */
#include "infer/folder.h"

#include "device/device.h"

#include <plimsoll.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TEXTS = 90, TEXT_BYTES = 600, MOST_WIDTH = 256, LONGEST = 48 };

static char texts[TEXTS][TEXT_BYTES];
static const test_model base = {.hidden = 72, .heads = 6, .inner = 200, .layers = 3, .positions = 64};
static const test_model head = {.hidden = 64, .heads = 4, .inner = 96, .layers = 2, .positions = 64, .labels = 5};
static const test_model distil = {.hidden = 60, .heads = 3, .inner = 130, .layers = 2, .positions = 64, .labels = 2, .distilbert = true};

static void make_texts(void)
{
    unsigned seed = 5;
    for (int t = 0; t < TEXTS; t++) {
        size_t used = 0;
        unsigned words = t % 9 == 0 ? 0 : t % 7 == 0 ? 60 : seed % 23;
        for (unsigned i = 0; i < words && used + 8 < TEXT_BYTES; i++) {
            seed = seed * 1103515245u + 12345u;
            used += (size_t)snprintf(texts[t] + used, TEXT_BYTES - used, "w%u ", (seed >> 16) % 195);
        }
    }
}

typedef struct job {
    const char *model;
    uint64_t memory;
    unsigned threads;
    const char *isa;
    pl_precision precision;
    uint64_t shrink; /* asked for after the tenth answer, and taken back after the thirtieth */
} job;

typedef struct feed {
    const int *order;
    size_t next, count;
    float *out;
    size_t width, got;
    pl_session *session;
    uint64_t shrink;
    pl_status shrunk;
} feed;

static pl_status give(void *self, int wait_ms, pl_text *text, pl_error *e)
{
    feed *f = self;
    (void)wait_ms;
    (void)e;
    if (f->next == f->count)
        return PL_END;
    const char *t = texts[f->order[f->next++]];
    *text = (pl_text){.text = t, .text_bytes = strlen(t), .line = f->next};
    return PL_OK;
}

static pl_status take(void *self, const pl_result *r, pl_error *e)
{
    feed *f = self;
    (void)e;
    assert_int_equal(r->index, f->got);
    memcpy(f->out + (size_t)f->order[f->got] * f->width, r->values, f->width * sizeof(float));
    f->got++;
    if (f->shrink && f->got == 10)
        f->shrunk = pl_shrink(f->session, f->shrink);
    if (f->shrink && f->got == 30)
        assert_int_equal(pl_shrink(f->session, 0), PL_OK);
    return PL_OK;
}

static pl_plan *plan(const job *j)
{
    pl_environment env = {.isa = j->isa};
    pl_options o;
    pl_options_init(&o);
    o.memory = j->memory;
    o.threads = j->threads;
    o.precision = j->precision;
    o.max_length = LONGEST;
    o.environment = &env;
    pl_plan *p;
    pl_error e;
    if (pl_plan_make(j->model, &o, &p, &e))
        fail_msg("%s", e.text);
    return p;
}

/* Runs texts in an order; out is by text. Returns floats a text. */
static size_t run(const job *j, const int *order, size_t count, float *out)
{
    pl_plan *p = plan(j);
    pl_session *s;
    pl_error e;
    if (pl_open(p, &s, &e))
        fail_msg("%s %s", e.text, e.hints);
    feed f = {.order = order, .count = count, .out = out, .width = pl_plan_width(p), .session = s, .shrink = j->shrink};
    pl_status st = pl_run(s, "texts", give, &f, take, &f, &e);
    if (st)
        fail_msg("%s", e.text);
    assert_int_equal(f.got, count);
    if (j->shrink) {
        pl_stats stats;
        pl_session_stats(s, &stats);
        assert_int_equal(f.shrunk, PL_OK);
        assert_true(stats.peak_bytes <= pl_plan_limit(p));
    }
    size_t width = f.width;
    pl_close(s);
    pl_plan_free(p);
    return width;
}

static uint64_t floor_of(const char *model, unsigned threads, const char *isa, pl_precision precision)
{
    pl_plan *p = plan(&(job){.model = model, .memory = 1, .threads = threads, .isa = isa, .precision = precision});
    assert_false(pl_plan_fits(p));
    uint64_t floor = pl_plan_floor(p);
    pl_plan_free(p);
    return floor;
}

static void same(const test_model *m)
{
    static float truth[TEXTS * MOST_WIDTH], other[TEXTS * MOST_WIDTH];
    int straight[TEXTS], mixed[TEXTS];
    for (int i = 0; i < TEXTS; i++) {
        straight[i] = i;
        mixed[i] = (i * 37 + 11) % TEXTS;
    }
    const char *model = test_folder_make(m);
    size_t width = run(&(job){.model = model, .memory = 1 << 30, .threads = 2}, straight, TEXTS, truth), bytes = width * TEXTS * sizeof(float);
    unsigned present = pl_isa_present();
    for (unsigned threads = 1; threads <= 3; threads++)
        for (unsigned isa = 0; isa <= PL_ISA_AVX512; isa++) {
            if (!(present >> isa & 1))
                continue;
            uint64_t floor = floor_of(model, threads, pl_isa_name((pl_isa)isa), PL_PRECISION_F32);
            const uint64_t limits[] = {floor, floor + floor / 8, floor * 2, 1 << 28};
            for (size_t i = 0; i < PL_COUNT(limits); i++) {
                job j = {.model = model, .memory = limits[i], .threads = threads, .isa = pl_isa_name((pl_isa)isa)};
                memset(other, 0, bytes);
                run(&j, i % 2 ? mixed : straight, TEXTS, other);
                assert_memory_equal(truth, other, bytes);
            }
        }
    for (int i = 0; i < TEXTS; i += 17) { /* alone */
        run(&(job){.model = model, .memory = 1 << 28, .threads = 3}, &straight[i], 1, other);
        assert_memory_equal(truth + (size_t)i * width, other + (size_t)i * width, width * sizeof(float));
    }
    test_folder_remove(model);
}

static void base_model(void **state)
{
    (void)state;
    same(&base);
}
static void classifier(void **state)
{
    (void)state;
    same(&head);
}
static void distilbert(void **state)
{
    (void)state;
    same(&distil);
}

/* bf16 is promised per instruction path. */
static void bf16_by_path(void **state)
{
    (void)state;
    static float truth[TEXTS * MOST_WIDTH], other[TEXTS * MOST_WIDTH];
    int order[TEXTS];
    for (int i = 0; i < TEXTS; i++)
        order[i] = i;
    const char *model = test_folder_make(&base);
    unsigned present = pl_isa_present();
    for (unsigned isa = 0; isa < PL_ISA_COUNT; isa++) {
        if (!(present >> isa & 1))
            continue;
        job j = {.model = model, .memory = 1 << 28, .threads = 2, .isa = pl_isa_name((pl_isa)isa), .precision = PL_PRECISION_BF16};
        size_t bytes = run(&j, order, TEXTS, truth) * TEXTS * sizeof(float);
        uint64_t floor = floor_of(model, 1, j.isa, j.precision);
        for (unsigned i = 0; i < 3; i++) {
            j.memory = floor + floor * i / 4;
            j.threads = 1;
            run(&j, order, TEXTS, other);
            assert_memory_equal(truth, other, bytes);
        }
    }
    test_folder_remove(model);
}

static void bending(void **state)
{
    (void)state;
    static float truth[TEXTS * MOST_WIDTH], other[TEXTS * MOST_WIDTH];
    int order[TEXTS];
    for (int i = 0; i < TEXTS; i++)
        order[i] = i;
    const char *model = test_folder_make(&base);
    job j = {.model = model, .memory = 1 << 28, .threads = 2};
    size_t bytes = run(&j, order, TEXTS, truth) * TEXTS * sizeof(float);
    uint64_t floor = floor_of(model, 2, NULL, PL_PRECISION_F32);
    for (uint64_t begin = floor * 3 / 2; begin < 64 << 20; begin *= 3) {
        j.memory = begin;
        pl_plan *p = plan(&j);
        pl_session *s;
        pl_error e;
        assert_int_equal(pl_open(p, &s, &e), PL_OK);
        uint64_t least = pl_session_floor(s);
        assert_true(least <= pl_plan_peak(p));
        assert_int_equal(pl_shrink(s, least - 1), PL_NO_FIT);
        pl_close(s);
        pl_plan_free(p);
        for (unsigned part = 0; part < 3; part++) {
            j.shrink = least + (begin > least ? (begin - least) * part / 3 : 0);
            run(&j, order, TEXTS, other);
            assert_memory_equal(truth, other, bytes);
        }
    }
    test_folder_remove(model);
}

static void floor_is_true(void **state)
{
    (void)state;
    const char *model = test_folder_make(&head);
    for (unsigned threads = 1; threads <= 2; threads++) {
        uint64_t floor = floor_of(model, threads, NULL, PL_PRECISION_F32);
        job j = {.model = model, .memory = floor, .threads = threads};
        pl_plan *p = plan(&j);
        assert_true(pl_plan_fits(p));
        assert_int_equal(pl_plan_peak(p), floor);
        pl_plan_free(p);
        j.memory = floor - 1;
        p = plan(&j);
        assert_false(pl_plan_fits(p));
        pl_session *s;
        pl_error e;
        assert_int_equal(pl_open(p, &s, &e), PL_NO_FIT);
        assert_non_null(strstr(e.text, "smallest"));
        pl_plan_free(p);
    }
    test_folder_remove(model);
}

static pl_status fail_at_seventh(void *self, int wait_ms, pl_text *text, pl_error *e)
{
    feed *f = self;
    if (f->next == 6)
        return pl_fail(e, PL_BAD_INPUT, "line 7 is no text");
    return give(self, wait_ms, text, e);
}

/* What came before a fault is answered; the session serves the next call. */
static void faults_in_the_input(void **state)
{
    (void)state;
    static float out[TEXTS * MOST_WIDTH];
    int order[TEXTS];
    for (int i = 0; i < TEXTS; i++)
        order[i] = i;
    const char *model = test_folder_make(&base);
    job j = {.model = model, .memory = 1 << 28, .threads = 2};
    pl_plan *p = plan(&j);
    pl_session *s;
    pl_error e;
    assert_int_equal(pl_open(p, &s, &e), PL_OK);
    feed f = {.order = order, .count = TEXTS, .out = out, .width = pl_plan_width(p)};
    assert_int_equal(pl_run(s, "texts", fail_at_seventh, &f, take, &f, &e), PL_BAD_INPUT);
    assert_string_equal(e.text, "line 7 is no text");
    assert_int_equal(f.got, 6);
    snprintf(texts[3], TEXT_BYTES, "w1 \xff w2");
    f = (feed){.order = order, .count = TEXTS, .out = out, .width = pl_plan_width(p)};
    assert_int_equal(pl_run(s, "a.txt", give, &f, take, &f, &e), PL_BAD_INPUT);
    assert_non_null(strstr(e.text, "a.txt: line 4: "));
    assert_int_equal(f.got, 3);
    make_texts();
    f = (feed){.order = order, .count = TEXTS, .out = out, .width = pl_plan_width(p)};
    assert_int_equal(pl_run(s, "texts", give, &f, take, &f, &e), PL_OK);
    assert_int_equal(f.got, TEXTS);
    pl_close(s);
    pl_plan_free(p);
    test_folder_remove(model);
}

static void needs_an_encoder_for_labels(void **state)
{
    (void)state;
    const char *model = test_folder_make(&base);
    pl_options o;
    pl_options_init(&o);
    o.task = PL_TASK_CLASSIFY;
    pl_plan *p;
    pl_error e;
    assert_int_equal(pl_plan_make(model, &o, &p, &e), PL_BAD_INPUT);
    assert_non_null(strstr(e.text, "BertModel") ? strstr(e.text, "BertModel") : strstr(e.text, "base model"));
    assert_null(p);
    test_folder_remove(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base_model),
        cmocka_unit_test(classifier),
        cmocka_unit_test(distilbert),
        cmocka_unit_test(bf16_by_path),
        cmocka_unit_test(bending),
        cmocka_unit_test(floor_is_true),
        cmocka_unit_test(faults_in_the_input),
        cmocka_unit_test(needs_an_encoder_for_labels),
    };
    make_texts();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
