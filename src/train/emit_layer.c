#include "train/emitter.h"

#include <assert.h>
#include <string.h>

static uint32_t last_norm(const pl__layer *l) { return l->first + l->count - 1; } /* layer_at asserts it */

/* The linear operator that made a norm's value, whose residual is added there. */
static const pl_operator *maker(const pl__emitter *m, uint32_t norm)
{
    for (uint32_t i = norm; i-- > 0;)
        if (m->r->model->operators[i].out == m->r->model->operators[norm].out && m->r->model->operators[i].kind == PL_OPERATOR_LINEAR)
            return &m->r->model->operators[i];
    assert(false && "a norm follows a product");
    return NULL;
}

/* The value of a product that was kept. What follows an activation was not: it is cheap to have again. */
static void find_linear(pl__emitter *m, const pl_operator *op, pl__trace *t)
{
    uint64_t width = pl_value_width(m->r->model, op->out);
    pl__ref *out = pl__e_place(m, op->out);
    *out = t->pre = pl__e_needed(m, width);
    if (op->act == PL_ACT_NONE)
        return;
    *out = pl__e_take(m, width, false);
    pl__e_emit(m, (pl__step_op){.code = PL__STEP_ACTIVATE, .act = (uint8_t)op->act, .columns = (uint32_t)width, .a = *out, .b = t->pre});
}

/* Emits the layer's forward operations: in the forward stage all of them, in the backward stage those
 * whose values were not kept, but for the last norm; of the others only the places are found. */
static void layer_forward(pl__emitter *m, pl__layer *l)
{
    const pl_model *model = m->r->model;
    for (uint32_t i = l->first; i < l->first + l->count; i++) {
        const pl_operator *op = &model->operators[i];
        pl__trace *t = &l->trace[i - l->first];
        m->kept = pl__keeps(m->k, l->index, op);
        bool keep = m->kept || m->backward, run = !(m->kept && m->backward);
        switch (op->kind) {
        case PL_OPERATOR_LINEAR: {
            t->in = *pl__e_place(m, op->in);
            if (!run) {
                find_linear(m, op, t);
                break;
            }
            pl__e_forward_linear(m, i, keep, t->weight, &t->pre);
            if (!m->backward && op->act == PL_ACT_NONE && pl__e_place(m, op->in)->place == PL__PLACE_MICRO && op->residual != PL_NO_VALUE)
                pl__e_give(m, pl__e_place(m, op->in), false);
            break;
        }
        case PL_OPERATOR_ATTENTION:
            if (run)
                pl__e_forward_attention(m, i);
            else
                *pl__e_place(m, op->out) = pl__e_needed(m, pl_value_width(model, op->out));
            if (!keep)
                pl__e_give(m, pl__e_place(m, op->in), false);
            break;
        case PL_OPERATOR_NORM: {
            const pl_operator *made = maker(m, i);
            bool last = i == last_norm(l);
            t->sum = *pl__e_place(m, op->out);
            t->residual = *pl__e_place(m, made->residual);
            if (m->backward && last)
                break;
            pl__ref to = last  ? pl__e_batch_input(m, l->index + 1)
                : run && !keep ? pl__e_take(m, pl_value_width(model, op->out), false)
                               : pl__e_needed(m, pl_value_width(model, op->out));
            if (run)
                pl__e_forward_norm(m, i, to, t->sum, t->residual);
            if (!keep) {
                pl__e_give(m, pl__e_place(m, op->out), false);
                pl__e_give(m, pl__e_place(m, made->residual), false);
            }
            *pl__e_place(m, op->out) = to;
            break;
        }
        default: assert(false && "an operator of a layer");
        }
    }
}

static bool same_ref(pl__ref a, pl__ref b) { return a.place == b.place && a.offset == b.offset; }

