/* What autograd saves, operator by operator, each storage once: checked against saved-tensor hooks
 * of PyTorch on the CPU (docs/PYTORCH.md). */
#include "pytorch/pytorch.h"

#include <string.h>

#define MIB (1024ull * 1024)

/* CUDA context of one process with PyTorch's kernels loaded, and cuBLAS's workspace (4096 KiB x 2 +
 * 16 KiB x 8, :4096:2:16:8). The context differs by driver and card between 250 and 550 MiB. */
static const uint64_t CONTEXT = 450 * MIB + 8 * MIB + 128 * 1024;
/* bitsandbytes: two states of one byte, and an f32 scale per block of 256 of each; tensors below 4096 elements stay f32 */
enum { BLOCK_8BIT = 256, LEAST_8BIT = 4096, WIDE = 4 };

typedef struct counter {
    const pl_model *m;
    const pl_torch_settings *s;
    pl_torch_allocator *replay;
    uint64_t rows, scores;   /* token rows; elements of one layer's attention matrix */
    uint64_t narrow;         /* bytes of what autocast computes in */
    uint64_t saved, layer;   /* all; of the layer at hand */
    uint64_t most_layer;
    uint64_t temporary;
} counter;

static void hold(counter *c, uint64_t bytes)
{
    if (bytes && c->replay)
        pl_torch_take(c->replay, bytes);
}

static void save(counter *c, uint64_t bytes)
{
    c->layer += bytes;
    if (!c->s->checkpointing)
        hold(c, bytes);
}

static void temporary(counter *c, uint64_t bytes) { c->temporary = pl_max(c->temporary, bytes); }

static uint64_t rows_of(const counter *c, uint32_t value) { return c->m->values[value].extent == PL_EXTENT_ROWS ? c->rows : c->s->batch; }

/* A linear layer's input where it is not what another operator has saved already; under autocast its
 * cast copy. */
static void input(counter *c, uint32_t value, bool saved_wide)
{
    uint64_t elements = rows_of(c, value) * pl_value_width(c->m, value);
    if (c->narrow < WIDE)
        save(c, elements * c->narrow);
    else if (!saved_wide)
        save(c, elements * WIDE);
}

/* q, k and v; probabilities (eager) or the output's log sums (SDPA). */
static void attention(counter *c, const pl_operator *op)
{
    uint64_t width = pl_value_width(c->m, op->out), heads = width / op->head_width;
    save(c, 3 * c->rows * width * c->narrow);
    temporary(c, 3 * c->rows * width * c->narrow);
    if (c->s->attention == PL_TORCH_SDPA) {
        save(c, heads * c->rows * WIDE);
        return;
    }
    uint64_t matrix = heads * c->scores;
    save(c, matrix * WIDE); /* softmax's output: f32 under autocast too */
    if (c->s->attention_dropout > 0)
        save(c, matrix * (1 + WIDE)); /* mask, and the dropped probabilities that the product saves */
    if (c->narrow < WIDE)
        save(c, matrix * c->narrow);
    temporary(c, 2 * matrix * WIDE); /* scores, and their gradient */
}

static void linear(counter *c, const pl_operator *op)
{
    const pl_model *m = c->m;
    uint64_t out = rows_of(c, op->out) * pl_value_width(m, op->out);
    bool texts = m->values[op->out].extent == PL_EXTENT_TEXTS;
    if (op->act != PL_ACT_NONE && !texts) {
        save(c, out * c->narrow); /* the activation's input; its output is the next one's input */
        temporary(c, 2 * out * WIDE);
    }
    if (op->act != PL_ACT_NONE && texts) {
        save(c, out * c->narrow); /* tanh and ReLU save their output, the classifier's input */
        if (c->s->classifier_dropout > 0)
            save(c, out * (1 + c->narrow));
    }
    if (op->residual != PL_NO_VALUE && c->s->hidden_dropout > 0)
        save(c, out); /* mask */
}

