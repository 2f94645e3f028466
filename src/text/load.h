/* Between the files that read a tokenizer. */
#ifndef PL_TEXT_LOAD_H
#define PL_TEXT_LOAD_H

#include "text/tokenizer.h"
#include "text/tree.h"

/* A tokenizer being read: `t` with what it keeps, `scratch` with what goes when reading is done. */
typedef struct pl__load {
    pl_tokenizer *t;
    pl_region scratch;
    const char *path;                                                      /* of the file being read */
    const char *name;                                                      /* its last part, for messages about parts */
    pl__node *normalizer, *pre_tokenizer, *post_processor, *model, *added; /* trees in scratch; model without its lists */
    uint64_t vocab_count, vocab_bytes, merge_count;
    bool has_vocab, has_merges, vocab_is_array;
    pl_error *e;
} pl__load;

/* Copies of strings that stay. NULL: no memory. */
static inline const char *pl__keep(pl__load *l, const char *text, size_t n) { return pl_region_string(&l->t->region, text, n); }
pl_status pl__load_no_memory(pl__load *l);
/* "tokenizer.json: WHERE: ..." */
#define PL__REFUSE(l, where, ...) pl__load_refuse(l, where, __VA_ARGS__)
pl_status pl__load_refuse(pl__load *l, const char *where, const char *format, ...) PL_PRINTF(3, 4);

/* ---- trees of steps (load_steps.c) ---- */
enum { PL__WHERE_BYTES = 96 }; /* of what a message calls a part: "normalizer[3][1]" */

typedef struct pl__step {
    const char *name; /* the "type"; NULL ends the list */
    pl_status (*parse)(pl__load *l, const char *where, const pl__node *node, void *out);
} pl__step;
typedef struct pl__steps {
    const char *list; /* the member of a Sequence that holds its steps */
    size_t size;      /* of what a step becomes */
    const pl__step *kinds;
    const char *(*guess)(const pl__node *node); /* the type of a step that does not say it, or NULL */
} pl__steps;
uint32_t pl__load_count_steps(const pl__steps *steps, const pl__node *node);
/* Writes one `size` after the other from *out on. */
pl_status pl__load_steps(pl__load *l, const pl__steps *steps, const char *where, const pl__node *node, char **out);

/* The limits under which a tokenizer's JSON is read. */
pl_json_limits pl__load_limits(void);

/* tokenizer.json, streamed three times: parts and counts, vocabulary, merges (load.c). */
pl_status pl__load_json(pl__load *l);
/* What a folder without tokenizer.json has (folder.c). */
pl_status pl__load_folder(pl__load *l, const char *folder);

/* The steps of both: the walk over a tokenizer's object; the parts once the lists are there. */
pl_status pl__load_parts(pl__load *l, pl_json_walker *w);
pl_status pl__load_stages(pl__load *l);

/* Walks to model.LIST of the file and reads it. */
pl_status pl__load_walk(pl__load *l, const char *list, pl_status (*read)(pl__load *l, pl_json_walker *w));

/* The lists: BPE's merges once the vocabulary is there, Unigram's pieces with their scores
 * (load_lists.c), and those that are files of their own. */
pl_status pl__load_merges(pl__load *l);
pl_status pl__load_pieces(pl__load *l);
pl_status pl__load_vocab_file(pl__load *l); /* l->path is vocab.json */
pl_status pl__load_merges_file(pl__load *l, const char *path);
void pl__load_merges_done(pl__load *l); /* once the unknown token is known */
pl_status pl__load_joins(pl__load *l);  /* once the pre-tokenizers are known */

/* {"Regex": "..."} or {"String": "..."}: a regex, or NULL and the text (load_pattern.c). */
pl_status pl__load_pattern(pl__load *l, const char *where, const pl__node *node, const struct pl__regex **regex, const char **text, size_t *n);

/* Each reads its tree into l->t. */
pl_status pl__load_normalizer(pl__load *l);
pl_status pl__load_pre_tokenizer(pl__load *l);
pl_status pl__load_post_processor(pl__load *l);
pl_status pl__load_model(pl__load *l);      /* its small members; the kind decides how the lists are read */
pl_status pl__load_model_done(pl__load *l); /* once vocabulary and merges are there */
pl_status pl__load_added(pl__load *l);      /* once the model is there */
pl_status pl__load_clash(pl__load *l, const pl__vocab_clash *clash);

#endif
