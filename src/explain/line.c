/* Small searches in slices of the window. */
#include "explain/inner.h"

#include <stdio.h>
#include <string.h>

/* Of a line longer than this only the part around the place counts: time stays linear. */
enum { LONGEST_LINE = 2048 };

/* LF, CR, and the two characters "\\n" with which a log inside JSON writes LF. */
static size_t break_at(const char *s, size_t n, size_t at)
{
    if (s[at] == '\n')
        return 1;
    if (s[at] == '\r')
        return at + 1 < n && s[at + 1] == '\n' ? 2 : 1;
    return s[at] == '\\' && at + 1 < n && s[at + 1] == 'n' ? 2 : 0;
}

static bool break_before(const char *s, size_t least, size_t at)
{
    return break_at(s, at, at - 1) || (at > least + 1 && s[at - 2] == '\\' && s[at - 1] == 'n');
}

size_t pl__line_begin(const char *s, size_t at)
{
    size_t least = at > LONGEST_LINE ? at - LONGEST_LINE : 0;
    while (at > least && ((s[at - 1] > '\r' && s[at - 1] != 'n') || !break_before(s, least, at)))
        at--;
    return at;
}
size_t pl__line_end(const char *s, size_t n, size_t at)
{
    size_t last = pl_min(n, at + LONGEST_LINE);
    while (at < last && ((s[at] > '\r' && s[at] != '\\') || !break_at(s, n, at)))
        at++;
    return at;
}

size_t pl__line_next(const char *s, size_t n, size_t end) { return end < n ? end + pl_max(1, break_at(s, n, end)) : n; }

bool pl__line_above(const char *s, size_t line, size_t *begin, size_t *end)
{
    if (line == 0)
        return false;
    size_t at = line - 1;
    if (at > 0 && ((s[at] == '\n' && s[at - 1] == '\r') || (s[at] == 'n' && s[at - 1] == '\\')))
        at--;
    *end = at;
    *begin = pl__line_begin(s, at);
    return true;
}

size_t pl__find(const char *s, size_t n, const char *word)
{
    size_t word_n = strlen(word);
    char low = pl__lower(word[0]), high = low >= 'a' && low <= 'z' ? (char)(low - 32) : low;
    for (size_t at = 0; at + word_n <= n; at++) {
        if (s[at] != low && s[at] != high)
            continue;
        size_t i = 1;
        while (i < word_n && pl__lower(s[at + i]) == pl__lower(word[i]))
            i++;
        if (i == word_n)
            return at;
    }
    return SIZE_MAX;
}

bool pl__has(const char *s, size_t n, const char *word) { return pl__find(s, n, word) != SIZE_MAX; }

bool pl__exact(const char *s, size_t n, const char *word)
{
    size_t word_n = strlen(word);
    for (size_t at = 0; at + word_n <= n; at++) {
        const char *p = memchr(s + at, word[0], n - at - word_n + 1);
        if (!p)
            return false;
        at = (size_t)(p - s);
        if (memcmp(p, word, word_n) == 0)
            return true;
    }
    return false;
}

void pl__say(pl__words *w, const char *format, ...)
{
    if (w->n + 1 >= w->capacity)
        return;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(w->out + w->n, w->capacity - w->n, format, args);
    va_end(args);
    w->n = n < 0 ? w->n : pl_min(w->n + (size_t)n, w->capacity - 1);
}

char *pl__size_text(uint64_t bytes, char out[32])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    while (unit + 1 < PL_COUNT(units) && bytes >> (10 * (unit + 1)))
        unit++;
    uint64_t scale = 1ULL << (10 * unit);
    /* hundredths, rounded to nearest; the rest is below 2^60, so 100 times it may not fit in 64 bits */
    uint64_t hundredths = (uint64_t)((__extension__(unsigned __int128) bytes * 100 + scale / 2) / scale);
    if (unit == 0)
        snprintf(out, 32, "%llu bytes", (unsigned long long)bytes);
    else
        snprintf(out, 32, "%llu.%02llu %s", (unsigned long long)(hundredths / 100), (unsigned long long)(hundredths % 100), units[unit]);
    return out;
}
