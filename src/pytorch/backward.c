/* Backward through one operator: the gradients that are made, and what its autograd nodes held. */
#include "pytorch/walk.h"

#include <string.h>

/* w->stream is the gradient of the rows at hand, w->branch one beside it. */
static uint64_t width(const pl__walk *w, uint32_t value) { return pl_value_width(w->m, value); }
static bool is_texts(const pl__walk *w, const pl_operator *op) { return w->m->values[op->out].extent == PL_EXTENT_TEXTS; }

static void drop(pl__walk *w, pl__piece *first, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pl__walk_give(w, &first[i]);
}

/* The gradient of a product's weight, added to the one that stands. */
static void weight_gradient(pl__walk *w, pl__kept *k, unsigned part, const pl_operator *op)
{
    uint64_t n = pl__walk_elements(op->weight[part]);
    pl__piece gradient = pl__walk_take(w, n * w->narrow);
    if (pl__walk_autocast(w)) {
        pl__piece wide = pl__walk_take(w, n * PL__WIDE);
        pl__walk_give(w, &gradient);
        gradient = wide;
    }
    pl__walk_give(w, &gradient);
    pl__walk_give(w, &k->cast[part]);
    pl__walk_give(w, &k->input[part]);
}

/* A product's gradient of its input, f32 where a norm's output was cast for it. */
static pl__piece input_gradient(pl__walk *w, uint64_t count, bool cast)
{
    pl__piece out = pl__walk_take(w, count * w->narrow);
    if (pl__walk_autocast(w) && cast) {
        pl__piece wide = pl__walk_take(w, count * PL__WIDE);
        pl__walk_give(w, &out);
        out = wide;
    }
    return out;
}

static void back_norm(pl__walk *w, pl__kept *k)
{
    if (k->mask.bytes) { /* behind the embeddings */
        pl__piece before = pl__walk_take(w, pl__walk_hidden(w));
        pl__walk_give(w, &k->mask);
        pl__walk_give(w, &w->stream);
        w->stream = before;
    }
    pl__piece in = pl__walk_take(w, pl__walk_hidden(w));
    pl__walk_give(w, &k->input[0]);
    pl__walk_give(w, &k->mean);
    pl__walk_give(w, &k->deviation);
    pl__walk_give(w, &w->stream);
    w->stream = in;
}

static void back_product_out(pl__walk *w, pl__kept *k, const pl_operator *op)
{
    pl__piece out = {SIZE_MAX, 0}; /* narrow, or behind dropout: else the stream's own */
    if (pl__walk_autocast(w))
        out = pl__walk_take(w, w->rows * w->row * w->narrow);
    if (k->mask.bytes) {
        pl__piece before = pl__walk_take(w, w->rows * w->row * w->narrow);
        pl__walk_give(w, &k->mask);
        pl__walk_give(w, &out);
        out = before;
    }
    w->branch = input_gradient(w, w->rows * width(w, op->in), false);
    weight_gradient(w, k, 0, op);
    pl__walk_give(w, &out);
    pl__walk_give(w, &k->input[1]);
}

static void back_product_inner(pl__walk *w, pl__kept *k, const pl_operator *op)
{
    if (strcmp(w->act->name, "linear") != 0) {
        pl__piece in = pl__walk_take(w, w->branch.bytes);
        drop(w, k->act, PL__MOST_ACT);
        pl__walk_give(w, &w->branch);
        w->branch = in;
    }
    pl__piece more = input_gradient(w, w->rows * w->row, true);
    weight_gradient(w, k, 0, op);
    pl__walk_give(w, &w->branch);
    pl__walk_give(w, &more); /* added to the stream's */
}

static void back_fused_attention(pl__walk *w, pl__kept *k)
{
    for (unsigned i = 0; i < PL_MODEL_PARTS; i++)
        w->parts[i] = pl__walk_take(w, k->query.bytes);
    pl__walk_give(w, &k->query);
    pl__walk_give(w, &k->key);
    pl__walk_give(w, &k->value);
    pl__walk_give(w, &k->sums);
}

static void back_written_attention(pl__walk *w, pl__kept *k)
{
    uint64_t matrix = k->matrix.bytes / PL__WIDE, part = k->query.bytes;
    pl__piece copy = pl__walk_take(w, part);
    pl__walk_give(w, &w->branch);
    pl__piece scores = pl__walk_take(w, matrix * w->narrow);
    w->parts[2] = pl__walk_take(w, part);
    pl__walk_give(w, &copy);
    pl__walk_give(w, &k->value);
    pl__walk_give(w, &k->narrow_matrix);
    pl__walk_give(w, &k->dropped);
    if (pl__walk_autocast(w)) {
        pl__piece wide = pl__walk_take(w, matrix * PL__WIDE);
        pl__walk_give(w, &scores);
        scores = wide;
    }
    for (unsigned i = 0; i < 2; i++) { /* through dropout and softmax */
        pl__piece *held = i ? &k->matrix : &k->mask;
        if (!held->bytes)
            continue;
        pl__piece before = pl__walk_take(w, matrix * PL__WIDE);
        pl__walk_give(w, held);
        pl__walk_give(w, &scores);
        scores = before;
    }
    pl__piece scaled = pl__walk_take(w, matrix * w->narrow);
    pl__walk_give(w, &scores);
    w->parts[0] = pl__walk_take(w, part);
    w->parts[1] = pl__walk_take(w, part);
    pl__walk_give(w, &scaled);
    pl__walk_give(w, &k->query);
    pl__walk_give(w, &k->key);
}

static void back_three_products(pl__walk *w, pl__kept *k, const pl_operator *op)
{
    for (unsigned i = PL_MODEL_PARTS; i-- > 0;) {
        pl__piece more = input_gradient(w, w->rows * w->row, true);
        pl__walk_give(w, &w->parts[i]);
        /* the stream itself, saved once, stands in part 0 */
        weight_gradient(w, k, i, op);
        pl__walk_give(w, &more);
    }
}

void pl__walk_backward(pl__walk *w, size_t at)
{
    const pl_operator *op = &w->m->operators[at];
    pl__kept *k = &w->kept[at];
    switch (op->kind) {
    case PL_OPERATOR_GATHER: /* of the words' table, whole */
    {
        pl__piece table = pl__walk_take(w, pl__walk_elements(op->weight[0]) * PL__WIDE);
        pl__walk_give(w, &table);
        break;
    }
    case PL_OPERATOR_NORM: back_norm(w, k); break;
    case PL_OPERATOR_LINEAR:
        if (is_texts(w, op)) {
            weight_gradient(w, k, 0, op);
            drop(w, k->act, PL__MOST_ACT);
            pl__walk_give(w, &k->mask);
            pl__walk_give(w, &k->dropped);
            pl__walk_give(w, &k->output);
        } else if (w->m->values[op->out].parts > 1) {
            back_three_products(w, k, op);
        } else if (op->residual != PL_NO_VALUE) {
            back_product_out(w, k, op);
        } else {
            back_product_inner(w, k, op);
        }
        break;
    case PL_OPERATOR_ATTENTION:
        if (w->s->attention == PL_TORCH_SDPA)
            back_fused_attention(w, k);
        else
            back_written_attention(w, k);
        pl__walk_give(w, &w->branch);
        break;
    case PL_OPERATOR_POOL:
        w->stream = pl__walk_take(w, pl__walk_hidden(w));
        pl__walk_give(w, &k->input[0]);
        break;
    case PL_OPERATOR_EMBED_SUM:
    case PL_OPERATOR_UNIT_LENGTH: break;
    }
}
