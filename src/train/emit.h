/* Model operators -> the program of an optimizer step. Private to the room. */
#ifndef PL_TRAIN_EMIT_H
#define PL_TRAIN_EMIT_H

#include "train/program.h"

/* Parameters of a model in store order, and where each operator's begin. */
typedef struct pl__parameters {
    pl_parameter *list;
    size_t count;
    uint32_t *of_operator; /* [operators] first parameter, UINT32_MAX: none */
    uint64_t elements, learn_first;
    uint64_t words;          /* elements of the word table, if it learns: they come first in the store */
    uint64_t gradient_first; /* elements from here on have a gradient in the store: words have theirs elsewhere */
} pl__parameters;
pl_status pl__parameters_make(const pl_step_request *r, pl_region *region, pl__parameters *out, pl_error *e);

/* Sizes that emission finds out, in bytes of a micro-batch or batch as the request and knobs say. */
typedef struct pl__step_sizes {
    uint64_t micro, packed, slab, slot, shard, workspace;
    uint64_t kept[PL__GROUPS];                 /* of a layer */
    uint64_t passing, passing_row[PL__GROUPS]; /* kept values on their way to the spill file: of a micro-batch; of a token row */
    size_t ops, fetches, yields, stages;
} pl__step_sizes;

/* Emits for knobs; with the arrays of `p` NULL only counts and measures. Offsets count from the
 * bases in p->l. */
void pl__step_emit(const pl_step_request *r, const pl_step_knobs *k, const pl__parameters *params, pl__step_program *p, pl__step_sizes *sizes);

/* Texts of a micro-batch at most: few enough that zero rows at most double its rows in a chain. */
static inline uint32_t pl__micro_texts(const pl_step_request *r, const pl_step_knobs *k)
{
    return (uint32_t)pl_min(r->batch, pl_max(1, k->micro_rows / r->train->row_step));
}
/* Rows of a chain over a micro-batch at most, zero rows counted; `texts`: over its texts. */
static inline uint64_t pl__micro_depth(const pl_step_request *r, const pl_step_knobs *k, bool texts)
{
    uint64_t step = r->train->row_step, most = pl__micro_texts(r, k);
    return texts ? most * step : k->micro_rows + most * (step - 1);
}
uint64_t pl__train_stride(uint64_t width); /* elements */
/* Words that a batch can have at most. */
static inline uint64_t pl__most_words(const pl_step_request *r) { return pl_min(r->used_count, r->batch_rows); }

#endif
