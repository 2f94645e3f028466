/* Finds the few places of a log that hold a word of the tables, by Wu and Manber's method: a window
 * of PL__ANCHOR_BYTES slides over the text; a hash of its last three bytes tells how far it may
 * move, so that most bytes are never looked at. Letters are folded, so case does not matter.
 * Worst case: each position compares its bucket, whose size does not depend on the text. */
#include "explain/inner.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

enum {
    WINDOW = PL__ANCHOR_BYTES,
    BLOCK = 3,
    FAR = WINDOW - BLOCK + 1,
    STRIDE = 4 * FAR,
    HASH_BITS = 13,
    INSIDE_BITS = 16,
    JOIN = 64,
    MOST_ANCHORS = 768,
    MOST_LINKS = 1024,
    GRAM = 4,
    MOST_GRAMS = 12288
};

static struct anchor {
    pl__slice word;
    uint16_t first, count;        /* links */
    uint16_t next;                /* in its bucket, from 1; 0 ends */
    bool before[128], after[128]; /* what some row allows beside it, white space aside */
} anchors[MOST_ANCHORS];
static size_t anchor_n;
static uint16_t links[MOST_LINKS];
static uint8_t shift[1 << HASH_BITS];
static uint16_t bucket[1 << HASH_BITS];        /* anchor + 1 */
static uint8_t inside[1 << (INSIDE_BITS - 3)]; /* a bit for four bytes of some anchor, anywhere in it */

/* Three bytes with bit 5 set, which folds ASCII letters, hashed by multiplication. */
static inline uint32_t block_mix(const unsigned char *s)
{
    uint32_t v = (uint32_t)s[0] | (uint32_t)s[1] << 8 | (uint32_t)s[2] << 16;
    return (v | 0x202020u) * 0x9E3779B1u;
}

static inline uint32_t block_hash(const unsigned char *s) { return block_mix(s) >> (32 - HASH_BITS); }

static inline uint32_t four_hash(const unsigned char *s)
{
    uint32_t v;
    memcpy(&v, s, sizeof v);
    return ((v | 0x20202020u) * 0x9E3779B1u) >> (32 - INSIDE_BITS);
}

/* Where four bytes stand in anchors, by their hash. */
static struct gram {
    uint16_t anchor, next; /* next: of its bucket, from 1; 0 ends */
    uint8_t at;
} grams[MOST_GRAMS];
static size_t gram_n;
static uint16_t gram_bucket[1 << HASH_BITS];

static inline bool is_inside(const unsigned char *s)
{
    uint32_t h = four_hash(s);
    return inside[h >> 3] >> (h & 7) & 1;
}

static pl__slice word_of(size_t index) { return index < pl__wording_count ? pl__anchor(index) : pl__setting_anchor(index - pl__wording_count); }

static bool same(pl__slice a, pl__slice b) { return a.n == b.n && memcmp(a.s, b.s, a.n) == 0; }

/* Settings may stand anywhere; a wording only beside what its key goes on with. Where an escape or
 * a frame may hide that (backslash, colour, entity, any byte above ASCII) it is let pass. */
static void note_sides(struct anchor *a)
{
    for (size_t i = 0; i < a->count; i++) {
        char before = 0, after = 0;
        size_t row = links[a->first + i];
        if (row < pl__wording_count)
            pl__anchor_sides(row, &before, &after);
        if ((unsigned char)before < 128)
            a->before[(unsigned char)before] = true;
        if ((unsigned char)after < 128)
            a->after[(unsigned char)after] = true;
    }
    static const char through[] = "\\\x1b|&#^[m";
    for (const char *s = through; *s; s++)
        a->before[(unsigned char)*s] = a->after[(unsigned char)*s] = true;
}

static bool allowed(const bool *set, char c) { return set[0] || (c & 0x80) || set[(unsigned char)pl__lower(c)]; }

static bool beside(const struct anchor *a, const char *s, size_t n, size_t at)
{
    size_t p = at;
    while (p > 0 && (unsigned char)s[p - 1] <= ' ')
        p--;
    if (p > 0 && !allowed(a->before, s[p - 1]))
        return false;
    p = at + a->word.n;
    while (p < n && (unsigned char)s[p] <= ' ')
        p++;
    return p >= n || allowed(a->after, s[p]);
}

static void add_anchor(pl__slice word, size_t total)
{
    for (size_t i = 0; i < anchor_n; i++)
        if (same(anchors[i].word, word))
            return;
    static size_t link_n;
    assert(anchor_n < MOST_ANCHORS && word.n >= WINDOW);
    struct anchor *a = &anchors[anchor_n++];
    a->word = word;
    a->first = (uint16_t)link_n;
    for (size_t i = 0; i < total; i++)
        if (same(word_of(i), word)) {
            assert(link_n < MOST_LINKS);
            links[link_n++] = (uint16_t)i;
        }
    a->count = (uint16_t)(link_n - a->first);
    note_sides(a);
}

