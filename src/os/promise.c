/* The ledger of planned peaks: one file per user, one record per process.
 *
 *     <pid> <start time> <planned peak>        RECORD bytes, blanks in between, '\n' at the end
 *
 * A record counts while /proc/PID/stat shows the same start time; what it promises is the planned
 * peak less what that process holds already. Records of dead processes are free places. Readers take
 * whatever stands in the file as a claim to be checked, never as a fact: the file lies where other
 * programs of the same user can write. It is used only if it is a plain file of ours with one name
 * (no link, nothing planted by another user), and writers never write outside a free or own record.
 *
 * A lock is waited for a little and never longer: a job must not hang on a courtesy. */
#define _GNU_SOURCE /* flock, O_DIRECTORY */
#include "os/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { RECORD = 64, RECORDS_MOST = 1 << 16, LOCK_TRIES = 50, LOCK_WAIT_NS = 4000000 };

struct pl_promise {
    int fd;
    pid_t pid;
    uint64_t start, mine; /* mine: this promise's part of the process's record */
    char proc[PL__PATH / 2];
};

typedef struct record {
    uint64_t pid, start, planned;
} record;

static bool parse_record(const char text[RECORD], record *out)
{
    char line[RECORD];
    memcpy(line, text, RECORD);
    if (line[RECORD - 1] != '\n' || memchr(line, '\0', RECORD))
        return false;
    line[RECORD - 1] = '\0';
    const char *start = line + strcspn(line, " "), *planned = start + strspn(start, " ");
    planned += strcspn(planned, " ");
    return pl__number(line, &out->pid) && pl__number(start, &out->start) && pl__number(planned, &out->planned) && out->pid > 0 && out->pid <= INT32_MAX;
}

static bool write_record(int fd, off_t at, const record *r)
{
    char line[RECORD + 1];
    snprintf(line, sizeof line, "%-19llu %-21llu %-21llu\n", (unsigned long long)r->pid, (unsigned long long)r->start, (unsigned long long)r->planned);
    return pwrite(fd, line, RECORD, at) == RECORD;
}

/* Field 22 of /proc/PID/stat, in clock ticks since boot. The name in field 2 may hold blanks and
 * brackets, so fields are counted from its last bracket. 0: no such process. */
static uint64_t start_time(const char *proc, uint64_t pid)
{
    char name[40];
    pl__lines l;
    uint64_t start = 0;
    snprintf(name, sizeof name, "%llu/stat", (unsigned long long)pid);
    if (pl__lines_open(&l, proc, name)) {
        const char *line = pl__lines_next(&l), *p = line ? strrchr(line, ')') : NULL;
        for (int field = 2; p && field < 22; field++)
            p = strchr(p + 1, ' ');
        if (!p || !pl__number(p, &start))
            start = 0;
    }
    pl__lines_close(&l);
    return start;
}

/* The file as described above, -1 if there is none to be trusted. */
static int open_ledger(const char *folder, bool make)
{
    char name[48];
    struct stat s;
    int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return -1;
    snprintf(name, sizeof name, "plimsoll-promises-%lu", (unsigned long)geteuid());
    int fd = openat(directory, name, (make ? O_RDWR | O_CREAT : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
    close(directory);
    if (fd >= 0 && (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode) || s.st_uid != geteuid() || s.st_nlink != 1 || s.st_size > (off_t)RECORD * RECORDS_MOST)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool lock(int fd, int how)
{
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, how | LOCK_NB) == 0)
            return true;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return false;
        nanosleep(&(struct timespec){0, LOCK_WAIT_NS}, NULL);
    }
    return false;
}

static bool read_record(int fd, size_t i, char text[RECORD]) { return i < RECORDS_MOST && pread(fd, text, RECORD, (off_t)(i * RECORD)) == RECORD; }

