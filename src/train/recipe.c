/* What a checkpoint must agree with before training goes on from it: everything that what is learned
 * depends on, as lines "option=value". Numbers are printed so that they read back to the same bits. */
#include "train/trainer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct text {
    char *bytes;
    size_t used, room;
} text;

PL_PRINTF(3, 4) static void line(text *t, const char *option, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    t->used += (size_t)snprintf(t->bytes + t->used, t->room - t->used, "%s=", option);
    t->used += (size_t)vsnprintf(t->bytes + t->used, t->room - t->used, format, args);
    t->used += (size_t)snprintf(t->bytes + t->used, t->room - t->used, "\n");
    va_end(args);
}

static void real(text *t, const char *option, double value)
{
    char number[32];
    size_t n = pl_double_text(value, number);
    line(t, option, "%.*s", (int)n, number);
}

static void whole(text *t, const char *option, uint64_t value) { line(t, option, "%llu", (unsigned long long)value); }
static void digest(text *t, const char *option, uint64_t value) { line(t, option, "%016llx", (unsigned long long)value); }

/* What the model computes: two folders may have the same tensors and other heads or another epsilon. */
static void digest_operators(const pl_trainer *t, pl__digest *d)
{
    const pl_model *m = &t->model;
    uint32_t facts[] = {m->positions.first, m->layers, (uint32_t)t->labels.problem, t->labels.count};
    pl__digest_add(d, m->family, strlen(m->family) + 1);
    pl__digest_add(d, facts, sizeof facts);
    for (size_t i = 0; i < m->operator_count; i++) {
        const pl_operator *op = &m->operators[i];
        uint32_t numbers[] = {(uint32_t)op->kind, (uint32_t)op->act, (uint32_t)op->pooling, op->column, op->head_width};
        pl__digest_add(d, numbers, sizeof numbers);
        pl__digest_add(d, &op->scalar, sizeof op->scalar);
    }
    for (uint32_t i = 0; i < t->labels.count; i++)
        pl__digest_add(d, t->labels.names[i], strlen(t->labels.names[i]) + 1);
}

static pl_status digest_tensor(const pl_folder *f, const pl_tensor_view *v, char *block, size_t room, pl__digest *d, pl_error *e)
{
    uint64_t facts[] = {(uint64_t)v->type, v->rank, v->bytes};
    pl_status s = PL_OK;
    pl__digest_add(d, v->name, strlen(v->name) + 1);
    pl__digest_add(d, facts, sizeof facts);
    pl__digest_add(d, v->shape, v->rank * sizeof *v->shape);
    for (uint64_t at = 0; at < v->bytes && !s; at += room) {
        size_t n = pl_min(room, v->bytes - at);
        s = pl_folder_read(f, v->file, v->offset + at, block, n, e);
        pl__digest_add(d, block, s ? 0 : n);
    }
    return s;
}

/* Every byte of every tensor: what does not learn is read from the folder again when going on. */
static pl_status digest_model(pl_trainer *t, uint64_t *out, pl_error *e)
{
    enum { BLOCK = 64 << 10 };
    const pl_folder *f = t->reading.folder;
    const pl_memory *memory = pl_memory_system();
    pl__digest d;
    pl__digest_start(&d, 0);
    digest_operators(t, &d);
    char *block = memory->take(memory->self, BLOCK);
    if (!block)
        return pl_fail_no_memory(e, BLOCK, "the model's digest");
    pl_status s = PL_OK;
    for (size_t i = 0; i < pl_folder_tensors(f) && !s; i++)
        s = digest_tensor(f, pl_folder_tensor_at(f, i), block, BLOCK, &d, e);
    memory->give(memory->self, block, BLOCK);
    *out = pl__digest_value(&d);
    return s;
}

/* In bf16 each path has its own bits; those by f32 arithmetic are one. */
const char *pl__precision_text(const pl_kernels *k)
{
    bool avx512_bf16 = strcmp(k->name, "avx512_bf16") == 0;
    return k->compute != PL_BF16 ? "f32" : k->activation != PL_BF16 ? "bf16 (f32 arithmetic)" : avx512_bf16 ? "bf16 (avx512_bf16)" : "bf16 (amx)";
}

