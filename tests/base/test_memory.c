/* Regions: alignment, zeroed memory, exact accounts, failing sources. */
#include "base/failing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool is_zero(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

static void pieces_are_apart(void **state)
{
    (void)state;
    failing source;
    failing_init(&source, 0);
    pl_region r;
    pl_region_init(&r, &source.memory);
    char *pieces[400];
    size_t sizes[400];
    for (size_t i = 0; i < 400; i++) {
        sizes[i] = i % 37 == 0 ? 70000 + i : (i * 7919) % 900;
        pieces[i] = pl_region_take(&r, sizes[i]);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        assert_true(is_zero(pieces[i], sizes[i]));
        memset(pieces[i], (int)(i % 255) + 1, sizes[i]);
        assert_int_equal(r.held, source.bytes);
    }
    for (size_t i = 0; i < 400; i++)
        for (size_t k = 0; k < sizes[i]; k++)
            if (pieces[i][k] != (char)((int)(i % 255) + 1))
                fail_msg("piece %zu was written by another", i);
    pl_region_free(&r);
    assert_int_equal(source.blocks, 0);
    assert_int_equal(r.held, 0);
    assert_non_null(pl_region_take(&r, 1)); /* ready again */
    pl_region_free(&r);
}

static void strings_are_copied(void **state)
{
    (void)state;
    pl_region r;
    pl_region_init(&r, NULL);
    char *copy = pl_region_string(&r, "with \0 inside", 13);
    assert_memory_equal(copy, "with \0 inside", 14);
    assert_null(pl_region_string(&r, "", SIZE_MAX));
    assert_null(pl_region_take(&r, SIZE_MAX));
    assert_null(pl_region_take(&r, SIZE_MAX - 100));
    pl_region_free(&r);
}

static void failures_keep_the_account(void **state)
{
    (void)state;
    for (size_t fail_at = 1; fail_at < 12; fail_at++) {
        failing source;
        failing_init(&source, fail_at);
        pl_region r;
        pl_region_init(&r, &source.memory);
        size_t failed = 0;
        for (size_t i = 0; i < 30; i++)
            failed += pl_region_take(&r, 30000) == NULL;
        assert_int_equal(failed, 1);
        assert_int_equal(r.held, source.bytes);
        pl_region_free(&r);
        assert_int_equal(source.blocks, 0);
    }
}

static void system_gives_zeroed_pages(void **state)
{
    (void)state;
    const pl_memory *m = pl_memory_system();
    char *p = m->take(m->self, 100000);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % 64, 0);
    assert_true(is_zero(p, 100000));
    m->give(m->self, p, 100000);
    m->give(m->self, NULL, 5);
    assert_null(m->take(m->self, SIZE_MAX / 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pieces_are_apart), cmocka_unit_test(strings_are_copied), cmocka_unit_test(failures_keep_the_account),
        cmocka_unit_test(system_gives_zeroed_pages)};
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
