/* The tensors of a forward and a backward pass as transformers' modules make and drop them.
 *
 * Every operator of the model keeps what its autograd nodes save (`kept`); the backward pass goes
 * through the operators in reverse, makes the gradients and drops what each node held. Gradients of
 * parameters stand from an earlier micro-batch, so a new one is a temporary that is added to them.
 * With checkpointing a layer keeps its input alone and is walked forward once more in backward.
 * Tensors of a few bytes (the loss, biases' gradients) are left out unless autograd saves them. */
#include "pytorch/walk.h"

#include <stdlib.h>
#include <string.h>

pl__piece pl__walk_take_padded(pl__walk *w, uint64_t bytes, uint64_t padded)
{
    pl__piece t = {SIZE_MAX, bytes};
    if (bytes && w->replay) {
        t.handle = pl_torch_take(w->replay, padded);
        w->broken |= t.handle == SIZE_MAX;
    }
    w->live += bytes;
    w->largest = pl_max(w->largest, w->live);
    return t;
}

pl__piece pl__walk_take(pl__walk *w, uint64_t bytes) { return pl__walk_take_padded(w, bytes, bytes); }

void pl__walk_give(pl__walk *w, pl__piece *t)
{
    if (t->bytes && w->replay)
        pl_torch_give(w->replay, t->handle);
    w->live -= t->bytes;
    *t = (pl__piece){SIZE_MAX, 0};
}

/* Into a slot of `kept` where autograd records; else it is dropped. */
void pl__walk_hold(pl__walk *w, pl__piece *slot, pl__piece t)
{
    if (!w->records) {
        pl__walk_give(w, &t);
        return;
    }
    *slot = t;
    if (w->counts)
        w->saved += t.bytes;
}

uint64_t pl__walk_elements(const pl_tensor_view *t)
{
    uint64_t n = 1;
    for (uint32_t i = 0; t && i < t->rank; i++)
        n *= t->shape[i];
    return t ? n : 0;
}

void pl__walk_drop_stream(pl__walk *w)
{
    if (!w->stream_is_held)
        pl__walk_give(w, &w->stream);
    w->stream = (pl__piece){SIZE_MAX, 0};
}

/* ---- the step ---- */
static bool in_layer(const pl_operator *op) { return op->phase == PL_PHASE_ATTENTION || op->phase == PL_PHASE_FEED_FORWARD; }

/* The end of the layer that begins at `first`. */
static size_t layer_end(const pl_model *m, size_t first)
{
    size_t end = first;
    while (end < m->operator_count && in_layer(&m->operators[end]) && m->operators[end].layer == m->operators[first].layer)
        end++;
    return end;
}

static size_t layer_begin(const pl_model *m, size_t last)
{
    size_t first = last;
    while (first > 0 && in_layer(&m->operators[first - 1]) && m->operators[first - 1].layer == m->operators[last].layer)
        first--;
    return first;
}

static void checkpoint(pl__walk *w, size_t first, size_t end)
{
    pl__walk_hold(w, &w->layer_input[first], w->stream);
    w->stream_is_held = true;
    w->records = false;
    for (size_t i = first; i < end; i++)
        pl__walk_forward(w, i);
    w->records = true;
}

static void forward_pass(pl__walk *w)
{
    const pl_model *m = w->m;
    for (size_t i = 0; i < m->operator_count;) {
        size_t end = w->records && w->s->checkpointing ? layer_end(m, i) : i;
        if (end > i)
            checkpoint(w, i, end);
        else
            pl__walk_forward(w, i);
        i = end > i ? end : i + 1;
    }
    pl__walk_drop_stream(w);
    for (size_t i = 0; i < m->operator_count; i++) /* autocast ends, and forgets its copies */
        if (!w->records || (w->s->checkpointing && in_layer(&m->operators[i])))
            for (unsigned k = 0; k < PL_MODEL_PARTS; k++)
                pl__walk_give(w, &w->kept[i].cast[k]);
}

/* Forward again with its input, then backward. The gradient waits. */
static void layer_again(pl__walk *w, size_t first, size_t end)
{
    pl__piece gradient = w->stream;
    w->stream = w->layer_input[first];
    w->stream_is_held = true;
    for (size_t i = first; i < end; i++)
        pl__walk_forward(w, i);
    pl__walk_drop_stream(w);
    w->stream = gradient;
    for (size_t i = end; i-- > first;)
        pl__walk_backward(w, i);
    pl__walk_give(w, &w->layer_input[first]);
}

static void backward_pass(pl__walk *w)
{
    const pl_model *m = w->m;
    for (size_t end = m->operator_count; end > 0;) {
        size_t first = w->s->checkpointing && in_layer(&m->operators[end - 1]) ? layer_begin(m, end - 1) : end;
        if (first < end)
            layer_again(w, first, end);
        else
            pl__walk_backward(w, first = end - 1);
        end = first;
    }
    pl__walk_give(w, &w->stream);
}

bool pl__torch_step_walk(const pl_model *m, const pl_torch_settings *s, pl_torch_allocator *replay, pl__torch_step *out)
{
    pl__walk w = {.m = m,
        .s = s,
        .replay = replay,
        .act = pl__torch_act_of(m),
        .rows = (uint64_t)s->batch * s->length,
        .row = pl_value_width(m, m->operators[0].out),
        .narrow = s->precision == PL_TORCH_F32 ? PL__WIDE : 2,
        .records = s->train,
        .counts = s->train,
        .distilbert = strcmp(m->family, "distilbert") == 0};
    w.kept = calloc(m->operator_count, sizeof *w.kept);
    w.layer_input = calloc(m->operator_count, sizeof *w.layer_input);
    w.broken = !w.kept || !w.layer_input;
    if (!w.broken) {
        forward_pass(&w);
        w.counts = false;
        if (s->train)
            backward_pass(&w);
    }
    *out = (pl__torch_step){w.saved, w.largest};
    free(w.kept);
    free(w.layer_input);
    return !w.broken;
}
