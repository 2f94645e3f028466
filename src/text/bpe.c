/* The BPE model over one piece.
 *
 * Symbols are named by the place where they begin, counted as the library counts: the sum of the
 * lengths of the symbols before, so characters that have no symbol at all move nothing. For each
 * place: id (PL__NONE: no symbol begins here), next and previous place. The pair of lowest rank goes
 * first, of equals the leftmost; short pieces look through their ranks, long ones keep a heap. */
#include "text/bpe.h"

#include "text/general.h"
#include "text/unicode.h"

#include <string.h>

enum { SHORT = 48 }; /* symbols up to which looking through is faster than a heap */

typedef struct symbols {
    const pl__merges *merges;
    uint32_t *ids, *next, *previous; /* [n] */
    uint64_t *heap;                  /* [2n] rank << 32 | place */
    uint32_t end;                    /* the place behind the last symbol */
    uint32_t last;                   /* place of the last symbol, PL__NONE: none */
    size_t heap_n, count;
} symbols;

size_t pl__bpe_scratch(size_t n) { return pl_round_up(n * (2 * sizeof(uint64_t) + 3 * sizeof(uint32_t)) + 64, 64); }

static symbols lay_symbols(const pl__merges *merges, void *scratch, size_t n)
{
    symbols s = {.merges = merges, .last = PL__NONE};
    s.heap = scratch;
    s.ids = (uint32_t *)(s.heap + 2 * n);
    s.next = s.ids + n;
    s.previous = s.next + n;
    return s;
}

static void add(symbols *s, uint32_t id, uint32_t length)
{
    s->ids[s->end] = id;
    s->previous[s->end] = s->last;
    s->last = s->end;
    s->end += length;
    s->next[s->last] = s->end;
    s->count++;
}

/* ---- first symbols ---- */

/* An unknown character waits, since the next may be fused with it. */
typedef struct unknown {
    bool waiting;
    uint32_t length;
} unknown;

static void add_known(symbols *s, const pl__model *m, unknown *u, uint32_t id, uint32_t length)
{
    if (u->waiting)
        add(s, m->unk_id, u->length);
    u->waiting = false;
    add(s, id, length);
}

static pl_status add_unknown(pl__run *r, symbols *s, unknown *u, uint32_t length)
{
    const pl__model *m = &r->t->model;
    if (!m->unk)
        return PL_OK; /* the character is passed over */
    if (m->unk_id == PL__NONE)
        return pl__no_unknown(r->t, r->e);
    if (u->waiting && m->fuse_unk) {
        u->length += length;
        return PL_OK;
    }
    if (u->waiting)
        add(s, m->unk_id, u->length);
    *u = (unknown){true, length};
    return PL_OK;
}

/* Byte tokens instead of an unknown character; they do not end a waiting one. */
static bool add_fallback(symbols *s, const pl__model *m, const char *text, size_t n)
{
    const uint32_t *ids = s->merges->fallback_ids;
    for (size_t i = 0; i < n; i++)
        if (!m->byte_fallback || ids[(unsigned char)text[i]] == PL__NONE)
            return false;
    for (size_t i = 0; i < n; i++)
        add(s, ids[(unsigned char)text[i]], 1);
    return true;
}

/* The entry of a character with what the model puts around it. */
static uint32_t find_character(const pl__model *m, const char *text, size_t n, bool first, bool last)
{
    const pl__vocab *v = &m->vocab;
    if (!(m->prefix && !first) && !(m->suffix && last))
        return pl__vocab_find(v, text, n);
    char spelt[4 + 2 * PL__LONGEST_AFFIX];
    size_t used = 0;
    if (m->prefix && !first) {
        memcpy(spelt, m->prefix, m->prefix_bytes);
        used = m->prefix_bytes;
    }
    memcpy(spelt + used, text, n);
    used += n;
    if (m->suffix && last) {
        memcpy(spelt + used, m->suffix, m->suffix_bytes);
        used += m->suffix_bytes;
    }
    return pl__vocab_find(v, spelt, used);
}

