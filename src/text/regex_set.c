/* Sets of characters: properties, classes, other cases. */
#include "text/regex_program.h"

#include "text/unicode.h"

#include <string.h>

/* ---- membership ---- */

/* Simple case folding where it is not the lower case. */
static const uint32_t folds[][2] = {
    {0xB5, 0x3BC},
    {0x17F, 0x73},
    {0x345, 0x3B9},
    {0x3C2, 0x3C3},
    {0x3D0, 0x3B2},
    {0x3D1, 0x3B8},
    {0x3D5, 0x3C6},
    {0x3D6, 0x3C0},
    {0x3F0, 0x3BA},
    {0x3F1, 0x3C1},
    {0x3F5, 0x3B5},
    {0x1C80, 0x432},
    {0x1C81, 0x434},
    {0x1C82, 0x43E},
    {0x1C83, 0x441},
    {0x1C84, 0x442},
    {0x1C85, 0x442},
    {0x1C86, 0x44A},
    {0x1C87, 0x463},
    {0x1C88, 0xA64B},
    {0x1E9B, 0x1E61},
    {0x1FBE, 0x3B9},
};

uint32_t pl__fold(uint32_t c)
{
    uint32_t low[2];
    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + 32 : c;
    for (size_t i = 0; i < PL_COUNT(folds); i++)
        if (folds[i][0] == c)
            return folds[i][1];
    return pl__lowercase(c, low) == 1 ? low[0] : c;
}

size_t pl__unfold(uint32_t folded, uint32_t out[16])
{
    size_t n = 0;
    out[n++] = folded;
    for (size_t i = 1; i < pl__lower_deltas && n < 15; i++) {
        int64_t c = (int64_t)folded - pl__lower_delta[i];
        if (c > 0 && c < 0x110000 && (c < 0xD800 || c > 0xDFFF) && pl__lower((uint32_t)c) == i && pl__fold((uint32_t)c) == folded)
            out[n++] = (uint32_t)c;
    }
    for (size_t i = 0; i < PL_COUNT(folds) && n < 16; i++)
        if (folds[i][1] == folded)
            out[n++] = folds[i][0];
    return n;
}

static bool members(const pl__item *items, const pl__set *sets, const pl__set *s, uint32_t c);

static bool item_has(const pl__item *items, const pl__set *sets, const pl__item *item, uint32_t c)
{
    bool there = false;
    switch ((pl__item_kind)item->kind) {
    case PL__ITEM_RANGE: there = c >= item->low && c <= item->high; break;
    case PL__ITEM_CATEGORIES: there = item->low >> (pl__onig(c) & PL__ONIG_CATEGORY) & 1; break;
    case PL__ITEM_BITS: there = pl__onig(c) & item->low; break;
    case PL__ITEM_WHITE: there = pl__class(c) & PL__WHITE; break;
    case PL__ITEM_WORD: there = item->low ? pl__onig_lone_word(c) : pl__onig_word(c); break;
    case PL__ITEM_SCRIPT: there = pl__onig_script(c) == item->low; break;
    case PL__ITEM_SET: there = members(items, sets, &sets[item->low], c); break;
    }
    return there != item->negated;
}

static bool has_exactly(const pl__item *items, const pl__set *sets, const pl__set *s, uint32_t c)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (item_has(items, sets, &items[s->first + i], c) != s->both)
            return !s->both;
    return s->both;
}

static bool members(const pl__item *items, const pl__set *sets, const pl__set *s, uint32_t c)
{
    bool there = has_exactly(items, sets, s, c);
    if (!there && s->folded) {
        uint32_t cases[16];
        size_t n = pl__unfold(pl__fold(c), cases);
        for (size_t i = 0; i < n && !there; i++)
            there = has_exactly(items, sets, s, cases[i]);
    }
    return there != s->negated;
}

