#include "train/emitter.h"

#include <assert.h>
#include <string.h>

enum { PL__PAGE_BYTES = 4096 };

uint64_t pl__train_stride(uint64_t width)
{
    uint64_t stride = pl_round_up(width, PL__LINE / PL__FLOAT);
    return stride * PL__FLOAT % PL__PAGE_BYTES == 0 ? stride + PL__LINE / PL__FLOAT : stride;
}

/* ---- scratch of a micro-batch: first fit, freed by hand where a value was last used ---- */

static uint64_t rows_bytes(const pl__emitter *m, uint64_t stride, bool texts)
{
    return pl_round_up(stride * PL__FLOAT * (texts ? pl__micro_texts(m->r, m->k) : m->k->micro_rows), PL__LINE);
}

pl__ref pl__e_take(pl__emitter *m, uint64_t width, bool texts)
{
    uint64_t stride = pl__train_stride(width), bytes = rows_bytes(m, stride, texts);
    for (size_t i = 0; i < m->hole_count; i++) {
        pl__hole *h = &m->holes[i];
        if (h->bytes < bytes)
            continue;
        pl__ref ref = {m->p->l.micro + h->at, (uint32_t)stride, PL__PLACE_MICRO};
        m->s->micro = pl_max(m->s->micro, h->at + bytes);
        h->at += bytes;
        h->bytes -= bytes;
        return ref;
    }
    assert(false && "scratch has a last pl__hole without end");
    return (pl__ref){0};
}

static void insert_hole(pl__emitter *m, size_t at, pl__hole h)
{
    assert(m->hole_count < PL__MOST_FREE);
    memmove(&m->holes[at + 1], &m->holes[at], (m->hole_count - at) * sizeof *m->holes);
    m->holes[at] = h;
    m->hole_count++;
}

