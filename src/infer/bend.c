/* Going on with less, or with more again: the same texts, the same bits, another plan. */
#include "infer/infer.h"

#include <string.h>

enum { PAGE = 4096, LOOK_SLACK = 64 << 10 };

/* Tables for the finest program, a copy of the groups, scratch and the watch's files. */
uint64_t pl__bend_bytes(const pl_plan_request *r)
{
    return pl_round_up(pl_plan_most_tables(r), PAGE) + LOOK_SLACK;
}

/* The window stays as it is mapped, so it bounds what may follow. */
static void bound_request(pl_session *s)
{
    const pl_plan *p = s->plan;
    pl_plan_request *r = &s->request;
    r->window_fixed = p->sizes.window;
    r->window_row = r->window_text = 0;
    r->most_pass_rows = p->knobs.pass_rows;
    r->most_walk = p->sizes.walk;
    r->most_program = s->tables_bytes;
}

pl_status pl__bend_prepare(pl_session *s, pl_error *e)
{
    const pl_plan *p = s->plan;
    const pl_memory *memory = pl_memory_system();
    pl_region_init(&s->region, memory);
    s->request = p->request;
    s->tables_bytes = pl_round_up(pl_plan_most_tables(&p->request), PAGE);
    s->tables = memory->take(memory->self, s->tables_bytes);
    pl_status st = pl_plan_prepare(&s->request, &s->region, e);
    s->scratch = pl_region_take(&s->region, pl_plan_scratch(&s->request));
    size_t watch_bytes = pl_os_watch_bytes(&s->view);
    void *watch = pl_region_take(&s->region, watch_bytes);
    if (st)
        return st;
    if (!s->tables || !s->scratch || !watch)
        return pl_fail_no_memory(e, s->tables_bytes, "room to plan again");
    s->watch = pl_os_watch_open(&s->view, watch, watch_bytes);
    bound_request(s);
    pl_plan_found found;
    pl_plan_search(&s->request, &found);
    s->floor = pl_min(found.floor.peak, p->peak);
    pl_governor_init(&s->governor, p->limit, s->floor);
    atomic_store(&s->limit, p->limit);
    atomic_store(&s->peak, p->peak);
    return PL_OK;
}

void pl__bend_end(pl_session *s)
{
    if (s->watch)
        pl_os_watch_close(s->watch);
    if (s->tables)
        pl_memory_system()->give(pl_memory_system()->self, s->tables, s->tables_bytes);
    pl_region_free(&s->region);
}

uint64_t pl_session_floor(const pl_session *s) { return s->floor; }

pl_status pl_shrink(pl_session *s, uint64_t bytes)
{
    if (bytes && bytes < s->floor)
        return PL_NO_FIT;
    atomic_store(&s->asked, bytes + 1);
    pl_exec_stop(s->exec);
    return PL_OK;
}

bool pl__bend_wanted(pl_session *s)
{
    uint64_t asked = atomic_exchange(&s->asked, 0);
    if (asked)
        pl_governor_ask(&s->governor, asked - 1);
    return s->governor.limit != atomic_load(&s->limit);
}

void pl__bend_look(pl_session *s)
{
    pl_pressure pressure;
    pl_process_memory own;
    pl_os_watch_read(s->watch, &pressure);
    if (!pl_os_process_memory(&s->view, 0, &own))
        return;
    uint64_t limit = pl_governor_look(&s->governor, &pressure, own.resident, atomic_load(&s->peak), pl_os_seconds());
    if (limit != atomic_load(&s->limit))
        pl_exec_stop(s->exec);
}

static bool same_knobs(const pl_knobs *a, const pl_knobs *b)
{
    return a->slab == b->slab && a->resident == b->resident && a->slots == b->slots && a->tile_rows == b->tile_rows && a->pass_rows == b->pass_rows && a->huge == b->huge;
}

/* The plan it began with, where the limit allows it, else the best within the limit. */
static bool choose(pl_session *s, pl_choice *out)
{
    pl_plan_found found;
    s->request.limit = s->governor.limit;
    if (s->plan->peak <= s->request.limit) {
        *out = (pl_choice){s->plan->knobs, s->plan->peak, 0};
        return true;
    }
    pl_plan_search(&s->request, &found);
    *out = found.best;
    return found.fits;
}

pl_status pl__bend(pl_session *s, pl_error *e)
{
    const pl_plan *p = s->plan;
    pl_choice choice;
    uint64_t limit = s->governor.limit;
    bool fits = choose(s, &choice);
    atomic_store(&s->limit, limit);
    if (!fits || (s->loaded && same_knobs(&choice.knobs, &s->knobs)))
        return PL_OK; /* below the floor nothing can be given back; the same plan is in force already */
    pl_os_release(s->back, s->back_bytes);
    if (same_knobs(&choice.knobs, &p->knobs)) {
        s->program = p->program;
    } else {
        pl_status st = pl_plan_compile(&s->request, &choice.knobs, s->tables, s->scratch, &s->program, NULL, NULL, e);
        if (st)
            return st;
    }
    s->knobs = choice.knobs;
    char *arena = pl__arena_of(s, s->knobs.huge);
    pl_os_advise_huge(s->back, s->back_bytes / PAGE * PAGE, s->knobs.huge);
    pl_exec_make(&s->program, p->request.kernels, p->reading.folder, s->team, s->exec_memory, arena, &s->exec);
    pl_exec_drop_behind(s->exec, s->drop_behind);
    pl_promise_change(s->promise, choice.peak);
    atomic_store(&s->peak, choice.peak);
    atomic_fetch_add(&s->bends, 1);
    s->loaded = false;
    pl_status st = pl_exec_load(s->exec, e);
    s->loaded = st == PL_OK;
    return st;
}
