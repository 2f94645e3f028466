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
    assert(text < t->request.batch && row + n <= t->request.batch_rows);
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

pl_status pl__index_make(pl_trainer *t, pl_error *e)
{
    const pl__set *set = &t->sets[PL_ROLE_TRAIN];
    uint64_t at = set->first;
    for (uint64_t i = 0; i < set->examples; i++) {
        uint32_t bytes;
        t->work.index[i] = at;
        pl_status s = pl__spool_measure(&t->spool, at, &bytes, e);
        if (s)
            return s;
        at += bytes;
    }
    return PL_OK;
}
