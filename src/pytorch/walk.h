/* The tensors of a step while it is walked. Private to the room. */
#ifndef PL_PYTORCH_WALK_H
#define PL_PYTORCH_WALK_H

#include "pytorch/step.h"

enum { PL__WIDE = 4, PL__MOST_ACT = 8 };

typedef struct pl__piece {
    size_t handle;
    uint64_t bytes; /* 0: none */
} pl__piece;

typedef struct pl__kept {
    pl__piece input[PL_MODEL_PARTS], cast[PL_MODEL_PARTS];            /* products: what they read; autocast's copy of the weight */
    pl__piece act[PL__MOST_ACT], mask, dropped;                       /* the function behind; dropout */
    pl__piece query, key, value, matrix, narrow_matrix, output, sums; /* attention */
    pl__piece mean, deviation;                                        /* norm, beside input */
} pl__kept;

typedef struct pl__walk {
    const pl_model *m;
    const pl_torch_settings *s;
    pl_torch_allocator *replay;
    const pl__torch_act *act;
    uint64_t rows, row;   /* token rows; elements of a hidden row */
    uint64_t narrow;      /* bytes of what autocast computes in */
    bool records, counts; /* autograd keeps; it is the forward pass proper */
    bool distilbert;
    uint64_t live, largest, saved;
    pl__kept *kept;                  /* [operator_count] */
    pl__piece *layer_input;          /* [operator_count], of the first operator of a checkpointed layer */
    pl__piece stream;                /* the hidden rows; in backward their gradient */
    bool stream_is_held;             /* something else drops it */
    pl__piece branch;                /* what the operator before made; in backward the gradient beside the stream's */
    pl__piece local;                 /* a product's output, which Python holds until the norm behind it is done */
    pl__piece parts[PL_MODEL_PARTS]; /* q, k, v or their gradients */
    bool broken;
} pl__walk;

/* ---- step.c ---- */
pl__piece pl__walk_take(pl__walk *w, uint64_t bytes);
pl__piece pl__walk_take_padded(pl__walk *w, uint64_t bytes, uint64_t padded); /* the allocator is asked for more */
void pl__walk_give(pl__walk *w, pl__piece *t);                                /* an empty one is allowed */
/* Into a slot of `kept` where autograd records; else it is dropped. */
void pl__walk_hold(pl__walk *w, pl__piece *slot, pl__piece t);
void pl__walk_drop_stream(pl__walk *w);
uint64_t pl__walk_elements(const pl_tensor_view *t); /* NULL: 0 */

static inline bool pl__walk_autocast(const pl__walk *w) { return w->narrow < PL__WIDE; }
static inline uint64_t pl__walk_hidden(const pl__walk *w) { return w->rows * w->row * PL__WIDE; }

/* ---- forward.c, backward.c: one operator ---- */
void pl__walk_forward(pl__walk *w, size_t at);
void pl__walk_backward(pl__walk *w, size_t at);

#endif