static void write_lines(pl_trainer *t, text *x, uint64_t model)
{
    static const char *const schedules[] = {"linear", "cosine", "constant", "constant_with_warmup"};
    const pl_training *r = &t->recipe;
    char tune[32];
    if (r->last_layers)
        snprintf(tune, sizeof tune, "last:%u", r->last_layers);
    else
        snprintf(tune, sizeof tune, "%s", r->head_only ? "head" : "all");
    /* what explains a difference best stands first */
    whole(x, "format", 1);
    digest(x, "MODEL", model);
    whole(x, "max-length", t->reading.max_length);
    if (r->max_steps)
        whole(x, "max-steps", r->max_steps);
    else
        real(x, "epochs", r->epochs);
    line(x, "precision", "%s", pl__precision_text(t->request.kernels));
    whole(x, "batch", r->batch);
    real(x, "lr", r->lr);
    line(x, "schedule", "%s", schedules[r->schedule]);
    whole(x, "warmup-steps", r->warmup_steps);
    real(x, "warmup-ratio", r->warmup_ratio);
    real(x, "weight-decay", r->weight_decay);
    real(x, "max-grad-norm", r->max_grad_norm);
    real(x, "label-smoothing", r->label_smoothing);
    real(x, "dropout", t->dropouts[0]);
    real(x, "dropout (attention)", t->dropouts[1]);
    real(x, "dropout (classifier)", t->dropouts[2]);
    line(x, "shuffle", "%s", r->shuffle ? "epoch" : "none");
    whole(x, "seed", r->seed);
    line(x, "tune", "%s", tune);
    whole(x, "shards", r->shards);
    whole(x, "log-every", r->log_every);
    line(x, "best", "%s", r->best ? "yes" : "no");
    line(x, "metric", "%.64s", r->metric ? r->metric : "loss");
    whole(x, "early-stopping", r->early_stopping);
    digest(x, "data", t->sets[PL_ROLE_TRAIN].digest);
    digest(x, "eval", t->sets[PL_ROLE_EVALUATE].name ? t->sets[PL_ROLE_EVALUATE].digest : 0);
}

pl_status pl__recipe_text(pl_trainer *t, char **out, pl_error *e)
{
    uint64_t model = 0;
    text x = {pl_region_take(&t->region, PL__RECIPE_BYTES), 0, PL__RECIPE_BYTES};
    if (!x.bytes)
        return pl_fail_no_memory(e, PL__RECIPE_BYTES, "the recipe");
    pl_status s = digest_model(t, &model, e);
    if (s)
        return s;
    write_lines(t, &x, model);
    *out = x.bytes;
    return PL_OK;
}

/* ---- comparing ---- */

/* The next of such lines; those of a file may lack the last line's end. */
static const char *behind(const char *at)
{
    at += strcspn(at, "\n");
    return *at ? at + 1 : at;
}

/* The value of an option in such lines, or an empty one. */
static const char *value_of(const char *lines, const char *option, size_t n, size_t *bytes)
{
    for (const char *at = lines; *at; at = behind(at))
        if (strncmp(at, option, n) == 0 && at[n] == '=') {
            *bytes = strcspn(at + n + 1, "\n");
            return at + n + 1;
        }
    *bytes = 0;
    return "";
}

static pl_status refuse(const char *where, const char *option, size_t n, const char *then, size_t then_bytes, const char *now, size_t now_bytes, pl_error *e)
{
    if (strncmp(option, "MODEL", n) == 0 || strncmp(option, "data", n) == 0 || strncmp(option, "eval", n) == 0)
        pl_fail(e, PL_USAGE, "%s%.*s: not what the training in %s was begun with", *option == 'M' ? "" : "--", (int)n, option, where);
    else
        pl_fail(e, PL_USAGE, "--%.*s %.*s: the training in %s was begun with %.*s", (int)n, option, (int)now_bytes, now_bytes ? now : "", where,
            then_bytes ? (int)then_bytes : 7, then_bytes ? then : "another");
    pl_hint(e, "--resume goes on with the same recipe; --overwrite begins anew");
    return PL_USAGE;
}

pl_status pl__recipe_compare(const char *saved, const char *now, const char *where, pl_error *e)
{
    for (const char *at = now; *at; at = behind(at)) {
        size_t n = strcspn(at, "="), a, b;
        const char *mine = value_of(now, at, n, &a), *theirs = value_of(saved, at, n, &b);
        if (a != b || memcmp(mine, theirs, a) != 0)
            return refuse(where, at, n, theirs, b, mine, a, e);
    }
    for (const char *at = saved; *at; at = behind(at)) { /* an option that is not given now */
        size_t n = strcspn(at, "="), a, b;
        const char *theirs = value_of(saved, at, n, &b);
        value_of(now, at, n, &a);
        if (!a && b)
            return refuse(where, at, n, theirs, b, "", 0, e);
    }
    return PL_OK;
}
