/* One operation of a step over one micro-batch: a member's share of its outputs. */
#include "train/loss.h"
#include "train/state.h"

#include <assert.h>
#include <math.h>
#include <string.h>

typedef struct place {
    const pl_step *s;
    const pl__micro *micro;
    bool texts;
} place;

static void *at(const place *p, pl__ref r)
{
    switch ((pl__place)r.place) {
    case PL__PLACE_NONE: return NULL;
    case PL__PLACE_BATCH: return p->s->arena + r.offset + (uint64_t)(p->texts ? p->micro->first_text : p->micro->first_row) * r.stride * sizeof(float);
    case PL__PLACE_MICRO:
    case PL__PLACE_PASSING:
    case PL__PLACE_FIXED: break;
    }
    return p->s->arena + r.offset;
}

typedef struct range {
    size_t first, last;
} range;

/* A member's share of `units`, in multiples of `grain` but for the end. */
static range share(const pl_step *s, unsigned member, size_t units, size_t grain)
{
    size_t blocks = (units + grain - 1) / grain, of = s->request.threads;
    return (range){pl_min(units, blocks * member / of * grain), pl_min(units, blocks * (member + 1) / of * grain)};
}

static pl_dropout dropout_of(const pl_step *s, const pl__step_op *op, const pl__micro *micro, const uint64_t *keys)
{
    (void)s;
    double p = op->drop;
    return (pl_dropout){.row_keys = keys + (op->texts ? 0 : micro->first_row),
        .site = op->site,
        .threshold = (uint32_t)(p * 4294967296.0 + 0.5),
        .scale = (float)(1.0 / (1.0 - p))};
}

static void gather(pl_step *s, const pl__step_op *op, const place *p, range rows)
{
    float *out = at(p, op->a);
    pl_error e;
    for (size_t i = rows.first; i < rows.last; i++) {
        uint64_t word = s->program.words + (uint64_t)s->batch->ids[p->micro->first_row + i] * op->columns;
        pl_status st = pl__store_get(&s->store, PL__WEIGHTS, word, op->columns, out + i * op->a.stride, &e);
        if (st) {
            pl__step_fail(s, st, &e);
            return;
        }
    }
}

static void activate_rows(const pl_step *s, const pl__step_op *op, const place *p, range rows)
{
    float *out = at(p, op->a);
    const float *in = at(p, op->b);
    for (size_t i = rows.first; i < rows.last; i++) {
        memcpy(out + i * op->a.stride, in + i * op->b.stride, op->columns * sizeof(float));
        s->request.kernels->activate((pl_act)op->act, out + i * op->a.stride, op->columns);
    }
}

static pl_attention_train attention_of(const pl_step *s, const pl__step_op *op, const place *p, const pl_dropout *dropout)
{
    size_t width = op->columns;
    const float *qkv = at(p, op->b);
    return (pl_attention_train){
        .f = {.texts = p->micro->last_text - p->micro->first_text,
            .heads = width / op->depth,
            .head_width = op->depth,
            .starts = p->micro->starts,
            .q = qkv,
            .k = qkv + width,
            .v = qkv + 2 * width,
            .stride = op->b.stride,
            .scale = op->scalar},
        .dropout = op->drop > 0 && !s->eval ? dropout : NULL,
    };
}

static void run_attention(const pl_step *s, const pl__step_op *op, const place *p, unsigned member, bool back, const pl_dropout *dropout)
{
    pl_attention_train a = attention_of(s, op, p, dropout);
    range units = share(s, member, a.f.texts * a.f.heads, 1);
    if (back) {
        a.dout = at(p, op->c);
        a.dout_stride = op->c.stride;
        a.dq = at(p, op->a);
        a.dk = a.dq + op->columns;
        a.dv = a.dk + op->columns;
        a.dqkv_stride = op->a.stride;
        s->request.train->attention_backward(&a, pl__workspace(s, member), units.first, units.last);
        return;
    }
    a.f.out = at(p, op->a);
    a.f.out_stride = op->a.stride;
    if (a.dropout)
        s->request.train->attention_forward(&a, pl__workspace(s, member), units.first, units.last);
    else
        s->request.kernels->attention(&a.f, pl__workspace(s, member), units.first, units.last);
}

/* Where texts begin in a chain over the operation's rows. */
static pl_row_texts texts_of(const place *p)
{
    size_t texts = p->micro->last_text - p->micro->first_text;
    return (pl_row_texts){texts, p->texts ? NULL : p->micro->starts};
}

/* Panels of the packed right side stand one behind the other: a member packs its own. Two by two,
 * as a single one of bf16 may end within a line, where packed_bytes would round up. */
static void pack_share(const pl_step *s, const pl__step_op *op, const place *p, size_t rows, range columns)
{
    if (columns.first == columns.last)
        return;
    const pl_kernels *k = s->request.kernels;
    char *out = at(p, op->a);
    const float *in = at(p, op->b);
    pl_row_texts texts = texts_of(p);
    size_t depth = pl_padded_rows(&texts, rows, s->request.train->row_step);
    s->request.train->pack_rows(&(pl_pack_rows){.out = out + k->packed_bytes(columns.first, depth),
        .columns = columns.last - columns.first,
        .depth = rows,
        .rows = rows,
        .in = in + columns.first,
        .in_stride = op->b.stride,
        .texts = &texts});
}

