/* What the job of an event needs: PyTorch's ledger and plimsoll's own, told beside the story. */
#include "explain/need.h"

#include "explain/inner.h"

#include <stdio.h>
#include <string.h>

enum { DEFAULT_BATCH = 8 /* Trainer's */, WORDS = 24 };

/* ---- asking ---- */

typedef struct command {
    const char *words[WORDS + 1]; /* the first is the program's own */
    size_t n;
    char numbers[3][24];
    size_t numbered;
} command;

static void word(command *c, const char *text) { c->words[c->n++] = text; }

static void numbered(command *c, const char *option, uint64_t value)
{
    char *text = c->numbers[c->numbered++];
    snprintf(text, sizeof c->numbers[0], "%llu", (unsigned long long)value);
    word(c, option);
    word(c, text);
}

static void begin(command *c, const pl_oom_job *job)
{
    memset(c, 0, sizeof *c);
    c->n = 1;
    word(c, "plan");
    word(c, "--json");
    if (job->training)
        word(c, "--train");
    if (pl__given(job->length))
        numbered(c, "--max-length", job->length);
}

static uint64_t size_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) && json_integer_value(value) >= 0 ? (uint64_t)json_integer_value(value) : PL_NOT_GIVEN;
}

static bool is(const json_t *settings, const char *key, const char *text)
{
    const char *value = json_string_value(json_object_get(settings, key));
    return value && strcmp(value, text) == 0;
}

/* What the device had for the job: without what others held there, and within a set fraction. */
static uint64_t room_of(const pl_oom *event)
{
    uint64_t room = event->capacity, others = pl__others_hold(event);
    if (pl__given(room) && pl__given(others) && others < room)
        room -= others;
    return pl__given(event->allowed) && event->allowed > 0 && event->allowed < room ? event->allowed : room;
}

/* The alternative that fits with the same batch and changes least; its settings as Trainer has them. */
static void find_cheaper(const json_t *answer, pl__need *n)
{
    const json_t *own = json_object_get(answer, "settings"), *list = json_object_get(answer, "alternatives"), *other;
    size_t least = SIZE_MAX, at;
    json_array_foreach(list, at, other)
    {
        const json_t *s = json_object_get(other, "settings");
        bool half = is(own, "precision", "f32") && !is(s, "precision", "f32");
        bool eager = is(own, "attention", "eager") && is(s, "attention", "sdpa");
        bool again = json_is_false(json_object_get(own, "checkpointing")) && json_is_true(json_object_get(s, "checkpointing"));
        bool small = is(own, "optimizer", "adamw") && is(s, "optimizer", "adamw8bit");
        size_t changes = (size_t)half + eager + again + small;
        bool others = is(s, "optimizer", "sgd") || is(s, "attention", "eager");
        if (!json_is_true(json_object_get(other, "fits")) || size_of(s, "batch") != n->job.batch || others || changes == 0 || changes >= least)
            continue;
        least = changes;
        n->cheaper_peak = size_of(other, "peak_bytes");
        snprintf(n->cheaper, sizeof n->cheaper, "%s%s%s%s", half ? " bf16=True" : "", again ? " gradient_checkpointing=True" : "",
            small ? " optim=\"adamw_bnb_8bit\"" : "", eager ? " attn_implementation=\"sdpa\"" : "");
    }
}

static pl_status take_answer(const json_t *answer, pl__need *n, pl_error *e)
{
    const json_t *parts = json_object_get(answer, "parts"), *settings = json_object_get(answer, "settings");
    n->peak = size_of(answer, "peak_bytes");
    n->biggest_batch = size_of(answer, "biggest_batch");
    n->weights = size_of(parts, "weights");
    n->gradients = size_of(parts, "gradients");
    n->optimizer = size_of(parts, "optimizer");
    n->activations = size_of(parts, "activations");
    n->job.length = size_of(settings, "max_length");
    const uint64_t all[] = {n->weights, n->gradients, n->optimizer, n->activations};
    uint64_t sum = 0;
    for (size_t i = 0; i < PL_COUNT(all); i++)
        if (!pl__given(all[i]) || !pl_add(sum, all[i], &sum))
            return pl_fail(e, PL_MACHINE, "--model: the estimate for PyTorch lacks its parts");
    if (!pl__given(n->peak) || sum > n->peak || !pl__given(n->biggest_batch))
        return pl_fail(e, PL_MACHINE, "--model: the estimate for PyTorch lacks its peak");
    n->other = n->peak - sum;
    if (pl__given(n->limit) && n->peak > n->limit)
        find_cheaper(answer, n);
    return PL_OK;
}

static pl_status ask_pytorch(const char *model, pl__need *n, pl_error *e)
{
    const uint64_t boundless = UINT64_C(1) << 50; /* where the log does not tell the device's memory */
    command c;
    json_t *answer = NULL;
    begin(&c, &n->job);
    word(&c, "--for");
    word(&c, "pytorch");
    numbered(&c, "--batch", n->job.batch);
    numbered(&c, "--device-memory", pl__given(n->limit) ? n->limit : boundless);
    if (n->job.half) {
        word(&c, "--precision");
        word(&c, "bf16");
    }
    if (n->job.training && n->job.checkpointing)
        word(&c, "--checkpointing");
    if (n->job.training && n->job.small_optimizer) {
        word(&c, "--optimizer");
        word(&c, "adamw8bit");
    }
    word(&c, "--");
    word(&c, model);
    pl_status status = pl__ask("plimsoll-pytorch", c.words, &answer, e);
    if (status == PL_OK)
        status = take_answer(answer, n, e);
    json_decref(answer);
    return status;
}