static void layer_backward(pl__emitter *m, pl__layer *l, bool further)
{
    const pl_model *model = m->r->model;
    uint32_t input = model->operators[l->first].in;
    for (uint32_t i = l->first + l->count; i-- > l->first;) {
        const pl_operator *op = &model->operators[i];
        pl__trace *t = &l->trace[i - l->first];
        pl__ref *g = pl__e_gradient(m, op->out);
        if (op->kind == PL_OPERATOR_NORM) {
            const pl_operator *made = maker(m, i);
            pl__ref gs = pl__e_take(m, pl_value_width(model, op->out), false), gy = *g;
            pl__e_backward_norm(m, i, t->sum, t->residual, gy, gs);
            pl__e_give(m, &gy, false);
            *pl__e_gradient(m, made->out) = gs;
            *pl__e_gradient(m, made->residual) = gs; /* given back by whoever adds it last */
            continue;
        }
        if (op->kind == PL_OPERATOR_ATTENTION) {
            pl__ref to = pl__e_take(m, pl_value_width(model, op->in), false);
            pl__e_emit(m,
                (pl__step_op){.code = PL__STEP_ATTENTION_BACK,
                    .columns = (uint32_t)pl_value_width(model, op->out),
                    .depth = op->head_width,
                    .scalar = op->scalar,
                    .drop = pl__e_drop_of(m, op),
                    .site = i,
                    .a = to,
                    .b = *pl__e_place(m, op->in),
                    .c = *g});
            pl__e_give(m, g, false);
            *pl__e_gradient(m, op->in) = to;
            continue;
        }
        pl__ref gy = *g, own = pl__e_through_dropout(m, op, i, gy);
        if (op->act != PL_ACT_NONE)
            pl__e_emit(m,
                (pl__step_op){
                    .code = PL__STEP_ACT_BACK, .act = (uint8_t)op->act, .columns = (uint32_t)pl_value_width(model, op->out), .a = own, .b = own, .c = t->pre});
        bool to_input = op->in == input;
        bool back = !to_input || further;
        pl__ref to = !back ? (pl__ref){0} : to_input ? pl__e_hidden_gradient(m) : pl__e_take(m, pl_value_width(model, op->in), false);
        pl__e_backward_linear(m, i, t, own, t->in, back, to);
        if (!same_ref(own, gy))
            pl__e_give(m, &own, false);
        if (op->residual == PL_NO_VALUE) /* else it is the residual's gradient too */
            pl__e_give(m, g, false);
        else
            *g = (pl__ref){0};
    }
}

static void fetch_weights(pl__emitter *m, pl__layer *l, bool further)
{
    const pl_model *model = m->r->model;
    for (uint32_t i = l->first; i < l->first + l->count; i++)
        if (model->operators[i].kind == PL_OPERATOR_LINEAR)
            l->trace[i - l->first].weight = pl__e_fetch_linear(m, i, !m->backward || !pl__keeps(m->k, l->index, &model->operators[i]),
                m->backward && (further || model->operators[i].in != model->operators[l->first].in));
}

static void begin_layer(pl__emitter *m, pl__layer *l, pl__stage_kind kind)
{
    const pl_model *model = m->r->model;
    pl__e_begin_stage(m, kind, l->index);
    m->stage->gradient_in = m->stage->gradient_out = kind == PL__BACKWARD;
    m->first_value = model->operators[l->first].in;
    memset(m->value, 0, sizeof m->value);
    memset(m->gradient, 0, sizeof m->gradient);
    m->kept_at = m->passing_at = m->passing_row = 0;
    m->passing_count = 0;
    m->layer_index = l->index;
    m->stage->group = (uint8_t)pl__group_of(m->k, l->index);
    m->stage->kept_out = kind == PL__FORWARD && pl__passes(m->k, l->index);
    m->stage->kept_in = kind == PL__BACKWARD && pl__passes(m->k, l->index);
    *pl__e_place(m, model->operators[l->first].in) = pl__e_batch_input(m, l->index);
    m->stage->input = l->index;
}

void pl__e_layer_stage_forward(pl__emitter *m, pl__layer *l)
{
    begin_layer(m, l, PL__FORWARD);
    fetch_weights(m, l, false);
    layer_forward(m, l);
    m->stage->output = l->index + 1;
    pl__e_end_stage(m);
}

void pl__e_layer_stage_backward(pl__emitter *m, pl__layer *l, bool further)
{
    begin_layer(m, l, PL__BACKWARD);
    fetch_weights(m, l, further);
    layer_forward(m, l);
    *pl__e_gradient(m, m->r->model->operators[last_norm(l)].out) = pl__e_hidden_gradient(m);
    layer_backward(m, l, further);
    pl__e_end_stage(m);
}