static void pool_back(const pl__step_op *op, const place *p, range texts)
{
    float *rows = at(&(place){p->s, p->micro, false}, op->a);
    const float *in = at(&(place){p->s, p->micro, true}, op->b);
    for (size_t t = texts.first; t < texts.last; t++) {
        size_t first = p->micro->starts[t], last = p->micro->starts[t + 1];
        for (size_t i = first; i < last; i++)
            memset(rows + i * op->a.stride, 0, op->columns * sizeof(float));
        if (last > first)
            memcpy(rows + first * op->a.stride, in + t * op->b.stride, op->columns * sizeof(float));
    }
}

/* Gradient of the loss by the logits, already divided by the texts that count in the whole batch. */
static void loss(pl_step *s, const pl__step_op *op, const place *p)
{
    const pl__micro *m = p->micro;
    float *out = at(p, op->a);
    const float *in = at(p, op->b);
    uint32_t bad;
    for (uint32_t t = m->first_text; t < m->last_text; t++) {
        size_t i = t - m->first_text;
        s->loss += pl__loss_text(&s->request.recipe, in + i * op->b.stride, s->batch->targets, t, s->valid_texts, out + i * op->a.stride, &bad);
        if (bad && s->bad_text == UINT32_MAX)
            s->bad_text = t;
    }
}

static pl_norm_train norm_of(const pl__step_op *op, const place *p, size_t rows)
{
    return (pl_norm_train){
        .f = {.width = op->columns, .x = at(p, op->d), .x_stride = op->d.stride, .residual = at(p, op->e), .residual_stride = op->e.stride, .eps = op->scalar},
        .dy = at(p, op->c),
        .dy_stride = op->c.stride,
        .stats = at(p, op->f),
        .rows = rows};
}

static void gemm(pl_step *s, const pl__step_op *op, const place *p, size_t rows, range panels, unsigned member)
{
    s->request.kernels->gemm(&(pl_gemm){.rows = rows,
                                 .columns = op->columns,
                                 .depth = op->depth,
                                 .a = at(p, op->b),
                                 .a_stride = op->b.stride,
                                 .b = at(p, op->c),
                                 .c = at(p, op->a),
                                 .c_stride = op->a.stride,
                                 .bias = at(p, op->d),
                                 .residual = at(p, op->e),
                                 .residual_stride = op->e.stride,
                                 .act = (pl_act)op->act,
                                 .last = true},
        pl__workspace(s, member), panels.first, panels.last);
}

static void scatter(const pl_step *s, const pl__step_op *op, const place *p, size_t rows, const uint32_t *index, unsigned member)
{
    enum { GRAIN = 16 };
    range c = share(s, member, op->columns, GRAIN);
    s->request.train->scatter_add(
        &(pl_scatter){.rows = rows, .x = at(p, op->b), .stride = op->b.stride, .index = index, .table = at(p, op->a), .table_stride = op->columns}, c.first,
        c.last);
}

/* Types are bytes: their few rows are summed here, column range by column range. */
static void scatter_types(const pl_step *s, const pl__step_op *op, const place *p, size_t rows, unsigned member)
{
    uint32_t index[256];
    range c = share(s, member, op->columns, 16);
    const float *x = at(p, op->b);
    for (size_t first = 0; first < rows; first += PL_COUNT(index)) {
        size_t n = pl_min(PL_COUNT(index), rows - first);
        for (size_t i = 0; i < n; i++)
            index[i] = s->batch->types[p->micro->first_row + first + i];
        s->request.train->scatter_add(
            &(pl_scatter){.rows = n, .x = x + first * op->b.stride, .stride = op->b.stride, .index = index, .table = at(p, op->a), .table_stride = op->columns},
            c.first, c.last);
    }
}

