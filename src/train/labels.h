/* What the labels of the data are: which problem they pose, what the classes are called and in which
 * order they stand. */
#ifndef PL_TRAIN_LABELS_H
#define PL_TRAIN_LABELS_H

#include "hub/hub.h"
#include "train/spool.h"

/* What all labels of the training data look like; counted while they are read. */
typedef struct pl__label_look {
    uint64_t texts, lists, bracketed; /* texts whose labels are a list; whose one label reads "[...]" */
    uint64_t names, integers, reals;  /* labels */
    uint64_t large;                   /* whole numbers of more digits than a double keeps: they are compared as names */
    uint64_t infinite, infinite_line; /* of the names those like "nan" and "inf"; where the first one stands */
} pl__label_look;
/* PL_BAD_INPUT where a text has no label that could be learned. */
pl_status pl__label_look_add(pl__label_look *look, const pl_example *x, pl_error *e);

typedef struct pl__labels {
    pl_problem problem;
    bool split;         /* one label of a table names several: "a, b" or ["a", "b"] */
    bool numbers;       /* classes are numbers: they stand in their own order, "1.0" is 1 */
    uint32_t count;     /* outputs of the model */
    uint32_t found;     /* distinct labels in the data; 0 for a regression */
    const char **names; /* [count], sorted or in the folder's order */
    bool of_folder;     /* names and order are the folder's */
    /* to find them */
    uint32_t *slots; /* [slot_count] label + 1 */
    uint32_t slot_count;
} pl__labels;

/* From the look and the folder's problem_type, then from all records of [first, end). `memory` holds
 * the longest record. Tables come from `region`. Messages begin with `name`. */
typedef struct pl__label_source {
    const pl__spool *spool;
    uint64_t first, end;
    char *memory;
    const char *name;
} pl__label_source;
pl_status pl__labels_make(const pl__label_look *look, const pl_folder *folder, const pl__label_source *from, pl_region *region, pl__labels *out, pl_error *e);
/* The folder's own, where the data has none. */
pl_status pl__labels_assume(const pl_folder *folder, pl_region *region, pl__labels *out, pl_error *e);

enum { PL__LABEL_IGNORED = -1 }; /* the whole number -100, as torch's losses have it */

/* The right answer of an example: `target` gets 1 float (a class's index or PL__LABEL_IGNORED, a
 * regression's number) or [count] (several labels: 0 or 1); `number` a regression's in full. An unknown
 * label: PL_BAD_INPUT naming line and label. */
pl_status pl__labels_target(const pl__labels *l, const pl__example *x, const char *name, float *target, double *number, pl_error *e);

#endif
