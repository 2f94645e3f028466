/* Added tokens: found in a text before anything else looks at it, the raw ones in the raw text, the
 * `normalized` ones in the normalised text.
 *
 * At each place the longest token that begins there is taken, places from left to right, never
 * overlapping. What the flags then discard (single_word) stays ordinary text, but no other token
 * is looked for inside it: so does the reference library. */
#ifndef PL_TEXT_ADDED_H
#define PL_TEXT_ADDED_H

#include "base/base.h"

typedef struct pl__added_token {
    const char *content, *pattern; /* pattern: the content, normalised if `normalized` */
    uint32_t content_bytes, pattern_bytes, id;
    bool single_word, lstrip, rstrip, normalized, special;
} pl__added_token;

/* The tokens of one kind, sorted by pattern: the tokens that begin with text[0..k) are a range. */
typedef struct pl__added_set {
    const pl__added_token **tokens; /* [count] */
    uint32_t count;
    uint32_t first[257]; /* tokens[first[b] .. first[b + 1]) begin with byte b */
    uint32_t longest;    /* bytes of a pattern */
    bool any_lstrip;
} pl__added_set;

/* Sorts what set->tokens holds. Of tokens with one pattern (that differ only in what the normalizer
 * takes away) the one of the lowest id stays; the library takes one by chance. */
void pl__added_prepare(pl__added_set *set);

typedef struct pl__added_match {
    size_t start, stop;       /* with the white space that the flags take */
    size_t inner, inner_stop; /* the token itself; the search goes on at inner_stop */
    const pl__added_token *token;
} pl__added_match;

/* What of a text is visible. `open`: more follows that is not. */
typedef struct pl__visible {
    const char *text;
    size_t n;
    bool open;
} pl__visible;

typedef enum pl__found { PL__NOT_FOUND, PL__FOUND, PL__UNCERTAIN } pl__found;

/* The first token that begins in [from, limit) and stands its flags; one of which nothing is left, since
 * the match before it has taken the white space, is passed over. `taken` is that match's end.
 * NOT_FOUND: none begins there, and the search goes on at match->inner_stop >= limit. UNCERTAIN: what
 * follows the visible text decides; match->start is where nothing is certain any more. */
pl__found pl__added_find(const pl__added_set *set, const pl__visible *v, size_t from, size_t limit, size_t taken, pl__added_match *match);

/* Whether a token that begins at `at` reaches the visible end, or may go on behind it. */
bool pl__added_reaches(const pl__added_set *set, const pl__visible *v, size_t at);

#endif
