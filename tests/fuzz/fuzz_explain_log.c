/* A log of any bytes, in pieces whose sizes the first bytes choose: the same events as at once, each
 * of them printable, in the order of lines, with strings that are UTF-8. */
#include "explain/explain.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

typedef struct heard {
    uint64_t events, last_line, hash;
} heard;

static pl_status hash(void *self, const char *text, size_t n, pl_error *e)
{
    (void)e;
    heard *h = self;
    for (size_t i = 0; i < n; i++)
        h->hash = (h->hash ^ (unsigned char)text[i]) * 1099511628211u;
    return PL_OK;
}

static pl_status hear(void *self, const pl_oom *event, pl_error *e)
{
    heard *h = self;
    assert(event->line >= 1 && event->line >= h->last_line);
    assert(event->summary[0] && pl_utf8_valid(event->message, strlen(event->message)) == strlen(event->message));
    assert(event->other_count <= PL_OOM_OTHERS && event->advice_count <= PL_OOM_ADVICE);
    h->last_line = event->line;
    h->events++;
    pl_status status = pl_oom_json(event, hash, h, e);
    return status == PL_OK ? pl_oom_text(event, h->events, h->events & 1, hash, h, e) : status;
}

static heard read_log(const uint8_t *data, size_t bytes, size_t piece)
{
    heard h = {0};
    pl_error e = {0};
    pl_explain *x;
    pl_status status = pl_explain_open(pl_memory_system(), hear, &h, &x, &e);
    for (size_t at = 0; status == PL_OK && at < bytes; at += piece)
        status = pl_explain_feed(x, (const char *)data + at, pl_min(piece, bytes - at), &e);
    if (status == PL_OK)
        status = pl_explain_end(x, &e);
    assert(status == PL_OK);
    pl_explain_close(x);
    return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 2)
        return 0;
    size_t piece = 1 + data[0];
    heard whole = read_log(data + 1, bytes - 1, bytes), pieces = read_log(data + 1, bytes - 1, piece);
    assert(whole.events == pieces.events && whole.hash == pieces.hash);
    return 0;
}
