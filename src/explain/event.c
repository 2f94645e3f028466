/* Messages become events. One failure is printed by the allocator, again by a chained traceback, a
 * logger, the parent process and the launcher: that is one event. Another rank, another request or
 * another moment is another.
 *
 * Two messages are of one failure when all of this holds: they speak of the same memory (family);
 * neither prefix says they come from different writers; no figure that both give differs; the job
 * did not go on between them; they are near in lines and, where lines have clocks, in time. */
#include "explain/inner.h"

#include <string.h>

enum { NEAR = 400, NEAR_SAME = 2500, NEAR_DUMP = 25000, CLOCK_SLACK = 90, DAY = 86400, VICTIM_LINES = 4 };

/* ---- figures ---- */

static uint64_t sum(uint64_t a, uint64_t b)
{
    uint64_t out;
    return pl__given(a) && pl__given(b) && pl_add(a, b, &out) ? out : PL_NOT_GIVEN;
}

static uint64_t or_zero(uint64_t v) { return pl__given(v) ? v : 0; }

/* What the wording's own names for its figures mean in the terms of an event. */
static void figures_settle(const pl__wording *w, pl__figures *f)
{
    uint64_t *v = f->value;
    if (w->family == PL__KILL && w->framework == PL_FRAMEWORK_LINUX) {
        if (pl__given(v[PL__ALLOCATED])) /* anon-rss, file-rss, shmem-rss: what the victim held */
            v[PL__PROCESS] = sum(v[PL__ALLOCATED], or_zero(v[PL__IDLE]) + or_zero(v[PL__EXTRA]));
        v[PL__ALLOCATED] = v[PL__RESERVED] = v[PL__IDLE] = v[PL__EXTRA] = PL_NOT_GIVEN;
    }
    if (!pl__given(v[PL__RESERVED]) && pl__given(v[PL__IDLE]))
        v[PL__RESERVED] = sum(v[PL__ALLOCATED], v[PL__IDLE]);
    /* "18.09GiB (rounded to 19424...)": the exact bytes, if they are the same figure */
    uint64_t told = v[PL__REQUESTED], exact = v[PL__COUNT];
    if (!(w->traits & PL__COUNTED) && pl__given(told) && pl__given(exact) && exact / 100 * 99 <= told && told <= exact / 100 * 101 + 512)
        v[PL__REQUESTED] = exact;
}

static bool differ(uint64_t a, uint64_t b, bool same_wording)
{
    if (!pl__given(a) || !pl__given(b) || a == b)
        return false;
    uint64_t gap = a > b ? a - b : b - a;
    /* two wordings round one size differently; one wording does not */
    return same_wording || gap > pl_max((size_t)(a / 160), 4096);
}

static bool figures_agree(const pl__open *o, const pl__message *m)
{
    static const pl__what compared[] = {PL__REQUESTED, PL__CAPACITY, PL__FREE, PL__ALLOCATED, PL__RESERVED, PL__PROCESS, PL__ALLOWED};
    bool same = o->w == m->w;
    /* TensorFlow asks the driver again and again for nine tenths of the size before */
    bool lowered = same && strncmp(m->w->name, "tf-driver", 9) == 0 && m->line - o->last_line <= VICTIM_LINES &&
        m->f.value[PL__REQUESTED] < o->f.value[PL__REQUESTED];
    bool both = o->w->family == PL__KILL || lowered;
    for (size_t i = 0; !both && i < PL_COUNT(compared); i++)
        if (differ(o->f.value[compared[i]], m->f.value[compared[i]], same))
            return false;
    uint64_t device = o->f.value[PL__DEVICE], pid = o->f.value[PL__PID];
    if (pl__given(device) && pl__given(m->f.value[PL__DEVICE]) && device != m->f.value[PL__DEVICE])
        return false;
    bool sacrifice = strstr(o->w->name, "kernel-kill") == o->w->name && m->line - o->last_line <= VICTIM_LINES && strcmp(m->w->name, "kernel-victim") == 0;
    return sacrifice || !pl__given(pid) || !pl__given(m->f.value[PL__PID]) || pid == m->f.value[PL__PID];
}

static void figures_join(pl__figures *into, const pl__figures *f)
{
    for (size_t i = 0; i < PL_COUNT(into->value); i++)
        if (!pl__given(into->value[i]))
            into->value[i] = f->value[i];
    if (into->other_count == 0) {
        memcpy(into->others, f->others, f->other_count * sizeof f->others[0]);
        into->other_count = f->other_count;
    }
}

