#include "text/general.h"

#include "text/unicode.h"

#include <string.h>

/* ---- workspace ---- */

static size_t normalized_bytes(const pl_tokenizer *t, size_t text_bytes) { return text_bytes * pl__normalize_growth(t) + 256; }

/* What the first pre-tokenizers may make of it: a blank becomes three bytes, a byte two, and a copy
 * with a blank in front may stand before those. */
static size_t piece_bytes(const pl_tokenizer *t, size_t text_bytes, uint32_t stages)
{
    size_t n = normalized_bytes(t, text_bytes);
    for (uint32_t i = 0; i < stages; i++)
        if (pl__split_writes(t, i))
            n = n * pl__split_growth(t, i) + 64;
    return n;
}

static size_t span_bytes(size_t n) { return pl_round_up(n * (1 + sizeof(uint32_t)), 64); }

static size_t frame_bytes(const pl_tokenizer *t)
{
    bool regex = false;
    for (uint32_t i = 0; i < t->normalizer_count; i++)
        regex |= t->normalizers[i].regex != NULL;
    for (uint32_t i = 0; i < t->splitter_count; i++)
        regex |= t->splitters[i].regex != NULL;
    return regex ? PL__FRAMES * sizeof(pl__frame) : 0;
}

size_t pl__general_workspace(const pl_tokenizer *t, size_t text_bytes)
{
    size_t bytes = 2 * span_bytes(normalized_bytes(t, text_bytes)) + sizeof(pl__run) + 64 + frame_bytes(t);
    for (uint32_t i = 0; i < t->splitter_count; i++)
        if (pl__split_writes(t, i))
            bytes += span_bytes(piece_bytes(t, text_bytes, i + 1));
    return bytes + pl__model_scratch(t, piece_bytes(t, text_bytes, t->splitter_count));
}

static char *lay_span(char *at, size_t n, pl__span *span)
{
    *span = (pl__span){.from = (uint32_t *)at, .text = at + n * sizeof(uint32_t), .capacity = n};
    return at + span_bytes(n);
}

/* The longest text that the workspace has room for. A shorter one may use that room to grow. */
static size_t planned_bytes(const pl_tokenizer *t, size_t workspace_bytes, size_t text_bytes)
{
    size_t planned = text_bytes, step = 1;
    while (pl__general_workspace(t, planned + step) <= workspace_bytes) {
        planned += step;
        step *= 2;
    }
    for (; step > 0; step /= 2)
        if (pl__general_workspace(t, planned + step) <= workspace_bytes)
            planned += step;
    return planned;
}

static pl__run *lay_run(const pl_tokenizer *t, void *workspace, size_t text_bytes)
{
    pl__run *r = workspace;
    *r = (pl__run){.t = t};
    char *at = (char *)workspace + pl_round_up(sizeof *r, 64);
    r->frames = (pl__frames){(pl__frame *)at, PL__FRAMES};
    at += frame_bytes(t);
    at = lay_span(at, normalized_bytes(t, text_bytes), &r->a);
    at = lay_span(at, normalized_bytes(t, text_bytes), &r->b);
    for (uint32_t i = 0; i < t->splitter_count; i++)
        if (pl__split_writes(t, i))
            at = lay_span(at, piece_bytes(t, text_bytes, i + 1), &r->stages[i]);
    r->scratch = at;
    return r;
}

/* ---- tokens ---- */

static bool is_blank(uint32_t c) { return c == 0x120 || (pl__class(c) & PL__WHITE); }

static void count_blanks(const char *text, size_t n, uint32_t blanks[2])
{
    uint32_t c;
    blanks[0] = blanks[1] = 0;
    for (size_t at = 0; at < n; blanks[0]++) {
        at += pl__decode(text + at, &c);
        if (!is_blank(c))
            break;
    }
    for (size_t at = n; at > 0; blanks[1]++) {
        at -= pl__decode_before(text, at, &c);
        if (!is_blank(c))
            break;
    }
}

static uint32_t place_end(const char *raw, uint32_t from) { return from & PL__EMPTY ? from & ~PL__EMPTY : pl__span_end(raw, from); }

static void push(pl__run *r, uint32_t id, uint32_t start, uint32_t stop, const char *text, size_t n)
{
    pl__sink *s = r->sink;
    if (s->trims && s->count < s->capacity)
        count_blanks(text, n, s->trims[s->count]);
    pl__sink_push(s, id, start, stop);
}

void pl__run_push(pl__run *r, uint32_t id, const pl__span *span, size_t a, size_t b, const char *text, size_t n)
{
    push(r, id, span->from[a] & ~PL__EMPTY, place_end(r->raw, span->from[b - 1]), text, n);
}

void pl__run_push_id(pl__run *r, uint32_t id, const pl__span *span, size_t a, size_t b)
{
    size_t n = 0;
    const char *text = r->sink->trims ? pl_tokenizer_token(r->t, id, &n) : NULL;
    pl__run_push(r, id, span, a, b, text, n);
}

/* ---- a segment: text between raw added tokens ---- */

