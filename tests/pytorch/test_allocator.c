/* The caching allocator's rules one by one, and random sequences against the same rules written
 * plainly. */
#include "pytorch/pytorch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KIB ((uint64_t)1024)
#define MIB ((uint64_t)1024 * 1024)

static pl_torch_allocator *fresh(uint64_t limit)
{
    pl_torch_allocator *a = pl_torch_allocator_make(limit);
    assert_non_null(a);
    return a;
}

static void holds(const pl_torch_allocator *a, uint64_t allocated, uint64_t reserved)
{
    assert_int_equal(pl_torch_allocated(a), allocated);
    assert_int_equal(pl_torch_reserved(a), reserved);
}

static void one(uint64_t bytes, uint64_t allocated, uint64_t reserved)
{
    pl_torch_allocator *a = fresh(0);
    size_t at = pl_torch_take(a, bytes);
    holds(a, allocated, reserved);
    pl_torch_give(a, at);
    holds(a, 0, reserved);
    pl_torch_allocator_free(a);
}

static void sizes_round_to_512(void **state)
{
    (void)state;
    one(0, 512, 2 * MIB);
    one(1, 512, 2 * MIB);
    one(512, 512, 2 * MIB);
    one(513, 1024, 2 * MIB);
    one(5 * MIB + 1, 5 * MIB + 512, 20 * MIB);
}

static void segments_by_size(void **state)
{
    (void)state;
    one(MIB, MIB, 2 * MIB);
    one(MIB + 1, MIB + 512, 20 * MIB);
    one(10 * MIB - 512, 10 * MIB - 512, 20 * MIB);
    one(10 * MIB, 10 * MIB, 10 * MIB);
    one(10 * MIB + 1, 10 * MIB + 512, 12 * MIB);
    one(31 * MIB, 32 * MIB, 32 * MIB); /* the rest is too little to split off, and counts as in use */
}

static void small_blocks_split_from_512(void **state)
{
    (void)state;
    pl_torch_allocator *a = fresh(0);
    pl_torch_take(a, MIB);
    pl_torch_take(a, MIB - 512);
    pl_torch_take(a, 1); /* the last 512 bytes */
    holds(a, 2 * MIB, 2 * MIB);
    pl_torch_take(a, 1);
    holds(a, 2 * MIB + 512, 4 * MIB);
    pl_torch_allocator_free(a);
}

static void large_blocks_split_above_1_mib(void **state)
{
    (void)state;
    pl_torch_allocator *a = fresh(0);
    pl_torch_take(a, 9 * MIB);
    pl_torch_take(a, 9 * MIB); /* leaves 2 MiB */
    holds(a, 18 * MIB, 20 * MIB);
    pl_torch_take(a, MIB + 512); /* leaves 1 MiB less 512: not split off */
    holds(a, 20 * MIB, 20 * MIB);
    pl_torch_allocator_free(a);
    a = fresh(0);
    pl_torch_take(a, 9 * MIB);
    pl_torch_take(a, 9 * MIB + 512 * KIB);
    pl_torch_take(a, MIB + 1);
    holds(a, 20 * MIB, 20 * MIB);
    pl_torch_allocator_free(a);
}

static void pools_are_apart(void **state)
{
    (void)state;
    pl_torch_allocator *a = fresh(0);
    size_t large = pl_torch_take(a, 4 * MIB), small = pl_torch_take(a, 4 * KIB);
    holds(a, 4 * MIB + 4 * KIB, 22 * MIB);
    pl_torch_give(a, large);
    pl_torch_give(a, small);
    pl_torch_take(a, MIB); /* 20 MiB of large blocks are free, 2 MiB of small ones serve */
    holds(a, MIB, 22 * MIB);
    pl_torch_take(a, MIB + 1);
    holds(a, 2 * MIB + 512, 22 * MIB);
    pl_torch_allocator_free(a);
}

static void smallest_that_fits_serves(void **state)
{
    (void)state;
    pl_torch_allocator *a = fresh(0);
    size_t wide = pl_torch_take(a, 40 * MIB), close = pl_torch_take(a, 16 * MIB);
    pl_torch_give(a, wide);
    pl_torch_give(a, close);
    pl_torch_take(a, 15 * MIB); /* out of 16, whole */
    holds(a, 16 * MIB, 56 * MIB);
    pl_torch_take(a, 40 * MIB);
    holds(a, 56 * MIB, 56 * MIB);
    pl_torch_allocator_free(a);
}

static void neighbours_merge(void **state)
{
    (void)state;
    pl_torch_allocator *a = fresh(0);
    size_t at[4];
    for (unsigned i = 0; i < 4; i++)
        at[i] = pl_torch_take(a, 5 * MIB);
    holds(a, 20 * MIB, 20 * MIB);
    pl_torch_give(a, at[0]);
    pl_torch_give(a, at[2]);
    pl_torch_take(a, 9 * MIB); /* two holes of 5 */
    holds(a, 19 * MIB, 40 * MIB);
    pl_torch_give(a, at[1]); /* 15 in one piece */
    pl_torch_take(a, 15 * MIB);
    holds(a, 29 * MIB, 40 * MIB);
    pl_torch_allocator_free(a);
}

