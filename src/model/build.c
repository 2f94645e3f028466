#include "model/build.h"

#include <assert.h>
#include <float.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 256, SLICE_GRAIN = 32 };

pl_status pl__room(pl__builder *b, uint32_t layers)
{
    size_t count = (size_t)layers * PL__PER_LAYER + PL__ENDS;
    pl_model *m = b->model;
    b->axis_room = b->value_room = b->operator_room = count;
    m->layers = layers;
    m->axes = pl_region_take(b->region, count * sizeof *m->axes);
    m->values = pl_region_take(b->region, count * sizeof *m->values);
    m->operators = pl_region_take(b->region, count * sizeof *m->operators);
    if (!m->axes || !m->values || !m->operators)
        return pl_fail_no_memory(b->e, count * sizeof *m->operators, "operators of the model");
    return PL_OK;
}

uint32_t pl__axis(pl__builder *b, uint64_t size, uint64_t grain)
{
    assert(b->model->axis_count < b->axis_room);
    b->model->axes[b->model->axis_count] = (pl_axis){size, grain};
    return (uint32_t)b->model->axis_count++;
}

uint32_t pl__value(pl__builder *b, const char *name, pl_extent extent, uint32_t axis, uint32_t parts)
{
    assert(b->model->value_count < b->value_room);
    b->model->values[b->model->value_count] = (pl_value){name, extent, axis, parts};
    return (uint32_t)b->model->value_count++;
}

pl_operator *pl__emit(pl__builder *b, pl_operator_kind kind, uint32_t in, uint32_t out)
{
    assert(b->model->operator_count < b->operator_room);
    pl_operator *op = &b->model->operators[b->model->operator_count++];
    *op = (pl_operator){.kind = kind, .phase = b->phase, .layer = b->layer, .in = in, .residual = PL_NO_VALUE, .out = out};
    return op;
}

/* LayerNorm's weights were called gamma and beta in TensorFlow's checkpoints. */
static const pl_tensor_view *find(pl__builder *b, const char *prefix, const char *name)
{
    char full[NAME_BYTES];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    const pl_tensor_view *found = pl_folder_tensor(b->model->folder, full);
    if (found)
        return found;
    static const char *const old[][2] = {{"LayerNorm.weight", "LayerNorm.gamma"}, {"LayerNorm.bias", "LayerNorm.beta"}};
    size_t n = strlen(full);
    for (size_t i = 0; i < PL_COUNT(old); i++) {
        size_t k = strlen(old[i][0]);
        if (n >= k && strcmp(full + n - k, old[i][0]) == 0) {
            snprintf(full + n - k, sizeof full - (n - k), "%s", old[i][1]);
            return pl_folder_tensor(b->model->folder, full);
        }
    }
    return NULL;
}

static void shape_text(const pl_tensor_view *t, char out[192])
{
    size_t used = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < t->rank && used < 160; i++)
        used += (size_t)snprintf(out + used, 192 - used, "%s%llu", i ? ", " : "", (unsigned long long)t->shape[i]);
}

static pl_status check(pl__builder *b, pl__want want, const pl_tensor_view *t)
{
    const char *file = pl_folder_file_name(b->model->folder, t->file);
    bool vector = want.columns == 0;
    if (t->rank != (vector ? 1u : 2u) || t->shape[0] != want.rows || (!vector && t->shape[1] != want.columns)) {
        char has[192];
        shape_text(t, has);
        if (vector)
            return pl_fail(b->e, PL_BAD_INPUT, "%s: %s: shape [%s], config.json says [%llu]", file, t->name, has, (unsigned long long)want.rows);
        return pl_fail(b->e, PL_BAD_INPUT, "%s: %s: shape [%s], config.json says [%llu, %llu]", file, t->name, has, (unsigned long long)want.rows,
            (unsigned long long)want.columns);
    }
    if (t->type != PL_F32 && t->type != PL_F16 && t->type != PL_BF16 && t->type != PL_F64)
        return pl_fail(b->e, PL_BAD_INPUT, "%s: %s: elements of type %s, weights must be F32, F16, BF16 or F64", file, t->name, pl_dtype_name(t->type));
    return PL_OK;
}

/* A fresh tensor of the head, under the name that transformers gives it. */
static const pl_tensor_view *fresh(pl__builder *b, pl__want want, const char *name)
{
    char full[NAME_BYTES];
    int n = snprintf(full, sizeof full, "%s%s", want.base ? b->prefix : "", name);
    pl_tensor_view *t = pl_region_take(b->region, sizeof *t);
    char *copy = pl_region_string(b->region, full, pl_min((size_t)n, sizeof full - 1));
    if (!t || !copy)
        return NULL;
    *t = (pl_tensor_view){.name = copy, .type = PL_F32, .rank = want.columns ? 2 : 1, .shape = {want.rows, want.columns}, .file = UINT32_MAX};
    t->bytes = want.rows * pl_max(want.columns, 1) * sizeof(float);
    return t;
}

