/* Nothing is allocated between the seal and the end: malloc and its kin and mmap are counted, the C
 * library's own use of them too, while sessions of every kind run. */
#define _GNU_SOURCE /* syscall, MAP_ANONYMOUS */
#include "golden/golden.h"

#include <plimsoll.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_bool sealed;
static _Atomic unsigned long allocations;

static void note(void)
{
    if (atomic_load_explicit(&sealed, memory_order_relaxed))
        atomic_fetch_add(&allocations, 1);
}

/* The C library's own calls must come here too. */
#define EXPORT __attribute__((visibility("default")))

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t a, size_t b);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t alignment, size_t n);

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library names its own __size */
EXPORT void *malloc(size_t n)
{
    note();
    return __libc_malloc(n);
}
EXPORT void *calloc(size_t a, size_t b)
{
    note();
    return __libc_calloc(a, b);
}
EXPORT void *realloc(void *p, size_t n)
{
    note();
    return __libc_realloc(p, n);
}
EXPORT void *aligned_alloc(size_t alignment, size_t n)
{
    note();
    return __libc_memalign(alignment, n);
}
EXPORT int posix_memalign(void **out, size_t alignment, size_t n)
{
    note();
    *out = __libc_memalign(alignment, n);
    return *out ? 0 : 12;
}
EXPORT void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
    note();
    long p = syscall(SYS_mmap, at, n, protection, flags, fd, offset);
    return (void *)p;
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

typedef struct texts {
    const char *const *list;
    size_t count, next, rounds;
    bool pause; /* says once in a while that nothing is ready: windows close early */
} texts;

static pl_status next_text(void *self, int wait_ms, pl_text *out, pl_error *e)
{
    (void)e;
    texts *t = self;
    if (t->next == t->count * t->rounds)
        return PL_END;
    if (t->pause && wait_ms >= 0 && t->next % 5 == 4) {
        t->pause = false;
        return PL_AGAIN;
    }
    t->pause = true;
    const char *text = t->list[t->next % t->count];
    *out = (pl_text){.text = text, .text_bytes = strlen(text), .line = ++t->next};
    return PL_OK;
}

static pl_status count_result(void *self, const pl_result *result, pl_error *e)
{
    (void)e;
    size_t *results = self;
    return result->index == (*results)++ ? PL_OK : PL_MACHINE;
}

static const char *const lines[] = {"", "the ship", "most people know this and wait", "naïve café — 日本 船 中", "the ship",
    "a much longer text about a heavy ship that waits in the harbour for the storm to end and the sea to lie flat"};

static void run_sealed(const char *folder, uint64_t limit, uint32_t threads, pl_precision precision)
{
    pl_error e;
    pl_options options;
    pl_options_init(&options);
    options.memory = limit;
    options.threads = threads;
    options.precision = precision;
    pl_plan *plan;
    pl_session *session;
    if (pl_plan_make(folder, &options, &plan, &e) != PL_OK)
        fail_msg("%s", e.text);
    if (!limit) { /* at the floor: weights streamed, windows small */
        options.memory = pl_plan_floor(plan);
        pl_plan_free(plan);
        assert_int_equal(pl_plan_make(folder, &options, &plan, &e), PL_OK);
    }
    if (pl_open(plan, &session, &e) != PL_OK)
        fail_msg("%s", e.text);
    for (int again = 0; again < 3; again++) {
        texts source = {.list = lines, .count = sizeof lines / sizeof lines[0], .rounds = 40};
        size_t results = 0;
        atomic_store(&allocations, 0);
        atomic_store(&sealed, true);
        pl_status status = pl_run(session, "texts", next_text, &source, count_result, &results, &e);
        atomic_store(&sealed, false);
        if (status != PL_OK)
            fail_msg("%s", e.text);
        assert_int_equal(results, source.count * source.rounds);
        assert_int_equal(atomic_load(&allocations), 0);
    }
    pl_close(session);
    pl_plan_free(plan);
}

static void nothing_is_allocated(void **state)
{
    (void)state;
    static const char *const cases[] = {"bert_cls3", "distilbert", "st_dense", "bert_sharded", "st_several"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[512], folder[] = "/tmp/sealed-XXXXXX", why[512], command[64];
        snprintf(path, sizeof path, PL_SOURCE_DIR "/tests/golden/cases/%s.json", cases[i]);
        assert_non_null(mkdtemp(folder));
        if (!golden_make(path, folder, why, sizeof why))
            fail_msg("%s", why);
        for (uint32_t threads = 1; threads <= 3; threads++) {
            run_sealed(folder, 0, threads, PL_PRECISION_F32);
            run_sealed(folder, 256u << 20, threads, i % 2 ? PL_PRECISION_BF16 : PL_PRECISION_F32);
        }
        snprintf(command, sizeof command, "rm -r %s", folder);
        assert_int_equal(system(command), 0);
    }
}

static void counting_counts(void **state)
{
    (void)state;
    atomic_store(&allocations, 0);
    atomic_store(&sealed, true);
    void *volatile p = malloc(10);
    void *q = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char text[64];
    FILE *f = fmemopen(text, sizeof text, "w"); /* allocates inside the C library */
    atomic_store(&sealed, false);
    assert_true(atomic_load(&allocations) >= 3);
    fclose(f);
    munmap(q, 4096);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counting_counts), cmocka_unit_test(nothing_is_allocated)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
