/* The WordPiece model: the longest piece that begins the word, then the longest that goes on. */
#include "text/tokenizer.h"

#include "text/unicode.h"

pl_status pl__no_unknown(const pl_tokenizer *t, pl_error *e)
{
    if (!t->model.unk)
        return pl_fail(e, PL_BAD_INPUT, "%s: model: has no unknown token, and a word of this text needs it", t->file);
    return pl_fail(e, PL_BAD_INPUT, "%s: model.unk_token: \"%s\" is not in the vocabulary, and a word of this text needs it", t->file, t->model.unk);
}

/* The entry that spells prefix, then text[0..n). */
static uint32_t find_continued(const pl__model *m, uint64_t h, const char *text, size_t n)
{
    const pl__vocab *v = &m->vocab;
    pl__probe p = pl__probe_start(v, h);
    for (uint32_t entry; (entry = pl__probe_next(v, &p)) != PL__NONE;) {
        const char *spelt = v->pool + v->start[entry];
        if (v->start[entry + 1] - v->start[entry] == m->prefix_bytes + n && pl__same(spelt, m->prefix, m->prefix_bytes) &&
            pl__same(spelt + m->prefix_bytes, text, n))
            return entry;
    }
    return PL__NONE;
}

uint32_t pl__wordpiece_longest(const pl__model *m, const char *text, size_t n, bool first, uint64_t *hashes, size_t *length)
{
    const pl__vocab *v = &m->vocab;
    size_t prefix = first ? 0 : m->prefix_bytes;
    if (v->longest <= prefix)
        return PL__NONE;
    size_t most = pl_min(n, v->longest - prefix);
    uint64_t h = first ? v->seed : pl__hash(v->seed, m->prefix, m->prefix_bytes);
    for (size_t i = 0; i < most; i++)
        hashes[i] = h = pl__hash_step(h, text[i]);
    for (size_t end = most; end > 0; end--) {
        if (end < n && ((unsigned char)text[end] & 0xC0) == 0x80)
            continue;
        uint32_t entry = first ? pl__vocab_find_hashed(v, hashes[end - 1], text, end) : find_continued(m, hashes[end - 1], text, end);
        if (entry != PL__NONE) {
            *length = end;
            return entry;
        }
    }
    return PL__NONE;
}

pl_status pl__wordpiece(
    const pl_tokenizer *t, const char *raw, const char *text, size_t n, size_t chars, const uint32_t *from, uint64_t *hashes, pl__sink *sink, pl_error *e)
{
    const pl__model *m = &t->model;
    size_t before = sink->count, at = 0;
    while (chars <= m->most_chars && at < n) {
        size_t length;
        uint32_t entry = pl__wordpiece_longest(m, text + at, n - at, at == 0, hashes, &length);
        if (entry == PL__NONE)
            break;
        pl__sink_push(sink, pl__vocab_id(&m->vocab, entry), from[at], pl__span_end(raw, from[at + length - 1]));
        at += length;
    }
    if (at == n && chars <= m->most_chars)
        return PL_OK;
    sink->count = before;
    if (m->unk_id == PL__NONE)
        return pl__no_unknown(t, e);
    pl__sink_push(sink, m->unk_id, from[0], pl__span_end(raw, from[n - 1]));
    return PL_OK;
}
