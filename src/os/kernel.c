#include "os/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int pl__open(const char *root, const char *rest)
{
    char path[PL__PATH + 256];
    int n = snprintf(path, sizeof path, "%s/%s", root, rest);
    if (n < 0 || (size_t)n >= sizeof path)
        return -1;
    int fd;
    do
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    while (fd < 0 && errno == EINTR);
    return fd;
}

void pl__lines_start(pl__lines *l, int fd)
{
    l->fd = fd;
    l->at = 0;
    l->begin = l->end = 0;
    l->owned = l->cut = false;
}

bool pl__lines_open(pl__lines *l, const char *root, const char *rest)
{
    pl__lines_start(l, pl__open(root, rest));
    l->owned = true;
    return l->fd >= 0;
}

void pl__lines_close(pl__lines *l)
{
    if (l->owned && l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

/* More bytes behind the unread ones; false when there are none or no room for them. */
static bool fill(pl__lines *l)
{
    if (l->begin > 0) {
        memmove(l->buffer, l->buffer + l->begin, l->end - l->begin);
        l->end -= l->begin;
        l->begin = 0;
    }
    size_t room = PL__LINE - 1 - l->end;
    ssize_t n;
    do
        n = room && l->fd >= 0 ? pread(l->fd, l->buffer + l->end, room, l->at) : 0;
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return false;
    l->at += n;
    l->end += (size_t)n;
    return true;
}

/* Drops everything up to and with the next '\n'. */
static void skip_rest(pl__lines *l)
{
    do {
        char *end = memchr(l->buffer + l->begin, '\n', l->end - l->begin);
        l->begin = end ? (size_t)(end - l->buffer) + 1 : l->end;
        if (end)
            break;
    } while (fill(l));
    l->cut = false;
}

char *pl__lines_next(pl__lines *l)
{
    if (l->cut)
        skip_rest(l);
    char *end;
    while (!(end = memchr(l->buffer + l->begin, '\n', l->end - l->begin)))
        if (!fill(l)) { /* the last line, or one that fills the buffer */
            if (l->begin == l->end)
                return NULL;
            l->cut = l->end - l->begin == PL__LINE - 1;
            char *line = l->buffer + l->begin;
            l->buffer[l->end] = '\0';
            l->begin = l->end;
            return line;
        }
    char *line = l->buffer + l->begin;
    *end = '\0';
    l->begin = (size_t)(end - l->buffer) + 1;
    return line;
}

/* ---- values ---- */

bool pl__number(const char *text, uint64_t *out)
{
    text += strspn(text, " \t");
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || (text[digits] != '\0' && text[digits] != ' ' && text[digits] != '\t'))
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < digits; i++)
        if (!pl_mul(value, 10, &value) || !pl_add(value, (uint64_t)(text[i] - '0'), &value))
            return false;
    *out = value;
    return true;
}

/* "No limit" is 2^63 less one page in v1 and may be 2^63 - 1 or 2^64 - 1 in old kernels; nobody means
 * an exbibyte as a limit. */
bool pl__number_or_max(const char *text, uint64_t *out)
{
    if (strcmp(text, "max") == 0) {
        *out = UINT64_MAX;
        return true;
    }
    if (!pl__number(text, out))
        return false;
    if (*out >= 1ULL << 60)
        *out = UINT64_MAX;
    return true;
}

const char *pl__after(const char *line, const char *key)
{
    size_t n = strlen(key);
    return strncmp(line, key, n) == 0 ? line + n : NULL;
}

bool pl__kib(const char *line, const char *key, uint64_t *bytes)
{
    const char *value = pl__after(line, key);
    uint64_t kib;
    if (!value || *value != ':' || !pl__number(value + 1, &kib) || kib > UINT64_MAX / 1024)
        return false;
    *bytes = kib * 1024;
    return true;
}

bool pl__read_value(const char *root, const char *rest, uint64_t *out)
{
    pl__lines l;
    bool ok = false;
    if (pl__lines_open(&l, root, rest)) {
        const char *line = pl__lines_next(&l);
        ok = line && pl__number_or_max(line, out);
    }
    pl__lines_close(&l);
    return ok;
}

/* ---- sets ---- */

static int hex_value(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

bool pl__set_parse_mask(const char *text, pl__set *out)
{
    memset(out, 0, sizeof *out);
    text += strspn(text, " \t");
    size_t n = strspn(text, "0123456789abcdefABCDEF,"), place = 0;
    if (n == 0 || text[n] != '\0')
        return false;
    for (size_t i = n; i-- > 0;) {
        if (text[i] == ',')
            continue;
        if (place / 16 < PL__SET_WORDS)
            out->words[place / 16] |= (uint64_t)hex_value(text[i]) << (place % 16 * 4);
        place++;
    }
    return true;
}

static bool small_number(const char **text, unsigned *out)
{
    unsigned value = 0;
    size_t digits = strspn(*text, "0123456789");
    if (digits == 0 || digits > 8)
        return false;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (unsigned)((*text)[i] - '0');
    *text += digits;
    *out = value;
    return true;
}

bool pl__set_parse_list(const char *text, pl__set *out)
{
    memset(out, 0, sizeof *out);
    text += strspn(text, " \t");
    while (*text) {
        unsigned from, to;
        if (!small_number(&text, &from))
            return false;
        to = from;
        if (*text == '-' && (text++, !small_number(&text, &to)))
            return false;
        if (to < from || to >= PL__SET_WORDS * 64)
            return false;
        for (unsigned i = from; i <= to; i++)
            out->words[i / 64] |= 1ULL << (i % 64);
        if (*text == ',')
            text++;
        else if (*text)
            return false;
    }
    return true;
}
