#include "text/added.h"

#include "text/sort.h"
#include "text/unicode.h"

#include <string.h>

static int compare(const pl__added_token *a, const pl__added_token *b)
{
    size_t n = a->pattern_bytes < b->pattern_bytes ? a->pattern_bytes : b->pattern_bytes;
    int order = memcmp(a->pattern, b->pattern, n);
    return order ? order : (a->pattern_bytes > b->pattern_bytes) - (a->pattern_bytes < b->pattern_bytes);
}

static int by_pattern(const void *a, const void *b, const void *context)
{
    (void)context;
    const pl__added_token *x = *(const pl__added_token *const *)a, *y = *(const pl__added_token *const *)b;
    int order = compare(x, y);
    return order ? order : (x->id > y->id) - (x->id < y->id);
}

void pl__added_prepare(pl__added_set *set)
{
    const pl__added_token **t = set->tokens;
    pl__sort((void *)t, set->count, sizeof(void *), by_pattern, NULL);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < set->count; i++)
        if (kept == 0 || compare(t[kept - 1], t[i]) != 0)
            t[kept++] = t[i];
    set->count = kept;
    uint32_t at = 0;
    for (unsigned byte = 0; byte <= 256; byte++) {
        while (at < kept && (unsigned char)t[at]->pattern[0] < byte)
            at++;
        set->first[byte] = at;
    }
    for (uint32_t i = 0; i < kept; i++) {
        set->any_lstrip |= t[i]->lstrip;
        set->longest = t[i]->pattern_bytes > set->longest ? t[i]->pattern_bytes : set->longest;
    }
}

/* First of tokens[low .. high) whose byte at `depth` is at least `byte`; all share depth bytes and
 * have more. */
static uint32_t bound(const pl__added_set *set, uint32_t low, uint32_t high, size_t depth, unsigned byte)
{
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if ((unsigned char)set->tokens[middle]->pattern[depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The longest token that begins at `at`; *uncertain: the visible end came before that was clear. */
static const pl__added_token *longest_at(const pl__added_set *set, const pl__visible *v, size_t at, bool *uncertain)
{
    const pl__added_token *best = NULL;
    unsigned char byte = (unsigned char)v->text[at];
    uint32_t low = set->first[byte], high = set->first[byte + 1u];
    size_t depth = 1;
    *uncertain = false;
    while (low < high) {
        if (set->tokens[low]->pattern_bytes == depth)
            best = set->tokens[low++];
        if (low == high)
            break;
        if (at + depth == v->n) {
            *uncertain = v->open;
            break;
        }
        unsigned next = (unsigned char)v->text[at + depth];
        low = bound(set, low, high, depth, next);
        high = bound(set, low, high, depth, next + 1);
        depth++;
    }
    return best;
}

static bool word_before(const char *text, size_t at)
{
    uint32_t c;
    if (at == 0)
        return false;
    pl__decode_before(text, at, &c);
    return pl__class(c) & PL__WORD;
}

static bool word_at(const pl__visible *v, size_t at)
{
    uint32_t c;
    if (at == v->n)
        return false;
    pl__decode(v->text + at, &c);
    return pl__class(c) & PL__WORD;
}

static size_t white_before(const char *text, size_t at)
{
    while (at > 0) {
        uint32_t c;
        size_t width = pl__decode_before(text, at, &c);
        if (!(pl__class(c) & PL__WHITE))
            break;
        at -= width;
    }
    return at;
}

static size_t white_after(const pl__visible *v, size_t at)
{
    while (at < v->n) {
        uint32_t c;
        size_t width = pl__decode(v->text + at, &c);
        if (!(pl__class(c) & PL__WHITE))
            break;
        at += width;
    }
    return at;
}

pl__found pl__added_find(const pl__added_set *set, const pl__visible *v, size_t from, size_t limit, size_t taken, pl__added_match *match)
{
    size_t at = from;
    for (; at < limit; at++) {
        unsigned char byte = (unsigned char)v->text[at];
        if (set->first[byte] == set->first[byte + 1u])
            continue;
        bool uncertain;
        const pl__added_token *token = longest_at(set, v, at, &uncertain);
        size_t stop = token ? at + token->pattern_bytes : at;
        if (token && v->open && stop == v->n && (token->single_word || token->rstrip))
            uncertain = true;
        *match = (pl__added_match){at, stop, at, stop, token};
        if (!uncertain && token) {
            if (token->single_word && (word_before(v->text, at) || word_at(v, stop))) {
                at = stop - 1;
                continue;
            }
            if (token->rstrip)
                match->stop = white_after(v, stop);
            uncertain = token->rstrip && v->open && match->stop == v->n;
        }
        if ((uncertain || token) && (uncertain ? set->any_lstrip : token->lstrip)) {
            size_t start = white_before(v->text, at);
            match->start = start > taken ? start : taken;
        }
        if (uncertain)
            return PL__UNCERTAIN;
        if (token && match->start < match->stop)
            return PL__FOUND;
        if (token) /* white space that the match before it has taken: nothing is left */
            at = stop - 1;
    }
    match->inner_stop = at;
    return PL__NOT_FOUND;
}

bool pl__added_reaches(const pl__added_set *set, const pl__visible *v, size_t at)
{
    unsigned char byte = (unsigned char)v->text[at];
    if (set->first[byte] == set->first[byte + 1u])
        return false;
    bool uncertain;
    const pl__added_token *token = longest_at(set, v, at, &uncertain);
    return uncertain || (token && at + token->pattern_bytes == v->n);
}
