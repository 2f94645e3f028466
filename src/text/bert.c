/* BERT's way from text to tokens in one pass: BertNormalizer (or none), BertPreTokenizer, WordPiece.
 * Only the current word is held. It gives exactly what the general way (encode.c) gives.
 *
 * The word: text[0..n) with from[i], the place in the raw text of the character that byte i comes
 * from. Beyond the longest word that the model reads, only its first and last place count. */
#include "text/tokenizer.h"

#include "text/unicode.h"

#include <string.h>

enum { LETTER, WHITE, PUNCTUATION, DROPPED, WIDE };

typedef struct word {
    char *text;
    uint32_t *from;
    uint64_t *hashes;
    size_t n, chars, most_chars; /* text has room for most_chars + 1 characters */
    size_t settled;              /* combining marks are not sorted across this place */
} word;

typedef struct run {
    const pl_tokenizer *t;
    const pl__visible *v;
    const pl__normalizer *norm; /* NULL: none */
    word word;
    pl__sink *sink;
    pl_error *e;
} run;

void pl__bert_prepare(pl_tokenizer *t)
{
    const pl__normalizer *norm = t->normalizer_count ? t->normalizers : NULL;
    t->bert = t->model.kind == PL__WORDPIECE && t->splitter_count == 1 && t->splitters[0].kind == PL__SPLIT_BERT && t->post.trim_count == 0 &&
        t->normalizer_count <= 1 && (!norm || norm->kind == PL__NORM_BERT) && t->normalized.count == 0;
    for (uint32_t c = 0; c < 256; c++) {
        uint8_t bits = c < 0x80 ? pl__class(c) : 0;
        t->fold[c] = (uint8_t)(norm && norm->lowercase && c >= 'A' && c <= 'Z' ? c + 32 : c);
        t->kind[c] = c >= 0x80                               ? WIDE
            : norm && norm->clean_text && (bits & PL__OTHER) ? DROPPED
            : bits & PL__WHITE                               ? WHITE
            : bits & PL__PUNCTUATION                         ? PUNCTUATION
                                                             : LETTER;
    }
}

/* Characters of a word that are kept, less one. */
static size_t most_chars(const pl_tokenizer *t, size_t text_bytes)
{
    /* a byte of text becomes at most one and a half characters */
    size_t most = t->model.most_chars < 2 * (uint64_t)text_bytes ? (size_t)t->model.most_chars : 2 * text_bytes;
    return pl_max(most, 1); /* the first place and the last need two */
}

size_t pl__bert_workspace(const pl_tokenizer *t, size_t text_bytes)
{
    size_t room = 4 * (most_chars(t, text_bytes) + 1);
    return room * (sizeof(uint64_t) + sizeof(uint32_t) + 1) + 64;
}

static pl_status flush(run *r)
{
    word *w = &r->word;
    if (w->n == 0)
        return PL_OK;
    pl_status status = pl__wordpiece(r->t, r->v->text, w->text, w->n, w->chars, w->from, w->hashes, r->sink, r->e);
    w->n = w->chars = w->settled = 0;
    return status;
}

static void append(word *w, uint32_t c, uint32_t place)
{
    w->chars++;
    if (w->chars > w->most_chars + 1) {
        w->from[w->n - 1] = place; /* only the end of so long a word matters */
        return;
    }
    size_t width = pl__encode(c, w->text + w->n);
    for (size_t i = 0; i < width; i++)
        w->from[w->n + i] = place;
    w->n += width;
}

/* A kept mark of class `class` goes before marks of higher classes; places stay where they are. */
static void append_mark(word *w, uint32_t c, uint8_t class, uint32_t place)
{
    append(w, c, place);
    if (w->chars > w->most_chars + 1)
        return;
    uint32_t last;
    size_t at = w->n - pl__decode_before(w->text, w->n, &last);
    while (at > w->settled) {
        uint32_t other;
        size_t width = pl__decode_before(w->text, at, &other), own = pl__width(w->text[at]);
        if (pl__ccc(other) <= class)
            break;
        uint32_t first_place = w->from[at - width], second_place = w->from[at];
        at -= width;
        pl__encode(c, w->text + at);
        pl__encode(other, w->text + at + own);
        for (size_t i = 0; i < own + width; i++)
            w->from[at + i] = i < own ? first_place : second_place;
    }
}

/* A character that the normalizer has done with. */
static pl_status add(run *r, uint32_t c, uint32_t place)
{
    uint8_t bits = pl__class(c);
    if (!(bits & (PL__WHITE | PL__PUNCTUATION))) {
        append(&r->word, c, place);
        return PL_OK;
    }
    pl_status status = flush(r);
    if (status || (bits & PL__WHITE))
        return status;
    append(&r->word, c, place);
    return flush(r);
}

static pl_status add_lowered(run *r, uint32_t c, uint32_t place)
{
    if (!r->norm || !r->norm->lowercase)
        return add(r, c, place);
    uint32_t low[2];
    size_t n = pl__lowercase(c, low);
    pl_status status = PL_OK;
    for (size_t i = 0; i < n && !status; i++)
        status = add(r, low[i], place);
    return status;
}

