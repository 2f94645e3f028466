/* A model family's config and weights as operators over logical tensors.
 *
 * A family file reads config.json and the tensor table and emits operators; it knows nothing of
 * memory, slices or devices. Operators run once per micro-batch, in order, over values whose rows
 * are token rows or texts. Which axis of a value may be cut into slices is said by the axis: a
 * value along a cut axis exists only slice by slice, and the matrix product that consumes it adds
 * up its depth in slices, in order. That is all the planner needs to run a layer in two buffers. */
#ifndef PL_MODEL_H
#define PL_MODEL_H

#include "base/base.h"
#include "device/device.h"
#include "hub/hub.h"
#include "program/program.h"

enum { PL_MODEL_PARTS = 3 }; /* q, k, v side by side */

#define PL_NO_VALUE UINT32_MAX

/* grain 0: never cut. Else slices are multiples of grain columns (a head), but for the last. */
typedef struct pl_axis {
    uint64_t size;
    uint64_t grain;
} pl_axis;

typedef enum pl_extent { PL_EXTENT_ROWS, PL_EXTENT_TEXTS } pl_extent;

typedef struct pl_value {
    const char *name;
    pl_extent extent;
    uint32_t axis;
    uint32_t parts; /* width = parts x axis size; slice s of every part stands side by side */
} pl_value;

typedef enum pl_operator_kind {
    PL_OPERATOR_GATHER,      /* out = rows of weight[0] by token id */
    PL_OPERATOR_EMBED_SUM,   /* out += weight[0] by position, weight[1] by type (NULL: none); in place */
    PL_OPERATOR_NORM,        /* out = norm(in) with weight[0] gain, weight[1] shift; in place */
    PL_OPERATOR_LINEAR,      /* out = act(in x weightT + bias) + residual; a part per weight */
    PL_OPERATOR_ATTENTION,   /* out = attention of in's three parts */
    PL_OPERATOR_POOL,        /* out[texts] = pooling of in[rows], at column `column` of out */
    PL_OPERATOR_UNIT_LENGTH, /* out = in / |in|; in place */
} pl_operator_kind;

typedef struct pl_operator {
    pl_operator_kind kind;
    pl_phase phase;
    uint32_t layer; /* 0, 1, ..; for messages and the printed program */
    uint32_t in, residual, out;
    const pl_tensor_view *weight[PL_MODEL_PARTS], *bias[PL_MODEL_PARTS];
    pl_act act;
    pl_pooling pooling;
    uint32_t column;     /* POOL */
    uint32_t head_width; /* ATTENTION */
    float scalar;        /* ATTENTION: scale; NORM: eps */
} pl_operator;

/* How a text's positions follow from its tokens. */
typedef struct pl_positions {
    uint32_t first; /* position of the first token */
    uint32_t table; /* rows of the table */
} pl_positions;

typedef struct pl_model {
    const char *family; /* "bert" */
    const pl_folder *folder;
    pl_task task;
    pl_answer answer;
    uint32_t width; /* floats a result */

    pl_axis *axes;
    size_t axis_count;
    pl_value *values;
    size_t value_count;
    pl_operator *operators;
    size_t operator_count;
    uint32_t result; /* the value that holds the answers */

    uint32_t layers;
    uint64_t vocabulary;
    uint32_t types; /* rows of the token type table; 0: none */
    pl_positions positions;
    uint32_t longest; /* most tokens a text may have by positions */
} pl_model;

typedef struct pl_model_choice {
    pl_task task;
    pl_pooling_choice pooling;
    pl_normalize_choice normalize;
    bool fresh_head; /* CLASSIFY: what the folder lacks of its head is made up as a fresh tensor */
    uint32_t labels; /* CLASSIFY: labels of a fresh head; 0: the folder's */
} pl_model_choice;

/* A tensor that the folder lacks: it has name, shape and type F32, no file. */
static inline bool pl_tensor_is_fresh(const pl_tensor_view *t) { return t->file == UINT32_MAX; }

/* Reads what the folder holds and emits the operators for a task; everything is checked (names,
 * shapes, element types, config values) before it returns. Tables come from `region`. Errors:
 * PL_BAD_INPUT for what the folder lacks or has wrong, PL_USAGE for a choice that the model cannot
 * serve, each naming file, place and remedy. */
pl_status pl_model_make(const pl_folder *folder, const pl_model_choice *choice, pl_region *region, pl_model *out, pl_error *e);

/* Number of floats of a value's row. */
static inline uint64_t pl_value_width(const pl_model *m, uint32_t value) { return m->values[value].parts * m->axes[m->values[value].axis].size; }

#endif
