/* The reader: bytes of a log in any encoding -> a window of UTF-8 that slides over it -> messages.
 *
 * Invariant: the window holds [history | text already scanned .. | ahead]; a message is looked at
 * only when AHEAD bytes after it are there (or the log has ended), and HISTORY bytes before it are
 * kept for its traceback. So memory does not depend on the log, and no message is cut by a border. */
#include "explain/inner.h"

#include <assert.h>
#include <string.h>

enum {
    WINDOW = 1 << 20,
    HISTORY = 160 * 1024,
    AHEAD = 12 * 1024,
    CONTEXT = 16 * 1024,
    CONTEXT_AFTER = 1500,
    FIRST_LOOK = 4096,
    NARROWEST = 38,
    SNIFF = 512,
    TRAINING_REACH = 64 * 1024
};

typedef enum encoding { UNSEEN, BYTES, UTF16_LITTLE, UTF16_BIG } encoding;

struct pl_explain {
    const pl_memory *memory;
    encoding encoding;
    unsigned char carry[SNIFF]; /* undecoded bytes: the log's first, or half a UTF-16 pair */
    size_t carry_n;
    size_t n;      /* bytes in the window */
    size_t done;   /* scanned so far */
    uint64_t base; /* offset in the log of the window's first byte */
    uint64_t line; /* number of the line at `line_at` */
    size_t line_at;
    uint64_t hinted;                       /* offset up to which hints were gathered */
    uint64_t seen[PL_FRAMEWORK_COUNT + 1]; /* offset + 1 of the last hint; the last is training */
    pl__job job;
    pl__events events;
    pl__squeezed squeezed;
    uint64_t squeezed_from, squeezed_to; /* what it holds, as offsets in the log */
    char window[WINDOW];
};

pl_status pl_explain_open(const pl_memory *memory, pl_oom_sink sink, void *self, pl_explain **out, pl_error *e)
{
    pl__scan_prepare();
    pl_explain *x = memory->take(memory->self, sizeof *x);
    if (!x)
        return pl_fail_no_memory(e, sizeof *x, "reading the log");
    x->memory = memory;
    x->line = 1;
    x->events.sink = sink;
    x->events.self = self;
    pl__job_init(&x->job);
    *out = x;
    return PL_OK;
}

void pl_explain_close(pl_explain *x)
{
    if (x)
        x->memory->give(x->memory->self, x, sizeof *x);
}

/* ---- lines ---- */

static uint64_t count_lines(const char *s, size_t n)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < n; i++)
        lines += s[i] == '\n';
    return lines;
}

static uint64_t line_of(pl_explain *x, size_t at)
{
    if (at >= x->line_at)
        x->line += count_lines(x->window + x->line_at, at - x->line_at);
    else
        x->line -= count_lines(x->window + at, x->line_at - at);
    x->line_at = at;
    return x->line;
}

/* ---- what the surroundings say ---- */

