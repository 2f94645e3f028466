#include "json/walker.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WINDOW_BYTES = 1 << 15, TEXT_BYTES = 1 << 12, DEEPEST = 1 << 20 };

/* ---- reading ---- */

static void refill(pl_json_walker *w)
{
    w->window_at += w->fill;
    w->at = w->fill = 0;
    if (w->fd < 0 || w->failed)
        return;
    size_t n = (size_t)(w->end - w->window_at < w->window_capacity ? w->end - w->window_at : w->window_capacity);
    if (n == 0)
        return;
    w->failed = pl_file_read(w->fd, w->name, w->file_base + w->window_at, w->window, n, w->e);
    if (!w->failed)
        w->fill = n;
}

int pl__json_peek(pl_json_walker *w)
{
    if (w->at == w->fill)
        refill(w);
    return w->at < w->fill ? w->window[w->at] : PL__JSON_END_OF_TEXT;
}

static void skip_blanks(pl_json_walker *w)
{
    for (;;) {
        int c = pl__json_peek(w);
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
            return;
        w->at++;
        if (c == '\n') {
            w->line++;
            w->line_start = w->window_at + w->at;
        }
    }
}

static uint64_t column(const pl_json_walker *w) { return w->window_at + w->at - w->line_start + 1; }

enum { WHAT_BYTES = 8192 }; /* a long name fits; pl_fail cuts what does not fit its record */

static pl_status fail_at(const pl_json_walker *w, pl_error *e, uint64_t line, uint64_t at_column, const char *what)
{
    return pl_fail(e, PL_BAD_INPUT, "%s: line %llu, column %llu: %s", w->name, (unsigned long long)line, (unsigned long long)at_column, what);
}

