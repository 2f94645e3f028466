/* Operators grouped by the axis they cut: private to the room.
 *
 * A group is a run of operators that shares slabs: all slices of a cut axis from the product that
 * opens it to the product that closes it, or one product cut by its output columns, with the
 * operators behind it that need no more than small vectors. */
#ifndef PL_PLAN_GROUP_H
#define PL_PLAN_GROUP_H

#include "plan/plan.h"

/* Sized for the deepest model the families allow; pl__groups_make says when it would not do. */
typedef struct pl__group {
    uint32_t first, count; /* operators */
    uint32_t cut;          /* of them, those that run slice by slice; the rest behind the last slice */
    uint32_t axis;         /* cut axis, PL_NO_VALUE: none */
    bool by_columns;       /* one product cut by its output columns */
    uint64_t units, grain; /* axis size = units x grain, but for the last unit */
    uint32_t same_as;      /* an earlier group of the same dimensions, or itself */
    uint64_t per_slice;    /* units a slice under the knobs looked at; set by pl__cut_make */
} pl__group;

/* A buffer shared in turn by values that outlive their group. */
typedef struct pl__buffer {
    pl_extent extent;
    uint64_t stride;     /* elements */
    uint32_t free_after; /* group of the last use so far */
    bool result;
    const char *name;
    uint8_t from, to; /* moments */
} pl__buffer;

typedef struct pl__groups {
    pl__group *groups;
    uint32_t count;
    uint32_t *buffer_of; /* [values] index of its buffer; PL_NO_VALUE: local to its group */
    pl__buffer *buffers;
    uint32_t buffer_count;
} pl__groups;

pl_status pl__groups_make(const pl_plan_request *r, pl_region *region, pl__groups *out, pl_error *e);

/* One slice of a group. */
typedef struct pl__slice {
    uint64_t begin, columns; /* along the cut axis; for uncut groups 0, 0 */
    bool first, last;
} pl__slice;
pl__slice pl__slice_of(const pl_plan_request *r, const pl__group *g, uint32_t index); /* under per_slice */
uint32_t pl__slices(const pl__group *g);

/* Bytes of a slice's slab and what reading it costs. */
typedef struct pl__slab_size {
    uint64_t bytes;       /* packed */
    uint64_t file_bytes;  /* read */
    uint64_t calls;       /* reads */
    uint64_t loads;       /* entries of the program */
    uint64_t longest_run; /* bytes of the longest row piece */
} pl__slab_size;
pl__slab_size pl__slab_measure(const pl_plan_request *r, const pl__group *g, pl__slice slice);

/* Row stride in elements of `element` bytes for a width: whole cache lines, no multiple of a page. */
uint64_t pl__stride(uint64_t width, uint64_t element);
/* A value that lives within its group, slice by slice where it lies along the cut axis: how it
 * stands in the member's scratch. False: it is in place, or outlives the group. */
typedef struct pl__local {
    pl_dtype type; /* what only products and attention read may be bf16 */
    uint64_t stride, bytes;
} pl__local;
bool pl__local_of(const pl_plan_request *r, const pl__groups *gs, uint32_t group, uint32_t operator, uint64_t rows, uint64_t texts, pl__local *out);
uint64_t pl__local_bytes(const pl_plan_request *r, const pl__groups *gs, uint32_t group, uint64_t rows, uint64_t texts);
uint64_t pl__workspace_bytes(const pl_plan_request *r, const pl__group *g, uint64_t slice_columns, uint64_t rows);

#endif