void pl__e_give(pl__emitter *m, pl__ref *ref, bool texts)
{
    if (ref->place != PL__PLACE_MICRO)
        return;
    uint64_t at = ref->offset - m->p->l.micro, bytes = rows_bytes(m, ref->stride, texts);
    *ref = (pl__ref){0};
    size_t i = 0;
    while (i < m->hole_count && m->holes[i].at < at)
        i++;
    insert_hole(m, i, (pl__hole){at, bytes});
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

void pl__e_begin_stage(pl__emitter *m, pl__stage_kind kind, uint32_t layer)
{
    m->stage = m->p->stages ? &m->p->stages[m->s->stages] : &m->counted;
    *m->stage = (pl__step_stage){.kind = (uint8_t)kind,
        .layer = layer,
        .first_op = (uint32_t)m->s->ops,
        .first_fetch = (uint32_t)m->s->fetches,
        .first_yield = (uint32_t)m->s->yields,
        .input = PL_NO_VALUE,
        .output = PL_NO_VALUE};
    m->holes[0] = (pl__hole){0, UINT64_MAX / 2};
    m->hole_count = 1;
    m->slab_at = m->slot_at = m->shard_at = 0;
    m->backward = kind != PL__FORWARD;
}

void pl__e_end_stage(pl__emitter *m)
{
    pl__step_stage *t = m->stage;
    t->op_count = (uint32_t)m->s->ops - t->first_op;
    t->fetch_count = (uint32_t)m->s->fetches - t->first_fetch;
    t->yield_count = (uint32_t)m->s->yields - t->first_yield;
    m->s->slab = pl_max(m->s->slab, m->slab_at);
    m->s->slot = pl_max(m->s->slot, m->slot_at);
    m->s->shard = pl_max(m->s->shard, m->shard_at);
    m->s->stages++;
}

void pl__e_emit(pl__emitter *m, pl__step_op op)
{
    if (m->p->ops)
        m->p->ops[m->s->ops] = op;
    m->s->ops++;
}

void pl__e_workspace(pl__emitter *m, size_t bytes) { m->s->workspace = pl_max(m->s->workspace, pl_round_up(bytes, PL__LINE)); }

pl__ref pl__e_fixed(uint64_t offset, uint64_t stride) { return (pl__ref){offset, (uint32_t)stride, PL__PLACE_FIXED}; }

uint64_t pl__e_in_slab(pl__emitter *m, uint64_t bytes)
{
    uint64_t at = m->slab_at;
    m->slab_at += pl_round_up(bytes, PL__LINE);
    return m->p->l.slab + at;
}

void pl__e_fetch(pl__emitter *m, pl__fetch f)
{
    if (m->p->fetches)
        m->p->fetches[m->s->fetches] = f;
    m->s->fetches++;
}

/* ---- parameters of an operator ---- */

const pl_parameter *pl__e_parameter(const pl__emitter *m, uint32_t operator, unsigned index)
{
    return &m->params->list[m->params->of_operator[operator] + index];
}

bool pl__e_learns(const pl__emitter *m, uint32_t operator) { return pl__e_parameter(m, operator, 0)->learns; }

/* Where the gradient of parameters [index, index + count) of an operator is summed: in the store, or
 * in the stage's slot. They stand one behind the other. */
pl__ref pl__e_gradient_of(pl__emitter *m, uint32_t operator, unsigned index, unsigned count, uint64_t stride)
{
    const pl_parameter *p = pl__e_parameter(m, operator, index);
    uint64_t elements = 0, at;
    for (unsigned i = 0; i < count; i++)
        elements += p[i].count;
    if (m->k->spill_gradients) {
        at = m->p->l.slot + m->slot_at;
        m->slot_at += pl_round_up(elements * PL__FLOAT, PL__LINE);
    } else {
        at = m->p->l.gradients + (p->first - m->params->gradient_first) * PL__FLOAT;
    }
    m->shard_at += pl__shard_bytes(elements);
    if (m->p->yields)
        m->p->yields[m->s->yields] = (pl__yield){.first = p->first, .count = elements, .at = at};
    m->s->yields++;
    return pl__e_fixed(at, stride);
}

pl__ref pl__e_word_gradients(pl__emitter *m, uint64_t width)
{
    uint64_t elements = pl__most_words(m->r) * width, at = m->p->l.word_gradients;
    if (m->k->spill_gradients) { /* no stage comes behind that would need the slot before the update */
        at = m->p->l.slot + m->slot_at;
        m->slot_at += pl_round_up(elements * PL__FLOAT, PL__LINE);
    }
    m->p->word_gradients = at;
    m->shard_at += pl__shard_bytes(elements);
    if (m->p->yields)
        m->p->yields[m->s->yields] = (pl__yield){.first = m->params->list[0].first, .count = elements, .at = at, .words = true};
    m->s->yields++;
    return pl__e_fixed(at, width);
}

pl__packed pl__e_fetch_linear(pl__emitter *m, uint32_t operator, bool forward, bool back)
{
    const pl_model *model = m->r->model;
    const pl_operator *op = &model->operators[operator];
    uint64_t in = pl_value_width(model, op->in), out = pl_value_width(model, op->out);
    uint32_t parts = model->values[op->out].parts;
    pl__packed p = {UINT64_MAX, UINT64_MAX};
    if (forward)
        p.forward = pl__e_in_slab(m, m->r->kernels->packed_bytes(out, in));
    if (back)
        p.back = pl__e_in_slab(m, m->r->kernels->packed_bytes(in, out));
    for (unsigned i = 0; i < parts && (forward || back); i++)
        pl__e_fetch(m,
            (pl__fetch){.from = pl__e_parameter(m, operator, i)->first,
                .rows = (uint32_t)(out / parts),
                .columns = (uint32_t)in,
                .first_row = (uint32_t)(i * out / parts),
                .all_rows = (uint32_t)out,
                .pack = p.forward,
                .pack_rows = p.back,
                .copy = UINT64_MAX,
                .goes_with_last = i > 0});
    return p;
}

pl__ref pl__e_fetch_vectors(pl__emitter *m, uint32_t operator, unsigned index, unsigned count)
{
    const pl_parameter *p = pl__e_parameter(m, operator, index);
    uint64_t elements = 0;
    for (unsigned i = 0; i < count; i++)
        elements += p[i].count;
    uint64_t at = pl__e_in_slab(m, elements * PL__FLOAT);
    pl__e_fetch(
        m, (pl__fetch){.from = p->first, .rows = 1, .columns = (uint32_t)elements, .all_rows = 1, .pack = UINT64_MAX, .pack_rows = UINT64_MAX, .copy = at});
    return pl__e_fixed(at, elements);
}

unsigned pl__e_bias_index(const pl__emitter *m, uint32_t operator) {return m->r->model->values[m->r->model->operators[operator].out].parts; }
bool pl__e_has_bias(const pl__emitter *m, uint32_t operator) {return m->r->model->operators[operator].bias[0] != NULL; }

/* ---- values of the layer at hand ---- */

pl__ref *pl__e_place(pl__emitter *m, uint32_t value)
{
    assert(value >= m->first_value && value - m->first_value < PL_COUNT(m->value));
    return &m->value[value - m->first_value];
}
pl__ref *pl__e_gradient(pl__emitter *m, uint32_t value) { return &m->gradient[value - m->first_value]; }
bool pl__e_is_texts(const pl__emitter *m, uint32_t value) { return m->r->model->values[value].extent == PL_EXTENT_TEXTS; }

/* A value that backward needs and that goes through the spill file in between. */
static pl__ref needed_passing(pl__emitter *m, uint64_t stride)
{
    uint64_t at = m->passing_at;
    pl__kept_group group = pl__group_of(m->k, m->layer_index);
    assert(m->passing_count < PL__PASSING);
    m->p->passing[group].strides[m->passing_count++] = (uint32_t)stride;
    m->p->passing[group].count = (uint32_t)pl_max(m->p->passing[group].count, m->passing_count);
    m->passing_at += rows_bytes(m, stride, false);
    m->passing_row += stride * PL__FLOAT;
    m->s->passing = pl_max(m->s->passing, m->passing_at);
    m->s->passing_row[group] = pl_max(m->s->passing_row[group], m->passing_row);
    return (pl__ref){m->p->l.passing + at, (uint32_t)stride, PL__PLACE_PASSING};
}

/* A value that backward needs: kept for the whole batch, or in the scratch of the micro-batch. */
pl__ref pl__e_needed(pl__emitter *m, uint64_t width)
{
    if (!m->kept)
        return pl__e_take(m, width, false);
    uint64_t stride = pl__train_stride(width), at = m->kept_at;
    pl__kept_group group = pl__group_of(m->k, m->layer_index);
    uint32_t first = group == PL__KEPT_WHOLE ? m->k->passing_layers : m->k->kept_layers; /* layer whose values stay in memory */
    if (pl__passes(m->k, m->layer_index))
        return needed_passing(m, stride);
    m->kept_at += pl_round_up(stride * PL__FLOAT * m->r->batch_rows, PL__LINE);
    m->s->kept[group] = pl_max(m->s->kept[group], m->kept_at);
    return (pl__ref){m->p->l.kept[group] + (m->layer_index - first) * m->p->l.kept_bytes[group] + at, (uint32_t)stride, PL__PLACE_BATCH};
}

pl__ref pl__e_batch_input(const pl__emitter *m, uint32_t index)
{
    uint64_t number = m->k->spill_inputs ? index % 2 : index;
    uint64_t width = pl_value_width(m->r->model, m->r->model->operators[0].out);
    return (pl__ref){
        m->p->l.inputs + number * m->p->l.passing_bytes, (uint32_t)pl__train_stride(width), m->k->spill_inputs ? PL__PLACE_PASSING : PL__PLACE_BATCH};
}

pl__ref pl__e_hidden_gradient(const pl__emitter *m)
{
    uint64_t width = pl_value_width(m->r->model, m->r->model->operators[0].out);
    return (pl__ref){m->p->l.hidden_gradient, (uint32_t)pl__train_stride(width), m->k->spill_inputs ? PL__PLACE_PASSING : PL__PLACE_BATCH};
}

/* ---- the whole step ---- */

static pl__layer layer_at(const pl__emitter *m, uint32_t first, uint32_t index)
{
    const pl_model *model = m->r->model;
    pl__layer l = {.first = first, .index = index};
    while (
        first + l.count < model->operator_count && model->operators[first + l.count].phase != PL_PHASE_HEAD && model->operators[first + l.count].layer == index)
        l.count++;
    assert(l.count <= PL_COUNT(l.trace) && model->operators[first + l.count - 1].kind == PL_OPERATOR_NORM);
    return l;
}

void pl__step_emit(const pl_step_request *r, const pl_step_knobs *k, const pl__parameters *params, pl__step_program *p, pl__step_sizes *sizes)
{
    const pl_model *model = r->model;
    *sizes = (pl__step_sizes){0};
    pl__emitter m = {.r = r, .k = k, .params = params, .p = p, .s = sizes};
    pl__embeddings em = {0, 1, 2};
    uint32_t first = 3, layers = model->layers;
    pl__e_embeddings_forward(&m, &em);
    for (uint32_t i = 0; i < layers; i++) {
        pl__layer l = layer_at(&m, first, i);
        pl__e_layer_stage_forward(&m, &l);
        first += l.count;
    }
    bool embeddings_learn = params->list[0].learns, layers_learn = !r->recipe.head_only;
    pl__e_head_stage(&m, first, layers, layers_learn);
    for (uint32_t i = layers; i-- > 0;) {
        uint32_t at = 3;
        for (uint32_t n = 0; n < i; n++)
            at += layer_at(&m, at, n).count;
        pl__layer l = layer_at(&m, at, i);
        if (!layers_learn || !pl__e_learns(&m, l.first))
            break;
        pl__e_layer_stage_backward(&m, &l, embeddings_learn || (i > 0 && i > r->recipe.first_layer));
    }
    if (embeddings_learn)
        pl__e_embeddings_backward(&m, &em);
}
