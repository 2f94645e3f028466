/* Knobs -> program and ledger. */
#include "plan/layout.h"

#include <assert.h>

enum { FLOAT = 4, LINE = 64 };

typedef struct compiler {
    const pl_plan_request *r;
    const pl_knobs *knobs;
    pl__layout l;
    pl_program *p;
    pl__load_sink loads;
    size_t op_count, stage_count; /* so far; arrays are NULL in the counting round */
    pl_operand *locals;           /* [values] of the group at hand, in the member's scratch */
    uint64_t *buffer_offset;      /* [buffers] */
    pl__placed *placed;           /* [operators of a group] */
    uint64_t resident_at;
    uint64_t position_table, type_table;
} compiler;

static void place_buffers(compiler *c)
{
    const pl__groups *gs = c->r->groups;
    bool streams = pl__streams(c->r, c->knobs);
    uint64_t shared = c->l.buffers, own = 0;
    for (uint32_t b = 0; b < gs->buffer_count; b++) {
        const pl__buffer *x = &gs->buffers[b];
        uint64_t *at = pl__in_thread(x, streams) ? &own : &shared;
        c->buffer_offset[b] = *at;
        *at += pl__in_thread(x, streams) ? pl__buffer_bytes(x, c->knobs->tile_rows, c->l.tile_texts)
                                         : pl__buffer_bytes(x, c->knobs->pass_rows, c->l.pass_texts);
    }
    assert(own == c->l.thread_buffers && shared == c->l.buffers + c->l.buffers_bytes);
}

/* Values that live within their group stand one behind the other. */
static void place_locals(compiler *c, uint32_t group)
{
    const pl__group *g = &c->r->groups->groups[group];
    uint64_t at = c->l.thread_buffers;
    pl__local local;
    for (uint32_t i = 0; i < g->count; i++) {
        if (!pl__local_of(c->r, c->r->groups, group, g->first + i, c->knobs->tile_rows, c->l.tile_texts, &local))
            continue;
        c->locals[c->r->model->operators[g->first + i].out] = (pl_operand){
            .offset = at, .stride = (uint32_t)local.stride, .space = PL_SPACE_THREAD, .type = (uint8_t)local.type};
        at += local.bytes;
    }
    assert(at <= c->l.workspace);
}

static pl_operand operand(const compiler *c, uint32_t value, uint64_t column)
{
    const pl__groups *gs = c->r->groups;
    uint32_t b = gs->buffer_of[value];
    if (b == PL_NO_VALUE) {
        pl_operand local = c->locals[value];
        local.offset += column * pl_dtype_bytes((pl_dtype)local.type);
        return local;
    }
    bool thread = pl__in_thread(&gs->buffers[b], pl__streams(c->r, c->knobs));
    pl_space space = thread ? PL_SPACE_THREAD : c->r->model->values[value].extent == PL_EXTENT_ROWS ? PL_SPACE_ROWS : PL_SPACE_TEXTS;
    return (pl_operand){.offset = c->buffer_offset[b] + column * FLOAT, .stride = (uint32_t)gs->buffers[b].stride, .space = (uint8_t)space, .type = PL_F32};
}

static pl_operand in_slab(uint64_t offset) { return offset == UINT64_MAX ? (pl_operand){0} : (pl_operand){.offset = offset, .space = PL_SPACE_SLAB}; }

static void emit(compiler *c, pl_op op)
{
    if (c->p->ops)
        c->p->ops[c->op_count] = op;
    c->op_count++;
}

static void emit_linear(compiler *c, const pl__group *g, const pl_operator *o, const pl__placed *placed, pl__slice slice)
{
    const pl_model *m = c->r->model;
    bool opens = m->values[o->out].axis == g->axis, closes = !g->by_columns && m->values[o->in].axis == g->axis;
    uint64_t column = g->by_columns ? slice.begin : 0;
    pl_op op = {.code = PL_CODE_GEMM, .act = (uint8_t)o->act, .texts = m->values[o->out].extent == PL_EXTENT_TEXTS};
    op.columns = (uint32_t)(m->values[o->out].parts * (opens ? slice.columns : m->axes[m->values[o->out].axis].size));
    op.depth = (uint32_t)(closes ? slice.columns : pl_value_width(m, o->in));
    op.go_on = closes && !slice.first;
    op.last = !closes || slice.last;
    op.a = operand(c, o->out, column);
    op.b = operand(c, o->in, 0);
    op.c = in_slab(placed->weight);
    op.d = in_slab(placed->bias);
    if (op.last && o->residual != PL_NO_VALUE)
        op.e = operand(c, o->residual, column);
    emit(c, op);
}