uint64_t pl__promised_by_others(const pl_os_view *view, uint64_t machine_total)
{
    int fd = view->runtime ? open_ledger(view->runtime, false) : -1;
    if (fd < 0)
        return 0;
    uint64_t sum = 0, self = (uint64_t)getpid();
    char text[RECORD];
    bool locked = lock(fd, LOCK_SH); /* without it a record may be read half-written, and is then garbage */
    for (size_t i = 0; read_record(fd, i, text); i++) {
        record r;
        pl_process_memory m;
        /* More than the machine has was never a plan that ran. */
        if (!parse_record(text, &r) || r.pid == self || r.planned == 0 || (machine_total && r.planned > machine_total))
            continue;
        if (r.start == 0 || start_time(view->proc, r.pid) != r.start || !pl_os_process_memory(view, (long)r.pid, &m))
            continue;
        uint64_t touched;
        if (pl_add(m.resident, m.swap, &touched) && r.planned > touched && !pl_add(sum, r.planned - touched, &sum))
            sum = UINT64_MAX;
    }
    if (locked)
        flock(fd, LOCK_UN);
    close(fd);
    return sum;
}

/* The process's own record (*mine true) or the first place that is free: of a dead process, garbage,
 * or behind the last one. False if the file is full. */
static bool find_place(const pl_promise *p, off_t *at, record *out, bool *mine)
{
    char text[RECORD];
    size_t i, free_place = RECORDS_MOST;
    for (i = 0; read_record(p->fd, i, text); i++) {
        record r;
        bool is_record = parse_record(text, &r);
        *mine = is_record && r.pid == (uint64_t)p->pid && r.start == p->start;
        if (*mine) {
            *at = (off_t)(i * RECORD);
            *out = r;
            return true;
        }
        if (free_place == RECORDS_MOST && (!is_record || r.planned == 0 || start_time(p->proc, r.pid) != r.start))
            free_place = i;
    }
    *mine = false;
    *at = (off_t)((free_place < RECORDS_MOST ? free_place : i) * RECORD);
    *out = (record){(uint64_t)p->pid, p->start, 0};
    return free_place < RECORDS_MOST || i < RECORDS_MOST;
}

/* A lock on the folder, beside the ledger's own, which looking and publishing take for themselves. */
int pl_promise_turn(const pl_os_view *view)
{
    int fd = view->runtime ? open(view->runtime, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0)
        lock(fd, LOCK_EX);
    return fd;
}

void pl_promise_turn_end(int turn)
{
    if (turn >= 0)
        close(turn);
}

/* Several sessions of one process share its record, so each adds and takes only its own part. */
static bool publish(pl_promise *p, uint64_t planned)
{
    off_t at;
    record r;
    bool mine, done = false;
    if (!lock(p->fd, LOCK_EX))
        return false;
    if (find_place(p, &at, &r, &mine)) {
        r.planned = (r.planned > p->mine ? r.planned - p->mine : 0);
        done = pl_add(r.planned, planned, &r.planned) && write_record(p->fd, at, &r);
    }
    flock(p->fd, LOCK_UN);
    if (done)
        p->mine = planned;
    return done;
}

void pl_promise_make(const pl_os_view *view, uint64_t planned_peak, pl_promise **out)
{
    *out = NULL;
    if (!view->runtime || strlen(view->proc) >= sizeof(*out)->proc)
        return;
    pl_promise *p = pl_os_map(sizeof *p);
    if (!p)
        return;
    p->pid = getpid();
    strcpy(p->proc, view->proc);
    p->start = start_time(view->proc, (uint64_t)p->pid);
    p->fd = p->start ? open_ledger(view->runtime, true) : -1;
    if (p->fd >= 0 && publish(p, planned_peak)) {
        *out = p;
        return;
    }
    if (p->fd >= 0)
        close(p->fd);
    pl_os_unmap(p, sizeof *p);
}

/* A forked child inherits the handle, not the promise. */
void pl_promise_change(pl_promise *p, uint64_t planned_peak)
{
    if (p && p->pid == getpid())
        publish(p, planned_peak);
}

void pl_promise_end(pl_promise *p)
{
    if (!p)
        return;
    if (p->pid == getpid())
        publish(p, 0);
    close(p->fd);
    pl_os_unmap(p, sizeof *p);
}
