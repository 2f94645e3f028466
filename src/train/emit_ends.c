#include "train/emitter.h"

#include <assert.h>
#include <string.h>

/* ---- embeddings ---- */

static pl__ref embed_sum(pl__emitter *m, const pl__embeddings *em)
{
    const pl_operator *gather = &m->r->model->operators[em->gather], *sum = &m->r->model->operators[em->sum];
    uint64_t width = pl_value_width(m->r->model, gather->out);
    pl__ref x = pl__e_take(m, width, false);
    pl__e_emit(m, (pl__step_op){.code = PL__STEP_GATHER, .columns = (uint32_t)width, .a = x});
    const pl_parameter *positions = pl__e_parameter(m, em->sum, 0);
    uint64_t rows = pl_min(positions->shape[0], m->r->longest + m->r->model->positions.first);
    uint64_t at = pl__e_in_slab(m, rows * width * PL__FLOAT);
    pl__e_fetch(m,
        (pl__fetch){
            .from = positions->first, .rows = 1, .columns = (uint32_t)(rows * width), .all_rows = 1, .pack = UINT64_MAX, .pack_rows = UINT64_MAX, .copy = at});
    pl__e_emit(m,
        (pl__step_op){.code = PL__STEP_EMBED_SUM,
            .columns = (uint32_t)width,
            .a = x,
            .b = pl__e_fixed(at, width),
            .c = sum->weight[1] ? pl__e_fixed(pl__e_fetch_vectors(m, em->sum, 1, 1).offset, width) : (pl__ref){0}});
    return x;
}

void pl__e_embeddings_forward(pl__emitter *m, const pl__embeddings *em)
{
    const pl_operator *norm = &m->r->model->operators[em->norm];
    pl__e_begin_stage(m, PL__FORWARD, PL_NO_VALUE);
    m->kept = false;
    pl__ref x = embed_sum(m, em), to = pl__e_batch_input(m, 0);
    pl__e_forward_norm(m, em->norm, to, x, (pl__ref){0});
    pl__e_emit_dropout(m, norm, em->norm, to, to, pl_value_width(m->r->model, norm->out));
    m->stage->output = 0;
    pl__e_end_stage(m);
}

void pl__e_embeddings_backward(pl__emitter *m, const pl__embeddings *em)
{
    const pl_model *model = m->r->model;
    const pl_operator *norm = &model->operators[em->norm], *sum = &model->operators[em->sum];
    uint32_t width = (uint32_t)pl_value_width(model, norm->out);
    pl__e_begin_stage(m, PL__BACKWARD, PL_NO_VALUE);
    m->stage->gradient_in = true;
    m->kept = false;
    pl__ref gy = pl__e_through_dropout(m, norm, em->norm, pl__e_hidden_gradient(m));
    pl__ref x = embed_sum(m, em), gs = pl__e_take(m, width, false);
    pl__e_backward_norm(m, em->norm, x, (pl__ref){0}, gy, gs);
    pl__e_emit(m, (pl__step_op){.code = PL__STEP_SCATTER_WORDS, .columns = width, .a = pl__e_word_gradients(m, width), .b = gs});
    pl__e_emit(m, (pl__step_op){.code = PL__STEP_SCATTER_POSITIONS, .columns = width, .a = pl__e_gradient_of(m, em->sum, 0, 1, width), .b = gs});
    if (sum->weight[1])
        pl__e_emit(m, (pl__step_op){.code = PL__STEP_SCATTER_TYPES, .columns = width, .a = pl__e_gradient_of(m, em->sum, 1, 1, width), .b = gs});
    pl__e_end_stage(m);
}

/* ---- head: pooling, dense layers, loss, and back ---- */

void pl__e_head_stage(pl__emitter *m, uint32_t first, uint32_t layers, bool further)
{
    const pl_model *model = m->r->model;
    pl__trace traces[8] = {0};
    pl__e_begin_stage(m, PL__HEAD, PL_NO_VALUE);
    m->stage->gradient_out = further;
    m->kept = false;
    m->stage->input = layers;
    m->first_value = model->operators[first].in;
    memset(m->value, 0, sizeof m->value);
    memset(m->gradient, 0, sizeof m->gradient);
    *pl__e_place(m, model->operators[first].in) = pl__e_batch_input(m, layers);
    uint32_t end = (uint32_t)model->operator_count;
    for (uint32_t i = first; i < end; i++) {
        const pl_operator *op = &model->operators[i];
        uint32_t width = (uint32_t)pl_value_width(model, op->out);
        if (op->kind == PL_OPERATOR_POOL) {
            *pl__e_place(m, op->out) = pl__e_take(m, width, true);
            pl__e_emit(m, (pl__step_op){.code = PL__STEP_POOL, .texts = true, .columns = width, .a = *pl__e_place(m, op->out), .b = *pl__e_place(m, op->in)});
            continue;
        }
        assert(op->kind == PL_OPERATOR_LINEAR && i - first < PL_COUNT(traces));
        pl__trace *t = &traces[i - first];
        bool back = i > first + 1 || further;
        t->weight = pl__e_fetch_linear(m, i, true, back);
        t->in = *pl__e_place(m, op->in);
        pl__e_forward_linear(m, i, true, t->weight, &t->pre);
    }
    /* logits stand batch-wide, for the caller */
    pl__step_op *last = m->p->ops ? &m->p->ops[m->s->ops - 1] : NULL;
    pl__ref logits = {m->p->l.logits, (uint32_t)pl__train_stride(pl_value_width(model, model->result)), PL__PLACE_BATCH};
    if (last)
        last->a = logits;
    pl__e_give(m, pl__e_place(m, model->result), true);
    m->stage->eval_ops = (uint32_t)m->s->ops - m->stage->first_op;
    pl__ref g = pl__e_take(m, pl_value_width(model, model->result), true);
    pl__e_emit(m, (pl__step_op){.code = PL__STEP_LOSS, .texts = true, .columns = (uint32_t)pl_value_width(model, model->result), .a = g, .b = logits});
    for (uint32_t i = end; i-- > first;) {
        const pl_operator *op = &model->operators[i];
        if (op->kind == PL_OPERATOR_POOL) {
            if (further)
                pl__e_emit(
                    m, (pl__step_op){.code = PL__STEP_POOL_BACK, .columns = (uint32_t)pl_value_width(model, op->in), .a = pl__e_hidden_gradient(m), .b = g});
            break;
        }
        pl__trace *t = &traces[i - first];
        pl__ref own = pl__e_through_dropout(m, op, i, g);
        if (op->act != PL_ACT_NONE)
            pl__e_emit(m,
                (pl__step_op){.code = PL__STEP_ACT_BACK,
                    .act = (uint8_t)op->act,
                    .texts = true,
                    .columns = (uint32_t)pl_value_width(model, op->out),
                    .a = own,
                    .b = own,
                    .c = t->pre});
        bool back = i > first + 1 || further;
        pl__ref to = back ? pl__e_take(m, pl_value_width(model, op->in), true) : (pl__ref){0};
        pl__e_backward_linear(m, i, t, own, t->in, back, to);
        g = to;
    }
    pl__e_end_stage(m);
}