static void emit_operator(compiler *c, const pl__group *g, const pl_operator *o, const pl__placed *placed, pl__slice slice)
{
    const pl_model *m = c->r->model;
    uint32_t width = (uint32_t)pl_value_width(m, o->out);
    pl_op op = {.columns = width, .scalar = o->scalar, .texts = m->values[o->out].extent == PL_EXTENT_TEXTS};
    switch (o->kind) {
    case PL_OPERATOR_LINEAR: emit_linear(c, g, o, placed, slice); return;
    case PL_OPERATOR_GATHER:
        op.code = PL_CODE_GATHER;
        op.a = operand(c, o->out, 0);
        c->p->words = (pl_word_table){o->weight[0]->offset, width * pl_dtype_bytes(o->weight[0]->type), o->weight[0]->file, o->weight[0]->type, width};
        break;
    case PL_OPERATOR_EMBED_SUM:
        op.code = PL_CODE_EMBED_SUM;
        op.a = operand(c, o->out, 0);
        op.b = (pl_operand){.offset = c->position_table, .space = PL_SPACE_FIXED, .stride = width};
        if (o->weight[1])
            op.c = (pl_operand){.offset = c->type_table, .space = PL_SPACE_FIXED, .stride = width};
        break;
    case PL_OPERATOR_NORM:
        op.code = PL_CODE_NORM;
        op.a = operand(c, o->out, 0);
        op.b = in_slab(placed->weight);
        op.c = in_slab(placed->bias);
        break;
    case PL_OPERATOR_ATTENTION:
        op.code = PL_CODE_ATTENTION;
        op.columns = (uint32_t)slice.columns;
        op.depth = o->head_width;
        op.a = operand(c, o->out, 0);
        op.b = operand(c, o->in, 0);
        op.c = operand(c, o->in, slice.columns);
        op.d = operand(c, o->in, 2 * slice.columns);
        break;
    case PL_OPERATOR_POOL:
        op.code = PL_CODE_POOL;
        op.pooling = (uint8_t)o->pooling;
        op.columns = (uint32_t)pl_value_width(m, o->in);
        op.a = operand(c, o->out, o->column);
        op.b = operand(c, o->in, 0);
        break;
    case PL_OPERATOR_UNIT_LENGTH:
        op.code = PL_CODE_UNIT_LENGTH;
        op.a = operand(c, o->out, 0);
        break;
    }
    emit(c, op);
}

static void emit_stage(compiler *c, uint32_t group, uint32_t index)
{
    const pl__group *g = &c->r->groups->groups[group];
    const pl_operator *ops = &c->r->model->operators[g->first];
    pl__slice slice = pl__slice_of(c->r, g, index);
    pl_stage stage = {.first_op = (uint32_t)c->op_count,
        .first_load = (uint32_t)c->loads.count,
        .layer = (uint16_t)ops->layer,
        .phase = (uint8_t)ops->phase,
        .slab = PL_STREAMED};
    stage.slab_bytes = pl__slab_emit(c->r, g, slice, c->placed, &c->loads);
    bool cut = g->axis != PL_NO_VALUE;
    for (uint32_t i = 0; i < g->count; i++)
        if (cut && i < g->cut ? true : slice.last)
            emit_operator(c, g, &ops[i], &c->placed[i], slice);
    if (group < c->knobs->resident && stage.slab_bytes) {
        stage.slab = c->resident_at;
        c->resident_at += pl_round_up(stage.slab_bytes, LINE);
    }
    stage.op_count = (uint32_t)c->op_count - stage.first_op;
    stage.load_count = (uint32_t)c->loads.count - stage.first_load;
    if (c->p->stages)
        c->p->stages[c->stage_count] = stage;
    c->stage_count++;
}

static void emit_table(compiler *c, const pl_tensor_view *t, uint64_t rows, uint64_t *at)
{
    uint64_t width = t->shape[1], element = pl_dtype_bytes(t->type);
    pl__load_add(&c->loads,
        (pl_load){.kind = PL_LOAD_WIDEN,
            .type = (uint8_t)t->type,
            .file = (uint16_t)t->file,
            .rows = (uint32_t)rows,
            .depth = (uint32_t)width,
            .columns = (uint32_t)width,
            .offset = t->offset,
            .row_bytes = width * element,
            .to = *at});
    *at += pl_round_up(rows * width * FLOAT, LINE);
}

static void emit_tables(compiler *c)
{
    const pl_model *m = c->r->model;
    uint64_t at = c->l.tables;
    c->p->first_table_load = c->loads.count;
    for (size_t i = 0; i < m->operator_count; i++) {
        const pl_operator *op = &m->operators[i];
        if (op->kind != PL_OPERATOR_EMBED_SUM)
            continue;
        c->position_table = at;
        emit_table(c, op->weight[0], pl_min(m->positions.table, c->r->longest + m->positions.first), &at);
        c->type_table = at;
        if (op->weight[1])
            emit_table(c, op->weight[1], m->types, &at);
    }
    assert(at == c->l.tables + c->l.tables_bytes);
}

