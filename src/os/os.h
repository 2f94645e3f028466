/* What this machine has: memory limits, CPUs, threads. Everything is read through a root folder so
 * that tests can show it a machine that is not there. */
#ifndef PL_OS_H
#define PL_OS_H

#include "base/base.h"

#include <stdatomic.h>

/* ---- how much memory a new process may plan with ---- */
typedef struct pl_os_view {
    const char *proc, *sys; /* "/proc", "/sys" */
    const char *runtime;    /* folder of the per-user ledger of planned peaks, NULL: none */
} pl_os_view;

typedef struct pl_spare {
    uint64_t bytes;     /* what may be planned */
    uint64_t available; /* MemAvailable of the allowed NUMA nodes */
    uint64_t cgroup;    /* least (limit - (use - reclaimable file cache)) over all ancestors, v1 and v2; UINT64_MAX: none */
    uint64_t rlimit;    /* RLIMIT_AS and RLIMIT_DATA; UINT64_MAX: none */
    uint64_t promised;  /* planned by other plimsolls and not touched so far */
    uint64_t reserve;   /* left to the others, stated */
    char reason[160];   /* "container limit 64 MiB less 4 MiB reserve": which of them decided */
} pl_spare;
pl_status pl_os_spare(const pl_os_view *view, pl_spare *out, pl_error *e);

/* Of file pages that may stand in `bytes` of memory, how many may wait to be written before the kernel
 * holds writers up: midway between where it begins to write and where it lets nobody go on
 * (vm.dirty_*; Linux, mm/page-writeback.c, dirty_freerun_ceiling). */
uint64_t pl_os_may_wait(const pl_os_view *view, uint64_t bytes);

/* ---- what is left while a job runs: cheap enough to ask between two slices of weights. Files stay
 * open, nothing is allocated; if the process is moved to another control group, that one is watched
 * from then on. ---- */
typedef struct pl_os_watch pl_os_watch;
typedef struct pl_pressure {
    uint64_t cgroup;    /* least (limit or memory.high - (use - reclaimable file cache)) over all ancestors; UINT64_MAX: no limit */
    uint64_t limit;     /* the limit or memory.high behind `cgroup`; UINT64_MAX: none */
    uint64_t over;      /* how far use is above it: memory.high may be lowered below what is used */
    uint64_t available; /* MemAvailable of the allowed NUMA nodes; UINT64_MAX: unknown */
    bool has_stall;     /* PSI is there */
    double some, full;  /* avg10 in percent: of the process's own group where it has PSI, else of the machine */
    uint64_t anonymous; /* anonymous memory of that group or machine; UINT64_MAX: unknown */
} pl_pressure;
size_t pl_os_watch_bytes(const pl_os_view *view);
/* `memory` holds pl_os_watch_bytes(view), aligned to 16; the strings of `view` live as long as the
 * watch. Never fails: what cannot be opened is unknown in every reading. */
pl_os_watch *pl_os_watch_open(const pl_os_view *view, void *memory, size_t bytes);
void pl_os_watch_read(pl_os_watch *w, pl_pressure *out);
void pl_os_watch_close(pl_os_watch *w);

/* ---- the control group of any process, as far as we see it ---- */
typedef struct pl_group {
    uint64_t id;              /* a hash of its path: the same for the same group */
    uint64_t used;            /* by the group itself: use - reclaimable file cache */
    uint64_t limit, headroom; /* of the tightest of it and its ancestors; UINT64_MAX: none */
    bool has_events;
    uint64_t high, max, oom, oom_kill; /* how often: memory.events (v1: failcnt is max) */
} pl_group;
bool pl_os_group(const pl_os_view *view, long pid, pl_group *out); /* pid 0: self. False: none to be seen */

/* ---- two jobs on one machine: each publishes its planned peak in a locked per-user file ---- */
typedef struct pl_promise pl_promise;
/* Never fails the job: where no file can be kept, *out is NULL. Gone with the process. */
void pl_promise_make(const pl_os_view *view, uint64_t planned_peak, pl_promise **out);
void pl_promise_change(pl_promise *p, uint64_t planned_peak);
void pl_promise_end(pl_promise *p);
/* From looking at what is left until what of it will be taken is published, one job at a time: between the
 * two calls. Never waits long; what the first returns goes to the second. */
int pl_promise_turn(const pl_os_view *view);
void pl_promise_turn_end(int turn);

/* ---- memory of a process, from /proc/PID/status ---- */
typedef struct pl_process_memory {
    uint64_t resident, swap, peak, virtual_bytes; /* VmRSS VmSwap VmHWM VmSize */
} pl_process_memory;
bool pl_os_process_memory(const pl_os_view *view, long pid, pl_process_memory *out); /* pid 0: self */
uint64_t pl_os_count_slack(void); /* bytes the kernel's per-CPU counters may hide: CPUs x max(32, 2 CPUs) pages */

/* ---- CPUs ---- */
/* CPUs the process may use: affinity and cgroup quota (rounded up), at least 1; physical cores when
 * hyperthreads pair up. */
unsigned pl_os_cpus(const pl_os_view *view);

double pl_os_seconds(void); /* CLOCK_MONOTONIC */

/* ---- a team of threads with stacks from the caller's memory ---- */
typedef struct pl_team pl_team;
/* What pl_team_start needs, page-aligned. No stack for the caller's own thread, which is member 0. */
size_t pl_team_bytes(unsigned threads, size_t stack_bytes);
/* Starts threads - 1 threads, each with a guard page below its stack, inside `memory`. */
pl_status pl_team_start(void *memory, unsigned threads, size_t stack_bytes, pl_team **out, pl_error *e);
/* Runs job(self, member) on members 0..count-1 and returns when all have ended. Waiting spins for a
 * few microseconds, yields for about thirty, then sleeps (futex). */
void pl_team_run(pl_team *t, unsigned count, void (*job)(void *self, unsigned member), void *self);
void pl_team_stop(pl_team *t); /* joins */

/* A barrier for `count` members of a running job; reusable. Waits as above. */
typedef struct pl_barrier {
    _Atomic uint32_t arrived, round;
    uint32_t count;
} pl_barrier;
void pl_barrier_init(pl_barrier *b, uint32_t count);
void pl_barrier_wait(pl_barrier *b);

/* A counter that can be waited on: read-ahead and compute meet here. */
typedef struct pl_gate {
    _Atomic uint32_t value;
} pl_gate;
void pl_gate_open(pl_gate *g, uint32_t value);    /* value only grows (mod 2^32); wakes all */
void pl_gate_wait(pl_gate *g, uint32_t at_least); /* waits as above */

/* ---- pages ---- */
void *pl_os_map(uint64_t bytes); /* NULL when refused; not touched */
void pl_os_unmap(void *p, uint64_t bytes);
void pl_os_advise_huge(void *p, uint64_t bytes, bool huge); /* MADV_HUGEPAGE / MADV_NOHUGEPAGE */
void pl_os_release(void *p, uint64_t bytes);                /* MADV_DONTNEED */

#endif
