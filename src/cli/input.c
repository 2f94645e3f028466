#include "cli/input.h"

#include "cli/options.h"
#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- fields ---- */

void cli_field_start(cli_field *f)
{
    f->used = 0;
    f->length = 0;
    f->need = 0;
    f->present = true;
}

bool cli_field_is(const cli_field *f, const char *name)
{
    return name && f->length == strlen(name) && f->used == f->length && memcmp(f->bytes, name, f->used) == 0;
}

/* What a lead byte promises: how many bytes follow and the range of the first of them (RFC 3629). */
static bool lead_byte(cli_field *f, unsigned char c)
{
    f->low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    f->high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    f->need = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;
    return c >= 0xC2 && c <= 0xF4;
}

static size_t skip_ascii(const unsigned char *s, size_t at, size_t n)
{
    uint64_t eight;
    while (at + sizeof eight <= n) {
        memcpy(&eight, s + at, sizeof eight);
        if (eight & 0x8080808080808080u)
            break;
        at += sizeof eight;
    }
    while (at < n && s[at] < 0x80)
        at++;
    return at;
}

/* Goes on with checking where the last piece ended. Returns n, or where the first wrong byte stands. */
static size_t check_utf8(cli_field *f, const char *bytes, size_t n)
{
    const unsigned char *s = (const unsigned char *)bytes;
    size_t at = 0;
    while (at < n) {
        if (f->need == 0) {
            at = skip_ascii(s, at, n);
            if (at == n)
                break;
            if (!lead_byte(f, s[at]))
                return at;
        } else {
            if (s[at] < f->low || s[at] > f->high)
                return at;
            f->low = 0x80;
            f->high = 0xBF;
            f->need--;
        }
        at++;
    }
    return n;
}

/* `bad`: the byte itself; 0 where one is missing. */
static pl_status fail_utf8(const cli_input *in, uint64_t byte, unsigned char bad, pl_error *e)
{
    bool utf16 = in->line == 1 && byte == 1 && bad >= 0xFE; /* its byte order mark */
    pl_fail(e, PL_BAD_INPUT, "%s: line %llu: byte %llu of the text is not UTF-8, which the input must be", in->name, (unsigned long long)in->line,
        (unsigned long long)byte);
    pl_hint(e, utf16 ? "`iconv -f UTF-16 -t UTF-8` converts from UTF-16" : "`iconv -f LATIN1 -t UTF-8` converts from Latin 1");
    return PL_BAD_INPUT;
}

pl_status cli_field_add(const cli_input *in, cli_field *f, const char *bytes, size_t n, pl_error *e)
{
    size_t good = check_utf8(f, bytes, n);
    if (good < n)
        return fail_utf8(in, f->length + good + 1, (unsigned char)bytes[good], e);
    if (f->length == f->used) {
        size_t fits = pl_min(n, f->capacity - f->used);
        memcpy(f->bytes + f->used, bytes, fits);
        f->used += fits;
    }
    f->length += n;
    return PL_OK;
}

pl_status cli_field_end(const cli_input *in, cli_field *f, pl_error *e)
{
    if (f->need > 0)
        return fail_utf8(in, f->length + 1, 0, e);
    if (f->length > f->used) { /* valid as a whole: only the last character can be cut */
        size_t start = f->used;
        while (start > 0 && ((unsigned char)f->bytes[start - 1] & 0xC0) == 0x80)
            start--;
        start -= start > 0;
        if (pl_utf8_valid(f->bytes + start, f->used - start) != f->used - start)
            f->used = start;
    }
    return PL_OK;
}

pl_status cli_label_end(cli_input *in, pl_error *e)
{
    cli_field *label = &in->fields[COLUMN_LABEL];
    pl_status status = cli_field_end(in, label, e);
    if (status != PL_OK || !in->take_label)
        return status;
    return in->take_label(in->label_self, in, label->bytes, label->used, label->length > label->used, e);
}

/* ---- opening ---- */

static int format_of(const char *path)
{
    static const char *const endings[] = {".txt", ".jsonl", ".csv", ".tsv"};
    size_t n = strlen(path);
    for (int i = FORMAT_JSONL; i <= FORMAT_TSV; i++) {
        size_t m = strlen(endings[i]);
        if (n >= m && strcasecmp(path + n - m, endings[i]) == 0)
            return i;
    }
    return FORMAT_TXT;
}

