/* BERT: word + position + token type embeddings, layers with norms behind, pooler on [CLS].
 * Source: huggingface/transformers models/bert/modeling_bert.py. */
#include "model/build.h"

#include <string.h>

static pl_status body(pl__builder *b, uint32_t *x)
{
    pl_model *m = b->model;
    pl__shape shape;
    uint64_t layers, vocabulary, positions, types;
    const char *kind;
    pl_status s = pl__shape_read(b, "hidden_size", "num_attention_heads", "intermediate_size", "hidden_act", &shape);
    if (!s)
        s = pl__config_size(b, "num_hidden_layers", 1, 4096, &layers);
    if (!s)
        s = pl__config_size(b, "vocab_size", 1, UINT32_MAX, &vocabulary);
    if (!s)
        s = pl__config_size(b, "max_position_embeddings", 1, 1 << 24, &positions);
    if (!s)
        s = pl_json_size(b->config, "type_vocab_size", 1, 256, 2, &types, b->e);
    if (!s)
        s = pl__config_eps(b, "layer_norm_eps", 1e-12, &shape.eps);
    if (!s)
        s = pl_json_text(b->config, "position_embedding_type", "absolute", &kind, b->e);
    if (!s && strcmp(kind, "absolute") != 0)
        s = pl_fail(b->e, PL_BAD_INPUT, "%s: position_embedding_type: \"%s\" is not supported, only \"absolute\"", b->config.path, kind);
    if (!s)
        s = pl__config_refuse(b, "is_decoder", "a decoder sees only the tokens before it");
    if (!s)
        s = pl__config_refuse(b, "add_cross_attention", "there is no encoder beside it");
    if (!s)
        s = pl__room(b, (uint32_t)layers);
    if (s)
        return s;
    m->vocabulary = vocabulary;
    m->types = (uint32_t)types;
    m->positions = (pl_positions){0, (uint32_t)positions};
    m->longest = (uint32_t)positions;

    pl__shape_axes(b, &shape);
    *x = pl__value(b, "hidden", PL_EXTENT_ROWS, shape.hidden_axis, 1);
    s = pl__weight(
        b, (pl__want){true, vocabulary, shape.hidden}, &pl__emit(b, PL_OPERATOR_GATHER, PL_NO_VALUE, *x)->weight[0], "embeddings.word_embeddings.weight");
    pl_operator *sum = pl__emit(b, PL_OPERATOR_EMBED_SUM, *x, *x);
    if (!s)
        s = pl__weight(b, (pl__want){true, positions, shape.hidden}, &sum->weight[0], "embeddings.position_embeddings.weight");
    if (!s)
        s = pl__weight(b, (pl__want){true, types, shape.hidden}, &sum->weight[1], "embeddings.token_type_embeddings.weight");
    if (!s)
        s = pl__norm(b, *x, shape.eps, "embeddings.LayerNorm");
    static const pl__layer_names names = {
        "encoder.layer",
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.output.dense",
        "attention.output.LayerNorm",
        "intermediate.dense",
        "output.dense",
        "output.LayerNorm",
    };
    for (b->layer = 0; b->layer < layers && !s; b->layer++)
        s = pl__post_norm_layer(b, &names, &shape, x);
    return s;
}

static pl_status classifier(pl__builder *b, uint32_t x, uint32_t *logits)
{
    static const pl__head head = {"pooler.dense", true, PL_ACT_TANH, "classifier"};
    return pl__classifier(b, &head, x, logits);
}

const pl__family pl__family_bert = {"bert", "bert.", "Bert", "embeddings.word_embeddings.weight", "classifier.weight", "pooler.dense.weight", body, classifier};