static const struct hint {
    const char *word;
    int what; /* framework, or PL_FRAMEWORK_COUNT for training */
} hints[] = {
    {"torch", PL_FRAMEWORK_PYTORCH},
    {"tensorflow", PL_FRAMEWORK_TENSORFLOW},
    {"keras", PL_FRAMEWORK_TENSORFLOW},
    {"jax", PL_FRAMEWORK_JAX},
    {"external/xla", PL_FRAMEWORK_JAX},
    {"external/org_tensorflow", PL_FRAMEWORK_JAX},
    {"XlaRuntimeError", PL_FRAMEWORK_JAX},
    {"onnxruntime", PL_FRAMEWORK_ONNXRUNTIME},
    {"ONNXRuntime", PL_FRAMEWORK_ONNXRUNTIME},
    {"ggml", PL_FRAMEWORK_LLAMA},
    {"llama_", PL_FRAMEWORK_LLAMA},
    {"llama.cpp", PL_FRAMEWORK_LLAMA},
    {"whisper_", PL_FRAMEWORK_LLAMA},
    {"ollama", PL_FRAMEWORK_OLLAMA},
    {"llama runner", PL_FRAMEWORK_OLLAMA},
    {"text_embeddings", PL_FRAMEWORK_TEI},
    {"text-embeddings", PL_FRAMEWORK_TEI},
    {"cupy", PL_FRAMEWORK_OTHER},
    {"numba", PL_FRAMEWORK_OTHER},
    {"rmm", PL_FRAMEWORK_OTHER},
    {"cudf", PL_FRAMEWORK_OTHER},
    {"xgboost", PL_FRAMEWORK_OTHER},
    {"paddle", PL_FRAMEWORK_OTHER},
    {"mxnet", PL_FRAMEWORK_OTHER},
    {"faiss", PL_FRAMEWORK_OTHER},
    {"[TRT]", PL_FRAMEWORK_OTHER},
    {"TensorRT", PL_FRAMEWORK_OTHER},
    {"ctranslate2", PL_FRAMEWORK_OTHER},
    {"darknet", PL_FRAMEWORK_OTHER},
    {"mlx", PL_FRAMEWORK_OTHER},
    {"[METAL]", PL_FRAMEWORK_OTHER},
    {"loss", PL_FRAMEWORK_COUNT},
    {"poch", PL_FRAMEWORK_COUNT},
    {"backward", PL_FRAMEWORK_COUNT},
    {"optimizer", PL_FRAMEWORK_COUNT},
    {"training", PL_FRAMEWORK_COUNT},
    {"rainer", PL_FRAMEWORK_COUNT},
};

/* Where a word stands last in s[0..n), SIZE_MAX: nowhere. */
static size_t last_place(const char *s, size_t n, const char *word)
{
    size_t w = strlen(word), found = SIZE_MAX;
    for (size_t at = 0; at + w <= n;) {
        const char *p = memchr(s + at, word[0], n - at - w + 1);
        if (!p)
            break;
        at = (size_t)(p - s);
        if (memcmp(p, word, w) == 0)
            found = at;
        at++;
    }
    return found;
}

/* Notes hints in the text between the last message and this one, at most CONTEXT of it. */
static void gather(pl_explain *x, size_t at)
{
    size_t from = at > CONTEXT ? at - CONTEXT : 0;
    if (x->hinted > x->base + from)
        from = pl_min(at, (size_t)(x->hinted - x->base));
    for (size_t i = 0; i < PL_COUNT(hints); i++) {
        size_t place = last_place(x->window + from, at - from, hints[i].word);
        if (place != SIZE_MAX)
            x->seen[hints[i].what] = (uint64_t)pl_max((size_t)x->seen[hints[i].what], (size_t)(x->base + from + place + 1));
    }
    x->hinted = pl_max((size_t)x->hinted, (size_t)(x->base + at));
}

static uint32_t named_in(const char *s, size_t n)
{
    uint32_t set = 0;
    for (size_t i = 0; i < PL_COUNT(hints); i++)
        if (hints[i].what < PL_FRAMEWORK_COUNT && pl__exact(s, n, hints[i].word))
            set |= 1u << hints[i].what;
    return set;
}

static pl__hints hints_at(pl_explain *x, const pl__place *p)
{
    gather(x, p->begin);
    pl__hints h = {.nearest = PL_FRAMEWORK_COUNT};
    size_t line_end = pl_min(p->line_end, p->end + CONTEXT_AFTER);
    size_t line = p->begin - p->line > CONTEXT_AFTER ? p->begin - CONTEXT_AFTER : p->line;
    h.line = named_in(x->window + line, line_end - line);
    h.gpu = pl__has(x->window + line, line_end - line, "cuda") || pl__has(x->window + line, line_end - line, "gpu") ||
        pl__has(x->window + line, line_end - line, "hip");
    uint64_t nearest = 0, now = x->base + p->begin;
    for (int i = 0; i < PL_FRAMEWORK_COUNT; i++) {
        if (x->seen[i] == 0 || now - x->seen[i] > 3 * CONTEXT)
            continue;
        h.around |= 1u << i;
        if (x->seen[i] > nearest) {
            nearest = x->seen[i];
            h.nearest = (pl_framework)i;
        }
    }
    if (h.nearest == PL_FRAMEWORK_COUNT) { /* what follows the message */
        h.around |= named_in(x->window + p->end, pl_min(x->n - p->end, CONTEXT_AFTER));
        for (int i = 0; i < PL_FRAMEWORK_COUNT && h.nearest == PL_FRAMEWORK_COUNT; i++)
            if (h.around >> i & 1)
                h.nearest = (pl_framework)i;
    }
    uint64_t training = x->seen[PL_FRAMEWORK_COUNT];
    h.training = training && now - training <= TRAINING_REACH;
    return h;
}

