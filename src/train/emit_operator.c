#include "train/emitter.h"

#include <assert.h>
#include <string.h>

/* ---- forward of one operator ---- */

float pl__e_drop_of(const pl__emitter *m, const pl_operator *op)
{
    if (op->kind == PL_OPERATOR_ATTENTION)
        return (float)m->r->recipe.attention_dropout;
    if (op->phase == PL_PHASE_HEAD)
        return op->act != PL_ACT_NONE ? (float)m->r->recipe.classifier_dropout : 0;
    if (op->phase == PL_PHASE_ATTENTION)
        return op->residual != PL_NO_VALUE ? (float)m->r->recipe.projection_dropout : 0;
    return op->residual != PL_NO_VALUE || op->phase == PL_PHASE_EMBED ? (float)m->r->recipe.hidden_dropout : 0;
}

void pl__e_emit_dropout(pl__emitter *m, const pl_operator *op, uint32_t operator, pl__ref to, pl__ref from, uint64_t width)
{
    float drop = pl__e_drop_of(m, op);
    if (drop > 0)
        pl__e_emit(m,
            (pl__step_op){
                .code = PL__STEP_DROPOUT, .texts = pl__e_is_texts(m, op->out), .columns = (uint32_t)width, .drop = drop, .site = operator, .a = to, .b = from});
}

/* Forward of a linear operator. `pre` gets its value before the activation where backward needs it. */
void pl__e_forward_linear(pl__emitter *m, uint32_t operator, bool keep_pre, pl__packed w, pl__ref *pre)
{
    const pl_model *model = m->r->model;
    const pl_operator *op = &model->operators[operator];
    uint64_t in = pl_value_width(model, op->in), out = pl_value_width(model, op->out);
    bool texts = pl__e_is_texts(m, op->out), apart = op->act != PL_ACT_NONE && keep_pre;
    pl__ref bias = pl__e_has_bias(m, operator) ? pl__e_fetch_vectors(m, operator, pl__e_bias_index(m, operator), pl__e_bias_index(m, operator)) : (pl__ref){0};
    pl__ref to = texts || (!keep_pre) ? pl__e_take(m, out, texts) : pl__e_needed(m, out);
    pl__e_emit(m,
        (pl__step_op){.code = PL__STEP_GEMM,
            .act = (uint8_t)(apart ? PL_ACT_NONE : op->act),
            .texts = texts,
            .columns = (uint32_t)out,
            .depth = (uint32_t)in,
            .a = to,
            .b = *pl__e_place(m, op->in),
            .c = pl__e_fixed(w.forward, 0),
            .d = bias});
    pl__e_workspace(m, m->r->kernels->gemm_workspace(texts ? pl__micro_texts(m->r, m->k) : m->k->micro_rows, in));
    if (apart) {
        *pre = to;
        to = pl__e_take(m, out, texts);
        pl__e_emit(m, (pl__step_op){.code = PL__STEP_ACTIVATE, .act = (uint8_t)op->act, .texts = texts, .columns = (uint32_t)out, .a = to, .b = *pre});
    }
    *pl__e_place(m, op->out) = to;
    pl__e_emit_dropout(m, op, operator, to, to, out);
}

void pl__e_forward_norm(pl__emitter *m, uint32_t operator, pl__ref to, pl__ref x, pl__ref residual)
{
    const pl_operator *op = &m->r->model->operators[operator];
    pl__e_emit(m,
        (pl__step_op){.code = PL__STEP_NORM,
            .columns = (uint32_t)pl_value_width(m->r->model, op->out),
            .scalar = op->scalar,
            .a = to,
            .b = pl__e_fetch_vectors(m, operator, 0, 1),
            .c = pl__e_fetch_vectors(m, operator, 1, 1),
            .d = x,
            .e = residual});
}

void pl__e_forward_attention(pl__emitter *m, uint32_t operator)
{
    const pl_operator *op = &m->r->model->operators[operator];
    uint64_t width = pl_value_width(m->r->model, op->out);
    pl__ref to = m->backward || m->kept ? pl__e_needed(m, width) : pl__e_take(m, width, false);
    pl__e_emit(m,
        (pl__step_op){.code = PL__STEP_ATTENTION,
            .columns = (uint32_t)width,
            .depth = op->head_width,
            .scalar = op->scalar,
            .drop = pl__e_drop_of(m, op),
            .site = operator,
            .a = to,
            .b = *pl__e_place(m, op->in)});
    pl__e_workspace(
        m, pl_max(m->r->train->attention_workspace(m->r->longest, op->head_width), m->r->kernels->attention_workspace(m->r->longest, op->head_width)));
    *pl__e_place(m, op->out) = to;
}

