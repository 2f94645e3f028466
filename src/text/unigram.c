/* The Unigram model over one piece: the best path to each place, then back from the end.
 *
 * Sums are made in the library's order (from the left, in double), and of equal ones the first found
 * stays, so that ties and rounding come out the same. */
#include "text/unigram.h"

#include "text/general.h"
#include "text/unicode.h"

#include <string.h>

typedef struct node {
    double score;   /* of the best path that ends here */
    uint32_t start; /* where its last piece begins, PL__NONE: no path ends here */
    uint32_t id;    /* of that piece */
} node;

size_t pl__unigram_scratch(size_t n) { return (n + 1) * sizeof(node) + 64; }

static void reach(node *to, double score, uint32_t start, uint32_t id)
{
    if (to->start == PL__NONE || score > to->score)
        *to = (node){score, start, id};
}

/* All pieces that begin at `at`; whether one of them is the single character there. */
static bool follow_pieces(const pl__model *m, const char *text, size_t n, size_t at, node *nodes)
{
    const pl__vocab *v = &m->vocab;
    const pl__pieces *pieces = m->pieces;
    size_t most = pl_min(n - at, v->longest), end = 0, single = pl__width(text[at]);
    double before = nodes[at].score;
    bool found_single = false;
    uint64_t h = v->seed;
    while (end < most) {
        size_t width = pl__width(text[at + end]);
        if (width > most - end)
            break;
        h = pl__hash(h, text + at + end, width);
        if (!pl__may_begin(pieces, h))
            break;
        end += width;
        uint32_t id = pl__vocab_find_hashed(v, h, text + at, end);
        if (id == PL__NONE)
            continue;
        reach(&nodes[at + end], pieces->scores[id] + before, (uint32_t)at, id);
        found_single |= end == single;
    }
    return found_single;
}

static pl_status find_path(pl__run *r, const char *text, size_t n, node *nodes)
{
    const pl__model *m = &r->t->model;
    for (size_t i = 0; i <= n; i++)
        nodes[i] = (node){0, PL__NONE, 0};
    for (size_t at = 0; at < n;) {
        size_t width = pl__width(text[at]);
        if (!follow_pieces(m, text, n, at, nodes)) {
            node *to = &nodes[at + width];
            double score = m->pieces->unk_score + nodes[at].score;
            if (to->start == PL__NONE || score > to->score) {
                if (m->unk_id == PL__NONE)
                    return pl__no_unknown(r->t, r->e);
                *to = (node){score, (uint32_t)at, m->unk_id};
            }
        }
        at += width;
    }
    return PL_OK;
}

/* Of an open piece: the place that every path goes through, whatever follows. No piece is longer than
 * the longest, so a path to somewhere behind comes through one of the last places; where the paths to
 * those have last met, all before is certain. Unknown characters may still be fused with the next. */
static size_t find_meeting(const pl__model *m, const char *text, size_t n, const node *nodes)
{
    if (n < m->vocab.longest)
        return 0;
    size_t first = n - m->vocab.longest, meeting = n;
    for (size_t at = first; at <= n; at++)
        if (at == 0)
            meeting = 0;
        else if (nodes[at].start != PL__NONE && (at == n || ((unsigned char)text[at] & 0xC0) != 0x80))
            for (size_t other = at; other != meeting;) {
                if (other > meeting)
                    other = nodes[other].start;
                else
                    meeting = nodes[meeting].start;
            }
    while (meeting > 0 && nodes[meeting].id == m->unk_id)
        meeting = nodes[meeting].start;
    return meeting;
}

/* Turns the links around: nodes[start].start becomes where the piece that begins there ends. Returns
 * nothing; the first piece begins at 0. Unknown pieces that stand together become one. */
static void turn_around(const pl__model *m, size_t n, node *nodes)
{
    size_t end = n;
    while (end > 0) {
        size_t start = nodes[end].start;
        uint32_t id = nodes[end].id;
        size_t stop = end;
        while (id == m->unk_id && start > 0 && nodes[start].id == m->unk_id && nodes[start].start != PL__NONE)
            start = nodes[start].start;
        end = start;
        nodes[start].score = (double)stop; /* places are below 2^31: exact */
    }
}

static pl_status give_piece(pl__run *r, const pl__piece *piece, size_t from, size_t to)
{
    const pl__model *m = &r->t->model;
    const pl__span *span = piece->span;
    const char *text = span->text + from;
    uint32_t id = pl__vocab_find(&m->vocab, text, to - from);
    if (id == PL__NONE && m->byte_fallback) {
        bool all = true;
        for (size_t i = 0; i < to - from; i++)
            all &= m->pieces->byte_ids[(unsigned char)text[i]] != PL__NONE;
        for (size_t i = 0; all && i < to - from; i++)
            pl__run_push_id(r, m->pieces->byte_ids[(unsigned char)text[i]], span, from, to);
        if (all)
            return PL_OK;
    }
    if (id == PL__NONE)
        id = m->unk_id;
    if (id == PL__NONE)
        return pl__no_unknown(r->t, r->e);
    pl__run_push(r, id, span, from, to, text, to - from);
    return PL_OK;
}

pl_status pl__unigram(pl__run *r, pl__piece piece)
{
    size_t n = piece.to - piece.from;
    node *nodes = r->scratch;
    pl_status status = find_path(r, piece.span->text + piece.from, n, nodes);
    if (status)
        return status;
    if (piece.open)
        n = find_meeting(&r->t->model, piece.span->text + piece.from, n, nodes);
    turn_around(&r->t->model, n, nodes);
    for (size_t at = 0; at < n && !status;) {
        size_t to = (size_t)nodes[at].score;
        status = give_piece(r, &piece, piece.from + at, piece.from + to);
        at = to;
    }
    return status;
}
