/* The general way from text to tokens: any normalizer, pre-tokenizers, model.
 *
 * A prefix of the text (a window) is worked on whole: cut where nothing that follows can change what
 * stands before. If too few tokens are certain, a window four times as long is tried, so the cost
 * stays linear in what has to be read. Pieces go down the pre-tokenizers one at a time, depth first,
 * so that no list of them is held and reading can stop anywhere. */
#ifndef PL_TEXT_GENERAL_H
#define PL_TEXT_GENERAL_H

#include "text/normalize.h"

typedef struct pl__run {
    const pl_tokenizer *t;
    const char *raw;
    pl__span a, b;                       /* the segment being normalised */
    pl__span stages[PL__MOST_SPLITTERS]; /* what a pre-tokenizer that changes text has made of its piece */
    pl__frames frames;                   /* of regular expressions */
    void *scratch;                       /* of the model */
    pl__sink *sink;
    bool more; /* the window's end was needed to know how it goes on */
    bool grew; /* a failure was for room: what the text became did not fit */
    pl_error *e;
} pl__run;

static inline bool pl__run_ends(const pl__run *r) { return r->more || r->sink->count >= r->sink->enough; }

/* A part of a span. `open`: it may go on, what is there is certain. */
typedef struct pl__piece {
    const pl__span *span;
    size_t from, to;
    bool open, bytes; /* bytes: each byte stands for its byte-level character */
} pl__piece;

/* Whether the pre-tokenizer at this place writes a text of its own. */
bool pl__split_writes(const pl_tokenizer *t, uint32_t stage);
size_t pl__split_growth(const pl_tokenizer *t, uint32_t stage); /* ... and how many bytes it may make of one */
/* Sends the parts of a piece through the pre-tokenizers from `stage` on to the model. */
pl_status pl__split(pl__run *r, uint32_t stage, pl__piece piece);

/* ---- models ---- */

/* Bytes of scratch for pieces of at most n bytes. */
size_t pl__model_scratch(const pl_tokenizer *t, size_t n);
/* Tokens of a piece. Of an open one those that are certain, if the model can tell, and r->more. */
pl_status pl__model_run(pl__run *r, pl__piece piece);
pl_status pl__bpe(pl__run *r, pl__piece piece);
pl_status pl__unigram(pl__run *r, pl__piece piece);
size_t pl__bpe_scratch(size_t n);
size_t pl__unigram_scratch(size_t n);

pl_status pl__run_too_long(pl__run *r);

/* A token that covers bytes [a, b) of the span; text is its string, for the trims. */
void pl__run_push(pl__run *r, uint32_t id, const pl__span *span, size_t a, size_t b, const char *text, size_t n);
/* The same with the string that the vocabulary has for the id. */
void pl__run_push_id(pl__run *r, uint32_t id, const pl__span *span, size_t a, size_t b);

#endif