/* "loss: 2.31", "step 120", "Epoch: [3][12/400]": the word, what joins it to a number, and the number. */
static bool counted(const char *s, size_t n, const char *word)
{
    size_t at = pl__find(s, n, word);
    if (at == SIZE_MAX || (at > 0 && pl__word(s[at - 1])))
        return false;
    size_t end = at + strlen(word), last = pl_min(n, end + 5);
    if (end >= n || !strchr(" :=/#-\"'", s[end]))
        return false;
    while (end < last && !pl__digit(s[end]) && strchr(" :=/#-\"'[", s[end]))
        end++;
    return end < n && pl__digit(s[end]);
}

/* A line of a running job. */
static bool progress_line(const char *s, size_t n)
{
    static const char *const words[] = {"loss", "epoch", "step", "iter", "iteration", "batch", "global_step", "train_loss"};
    if (n > 400 || pl__exact(s, n, "File \"") || pl__exact(s, n, "--> ") || s[0] == ' ')
        return false;
    for (size_t i = 0; i < PL_COUNT(words); i++)
        if (counted(s, n, words[i]))
            return true;
    return false;
}

typedef struct span {
    const pl_explain *x;
    size_t to;
} span;

static bool went_on(const void *self, uint64_t from)
{
    const span *v = self;
    size_t at = from > v->x->base ? (size_t)(from - v->x->base) : 0;
    const char *s = v->x->window;
    at = pl__line_next(s, v->to, pl__line_end(s, v->to, at));
    while (at < v->to) {
        size_t end = pl__line_end(s, v->to, at);
        if (end == v->to)
            return false; /* the message's own line */
        if (end > at && progress_line(s + at, end - at))
            return true;
        at = pl__line_next(s, v->to, end);
    }
    return false;
}

/* ---- a place that holds an anchor ---- */

