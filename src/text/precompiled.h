/* SentencePiece's "precompiled charsmap": a double array over UTF-8 that maps beginnings of text to
 * what they become. */
#ifndef PL_TEXT_PRECOMPILED_H
#define PL_TEXT_PRECOMPILED_H

#include "base/base.h"

typedef struct pl__charsmap {
    const uint32_t *units; /* [count] */
    uint32_t count;
    const char *texts; /* [text_bytes] what the values point into; each ends in '\0' */
    size_t text_bytes;
} pl__charsmap;

/* Takes the bytes apart: u32 size of the units, units, texts. Checks what the walk relies on.
 * false: it is no charsmap. */
bool pl__charsmap_parse(const unsigned char *bytes, size_t n, pl__charsmap *out);

/* What text[0..n) becomes; NULL: itself. The shortest beginning that is mapped decides. */
const char *pl__charsmap_find(const pl__charsmap *map, const char *text, size_t n, size_t *out_bytes);

/* The end of the grapheme cluster that begins at text[at]. */
size_t pl__grapheme_end(const char *text, size_t n, size_t at);

#endif
