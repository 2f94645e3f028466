/* Emission's own state and what its files share. Private to the room.
 *
 * emit.c: scratch, stages, weights and gradients in their places; emit_operator.c: operators forward
 * and backward; emit_layer.c: layers; emit_ends.c: embeddings and head. */
#ifndef PL_TRAIN_EMITTER_H
#define PL_TRAIN_EMITTER_H

#include "train/emit.h"

enum { PL__MOST_FREE = 64, PL__FLOAT = 4, PL__LINE = 64 };

/* A stretch of the micro-batch's scratch that is free. */
typedef struct pl__hole {
    uint64_t at, bytes;
} pl__hole;

typedef struct pl__emitter {
    const pl_step_request *r;
    const pl_step_knobs *k;
    const pl__parameters *params;
    pl__step_program *p;
    pl__step_sizes *s;
    pl__step_stage *stage; /* at hand; scratch in the counting round */
    pl__step_stage counted;
    pl__hole holes[PL__MOST_FREE];
    size_t hole_count;
    uint64_t slab_at, slot_at, shard_at, kept_at, passing_at, passing_row;
    uint32_t passing_count;
    pl__ref value[256], gradient[256]; /* by value, of the layer at hand: first_value on */
    uint32_t first_value;
    uint32_t layer_index; /* counts layers, for what is kept */
    bool kept, backward;  /* kept: the value at hand */
} pl__emitter;

/* The packed weight (and its transpose) of a linear operator for this stage. */
typedef struct pl__packed {
    uint64_t forward, back;
} pl__packed;

/* What backward needs of each operator of a layer. */
typedef struct pl__trace {
    pl__ref sum, residual; /* NORM: what was added up */
    pl__ref pre;           /* LINEAR with an activation */
    pl__ref in;            /* LINEAR: its input */
    pl__packed weight;
} pl__trace;

typedef struct pl__layer {
    uint32_t first, count; /* operators */
    uint32_t index;        /* 0, 1, .. */
    pl__trace trace[32];
} pl__layer;

typedef struct pl__embeddings {
    uint32_t gather, sum, norm; /* operators */
} pl__embeddings;

pl__ref pl__e_take(pl__emitter *m, uint64_t width, bool texts);
void pl__e_give(pl__emitter *m, pl__ref *ref, bool texts);
void pl__e_begin_stage(pl__emitter *m, pl__stage_kind kind, uint32_t layer);
void pl__e_end_stage(pl__emitter *m);
void pl__e_emit(pl__emitter *m, pl__step_op op);
void pl__e_workspace(pl__emitter *m, size_t bytes);
pl__ref pl__e_fixed(uint64_t offset, uint64_t stride);
uint64_t pl__e_in_slab(pl__emitter *m, uint64_t bytes);
void pl__e_fetch(pl__emitter *m, pl__fetch f);
const pl_parameter *pl__e_parameter(const pl__emitter *m, uint32_t operator, unsigned index);
bool pl__e_learns(const pl__emitter *m, uint32_t operator);
pl__ref pl__e_gradient_of(pl__emitter *m, uint32_t operator, unsigned index, unsigned count, uint64_t stride);
pl__ref pl__e_word_gradients(pl__emitter *m, uint64_t width); /* a row for each word of the batch */
pl__packed pl__e_fetch_linear(pl__emitter *m, uint32_t operator, bool forward, bool back);
pl__ref pl__e_fetch_vectors(pl__emitter *m, uint32_t operator, unsigned index, unsigned count);
unsigned pl__e_bias_index(const pl__emitter *m, uint32_t operator);
bool pl__e_has_bias(const pl__emitter *m, uint32_t operator);
pl__ref *pl__e_place(pl__emitter *m, uint32_t value);
pl__ref *pl__e_gradient(pl__emitter *m, uint32_t value);
bool pl__e_is_texts(const pl__emitter *m, uint32_t value);
pl__ref pl__e_needed(pl__emitter *m, uint64_t width);
pl__ref pl__e_batch_input(const pl__emitter *m, uint32_t index);
pl__ref pl__e_hidden_gradient(const pl__emitter *m);
float pl__e_drop_of(const pl__emitter *m, const pl_operator *op);
void pl__e_emit_dropout(pl__emitter *m, const pl_operator *op, uint32_t operator, pl__ref to, pl__ref from, uint64_t width);
void pl__e_forward_linear(pl__emitter *m, uint32_t operator, bool keep_pre, pl__packed w, pl__ref *pre);
void pl__e_forward_norm(pl__emitter *m, uint32_t operator, pl__ref to, pl__ref x, pl__ref residual);
void pl__e_forward_attention(pl__emitter *m, uint32_t operator);
void pl__e_backward_linear(pl__emitter *m, uint32_t operator, const pl__trace * t, pl__ref gy, pl__ref in, bool back, pl__ref to);
void pl__e_backward_norm(pl__emitter *m, uint32_t operator, pl__ref sum, pl__ref residual, pl__ref gy, pl__ref to);
pl__ref pl__e_through_dropout(pl__emitter *m, const pl_operator *op, uint32_t operator, pl__ref gy);
void pl__e_layer_stage_forward(pl__emitter *m, pl__layer *l);
void pl__e_layer_stage_backward(pl__emitter *m, pl__layer *l, bool further);
void pl__e_embeddings_forward(pl__emitter *m, const pl__embeddings *em);
void pl__e_embeddings_backward(pl__emitter *m, const pl__embeddings *em);
void pl__e_head_stage(pl__emitter *m, uint32_t first, uint32_t layers, bool further);

#endif
