#define _GNU_SOURCE /* O_TMPFILE */
#include "train/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

pl_status pl__spill_open(const char *folder, uint64_t bytes, int *file, pl_error *e)
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
    if (posix_fallocate(fd, 0, (off_t)bytes) == ENOSPC) {
        close(fd);
        char size[32];
        return pl_fail(
            e, PL_MACHINE, "%s: the file system has no room for %s of spilled state; --spill names another folder", folder, pl_bytes_text(bytes, size));
    }
    *file = fd;
    return PL_OK;
}

uint64_t pl__store_file_bytes(const pl_step_request *r, const pl_step_knobs *k, const pl__parameters *p, uint64_t input_bytes, uint64_t at[PL__WHATS])
{
    enum { PAGE = 4096 };
    uint64_t learned = p->elements - p->learn_first, end = 0;
    const struct {
        bool spilled;
        uint64_t bytes;
    } parts[PL__WHATS] = {
        [PL__WEIGHTS] = {k->spill_weights, p->elements * sizeof(float)},
        [PL__MOMENT1] = {k->spill_state, learned * sizeof(float)},
        [PL__MOMENT2] = {k->spill_state, learned * sizeof(float)},
        [PL__GRADIENTS] = {k->spill_gradients, learned * sizeof(float)},
        [PL__INPUTS] = {k->spill_inputs, (r->model->layers + 2) * input_bytes},
    };
    for (unsigned i = 0; i < PL__WHATS; i++) {
        at[i] = end;
        end += parts[i].spilled ? pl_round_up(parts[i].bytes, PAGE) : 0;
    }
    return end;
}

static pl_status disk_failed(const char *what, pl_error *e) { return pl_fail(e, PL_MACHINE, "spill file: %s: %s", what, strerror(errno)); }

pl_status pl__store_get(const pl__store *s, pl__what what, uint64_t first, uint64_t count, float *out, pl_error *e)
{
    const float *there = pl__store_at(s, what, first);
    if (there) {
        memcpy(out, there, count * sizeof *out);
        return PL_OK;
    }
    uint64_t at = s->file_at[what] + (first - s->skipped[what]) * sizeof *out, left = count * sizeof *out;
    for (char *to = (char *)out; left;) {
        ssize_t n = pread(s->file, to, left, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n ? errno : EIO;
            return disk_failed("cannot be read", e);
        }
        to += n;
        at += (uint64_t)n;
        left -= (uint64_t)n;
    }
    return PL_OK;
}

pl_status pl__store_set(const pl__store *s, pl__what what, uint64_t first, uint64_t count, const float *in, pl_error *e)
{
    float *there = pl__store_at(s, what, first);
    if (there) {
        memmove(there, in, count * sizeof *in);
        return PL_OK;
    }
    uint64_t at = s->file_at[what] + (first - s->skipped[what]) * sizeof *in, left = count * sizeof *in;
    for (const char *from = (const char *)in; left;) {
        ssize_t n = pwrite(s->file, from, left, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return disk_failed("cannot be written", e);
        from += n;
        at += (uint64_t)n;
        left -= (uint64_t)n;
    }
    return PL_OK;
}
