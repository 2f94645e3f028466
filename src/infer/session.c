#include "infer/infer.h"

#include <assert.h>
#include <string.h>

/* ---- memory ---- */

enum { LINE = 64, HUGE_PAGE = 2 << 20 };

/* The arena's mapping begins on a huge page where it is made of them. */
static uint64_t back_reserve(const pl_plan *p) { return p->sizes.back + (p->knobs.huge ? HUGE_PAGE : 0); }
uint64_t pl__virtual_bytes(const pl_plan *p) { return p->sizes.front + back_reserve(p) + pl_ledger_at(&p->ledger, PL_MOMENT_OPEN); }

/* A small plan is touched whole at once: its peak is the plan's from the first moment on, and a
 * machine that cannot give it says so now. A large one is touched as it is used, so that a small job
 * under a large limit stays small. */
static void touch_if_small(const pl_plan *p, char *front, char *back)
{
    enum { SMALL = 16 << 20, PAGE = 4096 };
    if (p->sizes.front + p->sizes.back > SMALL)
        return;
    for (uint64_t at = 0; at < p->sizes.front; at += PAGE)
        *(volatile char *)(front + at) = 0;
    for (uint64_t at = 0; at < p->sizes.back && !p->knobs.huge; at += PAGE) /* huge pages are not asked for yet */
        *(volatile char *)(back + at) = 0;
}

static pl_status map_all(const pl_plan *p, pl_session **out, pl_error *e)
{
    char *front = pl_os_map(p->sizes.front);
    if (!front)
        return pl_fail_no_memory(e, p->sizes.front, "window");
    pl_os_advise_huge(front, p->sizes.front, false);
    uint64_t reserve = back_reserve(p);
    char *back = pl_os_map(reserve);
    if (!back) {
        pl_os_unmap(front, p->sizes.front);
        return pl_fail_no_memory(e, reserve, "arena");
    }
    touch_if_small(p, front, back);
    /* the session itself is the first piece of the window */
    pl_session *s = (pl_session *)(void *)front;
    memset(s, 0, sizeof *s);
    s->plan = p;
    s->program = p->program;
    s->knobs = p->knobs;
    s->front = front;
    s->front_bytes = p->sizes.front;
    s->back = back;
    s->back_bytes = reserve;
    *out = s;
    return PL_OK;
}

char *pl__arena_of(const pl_session *s, bool huge)
{
    uintptr_t at = (uintptr_t)s->back;
    return huge ? s->back + (pl_round_up(at, HUGE_PAGE) - at) : s->back;
}

static void lay_out_window(pl_session *s)
{
    const pl_plan *p = s->plan;
    pl_carver c = {.base = s->front};
    pl_carve(&c, sizeof *s);
    pl__window_lay_out(&s->window, &c, &p->reading, p->model.width, p->request.longest, p->knobs.pass_rows, s->program.pass_texts);
    s->exec_memory = pl_carve(&c, p->sizes.walk);
    assert(c.used <= p->sizes.window);
}

/* ---- opening ---- */

static pl_status check_machine(const pl_plan *p, const pl_os_view *view, uint64_t *foreign, pl_error *e)
{
    pl_spare spare;
    pl_process_memory own;
    char needs[32], has[32];
    if (pl_os_spare(view, &spare, NULL) || !pl_os_process_memory(view, 0, &own))
        return PL_OK; /* without /proc nothing says what there is, and the limit that was set stands */
    *foreign = pl_ledger_outside(&p->ledger, own.resident);
    own.resident -= *foreign;
    if (spare.bytes + own.resident >= p->peak)
        return PL_OK;
    pl_fail(e, PL_NO_FIT, "the plan needs %s, the machine can spare %s now (%s)", pl_bytes_text(p->peak, needs), pl_bytes_text(spare.bytes + own.resident, has),
        spare.reason);
    return PL_NO_FIT;
}

/* Weight files larger than a container leaves beside the plan would push each other out of the page
 * cache all the time: what was read is then dropped at once. */
static bool wants_drop_behind(const pl_plan *p, const pl_os_view *view)
{
    pl_spare spare;
    if (p->knobs.slots == 0 || pl_os_spare(view, &spare, NULL) || spare.cgroup == UINT64_MAX)
        return false;
    return spare.cgroup < p->peak + pl_program_streamed_bytes(&p->program);
}

