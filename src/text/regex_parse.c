/* Patterns to trees. */
#include "text/regex_program.h"

#include "text/unicode.h"

#include <stdio.h>
#include <string.h>

enum { DEEPEST = 100 };

pl_status pl__pattern_fail(pl__pattern *p, const char *what)
{
    if (!p->status) {
        snprintf(p->why, 128, "%s (byte %zu)", what, p->at);
        p->status = PL_BAD_INPUT;
    }
    return p->status;
}

uint32_t pl__pattern_peek(const pl__pattern *p)
{
    uint32_t c;
    if (p->at == p->n)
        return PL__FOREVER;
    pl__decode(p->text + p->at, &c);
    return c;
}

uint32_t pl__pattern_next(pl__pattern *p)
{
    uint32_t c;
    if (p->at == p->n)
        return PL__FOREVER;
    p->at += pl__decode(p->text + p->at, &c);
    return c;
}

static bool take(pl__pattern *p, char c)
{
    if (p->at == p->n || p->text[p->at] != c)
        return false;
    p->at++;
    return true;
}

static bool take_text(pl__pattern *p, const char *text)
{
    size_t n = strlen(text);
    if (p->n - p->at < n || memcmp(p->text + p->at, text, n) != 0)
        return false;
    p->at += n;
    return true;
}

static pl__branch *make(pl__pattern *p, pl__shape shape)
{
    pl__branch *b = pl_region_take(p->scratch, sizeof *b);
    if (!b) {
        p->status = PL_MACHINE;
        return NULL;
    }
    *b = (pl__branch){.shape = shape};
    return b;
}

static pl__branch *parse_choice(pl__pattern *p);

/* ---- characters ---- */

static uint32_t read_digits(pl__pattern *p, uint32_t base, int most)
{
    uint32_t value = 0;
    int count = 0;
    for (; count < most && p->at < p->n; count++, p->at++) {
        char c = p->text[p->at];
        uint32_t digit = c >= '0' && c <= '9' ? (uint32_t)(c - '0') : (c | 32) >= 'a' && (c | 32) <= 'f' ? (uint32_t)((c | 32) - 'a') + 10 : 99;
        if (digit >= base)
            break;
        value = value * base + digit;
    }
    if (count == 0 || value > 0x10FFFF)
        pl__pattern_fail(p, "has a character that does not exist");
    return value;
}

uint32_t pl__pattern_escape(pl__pattern *p, uint32_t letter)
{
    uint32_t value;
    switch (letter) {
    case 't': return '\t';
    case 'n': return '\n';
    case 'r': return '\r';
    case 'f': return '\f';
    case 'v': return '\v';
    case 'a': return '\a';
    case 'e': return 27;
    case '0': return p->at < p->n && p->text[p->at] >= '0' && p->text[p->at] <= '7' ? read_digits(p, 8, 2) : 0;
    case 'u': return read_digits(p, 16, 4);
    case 'x':
        if (!take(p, '{')) {
            value = read_digits(p, 16, 2);
            if (value > 0x7F)
                pl__pattern_fail(p, "has a byte that is no character");
            return value;
        }
        value = read_digits(p, 16, 8);
        if (!take(p, '}'))
            pl__pattern_fail(p, "\\x{ has no }");
        return value;
    case PL__FOREVER: pl__pattern_fail(p, "ends in a backslash"); return 0;
    default:
        if ((letter >= '1' && letter <= '9') || (letter < 128 && ((letter | 32) >= 'a' && (letter | 32) <= 'z')))
            pl__pattern_fail(p, "has an escape that is not supported");
        return letter;
    }
}

static pl__branch *literal(pl__pattern *p, uint32_t c)
{
    pl__branch *b = make(p, PL__SHAPE_CHARACTER);
    if (b) {
        b->folded = p->fold;
        b->value = p->fold ? pl__fold(c) : c;
    }
    return b;
}

static pl__branch *anchor(pl__pattern *p, pl__op op)
{
    pl__branch *b = make(p, PL__SHAPE_ANCHOR);
    if (b)
        b->value = op;
    return b;
}

static pl__branch *set_branch(pl__pattern *p, uint32_t set)
{
    pl__branch *b = make(p, PL__SHAPE_SET);
    if (b)
        b->value = set;
    return b;
}

static pl__branch *any(pl__pattern *p, bool newlines)
{
    pl__branch *b = make(p, PL__SHAPE_ANY);
    if (b)
        b->value = newlines;
    return b;
}

/* \R: a line break of any kind, once and for all. */
static pl__branch *line_break(pl__pattern *p)
{
    static const pl__item breaks[] = {{PL__ITEM_RANGE, false, 0x0A, 0x0D}, {PL__ITEM_RANGE, false, 0x85, 0x85}, {PL__ITEM_RANGE, false, 0x2028, 0x2029}};
    pl__branch *atomic = make(p, PL__SHAPE_ATOMIC), *choice = make(p, PL__SHAPE_CHOICE), *two = make(p, PL__SHAPE_SEQUENCE);
    pl__branch *cr = make(p, PL__SHAPE_CHARACTER), *lf = make(p, PL__SHAPE_CHARACTER), *one = set_branch(p, pl__pattern_set(p, breaks, 3, false));
    if (p->status)
        return NULL;
    cr->value = '\r';
    lf->value = '\n';
    cr->next = lf;
    two->child = cr;
    two->next = one;
    choice->child = two;
    atomic->child = choice;
    return atomic;
}

