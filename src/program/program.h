/* The flat program: what the planner writes, `plan --program` prints and the executor walks.
 *
 * A program is a list of stages; a stage is a run of operations over the token rows of one tile
 * that needs one slab of weights. A pass runs all stages over all tiles of a micro-batch: tile by
 * tile where every slab stays in memory, stage by stage where slabs are streamed. Which of the two
 * is no branch in the operations: their operands say in which space they live. */
#ifndef PL_PROGRAM_H
#define PL_PROGRAM_H

#include "base/base.h"
#include "device/device.h"

/* When in a pass an operation runs; the ledger's moments follow it. */
#define PL_PHASE_MAP(X) X(EMBED, "embeddings") X(ATTENTION, "attention") X(FEED_FORWARD, "feed-forward") X(HEAD, "head")
typedef enum pl_phase {
#define PL_PHASE_ENUM(name, text) PL_PHASE_##name,
    PL_PHASE_MAP(PL_PHASE_ENUM)
#undef PL_PHASE_ENUM
        PL_PHASE_COUNT
} pl_phase;

/* Where an operand lives. Offsets are bytes, strides elements. */
#define PL_SPACE_MAP(X)                                                  \
    X(NONE, "-")                                                         \
    X(FIXED, "fixed")   /* the arena */                                  \
    X(SLAB, "slab")     /* the stage's weights */                        \
    X(ROWS, "rows")     /* the arena, a row per token row of the pass */ \
    X(TEXTS, "texts")   /* the arena, a row per text of the pass */      \
    X(THREAD, "thread") /* the member's scratch, a row per row or text of the tile */
typedef enum pl_space {
#define PL_SPACE_ENUM(name, text) PL_SPACE_##name,
    PL_SPACE_MAP(PL_SPACE_ENUM)
#undef PL_SPACE_ENUM
        PL_SPACE_COUNT
} pl_space;

typedef struct pl_operand {
    uint64_t offset;
    uint32_t stride;
    uint8_t space; /* pl_space */
    uint8_t type;  /* pl_dtype: F32, or BF16 of what only products and attention read */
} pl_operand;

/* Operation, its operands a b c d e in words, and what its numbers mean. */
#define PL_OPCODE_MAP(X)                                                                                        \
    X(GATHER, "gather", "a: rows <- table.offset by token id; columns wide, elements of table.type")            \
    X(EMBED_SUM, "embed_sum", "a += b by position + c by token type")                                           \
    X(NORM, "norm", "a = norm(a) with gain b, shift c, eps scalar")                                             \
    X(GEMM, "gemm", "a = act(b x c + d) + e; depth x columns; go_on: a holds the chain so far; last: epilogue") \
    X(ATTENTION, "attention", "a = softmax(scalar q k^T) v of b = q, c = k, d = v; depth: head width")          \
    X(POOL, "pool", "a = one row a text of b")                                                                  \
    X(UNIT_LENGTH, "unit_length", "a = a / |a|")
typedef enum pl_opcode {
#define PL_OPCODE_ENUM(name, text, doc) PL_CODE_##name,
    PL_OPCODE_MAP(PL_OPCODE_ENUM)
#undef PL_OPCODE_ENUM
        PL_OPCODE_COUNT
} pl_opcode;

typedef struct pl_op {
    uint8_t code;    /* pl_opcode */
    uint8_t act;     /* GEMM */
    uint8_t pooling; /* POOL */
    bool go_on, last;
    bool texts;              /* its rows are texts, not token rows */
    uint32_t columns, depth; /* GEMM; else width in columns */
    float scalar;
    pl_operand a, b, c, d, e;
} pl_op;

/* A piece of a slab or table read from a weight file. */
typedef enum pl_load_kind {
    PL_LOAD_PACK,  /* `rows` out-features of `depth` in-features -> panels, from first_column on */
    PL_LOAD_WIDEN, /* rows x depth elements -> f32, rows `stride` elements apart */
} pl_load_kind;
typedef struct pl_load {
    uint8_t kind; /* pl_load_kind */
    uint8_t type; /* pl_dtype of the file's elements */
    uint16_t file;
    uint32_t rows, depth;
    uint32_t first_column; /* PACK */
    uint32_t columns;      /* PACK: of the whole packed weight; WIDEN: stride in elements */
    uint64_t offset;       /* of the first element in the file */
    uint64_t row_bytes;    /* from one row to the next in the file */
    uint64_t to;           /* bytes from the slab's begin, or from the arena's for tables */
} pl_load;

#define PL_STREAMED UINT64_MAX

typedef struct pl_stage {
    uint32_t first_op, op_count;
    uint32_t first_load, load_count;
    uint64_t slab;       /* offset in the arena, or PL_STREAMED: read into a slot each pass */
    uint64_t slab_bytes; /* 0: no weights */
    uint16_t layer;
    uint8_t phase;
} pl_stage;

/* The word table: gathered row by row from its file. */
typedef struct pl_word_table {
    uint64_t offset, row_bytes; /* in the file */
    uint32_t file, type, width;
} pl_word_table;

typedef struct pl_program {
    pl_op *ops;
    size_t op_count;
    pl_load *loads; /* those of the stages, then those of the tables */
    size_t load_count, first_table_load;
    pl_stage *stages;
    size_t stage_count;
    pl_word_table words;

    /* the arena: [0, arena_bytes) */
    uint64_t arena_bytes;
    bool huge;           /* whole arena in huge pages */
    uint64_t slots;      /* offset of the first slot for streamed slabs */
    uint64_t slot_bytes; /* a multiple of 64 */
    uint32_t slot_count; /* 0: nothing is streamed */
    uint64_t thread;     /* scratch of member 0; member i's lies i x thread_bytes behind */
    uint64_t thread_bytes;
    uint64_t workspace;     /* offset of the kernels' workspace within a member's scratch */
    uint64_t staging;       /* raw file bytes on their way to a slot: reader's; offset in the arena */
    uint64_t staging_bytes; /* also within each member's scratch while resident slabs are loaded */
    pl_operand result;      /* the answers: TEXTS */
    uint32_t result_width;

    uint32_t threads;
    uint32_t tile_rows, tile_texts; /* most rows and texts of a tile */
    uint32_t pass_rows, pass_texts; /* most rows and texts of a pass */
} pl_program;

/* Most tiles that the texts of one pass are cut into. */
uint32_t pl_program_tiles(uint32_t pass_rows, uint32_t tile_rows, uint32_t pass_texts, uint32_t tile_texts, uint32_t threads);
/* Room for the state of whoever walks the program, beside the arena. */
uint64_t pl_program_walk_bytes(uint32_t tiles, uint32_t pass_texts, size_t stages, uint32_t slots, uint32_t threads);

const char *pl_opcode_name(pl_opcode code);
const char *pl_space_name(pl_space space);
const char *pl_phase_name(pl_phase phase);

/* Prints the program, a line an operation. */
pl_status pl_program_print(const pl_program *p, pl_write write, void *self, pl_error *e);

#endif
