#include "plan/layout.h"

#include <string.h>

enum { FLOAT = 4, LINE = 64, PAGE = 4096, HUGE_PAGE = 2 << 20, STAGING_ROWS = 16, STAGING_MOST = 256 << 10, ROWS_PER_TEXT = 8 };

static uint64_t slab_bytes(const pl_plan_request *r, pl__group *g, uint64_t per_slice)
{
    g->per_slice = per_slice;
    uint32_t n = pl__slices(g);
    uint64_t last = pl__slab_measure(r, g, pl__slice_of(r, g, n - 1)).bytes;
    return n == 1 ? last : pl_max(last, pl__slab_measure(r, g, pl__slice_of(r, g, 0)).bytes);
}

/* The most units a slice may have within `slab` bytes; 0 if one unit is too large. */
static uint64_t units_within(const pl_plan_request *r, pl__group *g, uint64_t slab)
{
    if (g->axis == PL_NO_VALUE)
        return slab_bytes(r, g, 1) <= slab;
    uint64_t low = 0, high = g->units;
    if (slab_bytes(r, g, high) <= slab)
        return high;
    while (high - low > 1) {
        uint64_t middle = (low + high) / 2;
        if (slab_bytes(r, g, middle) <= slab)
            low = middle;
        else
            high = middle;
    }
    /* as few slices, evenly */
    return low ? (g->units + (g->units + low - 1) / low - 1) / ((g->units + low - 1) / low) : 0;
}

uint64_t pl__slab_least(const pl_plan_request *r)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < r->groups->count; i++)
        if (r->groups->groups[i].same_as == i)
            most = pl_max(most, slab_bytes(r, &r->groups->groups[i], 1));
    return most;
}

uint64_t pl__slab_most(const pl_plan_request *r)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < r->groups->count; i++)
        if (r->groups->groups[i].same_as == i)
            most = pl_max(most, slab_bytes(r, &r->groups->groups[i], r->groups->groups[i].units ? r->groups->groups[i].units : 1));
    return most;
}

typedef struct group_size {
    uint64_t bytes, largest, file, calls, loads, run, slices, reload, flops;
} group_size;

static void measure_group(const pl_plan_request *r, const pl__group *g, group_size *out)
{
    const pl_model *m = r->model;
    *out = (group_size){.slices = pl__slices(g)};
    for (uint32_t i = 0; i < out->slices; i++) {
        if (i == 1 && out->slices > 2) { /* slices between the first and the last are alike */
            uint64_t middle = out->slices - 2;
            pl__slab_size s = pl__slab_measure(r, g, pl__slice_of(r, g, 1));
            out->bytes += middle * pl_round_up(s.bytes, LINE);
            out->file += middle * s.file_bytes;
            out->calls += middle * s.calls;
            out->loads += middle * s.loads;
            i = (uint32_t)out->slices - 1;
        }
        pl__slab_size s = pl__slab_measure(r, g, pl__slice_of(r, g, i));
        out->bytes += pl_round_up(s.bytes, LINE);
        out->largest = pl_max(out->largest, s.bytes);
        out->file += s.file_bytes;
        out->calls += s.calls;
        out->loads += s.loads;
        out->run = pl_max(out->run, s.longest_run);
    }
    for (uint32_t i = 0; i < g->count; i++) {
        const pl_operator *op = &m->operators[g->first + i];
        if (op->kind != PL_OPERATOR_LINEAR || m->values[op->out].extent != PL_EXTENT_ROWS)
            continue;
        out->flops += 2 * pl_value_width(m, op->in) * pl_value_width(m, op->out);
        if (!g->by_columns && m->values[op->in].axis == g->axis)
            out->reload += (out->slices - 1) * pl_value_width(m, op->out);
    }
}

static uint64_t table_count(const pl_plan_request *r)
{
    uint64_t count = 0;
    for (size_t i = 0; i < r->model->operator_count; i++)
        if (r->model->operators[i].kind == PL_OPERATOR_EMBED_SUM)
            count += r->model->operators[i].weight[1] ? 2 : 1;
    return count;
}

void pl__cut_make(const pl_plan_request *r, uint64_t slab, uint32_t resident, pl__cut *out)
{
    *out = (pl__cut){.possible = true, .loads = table_count(r)};
    group_size size = {0};
    for (uint32_t i = 0; i < r->groups->count; i++) {
        pl__group *g = &r->groups->groups[i];
        const pl__group *like = &r->groups->groups[g->same_as];
        g->per_slice = g->same_as == i ? units_within(r, g, slab) : like->per_slice;
        if (g->per_slice == 0) {
            out->possible = false;
            return;
        }
        measure_group(r, g, &size);
        out->stages += size.slices;
        out->ops += size.slices * g->cut + g->count - g->cut;
        out->loads += size.loads;
        out->run = pl_max(out->run, size.run);
        out->reload_columns += size.reload;
        out->row_flops += size.flops;
        out->weight_bytes += size.bytes;
        if (i < resident) {
            out->resident += size.bytes;
        } else if (size.largest) {
            out->slot = pl_max(out->slot, pl_round_up(size.largest, LINE));
            out->streamed_file += size.file;
            out->streamed_calls += size.calls;
        }
    }
}

