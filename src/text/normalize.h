/* A text under normalisation: valid UTF-8 with, for each byte, the place in the raw text of the
 * character it came from (with PL__EMPTY: no character at all, but that place).
 *
 * The reference library keeps a range for each byte; it is always one character's, so its start is
 * enough. Which character a changed one comes from follows the library's rule exactly: see
 * pl__transform_put. */
#ifndef PL_TEXT_NORMALIZE_H
#define PL_TEXT_NORMALIZE_H

#include "text/regex.h"
#include "text/tokenizer.h"

#define PL__EMPTY 0x80000000u

typedef struct pl__span {
    char *text;
    uint32_t *from; /* [capacity] */
    size_t n, capacity;
    uint32_t origin; /* place of what stands before everything */
    bool full;       /* something did not fit: text is no longer right */
} pl__span;

void pl__span_put(pl__span *out, uint32_t c, uint32_t from);
void pl__span_copy(pl__span *out, const pl__span *in, size_t from, size_t to);

/* Rewrites a text character by character. Each new one says what it changes: 0 replaces the next old
 * character, -k replaces it and swallows k more, +1 is inserted. Its place is that of the first old
 * character it replaces, or of the old one before it. */
typedef struct pl__transform {
    const pl__span *in;
    pl__span *out;
    size_t at; /* old bytes dealt with */
} pl__transform;
void pl__transform_put(pl__transform *x, uint32_t c, int change);

/* Runs the steps over a and b, ping-pong; *a ends with the result. `open`: text follows that is not
 * there; then only what cannot change by it is given. frames: for regular expressions. */
pl_status pl__normalize(const pl_tokenizer *t, pl__frames frames, pl__span *a, pl__span *b, bool open, pl_error *e);

/* How many bytes one byte of text may become under the steps (an upper bound for common text; what
 * grows more is refused when it does not fit). */
size_t pl__normalize_growth(const pl_tokenizer *t);

/* Single steps of files of their own. */
void pl__normalize_form(const pl__span *in, pl__span *out, bool compatible, bool compose);
void pl__normalize_precompiled(const struct pl__charsmap *map, const pl__span *in, pl__span *out);

#endif
