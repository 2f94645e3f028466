/* The plan of a training: what holds for any order of the data decides what fits, what is known of the
 * order makes it smaller or faster. */
#include "train/plan.h"
#include "train/trainer.h"

pl_status pl__search(const pl_step_request *r, pl_step_plan *out, pl_error *e)
{
    pl__parameters p;
    pl_region region;
    pl_region_init(&region, pl_memory_system());
    pl_status s = pl__parameters_make(r, &region, &p, e);
    if (!s)
        s = pl__step_search(r, &p, out);
    pl_region_free(&region);
    return s;
}

/* `plan` without data, or with another seed, must not say less than what is taken then: a plan for the
 * batches that come takes no more memory than one for the longest texts together, and has its floor. */
pl_status pl__fit(pl_trainer *t, pl_error *e)
{
    pl_step_plan bound = {0}, free = {0};
    uint64_t rows = t->request.batch_rows;
    pl_status s = pl__size_for(t, t->most_rows, e);
    if (!s)
        s = pl__search(&t->request, &bound, e);
    if (!s && bound.fits && rows < t->most_rows) {
        s = pl__size_for(t, rows, e);
        if (!s)
            s = pl__search(&t->request, &free, e);
        t->request.limit = pl_min(t->request.limit, bound.peak);
    }
    if (!s)
        s = pl_step_plan_make(&t->request, &t->region, &t->plan, e);
    if (s || rows == t->most_rows)
        return s;
    t->plan.floor = bound.floor;
    t->plan.has_next = free.has_next; /* of more memory than the limit */
    t->plan.next_peak = free.next_peak;
    t->plan.next_seconds = free.next_seconds;
    return PL_OK;
}
