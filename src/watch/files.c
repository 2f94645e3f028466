#include "watch/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ssize_t watch_file_read(const char *root, const char *rest, char *out, size_t capacity)
{
    char path[4352];
    int n = snprintf(path, sizeof path, "%s/%s", root, rest);
    if (n < 0 || (size_t)n >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return -1;
    size_t used = 0;
    for (;;) {
        ssize_t got = read(fd, out + used, capacity - 1 - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && used == 0) {
            int error = errno;
            close(fd);
            errno = error;
            return -1;
        }
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    close(fd);
    out[used] = '\0';
    return (ssize_t)used;
}

bool watch_file_number(const char *root, const char *rest, uint64_t *out)
{
    char text[64], *end;
    if (watch_file_read(root, rest, text, sizeof text) <= 0 || text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && (*end == '\0' || *end == '\n');
}

const char *watch_line_find(const char *text, const char *key)
{
    size_t n = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, n) == 0)
            return line + n;
    }
    return NULL;
}

void watch_copy(char *out, size_t capacity, const char *text)
{
    size_t n = strnlen(text, capacity - 1);
    memcpy(out, text, n);
    out[n] = '\0';
}

void watch_clean(char *text)
{
    for (char *p = text; *p;) {
        unsigned char c = (unsigned char)*p;
        size_t width = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
        bool whole = strnlen(p, width) == width && pl_utf8_valid(p, width) == width;
        bool c1_control = whole && width == 2 && c == 0xC2 && (unsigned char)p[1] < 0xA0;
        if (whole && c >= 0x20 && c != 0x7F && !c1_control) {
            p += width;
            continue;
        }
        *p++ = '?';
    }
}

bool watch_grow(void **list, size_t *capacity, size_t count, size_t entry_bytes)
{
    if (count < *capacity)
        return true;
    size_t wanted = *capacity ? *capacity * 2 : 16;
    if (wanted > SIZE_MAX / entry_bytes)
        return false;
    void *larger = realloc(*list, wanted * entry_bytes);
    if (!larger)
        return false;
    *list = larger;
    *capacity = wanted;
    return true;
}