/* Input and its mean and 1/deviation a row. */
static void norm(counter *c, const pl_operator *op)
{
    save(c, c->rows * pl_value_width(c->m, op->out) * WIDE + 2 * c->rows * WIDE);
}

static void end_layer(counter *c, bool recomputed)
{
    c->most_layer = pl_max(c->most_layer, c->layer);
    if (!recomputed || !c->s->checkpointing)
        c->saved += c->layer;
    c->layer = 0;
}

static void saved_by_autograd(counter *c)
{
    const pl_model *m = c->m;
    uint64_t hidden = pl_value_width(m, m->operators[0].out);
    for (size_t i = 0; i < m->operator_count; i++) {
        const pl_operator *op = &m->operators[i];
        bool last_of_layer = i + 1 == m->operator_count || m->operators[i + 1].phase == PL_PHASE_HEAD || m->operators[i + 1].layer != op->layer ||
                             (op->phase == PL_PHASE_EMBED && m->operators[i + 1].phase != PL_PHASE_EMBED);
        switch (op->kind) {
        case PL_OPERATOR_LINEAR:
            if (m->values[op->out].extent == PL_EXTENT_ROWS)
                input(c, op->in, false);
            linear(c, op);
            break;
        case PL_OPERATOR_NORM:
            norm(c, op);
            if (op->phase == PL_PHASE_EMBED && c->s->hidden_dropout > 0)
                save(c, c->rows * hidden);
            break;
        case PL_OPERATOR_ATTENTION:
            attention(c, op);
            break;
        case PL_OPERATOR_POOL:
            save(c, c->rows * hidden * WIDE); /* a view of the last hidden rows keeps them all */
            break;
        default:
            break;
        }
        if (last_of_layer && op->phase != PL_PHASE_HEAD)
            end_layer(c, op->phase != PL_PHASE_EMBED);
        if (last_of_layer && op->phase == PL_PHASE_FEED_FORWARD && c->s->checkpointing) {
            c->saved += c->rows * hidden * WIDE; /* the layer's input stays */
            hold(c, c->rows * hidden * WIDE);
        }
    }
    save(c, c->s->batch * pl_value_width(m, m->result) * WIDE + 4); /* log-softmax and the sum of weights */
    end_layer(c, false);
    if (c->s->checkpointing) /* one layer at a time is computed again */
        c->saved += c->most_layer;
}

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
    case PL_TORCH_ADAMW:
        return 8 * n;
    case PL_TORCH_ADAMW8BIT:
        return n < LEAST_8BIT ? 8 * n : 2 * n + 2 * 4 * ((n + BLOCK_8BIT - 1) / BLOCK_8BIT);
    case PL_TORCH_SGD:
        break;
    }
    return 0;
}

/* Each parameter as a tensor of its own: weight, gradient, two states. */
static void parameters(counter *c, pl_torch_parts *p)
{
    const pl_model *m = c->m;
    for (size_t i = 0; i < m->operator_count; i++)
        for (unsigned k = 0; k < 2 * PL_MODEL_PARTS; k++) {
            const pl_operator *op = &m->operators[i];
            const pl_tensor_view *t = k < PL_MODEL_PARTS ? op->weight[k] : op->bias[k - PL_MODEL_PARTS];
            if (!t)
                continue;
            uint64_t n = elements(t), state = c->s->train ? state_bytes(c->s->optimizer, n) : 0;
            p->weights += 4 * n;
            hold(c, 4 * n);
            if (c->s->train) {
                p->gradients += 4 * n;
                hold(c, 4 * n);
            }
            p->optimizer += state;
            hold(c, state / 2);
            hold(c, state - state / 2);
            if (c->narrow < WIDE && t->rank == 2 && op->kind == PL_OPERATOR_LINEAR) {
                p->temporaries += c->narrow * n; /* autocast's cached copy */
                hold(c, c->narrow * n);
            }
        }
}

