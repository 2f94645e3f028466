/* The added tokens of tokenizer.json. Their ids are the library's: that of the vocabulary if the
 * content stands there, else one after the other behind it; the file's own "id" is not used. */
#include "text/load.h"
#include "text/normalize.h"
#include "text/sort.h"

#include <stdio.h>
#include <string.h>

enum { LONGEST = 4096, MOST = 1 << 20 };

static pl_status parse_token(pl__load *l, const char *where, const pl__node *node, pl__added_token *out)
{
    pl__place at = {l->path, where};
    uint64_t id;
    size_t n = 0;
    *out = (pl__added_token){0};
    if (node->kind != PL_JSON_OBJECT)
        return PL__REFUSE(l, where, "must be an object");
    pl_status status = pl__tree_whole(at, node, "id", true, UINT32_MAX, &id, l->e);
    if (!status)
        status = pl__tree_text(at, node, "content", true, &out->content, &n, l->e);
    if (!status)
        status = pl__tree_bool(at, node, "single_word", true, &out->single_word, l->e);
    if (!status)
        status = pl__tree_bool(at, node, "lstrip", true, &out->lstrip, l->e);
    if (!status)
        status = pl__tree_bool(at, node, "rstrip", true, &out->rstrip, l->e);
    if (!status)
        status = pl__tree_bool(at, node, "normalized", true, &out->normalized, l->e);
    if (!status)
        status = pl__tree_bool(at, node, "special", true, &out->special, l->e);
    if (status)
        return status;
    if (n > LONGEST)
        return PL__REFUSE(l, where, "an added token of %zu bytes, at most %d are supported", n, LONGEST);
    out->content_bytes = (uint32_t)n;
    out->content = pl__keep(l, out->content, n);
    return out->content ? PL_OK : pl__load_no_memory(l);
}

/* Two buffers for the longest content. */
static pl_status make_spans(pl__load *l, size_t longest, pl__span spans[2])
{
    size_t capacity = 64 + longest * 4 * (pl__normalize_growth(l->t) + 1);
    for (int i = 0; i < 2; i++) {
        spans[i] = (pl__span){
            .text = pl_region_take(&l->scratch, capacity), .from = pl_region_take(&l->scratch, capacity * sizeof(uint32_t)), .capacity = capacity};
        if (!spans[i].text || !spans[i].from)
            return pl__load_no_memory(l);
    }
    return PL_OK;
}

/* The pattern of a token that is looked for in normalised text. */
static pl_status make_pattern(pl__load *l, const char *where, pl__frames frames, pl__span spans[2], pl__added_token *token)
{
    token->pattern = token->content;
    token->pattern_bytes = token->content_bytes;
    if (!token->normalized || l->t->normalizer_count == 0)
        return PL_OK;
    if (!spans[0].text || !spans[0].from)
        return pl__load_no_memory(l);
    memcpy(spans[0].text, token->content, token->content_bytes);
    memset(spans[0].from, 0, token->content_bytes * sizeof *spans[0].from);
    spans[0].n = token->content_bytes;
    spans[0].full = false;
    pl_status status = pl__normalize(l->t, frames, &spans[0], &spans[1], false, l->e);
    if (status)
        return status;
    if (spans[0].full)
        return PL__REFUSE(l, where, "\"%s\" grows too long when it is normalised", token->content);
    if (spans[0].n == 0)
        return PL__REFUSE(l, where, "nothing is left of \"%s\" when it is normalised", token->content);
    token->pattern = pl__keep(l, spans[0].text, spans[0].n);
    token->pattern_bytes = (uint32_t)spans[0].n;
    return token->pattern ? PL_OK : pl__load_no_memory(l);
}

/* ---- ids, by a second vocabulary over the contents ---- */