bool pl__set_has(const pl__regex *r, uint32_t set, uint32_t c)
{
    const pl__set *s = &r->sets[set];
    return c < 128 ? s->ascii[c / 64] >> (c % 64) & 1 : members(r->items, r->sets, s, c);
}

/* ---- making sets ---- */

static uint32_t add_set(pl__pattern *p, pl__set s)
{
    if (p->set_count == p->room) {
        pl__pattern_fail(p, "has too many classes");
        return 0;
    }
    for (uint32_t c = 0; c < 128; c++)
        if (members(p->items, p->sets, &s, c))
            s.ascii[c / 64] |= 1ULL << (c % 64);
    p->sets[p->set_count] = s;
    return p->set_count++;
}

uint32_t pl__pattern_set(pl__pattern *p, const pl__item *items, uint32_t count, bool negated)
{
    pl__set s = {.first = p->item_count, .count = count, .negated = negated, .folded = p->fold};
    if (count > p->room - p->item_count) {
        pl__pattern_fail(p, "has too many members in its classes");
        return 0;
    }
    memcpy(p->items + p->item_count, items, count * sizeof *items);
    p->item_count += count;
    return add_set(p, s);
}

/* ---- properties ---- */

static const struct {
    const char *name; /* small letters, nothing else */
    uint8_t kind;
    uint32_t low, high;
} properties[] = {
#define CATEGORY(short_name, long_name, mask) \
    {short_name, PL__ITEM_CATEGORIES, mask, 0}, { long_name, PL__ITEM_CATEGORIES, mask, 0 }
#define ONE(i) (1u << (i))
    CATEGORY("l", "letter", ONE(PL__LU) | ONE(PL__LL) | ONE(PL__LT) | ONE(PL__LM) | ONE(PL__LO)),
    CATEGORY("lc", "casedletter", ONE(PL__LU) | ONE(PL__LL) | ONE(PL__LT)),
    CATEGORY("lu", "uppercaseletter", ONE(PL__LU)),
    CATEGORY("ll", "lowercaseletter", ONE(PL__LL)),
    CATEGORY("lt", "titlecaseletter", ONE(PL__LT)),
    CATEGORY("lm", "modifierletter", ONE(PL__LM)),
    CATEGORY("lo", "otherletter", ONE(PL__LO)),
    CATEGORY("m", "mark", ONE(PL__MN) | ONE(PL__MC) | ONE(PL__ME)),
    CATEGORY("mn", "nonspacingmark", ONE(PL__MN)),
    CATEGORY("mc", "spacingmark", ONE(PL__MC)),
    CATEGORY("me", "enclosingmark", ONE(PL__ME)),
    CATEGORY("n", "number", ONE(PL__ND) | ONE(PL__NL) | ONE(PL__NO)),
    CATEGORY("nd", "decimalnumber", ONE(PL__ND)),
    CATEGORY("nl", "letternumber", ONE(PL__NL)),
    CATEGORY("no", "othernumber", ONE(PL__NO)),
    CATEGORY("p", "punctuation", ONE(PL__PC) | ONE(PL__PD) | ONE(PL__PS) | ONE(PL__PE) | ONE(PL__PI) | ONE(PL__PF) | ONE(PL__PO)),
    CATEGORY("pc", "connectorpunctuation", ONE(PL__PC)),
    CATEGORY("pd", "dashpunctuation", ONE(PL__PD)),
    CATEGORY("ps", "openpunctuation", ONE(PL__PS)),
    CATEGORY("pe", "closepunctuation", ONE(PL__PE)),
    CATEGORY("pi", "initialpunctuation", ONE(PL__PI)),
    CATEGORY("pf", "finalpunctuation", ONE(PL__PF)),
    CATEGORY("po", "otherpunctuation", ONE(PL__PO)),
    CATEGORY("s", "symbol", ONE(PL__SM) | ONE(PL__SC) | ONE(PL__SK) | ONE(PL__SO)),
    CATEGORY("sm", "mathsymbol", ONE(PL__SM)),
    CATEGORY("sc", "currencysymbol", ONE(PL__SC)),
    CATEGORY("sk", "modifiersymbol", ONE(PL__SK)),
    CATEGORY("so", "othersymbol", ONE(PL__SO)),
    CATEGORY("z", "separator", ONE(PL__ZS) | ONE(PL__ZL) | ONE(PL__ZP)),
    CATEGORY("zs", "spaceseparator", ONE(PL__ZS)),
    CATEGORY("zl", "lineseparator", ONE(PL__ZL)),
    CATEGORY("zp", "paragraphseparator", ONE(PL__ZP)),
    CATEGORY("c", "other", ONE(PL__CC) | ONE(PL__CF) | ONE(PL__CS) | ONE(PL__CO) | ONE(PL__CN)),
    CATEGORY("cc", "control", ONE(PL__CC)),
    CATEGORY("cf", "format", ONE(PL__CF)),
    CATEGORY("cs", "surrogate", ONE(PL__CS)),
    CATEGORY("co", "privateuse", ONE(PL__CO)),
    CATEGORY("cn", "unassigned", ONE(PL__CN)),
    {"any", PL__ITEM_RANGE, 0, 0x10FFFF},
    {"assigned", PL__ITEM_CATEGORIES, ~ONE(PL__CN), 0},
    {"ascii", PL__ITEM_RANGE, 0, 0x7F},
    {"alpha", PL__ITEM_BITS, PL__ONIG_ALPHA, 0},
    {"alphabetic", PL__ITEM_BITS, PL__ONIG_ALPHA, 0},
    {"upper", PL__ITEM_BITS, PL__ONIG_UPPER, 0},
    {"uppercase", PL__ITEM_BITS, PL__ONIG_UPPER, 0},
    {"lower", PL__ITEM_BITS, PL__ONIG_LOWER, 0},
    {"lowercase", PL__ITEM_BITS, PL__ONIG_LOWER, 0},
    {"word", PL__ITEM_WORD, 0, 0},
    {"digit", PL__ITEM_CATEGORIES, ONE(PL__ND), 0},
    {"punct", PL__ITEM_CATEGORIES, ONE(PL__PC) | ONE(PL__PD) | ONE(PL__PS) | ONE(PL__PE) | ONE(PL__PI) | ONE(PL__PF) | ONE(PL__PO), 0},
    {"[punct]", PL__ITEM_CATEGORIES,
        ONE(PL__PC) | ONE(PL__PD) | ONE(PL__PS) | ONE(PL__PE) | ONE(PL__PI) | ONE(PL__PF) | ONE(PL__PO) | ONE(PL__SM) | ONE(PL__SC) | ONE(PL__SK) | ONE(PL__SO),
        0},
    {"cntrl", PL__ITEM_CATEGORIES, ONE(PL__CC), 0},
    {"space", PL__ITEM_WHITE, 0, 0},
    {"whitespace", PL__ITEM_WHITE, 0, 0},
    {"print", PL__ITEM_CATEGORIES, ~(ONE(PL__CC) | ONE(PL__CN) | ONE(PL__CS) | ONE(PL__ZL) | ONE(PL__ZP)), 0},
    {"graph", PL__ITEM_CATEGORIES, ~(ONE(PL__CC) | ONE(PL__CN) | ONE(PL__CS) | ONE(PL__ZL) | ONE(PL__ZP) | ONE(PL__ZS)), 0},
#undef ONE
#undef CATEGORY
};