static void run_back(pl_step *s, const pl__step_op *op, const place *p, size_t units, bool first, unsigned member)
{
    enum { GRAIN = 16 };
    const pl_train_kernels *k = s->request.train;
    range rows = share(s, member, units, 1), columns = share(s, member, op->columns, GRAIN);
    size_t panel = s->request.kernels->panel;
    switch ((pl__step_code)op->code) {
    case PL__STEP_PACK_ROWS: pack_share(s, op, p, units, share(s, member, op->columns, 2 * panel)); return;
    case PL__STEP_GEMM_ROWS: {
        range panels = share(s, member, (op->columns + panel - 1) / panel, 1);
        pl_row_texts texts = texts_of(p);
        k->gemm_tn(&(pl_gemm){.rows = op->depth,
                       .columns = op->columns,
                       .depth = units,
                       .a = at(p, op->b),
                       .a_stride = op->b.stride,
                       .b = at(p, op->c),
                       .c = at(p, op->a),
                       .c_stride = op->columns,
                       .go_on = !first,
                       .last = true},
            &texts, pl__workspace(s, member), panels.first, panels.last);
        return;
    }
    case PL__STEP_COLUMN_SUM:
        k->column_sum(
            &(pl_column_sum){.rows = units, .x = at(p, op->b), .stride = op->b.stride, .sum = at(p, op->a), .go_on = !first}, columns.first, columns.last);
        return;
    case PL__STEP_ACT_BACK:
        k->act_backward(&(pl_act_train){.act = (pl_act)op->act,
                            .width = op->columns,
                            .x = at(p, op->c),
                            .dy = at(p, op->b),
                            .dx = at(p, op->a),
                            .x_stride = op->c.stride,
                            .dy_stride = op->b.stride,
                            .dx_stride = op->a.stride},
            rows.first, rows.last);
        return;
    case PL__STEP_NORM_BACK: {
        pl_norm_train n = norm_of(op, p, units);
        n.f.gain = at(p, op->b);
        n.dx = at(p, op->a);
        n.dx_stride = op->a.stride;
        k->norm_backward(&n, rows.first, rows.last);
        return;
    }
    case PL__STEP_NORM_GAINS: {
        pl_norm_train n = norm_of(op, p, units);
        n.dgain = at(p, op->a);
        n.dshift = at(p, op->b);
        n.go_on = !first;
        k->norm_gains(&n, columns.first, columns.last);
        return;
    }
    case PL__STEP_POOL_BACK: pool_back(op, p, share(s, member, p->micro->last_text - p->micro->first_text, 1)); return;
    case PL__STEP_SCATTER_WORDS: scatter(s, op, p, units, s->words.places + p->micro->first_row, member); return;
    case PL__STEP_SCATTER_POSITIONS: scatter(s, op, p, units, s->batch->positions + p->micro->first_row, member); return;
    case PL__STEP_SCATTER_TYPES: scatter_types(s, op, p, units, member); return;
    default: assert(false && "an opcode of backward");
    }
}

void pl__step_op_run(pl_step *s, const pl__step_op *op, const pl__micro *micro, bool first, unsigned member)
{
    place p = {s, micro, op->texts};
    size_t units = op->texts ? micro->last_text - micro->first_text : micro->last_row - micro->first_row;
    range rows = share(s, member, units, 1);
    const pl_kernels *k = s->request.kernels;
    pl_dropout d = {0};
    if (op->drop > 0)
        d = dropout_of(s, op, micro, op->texts ? s->keys + s->request.batch_rows + micro->first_text : s->keys);
    switch ((pl__step_code)op->code) {
    case PL__STEP_GATHER: gather(s, op, &p, rows); return;
    case PL__STEP_EMBED_SUM:
        k->embed_sum(&(pl_embed_sum){.width = op->columns,
                         .x = at(&p, op->a),
                         .stride = op->a.stride,
                         .position = at(&p, op->b),
                         .positions = s->batch->positions + micro->first_row,
                         .type = at(&p, op->c),
                         .types = op->c.place ? s->batch->types + micro->first_row : NULL},
            rows.first, rows.last);
        return;
    case PL__STEP_NORM:
        k->norm(&(pl_norm){.width = op->columns,
                    .x = at(&p, op->d),
                    .x_stride = op->d.stride,
                    .residual = at(&p, op->e),
                    .residual_stride = op->e.stride,
                    .y = at(&p, op->a),
                    .y_stride = op->a.stride,
                    .gain = at(&p, op->b),
                    .shift = at(&p, op->c),
                    .eps = op->scalar},
            rows.first, rows.last);
        return;
    case PL__STEP_GEMM: gemm(s, op, &p, units, share(s, member, (op->columns + k->panel - 1) / k->panel, 1), member); return;
    case PL__STEP_ACTIVATE: activate_rows(s, op, &p, rows); return;
    case PL__STEP_DROPOUT:
        if (s->eval)
            return; /* forward drops in place */
        s->request.train->dropout(
            &(pl_dropout_rows){.d = d, .width = op->columns, .x = at(&p, op->b), .y = at(&p, op->a), .x_stride = op->b.stride, .y_stride = op->a.stride},
            rows.first, rows.last);
        return;
    case PL__STEP_ATTENTION:
    case PL__STEP_ATTENTION_BACK: run_attention(s, op, &p, member, op->code == PL__STEP_ATTENTION_BACK, &d); return;
    case PL__STEP_POOL: {
        range texts = share(s, member, units, 1);
        k->pool(&(pl_pool){.mode = PL_POOL_CLS,
                    .width = op->columns,
                    .starts = micro->starts,
                    .x = at(&(place){s, micro, false}, op->b),
                    .x_stride = op->b.stride,
                    .y = at(&p, op->a),
                    .y_stride = op->a.stride},
            texts.first, texts.last);
        return;
    }
    case PL__STEP_LOSS:
        if (member == 0)
            loss(s, op, &p);
        return;
    default: run_back(s, op, &p, units, first, member);
    }
}
