/* Which model, and the two that need no file of their own: WordLevel, and WordPiece over a span. */
#include "text/bpe.h"
#include "text/general.h"
#include "text/unicode.h"

size_t pl__model_scratch(const pl_tokenizer *t, size_t n)
{
    switch (t->model.kind) {
    case PL__WORDPIECE: return pl_min(n, t->model.vocab.longest) * sizeof(uint64_t);
    case PL__WORDLEVEL: return 0;
    case PL__BPE: return pl__bpe_scratch(n);
    case PL__UNIGRAM: return pl__unigram_scratch(n);
    }
    return 0;
}

static pl_status wordlevel(pl__run *r, pl__piece piece)
{
    const pl__model *m = &r->t->model;
    const char *text = piece.span->text + piece.from;
    size_t n = piece.to - piece.from;
    uint32_t entry = pl__vocab_find(&m->vocab, text, n);
    if (entry != PL__NONE)
        pl__run_push(r, pl__vocab_id(&m->vocab, entry), piece.span, piece.from, piece.to, text, n);
    else if (m->unk_id != PL__NONE)
        pl__run_push(r, m->unk_id, piece.span, piece.from, piece.to, m->unk, m->unk_bytes);
    else
        return pl__no_unknown(r->t, r->e);
    return PL_OK;
}

static pl_status wordpiece(pl__run *r, pl__piece piece)
{
    const pl__model *m = &r->t->model;
    const char *text = piece.span->text + piece.from;
    size_t n = piece.to - piece.from, chars = 0;
    for (size_t i = 0; i < n; i++)
        chars += ((unsigned char)text[i] & 0xC0) != 0x80;
    size_t before = r->sink->count, at = 0;
    while (chars <= m->most_chars && at < n) {
        size_t length;
        uint32_t entry = pl__wordpiece_longest(m, text + at, n - at, at == 0, r->scratch, &length);
        if (entry == PL__NONE)
            break;
        pl__run_push_id(r, pl__vocab_id(&m->vocab, entry), piece.span, piece.from + at, piece.from + at + length);
        at += length;
    }
    if (at == n && chars <= m->most_chars)
        return PL_OK;
    r->sink->count = before;
    if (m->unk_id == PL__NONE)
        return pl__no_unknown(r->t, r->e);
    pl__run_push(r, m->unk_id, piece.span, piece.from, piece.to, m->unk, m->unk_bytes);
    return PL_OK;
}

pl_status pl__model_run(pl__run *r, pl__piece piece)
{
    const pl__model *m = &r->t->model;
    r->more |= piece.open;
    if (piece.open && m->kind != PL__UNIGRAM && !(m->kind == PL__BPE && m->merges->join_slots))
        return PL_OK;
    switch (r->t->model.kind) {
    case PL__WORDPIECE: return wordpiece(r, piece);
    case PL__WORDLEVEL: return wordlevel(r, piece);
    case PL__BPE: return pl__bpe(r, piece);
    case PL__UNIGRAM: return pl__unigram(r, piece);
    }
    return PL_OK;
}
