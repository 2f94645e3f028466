#include "train/emit.h"

#include <assert.h>
#include <string.h>

enum { FLOAT = 4, LINE = 64, PAGE = 4096, MOST_FREE = 64 };

uint64_t pl__train_stride(uint64_t width)
{
    uint64_t stride = pl_round_up(width, LINE / FLOAT);
    return stride * FLOAT % PAGE == 0 ? stride + LINE / FLOAT : stride;
}

/* A stretch of the micro-batch's scratch that is free. */
typedef struct hole {
    uint64_t at, bytes;
} hole;

typedef struct emitter {
    const pl_step_request *r;
    const pl_step_knobs *k;
    const pl__parameters *params;
    pl__step_program *p;
    pl__step_sizes *s;
    pl__step_stage *stage; /* at hand; scratch in the counting round */
    pl__step_stage counted;
    hole holes[MOST_FREE];
    size_t hole_count;
    uint64_t slab_at, slot_at, kept_at;
    pl__ref value[256], gradient[256]; /* by value, of the layer at hand: first_value on */
    pl__ref dropped[256];              /* value after its dropout where that is another place */
    uint32_t first_value;
    uint32_t layer_index; /* counts layers, for what is kept */
    bool kept, backward;
} emitter;

/* ---- scratch of a micro-batch: first fit, freed by hand where a value was last used ---- */

static uint64_t rows_bytes(const emitter *m, uint64_t stride, bool texts)
{
    return pl_round_up(stride * FLOAT * (texts ? pl__micro_texts(m->r, m->k) : m->k->micro_rows), LINE);
}

static pl__ref take(emitter *m, uint64_t width, bool texts)
{
    uint64_t stride = pl__train_stride(width), bytes = rows_bytes(m, stride, texts);
    for (size_t i = 0; i < m->hole_count; i++) {
        hole *h = &m->holes[i];
        if (h->bytes < bytes)
            continue;
        pl__ref ref = {m->p->l.micro + h->at, (uint32_t)stride, PL__PLACE_MICRO};
        m->s->micro = pl_max(m->s->micro, h->at + bytes);
        h->at += bytes;
        h->bytes -= bytes;
        return ref;
    }
    assert(!"scratch has a last hole without end");
    return (pl__ref){0};
}

static void insert_hole(emitter *m, size_t at, hole h)
{
    assert(m->hole_count < MOST_FREE);
    memmove(&m->holes[at + 1], &m->holes[at], (m->hole_count - at) * sizeof *m->holes);
    m->holes[at] = h;
    m->hole_count++;
}

static void give(emitter *m, pl__ref *ref, bool texts)
{
    if (ref->place != PL__PLACE_MICRO)
        return;
    uint64_t at = ref->offset - m->p->l.micro, bytes = rows_bytes(m, ref->stride, texts);
    *ref = (pl__ref){0};
    size_t i = 0;
    while (i < m->hole_count && m->holes[i].at < at)
        i++;
    insert_hole(m, i, (hole){at, bytes});
    for (size_t k = 0; k + 1 < m->hole_count;)
        if (m->holes[k].at + m->holes[k].bytes == m->holes[k + 1].at) {
            m->holes[k].bytes += m->holes[k + 1].bytes;
            memmove(&m->holes[k + 1], &m->holes[k + 2], (m->hole_count - k - 2) * sizeof *m->holes);
            m->hole_count--;
        } else {
            k++;
        }
}

/* ---- stages ---- */

static void begin_stage(emitter *m, pl__stage_kind kind, uint32_t layer)
{
    m->stage = m->p->stages ? &m->p->stages[m->s->stages] : &m->counted;
    *m->stage = (pl__step_stage){.kind = (uint8_t)kind, .layer = layer, .first_op = (uint32_t)m->s->ops, .first_fetch = (uint32_t)m->s->fetches,
                                 .first_yield = (uint32_t)m->s->yields, .input = PL_NO_VALUE, .output = PL_NO_VALUE};
    m->holes[0] = (hole){0, UINT64_MAX / 2};
    m->hole_count = 1;
    m->slab_at = m->slot_at = 0;
    m->backward = kind != PL__FORWARD;
}

