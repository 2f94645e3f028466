/* Private to the room. */
#ifndef PL_TRAIN_LOSS_H
#define PL_TRAIN_LOSS_H

#include "train/step.h"

/* A text whose target is not ignored. */
bool pl__counts(const pl_recipe *r, const float *targets, uint32_t text);
/* Loss of a text divided by `valid`, the texts that count, and its gradient (NULL: not wanted). */
double pl__loss_text(const pl_recipe *r, const float *logits, const float *targets, uint32_t text, uint32_t valid, float *gradient, uint32_t *bad);

#endif