/* ---- one failure? ---- */

static bool families_touch(const pl__open *o, const pl__message *m)
{
    if (m->line == o->event.line && o->w->family != PL__ALONE && m->w->family != PL__ALONE)
        return true;
    if (o->w->family == PL__ALONE || m->w->family == PL__ALONE)
        return o->w == m->w;
    bool bare = strcmp(m->w->name, "alone") == 0 || strcmp(o->w->name, "alone") == 0;
    bool memory = o->w->family != PL__KILL && m->w->family != PL__KILL;
    return o->w->family == m->w->family || (bare && memory);
}

static uint64_t reach(const pl__open *o, const pl__message *m)
{
    bool dump = o->w->framework == PL_FRAMEWORK_TENSORFLOW || o->w->framework == PL_FRAMEWORK_JAX || strncmp(o->w->name, "kernel-invoked", 14) == 0;
    if (dump)
        return NEAR_DUMP;
    bool same = m->figure_count >= 2 && pl__given(o->f.value[PL__REQUESTED]) && o->f.value[PL__REQUESTED] == m->f.value[PL__REQUESTED];
    return same || o->w->family == PL__KILL ? NEAR_SAME : NEAR;
}

static bool clocks_agree(int64_t a, int64_t b)
{
    if (a < 0 || b < 0)
        return true;
    int64_t gap = a > b ? a - b : b - a;
    return gap <= CLOCK_SLACK || DAY - gap <= CLOCK_SLACK;
}

static bool is_one_failure(const pl__open *o, const pl__message *m, const pl__between *between)
{
    if ((m->w->traits & PL__NEW) || !families_touch(o, m) || !pl__who_may_be(o->who, m->who) || !figures_agree(o, m))
        return false;
    if (m->line - o->last_line > reach(o, m) || !clocks_agree(o->clock, m->clock))
        return false;
    return m->line - o->last_line <= 1 || o->w->family == PL__KILL || !between->went_on(between->self, o->last_at);
}

/* The open event that m adds to; the latest first. */
static pl__open *find_open(pl__events *v, const pl__message *m, const pl__between *between)
{
    for (size_t i = v->count; i > 0; i--)
        if (is_one_failure(&v->open[i - 1], m, between))
            return &v->open[i - 1];
    return NULL;
}

/* ---- framework ---- */

static bool named(uint32_t set, pl_framework framework) { return set >> framework & 1; }

static pl_framework framework_of(const pl__message *m)
{
    pl_framework told = m->w->framework;
    const pl__hints *h = &m->hints;
    if (told == PL_FRAMEWORK_TENSORFLOW &&
        (named(h->line, PL_FRAMEWORK_JAX) || (named(h->around, PL_FRAMEWORK_JAX) && !named(h->around, PL_FRAMEWORK_TENSORFLOW))))
        return PL_FRAMEWORK_JAX;
    if (told == PL_FRAMEWORK_JAX && (named(h->line, PL_FRAMEWORK_TENSORFLOW) || named(h->around, PL_FRAMEWORK_TENSORFLOW)) &&
        !named(h->around | h->line, PL_FRAMEWORK_JAX))
        return PL_FRAMEWORK_TENSORFLOW;
    if (told == PL_FRAMEWORK_LLAMA && named(h->line, PL_FRAMEWORK_OLLAMA))
        return PL_FRAMEWORK_OLLAMA;
    if (told == PL_FRAMEWORK_OTHER && m->w->family == PL__CPU && named(h->line, PL_FRAMEWORK_ONNXRUNTIME))
        return PL_FRAMEWORK_ONNXRUNTIME;
    if (!(m->w->traits & PL__TORCHLIKE))
        return told;
    static const pl_framework order[] = {PL_FRAMEWORK_OLLAMA, PL_FRAMEWORK_TEI, PL_FRAMEWORK_ONNXRUNTIME, PL_FRAMEWORK_LLAMA, PL_FRAMEWORK_JAX,
        PL_FRAMEWORK_TENSORFLOW, PL_FRAMEWORK_PYTORCH, PL_FRAMEWORK_OTHER};
    for (size_t i = 0; i < PL_COUNT(order); i++)
        if (named(h->line, order[i]))
            return order[i];
    return h->nearest != PL_FRAMEWORK_COUNT ? h->nearest : told;
}

