#include "text/normalize.h"

#include "text/unicode.h"

#include <string.h>

void pl__span_put(pl__span *out, uint32_t c, uint32_t from)
{
    if (out->capacity - out->n < 4) {
        out->full = true;
        return;
    }
    size_t width = pl__encode(c, out->text + out->n);
    for (size_t i = 0; i < width; i++)
        out->from[out->n + i] = from;
    out->n += width;
}

void pl__span_copy(pl__span *out, const pl__span *in, size_t from, size_t to)
{
    size_t n = to - from;
    if (out->capacity - out->n < n) {
        out->full = true;
        return;
    }
    memcpy(out->text + out->n, in->text + from, n);
    memcpy(out->from + out->n, in->from + from, n * sizeof *out->from);
    out->n += n;
}

void pl__transform_put(pl__transform *x, uint32_t c, int change)
{
    const pl__span *in = x->in;
    if (change > 0) {
        pl__span_put(x->out, c, x->at > 0 ? in->from[x->at - 1] : in->origin | PL__EMPTY);
        return;
    }
    if (x->at == in->n)
        return; /* nothing left to replace: the library fails on such a text */
    pl__span_put(x->out, c, in->from[x->at]);
    for (int i = change; i <= 0 && x->at < in->n; i++)
        x->at += pl__width(in->text[x->at]);
}

/* ---- BERT ---- */

static void clean(const pl__span *in, pl__span *out)
{
    for (size_t at = 0; at < in->n;) {
        uint32_t c;
        size_t width = pl__decode(in->text + at, &c);
        uint8_t bits = pl__class(c);
        if (!(bits & PL__OTHER))
            pl__span_put(out, bits & PL__WHITE ? ' ' : c, in->from[at]);
        at += width;
    }
}

static void space_chinese(const pl__span *in, pl__span *out)
{
    for (size_t at = 0; at < in->n;) {
        uint32_t c, from = in->from[at];
        at += pl__decode(in->text + at, &c);
        if (pl__is_chinese(c)) {
            pl__span_put(out, ' ', from);
            pl__span_put(out, c, from);
            pl__span_put(out, ' ', from);
        } else {
            pl__span_put(out, c, from);
        }
    }
}

/* Drops the characters that have one of the bits. */
static void drop(const pl__span *in, pl__span *out, uint8_t bits)
{
    for (size_t at = 0; at < in->n;) {
        uint32_t c, from = in->from[at];
        at += pl__decode(in->text + at, &c);
        if (!(pl__class(c) & bits))
            pl__span_put(out, c, from);
    }
}

static void lowercase(const pl__span *in, pl__span *out)
{
    for (size_t at = 0; at < in->n;) {
        uint32_t c, low[2], from = in->from[at];
        at += pl__decode(in->text + at, &c);
        size_t n = pl__lowercase(c, low);
        for (size_t i = 0; i < n; i++)
            pl__span_put(out, low[i], from);
    }
}

/* ---- the others ---- */

/* Takes white space off both ends. What follows an open end is unknown: white space there is left for
 * later, as the end of what is certain. */
static void strip(const pl__normalizer *norm, const pl__span *in, pl__span *out)
{
    size_t from = 0, to = in->n;
    uint32_t c;
    for (size_t width; norm->left && from < to; from += width) {
        width = pl__decode(in->text + from, &c);
        if (!(pl__class(c) & PL__WHITE))
            break;
    }
    while (norm->right && to > from) {
        size_t width = pl__decode_before(in->text, to, &c);
        if (!(pl__class(c) & PL__WHITE))
            break;
        to -= width;
    }
    pl__span_copy(out, in, from, to);
}

