#include "plan/layout.h"

#include <assert.h>

const char *pl_moment_name(pl_moment moment)
{
    static const char *const names[] = {
#define PL_MOMENT_NAME(name, text) [PL_MOMENT_##name] = text,
        PL_MOMENT_MAP(PL_MOMENT_NAME)
#undef PL_MOMENT_NAME
    };
    return names[moment];
}

uint64_t pl_ledger_at(const pl_ledger *l, unsigned moment)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < l->count; i++)
        if (l->lines[i].from <= moment && moment <= l->lines[i].to)
            sum += l->lines[i].bytes;
    return sum;
}

uint64_t pl_ledger_peak(const pl_ledger *l)
{
    uint64_t most = 0;
    for (unsigned m = 0; m < PL_MOMENT_COUNT; m++)
        most = pl_max(most, pl_ledger_at(l, m));
    return most;
}

uint64_t pl_ledger_outside(const pl_ledger *l, uint64_t resident)
{
    uint64_t counted = 0;
    for (size_t i = 0; i < l->count; i++)
        if (l->lines[i].from == 0 && l->lines[i].to > 0)
            counted += l->lines[i].bytes;
    return resident > counted ? resident - counted : 0;
}

static void add(pl_ledger *l, const char *name, const char *group, uint64_t bytes, unsigned from, unsigned to)
{
    if (bytes)
        l->lines[l->count++] = (pl_ledger_line){name, group, bytes, (uint8_t)from, (uint8_t)to};
}

/* Local values of the groups of one moment; values of one name share a line, its widest. */
static uint64_t add_locals(pl_ledger *l, const pl_plan_request *r, const pl_knobs *k, const pl__layout *layout, pl_moment moment)
{
    const pl_model *m = r->model;
    size_t first = l->count;
    uint64_t most = 0;
    for (uint32_t i = 0; i < r->groups->count; i++) {
        const pl__group *g = &r->groups->groups[i];
        if (g->same_as != i || (unsigned)m->operators[g->first].phase + PL_MOMENT_EMBED != moment)
            continue;
        uint64_t columns = pl__slice_of(r, g, 0).columns;
        uint64_t locals = pl__local_bytes(r, r->groups, i, k->tile_rows, layout->tile_texts);
        uint64_t workspace = pl__workspace_bytes(r, g, columns, k->tile_rows);
        if (locals + workspace <= most)
            continue;
        most = locals + workspace;
        l->count = first;
        for (uint32_t o = 0; o < g->count; o++) {
            pl__local local;
            if (pl__local_of(r, r->groups, i, g->first + o, k->tile_rows, layout->tile_texts, &local))
                add(l, m->values[m->operators[g->first + o].out].name, "activations", r->threads * local.bytes, moment, moment);
        }
        add(l, "kernel workspace", "workspace", r->threads * workspace, moment, moment);
    }
    return most;
}

pl_status pl__ledger_make(const pl_plan_request *r, const pl_knobs *k, const pl__layout *l, pl_region *region, pl_ledger *out, pl_error *e)
{
    enum { FIXED_LINES = 16, LOCAL_LINES = 16 };
    const unsigned last = PL_MOMENT_COUNT - 1;
    size_t room = r->held_count + FIXED_LINES + r->groups->buffer_count + PL_MOMENT_COUNT * LOCAL_LINES;
    *out = (pl_ledger){.lines = pl_region_take(region, room * sizeof *out->lines)};
    if (!out->lines)
        return pl_fail_no_memory(e, room * sizeof *out->lines, "the ledger");
    for (size_t i = 0; i < r->held_count; i++)
        add(out, r->held[i].name, r->held[i].group, r->held[i].bytes, r->held[i].from, r->held[i].to);
    bool streams = pl__streams(r, k);
    add(out, "program of the plan", "program", l->program, PL_MOMENT_OPEN, last);
    add(out, "position and type tables", "weights", l->tables_bytes, PL_MOMENT_LOAD, last);
    add(out, "resident weights", "weights", l->resident_bytes, PL_MOMENT_LOAD, last);
    add(out, "slots of streamed weights", "weights", l->slots_bytes, PL_MOMENT_LOAD, last);
    add(out, "file bytes being packed", "workspace", l->staging_bytes, PL_MOMENT_LOAD, last);
    for (uint32_t b = 0; b < r->groups->buffer_count; b++) {
        const pl__buffer *x = &r->groups->buffers[b];
        bool thread = pl__in_thread(x, streams);
        uint64_t bytes = thread ? r->threads * pl__buffer_bytes(x, k->tile_rows, l->tile_texts) : pl__buffer_bytes(x, k->pass_rows, l->pass_texts);
        add(out, x->result ? "answers" : x->name, x->result ? "answers" : "activations", bytes, PL_MOMENT_LOAD, last);
    }
    /* scratch of the threads by the moment; what a moment leaves of it is touched all the same */
    uint64_t scratch = l->thread_bytes - l->thread_buffers;
    for (unsigned m = PL_MOMENT_EMBED; m <= last; m++) {
        uint64_t used = add_locals(out, r, k, l, (pl_moment)m);
        add(out, "scratch of other moments", "activations", r->threads * (scratch - used), m, m);
    }
    add(out, "scratch of the threads", "workspace", r->threads * scratch, PL_MOMENT_LOAD, PL_MOMENT_LOAD);
    add(out, "texts of the window", "window", l->window, PL_MOMENT_LOAD, last);
    add(out, "threads' stacks", "program", l->team, PL_MOMENT_LOAD, last);
    uint64_t sum = l->tables_bytes + l->resident_bytes + l->slots_bytes + l->staging_bytes + l->buffers_bytes + r->threads * l->thread_bytes + l->window +
        l->team;
    add(out, k->huge ? "rounding to huge pages" : "rounding to pages", "program", l->front + l->back - sum, PL_MOMENT_LOAD, last);
    assert(out->count <= room);
    assert(pl_ledger_peak(out) == l->peak);
    return PL_OK;
}
