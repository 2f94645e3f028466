/* The model's small members: which kind it is, and what each kind needs. */
#include "text/load.h"

#include <string.h>

/* A file of before the "type" was written: the first kind whose members are there. */
static bool guess_kind(const pl__load *l, pl__model_kind *kind)
{
    const pl__node *m = l->model;
    bool object = l->has_vocab && !l->vocab_is_array;
    if (object && l->has_merges)
        *kind = PL__BPE;
    else if (object && pl__tree_get(m, "unk_token") && pl__tree_get(m, "continuing_subword_prefix") && pl__tree_get(m, "max_input_chars_per_word"))
        *kind = PL__WORDPIECE;
    else if (object && pl__tree_get(m, "unk_token"))
        *kind = PL__WORDLEVEL;
    else if (l->has_vocab && l->vocab_is_array)
        *kind = PL__UNIGRAM;
    else
        return false;
    return true;
}

static pl_status find_kind(pl__load *l, pl__model_kind *kind)
{
    static const char *const names[] = {"WordPiece", "WordLevel", "BPE", "Unigram"};
    const pl__node *type = pl__tree_get(l->model, "type");
    if (!type)
        return guess_kind(l, kind) ? PL_OK : PL__REFUSE(l, "model", "has no \"type\", and not the members of any kind");
    if (type->kind != PL_JSON_STRING)
        return PL__REFUSE(l, "model", "\"type\" must be a string");
    for (size_t i = 0; i < PL_COUNT(names); i++)
        if (pl__tree_is(type, names[i], strlen(names[i]))) {
            *kind = (pl__model_kind)i;
            return PL_OK;
        }
    return PL__REFUSE(l, "model", "the type \"%s\" is not known, WordPiece, WordLevel, BPE and Unigram are", type->text);
}

/* A string member that may be null or absent. */
static pl_status optional_text(pl__load *l, const char *key, const char **out, size_t *n)
{
    const pl__node *node = pl__tree_get(l->model, key);
    *out = NULL;
    *n = 0;
    if (!node || node->kind == PL_JSON_NULL)
        return PL_OK;
    if (node->kind != PL_JSON_STRING)
        return PL__REFUSE(l, "model", "\"%s\" must be a string", key);
    *out = pl__keep(l, node->text, node->bytes);
    *n = node->bytes;
    return *out ? PL_OK : pl__load_no_memory(l);
}

static pl_status optional_flag(pl__load *l, const char *key, bool *out)
{
    const pl__node *node = pl__tree_get(l->model, key);
    *out = false;
    if (!node || node->kind == PL_JSON_NULL)
        return PL_OK;
    if (node->kind != PL_JSON_TRUE && node->kind != PL_JSON_FALSE)
        return PL__REFUSE(l, "model", "\"%s\" must be true or false", key);
    *out = node->kind == PL_JSON_TRUE;
    return PL_OK;
}

static pl_status needed_text(pl__load *l, const char *key, const char **out, size_t *n)
{
    const pl__node *node = pl__tree_get(l->model, key);
    if (!node || node->kind != PL_JSON_STRING)
        return PL__REFUSE(l, "model", node ? "\"%s\" must be a string" : "\"%s\" is missing", key);
    return optional_text(l, key, out, n);
}

static pl_status load_wordpiece(pl__load *l)
{
    pl__model *m = &l->t->model;
    pl__place at = {l->path, "model"};
    pl_status status = needed_text(l, "unk_token", &m->unk, &m->unk_bytes);
    if (!status)
        status = needed_text(l, "continuing_subword_prefix", &m->prefix, &m->prefix_bytes);
    return status ? status : pl__tree_whole(at, l->model, "max_input_chars_per_word", true, UINT64_MAX, &m->most_chars, l->e);
}