static void end_stage(emitter *m)
{
    pl__step_stage *t = m->stage;
    t->op_count = (uint32_t)m->s->ops - t->first_op;
    t->fetch_count = (uint32_t)m->s->fetches - t->first_fetch;
    t->yield_count = (uint32_t)m->s->yields - t->first_yield;
    m->s->slab = pl_max(m->s->slab, m->slab_at);
    m->s->slot = pl_max(m->s->slot, m->slot_at);
    m->s->stages++;
}

static void emit(emitter *m, pl__step_op op)
{
    if (m->p->ops)
        m->p->ops[m->s->ops] = op;
    m->s->ops++;
}

static void workspace(emitter *m, size_t bytes) { m->s->workspace = pl_max(m->s->workspace, pl_round_up(bytes, LINE)); }

static pl__ref fixed(uint64_t offset, uint64_t stride) { return (pl__ref){offset, (uint32_t)stride, PL__PLACE_FIXED}; }

static uint64_t in_slab(emitter *m, uint64_t bytes)
{
    uint64_t at = m->slab_at;
    m->slab_at += pl_round_up(bytes, LINE);
    return m->p->l.slab + at;
}

static void fetch(emitter *m, pl__fetch f)
{
    if (m->p->fetches)
        m->p->fetches[m->s->fetches] = f;
    m->s->fetches++;
}

/* ---- parameters of an operator ---- */

static const pl_parameter *parameter(const emitter *m, uint32_t operator, unsigned index)
{
    return &m->params->list[m->params->of_operator[operator] + index];
}

static bool learns(const emitter *m, uint32_t operator) { return parameter(m, operator, 0)->learns; }

/* Where the gradient of parameters [index, index + count) of an operator is summed: in the store, or
 * in the stage's slot. They stand one behind the other. */
static pl__ref gradient_of(emitter *m, uint32_t operator, unsigned index, unsigned count, uint64_t stride)
{
    const pl_parameter *p = parameter(m, operator, index);
    uint64_t elements = 0, at;
    for (unsigned i = 0; i < count; i++)
        elements += p[i].count;
    if (m->k->spill_gradients) {
        at = m->p->l.slot + m->slot_at;
        m->slot_at += pl_round_up(elements * FLOAT, LINE);
    } else {
        at = m->p->l.gradients + (p->first - m->params->learn_first) * FLOAT;
    }
    if (m->p->yields)
        m->p->yields[m->s->yields] = (pl__yield){p->first, elements, at};
    m->s->yields++;
    return fixed(at, stride);
}

/* The packed weight (and its transpose) of a linear operator for this stage. */
typedef struct packed {
    uint64_t forward, back;
} packed;

static packed fetch_linear(emitter *m, uint32_t operator, bool forward, bool back)
{
    const pl_model *model = m->r->model;
    const pl_operator *op = &model->operators[operator];
    uint64_t in = pl_value_width(model, op->in), out = pl_value_width(model, op->out);
    uint32_t parts = model->values[op->out].parts;
    packed p = {UINT64_MAX, UINT64_MAX};
    if (forward)
        p.forward = in_slab(m, m->r->kernels->packed_bytes(out, in));
    if (back)
        p.back = in_slab(m, m->r->kernels->packed_bytes(in, out));
    for (unsigned i = 0; i < parts && (forward || back); i++)
        fetch(m, (pl__fetch){.from = parameter(m, operator, i)->first, .rows = (uint32_t)(out / parts), .columns = (uint32_t)in,
                             .first_row = (uint32_t)(i * out / parts), .all_rows = (uint32_t)out, .pack = p.forward, .pack_rows = p.back,
                             .copy = UINT64_MAX, .goes_with_last = i > 0});
    return p;
}

static pl__ref fetch_vectors(emitter *m, uint32_t operator, unsigned index, unsigned count)
{
    const pl_parameter *p = parameter(m, operator, index);
    uint64_t elements = 0;
    for (unsigned i = 0; i < count; i++)
        elements += p[i].count;
    uint64_t at = in_slab(m, elements * FLOAT);
    fetch(m, (pl__fetch){.from = p->first, .rows = 1, .columns = (uint32_t)elements, .all_rows = 1, .pack = UINT64_MAX, .pack_rows = UINT64_MAX, .copy = at});
    return fixed(at, elements);
}