static void prepare(void)
{
    pl__patterns_prepare();
    size_t total = pl__wording_count + pl__setting_count();
    for (size_t i = 0; i < total; i++)
        add_anchor(word_of(i), total);
    memset(shift, FAR, sizeof shift);
    for (size_t i = 0; i < anchor_n; i++) {
        const unsigned char *s = (const unsigned char *)anchors[i].word.s;
        for (size_t at = 0; at + BLOCK <= WINDOW; at++) {
            uint32_t h = block_hash(s + at);
            uint8_t move = (uint8_t)(WINDOW - BLOCK - at);
            shift[h] = move < shift[h] ? move : shift[h];
        }
        for (size_t at = 0; at + GRAM <= anchors[i].word.n; at++) {
            uint32_t h = four_hash(s + at), bucket_of = h >> (INSIDE_BITS - HASH_BITS);
            inside[h >> 3] |= (uint8_t)(1u << (h & 7));
            assert(gram_n < MOST_GRAMS && at < UINT8_MAX);
            grams[gram_n] = (struct gram){(uint16_t)i, gram_bucket[bucket_of], (uint8_t)at};
            gram_bucket[bucket_of] = (uint16_t)(++gram_n);
        }
        uint32_t last = block_hash(s + WINDOW - BLOCK);
        anchors[i].next = bucket[last];
        bucket[last] = (uint16_t)(i + 1);
    }
}

void pl__scan_prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare);
}

const uint16_t *pl__anchor_rows(unsigned anchor, size_t *count)
{
    *count = anchors[anchor].count;
    return links + anchors[anchor].first;
}

static bool stands(pl__slice word, const char *s, size_t n)
{
    if (n < word.n)
        return false;
    for (size_t i = 0; i < word.n; i++)
        if (pl__lower(s[i]) != word.s[i])
            return false;
    return true;
}

/* Anchors that begin at s[at] and end beyond `past`. */
static bool hit_at(const char *s, size_t n, size_t at, size_t past, uint32_t hash, pl__hit *hit)
{
    hit->count = 0;
    for (uint16_t i = bucket[hash]; i; i = anchors[i - 1].next)
        if (at + anchors[i - 1].word.n > past && stands(anchors[i - 1].word, s + at, n - at) && beside(&anchors[i - 1], s, n, at)) {
            assert(hit->count < PL__HITS);
            hit->anchors[hit->count++] = i - 1u;
        }
    hit->at = at;
    return hit->count > 0;
}

bool pl__scan(const char *s, size_t from, size_t to, size_t n, pl__hit *hit)
{
    if (n < WINDOW)
        return false;
    size_t last = pl_min(to, n - WINDOW + 1);
    const unsigned char *block = (const unsigned char *)s + WINDOW - BLOCK;
    for (size_t at = from; at < last;) {
        uint32_t hash = block_hash(block + at);
        /* four windows that all move on at once: their look-ups do not wait for each other */
        if (at + STRIDE < last &&
            (shift[hash] & shift[block_hash(block + at + FAR)] & shift[block_hash(block + at + 2 * FAR)] & shift[block_hash(block + at + 3 * FAR)]) == FAR) {
            at += STRIDE;
            continue;
        }
        if (shift[hash]) {
            at += shift[hash];
            continue;
        }
        if (hit_at(s, n, at, 0, hash, hit))
            return true;
        at++;
    }
    return false;
}

/* An anchor that a line break cuts holds four of the three bytes before it and the three behind it. */
bool pl__scan_across(const char *s, size_t n, size_t end, pl__hit *hit)
{
    size_t left = end > 0 && s[end - 1] == '\r' ? end - 1 : end, right = end + 1;
    if (left < 3 || right + 2 >= n)
        return false;
    unsigned char six[6];
    memcpy(six, s + left - 3, 3);
    memcpy(six + 3, s + right, 3);
    if (!is_inside(six) && !is_inside(six + 1) && !is_inside(six + 2))
        return false;
    char joined[2 * JOIN];
    size_t before = pl_min(left, JOIN), after = pl_min(n - right, JOIN), first = SIZE_MAX;
    memcpy(joined, s + left - before, before);
    memcpy(joined + before, s + right, after);
    for (size_t i = 0; i < 3; i++)
        for (uint16_t g = gram_bucket[four_hash(six + i) >> (INSIDE_BITS - HASH_BITS)]; g; g = grams[g - 1].next) {
            const struct gram *gram = &grams[g - 1];
            size_t place = before - 3 + i, at = place - gram->at;
            pl__hit one;
            if (place < gram->at || at >= first || !stands(anchors[gram->anchor].word, joined + at, before + after - at))
                continue;
            if (!hit_at(joined, before + after, at, before, block_hash((const unsigned char *)joined + at + WINDOW - BLOCK), &one))
                continue;
            first = at;
            *hit = one;
        }
    hit->at = left - before + (first == SIZE_MAX ? 0 : first);
    return first != SIZE_MAX;
}
