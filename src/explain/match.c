/* Rows of the table made ready, and held against squeezed text.
 *
 * A key is literals and {figures} that follow one another without a gap; it begins with the literal
 * that holds the anchor, the raw word that the scanner looks for ('^' marks it, else it is the
 * longest word of that literal). Figures are further short patterns, each looked for on its own in
 * the rest of the message: so a message that is cut, reordered or prefixed line by line still gives
 * what it has. Invariant: every literal is lower case and without spaces. */
#include "explain/inner.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

enum { MOST_ROWS = 512, MOST_PARTS = 4096, MOST_FIGURES = 1024, POOL = 49152, GAP = 160 };

static char pool[POOL];
static size_t pool_n;
static pl__part parts[MOST_PARTS];
static size_t part_n;
static pl__sequence keys[MOST_ROWS], figures[MOST_FIGURES];
static size_t figure_n;
static struct row_figures {
    uint16_t first, count;
} row_figures[MOST_ROWS];
static struct row_anchor {
    char text[32];
    uint16_t part, offset; /* its literal, and where in it */
} anchors[MOST_ROWS];

static const struct name {
    const char *text;
    pl__what what;
} names[] = {
    {"...", PL__GAP},
    {"n", PL__SKIP_NUMBER},
    {"w", PL__SKIP_WORD},
    {"requested", PL__REQUESTED},
    {"capacity", PL__CAPACITY},
    {"free", PL__FREE},
    {"process", PL__PROCESS},
    {"allocated", PL__ALLOCATED},
    {"reserved", PL__RESERVED},
    {"allowed", PL__ALLOWED},
    {"idle", PL__IDLE},
    {"extra", PL__EXTRA},
    {"other", PL__OTHER_BYTES},
    {"opid", PL__OTHER_PID},
    {"device", PL__DEVICE},
    {"pid", PL__PID},
    {"count", PL__COUNT},
    {"cpu", PL__HOST_INDEX},
    {"shape", PL__SHAPE},
    {"dtype", PL__DTYPE},
};

static unsigned unit_of(const char *s, size_t n)
{
    if (n == 0)
        return 0;
    switch (s[0]) {
    case '!': return PL__UNIT_NEEDED;
    case 'B': return 0;
    case 'K': return 10;
    case 'M': return 20;
    case 'G': return 30;
    default: assert(0 && "unit of a figure"); return 0;
    }
}

static void add_part(pl__part part)
{
    assert(part_n < MOST_PARTS);
    parts[part_n++] = part;
}

/* "{requested:MiB}" at s: a capture; returns its length. */
static size_t add_capture(const char *s)
{
    size_t n = strcspn(s, "}"), name = pl_min(strcspn(s, ":"), n);
    const char *unit = name < n ? s + name + 1 : "";
    for (size_t i = 0; i < PL_COUNT(names); i++)
        if (strlen(names[i].text) == name - 1 && memcmp(names[i].text, s + 1, name - 1) == 0) {
            add_part((pl__part){names[i].what, (uint8_t)unit_of(unit, name < n ? n - name - 1 : 0), 0, 0});
            return n + 1;
        }
    assert(0 && "name of a figure");
    return n + 1;
}

static pl__sequence compile(const char *s, size_t n)
{
    pl__sequence q = {(uint16_t)part_n, 0};
    size_t at = 0;
    while (at < n) {
        if (s[at] == '{') {
            at += add_capture(s + at);
            continue;
        }
        size_t begin = pool_n;
        for (; at < n && s[at] != '{'; at++)
            if (s[at] != ' ' && s[at] != '^' && s[at] != '~') {
                assert(pool_n < POOL);
                pool[pool_n++] = pl__lower(s[at]);
            }
        if (pool_n > begin)
            add_part((pl__part){PL__LITERAL, 0, (uint16_t)begin, (uint16_t)(pool_n - begin)});
    }
    q.count = (uint16_t)(part_n - q.first);
    assert(q.count > 0 && q.count <= PL__PARTS);
    return q;
}