static pl__branch *parse_escape(pl__pattern *p)
{
    uint32_t letter = pl__pattern_next(p);
    pl__item item;
    switch (letter) {
    case 'A': return anchor(p, PL__OP_TEXT_BEGIN);
    case 'z': return anchor(p, PL__OP_TEXT_END);
    case 'Z': return anchor(p, PL__OP_TEXT_END_LINE);
    case 'b': return anchor(p, PL__OP_WORD_EDGE);
    case 'B': return anchor(p, PL__OP_NO_WORD_EDGE);
    case 'R': return line_break(p);
    case 'N': return any(p, false);
    case 'O': return any(p, true);
    default: break;
    }
    if (pl__pattern_property(p, letter, false, &item))
        return set_branch(p, pl__pattern_set(p, &item, 1, false));
    return literal(p, pl__pattern_escape(p, letter));
}

/* ---- groups ---- */

/* imx-imx, up to ':' or ')'. */
static void read_options(pl__pattern *p)
{
    bool on = true;
    for (; !p->status; p->at++) {
        uint32_t c = pl__pattern_peek(p);
        if (c == ':' || c == ')')
            return;
        if (c == '-')
            on = false;
        else if (c == 'i')
            p->fold = on;
        else if (c == 'm')
            p->dot_all = on;
        else if (c == 'x')
            p->extended = on;
        else {
            pl__pattern_fail(p, "has a group of a kind that is not supported");
            return;
        }
    }
}

static pl__branch *wrapped(pl__pattern *p, pl__shape shape, uint32_t value)
{
    pl__branch *b = make(p, shape), *child = parse_choice(p);
    if (!b || !child)
        return NULL;
    b->value = value;
    b->child = child;
    return b;
}

static pl__branch *parse_special_group(pl__pattern *p, bool *closed)
{
    if (take(p, ':'))
        return parse_choice(p);
    if (take(p, '='))
        return wrapped(p, PL__SHAPE_AHEAD, 1);
    if (take(p, '!'))
        return wrapped(p, PL__SHAPE_AHEAD, 0);
    if (take(p, '>'))
        return wrapped(p, PL__SHAPE_ATOMIC, 0);
    if (take_text(p, "<="))
        return wrapped(p, PL__SHAPE_BEHIND, 1);
    if (take_text(p, "<!"))
        return wrapped(p, PL__SHAPE_BEHIND, 0);
    if (take(p, '<')) { /* a name */
        const char *end = memchr(p->text + p->at, '>', p->n - p->at);
        if (!end)
            pl__pattern_fail(p, "has a group name without an end");
        else
            p->at = (size_t)(end - p->text) + 1;
        return parse_choice(p);
    }
    if (take(p, '#')) {
        while (p->at < p->n && p->text[p->at] != ')')
            p->at++;
        return make(p, PL__SHAPE_EMPTY);
    }
    read_options(p);
    if (take(p, ':'))
        return parse_choice(p);
    /* (?i) alone holds for the rest of the group around it, alternatives included: that rest becomes
     * this group's content, and the ')' around it ends both */
    *closed = true;
    if (!p->status)
        p->at++;
    return parse_choice(p);
}

static pl__branch *parse_group(pl__pattern *p, bool *rest)
{
    bool fold = p->fold, extended = p->extended, dot_all = p->dot_all;
    if (++p->depth > DEEPEST)
        pl__pattern_fail(p, "is nested too deeply");
    pl__branch *b = NULL;
    if (!p->status)
        b = take(p, '?') ? parse_special_group(p, rest) : parse_choice(p);
    p->depth--;
    if (!*rest && !p->status && !take(p, ')'))
        pl__pattern_fail(p, "has a group without an end");
    p->fold = fold;
    p->extended = extended;
    p->dot_all = dot_all;
    return p->status ? NULL : b;
}

/* ---- repetition ---- */

static bool read_number(pl__pattern *p, uint32_t *value)
{
    size_t from = p->at;
    uint64_t n = 0;
    while (p->at < p->n && p->text[p->at] >= '0' && p->text[p->at] <= '9' && n < 1000000)
        n = n * 10 + (uint64_t)(p->text[p->at++] - '0');
    *value = (uint32_t)n;
    return p->at > from;
}

/* {n}, {n,}, {,m}, {n,m}; anything else in braces stands for itself. */
static bool read_interval(pl__pattern *p, uint32_t *low, uint32_t *high)
{
    size_t from = p->at++;
    bool has_low = read_number(p, low), has_high = false;
    *high = *low;
    if (take(p, ',')) {
        has_high = read_number(p, high);
        if (!has_high)
            *high = PL__FOREVER;
        if (!has_low)
            *low = 0;
        has_low |= has_high;
    }
    if (has_low && take(p, '}'))
        return true;
    p->at = from;
    return false;
}

