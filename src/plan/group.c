#include "plan/group.h"

#include <assert.h>
#include <string.h>

enum { FLOAT = 4, LINE = 64, PAGE = 4096, COLUMN_GRAIN = 32 };

uint64_t pl__stride(uint64_t width, uint64_t element)
{
    uint64_t stride = pl_round_up(width, LINE / element);
    return stride * element % PAGE == 0 ? stride + LINE / element : stride;
}

static uint64_t common_multiple(uint64_t a, uint64_t b)
{
    uint64_t x = a, y = b;
    while (y) {
        uint64_t rest = x % y;
        x = y;
        y = rest;
    }
    return a / x * b;
}

static bool has_weights(const pl_operator *op) { return op->kind == PL_OPERATOR_LINEAR; }

static uint32_t cut_axis(const pl_model *m, uint32_t value)
{
    if (value == PL_NO_VALUE)
        return PL_NO_VALUE;
    uint32_t axis = m->values[value].axis;
    return m->axes[axis].grain ? axis : PL_NO_VALUE;
}

/* The product that closes the axis opened at operator i, or PL_NO_VALUE where it stays open (its
 * value is needed whole, so the axis cannot be cut). */
static uint32_t closer_of(const pl_model *m, uint32_t i, uint32_t axis)
{
    for (uint32_t k = i + 1; k < m->operator_count; k++) {
        const pl_operator *op = &m->operators[k];
        bool takes = cut_axis(m, op->in) == axis, gives = cut_axis(m, op->out) == axis;
        if (takes && !gives)
            return op->kind == PL_OPERATOR_LINEAR ? k : PL_NO_VALUE;
        if (!takes)
            return PL_NO_VALUE;
    }
    return PL_NO_VALUE;
}

static void open_group(const pl_plan_request *r, pl__group *g, uint32_t i)
{
    const pl_model *m = r->model;
    const pl_operator *op = &m->operators[i];
    *g = (pl__group){.first = i, .count = 1, .axis = PL_NO_VALUE, .grain = 1};
    if (!has_weights(op))
        return;
    uint32_t axis = cut_axis(m, op->out), closer = axis == PL_NO_VALUE ? PL_NO_VALUE : closer_of(m, i, axis);
    uint64_t size;
    if (closer != PL_NO_VALUE) {
        g->axis = axis;
        g->count = g->cut = closer - i + 1;
        size = m->axes[axis].size;
        g->grain = common_multiple(m->axes[axis].grain, r->kernels->depth_step);
    } else {
        g->by_columns = true;
        g->cut = 1;
        g->axis = m->values[op->out].axis;
        size = m->axes[g->axis].size;
        g->grain = op->weight[1] ? size : pl_round_up(COLUMN_GRAIN, r->kernels->panel);
    }
    g->grain = pl_max(1, pl_min(g->grain, size));
    g->units = (size + g->grain - 1) / g->grain;
}

static bool same_operator(const pl_model *m, const pl_operator *a, const pl_operator *b)
{
    if (a->kind != b->kind || a->head_width != b->head_width || a->act != b->act)
        return false;
    if ((a->in == PL_NO_VALUE) != (b->in == PL_NO_VALUE) || pl_value_width(m, a->out) != pl_value_width(m, b->out))
        return false;
    for (unsigned i = 0; i < PL_MODEL_PARTS; i++) {
        const pl_tensor_view *x = a->weight[i], *y = b->weight[i];
        if (!x != !y || !a->bias[i] != !b->bias[i] || (x && (x->type != y->type || x->bytes != y->bytes || x->shape[0] != y->shape[0])))
            return false;
        if (a->bias[i] && a->bias[i]->type != b->bias[i]->type)
            return false;
    }
    return a->in == PL_NO_VALUE || pl_value_width(m, a->in) == pl_value_width(m, b->in);
}

static bool same_group(const pl_model *m, const pl__group *a, const pl__group *b)
{
    if (a->count != b->count || a->cut != b->cut || a->by_columns != b->by_columns || a->units != b->units || a->grain != b->grain)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!same_operator(m, &m->operators[a->first + i], &m->operators[b->first + i]))
            return false;
    return true;
}

static void find_groups(const pl_plan_request *r, pl__groups *gs)
{
    const pl_model *m = r->model;
    for (uint32_t i = 0; i < m->operator_count;) {
        pl__group *g = &gs->groups[gs->count];
        open_group(r, g, i);
        i += g->count;
        while (i < m->operator_count && !has_weights(&m->operators[i]) && m->operators[i].phase == m->operators[g->first].phase) {
            g->count++;
            i++;
        }
        g->same_as = gs->count;
        for (uint32_t k = gs->count > 4 ? gs->count - 4 : 0; k < gs->count; k++)
            if (same_group(m, &gs->groups[k], g)) {
                g->same_as = gs->groups[k].same_as;
                break;
            }
        gs->count++;
    }
}

/* First and last group that touch each value. */
typedef struct span {
    uint32_t first, last;
    bool seen;
} span;

static void touch(span *spans, uint32_t value, uint32_t group)
{
    if (value == PL_NO_VALUE)
        return;
    if (!spans[value].seen)
        spans[value] = (span){group, group, true};
    spans[value].last = group;
}

static pl_moment moment_of(const pl_plan_request *r, const pl__groups *gs, uint32_t group)
{
    return (pl_moment)((unsigned)r->model->operators[gs->groups[group].first].phase + PL_MOMENT_EMBED);
}

