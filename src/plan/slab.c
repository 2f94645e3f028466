/* Where the weights of a slice stand in its slab: one walk that measures and emits. */
#include "plan/slab.h"

enum { FLOAT = 4, LINE = 64 };

typedef struct walk {
    const pl_plan_request *r;
    pl__slab_size size;
    pl__load_sink *sink; /* NULL: measured only */
} walk;

static void add(walk *w, pl_load load)
{
    uint64_t elements = pl_dtype_bytes((pl_dtype)load.type);
    uint64_t run = load.depth * elements;
    w->size.file_bytes += run * load.rows;
    w->size.calls += load.row_bytes == run ? 1 : load.rows;
    w->size.loads++;
    w->size.longest_run = pl_max(w->size.longest_run, run);
    if (w->sink)
        pl__load_add(w->sink, load);
}

/* A vector, or the part of it along the cut axis. Returns its place in the slab. */
static uint64_t vector(walk *w, const pl_tensor_view *t, uint64_t begin, uint64_t count, uint64_t to)
{
    uint64_t element = pl_dtype_bytes(t->type);
    add(w,
        (pl_load){.kind = PL_LOAD_WIDEN,
            .type = (uint8_t)t->type,
            .file = (uint16_t)t->file,
            .rows = 1,
            .depth = (uint32_t)count,
            .columns = (uint32_t)count,
            .offset = t->offset + begin * element,
            .row_bytes = count * element,
            .to = to});
    return to + count * FLOAT;
}

/* Rows [row, row + rows) and depth [column, column + depth) of a weight into a packed weight. */
static void pack(
    walk *w, const pl_tensor_view *t, uint64_t row, uint64_t rows, uint64_t column, uint64_t depth, uint64_t first_column, uint64_t columns, uint64_t to)
{
    uint64_t element = pl_dtype_bytes(t->type), width = t->shape[1];
    add(w,
        (pl_load){.kind = PL_LOAD_PACK,
            .type = (uint8_t)t->type,
            .file = (uint16_t)t->file,
            .rows = (uint32_t)rows,
            .depth = (uint32_t)depth,
            .first_column = (uint32_t)first_column,
            .columns = (uint32_t)columns,
            .offset = t->offset + (row * width + column) * element,
            .row_bytes = width * element,
            .to = to});
}

static uint64_t linear(walk *w, const pl__group *g, const pl_operator *op, pl__slice slice, uint64_t at, pl__placed *placed)
{
    const pl_model *m = w->r->model;
    bool opens = m->values[op->out].axis == g->axis, closes = !g->by_columns && m->values[op->in].axis == g->axis;
    uint32_t parts = m->values[op->out].parts;
    uint64_t depth = closes ? slice.columns : pl_value_width(m, op->in);
    uint64_t columns = opens ? slice.columns : m->axes[m->values[op->out].axis].size, first = opens ? slice.begin : 0;
    placed->weight = at;
    for (uint32_t i = 0; i < parts; i++)
        pack(w, op->weight[i], first, columns, closes ? slice.begin : 0, depth, i * columns, parts * columns, at);
    at += pl_round_up(w->r->kernels->packed_bytes(parts * columns, depth), LINE);
    placed->bias = UINT64_MAX;
    if (op->bias[0] && (!closes || slice.last)) {
        placed->bias = at;
        for (uint32_t i = 0; i < parts; i++)
            at = vector(w, op->bias[i], first, columns, at);
        at = pl_round_up(at, LINE);
    }
    return at;
}

static uint64_t walk_slice(walk *w, const pl__group *g, pl__slice slice, pl__placed *placed)
{
    const pl_model *m = w->r->model;
    uint64_t at = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        const pl_operator *op = &m->operators[g->first + i];
        pl__placed where = {UINT64_MAX, UINT64_MAX};
        if (op->kind == PL_OPERATOR_LINEAR) {
            at = linear(w, g, op, slice, at, &where);
        } else if (op->kind == PL_OPERATOR_NORM && slice.last) {
            uint64_t width = pl_value_width(m, op->out);
            where.weight = at;
            at = pl_round_up(vector(w, op->weight[0], 0, width, at), LINE);
            where.bias = at;
            at = pl_round_up(vector(w, op->weight[1], 0, width, at), LINE);
        }
        if (placed)
            placed[i] = where;
    }
    return at;
}

pl__slab_size pl__slab_measure(const pl_plan_request *r, const pl__group *g, pl__slice slice)
{
    walk w = {.r = r};
    w.size.bytes = walk_slice(&w, g, slice, NULL);
    return w.size;
}

uint64_t pl__slab_emit(const pl_plan_request *r, const pl__group *g, pl__slice slice, pl__placed *placed, pl__load_sink *sink)
{
    walk w = {.r = r, .sink = sink};
    return walk_slice(&w, g, slice, placed);
}
