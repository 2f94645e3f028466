/* Token strings and their ids: one string pool, one hash table over it, widths as small as they can be.
 *
 * Entries stand in the order in which they were added. Invariants after pl__vocab_finish:
 *   - entry i is pool[start[i] .. start[i + 1])
 *   - ids NULL: entry i has id i; else ids[i]
 *   - by_id NULL: ids ascend with the entries; else entries ordered by id
 *   - a slot is 0 or tag << index_bits | entry + 1, found by linear probing from the hash's top bits */
#ifndef PL_TEXT_VOCAB_H
#define PL_TEXT_VOCAB_H

#include "base/base.h"

typedef struct pl__vocab {
    char *pool;
    uint32_t *start; /* [count + 1] */
    uint32_t *ids;
    uint32_t *by_id;
    uint32_t *slots; /* [1 << slot_bits] */
    uint64_t seed;
    uint32_t count, capacity, slot_bits, index_bits;
    uint32_t longest; /* bytes of the longest token */
    uint32_t top;     /* largest id plus one; 0: empty */
    size_t pool_bytes;
} pl__vocab;

enum { PL__NONE = 0xFFFFFFFF };

/* The hash of a string is one step for each byte, so that prefixes share their work. */
static inline uint64_t pl__hash_step(uint64_t h, char c) { return (h ^ (unsigned char)c) * 0x9E3779B97F4A7C15ULL; }
static inline uint64_t pl__hash(uint64_t h, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = pl__hash_step(h, text[i]);
    return h;
}

/* Room for `capacity` entries of pool_bytes together; scratch lives until finish. false: no memory. */
bool pl__vocab_init(pl__vocab *v, pl_region *region, pl_region *scratch, size_t capacity, size_t pool_bytes);
/* Adds an entry; false when it does not fit what init was told (the file changed in between). */
bool pl__vocab_add(pl__vocab *v, const char *text, size_t n, uint32_t id);

typedef struct pl__vocab_clash {
    uint32_t entry, other; /* two entries with the same string, or (same_id) the same id */
    bool same_id;
} pl__vocab_clash;
/* Builds the tables. last_wins: of entries with one string, the last is found. PL_BAD_INPUT: a clash;
 * PL_MACHINE: no memory. */
pl_status pl__vocab_finish(pl__vocab *v, pl_region *region, bool last_wins, pl__vocab_clash *clash);

/* The entry of text[0..n), whose hash is h; PL__NONE if there is none. */
static inline uint32_t pl__vocab_find_hashed(const pl__vocab *v, uint64_t h, const char *text, size_t n);
static inline uint32_t pl__vocab_find(const pl__vocab *v, const char *text, size_t n) { return pl__vocab_find_hashed(v, pl__hash(v->seed, text, n), text, n); }
static inline uint32_t pl__vocab_id(const pl__vocab *v, uint32_t entry) { return v->ids ? v->ids[entry] : entry; }
/* The entry with this id, PL__NONE if there is none. */
uint32_t pl__vocab_entry(const pl__vocab *v, uint32_t id);
static inline const char *pl__vocab_text(const pl__vocab *v, uint32_t entry, size_t *n)
{
    *n = v->start[entry + 1] - v->start[entry];
    return v->pool + v->start[entry];
}

static inline bool pl__same(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

/* The entries that may have the hash h, one after the other; PL__NONE behind the last. */
typedef struct pl__probe {
    uint32_t at, tag;
} pl__probe;
static inline pl__probe pl__probe_start(const pl__vocab *v, uint64_t h)
{
    return (pl__probe){(uint32_t)(h >> (64 - v->slot_bits)), (uint32_t)h >> v->index_bits};
}
static inline uint32_t pl__probe_next(const pl__vocab *v, pl__probe *p)
{
    uint32_t mask = (uint32_t)((1ULL << v->slot_bits) - 1);
    for (;;) {
        uint32_t slot = v->slots[p->at];
        if (slot == 0)
            return PL__NONE;
        p->at = (p->at + 1) & mask;
        if (slot >> v->index_bits == p->tag)
            return (slot & ((1u << v->index_bits) - 1)) - 1;
    }
}

static inline uint32_t pl__vocab_find_hashed(const pl__vocab *v, uint64_t h, const char *text, size_t n)
{
    pl__probe p = pl__probe_start(v, h);
    for (uint32_t entry; (entry = pl__probe_next(v, &p)) != PL__NONE;)
        if (v->start[entry + 1] - v->start[entry] == n && pl__same(v->pool + v->start[entry], text, n))
            return entry;
    return PL__NONE;
}

#endif
