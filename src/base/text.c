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

/* The escape of one byte or, for what is no UTF-8, of U+FFFD; "" where the byte stands for itself. */
static const char *escape(unsigned char c, bool valid, char scratch[8])
{
    static const char hex[] = "0123456789abcdef";
    if (!valid)
        return "\\ufffd";
    switch (c) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\b': return "\\b";
    case '\f': return "\\f";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default: break;
    }
    if (c >= 0x20 && c != 0x7F)
        return "";
    memcpy(scratch, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15], '\0'}, 7);
    return scratch;
}

static size_t put(char *out, size_t used, size_t capacity, const char *text, size_t n)
{
    if (used < capacity)
        memcpy(out + used, text, pl_min(n, capacity - used));
    return used + n;
}

size_t pl_json_string(const char *text, size_t n, char *out, size_t capacity)
{
    size_t used = put(out, 0, capacity, "\"", 1);
    size_t valid = pl_utf8_valid(text, n);
    for (size_t at = 0, run = 0; at <= n; at++) {
        if (at > valid)
            valid = at + pl_utf8_valid(text + at, n - at);
        char scratch[8];
        const char *replacement = at < n ? escape((unsigned char)text[at], at < valid, scratch) : "";
        if (at < n && !*replacement)
            continue;
        used = put(out, used, capacity, text + run, at - run);
        used = put(out, used, capacity, replacement, strlen(replacement));
        run = at + 1;
    }
    return put(out, used, capacity, "\"", 1);
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

/* ---- lists ---- */

static bool is_one_of(const char *set, char c) { return c && strchr(set, c); }

/* Where the quote that opens at text[0] closes: another, behind which the list goes on or ends; else 0. */
static size_t closing(const char *text, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (text[i] == '\\') {
            i++;
            continue;
        }
        size_t next = i + 1;
        while (next < n && is_one_of(" \t", text[next]))
            next++;
        if (text[i] == text[0] && (next == n || is_one_of(",]", text[next])))
            return i;
    }
    return 0;
}

/* One part at *rest, perhaps an empty one. */
static void take_part(const char **rest, size_t *bytes, pl_list_part *out)
{
    const char *text = *rest;
    size_t n = *bytes, first = 0;
    while (first < n && is_one_of(" \t[", text[first]))
        first++;
    size_t close = first < n && is_one_of("\"'", text[first]) ? closing(text + first, n - first) : 0;
    const char *comma = memchr(text + first + close, ',', n - first - close);
    size_t end = comma ? (size_t)(comma - text) : n, eaten = end + (comma ? 1 : 0);
    *out = (pl_list_part){text + first + 1, close - (close ? 1 : 0), close > 0};
    if (!close) {
        while (first < end && is_one_of(" \t[]\"'", text[first]))
            first++;
        while (end > first && is_one_of(" \t[]\"'", text[end - 1]))
            end--;
        *out = (pl_list_part){text + first, end - first, false};
    }
    *rest += eaten;
    *bytes -= eaten;
}

bool pl_list_next(const char **rest, size_t *bytes, pl_list_part *out)
{
    while (*bytes > 0) {
        take_part(rest, bytes, out);
        if (out->bytes > 0)
            return true;
    }
    return false;
}