static pl__branch *repeat(pl__pattern *p, pl__branch *child, uint32_t low, uint32_t high, pl__greed greed)
{
    pl__branch *b = make(p, PL__SHAPE_REPEAT);
    if (!b)
        return NULL;
    b->low = low;
    b->high = high;
    b->greed = greed;
    b->child = child;
    return b;
}

static bool read_repeat(pl__pattern *p, uint32_t *low, uint32_t *high, bool *interval)
{
    *interval = false;
    if (take(p, '*')) {
        *low = 0;
        *high = PL__FOREVER;
    } else if (take(p, '+')) {
        *low = 1;
        *high = PL__FOREVER;
    } else if (take(p, '?')) {
        *low = 0;
        *high = 1;
    } else {
        *interval = true;
        return pl__pattern_peek(p) == '{' && read_interval(p, low, high);
    }
    return true;
}

static pl__branch *parse_repeats(pl__pattern *p, pl__branch *b)
{
    uint32_t low, high;
    bool interval;
    enum { MOST_REPEAT = 1000 };
    for (int times = 0; b && !p->status && read_repeat(p, &low, &high, &interval); times++) {
        if (times == DEEPEST || low > MOST_REPEAT || (high != PL__FOREVER && high > MOST_REPEAT))
            pl__pattern_fail(p, "repeats too often");
        if (high < low)
            pl__pattern_fail(p, "has an interval whose end comes before its beginning");
        if (interval && low == high && take(p, '?')) /* {n}? is an optional {n} */
            b = repeat(p, repeat(p, b, low, high, PL__GREEDY), 0, 1, PL__GREEDY);
        else if (take(p, '?'))
            b = repeat(p, b, low, high, PL__LAZY);
        else if (!interval && take(p, '+'))
            b = repeat(p, b, low, high, PL__POSSESSIVE);
        else
            b = repeat(p, b, low, high, PL__GREEDY);
    }
    return b;
}

/* ---- sequences and choices ---- */

static void skip_blanks(pl__pattern *p)
{
    while (p->extended && p->at < p->n) {
        char c = p->text[p->at];
        if (c == '#')
            while (p->at < p->n && p->text[p->at] != '\n')
                p->at++;
        else if (c != ' ' && (c < '\t' || c > '\r'))
            return;
        else
            p->at++;
    }
}

static pl__branch *parse_atom(pl__pattern *p, bool *rest)
{
    uint32_t c = pl__pattern_next(p);
    switch (c) {
    case '(': return parse_group(p, rest);
    case '[': return set_branch(p, pl__pattern_class(p));
    case '.': return any(p, p->dot_all);
    case '^': return anchor(p, PL__OP_LINE_BEGIN);
    case '$': return anchor(p, PL__OP_LINE_END);
    case '\\': return parse_escape(p);
    case '*':
    case '+':
    case '?': pl__pattern_fail(p, "repeats nothing"); return NULL;
    default: return literal(p, c);
    }
}

/* Two letters that one character folds to: Oniguruma would match that too. */
static void check_folded_pair(pl__pattern *p, const pl__branch *a, const pl__branch *b)
{
    static const char *const pairs[] = {"ss", "st", "ff", "fi", "fl"};
    if (!a || !b || a->shape != PL__SHAPE_CHARACTER || b->shape != PL__SHAPE_CHARACTER || !a->folded || !b->folded)
        return;
    for (size_t i = 0; i < PL_COUNT(pairs); i++)
        if (a->value == (unsigned char)pairs[i][0] && b->value == (unsigned char)pairs[i][1])
            pl__pattern_fail(p, "ignores the case of letters that are also one ligature, which is not supported");
}

static pl__branch *parse_sequence(pl__pattern *p)
{
    pl__branch *sequence = make(p, PL__SHAPE_SEQUENCE), *last = NULL, **link = sequence ? &sequence->child : NULL;
    bool rest = false;
    while (!p->status && !rest) {
        skip_blanks(p);
        uint32_t c = pl__pattern_peek(p);
        if (c == PL__FOREVER || c == '|' || c == ')')
            break;
        pl__branch *b = parse_atom(p, &rest);
        skip_blanks(p);
        if (!rest)
            b = parse_repeats(p, b);
        if (p->status)
            break;
        check_folded_pair(p, last, b);
        *link = last = b;
        link = &b->next;
    }
    return p->status ? NULL : sequence;
}

static pl__branch *parse_choice(pl__pattern *p)
{
    pl__branch *first = parse_sequence(p);
    if (!first || pl__pattern_peek(p) != '|')
        return first;
    pl__branch *choice = make(p, PL__SHAPE_CHOICE);
    if (!choice)
        return NULL;
    choice->child = first;
    for (pl__branch *last = first; take(p, '|'); last = last->next) {
        last->next = parse_sequence(p);
        if (!last->next)
            return NULL;
    }
    return choice;
}

pl__branch *pl__pattern_parse(pl__pattern *p)
{
    pl__branch *b = parse_choice(p);
    if (b && p->at < p->n)
        pl__pattern_fail(p, "has a ) too many");
    return p->status ? NULL : b;
}
