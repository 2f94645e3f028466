/* The double's training: it learns nothing, but takes recipe and data as the library does, and says
 * back what it was given. MODEL's settings are those of double.c; a step takes wait_ms. */
#include "base/base.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FLOOR = 4 << 20, TEXT_BYTES = 1 << 16, SHOWN = 4096 };

struct pl_trainer {
    pl_training recipe;
    pl_options options;
    bool fails_to_fit, stop;
    long wait_ms;
    uint64_t examples[2], step;
    char seen[SHOWN]; /* the examples, as they came */
    size_t used;
};

void pl_training_init(pl_training *t)
{
    *t = (pl_training){.size = sizeof *t,
        .epochs = 3,
        .batch = 8,
        .lr = 5e-5,
        .max_grad_norm = 1,
        .dropout = -1,
        .shuffle = true,
        .seed = 42,
        .shards = 1,
        .log_every = 500,
        .save_every = 500,
        .keep = 2};
}

pl_status pl_trainer_open(const char *model, const pl_options *options, const pl_training *training, pl_trainer **out, pl_error *e)
{
    *out = NULL;
    if (strchr(model, '/') || !strchr(model, '='))
        return pl_fail(e, PL_BAD_INPUT, "%s: there is no such model", model);
    pl_trainer *t = calloc(1, sizeof *t);
    assert(t && training->size == sizeof *training && options->size == sizeof *options);
    t->recipe = *training;
    t->options = *options;
    t->fails_to_fit = strstr(model, "fail=fit") != NULL;
    const char *wait = strstr(model, "wait_ms=");
    t->wait_ms = wait ? strtol(wait + 8, NULL, 10) : 0;
    *out = t;
    return PL_OK;
}

void pl_trainer_close(pl_trainer *t) { free(t); }
size_t pl_trainer_text_bytes(const pl_trainer *t)
{
    (void)t;
    return TEXT_BYTES;
}

static void see(pl_trainer *t, const char *text, size_t n)
{
    n = pl_min(n, SHOWN - 1 - t->used);
    memcpy(t->seen + t->used, text, n);
    t->used += n;
}

/* "text/pair=label,label;" with the labels of a list in brackets and names in quotes. */
static void see_example(pl_trainer *t, const pl_example *x)
{
    see(t, x->text.text, x->text.text_bytes);
    if (x->text.pair) {
        see(t, "/", 1);
        see(t, x->text.pair, x->text.pair_bytes);
    }
    see(t, x->list ? "=[" : "=", x->list ? 2 : 1);
    for (size_t i = 0; i < x->label_count; i++) {
        see(t, ",", i > 0);
        see(t, "'", x->labels[i].name);
        see(t, x->labels[i].text, x->labels[i].bytes);
        see(t, "'", x->labels[i].name);
    }
    see(t, x->list ? "];" : ";", x->list ? 2 : 1);
}

pl_status pl_trainer_read(pl_trainer *t, pl_role role, const char *name, pl_examples next, void *self, pl_error *e)
{
    (void)name;
    for (;;) {
        pl_example x = {0};
        pl_status status = next(self, &x, e);
        if (status != PL_OK)
            return status == PL_END ? PL_OK : status;
        see_example(t, &x);
        t->examples[role]++;
    }
}

pl_status pl_trainer_load_plan(pl_trainer *t, const char *file, pl_error *e)
{
    (void)t;
    return pl_fail(e, PL_NO_FIT, "%s: made for another trainer", file);
}

pl_status pl_trainer_plan(pl_trainer *t, pl_error *e)
{
    (void)t;
    (void)e;
    return PL_OK;
}

bool pl_trainer_fits(const pl_trainer *t) { return !t->fails_to_fit; }
uint64_t pl_trainer_limit(const pl_trainer *t) { return t->options.memory ? t->options.memory : UINT64_C(1) << 30; }
uint64_t pl_trainer_peak(const pl_trainer *t)
{
    (void)t;
    return 2 * FLOOR;
}
uint64_t pl_trainer_floor(const pl_trainer *t)
{
    (void)t;
    return FLOOR;
}
pl_precision pl_trainer_precision(const pl_trainer *t) { return t->options.precision == PL_PRECISION_AUTO ? PL_PRECISION_BF16 : t->options.precision; }
const char *pl_trainer_limit_reason(const pl_trainer *t) { return t->options.memory ? "set by --memory" : "what the double spares"; }

pl_status pl_trainer_refusal(const pl_trainer *t, pl_error *e)
{
    return pl_fail(e, PL_NO_FIT, "does not fit: the limit is %llu bytes, the smallest that works is %d bytes", (unsigned long long)pl_trainer_limit(t), FLOOR);
}