static unsigned bias_index(const emitter *m, uint32_t operator) { return m->r->model->values[m->r->model->operators[operator].out].parts; }
static bool has_bias(const emitter *m, uint32_t operator) { return m->r->model->operators[operator].bias[0] != NULL; }

/* ---- values of the layer at hand ---- */

static pl__ref *place(emitter *m, uint32_t value)
{
    assert(value >= m->first_value && value - m->first_value < PL_COUNT(m->value));
    return &m->value[value - m->first_value];
}
static pl__ref *gradient(emitter *m, uint32_t value) { return &m->gradient[value - m->first_value]; }
static bool is_texts(const emitter *m, uint32_t value) { return m->r->model->values[value].extent == PL_EXTENT_TEXTS; }

/* A value that backward needs: kept for the whole batch, or in the scratch of the micro-batch. */
static pl__ref needed(emitter *m, uint64_t width)
{
    if (!m->kept)
        return take(m, width, false);
    uint64_t stride = pl__train_stride(width), at = m->kept_at;
    m->kept_at += pl_round_up(stride * FLOAT * m->r->batch_rows, LINE);
    m->s->kept = pl_max(m->s->kept, m->kept_at);
    return (pl__ref){m->p->l.kept + m->layer_index * m->p->l.kept_bytes + at, (uint32_t)stride, PL__PLACE_BATCH};
}

static pl__ref batch_input(const emitter *m, uint32_t index)
{
    uint64_t number = m->k->spill_inputs ? index % 2 : index;
    uint64_t width = pl_value_width(m->r->model, m->r->model->operators[0].out);
    return (pl__ref){m->p->l.inputs + number * m->p->l.input_bytes, (uint32_t)pl__train_stride(width), PL__PLACE_BATCH};
}

static pl__ref hidden_gradient(const emitter *m)
{
    uint64_t width = pl_value_width(m->r->model, m->r->model->operators[0].out);
    return (pl__ref){m->p->l.hidden_gradient, (uint32_t)pl__train_stride(width), PL__PLACE_BATCH};
}

/* ---- forward of one operator ---- */

static float drop_of(const emitter *m, const pl_operator *op)
{
    if (op->kind == PL_OPERATOR_ATTENTION)
        return (float)m->r->recipe.attention_dropout;
    if (op->phase == PL_PHASE_HEAD)
        return op->act != PL_ACT_NONE ? (float)m->r->recipe.classifier_dropout : 0;
    return op->residual != PL_NO_VALUE || op->phase == PL_PHASE_EMBED ? (float)m->r->recipe.hidden_dropout : 0;
}

static void emit_dropout(emitter *m, const pl_operator *op, uint32_t operator, pl__ref to, pl__ref from, uint64_t width)
{
    float drop = drop_of(m, op);
    if (drop > 0)
        emit(m, (pl__step_op){.code = PL__STEP_DROPOUT, .texts = is_texts(m, op->out), .columns = (uint32_t)width, .drop = drop, .site = operator, .a = to, .b = from});
}

/* Forward of a linear operator. `pre` gets its value before the activation where backward needs it. */
static void forward_linear(emitter *m, uint32_t operator, bool keep_pre, packed w, pl__ref *pre)
{
    const pl_model *model = m->r->model;
    const pl_operator *op = &model->operators[operator];
    uint64_t in = pl_value_width(model, op->in), out = pl_value_width(model, op->out);
    bool texts = is_texts(m, op->out), apart = op->act != PL_ACT_NONE && keep_pre;
    pl__ref bias = has_bias(m, operator) ? fetch_vectors(m, operator, bias_index(m, operator), bias_index(m, operator)) : (pl__ref){0};
    pl__ref to = texts || (!keep_pre) ? take(m, out, texts) : needed(m, out);
    emit(m, (pl__step_op){.code = PL__STEP_GEMM, .act = (uint8_t)(apart ? PL_ACT_NONE : op->act), .texts = texts, .columns = (uint32_t)out, .depth = (uint32_t)in,
                          .a = to, .b = *place(m, op->in), .c = fixed(w.forward, 0), .d = bias});
    workspace(m, m->r->kernels->gemm_workspace(texts ? pl__micro_texts(m->r, m->k) : m->k->micro_rows, in));
    if (apart) {
        *pre = to;
        to = take(m, out, texts);
        emit(m, (pl__step_op){.code = PL__STEP_ACTIVATE, .act = (uint8_t)op->act, .texts = texts, .columns = (uint32_t)out, .a = to, .b = *pre});
    }
    *place(m, op->out) = to;
    emit_dropout(m, op, operator, to, to, out);
}

