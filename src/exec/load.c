/* From the weight files into memory: whole slabs at the start, slot by slot while computing. */
#include "exec/state.h"

#include <assert.h>

static void pack_rows(pl_exec *x, const pl_load *l, char *base, const char *in, uint32_t first, uint32_t rows, uint64_t run)
{
    x->k->pack(&(pl_pack){.out = base + l->to,
        .first_column = l->first_column + first,
        .columns = rows,
        .depth = l->depth,
        .in = in,
        .in_stride = run,
        .type = (pl_dtype)l->type});
}

static void widen_rows(pl_exec *x, const pl_load *l, char *base, const char *in, uint32_t first, uint32_t rows, uint64_t run)
{
    float *out = (float *)(void *)(base + l->to) + (uint64_t)first * l->columns;
    for (uint32_t i = 0; i < rows; i++)
        x->k->widen(out + (uint64_t)i * l->columns, in + i * run, (pl_dtype)l->type, l->depth);
}

static pl_status read_rows(pl_exec *x, const pl_load *l, char *staging, uint32_t first, uint32_t rows, uint64_t run, pl_error *e)
{
    uint64_t offset = l->offset + first * l->row_bytes;
    if (l->row_bytes == run)
        return pl_folder_read(x->folder, l->file, offset, staging, rows * run, e);
    pl_status s = PL_OK;
    for (uint32_t i = 0; i < rows && !s; i++)
        s = pl_folder_read(x->folder, l->file, offset + i * l->row_bytes, staging + i * run, run, e);
    return s;
}

pl_status pl__load_run(pl_exec *x, const pl_load *l, char *base, char *staging, uint64_t staging_bytes, pl_error *e)
{
    enum { PANEL = 32 };
    uint64_t run = l->depth * pl_dtype_bytes((pl_dtype)l->type), chunk = staging_bytes / run;
    assert(chunk > 0);
    if (chunk > PANEL)
        chunk -= chunk % PANEL;
    for (uint32_t first = 0; first < l->rows; first += (uint32_t)chunk) {
        uint32_t rows = (uint32_t)pl_min(chunk, l->rows - first);
        pl_status s = read_rows(x, l, staging, first, rows, run, e);
        if (s)
            return s;
        if (l->kind == PL_LOAD_PACK)
            pack_rows(x, l, base, staging, first, rows, run);
        else
            widen_rows(x, l, base, staging, first, rows, run);
        if (pl__ending(x))
            return pl_fail(e, PL_STOPPED, "stopped while reading weights");
    }
    atomic_fetch_add_explicit(&x->read_bytes, l->rows * run, memory_order_relaxed);
    if (x->drop_behind)
        pl_folder_drop(x->folder, l->file, l->offset, (l->rows - 1) * l->row_bytes + run);
    return PL_OK;
}

static pl_status load_stage(pl_exec *x, const pl_stage *stage, char *slab, char *staging, uint64_t staging_bytes, pl_error *e)
{
    pl_status s = PL_OK;
    for (uint32_t i = 0; i < stage->load_count && !s; i++)
        s = pl__load_run(x, &x->p->loads[stage->first_load + i], slab, staging, staging_bytes, e);
    return s;
}

void pl__load_members(pl_exec *x, unsigned member)
{
    const pl_program *p = x->p;
    char *staging = x->arena + p->thread + member * p->thread_bytes;
    size_t tables = p->load_count - p->first_table_load;
    pl_error e;
    while (!pl__ending(x)) {
        uint64_t i = atomic_fetch_add(&x->next_load, 1);
        if (i >= tables + p->stage_count)
            return;
        pl_status s = PL_OK;
        if (i < tables) {
            s = pl__load_run(x, &p->loads[p->first_table_load + i], x->arena, staging, p->thread_bytes, &e);
        } else {
            const pl_stage *stage = &p->stages[i - tables];
            if (stage->slab_bytes && stage->slab != PL_STREAMED)
                s = load_stage(x, stage, x->arena + stage->slab, staging, p->thread_bytes, &e);
        }
        if (s)
            pl__fail(x, s, &e);
    }
}

void pl__reader_run(pl_exec *x)
{
    const pl_program *p = x->p;
    pl_error e;
    for (size_t i = 0; i < p->stage_count && !pl__ending(x); i++) {
        const pl_stage *stage = &p->stages[i];
        if (!stage->slab_bytes || stage->slab != PL_STREAMED)
            continue;
        uint32_t ordinal = x->ordinal[i], slot = ordinal % p->slot_count;
        if (ordinal >= p->slot_count)
            pl_gate_wait(&x->freed[slot], ordinal - p->slot_count + 1);
        if (pl__ending(x))
            break;
        atomic_store(&x->left[slot], x->tile_count);
        double start = pl_os_seconds();
        pl_status s = load_stage(x, stage, x->arena + p->slots + slot * p->slot_bytes, x->arena + p->staging, p->staging_bytes, &e);
        x->read_seconds += pl_os_seconds() - start;
        if (s) {
            pl__fail(x, s, &e);
            break;
        }
        pl_gate_open(&x->loaded, ordinal + 1);
    }
    if (pl__ending(x))
        pl__gates_release(x);
}
