/* How many steps, and the learning rate of each: as transformers' Trainer and get_scheduler have it. */
#ifndef PL_TRAIN_SCHEDULE_H
#define PL_TRAIN_SCHEDULE_H

#include "base/base.h"

typedef struct pl__schedule {
    pl_schedule kind;
    double lr;
    uint64_t per_epoch; /* steps of an epoch; its last may be of fewer texts */
    uint64_t steps, warmup;
    double epochs; /* as asked for, or as max_steps comes to, rounded up */
} pl__schedule;

/* PL_USAGE where the steps cannot be counted. */
pl_status pl__schedule_make(const pl_training *t, uint64_t examples, pl__schedule *out, pl_error *e);
double pl__schedule_lr(const pl__schedule *s, uint64_t step);    /* of step 1, 2, .. */
double pl__schedule_epoch(const pl__schedule *s, uint64_t step); /* how far, when so many steps are done */

/* cos(x) for 0 <= x <= pi * 2^20 from IEEE operations alone, within 1e-15: the same bits on every
 * machine, whichever variant of it the C library picks there. */
double pl__cosine(double x);

#endif
