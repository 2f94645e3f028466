/* Slopes that allocators' steps and single jumps do not turn. */
#include "watch/watch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const double mib = 1024 * 1024;

static void straight_line(void **state)
{
    (void)state;
    watch_trend t = {0};
    double slope;
    bool sure;
    for (int i = 0; i < 200; i++) { /* the ring goes round */
        watch_trend_add(&t, i, 100 * mib + 3 * mib * i);
        assert_int_equal(watch_trend_slope(&t, &slope, &sure), i >= 5);
    }
    assert_true(sure && fabs(slope - 3 * mib) < 1);
    assert_true(fabs(watch_trend_until(&t, 300 * mib) - 100) < 0.01);
}

static void steps_and_outliers(void **state)
{
    (void)state;
    watch_trend steps = {0}, hit = {0};
    double slope;
    bool sure;
    for (int i = 0; i < 60; i++) {
        int step = i / 15;
        watch_trend_add(&steps, i, 1024 * mib * step);                     /* a gibibyte every 15 s */
        watch_trend_add(&hit, i, mib * i + (i % 4 == 0 ? 5000 * mib : 0)); /* every fourth is nonsense */
    }
    assert_true(watch_trend_slope(&steps, &slope, &sure) && sure);
    assert_true(slope > 50 * mib && slope < 90 * mib); /* 68 */
    assert_true(watch_trend_slope(&hit, &slope, &sure));
    assert_true(slope > 0.3 * mib && slope < 3 * mib);
}

static void noise_is_no_trend(void **state)
{
    (void)state;
    watch_trend t = {0};
    srand(5);
    for (int i = 0; i < 60; i++)
        watch_trend_add(&t, i, 500 * mib + mib * (rand() % 100));
    assert_true(watch_trend_until(&t, 10 * mib) < 0);
    watch_trend flat = {0}, falling = {0};
    for (int i = 0; i < 60; i++) {
        watch_trend_add(&flat, i, 7 * mib);
        watch_trend_add(&falling, i, 1000 * mib - mib * i);
    }
    assert_true(watch_trend_until(&flat, mib) < 0);
    assert_true(watch_trend_until(&falling, mib) < 0);
    double slope;
    bool sure;
    assert_true(watch_trend_slope(&falling, &slope, &sure) && sure && slope < -0.99 * mib);
}

static void too_few_or_too_close(void **state)
{
    (void)state;
    watch_trend t = {0}, same = {0};
    double slope;
    bool sure;
    for (int i = 0; i < 40; i++) {
        watch_trend_add(&t, i * 0.1, mib * i); /* under five seconds */
        watch_trend_add(&same, 9, mib * i);    /* the clock stood still */
    }
    assert_false(watch_trend_slope(&t, &slope, &sure));
    assert_false(watch_trend_slope(&same, &slope, &sure));
    assert_true(watch_trend_until(&t, 1) < 0);
}

/* Against the definition: sort all slopes, take the middle one. */
static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void equals_its_definition(void **state)
{
    (void)state;
    srand(11);
    for (int round = 0; round < 300; round++) {
        watch_trend t = {0};
        double at[60] = {0}, value[60] = {0}, all[60 * 60], slope;
        bool sure;
        int n = 6 + rand() % 55;
        size_t count = 0;
        for (int i = 0; i < n; i++) {
            at[i] = i + 0.001 * (rand() % 500);
            value[i] = rand() % (round % 7 ? 1000 : 3);
            watch_trend_add(&t, at[i], value[i]);
            for (int j = 0; j < i; j++)
                all[count++] = (value[i] - value[j]) / (at[i] - at[j]);
        }
        if (at[n - 1] - at[0] < 5)
            continue;
        qsort(all, count, sizeof *all, compare);
        assert_true(watch_trend_slope(&t, &slope, &sure));
        assert_true(slope == all[count / 2]);
    }
}

static void history_is_a_ring(void **state)
{
    (void)state;
    static watch_history h;
    assert_true(watch_history_back(&h, 0) < 0);
    for (int i = 0; i < HISTORY_POINTS + 10; i++)
        watch_history_add(&h, i);
    assert_true(watch_history_back(&h, 0) == HISTORY_POINTS + 9);
    assert_true(watch_history_back(&h, HISTORY_POINTS - 1) == 10);
    assert_true(watch_history_back(&h, HISTORY_POINTS) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(straight_line), cmocka_unit_test(steps_and_outliers), cmocka_unit_test(noise_is_no_trend),
        cmocka_unit_test(too_few_or_too_close), cmocka_unit_test(equals_its_definition), cmocka_unit_test(history_is_a_ring)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
