/* One step of a model in PyTorch, as the takes and gives of its tensors. Private to the room. */
#ifndef PL_PYTORCH_STEP_H
#define PL_PYTORCH_STEP_H

#include "pytorch/pytorch.h"

typedef struct pl__torch_step {
    uint64_t saved;   /* what autograd holds when the backward pass begins */
    uint64_t largest; /* most bytes of the step's tensors at one time */
} pl__torch_step;

/* Walks the forward pass and, with s->train, the backward pass. `replay` gets every tensor; NULL:
 * bytes are only added up. False: no memory for the walk. */
bool pl__torch_step_walk(const pl_model *m, const pl_torch_settings *s, pl_torch_allocator *replay, pl__torch_step *out);

/* The tensors that an activation function leaves behind, by its name in config.json, those that the
 * next layer reads among them: in f32; under autocast of the compute type, and of f32 (pow). */
typedef struct pl__torch_act {
    const char *name;
    unsigned plain, narrow, wide;
} pl__torch_act;
const pl__torch_act *pl__torch_act_find(const char *name); /* NULL: unknown */
/* The model's own by its name in config.json, since synonyms differ in what they save. */
const pl__torch_act *pl__torch_act_of(const pl_model *m);

#endif