static void forward_norm(emitter *m, uint32_t operator, pl__ref to, pl__ref x, pl__ref residual)
{
    const pl_operator *op = &m->r->model->operators[operator];
    emit(m, (pl__step_op){.code = PL__STEP_NORM, .columns = (uint32_t)pl_value_width(m->r->model, op->out), .scalar = op->scalar, .a = to,
                          .b = fetch_vectors(m, operator, 0, 1), .c = fetch_vectors(m, operator, 1, 1), .d = x, .e = residual});
}

static void forward_attention(emitter *m, uint32_t operator)
{
    const pl_operator *op = &m->r->model->operators[operator];
    uint64_t width = pl_value_width(m->r->model, op->out);
    pl__ref to = m->backward || m->kept ? needed(m, width) : take(m, width, false);
    emit(m, (pl__step_op){.code = PL__STEP_ATTENTION, .columns = (uint32_t)width, .depth = op->head_width, .scalar = op->scalar,
                          .drop = drop_of(m, op), .site = operator, .a = to, .b = *place(m, op->in)});
    workspace(m, pl_max(m->r->train->attention_workspace(m->r->longest, op->head_width), m->r->kernels->attention_workspace(m->r->longest, op->head_width)));
    *place(m, op->out) = to;
}

/* ---- a layer ---- */

/* What backward needs of each operator of a layer. */
typedef struct trace {
    pl__ref sum, residual; /* NORM: what was added up */
    pl__ref pre;           /* LINEAR with an activation */
    pl__ref in;            /* LINEAR: its input */
    packed weight;
} trace;

typedef struct layer {
    uint32_t first, count; /* operators */
    uint32_t index;        /* 0, 1, .. */
    trace trace[32];
} layer;

static uint32_t last_norm(const layer *l) { return l->first + l->count - 1; } /* layer_at asserts it */

/* The linear operator that made a norm's value, whose residual is added there. */
static const pl_operator *maker(const emitter *m, uint32_t norm)
{
    for (uint32_t i = norm; i-- > 0;)
        if (m->r->model->operators[i].out == m->r->model->operators[norm].out && m->r->model->operators[i].kind == PL_OPERATOR_LINEAR)
            return &m->r->model->operators[i];
    assert(!"a norm follows a product");
    return NULL;
}

/* Emits the layer's forward operations: in the forward stage all of them, in the backward stage of a
 * layer that was not kept all but the last norm, of a kept one none (only the places are found). */
static void layer_forward(emitter *m, layer *l, bool run)
{
    const pl_model *model = m->r->model;
    bool keep = m->kept || m->backward;
    for (uint32_t i = l->first; i < l->first + l->count; i++) {
        const pl_operator *op = &model->operators[i];
        trace *t = &l->trace[i - l->first];
        switch (op->kind) {
        case PL_OPERATOR_LINEAR: {
            t->in = *place(m, op->in);
            if (run) {
                forward_linear(m, i, keep, t->weight, &t->pre);
                if (!keep && op->act == PL_ACT_NONE && place(m, op->in)->place == PL__PLACE_MICRO && op->residual != PL_NO_VALUE)
                    give(m, place(m, op->in), false);
            } else {
                t->pre = needed(m, pl_value_width(model, op->out));
                *place(m, op->out) = t->pre;
            }
            break;
        }
        case PL_OPERATOR_ATTENTION:
            if (run)
                forward_attention(m, i);
            else
                *place(m, op->out) = needed(m, pl_value_width(model, op->out));
            if (!keep)
                give(m, place(m, op->in), false);
            break;
        case PL_OPERATOR_NORM: {
            const pl_operator *made = maker(m, i);
            bool last = i == last_norm(l);
            t->sum = *place(m, op->out);
            t->residual = *place(m, made->residual);
            if (m->backward && last)
                break;
            pl__ref to = last ? batch_input(m, l->index + 1) : run && !keep ? take(m, pl_value_width(model, op->out), false) : needed(m, pl_value_width(model, op->out));
            if (run)
                forward_norm(m, i, to, t->sum, t->residual);
            if (!keep) {
                give(m, place(m, op->out), false);
                give(m, place(m, made->residual), false);
            }
            *place(m, op->out) = to;
            break;
        }
        default:
            assert(!"an operator of a layer");
        }
    }
}

