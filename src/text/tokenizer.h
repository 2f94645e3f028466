/* Between the files of text: a tokenizer is
 *
 *     added tokens -> normalizer -> added tokens -> pre-tokenizer -> model -> post-processor
 *
 * load.c and its neighbours fill the structures below from JSON; encode.c walks a text through them.
 * All of it lies in one region and is never written after opening. */
#ifndef PL_TEXT_TOKENIZER_H
#define PL_TEXT_TOKENIZER_H

#include "text/added.h"
#include "text/text.h"
#include "text/vocab.h"

/* ---- memory that counts itself ---- */
typedef struct pl__counted {
    pl_memory inner, face; /* face: what the region and the walker are given */
    size_t now, peak;
} pl__counted;
void pl__counted_init(pl__counted *c, const pl_memory *inner);

/* ---- normalizer: steps in order, sequences laid flat ---- */
typedef enum pl__normalizer_kind {
    PL__NORM_BERT,
    PL__NORM_STRIP,
    PL__NORM_STRIP_ACCENTS,
    PL__NORM_FORM,
    PL__NORM_LOWERCASE,
    PL__NORM_NMT,
    PL__NORM_PRECOMPILED,
    PL__NORM_REPLACE,
    PL__NORM_PREPEND,
    PL__NORM_BYTE_LEVEL,
} pl__normalizer_kind;

typedef struct pl__normalizer {
    pl__normalizer_kind kind;
    bool clean_text, chinese, strip_accents, lowercase; /* BERT */
    bool left, right;                                   /* STRIP */
    bool compatible, compose;                           /* FORM: NFD has neither, NFKC both */
    const struct pl__charsmap *charsmap;                /* PRECOMPILED */
    const struct pl__regex *regex;                      /* REPLACE; NULL: the text itself */
    const char *text, *content;                         /* REPLACE: pattern and content; PREPEND: content */
    size_t text_bytes, content_bytes;
} pl__normalizer;

/* ---- pre-tokenizer ---- */
enum { PL__MOST_SPLITTERS = 32 };

typedef enum pl__splitter_kind {
    PL__SPLIT_BERT,
    PL__SPLIT_BYTE_LEVEL,
    PL__SPLIT_DELIMITER,
    PL__SPLIT_METASPACE,
    PL__SPLIT_WORDS,
    PL__SPLIT_WHITESPACE,
    PL__SPLIT_PATTERN,
    PL__SPLIT_PUNCTUATION,
    PL__SPLIT_DIGITS,
    PL__SPLIT_SCRIPTS,
    PL__SPLIT_FIXED,
} pl__splitter_kind;

typedef enum pl__behavior { PL__REMOVED, PL__ISOLATED, PL__MERGED_WITH_PREVIOUS, PL__MERGED_WITH_NEXT, PL__CONTIGUOUS } pl__behavior;
typedef enum pl__prepend { PL__PREPEND_ALWAYS, PL__PREPEND_FIRST, PL__PREPEND_NEVER } pl__prepend;

typedef struct pl__splitter {
    pl__splitter_kind kind;
    pl__behavior behavior;         /* PATTERN, PUNCTUATION */
    bool invert;                   /* PATTERN */
    bool prefix_space, use_regex;  /* BYTE_LEVEL */
    bool individual;               /* DIGITS */
    bool split;                    /* METASPACE */
    pl__prepend prepend;           /* METASPACE */
    uint32_t character;            /* DELIMITER, METASPACE: the replacement */
    uint64_t length;               /* FIXED */
    const struct pl__regex *regex; /* PATTERN, BYTE_LEVEL; NULL: the text itself */
    const char *text;
    size_t text_bytes;
} pl__splitter;

/* ---- model ---- */
typedef enum pl__model_kind { PL__WORDPIECE, PL__WORDLEVEL, PL__BPE, PL__UNIGRAM } pl__model_kind;

/* Longest prefix or suffix of BPE's symbols. */
enum { PL__LONGEST_AFFIX = 256 };

typedef struct pl__model {
    pl__model_kind kind;
    pl__vocab vocab;
    const char *unk; /* NULL: none */
    size_t unk_bytes;
    uint32_t unk_id;             /* PL__NONE: not in the vocabulary */
    const char *prefix, *suffix; /* continuing_subword_prefix, end_of_word_suffix; NULL: none */
    size_t prefix_bytes, suffix_bytes;
    uint64_t most_chars; /* WORDPIECE: max_input_chars_per_word */
    bool fuse_unk, byte_fallback, ignore_merges;
    const struct pl__merges *merges; /* BPE */
    bool takes_bytes;                /* BPE: byte-level pieces may come as bytes */
    const struct pl__pieces *pieces; /* UNIGRAM */
} pl__model;

