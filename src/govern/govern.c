#include "govern/govern.h"

static const double GROW_AFTER = 30.0, GROW_SLACK = 0.25;

/* Stalls count where whole tenths of the last ten seconds went by with every task waiting for memory. */
static const double STALL = 10.0, STALL_CALM = 2.0, STALL_EVERY = 15.0, STALL_SHARE = 0.25, STALL_HELPED = 0.8;

void pl_governor_init(pl_governor *g, uint64_t begin, uint64_t floor)
{
    *g = (pl_governor){.begin = begin, .floor = floor, .limit = begin, .slack_since = -1, .stalled_at = -1};
}

bool pl_governor_ask(pl_governor *g, uint64_t bytes)
{
    if (bytes && bytes < g->floor)
        return false;
    g->asked = bytes;
    g->limit = bytes ? bytes : g->begin;
    g->slack_since = -1;
    return true;
}

static uint64_t less(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

/* Room that is never planned away: counters lag behind, and others allocate between two looks. */
static uint64_t kept_free(const pl_pressure *p)
{
    enum { LEAST = 1 << 20, MOST = 64 << 20, SHARE = 64 };
    uint64_t limit = p->limit == UINT64_MAX ? p->available : p->limit;
    return limit == UINT64_MAX ? MOST : pl_min(MOST, pl_max(LEAST, limit / SHARE));
}

/* What the job may hold: what it holds and what is left, less what is kept free and what is over. It
 * stays the same while the job gives memory back, so that one look is enough. */
static uint64_t may_hold(const pl_pressure *p, uint64_t resident, uint64_t left)
{
    uint64_t may;
    if (!pl_add(resident, left, &may))
        return UINT64_MAX;
    return less(less(may, kept_free(p)), left == p->cgroup ? p->over : 0);
}

/* Everyone waits for memory although some seems to be left: others live on file cache, which counts as
 * free. Giving way can help only where most of the anonymous memory is not ours: streaming weights
 * through a small container raises pressure by itself, and a job that shrank for that would stream more.
 * Where a cut did not help it is not tried again until there was calm. */
static bool stalls(pl_governor *g, const pl_pressure *p, uint64_t resident, double now)
{
    if (!p->has_stall || p->anonymous == UINT64_MAX)
        return false;
    if (p->full < STALL_CALM)
        g->stall_vain = false;
    if (p->full < STALL || g->stall_vain || p->anonymous / 2 < resident)
        return false;
    double since = now - g->stalled_at;
    if (g->stalled_at >= 0 && since < STALL_EVERY)
        return false;
    if (g->stalled_at >= 0 && since < 2 * STALL_EVERY && p->full > STALL_HELPED * g->stall_before) {
        g->stall_vain = true;
        return false;
    }
    g->stalled_at = now;
    g->stall_before = p->full;
    return true;
}

uint64_t pl_governor_look(pl_governor *g, const pl_pressure *p, uint64_t resident, uint64_t peak, double now)
{
    uint64_t most = g->asked ? g->asked : g->begin;
    uint64_t left = pl_min(p->cgroup, p->available);
    if (left == UINT64_MAX)
        return g->limit;
    uint64_t may = may_hold(p, resident, left);
    if (stalls(g, p, resident, now))
        may = pl_min(may, peak - (uint64_t)((double)peak * STALL_SHARE));
    if (may < peak && resident <= peak) { /* the plan in force may still touch more than is left */
        g->slack_since = -1;
        uint64_t lower = pl_max(g->floor, pl_min(may, g->limit));
        if (lower < g->limit)
            g->limit = lower;
        return g->limit;
    }
    if (g->limit >= most)
        return g->limit;
    uint64_t wanted = g->limit + (uint64_t)((double)g->limit * GROW_SLACK);
    if (may < wanted || (p->has_stall && p->full >= STALL)) {
        g->slack_since = -1;
    } else if (g->slack_since < 0) {
        g->slack_since = now;
    } else if (now - g->slack_since >= GROW_AFTER) {
        g->slack_since = -1;
        g->limit = pl_min(most, (uint64_t)((double)may / (1 + GROW_SLACK)));
    }
    return g->limit;
}
