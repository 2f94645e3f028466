/* The room of `plimsoll watch` and `plimsoll devices`: who holds memory now and where it is going.
 *
 *     options ──> loop ──> sample ──> machine, processes, GPUs      what is, once an interval
 *                             └─────> trends                        where it goes
 *                   └──> text, json, screen                         how it is shown
 *                   └──> alert, job                                 what follows from it
 *
 * A day's run must not grow: every table is as large as what it describes (processes, groups,
 * devices) and places of what is gone are used again; histories are rings of fixed length. */
#ifndef WATCH_WATCH_H
#define WATCH_WATCH_H

#include "os/os.h"

#include <dirent.h>
#include <stdarg.h>
#include <sys/types.h>

/* ---- options.c ---- */
typedef enum watch_color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER } watch_color;
typedef struct watch_options {
    bool devices, help; /* devices: that verb, else watch */
    bool once, json;
    long pid; /* 0: none */
    double interval;
    const char *alert, *exec;
    char **run; /* NULL-terminated command, or NULL */
    watch_color color;
} watch_options;
pl_status watch_options_parse(int argc, char **argv, watch_options *o, pl_error *e);

/* ---- files.c: small files of the kernel ---- */
/* root/rest whole or its beginning, terminated. Returns its length, or -1 with errno. */
ssize_t watch_file_read(const char *root, const char *rest, char *out, size_t capacity);
bool watch_file_number(const char *root, const char *rest, uint64_t *out);
const char *watch_line_find(const char *text, const char *key); /* what follows key at the beginning of a line, or NULL */
void watch_copy(char *out, size_t capacity, const char *text);  /* cut where it does not fit */
void watch_clean(char *text);                                   /* names are anybody's bytes: what a terminal would obey, and broken UTF-8, becomes '?' */
/* Room for one more entry; false when there is no memory. */
bool watch_grow(void **list, size_t *capacity, size_t count, size_t entry_bytes);

/* ---- trend.c ---- */
enum { TREND_POINTS = 60, HISTORY_POINTS = 512 };
typedef struct watch_trend {
    double at[TREND_POINTS], value[TREND_POINTS]; /* a ring; the newest is before `next` */
    unsigned count, next;
} watch_trend;
void watch_trend_add(watch_trend *t, double at, double value);
/* Median of the slopes between all pairs (Theil-Sen): a third of the points may be anything. False
 * while there are too few points. `sure` says that the values really go one way. */
bool watch_trend_slope(const watch_trend *t, double *per_second, bool *sure);
/* Seconds until `left` is used up at that slope; negative when it is not being used up. */
double watch_trend_until(const watch_trend *t, double left);

typedef struct watch_history { /* for the charts: part of the device in use, 0..1; negative: unknown */
    float part[HISTORY_POINTS];
    unsigned count, next;
} watch_history;
void watch_history_add(watch_history *h, double part);
double watch_history_back(const watch_history *h, unsigned ago); /* 0: the newest; negative where there is none */

/* ---- machine.c ---- */
typedef struct watch_machine {
    bool known;
    uint64_t total, available, unused, swap_total, swap_free;
    uint64_t free; /* what a new process can take: least of available and what the control groups leave */
    pl_pressure pressure;
    bool has_group, group_of_root;
    pl_group group;    /* of the watched process, as long as there is one, else of plimsoll itself */
    uint64_t oom_kill; /* of the whole machine since it started; valid if has_oom_kill */
    bool has_oom_kill;
    watch_trend trend; /* of total - free */
    watch_history history;
} watch_machine;

/* ---- group.c: containers, services, sessions ---- */
typedef struct watch_group {
    uint64_t key; /* hash of the path; 0: free place */
    char label[48];
    size_t processes;
    uint64_t resident, swap, gpu;
    double rate;
    int pid; /* one of them */
} watch_group;
typedef struct watch_groups {
    watch_group *list;
    size_t count, capacity;
} watch_groups;
enum { WATCH_NO_GROUP = UINT32_MAX };
void watch_group_label(const char *path, char out[48]);               /* "docker 0123456789ab", "slurm job 7", "ssh.service" */
uint32_t watch_groups_of(watch_groups *g, const char *proc, int pid); /* index of its group, made if new */
void watch_groups_free(watch_groups *g);

