/* Strings and numbers of the walker. */
#include "json/walker.h"

#include <string.h>

static pl_status append(pl_json_walker *w, size_t start, const void *bytes, size_t n)
{
    if (w->text_used - start + n > w->limits.scalar_bytes)
        return pl__json_syntax(w, "a string or number of more than %zu bytes", w->limits.scalar_bytes);
    pl_status status = pl__json_reserve(w, n + 1); /* with the '\0' that will end it */
    if (!status) {
        memcpy(w->text + w->text_used, bytes, n);
        w->text_used += n;
    }
    return status;
}

static pl_status terminate(pl_json_walker *w, size_t start, size_t *n)
{
    pl_status status = pl__json_reserve(w, 1);
    if (status)
        return status;
    *n = w->text_used - start;
    w->text[w->text_used++] = '\0';
    return PL_OK;
}

/* Length of the run at the reader's place that stands for itself: no quote, backslash, control
 * character, and whole, valid UTF-8 as far as the window shows it. */
static size_t plain_run(const pl_json_walker *w)
{
    const unsigned char *p = w->window + w->at, *end = w->window + w->fill;
    while (p < end) {
        unsigned char c = *p;
        if (c == '"' || c == '\\' || c < 0x20)
            break;
        size_t width = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
        if (width > 1 && ((size_t)(end - p) < width || pl_utf8_valid((const char *)p, width) != width))
            break;
        p += width;
    }
    return (size_t)(p - w->window) - w->at;
}

/* A character of several bytes that the window cuts, or that is no UTF-8. */
static pl_status wide_character(pl_json_walker *w, size_t start)
{
    unsigned char bytes[4];
    int c = pl__json_peek(w);
    size_t width = c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4, n = 0;
    while (n < width && (c = pl__json_peek(w)) >= 0x80) {
        bytes[n++] = (unsigned char)c;
        w->at++;
    }
    if (n < width || pl_utf8_valid((const char *)bytes, width) != width)
        return pl__json_syntax(w, "a string is not valid UTF-8");
    return append(w, start, bytes, width);
}

static pl_status read_hex(pl_json_walker *w, uint32_t *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++, w->at++) {
        int c = pl__json_peek(w);
        uint32_t digit = c >= '0' && c <= '9' ? (uint32_t)(c - '0') : (c | 32) >= 'a' && (c | 32) <= 'f' ? (uint32_t)((c | 32) - 'a') + 10 : 16;
        if (c < 0 || digit > 15)
            return pl__json_syntax(w, "\\u needs four hexadecimal digits");
        *unit = *unit << 4 | digit;
    }
    return PL_OK;
}

/* After "\u": one unit, or two that make a pair. */
static pl_status read_code_point(pl_json_walker *w, uint32_t *code)
{
    pl_status status = read_hex(w, code);
    if (status || *code < 0xD800 || *code > 0xDFFF)
        return status;
    uint32_t low = 0;
    if (*code < 0xDC00 && pl__json_peek(w) == '\\') {
        w->at++;
        if (pl__json_peek(w) == 'u') {
            w->at++;
            status = read_hex(w, &low);
            if (status)
                return status;
        }
    }
    if (low < 0xDC00 || low > 0xDFFF)
        return pl__json_syntax(w, "a lone surrogate in a \\u escape, which is no character");
    *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
    return PL_OK;
}

static size_t encode(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t width = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = width; i-- > 1; code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)(leads[width] | code);
    return width;
}

static pl_status read_escape(pl_json_walker *w, size_t start)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    w->at++;
    int c = pl__json_peek(w);
    const char *simple = c > 0 ? strchr(from, c) : NULL;
    if (simple) {
        w->at++;
        return append(w, start, &to[simple - from], 1);
    }
    if (c != 'u')
        return pl__json_syntax(w, "an escape that JSON does not know");
    w->at++;
    uint32_t code;
    char bytes[4];
    pl_status status = read_code_point(w, &code);
    return status ? status : append(w, start, bytes, encode(code, bytes));
}

pl_status pl__json_string(pl_json_walker *w, size_t *n)
{
    size_t start = w->text_used;
    w->at++;
    for (;;) {
        size_t run = plain_run(w);
        pl_status status = run ? append(w, start, w->window + w->at, run) : PL_OK;
        if (status)
            return status;
        w->at += run;
        int c = pl__json_peek(w);
        if (c == '"') {
            w->at++;
            return terminate(w, start, n);
        }
        if (c == '\\')
            status = read_escape(w, start);
        else if (c >= 0x80)
            status = wide_character(w, start);
        else if (c == PL__JSON_END_OF_TEXT)
            status = pl__json_syntax(w, "the text ends within a string");
        else if (c < 0x20)
            status = pl__json_syntax(w, "a control character within a string, \\u%04x would be right", (unsigned)c);
        if (status)
            return status;
    }
}

static pl_status digits(pl_json_walker *w, size_t start)
{
    int c = pl__json_peek(w);
    char shown[16];
    if (c < '0' || c > '9')
        return pl__json_syntax(w, "%s where a digit of a number should stand", pl__json_show_next(w, shown));
    do {
        char digit = (char)c;
        pl_status status = append(w, start, &digit, 1);
        if (status)
            return status;
        w->at++;
        c = pl__json_peek(w);
    } while (c >= '0' && c <= '9');
    return PL_OK;
}

static pl_status take(pl_json_walker *w, size_t start)
{
    char c = (char)pl__json_peek(w);
    w->at++;
    return append(w, start, &c, 1);
}

pl_status pl__json_number(pl_json_walker *w, size_t *n)
{
    size_t start = w->text_used;
    pl_status status = pl__json_peek(w) == '-' ? take(w, start) : PL_OK;
    if (!status && pl__json_peek(w) == '0') {
        status = take(w, start);
        int c = pl__json_peek(w);
        if (!status && c >= '0' && c <= '9')
            return pl__json_syntax(w, "a number that begins with 0");
    } else if (!status) {
        status = digits(w, start);
    }
    if (!status && pl__json_peek(w) == '.') {
        status = take(w, start);
        if (!status)
            status = digits(w, start);
    }
    if (!status && (pl__json_peek(w) | 32) == 'e') {
        status = take(w, start);
        int c = pl__json_peek(w);
        if (!status && (c == '+' || c == '-'))
            status = take(w, start);
        if (!status)
            status = digits(w, start);
    }
    return status ? status : terminate(w, start, n);
}