static pl_status print(pl_write write, void *self, pl_error *e, const char *format, ...)
{
    char text[SHOWN + 2048];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return write(self, text, (size_t)n, e);
}

pl_status pl_trainer_json(const pl_trainer *t, pl_write write, void *self, pl_error *e)
{
    const pl_training *r = &t->recipe;
    return print(write, self, e,
        "{\"fits\":%s,\"epochs\":%g,\"max_steps\":%llu,\"batch\":%u,\"lr\":%g,\"schedule\":%d,\"warmup_steps\":%llu,\"warmup_ratio\":%g,\"weight_decay\":%g,"
        "\"max_grad_norm\":%g,"
        "\"label_smoothing\":%g,\"dropout\":%g,\"shuffle\":%d,\"seed\":%llu,\"head_only\":%d,\"last_layers\":%u,\"best\":%d,\"keep\":%u,\"spill\":\"%s\","
        "\"out\":\"%s\","
        "\"train\":%llu,\"evaluate\":%llu,\"seen\":\"%s\"}\n",
        t->fails_to_fit ? "false" : "true", r->epochs, (unsigned long long)r->max_steps, r->batch, r->lr, (int)r->schedule, (unsigned long long)r->warmup_steps,
        r->warmup_ratio, r->weight_decay, r->max_grad_norm, r->label_smoothing, r->dropout, r->shuffle, (unsigned long long)r->seed, r->head_only,
        r->last_layers, r->best, r->keep, r->spill ? r->spill : "", r->out ? r->out : "", (unsigned long long)t->examples[0],
        (unsigned long long)t->examples[1], t->seen);
}

pl_status pl_trainer_text(const pl_trainer *t, bool color, pl_write write, void *self, pl_error *e)
{
    return print(write, self, e, "%speak %llu bytes\n", color ? "\033[1m" : "", (unsigned long long)pl_trainer_peak(t));
}

pl_status pl_trainer_program(const pl_trainer *t, pl_write write, void *self, pl_error *e)
{
    (void)t;
    return print(write, self, e, "stage 0: forward\n");
}

pl_status pl_trainer_svg(const pl_trainer *t, pl_write write, void *self, pl_error *e)
{
    (void)t;
    return print(write, self, e, "<svg xmlns=\"http://www.w3.org/2000/svg\"/>\n");
}

pl_status pl_trainer_knobs_json(const pl_trainer *t, pl_write write, void *self, pl_error *e)
{
    return print(write, self, e, "{\"batch\":%u}", t->recipe.batch);
}

/* Three steps, an evaluation, a note. */
pl_status pl_trainer_run(pl_trainer *t, pl_events events, void *self, pl_error *e)
{
    static const char *const names[] = {"eval_loss", "eval_accuracy", "eval_f1"};
    const double values[] = {0.25, 0.75, __builtin_nan("")};
    pl_status status = events(self, &(pl_event){.kind = PL_EVENT_NOTE, .text = "a note"}, e);
    for (t->step = 0; t->step < 3 && status == PL_OK;) {
        struct timespec wait = {t->wait_ms / 1000, t->wait_ms % 1000 * 1000000};
        nanosleep(&wait, NULL);
        if (t->stop) {
            pl_fail(e, PL_STOPPED, "stopped on request");
            pl_hint(e, "checkpoint-%llu is kept", (unsigned long long)t->step);
            return PL_STOPPED;
        }
        t->step++;
        pl_event event = {.kind = PL_EVENT_LOG, .step = t->step, .steps = 3, .epoch = (double)t->step / 3, .loss = 0.5, .lr = 5e-5, .grad_norm = 1.5};
        status = events(self, &event, e);
        event.kind = PL_EVENT_STEP;
        if (status == PL_OK)
            status = events(self, &event, e);
    }
    return status == PL_OK
        ? events(self, &(pl_event){.kind = PL_EVENT_EVALUATION, .step = 3, .steps = 3, .epoch = 1, .names = names, .values = values, .figures = 3}, e)
        : status;
}

void pl_trainer_stop(pl_trainer *t) { t->stop = true; }

pl_status pl_trainer_shrink(pl_trainer *t, uint64_t bytes) { return bytes && bytes < pl_trainer_floor(t) ? PL_NO_FIT : PL_OK; }

void pl_trainer_stats(const pl_trainer *t, pl_training_stats *out)
{
    *out = (pl_training_stats){.step = t->step, .steps = 3, .run_steps = t->step, .limit_bytes = pl_trainer_limit(t), .peak_bytes = pl_trainer_peak(t)};
}
