#include "text/lines.h"

#include <string.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 16 };

pl_status pl__text_lines_open(pl__text_lines *lines, const char *path, const pl_memory *memory, pl_error *e)
{
    *lines = (pl__text_lines){.path = path, .memory = memory, .fd = -1};
    lines->buffer = memory->take(memory->self, BUFFER_BYTES);
    if (!lines->buffer)
        return pl_fail_no_memory(e, BUFFER_BYTES, path);
    pl_status status = pl_file_open(path, &lines->fd, &lines->end, e);
    if (status) {
        lines->fd = -1;
        pl__text_lines_close(lines);
    }
    return status;
}

void pl__text_lines_close(pl__text_lines *lines)
{
    if (lines->fd >= 0)
        close(lines->fd);
    if (lines->buffer)
        lines->memory->give(lines->memory->self, lines->buffer, BUFFER_BYTES);
    *lines = (pl__text_lines){.fd = -1};
}

/* Moves what is left to the front and reads on. */
static pl_status refill(pl__text_lines *lines, pl_error *e)
{
    memmove(lines->buffer, lines->buffer + lines->used, lines->fill - lines->used);
    lines->fill -= lines->used;
    lines->used = 0;
    uint64_t left = lines->end - lines->at;
    size_t n = left < BUFFER_BYTES - lines->fill ? (size_t)left : BUFFER_BYTES - lines->fill;
    pl_status status = n ? pl_file_read(lines->fd, lines->path, lines->at, lines->buffer + lines->fill, n, e) : PL_OK;
    if (!status) {
        lines->fill += n;
        lines->at += n;
    }
    return status;
}

pl_status pl__text_lines_next(pl__text_lines *lines, const char **text, size_t *n, pl_error *e)
{
    const char *newline = memchr(lines->buffer + lines->used, '\n', lines->fill - lines->used);
    if (!newline) {
        pl_status status = refill(lines, e);
        if (status)
            return status;
        newline = memchr(lines->buffer, '\n', lines->fill);
    }
    if (!newline && lines->fill == 0)
        return PL_END;
    lines->number++;
    if (!newline && lines->fill == BUFFER_BYTES)
        return pl_fail(e, PL_BAD_INPUT, "%s: line %llu: is longer than %d bytes", lines->path, (unsigned long long)lines->number, BUFFER_BYTES);
    *text = lines->buffer + lines->used;
    *n = newline ? (size_t)(newline - *text) : lines->fill - lines->used;
    lines->used += *n + (newline != NULL);
    if (pl_utf8_valid(*text, *n) != *n)
        return pl_fail(e, PL_BAD_INPUT, "%s: line %llu: is not UTF-8", lines->path, (unsigned long long)lines->number);
    if (newline && *n > 0 && (*text)[*n - 1] == '\r')
        (*n)--;
    return PL_OK;
}
