/* model.safetensors: the store under the names that transformers saves, in the types the source had. */
#include "train/files.h"
#include "train/narrow.h"
#include "train/trainer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 512, CHUNK = 1 << 12 };

/* ---- names and types ---- */

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

/* LayerNorm's weights were called gamma and beta in TensorFlow's checkpoints. */
static void rename_norm(char *name)
{
    static const char *const old[][2] = {{"LayerNorm.gamma", "LayerNorm.weight"}, {"LayerNorm.beta", "LayerNorm.bias"}};
    size_t n = strlen(name);
    for (size_t i = 0; i < PL_COUNT(old); i++) {
        size_t k = strlen(old[i][0]);
        if (n >= k && strcmp(name + n - k, old[i][0]) == 0)
            strcpy(name + n - k, old[i][1]); /* at most one byte longer, which the capacity has */
    }
}

/* The base model's tensors have its prefix, the head's have none. */
void pl__output_name(const pl_trainer *t, const pl_parameter *p, char *out, size_t capacity)
{
    char prefix[64];
    snprintf(prefix, sizeof prefix, "%s.", t->model.family);
    const char *name = begins(p->name, prefix) ? p->name + strlen(prefix) : p->name;
    bool head = begins(name, "classifier.") || begins(name, "pre_classifier.");
    snprintf(out, capacity - 1, "%s%s", head ? "" : prefix, name);
    rename_norm(out);
}

/* A fresh head takes the type of the words. */
pl_dtype pl__output_type(const pl_trainer *t, const pl_parameter *p)
{
    const pl_tensor_view *v = pl_folder_tensor(t->reading.folder, p->name);
    if (!v)
        return t->model.operators[0].weight[0]->type;
    bool fresh = v->rank != p->rank || v->shape[0] != p->shape[0];
    return fresh ? t->model.operators[0].weight[0]->type : p->type;
}

static uint64_t elements_of(const pl_parameter *p) { return p->shape[0] * (p->rank > 1 ? p->shape[1] : 1); }

uint64_t pl__output_bytes(const pl_trainer *t)
{
    enum { SMALL_FILES = 4 << 20, HEAD_LINE = 160 }; /* tokenizer, config, log */
    uint64_t bytes = SMALL_FILES;
    for (size_t i = 0; i < t->model.operator_count; i++)
        for (unsigned k = 0; k < 2 * PL_MODEL_PARTS; k++) {
            const pl_operator *op = &t->model.operators[i];
            const pl_tensor_view *v = k < PL_MODEL_PARTS ? op->weight[k] : op->bias[k - PL_MODEL_PARTS];
            bytes += v ? v->bytes + HEAD_LINE : 0;
        }
    return bytes;
}

/* ---- the head ---- */

typedef struct item {
    const pl_parameter *p;
    pl_dtype type;
    char *name;
} item;

/* As the safetensors library orders them: wider types first, then by name. */
static int compare(const void *a, const void *b)
{
    const item *x = a, *y = b;
    size_t m = pl_dtype_bytes(x->type), n = pl_dtype_bytes(y->type);
    return m != n ? (m > n ? -1 : 1) : strcmp(x->name, y->name);
}

/* With `sink` NULL it only counts: one function both measures and writes. */
typedef struct header {
    pl__sink *sink;
    uint64_t used;
} header;

PL_PRINTF(2, 3) static void add(header *h, const char *format, ...)
{
    char piece[NAME_BYTES * 2];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    assert(n >= 0 && (size_t)n < sizeof piece);
    h->used += (size_t)n;
    if (h->sink)
        pl__sink_put(h->sink, piece, (size_t)n);
}

