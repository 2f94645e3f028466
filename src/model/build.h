/* What family files share: finding weights under their names, emitting operators. Private. */
#ifndef PL_MODEL_BUILD_H
#define PL_MODEL_BUILD_H

#include "model/model.h"

/* Room for what one layer and what the ends of a model emit at most; asserted. */
enum { PL__PER_LAYER = 16, PL__ENDS = 64 };

typedef struct pl__builder {
    pl_model *model;
    pl_json_doc config;
    pl_region *region;
    pl_error *e;
    const char *prefix; /* of the base model's tensors: "bert." or "" */
    pl_phase phase;
    uint32_t layer;
    bool fresh_head;
    uint32_t labels;
    size_t axis_room, value_room, operator_room;
} pl__builder;

/* A family: how its config names it, and what emits it. */
typedef struct pl__family {
    const char *model_type;                                                /* config.json's model_type */
    const char *prefix;                                                    /* base_model_prefix and a dot */
    const char *architecture;                                              /* "Bert": architectures are BertModel, BertForSequenceClassification */
    const char *probe;                                                     /* a tensor that every base model of the family has */
    const char *head;                                                      /* the classifier's weight, without prefix */
    const char *head_dense;                                                /* that of the layer before it, without prefix */
    pl_status (*body)(pl__builder *b, uint32_t *x);                        /* rows: last hidden state */
    pl_status (*classifier)(pl__builder *b, uint32_t x, uint32_t *logits); /* texts x labels */
} pl__family;

extern const pl__family pl__family_bert, pl__family_distilbert;

pl_status pl__room(pl__builder *b, uint32_t layers); /* arrays for a model of so many layers */
uint32_t pl__axis(pl__builder *b, uint64_t size, uint64_t grain);
uint32_t pl__value(pl__builder *b, const char *name, pl_extent extent, uint32_t axis, uint32_t parts);
pl_operator *pl__emit(pl__builder *b, pl_operator_kind kind, uint32_t in, uint32_t out);

/* The tensor NAME (printf with the layer's number) of the base model or, with `own` false, of the
 * head, of the shape given (columns 0: a vector of rows). Missing, other shape or integer elements:
 * PL_BAD_INPUT naming it. LayerNorm's old names gamma and beta are found too. */
typedef struct pl__want {
    bool base;
    uint64_t rows, columns;
} pl__want;
pl_status pl__weight(pl__builder *b, pl__want want, const pl_tensor_view **out, const char *format, ...) PL_PRINTF(4, 5);
/* NAME.weight and NAME.bias of a linear layer of the base model (or head). */
pl_status pl__linear(pl__builder *b, pl__want want, pl_operator *op, unsigned part, const char *format, ...) PL_PRINTF(5, 6);
/* In-place norm of a value by NAME.weight and NAME.bias. */
pl_status pl__norm(pl__builder *b, uint32_t value, float eps, const char *format, ...) PL_PRINTF(4, 5);

/* A transformer layer with norms behind (BERT's kind) by its names within "NAME.%u.". */
typedef struct pl__layer_names {
    const char *stem; /* "encoder.layer" */
    const char *query, *key, *value, *attention_out, *attention_norm, *inner, *out, *norm;
} pl__layer_names;
typedef struct pl__shape {
    uint64_t hidden, heads, inner;
    uint32_t hidden_axis, head_axis, inner_axis;
    pl_act act;
    float eps;
} pl__shape;
pl_status pl__post_norm_layer(pl__builder *b, const pl__layer_names *names, const pl__shape *shape, uint32_t *x);

/* Config values with their limits; each names the key on failure. */
pl_status pl__config_size(pl__builder *b, const char *key, uint64_t least, uint64_t most, uint64_t *out);
pl_status pl__config_act(pl__builder *b, const char *key, pl_act *out);
pl_status pl__config_eps(pl__builder *b, const char *key, double fallback, float *out);
pl_status pl__config_refuse(pl__builder *b, const char *key, const char *why); /* true in config: refused by name */
pl_status pl__shape_read(pl__builder *b, const char *hidden, const char *heads, const char *inner, const char *act, pl__shape *out);
/* The axes of a shape: hidden, heads side by side, inner. */
void pl__shape_axes(pl__builder *b, pl__shape *shape);

/* First token's row -> dense with an activation -> labels. */
typedef struct pl__head {
    const char *dense; /* "pooler.dense" */
    bool dense_in_base;
    pl_act act;
    const char *out; /* "classifier" */
} pl__head;
pl_status pl__classifier(pl__builder *b, const pl__head *head, uint32_t x, uint32_t *logits);

#endif
