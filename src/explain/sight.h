/* A message's line as its judges see it; shared by sight.c, credible.c and special.c. */
#ifndef PL_EXPLAIN_SIGHT_H
#define PL_EXPLAIN_SIGHT_H

#include "explain/inner.h"

enum { PL__SIDE = 480 };

typedef struct pl__sight {
    char before[PL__SIDE], after[PL__SIDE]; /* of the line, clean; before[before_n] is a space */
    size_t before_n, after_n;
    const char *rest; /* before, without the prefix of a logger or the opening of a JSON string */
    size_t rest_n;
    const pl__place *p;
} pl__sight;

void pl__look(const pl__place *p, pl__sight *v);
char pl__touching(const pl__sight *v); /* the character that touches the key, ' ' when none does */

bool pl__any(const char *text, size_t n, const char *const *words, size_t count);
bool pl__begins(const char *text, const char *word);
bool pl__ends(const char *text, size_t n, const char *word);

/* credible.c: kinds of lines */
bool pl__is_source(const pl__sight *v);
bool pl__is_document(const pl__sight *v, unsigned traits);
bool pl__is_prose(const pl__sight *v);
bool pl__error_before(const pl__sight *v);
bool pl__ends_as_message(const pl__sight *v);
bool pl__alone_on_line(const pl__sight *v);

/* special.c: wordings that are checked by name */
bool pl__special(const pl__wording *w, const pl__sight *v, const pl__figures *f);

#endif
