/* DistilBERT: BERT's layers without token types and pooler; config keys of its own.
 * Source: huggingface/transformers models/distilbert/modeling_distilbert.py. */
#include "model/build.h"

static pl_status body(pl__builder *b, uint32_t *x)
{
    static const float EPS = 1e-12f; /* fixed in the source */
    pl_model *m = b->model;
    pl__shape shape;
    uint64_t layers, vocabulary, positions;
    pl_status s = pl__shape_read(b, "dim", "n_heads", "hidden_dim", "activation", &shape);
    if (!s)
        s = pl__config_size(b, "n_layers", 1, 4096, &layers);
    if (!s)
        s = pl__config_size(b, "vocab_size", 1, UINT32_MAX, &vocabulary);
    if (!s)
        s = pl__config_size(b, "max_position_embeddings", 1, 1 << 24, &positions);
    if (!s)
        s = pl__room(b, (uint32_t)layers);
    if (s)
        return s;
    m->vocabulary = vocabulary;
    m->positions = (pl_positions){0, (uint32_t)positions};
    m->longest = (uint32_t)positions;
    shape.eps = EPS;

    pl__shape_axes(b, &shape);
    *x = pl__value(b, "hidden", PL_EXTENT_ROWS, shape.hidden_axis, 1);
    s = pl__weight(
        b, (pl__want){true, vocabulary, shape.hidden}, &pl__emit(b, PL_OPERATOR_GATHER, PL_NO_VALUE, *x)->weight[0], "embeddings.word_embeddings.weight");
    pl_operator *sum = pl__emit(b, PL_OPERATOR_EMBED_SUM, *x, *x);
    if (!s)
        s = pl__weight(b, (pl__want){true, positions, shape.hidden}, &sum->weight[0], "embeddings.position_embeddings.weight");
    if (!s)
        s = pl__norm(b, *x, EPS, "embeddings.LayerNorm");
    static const pl__layer_names names = {
        "transformer.layer",
        "attention.q_lin",
        "attention.k_lin",
        "attention.v_lin",
        "attention.out_lin",
        "sa_layer_norm",
        "ffn.lin1",
        "ffn.lin2",
        "output_layer_norm",
    };
    for (b->layer = 0; b->layer < layers && !s; b->layer++)
        s = pl__post_norm_layer(b, &names, &shape, x);
    return s;
}

static pl_status classifier(pl__builder *b, uint32_t x, uint32_t *logits)
{
    static const pl__head head = {"pre_classifier", false, PL_ACT_RELU, "classifier"};
    return pl__classifier(b, &head, x, logits);
}

const pl__family pl__family_distilbert = {
    "distilbert", "distilbert.", "DistilBert", "embeddings.word_embeddings.weight", "classifier.weight", "pre_classifier.weight", body, classifier};
