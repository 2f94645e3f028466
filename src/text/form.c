/* NFD, NFC, NFKD and NFKC over a text, with the library's account of what changed.
 *
 * The text is decomposed; marks (characters of a class above 0) that stand together are sorted by
 * class, stable; for NFC and NFKC the starter before them then takes in what composes. Sorting walks
 * the marks again for each class that occurs, so that a text of nothing but marks stays linear. */
#include "text/normalize.h"

#include "text/unicode.h"

/* A decomposed character: its code and what it changes. */
typedef struct piece {
    uint32_t c;
    int change;
} piece;

/* Goes through the decomposition of in; a copy goes through the rest once more. */
typedef struct walk {
    const pl__span *in;
    size_t at;
    bool compatible;
    uint32_t parts[PL__DECOMPOSED];
    size_t count, next;
} walk;

static bool walk_next(walk *w, piece *p)
{
    if (w->next == w->count) {
        if (w->at == w->in->n)
            return false;
        uint32_t c;
        w->at += pl__decode(w->in->text + w->at, &c);
        w->count = pl__decompose(c, w->compatible, w->parts);
        w->next = 0;
    }
    *p = (piece){w->parts[w->next], w->next > 0};
    w->next++;
    return true;
}

/* What waits for its starter to be complete: marks that did not compose, packed from the far end of
 * out->from downwards (code | change << 31), where the text has not come yet. */
typedef struct composer {
    pl__transform x;
    bool compose, has_starter;
    piece starter;
    uint8_t last_class; /* of the last mark held */
    size_t held;
} composer;

static uint32_t *held_at(composer *c, size_t i) { return &c->x.out->from[c->x.out->capacity - 1 - i]; }

static void give_held(composer *c)
{
    for (size_t i = 0; i < c->held; i++) {
        uint32_t packed = *held_at(c, i);
        pl__transform_put(&c->x, packed & 0x7FFFFFFF, (int)(packed >> 31));
    }
    c->held = 0;
}

static void hold(composer *c, piece p, uint8_t class)
{
    /* the starter and what is held come to at least a byte each in front of these */
    if (c->x.out->n + 4 * (c->held + 2) + c->held >= c->x.out->capacity) {
        c->x.out->full = true;
        return;
    }
    *held_at(c, c->held++) = p.c | (uint32_t)p.change << 31;
    c->last_class = class;
}

static void next_piece(composer *c, piece p, uint8_t class)
{
    if (!c->compose || (!c->has_starter && class)) {
        pl__transform_put(&c->x, p.c, p.change);
    } else if (!c->has_starter) {
        c->starter = p;
        c->has_starter = true;
    } else {
        bool blocked = c->held > 0 && c->last_class >= class;
        uint32_t whole = blocked ? 0 : pl__compose(c->starter.c, p.c);
        if (whole) {
            c->starter = (piece){whole, c->starter.change + p.change - 1};
        } else if (class) {
            hold(c, p, class);
        } else {
            pl__transform_put(&c->x, c->starter.c, c->starter.change);
            give_held(c);
            c->starter = p;
        }
    }
}

/* The marks of which `first` is the first, and where `w` stands behind it; w ends behind the last. */
static void sort_marks(composer *c, walk *w, const walk *before)
{
    bool classes[256] = {false}, sorted = true;
    uint8_t last = 0;
    size_t count = 0;
    piece p;
    for (walk ahead = *before; walk_next(&ahead, &p); count++) {
        uint8_t class = pl__ccc(p.c);
        if (class == 0)
            break;
        sorted &= class >= last;
        classes[class] = true;
        last = class;
        *w = ahead;
    }
    for (unsigned class = sorted ? 255 : 1; class < 256; class ++) {
        walk again = *before;
        if (!sorted && !classes[class])
            continue;
        for (size_t i = 0; i < count && walk_next(&again, &p); i++)
            if (sorted || pl__ccc(p.c) == class)
                next_piece(c, p, pl__ccc(p.c));
    }
}

void pl__normalize_form(const pl__span *in, pl__span *out, bool compatible, bool compose)
{
    composer c = {.x = {.in = in, .out = out}, .compose = compose};
    walk w = {.in = in, .compatible = compatible};
    for (;;) {
        walk before = w;
        piece p;
        if (!walk_next(&w, &p))
            break;
        if (pl__ccc(p.c) == 0)
            next_piece(&c, p, 0);
        else
            sort_marks(&c, &w, &before);
        if (out->full)
            return;
    }
    if (c.has_starter)
        pl__transform_put(&c.x, c.starter.c, c.starter.change);
    give_held(&c);
}