/* Names are those of the families' tensors: plain ASCII. */
static uint64_t put_header(pl__sink *sink, const item *items, size_t count)
{
    enum { ALIGN = 8 };
    header h = {.sink = sink};
    uint64_t at = 0;
    add(&h, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < count; i++) {
        const pl_parameter *p = items[i].p;
        if (!p)
            continue;
        uint64_t bytes = elements_of(p) * pl_dtype_bytes(items[i].type);
        add(&h, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[%llu", items[i].name, pl_dtype_name(items[i].type), (unsigned long long)p->shape[0]);
        if (p->rank > 1)
            add(&h, ",%llu", (unsigned long long)p->shape[1]);
        add(&h, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)at, (unsigned long long)at + (unsigned long long)bytes);
        at += bytes;
    }
    add(&h, "}");
    while (h.used % ALIGN)
        add(&h, " ");
    return h.used;
}

/* ---- words that the data does not have ---- */

/* Their gradient is zero in every step, so that all an update does to them is the decay: the same
 * multiplications, all at once. */
static void decay(const pl_trainer *t, float *x, size_t n, uint64_t steps)
{
    enum { FACTORS = 256, PART = 64 };
    float factors[FACTORS];
    pl_fp_state fp;
    t->request.kernels->enter(&fp);
    for (uint64_t done = 0; done < steps; done += FACTORS) {
        size_t count = (size_t)pl_min(FACTORS, steps - done);
        for (size_t i = 0; i < count; i++)
            factors[i] = (float)(1.0 - pl__schedule_lr(&t->schedule, done + i + 1) * t->recipe.weight_decay);
        for (size_t at = 0; at < n; at += PART) {
            size_t part = pl_min(PART, n - at);
            for (size_t i = 0; i < count; i++)
                for (size_t k = 0; k < part; k++)
                    x[at + k] *= factors[i];
        }
    }
    t->request.kernels->leave(&fp);
}

static pl_status put_unused(pl_trainer *t, pl__sink *s, const item *it, uint64_t row, uint64_t rows, uint64_t steps, pl_error *e)
{
    const pl_tensor_view *v = t->model.operators[0].weight[0];
    uint64_t width = it->p->shape[1], element = pl_dtype_bytes(v->type), left = rows * width, at = row * width;
    bool decays = it->p->learns && it->p->decays && t->recipe.weight_decay > 0 && steps > 0;
    char *raw = t->work.second;
    float *x = (float *)(void *)(t->work.second + PL__BUFFER / 2);
    while (left > 0) {
        uint64_t n = pl_min(left, CHUNK / 2);
        pl_status st = pl_folder_read(t->reading.folder, v->file, v->offset + at * element, raw, n * element, e);
        if (st)
            return st;
        if (decays) {
            t->request.kernels->widen(x, raw, v->type, n);
            decay(t, x, n, steps);
            pl__narrow(raw, x, n, it->type);
        }
        pl__sink_put(s, raw, n * element);
        at += n;
        left -= n;
    }
    return PL_OK;
}

/* ---- tensors ---- */

static pl_status put_store(pl_trainer *t, pl__sink *s, const item *it, uint64_t first, uint64_t count, pl_error *e)
{
    float *x = (float *)(void *)t->work.second;
    char *raw = t->work.second + PL__BUFFER / 2;
    enum { PART = CHUNK / 2 }; /* as F64 half a buffer has room for it */
    for (uint64_t at = 0; at < count; at += PART) {
        uint64_t n = pl_min(PART, count - at);
        pl_status st = pl_step_get(t->step, 0, first + at, n, x, e);
        if (st)
            return st;
        pl__narrow(raw, x, n, it->type);
        pl__sink_put(s, raw, n * pl_dtype_bytes(it->type));
    }
    return PL_OK;
}

static pl_status put_words(pl_trainer *t, pl__sink *s, const item *it, uint64_t steps, pl_error *e)
{
    uint64_t width = it->p->shape[1], row = 0;
    for (uint32_t i = 0; i <= t->used_count; i++) {
        uint64_t next = i < t->used_count ? t->used[i] : it->p->shape[0];
        pl_status st = next > row ? put_unused(t, s, it, row, next - row, steps, e) : PL_OK;
        if (!st && i < t->used_count)
            st = put_store(t, s, it, it->p->first + i * width, width, e);
        if (st)
            return st;
        row = next + 1;
    }
    return PL_OK;
}

static pl_status name_all(pl_trainer *t, item *items, size_t count, pl_error *e)
{
    char name[NAME_BYTES];
    for (size_t i = 0; i < count; i++) {
        items[i].p = pl_step_parameter(t->step, i);
        items[i].type = pl__output_type(t, items[i].p);
        pl__output_name(t, items[i].p, name, sizeof name);
        items[i].name = strdup(name);
        if (!items[i].name)
            return pl_fail_no_memory(e, strlen(name), "the weights");
    }
    qsort(items, count, sizeof *items, compare);
    return PL_OK;
}

static pl_status put_all(pl_trainer *t, pl__sink *s, const item *items, size_t count, pl_error *e)
{
    uint64_t steps = t->recipe.best && t->progress.best_step ? t->progress.best_step : t->progress.step;
    uint64_t n = put_header(NULL, items, count); /* little-endian, as the machine is */
    pl__sink_put(s, &n, sizeof n);
    put_header(s, items, count);
    pl_status st = PL_OK;
    for (size_t i = 0; i < count && !st && !s->status; i++)
        st = items[i].p->words ? put_words(t, s, &items[i], steps, e) : put_store(t, s, &items[i], items[i].p->first, items[i].p->count, e);
    return st;
}

pl_status pl__output_weights(pl_trainer *t, const char *path, pl_error *e)
{
    size_t count = pl_step_parameters(t->step);
    item *items = calloc(count, sizeof *items);
    if (!items)
        return pl_fail_no_memory(e, count * sizeof *items, "the weights");
    pl_status s = name_all(t, items, count, e);
    pl__sink sink = {.fd = -1};
    if (!s)
        s = pl__sink_open(&sink, path, t->work.buffer, PL__BUFFER, e);
    if (!s)
        s = put_all(t, &sink, items, count, e);
    pl_status closed = s && sink.fd < 0 ? s : pl__sink_close(&sink);
    for (size_t i = 0; i < count; i++)
        free(items[i].name);
    free(items);
    return s ? s : closed;
}
