/* Memory taken away and given back while a job runs, thousands of times: each time the job goes on within
 * what is left, no answer is lost, none comes twice, and all have the bytes of an undisturbed run. What
 * is left is the test's own reading in place of the kernel's (linked in for it); where the machine lets
 * the test make a control group, also the kernel's. */
#include "infer/folder.h"
#include "infer/infer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (1024ull * 1024)

enum { TEXTS = 60, TEXT_BYTES = 400, MOST_WIDTH = 72, LONGEST = 48, CHANGES = 600 };

static const test_model base = {.hidden = 72, .heads = 6, .inner = 200, .layers = 3, .positions = 64};
static char texts[TEXTS][TEXT_BYTES];

static unsigned seed = 1;
static unsigned draw(unsigned below)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 8) % below;
}

/* ---- what is left ---- */

static struct {
    bool on;
    uint64_t allowed;  /* what the job may hold, 0: everything */
    uint64_t stranger; /* process memory that is not the job's */
    bool high;         /* a memory.high, which may be below what is used; else memory of others */
} weather;

/* What the governor never plans away, so that it may hold just what is allowed. */
static uint64_t kept(void) { return pl_min(64 * MIB, pl_max(MIB, weather.allowed / 64)); }

/* The job's own resident memory. */
static uint64_t held_now(void)
{
    pl_os_view view = {"/proc", "/sys", NULL};
    pl_process_memory own;
    assert_true(pl_os_process_memory(&view, 0, &own));
    return own.resident > weather.stranger ? own.resident - weather.stranger : 0;
}

void __real_pl_os_watch_read(pl_os_watch *w, pl_pressure *out);
void __wrap_pl_os_watch_read(pl_os_watch *w, pl_pressure *out);
void __wrap_pl_os_watch_read(pl_os_watch *w, pl_pressure *out)
{
    if (!weather.on) {
        __real_pl_os_watch_read(w, out);
        return;
    }
    uint64_t held = held_now(), all = weather.allowed + kept();
    *out = (pl_pressure){.cgroup = UINT64_MAX, .limit = UINT64_MAX, .available = UINT64_MAX, .anonymous = UINT64_MAX};
    out->cgroup = all > held ? all - held : 0;
    out->limit = weather.allowed;
    out->over = weather.high && held > all ? held - all : 0;
}

/* ---- a job ---- */

typedef struct job {
    pl_session *session;
    const pl_plan *plan;
    float *out;
    size_t given, got, width, rounds, pause;
    unsigned changes;
    uint64_t windows;
    uint64_t asked; /* in force while the present window was computed; 0: none */
    uint64_t limit; /* after the window before */
    bool raised;    /* a limit was asked for since */
} job;

static pl_status give(void *self, int wait_ms, pl_text *text, pl_error *e)
{
    job *j = self;
    (void)wait_ms, (void)e;
    if (j->given == j->rounds * TEXTS)
        return PL_END;
    if (j->pause-- == 0) { /* a window of a few texts */
        j->pause = 1 + draw(3);
        return PL_AGAIN;
    }
    const char *t = texts[j->given % TEXTS];
    *text = (pl_text){.text = t, .text_bytes = strlen(t), .line = ++j->given};
    return PL_OK;
}

/* The window was computed within what was allowed. A limit grows only by request: the test is over before
 * half a minute of slack is. */
static void check(job *j, const pl_stats *stats)
{
    assert_true(!j->asked || stats->peak_bytes <= j->asked);
    assert_true(!weather.high || stats->peak_bytes <= weather.allowed);
    assert_true(held_now() <= stats->peak_bytes + pl_os_count_slack());
    assert_true(j->raised || stats->limit_bytes <= j->limit);
    j->limit = stats->limit_bytes;
    j->raised = false;
}

static void ask(job *j, uint64_t bytes)
{
    assert_int_equal(pl_shrink(j->session, bytes), PL_OK);
    j->asked = bytes;
    j->raised = true;
}