static pl_status weight_named(pl__builder *b, pl__want want, const char *name, const pl_tensor_view **out)
{
    const pl_tensor_view *t = find(b, want.base ? b->prefix : "", name);
    if (!t && want.base)
        t = find(b, "", name);
    if (t && b->fresh_head && b->labels && !want.base && want.rows == b->labels && t->rank > 0 && t->shape[0] != want.rows)
        t = NULL; /* a head for other labels */
    if (!t && b->fresh_head && b->phase == PL_PHASE_HEAD) {
        *out = fresh(b, want, name);
        return *out ? PL_OK : pl_fail_no_memory(b->e, sizeof **out, "a fresh head");
    }
    if (!t) {
        pl_fail(b->e, PL_BAD_INPUT, "%s: no tensor %s%s among its weights, the %s model of config.json needs it", pl_folder_path(b->model->folder),
            want.base ? b->prefix : "", name, b->model->family);
        return PL_BAD_INPUT;
    }
    *out = t;
    return check(b, want, t);
}

#define FORMAT_NAME(name, format)                   \
    char name[NAME_BYTES];                          \
    do {                                            \
        va_list args;                               \
        va_start(args, format);                     \
        vsnprintf(name, sizeof name, format, args); \
        va_end(args);                               \
    } while (0)

pl_status pl__weight(pl__builder *b, pl__want want, const pl_tensor_view **out, const char *format, ...)
{
    FORMAT_NAME(name, format);
    return weight_named(b, want, name, out);
}

static pl_status weight_and_bias(pl__builder *b, pl__want want, const char *stem, const pl_tensor_view **weight, const pl_tensor_view **bias)
{
    char name[NAME_BYTES + 8];
    snprintf(name, sizeof name, "%s.weight", stem);
    pl_status s = weight_named(b, want, name, weight);
    if (s)
        return s;
    snprintf(name, sizeof name, "%s.bias", stem);
    return weight_named(b, (pl__want){want.base, want.rows, 0}, name, bias);
}

pl_status pl__linear(pl__builder *b, pl__want want, pl_operator *op, unsigned part, const char *format, ...)
{
    FORMAT_NAME(stem, format);
    return weight_and_bias(b, want, stem, &op->weight[part], &op->bias[part]);
}

pl_status pl__norm(pl__builder *b, uint32_t value, float eps, const char *format, ...)
{
    FORMAT_NAME(stem, format);
    pl_operator *op = pl__emit(b, PL_OPERATOR_NORM, value, value);
    op->scalar = eps;
    return weight_and_bias(b, (pl__want){true, pl_value_width(b->model, value), 0}, stem, &op->weight[0], &op->weight[1]);
}

pl_status pl__post_norm_layer(pl__builder *b, const pl__layer_names *n, const pl__shape *shape, uint32_t *x)
{
    pl__want square = {true, shape->hidden, shape->hidden};
    unsigned layer = b->layer;
    b->phase = PL_PHASE_ATTENTION;
    uint32_t qkv = pl__value(b, "q, k, v", PL_EXTENT_ROWS, shape->head_axis, 3);
    uint32_t context = pl__value(b, "context", PL_EXTENT_ROWS, shape->head_axis, 1);
    uint32_t attended = pl__value(b, "hidden", PL_EXTENT_ROWS, shape->hidden_axis, 1);
    pl_operator *op = pl__emit(b, PL_OPERATOR_LINEAR, *x, qkv);
    pl_status s = PL_OK;
    const char *const parts[] = {n->query, n->key, n->value};
    for (unsigned i = 0; i < 3 && !s; i++)
        s = pl__linear(b, square, op, i, "%s.%u.%s", n->stem, layer, parts[i]);
    op = pl__emit(b, PL_OPERATOR_ATTENTION, qkv, context);
    op->head_width = (uint32_t)(shape->hidden / shape->heads);
    op->scalar = 1.0f / __builtin_sqrtf((float)op->head_width);
    op = pl__emit(b, PL_OPERATOR_LINEAR, context, attended);
    op->residual = *x;
    if (!s)
        s = pl__linear(b, square, op, 0, "%s.%u.%s", n->stem, layer, n->attention_out);
    if (!s)
        s = pl__norm(b, attended, shape->eps, "%s.%u.%s", n->stem, layer, n->attention_norm);

    b->phase = PL_PHASE_FEED_FORWARD;
    uint32_t inner = pl__value(b, "inner", PL_EXTENT_ROWS, shape->inner_axis, 1);
    uint32_t out = pl__value(b, "hidden", PL_EXTENT_ROWS, shape->hidden_axis, 1);
    op = pl__emit(b, PL_OPERATOR_LINEAR, attended, inner);
    op->act = shape->act;
    if (!s)
        s = pl__linear(b, (pl__want){true, shape->inner, shape->hidden}, op, 0, "%s.%u.%s", n->stem, layer, n->inner);
    op = pl__emit(b, PL_OPERATOR_LINEAR, inner, out);
    op->residual = attended;
    if (!s)
        s = pl__linear(b, (pl__want){true, shape->hidden, shape->inner}, op, 0, "%s.%u.%s", n->stem, layer, n->out);
    if (!s)
        s = pl__norm(b, out, shape->eps, "%s.%u.%s", n->stem, layer, n->norm);
    *x = out;
    return s;
}