/* dW, db and, where `back`, the gradient of the input with what is there already added. */
void pl__e_backward_linear(pl__emitter *m, uint32_t operator, const pl__trace * t, pl__ref gy, pl__ref in, bool back, pl__ref to)
{
    const pl_model *model = m->r->model;
    const pl_operator *op = &model->operators[operator];
    uint64_t width_in = pl_value_width(model, op->in), width_out = pl_value_width(model, op->out);
    bool texts = pl__e_is_texts(m, op->out);
    uint64_t rows = texts ? pl__micro_texts(m->r, m->k) : m->k->micro_rows;
    if (pl__e_learns(m, operator)) {
        uint64_t depth = pl__micro_depth(m->r, m->k, texts);
        m->s->packed = pl_max(m->s->packed, m->r->kernels->packed_bytes(width_in, depth));
        pl__e_emit(m, (pl__step_op){.code = PL__STEP_PACK_ROWS, .texts = texts, .columns = (uint32_t)width_in, .a = pl__e_fixed(m->p->l.packed, 0), .b = in});
        pl__e_emit(m,
            (pl__step_op){.code = PL__STEP_GEMM_ROWS,
                .texts = texts,
                .columns = (uint32_t)width_in,
                .depth = (uint32_t)width_out,
                .a = pl__e_gradient_of(m, operator, 0, pl__e_bias_index(m, operator), width_in),
                .b = gy,
                .c = pl__e_fixed(m->p->l.packed, 0)});
        pl__e_workspace(m, m->r->train->gemm_tn_workspace(width_out, depth));
        if (pl__e_has_bias(m, operator))
            pl__e_emit(m,
                (pl__step_op){.code = PL__STEP_COLUMN_SUM,
                    .texts = texts,
                    .columns = (uint32_t)width_out,
                    .a = pl__e_gradient_of(m, operator, pl__e_bias_index(m, operator), pl__e_bias_index(m, operator), width_out),
                    .b = gy});
    }
    if (!back)
        return;
    pl__ref *there = pl__e_gradient(m, op->in);
    pl__e_emit(m,
        (pl__step_op){.code = PL__STEP_GEMM,
            .texts = texts,
            .columns = (uint32_t)width_in,
            .depth = (uint32_t)width_out,
            .a = to,
            .b = gy,
            .c = pl__e_fixed(t->weight.back, 0),
            .e = *there});
    pl__e_workspace(m, m->r->kernels->gemm_workspace(rows, width_out));
    pl__e_give(m, there, texts);
    *there = to;
}

void pl__e_backward_norm(pl__emitter *m, uint32_t operator, pl__ref sum, pl__ref residual, pl__ref gy, pl__ref to)
{
    const pl_operator *op = &m->r->model->operators[operator];
    uint32_t width = (uint32_t)pl_value_width(m->r->model, op->out);
    pl__ref stats = pl__e_take(m, 2, false);
    stats.stride = 2;
    pl__e_emit(m,
        (pl__step_op){.code = PL__STEP_NORM_BACK,
            .columns = width,
            .scalar = op->scalar,
            .a = to,
            .b = pl__e_fetch_vectors(m, operator, 0, 1),
            .c = gy,
            .d = sum,
            .e = residual,
            .f = stats});
    if (pl__e_learns(m, operator)) {
        pl__ref gain = pl__e_gradient_of(m, operator, 0, 1, width), shift = pl__e_gradient_of(m, operator, 1, 1, width);
        pl__e_emit(m,
            (pl__step_op){
                .code = PL__STEP_NORM_GAINS, .columns = width, .scalar = op->scalar, .a = gain, .b = shift, .c = gy, .d = sum, .e = residual, .f = stats});
    }
    stats.stride = (uint32_t)pl__train_stride(2);
    pl__e_give(m, &stats, false);
}

/* The gradient that reaches an operator through its dropout. */
pl__ref pl__e_through_dropout(pl__emitter *m, const pl_operator *op, uint32_t operator, pl__ref gy)
{
    if (pl__e_drop_of(m, op) == 0)
        return gy;
    uint64_t width = pl_value_width(m->r->model, op->out);
    pl__ref to = pl__e_take(m, width, pl__e_is_texts(m, op->out));
    pl__e_emit_dropout(m, op, operator, to, gy, width);
    return to;
}
