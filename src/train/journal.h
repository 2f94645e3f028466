/* The log of a training: losses and evaluations, in an unnamed file, so that a long training holds no
 * more than a short one. */
#ifndef PL_TRAIN_JOURNAL_H
#define PL_TRAIN_JOURNAL_H

#include "base/base.h"

typedef enum pl__entry_kind { PL__ENTRY_LOSS, PL__ENTRY_EVALUATION } pl__entry_kind;
typedef struct pl__entry {
    uint64_t step;
    uint32_t kind, count;
    double epoch;
    double values[6]; /* LOSS: loss, lr, grad_norm; EVALUATION: as pl__figure_name counts them */
} pl__entry;

typedef struct pl__journal {
    int file; /* -1: none */
    const char *folder;
    uint64_t count;
} pl__journal;

pl_status pl__journal_open(pl__journal *j, const char *folder, pl_error *e);
void pl__journal_close(pl__journal *j);
pl_status pl__journal_add(pl__journal *j, const pl__entry *entry, pl_error *e);
pl_status pl__journal_get(const pl__journal *j, uint64_t index, pl__entry *out, pl_error *e);

#endif
