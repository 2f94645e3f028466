/* What the tests of text share: the golden tokenizers and their texts. */
#ifndef PL_TEST_TEXTS_H
#define PL_TEST_TEXTS_H

#include "text/text.h"

#include <jansson.h>

/* Folders of tests/golden/tokenizer; NULL ends the list. */
extern const char *const golden_tokenizers[];

json_t *golden_json(const char *name); /* a file below tests/golden/tokenizer; fails the test if it cannot be read */
pl_tokenizer *golden_open(const char *name);

/* A tokenizer with room to encode. */
typedef struct bench {
    pl_tokenizer *t;
    void *workspace;
    size_t workspace_bytes, length;
    pl_encoding out;
} bench;
void bench_init(bench *b, pl_tokenizer *t, size_t text_bytes, size_t length);
void bench_free(bench *b); /* the tokenizer too */
pl_status bench_encode(bench *b, pl_text_view text, const pl_text_view *pair, size_t length, pl_error *e);

/* A folder with one file of this text, made anew each time. */
const char *scratch_folder(const char *file, const char *text);

#endif
