/* Private to os/: the kernel's small text files, read line by line into a fixed buffer, and the
 * control groups found through them. Nothing here allocates. */
#ifndef PL_OS_KERNEL_H
#define PL_OS_KERNEL_H

#include "os/os.h"

#include <sys/types.h>

enum { PL__PATH = 4096, PL__LINE = 4096, PL__SET_WORDS = 1024 };

/* ---- lines of a file; a line longer than PL__LINE - 1 keeps its beginning ---- */
typedef struct pl__lines {
    int fd;
    off_t at;          /* where the next pread begins */
    size_t begin, end; /* unread part of buffer; invariant: begin <= end < PL__LINE */
    bool owned;        /* close fd at the end */
    bool cut;          /* the rest of the last line is still to be skipped */
    char buffer[PL__LINE];
} pl__lines;

int pl__open(const char *root, const char *rest); /* root/rest for reading, -1 if it cannot be */
bool pl__lines_open(pl__lines *l, const char *root, const char *rest);
void pl__lines_start(pl__lines *l, int fd); /* from offset 0 of a file that stays open */
char *pl__lines_next(pl__lines *l);         /* terminated, without '\n'; NULL at the end */
void pl__lines_close(pl__lines *l);

/* ---- values ---- */
bool pl__number(const char *text, uint64_t *out);                       /* digits up to a blank or the end; leading blanks are skipped */
bool pl__number_or_max(const char *text, uint64_t *out);                /* "max" and v1's "no limit" give UINT64_MAX */
const char *pl__after(const char *line, const char *key);               /* what follows key, NULL if line begins otherwise */
bool pl__kib(const char *line, const char *key, uint64_t *bytes);       /* "key:  12 kB" */
bool pl__read_value(const char *root, const char *rest, uint64_t *out); /* first line by pl__number_or_max */

/* ---- sets of CPUs or memory nodes ---- */
typedef struct pl__set {
    uint64_t words[PL__SET_WORDS]; /* 65536 members; Linux has at most 8192 CPUs and 1024 nodes */
} pl__set;
bool pl__set_parse_mask(const char *text, pl__set *out); /* "3,00000000,ffffffff", most significant first */
bool pl__set_parse_list(const char *text, pl__set *out); /* "0-3,8,10-11" */
static inline bool pl__set_has(const pl__set *s, unsigned i) { return i < PL__SET_WORDS * 64 && (s->words[i / 64] >> (i % 64) & 1); }

/* ---- control groups ---- */
/* The folder of a process's group in one hierarchy. path[0..mount) is the mount point: the
 * ancestors that can be seen end there. */
typedef struct pl__cgroup {
    int version; /* 1 or 2 */
    size_t mount;
    char path[PL__PATH];
} pl__cgroup;
bool pl__cgroup_find(const pl_os_view *view, long pid, int version, const char *controller, pl__cgroup *out); /* pid 0: self */
bool pl__cgroup_up(pl__cgroup *g);                                                                            /* to the parent; false at the mount point */

/* Memory of one group, from files that are open or -1. */
enum { PL__USAGE, PL__LIMIT, PL__HIGH, PL__SWAP_USAGE, PL__SWAP_LIMIT, PL__STAT, PL__GROUP_FILES };
typedef struct pl__group_memory {
    uint64_t limit;     /* least of memory.max and memory.high; UINT64_MAX: none */
    uint64_t headroom;  /* limit - (usage - reclaimable), at least 0; UINT64_MAX: no limit */
    uint64_t inherited; /* v1: hierarchical_memory_limit, which ancestors out of sight may set */
    uint64_t used;      /* usage - reclaimable */
    uint64_t over;      /* used - limit, at least 0 */
} pl__group_memory;
void pl__group_open(const pl__cgroup *g, int files[PL__GROUP_FILES]);
void pl__group_close(int files[PL__GROUP_FILES]);
void pl__group_read(int version, const int files[PL__GROUP_FILES], pl__lines *scratch, pl__group_memory *out);

/* The tightest of several groups. Take each, then end. */
typedef struct pl__least {
    uint64_t headroom, limit, used, over;
    uint64_t inherited, inherited_used; /* until the end: the limit of an ancestor beyond the mount point, and our use under it */
} pl__least;
void pl__least_begin(pl__least *l);
void pl__least_take(pl__least *l, const pl__group_memory *m);
void pl__least_end(pl__least *l);
/* Takes every visible group of the process, of both versions: on hybrid machines either may hold the
 * memory controller. */
void pl__least_by_path(const pl_os_view *view, long pid, pl__lines *scratch, pl__least *l);

/* ---- the machine ---- */
typedef struct pl__machine_memory {
    uint64_t total, available;
    uint64_t anonymous; /* UINT64_MAX: unknown */
    bool restricted;    /* only some NUMA nodes are allowed */
} pl__machine_memory;
/* meminfo: an open file, or -1 to open it. False if nothing can be read. */
bool pl__machine_read(const pl_os_view *view, int meminfo, pl__lines *scratch, pl__machine_memory *out);

/* ---- promises ---- */
uint64_t pl__promised_by_others(const pl_os_view *view, uint64_t machine_total);

#endif
