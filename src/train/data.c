/* Examples in: read once, tokenised, into the spool. */
#include "train/trainer.h"

#include <string.h>

/* ---- the longest texts ---- */

/* A heap of the `batch` longest texts so far, the shortest on top: their sum bounds any batch, where
 * the batches are too many to be gone through. */
static void note_length(pl_trainer *t, uint64_t seen, uint32_t tokens)
{
    uint32_t *heap = t->longest, room = t->recipe.batch;
    if (seen < room) {
        uint64_t i = seen;
        for (; i > 0 && heap[(i - 1) / 2] > tokens; i = (i - 1) / 2)
            heap[i] = heap[(i - 1) / 2];
        heap[i] = tokens;
        return;
    }
    if (tokens <= heap[0])
        return;
    uint64_t i = 0, child;
    while ((child = 2 * i + 1) < room) {
        if (child + 1 < room && heap[child + 1] < heap[child])
            child++;
        if (heap[child] >= tokens)
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = tokens;
}

/* ---- one example ---- */

static pl_status check_types(const pl_trainer *t, pl_error *e)
{
    const pl_encoding *x = &t->encoding;
    if (t->types <= 1) { /* a table of one row serves every type */
        memset(x->types, 0, x->count);
        return PL_OK;
    }
    for (size_t i = 0; i < x->count; i++)
        if (x->types[i] >= t->types)
            return pl_fail(e, PL_BAD_INPUT, "the tokenizer gives token type %u, the model has types below %u", x->types[i], t->types);
    return PL_OK;
}

static pl_status encode(pl_trainer *t, const pl_text *text, pl_error *e)
{
    pl_text_view first = {text->text, text->text_bytes, text->text_cut}, second = {text->pair, text->pair_bytes, text->pair_cut};
    pl_status s = pl_tokenizer_encode(
        t->reading.tokenizer, t->workspace, t->workspace_bytes, &first, text->pair ? &second : NULL, t->reading.max_length, &t->encoding, e);
    if (!s)
        s = check_types(t, e);
    if (!s && t->encoding.count == 0)
        s = pl_fail(e, PL_BAD_INPUT, "the text has no token, and the tokenizer adds none");
    return s;
}

static pl_status take_example(pl_trainer *t, pl__set *set, pl_role role, const pl_example *x, pl_error *e)
{
    pl__label_look other = {0};
    pl_status s = role == PL_ROLE_TEXTS ? PL_OK : pl__label_look_add(role == PL_ROLE_TRAIN ? &t->look : &other, x, e);
    if (!s)
        s = encode(t, &x->text, e);
    uint32_t tokens = (uint32_t)t->encoding.count;
    if (!s)
        s = pl__spool_write(&t->spool, x, t->encoding.ids, t->encoding.types, tokens, e);
    if (s)
        return s;
    for (uint32_t i = 0; i < tokens; i++)
        t->used_bits[t->encoding.ids[i] / 64] |= UINT64_C(1) << t->encoding.ids[i] % 64;
    if (role != PL_ROLE_EVALUATE)
        note_length(t, set->examples, tokens);
    set->longest = (uint32_t)pl_max(set->longest, tokens);
    set->tokens += tokens;
    set->examples++;
    return PL_OK;
}

static pl_status read_all(pl_trainer *t, pl__set *set, pl_role role, pl_examples next, void *self, pl_error *e)
{
    for (;;) {
        pl_example x = {0};
        pl_error inner;
        pl_status s = next(self, &x, e);
        if (s)
            return s == PL_END ? PL_OK : s;
        s = take_example(t, set, role, &x, &inner);
        if (!s)
            continue;
        pl_fail(e, s, "%s: line %llu: %s", set->name, (unsigned long long)x.text.line, inner.text);
        if (e)
            memcpy(e->hints, inner.hints, sizeof inner.hints);
        return s;
    }
}

/* ---- a whole set ---- */

/* Labels that only all examples together, or those of training, show to be wrong. */
static pl_status check_labels(pl_trainer *t, const pl__set *set, char *memory, pl_error *e)
{
    float *target = pl_memory_system()->take(pl_memory_system()->self, t->labels.count * sizeof *target);
    if (!target)
        return pl_fail_no_memory(e, t->labels.count * sizeof *target, "the labels");
    pl_status s = PL_OK;
    for (uint64_t at = set->first; at < set->end && !s;) {
        pl__example x;
        double number;
        s = pl__spool_read(&t->spool, at, memory, &x, e);
        at += s ? 0 : x.head.bytes;
        if (!s)
            s = pl__labels_target(&t->labels, &x, set->name, target, &number, e);
    }
    pl_memory_system()->give(pl_memory_system()->self, target, t->labels.count * sizeof *target);
    return s;
}

static pl_status look_at_labels(pl_trainer *t, const pl__set *set, pl_role role, pl_error *e)
{
    const pl_memory *memory = pl_memory_system();
    size_t bytes = (size_t)t->spool.longest;
    if (role == PL_ROLE_TEXTS)
        return pl__labels_assume(t->reading.folder, &t->region, &t->labels, e);
    char *record = memory->take(memory->self, bytes);
    if (!record)
        return pl_fail_no_memory(e, bytes, "an example");
    pl_status s = PL_OK;
    pl__label_source from = {&t->spool, set->first, set->end, record, set->name};
    if (role == PL_ROLE_TRAIN)
        s = pl__labels_make(&t->look, t->reading.folder, &from, &t->region, &t->labels, e);
    if (!s && (role != PL_ROLE_TRAIN || t->labels.problem == PL_PROBLEM_REGRESSION))
        s = check_labels(t, set, record, e);
    memory->give(memory->self, record, bytes);
    return s;
}

pl_status pl_trainer_read(pl_trainer *t, pl_role role, const char *name, pl_examples next, void *self, pl_error *e)
{
    pl_error_clear(e);
    pl__set *set = &t->sets[role == PL_ROLE_EVALUATE ? PL_ROLE_EVALUATE : PL_ROLE_TRAIN];
    t->texts_only = t->texts_only || role == PL_ROLE_TEXTS;
    if (!t->reading.tokenizer || set->name || (role == PL_ROLE_EVALUATE && (!t->sets[PL_ROLE_TRAIN].name || t->texts_only)))
        return pl_fail(e, PL_USAGE, "pl_trainer_read: once for training, then once for evaluation, then pl_trainer_plan");
    double start = pl_os_seconds();
    pl_status s = PL_OK;
    if (t->spool.file < 0) {
        char *buffer = t->spool.buffer;
        s = pl__spool_open(&t->spool, t->paths.spill, (uint32_t)pl_min(t->model.vocabulary, UINT32_MAX), buffer, PL__BUFFER, e);
    }
    pl__digest digest;
    pl__digest_start(&digest, role);
    t->spool.digest = &digest;
    set->name = name;
    set->first = t->spool.end;
    if (!s)
        s = read_all(t, set, role, next, self, e);
    if (!s)
        s = pl__spool_flush(&t->spool, e);
    t->spool.digest = NULL;
    set->digest = pl__digest_value(&digest);
    set->end = t->spool.end;
    if (!s && set->examples == 0)
        s = pl_fail(e, PL_BAD_INPUT, "%s: there is no example in it", name);
    if (!s)
        s = look_at_labels(t, set, role, e);
    t->read_seconds += pl_os_seconds() - start;
    return s;
}