pl_status pl__config_size(pl__builder *b, const char *key, uint64_t least, uint64_t most, uint64_t *out)
{
    if (!pl_json_has(b->config, key))
        return pl_fail(b->e, PL_BAD_INPUT, "%s: %s: missing, a %s model needs it", b->config.path, key, b->model->family);
    return pl_json_size(b->config, key, least, most, least, out, b->e);
}

pl_status pl__config_act(pl__builder *b, const char *key, pl_act *out)
{
    const char *name;
    pl_status s = pl_json_text(b->config, key, "gelu", &name, b->e);
    if (s)
        return s;
    if (pl_act_parse(name, out))
        return PL_OK;
    return pl_fail(
        b->e, PL_BAD_INPUT, "%s: %s: activation \"%s\" is not supported; gelu, gelu_new, relu, silu, tanh and the like are", b->config.path, key, name);
}

pl_status pl__config_eps(pl__builder *b, const char *key, double fallback, float *out)
{
    double value;
    pl_status s = pl_json_real(b->config, key, fallback, &value, b->e);
    if (s)
        return s;
    if (!(value > 0 && value <= (double)FLT_MAX))
        return pl_fail(b->e, PL_BAD_INPUT, "%s: %s: is %g, a number above 0 would be right", b->config.path, key, value);
    *out = (float)value > FLT_MIN ? (float)value : FLT_MIN; /* above 0 in f32 too: a row without variance must not give NaN */
    return PL_OK;
}

pl_status pl__config_refuse(pl__builder *b, const char *key, const char *why)
{
    bool on;
    pl_status s = pl_json_bool(b->config, key, false, &on, b->e);
    if (!s && on)
        return pl_fail(b->e, PL_BAD_INPUT, "%s: %s: true is not supported (%s), false would be right", b->config.path, key, why);
    return s;
}

pl_status pl__shape_read(pl__builder *b, const char *hidden, const char *heads, const char *inner, const char *act, pl__shape *out)
{
    enum { WIDEST = 1 << 20, MOST_HEADS = 1 << 16 };
    pl_status s = pl__config_size(b, hidden, 1, WIDEST, &out->hidden);
    if (!s)
        s = pl__config_size(b, heads, 1, MOST_HEADS, &out->heads);
    if (!s)
        s = pl__config_size(b, inner, 1, WIDEST, &out->inner);
    if (!s)
        s = pl__config_act(b, act, &out->act);
    if (!s && out->hidden % out->heads != 0)
        return pl_fail(b->e, PL_BAD_INPUT, "%s: %s: %llu is not a multiple of %s (%llu)", b->config.path, hidden, (unsigned long long)out->hidden, heads,
            (unsigned long long)out->heads);
    return s;
}

void pl__shape_axes(pl__builder *b, pl__shape *shape)
{
    shape->hidden_axis = pl__axis(b, shape->hidden, 0);
    shape->head_axis = pl__axis(b, shape->hidden, shape->hidden / shape->heads);
    shape->inner_axis = pl__axis(b, shape->inner, SLICE_GRAIN);
}

pl_status pl__classifier(pl__builder *b, const pl__head *head, uint32_t x, uint32_t *logits)
{
    pl_model *m = b->model;
    uint64_t hidden = pl_value_width(m, x), labels = b->labels ? b->labels : pl_folder_labels(m->folder);
    b->phase = PL_PHASE_HEAD;
    uint32_t pooled = pl__value(b, "pooled", PL_EXTENT_TEXTS, m->values[x].axis, 1);
    uint32_t dense = pl__value(b, "dense", PL_EXTENT_TEXTS, pl__axis(b, hidden, SLICE_GRAIN), 1);
    *logits = pl__value(b, "logits", PL_EXTENT_TEXTS, pl__axis(b, labels, 0), 1);
    pl__emit(b, PL_OPERATOR_POOL, x, pooled)->pooling = PL_POOL_CLS;
    pl_operator *op = pl__emit(b, PL_OPERATOR_LINEAR, pooled, dense);
    op->act = head->act;
    pl_status s = pl__linear(b, (pl__want){head->dense_in_base, hidden, hidden}, op, 0, "%s", head->dense);
    op = pl__emit(b, PL_OPERATOR_LINEAR, dense, *logits);
    return s ? s : pl__linear(b, (pl__want){false, labels, hidden}, op, 0, "%s", head->out);
}
