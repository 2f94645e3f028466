/* Examples of the spool as the step wants them. */
#include "train/trainer.h"

#include <assert.h>
#include <string.h>

/* Where an id stands among those that the data has. */
static uint32_t place_of(const pl_trainer *t, uint32_t id)
{
    uint64_t word = t->used_bits[id / 64], below = word & ((UINT64_C(1) << id % 64) - 1);
    assert(word >> id % 64 & 1);
    return t->used_rank[id / 64] + (uint32_t)__builtin_popcountll(below);
}

static pl_status add_text(pl_trainer *t, const pl__set *set, const pl__example *x, pl_batch *b, pl_error *e)
{
    pl__work *w = &t->work;
    uint32_t row = b->rows, n = x->head.tokens, labels = t->labels.count, text = b->texts;
    bool multi = t->labels.problem == PL_PROBLEM_MULTI;
    if (text >= t->request.batch || row + (uint64_t)n > t->request.batch_rows) /* as counted when it was planned */
        return pl__spool_changed(&t->spool, t->spool.end, e);
    for (uint32_t i = 0; i < n; i++) {
        w->ids[row + i] = place_of(t, pl__example_id(&t->spool, x, i));
        w->positions[row + i] = t->model.positions.first + i;
    }
    pl__example_types(x, w->types + row);
    w->lines[text] = x->head.line;
    pl_status s = pl__labels_target(&t->labels, x, set->name, w->targets + (size_t)text * (multi ? labels : 1), &w->numbers[text], e);
    b->rows += n;
    b->texts++;
    w->starts[b->texts] = b->rows;
    return s;
}

static void begin(pl__work *w, pl_batch *b)
{
    *b = (pl_batch){.ids = w->ids, .types = w->types, .positions = w->positions, .starts = w->starts, .examples = w->examples, .targets = w->targets};
    w->starts[0] = 0;
}

/* w->examples holds the numbers of the examples. */
pl_status pl__batch_load(pl_trainer *t, const pl__set *set, const uint64_t *offsets, uint32_t texts, pl_batch *out, pl_error *e)
{
    pl_status s = PL_OK;
    begin(&t->work, out);
    for (uint32_t i = 0; i < texts && !s; i++) {
        pl__example x;
        s = pl__spool_read(&t->spool, offsets[t->work.examples[i]], t->work.record, &x, e);
        if (!s)
            s = add_text(t, set, &x, out, e);
    }
    return s;
}

pl_status pl__batch_next(pl_trainer *t, const pl__set *set, uint64_t *at, pl_batch *out, pl_error *e)
{
    begin(&t->work, out);
    while (*at < set->end && out->texts < t->request.batch) {
        pl__example x;
        pl_status s = pl__spool_read(&t->spool, *at, t->work.record, &x, e);
        if (s)
            return s;
        if (out->rows + (uint64_t)x.head.tokens > t->request.batch_rows)
            break;
        t->work.examples[out->texts] = 0; /* nothing is dropped in an evaluation */
        s = add_text(t, set, &x, out, e);
        if (s)
            return s;
        *at += x.head.bytes;
    }
    return PL_OK;
}

/* Where the examples of training begin in the spool and how many tokens they have; either may be NULL. */
static pl_status walk_heads(const pl_trainer *t, uint64_t *offsets, uint32_t *lengths, pl_error *e)
{
    const pl__set *set = &t->sets[PL_ROLE_TRAIN];
    uint64_t at = set->first;
    for (uint64_t i = 0; i < set->examples; i++) {
        pl__record head;
        pl_status s = pl__spool_head(&t->spool, at, &head, e);
        if (s)
            return s;
        if (offsets)
            offsets[i] = at;
        if (lengths)
            lengths[i] = head.tokens;
        at += head.bytes;
    }
    return PL_OK;
}

pl_status pl__index_make(pl_trainer *t, pl_error *e) { return walk_heads(t, t->work.index, NULL, e); }

/* ---- which examples a step takes ---- */

void pl__order_of(const pl_trainer *t, uint64_t step, pl__order *o)
{
    uint64_t examples = t->sets[PL_ROLE_TRAIN].examples, epoch = (step - 1) / t->schedule.per_epoch;
    o->first = (step - 1) % t->schedule.per_epoch * t->recipe.batch;
    o->texts = (uint32_t)pl_min(t->recipe.batch, examples - o->first);
    o->shuffled = t->recipe.shuffle;
    pl__shuffle_start(&o->shuffle, t->recipe.seed, epoch, examples);
}

uint64_t pl__order_at(const pl__order *o, uint32_t text) { return o->shuffled ? pl__shuffle_at(&o->shuffle, o->first + text) : o->first + text; }

bool pl__steps_counted(const pl_trainer *t)
{
    enum { MOST = 1 << 24 }; /* examples: about a second */
    return t->schedule.steps <= MOST / pl_max(1, t->recipe.batch);
}

static uint64_t most_of_steps(const pl_trainer *t, const uint32_t *lengths)
{
    uint64_t most = 0;
    for (uint64_t step = 1; step <= t->schedule.steps; step++) {
        pl__order o;
        uint64_t rows = 0;
        pl__order_of(t, step, &o);
        for (uint32_t i = 0; i < o.texts; i++)
            rows += lengths[pl__order_at(&o, i)];
        most = pl_max(most, rows);
    }
    return most;
}

pl_status pl__count_rows(const pl_trainer *t, uint64_t *out, uint64_t *most, pl_error *e)
{
    const pl_memory *memory = pl_memory_system();
    uint64_t examples = t->sets[PL_ROLE_TRAIN].examples, bytes = examples * sizeof(uint32_t);
    *most = 0;
    for (uint32_t i = 0; i < t->recipe.batch && i < examples; i++)
        *most += t->longest[i];
    *out = *most;
    if (!pl__steps_counted(t))
        return PL_OK;
    uint32_t *lengths = memory->take(memory->self, bytes);
    if (!lengths)
        return pl_fail_no_memory(e, bytes, "lengths of the examples");
    pl_status s = walk_heads(t, NULL, lengths, e);
    if (!s)
        *out = pl_min(*most, most_of_steps(t, lengths));
    memory->give(memory->self, lengths, bytes);
    return s;
}
