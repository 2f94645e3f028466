/* Between the files of the regular expressions: pattern -> tree (regex_parse.c) -> program
 * (regex_compile.c), run by regex.c; sets of characters in regex_set.c.
 *
 * The syntax is Oniguruma's own: (?i) (?m) (?x), ^ and $ at lines, possessive *+ ++ ?+ but not
 * {n,m}+, nested and intersected classes. What is left out is refused: back references, recursion,
 * conditions, \X, \K, \G, absence. */
#ifndef PL_TEXT_REGEX_PROGRAM_H
#define PL_TEXT_REGEX_PROGRAM_H

#include "text/regex.h"

/* ---- sets ---- */
typedef enum pl__item_kind { PL__ITEM_RANGE, PL__ITEM_CATEGORIES, PL__ITEM_BITS, PL__ITEM_WHITE, PL__ITEM_WORD, PL__ITEM_SCRIPT, PL__ITEM_SET } pl__item_kind;
typedef struct pl__item {
    uint8_t kind;
    bool negated;
    uint32_t low, high; /* RANGE: both ends; CATEGORIES, BITS: mask in low; WORD: 1 in low outside of classes; SCRIPT: number in low; SET: index in low */
} pl__item;

/* Members: those of any item; with `both`, those of all items. Negated at the end. */
typedef struct pl__set {
    uint64_t ascii[2];          /* the answer for ASCII */
    uint32_t first, count;      /* its items */
    bool negated, both, folded; /* folded: a member's other cases belong too */
} pl__set;

/* ---- programs ---- */
typedef enum pl__op {
    PL__OP_CHARACTER, /* a: code point */
    PL__OP_FOLDED,    /* a: folded code point */
    PL__OP_SET,       /* a: set */
    PL__OP_ANY,       /* a: 1 takes newlines too */
    PL__OP_SPLIT,     /* goes on at a; if that fails, at b; d: a begins with the byte c */
    PL__OP_JUMP,      /* a */
    PL__OP_LOOP,      /* a: a set, or PL__LOOP_... ; at least b, at most c times; d: pl__greed */
    PL__OP_AHEAD,     /* what follows up to b must match (a: 1), or must not (0); goes on at b */
    PL__OP_BEHIND,    /* the same, from c characters before */
    PL__OP_ATOMIC,    /* what follows up to b matches once and for all */
    PL__OP_ENTER,     /* remembers the place in slot a */
    PL__OP_AGAIN,     /* fails if slot a holds this place: an empty turn of a loop */
    PL__OP_LINE_BEGIN,
    PL__OP_LINE_END,
    PL__OP_TEXT_BEGIN,
    PL__OP_TEXT_END,
    PL__OP_TEXT_END_LINE,
    PL__OP_WORD_EDGE,
    PL__OP_NO_WORD_EDGE,
    PL__OP_MATCH,
} pl__op;
typedef enum pl__greed { PL__GREEDY, PL__LAZY, PL__POSSESSIVE } pl__greed;
enum {
    PL__FOREVER = 0xFFFFFFFF,
    PL__LOOP_ANY = 0x80000000,
    PL__LOOP_ANY_NEWLINE = 0x80000001,
    PL__LOOP_CHARACTER = 0x40000000,
    PL__LOOP_FOLDED = 0x20000000,
    PL__MOST_SLOTS = 16
};

typedef struct pl__code {
    uint32_t op, a, b, c, d;
} pl__code;

struct pl__regex {
    const pl__code *code;
    const pl__set *sets;
    const pl__item *items;
    uint32_t code_count, set_count;
    uint64_t first[4]; /* bytes that a match can begin with */
    bool any_first;    /* it may be empty, or its beginning is not known */
};

bool pl__set_has(const pl__regex *r, uint32_t set, uint32_t c);
uint32_t pl__fold(uint32_t c);
/* Characters that fold to `folded`, at most 16. */
size_t pl__unfold(uint32_t folded, uint32_t out[16]);

/* ---- trees ---- */
typedef enum pl__shape {
    PL__SHAPE_EMPTY,
    PL__SHAPE_CHARACTER,
    PL__SHAPE_SET,
    PL__SHAPE_ANY,
    PL__SHAPE_SEQUENCE,
    PL__SHAPE_CHOICE,
    PL__SHAPE_REPEAT,
    PL__SHAPE_AHEAD,
    PL__SHAPE_BEHIND,
    PL__SHAPE_ATOMIC,
    PL__SHAPE_ANCHOR,
} pl__shape;

typedef struct pl__branch {
    pl__shape shape;
    uint32_t value;     /* CHARACTER: code point; SET: index; ANY: 1 with newlines; ANCHOR: its op; AHEAD, BEHIND: 1 positive */
    bool folded;        /* CHARACTER */
    uint32_t low, high; /* REPEAT */
    pl__greed greed;
    struct pl__branch *child, *next; /* SEQUENCE, CHOICE: children in order; others: one child */
} pl__branch;

/* A pattern being read. */
typedef struct pl__pattern {
    const char *text;
    size_t n, at;
    pl_region *scratch;
    pl__set *sets; /* in scratch, with room for `room` each */
    pl__item *items;
    uint32_t set_count, item_count, room;
    uint32_t depth;
    char *why; /* [128] */
    pl_status status;
    bool fold, extended, dot_all; /* options in force */
} pl__pattern;

pl_status pl__pattern_fail(pl__pattern *p, const char *what);
pl__branch *pl__pattern_parse(pl__pattern *p); /* NULL: p->status says why */
/* A class whose '[' is read; its index. */
uint32_t pl__pattern_class(pl__pattern *p);
/* \p{NAME}, \P{NAME}, \d \w \s \h and their opposites: adds an item; false: it is none of these. */
bool pl__pattern_property(pl__pattern *p, uint32_t letter, bool in_class, pl__item *out);
/* A set of one item. */
uint32_t pl__pattern_set(pl__pattern *p, const pl__item *items, uint32_t count, bool negated);
/* The character after a backslash that stands for one: n t x41 x{1F600} u0041 and so on. */
uint32_t pl__pattern_escape(pl__pattern *p, uint32_t letter);
uint32_t pl__pattern_next(pl__pattern *p); /* the next character, 0xFFFFFFFF at the end */
uint32_t pl__pattern_peek(const pl__pattern *p);

#endif
