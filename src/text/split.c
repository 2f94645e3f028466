/* The pre-tokenizers. Most of them are a pattern (a set of characters or a regular expression) that
 * cuts a piece into parts that match and parts between, and a rule for what becomes of the matches. */
#include "text/general.h"
#include "text/unicode.h"

#include <string.h>

bool pl__split_writes(const pl_tokenizer *t, uint32_t stage)
{
    const pl__splitter *s = &t->splitters[stage];
    bool last = stage + 1 == t->splitter_count;
    if (s->kind == PL__SPLIT_BYTE_LEVEL)
        return s->prefix_space || !last || !t->model.takes_bytes;
    return s->kind == PL__SPLIT_METASPACE;
}

size_t pl__split_growth(const pl_tokenizer *t, uint32_t stage)
{
    const pl__splitter *s = &t->splitters[stage];
    bool mapped = stage + 1 < t->splitter_count || !t->model.takes_bytes;
    return s->kind == PL__SPLIT_BYTE_LEVEL ? (size_t)(s->prefix_space ? 1 : 0) + (mapped ? 2 : 0) : 3;
}

bool pl__splits(const pl_tokenizer *t)
{
    for (uint32_t i = 0; i < t->splitter_count; i++) {
        const pl__splitter *s = &t->splitters[i];
        if (s->kind == PL__SPLIT_METASPACE ? s->split : s->kind != PL__SPLIT_BYTE_LEVEL || s->use_regex)
            return true;
    }
    return false;
}

/* ---- patterns ---- */

typedef struct part {
    size_t from, to;
    bool match, open; /* open: the last one, and it may go on */
} part;

/* Walks over the parts of a piece. */
typedef struct parts {
    const pl__splitter *s;
    pl__piece piece;
    size_t at;
    bool invert;
    pl__matcher matcher; /* patterns: its text begins at the piece */
    bool waiting;        /* `next` is a match that was found behind the part before it */
    pl__match next;
} parts;

static bool is_delimiter(const pl__splitter *s, uint32_t c)
{
    switch (s->kind) {
    case PL__SPLIT_WHITESPACE: return pl__class(c) & PL__WHITE;
    case PL__SPLIT_PUNCTUATION: return pl__class(c) & PL__PUNCTUATION;
    case PL__SPLIT_DIGITS: return pl__class(c) & PL__NUMERIC;
    default: return c == s->character;
    }
}

static bool next_by_character(parts *p, part *out)
{
    size_t from = p->at, at = from;
    if (from == p->piece.to)
        return false;
    while (at < p->piece.to) {
        uint32_t c;
        size_t width = pl__decode(p->piece.span->text + at, &c);
        if (is_delimiter(p->s, c)) {
            if (at == from) {
                p->at = at + width;
                *out = (part){from, p->at, true, p->piece.open && p->at == p->piece.to};
                return true;
            }
            break;
        }
        at += width;
    }
    p->at = at;
    *out = (part){from, at, false, p->piece.open && at == p->piece.to};
    return true;
}

/* \w+|[^\w\s]+, of the regex crate: runs of three kinds, of which white space is between matches. */
static int word_kind(uint32_t c)
{
    uint8_t bits = pl__class(c);
    return bits & PL__WORD ? 1 : bits & PL__WHITE ? 0 : 2;
}

static bool next_by_word(parts *p, part *out)
{
    size_t from = p->at, at = from;
    int kind = -1;
    while (at < p->piece.to) {
        uint32_t c;
        size_t width = pl__decode(p->piece.span->text + at, &c);
        int here = word_kind(c);
        if (kind >= 0 && here != kind)
            break;
        kind = here;
        at += width;
    }
    if (at == from)
        return false;
    p->at = at;
    *out = (part){from, at, kind > 0, p->piece.open && at == p->piece.to};
    return true;
}

static bool next_by_pattern(parts *p, part *out)
{
    size_t base = p->piece.from;
    if (!p->waiting && p->at < p->piece.to + 1 && !p->matcher.failed) {
        p->waiting = pl__matcher_next(&p->matcher, &p->next);
        if (!p->waiting) { /* the rest; of an open piece as far as no match can begin */
            size_t end = base + p->matcher.certain, from = p->at;
            p->at = p->piece.to + 1;
            *out = (part){from, end, false, p->piece.open};
            return end > from && !p->matcher.failed;
        }
    }
    if (!p->waiting)
        return false;
    size_t start = base + p->next.start, stop = base + p->next.stop;
    if (p->at < start) {
        *out = (part){p->at, start, false, false};
        p->at = start;
        return true;
    }
    *out = (part){start, stop, true, false};
    p->at = stop;
    p->waiting = false;
    return true;
}

static bool next_part(parts *p, part *out)
{
    bool there;
    if (p->s->kind == PL__SPLIT_WORDS)
        there = next_by_word(p, out);
    else if (p->s->kind == PL__SPLIT_PATTERN || p->s->kind == PL__SPLIT_BYTE_LEVEL)
        there = next_by_pattern(p, out);
    else
        there = next_by_character(p, out);
    if (there)
        out->match ^= p->invert;
    return there;
}