/* Finds the normalised added tokens of the segment and sends what lies between them on. */
static pl_status split_segment(pl__run *r, bool open)
{
    const pl__span *s = &r->a;
    pl__visible v = {s->text, s->n, open};
    uint32_t c;
    while (open && r->t->normalized.any_lstrip && v.n > 0) { /* a token behind may take white space */
        size_t width = pl__decode_before(s->text, v.n, &c);
        if (!(pl__class(c) & PL__WHITE))
            break;
        v.n -= width;
    }
    size_t done = 0, search = 0;
    pl__found found = PL__FOUND;
    while (found == PL__FOUND && !pl__run_ends(r)) {
        pl__added_match match;
        found = pl__added_find(&r->t->normalized, &v, search, v.n, done, &match);
        size_t end = found == PL__NOT_FOUND ? v.n : match.start;
        if (end > done) {
            pl_status status = pl__split(r, 0, (pl__piece){s, done, end, open && found != PL__FOUND, false});
            if (status || pl__run_ends(r))
                return status;
        }
        if (found == PL__FOUND) {
            pl__run_push(r, match.token->id, s, match.start, match.stop, s->text + match.start, match.stop - match.start);
            done = match.stop;
            search = match.inner_stop;
        }
    }
    r->more |= open;
    return PL_OK;
}

pl_status pl__run_too_long(pl__run *r)
{
    r->grew = true;
    return pl_fail(r->e, PL_BAD_INPUT, "a text that becomes more than %zu times as long when it is normalised", pl__normalize_growth(r->t));
}

static pl_status read_segment(pl__run *r, size_t from, size_t to, bool open)
{
    pl__span *a = &r->a;
    a->n = to - from;
    a->full = a->n > a->capacity;
    if (!a->full) {
        memcpy(a->text, r->raw + from, a->n);
        for (size_t i = from; i < to; i++) {
            unsigned char c = (unsigned char)r->raw[i];
            a->from[i - from] = (c & 0xC0) == 0x80 ? a->from[i - from - 1] : (uint32_t)i;
        }
        a->origin = (uint32_t)from;
        pl_status status = pl__normalize(r->t, r->frames, a, &r->b, open, r->e);
        if (status)
            return status;
    }
    if (a->full)
        return pl__run_too_long(r);
    return split_segment(r, open);
}

/* ---- a window ---- */

static pl_status read_window(pl__run *r, const pl__visible *v)
{
    size_t done = 0, search = 0;
    pl__found found = PL__FOUND;
    while (found == PL__FOUND && !pl__run_ends(r)) {
        pl__added_match match;
        found = pl__added_find(&r->t->raw, v, search, v->n, done, &match);
        if (found == PL__UNCERTAIN)
            break;
        size_t end = found == PL__NOT_FOUND ? v->n : match.start;
        if (end > done) {
            pl_status status = read_segment(r, done, end, v->open && found != PL__FOUND);
            if (status || pl__run_ends(r))
                return status;
        }
        if (found == PL__FOUND) {
            push(r, match.token->id, (uint32_t)match.start, (uint32_t)match.stop, v->text + match.start, match.stop - match.start);
            done = match.stop;
            search = match.inner_stop;
        }
    }
    r->more |= v->open;
    return PL_OK;
}

/* Whether an added token may begin before `at` and reach it. */
static bool is_crossed(const pl__added_set *set, const char *text, size_t at)
{
    pl__visible v = {text, at, true};
    for (size_t start = at > set->longest ? at - set->longest : 0; start < at; start++)
        if (pl__added_reaches(set, &v, start))
            return true;
    return false;
}

/* A place in (0, limit] where the text may be cut, 0 if none is found near its end. */
static size_t find_cut(const pl_tokenizer *t, const char *text, size_t n, size_t limit)
{
    enum { TRIES = 512 };
    for (size_t at = limit; at > 0 && limit - at < TRIES; at--) {
        uint32_t before, behind;
        if (at == n || ((unsigned char)text[at] & 0xC0) == 0x80)
            continue;
        pl__decode_before(text, at, &before);
        pl__decode(text + at, &behind);
        uint8_t bits = pl__class(before);
        if ((bits & PL__PLAIN) && !(bits & PL__WHITE) && (pl__class(behind) & PL__PLAIN) && !is_crossed(&t->raw, text, at))
            return at;
    }
    return 0;
}

enum { FIRST_WINDOW = 4096, BYTES_PER_TOKEN = 16 };

static pl_status read_windows(pl__run *r, const pl__visible *v, pl__outcome *outcome)
{
    pl__sink *sink = r->sink;
    size_t window = sink->enough < v->n / BYTES_PER_TOKEN ? pl_max(FIRST_WINDOW, sink->enough * BYTES_PER_TOKEN) : v->n;
    for (;; window *= 4) {
        bool whole = window >= v->n && !v->open;
        size_t cut = whole ? v->n : find_cut(r->t, v->text, v->n, pl_min(window, v->n));
        pl__visible visible = {v->text, cut, !whole};
        sink->count = 0;
        r->more = false;
        pl_status status = read_window(r, &visible);
        if (status)
            return status;
        *outcome = sink->count >= sink->enough ? PL__ENOUGH : r->more ? PL__MORE : PL__WHOLE;
        if (*outcome != PL__MORE || window >= v->n)
            return PL_OK;
    }
}

pl_status pl__general_encode(
    const pl_tokenizer *t, void *workspace, size_t workspace_bytes, const pl__visible *v, pl__sink *sink, pl__outcome *outcome, pl_error *e)
{
    size_t room = v->n;
    for (;;) {
        pl__run *r = lay_run(t, workspace, room);
        r->raw = v->text;
        r->sink = sink;
        r->e = e;
        pl_status status = read_windows(r, v, outcome);
        size_t planned = status && r->grew ? planned_bytes(t, workspace_bytes, v->n) : room;
        if (planned == room)
            return status;
        room = planned;
    }
}