/* Another limit: asked for, or the weather's. */
static void change(job *j)
{
    uint64_t floor = pl_session_floor(j->session), most = pl_plan_peak(j->plan);
    uint64_t bytes = floor + draw((unsigned)(most - floor + most / 4));
    j->changes++;
    switch (draw(4)) {
    case 0: ask(j, bytes); break;
    case 1: ask(j, draw(3) ? floor : 0); break;
    case 2: assert_int_equal(pl_shrink(j->session, 1 + draw((unsigned)floor - 1)), PL_NO_FIT); break;
    default: weather.allowed = bytes; break;
    }
}

static pl_status take(void *self, const pl_result *r, pl_error *e)
{
    job *j = self;
    (void)e;
    assert_int_equal(r->index, j->got);
    float *place = j->out + (j->got % TEXTS) * j->width;
    if (!weather.on)
        memcpy(place, r->values, j->width * sizeof *place);
    else
        assert_memory_equal(place, r->values, j->width * sizeof *place);
    j->got++;
    pl_stats stats;
    pl_session_stats(j->session, &stats);
    if (!weather.on || stats.windows == j->windows)
        return PL_OK;
    j->windows = stats.windows; /* the first answer of a window */
    check(j, &stats);
    if (j->changes < CHANGES)
        change(j);
    return PL_OK;
}

static pl_plan *plan(const char *model, unsigned threads, pl_precision precision)
{
    pl_options o;
    pl_options_init(&o);
    o.memory = 1 << 30;
    o.threads = threads;
    o.max_length = LONGEST;
    o.precision = precision;
    pl_plan *p;
    pl_error e;
    if (pl_plan_make(model, &o, &p, &e))
        fail_msg("%s", e.text);
    return p;
}

static void run(const pl_plan *p, float *out, size_t rounds)
{
    pl_error e;
    job j = {.plan = p, .out = out, .width = pl_plan_width(p), .rounds = rounds, .raised = true};
    pl_os_view view = {"/proc", "/sys", NULL};
    pl_process_memory own;
    assert_true(pl_os_process_memory(&view, 0, &own));
    bool on = weather.on;
    weather.on = false;
    if (pl_open(p, &j.session, &e))
        fail_msg("%s", e.text);
    weather.on = on;
    weather.stranger = j.session->foreign;
    weather.allowed = pl_plan_peak(p);
    if (pl_run(j.session, "texts", give, &j, take, &j, &e))
        fail_msg("%s", e.text);
    assert_int_equal(j.got, rounds * TEXTS);
    pl_stats stats;
    pl_session_stats(j.session, &stats);
    assert_true(stats.peak_bytes <= pl_plan_peak(p));
    if (on) {
        assert_true(stats.bends > j.changes / 8);
        assert_true(stats.bends <= 2ull * j.changes + 2);
    }
    pl_close(j.session);
}

static void thousands(unsigned threads, pl_precision precision, bool high)
{
    static float truth[TEXTS * MOST_WIDTH];
    const char *model = test_folder_make(&base);
    pl_plan *p = plan(model, threads, precision);
    weather.on = false;
    run(p, truth, 1);
    weather.on = true;
    weather.high = high;
    run(p, truth, 3 * CHANGES / TEXTS + 2);
    weather.on = false;
    pl_plan_free(p);
    test_folder_remove(model);
}

static void others_take_and_give_back(void **state)
{
    (void)state;
    thousands(1, PL_PRECISION_F32, false);
    thousands(3, PL_PRECISION_F32, false);
}

static void a_soft_limit_below_what_is_used(void **state)
{
    (void)state;
    thousands(2, PL_PRECISION_F32, true);
}

static void in_sixteen_bits(void **state)
{
    (void)state;
    thousands(2, PL_PRECISION_BF16, true);
}

/* ---- a real control group ---- */

static struct {
    char folder[256], home[512], limit[32];
    uint64_t now;
    unsigned written;
} group;

static bool put(const char *folder, const char *file, uint64_t value)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    FILE *f = fopen(path, "w");
    bool fine = f && fprintf(f, "%llu\n", (unsigned long long)value) > 0;
    return f && fclose(f) == 0 && fine;
}

