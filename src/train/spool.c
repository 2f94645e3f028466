#define _GNU_SOURCE /* O_TMPFILE */
#include "train/spool.h"

#include "train/files.h"

#include <string.h>
#include <unistd.h>

static const char what[] = "the tokenised data";
enum { SUM = sizeof(uint64_t) };

pl_status pl__spool_open(pl__spool *s, const char *folder, uint32_t vocabulary, char *buffer, size_t capacity, pl_error *e)
{
    *s = (pl__spool){.file = -1, .folder = folder, .id_bytes = vocabulary <= 1u << 16 ? 2 : 4, .buffer = buffer, .capacity = capacity};
    return pl__unnamed_open(folder, &s->file, e);
}

void pl__spool_close(pl__spool *s)
{
    if (s->file >= 0)
        close(s->file);
    s->file = -1;
}

pl_status pl__spool_flush(pl__spool *s, pl_error *e)
{
    pl_status st = pl__write_at(s->file, s->end - s->used, s->buffer, s->used, s->folder, what, e);
    s->used = 0;
    return st;
}

static pl_status put(pl__spool *s, const void *bytes, size_t n, pl_error *e)
{
    const char *from = bytes;
    pl__digest_add(&s->sum, bytes, n);
    while (n > 0) {
        size_t part = pl_min(n, s->capacity - s->used);
        memcpy(s->buffer + s->used, from, part);
        s->used += part;
        s->end += part;
        from += part;
        n -= part;
        pl_status st = s->used == s->capacity ? pl__spool_flush(s, e) : PL_OK;
        if (st)
            return st;
    }
    return PL_OK;
}

static pl_status put_ids(pl__spool *s, const uint32_t *ids, uint32_t tokens, pl_error *e)
{
    pl_status st = PL_OK;
    for (uint32_t i = 0; i < tokens && !st; i++) {
        uint16_t small = (uint16_t)ids[i];
        st = s->id_bytes == sizeof small ? put(s, &small, sizeof small, e) : put(s, &ids[i], sizeof ids[i], e);
    }
    return st;
}

/* Runs of equal types: the type above, the length in the lower 24 bits. */
enum { LENGTH_BITS = 24 };

static uint32_t run_at(const uint8_t *types, uint32_t at, uint32_t tokens)
{
    uint32_t n = 1;
    while (at + n < tokens && types[at + n] == types[at] && n + 1 < 1u << LENGTH_BITS)
        n++;
    return n;
}

static pl_status put_runs(pl__spool *s, const uint8_t *types, uint32_t tokens, pl_error *e)
{
    pl_status st = PL_OK;
    for (uint32_t i = 0, n; i < tokens && !st; i += n) {
        n = run_at(types, i, tokens);
        uint32_t run = (uint32_t)types[i] << LENGTH_BITS | n;
        st = put(s, &run, sizeof run, e);
    }
    return st;
}

static pl_status put_sum(pl__spool *s, pl_error *e)
{
    uint64_t sum = pl__digest_value(&s->sum);
    return put(s, &sum, sizeof sum, e);
}

static pl_status put_label(pl__spool *s, const pl_label *l, pl_error *e)
{
    uint32_t head = (uint32_t)l->bytes << 1 | l->name;
    pl_status st = put(s, &head, sizeof head, e);
    return st ? st : put(s, l->text, l->bytes, e);
}

/* What the training sees of an example; where it stood in its file is not part of it. */
static void add_digest(pl__spool *s, const pl_example *x, const uint32_t *ids, const uint8_t *types, uint32_t tokens)
{
    uint64_t head[3] = {tokens, x->label_count, x->list};
    pl__digest_add(s->digest, head, sizeof head);
    pl__digest_add(s->digest, ids, tokens * sizeof *ids);
    pl__digest_add(s->digest, types, tokens);
    for (size_t i = 0; i < x->label_count; i++) {
        uint64_t n = x->labels[i].bytes;
        pl__digest_add(s->digest, &n, sizeof n);
        pl__digest_add(s->digest, x->labels[i].text, x->labels[i].bytes);
    }
}