/* dW, db and, where `back`, the gradient of the input with what is there already added. */
static void backward_linear(emitter *m, uint32_t operator, const trace *t, pl__ref gy, pl__ref in, bool back, pl__ref to)
{
    const pl_model *model = m->r->model;
    const pl_operator *op = &model->operators[operator];
    uint64_t width_in = pl_value_width(model, op->in), width_out = pl_value_width(model, op->out);
    bool texts = is_texts(m, op->out);
    uint64_t rows = texts ? pl__micro_texts(m->r, m->k) : m->k->micro_rows;
    if (learns(m, operator)) {
        m->s->packed = pl_max(m->s->packed, m->r->kernels->packed_bytes(width_in, rows));
        emit(m, (pl__step_op){.code = PL__STEP_PACK_ROWS, .texts = texts, .columns = (uint32_t)width_in, .a = fixed(m->p->l.packed, 0), .b = in});
        emit(m, (pl__step_op){.code = PL__STEP_GEMM_ROWS, .texts = texts, .columns = (uint32_t)width_in, .depth = (uint32_t)width_out,
                              .a = gradient_of(m, operator, 0, bias_index(m, operator), width_in), .b = gy, .c = fixed(m->p->l.packed, 0)});
        workspace(m, m->r->train->gemm_tn_workspace(width_out, rows));
        if (has_bias(m, operator))
            emit(m, (pl__step_op){.code = PL__STEP_COLUMN_SUM, .texts = texts, .columns = (uint32_t)width_out,
                                  .a = gradient_of(m, operator, bias_index(m, operator), bias_index(m, operator), width_out), .b = gy});
    }
    if (!back)
        return;
    pl__ref *there = gradient(m, op->in);
    emit(m, (pl__step_op){.code = PL__STEP_GEMM, .texts = texts, .columns = (uint32_t)width_in, .depth = (uint32_t)width_out, .a = to, .b = gy,
                          .c = fixed(t->weight.back, 0), .e = *there});
    workspace(m, m->r->kernels->gemm_workspace(rows, width_out));
    give(m, there, texts);
    *there = to;
}

static void backward_norm(emitter *m, uint32_t operator, pl__ref sum, pl__ref residual, pl__ref gy, pl__ref to)
{
    const pl_operator *op = &m->r->model->operators[operator];
    uint32_t width = (uint32_t)pl_value_width(m->r->model, op->out);
    pl__ref stats = take(m, 2, false);
    stats.stride = 2;
    emit(m, (pl__step_op){.code = PL__STEP_NORM_BACK, .columns = width, .scalar = op->scalar, .a = to, .b = fetch_vectors(m, operator, 0, 1), .c = gy,
                          .d = sum, .e = residual, .f = stats});
    if (learns(m, operator)) {
        pl__ref gain = gradient_of(m, operator, 0, 1, width), shift = gradient_of(m, operator, 1, 1, width);
        emit(m, (pl__step_op){.code = PL__STEP_NORM_GAINS, .columns = width, .scalar = op->scalar, .a = gain, .b = shift, .c = gy, .d = sum, .e = residual, .f = stats});
    }
    stats.stride = (uint32_t)pl__train_stride(2);
    give(m, &stats, false);
}

/* The gradient that reaches an operator through its dropout. */
static pl__ref through_dropout(emitter *m, const pl_operator *op, uint32_t operator, pl__ref gy)
{
    if (drop_of(m, op) == 0)
        return gy;
    uint64_t width = pl_value_width(m->r->model, op->out);
    pl__ref to = take(m, width, is_texts(m, op->out));
    emit_dropout(m, op, operator, to, gy, width);
    return to;
}

static bool same_ref(pl__ref a, pl__ref b) { return a.place == b.place && a.offset == b.offset; }

