/* The search over the knobs: every combination of a few values each, sized by the layout, ranked by
 * the cost. Among plans within 2 % of the fastest the smallest wins. */
#include "plan/layout.h"

#include <math.h>

enum { MOST_PASS_ROWS = 1 << 16, RESIDENT_STEPS = 4, HUGE_FROM = 8 << 20, HUGE_PAGE = 2 << 20 };
static const double SLAB_STEP = 1.5, ENOUGH = 1.02, BETTER = 0.95;
static const uint32_t tiles[] = {16, 32, 64, 96, 128, 192, 256, 384, 512, 768};

typedef struct search {
    const pl_plan_request *r;
    pl_plan_found *found;
    double bound; /* second round: what is fast enough */
    bool second;
} search;

static bool smaller(const pl_choice *a, const pl_choice *b) { return a->peak < b->peak || (a->peak == b->peak && a->seconds_per_row < b->seconds_per_row); }

/* While a job runs, what it already holds bounds the plans that may follow. */
static bool allowed(const pl_plan_request *r, const pl_knobs *k, const pl__layout *l)
{
    return (!r->most_pass_rows || k->pass_rows <= r->most_pass_rows) && (!r->most_walk || l->walk <= r->most_walk) &&
        (!r->most_back || l->back + l->program + (k->huge ? HUGE_PAGE : 0) <= r->most_back);
}

static void consider(search *s, const pl__cut *cut, const pl_knobs *k)
{
    pl__layout l;
    pl__layout_make(s->r, cut, k, &l);
    if (!allowed(s->r, k, &l))
        return;
    pl_choice c = {*k, l.peak, pl__seconds_per_row(s->r, cut, k, &l)};
    pl_plan_found *f = s->found;
    bool fits = c.peak <= s->r->limit;
    if (!s->second) {
        if (smaller(&c, &f->floor))
            f->floor = c;
        if (fits && (!f->fits || c.seconds_per_row < f->best.seconds_per_row)) {
            f->best = c;
            f->fits = true;
        }
    } else if (fits) {
        if (c.seconds_per_row <= s->bound && smaller(&c, &f->best))
            f->best = c;
    } else if (f->fits && c.seconds_per_row <= s->bound / ENOUGH * BETTER && (!f->has_next || smaller(&c, &f->next))) {
        f->next = c;
        f->has_next = true;
    }
}

/* Pass sizes by steps, and the largest that the limit allows. */
static void try_passes(search *s, const pl__cut *cut, pl_knobs k)
{
    pl__layout l;
    const uint32_t most = (uint32_t)pl_max(MOST_PASS_ROWS, k.tile_rows);
    uint32_t low = k.tile_rows, high = most;
    for (uint64_t pass = low; pass <= most; pass = pass * 3 / 2 + 1) {
        k.pass_rows = (uint32_t)pass;
        pl__layout_make(s->r, cut, &k, &l);
        if (l.peak > s->r->limit && high == most)
            high = (uint32_t)pass;
        consider(s, cut, &k);
    }
    if (high == low)
        return;
    while (high - low > 16) {
        k.pass_rows = low + (high - low) / 2;
        pl__layout_make(s->r, cut, &k, &l);
        if (l.peak <= s->r->limit)
            low = k.pass_rows;
        else
            high = k.pass_rows;
    }
    k.pass_rows = low;
    consider(s, cut, &k);
}

static void try_tiles(search *s, const pl__cut *cut, pl_knobs k)
{
    bool streams = pl__streams(s->r, &k);
    for (size_t i = 0; i < PL_COUNT(tiles); i++) {
        if (tiles[i] < s->r->longest && i + 1 < PL_COUNT(tiles) && tiles[i + 1] <= s->r->longest)
            continue;
        k.tile_rows = (uint32_t)pl_max(tiles[i], s->r->longest);
        for (k.slots = streams ? 1 : 0; k.slots <= (streams ? 3u : 0u); k.slots++)
            for (unsigned huge = 0; huge < 2; huge++) {
                k.huge = huge;
                if (huge && s->r->limit < HUGE_FROM)
                    continue;
                try_passes(s, cut, k);
            }
    }
}

static void try_slabs(search *s)
{
    double least = (double)pl__slab_least(s->r), most = (double)pl__slab_most(s->r);
    uint64_t last_stages = 0;
    for (double slab = least;; slab *= SLAB_STEP) {
        uint64_t bound = (uint64_t)fmin(slab, most);
        pl__cut cut;
        pl__cut_make(s->r, bound, 0, &cut);
        bool new = cut.possible &&cut.stages != last_stages;
        last_stages = cut.stages;
        for (uint32_t step = 0; new &&step <= RESIDENT_STEPS; step++) {
            pl_knobs k = {.slab = bound, .resident = s->r->groups->count * step / RESIDENT_STEPS};
            pl__cut_make(s->r, bound, k.resident, &cut);
            try_tiles(s, &cut, k);
        }
        if (slab >= most)
            return;
    }
}

void pl_plan_search(const pl_plan_request *r, pl_plan_found *out)
{
    *out = (pl_plan_found){.floor = {.peak = UINT64_MAX}};
    search s = {.r = r, .found = out};
    try_slabs(&s);
    if (!out->fits) {
        out->best = out->floor;
        return;
    }
    s.second = true;
    s.bound = out->best.seconds_per_row * ENOUGH;
    try_slabs(&s);
}

uint64_t pl_plan_peak_of(const pl_plan_request *r, const pl_knobs *k)
{
    bool streams = pl__streams(r, k);
    if (k->resident > r->groups->count || k->tile_rows < r->longest || k->pass_rows < k->tile_rows || k->pass_rows > pl_max(MOST_PASS_ROWS, r->longest) ||
        streams != (k->slots > 0) || k->slots > 16 || k->slab == 0)
        return UINT64_MAX;
    pl__cut cut;
    pl__cut_make(r, k->slab, k->resident, &cut);
    if (!cut.possible)
        return UINT64_MAX;
    pl__layout l;
    pl__layout_make(r, &cut, k, &l);
    return l.peak;
}

double pl_plan_cost_of(const pl_plan_request *r, const pl_knobs *k)
{
    pl__cut cut;
    pl__layout l;
    pl__cut_make(r, k->slab, k->resident, &cut);
    pl__layout_make(r, &cut, k, &l);
    return pl__seconds_per_row(r, &cut, k, &l);
}