/* Values that cross groups take buffers in turn: the first free one that is wide enough. */
static void place_values(const pl_plan_request *r, pl__groups *gs, const span *spans)
{
    const pl_model *m = r->model;
    for (uint32_t v = 0; v < m->value_count; v++) {
        gs->buffer_of[v] = PL_NO_VALUE;
        const span *s = &spans[v];
        bool result = v == m->result;
        if (!s->seen || (s->first == s->last && !result))
            continue;
        uint64_t stride = pl__stride(pl_value_width(m, v), FLOAT);
        uint32_t b = 0;
        for (; b < gs->buffer_count; b++) {
            pl__buffer *x = &gs->buffers[b];
            if (!result && !x->result && x->extent == m->values[v].extent && x->stride >= stride && x->free_after < s->first)
                break;
        }
        pl__buffer *x = &gs->buffers[b];
        if (b == gs->buffer_count) {
            gs->buffer_count++;
            *x = (pl__buffer){
                .extent = m->values[v].extent, .stride = stride, .result = result, .name = m->values[v].name, .from = (uint8_t)moment_of(r, gs, s->first)};
        }
        x->free_after = s->last;
        x->to = (uint8_t)pl_max(x->to, result ? PL_MOMENT_HEAD : moment_of(r, gs, s->last));
        x->from = (uint8_t)pl_min(x->from, moment_of(r, gs, s->first));
        gs->buffer_of[v] = b;
    }
}

pl_status pl__groups_make(const pl_plan_request *r, pl_region *region, pl__groups *out, pl_error *e)
{
    const pl_model *m = r->model;
    *out = (pl__groups){0};
    out->groups = pl_region_take(region, m->operator_count * sizeof *out->groups);
    out->buffer_of = pl_region_take(region, m->value_count * sizeof *out->buffer_of);
    out->buffers = pl_region_take(region, m->value_count * sizeof *out->buffers);
    span *spans = pl_region_take(region, m->value_count * sizeof *spans);
    if (!out->groups || !out->buffer_of || !out->buffers || !spans)
        return pl_fail_no_memory(e, m->operator_count * sizeof *out->groups, "groups of operators");
    find_groups(r, out);
    for (uint32_t g = 0; g < out->count; g++)
        for (uint32_t i = 0; i < out->groups[g].count; i++) {
            const pl_operator *op = &m->operators[out->groups[g].first + i];
            touch(spans, op->in, g);
            touch(spans, op->residual, g);
            touch(spans, op->out, g);
        }
    place_values(r, out, spans);
    return PL_OK;
}

pl_status pl_plan_prepare(pl_plan_request *r, pl_region *region, pl_error *e)
{
    r->groups = pl_region_take(region, sizeof *r->groups);
    if (!r->groups)
        return pl_fail_no_memory(e, sizeof *r->groups, "groups of operators");
    return pl__groups_make(r, region, r->groups, e);
}

uint32_t pl__slices(const pl__group *g) { return g->axis == PL_NO_VALUE ? 1 : (uint32_t)((g->units + g->per_slice - 1) / g->per_slice); }

pl__slice pl__slice_of(const pl_plan_request *r, const pl__group *g, uint32_t index)
{
    if (g->axis == PL_NO_VALUE)
        return (pl__slice){0, 0, true, true};
    uint64_t size = r->model->axes[g->axis].size;
    uint64_t begin = index * g->per_slice * g->grain, end = pl_min(size, begin + g->per_slice * g->grain);
    return (pl__slice){begin, end - begin, index == 0, end == size};
}

bool pl__local_of(const pl_plan_request *r, const pl__groups *gs, uint32_t group, uint32_t operator, uint64_t rows, uint64_t texts, pl__local *out)
{
    const pl_model *m = r->model;
    const pl__group *g = &gs->groups[group];
    const pl_operator *op = &m->operators[operator];
    if (op->in == op->out || gs->buffer_of[op->out] != PL_NO_VALUE || (op->kind == PL_OPERATOR_POOL && op->column))
        return false;
    const pl_value *v = &m->values[op->out];
    bool sliced = v->axis == g->axis && !g->by_columns, token_rows = v->extent == PL_EXTENT_ROWS;
    uint64_t width = sliced ? v->parts * pl__slice_of(r, g, 0).columns : pl_value_width(m, op->out);
    out->type = sliced && token_rows ? r->kernels->activation : PL_F32;
    uint64_t element = pl_dtype_bytes(out->type);
    out->stride = pl__stride(width, element);
    out->bytes = pl_round_up(out->stride * element * (token_rows ? rows : texts), LINE);
    return true;
}

uint64_t pl__local_bytes(const pl_plan_request *r, const pl__groups *gs, uint32_t group, uint64_t rows, uint64_t texts)
{
    const pl__group *g = &gs->groups[group];
    pl__local local;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < g->count; i++)
        if (pl__local_of(r, gs, group, g->first + i, rows, texts, &local))
            bytes += local.bytes;
    return bytes;
}

uint64_t pl__workspace_bytes(const pl_plan_request *r, const pl__group *g, uint64_t slice_columns, uint64_t rows)
{
    const pl_model *m = r->model;
    uint64_t most = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        const pl_operator *op = &m->operators[g->first + i];
        if (op->kind == PL_OPERATOR_LINEAR) {
            bool closes = !g->by_columns && m->values[op->in].axis == g->axis;
            uint64_t depth = closes ? slice_columns : pl_value_width(m, op->in);
            most = pl_max(most, r->kernels->gemm_workspace(rows, depth));
        } else if (op->kind == PL_OPERATOR_ATTENTION) {
            most = pl_max(most, r->kernels->attention_workspace(r->longest, op->head_width));
        } else if (op->kind == PL_OPERATOR_GATHER && op->weight[0]->type != PL_F32) {
            most = pl_max(most, op->weight[0]->shape[1] * pl_dtype_bytes(op->weight[0]->type)); /* a row before it is widened */
        }
    }
    return pl_round_up(most, LINE);
}
