#include "base/base.h"

#include <stdio.h>
#include <string.h>

const char *pl_version(void) { return PL_VERSION; }

const char *pl_status_text(pl_status status)
{
    switch (status) {
#define PL_STATUS_CASE(name, exit_code, text) \
    case name: return text;
        PL_STATUS_MAP(PL_STATUS_CASE)
#undef PL_STATUS_CASE
    case PL_STATUS_COUNT: break;
    }
    return "unknown status";
}

int pl_status_exit_code(pl_status status)
{
    static const int codes[] = {
#define PL_STATUS_CODE(name, exit_code, text) [name] = exit_code,
        PL_STATUS_MAP(PL_STATUS_CODE)
#undef PL_STATUS_CODE
    };
    return (unsigned)status < PL_COUNT(codes) ? codes[status] : 5;
}

/* Appends text[0..n) to out as one clean line: control characters and broken UTF-8 as \xNN. What
 * does not fit is dropped. */
static size_t append_clean(char *out, size_t used, size_t capacity, const char *text, size_t n)
{
    size_t at = 0;
    while (at < n) {
        unsigned char c = (unsigned char)text[at];
        size_t width = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
        bool whole = at + width <= n && pl_utf8_valid(text + at, width) == width;
        bool c1_control = whole && width == 2 && c == 0xC2 && (unsigned char)text[at + 1] < 0xA0;
        if (whole && c >= 0x20 && c != 0x7F && !c1_control) {
            if (used + width >= capacity)
                break;
            memcpy(out + used, text + at, width);
            used += width;
            at += width;
        } else {
            if (used + 4 >= capacity)
                break;
            static const char hex[] = "0123456789abcdef";
            memcpy(out + used, (char[]){'\\', 'x', hex[c >> 4], hex[c & 15]}, 4);
            used += 4;
            at++;
        }
    }
    out[used] = '\0';
    return used;
}

enum { SCRATCH_BYTES = 12288 }; /* wide enough for two long paths */

/* Appends a formatted text of wanted bytes, as much of it as scratch has; keeps head and tail of what
 * is longer than the record. */
static size_t append_line(char *out, size_t used, size_t capacity, const char scratch[SCRATCH_BYTES], int wanted)
{
    size_t n = wanted < 0 ? 0 : pl_min((size_t)wanted, SCRATCH_BYTES - 1);
    size_t room = capacity - used - 1;
    if (n <= room / 2)
        return append_clean(out, used, capacity, scratch, n);
    char clean[SCRATCH_BYTES + 1];
    size_t length = append_clean(clean, 0, sizeof clean, scratch, n);
    if (length <= room)
        return append_clean(out, used, capacity, clean, length);
    static const char mark[] = " [...] ";
    size_t half = (room - sizeof mark) / 2;
    size_t head = pl_utf8_valid(clean, half);
    size_t tail = length - half;
    while (tail < length && ((unsigned char)clean[tail] & 0xC0) == 0x80)
        tail++;
    used = append_clean(out, used, capacity, clean, head);
    used = append_clean(out, used, capacity, mark, sizeof mark - 1);
    return append_clean(out, used, capacity, clean + tail, length - tail);
}

void pl_error_clear(pl_error *e)
{
    if (e) {
        e->status = PL_OK;
        e->text[0] = e->hints[0] = '\0';
    }
}

pl_status pl_fail(pl_error *e, pl_status status, const char *format, ...)
{
    if (e) {
        pl_error_clear(e);
        e->status = status;
        char scratch[SCRATCH_BYTES];
        va_list args;
        va_start(args, format);
        int wanted = vsnprintf(scratch, sizeof scratch, format, args);
        va_end(args);
        append_line(e->text, 0, sizeof e->text, scratch, wanted);
    }
    return status;
}

void pl_hint(pl_error *e, const char *format, ...)
{
    if (!e)
        return;
    size_t used = strlen(e->hints);
    if (used + 64 >= sizeof e->hints)
        return;
    char scratch[SCRATCH_BYTES];
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(scratch, sizeof scratch, format, args);
    va_end(args);
    used = append_line(e->hints, used, sizeof e->hints - 1, scratch, wanted);
    e->hints[used] = '\n';
    e->hints[used + 1] = '\0';
}

pl_status pl_fail_no_memory(pl_error *e, size_t bytes, const char *what)
{
    char size[32];
    return pl_fail(e, PL_MACHINE, "%s: the system gave no memory (%s asked)", what, pl_bytes_text(bytes, size));
}

size_t pl_error_print(const pl_error *e, char *out, size_t capacity)
{
    int n = snprintf(out, capacity, "plimsoll: %s\n", e->text[0] ? e->text : pl_status_text(e->status));
    size_t used = n < 0 ? 0 : (size_t)n;
    for (const char *hint = e->hints; *hint;) {
        size_t length = strcspn(hint, "\n");
        n = snprintf(used < capacity ? out + used : NULL, used < capacity ? capacity - used : 0, "  hint: %.*s\n", (int)length, hint);
        used += n < 0 ? 0 : (size_t)n;
        hint += length + (hint[length] == '\n');
    }
    return used;
}