static uint64_t get(const char *file)
{
    char path[1024];
    unsigned long long value = 0;
    snprintf(path, sizeof path, "%s/%s", group.folder, file);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%llu", &value), 1);
    fclose(f);
    return value;
}

/* The folder that this process is in now, to go back to. */
static void find_home(const char *mount, const char *key)
{
    char line[1024];
    FILE *f = fopen("/proc/self/cgroup", "r");
    while (f && fgets(line, sizeof line, f)) {
        char *path = strchr(line, '/');
        line[strcspn(line, "\n")] = '\0';
        if (path && strstr(line, key))
            snprintf(group.home, sizeof group.home, "%s%s", mount, path);
    }
    if (f)
        fclose(f);
}

static bool enter_group(void)
{
    static const struct {
        const char *mount, *key, *limit;
    } kinds[] = {{"/sys/fs/cgroup/memory", ":memory:", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "0::", "memory.high"}};
    for (size_t i = 0; i < PL_COUNT(kinds); i++) {
        char path[300];
        snprintf(group.folder, sizeof group.folder, "%s/plimsoll-test-%ld", kinds[i].mount, (long)getpid());
        snprintf(group.limit, sizeof group.limit, "%s", kinds[i].limit);
        find_home(kinds[i].mount, kinds[i].key);
        if (mkdir(group.folder, 0700) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", group.folder, group.limit);
        if (access(path, W_OK) == 0 && put(group.folder, "cgroup.procs", (uint64_t)getpid()))
            return true;
        rmdir(group.folder);
    }
    return false;
}

/* Half a mebibyte above what is used, and half below what is always kept free, so that some must go back;
 * or plenty. Never below what is used: that is version 1's refusal and version 2's kill. */
static pl_status take_in_group(void *self, const pl_result *r, pl_error *e)
{
    job *j = self;
    (void)e;
    assert_int_equal(r->index, j->got);
    assert_memory_equal(j->out + (j->got++ % TEXTS) * j->width, r->values, j->width * sizeof(float));
    uint64_t used = get(strcmp(group.limit, "memory.high") == 0 ? "memory.current" : "memory.usage_in_bytes");
    if (j->got % 3 == 0 && put(group.folder, group.limit, used + (draw(4) ? MIB / 2 : 64 * MIB)))
        group.written++;
    return PL_OK;
}

static void in_a_control_group(void **state)
{
    (void)state;
    static const test_model large = {.hidden = 192, .heads = 6, .inner = 768, .layers = 6, .positions = 64};
    static float truth[TEXTS * 192];
    const char *model = test_folder_make(&large);
    pl_plan *p = plan(model, 2, PL_PRECISION_F32);
    weather.on = false;
    run(p, truth, 1);
    bool entered = enter_group();
    if (entered) {
        pl_error e;
        job j = {.plan = p, .out = truth, .width = pl_plan_width(p), .rounds = 8};
        if (pl_open(p, &j.session, &e))
            fail_msg("%s", e.text);
        if (pl_run(j.session, "texts", give, &j, take_in_group, &j, &e))
            fail_msg("%s", e.text);
        pl_stats stats;
        pl_session_stats(j.session, &stats);
        assert_int_equal(j.got, 8 * TEXTS);
        assert_true(group.written > 20 && stats.bends > 3);
        assert_true(stats.peak_bytes < pl_plan_peak(p));
        pl_close(j.session);
        assert_true(put(group.home, "cgroup.procs", (uint64_t)getpid()));
        assert_int_equal(rmdir(group.folder), 0);
    }
    pl_plan_free(p);
    test_folder_remove(model);
    if (!entered)
        skip(); /* no control group may be made here */
}

int main(void)
{
    for (int t = 0; t < TEXTS; t++)
        for (size_t used = 0, words = draw(40); words > 0; words--)
            used += (size_t)snprintf(texts[t] + used, TEXT_BYTES - used, "w%u ", draw(195));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_take_and_give_back),
        cmocka_unit_test(a_soft_limit_below_what_is_used),
        cmocka_unit_test(in_sixteen_bits),
        cmocka_unit_test(in_a_control_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