static void free_segments_go_back_before_failure(void **state)
{
    (void)state;
    pl_torch_allocator *a = fresh(64 * MIB);
    size_t first = pl_torch_take(a, 30 * MIB), part = pl_torch_take(a, 5 * MIB);
    pl_torch_give(a, first);
    holds(a, 5 * MIB, 50 * MIB);
    pl_torch_take(a, 40 * MIB); /* 30 MiB are idle and too small: released; 20 MiB are partly used */
    holds(a, 45 * MIB, 60 * MIB);
    assert_false(pl_torch_out_of_memory(a));
    assert_int_equal(pl_torch_most_reserved(a), 60 * MIB);
    pl_torch_give(a, part);
    pl_torch_take(a, 60 * MIB);
    assert_true(pl_torch_out_of_memory(a));
    holds(a, 100 * MIB, 100 * MIB);
    pl_torch_take(a, 100 * MIB); /* no limit any more */
    assert_int_equal(pl_torch_most_reserved(a), 200 * MIB);
    pl_torch_give(a, SIZE_MAX);
    pl_torch_allocator_free(a);
    pl_torch_allocator_free(NULL);
}

/* ---- the rules once more, plainly: blocks in order of address ---- */
enum { MOST = 4096 };
typedef struct plain {
    struct {
        uint64_t bytes;
        bool used, small, first; /* first of its segment */
    } block[MOST];
    size_t count;
} plain;

static void insert(plain *p, size_t at, uint64_t bytes, bool small, bool first)
{
    assert_true(p->count < MOST);
    memmove(&p->block[at + 1], &p->block[at], (p->count - at) * sizeof p->block[0]);
    p->block[at].bytes = bytes;
    p->block[at].used = false;
    p->block[at].small = small;
    p->block[at].first = first;
    p->count++;
}

static size_t plain_take(plain *p, uint64_t bytes)
{
    bytes = bytes < 512 ? 512 : (bytes + 511) / 512 * 512;
    bool small = bytes <= MIB;
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < p->count; i++)
        if (!p->block[i].used && p->block[i].small == small && p->block[i].bytes >= bytes && (best == SIZE_MAX || p->block[i].bytes < p->block[best].bytes))
            best = i;
    if (best == SIZE_MAX) {
        best = p->count;
        insert(p, best, small ? 2 * MIB : bytes < 10 * MIB ? 20 * MIB : (bytes + 2 * MIB - 1) / (2 * MIB) * (2 * MIB), small, true);
    }
    uint64_t rest = p->block[best].bytes - bytes;
    if (small ? rest >= 512 : rest > MIB) {
        p->block[best].bytes = bytes;
        insert(p, best + 1, rest, small, false);
    }
    p->block[best].used = true;
    return best;
}

static void plain_merge(plain *p, size_t at) /* with the one behind, where both are free */
{
    if (at + 1 >= p->count || p->block[at].used || p->block[at + 1].used || p->block[at + 1].first)
        return;
    p->block[at].bytes += p->block[at + 1].bytes;
    memmove(&p->block[at + 1], &p->block[at + 2], (p->count - at - 2) * sizeof p->block[0]);
    p->count--;
}

static void plain_give(plain *p, size_t at)
{
    p->block[at].used = false;
    plain_merge(p, at);
    if (at > 0)
        plain_merge(p, at - 1);
}

static uint64_t plain_sum(const plain *p, bool used_only)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < p->count; i++)
        sum += !used_only || p->block[i].used ? p->block[i].bytes : 0;
    return sum;
}

static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* The n-th used block of the plain one, by address; handles of the other are found by their own. */
static void random_sequences(void **state)
{
    (void)state;
    enum { HELD = 200, STEPS = 20000 };
    static plain p;
    static size_t handle[HELD], address[HELD]; /* address: bytes before it, which never changes */
    uint64_t seed = 88172645463325252u;
    for (unsigned round = 0; round < 3; round++) {
        p.count = 0;
        pl_torch_allocator *a = fresh(0);
        size_t count = 0;
        for (unsigned step = 0; step < STEPS; step++) {
            bool take = count == 0 || (count < HELD && draw(&seed) % 100 < 55);
            if (take) {
                uint64_t bytes = draw(&seed) % ((uint64_t)1 << (8 + draw(&seed) % 18));
                size_t at = plain_take(&p, bytes), before = 0;
                for (size_t i = 0; i < at; i++)
                    before += p.block[i].bytes;
                handle[count] = pl_torch_take(a, bytes);
                address[count++] = before;
            } else {
                size_t which = draw(&seed) % count, at = 0;
                for (size_t before = 0; before != address[which]; before += p.block[at++].bytes)
                    assert_true(at < p.count);
                plain_give(&p, at);
                pl_torch_give(a, handle[which]);
                handle[which] = handle[--count];
                address[which] = address[count];
            }
            assert_int_equal(pl_torch_allocated(a), plain_sum(&p, true));
            assert_int_equal(pl_torch_reserved(a), plain_sum(&p, false));
        }
        pl_torch_allocator_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes_round_to_512), cmocka_unit_test(segments_by_size), cmocka_unit_test(small_blocks_split_from_512),
        cmocka_unit_test(large_blocks_split_above_1_mib), cmocka_unit_test(pools_are_apart), cmocka_unit_test(smallest_that_fits_serves),
        cmocka_unit_test(neighbours_merge), cmocka_unit_test(free_segments_go_back_before_failure), cmocka_unit_test(random_sequences)};
    return cmocka_run_group_tests_name("pytorch allocator", tests, NULL, NULL);
}
