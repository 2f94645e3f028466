/* The governor under weather: shrinks at once, grows late, never oscillates, never asks the
 * impossible. */
#include "govern/govern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define MIB (1024ull * 1024)

static pl_pressure left(uint64_t cgroup, uint64_t available) { return (pl_pressure){.cgroup = cgroup, .limit = UINT64_MAX, .available = available}; }

static void shrinks_at_once(void **state)
{
    (void)state;
    pl_governor g;
    pl_governor_init(&g, 200 * MIB, 20 * MIB);
    pl_pressure p = left(UINT64_MAX, 10000 * MIB);
    assert_int_equal(pl_governor_look(&g, &p, 100 * MIB, 180 * MIB, 0), 200 * MIB);
    p = left(UINT64_MAX, 70 * MIB);
    uint64_t now = pl_governor_look(&g, &p, 100 * MIB, 180 * MIB, 0.1);
    assert_true(now < 180 * MIB && now >= 100 * MIB);
    p = left(2 * MIB, 10000 * MIB);
    assert_true(pl_governor_look(&g, &p, 100 * MIB, 150 * MIB, 0.2) <= 102 * MIB);
    p = left(0, 0);
    assert_int_equal(pl_governor_look(&g, &p, 10 * MIB, 100 * MIB, 0.3), 20 * MIB);
}

static void grows_late(void **state)
{
    (void)state;
    pl_governor g;
    pl_governor_init(&g, 200 * MIB, 20 * MIB);
    pl_pressure tight = left(20 * MIB, 10000 * MIB), wide = left(5000 * MIB, 10000 * MIB);
    uint64_t low = pl_governor_look(&g, &tight, 60 * MIB, 180 * MIB, 0);
    assert_true(low < 100 * MIB);
    for (int half = 2; half < 62; half++)
        assert_int_equal(pl_governor_look(&g, &wide, 60 * MIB, low, half / 2.0), low);
    assert_int_equal(pl_governor_look(&g, &wide, 60 * MIB, low, 31.5), 200 * MIB);
}

static void a_dip_starts_the_half_minute_again(void **state)
{
    (void)state;
    pl_governor g;
    pl_governor_init(&g, 200 * MIB, 20 * MIB);
    pl_pressure tight = left(20 * MIB, 10000 * MIB), wide = left(5000 * MIB, 10000 * MIB), little = left(5 * MIB, 10000 * MIB);
    uint64_t low = pl_governor_look(&g, &tight, 60 * MIB, 180 * MIB, 0);
    pl_governor_look(&g, &wide, low, low, 1);
    pl_governor_look(&g, &little, low, low, 29);
    assert_int_equal(pl_governor_look(&g, &wide, low, low, 32), low);
}

static void obeys_who_asks(void **state)
{
    (void)state;
    pl_governor g;
    pl_governor_init(&g, 200 * MIB, 20 * MIB);
    pl_pressure wide = left(UINT64_MAX, 10000 * MIB);
    assert_false(pl_governor_ask(&g, 20 * MIB - 1));
    assert_int_equal(g.limit, 200 * MIB);
    assert_true(pl_governor_ask(&g, 50 * MIB));
    for (int now = 0; now < 100; now++)
        assert_int_equal(pl_governor_look(&g, &wide, 40 * MIB, 50 * MIB, now), 50 * MIB);
    assert_true(pl_governor_ask(&g, 0));
    assert_int_equal(g.limit, 200 * MIB);
}

/* A year of weather: never below the floor or above what was asked, and changes are far apart. */
static void does_not_oscillate(void **state)
{
    (void)state;
    pl_governor g;
    pl_governor_init(&g, 500 * MIB, 30 * MIB);
    uint64_t limit = 500 * MIB;
    double grown = -1000;
    srand(1);
    for (int half = 0; half < 200000; half++) {
        double now = half / 2.0;
        uint64_t used = limit * 9 / 10;
        pl_pressure p = left((uint64_t)(unsigned)(rand() % 1000) * MIB, 100000 * MIB);
        uint64_t next = pl_governor_look(&g, &p, used, limit, now);
        assert_true(next >= 30 * MIB && next <= 500 * MIB);
        if (next > limit) {
            assert_true(now - grown >= 30);
            grown = now;
        }
        limit = next;
    }
}

