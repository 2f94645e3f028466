#include "train/blocks.h"

#include "train/digest.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

static const uint64_t MAGIC = 0x706C696D736F6C31u; /* "plimsol1" */
enum { SUM = sizeof(uint64_t) };

uint64_t pl__blocks_bytes(size_t first, uint64_t rest) { return first + SUM + rest + (rest + PL__BLOCK - 1) / PL__BLOCK * SUM; }

/* ---- writing ---- */

static void put_block(pl__block_writer *w, const void *bytes, size_t n)
{
    uint64_t sum = pl__digest_of(bytes, n, w->index ? w->binding + w->index : MAGIC);
    if (w->index == 0)
        w->binding = sum;
    w->index++;
    pl__sink_put(&w->sink, bytes, n);
    pl__sink_put(&w->sink, &sum, sizeof sum);
}

pl_status pl__blocks_begin(pl__block_writer *w, const char *path, const void *first, size_t bytes, char *buffer, size_t capacity, char *block, pl_error *e)
{
    assert(bytes <= PL__BLOCK);
    *w = (pl__block_writer){.block = block};
    pl_status s = pl__sink_open(&w->sink, path, buffer, capacity, e);
    if (!s)
        put_block(w, first, bytes);
    return s;
}

void pl__blocks_put(pl__block_writer *w, const void *bytes, size_t n)
{
    const char *from = bytes;
    while (n > 0) {
        size_t part = pl_min(n, PL__BLOCK - w->used);
        memcpy(w->block + w->used, from, part);
        w->used += part;
        from += part;
        n -= part;
        if (w->used == PL__BLOCK) {
            put_block(w, w->block, w->used);
            w->used = 0;
        }
    }
}

pl_status pl__blocks_end(pl__block_writer *w)
{
    if (w->used > 0)
        put_block(w, w->block, w->used);
    return pl__sink_close(&w->sink);
}

/* ---- reading ---- */

static pl_status read_block(pl__block_reader *r, void *bytes, size_t n)
{
    uint64_t sum;
    pl_status s = pl_file_read(r->fd, r->path, r->at, bytes, n, r->e);
    if (!s)
        s = pl_file_read(r->fd, r->path, r->at + n, &sum, sizeof sum, r->e);
    if (s)
        return s;
    uint64_t want = pl__digest_of(bytes, n, r->index ? r->binding + r->index : MAGIC);
    if (want != sum)
        return pl_fail(r->e, PL_BAD_INPUT, "%s: byte %llu: the checksum of this block is wrong: the file was damaged, or is put together from several", r->path,
            (unsigned long long)r->at);
    if (r->index == 0)
        r->binding = sum;
    r->index++;
    r->at += n + sizeof sum;
    return PL_OK;
}

pl_status pl__blocks_open(pl__block_reader *r, const char *path, void *first, size_t bytes, char *block, pl_error *e)
{
    *r = (pl__block_reader){.fd = -1, .path = path, .block = block, .e = e};
    uint64_t size;
    pl_status s = pl_file_open(path, &r->fd, &size, e);
    if (!s && size < bytes + SUM)
        s = pl_fail(e, PL_BAD_INPUT, "%s: is cut off: it has %llu bytes, its head alone has %zu", path, (unsigned long long)size, bytes + SUM);
    if (!s)
        s = read_block(r, first, bytes);
    if (s)
        pl__blocks_close(r);
    else
        r->left = size;
    return s;
}

pl_status pl__blocks_expect(pl__block_reader *r, uint64_t rest)
{
    uint64_t want = r->at + rest + (rest + PL__BLOCK - 1) / PL__BLOCK * SUM, size = r->left;
    if (size != want)
        return pl_fail(r->e, PL_BAD_INPUT, "%s: %s: it has %llu bytes, %llu would be right", r->path, size < want ? "is cut off" : "is too long",
            (unsigned long long)size, (unsigned long long)want);
    r->left = rest;
    return PL_OK;
}

pl_status pl__blocks_get(pl__block_reader *r, void *bytes, size_t n)
{
    char *to = bytes;
    while (n > 0) {
        if (r->taken == r->filled) {
            assert(r->left > 0);
            r->filled = (size_t)pl_min(r->left, PL__BLOCK);
            r->taken = 0;
            r->left -= r->filled;
            pl_status s = read_block(r, r->block, r->filled);
            if (s) {
                r->filled = 0;
                return s;
            }
        }
        size_t part = pl_min(n, r->filled - r->taken);
        memcpy(to, r->block + r->taken, part);
        r->taken += part;
        to += part;
        n -= part;
    }
    return PL_OK;
}

void pl__blocks_close(pl__block_reader *r)
{
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
}
