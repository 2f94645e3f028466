#include "text/precompiled.h"

#include "text/normalize.h"
#include "text/unicode.h"

#include <string.h>

/* ---- the map ---- */

bool pl__charsmap_parse(const unsigned char *bytes, size_t n, pl__charsmap *out)
{
    uint32_t size;
    if (n < sizeof size)
        return false;
    memcpy(&size, bytes, sizeof size); /* little-endian, as the machines this runs on */
    uint32_t count = size / 4;
    if (count == 0 || (uint64_t)count * 4 + 4 > n)
        return false;
    *out = (pl__charsmap){(const uint32_t *)(const void *)(bytes + 4), count, (const char *)bytes + 4 + (size_t)count * 4, n - 4 - (size_t)count * 4};
    return pl_utf8_valid(out->texts, out->text_bytes) == out->text_bytes;
}

static bool has_leaf(uint32_t unit) { return unit >> 8 & 1; }
static uint32_t label(uint32_t unit) { return unit & (1u << 31 | 0xFF); }
static uint32_t offset(uint32_t unit) { return (unit >> 10) << ((unit & 1u << 9) >> 6); }

const char *pl__charsmap_find(const pl__charsmap *map, const char *text, size_t n, size_t *out_bytes)
{
    uint32_t at = offset(map->units[0]);
    for (size_t i = 0; i < n && text[i]; i++) {
        unsigned char c = (unsigned char)text[i];
        at ^= c;
        if (at >= map->count || label(map->units[at]) != c)
            return NULL;
        uint32_t unit = map->units[at];
        at ^= offset(unit);
        if (!has_leaf(unit))
            continue;
        uint32_t value = at < map->count ? map->units[at] & 0x7FFFFFFF : UINT32_MAX;
        if (value >= map->text_bytes)
            value = (uint32_t)map->text_bytes; /* the library would fail: nothing is left */
        const char *end = memchr(map->texts + value, '\0', map->text_bytes - value);
        *out_bytes = end ? (size_t)(end - map->texts) - value : map->text_bytes - value;
        return map->texts + value;
    }
    return NULL;
}

/* ---- grapheme clusters ---- */

typedef struct cluster {
    uint8_t class; /* of the last character */
    uint32_t last;
    bool picture;        /* a picture, then only marks */
    bool joined;         /* ... and the last mark is a joiner */
    bool letter, linked; /* a letter of a conjunct, then only marks; a linker among them */
    bool odd_flag;       /* an odd number of regional indicators */
} cluster;

static bool is_extend(uint8_t class) { return class == PL__GRAPHEME_EXTEND || class == PL__GRAPHEME_EXTEND_LINKER || class == PL__GRAPHEME_EXTEND_END; }
static bool is_flag(uint32_t c) { return c - 0x1F1E6 < 26; }

typedef enum hangul { NO_HANGUL, HANGUL_L, HANGUL_V, HANGUL_T, HANGUL_LV, HANGUL_LVT } hangul;
static hangul hangul_of(uint32_t c)
{
    if ((c >= 0x1100 && c <= 0x115F) || (c >= 0xA960 && c <= 0xA97C))
        return HANGUL_L;
    if ((c >= 0x1160 && c <= 0x11A7) || (c >= 0xD7B0 && c <= 0xD7C6))
        return HANGUL_V;
    if ((c >= 0x11A8 && c <= 0x11FF) || (c >= 0xD7CB && c <= 0xD7FB))
        return HANGUL_T;
    if (c >= 0xAC00 && c <= 0xD7A3)
        return (c - 0xAC00) % 28 ? HANGUL_LVT : HANGUL_LV;
    return NO_HANGUL;
}

static bool hangul_joins(hangul a, hangul b)
{
    if (a == HANGUL_L)
        return b == HANGUL_L || b == HANGUL_V || b == HANGUL_LV || b == HANGUL_LVT;
    if (a == HANGUL_LV || a == HANGUL_V)
        return b == HANGUL_V || b == HANGUL_T;
    return (a == HANGUL_LVT || a == HANGUL_T) && b == HANGUL_T;
}