pl_status pl__spool_write(pl__spool *s, const pl_example *x, const uint32_t *ids, const uint8_t *types, uint32_t tokens, pl_error *e)
{
    enum { MOST_LABEL_BYTES = 1 << 24 };
    pl__record r = {.line = x->text.line, .tokens = tokens, .labels = (uint32_t)x->label_count, .list = x->list};
    uint64_t label_bytes = 0;
    for (size_t i = 0; i < x->label_count; i++)
        label_bytes += sizeof(uint32_t) + x->labels[i].bytes;
    if (label_bytes > MOST_LABEL_BYTES)
        return pl_fail(e, PL_BAD_INPUT, "%llu bytes of labels, at most %d a text are taken", (unsigned long long)label_bytes, MOST_LABEL_BYTES);
    for (uint32_t i = 0; i < tokens; r.runs++)
        i += run_at(types, i, tokens);
    r.label_bytes = (uint32_t)label_bytes;
    r.bytes = (uint32_t)(sizeof r + (uint64_t)tokens * s->id_bytes + r.runs * sizeof(uint32_t) + label_bytes + SUM);
    s->longest = pl_max(s->longest, r.bytes);
    pl__digest_start(&s->sum, s->end);
    pl_status st = put(s, &r, sizeof r, e);
    if (!st)
        st = put_ids(s, ids, tokens, e);
    if (!st)
        st = put_runs(s, types, tokens, e);
    for (size_t i = 0; i < x->label_count && !st; i++)
        st = put_label(s, &x->labels[i], e);
    if (!st)
        st = put_sum(s, e);
    if (!st && s->digest)
        add_digest(s, x, ids, types, tokens);
    return st;
}

pl_status pl__spool_changed(const pl__spool *s, uint64_t offset, pl_error *e)
{
    return pl_fail(
        e, PL_MACHINE, "%s: %s: byte %llu: somebody else changed it while it was in use, or the disk is failing", s->folder, what, (unsigned long long)offset);
}

pl_status pl__spool_head(const pl__spool *s, uint64_t offset, pl__record *out, pl_error *e)
{
    *out = (pl__record){0};
    if (offset >= s->end || s->end - offset < sizeof *out)
        return pl__spool_changed(s, offset, e);
    pl_status st = pl__read_at(s->file, offset, out, sizeof *out, s->folder, what, e);
    if (!st && (out->bytes < sizeof *out + SUM || out->bytes > pl_min(s->longest, s->end - offset)))
        st = pl__spool_changed(s, offset, e);
    return st;
}

pl_status pl__spool_read(const pl__spool *s, uint64_t offset, char *memory, pl__example *out, pl_error *e)
{
    uint64_t sum, n = offset < s->end ? pl_min(s->longest, s->end - offset) : 0;
    if (n < sizeof out->head + SUM)
        return pl__spool_changed(s, offset, e);
    pl_status st = pl__read_at(s->file, offset, memory, n, s->folder, what, e);
    if (st)
        return st;
    memcpy(&out->head, memory, sizeof out->head);
    if (out->head.bytes < sizeof out->head + SUM || out->head.bytes > n)
        return pl__spool_changed(s, offset, e);
    memcpy(&sum, memory + out->head.bytes - SUM, SUM);
    if (sum != pl__digest_of(memory, out->head.bytes - SUM, offset))
        return pl__spool_changed(s, offset, e);
    out->ids = memory + sizeof out->head;
    out->runs = out->ids + (size_t)out->head.tokens * s->id_bytes;
    out->labels = out->runs + (size_t)out->head.runs * sizeof(uint32_t);
    return PL_OK;
}

uint32_t pl__example_id(const pl__spool *s, const pl__example *x, uint32_t i)
{
    uint32_t id;
    uint16_t small;
    if (s->id_bytes == sizeof small) {
        memcpy(&small, x->ids + (size_t)i * sizeof small, sizeof small);
        return small;
    }
    memcpy(&id, x->ids + (size_t)i * sizeof id, sizeof id);
    return id;
}

void pl__example_types(const pl__example *x, uint8_t *out)
{
    for (uint32_t i = 0; i < x->head.runs; i++) {
        uint32_t run, n;
        memcpy(&run, x->runs + (size_t)i * sizeof run, sizeof run);
        n = run & ((1u << LENGTH_BITS) - 1);
        memset(out, (int)(run >> LENGTH_BITS), n);
        out += n;
    }
}

pl_label pl__example_label(const pl__example *x, uint32_t *at)
{
    uint32_t head;
    memcpy(&head, x->labels + *at, sizeof head);
    pl_label l = {x->labels + *at + sizeof head, head >> 1, head & 1};
    *at += (uint32_t)(sizeof head + l.bytes);
    return l;
}