static pl_status start_characters(pl__run *r, symbols *s, const char *text, size_t n, bool open)
{
    const pl__model *m = &r->t->model;
    unknown u = {false, 0};
    pl_status status = PL_OK;
    for (size_t at = 0; at < n && !status;) {
        size_t width = pl__width(text[at]);
        uint32_t entry = find_character(m, text + at, width, at == 0, at + width == n && !open);
        if (entry != PL__NONE)
            add_known(s, m, &u, pl__vocab_id(&m->vocab, entry), (uint32_t)width);
        else if (!add_fallback(s, m, text + at, width))
            status = add_unknown(r, s, &u, (uint32_t)width);
        at += width;
    }
    if (u.waiting)
        add(s, m->unk_id, u.length);
    return status;
}

/* Each byte as its byte-level character; lengths are those of the bytes. */
static pl_status start_bytes(pl__run *r, symbols *s, const char *text, size_t n, bool open)
{
    const pl__model *m = &r->t->model;
    unknown u = {false, 0};
    pl_status status = PL_OK;
    for (size_t at = 0; at < n && !status; at++) {
        unsigned char byte = (unsigned char)text[at];
        uint32_t id = s->merges->byte_ids[byte];
        if ((m->prefix && at > 0) || (m->suffix && at + 1 == n && !open)) {
            char spelt[4];
            uint32_t entry = find_character(m, spelt, pl__encode(pl__byte_character(byte), spelt), at == 0, at + 1 == n && !open);
            id = entry == PL__NONE ? PL__NONE : pl__vocab_id(&m->vocab, entry);
        }
        if (id != PL__NONE)
            add_known(s, m, &u, id, 1);
        else
            status = add_unknown(r, s, &u, 1);
    }
    if (u.waiting)
        add(s, m->unk_id, u.length);
    return status;
}

/* ---- merging ---- */

static uint32_t rank_at(const symbols *s, uint32_t place)
{
    uint32_t next = s->next[place];
    return next == s->end ? PL__NONE : pl__merge_rank(s->merges, s->ids[place], s->ids[next]);
}

static void merge(symbols *s, uint32_t place, uint32_t rank)
{
    uint32_t right = s->next[place], behind = s->next[right];
    s->ids[place] = s->merges->made[rank];
    s->ids[right] = PL__NONE;
    s->next[place] = behind;
    if (behind != s->end)
        s->previous[behind] = place;
    s->count--;
}

static void merge_short(symbols *s)
{
    uint32_t places[SHORT], ranks[SHORT];
    size_t n = 0;
    for (uint32_t place = 0; place != s->end; place = s->next[place])
        places[n++] = place;
    for (size_t i = 0; i < n; i++)
        ranks[i] = rank_at(s, places[i]);
    for (;;) {
        size_t best = 0;
        for (size_t i = 1; i < n; i++)
            if (ranks[i] < ranks[best])
                best = i;
        if (ranks[best] == PL__NONE)
            return;
        merge(s, places[best], ranks[best]);
        n--;
        memmove(places + best + 1, places + best + 2, (n - best - 1) * sizeof *places);
        memmove(ranks + best + 1, ranks + best + 2, (n - best - 1) * sizeof *ranks);
        ranks[best] = rank_at(s, places[best]);
        if (best > 0)
            ranks[best - 1] = rank_at(s, places[best - 1]);
    }
}

static void heap_push(symbols *s, uint32_t place)
{
    uint32_t rank = rank_at(s, place);
    if (rank == PL__NONE)
        return;
    uint64_t value = (uint64_t)rank << 32 | place;
    size_t at = s->heap_n++;
    for (; at > 0 && s->heap[(at - 1) / 2] > value; at = (at - 1) / 2)
        s->heap[at] = s->heap[(at - 1) / 2];
    s->heap[at] = value;
}

static uint64_t heap_pop(symbols *s)
{
    uint64_t top = s->heap[0], value = s->heap[--s->heap_n];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < s->heap_n; at = child) {
        if (child + 1 < s->heap_n && s->heap[child + 1] < s->heap[child])
            child++;
        if (s->heap[child] >= value)
            break;
        s->heap[at] = s->heap[child];
    }
    s->heap[at] = value;
    return top;
}