pl_status cli_input_open(cli_input *in, const char *path, int format, pl_error *e)
{
    bool standard = strcmp(path, "-") == 0;
    *in = (cli_input){.name = standard ? "standard input" : path, .fd = STDIN_FILENO, .watched = -1, .line = 1};
    in->format = (cli_format)(format >= 0 ? format : standard ? FORMAT_TXT : format_of(path));
    if (!standard) {
        in->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY); /* a pipe waits here for its writer */
        if (in->fd < 0)
            return pl_file_fail(path, errno, "cannot be opened", e);
    }
    struct stat st;
    if (fstat(in->fd, &st) != 0)
        return pl_file_fail(in->name, errno, "cannot be read", e);
    if (S_ISDIR(st.st_mode))
        return pl_fail(e, PL_BAD_INPUT, "%s: is a folder, a file with texts is needed", in->name);
    off_t at = S_ISREG(st.st_mode) ? lseek(in->fd, 0, SEEK_CUR) : -1;
    in->size = at >= 0 && st.st_size > at ? (uint64_t)(st.st_size - at) : 0;
    return PL_OK;
}

void cli_input_open_texts(cli_input *in, const cli_pair *pairs, size_t count)
{
    *in = (cli_input){.name = "-t", .fd = -1, .watched = -1, .pairs = pairs, .pair_count = count};
}

size_t cli_input_bytes(size_t text_bytes) { return CLI_BLOCK_BYTES + 3 * (size_t)CLI_NAME_BYTES + CLI_FIELDS * text_bytes; }

void cli_input_start(cli_input *in, char *memory, size_t text_bytes)
{
    in->text_capacity = text_bytes;
    in->block = memory;
    in->name_bytes = memory + CLI_BLOCK_BYTES;
    char *texts = in->name_bytes + 3 * (size_t)CLI_NAME_BYTES;
    in->fields[COLUMN_LABEL] = (cli_field){.bytes = in->name_bytes + 2 * (size_t)CLI_NAME_BYTES, .capacity = CLI_NAME_BYTES};
    in->fields[COLUMN_TEXT] = (cli_field){.bytes = texts, .capacity = text_bytes};
    in->fields[COLUMN_PAIR] = (cli_field){.bytes = texts + text_bytes, .capacity = text_bytes};
    in->scratch = (cli_field){.bytes = in->name_bytes};
    if (in->format == FORMAT_CSV || in->format == FORMAT_TSV)
        cli_csv_start(in);
    else if (in->format == FORMAT_JSONL)
        cli_jsonl_start(in);
}

void cli_input_close(cli_input *in)
{
    if (in->fd > STDERR_FILENO)
        close(in->fd);
    in->fd = -1;
}

/* ---- texts of the command line ---- */

static size_t cut_at_character(const char *text, size_t n, size_t most)
{
    if (n <= most)
        return n;
    while (most > 0 && ((unsigned char)text[most] & 0xC0) == 0x80)
        most--;
    return most;
}

static pl_status next_pair(cli_input *in, pl_text *text, pl_error *e)
{
    if (cli_signals_caught())
        return PL_STOPPED;
    if (in->pair_at == in->pair_count)
        return PL_END;
    const cli_pair *pair = &in->pairs[in->pair_at++];
    size_t n = strlen(pair->text), m = pair->pair ? strlen(pair->pair) : 0;
    if (pl_utf8_valid(pair->text, n) < n || (m > 0 && pl_utf8_valid(pair->pair, m) < m))
        return pl_fail(e, PL_BAD_INPUT, "-t: text %zu: is not UTF-8, which texts must be", in->pair_at);
    *text = (pl_text){.text = pair->text, .pair = pair->pair};
    text->text_bytes = cut_at_character(pair->text, n, in->text_capacity);
    text->pair_bytes = cut_at_character(pair->pair, m, in->text_capacity);
    text->text_cut = text->text_bytes < n;
    text->pair_cut = text->pair_bytes < m;
    text->line = in->pair_count > 1 ? in->pair_at : 0;
    return PL_OK;
}

