/* Going on with less, or with more again: the same texts, the same bits, another plan. */
#include "infer/infer.h"

#include <string.h>

enum { PAGE = 4096 };

/* The window stays as it is mapped, so it bounds what may follow. A program made since stands behind
 * its arena, in what the first arena had; the first program stays. */
static void bound_request(pl_session *s)
{
    const pl_plan *p = s->plan;
    pl_plan_request *r = &s->request;
    memcpy(s->held, p->held, sizeof p->held);
    s->held[r->held_count++] = (pl_ledger_line){"program it began with", "program", p->sizes.program, PL_MOMENT_OPEN, PL_MOMENT_COUNT - 1};
    r->held = s->held;
    r->window_fixed = p->sizes.window;
    r->window_row = r->window_text = 0;
    r->most_pass_rows = p->knobs.pass_rows;
    r->most_walk = p->sizes.walk;
    r->most_back = s->back_bytes;
}

pl_status pl__bend_prepare(pl_session *s, pl_error *e)
{
    const pl_plan *p = s->plan;
    pl_region_init(&s->region, pl_memory_system());
    s->request = p->request;
    pl_status st = pl_plan_prepare(&s->request, &s->region, e);
    if (st)
        return st;
    s->scratch = pl_region_take(&s->region, pl_plan_scratch(&s->request));
    size_t watch_bytes = pl_os_watch_bytes(&s->view);
    void *watch = pl_region_take(&s->region, watch_bytes);
    if (!s->scratch || !watch)
        return pl_fail_no_memory(e, watch_bytes, "room to plan again");
    pl_region_touch(&s->region); /* it is wanted when there is little left */
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

/* `peak`: what the plan in force may touch, or the one that would follow. */
static void look(pl_session *s, uint64_t peak)
{
    pl_pressure pressure;
    pl_process_memory own;
    if (!pl_os_process_memory(&s->view, 0, &own)) /* first: what is touched meanwhile counts as taken, not as left */
        return;
    pl_os_watch_read(s->watch, &pressure);
    uint64_t held = own.resident > s->foreign ? own.resident - s->foreign : 0;
    pl_governor_look(&s->governor, &pressure, pl_min(held, peak), peak, pl_os_seconds());
}

bool pl__bend_wanted(pl_session *s)
{
    uint64_t asked = atomic_exchange(&s->asked, 0);
    if (asked) {
        pl_governor_ask(&s->governor, asked - 1);
        look(s, pl_min(s->governor.limit, s->plan->peak)); /* what was asked for need not be there */
    }
    return s->governor.limit != atomic_load(&s->limit);
}

void pl__bend_look(pl_session *s)
{
    look(s, atomic_load(&s->peak));
    if (s->governor.limit != atomic_load(&s->limit))
        pl_exec_stop(s->exec);
}

static bool same_knobs(const pl_knobs *a, const pl_knobs *b)
{
    return a->slab == b->slab && a->resident == b->resident && a->slots == b->slots && a->tile_rows == b->tile_rows && a->pass_rows == b->pass_rows &&
        a->huge == b->huge;
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

/* Gives all of the arena back, then has huge pages where the next plan counts them, and nowhere else: the
 * first touch behind them (a program made since) would take a whole one that no ledger has. */
static char *clear_arena(pl_session *s, uint64_t bytes, bool huge)
{
    pl_os_release(s->back, s->back_bytes);
    pl_os_advise_huge(s->back, s->back_bytes / PAGE * PAGE, false);
    char *arena = pl__arena_of(s, huge);
    if (huge)
        pl_os_advise_huge(arena, bytes / PAGE * PAGE, true);
    return arena;
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
    bool began = same_knobs(&choice.knobs, &p->knobs);
    pl_plan_sizes sizes = p->sizes;
    if (!began)
        pl_plan_sizes_of(&s->request, &choice.knobs, &sizes);
    char *arena = clear_arena(s, sizes.back, choice.knobs.huge);
    if (began) {
        s->program = p->program;
    } else {
        pl_status st = pl_plan_compile(&s->request, &choice.knobs, arena + sizes.back, s->scratch, &s->program, NULL, NULL, e);
        if (st)
            return st;
    }
    s->knobs = choice.knobs;
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