static bool nmt_drops(uint32_t c) { return (c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F; }

static bool nmt_spaces(uint32_t c)
{
    return c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 || (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
        c == 0xFEFF || c == 0xFFFD;
}

static void nmt(const pl__span *in, pl__span *out)
{
    for (size_t at = 0; at < in->n;) {
        uint32_t c, from = in->from[at];
        at += pl__decode(in->text + at, &c);
        if (!nmt_drops(c))
            pl__span_put(out, nmt_spaces(c) ? ' ' : c, from);
    }
}

static void put_text(pl__span *out, const char *text, size_t n, uint32_t from)
{
    for (size_t at = 0; at < n;) {
        uint32_t c;
        at += pl__decode(text + at, &c);
        pl__span_put(out, c, from);
    }
}

/* Every match becomes the content, which belongs to the last character of what it replaces. An open
 * end leaves undecided what a match could still reach: it is not given. */
static pl_status replace(const pl_tokenizer *t, const pl__normalizer *norm, pl__frames frames, const pl__span *in, pl__span *out, bool open, pl_error *e)
{
    pl__matcher m;
    pl__match match;
    size_t done = 0;
    pl__matcher_init(&m, norm->regex, frames, norm->text, norm->text_bytes, in->text, in->n, open);
    while (pl__matcher_next(&m, &match)) {
        pl__span_copy(out, in, done, match.start);
        put_text(out, norm->content, norm->content_bytes, match.stop > 0 ? in->from[match.stop - 1] : in->origin | PL__EMPTY);
        done = match.stop;
    }
    if (m.failed)
        return pl_fail(e, PL_BAD_INPUT, "%s: normalizer: a regular expression needs too many tries on this text", t->file);
    pl__span_copy(out, in, done, m.certain);
    return PL_OK;
}

static void prepend(const pl__normalizer *norm, const pl__span *in, pl__span *out)
{
    if (in->n > 0)
        put_text(out, norm->content, norm->content_bytes, in->from[0]);
    pl__span_copy(out, in, 0, in->n);
}

/* The character that stands for a byte in byte-level vocabularies. */
static void byte_level(const pl__span *in, pl__span *out)
{
    for (size_t at = 0; at < in->n; at++)
        pl__span_put(out, pl__byte_character((unsigned char)in->text[at]), in->from[at]);
}

uint32_t pl__byte_character(unsigned char byte)
{
    if ((byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD))
        return byte;
    if (byte <= 0x20)
        return 256u + byte;
    if (byte <= 0xA0)
        return 256u + 33 + (byte - 0x7Fu);
    return 256u + 33 + 34; /* 0xAD */
}

/* ---- in order ---- */

static void swap(pl__span **in, pl__span **out)
{
    pl__span *empty = *in;
    (*out)->origin = (*in)->origin;
    (*out)->full |= (*in)->full;
    *in = *out;
    *out = empty;
    empty->n = 0;
    empty->full = false;
}

static void bert(const pl__normalizer *norm, pl__span **in, pl__span **out)
{
    if (norm->clean_text) {
        clean(*in, *out);
        swap(in, out);
    }
    if (norm->chinese) {
        space_chinese(*in, *out);
        swap(in, out);
    }
    if (norm->strip_accents) {
        pl__normalize_form(*in, *out, false, false);
        swap(in, out);
        drop(*in, *out, PL__NONSPACING);
        swap(in, out);
    }
    if (norm->lowercase) {
        lowercase(*in, *out);
        swap(in, out);
    }
}

static pl_status step(const pl_tokenizer *t, const pl__normalizer *norm, pl__frames frames, pl__span **in, pl__span **out, bool open, pl_error *e)
{
    pl_status status = PL_OK;
    switch (norm->kind) {
    case PL__NORM_BERT: bert(norm, in, out); return PL_OK;
    case PL__NORM_STRIP: strip(norm, *in, *out); break;
    case PL__NORM_STRIP_ACCENTS: drop(*in, *out, PL__MARK); break;
    case PL__NORM_FORM: pl__normalize_form(*in, *out, norm->compatible, norm->compose); break;
    case PL__NORM_LOWERCASE: lowercase(*in, *out); break;
    case PL__NORM_NMT: nmt(*in, *out); break;
    case PL__NORM_PRECOMPILED: pl__normalize_precompiled(norm->charsmap, *in, *out); break;
    case PL__NORM_REPLACE: status = replace(t, norm, frames, *in, *out, open, e); break;
    case PL__NORM_PREPEND: prepend(norm, *in, *out); break;
    case PL__NORM_BYTE_LEVEL: byte_level(*in, *out); break;
    }
    swap(in, out);
    return status;
}

pl_status pl__normalize(const pl_tokenizer *t, pl__frames frames, pl__span *a, pl__span *b, bool open, pl_error *e)
{
    pl__span *in = a, *out = b;
    b->n = 0;
    b->full = false;
    for (uint32_t i = 0; i < t->normalizer_count; i++) {
        pl_status status = step(t, &t->normalizers[i], frames, &in, &out, open, e);
        if (status)
            return status;
    }
    if (in != a) {
        pl__span result = *in;
        *b = *a;
        *a = result;
    }
    return PL_OK;
}

size_t pl__normalize_growth(const pl_tokenizer *t)
{
    enum { MOST = 6 };
    size_t forms = 1, others = 1;
    for (uint32_t i = 0; i < t->normalizer_count; i++) {
        const pl__normalizer *n = &t->normalizers[i];
        if ((n->kind == PL__NORM_FORM && !n->compose) || (n->kind == PL__NORM_BERT && n->strip_accents))
            forms = 3; /* a syllable of Hangul comes apart into three letters */
        else if (n->kind == PL__NORM_FORM || n->kind == PL__NORM_BERT || n->kind == PL__NORM_PRECOMPILED || n->kind == PL__NORM_LOWERCASE)
            forms = pl_max(forms, 2);
        else if (n->kind == PL__NORM_BYTE_LEVEL)
            others *= 2;
        else if (n->kind == PL__NORM_REPLACE)
            others *= pl_max(1, n->regex ? pl_min(n->content_bytes, 3) : n->content_bytes / pl_max(1, n->text_bytes));
        others = pl_min(others, MOST);
    }
    return pl_min(forms * others, MOST);
}
