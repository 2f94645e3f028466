#include "model/build.h"

#include <stdio.h>
#include <string.h>

static const pl__family *const families[] = {&pl__family_bert, &pl__family_distilbert};

static pl_status find_family(pl_json_doc config, const pl__family **out, pl_error *e)
{
    const char *type;
    pl_status s = pl_json_text(config, "model_type", NULL, &type, e);
    if (s)
        return s;
    for (size_t i = 0; type && i < PL_COUNT(families); i++)
        if (strcmp(type, families[i]->model_type) == 0) {
            *out = families[i];
            return PL_OK;
        }
    if (type)
        pl_fail(e, PL_BAD_INPUT, "%s: model_type: \"%s\" is not supported", config.path, type);
    else
        pl_fail(e, PL_BAD_INPUT, "%s: model_type: missing, it must name the model's family", config.path);
    pl_hint(e, "supported families: bert, distilbert");
    return PL_BAD_INPUT;
}

/* The class the folder was saved from: architectures[0] without the family's name, or NULL. */
static pl_status architecture(pl_json_doc config, const pl__family *family, const char **out, pl_error *e)
{
    *out = NULL;
    const json_t *list = json_object_get(config.root, "architectures");
    if (!list || json_is_null(list) || json_array_size(list) == 0) {
        if (list && !json_is_null(list) && !json_is_array(list))
            return pl_fail(e, PL_BAD_INPUT, "%s: architectures: must be a list of class names", config.path);
        return PL_OK;
    }
    const char *name = json_string_value(json_array_get(list, 0));
    size_t n = strlen(family->architecture);
    if (!name)
        return pl_fail(e, PL_BAD_INPUT, "%s: architectures: must be a list of class names", config.path);
    if (strncmp(name, family->architecture, n) != 0)
        return pl_fail(e, PL_BAD_INPUT, "%s: architectures: %s is no class of model_type %s, %sModel or %sForSequenceClassification would be right",
            config.path, name, family->model_type, family->architecture, family->architecture);
    *out = name + n;
    return PL_OK;
}

static bool has_head(const pl_folder *folder, const pl__family *family, const char *class)
{
    return class ? strcmp(class, "ForSequenceClassification") == 0 : pl_folder_tensor(folder, family->head) != NULL;
}

/* Without a class to go by, a classifier's weight may be that of another head (tokens, choices): this
 * verb's has its own shape, and the dense layer before it. */
static bool looks_like_classifier(const pl_folder *folder, const pl__family *family)
{
    const pl_tensor_view *head = pl_folder_tensor(folder, family->head);
    if (!head || head->rank != 2 || head->shape[0] != pl_folder_labels(folder))
        return false;
    char prefixed[64];
    snprintf(prefixed, sizeof prefixed, "%s%s", family->prefix, family->head_dense);
    return pl_folder_tensor(folder, family->head_dense) || pl_folder_tensor(folder, prefixed);
}

static bool is_classifier(const pl_folder *folder, const pl__family *family, const char *class)
{
    return class ? has_head(folder, family, class) : looks_like_classifier(folder, family);
}

static pl_status refuse_head(pl__builder *b, const pl__family *family, const char *class)
{
    if (class && strcmp(class, "Model") != 0)
        pl_fail(b->e, PL_BAD_INPUT, "%s: architectures: %s%s has no head for classifying texts, %sForSequenceClassification would", b->config.path,
            family->architecture, class, family->architecture);
    else
        pl_fail(b->e, PL_BAD_INPUT, "%s: a base model without a classifier, %s of a %sForSequenceClassification is needed", pl_folder_path(b->model->folder),
            family->head, family->architecture);
    pl_hint(b->e, "embed gives this model's embeddings; fine-tune it to get a classifier");
    return PL_BAD_INPUT;
}

/* What embed does to the last hidden state, in order. */
typedef struct ending {
    pl_pooling modes[PL_POOLING_COUNT];
    uint32_t mode_count;
    const pl_module *dense[16];
    size_t dense_count;
    bool normalize;
} ending;

static const pl_pooling pooling_of[] = {
    [PL_HUB_POOLING_CLS] = PL_POOL_CLS,
    [PL_HUB_POOLING_MAX] = PL_POOL_MAX,
    [PL_HUB_POOLING_MEAN] = PL_POOL_MEAN,
    [PL_HUB_POOLING_SQRT_MEAN] = PL_POOL_SQRT_MEAN,
    [PL_HUB_POOLING_WEIGHTED_MEAN] = PL_POOL_WEIGHTED_MEAN,
    [PL_HUB_POOLING_LAST] = PL_POOL_LAST,
};