/* The anchor of key: the word after '^', or the longest of the first literal. */
static void choose_anchor(size_t row, const char *key)
{
    const char *mark = strchr(key, '^');
    const char *best = mark ? mark + 1 : key;
    size_t best_n = mark ? strcspn(best, " {") : 0;
    for (const char *p = key; !mark && *p && *p != '{';) {
        size_t n = strcspn(p, " {");
        if (n > best_n) {
            best = p;
            best_n = n;
        }
        p += n + (p[n] == ' ');
    }
    struct row_anchor *a = &anchors[row];
    best_n = pl_min(best_n, sizeof a->text - 1);
    assert(best_n >= PL__ANCHOR_BYTES);
    for (size_t i = 0; i < best_n; i++)
        a->text[i] = best[i] == '~' ? ' ' : pl__lower(best[i]);
    bool literal = false;
    for (const char *p = key; p < best; p++) {
        if (*p == '{') {
            a->part = (uint16_t)(a->part + (literal ? 2 : 1));
            a->offset = 0;
            literal = false;
            p += strcspn(p, "}");
        } else if (*p != ' ' && *p != '^') {
            literal = true;
            a->offset++;
        }
    }
}

static void prepare(void)
{
    assert(pl__wording_count <= MOST_ROWS);
    for (size_t row = 0; row < pl__wording_count; row++) {
        const pl__wording *w = &pl__wordings[row];
        assert(w->key[0] != '{');
        keys[row] = compile(w->key, strlen(w->key));
        choose_anchor(row, w->key);
        row_figures[row].first = (uint16_t)figure_n;
        for (const char *s = w->figures; *s;) {
            size_t n = strcspn(s, "|");
            assert(figure_n < MOST_FIGURES);
            figures[figure_n++] = compile(s, n);
            s += n + (s[n] == '|');
        }
        row_figures[row].count = (uint16_t)(figure_n - row_figures[row].first);
    }
}

void pl__patterns_prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare);
}

pl__slice pl__anchor(size_t wording) { return (pl__slice){anchors[wording].text, strlen(anchors[wording].text)}; }

static const pl__part *anchor_literal(size_t wording)
{
    const pl__part *part = &parts[keys[wording].first + anchors[wording].part];
    assert(part->what == PL__LITERAL);
    return part;
}

/* ---- sequences ---- */

static size_t capture_parse(const pl__part *part, const char *s, size_t n, uint64_t *value)
{
    double ignored;
    switch (part->what) {
    case PL__DEVICE:
    case PL__PID:
    case PL__OTHER_PID:
    case PL__COUNT:
    case PL__HOST_INDEX: return pl__whole_parse(s, n, value);
    case PL__SKIP_NUMBER: return pl__digits_parse(s, n, &ignored);
    case PL__SHAPE: return pl__shape_parse(s, n, value);
    case PL__DTYPE: return pl__dtype_parse(s, n, value);
    default: return pl__size_parse(s, n, part->unit, value);
    }
}

static size_t find(const char *s, size_t n, const char *word, size_t word_n)
{
    if (word_n == 0 || word_n > n)
        return SIZE_MAX;
    const char *p = s, *last = s + n - word_n;
    while (p <= last && (p = memchr(p, word[0], (size_t)(last - p) + 1))) {
        if (memcmp(p, word, word_n) == 0)
            return (size_t)(p - s);
        p++;
    }
    return SIZE_MAX;
}

/* Where the words a gap skips end: the next literal within reach. SIZE_MAX: not there. */
static size_t gap_end(const pl__sequence *q, size_t i, const pl__squeezed *text, size_t at, size_t limit)
{
    if (i + 1 >= q->count)
        return at;
    const pl__part *next = &parts[q->first + i + 1];
    size_t reach = pl_min(at + GAP + next->n, limit);
    size_t found = next->what == PL__LITERAL ? find(text->text + at, reach - at, pool + next->at, next->n) : SIZE_MAX;
    return found == SIZE_MAX ? SIZE_MAX : at + found;
}

typedef struct reading {
    uint64_t value[PL__PARTS];
} reading;

