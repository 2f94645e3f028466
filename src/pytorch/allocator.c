/* The caching allocator's rules: sizes rounded to 512 bytes; two pools (blocks up to 1 MiB, larger
 * ones); segments of 2 MiB for small blocks, 20 MiB for blocks below 10 MiB, else whole multiples of
 * 2 MiB; best fit; a block is split where what remains is at least 512 bytes (small pool) or more
 * than 1 MiB (large pool); free neighbours of a segment merge. Source: CUDACachingAllocator.cpp,
 * default settings, one stream. */
#include "pytorch/pytorch.h"

#include <stdlib.h>

#define KIB 1024ull
#define MIB (1024ull * 1024)

enum { NONE = -1 };

typedef struct block {
    uint64_t bytes;
    long before, behind; /* neighbours in the segment */
    size_t spot;         /* in the list of free blocks */
    bool used, small;
} block;

struct pl_torch_allocator {
    block *blocks;
    long *free; /* [free_count] */
    size_t count, room, free_count;
    uint64_t reserved, allocated;
};

pl_torch_allocator *pl_torch_allocator_make(void) { return calloc(1, sizeof(pl_torch_allocator)); }

void pl_torch_allocator_free(pl_torch_allocator *a)
{
    if (a)
        free(a->blocks);
    if (a)
        free(a->free);
    free(a);
}

static void list_free(pl_torch_allocator *a, long at)
{
    a->blocks[at].used = false;
    a->blocks[at].spot = a->free_count;
    a->free[a->free_count++] = at;
}

static void unlist(pl_torch_allocator *a, long at)
{
    long last = a->free[--a->free_count];
    a->free[a->blocks[at].spot] = last;
    a->blocks[last].spot = a->blocks[at].spot;
    a->blocks[at].used = true;
}

/* A new block, free. */
static long new_block(pl_torch_allocator *a, block b)
{
    if (a->count == a->room) {
        size_t room = a->room ? 2 * a->room : 256;
        block *more = realloc(a->blocks, room * sizeof *more);
        if (more)
            a->blocks = more;
        long *spots = realloc(a->free, room * sizeof *spots);
        if (spots)
            a->free = spots;
        if (!more || !spots)
            return NONE;
        a->room = room;
    }
    a->blocks[a->count] = b;
    list_free(a, (long)a->count);
    return (long)a->count++;
}

static uint64_t segment_bytes(uint64_t bytes)
{
    if (bytes <= MIB)
        return 2 * MIB;
    return bytes < 10 * MIB ? 20 * MIB : pl_round_up(bytes, 2 * MIB);
}

static long best_fit(const pl_torch_allocator *a, uint64_t bytes, bool small)
{
    long best = NONE;
    for (size_t i = 0; i < a->free_count; i++) {
        const block *b = &a->blocks[a->free[i]];
        if (b->small == small && b->bytes >= bytes && (best == NONE || b->bytes < a->blocks[best].bytes || (b->bytes == a->blocks[best].bytes && a->free[i] < best)))
            best = a->free[i];
    }
    return best;
}

size_t pl_torch_take(pl_torch_allocator *a, uint64_t bytes)
{
    bytes = pl_round_up(pl_max(bytes, 512), 512);
    bool small = bytes <= MIB;
    long at = best_fit(a, bytes, small);
    if (at == NONE) {
        uint64_t segment = segment_bytes(bytes);
        at = new_block(a, (block){.bytes = segment, .before = NONE, .behind = NONE, .small = small});
        if (at == NONE)
            return SIZE_MAX;
        a->reserved += segment;
    }
    uint64_t rest = a->blocks[at].bytes - bytes;
    if (small ? rest >= 512 : rest > MIB) {
        long behind = new_block(a, (block){.bytes = rest, .before = at, .behind = a->blocks[at].behind, .small = small});
        if (behind == NONE)
            return SIZE_MAX;
        if (a->blocks[at].behind != NONE)
            a->blocks[a->blocks[at].behind].before = behind;
        a->blocks[at].behind = behind;
        a->blocks[at].bytes = bytes;
    }
    unlist(a, at);
    a->allocated += a->blocks[at].bytes;
    return (size_t)at;
}

/* Takes the free block behind into this one. */
static void merge_behind(pl_torch_allocator *a, long at)
{
    long behind = a->blocks[at].behind;
    if (behind == NONE || a->blocks[behind].used)
        return;
    a->blocks[at].bytes += a->blocks[behind].bytes;
    a->blocks[at].behind = a->blocks[behind].behind;
    if (a->blocks[at].behind != NONE)
        a->blocks[a->blocks[at].behind].before = at;
    unlist(a, behind); /* gone: never free again */
}

void pl_torch_give(pl_torch_allocator *a, size_t handle)
{
    long at = (long)handle;
    list_free(a, at);
    a->allocated -= a->blocks[at].bytes;
    merge_behind(a, at);
    long before = a->blocks[at].before;
    if (before != NONE && !a->blocks[before].used)
        merge_behind(a, before);
}

uint64_t pl_torch_reserved(const pl_torch_allocator *a) { return a->reserved; }
uint64_t pl_torch_allocated(const pl_torch_allocator *a) { return a->allocated; }
