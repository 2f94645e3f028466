/* Regular expressions as the library has them (Oniguruma's syntax and Unicode), matched by
 * backtracking in bounded memory, and the search for one match after the other. */
#ifndef PL_TEXT_REGEX_H
#define PL_TEXT_REGEX_H

#include "base/base.h"

typedef struct pl__regex pl__regex;

/* Compiles text[0..n) into the region. PL_BAD_INPUT with the reason in why[0..64): what the pattern
 * has that is not supported or wrong, and where. */
pl_status pl__regex_compile(pl_region *region, pl_region *scratch, const char *text, size_t n, const pl__regex **out, char why[128]);

/* Places to go back to. A match that needs more than there are is given up. */
typedef struct pl__frame {
    uint32_t kind, pc;
    size_t at, low;
} pl__frame;
typedef struct pl__frames {
    pl__frame *at;
    size_t count;
} pl__frames;
enum { PL__FRAMES = 4096 };

typedef struct pl__match {
    size_t start, stop;
} pl__match;

/* Goes through the matches of a regex, or of a literal text (regex NULL), in text[0..n). */
typedef struct pl__matcher {
    const pl__regex *regex;
    pl__frames frames;
    const char *literal;
    size_t literal_bytes;
    const char *text;
    size_t n;
    bool open;       /* more text follows that is not there */
    size_t certain;  /* after the last match: how far nothing that follows can change the matches */
    bool failed;     /* a match needs more tries than the engine makes */
    size_t last_end; /* where the search goes on */
    size_t last_match_end;
    bool matched;
} pl__matcher;

void pl__matcher_init(
    pl__matcher *m, const pl__regex *regex, pl__frames frames, const char *literal, size_t literal_bytes, const char *text, size_t n, bool open);
bool pl__matcher_next(pl__matcher *m, pl__match *match);

/* One search: the first match at or after `from`. hit_end: the answer read or asked for the end of
 * the text; *reached: where the attempt began that did so first. */
typedef enum pl__searched { PL__SEARCH_NONE, PL__SEARCH_FOUND, PL__SEARCH_FAILED } pl__searched;
pl__searched pl__regex_search(const pl__regex *r, pl__frames frames, const char *text, size_t n, size_t from, pl__match *match, size_t *reached);

#endif