/* ---- what becomes of the matches ---- */

static pl_status emit(pl__run *r, uint32_t stage, const pl__piece *whole, size_t from, size_t to, bool open)
{
    if (from == to || pl__run_ends(r))
        return PL_OK;
    return pl__split(r, stage + 1, (pl__piece){whole->span, from, to, open, whole->bytes});
}

/* Whether a part joins the piece that is being gathered. `last` is the part before. */
static bool joins(pl__behavior behavior, const part *last, bool fresh, const part *next)
{
    switch (behavior) {
    case PL__CONTIGUOUS: return next->match == last->match;
    case PL__MERGED_WITH_PREVIOUS: return next->match && !last->match;
    case PL__MERGED_WITH_NEXT: return fresh && last->match && !next->match;
    default: return false;
    }
}

static pl_status split_parts(pl__run *r, uint32_t stage, parts *p, pl__behavior behavior)
{
    part next, last = {0};
    size_t from = 0, to = 0;
    bool gathering = false, fresh = false; /* fresh: gathered is one part */
    pl_status status = PL_OK;
    while (!status && !pl__run_ends(r) && next_part(p, &next)) {
        if (behavior == PL__REMOVED) {
            status = next.match ? PL_OK : emit(r, stage, &p->piece, next.from, next.to, next.open);
            continue;
        }
        if (gathering && joins(behavior, &last, fresh, &next)) {
            to = next.to;
            fresh = false;
        } else {
            if (gathering)
                status = emit(r, stage, &p->piece, from, to, false);
            from = next.from;
            to = next.to;
            gathering = fresh = true;
        }
        last = next;
    }
    if (p->matcher.failed)
        return pl_fail(r->e, PL_BAD_INPUT, "%s: pre_tokenizer: a regular expression needs too many tries on this text", r->t->file);
    if (!status && gathering)
        status = emit(r, stage, &p->piece, from, to, p->piece.open);
    r->more |= p->piece.open && !status;
    return status;
}

static pl_status split_by(pl__run *r, uint32_t stage, const pl__splitter *s, pl__piece piece, pl__behavior behavior, bool invert)
{
    parts p = {.s = s, .piece = piece, .at = piece.from, .invert = invert};
    if (s->kind == PL__SPLIT_PATTERN || s->kind == PL__SPLIT_BYTE_LEVEL)
        pl__matcher_init(&p.matcher, s->regex, r->frames, s->text, s->text_bytes, piece.span->text + piece.from, piece.to - piece.from, piece.open);
    return split_parts(r, stage, &p, behavior);
}

/* ---- BERT: white space away, punctuation alone ---- */

static pl_status split_bert(pl__run *r, uint32_t stage, pl__piece piece)
{
    size_t from = piece.from, at = from;
    pl_status status = PL_OK;
    while (at < piece.to && !status && !pl__run_ends(r)) {
        uint32_t c;
        size_t width = pl__decode(piece.span->text + at, &c);
        uint8_t bits = pl__class(c);
        if (bits & (PL__WHITE | PL__PUNCTUATION)) {
            status = emit(r, stage, &piece, from, at, false);
            if (!status && !(bits & PL__WHITE))
                status = emit(r, stage, &piece, at, at + width, false);
            from = at + width;
        }
        at += width;
    }
    if (!status)
        status = emit(r, stage, &piece, from, at, piece.open);
    r->more |= piece.open && !status;
    return status;
}

/* ---- scripts, lengths ---- */

/* A piece begins where the script changes; what has none stays with what stands before. What stands
 * before the first script is dropped, as the library does it: its pieces begin at a change. */
static pl_status split_scripts(pl__run *r, uint32_t stage, pl__piece piece)
{
    size_t at = piece.from, from = piece.to;
    int last = -1; /* none yet */
    pl_status status = PL_OK;
    while (at < piece.to && !status && !pl__run_ends(r)) {
        uint32_t c;
        size_t width = pl__decode(piece.span->text + at, &c);
        int script = pl__script(c);
        if (script != 0 && script != last) {
            if (from < at)
                status = emit(r, stage, &piece, from, at, false);
            from = at;
            last = script;
        }
        at += width;
    }
    if (!status && from < piece.to)
        status = emit(r, stage, &piece, from, piece.to, piece.open);
    r->more |= piece.open && !status;
    return status;
}

static pl_status split_fixed(pl__run *r, uint32_t stage, pl__piece piece)
{
    const pl__splitter *s = &r->t->splitters[stage];
    pl_status status = PL_OK;
    for (size_t from = piece.from; from < piece.to && !status && !pl__run_ends(r);) {
        size_t at = from;
        for (uint64_t i = 0; i < s->length && at < piece.to; i++)
            at += pl__width(piece.span->text[at]);
        status = emit(r, stage, &piece, from, at, piece.open && at == piece.to);
        from = at;
    }
    r->more |= piece.open && !status;
    return status;
}

/* ---- those that write ---- */

static void put_character(pl__span *out, uint32_t c, uint32_t from) { pl__span_put(out, c, from); }

