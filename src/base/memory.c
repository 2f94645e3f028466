#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "base/base.h"

#include <string.h>
#include <sys/mman.h>

static void *system_take(void *self, size_t bytes)
{
    (void)self;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static void system_give(void *self, void *block, size_t bytes)
{
    (void)self;
    if (block)
        munmap(block, bytes);
}

const pl_memory *pl_memory_system(void)
{
    static const pl_memory system = {system_take, system_give, NULL};
    return &system;
}

struct pl_region_block {
    struct pl_region_block *next;
    size_t size, used; /* invariant: sizeof(header) <= used <= size */
};

enum { BLOCK_BYTES = 1 << 16, PAGE_BYTES = 4096, ALIGN = 16 };
_Static_assert(sizeof(struct pl_region_block) % 8 == 0, "header keeps alignment");

void pl_region_init(pl_region *r, const pl_memory *memory) { *r = (pl_region){.memory = memory ? memory : pl_memory_system()}; }

static struct pl_region_block *add_block(pl_region *r, size_t bytes)
{
    size_t header = pl_round_up(sizeof(struct pl_region_block), ALIGN);
    if (bytes > SIZE_MAX - header - BLOCK_BYTES)
        return NULL;
    size_t size = pl_round_up(pl_max(bytes + header, BLOCK_BYTES), PAGE_BYTES);
    struct pl_region_block *block = r->memory->take(r->memory->self, size);
    if (!block)
        return NULL;
    *block = (struct pl_region_block){r->blocks, size, header};
    r->held += size;
    if (r->blocks && bytes + header > BLOCK_BYTES) { /* keep the half-empty block in front */
        block->next = r->blocks->next;
        r->blocks->next = block;
    } else {
        r->blocks = block;
    }
    return block;
}

void *pl_region_take(pl_region *r, size_t bytes)
{
    if (bytes > SIZE_MAX - ALIGN)
        return NULL;
    bytes = pl_round_up(pl_max(bytes, 1), ALIGN);
    struct pl_region_block *block = r->blocks;
    if (!block || block->size - block->used < bytes)
        block = add_block(r, bytes);
    if (!block)
        return NULL;
    void *p = (char *)block + block->used;
    block->used += bytes;
    return p;
}

void pl_region_touch(pl_region *r)
{
    for (struct pl_region_block *block = r->blocks; block; block = block->next)
        for (size_t at = pl_round_up(block->used, PAGE_BYTES); at < block->size; at += PAGE_BYTES)
            *((volatile char *)block + at) = 0;
}

char *pl_region_string(pl_region *r, const char *text, size_t n)
{
    char *copy = n < SIZE_MAX ? pl_region_take(r, n + 1) : NULL;
    if (copy)
        memcpy(copy, text, n);
    return copy;
}

void pl_region_free(pl_region *r)
{
    struct pl_region_block *block = r->blocks;
    while (block) {
        struct pl_region_block *next = block->next;
        r->memory->give(r->memory->self, block, block->size);
        block = next;
    }
    pl_region_init(r, r->memory);
}
