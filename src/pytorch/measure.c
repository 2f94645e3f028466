/* The parts of a job's peak, and the biggest batch that fits. */
#include "pytorch/step.h"

#include <string.h>

enum { MIB = 1024 * 1024, WIDE = 4 };

/* The CUDA context of one process with PyTorch's kernels loaded, and cuBLAS's workspace (2 of 4096 KiB,
 * 8 of 16 KiB). The context is 250 to 550 MiB by driver and card. */
static const uint64_t CONTEXT = 450ull * MIB + 2 * 4096 * 1024 + 8 * 16 * 1024;

/* bitsandbytes: two states of a byte, an f32 scale of each per 256 elements; tensors below 4096
 * elements keep f32 states. */
enum { BLOCK_8BIT = 256, LEAST_8BIT = 4096 };

static uint64_t elements(const pl_tensor_view *t)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < t->rank; i++)
        n *= t->shape[i];
    return n;
}

static uint64_t state_bytes(pl_torch_optimizer optimizer, uint64_t n)
{
    switch (optimizer) {
    case PL_TORCH_ADAMW: return 8 * n;
    case PL_TORCH_ADAMW8BIT: return n < LEAST_8BIT ? 8 * n : 2 * n + 2 * WIDE * ((n + BLOCK_8BIT - 1) / BLOCK_8BIT);
    case PL_TORCH_SGD: break;
    }
    return 0;
}

/* False where the replay has no memory; replay NULL: the parts alone. */
static bool parameter(pl_torch_allocator *replay, const pl_torch_settings *s, uint64_t n, pl_torch_parts *p)
{
    uint64_t state = s->train ? state_bytes(s->optimizer, n) : 0, gradient = s->train ? WIDE * n : 0;
    p->weights += WIDE * n;
    p->gradients += gradient;
    p->optimizer += state;
    uint64_t pieces[] = {WIDE * n, gradient, state / 2, state - state / 2};
    for (size_t i = 0; i < PL_COUNT(pieces); i++)
        if (replay && pieces[i] && pl_torch_take(replay, pieces[i]) == SIZE_MAX)
            return false;
    return true;
}

/* BertModel has a pooler, needed or not. */
static bool unused_pooler(pl_torch_allocator *replay, const pl_model *m, const pl_torch_settings *s, pl_torch_parts *p)
{
    if (m->task != PL_TASK_EMBED || strcmp(m->family, "bert") != 0)
        return true;
    uint64_t hidden = pl_value_width(m, m->operators[0].out);
    return parameter(replay, s, hidden * hidden, p) && parameter(replay, s, hidden, p);
}

/* Each parameter is a tensor of its own: weight, gradient, two states. */
static bool parameters(pl_torch_allocator *replay, const pl_model *m, const pl_torch_settings *s, pl_torch_parts *p)
{
    for (size_t i = 0; i < m->operator_count; i++)
        for (unsigned k = 0; k < 2 * PL_MODEL_PARTS; k++) {
            const pl_operator *op = &m->operators[i];
            const pl_tensor_view *t = k < PL_MODEL_PARTS ? op->weight[k] : op->bias[k - PL_MODEL_PARTS];
            if (t && !parameter(replay, s, elements(t), p))
                return false;
        }
    return unused_pooler(replay, m, s, p);
}

/* Whether every sum stays far below 2^64: no tensor of a step has more elements than rows times the
 * widest row or the attention's matrix, and no operator makes more than 64 of them. */
static bool is_countable(const pl_model *m, const pl_torch_settings *s)
{
    double rows = (double)s->batch * s->length, all = 0;
    for (size_t i = 0; i < m->operator_count; i++) {
        const pl_operator *op = &m->operators[i];
        double row = (double)pl_value_width(m, op->out);
        if (op->kind == PL_OPERATOR_ATTENTION)
            row += row / op->head_width * s->length;
        all += 64 * WIDE * rows * row;
    }
    return all < (double)(1ull << 60);
}

static pl_status fail_no_memory(pl_error *e) { return pl_fail(e, PL_MACHINE, "no memory for the replay of PyTorch's allocator"); }

pl_status pl_torch_measure(const pl_model *m, const pl_torch_settings *s, uint64_t limit, pl_torch_fit *out, pl_error *e)
{
    *out = (pl_torch_fit){.settings = *s, .limit = limit, .parts.context = CONTEXT};
    if (!is_countable(m, s))
        return pl_fail(e, PL_USAGE, "--batch %u of %u tokens: no memory on earth holds it", s->batch, s->length);
    pl_torch_parts *p = &out->parts;
    pl__torch_step step;
    bool room = limit > CONTEXT;
    pl_torch_allocator *replay = pl_torch_allocator_make(room ? limit - CONTEXT : 1);
    if (!replay || !parameters(replay, m, s, p) || !pl__torch_step_walk(m, s, replay, &step)) {
        pl_torch_allocator_free(replay);
        return fail_no_memory(e);
    }
    p->activations = step.saved;
    p->temporaries = step.largest - step.saved;
    out->fits = !pl_torch_out_of_memory(replay);
    uint64_t used = p->weights + p->gradients + p->optimizer + step.largest;
    p->rounding = pl_torch_most_reserved(replay) - used;
    out->peak = used + p->rounding + p->context;
    pl_torch_allocator_free(replay);
    return PL_OK;
}

