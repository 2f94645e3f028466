#include "govern/govern.h"

static const double GROW_AFTER = 30.0, GROW_SLACK = 0.25;

void pl_governor_init(pl_governor *g, uint64_t begin, uint64_t floor) { *g = (pl_governor){.begin = begin, .floor = floor, .limit = begin, .slack_since = -1}; }

bool pl_governor_ask(pl_governor *g, uint64_t bytes)
{
    if (bytes && bytes < g->floor)
        return false;
    g->asked = bytes;
    g->limit = bytes ? bytes : g->begin;
    g->slack_since = -1;
    return true;
}

/* Room that is never planned away: counters lag behind, and others allocate between two looks. */
static uint64_t kept_free(const pl_pressure *p)
{
    enum { LEAST = 1 << 20, MOST = 64 << 20, SHARE = 64 };
    uint64_t limit = p->limit == UINT64_MAX ? p->available : p->limit;
    return limit == UINT64_MAX ? MOST : pl_min(MOST, pl_max(LEAST, limit / SHARE));
}

uint64_t pl_governor_look(pl_governor *g, const pl_pressure *p, uint64_t resident, uint64_t peak, double now)
{
    uint64_t most = g->asked ? g->asked : g->begin;
    uint64_t left = pl_min(p->cgroup, p->available), keep = kept_free(p);
    if (left == UINT64_MAX)
        return g->limit;
    uint64_t may = resident + (left > keep ? left - keep : 0);
    if (may < peak && resident <= peak) { /* the plan in force may still touch more than is left */
        g->slack_since = -1;
        uint64_t less = pl_max(g->floor, pl_min(may, g->limit));
        if (less < g->limit)
            g->limit = less;
        return g->limit;
    }
    if (g->limit >= most)
        return g->limit;
    uint64_t wanted = g->limit + (uint64_t)((double)g->limit * GROW_SLACK);
    if (may < wanted) {
        g->slack_since = -1;
    } else if (g->slack_since < 0) {
        g->slack_since = now;
    } else if (now - g->slack_since >= GROW_AFTER) {
        g->slack_since = -1;
        g->limit = pl_min(most, (uint64_t)((double)may / (1 + GROW_SLACK)));
    }
    return g->limit;
}