/* Without autograd only the layer at hand stands: input, the widest pair of buffers, output. */
static void inference(counter *c)
{
    const pl_model *m = c->m;
    uint64_t hidden = pl_value_width(m, m->operators[0].out) * c->rows, widest = 0;
    for (size_t i = 0; i < m->operator_count; i++)
        widest = pl_max(widest, m->values[m->operators[i].out].extent == PL_EXTENT_ROWS ? pl_value_width(m, m->operators[i].out) * c->rows : 0);
    saved_by_autograd(c);
    c->saved = 0;
    temporary(c, (2 * widest + 2 * hidden) * WIDE);
}

void pl_torch_measure(const pl_model *m, const pl_torch_settings *s, uint64_t limit, pl_torch_fit *out)
{
    pl_torch_settings quiet = *s;
    if (!s->train)
        quiet.checkpointing = true; /* nothing is held for backward */
    counter c = {.m = m, .s = &quiet, .rows = (uint64_t)s->batch * s->length, .scores = (uint64_t)s->batch * s->length * s->length,
                 .narrow = s->precision == PL_TORCH_F32 ? WIDE : 2, .replay = pl_torch_allocator_make()};
    *out = (pl_torch_fit){.settings = *s, .limit = limit};
    pl_torch_parts *p = &out->parts;
    parameters(&c, p);
    if (s->train)
        saved_by_autograd(&c);
    else
        inference(&c);
    p->activations = c.saved;
    if (s->train && s->checkpointing)
        hold(&c, c.most_layer);
    p->temporaries += c.temporary;
    hold(&c, c.temporary);
    uint64_t used = p->weights + p->gradients + p->optimizer + p->activations + p->temporaries, reserved = c.replay ? pl_torch_reserved(c.replay) : used;
    p->rounding = reserved > used ? reserved - used : 0;
    p->context = CONTEXT;
    out->peak = used + p->rounding + p->context;
    out->fits = out->peak <= limit;
    pl_torch_allocator_free(c.replay);
}

static bool batch_fits(const pl_model *m, pl_torch_settings s, uint32_t batch, uint64_t limit)
{
    pl_torch_fit fit;
    s.batch = batch;
    pl_torch_measure(m, &s, limit, &fit);
    return fit.fits;
}

void pl_torch_fit_make(const pl_model *m, const pl_torch_settings *s, uint64_t limit, pl_torch_fit *out)
{
    enum { MOST = 1 << 24 };
    pl_torch_measure(m, s, limit, out);
    uint32_t low = 0, high = 1;
    while (high < MOST && batch_fits(m, *s, high, limit)) {
        low = high;
        high *= 2;
    }
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (batch_fits(m, *s, middle, limit))
            low = middle;
        else
            high = middle;
    }
    /* rounding may make a larger batch fit where a smaller one just does not: what is named fits, one more does not */
    while (low < MOST && batch_fits(m, *s, low + 1, limit))
        low++;
    out->biggest_batch = low;
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

size_t pl_torch_alternatives(const pl_model *m, const pl_torch_settings *s, uint64_t limit, pl_torch_fit *out, size_t room)
{
    size_t count = 0;
    for (unsigned i = 0; i < 16; i++) {
        pl_torch_settings t = *s;
        t.precision = i & 1 ? s->precision == PL_TORCH_F16 ? PL_TORCH_F16 : PL_TORCH_BF16 : PL_TORCH_F32;
        t.attention = i & 2 ? PL_TORCH_EAGER : PL_TORCH_SDPA;
        t.checkpointing = (i & 4) != 0;
        t.optimizer = i & 8 ? PL_TORCH_ADAMW8BIT : s->optimizer == PL_TORCH_ADAMW8BIT ? PL_TORCH_ADAMW : s->optimizer;
        if (same(&t, s) || (!s->train && i >= 4) || count == room)
            continue;
        pl_torch_fit fit;
        pl_torch_fit_make(m, &t, limit, &fit);
        size_t at = count++;
        for (; at > 0 && better(&fit, &out[at - 1]); at--)
            out[at] = out[at - 1];
        out[at] = fit;
    }
    return count;
}
