#include "watch/watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void watch_out_start(watch_out *o, int fd)
{
    o->fd = fd;
    o->error = 0;
    o->used = 0;
}

void watch_out_flush(watch_out *o)
{
    size_t done = 0;
    while (done < o->used && !o->error) {
        ssize_t n = write(o->fd, o->buffer + done, o->used - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            o->error = errno;
    }
    o->used = 0;
}

void watch_out_bytes(watch_out *o, const char *text, size_t n)
{
    while (n) {
        if (o->used == sizeof o->buffer)
            watch_out_flush(o);
        size_t part = pl_min(n, sizeof o->buffer - o->used);
        memcpy(o->buffer + o->used, text, part);
        o->used += part;
        text += part;
        n -= part;
    }
}

void watch_out_text(watch_out *o, const char *text) { watch_out_bytes(o, text, strlen(text)); }

void watch_out_format(watch_out *o, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n > 0)
        watch_out_bytes(o, text, pl_min((size_t)n, sizeof text - 1));
}

void watch_out_string(watch_out *o, const char *text)
{
    size_t left = strlen(text);
    watch_out_text(o, "\"");
    while (left) {
        char piece[6 * 32 + 2];
        size_t n = pl_utf8_valid(text, left);
        if (n == 0) {
            watch_out_text(o, "\xEF\xBF\xBD");
            n = 1;
        } else {
            if (n > 32)
                for (n = 32; ((unsigned char)text[n] & 0xC0) == 0x80; n--) /* not within a character */
                    ;
            size_t length = pl_json_string(text, n, piece, sizeof piece);
            watch_out_bytes(o, piece + 1, length - 2);
        }
        text += n;
        left -= n;
    }
    watch_out_text(o, "\"");
}

const char *watch_duration(double seconds, char out[32])
{
    double s = seconds < 0 ? 0 : seconds;
    if (s < 10)
        snprintf(out, 32, "%.1f s", s);
    else if (s < 60)
        snprintf(out, 32, "%.0f s", s);
    else if (s < 3600)
        snprintf(out, 32, "%.0f min", s / 60);
    else if (s < 48 * 3600)
        snprintf(out, 32, "%d h %02d min", (int)(s / 3600), (int)(s / 60) % 60);
    else if (s < 1e9)
        snprintf(out, 32, "%.0f days", s / 86400);
    else
        snprintf(out, 32, "years");
    return out;
}

const char *watch_rate_text(double per_second, char out[32])
{
    char size[32];
    double magnitude = per_second < 0 ? -per_second : per_second;
    if (magnitude < 1024)
        return strcpy(out, "steady");
    snprintf(out, 32, "%c%s/s", per_second < 0 ? '-' : '+', pl_bytes_text((uint64_t)magnitude, size));
    return out;
}