/* The program says on the same line that it tries another way. */
static bool goes_on(const char *text)
{
    static const char *const words[] = {"falling back to", "retrying with", "will retry", "attempting to recover"};
    for (size_t i = 0; i < PL_COUNT(words); i++)
        if (pl__has(text, strlen(text), words[i]))
            return true;
    return false;
}

/* The CPU's allocator of a framework whose wording is the GPU's. */
static pl_kind kind_of(const pl__message *m)
{
    pl_kind kind = m->w->kind;
    bool tf = m->w->framework == PL_FRAMEWORK_TENSORFLOW && !pl__given(m->f.value[PL__DEVICE]);
    if (tf && kind == PL_KIND_DEVICE && pl__given(m->f.value[PL__HOST_INDEX]))
        return PL_KIND_HOST;
    if (tf && kind == PL_KIND_DEVICE &&
        (strstr(m->text, "CPU:0") || strstr(m->text, "allocator cpu") || strstr(m->text, "(cpu)") || strstr(m->text, "mklcpu") ||
            strstr(m->text, "allocator mkl")))
        return PL_KIND_HOST;
    if (strncmp(m->w->name, "any-", 4) == 0 && kind == PL_KIND_HOST && m->hints.gpu)
        return PL_KIND_DEVICE;
    if (strcmp(m->w->name, "ort-buffer") == 0 && (strstr(m->text, "nchwc") || strstr(m->text, "CPUExecution")))
        return PL_KIND_HOST;
    if (strcmp(m->w->name, "alone") == 0 && m->hints.nearest == PL_FRAMEWORK_COUNT && !m->hints.gpu)
        return PL_KIND_HOST;
    if (kind == PL_KIND_DEVICE && m->w->family == PL__GPU && goes_on(m->text))
        return PL_KIND_WARNING;
    return kind;
}

/* ---- adding ---- */

static unsigned weight_of(const pl__message *m) { return m->figure_count * 4 + (m->w->traits & PL__WEAK ? 0 : 2) + 1; }

static void phase_join(pl__open *o, const pl__message *m)
{
    pl_phase phase = m->phase;
    if (phase == PL_PHASE_NONE && (m->w->traits & PL__STARTUP))
        phase = PL_PHASE_STARTUP;
    if (phase == PL_PHASE_NONE && (m->w->traits & PL__LOADING))
        phase = PL_PHASE_LOAD;
    if (o->event.phase == PL_PHASE_NONE)
        o->event.phase = phase;
}

static void cause_join(pl__open *o, const pl__message *m)
{
    pl_cause told = m->w->cause;
    bool device = o->event.kind == PL_KIND_DEVICE;
    if (device && told == PL_CAUSE_HOST)
        return; /* Python's MemoryError around a GPU library's message */
    if (device && o->told == PL_CAUSE_HOST)
        o->told = PL_CAUSE_UNKNOWN;
    o->limit_seen = o->limit_seen || told == PL_CAUSE_LIMIT;
    if (o->told == PL_CAUSE_UNKNOWN || (o->w->family == PL__KILL && o->limit_seen))
        o->told = o->limit_seen && o->w->family == PL__KILL ? PL_CAUSE_LIMIT : told;
}

static void lead(pl__open *o, const pl__message *m)
{
    pl_kind kind = kind_of(m);
    o->w = m->w;
    o->weight = weight_of(m);
    o->event.framework = framework_of(m);
    o->event.kind = kind;
    memcpy(o->event.message, m->text, sizeof m->text);
}

static void join(pl__open *o, const pl__message *m)
{
    bool failed = o->event.kind != PL_KIND_WARNING;
    pl_kind before = o->event.kind;
    bool ollama = o->event.framework == PL_FRAMEWORK_OLLAMA || named(m->hints.line, PL_FRAMEWORK_OLLAMA);
    if (weight_of(m) > o->weight)
        lead(o, m);
    if (m->w->traits & PL__RECOVERED)
        o->event.kind = o->event.kind == PL_KIND_DEVICE ? PL_KIND_WARNING : before;
    else if (failed && o->event.kind == PL_KIND_WARNING)
        o->event.kind = before;
    else if (!failed && m->w->kind != PL_KIND_WARNING)
        o->event.kind = kind_of(m);
    /* XLA's allocator is TensorFlow's; the exception names whose program it is */
    if (o->event.framework == PL_FRAMEWORK_TENSORFLOW && named(m->hints.line, PL_FRAMEWORK_JAX))
        o->event.framework = PL_FRAMEWORK_JAX;
    if (o->event.framework == PL_FRAMEWORK_LLAMA && ollama)
        o->event.framework = PL_FRAMEWORK_OLLAMA; /* its runner's words, told by Ollama */
    figures_join(&o->f, &m->f);
    cause_join(o, m);
    phase_join(o, m);
    if (o->who.kind == PL__NOBODY || o->who.kind == PL__ENGINE)
        o->who = m->who;
    o->clock = m->clock >= 0 ? m->clock : o->clock;
    o->last_line = m->line;
    o->last_at = m->at;
    o->training = o->training || m->hints.training;
}