/* An entry of the heap is out of date when its symbol is gone or has another pair by now. Each merge
 * takes one entry out and puts at most two in: with n symbols there are never more than 2n. */
static void merge_long(symbols *s)
{
    for (uint32_t place = 0; place != s->end; place = s->next[place])
        heap_push(s, place);
    while (s->heap_n > 0) {
        uint64_t top = heap_pop(s);
        uint32_t place = (uint32_t)top, rank = (uint32_t)(top >> 32);
        if (s->ids[place] == PL__NONE || rank_at(s, place) != rank)
            continue;
        merge(s, place, rank);
        heap_push(s, place);
        if (s->previous[place] != PL__NONE)
            heap_push(s, s->previous[place]);
    }
}

/* Of an open piece: keeps the symbols before the last place that no merge reaches over, if any. Next
 * to unknown ones nothing is certain: the next may be fused with them. */
static void keep_certain(symbols *s, uint32_t unk_id)
{
    uint32_t place = s->last;
    for (; place != PL__NONE && s->previous[place] != PL__NONE; place = s->previous[place]) {
        uint32_t left = s->ids[s->previous[place]], right = s->ids[place];
        s->count--;
        if (left != unk_id && right != unk_id && *pl__join_slot(s->merges, left, right) == 0) {
            s->last = s->previous[place];
            s->end = place;
            return;
        }
    }
    s->count = 0;
}

/* ---- a piece ---- */

/* Whether an entry spells the byte-level characters of text[0..n). */
static bool spells_bytes(const char *entry, size_t entry_bytes, const char *text, size_t n)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        char spelt[4];
        size_t width = pl__encode(pl__byte_character((unsigned char)text[i]), spelt);
        if (width > entry_bytes - at || memcmp(entry + at, spelt, width) != 0)
            return false;
        at += width;
    }
    return at == entry_bytes;
}

static uint32_t find_bytes(const pl__vocab *v, const char *text, size_t n)
{
    uint64_t h = v->seed;
    char spelt[4];
    for (size_t i = 0; i < n; i++)
        h = pl__hash(h, spelt, pl__encode(pl__byte_character((unsigned char)text[i]), spelt));
    pl__probe p = pl__probe_start(v, h);
    for (uint32_t entry; (entry = pl__probe_next(v, &p)) != PL__NONE;) {
        size_t bytes;
        const char *there = pl__vocab_text(v, entry, &bytes);
        if (spells_bytes(there, bytes, text, n))
            return entry;
    }
    return PL__NONE;
}

/* The entry that spells the whole piece. */
static uint32_t find_whole(const pl__model *m, const char *text, size_t n, bool bytes)
{
    const pl__vocab *v = &m->vocab;
    if (n > v->longest)
        return PL__NONE;
    return bytes ? find_bytes(v, text, n) : pl__vocab_find(v, text, n);
}

pl_status pl__bpe(pl__run *r, pl__piece piece)
{
    const pl__model *m = &r->t->model;
    const char *text = piece.span->text + piece.from;
    size_t n = piece.to - piece.from;
    if (m->ignore_merges && piece.open && n <= m->vocab.longest)
        return PL_OK; /* the whole of it may be one token */
    if (m->ignore_merges && !piece.open) {
        uint32_t entry = find_whole(m, text, n, piece.bytes);
        if (entry != PL__NONE) {
            pl__run_push_id(r, pl__vocab_id(&m->vocab, entry), piece.span, piece.from, piece.to);
            return PL_OK;
        }
    }
    symbols s = lay_symbols(m->merges, r->scratch, n);
    pl_status status = piece.bytes ? start_bytes(r, &s, text, n, piece.open) : start_characters(r, &s, text, n, piece.open);
    if (piece.open && !status)
        keep_certain(&s, m->unk_id);
    if (status || s.count == 0)
        return status;
    if (s.count <= SHORT)
        merge_short(&s);
    else
        merge_long(&s);
    for (uint32_t place = 0; place != s.end; place = s.next[place])
        pl__run_push_id(r, s.ids[place], piece.span, piece.from + place, piece.from + s.next[place]);
    return PL_OK;
}