typedef struct search {
    const pl_model *m;
    pl_torch_settings s;
    uint64_t limit;
    pl_status status;
    pl_error *e;
} search;

/* Whether the sums alone stay within the limit; what they exceed the replay exceeds too. */
static bool may_fit(search *at, uint32_t batch)
{
    pl_torch_parts p = {0};
    pl__torch_step step;
    at->s.batch = batch;
    if (at->status || !is_countable(at->m, &at->s))
        return false;
    parameters(NULL, at->m, &at->s, &p);
    if (!pl__torch_step_walk(at->m, &at->s, NULL, &step))
        at->status = fail_no_memory(at->e);
    return !at->status && p.weights + p.gradients + p.optimizer + step.largest + CONTEXT <= at->limit;
}

static bool does_fit(search *at, uint32_t batch)
{
    pl_torch_fit fit;
    at->s.batch = batch;
    if (!at->status && is_countable(at->m, &at->s))
        at->status = pl_torch_measure(at->m, &at->s, at->limit, &fit, at->e);
    else
        return false;
    return !at->status && fit.fits;
}

/* The largest batch between low, which holds (or is 0), and high, which does not. */
static uint32_t halve(search *at, bool (*holds)(search *at, uint32_t batch), uint32_t low, uint32_t high)
{
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (holds(at, middle))
            low = middle;
        else
            high = middle;
    }
    return low;
}

pl_status pl_torch_fit_make(const pl_model *m, const pl_torch_settings *s, uint64_t limit, pl_torch_fit *out, pl_error *e)
{
    search at = {m, *s, limit, PL_OK, e};
    pl_status status = pl_torch_measure(m, s, limit, out, e);
    if (status)
        return status;
    uint32_t high = halve(&at, may_fit, 0, PL_TORCH_MOST_BATCH + 1) + 1, low = high - 1;
    for (uint32_t stride = 1; low > 0 && !does_fit(&at, low); stride *= 2) { /* rounding takes little: near the bound */
        high = low;
        low = low > stride ? low - stride : 0;
    }
    low = halve(&at, does_fit, low, high);
    /* rounding may let a larger batch fit where a smaller one just does not: one more must not */
    while (low < PL_TORCH_MOST_BATCH && does_fit(&at, low + 1))
        low++;
    out->biggest_batch = low;
    return at.status;
}

static bool better(const pl_torch_fit *a, const pl_torch_fit *b)
{
    if (a->fits != b->fits)
        return a->fits;
    return a->biggest_batch != b->biggest_batch ? a->biggest_batch > b->biggest_batch : a->peak < b->peak;
}

static bool same(const pl_torch_settings *a, const pl_torch_settings *b)
{
    return a->precision == b->precision && a->attention == b->attention && a->checkpointing == b->checkpointing && a->optimizer == b->optimizer;
}

pl_status pl_torch_alternatives(const pl_model *m, const pl_torch_settings *s, uint64_t limit, pl_torch_fit *out, size_t room, size_t *count, pl_error *e)
{
    enum { NARROW = 1, EAGER = 2, CHECKPOINTING = 4, STATES_8BIT = 8, ALL = 16 };
    *count = 0;
    for (unsigned i = 0; i < ALL && *count < room; i++) {
        pl_torch_settings t = *s;
        t.precision = !(i & NARROW) ? PL_TORCH_F32 : s->precision == PL_TORCH_F16 ? PL_TORCH_F16 : PL_TORCH_BF16;
        t.attention = i & EAGER ? PL_TORCH_EAGER : PL_TORCH_SDPA;
        t.checkpointing = (i & CHECKPOINTING) != 0;
        t.optimizer = i & STATES_8BIT ? PL_TORCH_ADAMW8BIT : s->optimizer == PL_TORCH_ADAMW8BIT ? PL_TORCH_ADAMW : s->optimizer;
        if (same(&t, s) || (!s->train && i >= CHECKPOINTING))
            continue;
        pl_torch_fit fit;
        pl_status status = pl_torch_fit_make(m, &t, limit, &fit, e);
        if (status)
            return status;
        size_t at = (*count)++;
        for (; at > 0 && better(&fit, &out[at - 1]); at--)
            out[at] = out[at - 1];
        out[at] = fit;
    }
    return PL_OK;
}
