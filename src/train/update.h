/* AdamW on the store. Private to the room. */
#ifndef PL_TRAIN_UPDATE_H
#define PL_TRAIN_UPDATE_H

#include "train/state.h"

/* ---- update.c ---- */
/* Elements [first, first + n) of the store, n <= PL__UPDATE, go through `steps` steps of one gradient
 * (NULL: the store's), a pace each. */
void pl__learn(pl_step *s, uint64_t first, uint64_t n, const float *gradient, const pl__pace *paces, uint32_t steps, unsigned member);
pl_status pl__update(pl_step *s, pl_error *e); /* all parameters, by the team */

/* ---- words.c ---- */
uint64_t pl__words_bytes(const pl_step_request *r, const pl__parameters *p);
void pl__words_lay_out(pl_step *s, char *memory); /* pl__words_bytes of zeros */
void pl__words_of_batch(pl_step *s);
void pl__words_catch_up(pl_step *s, unsigned member); /* those of the batch */
void pl__words_update(pl_step *s, unsigned member);   /* with the step's gradients, at paces[window] */
pl_status pl__words_stepped(pl_step *s, pl_error *e); /* all members have updated */
pl_status pl__words_settle(pl_step *s, pl_error *e);  /* all rows catch up */

#endif