static pl_status add_stripped(run *r, uint32_t c, uint32_t place)
{
    uint32_t parts[PL__DECOMPOSED];
    size_t n = pl__decompose(c, false, parts);
    pl_status status = PL_OK;
    for (size_t i = 0; i < n && !status; i++) {
        uint8_t class = pl__ccc(parts[i]);
        bool dropped = pl__class(parts[i]) & PL__NONSPACING;
        if (dropped && class == 0)
            r->word.settled = r->word.n;
        if (dropped)
            continue;
        if (class) {
            uint32_t low[2];
            if (pl__lowercase(parts[i], low) == 1 && r->norm->lowercase)
                parts[i] = low[0];
            append_mark(&r->word, parts[i], class, place);
            continue;
        }
        status = add_lowered(r, parts[i], place);
        r->word.settled = r->word.n;
    }
    return status;
}

static pl_status add_wide(run *r, uint32_t c, uint32_t place)
{
    const pl__normalizer *norm = r->norm;
    if (!norm)
        return add(r, c, place);
    uint8_t bits = pl__class(c);
    if (norm->clean_text && (bits & PL__OTHER))
        return PL_OK;
    if (norm->clean_text && (bits & PL__WHITE))
        return flush(r);
    bool alone = norm->chinese && pl__is_chinese(c);
    pl_status status = alone ? flush(r) : PL_OK;
    if (!status)
        status = norm->strip_accents ? add_stripped(r, c, place) : add_lowered(r, c, place);
    return status || !alone ? status : flush(r);
}

/* Reads raw[from..to), which holds no added token, or less if there are enough tokens. */
static pl_status read_span(run *r, size_t from, size_t to)
{
    const char *raw = r->v->text;
    const uint8_t *kind = r->t->kind, *fold = r->t->fold;
    word *w = &r->word;
    pl_status status = PL_OK;
    size_t at = from;
    while (at < to && !status) {
        unsigned char c = (unsigned char)raw[at];
        switch (kind[c]) {
        case LETTER:
            if (w->chars <= w->most_chars) {
                w->text[w->n] = (char)fold[c];
                w->from[w->n++] = (uint32_t)at;
                w->chars++;
            } else {
                append(w, fold[c], (uint32_t)at);
            }
            w->settled = w->n;
            at++;
            continue;
        case DROPPED: at++; continue;
        case WHITE:
            status = flush(r);
            at++;
            break;
        case PUNCTUATION:
            status = flush(r);
            append(w, fold[c], (uint32_t)at);
            if (!status)
                status = flush(r);
            at++;
            break;
        default: {
            uint32_t wide;
            size_t width = pl__decode(raw + at, &wide);
            status = add_wide(r, wide, (uint32_t)at);
            at += width;
            break;
        }
        }
        if (r->sink->count >= r->sink->enough)
            break;
    }
    return status;
}

enum { LOOK_AHEAD = 4096 }; /* bytes searched for added tokens at a time */

pl_status pl__bert_encode(const pl_tokenizer *t, void *workspace, size_t text_bytes, const pl__visible *v, pl__sink *sink, pl__outcome *outcome, pl_error *e)
{
    size_t most = most_chars(t, text_bytes), room = 4 * (most + 1);
    uint64_t *hashes = workspace;
    uint32_t *from = (uint32_t *)(hashes + room);
    run r = {.t = t,
        .v = v,
        .norm = t->normalizer_count ? t->normalizers : NULL,
        .sink = sink,
        .e = e,
        .word = {.text = (char *)(from + room), .from = from, .hashes = hashes, .most_chars = most}};
    size_t at = 0, search = 0, taken = 0;
    *outcome = PL__ENOUGH;
    while (at < v->n || search < v->n) {
        pl__added_match match;
        size_t limit = pl_min(v->n, search + LOOK_AHEAD);
        pl__found found = pl__added_find(&t->raw, v, search, limit, taken, &match);
        while (limit < v->n && ((unsigned char)v->text[limit] & 0xC0) == 0x80)
            limit++;
        size_t end = found == PL__NOT_FOUND ? limit : match.start;
        if (end > at) {
            pl_status status = read_span(&r, at, end);
            if (status || sink->count >= sink->enough)
                return status;
            at = end;
        }
        if (found == PL__UNCERTAIN) {
            *outcome = PL__MORE;
            return PL_OK;
        }
        search = match.inner_stop;
        if (found == PL__NOT_FOUND)
            continue;
        pl_status status = flush(&r);
        if (status || sink->count >= sink->enough)
            return status;
        pl__sink_push(sink, match.token->id, (uint32_t)match.start, (uint32_t)match.stop);
        at = taken = match.stop;
        if (sink->count >= sink->enough)
            return PL_OK;
    }
    *outcome = v->open ? PL__MORE : PL__WHOLE;
    return v->open ? PL_OK : flush(&r);
}