/* ---- process.c ---- */
typedef struct watch_process {
    int pid, parent;
    uint64_t start; /* clock ticks since boot; tells a number used again */
    uint32_t uid, group, pass;
    char name[16];
    bool kernel, fresh; /* fresh: seen once, so no rate yet */
    uint64_t resident, swap, gpu;
    double rate, at; /* bytes per second, smoothed over some ten seconds */
} watch_process;
typedef struct watch_processes {
    const char *proc;
    watch_process *list;
    size_t count, capacity;
    uint32_t *slots; /* hash table of pid -> index + 1 */
    size_t slot_count;
    DIR *walk;
    uint32_t pass;
    bool whole;                /* a pass has ended, so nobody is missing */
    size_t hidden, hidden_now; /* processes whose figures we may not read, in the last pass and in this one */
    bool swapping;             /* look at swap too */
} watch_processes;
void watch_processes_start(watch_processes *p, const char *proc);
/* Reads the largest processes again and goes on through the others until `budget` seconds of CPU
 * time are used; 0: through all of them. */
void watch_processes_read(watch_processes *p, watch_groups *g, double now, double budget);
watch_process *watch_processes_find(const watch_processes *p, int pid);                  /* NULL: not known */
bool watch_processes_within(const watch_processes *p, const watch_process *x, int root); /* x is root or descends from it */
void watch_processes_free(watch_processes *p);

/* ---- user.c ---- */
const char *watch_user_name(uint32_t uid, char out[24]); /* from /etc/passwd alone: no name service in a watcher */

/* ---- gpu.c, nvml.c, amd.c ---- */
typedef struct watch_gpu {
    char vendor[8]; /* "nvidia" "amd" */
    unsigned index; /* the vendor's number; of a MIG device its parent's */
    bool mig, present;
    unsigned instance, compute; /* MIG: GPU instance and compute instance */
    char name[96], uuid[96], bus[32];
    bool known; /* total, used and free are */
    uint64_t total, used, free;
    char trouble[96]; /* why not, or what else is wrong; "": nothing */
    watch_trend trend;
    watch_history history;
} watch_gpu;
typedef struct watch_use { /* who holds memory of a GPU */
    unsigned gpu;          /* index in the list */
    int pid;
    uint64_t bytes; /* UINT64_MAX: the driver does not say */
} watch_use;
typedef struct watch_nvml watch_nvml;
typedef struct watch_gpus {
    watch_gpu *list;
    size_t count, capacity;
    watch_use *uses;
    size_t use_count, use_capacity;
    watch_nvml *nvml;
    char nvidia_note[160], amd_note[160]; /* what could not be seen, "": all was */
    double nvidia_retry;                  /* when to look for the driver again */
} watch_gpus;
void watch_gpus_read(watch_gpus *g, const char *sys, double now, bool uses);
watch_gpu *watch_gpus_place(watch_gpus *g, const char *vendor, const char *uuid, unsigned index, bool mig); /* its entry, made if new; NULL without memory */
void watch_gpus_use(watch_gpus *g, const watch_gpu *gpu, int pid, uint64_t bytes);
void watch_gpus_free(watch_gpus *g);
watch_nvml *watch_nvml_open(char *note, size_t capacity);      /* NULL: no driver, with its reason */
bool watch_nvml_read(watch_nvml *n, watch_gpus *g, bool uses); /* false: the driver has gone */
void watch_nvml_close(watch_nvml *n);
void watch_amd_read(watch_gpus *g, const char *sys, bool uses);

/* ---- sample.c: all of it together ---- */
typedef struct watch_state {
    const watch_options *options;
    pl_os_view view;
    pl_os_watch *watch;
    void *watch_memory;
    size_t watch_bytes;
    double start, now; /* CLOCK_MONOTONIC */
    int64_t unix_ms;
    unsigned samples;
    watch_machine machine;
    watch_processes processes;
    watch_groups groups;
    watch_gpus gpus;
    double use_cost; /* CPU seconds that asking for the GPUs' processes took last time */
    int root;        /* the process that --pid or --run is about; 0: none */
    bool root_gone;
    uint64_t tree_resident, tree_swap, tree_gpu, tree_peak, tree_gpu_peak;
    size_t tree_count;
    watch_trend tree_trend;
    uint64_t machine_kills_before, group_kills_before; /* at the first sample */
} watch_state;
pl_status watch_state_start(watch_state *w, const watch_options *o, const pl_os_view *view, pl_error *e);
void watch_sample(watch_state *w);
void watch_count_kills(watch_state *w);                              /* reads the counters again */
uint64_t watch_oom_kills(const watch_state *w);                      /* since the start of the watch: of the group, else of the machine */
void watch_unseen(const watch_state *w, char *out, size_t capacity); /* one line of what could not be seen, "": nothing */
void watch_state_end(watch_state *w);

