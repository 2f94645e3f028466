/* Private to the room. */
#ifndef PL_TRAIN_PLAN_H
#define PL_TRAIN_PLAN_H

#include "train/state.h"

enum { PL__TRAIN_LOAD = 1, PL__TRAIN_MOMENTS = 5 };
const char *pl__train_moment_name(unsigned moment);

typedef struct pl__step_costs {
    pl__step_sizes sizes;
    pl__step_layout layout;
    uint64_t spill, tables, words, peak;
} pl__step_costs;
void pl__step_measure(const pl_step_request *r, const pl_step_knobs *k, const pl__parameters *p, pl__step_costs *out);
void pl__step_lay_out(const pl_step_request *r, const pl_step_knobs *k, const pl__parameters *p, const pl__step_sizes *z, pl__step_layout *l);
pl_status pl__step_search(const pl_step_request *r, const pl__parameters *p, pl_step_plan *out); /* all but the ledger */
uint64_t pl__step_tables(const pl__step_sizes *z);
uint64_t pl__step_stacks(const pl_step_request *r);
uint64_t pl__step_mapped(const pl__step_layout *l);
bool pl__step_huge(const pl__step_layout *l);
uint64_t pl__usual_rows(const pl_step_request *r);
enum { PL__DISK_BLOCK = 256 << 10 };
double pl__disk_rate(const char *folder, uint64_t bytes); /* a second, of so many written and read again; 0: cannot be told. Takes up to a second */
const char *pl__rest_name(uint32_t rest);
uint64_t pl__step_input_bytes(const pl_step_request *r);
uint64_t pl__widest(const pl_step_request *r);

#endif