/* Parts [from, count) at text[at..limit); returns the end or SIZE_MAX. */
static size_t sequence_match(const pl__sequence *q, size_t from, const pl__squeezed *text, size_t at, size_t limit, reading *r)
{
    for (size_t i = from; i < q->count; i++) {
        const pl__part *part = &parts[q->first + i];
        if (part->what == PL__LITERAL) {
            if (limit - at < part->n || memcmp(text->text + at, pool + part->at, part->n) != 0)
                return SIZE_MAX;
            at += part->n;
        } else if (part->what == PL__GAP || part->what == PL__SKIP_WORD) {
            at = gap_end(q, i, text, at, limit);
            if (at == SIZE_MAX)
                return SIZE_MAX;
        } else {
            size_t width = capture_parse(part, text->text + at, limit - at, &r->value[i]);
            if (!width)
                return SIZE_MAX;
            at += width;
        }
    }
    return at;
}

void pl__figures_clear(pl__figures *f)
{
    for (size_t i = 0; i < PL_COUNT(f->value); i++)
        f->value[i] = PL_NOT_GIVEN;
    f->other_count = 0;
}

static void take(const pl__sequence *q, const reading *r, pl__figures *f)
{
    pl_holder other = {PL_NOT_GIVEN, PL_NOT_GIVEN};
    for (size_t i = 0; i < q->count; i++) {
        pl__what what = parts[q->first + i].what;
        if (what < PL__REQUESTED)
            continue;
        if (what == PL__OTHER_BYTES)
            other.bytes = r->value[i];
        else if (what == PL__OTHER_PID)
            other.pid = r->value[i];
        else if (!pl__given(f->value[what]))
            f->value[what] = r->value[i];
    }
    if (!pl__given(other.bytes))
        return;
    if (f->other_count < PL_OOM_OTHERS) {
        f->others[f->other_count++] = other;
    } else { /* the last entry gathers what there is no room for */
        pl_holder *rest = &f->others[PL_OOM_OTHERS - 1];
        rest->pid = PL_NOT_GIVEN;
        if (!pl_add(rest->bytes, other.bytes, &rest->bytes))
            rest->bytes = PL_NOT_GIVEN - 1;
    }
}

/* Start of the number that ends at text[end): the farthest from which it parses exactly. */
static size_t capture_before(const pl__part *part, const pl__squeezed *text, size_t begin, size_t end, uint64_t *value)
{
    size_t best = SIZE_MAX;
    for (size_t at = end; at > begin && end - at < 28; at--) {
        char c = text->text[at - 1];
        if (!pl__letter(c) && !pl__digit(c) && c != '.' && c != ',')
            break;
        uint64_t v = 0;
        if (pl__digit(c) && capture_parse(part, text->text + at - 1, end - at + 1, &v) == end - at + 1) {
            best = at - 1;
            *value = v;
        }
    }
    return best;
}

/* The first place in [begin, limit) where the figure's pattern stands; returns its end or SIZE_MAX. */
static size_t figure_find(const pl__sequence *q, const pl__squeezed *text, size_t begin, size_t limit, reading *r)
{
    const pl__part *first = &parts[q->first];
    size_t literal = first->what == PL__LITERAL ? 0 : 1;
    const pl__part *look = &parts[q->first + literal];
    assert(look->what == PL__LITERAL);
    for (size_t at = begin; at < limit;) {
        size_t found = find(text->text + at, limit - at, pool + look->at, look->n);
        if (found == SIZE_MAX)
            return SIZE_MAX;
        found += at;
        if (!literal || capture_before(first, text, begin, found, &r->value[0]) != SIZE_MAX) {
            size_t end = sequence_match(q, literal, text, found, limit, r);
            if (end != SIZE_MAX)
                return end;
        }
        at = found + 1;
    }
    return SIZE_MAX;
}

static bool repeats(const pl__sequence *q)
{
    for (size_t i = 0; i < q->count; i++)
        if (parts[q->first + i].what == PL__OTHER_BYTES)
            return true;
    return false;
}

