/* The flat program of an optimizer step: what the planner of training writes and the walker runs.
 *
 * A step's program is a list of stages: forward layer by layer, the head with the loss, backward
 * layer by layer. A stage runs over the whole optimizer batch, micro-batch by micro-batch; within a
 * micro-batch every operation is shared by all threads, which divide its outputs. Between stages
 * only what stands in batch-wide places lives on. Private to the room. */
#ifndef PL_TRAIN_PROGRAM_H
#define PL_TRAIN_PROGRAM_H

#include "train/step.h"

enum { PL__PASSING = 16 }; /* values of a layer that backward needs, at most */

/* The first layers are kept whole, of the others the rest is. */
typedef enum pl__kept_group { PL__KEPT_WHOLE, PL__KEPT_REST, PL__GROUPS } pl__kept_group;
static inline pl__kept_group pl__group_of(const pl_step_knobs *k, uint32_t layer) { return layer < k->kept_layers ? PL__KEPT_WHOLE : PL__KEPT_REST; }
static inline bool pl__passes(const pl_step_knobs *k, uint32_t layer)
{
    return layer < k->kept_layers ? layer < k->passing_layers : k->rest != PL_REST_NOTHING && k->passing_rest;
}
/* Is the value that an operator makes kept between forward and backward? */
static inline bool pl__keeps(const pl_step_knobs *k, uint32_t layer, const pl_operator *op)
{
    bool feed_forward = op->kind == PL_OPERATOR_LINEAR && op->phase != PL_PHASE_ATTENTION;
    return layer < k->kept_layers || (feed_forward && (k->rest == PL_REST_FEED_FORWARD || (k->rest == PL_REST_SUMS && op->residual != PL_NO_VALUE)));
}

typedef enum pl__place {
    PL__PLACE_NONE,
    PL__PLACE_MICRO,   /* scratch, a row per row (or text) of the micro-batch */
    PL__PLACE_BATCH,   /* a row per row (or text) of the optimizer batch */
    PL__PLACE_PASSING, /* as MICRO, but what passes through from and to the spill file */
    PL__PLACE_FIXED,   /* weights, gradients, tables */
} pl__place;

typedef struct pl__ref {
    uint64_t offset; /* bytes in the arena */
    uint32_t stride; /* elements */
    uint8_t place;
} pl__ref;

/* Opcode, its text, and what its operands are; x: gone on with over the micro-batches. */
#define PL__STEP_MAP(X)                                                                               \
    X(GATHER, "gather", "a = words[id]")                                                              \
    X(EMBED_SUM, "embed_sum", "a += b[position] + c[type]")                                           \
    X(NORM, "norm", "a = norm(d + e), gain b, shift c")                                               \
    X(GEMM, "gemm", "a = act(b W + d) + e, W packed at c")                                            \
    X(ACTIVATE, "activate", "a = act(b)")                                                             \
    X(DROPOUT, "dropout", "a = dropout(b)")                                                           \
    X(ATTENTION, "attention", "a = attention of q, k, v in b")                                        \
    X(POOL, "pool", "a = first row of each text of b")                                                \
    X(LOSS, "loss", "a = gradient of the loss by the logits b")                                       \
    X(PACK_ROWS, "pack_rows", "a = b packed, depth is its rows")                                      \
    X(GEMM_ROWS, "gemm_rows", "a (x)= b^T W, W packed at c")                                          \
    X(COLUMN_SUM, "column_sum", "a (x)= sum of b over its rows")                                      \
    X(ACT_BACK, "act_back", "a = b act'(c)")                                                          \
    X(NORM_BACK, "norm_back", "a = gradient of d + e from c, gain b; row figures f")                  \
    X(NORM_GAINS, "norm_gains", "a, b (x)= gradients of gain and shift from c, d + e, row figures f") \
    X(ATTENTION_BACK, "attention_back", "a = gradient of q, k, v in b from c")                        \
    X(POOL_BACK, "pool_back", "a = 0 but for each text's first row: b")                               \
    X(SCATTER_WORDS, "scatter_words", "a[id] (x)= b")                                                 \
    X(SCATTER_POSITIONS, "scatter_positions", "a[position] (x)= b")                                   \
    X(SCATTER_TYPES, "scatter_types", "a[type] (x)= b")
typedef enum pl__step_code {
#define PL__STEP_ENUM(name, text, doc) PL__STEP_##name,
    PL__STEP_MAP(PL__STEP_ENUM)
#undef PL__STEP_ENUM
        PL__STEP_CODES
} pl__step_code;

typedef struct pl__step_op {
    uint8_t code;
    uint8_t act;
    bool texts;              /* its rows are texts */
    uint32_t columns, depth; /* width of a; GEMM: depth; GEMM_ROWS: columns of b; ATTENTION: head width */
    float scalar;            /* NORM: eps; ATTENTION: scale */
    float drop;              /* dropout's probability, 0: none */
    uint32_t site;           /* dropout's site */
    pl__ref a, b, c, d, e, f;
} pl__step_op;

