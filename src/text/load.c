/* tokenizer.json. The long lists (vocabulary, merges) are never held as JSON: the file is walked once
 * for its parts and for the lists' sizes, once more for the vocabulary, and for the merges a third
 * time, so that every table is taken at its final size. */
#include "text/load.h"

#include <stdio.h>
#include <string.h>

enum { SCALAR_BYTES = 1 << 26, DEPTH = 128 };
static const uint64_t FILE_BYTES = 1ULL << 31;

pl_json_limits pl__load_limits(void) { return (pl_json_limits){.scalar_bytes = SCALAR_BYTES, .depth = DEPTH, .bytes = FILE_BYTES}; }

pl_status pl__load_no_memory(pl__load *l) { return pl_fail(l->e, PL_MACHINE, "%s: the system gave no memory for the tokenizer's tables", l->path); }

pl_status pl__load_refuse(pl__load *l, const char *where, const char *format, ...)
{
    char what[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return pl_fail(l->e, PL_BAD_INPUT, "%s: %s: %s", l->path, where, what);
}

/* ---- the first walk ---- */

static pl_status check_entry(pl__load *l, pl_json_walker *w, pl_json_event event)
{
    size_t n;
    if (event == PL_JSON_NUMBER)
        return PL_OK;
    return pl_json_fail(w, l->e, "model.vocab: \"%s\" has no id, a whole number would be right", pl_json_key(w, &n));
}

static pl_status count_vocab_object(pl__load *l, pl_json_walker *w)
{
    for (;;) {
        pl_json_event event;
        pl_status status = pl_json_next(w, &event, l->e);
        if (status || event == PL_JSON_END)
            return status;
        status = check_entry(l, w, event);
        if (status)
            return status;
        size_t n;
        pl_json_key(w, &n);
        l->vocab_count++;
        l->vocab_bytes += n;
    }
}

/* [["piece", score], ...] */
static pl_status count_vocab_array(pl__load *l, pl_json_walker *w)
{
    for (;;) {
        pl_json_event event;
        pl_status status = pl_json_next(w, &event, l->e);
        if (status || event == PL_JSON_END)
            return status;
        if (event != PL_JSON_ARRAY)
            return pl_json_fail(w, l->e, "model.vocab: entry %llu is no [piece, score]", (unsigned long long)l->vocab_count);
        for (int i = 0; i < 3; i++) {
            static const pl_json_event wanted[] = {PL_JSON_STRING, PL_JSON_NUMBER, PL_JSON_END};
            status = pl_json_next(w, &event, l->e);
            if (status)
                return status;
            if (event != wanted[i])
                return pl_json_fail(w, l->e, "model.vocab: entry %llu is no [piece, score]", (unsigned long long)l->vocab_count);
            size_t n;
            if (i == 0 && pl_json_scalar(w, &n))
                l->vocab_bytes += n;
        }
        l->vocab_count++;
    }
}

static pl_status count_merges(pl__load *l, pl_json_walker *w)
{
    for (;;) {
        pl_json_event event;
        pl_status status = pl_json_next(w, &event, l->e);
        if (status || event == PL_JSON_END)
            return status;
        if (event == PL_JSON_ARRAY)
            status = pl_json_skip(w, l->e);
        else if (event != PL_JSON_STRING)
            status = pl_json_fail(w, l->e, "model.merges: entry %llu is no pair of tokens", (unsigned long long)l->merge_count);
        if (status)
            return status;
        l->merge_count++;
    }
}

static bool key_is(const char *key, size_t n, const char *name) { return strlen(name) == n && memcmp(key, name, n) == 0; }

static pl_status read_model_member(pl__load *l, pl_json_walker *w, pl_json_event event, pl__node *model, pl__node ***link)
{
    size_t n;
    const char *key = pl_json_key(w, &n);
    bool vocab = key_is(key, n, "vocab"), merges = key_is(key, n, "merges");
    if ((vocab && l->has_vocab) || (merges && l->has_merges) || (!vocab && !merges && pl__tree_get(model, key)))
        return pl_json_fail(w, l->e, "model: \"%s\" stands there twice", key);
    if (vocab) {
        if (event != PL_JSON_OBJECT && event != PL_JSON_ARRAY)
            return pl_json_fail(w, l->e, "model.vocab: must be an object of tokens and ids, or a list of pieces and scores");
        l->has_vocab = true;
        l->vocab_is_array = event == PL_JSON_ARRAY;
        return l->vocab_is_array ? count_vocab_array(l, w) : count_vocab_object(l, w);
    }
    if (merges) {
        if (event != PL_JSON_ARRAY)
            return pl_json_fail(w, l->e, "model.merges: must be a list of pairs");
        l->has_merges = true;
        return count_merges(l, w);
    }
    pl_status status = pl__tree_read(w, event, &l->scratch, *link, l->e);
    if (!status)
        *link = &(**link)->next;
    return status;
}

static pl_status read_model(pl__load *l, pl_json_walker *w, pl_json_event event)
{
    pl__node *model = pl_region_take(&l->scratch, sizeof *model);
    if (!model)
        return pl__load_no_memory(l);
    *model = (pl__node){.kind = event};
    pl__node **link = &model->child;
    l->model = model;
    if (event != PL_JSON_OBJECT)
        return pl_json_fail(w, l->e, "model: must be an object");
    for (;;) {
        pl_status status = pl_json_next(w, &event, l->e);
        if (status || event == PL_JSON_END)
            return status;
        status = read_model_member(l, w, event, model, &link);
        if (status)
            return status;
    }
}

typedef enum member { MEMBER_VERSION, MEMBER_ADDED, MEMBER_NORMALIZER, MEMBER_PRE_TOKENIZER, MEMBER_POST_PROCESSOR, MEMBER_MODEL, MEMBER_COUNT } member;
static const char *const members[MEMBER_COUNT] = {"version", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "model"};

static pl_status read_member(pl__load *l, pl_json_walker *w, pl_json_event event, bool seen[MEMBER_COUNT])
{
    size_t n;
    const char *key = pl_json_key(w, &n);
    int which = 0;
    while (which < MEMBER_COUNT && !key_is(key, n, members[which]))
        which++;
    if (which == MEMBER_COUNT) /* truncation, padding, decoder: not applied here */
        return pl_json_skip(w, l->e);
    if (seen[which])
        return pl_json_fail(w, l->e, "\"%s\" stands there twice", key);
    seen[which] = true;
    if (which == MEMBER_MODEL)
        return read_model(l, w, event);
    pl__node *version = NULL;
    pl__node **const places[] = {&version, &l->added, &l->normalizer, &l->pre_tokenizer, &l->post_processor};
    pl_status status = pl__tree_read(w, event, &l->scratch, places[which], l->e);
    if (!status && which == MEMBER_VERSION && !PL__TREE_IS(version, "1.0"))
        return pl_json_fail(w, l->e, "version: only \"1.0\" is known");
    return status;
}

pl_status pl__load_parts(pl__load *l, pl_json_walker *w)
{
    pl_json_event event;
    bool seen[MEMBER_COUNT] = {false};
    pl_status status = pl_json_next(w, &event, l->e);
    if (!status && event != PL_JSON_OBJECT)
        return pl_json_fail(w, l->e, "a tokenizer is an object");
    while (!status) {
        status = pl_json_next(w, &event, l->e);
        if (status || event == PL_JSON_END)
            break;
        status = read_member(l, w, event, seen);
    }
    return status ? status : pl_json_next(w, &event, l->e); /* nothing may follow */
}

static pl_status read_parts(pl__load *l)
{
    pl_json_walker *w;
    pl_json_limits limits = pl__load_limits();
    pl_status status = pl_json_open(l->path, &limits, &l->t->memory.face, &w, l->e);
    if (status)
        return status;
    status = pl__load_parts(l, w);
    pl_json_close(w);
    return status;
}

/* ---- the later walks ---- */

typedef pl_status (*reader)(pl__load *l, pl_json_walker *w);

static pl_status changed(pl__load *l) { return pl_fail(l->e, PL_BAD_INPUT, "%s: changed while it was read", l->path); }

static pl_status find_and_read(pl__load *l, pl_json_walker *w, const char *list, reader read)
{
    for (;;) {
        pl_json_event event;
        pl_status status = pl_json_next(w, &event, l->e);
        if (status)
            return status;
        if (event == PL_JSON_END || event == PL_JSON_DONE)
            return changed(l);
        size_t n;
        const char *key = pl_json_key(w, &n);
        if (key && event == PL_JSON_OBJECT && list && key_is(key, n, "model"))
            return find_and_read(l, w, list, read);
        if (key && (event == PL_JSON_OBJECT || event == PL_JSON_ARRAY) && key_is(key, n, list))
            return read(l, w);
        status = pl_json_skip(w, l->e);
        if (status)
            return status;
    }
}

/* What follows the list was checked by the first walk. */
pl_status pl__load_walk(pl__load *l, const char *list, reader read)
{
    pl_json_walker *w;
    pl_json_limits limits = pl__load_limits();
    pl_status status = pl_json_open(l->path, &limits, &l->t->memory.face, &w, l->e);
    if (status)
        return status;
    pl_json_event event;
    status = pl_json_next(w, &event, l->e);
    if (!status)
        status = event == PL_JSON_OBJECT ? find_and_read(l, w, list, read) : changed(l);
    pl_json_close(w);
    return status;
}

static pl_status read_id(pl__load *l, pl_json_walker *w, const char *token, const char *text, uint32_t *id)
{
    uint64_t value = 0;
    for (const char *p = text; *p; p++)
        if (*p < '0' || *p > '9' || (value = value * 10 + (uint64_t)(*p - '0')) >= PL__NONE)
            return pl_json_fail(w, l->e, "model.vocab: \"%s\" has the id %s, a whole number below 2^32 - 1 would be right", token, text);
    *id = (uint32_t)value;
    return PL_OK;
}

static pl_status read_vocab_object(pl__load *l, pl_json_walker *w)
{
    for (;;) {
        pl_json_event event;
        pl_status status = pl_json_next(w, &event, l->e);
        if (status || event == PL_JSON_END)
            return status;
        status = check_entry(l, w, event);
        if (status)
            return status;
        size_t n, digits;
        uint32_t id = 0;
        const char *text = pl_json_key(w, &n);
        status = read_id(l, w, text, pl_json_scalar(w, &digits), &id);
        if (status)
            return status;
        if (!pl__vocab_add(&l->t->model.vocab, text, n, id))
            return changed(l);
    }
}

pl_status pl__load_clash(pl__load *l, const pl__vocab_clash *clash)
{
    const pl__vocab *v = &l->t->model.vocab;
    size_t n, m;
    const char *a = pl__vocab_text(v, clash->other, &n), *b = pl__vocab_text(v, clash->entry, &m);
    if (clash->same_id)
        return PL__REFUSE(l, "model.vocab", "\"%.*s\" and \"%.*s\" have the same id", (int)pl_min(n, 200), a, (int)pl_min(m, 200), b);
    if (clash->entry != clash->other)
        return PL__REFUSE(l, "model.vocab", "\"%.*s\" stands there twice", (int)pl_min(m, 200), b);
    return PL__REFUSE(l, "model.vocab", "its strings are made to collide");
}

/* Room for the entries that were counted, then the walk that adds them. */
static pl_status fill_vocab(pl__load *l, pl_status (*walk)(pl__load *l))
{
    pl__vocab *v = &l->t->model.vocab;
    if (l->vocab_count >= 1u << 30 || l->vocab_bytes >= UINT32_MAX)
        return PL__REFUSE(l, "model.vocab", "has more tokens than any model");
    if (!pl__vocab_init(v, &l->t->region, &l->scratch, (size_t)l->vocab_count, (size_t)l->vocab_bytes))
        return pl__load_no_memory(l);
    pl_status status = walk(l);
    if (!status && v->count != l->vocab_count)
        return changed(l);
    if (status || l->vocab_is_array)
        return status;
    pl__vocab_clash clash;
    status = pl__vocab_finish(v, &l->t->region, false, &clash);
    return status == PL_MACHINE ? pl__load_no_memory(l) : status ? pl__load_clash(l, &clash) : PL_OK;
}

static pl_status walk_vocab(pl__load *l) { return l->vocab_is_array ? pl__load_pieces(l) : pl__load_walk(l, "vocab", read_vocab_object); }

/* ---- vocab.json: the object alone ---- */

static pl_status walk_vocab_file(pl__load *l, pl_status (*read)(pl__load *l, pl_json_walker *w))
{
    pl_json_walker *w;
    pl_json_limits limits = pl__load_limits();
    pl_status status = pl_json_open(l->path, &limits, &l->t->memory.face, &w, l->e);
    if (status)
        return status;
    pl_json_event event;
    status = pl_json_next(w, &event, l->e);
    if (!status && event != PL_JSON_OBJECT)
        status = pl_json_fail(w, l->e, "must be an object of tokens and ids");
    if (!status)
        status = read(l, w);
    if (!status)
        status = pl_json_next(w, &event, l->e);
    pl_json_close(w);
    return status;
}

static pl_status add_vocab_file(pl__load *l) { return walk_vocab_file(l, read_vocab_object); }

pl_status pl__load_vocab_file(pl__load *l)
{
    pl_status status = walk_vocab_file(l, count_vocab_object);
    return status ? status : fill_vocab(l, add_vocab_file);
}

/* ---- all of it ---- */

pl_status pl__load_stages(pl__load *l)
{
    pl_status status = pl__load_model_done(l);
    if (!status)
        status = pl__load_normalizer(l);
    if (!status)
        status = pl__load_pre_tokenizer(l);
    if (!status && l->t->model.kind == PL__BPE)
        status = pl__load_joins(l);
    if (!status)
        status = pl__load_post_processor(l);
    return status ? status : pl__load_added(l);
}

pl_status pl__load_json(pl__load *l)
{
    pl_status status = read_parts(l);
    if (!status && !l->model)
        status = PL__REFUSE(l, "model", "is missing");
    if (!status)
        status = pl__load_model(l);
    if (!status)
        status = fill_vocab(l, walk_vocab);
    if (!status && l->t->model.kind == PL__BPE)
        status = pl__load_merges(l);
    return status ? status : pl__load_stages(l);
}