/* memory.high lowered below what is used, or others took all: what is held already must shrink too. */
static void gives_back_what_it_holds(void **state)
{
    (void)state;
    pl_governor g;
    pl_governor_init(&g, 200 * MIB, 20 * MIB);
    pl_pressure p = {.cgroup = 0, .limit = 64 * MIB, .over = 40 * MIB, .available = 10000 * MIB};
    assert_int_equal(pl_governor_look(&g, &p, 100 * MIB, 100 * MIB, 0), 59 * MIB);     /* 64ths of the limit stay free */
    p = (pl_pressure){.cgroup = 1 * MIB, .limit = 64 * MIB, .available = 10000 * MIB}; /* given back */
    assert_int_equal(pl_governor_look(&g, &p, 59 * MIB, 59 * MIB, 1), 59 * MIB);
    p.over = 1000 * MIB;
    p.cgroup = 0;
    assert_int_equal(pl_governor_look(&g, &p, 59 * MIB, 59 * MIB, 2), 20 * MIB);
}

static pl_pressure stalled(double full, uint64_t anonymous)
{
    return (pl_pressure){
        .cgroup = UINT64_MAX, .limit = UINT64_MAX, .available = 10000 * MIB, .has_stall = true, .some = full, .full = full, .anonymous = anonymous};
}

static void gives_way_to_stalls_of_others(void **state)
{
    (void)state;
    pl_governor g;
    pl_governor_init(&g, 200 * MIB, 20 * MIB);
    pl_pressure p = stalled(30, 1000 * MIB);
    assert_int_equal(pl_governor_look(&g, &p, 100 * MIB, 100 * MIB, 0), 75 * MIB);
    assert_int_equal(pl_governor_look(&g, &p, 75 * MIB, 75 * MIB, 5), 75 * MIB);
    p.full = 15; /* it helped: the next part */
    uint64_t next = pl_governor_look(&g, &p, 75 * MIB, 75 * MIB, 16);
    assert_true(next < 60 * MIB && next > 50 * MIB);
}

static void shrinks_no_further_where_it_does_not_help(void **state)
{
    (void)state;
    pl_governor g;
    pl_governor_init(&g, 200 * MIB, 20 * MIB);
    pl_pressure p = stalled(30, 1000 * MIB);
    uint64_t low = pl_governor_look(&g, &p, 100 * MIB, 100 * MIB, 0);
    for (int now = 1; now < 1000; now++)
        assert_int_equal(pl_governor_look(&g, &p, low, low, now), low);
    p.full = 0;
    pl_governor_look(&g, &p, low, low, 1000); /* calm */
    p.full = 30;
    assert_true(pl_governor_look(&g, &p, low, low, 1020) < low);
}

static void its_own_stalls_are_no_reason(void **state)
{
    (void)state;
    pl_governor g;
    pl_governor_init(&g, 200 * MIB, 20 * MIB);
    pl_pressure own = stalled(90, 120 * MIB), unknown = stalled(90, UINT64_MAX);
    for (int now = 0; now < 100; now++) {
        assert_int_equal(pl_governor_look(&g, &own, 100 * MIB, 100 * MIB, now), 200 * MIB);
        assert_int_equal(pl_governor_look(&g, &unknown, 100 * MIB, 100 * MIB, now), 200 * MIB);
    }
}

static void nothing_known_changes_nothing(void **state)
{
    (void)state;
    pl_governor g;
    pl_governor_init(&g, 200 * MIB, 20 * MIB);
    pl_pressure p = left(UINT64_MAX, UINT64_MAX);
    assert_int_equal(pl_governor_look(&g, &p, 100 * MIB, 180 * MIB, 0), 200 * MIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shrinks_at_once),
        cmocka_unit_test(grows_late),
        cmocka_unit_test(a_dip_starts_the_half_minute_again),
        cmocka_unit_test(obeys_who_asks),
        cmocka_unit_test(does_not_oscillate),
        cmocka_unit_test(gives_back_what_it_holds),
        cmocka_unit_test(gives_way_to_stalls_of_others),
        cmocka_unit_test(shrinks_no_further_where_it_does_not_help),
        cmocka_unit_test(its_own_stalls_are_no_reason),
        cmocka_unit_test(nothing_known_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
