/* One operation over one tile, or a member's share of it. */
#include "exec/state.h"

#include <assert.h>

typedef struct place {
    const pl_exec *x;
    const pl__tile *tile;
    const char *slab;
    char *scratch;
} place;

static void *at(const place *p, pl_operand o)
{
    uint64_t row_bytes = (uint64_t)o.stride * sizeof(float);
    switch ((pl_space)o.space) {
    case PL_SPACE_FIXED: return p->x->arena + o.offset;
    case PL_SPACE_SLAB: return (char *)(uintptr_t)p->slab + o.offset;
    case PL_SPACE_ROWS: return p->x->arena + o.offset + p->tile->first_row * row_bytes;
    case PL_SPACE_TEXTS: return p->x->arena + o.offset + p->tile->first_text * row_bytes;
    case PL_SPACE_THREAD: return p->scratch + o.offset;
    case PL_SPACE_NONE:
    case PL_SPACE_COUNT: break;
    }
    return NULL;
}

/* [first, last) of `units` for a share; shares differ by at most one unit. */
static void cut(uint64_t units, pl__share share, size_t *first, size_t *last)
{
    *first = (size_t)(units * share.member / share.of);
    *last = (size_t)(units * (share.member + 1) / share.of);
}

static void gather(pl_exec *x, const pl_op *op, const place *p, size_t first, size_t last, void *workspace)
{
    const pl_word_table *words = &x->p->words;
    float *rows = at(p, op->a);
    pl_error e;
    for (size_t i = first; i < last; i++) {
        float *row = rows + i * op->a.stride;
        uint64_t offset = words->offset + x->pass->ids[p->tile->first_row + i] * words->row_bytes;
        void *into = words->type == PL_F32 ? (void *)row : workspace;
        pl_status s = pl_folder_read(x->folder, words->file, offset, into, words->row_bytes, &e);
        if (s) {
            pl__fail(x, s, &e);
            return;
        }
        if (into != row)
            x->k->widen(row, into, (pl_dtype)words->type, words->width);
    }
    atomic_fetch_add_explicit(&x->read_bytes, (last - first) * words->row_bytes, memory_order_relaxed);
}

void pl__op_run(pl_exec *x, const pl_op *op, const pl__tile *tile, const char *slab, uint32_t scratch_member, uint32_t workspace_member, pl__share share)
{
    const pl_kernels *k = x->k;
    const pl_program *program = x->p;
    char *threads = x->arena + program->thread;
    place p = {x, tile, slab, threads + scratch_member * program->thread_bytes};
    void *workspace = threads + workspace_member * program->thread_bytes + program->workspace;
    size_t rows = tile->last_row - tile->first_row, texts = tile->last_text - tile->first_text;
    size_t units = op->texts ? texts : rows, first, last;
    const uint32_t *starts = tile->starts;
    switch ((pl_opcode)op->code) {
    case PL_CODE_GATHER:
        cut(rows, share, &first, &last);
        gather(x, op, &p, first, last, workspace);
        return;
    case PL_CODE_EMBED_SUM:
        cut(rows, share, &first, &last);
        k->embed_sum(&(pl_embed_sum){.width = op->columns,
                         .x = at(&p, op->a),
                         .stride = op->a.stride,
                         .position = at(&p, op->b),
                         .positions = x->pass->positions + tile->first_row,
                         .type = at(&p, op->c),
                         .types = op->c.space == PL_SPACE_NONE ? NULL : x->pass->types + tile->first_row},
            first, last);
        return;
    case PL_CODE_NORM:
        cut(units, share, &first, &last);
        k->norm(&(pl_norm){.width = op->columns,
                    .x = at(&p, op->a),
                    .x_stride = op->a.stride,
                    .y = at(&p, op->a),
                    .y_stride = op->a.stride,
                    .gain = at(&p, op->b),
                    .shift = at(&p, op->c),
                    .eps = op->scalar},
            first, last);
        return;
    case PL_CODE_GEMM:
        cut((op->columns + k->panel - 1) / k->panel, share, &first, &last);
        k->gemm(&(pl_gemm){.rows = units,
                    .columns = op->columns,
                    .depth = op->depth,
                    .a = at(&p, op->b),
                    .a_stride = op->b.stride,
                    .b = at(&p, op->c),
                    .c = at(&p, op->a),
                    .c_stride = op->a.stride,
                    .bias = at(&p, op->d),
                    .residual = at(&p, op->e),
                    .residual_stride = op->e.stride,
                    .act = (pl_act)op->act,
                    .go_on = op->go_on,
                    .last = op->last,
                    .a_type = (pl_dtype)op->b.type,
                    .c_type = (pl_dtype)op->a.type},
            workspace, first, last);
        return;
    case PL_CODE_ATTENTION: {
        size_t heads = op->columns / op->depth;
        cut(texts * heads, share, &first, &last);
        k->attention(&(pl_attention){.texts = texts,
                         .heads = heads,
                         .head_width = op->depth,
                         .starts = starts,
                         .q = at(&p, op->b),
                         .k = at(&p, op->c),
                         .v = at(&p, op->d),
                         .stride = op->b.stride,
                         .out = at(&p, op->a),
                         .out_stride = op->a.stride,
                         .scale = op->scalar,
                         .in_type = (pl_dtype)op->b.type,
                         .out_type = (pl_dtype)op->a.type},
            workspace, first, last);
        return;
    }
    case PL_CODE_POOL:
        cut(texts, share, &first, &last);
        k->pool(&(pl_pool){.mode = (pl_pooling)op->pooling,
                    .width = op->columns,
                    .starts = starts,
                    .x = at(&p, op->b),
                    .x_stride = op->b.stride,
                    .y = at(&p, op->a),
                    .y_stride = op->a.stride},
            first, last);
        return;
    case PL_CODE_UNIT_LENGTH:
        cut(units, share, &first, &last);
        k->unit_length(at(&p, op->a), op->a.stride, op->columns, first, last);
        return;
    case PL_OPCODE_COUNT: break;
    }
    assert(false && "an opcode of the table");
}