size_t pl__figures_read(size_t wording, const pl__squeezed *q, size_t begin, size_t limit, pl__figures *f)
{
    size_t end = begin;
    for (size_t i = 0; i < row_figures[wording].count; i++) {
        const pl__sequence *figure = &figures[row_figures[wording].first + i];
        bool again = repeats(figure);
        for (size_t at = begin; at < limit;) {
            reading r = {{0}};
            at = figure_find(figure, q, at, limit, &r);
            if (at == SIZE_MAX)
                break;
            take(figure, &r, f);
            end = pl_max(end, at);
            if (!again)
                break;
        }
    }
    uint64_t bytes;
    if (!pl__given(f->value[PL__REQUESTED]) && pl__given(f->value[PL__SHAPE]) && pl__given(f->value[PL__DTYPE]) &&
        pl_mul(f->value[PL__SHAPE], f->value[PL__DTYPE], &bytes))
        f->value[PL__REQUESTED] = bytes;
    return end;
}

/* ---- keys ---- */

static bool skipped(unsigned char c) { return c <= ' '; }

/* Raw text may be wrapped and framed: white space, and "|" or a box line beside a line break. */
static size_t step_over(const char *s, size_t n, size_t at)
{
    while (at < n) {
        if (skipped((unsigned char)s[at]))
            at++;
        else if ((unsigned char)s[at] == 0xE2 && at + 2 < n && (unsigned char)s[at + 1] == 0x94)
            at += 3;
        else
            break;
    }
    return at;
}

static size_t step_back(const char *s, size_t at)
{
    while (at > 0) {
        if (skipped((unsigned char)s[at - 1]))
            at--;
        else if (at >= 3 && (unsigned char)s[at - 3] == 0xE2 && (unsigned char)s[at - 2] == 0x94)
            at -= 3;
        else
            break;
    }
    return at;
}

void pl__anchor_sides(size_t wording, char *before, char *after)
{
    const pl__part *part = anchor_literal(wording);
    size_t word = 0; /* of the anchor, without the spaces in it */
    for (const char *s = anchors[wording].text; *s; s++)
        word += *s != ' ';
    size_t begin = anchors[wording].offset, end = begin + word;
    *before = begin ? pool[part->at + begin - 1] : 0;
    *after = end < part->n ? pool[part->at + end] : 0;
}

bool pl__key_near(size_t wording, const char *s, size_t n, size_t at)
{
    const pl__part *part = anchor_literal(wording);
    const char *literal = pool + part->at;
    size_t i = anchors[wording].offset, p = at;
    while (i > 0) {
        p = step_back(s, p);
        /* escapes such as \" and entities are for the full match; a first glance lets them pass */
        if (p == 0)
            return false;
        if (pl__lower(s[p - 1]) != literal[i - 1])
            return s[p - 1] == '\\';
        p--;
        i--;
    }
    p = at;
    for (i = anchors[wording].offset; i < part->n; i++) {
        p = step_over(s, n, p);
        if (p >= n)
            return false;
        if (pl__lower(s[p]) != literal[i])
            return s[p] == '\\' || s[p] == '\x1b' || s[p] == '|' || s[p] == '&';
        p++;
    }
    return true;
}

bool pl__key_match(size_t wording, const pl__squeezed *q, size_t at, pl__figures *f, size_t *begin, size_t *end)
{
    const struct row_anchor *a = &anchors[wording];
    if (at < a->offset)
        return false;
    size_t literal = at - a->offset, least = literal > 2 * GAP ? literal - 2 * GAP : 0;
    for (size_t start = literal;; start--) {
        reading r = {{0}};
        size_t stop = sequence_match(&keys[wording], 0, q, start, q->n, &r);
        if (stop != SIZE_MAX && stop > at) {
            take(&keys[wording], &r, f);
            *begin = start;
            *end = stop;
            return true;
        }
        if (a->part == 0 || start == least)
            return false;
    }
}

/* A message ends where the next of its kind begins. */
size_t pl__scope_end(size_t wording, const pl__squeezed *q, size_t end)
{
    enum { LONGEST = 4096 };
    const pl__part *first = &parts[keys[wording].first];
    size_t limit = pl_min(q->n, end + LONGEST);
    size_t next = find(q->text + end, limit - end, pool + first->at, first->n);
    return next == SIZE_MAX ? limit : end + next;
}
