/* The long lists beside the vocabulary: BPE's merges and Unigram's scores. */
#include "text/bpe.h"
#include "text/lines.h"
#include "text/load.h"
#include "text/unicode.h"
#include "text/unigram.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static pl_status changed(pl__load *l) { return pl_fail(l->e, PL_BAD_INPUT, "%s: changed while it was read", l->path); }

/* The id of "<0x2A>", PL__NONE: not in the vocabulary. */
static uint32_t byte_token(const pl__vocab *v, unsigned byte)
{
    char name[8];
    snprintf(name, sizeof name, "<0x%02X>", byte);
    uint32_t entry = pl__vocab_find(v, name, 6);
    return entry == PL__NONE ? PL__NONE : pl__vocab_id(v, entry);
}

/* ---- merges ---- */

/* Fails at the walker's place, or without one in the file of lines. */
static pl_status bad_merge(pl__load *l, pl_json_walker *w, const char *format, ...) PL_PRINTF(3, 4);
static pl_status bad_merge(pl__load *l, pl_json_walker *w, const char *format, ...)
{
    char what[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (w)
        return pl_json_fail(w, l->e, "model.merges: %s", what);
    return pl_fail(l->e, PL_BAD_INPUT, "merges.txt: merge %u: %s", l->t->model.merges->count, what);
}

/* A merge being read: its two tokens. */
typedef struct pair {
    const char *left, *right;
    size_t left_bytes, right_bytes;
} pair;

static pl_status find_token(pl__load *l, pl_json_walker *w, const char *text, size_t n, uint32_t *id)
{
    const pl__vocab *v = &l->t->model.vocab;
    uint32_t entry = pl__vocab_find(v, text, n);
    if (entry == PL__NONE)
        return bad_merge(l, w, "the token \"%.*s\" is not in the vocabulary", (int)pl_min(n, 200), text);
    *id = pl__vocab_id(v, entry);
    return PL_OK;
}

/* The token that both make: the right one loses its prefix. */
static pl_status find_made(pl__load *l, pl_json_walker *w, const pair *p, uint32_t *id)
{
    size_t prefix = l->t->model.prefix_bytes;
    if (p->right_bytes < prefix)
        return bad_merge(l, w, "the token \"%.*s\" is shorter than the prefix", (int)pl_min(p->right_bytes, 200), p->right);
    const pl__vocab *v = &l->t->model.vocab;
    size_t n = p->left_bytes + p->right_bytes - prefix;
    uint64_t h = pl__hash(pl__hash(v->seed, p->left, p->left_bytes), p->right + prefix, p->right_bytes - prefix);
    pl__probe probe = pl__probe_start(v, h);
    for (uint32_t entry; (entry = pl__probe_next(v, &probe)) != PL__NONE;) {
        size_t bytes;
        const char *there = pl__vocab_text(v, entry, &bytes);
        if (bytes == n && memcmp(there, p->left, p->left_bytes) == 0 && memcmp(there + p->left_bytes, p->right + prefix, p->right_bytes - prefix) == 0) {
            *id = pl__vocab_id(v, entry);
            return PL_OK;
        }
    }
    return bad_merge(l, w, "\"%.*s\" and \"%.*s\" make a token that is not in the vocabulary", (int)pl_min(p->left_bytes, 200), p->left,
        (int)pl_min(p->right_bytes, 200), p->right);
}

/* The same pair again replaces the one before, as in the library. */
static bool put_merge(pl__merges *m, uint32_t rank)
{
    uint32_t mask = (uint32_t)((1ULL << m->slot_bits) - 1), left = m->pairs[rank][0], right = m->pairs[rank][1];
    enum { LONGEST_CHAIN = 1 << 10 };
    uint32_t at = pl__merge_slot(m, left, right);
    for (int steps = 0; m->slots[at]; at = (at + 1) & mask) {
        uint32_t other = m->slots[at] - 1;
        if (m->pairs[other][0] == left && m->pairs[other][1] == right)
            break;
        if (++steps == LONGEST_CHAIN)
            return false;
    }
    m->slots[at] = rank + 1;
    return true;
}

static pl_status add_merge(pl__load *l, pl_json_walker *w, const pair *p)
{
    pl__merges *m = (pl__merges *)(uintptr_t)l->t->model.merges;
    if (m->count == l->merge_count)
        return changed(l);
    uint32_t rank = m->count++;
    pl_status status = find_token(l, w, p->left, p->left_bytes, &m->pairs[rank][0]);
    if (!status)
        status = find_token(l, w, p->right, p->right_bytes, &m->pairs[rank][1]);
    if (!status)
        status = find_made(l, w, p, &m->made[rank]);
    if (!status && !put_merge(m, rank))
        return PL__REFUSE(l, "model.merges", "its pairs are made to collide");
    return status;
}

/* "a b"; only the first lines may be "#version: 0.2". */
static pl_status read_line(pl__load *l, pl_json_walker *w, const char *line, size_t n)
{
    if (n >= 8 && memcmp(line, "#version", 8) == 0) {
        l->merge_count--;
        return PL_OK;
    }
    const char *blank = memchr(line, ' ', n);
    size_t left = blank ? (size_t)(blank - line) : n;
    if (!blank || memchr(blank + 1, ' ', n - left - 1))
        return bad_merge(l, w, "\"%.*s\" is no pair of tokens", (int)pl_min(n, 200), line);
    return add_merge(l, w, &(pair){line, blank + 1, left, n - left - 1});
}

/* ["a", "b"]: the first is copied, since the walker holds one string at a time. */
static pl_status read_pair(pl__load *l, pl_json_walker *w, char *buffer)
{
    pair p = {.left = buffer};
    for (int i = 0; i < 3; i++) {
        static const pl_json_event wanted[] = {PL_JSON_STRING, PL_JSON_STRING, PL_JSON_END};
        pl_json_event event;
        pl_status status = pl_json_next(w, &event, l->e);
        if (status)
            return status;
        if (event != wanted[i])
            return pl_json_fail(w, l->e, "model.merges: an entry is no pair of tokens");
        size_t n;
        const char *text = pl_json_scalar(w, &n);
        if (i == 0) {
            if (n > l->t->model.vocab.longest)
                return pl_json_fail(w, l->e, "model.merges: the token \"%.*s\" is not in the vocabulary", (int)pl_min(n, 200), text);
            memcpy(buffer, text, n);
            p.left_bytes = n;
        } else if (i == 1) {
            p.right = text;
            p.right_bytes = n;
            status = add_merge(l, w, &p);
        }
        if (status)
            return status;
    }
    return PL_OK;
}

static pl_status read_merges(pl__load *l, pl_json_walker *w)
{
    char *buffer = pl_region_take(&l->scratch, l->t->model.vocab.longest + 1);
    if (!buffer)
        return pl__load_no_memory(l);
    bool lines = false, pairs = false;
    for (;;) {
        pl_json_event event;
        pl_status status = pl_json_next(w, &event, l->e);
        if (status || event == PL_JSON_END)
            return status;
        lines |= event == PL_JSON_STRING;
        pairs |= event == PL_JSON_ARRAY;
        if (lines && pairs)
            return pl_json_fail(w, l->e, "model.merges: some entries are lists and some strings");
        size_t n;
        const char *line = pl_json_scalar(w, &n);
        status = lines ? read_line(l, w, line, n) : read_pair(l, w, buffer);
        if (status)
            return status;
    }
}

static pl_status start_merges(pl__load *l)
{
    pl_tokenizer *t = l->t;
    if (l->merge_count >= 1u << 30)
        return PL__REFUSE(l, "model.merges", "more than any model has");
    pl__merges *m = pl_region_take(&t->region, sizeof *m);
    if (!m)
        return pl__load_no_memory(l);
    t->model.merges = m;
    m->slot_bits = 4;
    while (1ULL << m->slot_bits < l->merge_count + l->merge_count / 2)
        m->slot_bits++;
    m->pairs = pl_region_take(&t->region, (size_t)l->merge_count * sizeof *m->pairs);
    m->made = pl_region_take(&t->region, (size_t)l->merge_count * sizeof *m->made);
    m->slots = pl_region_take(&t->region, sizeof *m->slots << m->slot_bits);
    return m->pairs && m->made && m->slots ? PL_OK : pl__load_no_memory(l);
}

/* For each id the first symbols at its ends; what no merge makes is a symbol itself. */
static pl_status find_ends(pl__load *l, const pl__merges *m, uint32_t **first, uint32_t **last)
{
    size_t n = l->t->model.vocab.top;
    *first = pl_region_take(&l->scratch, n * sizeof **first);
    *last = pl_region_take(&l->scratch, n * sizeof **last);
    if (!*first || !*last)
        return pl__load_no_memory(l);
    for (uint32_t i = 0; i < n; i++)
        (*first)[i] = (*last)[i] = i;
    for (uint32_t i = 0; i < m->count; i++) {
        (*first)[m->made[i]] = (*first)[m->pairs[i][0]];
        (*last)[m->made[i]] = (*last)[m->pairs[i][1]];
    }
    return PL_OK;
}

/* A merge may use a token that only a later merge makes: then its ends are not known above, and joins
 * are not kept. Nor for ids far above the vocabulary's size, whose tables would be mostly empty. */
static bool ends_are_known(const pl__merges *m, const uint32_t *first, const uint32_t *last)
{
    for (uint32_t i = 0; i < m->count; i++)
        if (first[m->made[i]] != first[m->pairs[i][0]] || last[m->made[i]] != last[m->pairs[i][1]])
            return false;
    return true;
}

pl_status pl__load_joins(pl__load *l)
{
    pl_tokenizer *t = l->t;
    pl__merges *m = (pl__merges *)(uintptr_t)t->model.merges;
    if (pl__splits(t) || t->model.vocab.top > 2 * t->model.vocab.count)
        return PL_OK;
    uint32_t *first, *last;
    pl_status status = find_ends(l, m, &first, &last);
    if (status || !ends_are_known(m, first, last))
        return status;
    m->join_bits = 4;
    while (1ULL << m->join_bits < 2ULL * m->count)
        m->join_bits++;
    m->join_slots = pl_region_take(&t->region, sizeof *m->join_slots << m->join_bits);
    if (!m->join_slots)
        return pl__load_no_memory(l);
    for (uint32_t i = 0; i < m->count; i++) {
        uint32_t left = last[m->pairs[i][0]], right = first[m->pairs[i][1]];
        *pl__join_slot(m, left, right) = ((uint64_t)left << 32 | right) + 1;
    }
    return PL_OK;
}

void pl__load_merges_done(pl__load *l)
{
    pl__model *model = &l->t->model;
    pl__merges *m = (pl__merges *)(uintptr_t)model->merges;
    bool all = true;
    for (unsigned byte = 0; byte < 256; byte++) {
        char name[4];
        uint32_t entry = pl__vocab_find(&model->vocab, name, pl__encode(pl__byte_character((unsigned char)byte), name));
        m->byte_ids[byte] = entry == PL__NONE ? PL__NONE : pl__vocab_id(&model->vocab, entry);
        m->fallback_ids[byte] = byte_token(&model->vocab, byte);
        all &= entry != PL__NONE;
    }
    model->takes_bytes = !model->byte_fallback && (model->unk_id != PL__NONE || (all && !model->prefix && !model->suffix));
}

pl_status pl__load_merges(pl__load *l)
{
    pl_status status = start_merges(l);
    return status ? status : pl__load_walk(l, "merges", read_merges);
}

/* ---- merges.txt ---- */

static pl_status each_line(pl__load *l, const char *path, bool adds)
{
    pl__text_lines lines;
    const char *text;
    size_t n;
    pl_status status = pl__text_lines_open(&lines, path, &l->t->memory.face, l->e);
    if (status)
        return status;
    while (!(status = pl__text_lines_next(&lines, &text, &n, l->e))) {
        if (!adds)
            l->merge_count++;
        else if ((status = read_line(l, NULL, text, n)))
            break;
    }
    pl__text_lines_close(&lines);
    return status == PL_END ? PL_OK : status;
}

pl_status pl__load_merges_file(pl__load *l, const char *path)
{
    pl_status status = each_line(l, path, false);
    if (!status)
        status = start_merges(l);
    return status ? status : each_line(l, path, true);
}

/* ---- Unigram ---- */

static pl_status read_piece(pl__load *l, pl_json_walker *w)
{
    pl__vocab *v = &l->t->model.vocab;
    pl__pieces *pieces = (pl__pieces *)(uintptr_t)l->t->model.pieces;
    pl_json_event event;
    size_t n;
    pl_status status = pl_json_next(w, &event, l->e);
    if (status)
        return status;
    const char *text = pl_json_scalar(w, &n);
    if (event != PL_JSON_STRING || !pl__vocab_add(v, text, n, v->count))
        return changed(l);
    status = pl_json_next(w, &event, l->e);
    if (status)
        return status;
    double *score = &pieces->scores[v->count - 1];
    const char *number = pl_json_scalar(w, &n);
    if (event != PL_JSON_NUMBER || !pl_double_parse(number, n, score) || !isfinite(*score))
        return pl_json_fail(w, l->e, "model.vocab: a score that is no finite number");
    if (*score < pieces->unk_score)
        pieces->unk_score = *score;
    return pl_json_next(w, &event, l->e); /* the end of the entry */
}

/* [["piece", score], ...]: the first walk has seen that each entry is such a list. */
static pl_status read_pieces(pl__load *l, pl_json_walker *w)
{
    for (;;) {
        pl_json_event event;
        pl_status status = pl_json_next(w, &event, l->e);
        if (status || event == PL_JSON_END)
            return status;
        status = event == PL_JSON_ARRAY ? read_piece(l, w) : changed(l);
        if (status)
            return status;
    }
}

/* Marks everything that a piece begins with. */
static void fill_prefixes(const pl__vocab *v, pl__pieces *p)
{
    for (uint32_t i = 0; i < v->count; i++) {
        size_t n;
        const char *text = pl__vocab_text(v, i, &n);
        uint64_t h = v->seed;
        for (size_t at = 0; at < n;) {
            size_t width = pl__width(text[at]);
            h = pl__hash(h, text + at, width);
            p->prefixes[h >> (64 - p->prefix_bits)] |= pl__prefix_mask(h);
            at += width;
        }
    }
}

static pl_status finish_pieces(pl__load *l, pl__pieces *p)
{
    static const double unk_penalty = 10;
    pl__vocab *v = &l->t->model.vocab;
    p->unk_score -= unk_penalty;
    p->prefix_bits = 4;
    while (1ULL << p->prefix_bits < v->count / 2)
        p->prefix_bits++;
    p->prefixes = pl_region_take(&l->t->region, sizeof *p->prefixes << p->prefix_bits);
    if (!p->prefixes)
        return pl__load_no_memory(l);
    fill_prefixes(v, p);
    for (unsigned byte = 0; byte < 256; byte++)
        p->byte_ids[byte] = byte_token(v, byte);
    return PL_OK;
}

pl_status pl__load_pieces(pl__load *l)
{
    pl__vocab *v = &l->t->model.vocab;
    pl__pieces *p = pl_region_take(&l->t->region, sizeof *p);
    if (!p || !(p->scores = pl_region_take(&l->t->region, (size_t)l->vocab_count * sizeof *p->scores)))
        return pl__load_no_memory(l);
    p->unk_score = INFINITY;
    l->t->model.pieces = p;
    pl_status status = pl__load_walk(l, "vocab", read_pieces);
    if (status || v->count != l->vocab_count)
        return status ? status : changed(l);
    pl__vocab_clash clash;
    status = pl__vocab_finish(v, &l->t->region, true, &clash);
    return status == PL_MACHINE ? pl__load_no_memory(l) : status ? pl__load_clash(l, &clash) : finish_pieces(l, p);
}
