/* Forward through one operator: the tensors that transformers' modules make and autograd keeps. */
#include "pytorch/walk.h"

#include <string.h>

enum { SUMS_ROWS = 32 };

static uint64_t width(const pl__walk *w, uint32_t value) { return pl_value_width(w->m, value); }
static bool is_texts(const pl__walk *w, const pl_operator *op) { return w->m->values[op->out].extent == PL_EXTENT_TEXTS; }

/* Autocast casts the input, where it is f32, for each product anew, and the weight once for the
 * forward pass: it remembers the copy where autograd does not hold it. */
static void read_input(pl__walk *w, pl__kept *k, unsigned part, const pl_operator *op, uint64_t count, bool is_wide)
{
    if (!pl__walk_autocast(w))
        return;
    if (is_wide)
        pl__walk_hold(w, &k->input[part], pl__walk_take(w, count * w->narrow));
    pl__piece cast = pl__walk_take(w, pl__walk_elements(op->weight[part]) * w->narrow);
    if (w->records)
        pl__walk_hold(w, &k->cast[part], cast);
    else
        k->cast[part] = cast;
}

/* In f32 the product saves the stream itself. */
static void save_stream(pl__walk *w, pl__piece *slot)
{
    if (!w->records || w->stream_is_held)
        return;
    pl__walk_hold(w, slot, w->stream);
    w->stream_is_held = true;
}

static pl__piece embed(pl__walk *w, const pl_operator *op)
{
    pl__piece words = w->branch, types = {SIZE_MAX, 0}, sum = {SIZE_MAX, 0};
    if (op->weight[1]) {
        types = pl__walk_take(w, pl__walk_hidden(w));
        sum = pl__walk_take(w, pl__walk_hidden(w));
    }
    pl__piece positions = pl__walk_take(w, w->s->length * w->row * PL__WIDE), all = pl__walk_take(w, pl__walk_hidden(w));
    pl__walk_give(w, &sum);
    pl__walk_give(w, &words);
    pl__walk_give(w, &types);
    pl__walk_give(w, &positions);
    return all;
}

static void norm(pl__walk *w, pl__kept *k, const pl_operator *op)
{
    pl__piece out = pl__walk_take(w, pl__walk_hidden(w)), mean = pl__walk_take(w, w->rows * PL__WIDE), deviation = pl__walk_take(w, w->rows * PL__WIDE);
    pl__walk_hold(w, &k->input[0], w->branch);
    pl__walk_hold(w, &k->mean, mean);
    pl__walk_hold(w, &k->deviation, deviation);
    if (op->phase == PL_PHASE_EMBED && w->s->hidden_dropout > 0 && w->s->train) {
        pl__piece dropped = pl__walk_take(w, pl__walk_hidden(w));
        pl__walk_hold(w, &k->mask, pl__walk_take(w, w->rows * w->row));
        pl__walk_give(w, &out);
        out = dropped;
    }
    pl__walk_give(w, &w->local);
    w->stream = out;
    w->stream_is_held = false;
}

static void three_products(pl__walk *w, pl__kept *k, const pl_operator *op)
{
    if (!pl__walk_autocast(w))
        save_stream(w, &k->input[0]);
    uint64_t part = w->rows * width(w, op->out) / w->m->values[op->out].parts * w->narrow;
    for (unsigned i = 0; i < PL_MODEL_PARTS; i++) {
        read_input(w, k, i, op, w->rows * w->row, true);
        w->parts[i] = pl__walk_take(w, part);
    }
}

static void fused_attention(pl__walk *w, pl__kept *k, const pl_operator *op)
{
    uint64_t heads = width(w, op->out) / op->head_width, padded = pl_round_up(w->s->length, SUMS_ROWS);
    pl__piece out = pl__walk_take(w, w->rows * width(w, op->out) * w->narrow), sums = {SIZE_MAX, 0};
    if (w->s->train)
        sums = pl__walk_take_padded(w, heads * w->rows * PL__WIDE, heads * w->s->batch * padded * PL__WIDE);
    pl__walk_hold(w, &k->query, w->parts[0]);
    pl__walk_hold(w, &k->key, w->parts[1]);
    pl__walk_hold(w, &k->value, w->parts[2]);
    pl__walk_hold(w, &k->sums, sums);
    w->branch = out;
}

/* matmul copies q, k and v head by head; softmax computes in f32. */
static void written_attention(pl__walk *w, pl__kept *k, const pl_operator *op)
{
    uint64_t heads = width(w, op->out) / op->head_width, matrix = heads * w->rows * w->s->length, part = w->parts[0].bytes;
    pl__piece query = pl__walk_take(w, part), key = pl__walk_take(w, part), scores = pl__walk_take(w, matrix * w->narrow),
              scaled = pl__walk_take(w, matrix * w->narrow);
    pl__walk_give(w, &scores);
    pl__walk_hold(w, &k->query, query);
    pl__walk_hold(w, &k->key, key);
    pl__piece wide = pl__walk_take(w, pl__walk_autocast(w) ? matrix * PL__WIDE : 0), probabilities = pl__walk_take(w, matrix * PL__WIDE),
              factor = {SIZE_MAX, 0};
    pl__walk_give(w, &scaled);
    pl__walk_give(w, &wide);
    bool drops = w->s->attention_dropout > 0 && w->s->train;
    pl__piece last = probabilities;
    if (drops) {
        last = pl__walk_take(w, matrix * PL__WIDE);
        pl__walk_hold(w, &k->mask, pl__walk_take(w, matrix));
        pl__walk_hold(w, &k->matrix, probabilities);
    }
    if (pl__walk_autocast(w))
        factor = pl__walk_take(w, matrix * w->narrow);
    pl__piece value = pl__walk_take(w, part), context = pl__walk_take(w, part), merged = pl__walk_take(w, part);
    pl__walk_give(w, &context);
    pl__walk_hold(w, &k->value, value);
    pl__walk_hold(w, &k->narrow_matrix, factor);
    if (drops && pl__walk_autocast(w))
        pl__walk_give(w, &last);
    else
        pl__walk_hold(w, drops ? &k->dropped : &k->matrix, last);
    for (unsigned i = 0; i < PL_MODEL_PARTS; i++)
        pl__walk_give(w, &w->parts[i]);
    w->branch = merged;
}