/* A weight on its way from the store to where operations read it. */
typedef struct pl__fetch {
    uint64_t from;                /* element in the store */
    uint32_t rows, columns;       /* [out][in]; vectors and tables: rows 1 */
    uint32_t first_row, all_rows; /* place of these rows in the packed weight (q, k, v side by side) */
    uint64_t pack;                /* arena: out = X W^T; UINT64_MAX: not needed */
    uint64_t pack_rows;           /* arena: dX = dY W; UINT64_MAX: not needed */
    uint64_t copy;                /* arena: as it is; UINT64_MAX: not needed */
    bool goes_with_last;          /* same packed weight as the fetch before it: one member does both */
} pl__fetch;

/* What a yield of so many elements takes in a level of waiting shards. */
static inline uint64_t pl__shard_bytes(uint64_t elements) { return pl_round_up(elements * sizeof(float), 64); }

/* Store elements whose gradient the stage completes, and where it stands in the arena. */
typedef struct pl__yield {
    uint64_t first, count; /* store; of words: elements of as many rows as a batch can have */
    uint64_t at;           /* arena */
    bool words;            /* rows of the batch's words only: words.c */
} pl__yield;

typedef enum pl__stage_kind { PL__FORWARD, PL__HEAD, PL__BACKWARD } pl__stage_kind;

typedef struct pl__step_stage {
    uint8_t kind;
    uint32_t layer; /* of the model; embeddings: PL_NO_VALUE */
    uint32_t first_op, op_count;
    uint32_t eval_ops; /* HEAD: operations until the logits stand */
    uint32_t first_fetch, fetch_count;
    uint32_t first_yield, yield_count;
    uint64_t gradients, gradient_bytes; /* arena: set to zero before the stage; 0 bytes: none */
    uint32_t input, output;             /* inputs of layers that are read and written: number, or PL_NO_VALUE */
    bool gradient_in, gradient_out;     /* of the hidden rows */
    bool kept_in, kept_out;             /* inner values, from or to the spill file */
    uint8_t group;                      /* pl__kept_group of the layer */
} pl__step_stage;

/* Where the parts of the arena lie. */
typedef struct pl__step_layout {
    uint64_t weights, gradients, moment1, moment2; /* resident stores, else UINT64_MAX */
    uint64_t inputs;                               /* inputs of layers for the batch; two of a micro-batch where they are spilled */
    uint64_t input_bytes;                          /* of one for the batch */
    uint64_t passing_bytes;                        /* of one in the arena: the batch's, or a micro-batch's */
    uint64_t hidden_gradient;
    uint64_t word_gradients;         /* of the words of a batch; in the slot, where gradients are spilled: no stage comes behind */
    uint64_t word_zeros;             /* [PL__WORD_ZEROS] the gradient of the others */
    uint64_t kept[PL__GROUPS];       /* kept inner values that stay in memory, layer after layer */
    uint64_t kept_bytes[PL__GROUPS]; /* of one layer */
    uint64_t passing;                /* kept inner values of a micro-batch on their way to or from the spill file */
    uint64_t kept_file[PL__GROUPS];  /* of one layer in the spill file */
    uint64_t slab, slab_bytes;
    uint64_t slot, slot_bytes;    /* gradients of the stage at hand, where the store is spilled */
    uint64_t shards, shard_bytes; /* gradients of a stage of shards that wait for others, level after level */
    uint64_t micro, micro_bytes;
    uint64_t packed, packed_bytes;
    uint64_t tables; /* position and type tables, words where resident as a copy */
    uint64_t keys;   /* [batch rows] of dropout */
    uint64_t logits, logit_bytes;
    uint64_t workspace, workspace_bytes; /* of one thread */
    uint64_t staging_bytes;              /* of one thread, within its workspace */
    uint64_t sums, sum_count;            /* sums of squares, a chunk each */
    uint64_t micro_room;                 /* micro-batches of a batch at most */
    uint64_t micros;                     /* their bounds and texts' starts */
    uint64_t bytes;                      /* the arena */
} pl__step_layout;

typedef struct pl__step_program {
    pl__step_op *ops;
    size_t op_count;
    pl__fetch *fetches;
    size_t fetch_count;
    pl__yield *yields;
    size_t yield_count;
    pl__step_stage *stages;
    size_t stage_count;
    pl_parameter *parameters;
    size_t parameter_count;
    uint64_t elements, learn_first; /* of the store; those from learn_first on learn */
    uint64_t words, word_width;     /* store element and width of the word table */
    uint64_t word_gradients;        /* where those of the words of a batch are summed */
    uint64_t logits_at;             /* batch-wide logits in the arena */
    struct {
        uint32_t strides[PL__PASSING], count; /* elements: values of a layer that pass, one behind the other */
    } passing[PL__GROUPS];
    pl__step_layout l;
} pl__step_program;

enum { PL__CHUNK = 1 << 16 };  /* elements: unit of the norm's tree */
enum { PL__UPDATE = 1 << 14 }; /* elements updated at once: what is spilled passes through memory in such parts */
enum { PL__WORD_ZEROS = 1 << 12 };
enum { PL__PART = 1 << 16 }; /* elements that one member updates before another's turn */


#endif