static pl_status split_metaspace(pl__run *r, uint32_t stage, pl__piece piece)
{
    const pl__splitter *s = &r->t->splitters[stage];
    const pl__span *in = piece.span;
    pl__span *out = &r->stages[stage];
    out->n = 0;
    out->full = false;
    out->origin = in->origin;
    uint32_t first;
    pl__decode(in->text + piece.from, &first);
    uint32_t place = in->from[piece.from];
    bool there = first == s->character || first == ' ';
    bool wanted = s->prepend == PL__PREPEND_ALWAYS || (s->prepend == PL__PREPEND_FIRST && (place & ~PL__EMPTY) == 0);
    if (wanted && !there)
        put_character(out, s->character, place);
    for (size_t at = piece.from; at < piece.to;) {
        size_t run = at;
        while (run < piece.to && in->text[run] != ' ')
            run++;
        pl__span_copy(out, in, at, run);
        if (run < piece.to)
            put_character(out, s->character, in->from[run++]);
        at = run;
    }
    if (out->full)
        return pl__run_too_long(r);
    pl__piece made = {out, 0, out->n, piece.open, false};
    return s->split ? split_by(r, stage, s, made, PL__MERGED_WITH_NEXT, false) : pl__split(r, stage + 1, made);
}

/* The bytes of a piece as the characters that stand for them; they go on from the written span. */
static pl_status map_bytes(pl__run *r, uint32_t stage, pl__piece piece)
{
    const pl__span *in = piece.span;
    pl__span *out = &r->stages[stage];
    size_t begin = out->n;
    for (size_t at = piece.from; at < piece.to; at++)
        pl__span_put(out, pl__byte_character((unsigned char)in->text[at]), in->from[at]);
    if (out->full)
        return pl__run_too_long(r);
    pl_status status = pl__split(r, stage + 1, (pl__piece){out, begin, out->n, piece.open, false});
    out->n = begin;
    return status;
}

/* After its own split, a byte-level piece goes on as bytes to a model that takes them, else written out. */
static pl_status leave_byte_level(pl__run *r, uint32_t stage, pl__piece piece)
{
    bool last = stage + 1 == r->t->splitter_count;
    if (!last || !r->t->model.takes_bytes)
        return map_bytes(r, stage, piece);
    piece.bytes = true;
    return pl__model_run(r, piece);
}

static pl_status split_byte_level(pl__run *r, uint32_t stage, pl__piece piece)
{
    const pl__splitter *s = &r->t->splitters[stage];
    pl__span *out = &r->stages[stage];
    if (pl__split_writes(r->t, stage)) {
        out->n = 0;
        out->full = false;
    }
    if (s->prefix_space && piece.span->text[piece.from] != ' ') {
        uint32_t place = piece.span->from[piece.from];
        pl__span_put(out, ' ', place);
        pl__span_copy(out, piece.span, piece.from, piece.to);
        if (out->full)
            return pl__run_too_long(r);
        piece = (pl__piece){out, 0, out->n, piece.open, false};
    }
    if (!s->use_regex)
        return leave_byte_level(r, stage, piece);
    parts p = {.s = s, .piece = piece, .at = piece.from};
    pl__matcher_init(&p.matcher, s->regex, r->frames, NULL, 0, piece.span->text + piece.from, piece.to - piece.from, piece.open);
    part next;
    pl_status status = PL_OK;
    while (!status && !pl__run_ends(r) && next_part(&p, &next))
        if (next.from < next.to)
            status = leave_byte_level(r, stage, (pl__piece){piece.span, next.from, next.to, next.open, false});
    if (p.matcher.failed)
        return pl_fail(r->e, PL_BAD_INPUT, "%s: pre_tokenizer: the text needs too many tries", r->t->file);
    r->more |= piece.open && !status;
    return status;
}

/* ---- in order ---- */

pl_status pl__split(pl__run *r, uint32_t stage, pl__piece piece)
{
    if (stage == r->t->splitter_count)
        return pl__model_run(r, piece);
    const pl__splitter *s = &r->t->splitters[stage];
    switch (s->kind) {
    case PL__SPLIT_BERT: return split_bert(r, stage, piece);
    case PL__SPLIT_BYTE_LEVEL: return split_byte_level(r, stage, piece);
    case PL__SPLIT_METASPACE: return split_metaspace(r, stage, piece);
    case PL__SPLIT_DELIMITER:
    case PL__SPLIT_WHITESPACE: return split_by(r, stage, s, piece, PL__REMOVED, false);
    case PL__SPLIT_WORDS: return split_by(r, stage, s, piece, PL__REMOVED, true);
    case PL__SPLIT_PATTERN:
    case PL__SPLIT_PUNCTUATION: return split_by(r, stage, s, piece, s->behavior, s->invert);
    case PL__SPLIT_DIGITS: return split_by(r, stage, s, piece, s->individual ? PL__ISOLATED : PL__CONTIGUOUS, false);
    case PL__SPLIT_SCRIPTS: return split_scripts(r, stage, piece);
    case PL__SPLIT_FIXED: return split_fixed(r, stage, piece);
    }
    return PL_OK;
}