static pl_status read_ending(pl__builder *b, const pl_model_choice *choice, ending *out)
{
    const pl_folder *f = b->model->folder;
    *out = (ending){.modes = {PL_POOL_MEAN}, .mode_count = 1};
    for (size_t i = 0; i < pl_folder_modules(f); i++) {
        const pl_module *m = pl_folder_module(f, i);
        bool pooled = i > 0 && pl_folder_module(f, 1)->kind == PL_MODULE_POOLING;
        if ((i == 0) != (m->kind == PL_MODULE_TRANSFORMER) || (i > 1 && (!pooled || m->kind == PL_MODULE_POOLING)) || (i == 1 && !pooled))
            return pl_fail(
                b->e, PL_BAD_INPUT, "%s/modules.json: module %zu: modules must be Transformer, Pooling, then Dense and Normalize", pl_folder_path(f), i);
        if (m->kind == PL_MODULE_POOLING) {
            out->mode_count = m->pooling_count;
            for (uint32_t k = 0; k < m->pooling_count; k++)
                out->modes[k] = pooling_of[m->pooling_order[k]];
        } else if (m->kind == PL_MODULE_DENSE) {
            if (out->normalize)
                return pl_fail(b->e, PL_BAD_INPUT, "%s/modules.json: module %zu: Dense behind Normalize is not supported", pl_folder_path(f), i);
            if (out->dense_count == PL_COUNT(out->dense))
                return pl_fail(b->e, PL_BAD_INPUT, "%s/modules.json: more than %zu Dense modules are not supported", pl_folder_path(f), PL_COUNT(out->dense));
            out->dense[out->dense_count++] = m;
        } else if (m->kind == PL_MODULE_NORMALIZE) {
            out->normalize = true;
        }
    }
    static const pl_pooling chosen[] = {
        [PL_POOLING_MEAN] = PL_POOL_MEAN, [PL_POOLING_CLS] = PL_POOL_CLS, [PL_POOLING_MAX] = PL_POOL_MAX, [PL_POOLING_LAST] = PL_POOL_LAST};
    if (choice->pooling != PL_POOLING_FOLDER) {
        out->modes[0] = chosen[choice->pooling];
        out->mode_count = 1;
    }
    if (choice->normalize != PL_NORMALIZE_FOLDER)
        out->normalize = choice->normalize == PL_NORMALIZE_YES;
    return PL_OK;
}

static pl_status emit_dense(pl__builder *b, const pl_model_choice *choice, const pl_module *dense, uint32_t *y)
{
    uint64_t width = pl_value_width(b->model, *y);
    if (dense->in_features != width) {
        if (choice->pooling != PL_POOLING_FOLDER)
            return pl_fail(b->e, PL_USAGE, "--pooling: gives %llu numbers a text, the folder's Dense module takes %llu; leave --pooling out",
                (unsigned long long)width, (unsigned long long)dense->in_features);
        return pl_fail(b->e, PL_BAD_INPUT, "%s/modules.json: a Dense module takes %llu features, it gets %llu", pl_folder_path(b->model->folder),
            (unsigned long long)dense->in_features, (unsigned long long)width);
    }
    uint32_t out = pl__value(b, "dense", PL_EXTENT_TEXTS, pl__axis(b, dense->out_features, 0), 1);
    pl_operator *op = pl__emit(b, PL_OPERATOR_LINEAR, *y, out);
    op->weight[0] = dense->weight;
    op->bias[0] = dense->has_bias ? dense->bias : NULL;
    if (!pl_act_parse(dense->activation, &op->act))
        return pl_fail(b->e, PL_BAD_INPUT, "%s/modules.json: Dense: activation \"%s\" is not supported", pl_folder_path(b->model->folder), dense->activation);
    *y = out;
    return PL_OK;
}

static pl_status embed(pl__builder *b, const pl_model_choice *choice, uint32_t x, uint32_t *result)
{
    pl_model *m = b->model;
    ending end;
    pl_status s = read_ending(b, choice, &end);
    if (s)
        return s;
    b->phase = PL_PHASE_HEAD;
    uint64_t hidden = pl_value_width(m, x);
    uint32_t y = pl__value(b, "pooled", PL_EXTENT_TEXTS, pl__axis(b, hidden * end.mode_count, 0), 1);
    for (uint32_t i = 0; i < end.mode_count; i++) {
        pl_operator *op = pl__emit(b, PL_OPERATOR_POOL, x, y);
        op->pooling = end.modes[i];
        op->column = (uint32_t)(i * hidden);
    }
    for (size_t i = 0; i < end.dense_count && !s; i++)
        s = emit_dense(b, choice, end.dense[i], &y);
    if (!s && end.normalize)
        pl__emit(b, PL_OPERATOR_UNIT_LENGTH, y, y);
    *result = y;
    return s;
}

static pl_answer answer_of(const pl_folder *folder)
{
    switch (pl_folder_problem(folder)) {
    case PL_PROBLEM_MULTI: return PL_ANSWER_MULTI_LABEL;
    case PL_PROBLEM_REGRESSION: return PL_ANSWER_REGRESSION;
    case PL_PROBLEM_SINGLE: break;
    }
    return PL_ANSWER_SINGLE_LABEL;
}

pl_status pl_model_make(const pl_folder *folder, const pl_model_choice *choice, pl_region *region, pl_model *out, pl_error *e)
{
    *out = (pl_model){.folder = folder, .task = choice->task};
    pl__builder b = {.model = out, .config = pl_folder_config(folder), .region = region, .e = e, .fresh_head = choice->fresh_head, .labels = choice->labels};
    const pl__family *family;
    const char *class;
    pl_status s = find_family(b.config, &family, e);
    if (!s)
        s = architecture(b.config, family, &class, e);
    if (s)
        return s;
    out->family = family->model_type;
    b.prefix = family->prefix;
    if (out->task == PL_TASK_AUTO)
        out->task = is_classifier(folder, family, class) && pl_folder_modules(folder) == 0 ? PL_TASK_CLASSIFY : PL_TASK_EMBED;
    if (out->task == PL_TASK_CLASSIFY && !choice->fresh_head && !has_head(folder, family, class))
        return refuse_head(&b, family, class);

    uint32_t x;
    s = family->body(&b, &x);
    b.layer = 0;
    if (!s && out->task == PL_TASK_CLASSIFY)
        s = family->classifier(&b, x, &out->result);
    else if (!s)
        s = embed(&b, choice, x, &out->result);
    if (s)
        return s;
    out->answer = out->task == PL_TASK_CLASSIFY ? answer_of(folder) : PL_ANSWER_EMBEDDING;
    out->width = (uint32_t)pl_value_width(out, out->result);
    return PL_OK;
}