static pl_status load(pl_session *s, char *arena, pl_error *e)
{
    double start = pl_os_seconds();
    pl_exec_make(&s->program, s->plan->request.kernels, s->plan->reading.folder, s->team, s->exec_memory, arena, &s->exec);
    pl_exec_drop_behind(s->exec, s->drop_behind);
    pl_status status = pl_exec_load(s->exec, e);
    s->load_seconds = pl_os_seconds() - start;
    s->loaded = status == PL_OK;
    pl_exec_stats stats;
    pl_exec_stats_get(s->exec, &stats);
    s->load_bytes = stats.read_bytes;
    return status;
}

pl_status pl_open(const pl_plan *plan, pl_session **out, pl_error *e)
{
    *out = NULL;
    pl_error_clear(e);
    if (!plan->fits)
        return pl_plan_refusal(plan, e);
    pl_os_view view = {"/proc", "/sys", plan->runtime_folder};
    uint64_t foreign = 0;
    pl_promise *promise = NULL;
    pl_session *x = NULL;
    int turn = pl_promise_turn(&view);
    pl_status s = check_machine(plan, &view, &foreign, e);
    if (!s)
        pl_promise_make(&view, plan->peak, &promise);
    pl_promise_turn_end(turn);
    if (!s)
        s = map_all(plan, &x, e);
    if (s || !x) {
        pl_promise_end(promise);
        return s;
    }
    lay_out_window(x);
    x->view = view;
    x->foreign = foreign;
    x->promise = promise;
    char *arena = pl__arena_of(x, plan->knobs.huge);
    pl_os_advise_huge(arena, plan->sizes.back, plan->knobs.huge);
    x->drop_behind = wants_drop_behind(plan, &view);
    s = pl_team_start(x->front + plan->sizes.front - plan->sizes.team, plan->request.threads + 1, PL__STACK_BYTES, &x->team, e);
    if (s == PL_MACHINE) /* fewer threads would do */
        s = e ? e->status = PL_NO_FIT : PL_NO_FIT;
    if (!s)
        s = pl__bend_prepare(x, e);
    if (!s)
        s = load(x, arena, e);
    if (s) {
        pl_close(x);
        return s;
    }
    *out = x;
    return PL_OK;
}

void pl_close(pl_session *s)
{
    if (!s)
        return;
    if (s->team)
        pl_team_stop(s->team);
    pl_promise_end(s->promise);
    pl__bend_end(s);
    char *front = s->front, *back = s->back;
    uint64_t front_bytes = s->front_bytes, back_bytes = s->back_bytes;
    pl_os_unmap(back, back_bytes);
    pl_os_unmap(front, front_bytes);
}

void pl_stop(pl_session *s)
{
    atomic_store(&s->stop, true);
    pl_exec_stop(s->exec); /* what is set while the executor is made anew is seen before the next pass */
}

/* ---- figures ---- */

void pl_session_stats(const pl_session *s, pl_stats *out)
{
    pl_exec_stats x;
    pl_exec_stats_get(s->exec, &x);
    *out = (pl_stats){.texts = atomic_load(&s->texts),
        .tokens = atomic_load(&s->tokens),
        .distinct_texts = atomic_load(&s->distinct),
        .windows = atomic_load(&s->windows),
        .seconds = atomic_load(&s->seconds),
        .load_seconds = s->load_seconds,
        .read_bytes = x.read_bytes};
    const pl_phase_stats phases[] = {
        {"load", s->load_seconds, s->load_bytes},
        {"tokenize", s->tokenize_seconds, s->text_bytes},
        {"compute", s->pass_seconds, x.read_bytes - s->load_bytes},
        {"wait for weights", x.wait_seconds / s->plan->request.threads, 0},
    };
    out->limit_bytes = atomic_load(&s->limit);
    out->peak_bytes = atomic_load(&s->peak);
    out->bends = atomic_load(&s->bends);
    out->phase_count = PL_COUNT(phases);
    memcpy(out->phases, phases, sizeof phases);
}
