#include "text/vocab.h"

#include "text/sort.h"

#include <assert.h>
#include <string.h>

/* Chains longer than this mean strings made to collide: the table is built again with another seed. */
enum { LONGEST_CHAIN = 256, SEEDS = 8, MOST_ENTRIES = 1 << 30 };

bool pl__vocab_init(pl__vocab *v, pl_region *region, pl_region *scratch, size_t capacity, size_t pool_bytes)
{
    *v = (pl__vocab){.capacity = (uint32_t)capacity, .pool_bytes = pool_bytes};
    assert(capacity < MOST_ENTRIES && pool_bytes < UINT32_MAX);
    v->pool = pl_region_take(region, pool_bytes);
    v->start = pl_region_take(region, (capacity + 1) * sizeof *v->start);
    v->ids = pl_region_take(scratch, capacity * sizeof *v->ids);
    return v->pool && v->start && v->ids;
}

bool pl__vocab_add(pl__vocab *v, const char *text, size_t n, uint32_t id)
{
    uint32_t used = v->start[v->count];
    if (v->count == v->capacity || n > v->pool_bytes - used)
        return false;
    memcpy(v->pool + used, text, n);
    v->ids[v->count++] = id;
    v->start[v->count] = used + (uint32_t)n;
    if (n > v->longest)
        v->longest = (uint32_t)n;
    if (id >= v->top)
        v->top = id + 1;
    return true;
}

typedef enum fill { FILLED, CLASHED, CHAINED } fill;

/* Puts every entry into the empty slots. */
static fill fill_slots(pl__vocab *v, bool last_wins, pl__vocab_clash *clash)
{
    uint32_t mask = (uint32_t)((1ULL << v->slot_bits) - 1), index_mask = (1u << v->index_bits) - 1;
    for (uint32_t i = 0; i < v->count; i++) {
        size_t n;
        const char *text = pl__vocab_text(v, i, &n);
        uint64_t h = pl__hash(v->seed, text, n);
        uint32_t tag = (uint32_t)h & ~index_mask, at = (uint32_t)(h >> (64 - v->slot_bits)), steps = 0;
        for (; v->slots[at]; at = (at + 1) & mask) {
            uint32_t other = (v->slots[at] & index_mask) - 1;
            if ((v->slots[at] & ~index_mask) == tag && v->start[other + 1] - v->start[other] == n && memcmp(v->pool + v->start[other], text, n) == 0) {
                if (last_wins)
                    break;
                *clash = (pl__vocab_clash){i, other, false};
                return CLASHED;
            }
            if (++steps > LONGEST_CHAIN)
                return CHAINED;
        }
        v->slots[at] = tag | (i + 1);
    }
    return FILLED;
}

static pl_status build_slots(pl__vocab *v, pl_region *region, bool last_wins, pl__vocab_clash *clash)
{
    v->slot_bits = 4;
    while ((1ULL << v->slot_bits) < v->count + v->count / 2 + 1ULL)
        v->slot_bits++;
    v->index_bits = 1;
    while ((1u << v->index_bits) <= v->count)
        v->index_bits++;
    size_t bytes = sizeof *v->slots << v->slot_bits;
    v->slots = pl_region_take(region, bytes);
    if (!v->slots)
        return PL_MACHINE;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        v->seed = seed * 0xD1B54A32D192ED03ULL;
        fill result = fill_slots(v, last_wins, clash);
        if (result != CHAINED)
            return result == FILLED ? PL_OK : PL_BAD_INPUT;
        memset(v->slots, 0, bytes);
    }
    *clash = (pl__vocab_clash){0, 0, false};
    return PL_BAD_INPUT;
}

static int by_id(const void *a, const void *b, const void *ids)
{
    uint32_t x = ((const uint32_t *)ids)[*(const uint32_t *)a], y = ((const uint32_t *)ids)[*(const uint32_t *)b];
    return (x > y) - (x < y);
}

pl_status pl__vocab_finish(pl__vocab *v, pl_region *region, bool last_wins, pl__vocab_clash *clash)
{
    bool dense = true, ascending = true;
    for (uint32_t i = 0; i < v->count; i++) {
        dense &= v->ids[i] == i;
        ascending &= i == 0 || v->ids[i - 1] < v->ids[i];
    }
    if (!ascending) {
        v->by_id = pl_region_take(region, v->count * sizeof *v->by_id);
        if (!v->by_id)
            return PL_MACHINE;
        for (uint32_t i = 0; i < v->count; i++)
            v->by_id[i] = i;
        pl__sort(v->by_id, v->count, sizeof *v->by_id, by_id, v->ids);
        for (uint32_t i = 1; i < v->count; i++)
            if (v->ids[v->by_id[i - 1]] == v->ids[v->by_id[i]]) {
                *clash = (pl__vocab_clash){v->by_id[i], v->by_id[i - 1], true};
                return PL_BAD_INPUT;
            }
    }
    if (dense) {
        v->ids = NULL;
    } else {
        const uint32_t *ids = v->ids;
        v->ids = pl_region_take(region, v->count * sizeof *v->ids);
        if (!v->ids)
            return PL_MACHINE;
        memcpy(v->ids, ids, v->count * sizeof *v->ids);
    }
    return build_slots(v, region, last_wins, clash);
}

uint32_t pl__vocab_entry(const pl__vocab *v, uint32_t id)
{
    if (!v->ids)
        return id < v->count ? id : PL__NONE;
    uint32_t low = 0, high = v->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t entry = v->by_id ? v->by_id[middle] : middle;
        if (v->ids[entry] == id)
            return entry;
        if (v->ids[entry] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return PL__NONE;
}