/* Once to count, once to write; tables first find their places, so both rounds see them. */
static void emit_all(compiler *c)
{
    c->op_count = c->stage_count = c->loads.count = 0;
    c->resident_at = c->l.resident;
    emit_tables(c);
    c->loads.count = 0;
    for (uint32_t g = 0; g < c->r->groups->count; g++) {
        place_locals(c, g);
        for (uint32_t i = 0; i < pl__slices(&c->r->groups->groups[g]); i++)
            emit_stage(c, g, i);
    }
    emit_tables(c);
    assert(c->resident_at == c->l.resident + c->l.resident_bytes);
}

static void take_tables(compiler *c, void *tables)
{
    pl_program *p = c->p;
    emit_all(c);
    p->op_count = c->op_count;
    p->load_count = c->loads.count;
    p->stage_count = c->stage_count;
    char *at = tables;
    p->stages = (pl_stage *)(void *)at;
    at += pl_round_up(p->stage_count * sizeof *p->stages, LINE);
    p->ops = (pl_op *)(void *)at;
    at += pl_round_up(p->op_count * sizeof *p->ops, LINE);
    p->loads = c->loads.loads = (pl_load *)(void *)at;
    assert((size_t)(at - (char *)tables) + p->load_count * sizeof *p->loads <= c->l.program);
}

static void fill_program(compiler *c, const pl__cut *cut)
{
    pl_program *p = c->p;
    const pl__layout *l = &c->l;
    const pl_knobs *k = c->knobs;
    p->arena_bytes = l->arena;
    p->huge = k->huge;
    p->slots = l->slots;
    p->slot_bytes = cut->slot;
    p->slot_count = pl__streams(c->r, k) ? k->slots : 0;
    p->thread = l->thread;
    p->thread_bytes = l->thread_bytes;
    p->workspace = l->workspace;
    p->staging = l->staging;
    p->staging_bytes = l->staging_bytes;
    p->result = operand(c, c->r->model->result, 0);
    p->result_width = c->r->model->width;
    p->threads = c->r->threads;
    p->tile_rows = k->tile_rows;
    p->tile_texts = l->tile_texts;
    p->pass_rows = k->pass_rows;
    p->pass_texts = l->pass_texts;
}

static uint32_t longest_group(const pl_plan_request *r)
{
    uint32_t most = 0;
    for (uint32_t g = 0; g < r->groups->count; g++)
        most = (uint32_t)pl_max(most, r->groups->groups[g].count);
    return most;
}

size_t pl_plan_scratch(const pl_plan_request *r)
{
    return r->model->value_count * sizeof(pl_operand) + r->groups->buffer_count * sizeof(uint64_t) + longest_group(r) * sizeof(pl__placed);
}

void pl_plan_sizes_of(const pl_plan_request *r, const pl_knobs *knobs, pl_plan_sizes *out)
{
    pl__cut cut;
    pl__layout l;
    pl__cut_make(r, knobs->slab, knobs->resident, &cut);
    pl__layout_make(r, &cut, knobs, &l);
    *out = (pl_plan_sizes){l.front, l.window, l.walk, l.team, l.back, l.program};
}

pl_status pl_plan_compile(
    const pl_plan_request *r, const pl_knobs *knobs, void *tables, void *scratch, pl_program *program, pl_region *region, pl_ledger *ledger, pl_error *e)
{
    pl__cut cut;
    pl__cut_make(r, knobs->slab, knobs->resident, &cut);
    assert(cut.possible);
    *program = (pl_program){0};
    compiler c = {.r = r, .knobs = knobs, .p = program, .locals = scratch};
    c.buffer_offset = (uint64_t *)(void *)(c.locals + r->model->value_count);
    c.placed = (pl__placed *)(void *)(c.buffer_offset + r->groups->buffer_count);
    pl__layout_make(r, &cut, knobs, &c.l);
    place_buffers(&c);
    take_tables(&c, tables);
    emit_all(&c);
    assert(c.op_count == program->op_count && c.loads.count == program->load_count && c.stage_count == program->stage_count);
    fill_program(&c, &cut);
    return ledger ? pl__ledger_make(r, knobs, &c.l, region, ledger, e) : PL_OK;
}

uint64_t pl_program_streamed_bytes(const pl_program *p)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < p->stage_count; i++)
        for (uint32_t k = 0; p->stages[i].slab == PL_STREAMED && k < p->stages[i].load_count; k++) {
            const pl_load *l = &p->loads[p->stages[i].first_load + k];
            bytes += (uint64_t)l->rows * l->depth * pl_dtype_bytes((pl_dtype)l->type);
        }
    return bytes;
}