static void begin(pl__open *o, const pl__message *m)
{
    memset(o, 0, sizeof *o);
    pl__figures_clear(&o->f);
    o->event.line = m->line;
    o->who = m->who;
    o->clock = -1;
    o->told = PL_CAUSE_UNKNOWN;
    o->w = m->w;
    lead(o, m);
    join(o, m);
}

/* ---- delivering ---- */

static void show_job(pl__open *o, const pl__job *job)
{
    pl_phase phase = o->event.phase;
    bool learns = phase == PL_PHASE_BACKWARD || phase == PL_PHASE_OPTIMIZER || ((o->training || job->training || job->trainer) && phase != PL_PHASE_GENERATE);
    bool evaluates = phase == PL_PHASE_EVALUATE;
    o->event.job = (pl_oom_job){.batch = evaluates && pl__given(job->eval_batch) ? job->eval_batch : job->batch,
        .length = job->length,
        .training = learns && !evaluates,
        .half = job->half,
        .checkpointing = job->checkpointing,
        .small_optimizer = job->small_optimizer};
}

static void settle(pl__open *o, pl__events *v, const pl__job *job)
{
    pl_oom *event = &o->event;
    const uint64_t *f = o->f.value;
    event->requested = f[PL__REQUESTED];
    event->capacity = f[PL__CAPACITY];
    event->free = f[PL__FREE];
    event->process = f[PL__PROCESS];
    event->allocated = f[PL__ALLOCATED];
    event->reserved = f[PL__RESERVED];
    event->allowed = f[PL__ALLOWED];
    event->device = event->kind == PL_KIND_HOST || event->kind == PL_KIND_KILLED ? PL_NOT_GIVEN : f[PL__DEVICE];
    memcpy(event->others, o->f.others, o->f.other_count * sizeof o->f.others[0]);
    event->other_count = o->f.other_count;
    show_job(o, job);
    pl__diagnose(o, v);
    pl__advise(o, job);
    pl__tell(o, job);
}

static pl_status deliver_first(pl__events *v, const pl__job *job, pl_error *e)
{
    pl__open *o = &v->open[0];
    settle(o, v, job);
    pl_status status = v->sink(v->self, &o->event, e);
    v->count--;
    memmove(&v->open[0], &v->open[1], v->count * sizeof v->open[0]);
    return status;
}

pl_status pl__event_age(pl__events *v, uint64_t line, const pl__job *job, pl_error *e)
{
    while (v->count > 0 && (line == UINT64_MAX || (line > v->open[0].last_line && line - v->open[0].last_line > NEAR_DUMP))) {
        pl_status status = deliver_first(v, job, e);
        if (status != PL_OK)
            return status;
    }
    return PL_OK;
}

pl_status pl__event_add(pl__events *v, const pl__message *message, const pl__between *between, const pl__job *job, pl_error *e)
{
    pl__message m = *message;
    figures_settle(m.w, &m.f);
    if (!pl__given(m.f.value[PL__DEVICE]))
        m.f.value[PL__DEVICE] = m.who.device;
    pl__open *o = find_open(v, &m, between);
    if (o) {
        join(o, &m);
        return PL_OK;
    }
    if (m.w->traits & PL__FOLLOW)
        return PL_OK;
    if (v->count == PL__OPEN) {
        pl_status status = deliver_first(v, job, e);
        if (status != PL_OK)
            return status;
    }
    /* A key may begin on an earlier line than the place that was found: keep the order of lines. */
    size_t place = v->count++;
    for (; place > 0 && v->open[place - 1].event.line > m.line; place--)
        v->open[place] = v->open[place - 1];
    begin(&v->open[place], &m);
    return PL_OK;
}
