#include "base/base.h"

#include <string.h>

size_t pl_utf8_valid(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t at = 0;
    while (at < n) {
        unsigned char c = s[at];
        if (c < 0x80) {
            at++;
            continue;
        }
        size_t width = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
        if (c < 0xC2 || c > 0xF4 || at + width > n)
            return at;
        unsigned char low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
        unsigned char high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
        if (s[at + 1] < low || s[at + 1] > high)
            return at;
        for (size_t i = 2; i < width; i++)
            if ((s[at + i] & 0xC0) != 0x80)
                return at;
        at += width;
    }
    return n;
}

enum { LONGEST_WORD = 64 };

/* Optimal string alignment distance (Levenshtein with transpositions of neighbours). */
static size_t distance(const char *a, size_t an, const char *b, size_t bn)
{
    size_t row[3][LONGEST_WORD + 1];
    for (size_t j = 0; j <= bn; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= an; i++) {
        size_t *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= bn; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            best = pl_min(best, pl_min(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = pl_min(best, before[j - 2] + 1);
            now[j] = best;
        }
    }
    return row[an % 3][bn];
}

const char *pl_nearest(const char *word, const char *const *candidates, size_t count)
{
    size_t n = strlen(word), best = 0;
    const char *found = NULL;
    if (n == 0 || n > LONGEST_WORD)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t m = strlen(candidates[i]);
        if (m > LONGEST_WORD)
            continue;
        size_t d = distance(word, n, candidates[i], m);
        if (d <= pl_max(1, pl_max(n, m) / 3) && (!found || d < best)) {
            found = candidates[i];
            best = d;
        }
    }
    return found;
}