static void layer_backward(emitter *m, layer *l, bool further)
{
    const pl_model *model = m->r->model;
    uint32_t input = model->operators[l->first].in;
    for (uint32_t i = l->first + l->count; i-- > l->first;) {
        const pl_operator *op = &model->operators[i];
        trace *t = &l->trace[i - l->first];
        pl__ref *g = gradient(m, op->out);
        if (op->kind == PL_OPERATOR_NORM) {
            const pl_operator *made = maker(m, i);
            pl__ref gs = take(m, pl_value_width(model, op->out), false), gy = *g;
            backward_norm(m, i, t->sum, t->residual, gy, gs);
            give(m, &gy, false);
            *gradient(m, made->out) = gs;
            *gradient(m, made->residual) = gs; /* given back by whoever adds it last */
            continue;
        }
        if (op->kind == PL_OPERATOR_ATTENTION) {
            pl__ref to = take(m, pl_value_width(model, op->in), false);
            emit(m, (pl__step_op){.code = PL__STEP_ATTENTION_BACK, .columns = (uint32_t)pl_value_width(model, op->out), .depth = op->head_width, .scalar = op->scalar,
                                  .drop = drop_of(m, op), .site = i, .a = to, .b = *place(m, op->in), .c = *g});
            give(m, g, false);
            *gradient(m, op->in) = to;
            continue;
        }
        pl__ref gy = *g, own = through_dropout(m, op, i, gy);
        if (op->act != PL_ACT_NONE)
            emit(m, (pl__step_op){.code = PL__STEP_ACT_BACK, .act = (uint8_t)op->act, .columns = (uint32_t)pl_value_width(model, op->out), .a = own, .b = own, .c = t->pre});
        bool to_input = op->in == input;
        bool back = !to_input || further;
        pl__ref to = !back ? (pl__ref){0} : to_input ? hidden_gradient(m) : take(m, pl_value_width(model, op->in), false);
        backward_linear(m, i, t, own, t->in, back, to);
        if (!same_ref(own, gy))
            give(m, &own, false);
        if (op->residual == PL_NO_VALUE) /* else it is the residual's gradient too */
            give(m, g, false);
        else
            *g = (pl__ref){0};
    }
}

static void fetch_weights(emitter *m, layer *l, bool forward, bool further)
{
    const pl_model *model = m->r->model;
    for (uint32_t i = l->first; i < l->first + l->count; i++)
        if (model->operators[i].kind == PL_OPERATOR_LINEAR)
            l->trace[i - l->first].weight = fetch_linear(m, i, forward, m->backward && (further || model->operators[i].in != model->operators[l->first].in));
}

static void begin_layer(emitter *m, layer *l, pl__stage_kind kind)
{
    const pl_model *model = m->r->model;
    begin_stage(m, kind, l->index);
    m->first_value = model->operators[l->first].in;
    memset(m->value, 0, sizeof m->value);
    memset(m->gradient, 0, sizeof m->gradient);
    m->kept_at = 0;
    m->layer_index = l->index;
    m->kept = l->index < m->k->kept_layers;
    *place(m, model->operators[l->first].in) = batch_input(m, l->index);
    m->stage->input = l->index;
}

static void layer_stage_forward(emitter *m, layer *l)
{
    begin_layer(m, l, PL__FORWARD);
    fetch_weights(m, l, true, false);
    layer_forward(m, l, true);
    m->stage->output = l->index + 1;
    end_stage(m);
}

static void layer_stage_backward(emitter *m, layer *l, bool further)
{
    begin_layer(m, l, PL__BACKWARD);
    fetch_weights(m, l, !m->kept, further);
    layer_forward(m, l, !m->kept);
    if (m->kept) /* what follows an activation was not kept: it is cheap to have again */
        for (uint32_t i = l->first; i < l->first + l->count; i++) {
            const pl_operator *op = &m->r->model->operators[i];
            if (op->kind != PL_OPERATOR_LINEAR || op->act == PL_ACT_NONE)
                continue;
            pl__ref to = take(m, pl_value_width(m->r->model, op->out), false);
            emit(m, (pl__step_op){.code = PL__STEP_ACTIVATE, .act = (uint8_t)op->act, .columns = (uint32_t)pl_value_width(m->r->model, op->out), .a = to, .b = l->trace[i - l->first].pre});
            *place(m, op->out) = to;
            for (uint32_t k = i + 1; k < l->first + l->count; k++)
                if (m->r->model->operators[k].in == op->out)
                    l->trace[k - l->first].in = to;
        }
    *gradient(m, m->r->model->operators[last_norm(l)].out) = hidden_gradient(m);
    layer_backward(m, l, further);
    end_stage(m);
}

