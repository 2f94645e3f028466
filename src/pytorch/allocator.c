/* The caching allocator's rules: sizes rounded to 512 bytes; two pools (blocks up to 1 MiB, larger
 * ones); segments of 2 MiB for small blocks, 20 MiB for blocks below 10 MiB, else whole multiples of
 * 2 MiB; best fit by size, then address; a block is split where what remains is at least 512 bytes
 * (small pool) or more than 1 MiB (large pool); free neighbours of a segment merge; before a segment
 * is refused, those that are free as a whole go back to the device. Source:
 * c10/cuda/CUDACachingAllocator.cpp, default settings, one stream.
 *
 * Every block is used, or stands in its pool's list of free ones, sorted by (bytes, address); the
 * blocks of a segment are linked in order of address and cover it. */
#include "pytorch/pytorch.h"

#include <stdlib.h>
#include <string.h>

enum { MIB = 1024 * 1024, LEAST = 512, NONE = -1 };

typedef struct block {
    uint64_t bytes, address;
    long before, behind; /* neighbours in the segment */
    bool used, small;
} block;

typedef struct pool {
    long *free; /* [count] indexes of blocks */
    size_t count, room;
} pool;

struct pl_torch_allocator {
    block *blocks;
    size_t count, room;
    long spare; /* entries of `blocks` that are no block now, linked by `behind` */
    pool pools[2];
    uint64_t limit, reserved, most_reserved, allocated, next_address;
    bool failed;
};

pl_torch_allocator *pl_torch_allocator_make(uint64_t limit)
{
    pl_torch_allocator *a = calloc(1, sizeof *a);
    if (a)
        *a = (pl_torch_allocator){.limit = limit ? limit : UINT64_MAX, .spare = NONE};
    return a;
}

void pl_torch_allocator_free(pl_torch_allocator *a)
{
    if (!a)
        return;
    free(a->blocks);
    free(a->pools[0].free);
    free(a->pools[1].free);
    free(a);
}