static size_t squeezed_index(const pl__squeezed *q, size_t offset)
{
    size_t low = 0, high = q->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (q->from[middle] < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low < q->n && q->from[low] == offset ? low : SIZE_MAX;
}

static unsigned count_figures(const pl__figures *f)
{
    unsigned n = 0;
    for (size_t i = PL__REQUESTED; i <= PL__OTHER_BYTES; i++)
        n += pl__given(f->value[i]);
    return n + (f->other_count > 0) + (pl__given(f->value[PL__SHAPE]) && pl__given(f->value[PL__DTYPE])) + pl__given(f->value[PL__PID]) +
        pl__given(f->value[PL__DEVICE]);
}

static pl_status take_message(pl_explain *x, size_t row, const pl__place *p, const pl__figures *f, pl_error *e)
{
    pl__message m = {.w = &pl__wordings[row], .f = *f, .figure_count = count_figures(f)};
    m.line = line_of(x, p->begin);
    m.at = x->base + p->begin;
    m.who = pl__who_wrote(x->window + p->line, p->begin - p->line);
    m.clock = pl__clock(x->window + p->line, p->begin - p->line);
    m.phase = pl__phase(x->window, p->begin, m.who);
    m.hints = hints_at(x, p);
    size_t begin = p->begin; /* with the word before: CUDA, HIP, MPS ... */
    while (begin > p->line && x->window[begin - 1] == ' ')
        begin--;
    while (begin > p->line && pl__letter(x->window[begin - 1]) && p->begin - begin < 24)
        begin--;
    pl__clean(x->window + begin, pl_min(pl_max(p->line_end, p->figures_end) - begin, 1024), m.text, sizeof m.text);
    m.text[pl_utf8_valid(m.text, strlen(m.text))] = '\0';
    span between = {x, p->begin};
    return pl__event_add(&x->events, &m, &(pl__between){went_on, &between}, &x->job, e);
}

/* Squeezed text around a hit; most messages end within FIRST_LOOK, few need all that is there. */
static void squeeze_from(pl_explain *x, size_t from, size_t bytes, bool strip)
{
    bytes = pl_min(x->n - from, bytes);
    pl__squeeze(x->window + from, bytes, strip, &x->squeezed);
    x->squeezed_from = x->base + from;
    x->squeezed_to = x->squeezed_from + bytes;
}

/* Where dense hits share it the text is squeezed once. */
static void squeeze_around(pl_explain *x, size_t at)
{
    uint64_t here = x->base + at, least = here > PL__BEFORE / 4 ? here - PL__BEFORE / 4 : 0;
    size_t rest = pl_min(x->n - at, FIRST_LOOK / 2);
    if (x->squeezed_to == 0 || x->squeezed_from > pl_max((size_t)least, (size_t)x->base) || x->squeezed_from < x->base || here + rest > x->squeezed_to ||
        x->squeezed.n + 2 > PL__SQUEEZED)
        squeeze_from(x, at > PL__BEFORE ? at - PL__BEFORE : 0, FIRST_LOOK, true);
}

static bool match(pl_explain *x, size_t row, size_t at, pl__place *p, pl__figures *f)
{
    const pl__squeezed *q = &x->squeezed;
    size_t from = (size_t)(x->squeezed_from - x->base);
    if (squeezed_index(q, at - from) == SIZE_MAX) /* what was taken for a prefix is the message */
        squeeze_from(x, from, FIRST_LOOK, false);
    for (bool all = false;; all = true) {
        size_t index = squeezed_index(q, at - from), begin, stop;
        pl__figures_clear(f);
        if (index == SIZE_MAX || !pl__key_match(row, q, index, f, &begin, &stop))
            return false;
        size_t last = pl_max(stop, pl__figures_read(row, q, begin, pl__scope_end(row, q, stop), f));
        *p = (pl__place){
            .s = x->window, .n = x->n, .begin = from + q->from[begin], .end = from + q->from[stop - 1] + 1, .figures_end = from + q->from[last - 1] + 1};
        if (all || last + PL__BEFORE < q->n || x->squeezed_to >= x->base + x->n)
            break;
        squeeze_from(x, from, AHEAD, true);
    }
    p->line = pl__line_begin(x->window, p->begin);
    p->line_end = pl__line_end(x->window, x->n, p->end);
    return true;
}

/* Tries a row at an anchor; *end is where scanning may go on if it is a message. */
static bool try_row(pl_explain *x, size_t row, size_t at, size_t *end, pl_status *status, pl_error *e)
{
    if (!pl__key_near(row, x->window, x->n, at) || ((pl__wordings[row].traits & PL__SHELL) && !pl__killed_near(x->window, x->n, at)))
        return false;
    squeeze_around(x, at);
    pl__place p;
    pl__figures f;
    if (!match(x, row, at, &p, &f) || !pl__credible(&pl__wordings[row], &p, &f, count_figures(&f)))
        return false;
    *status = take_message(x, row, &p, &f, e);
    *end = pl_max(p.end, at + 1);
    return true;
}

/* The next row of all anchors that stand at a place, in the order of the table; SIZE_MAX: no more. */
static size_t next_row(const pl__hit *hit, size_t cursor[PL__HITS])
{
    size_t best = SIZE_MAX, which = 0;
    for (size_t i = 0; i < hit->count; i++) {
        size_t count;
        const uint16_t *rows = pl__anchor_rows(hit->anchors[i], &count);
        if (cursor[i] < count && rows[cursor[i]] < best) {
            best = rows[cursor[i]];
            which = i;
        }
    }
    cursor[which]++;
    return best;
}

static pl_status look(pl_explain *x, const pl__hit *hit, size_t *next, pl_error *e)
{
    size_t cursor[PL__HITS] = {0}, row;
    bool found = false;
    pl_status status = PL_OK;
    *next = hit->at + 1;
    while ((row = next_row(hit, cursor)) != SIZE_MAX) {
        if (row >= pl__wording_count)
            pl__setting_read(row - pl__wording_count, x->window, x->n, hit->at, &x->job);
        else if (!found)
            found = try_row(x, row, hit->at, next, &status, e);
    }
    return status;
}

/* The line that ends there, looked at from `from` on, is as wide as a terminal. */
static bool is_wide(const char *s, size_t from, size_t end)
{
    if (end < NARROWEST)
        return false;
    for (size_t at = pl_min(from, end); at > end - NARROWEST; at--)
        if (s[at - 1] == '\n')
            return false;
    return true;
}

/* The first anchor that a line break in s[from..to) cuts; lines shorter than any terminal are not wrapped. */
static bool scan_breaks(const pl_explain *x, size_t from, size_t to, pl__hit *hit)
{
    while (from < to) {
        const char *p = memchr(x->window + from, '\n', to - from);
        if (!p)
            return false;
        size_t end = (size_t)(p - x->window);
        if (is_wide(x->window, from, end) && pl__scan_across(x->window, x->n, end, hit) && hit->at >= from)
            return true;
        from = end + 1;
    }
    return false;
}

/* Scans what is ready; at the end of the log everything is. */
static pl_status scan(pl_explain *x, bool last, pl_error *e)
{
    size_t to = last ? x->n : x->n > AHEAD ? x->n - AHEAD : 0;
    while (x->done < to) {
        pl__hit whole, cut;
        bool found = pl__scan(x->window, x->done, to, x->n, &whole);
        size_t reach = found ? whole.at : to;
        if (scan_breaks(x, x->done, reach, &cut) && cut.at < reach)
            whole = cut;
        else if (!found)
            break;
        pl_status status = look(x, &whole, &x->done, e);
        if (status != PL_OK)
            return status;
    }
    x->done = pl_max(x->done, to);
    return PL_OK;
}

/* Makes room: drops all but HISTORY of what was scanned. */
static pl_status slide(pl_explain *x, pl_error *e)
{
    size_t drop = x->done > HISTORY ? x->done - HISTORY : 0;
    uint64_t line = line_of(x, drop);
    x->line_at = 0;
    memmove(x->window, x->window + drop, x->n - drop);
    x->n -= drop;
    x->done -= drop;
    x->base += drop;
    return pl__event_age(&x->events, line, &x->job, e);
}

static pl_status room(pl_explain *x, pl_error *e)
{
    if (x->n < WINDOW)
        return PL_OK;
    pl_status status = scan(x, false, e);
    return status == PL_OK ? slide(x, e) : status;
}

/* ---- encodings ---- */

/* Bytes go in as they are, without NULs: a log that changes to UTF-16 in its middle stays readable. */
static pl_status put(pl_explain *x, const char *s, size_t n, pl_error *e)
{
    while (n > 0) {
        pl_status status = room(x, e);
        if (status != PL_OK)
            return status;
        size_t part = pl_min(n, WINDOW - x->n);
        assert(part > 0);
        if (!memchr(s, 0, part)) {
            memcpy(x->window + x->n, s, part);
            x->n += part;
        } else {
            for (size_t i = 0; i < part; i++)
                if (s[i])
                    x->window[x->n++] = s[i];
        }
        s += part;
        n -= part;
    }
    return PL_OK;
}

static size_t utf8_put(uint32_t c, char out[4])
{
    if (c < 0x80)
        return out[0] = (char)c, 1;
    if (c < 0x800)
        return out[0] = (char)(0xC0 | c >> 6), out[1] = (char)(0x80 | (c & 63)), 2;
    if (c < 0x10000)
        return out[0] = (char)(0xE0 | c >> 12), out[1] = (char)(0x80 | (c >> 6 & 63)), out[2] = (char)(0x80 | (c & 63)), 3;
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

/* UTF-16 in pieces; half a unit or the first of a pair waits in the carry. */
static pl_status put_utf16(pl_explain *x, const unsigned char *s, size_t n, pl_error *e)
{
    char out[4096];
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        x->carry[x->carry_n++] = s[i];
        if (x->carry_n & 1)
            continue;
        bool big = x->encoding == UTF16_BIG;
        uint32_t unit[2] = {0};
        for (size_t k = 0; k < x->carry_n / 2; k++)
            unit[k] = big ? (uint32_t)x->carry[2 * k] << 8 | x->carry[2 * k + 1] : (uint32_t)x->carry[2 * k + 1] << 8 | x->carry[2 * k];
        if (x->carry_n == 2 && unit[0] >= 0xD800 && unit[0] < 0xDC00)
            continue;
        bool pair = x->carry_n == 4 && unit[1] >= 0xDC00 && unit[1] < 0xE000;
        uint32_t c = pair ? 0x10000 + ((unit[0] - 0xD800) << 10) + (unit[1] - 0xDC00) : unit[x->carry_n / 2 - 1];
        c = c >= 0xD800 && c < 0xE000 ? 0xFFFD : c;
        x->carry_n = 0;
        if (c)
            used += utf8_put(c, out + used);
        if (used + 4 > sizeof out) {
            pl_status status = put(x, out, used, e);
            if (status != PL_OK)
                return status;
            used = 0;
        }
    }
    return put(x, out, used, e);
}

/* By a byte order mark, else by where the NULs stand. */
static encoding sniff(const unsigned char *s, size_t n)
{
    if (n >= 2 && s[0] == 0xFF && s[1] == 0xFE && !(n >= 4 && s[2] == 0 && s[3] == 0))
        return UTF16_LITTLE;
    if (n >= 2 && s[0] == 0xFE && s[1] == 0xFF)
        return UTF16_BIG;
    size_t even = 0, odd = 0;
    for (size_t i = 0; i < n; i++) {
        even += s[i] == 0 && !(i & 1);
        odd += s[i] == 0 && (i & 1);
    }
    if (odd * 4 > n && even * 16 < n)
        return UTF16_LITTLE;
    return even * 4 > n && odd * 16 < n ? UTF16_BIG : BYTES;
}

static pl_status decode(pl_explain *x, const char *s, size_t n, pl_error *e)
{
    return x->encoding == BYTES ? put(x, s, n, e) : put_utf16(x, (const unsigned char *)s, n, e);
}

static pl_status settle_encoding(pl_explain *x, pl_error *e)
{
    unsigned char first[SNIFF];
    size_t n = x->carry_n;
    memcpy(first, x->carry, n);
    x->encoding = sniff(first, n);
    x->carry_n = 0;
    return decode(x, (const char *)first, n, e);
}

pl_status pl_explain_feed(pl_explain *x, const char *bytes, size_t n, pl_error *e)
{
    if (x->encoding == UNSEEN) {
        size_t part = pl_min(n, SNIFF - x->carry_n);
        memcpy(x->carry + x->carry_n, bytes, part);
        x->carry_n += part;
        if (x->carry_n < SNIFF)
            return PL_OK;
        pl_status status = settle_encoding(x, e);
        if (status != PL_OK)
            return status;
        bytes += part;
        n -= part;
    }
    return decode(x, bytes, n, e);
}

pl_status pl_explain_end(pl_explain *x, pl_error *e)
{
    pl_status status = x->encoding == UNSEEN ? settle_encoding(x, e) : PL_OK;
    if (status == PL_OK)
        status = scan(x, true, e);
    return status == PL_OK ? pl__event_age(&x->events, UINT64_MAX, &x->job, e) : status;
}