/* ---- embeddings ---- */

typedef struct embeddings {
    uint32_t gather, sum, norm; /* operators */
} embeddings;

static pl__ref embed_sum(emitter *m, const embeddings *em)
{
    const pl_operator *gather = &m->r->model->operators[em->gather], *sum = &m->r->model->operators[em->sum];
    uint64_t width = pl_value_width(m->r->model, gather->out);
    pl__ref x = take(m, width, false);
    emit(m, (pl__step_op){.code = PL__STEP_GATHER, .columns = (uint32_t)width, .a = x});
    const pl_parameter *positions = parameter(m, em->sum, 0);
    uint64_t rows = pl_min(positions->shape[0], m->r->longest + m->r->model->positions.first);
    uint64_t at = in_slab(m, rows * width * FLOAT);
    fetch(m, (pl__fetch){.from = positions->first, .rows = 1, .columns = (uint32_t)(rows * width), .all_rows = 1, .pack = UINT64_MAX, .pack_rows = UINT64_MAX, .copy = at});
    emit(m, (pl__step_op){.code = PL__STEP_EMBED_SUM, .columns = (uint32_t)width, .a = x, .b = fixed(at, width),
                          .c = sum->weight[1] ? fixed(fetch_vectors(m, em->sum, 1, 1).offset, width) : (pl__ref){0}});
    return x;
}

static void embeddings_forward(emitter *m, const embeddings *em)
{
    const pl_operator *norm = &m->r->model->operators[em->norm];
    begin_stage(m, PL__FORWARD, PL_NO_VALUE);
    m->kept = false;
    pl__ref x = embed_sum(m, em), to = batch_input(m, 0);
    forward_norm(m, em->norm, to, x, (pl__ref){0});
    emit_dropout(m, norm, em->norm, to, to, pl_value_width(m->r->model, norm->out));
    m->stage->output = 0;
    end_stage(m);
}

static void embeddings_backward(emitter *m, const embeddings *em)
{
    const pl_model *model = m->r->model;
    const pl_operator *norm = &model->operators[em->norm], *sum = &model->operators[em->sum];
    uint32_t width = (uint32_t)pl_value_width(model, norm->out);
    begin_stage(m, PL__BACKWARD, PL_NO_VALUE);
    m->kept = false;
    pl__ref gy = through_dropout(m, norm, em->norm, hidden_gradient(m));
    pl__ref x = embed_sum(m, em), gs = take(m, width, false);
    backward_norm(m, em->norm, x, (pl__ref){0}, gy, gs);
    emit(m, (pl__step_op){.code = PL__STEP_SCATTER_WORDS, .columns = width, .a = gradient_of(m, em->gather, 0, 1, width), .b = gs});
    emit(m, (pl__step_op){.code = PL__STEP_SCATTER_POSITIONS, .columns = width, .a = gradient_of(m, em->sum, 0, 1, width), .b = gs});
    if (sum->weight[1])
        emit(m, (pl__step_op){.code = PL__STEP_SCATTER_TYPES, .columns = width, .a = gradient_of(m, em->sum, 1, 1, width), .b = gs});
    end_stage(m);
}

/* ---- head: pooling, dense layers, loss, and back ---- */

