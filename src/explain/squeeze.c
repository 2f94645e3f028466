/* Text without what logs put between its letters: spaces, line breaks of any terminal width, ANSI
 * colours (raw, as \u001b or #033, or with the escape byte lost), JSON escapes, frames of rich
 * tracebacks, HTML entities. Two prints of one message squeeze to the same bytes, so that one
 * pattern serves all of them. */
#include "explain/inner.h"

#include <string.h>

enum { LONGEST_PREFIX = 160 };

typedef struct cursor {
    const char *s;
    size_t n, at;
    bool line_start;
} cursor;

static size_t left(const cursor *c) { return c->n - c->at; }

static bool begins(const cursor *c, const char *word)
{
    size_t n = strlen(word);
    return left(c) >= n && memcmp(c->s + c->at, word, n) == 0;
}

/* "31;1m" and its kind: parameters and a final letter, after an opening bracket. 0: not one. */
static size_t parameters(const char *s, size_t n)
{
    size_t at = 0;
    while (at < n && at < 24 && (pl__digit(s[at]) || s[at] == ';' || s[at] == '?'))
        at++;
    return at < n && pl__letter(s[at]) ? at + 1 : 0;
}

static int hex(char c)
{
    if (pl__digit(c))
        return c - '0';
    c = pl__lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Bytes of a control sequence at the cursor, whatever way it is written; 0: none. */
static size_t control_sequence(const cursor *c)
{
    static const char *const starts[] = {"\x1b[", "\\u001b[", "\\x1b[", "\\033[", "\\e[", "#033[", "^[[", "\xEF\xBF\xBD["};
    for (size_t i = 0; i < PL_COUNT(starts); i++)
        if (begins(c, starts[i])) {
            size_t open = strlen(starts[i]);
            size_t more = parameters(c->s + c->at + open, left(c) - open);
            return more ? open + more : 0;
        }
    if (c->s[c->at] == '[' && left(c) > 2 && pl__digit(c->s[c->at + 1])) {
        size_t more = parameters(c->s + c->at + 1, left(c) - 1);
        return more > 1 && c->s[c->at + more] == 'm' ? 1 + more : 0;
    }
    if (begins(c, "\x1b]")) {
        const char *bell = memchr(c->s + c->at, '\a', pl_min(left(c), 256));
        return bell ? (size_t)(bell - (c->s + c->at)) + 1 : 2;
    }
    return 0;
}

/* Frames of rich tracebacks, arrows, no-break spaces, byte order marks. */
static size_t ornament(const cursor *c)
{
    const unsigned char *s = (const unsigned char *)c->s + c->at;
    if (left(c) >= 2 && s[0] == 0xC2 && s[1] == 0xA0)
        return 2;
    if (left(c) >= 3 && s[0] == 0xE2 && (s[1] == 0x94 || s[1] == 0x95 || (s[1] == 0x9D && s[2] == 0xB1) || (s[1] == 0x80 && s[2] <= 0x8F)))
        return 3;
    if (left(c) >= 3 && s[0] == 0xEF && s[1] == 0xBB && s[2] == 0xBF)
        return 3;
    return 0;
}

static size_t entity(const cursor *c, char *plain)
{
    static const struct {
        const char *text;
        char plain;
    } table[] = {{"&gt;", '>'}, {"&lt;", '<'}, {"&quot;", '"'}, {"&#39;", '\''}, {"&#x27;", '\''}, {"&amp;", '&'}, {"&nbsp;", ' '}};
    for (size_t i = 0; c->s[c->at] == '&' && i < PL_COUNT(table); i++)
        if (begins(c, table[i].text)) {
            *plain = table[i].plain;
            return strlen(table[i].text);
        }
    return 0;
}

/* A run of backslashes with what it escapes; *plain is what it stands for, ' ' for white space. */
static size_t escape(const cursor *c, char *plain)
{
    size_t run = 0;
    while (run < left(c) && c->s[c->at + run] == '\\')
        run++;
    char next = run < left(c) ? c->s[c->at + run] : ' ';
    *plain = ' ';
    if (next == 'n' || next == 't' || next == 'r')
        return run + 1;
    if (next == '"' || next == '\'' || next == '/') {
        *plain = next;
        return run + 1;
    }
    if (next == 'u' && left(c) >= run + 5) {
        const char *d = c->s + c->at + run + 1;
        int high = hex(d[2]), low = hex(d[3]);
        if (d[0] == '0' && d[1] == '0' && high >= 0 && low >= 0 && high < 8) {
            char code = (char)(high * 16 + low);
            *plain = code > ' ' ? code : ' ';
            return run + 5;
        }
    }
    return run;
}

/* Letters, digits and the marks that neither begin an escape nor a frame. */
static bool ordinary(char c)
{
    return pl__word(c) || c == '.' || c == ':' || c == ',' || c == '(' || c == ')' || c == '-' || c == '/' || c == '=' || c == ';' || c == '"' || c == '\'';
}

/* One step: what stands at the cursor, ' ' for white space, 0 for what is dropped. */
static char step(cursor *c)
{
    char byte = c->s[c->at], plain = 0;
    if (ordinary(byte)) {
        c->line_start = false;
        c->at++;
        return byte;
    }
    if (byte == ' ') {
        c->at++;
        return ' ';
    }
    bool escape_like = byte == '\x1b' || byte == '\\' || byte == '#' || byte == '^' || byte == '[' || (byte & 0x80);
    size_t skip = escape_like ? control_sequence(c) : 0;
    if (!skip && (byte & 0x80))
        skip = ornament(c);
    if (skip) {
        c->at += skip;
        return 0;
    }
    size_t width = byte == '\\' ? escape(c, &plain) : entity(c, &plain);
    if (!width) {
        width = 1;
        plain = byte;
    }
    bool space = (unsigned char)plain <= ' ' || plain == 0x7F;
    bool quote = c->line_start && (plain == '|' || plain == '>');
    c->line_start = byte == '\n' || byte == '\r' || (c->line_start && (space || quote));
    c->at += width;
    return quote ? 0 : space ? ' ' : plain;
}

/* The line after a break begins with a date, a clock or "3: ", not with the rest of a number. */
static bool begins_record(const char *s, size_t n)
{
    size_t digits = 0;
    while (digits < n && digits < 6 && pl__digit(s[digits]))
        digits++;
    return digits > 0 && digits < n && (s[digits] == '-' || s[digits] == ':' || s[digits] == '/' || (digits == 4 && s[digits] == '.'));
}

/* Bytes of a logger's prefix that the line at s[at] shares with the line before, at s[before]: the
 * same but for its digits. A message that was wrapped before it was prefixed goes on behind it. */
static size_t shared_prefix(const char *s, size_t n, size_t before, size_t at)
{
    size_t prefix = pl__prefix_bytes(s + before, pl_min(at - before, LONGEST_PREFIX));
    if (prefix > n - at)
        return 0;
    for (size_t i = 0; i < prefix; i++)
        if (s[at + i] != s[before + i] && !(pl__digit(s[at + i]) && pl__digit(s[before + i])))
            return 0;
    return prefix;
}

void pl__squeeze(const char *s, size_t n, bool strip, pl__squeezed *out)
{
    cursor c = {s, n, 0, true};
    size_t line = 0;
    out->n = 0;
    while (c.at < n && out->n + 1 < PL__SQUEEZED) {
        uint32_t from = (uint32_t)c.at;
        bool broken = s[c.at] == '\n';
        char plain = step(&c);
        if (broken && strip)
            c.at += shared_prefix(s, n, line, c.at);
        if (strip && s[line] == '{' && s[from] == '\\' && c.at < n && s[c.at] == '"') { /* \n","stream":"stderr"} */
            const char *end = memchr(s + c.at, '\n', n - c.at);
            c.at = end ? (size_t)(end - s) : n;
        }
        line = broken ? from + 1 : line;
        if (broken && out->n > 0 && pl__digit(out->text[out->n - 1]) && begins_record(s + c.at, n - c.at)) {
            out->text[out->n] = '\n'; /* keeps two numbers apart */
            out->from[out->n++] = from;
        }
        if (plain == 0 || plain == ' ')
            continue;
        out->text[out->n] = pl__lower(plain);
        out->from[out->n++] = from;
    }
}

size_t pl__clean(const char *s, size_t n, char *out, size_t capacity)
{
    cursor c = {s, n, 0, false};
    size_t used = 0;
    while (c.at < n && used + 1 < capacity) {
        char plain = step(&c);
        if (plain == 0 || (plain == ' ' && (used == 0 || out[used - 1] == ' ')))
            continue;
        out[used++] = plain;
    }
    while (used > 0 && out[used - 1] == ' ')
        used--;
    out[used] = '\0';
    return used;
}