static pl_status number_tokens(pl__load *l, pl__added_token *tokens, uint32_t count)
{
    pl__vocab contents, *v = &l->t->model.vocab;
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += tokens[i].content_bytes;
    if (!pl__vocab_init(&contents, &l->scratch, &l->scratch, count, bytes))
        return pl__load_no_memory(l);
    for (uint32_t i = 0; i < count; i++)
        pl__vocab_add(&contents, tokens[i].content, tokens[i].content_bytes, i);
    pl__vocab_clash clash;
    pl_status status = pl__vocab_finish(&contents, &l->scratch, true, &clash);
    if (status)
        return status == PL_MACHINE ? pl__load_no_memory(l) : PL__REFUSE(l, "added_tokens", "their contents are made to collide");
    uint32_t next = v->count;
    for (uint32_t i = 0; i < count; i++)
        tokens[i].id = PL__NONE;
    for (uint32_t i = 0; i < count; i++) {
        if (tokens[i].content_bytes == 0) /* the library passes over these */
            continue;
        uint32_t last = pl__vocab_find(&contents, tokens[i].content, tokens[i].content_bytes);
        uint32_t entry = pl__vocab_find(v, tokens[i].content, tokens[i].content_bytes);
        if (tokens[last].id == PL__NONE)
            tokens[last].id = entry != PL__NONE ? pl__vocab_id(v, entry) : next++;
        if (last != i)
            tokens[i].content_bytes = 0; /* said again further down, with other flags */
    }
    return PL_OK;
}

static int by_id(const void *a, const void *b, const void *context)
{
    (void)context;
    uint32_t x = ((const pl__added_token *)a)->id, y = ((const pl__added_token *)b)->id;
    return (x > y) - (x < y);
}

static pl_status make_set(pl__load *l, pl__added_set *set, bool normalized)
{
    pl_tokenizer *t = l->t;
    set->tokens = pl_region_take(&t->region, t->added_count * sizeof(void *));
    if (!set->tokens)
        return pl__load_no_memory(l);
    for (uint32_t i = 0; i < t->added_count; i++)
        if (t->added[i].normalized == normalized)
            set->tokens[set->count++] = &t->added[i];
    pl__added_prepare(set);
    return PL_OK;
}

static pl_status parse_all(pl__load *l, uint32_t count)
{
    pl_tokenizer *t = l->t;
    pl__added_token *tokens = t->added;
    uint32_t i = 0;
    for (const pl__node *node = l->added->child; node; node = node->next, i++) {
        char where[64];
        snprintf(where, sizeof where, "added_tokens[%u]", i);
        pl_status status = parse_token(l, where, node, &tokens[i]);
        if (status)
            return status;
    }
    pl_status status = number_tokens(l, tokens, count);
    size_t longest = 0;
    for (i = 0; i < count; i++)
        longest = pl_max(longest, tokens[i].content_bytes);
    pl__span spans[2] = {0};
    pl__frames frames = {pl_region_take(&l->scratch, PL__FRAMES * sizeof(pl__frame)), PL__FRAMES};
    if (!status)
        status = frames.at ? make_spans(l, longest, spans) : pl__load_no_memory(l);
    if (status)
        return status;
    for (i = 0; i < count; i++) {
        if (tokens[i].content_bytes == 0)
            continue;
        char where[64];
        snprintf(where, sizeof where, "added_tokens[%u]", i);
        status = make_pattern(l, where, frames, spans, &tokens[i]);
        if (status)
            return status;
        tokens[t->added_count++] = tokens[i];
        if (tokens[i].id >= t->ids)
            t->ids = tokens[i].id + 1;
    }
    pl__sort(tokens, t->added_count, sizeof *tokens, by_id, NULL);
    return PL_OK;
}

pl_status pl__load_added(pl__load *l)
{
    pl_tokenizer *t = l->t;
    uint32_t count = 0;
    if (l->added && l->added->kind != PL_JSON_ARRAY)
        return PL__REFUSE(l, "added_tokens", "must be a list");
    for (const pl__node *node = l->added ? l->added->child : NULL; node; node = node->next)
        if (++count > MOST)
            return PL__REFUSE(l, "added_tokens", "more than %d", MOST);
    if (count == 0)
        return PL_OK;
    t->added = pl_region_take(&t->region, count * sizeof *t->added);
    if (!t->added)
        return pl__load_no_memory(l);
    pl_status status = parse_all(l, count);
    if (!status)
        status = make_set(l, &t->raw, false);
    return status ? status : make_set(l, &t->normalized, true);
}