/* ---- blocks ---- */

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* One more block, within the time until `deadline` (in ms; below 0: without end). */
static pl_status fill(cli_input *in, int64_t deadline, pl_error *e)
{
    for (;;) {
        if (cli_signals_caught())
            return PL_STOPPED;
        struct pollfd ready[2] = {{.fd = in->fd, .events = POLLIN}, {.fd = in->watched}};
        int64_t left = deadline < 0 ? -1 : deadline - now_ms();
        int n = poll(ready, 2, deadline >= 0 && left < 0 ? 0 : (int)left);
        if (n == 0)
            return PL_AGAIN;
        if (n < 0 && errno != EINTR)
            return pl_file_fail(in->name, errno, "cannot be waited for", e);
        if (n < 0 || cli_signals_caught())
            continue;
        if (ready[1].revents & POLLERR)
            return PL_BROKEN_PIPE;
        if (ready[0].revents == 0)
            continue;
        ssize_t got = read(in->fd, in->block, CLI_BLOCK_BYTES);
        if (got < 0 && errno != EINTR && errno != EAGAIN)
            return pl_file_fail(in->name, errno, "cannot be read", e);
        if (got < 0)
            continue;
        in->at = 0;
        in->filled = (size_t)got;
        in->ended = got == 0;
        return PL_OK;
    }
}

static pl_status parse(cli_input *in, const char *bytes, size_t n, size_t *eaten, bool *done, pl_error *e)
{
    switch (in->format) {
    case FORMAT_JSONL: return cli_jsonl_parse(in, bytes, n, eaten, done, e);
    case FORMAT_CSV:
    case FORMAT_TSV: return cli_csv_parse(in, bytes, n, eaten, done, e);
    case FORMAT_TXT: break;
    }
    return cli_txt_parse(in, bytes, n, eaten, done, e);
}

static pl_status finish(cli_input *in, bool *done, pl_error *e)
{
    switch (in->format) {
    case FORMAT_JSONL: return cli_jsonl_finish(in, done, e);
    case FORMAT_CSV:
    case FORMAT_TSV: return cli_csv_finish(in, done, e);
    case FORMAT_TXT: break;
    }
    return cli_txt_finish(in, done, e);
}

enum { MARK_BYTES = 3, MARK_SETTLED = 4 };
static const char byte_order_mark[MARK_BYTES + 1] = "\xEF\xBB\xBF";

/* Drops the mark at the start; bytes that only began like one are text after all. */
static pl_status eat_mark(cli_input *in, pl_error *e)
{
    while (in->mark < MARK_BYTES && in->at < in->filled && in->block[in->at] == byte_order_mark[in->mark]) {
        in->mark++;
        in->at++;
        in->consumed++;
    }
    if (in->mark < MARK_BYTES && in->at == in->filled && !in->ended)
        return PL_OK; /* undecided */
    size_t eaten, seen = in->mark < MARK_BYTES ? (size_t)in->mark : 0;
    bool done = false;
    in->mark = MARK_SETTLED;
    return seen > 0 ? parse(in, byte_order_mark, seen, &eaten, &done, e) : PL_OK;
}

static void give(cli_input *in, pl_text *text)
{
    const cli_field *a = &in->fields[COLUMN_TEXT], *b = &in->fields[COLUMN_PAIR];
    *text = (pl_text){.text = a->bytes, .text_bytes = a->used, .text_cut = a->length > a->used, .line = in->record_line};
    if (b->present) {
        text->pair = b->bytes;
        text->pair_bytes = b->used;
        text->pair_cut = b->length > b->used;
    }
    in->delivered = true;
}

pl_status cli_input_next(void *self, int wait_ms, pl_text *text, pl_error *e)
{
    cli_input *in = self;
    if (in->fd < 0)
        return next_pair(in, text, e);
    if (in->delivered) {
        for (int i = 0; i < COLUMN_COUNT; i++)
            in->fields[i].present = false;
        in->delivered = false;
    }
    int64_t deadline = wait_ms < 0 ? -1 : now_ms() + wait_ms;
    bool done = false;
    while (!done) {
        pl_status status = PL_OK;
        if (in->at == in->filled && !in->ended) {
            status = fill(in, deadline, e);
        } else if (in->mark != MARK_SETTLED) {
            status = eat_mark(in, e);
        } else if (in->at == in->filled) {
            status = finish(in, &done, e);
            if (status == PL_OK && !done)
                return PL_END;
        } else {
            size_t eaten = 0;
            status = parse(in, in->block + in->at, in->filled - in->at, &eaten, &done, e);
            in->at += eaten;
            in->consumed += eaten;
        }
        if (status != PL_OK)
            return status;
    }
    give(in, text);
    return PL_OK;
}