static void attention(pl__walk *w, pl__kept *k, const pl_operator *op)
{
    if (w->s->attention == PL_TORCH_SDPA)
        fused_attention(w, k, op);
    else
        written_attention(w, k, op);
}

/* The product before the norm: dropout, then the residual. */
static void product_out(pl__walk *w, pl__kept *k, const pl_operator *op)
{
    bool inner = op->phase == PL_PHASE_FEED_FORWARD, is_wide = inner && pl__walk_autocast(w) && w->act->wide > 0;
    read_input(w, k, 0, op, w->rows * width(w, op->in), is_wide);
    pl__piece out = pl__walk_take(w, w->rows * w->row * w->narrow);
    if (is_wide)
        pl__walk_give(w, &w->branch); /* its cast is what the product saves */
    else
        pl__walk_hold(w, &k->input[1], w->branch);
    if (w->s->hidden_dropout > 0 && w->s->train && (inner || !w->distilbert)) {
        pl__piece dropped = pl__walk_take(w, out.bytes);
        pl__walk_hold(w, &k->mask, pl__walk_take(w, w->rows * w->row));
        pl__walk_give(w, &out);
        out = dropped;
    }
    w->branch = pl__walk_take(w, pl__walk_hidden(w));
    w->local = out;
    pl__walk_drop_stream(w);
}

static void product_inner(pl__walk *w, pl__kept *k, const pl_operator *op)
{
    if (!pl__walk_autocast(w))
        save_stream(w, &k->input[0]);
    read_input(w, k, 0, op, w->rows * w->row, true);
    bool narrows = pl__walk_autocast(w);
    uint64_t count = w->rows * width(w, op->out);
    unsigned wide = narrows ? w->act->wide : 0, inside = (narrows ? w->act->narrow + wide : w->act->plain) - 1; /* without what the next product reads */
    pl__piece in = pl__walk_take(w, count * w->narrow), held[PL__MOST_ACT] = {in};
    for (unsigned i = 1; i < inside; i++)
        held[i] = pl__walk_take(w, count * (i <= wide ? PL__WIDE : w->narrow));
    if (strcmp(w->act->name, "linear") == 0) {
        w->branch = in;
        return;
    }
    w->branch = pl__walk_take(w, count * (wide ? PL__WIDE : w->narrow));
    for (unsigned i = 0; i < inside; i++)
        pl__walk_hold(w, &k->act[i], held[i]);
    if (inside == 0)
        pl__walk_give(w, &in);
}

static void pool(pl__walk *w, pl__kept *k, const pl_operator *op)
{
    if (op->pooling != PL_POOL_CLS) { /* the mask spread over the rows, and the masked rows */
        pl__piece mask = pl__walk_take(w, pl__walk_hidden(w)), masked = pl__walk_take(w, pl__walk_hidden(w));
        pl__walk_give(w, &mask);
        pl__walk_give(w, &masked);
    } else if (!pl__walk_autocast(w)) {
        save_stream(w, &k->input[0]); /* the first rows are a view of all */
    }
}

static void product_of_texts(pl__walk *w, pl__kept *k, const pl_operator *op, bool pooled)
{
    uint64_t count = w->s->batch * width(w, op->out);
    read_input(w, k, 0, op, w->s->batch * width(w, op->in), pooled);
    pl__piece out = pl__walk_take(w, count * w->narrow);
    if (op->act == PL_ACT_NONE) {
        pl__walk_hold(w, &k->output, pl__walk_take(w, count * PL__WIDE + PL__WIDE)); /* the loss: log-softmax, the sum of weights */
        if (pl__walk_autocast(w))
            pl__walk_hold(w, &k->act[0], out);
        else
            pl__walk_give(w, &out);
        return;
    }
    pl__walk_hold(w, &k->act[0], out); /* tanh and ReLU save what they give */
    if (w->s->classifier_dropout > 0 && w->s->train) {
        pl__walk_hold(w, &k->mask, pl__walk_take(w, count));
        pl__walk_hold(w, &k->dropped, pl__walk_take(w, count * w->narrow));
    }
}

void pl__walk_forward(pl__walk *w, size_t at)
{
    const pl_operator *op = &w->m->operators[at];
    pl__kept *k = &w->kept[at];
    switch (op->kind) {
    case PL_OPERATOR_GATHER: w->branch = pl__walk_take(w, pl__walk_hidden(w)); break;
    case PL_OPERATOR_EMBED_SUM: w->branch = embed(w, op); break;
    case PL_OPERATOR_NORM: norm(w, k, op); break;
    case PL_OPERATOR_LINEAR:
        if (is_texts(w, op))
            product_of_texts(w, k, op, at > 0 && w->m->operators[at - 1].kind == PL_OPERATOR_POOL);
        else if (w->m->values[op->out].parts > 1)
            three_products(w, k, op);
        else if (op->residual != PL_NO_VALUE)
            product_out(w, k, op);
        else
            product_inner(w, k, op);
        break;
    case PL_OPERATOR_ATTENTION: attention(w, k, op); break;
    case PL_OPERATOR_POOL: pool(w, k, op); break;
    case PL_OPERATOR_UNIT_LENGTH: break;
    }
}