/* Indexes of processes, largest first, in `order` (capacity entries); kernel threads are left out,
 * with a root only its tree is in. Returns how many. */
typedef enum watch_sort { SORT_MEMORY, SORT_GPU, SORT_RATE, SORT_PID, SORT_NAME, SORT_COUNT } watch_sort;
size_t watch_order(const watch_state *w, watch_sort sort, const char *filter, uint32_t *order, size_t capacity);

/* ---- out.c: buffered, never blocks memory; the first failure is kept ---- */
typedef struct watch_out {
    int fd, error; /* errno of the first failure */
    size_t used;
    char buffer[4096];
} watch_out;
void watch_out_start(watch_out *o, int fd);
void watch_out_text(watch_out *o, const char *text);
void watch_out_bytes(watch_out *o, const char *text, size_t n);
void watch_out_format(watch_out *o, const char *format, ...) PL_PRINTF(2, 3);
void watch_out_string(watch_out *o, const char *text); /* as JSON; bytes that are not UTF-8 become U+FFFD */
void watch_out_flush(watch_out *o);
const char *watch_duration(double seconds, char out[32]);     /* "2 h 10 min" */
const char *watch_rate_text(double per_second, char out[32]); /* "+1.20 MiB/s", "steady" */

void watch_help_print(bool devices, watch_out *o); /* in options.c */

/* ---- text.c, json.c ---- */
void watch_text_last(watch_state *w, watch_out *o); /* the devices as the last sample saw them */
void watch_text_once(watch_state *w, watch_out *o, bool color);
void watch_text_devices(watch_state *w, watch_out *o, bool color);
void watch_text_line(watch_state *w, watch_out *o); /* one compact line a sample */
void watch_json_line(watch_state *w, watch_out *o);
void watch_json_devices(watch_state *w, watch_out *o);

/* ---- screen.c: the only file that knows ncurses ---- */
typedef struct watch_screen watch_screen;
bool watch_screen_open(watch_state *w, bool color, watch_screen **out); /* false: no terminal that can do it */
void watch_screen_draw(watch_screen *s);
bool watch_screen_keys(watch_screen *s); /* takes what was typed; false: to end */
bool watch_screen_paused(const watch_screen *s);
void watch_screen_say(watch_screen *s, const char *text); /* shown in the last line */
void watch_screen_close(watch_screen *s);

/* ---- alert.c ---- */
typedef struct watch_alert watch_alert;
pl_status watch_alert_parse(const char *text, const watch_options *o, watch_alert **out, pl_error *e);
/* Whether it holds now; `why` says for what: "gpu0 free 1.20 GiB < 2.00 GiB". */
bool watch_alert_holds(const watch_alert *a, const watch_state *w, char why[160]);
void watch_alert_free(watch_alert *a);

/* ---- job.c: --run ---- */
typedef struct watch_job watch_job;
pl_status watch_job_start(const watch_options *o, watch_job **out, int *code, pl_error *e); /* code: the exit code of a failure */
int watch_job_pid(const watch_job *j);
int watch_job_error_fd(const watch_job *j); /* to be polled; -1 when the job's standard error has ended */
void watch_job_relay(watch_job *j);         /* passes on what the job wrote to standard error, keeps its end */
bool watch_job_reap(watch_job *j);          /* true when it has ended */
void watch_job_signal(watch_job *j, int signal);
/* Says how it ended and, if it died of memory, what explain makes of it. Returns its exit code. */
int watch_job_report(watch_job *j, watch_state *w, bool color);
void watch_job_free(watch_job *j);

/* ---- command.c: --exec ---- */
/* Starts `command` by sh, without waiting; PLIMSOLL_ALERT in its environment is `why`. Its output
 * goes to standard error, or nowhere when quiet. 0: it could not be started. */
pid_t watch_command_start(const char *command, const char *why, bool quiet);

/* ---- loop.c ---- */
int watch_loop(const watch_options *o, const pl_os_view *view); /* returns the exit code */
int watch_fail(const pl_error *e);                              /* prints it, returns its exit code */

#endif