/* Beside the point where it fails: the figure is left out then. */
static uint64_t ask_plimsoll(const char *model, const pl_oom_job *job)
{
    command c;
    json_t *answer = NULL;
    begin(&c, job);
    if (job->training)
        numbered(&c, "--batch", job->batch);
    word(&c, "--");
    word(&c, model);
    pl_status status = pl__ask("plimsoll", c.words, &answer, NULL);
    uint64_t floor = status == PL_OK ? size_of(answer, "floor_bytes") : PL_NOT_GIVEN;
    json_decref(answer);
    return floor;
}

static pl_status answer(const char *model, pl__need *n, pl_error *e)
{
    pl_status status = ask_pytorch(model, n, e);
    if (status == PL_USAGE && pl__given(n->job.length)) {
        n->job.length = PL_NOT_GIVEN; /* longer than the model's positions: the tokenizer cut there */
        status = ask_pytorch(model, n, e);
    }
    if (status == PL_OK)
        n->plimsoll = ask_plimsoll(model, &n->job);
    return status;
}

static bool same_job(const pl_oom_job *a, const pl_oom_job *b)
{
    return a->batch == b->batch && a->length == b->length && a->training == b->training && a->half == b->half && a->checkpointing == b->checkpointing &&
        a->small_optimizer == b->small_optimizer;
}

pl_status pl__need_of(pl__needs *q, const pl_oom *event, const pl__need **out, pl_error *e)
{
    if (event->framework != PL_FRAMEWORK_PYTORCH || event->kind == PL_KIND_HOST || event->kind == PL_KIND_KILLED)
        return PL_NOTHING;
    pl_oom_job job = event->job;
    uint64_t limit = room_of(event);
    job.batch = pl__given(q->batch) ? q->batch : job.batch;
    *out = &q->last;
    if (q->has && same_job(&job, &q->asked) && limit == q->last.limit)
        return PL_OK; /* another rank of the same job */
    q->asked = job;
    q->last = (pl__need){.job = job, .limit = limit, .batch_assumed = !pl__given(job.batch)};
    if (q->last.batch_assumed)
        q->last.job.batch = DEFAULT_BATCH;
    pl_status status = answer(q->model, &q->last, e);
    q->has = status == PL_OK;
    return status;
}

/* ---- telling ---- */

static void number(pl__words *w, const char *key, uint64_t value)
{
    if (pl__given(value))
        pl__say(w, ",\"%s\":%llu", key, (unsigned long long)value);
    else
        pl__say(w, ",\"%s\":null", key);
}

pl_status pl__need_json(const pl__need *n, pl_write write, void *self, pl_error *e)
{
    char text[1024];
    pl__words w = {text, 0, sizeof text};
    pl__say(&w, "{\"train\":%s", n->job.training ? "true" : "false");
    number(&w, "batch", n->job.batch);
    number(&w, "max_length", n->job.length);
    number(&w, "limit_bytes", n->limit);
    number(&w, "peak_bytes", n->peak);
    number(&w, "biggest_batch", pl__given(n->limit) ? n->biggest_batch : PL_NOT_GIVEN);
    number(&w, "weights_bytes", n->weights);
    number(&w, "gradients_bytes", n->gradients);
    number(&w, "optimizer_bytes", n->optimizer);
    number(&w, "activations_bytes", n->activations);
    number(&w, "other_bytes", n->other);
    number(&w, "plimsoll_bytes", n->plimsoll);
    pl__say(&w, "}");
    return write(self, text, w.n, e);
}

static void say_parts(pl__words *w, const pl__need *n)
{
    char a[32], b[32], c[32];
    pl__say(w, "PyTorch needs %s for it: weights %s", pl__size_text(n->peak, a), pl__size_text(n->weights, b));
    if (n->job.training)
        pl__say(w, ", gradients %s, optimizer %s", pl__size_text(n->gradients, a), pl__size_text(n->optimizer, b));
    pl__say(w, ", activations %s, everything else %s.", pl__size_text(n->activations, a), pl__size_text(n->other, c));
}

static void say_fit(pl__words *w, const pl__need *n)
{
    char size[32];
    if (!pl__given(n->limit))
        return;
    const char *room = pl__size_text(n->limit, size);
    if (n->peak <= n->limit)
        pl__say(w, " The device had %s for it, so something else held memory: longer texts, another model, an earlier run.", room);
    else if (n->biggest_batch > 0)
        pl__say(w, " The device had %s for it: batch %llu would have fitted.", room, (unsigned long long)n->biggest_batch);
    else
        pl__say(w, " The device had %s for it: not even one text fits.", room);
    if (n->cheaper[0])
        pl__say(w, " Batch %llu fits with%s (%s).", (unsigned long long)n->job.batch, n->cheaper, pl__size_text(n->cheaper_peak, size));
}

pl_status pl__need_text(const pl__need *n, const char *model, pl_write write, void *self, pl_error *e)
{
    char text[2048], size[32];
    pl__words w = {text, 0, sizeof text};
    pl__say(&w, "What %.800s needs, %s in %s at batch %llu%s and %llu tokens:", model, n->job.training ? "training" : "running", n->job.half ? "bf16" : "f32",
        (unsigned long long)n->job.batch, n->batch_assumed ? " (assumed: --batch says it)" : "", (unsigned long long)n->job.length);
    pl_status status = write(self, "\n", 1, e);
    if (status == PL_OK)
        status = pl__paragraph(text, 3, write, self, e);
    w.n = 0;
    say_parts(&w, n);
    say_fit(&w, n);
    if (pl__given(n->plimsoll))
        pl__say(&w, " plimsoll %s within %s.", n->job.training ? "trains it" : "runs it", pl__size_text(n->plimsoll, size));
    return status == PL_OK ? pl__paragraph(text, 3, write, self, e) : status;
}
