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

/* Their sum is the peak. */
typedef struct pl_torch_parts {
    uint64_t weights, gradients, optimizer;
    uint64_t activations; /* saved by autograd when the backward pass begins; without parameters and ids */
    uint64_t temporaries; /* what else stands at the fullest moment of the step */
    uint64_t rounding;    /* reserved by the caching allocator beyond that */
    uint64_t context;     /* CUDA context and library workspaces: constants */
} pl_torch_parts;

typedef struct pl_torch_fit {
    pl_torch_settings settings;
    pl_torch_parts parts;
    uint64_t limit, peak;
    bool fits;
    uint32_t biggest_batch; /* 0: not even one text; PL_TORCH_MOST_BATCH: that many or more */
} pl_torch_fit;

enum { PL_TORCH_MOST_BATCH = 1 << 24, PL_TORCH_ALTERNATIVES = 32 };

/* Peak of one setting. PL_USAGE where the step is beyond all memory (2^60 bytes), PL_MACHINE where
 * there is no memory for the replay. */
pl_status pl_torch_measure(const pl_model *m, const pl_torch_settings *s, uint64_t limit, pl_torch_fit *out, pl_error *e);
/* The same, with the biggest batch that fits; one more does not. */
pl_status pl_torch_fit_make(const pl_model *m, const pl_torch_settings *s, uint64_t limit, pl_torch_fit *out, pl_error *e);
/* Other settings that change memory: those that fit first, then the larger batch, then the smaller
 * peak. At most `room`; *count gets how many. */
pl_status pl_torch_alternatives(const pl_model *m, const pl_torch_settings *s, uint64_t limit, pl_torch_fit *out, size_t room, size_t *count, pl_error *e);

/* ---- PyTorch's caching allocator (c10/cuda/CUDACachingAllocator.cpp), replayed ---- */
typedef struct pl_torch_allocator pl_torch_allocator;
/* limit: bytes that the device has for segments, 0 for no limit. NULL: no memory. */
pl_torch_allocator *pl_torch_allocator_make(uint64_t limit);
void pl_torch_allocator_free(pl_torch_allocator *a);
/* A block of `bytes`; its handle, or SIZE_MAX where this machine has no memory for the replay. What
 * is beyond the limit even after every unused segment went back is noted as out of memory, and from
 * then on there is no limit. */
size_t pl_torch_take(pl_torch_allocator *a, uint64_t bytes);
void pl_torch_give(pl_torch_allocator *a, size_t handle);     /* SIZE_MAX is allowed */
uint64_t pl_torch_reserved(const pl_torch_allocator *a);      /* in segments, now */
uint64_t pl_torch_most_reserved(const pl_torch_allocator *a); /* and at most so far */
uint64_t pl_torch_allocated(const pl_torch_allocator *a);     /* in blocks that are in use */
bool pl_torch_out_of_memory(const pl_torch_allocator *a);

#endif