/* Where a block of these figures stands, or would stand. */
static size_t lower_bound(const pl_torch_allocator *a, const pool *p, uint64_t bytes, uint64_t address)
{
    size_t low = 0, high = p->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const block *b = &a->blocks[p->free[middle]];
        if (b->bytes < bytes || (b->bytes == bytes && b->address < address))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static pool *pool_of(pl_torch_allocator *a, long at) { return &a->pools[a->blocks[at].small]; }

static void list(pl_torch_allocator *a, long at)
{
    pool *p = pool_of(a, at);
    block *b = &a->blocks[at];
    size_t spot = lower_bound(a, p, b->bytes, b->address);
    memmove(&p->free[spot + 1], &p->free[spot], (p->count - spot) * sizeof *p->free);
    p->free[spot] = at;
    p->count++;
    b->used = false;
}

static void unlist(pl_torch_allocator *a, long at)
{
    pool *p = pool_of(a, at);
    size_t spot = lower_bound(a, p, a->blocks[at].bytes, a->blocks[at].address);
    p->count--;
    memmove(&p->free[spot], &p->free[spot + 1], (p->count - spot) * sizeof *p->free);
    a->blocks[at].used = true;
}

/* Room for one block more, in the table and in both lists, so that freeing never fails. */
static bool make_room(pl_torch_allocator *a)
{
    if (a->spare != NONE || a->count < a->room)
        return true;
    size_t room = a->room ? 2 * a->room : 256;
    block *blocks = realloc(a->blocks, room * sizeof *blocks);
    if (blocks)
        a->blocks = blocks;
    bool done = blocks != NULL;
    for (unsigned i = 0; i < 2; i++) {
        long *spots = realloc(a->pools[i].free, room * sizeof *spots);
        if (spots)
            a->pools[i].free = spots;
        done &= spots != NULL;
    }
    if (done)
        a->room = room;
    return done;
}

static long new_block(pl_torch_allocator *a, block b)
{
    long at = a->spare;
    if (at != NONE)
        a->spare = a->blocks[at].behind;
    else
        at = (long)a->count++;
    a->blocks[at] = b;
    return at;
}

static void forget(pl_torch_allocator *a, long at)
{
    a->blocks[at].behind = a->spare;
    a->spare = at;
}

static uint64_t segment_bytes(uint64_t bytes)
{
    if (bytes <= MIB)
        return 2 * MIB;
    return bytes < 10 * MIB ? 20 * MIB : pl_round_up(bytes, 2 * MIB);
}

/* Segments that are free as a whole go back to the device. */
static void release_free(pl_torch_allocator *a)
{
    for (unsigned i = 0; i < 2; i++) {
        pool *p = &a->pools[i];
        size_t left = 0;
        for (size_t k = 0; k < p->count; k++) {
            const block *b = &a->blocks[p->free[k]];
            if (b->before == NONE && b->behind == NONE) {
                a->reserved -= b->bytes;
                forget(a, p->free[k]);
            } else {
                p->free[left++] = p->free[k];
            }
        }
        p->count = left;
    }
}

static long new_segment(pl_torch_allocator *a, uint64_t bytes, bool small)
{
    uint64_t segment = segment_bytes(bytes);
    if (a->reserved + segment > a->limit)
        release_free(a);
    if (a->reserved + segment > a->limit) {
        a->failed = true;
        a->limit = UINT64_MAX; /* what it would have needed */
    }
    long at = new_block(a, (block){.bytes = segment, .address = a->next_address, .before = NONE, .behind = NONE, .used = true, .small = small});
    a->next_address += segment;
    a->reserved += segment;
    a->most_reserved = pl_max(a->most_reserved, a->reserved);
    return at;
}

static long best_fit(pl_torch_allocator *a, uint64_t bytes, bool small)
{
    const pool *p = &a->pools[small];
    size_t spot = lower_bound(a, p, bytes, 0);
    if (spot == p->count)
        return NONE;
    long at = p->free[spot];
    unlist(a, at);
    return at;
}

/* Cuts a used block down to `bytes`; the rest is free behind it. */
static void split(pl_torch_allocator *a, long at, uint64_t bytes)
{
    block b = a->blocks[at];
    long rest = new_block(a, (block){.bytes = b.bytes - bytes, .address = b.address + bytes, .before = at, .behind = b.behind, .small = b.small});
    if (b.behind != NONE)
        a->blocks[b.behind].before = rest;
    a->blocks[at].behind = rest;
    a->blocks[at].bytes = bytes;
    list(a, rest);
}

size_t pl_torch_take(pl_torch_allocator *a, uint64_t bytes)
{
    bytes = pl_round_up(pl_max(bytes, LEAST), LEAST);
    bool small = bytes <= MIB;
    long at = best_fit(a, bytes, small);
    if (at == NONE && make_room(a))
        at = new_segment(a, bytes, small);
    if (at == NONE || !make_room(a))
        return SIZE_MAX;
    uint64_t rest = a->blocks[at].bytes - bytes;
    if (small ? rest >= LEAST : rest > MIB)
        split(a, at, bytes);
    a->allocated += a->blocks[at].bytes;
    return (size_t)at;
}

/* Takes the block behind into this one; both are in no list. */
static void join(pl_torch_allocator *a, long front)
{
    long behind = a->blocks[front].behind, next = a->blocks[behind].behind;
    a->blocks[front].bytes += a->blocks[behind].bytes;
    a->blocks[front].behind = next;
    if (next != NONE)
        a->blocks[next].before = front;
    forget(a, behind);
}

static bool is_free(const pl_torch_allocator *a, long at) { return at != NONE && !a->blocks[at].used; }

void pl_torch_give(pl_torch_allocator *a, size_t handle)
{
    if (handle == SIZE_MAX)
        return;
    long at = (long)handle, before = a->blocks[at].before, behind = a->blocks[at].behind;
    a->allocated -= a->blocks[at].bytes;
    if (is_free(a, behind)) {
        unlist(a, behind);
        join(a, at);
    }
    if (is_free(a, before)) {
        unlist(a, before);
        join(a, before);
        at = before;
    }
    list(a, at);
}

uint64_t pl_torch_reserved(const pl_torch_allocator *a) { return a->reserved; }
uint64_t pl_torch_most_reserved(const pl_torch_allocator *a) { return a->most_reserved; }
uint64_t pl_torch_allocated(const pl_torch_allocator *a) { return a->allocated; }
bool pl_torch_out_of_memory(const pl_torch_allocator *a) { return a->failed; }