pl_status pl__json_syntax(pl_json_walker *w, const char *format, ...)
{
    if (w->failed)
        return w->failed;
    char what[WHAT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return w->failed = fail_at(w, w->e, w->line, column(w), what);
}

pl_status pl_json_fail(const pl_json_walker *w, pl_error *e, const char *format, ...)
{
    char what[WHAT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return fail_at(w, e, w->token_line, w->token_column, what);
}

pl_status pl__json_reserve(pl_json_walker *w, size_t n)
{
    if (n <= w->text_capacity - w->text_used)
        return PL_OK;
    size_t wanted = pl_max(w->text_used + n, pl_max(2 * w->text_capacity, TEXT_BYTES));
    char *text = w->memory->take(w->memory->self, wanted);
    if (!text)
        return w->failed = pl_fail_no_memory(w->e, wanted, w->name);
    if (w->text) {
        memcpy(text, w->text, w->text_used);
        w->memory->give(w->memory->self, w->text, w->text_capacity);
    }
    w->text = text;
    w->text_capacity = wanted;
    return PL_OK;
}

const char *pl__json_show_next(pl_json_walker *w, char out[16])
{
    int c = pl__json_peek(w);
    if (c == PL__JSON_END_OF_TEXT)
        return "the end of the text";
    snprintf(out, 16, c > 0x20 && c < 0x7F ? "'%c'" : "byte 0x%02x", (unsigned)c);
    return out;
}

/* ---- opening ---- */

static pl_status make(const char *name, const pl_json_limits *limits, const pl_memory *memory, size_t window, pl_json_walker **out, pl_error *e)
{
    *out = NULL;
    size_t name_bytes = strlen(name) + 1;
    size_t depth = pl_max(1, pl_min(limits->depth, DEEPEST));
    size_t nesting = pl_round_up(depth, 64) / 8;
    size_t bytes = sizeof(pl_json_walker) + nesting + name_bytes + window;
    memory = memory ? memory : pl_memory_system();
    pl_json_walker *w = memory->take(memory->self, bytes);
    if (!w) {
        pl_fail_no_memory(e, bytes, name);
        return PL_MACHINE;
    }
    *w = (pl_json_walker){.memory = memory, .own_bytes = bytes, .limits = *limits, .fd = -1, .line = 1};
    w->limits.depth = depth;
    w->nesting = (uint64_t *)(w + 1);
    w->name = (char *)w->nesting + nesting;
    memcpy(w->name, name, name_bytes);
    w->window = (unsigned char *)w->name + name_bytes;
    w->window_capacity = window;
    *out = w;
    return PL_OK;
}

static pl_status check_length(const char *name, uint64_t bytes, uint64_t most, pl_error *e)
{
    if (bytes == 0)
        return pl_fail(e, PL_BAD_INPUT, "%s: is empty, JSON is expected", name);
    char size[32], limit[32];
    if (bytes > most)
        return pl_fail(e, PL_BAD_INPUT, "%s: has %s, more than the %s that such a file may have", name, pl_bytes_text(bytes, size), pl_bytes_text(most, limit));
    return PL_OK;
}

pl_status pl_json_open_range(
    int fd, const char *name, uint64_t offset, uint64_t bytes, const pl_json_limits *limits, const pl_memory *memory, pl_json_walker **out, pl_error *e)
{
    *out = NULL;
    pl_status status = check_length(name, bytes, limits->bytes, e);
    size_t window = (size_t)(bytes < WINDOW_BYTES ? bytes : WINDOW_BYTES);
    if (!status)
        status = make(name, limits, memory, window, out, e);
    if (status)
        return status;
    (*out)->fd = fd;
    (*out)->file_base = offset;
    (*out)->end = bytes;
    return PL_OK;
}

pl_status pl_json_open(const char *path, const pl_json_limits *limits, const pl_memory *memory, pl_json_walker **out, pl_error *e)
{
    *out = NULL;
    int fd;
    uint64_t bytes;
    pl_status status = pl_file_open(path, &fd, &bytes, e);
    if (status)
        return status;
    status = pl_json_open_range(fd, path, 0, bytes, limits, memory, out, e);
    if (status)
        close(fd);
    else
        (*out)->fd_is_ours = true;
    return status;
}

pl_status pl_json_open_text(
    const char *text, size_t n, const char *name, const pl_json_limits *limits, const pl_memory *memory, pl_json_walker **out, pl_error *e)
{
    *out = NULL;
    pl_status status = check_length(name, n, limits->bytes, e);
    if (!status)
        status = make(name, limits, memory, 0, out, e);
    if (status)
        return status;
    (*out)->window = (unsigned char *)(uintptr_t)text; /* never written: fd is -1 */
    (*out)->fill = n;
    (*out)->end = n;
    return PL_OK;
}

void pl_json_close(pl_json_walker *w)
{
    if (!w)
        return;
    if (w->fd_is_ours)
        close(w->fd);
    if (w->text)
        w->memory->give(w->memory->self, w->text, w->text_capacity);
    w->memory->give(w->memory->self, w, w->own_bytes);
}

/* ---- structure ---- */

static bool in_object(const pl_json_walker *w) { return w->depth > 0 && (w->nesting[(w->depth - 1) / 64] >> ((w->depth - 1) % 64) & 1); }

static pl_status open_container(pl_json_walker *w, bool object, pl_json_event *event)
{
    if (w->depth == w->limits.depth)
        return pl__json_syntax(w, "nested deeper than %zu levels", w->limits.depth);
    w->at++;
    uint64_t bit = 1ULL << (w->depth % 64);
    uint64_t *word = &w->nesting[w->depth / 64];
    *word = object ? *word | bit : *word & ~bit;
    w->depth++;
    w->first = w->opened = true;
    *event = object ? PL_JSON_OBJECT : PL_JSON_ARRAY;
    return PL_OK;
}

static pl_status close_container(pl_json_walker *w, pl_json_event *event)
{
    w->at++;
    w->depth--;
    w->first = false;
    *event = PL_JSON_END;
    return PL_OK;
}

static pl_status read_word(pl_json_walker *w, const char *word, pl_json_event meaning, pl_json_event *event)
{
    for (const char *p = word; *p; p++, w->at++)
        if (pl__json_peek(w) != *p)
            return pl__json_syntax(w, "a value is misspelt, %s would be right", word);
    *event = meaning;
    return PL_OK;
}

static pl_status read_value(pl_json_walker *w, pl_json_event *event)
{
    int c = pl__json_peek(w);
    w->token_line = w->line;
    w->token_column = column(w);
    w->first = false;
    if (c == '{' || c == '[')
        return open_container(w, c == '{', event);
    if (c == 't')
        return read_word(w, "true", PL_JSON_TRUE, event);
    if (c == 'f')
        return read_word(w, "false", PL_JSON_FALSE, event);
    if (c == 'n')
        return read_word(w, "null", PL_JSON_NULL, event);
    if (c == '"' || c == '-' || (c >= '0' && c <= '9')) {
        *event = c == '"' ? PL_JSON_STRING : PL_JSON_NUMBER;
        w->has_scalar = true;
        return c == '"' ? pl__json_string(w, &w->scalar_bytes) : pl__json_number(w, &w->scalar_bytes);
    }
    char shown[16];
    if (c == 0xEF && !w->started)
        return pl__json_syntax(w, "a byte order mark, JSON is saved without");
    return pl__json_syntax(w, "%s where a value should stand", pl__json_show_next(w, shown));
}

static pl_status read_key(pl_json_walker *w)
{
    char shown[16];
    if (pl__json_peek(w) != '"')
        return pl__json_syntax(w, "%s where a key in quotes should stand", pl__json_show_next(w, shown));
    w->token_line = w->line;
    w->token_column = column(w);
    w->has_key = true;
    pl_status status = pl__json_string(w, &w->key_bytes);
    if (status)
        return status;
    skip_blanks(w);
    if (pl__json_peek(w) != ':')
        return pl__json_syntax(w, "%s where ':' should stand after a key", pl__json_show_next(w, shown));
    w->at++;
    skip_blanks(w);
    return PL_OK;
}

static pl_status finish(pl_json_walker *w, pl_json_event *event)
{
    char shown[16];
    if (pl__json_peek(w) != PL__JSON_END_OF_TEXT || w->failed)
        return pl__json_syntax(w, "%s after the end of the value", pl__json_show_next(w, shown));
    w->done = true;
    *event = PL_JSON_DONE;
    return PL_OK;
}

static pl_status next(pl_json_walker *w, pl_json_event *event)
{
    skip_blanks(w);
    if (w->depth == 0) {
        if (w->started)
            return finish(w, event);
        pl_status status = read_value(w, event);
        w->started = true;
        return status;
    }
    bool object = in_object(w);
    char closing = object ? '}' : ']', shown[16];
    int c = pl__json_peek(w);
    if (c == closing)
        return close_container(w, event);
    if (!w->first) {
        if (c != ',')
            return pl__json_syntax(w, "%s where ',' or '%c' should stand", pl__json_show_next(w, shown), closing);
        w->at++;
        skip_blanks(w);
        if (pl__json_peek(w) == closing)
            return pl__json_syntax(w, "'%c' right after a comma", closing);
    }
    if (object) {
        pl_status status = read_key(w);
        if (status)
            return status;
    }
    return read_value(w, event);
}

pl_status pl_json_next(pl_json_walker *w, pl_json_event *event, pl_error *e)
{
    w->e = e;
    if (w->failed)
        return pl_fail(e, w->failed, "%s: reading has failed before", w->name);
    w->text_used = w->key_bytes = w->scalar_bytes = 0;
    w->has_key = w->has_scalar = w->opened = false;
    pl_status status = next(w, event);
    w->e = NULL;
    return status;
}

const char *pl_json_key(const pl_json_walker *w, size_t *n)
{
    *n = w->key_bytes;
    return w->has_key ? w->text : NULL;
}

const char *pl_json_scalar(const pl_json_walker *w, size_t *n)
{
    *n = w->scalar_bytes;
    return w->has_scalar ? w->text + (w->has_key ? w->key_bytes + 1 : 0) : NULL;
}

pl_status pl_json_skip(pl_json_walker *w, pl_error *e)
{
    if (!w->opened)
        return PL_OK;
    size_t outside = w->depth - 1;
    while (w->depth > outside) {
        pl_json_event event;
        pl_status status = pl_json_next(w, &event, e);
        if (status)
            return status;
    }
    return PL_OK;
}