static void head_stage(emitter *m, uint32_t first, uint32_t layers, bool further)
{
    const pl_model *model = m->r->model;
    trace traces[8] = {0};
    begin_stage(m, PL__HEAD, PL_NO_VALUE);
    m->kept = false;
    m->stage->input = layers;
    m->first_value = model->operators[first].in;
    memset(m->value, 0, sizeof m->value);
    memset(m->gradient, 0, sizeof m->gradient);
    *place(m, model->operators[first].in) = batch_input(m, layers);
    uint32_t end = (uint32_t)model->operator_count;
    for (uint32_t i = first; i < end; i++) {
        const pl_operator *op = &model->operators[i];
        uint32_t width = (uint32_t)pl_value_width(model, op->out);
        if (op->kind == PL_OPERATOR_POOL) {
            *place(m, op->out) = take(m, width, true);
            emit(m, (pl__step_op){.code = PL__STEP_POOL, .texts = true, .columns = width, .a = *place(m, op->out), .b = *place(m, op->in)});
            continue;
        }
        assert(op->kind == PL_OPERATOR_LINEAR && i - first < PL_COUNT(traces));
        trace *t = &traces[i - first];
        bool back = i > first + 1 || further;
        t->weight = fetch_linear(m, i, true, back);
        t->in = *place(m, op->in);
        forward_linear(m, i, true, t->weight, &t->pre);
    }
    /* logits stand batch-wide, for the caller */
    pl__step_op *last = m->p->ops ? &m->p->ops[m->s->ops - 1] : NULL;
    pl__ref logits = {m->p->l.logits, (uint32_t)pl__train_stride(pl_value_width(model, model->result)), PL__PLACE_BATCH};
    if (last)
        last->a = logits;
    give(m, place(m, model->result), true);
    m->stage->eval_ops = (uint32_t)m->s->ops - m->stage->first_op;
    pl__ref g = take(m, pl_value_width(model, model->result), true);
    emit(m, (pl__step_op){.code = PL__STEP_LOSS, .texts = true, .columns = (uint32_t)pl_value_width(model, model->result), .a = g, .b = logits});
    for (uint32_t i = end; i-- > first;) {
        const pl_operator *op = &model->operators[i];
        if (op->kind == PL_OPERATOR_POOL) {
            if (further)
                emit(m, (pl__step_op){.code = PL__STEP_POOL_BACK, .columns = (uint32_t)pl_value_width(model, op->in), .a = hidden_gradient(m), .b = g});
            break;
        }
        trace *t = &traces[i - first];
        pl__ref own = through_dropout(m, op, i, g);
        if (op->act != PL_ACT_NONE)
            emit(m, (pl__step_op){.code = PL__STEP_ACT_BACK, .act = (uint8_t)op->act, .texts = true, .columns = (uint32_t)pl_value_width(model, op->out), .a = own, .b = own, .c = t->pre});
        bool back = i > first + 1 || further;
        pl__ref to = back ? take(m, pl_value_width(model, op->in), true) : (pl__ref){0};
        backward_linear(m, i, t, own, t->in, back, to);
        g = to;
    }
    end_stage(m);
}

/* ---- the whole step ---- */

static layer layer_at(const emitter *m, uint32_t first, uint32_t index)
{
    const pl_model *model = m->r->model;
    layer l = {.first = first, .index = index};
    while (first + l.count < model->operator_count && model->operators[first + l.count].phase != PL_PHASE_HEAD && model->operators[first + l.count].layer == index)
        l.count++;
    assert(l.count <= PL_COUNT(l.trace) && model->operators[first + l.count - 1].kind == PL_OPERATOR_NORM);
    return l;
}

void pl__step_emit(const pl_step_request *r, const pl_step_knobs *k, const pl__parameters *params, pl__step_program *p, pl__step_sizes *sizes)
{
    const pl_model *model = r->model;
    *sizes = (pl__step_sizes){0};
    emitter m = {.r = r, .k = k, .params = params, .p = p, .s = sizes};
    embeddings em = {0, 1, 2};
    uint32_t first = 3, layers = model->layers;
    embeddings_forward(&m, &em);
    for (uint32_t i = 0; i < layers; i++) {
        layer l = layer_at(&m, first, i);
        layer_stage_forward(&m, &l);
        first += l.count;
    }
    bool embeddings_learn = params->list[0].learns, layers_learn = !r->recipe.head_only;
    head_stage(&m, first, layers, layers_learn);
    for (uint32_t i = layers; i-- > 0;) {
        layer l = layer_at(&m, 0, i);
        uint32_t at = 3;
        for (uint32_t n = 0; n < i; n++)
            at += layer_at(&m, at, n).count;
        l = layer_at(&m, at, i);
        if (!layers_learn || !learns(&m, l.first))
            break;
        layer_stage_backward(&m, &l, embeddings_learn || (i > 0 && i > r->recipe.first_layer));
    }
    if (embeddings_learn)
        embeddings_backward(&m, &em);
}
