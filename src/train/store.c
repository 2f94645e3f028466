#define _GNU_SOURCE /* O_TMPFILE, sync_file_range */
#include "train/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096 };

pl_status pl__spill_open(const char *folder, uint64_t bytes, pl__store *s, pl_error *e)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL)) {
        char name[PATH_MAX];
        int n = snprintf(name, sizeof name, "%s/.plimsoll-spill-XXXXXX", folder);
        fd = n > 0 && (size_t)n < sizeof name ? mkostemp(name, O_CLOEXEC) : -1;
        if (fd >= 0)
            unlink(name);
    }
    if (fd < 0)
        return pl_fail(e, PL_MACHINE, "%s: no spill file can be made: %s; --spill names another folder", folder, strerror(errno));
    int error = posix_fallocate(fd, 0, (off_t)bytes);
    if (error && error != ENOSPC) /* a file system that cannot set blocks aside: the size at least */
        error = ftruncate(fd, (off_t)bytes) ? errno : 0;
    if (error) {
        close(fd);
        char size[32];
        return pl_fail(e, PL_MACHINE, "%s: the file system has no room for %s of spilled state: %s; --spill names another folder", folder,
            pl_bytes_text(bytes, size), strerror(error));
    }
    s->file = fd;
    s->file_bytes = bytes;
    return PL_OK;
}

uint64_t pl__store_file_bytes(const pl_step_request *r, const pl_step_knobs *k, const pl__parameters *p, const pl__step_layout *l, uint64_t at[PL__WHATS])
{
    uint64_t end = 0, state = pl__spilled_state(k, p);
    const struct {
        bool spilled;
        uint64_t bytes;
    } parts[PL__WHATS] = {
        [PL__WEIGHTS] = {k->spill_weights, p->elements * sizeof(float)},
        [PL__MOMENT1] = {k->spill_state, state * sizeof(float)},
        [PL__MOMENT2] = {k->spill_state, state * sizeof(float)},
        [PL__GRADIENTS] = {k->spill_gradients, (p->elements - p->gradient_first) * sizeof(float)},
        [PL__INPUTS] = {k->spill_inputs, (r->model->layers + 2) * l->input_bytes},
        [PL__KEPT] = {k->passing_layers > 0 || k->passing_rest,
            k->passing_layers * l->kept_file[PL__KEPT_WHOLE] + (r->model->layers - k->kept_layers) * l->kept_file[PL__KEPT_REST]},
    };
    for (unsigned i = 0; i < PL__WHATS; i++) {
        at[i] = end;
        end += parts[i].spilled ? pl_round_up(parts[i].bytes, PAGE) : 0;
    }
    return end ? end + PAGE : 0; /* the last page is never written, see check_size */
}

uint64_t pl__spilled_state(const pl_step_knobs *k, const pl__parameters *p)
{
    uint64_t learned = p->elements - p->learn_first;
    return k->spill_state ? learned - learned / PL_STATE_PARTS * k->resident_state : 0;
}

static pl_status disk_failed(const char *what, pl_error *e) { return pl_fail(e, PL_MACHINE, "spill file: %s: %s", what, strerror(errno)); }

/* Whoever cuts the file off behind our back leaves holes that read as zeros once something behind them
 * is written. No write of ours reaches its end, so what was cut once never has its size again: looking
 * behind each transfer misses nothing that was used. */
static pl_status check_size(const pl__store *s, pl_error *e)
{
    struct stat st;
    if (fstat(s->file, &st) != 0)
        return disk_failed("cannot be examined", e);
    if ((uint64_t)st.st_size != s->file_bytes)
        return pl_fail(e, PL_MACHINE, "spill file: has %llu bytes instead of %llu: somebody else changed it while it was in use",
            (unsigned long long)st.st_size, (unsigned long long)s->file_bytes);
    return PL_OK;
}

static pl_status file_get(const pl__store *s, uint64_t at, char *to, uint64_t left, pl_error *e)
{
    atomic_fetch_add_explicit(&s->traffic->read, left, memory_order_relaxed);
    while (left) {
        ssize_t n = pread(s->file, to, left, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0 && check_size(s, e) != PL_OK)
            return PL_MACHINE;
        if (n <= 0) {
            errno = n ? errno : EIO;
            return disk_failed("cannot be read", e);
        }
        to += n;
        at += (uint64_t)n;
        left -= (uint64_t)n;
    }
    return check_size(s, e);
}

static pl_status file_set(const pl__store *s, uint64_t at, const char *from, uint64_t left, pl_error *e)
{
    atomic_fetch_add_explicit(&s->traffic->written, left, memory_order_relaxed);
    while (left) {
        ssize_t n = pwrite(s->file, from, left, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n ? errno : EIO;
            return disk_failed("cannot be written", e);
        }
        from += n;
        at += (uint64_t)n;
        left -= (uint64_t)n;
    }
    return check_size(s, e);
}

/* Of elements [at, at + count) behind the skipped ones: how many are in the file. */
static uint64_t count_filed(const pl__store *s, pl__what what, uint64_t at, uint64_t count)
{
    return at < s->filed[what] ? pl_min(count, s->filed[what] - at) : 0;
}

pl_status pl__store_get(const pl__store *s, pl__what what, uint64_t first, uint64_t count, float *out, pl_error *e)
{
    uint64_t at = first - s->skipped[what], filed = count_filed(s, what, at, count);
    if (filed < count)
        memcpy(out + filed, (const float *)(const void *)s->memory[what] + (at + filed - s->filed[what]), (count - filed) * sizeof *out);
    return filed ? file_get(s, s->file_at[what] + at * sizeof *out, (char *)out, filed * sizeof *out, e) : PL_OK;
}

pl_status pl__store_set(const pl__store *s, pl__what what, uint64_t first, uint64_t count, const float *in, pl_error *e)
{
    uint64_t at = first - s->skipped[what], filed = count_filed(s, what, at, count);
    if (filed < count)
        memmove((float *)(void *)s->memory[what] + (at + filed - s->filed[what]), in + filed, (count - filed) * sizeof *in);
    return filed ? file_set(s, s->file_at[what] + at * sizeof *in, (const char *)in, filed * sizeof *in, e) : PL_OK;
}

void pl__store_ahead(const pl__store *s, pl__what what, uint64_t first, uint64_t count)
{
    uint64_t at = first - s->skipped[what], filed = s->disk ? count_filed(s, what, at, count) : 0;
    if (filed)
        posix_fadvise(s->file, (off_t)(s->file_at[what] + at * sizeof(float)), (off_t)(filed * sizeof(float)), POSIX_FADV_WILLNEED);
}

void pl__store_behind(const pl__store *s, pl__what what, uint64_t first, uint64_t count)
{
    uint64_t at = first - s->skipped[what], filed = s->disk ? count_filed(s, what, at, count) : 0;
    if (filed)
        sync_file_range(s->file, (off_t)(s->file_at[what] + at * sizeof(float)), (off_t)(filed * sizeof(float)), SYNC_FILE_RANGE_WRITE);
}
