/* A Hugging Face tokenizer: tokenizer.json, or vocab.txt with tokenizer_config.json -> token ids.
 * Ids, tokens and offsets are those of the `tokenizers` library on the same file (truncation and
 * padding stored inside it are not applied). Immutable after opening; encoding never allocates. */
#ifndef PL_TEXT_H
#define PL_TEXT_H

#include "base/base.h"

typedef struct pl_tokenizer pl_tokenizer;

/* Reads the folder's tokenizer (validated whole, then used) in bounded memory: the file is streamed,
 * what stays is the compact tables. Errors: PL_BAD_INPUT with file, place, what and remedy; an
 * unsupported component is refused by its name. */
pl_status pl_tokenizer_open(const char *folder, const pl_memory *memory, pl_tokenizer **out, pl_error *e);
void pl_tokenizer_close(pl_tokenizer *t); /* NULL is allowed */

size_t pl_tokenizer_held(const pl_tokenizer *t);      /* bytes taken from `memory` */
size_t pl_tokenizer_load_peak(const pl_tokenizer *t); /* the most it and its loading held at once */
uint32_t pl_tokenizer_ids(const pl_tokenizer *t);     /* largest id it can produce, plus one */
/* Tokens that the post-processor adds to a single text / to a pair. */
uint32_t pl_tokenizer_special_count(const pl_tokenizer *t, bool pair);
bool pl_tokenizer_lowers(const pl_tokenizer *t); /* its normalizer puts texts into lower case */
/* The token's text as the library shows it ("##ing"); NULL if there is no such id. */
const char *pl_tokenizer_token(const pl_tokenizer *t, uint32_t id, size_t *n);
bool pl_tokenizer_id(const pl_tokenizer *t, const char *token, size_t n, uint32_t *id);

typedef struct pl_text_view {
    const char *text; /* UTF-8, may hold '\0' */
    size_t bytes;
    bool cut; /* more text followed that the reader could not hold */
} pl_text_view;

typedef struct pl_encoding {
    uint32_t *ids;          /* [capacity] */
    uint8_t *types;         /* [capacity] type ids, or NULL */
    uint32_t (*offsets)[2]; /* [capacity] in characters of the text, as Python counts; or NULL */
    size_t capacity;        /* at least max_length */
    size_t count;           /* out */
} pl_encoding;

/* Bytes of workspace that encode needs for texts of at most text_bytes (each of a pair). */
size_t pl_tokenizer_workspace(const pl_tokenizer *t, size_t text_bytes, size_t max_length);

/* Encodes a text (and a second one, or NULL) with special tokens, truncated to max_length tokens,
 * special ones included; pairs by longest_first. Stops reading a text once what follows cannot
 * change the answer, so a text of any length costs what max_length costs. A text that is `cut`
 * before the answer was certain, or is not UTF-8, is PL_BAD_INPUT (the message says what and at
 * which byte; the caller knows the line). */
pl_status pl_tokenizer_encode(const pl_tokenizer *t, void *workspace, size_t workspace_bytes, const pl_text_view *text, const pl_text_view *pair,
    size_t max_length, pl_encoding *out, pl_error *e);

#endif