/* A property by its name, in which case, blanks, '-' and '_' do not count. */
static bool find_property(pl__pattern *p, const char *name, size_t n, pl__item *out)
{
    char plain[32];
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        char c = name[i];
        if (c == ' ' || c == '_' || c == '-')
            continue;
        if (m + 1 == sizeof plain)
            break;
        plain[m++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    plain[m] = '\0';
    for (size_t i = 0; i < PL_COUNT(properties); i++)
        if (strcmp(plain, properties[i].name) == 0) {
            *out = (pl__item){properties[i].kind, false, properties[i].low, properties[i].high};
            return true;
        }
    if (strcmp(plain, "alnum") == 0 || strcmp(plain, "xdigit") == 0 || strcmp(plain, "blank") == 0) {
        pl__item items[3];
        uint32_t count = 2;
        if (plain[0] == 'a') {
            items[0] = (pl__item){PL__ITEM_BITS, false, PL__ONIG_ALPHA, 0};
            items[1] = (pl__item){PL__ITEM_CATEGORIES, false, 1u << PL__ND, 0};
        } else if (plain[0] == 'x') {
            items[0] = (pl__item){PL__ITEM_RANGE, false, '0', '9'};
            items[1] = (pl__item){PL__ITEM_RANGE, false, 'A', 'F'};
            items[2] = (pl__item){PL__ITEM_RANGE, false, 'a', 'f'};
            count = 3;
        } else {
            items[0] = (pl__item){PL__ITEM_CATEGORIES, false, 1u << PL__ZS, 0};
            items[1] = (pl__item){PL__ITEM_RANGE, false, '\t', '\t'};
        }
        *out = (pl__item){PL__ITEM_SET, false, pl__pattern_set(p, items, count, false), 0};
        return true;
    }
    for (uint32_t i = 0; i < pl__onig_scripts; i++)
        if (strcmp(plain, pl__onig_script_names[i]) == 0) {
            *out = (pl__item){PL__ITEM_SCRIPT, false, i + 1, 0};
            return true;
        }
    return false;
}

/* {NAME} or {^NAME}, the letter p or P being read. */
static bool read_property(pl__pattern *p, bool negated, pl__item *out)
{
    const char *end = pl__pattern_peek(p) == '{' ? memchr(p->text + p->at, '}', p->n - p->at) : NULL;
    if (!end) {
        pl__pattern_fail(p, "\\p needs a name in braces");
        return true;
    }
    const char *name = p->text + p->at + 1;
    if (*name == '^') {
        negated = !negated;
        name++;
    }
    if (!find_property(p, name, (size_t)(end - name), out))
        pl__pattern_fail(p, "has a \\p{...} that is not known");
    p->at = (size_t)(end - p->text) + 1;
    out->negated = out->negated != negated;
    return true;
}

static bool find_escape(pl__pattern *p, uint32_t letter, pl__item *out)
{
    *out = (pl__item){0};
    switch (letter) {
    case 'd':
    case 'D': *out = (pl__item){PL__ITEM_CATEGORIES, letter == 'D', 1u << PL__ND, 0}; return true;
    case 'w':
    case 'W': *out = (pl__item){PL__ITEM_WORD, letter == 'W', 0, 0}; return true;
    case 's':
    case 'S': *out = (pl__item){PL__ITEM_WHITE, letter == 'S', 0, 0}; return true;
    case 'h':
    case 'H':
        find_property(p, "xdigit", 6, out);
        out->negated = letter == 'H';
        return true;
    case 'p':
    case 'P': return read_property(p, letter == 'P', out);
    default: return false;
    }
}

bool pl__pattern_property(pl__pattern *p, uint32_t letter, bool in_class, pl__item *out)
{
    bool there = find_escape(p, letter, out);
    if (there && out->kind == PL__ITEM_WORD)
        out->low = !in_class;
    return there;
}

/* ---- classes ---- */

static bool read_posix(pl__pattern *p, pl__item *out)
{
    /* at "[:" */
    const char *from = p->text + p->at + 2, *end = p->text + p->n;
    bool negated = from < end && *from == '^';
    from += negated;
    const char *stop = from;
    while (stop < end && *stop >= 'a' && *stop <= 'z')
        stop++;
    if (end - stop < 2 || stop[0] != ':' || stop[1] != ']')
        return false;
    bool punct = stop - from == 5 && memcmp(from, "punct", 5) == 0; /* symbols too, other than in \p{punct} */
    if (!(punct ? find_property(p, "[punct]", 7, out) : find_property(p, from, (size_t)(stop - from), out)))
        pl__pattern_fail(p, "has a [:class:] that is not known");
    out->negated = negated;
    p->at = (size_t)(stop - p->text) + 2;
    return true;
}

/* One character of a class, or (through *item) a whole property. */
static bool read_member(pl__pattern *p, uint32_t *c, pl__item *item)
{
    *c = pl__pattern_next(p);
    if (*c != '\\')
        return true;
    uint32_t letter = pl__pattern_next(p);
    if (pl__pattern_property(p, letter, true, item))
        return false;
    *c = letter == 'b' ? 8 : pl__pattern_escape(p, letter);
    return true;
}

static bool at_range(const pl__pattern *p)
{
    return p->at + 1 < p->n && p->text[p->at] == '-' && p->text[p->at + 1] != ']' &&
        !(p->text[p->at + 1] == '&' && p->at + 2 < p->n && p->text[p->at + 2] == '&');
}

enum { MOST_MEMBERS = 512, DEEPEST = 32 };

/* The members up to ']' or "&&", as a set. */
static uint32_t read_members(pl__pattern *p, bool *more)
{
    pl__item items[MOST_MEMBERS];
    uint32_t count = 0;
    bool first = true;
    *more = false;
    for (; !p->status; first = false) {
        uint32_t c = pl__pattern_peek(p), high;
        pl__item item, other;
        if (c == PL__FOREVER)
            pl__pattern_fail(p, "has a class without an end");
        if (count == MOST_MEMBERS)
            pl__pattern_fail(p, "has too many members in one class");
        if (p->status || (c == ']' && !first))
            break;
        if (c == '&' && p->at + 1 < p->n && p->text[p->at + 1] == '&') {
            p->at += 2;
            *more = true;
            break;
        }
        if (c == '[' && p->at + 1 < p->n && p->text[p->at + 1] == ':' && read_posix(p, &items[count])) {
            count++;
            continue;
        }
        if (c == '[') {
            p->at++;
            items[count] = (pl__item){PL__ITEM_SET, false, pl__pattern_class(p), 0};
            count++;
            continue;
        }
        if (!read_member(p, &c, &item)) {
            items[count++] = item;
            continue;
        }
        high = c;
        if (at_range(p)) {
            size_t dash = p->at++;
            if (pl__pattern_peek(p) == '[' || !read_member(p, &high, &other)) {
                p->at = dash; /* a dash before a class is a dash */
                high = c;
                items[count++] = (pl__item){PL__ITEM_RANGE, false, c, c};
                p->at++;
                c = high = '-';
                if (count == MOST_MEMBERS)
                    continue;
            } else if (high < c) {
                pl__pattern_fail(p, "has an empty range");
            }
        }
        items[count++] = (pl__item){PL__ITEM_RANGE, false, c, high};
    }
    return p->status ? 0 : pl__pattern_set(p, items, count, false);
}

uint32_t pl__pattern_class(pl__pattern *p)
{
    pl__item parts[8];
    uint32_t count = 0;
    bool negated = pl__pattern_peek(p) == '^', more = true;
    if (++p->depth > DEEPEST)
        pl__pattern_fail(p, "is nested too deeply");
    p->at += negated;
    while (more && !p->status) {
        if (count == PL_COUNT(parts))
            pl__pattern_fail(p, "has too many && in one class");
        else
            parts[count++] = (pl__item){PL__ITEM_SET, false, read_members(p, &more), 0};
    }
    p->depth--;
    if (p->status)
        return 0;
    p->at++; /* ']' */
    uint32_t whole = pl__pattern_set(p, parts, count, negated);
    if (!p->status && count > 1) {
        pl__set s = p->sets[whole];
        s.both = true;
        memset(s.ascii, 0, sizeof s.ascii);
        p->set_count--;
        whole = add_set(p, s);
    }
    return whole;
}