uint32_t pl__texts_of(uint32_t rows) { return (uint32_t)pl_max(1, rows / ROWS_PER_TEXT); }
bool pl__streams(const pl_plan_request *r, const pl_knobs *k) { return k->resident < r->groups->count; }

uint64_t pl__buffer_bytes(const pl__buffer *b, uint64_t rows, uint64_t texts)
{
    return pl_round_up(b->stride * FLOAT * (b->extent == PL_EXTENT_ROWS ? rows : texts), LINE);
}

static uint64_t table_bytes(const pl_plan_request *r)
{
    const pl_model *m = r->model;
    uint64_t bytes = 0;
    for (size_t i = 0; i < m->operator_count; i++) {
        const pl_operator *op = &m->operators[i];
        if (op->kind != PL_OPERATOR_EMBED_SUM)
            continue;
        uint64_t row = pl_value_width(m, op->out) * FLOAT;
        if (op->weight[0])
            bytes += pl_round_up(pl_min(m->positions.table, r->longest + m->positions.first) * row, LINE);
        if (op->weight[1])
            bytes += pl_round_up(m->types * row, LINE);
    }
    return bytes;
}

uint64_t pl__tables_bytes(const pl__cut *cut)
{
    return pl_round_up(cut->ops * sizeof(pl_op) + cut->loads * sizeof(pl_load) + cut->stages * sizeof(pl_stage) + 3 * LINE, PAGE);
}

void pl__layout_make(const pl_plan_request *r, const pl__cut *cut, const pl_knobs *k, pl__layout *out)
{
    const pl__groups *gs = r->groups;
    bool streams = pl__streams(r, k);
    *out = (pl__layout){.tile_texts = pl__texts_of(k->tile_rows), .pass_texts = pl__texts_of(k->pass_rows)};
    uint64_t at = 0;
    out->tables_bytes = table_bytes(r);
    at = out->resident = at + out->tables_bytes;
    out->resident_bytes = cut->resident;
    at = out->slots = at + out->resident_bytes;
    out->slots_bytes = streams ? k->slots * cut->slot : 0;
    at = out->staging = at + out->slots_bytes;
    uint64_t staging = pl_round_up(pl_max(STAGING_ROWS * cut->run, pl_min(4 * STAGING_ROWS * cut->run, STAGING_MOST)), PAGE);
    out->staging_bytes = streams ? staging : 0;
    at = out->buffers = at + out->staging_bytes;
    for (uint32_t b = 0; b < gs->buffer_count; b++)
        if (pl__in_thread(&gs->buffers[b], streams))
            out->thread_buffers += pl__buffer_bytes(&gs->buffers[b], k->tile_rows, out->tile_texts);
        else
            out->buffers_bytes += pl__buffer_bytes(&gs->buffers[b], k->pass_rows, out->pass_texts);
    at = out->thread = at + out->buffers_bytes;

    for (uint32_t i = 0; i < gs->count; i++) {
        const pl__group *g = &gs->groups[i];
        if (g->same_as != i)
            continue;
        uint64_t columns = pl__slice_of(r, g, 0).columns;
        out->local_most = pl_max(out->local_most, pl__local_bytes(r, gs, i, k->tile_rows, out->tile_texts));
        out->workspace_bytes = pl_max(out->workspace_bytes, pl__workspace_bytes(r, g, columns, k->tile_rows));
    }
    out->workspace = out->thread_buffers + out->local_most;
    out->thread_bytes = pl_round_up(pl_max(out->workspace + out->workspace_bytes, k->resident ? staging : 0), LINE);
    at += r->threads * out->thread_bytes;
    out->arena = at;
    uint32_t tile_room = pl_program_tiles(k->pass_rows, k->tile_rows, out->pass_texts, out->tile_texts, r->threads);
    out->program = pl__tables_bytes(cut);
    out->walk = pl_round_up(pl_program_walk_bytes(tile_room, out->pass_texts, cut->stages, k->slots, r->threads), LINE);
    out->window = pl_round_up(r->window_fixed + r->window_row * k->pass_rows + r->window_text * out->pass_texts + out->walk, PAGE);
    out->team = r->team;
    out->front = pl_round_up(out->window + out->team, PAGE);
    out->back = pl_round_up(out->arena, k->huge ? HUGE_PAGE : PAGE);
    /* the widest moment of what is held beside; what is mapped is touched from loading on */
    for (unsigned moment = 0; moment < PL_MOMENT_COUNT; moment++) {
        uint64_t sum = out->program + (moment >= PL_MOMENT_LOAD ? out->front + out->back : 0);
        for (size_t i = 0; i < r->held_count; i++)
            if (r->held[i].from <= moment && moment <= r->held[i].to)
                sum += r->held[i].bytes;
        out->peak = pl_max(out->peak, sum);
    }
}