/* ---- post-processor: what stands around the texts ---- */
typedef enum pl__part_kind { PL__PART_TOKEN, PL__PART_TEXT, PL__PART_PAIR } pl__part_kind;
typedef struct pl__part {
    pl__part_kind kind;
    uint32_t id; /* TOKEN */
    uint8_t type;
} pl__part;
typedef struct pl__template {
    const pl__part *parts;
    uint32_t count, tokens; /* tokens: parts that are TOKEN */
} pl__template;

enum { PL__MOST_TRIMS = 4 };
typedef struct pl__post {
    pl__template single, pair;
    /* Each takes white space at a token's ends out of its offsets; the flag is add_prefix_space. */
    bool trims[PL__MOST_TRIMS];
    uint32_t trim_count;
} pl__post;

struct pl_tokenizer {
    pl__counted memory;
    pl_region region;
    const char *file; /* for messages: "tokenizer.json" */
    pl__normalizer *normalizers;
    pl__splitter *splitters;
    uint32_t normalizer_count, splitter_count;
    pl__model model;
    pl__post post;
    pl__added_token *added; /* sorted by id; ids are distinct */
    uint32_t added_count;
    pl__added_set raw, normalized;
    uint32_t ids;
    size_t load_peak;
    /* BERT's way: one pass over the text, nothing kept but the current word. kind[] says what an
     * ASCII byte is there, fold[] what it becomes. */
    bool bert;
    uint8_t kind[256], fold[256];
};

/* ---- one text's tokens ---- */
typedef struct pl__sink {
    uint32_t *ids;
    uint32_t (*spans)[2]; /* [capacity] bytes of the text */
    uint32_t (*trims)[2]; /* [capacity] white characters at both ends of the token's string; NULL: not asked */
    size_t capacity;
    size_t count;  /* may exceed capacity: then only counted */
    size_t enough; /* reading stops once this many are there */
} pl__sink;

static inline void pl__sink_push(pl__sink *s, uint32_t id, uint32_t start, uint32_t end)
{
    if (s->count < s->capacity) {
        s->ids[s->count] = id;
        s->spans[s->count][0] = start;
        s->spans[s->count][1] = end;
    }
    s->count++;
}

/* What encoding one text came to. */
typedef enum pl__outcome { PL__WHOLE, PL__ENOUGH, PL__MORE } pl__outcome; /* MORE: needs text that is not visible */

/* ---- the faces of the stages ---- */

/* Tokens of one word, text[0..n) of `chars` characters; from[i] is the place in the raw text of the
 * character that byte i comes from. hashes: [n] scratch. Fails if the unknown token is needed and
 * not in the vocabulary. */
pl_status pl__wordpiece(
    const pl_tokenizer *t, const char *raw, const char *text, size_t n, size_t chars, const uint32_t *from, uint64_t *hashes, pl__sink *sink, pl_error *e);
/* The longest piece at text[0..n), its bytes in *length, or PL__NONE; first: of a word. hashes holds as
 * many as the shorter of n and the longest piece. */
uint32_t pl__wordpiece_longest(const pl__model *m, const char *text, size_t n, bool first, uint64_t *hashes, size_t *length);
pl_status pl__no_unknown(const pl_tokenizer *t, pl_error *e);

/* Where the character of the raw text that begins at `last` ends. */
static inline uint32_t pl__span_end(const char *raw, uint32_t last)
{
    unsigned char c = (unsigned char)raw[last];
    return last + (c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4);
}

/* BERT's way (bert.c). */
void pl__bert_prepare(pl_tokenizer *t);
size_t pl__bert_workspace(const pl_tokenizer *t, size_t text_bytes);
pl_status pl__bert_encode(const pl_tokenizer *t, void *workspace, size_t text_bytes, const pl__visible *v, pl__sink *sink, pl__outcome *outcome, pl_error *e);

/* The general way (general.c). */
size_t pl__general_workspace(const pl_tokenizer *t, size_t text_bytes);
pl_status pl__general_encode(
    const pl_tokenizer *t, void *workspace, size_t workspace_bytes, const pl__visible *v, pl__sink *sink, pl__outcome *outcome, pl_error *e);

/* Whether a pre-tokenizer cuts texts at all. */
bool pl__splits(const pl_tokenizer *t);

/* The character that stands for a byte in byte-level vocabularies. */
uint32_t pl__byte_character(unsigned char byte);

#endif
