/* Would the job fit in PyTorch? What a training or inference step of a Hugging Face model holds on
 * the device, by part, from the model's operators: docs/PYTORCH.md states the model. */
#ifndef PL_PYTORCH_H
#define PL_PYTORCH_H

#include "model/model.h"

typedef enum pl_torch_optimizer { PL_TORCH_ADAMW, PL_TORCH_ADAMW8BIT, PL_TORCH_SGD } pl_torch_optimizer;
typedef enum pl_torch_precision { PL_TORCH_F32, PL_TORCH_BF16, PL_TORCH_F16 } pl_torch_precision;
typedef enum pl_torch_attention { PL_TORCH_SDPA, PL_TORCH_EAGER } pl_torch_attention;

typedef struct pl_torch_settings {
    bool train;
    uint32_t batch, length;
    pl_torch_precision precision; /* autocast; weights stay f32 */
    pl_torch_attention attention;
    bool checkpointing;
    pl_torch_optimizer optimizer;
    double hidden_dropout, attention_dropout, classifier_dropout;
} pl_torch_settings;

typedef struct pl_torch_parts {
    uint64_t weights, gradients, optimizer;
    uint64_t activations; /* saved by autograd when the backward pass begins; without parameters and ids */
    uint64_t temporaries; /* the largest buffers that an operator holds beside them */
    uint64_t rounding;    /* reserved by the caching allocator and not usable */
    uint64_t context;     /* CUDA context and library workspaces: constants */
} pl_torch_parts;

typedef struct pl_torch_fit {
    pl_torch_settings settings;
    pl_torch_parts parts;
    uint64_t limit, peak;
    bool fits;
    uint32_t biggest_batch; /* 0: not even one text */
} pl_torch_fit;

/* Peak of one setting. */
void pl_torch_measure(const pl_model *m, const pl_torch_settings *s, uint64_t limit, pl_torch_fit *out);
/* The same, with the biggest batch that fits. */
void pl_torch_fit_make(const pl_model *m, const pl_torch_settings *s, uint64_t limit, pl_torch_fit *out);
/* Other settings that change memory, those that fit first, then the larger batch first. At most
 * `room`; returns how many. */
enum { PL_TORCH_ALTERNATIVES = 32 };
size_t pl_torch_alternatives(const pl_model *m, const pl_torch_settings *s, uint64_t limit, pl_torch_fit *out, size_t room);

/* ---- PyTorch's caching allocator (c10/cuda/CUDACachingAllocator.cpp), replayed ---- */
typedef struct pl_torch_allocator pl_torch_allocator;
pl_torch_allocator *pl_torch_allocator_make(void); /* NULL: no memory */
void pl_torch_allocator_free(pl_torch_allocator *a);
/* A block of `bytes`; its handle, or SIZE_MAX where the system has no memory. */
size_t pl_torch_take(pl_torch_allocator *a, uint64_t bytes);
void pl_torch_give(pl_torch_allocator *a, size_t handle);
uint64_t pl_torch_reserved(const pl_torch_allocator *a);  /* segments taken from the device, at most so far */
uint64_t pl_torch_allocated(const pl_torch_allocator *a); /* blocks in use now */

#endif
