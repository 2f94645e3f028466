/* tests/explain/messages.txt, read: logs and what must be found in them. */
#ifndef TEST_EXPLAIN_CASES_H
#define TEST_EXPLAIN_CASES_H

#include "explain/explain.h"

enum { MOST_EVENTS = 16, MOST_WANTS = 8, LOG_BYTES = 32768 };

typedef struct test_case {
    char name[64];
    char log[LOG_BYTES];
    size_t log_n;
    char wanted[MOST_EVENTS][512]; /* "--- " lines */
    size_t wanted_n;
    char must[MOST_WANTS][128], never[MOST_WANTS][128];
    size_t must_n, never_n;
} test_case;

/* Calls each(case) for every case of the file; returns how many there were. */
size_t cases_each(void (*each)(const test_case *c, void *self), void *self);

typedef struct found {
    pl_oom events[MOST_EVENTS];
    size_t count; /* may be larger than what is kept */
} found;

/* Reads a log in pieces of `piece` bytes (0: at once). */
void explain_log(const char *log, size_t n, size_t piece, found *out);

/* Writes what is wrong with `f` to `why` (empty: nothing); `lines`: line numbers count. */
void case_check(const test_case *t, const found *f, bool lines, char *why, size_t capacity);

#endif
