/* The update: parameter by parameter in parts that pass through a member's staging where they are spilled. */
#include "train/update.h"

#include <math.h>

/* In memory where it is resident, else through the member's staging. */
static float *borrow(pl_step *s, pl__what what, uint64_t first, uint64_t n, float *staging, pl_error *e, pl_status *st)
{
    float *there = pl__store_at(&s->store, what, first);
    if (there || *st)
        return there;
    *st = pl__store_get(&s->store, what, first, n, staging, e);
    return staging;
}

void pl__learn(pl_step *s, uint64_t first, uint64_t n, const float *gradient, const pl__pace *paces, uint32_t steps, unsigned member)
{
    const pl_recipe *r = &s->request.recipe;
    float *staging = pl__workspace(s, member);
    pl_error e;
    pl_status st = PL_OK;
    pl_adamw a = {.w = borrow(s, PL__WEIGHTS, first, n, staging, &e, &st),
        .m = borrow(s, PL__MOMENT1, first, n, staging + PL__UPDATE, &e, &st),
        .v = borrow(s, PL__MOMENT2, first, n, staging + 2 * PL__UPDATE, &e, &st),
        .gradient = gradient ? gradient : borrow(s, PL__GRADIENTS, first, n, staging + 3 * PL__UPDATE, &e, &st),
        .clip = (float)s->clip,
        .b1 = r->b1,
        .b2 = r->b2,
        .eps = (float)r->eps};
    for (uint32_t i = 0; i < steps && !st; i++) {
        a.keep = paces[i].keep;
        a.step_size = paces[i].step_size;
        a.root2 = paces[i].root2;
        s->request.train->adamw(&a, 0, n);
    }
    if (!st)
        st = pl__store_set(&s->store, PL__WEIGHTS, first, n, a.w, &e);
    if (!st)
        st = pl__store_set(&s->store, PL__MOMENT1, first, n, a.m, &e);
    if (!st)
        st = pl__store_set(&s->store, PL__MOMENT2, first, n, a.v, &e);
    if (st)
        pl__step_fail(s, st, &e);
}

/* By squaring: the same bits whatever the C library's pow does on this processor. */
static double power(double base, uint64_t exponent)
{
    double result = 1;
    for (; exponent; exponent >>= 1, base *= base)
        if (exponent & 1)
            result *= base;
    return result;
}

static pl__pace pace_of(const pl_step *s, const pl_parameter *p)
{
    const pl_recipe *r = &s->request.recipe;
    double decay = p->decays ? r->weight_decay : 0;
    return (pl__pace){
        .keep = (float)(1.0 - s->lr * decay),
        .step_size = (float)(s->lr / (1.0 - power(r->b1, s->t))),
        .root2 = (float)sqrt(1.0 - power(r->b2, s->t)),
    };
}

static const pl__what LEARNED[] = {PL__WEIGHTS, PL__MOMENT1, PL__MOMENT2, PL__GRADIENTS};

/* A member's next part of a parameter is read while it works on this one, and what it leaves is written. */
static void update_part(pl_step *s, const pl_parameter *p, uint64_t first, const pl__pace *pace, unsigned member)
{
    uint64_t end = pl_min(p->count, first + PL__PART), next = first + s->request.threads * (uint64_t)PL__PART;
    for (size_t i = 0; i < PL_COUNT(LEARNED) && next < p->count; i++)
        pl__store_ahead(&s->store, LEARNED[i], p->first + next, pl_min(PL__PART, p->count - next));
    for (uint64_t at = first; at < end; at += PL__UPDATE)
        pl__learn(s, p->first + at, pl_min(PL__UPDATE, end - at), NULL, pace, 1, member);
    for (size_t i = 0; i + 1 < PL_COUNT(LEARNED); i++)
        pl__store_behind(&s->store, LEARNED[i], p->first + first, end - first);
}

static void update_job(void *self, unsigned member)
{
    pl_step *s = self;
    uint64_t part = 0;
    s->request.kernels->enter(&s->members[member].fp);
    pl__words_update(s, member);
    for (size_t i = s->params.words ? 1 : 0; i < s->program.parameter_count; i++) {
        const pl_parameter *p = &s->program.parameters[i];
        pl__pace pace = pace_of(s, p);
        for (uint64_t first = 0; p->learns && first < p->count; first += PL__PART, part++)
            if (part % s->request.threads == member)
                update_part(s, p, first, &pace, member);
    }
    s->request.kernels->leave(&s->members[member].fp);
}

pl_status pl__update(pl_step *s, pl_error *e)
{
    if (s->params.words)
        s->words.paces[s->words.window] = pace_of(s, &s->params.list[0]);
    pl_team_run(s->team, s->request.threads, update_job, s);
    if (!atomic_load(&s->failed))
        return pl__words_stepped(s, e);
    if (e)
        *e = s->error;
    return s->status;
}
