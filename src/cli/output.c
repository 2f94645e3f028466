#include "cli/output.h"

#include "cli/signals.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <unistd.h>

static pl_status fail_write(const cli_output *o, int error, pl_error *e)
{
    if (error == EPIPE)
        return PL_BROKEN_PIPE;
    return pl_fail(e, PL_MACHINE, "%s: cannot be written: %s", o->name, strerror(error));
}

/* After a signal a reader gets some 100 ms to take more, then it counts as stalled. */
static bool stalled(const cli_output *o)
{
    struct pollfd ready = {.fd = o->fd, .events = POLLOUT};
    int turns = 3; /* the alarm that a signal sets off interrupts poll */
    while (turns-- > 0)
        if (poll(&ready, 1, 50) > 0)
            return false;
    return true;
}

/* A reader that does not read blocks us here, and a signal ends the wait. */
static pl_status write_all(cli_output *o, const char *bytes, size_t n, size_t *done, pl_error *e)
{
    *done = 0;
    while (*done < n) {
        if (!o->regular && cli_signals_caught() && stalled(o))
            return PL_STOPPED;
        ssize_t wrote = write(o->fd, bytes + *done, n - *done);
        if (wrote >= 0) {
            *done += (size_t)wrote;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) { /* somebody made it non-blocking */
            struct pollfd ready = {.fd = o->fd, .events = POLLOUT};
            poll(&ready, 1, 1000);
        } else if (errno != EINTR) {
            return fail_write(o, errno, e);
        }
    }
    return PL_OK;
}

pl_status cli_output_flush(cli_output *o, pl_error *e)
{
    size_t done;
    pl_status status = write_all(o, o->buffer, o->used, &done, e);
    o->flushed += done;
    if (status != PL_OK)
        memmove(o->buffer, o->buffer + done, o->used - done);
    o->used -= done;
    return status;
}

pl_status cli_output_put(cli_output *o, const char *bytes, size_t n, pl_error *e)
{
    while (n > 0) {
        size_t part = pl_min(n, o->capacity - o->used);
        memcpy(o->buffer + o->used, bytes, part);
        o->used += part;
        bytes += part;
        n -= part;
        if (o->used == o->capacity) {
            pl_status status = cli_output_flush(o, e);
            if (status != PL_OK)
                return status;
        }
    }
    return PL_OK;
}

pl_status cli_output_patch(cli_output *o, uint64_t offset, const void *bytes, size_t n, pl_error *e)
{
    assert(o->seekable);
    for (size_t done = 0; done < n;) {
        ssize_t wrote = pwrite(o->fd, (const char *)bytes + done, n - done, (off_t)(o->begun + offset + done));
        if (wrote < 0 && errno != EINTR)
            return fail_write(o, errno, e);
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    return PL_OK;
}

pl_status cli_output_text(cli_output *o, const char *text, pl_error *e) { return cli_output_put(o, text, strlen(text), e); }

pl_status cli_output_write(void *self, const char *text, size_t n, pl_error *e) { return cli_output_put(self, text, n, e); }

pl_status cli_output_number(cli_output *o, uint64_t number, pl_error *e)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return cli_output_put(o, digits + at, sizeof digits - at, e);
}

pl_status cli_output_float(cli_output *o, float value, pl_error *e)
{
    pl_status status = cli_output_reserve(o, 16, e);
    if (status == PL_OK)
        o->used += pl_float_text(value, o->buffer + o->used);
    return status;
}

pl_status cli_output_double(cli_output *o, double value, pl_error *e)
{
    char text[32];
    return cli_output_put(o, text, pl_double_text(value, text), e);
}

/* In pieces that end between characters, so that a text of any length passes the fixed scratch. */
pl_status cli_output_string(cli_output *o, const char *text, size_t n, pl_error *e)
{
    enum { PIECE = 128 };
    char scratch[6 * PIECE + 2];
    pl_status status = cli_output_put(o, "\"", 1, e);
    for (size_t at = 0; at < n && status == PL_OK;) {
        size_t piece = pl_min(n - at, PIECE);
        while (piece > PIECE - 4 && at + piece < n && ((unsigned char)text[at + piece] & 0xC0) == 0x80)
            piece--;
        size_t length = pl_json_string(text + at, piece, scratch, sizeof scratch);
        status = cli_output_put(o, scratch + 1, length - 2, e);
        at += piece;
    }
    return status == PL_OK ? cli_output_put(o, "\"", 1, e) : status;
}