static void begin(cluster *k, uint32_t c, uint8_t class)
{
    *k = (cluster){.class = class, .last = c, .picture = class == PL__GRAPHEME_PICTURE, .letter = class == PL__GRAPHEME_CONJUNCT, .odd_flag = is_flag(c)};
}

static bool joins(const cluster *k, uint32_t c, uint8_t class)
{
    if (k->last == '\r' && c == '\n')
        return true;
    if (k->class == PL__GRAPHEME_CONTROL || class == PL__GRAPHEME_CONTROL || k->last < 0x20 || c < 0x20 || c == 0x7F || k->last == 0x7F)
        return false;
    if (is_extend(class) || k->class == PL__GRAPHEME_PREPEND || hangul_joins(hangul_of(k->last), hangul_of(c)))
        return true;
    if (k->joined && class == PL__GRAPHEME_PICTURE)
        return true;
    if (k->linked && class == PL__GRAPHEME_CONJUNCT)
        return true;
    return k->odd_flag && is_flag(c);
}

static void take(cluster *k, uint32_t c, uint8_t class)
{
    bool mark = is_extend(class);
    bool picture = class == PL__GRAPHEME_PICTURE || (k->picture && mark);
    bool letter = class == PL__GRAPHEME_CONJUNCT || (k->letter && mark && class != PL__GRAPHEME_EXTEND_END);
    bool linked = letter && mark && (k->linked || class == PL__GRAPHEME_EXTEND_LINKER);
    *k = (cluster){.class = class,
        .last = c,
        .picture = picture,
        .joined = picture && c == 0x200D,
        .letter = letter,
        .linked = linked,
        .odd_flag = is_flag(c) && !k->odd_flag};
}

size_t pl__grapheme_end(const char *text, size_t n, size_t at)
{
    uint32_t c;
    cluster k;
    size_t end = at + pl__decode(text + at, &c);
    begin(&k, c, pl__grapheme(c));
    while (end < n) {
        size_t width = pl__decode(text + end, &c);
        uint8_t class = pl__grapheme(c);
        if (!joins(&k, c, class))
            break;
        take(&k, c, class);
        end += width;
    }
    return end;
}

/* ---- the normalizer ---- */

/* A change is given out one later, since a part that becomes nothing is added to the one before. */
typedef struct delayed {
    pl__transform x;
    bool waiting;
    uint32_t c;
    int change;
} delayed;

static void give(delayed *d, uint32_t c, int change)
{
    if (d->waiting)
        pl__transform_put(&d->x, d->c, d->change);
    d->waiting = true;
    d->c = c;
    d->change = change;
}

static int characters(const char *text, size_t n)
{
    int count = 0;
    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}

/* `old` characters become text[0..n): of more, the last ones are new; of fewer, the last swallows. */
static void replace(delayed *d, int old, const char *text, size_t n)
{
    int fresh = characters(text, n), i = 0;
    for (size_t at = 0; at < n; i++) {
        uint32_t c;
        at += pl__decode(text + at, &c);
        give(d, c, i >= old && fresh > old ? 1 : 0);
    }
    if (fresh < old && d->waiting)
        d->change += fresh - old;
}

static void read_characters(delayed *d, const pl__charsmap *map, const char *text, size_t n)
{
    for (size_t at = 0; at < n;) {
        uint32_t c;
        size_t width = pl__decode(text + at, &c), bytes;
        const char *to = pl__charsmap_find(map, text + at, width, &bytes);
        if (to)
            replace(d, 1, to, bytes);
        else
            give(d, c, 0);
        at += width;
    }
}

/* A whole cluster below six bytes is looked up first, else each of its characters. */
void pl__normalize_precompiled(const pl__charsmap *map, const pl__span *in, pl__span *out)
{
    delayed d = {.x = {.in = in, .out = out}};
    for (size_t at = 0; at < in->n;) {
        size_t end = pl__grapheme_end(in->text, in->n, at), bytes;
        const char *to = end - at < 6 ? pl__charsmap_find(map, in->text + at, end - at, &bytes) : NULL;
        if (to)
            replace(&d, characters(in->text + at, end - at), to, bytes);
        else
            read_characters(&d, map, in->text + at, end - at);
        at = end;
    }
    if (d.waiting)
        pl__transform_put(&d.x, d.c, d.change);
}
