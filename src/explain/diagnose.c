/* The cause, by arithmetic on the figures where there are any, else as the wording says.
 *
 *   idle   = reserved - allocated          held by the framework's allocator, in use by no tensor
 *   others = capacity - free - process     held by other processes (process: or reserved + context)
 *
 * In this order: larger than the device? enough held idle? a set limit? others? growing? capacity. */
#include "explain/inner.h"

#include <string.h>

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

/* CUDA context, libraries' code and workspaces of one process: what nvidia-smi shows above the
 * allocator's own. 250 MiB to 1 GiB on what the messages come from; above that it is someone else. */
static const uint64_t CONTEXT_MOST = 1024 * MIB;

static uint64_t minus(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

uint64_t pl__idle(const pl_oom *event)
{
    return pl__given(event->reserved) && pl__given(event->allocated) ? minus(event->reserved, event->allocated) : PL_NOT_GIVEN;
}

/* In a container the message names the process itself by the number it has outside: the holder that
 * matches what the allocator holds and a context. */
bool pl__is_self(const pl_oom *event, size_t other)
{
    if (pl__given(event->process) || !pl__given(event->reserved) || other >= event->other_count)
        return false;
    uint64_t bytes = event->others[other].bytes, best = UINT64_MAX;
    size_t self = SIZE_MAX;
    for (size_t i = 0; i < event->other_count; i++) {
        uint64_t held = event->others[i].bytes;
        if (held + MIB * 16 >= event->reserved && held - event->reserved + 16 * MIB < best) {
            best = held - event->reserved + 16 * MIB;
            self = i;
        }
    }
    return self == other && bytes < event->reserved + 3 * CONTEXT_MOST;
}

uint64_t pl__others_hold(const pl_oom *event)
{
    uint64_t listed = 0;
    bool any = false, self = false;
    for (size_t i = 0; i < event->other_count; i++) {
        if (pl__is_self(event, i)) {
            self = true;
            continue;
        }
        any = true;
        listed = pl_add(listed, event->others[i].bytes, &listed) ? listed : PL_NOT_GIVEN - 1;
    }
    if (any)
        return listed;
    if (self)
        return 0;
    if (!pl__given(event->capacity) || !pl__given(event->free))
        return PL_NOT_GIVEN;
    uint64_t used = minus(event->capacity, event->free);
    if (pl__given(event->process))
        return minus(used, event->process);
    if (!pl__given(event->reserved))
        return PL_NOT_GIVEN;
    uint64_t rest = minus(used, event->reserved);
    return rest > CONTEXT_MOST ? rest - CONTEXT_MOST / 2 : 0;
}

/* Grows from event to event: three in a row for one writer and device, by at least 2 % of the device
 * (or 64 MiB) in all, while about the same is asked for. */
static bool grows(const pl__open *o, pl__events *v)
{
    const pl_oom *event = &o->event;
    if (!pl__given(event->allocated) || event->allocated == 0)
        return false;
    pl__growth *g = NULL;
    for (size_t i = 0; i < v->growth_count && !g; i++)
        if (v->growth[i].device == event->device && v->growth[i].who.kind == o->who.kind && v->growth[i].who.id == o->who.id)
            g = &v->growth[i];
    if (!g) {
        if (v->growth_count == PL__GROWTHS) {
            memmove(&v->growth[0], &v->growth[1], (PL__GROWTHS - 1) * sizeof v->growth[0]);
            v->growth_count--;
        }
        v->growth[v->growth_count++] = (pl__growth){o->who, event->device, event->allocated, event->allocated, event->requested, 1};
        return false;
    }
    bool alike = pl__given(g->requested) && pl__given(event->requested) && event->requested <= g->requested * 2 && event->requested * 2 >= g->requested;
    if (event->allocated > g->last && alike) {
        g->steps++;
    } else {
        g->steps = 1;
        g->first = event->allocated;
    }
    g->last = event->allocated;
    g->requested = event->requested;
    uint64_t least = pl__given(event->capacity) ? event->capacity / 50 : 64 * MIB;
    return g->steps >= 3 && g->last - g->first >= least;
}

static pl_cause limit_or_capacity(const pl_oom *event)
{
    uint64_t held = pl__given(event->reserved) ? event->reserved : event->process;
    bool over = pl__given(event->allowed) && pl__given(held) && held + event->requested > event->allowed;
    bool lowered = !pl__given(event->capacity) || event->allowed < event->capacity - event->capacity / 100;
    if (over && lowered && (!pl__given(event->free) || event->free >= event->requested))
        return PL_CAUSE_LIMIT;
    return PL_CAUSE_CAPACITY;
}

/* For messages that give at least what was asked for and one side of the balance. */
static pl_cause by_figures(const pl_oom *event)
{
    uint64_t requested = event->requested, idle = pl__idle(event), others = pl__others_hold(event);
    if (pl__given(event->capacity) && requested > event->capacity)
        return PL_CAUSE_SINGLE_REQUEST;
    if (limit_or_capacity(event) == PL_CAUSE_LIMIT)
        return PL_CAUSE_LIMIT;
    if (pl__given(idle) && idle >= requested)
        return PL_CAUSE_FRAGMENTATION;
    uint64_t missing = pl__given(event->free) ? minus(requested, event->free) : requested;
    if (pl__given(others) && others >= missing && missing > 0 && others >= 512 * MIB) {
        uint64_t own = pl__given(event->process) ? event->process : pl__given(event->reserved) ? event->reserved : 0;
        if (others >= GIB || others >= own / 8)
            return PL_CAUSE_OTHER_PROCESS;
    }
    if (pl__given(event->free) && event->free >= requested)
        return PL_CAUSE_UNKNOWN; /* free memory that the driver would not give */
    if (pl__given(idle) && pl__given(event->free) && idle + event->free >= requested && idle >= requested / 2)
        return PL_CAUSE_FRAGMENTATION;
    return pl__given(event->capacity) || pl__given(event->free) || pl__given(event->allocated) ? PL_CAUSE_CAPACITY : PL_CAUSE_UNKNOWN;
}

/* TensorFlow's pool: its limit and what is in use. */
static pl_cause by_pool(const pl_oom *event)
{
    if (event->requested > event->allowed)
        return PL_CAUSE_SINGLE_REQUEST;
    return minus(event->allowed, event->allocated) >= event->requested ? PL_CAUSE_FRAGMENTATION : PL_CAUSE_CAPACITY;
}

void pl__diagnose(pl__open *o, pl__events *v)
{
    pl_oom *event = &o->event;
    event->cause = o->told;
    if (event->kind == PL_KIND_HOST && o->told == PL_CAUSE_UNKNOWN && strcmp(o->w->name, "ollama-may-not") != 0)
        event->cause = PL_CAUSE_HOST;
    bool device = event->kind == PL_KIND_DEVICE || event->kind == PL_KIND_WARNING;
    bool pool = event->framework == PL_FRAMEWORK_TENSORFLOW || event->framework == PL_FRAMEWORK_JAX;
    if (device && pl__given(event->requested) && o->told == PL_CAUSE_UNKNOWN) {
        if (pool && pl__given(event->allowed) && pl__given(event->allocated))
            event->cause = by_pool(event);
        else
            event->cause = by_figures(event);
    }
    if (device && event->framework == PL_FRAMEWORK_PYTORCH && grows(o, v))
        event->cause = PL_CAUSE_LEAK;
}
