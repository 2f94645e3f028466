/* When a running job must go on with less, and when it may grow again. Pure: it is shown readings
 * and a clock, so that tests can run years of weather in a second. */
#ifndef PL_GOVERN_H
#define PL_GOVERN_H

#include "os/os.h"

typedef struct pl_governor {
    uint64_t begin;     /* the limit the job began with */
    uint64_t floor;     /* the least it can go on with */
    uint64_t asked;     /* by someone: 0: no one; bounds `limit` until asked otherwise */
    uint64_t limit;     /* in force */
    double slack_since; /* when there was first enough to grow; < 0: there is not */
    double stalled_at;  /* when it last gave way to stalls (PSI); < 0: never */
    double stall_before;
    bool stall_vain; /* giving way did not help */
} pl_governor;

void pl_governor_init(pl_governor *g, uint64_t begin, uint64_t floor);

/* Someone asks for a limit (0: the one it began with). False if it is below the floor. */
bool pl_governor_ask(pl_governor *g, uint64_t bytes);

/* Looks at what is left. Returns the limit to go on with: the one in force, or another one.
 * `resident` is what the job holds now and `peak` what it may touch under the plan in force. It
 * shrinks at once when less is left than the plan may still touch (others took it, or a limit was lowered,
 * memory.high below what is used too), and grows only after GROW_AFTER seconds in which GROW_SLACK more
 * than the plan would have been there, so it cannot oscillate. Stalls (PSI) make it give way where most
 * of the anonymous memory is not its own. */
uint64_t pl_governor_look(pl_governor *g, const pl_pressure *p, uint64_t resident, uint64_t peak, double now);

#endif
