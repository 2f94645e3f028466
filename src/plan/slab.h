/* Weights of a slice in their slab. Private to the room. */
#ifndef PL_PLAN_SLAB_H
#define PL_PLAN_SLAB_H

#include "plan/group.h"

/* Where an operator's weights stand in the slab; UINT64_MAX: it has none in this slice. */
typedef struct pl__placed {
    uint64_t weight, bias; /* NORM: gain, shift */
} pl__placed;

typedef struct pl__load_sink {
    pl_load *loads; /* NULL: counted only */
    size_t count;
} pl__load_sink;
static inline void pl__load_add(pl__load_sink *s, pl_load load)
{
    if (s->loads)
        s->loads[s->count] = load;
    s->count++;
}

/* `placed` has an entry for each operator of the group. Returns the slab's bytes. */
uint64_t pl__slab_emit(const pl_plan_request *r, const pl__group *g, pl__slice slice, pl__placed *placed, pl__load_sink *sink);

#endif
