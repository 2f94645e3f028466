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
        cmocka_unit_test(nothing_known_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