/* Merges are drawn by lot with dropout, so that no two runs agree: nothing to compare with. */
static pl_status check_dropout(pl__load *l)
{
    const pl__node *node = pl__tree_get(l->model, "dropout");
    double value = 0;
    if (!node || node->kind == PL_JSON_NULL)
        return PL_OK;
    if (node->kind != PL_JSON_NUMBER || !pl_double_parse(node->text, node->bytes, &value) || value < 0 || value > 1)
        return PL__REFUSE(l, "model", "\"dropout\" must be null or a number from 0 to 1");
    if (value != 0)
        return PL__REFUSE(l, "model.dropout", "%s: the same text would not always get the same tokens; null would be right", node->text);
    return PL_OK;
}

static pl_status load_bpe(pl__load *l)
{
    pl__model *m = &l->t->model;
    pl_status status = check_dropout(l);
    if (!status)
        status = optional_text(l, "unk_token", &m->unk, &m->unk_bytes);
    if (!status)
        status = optional_text(l, "continuing_subword_prefix", &m->prefix, &m->prefix_bytes);
    if (!status)
        status = optional_text(l, "end_of_word_suffix", &m->suffix, &m->suffix_bytes);
    if (!status)
        status = optional_flag(l, "fuse_unk", &m->fuse_unk);
    if (!status)
        status = optional_flag(l, "byte_fallback", &m->byte_fallback);
    if (!status)
        status = optional_flag(l, "ignore_merges", &m->ignore_merges);
    if (status)
        return status;
    if (!l->has_merges)
        return PL__REFUSE(l, "model", "\"merges\" is missing");
    if (m->prefix_bytes > PL__LONGEST_AFFIX || m->suffix_bytes > PL__LONGEST_AFFIX)
        return PL__REFUSE(l, "model", "a prefix or suffix of more than %d bytes is not supported", PL__LONGEST_AFFIX);
    if (m->byte_fallback && (m->prefix_bytes || m->suffix_bytes))
        return PL__REFUSE(l, "model.byte_fallback", "together with a prefix or suffix it is not supported");
    return PL_OK;
}

static pl_status load_unigram(pl__load *l)
{
    pl__model *m = &l->t->model;
    const pl__node *node = pl__tree_get(l->model, "unk_id");
    m->unk_id = PL__NONE;
    if (node && node->kind != PL_JSON_NULL) {
        uint64_t id;
        if (!pl__tree_number(node, UINT32_MAX, &id) || id >= l->vocab_count)
            return PL__REFUSE(l, "model.unk_id", "must be null or the place of a piece in the vocabulary of %llu", (unsigned long long)l->vocab_count);
        m->unk_id = (uint32_t)id;
    }
    return optional_flag(l, "byte_fallback", &m->byte_fallback);
}

pl_status pl__load_model(pl__load *l)
{
    pl__model *m = &l->t->model;
    pl_status status = find_kind(l, &m->kind);
    if (status)
        return status;
    if (!l->has_vocab)
        return PL__REFUSE(l, "model", "\"vocab\" is missing");
    if (l->vocab_is_array != (m->kind == PL__UNIGRAM))
        return PL__REFUSE(l, "model.vocab", "must be %s", l->vocab_is_array ? "an object of tokens and ids" : "a list of pieces and scores");
    m->unk_id = PL__NONE;
    switch (m->kind) {
    case PL__WORDPIECE: return load_wordpiece(l);
    case PL__WORDLEVEL: return needed_text(l, "unk_token", &m->unk, &m->unk_bytes);
    case PL__BPE: return load_bpe(l);
    case PL__UNIGRAM: return load_unigram(l);
    }
    return PL_OK;
}

pl_status pl__load_model_done(pl__load *l)
{
    pl__model *m = &l->t->model;
    if (m->kind != PL__UNIGRAM && m->unk) {
        uint32_t entry = pl__vocab_find(&m->vocab, m->unk, m->unk_bytes);
        if (entry != PL__NONE)
            m->unk_id = pl__vocab_id(&m->vocab, entry);
    }
    if (m->kind == PL__BPE)
        pl__load_merges_done(l);
    return PL_OK;
}
