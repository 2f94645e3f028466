/* modules.json of sentence-transformers: a Transformer, then Pooling, Dense, Normalize. */
#include "hub/folder.h"

#include <string.h>

typedef struct module_entry {
    const char *type, *kind, *path; /* kind: the last part of type */
} module_entry;

static const char *const kinds[] = {
    [PL_MODULE_TRANSFORMER] = "Transformer",
    [PL_MODULE_POOLING] = "Pooling",
    [PL_MODULE_DENSE] = "Dense",
    [PL_MODULE_NORMALIZE] = "Normalize",
};

static const char *list_path(pl_folder *f, pl_error *e) { return pl__join(f, f->root, "modules.json", e); }

static pl_status read_entry(const char *path, const json_t *list, size_t index, module_entry *out, pl_error *e)
{
    const json_t *entry = json_array_get(list, index);
    const json_t *type = json_object_get(entry, "type"), *folder = json_object_get(entry, "path");
    if (!json_is_string(type) || !json_is_string(folder)) {
        pl_fail(e, PL_BAD_INPUT, "%s: module %zu: must be an object with the strings \"type\" and \"path\"", path, index);
        return PL_BAD_INPUT;
    }
    out->type = json_string_value(type);
    out->path = json_string_value(folder);
    const char *dot = strrchr(out->type, '.');
    out->kind = dot ? dot + 1 : out->type;
    if (!pl__stays_inside(out->path, json_string_length(folder)))
        return pl_fail(e, PL_BAD_INPUT, "%s: module %zu: path \"%s\" leads out of the model's folder", path, index, out->path);
    return PL_OK;
}

pl_status pl__modules_find(pl_folder *f, json_t **out, pl_error *e)
{
    *out = NULL;
    const char *path = list_path(f, e);
    if (!path)
        return PL_MACHINE;
    if (!pl__exists(path))
        return PL_OK;
    pl_status status = pl__load(f, path, true, out, e);
    if (!status && json_array_size(*out) == 0)
        return pl_fail(e, PL_BAD_INPUT, "%s: names no module, a Transformer comes first", path);
    if (!status && json_array_size(*out) > PL__MOST_MODULES)
        return pl_fail(e, PL_BAD_INPUT, "%s: names %zu modules, at most %d are supported", path, json_array_size(*out), PL__MOST_MODULES);
    module_entry first = {NULL, NULL, NULL};
    if (!status)
        status = read_entry(path, *out, 0, &first, e);
    if (status)
        return status;
    if (strcmp(first.kind, kinds[PL_MODULE_TRANSFORMER]) == 0)
        f->path = pl__join(f, f->root, first.path, e);
    return f->path ? PL_OK : PL_MACHINE;
}

/* ---- Pooling ---- */

#define NAME_ROW(id, name, key) name,
#define KEY_ROW(id, name, key) key,
static const char *const pooling_names[] = {PL_HUB_POOLING_MAP(NAME_ROW)};
static const char *const pooling_keys[] = {PL_HUB_POOLING_MAP(KEY_ROW)};
#undef NAME_ROW
#undef KEY_ROW

static pl_status add_mode(pl_json_doc d, const char *name, pl_module *m, pl_error *e)
{
    size_t mode = 0;
    while (mode < PL_HUB_POOLING_COUNT && (!name || strcmp(name, pooling_names[mode]) != 0))
        mode++;
    if (mode == PL_HUB_POOLING_COUNT)
        return pl_fail(e, PL_BAD_INPUT, "%s: pooling_mode: \"%s\" is not supported; cls, max, mean, mean_sqrt_len_tokens, weightedmean and lasttoken are",
            d.path, name ? name : "what is no string");
    if (m->pooling >> mode & 1)
        return pl_fail(e, PL_BAD_INPUT, "%s: pooling_mode: \"%s\" stands there twice", d.path, name);
    m->pooling |= 1U << mode;
    m->pooling_order[m->pooling_count++] = (uint8_t)mode;
    return PL_OK;
}

/* The key of today: a name or a list of names, concatenated in its order. */
static pl_status read_mode_names(pl_json_doc d, pl_module *m, pl_error *e)
{
    const json_t *modes = json_object_get(d.root, "pooling_mode");
    if (!json_is_array(modes))
        return add_mode(d, json_string_value(modes), m, e);
    for (size_t i = 0; i < json_array_size(modes); i++) {
        pl_status status = add_mode(d, json_string_value(json_array_get(modes, i)), m, e);
        if (status)
            return status;
    }
    return m->pooling_count ? PL_OK : pl_fail(e, PL_BAD_INPUT, "%s: pooling_mode: names no mode", d.path);
}

/* The older flags, one a mode; without any, it is mean. */
static pl_status read_mode_flags(pl_json_doc d, pl_module *m, pl_error *e)
{
    bool given = false;
    for (void *at = json_object_iter((json_t *)(uintptr_t)d.root); at; at = json_object_iter_next((json_t *)(uintptr_t)d.root, at)) {
        const char *key = json_object_iter_key(at);
        size_t mode = 0;
        while (mode < PL_HUB_POOLING_COUNT && strcmp(key, pooling_keys[mode]) != 0)
            mode++;
        if (mode == PL_HUB_POOLING_COUNT && strncmp(key, "pooling_mode_", 13) == 0 && !json_is_false(json_object_iter_value(at)))
            return pl_fail(e, PL_BAD_INPUT, "%s: %s: is not a pooling that is supported", d.path, key);
        given = given || mode < PL_HUB_POOLING_COUNT;
    }
    for (size_t mode = 0; mode < PL_HUB_POOLING_COUNT; mode++) {
        bool set;
        pl_status status = pl_json_bool(d, pooling_keys[mode], false, &set, e);
        if (!status && set)
            status = add_mode(d, pooling_names[mode], m, e);
        if (status)
            return status;
    }
    if (!m->pooling_count && given)
        return pl_fail(e, PL_BAD_INPUT, "%s: no pooling_mode is true, one or more would be right", d.path);
    return m->pooling_count ? PL_OK : add_mode(d, "mean", m, e);
}

static pl_status read_pooling(pl_folder *f, pl_json_doc d, const char *folder, pl_module *m, pl_error *e)
{
    (void)f;
    (void)folder;
    pl_status status = pl_json_has(d, "pooling_mode") ? read_mode_names(d, m, e) : read_mode_flags(d, m, e);
    const char *key = pl_json_has(d, "embedding_dimension") ? "embedding_dimension" : "word_embedding_dimension";
    if (!status)
        status = pl_json_size(d, key, 1, 1 << 24, 0, &m->in_features, e);
    m->out_features = m->in_features * m->pooling_count;
    return status;
}

/* ---- Dense ---- */

/* torch's classes by the names of transformers' ACT2FN. */
static const char *activation_name(const char *type)
{
    static const char *const names[][2] = {
        {"Tanh", "tanh"},
        {"Identity", "linear"},
        {"ReLU", "relu"},
        {"GELU", "gelu"},
        {"SiLU", "silu"},
        {"Sigmoid", "sigmoid"},
        {"ReLU6", "relu6"},
        {"LeakyReLU", "leaky_relu"},
        {"Mish", "mish"},
    };
    const char *dot = strrchr(type, '.');
    if (!dot || strncmp(type, "torch.nn.", 9) != 0)
        return NULL;
    for (size_t i = 0; i < PL_COUNT(names); i++)
        if (strcmp(dot + 1, names[i][0]) == 0)
            return names[i][1];
    return NULL;
}

/* These modules must read and write the sentence's embedding and nothing else. */
static pl_status check_places(pl_json_doc d, pl_error *e)
{
    static const char *const keys[] = {"module_input_name", "module_output_name"};
    static const char right[] = "sentence_embedding";
    for (size_t i = 0; i < PL_COUNT(keys); i++) {
        const char *name;
        pl_status status = pl_json_text(d, keys[i], right, &name, e);
        if (status)
            return status;
        if (strcmp(name, right) != 0)
            return pl_fail(e, PL_BAD_INPUT, "%s: %s: \"%s\" is not supported, only \"%s\" is", d.path, keys[i], name, right);
    }
    return PL_OK;
}

static pl_status dense_tensor(
    pl_folder *f, const pl__table *table, uint32_t file, const char *name, uint32_t rank, const pl_module *m, const pl_tensor_view **out, pl_error *e)
{
    const char *path = f->files[file].path;
    const pl__tensor *t = pl__table_find(table, name);
    if (!t)
        return pl_fail(e, PL_BAD_INPUT, "%s: tensor \"%s\" is missing", path, name);
    const pl_tensor_view *v = *out = &t->view;
    if (v->rank != rank || v->shape[0] != m->out_features || (rank == 2 && v->shape[1] != m->in_features))
        return pl_fail(e, PL_BAD_INPUT, "%s: tensor \"%s\": its shape does not fit in_features %llu and out_features %llu of config.json", path, name,
            (unsigned long long)m->in_features, (unsigned long long)m->out_features);
    if (v->type != PL_F32 && v->type != PL_F16 && v->type != PL_BF16 && v->type != PL_F64)
        return pl_fail(
            e, PL_BAD_INPUT, "%s: tensor \"%s\": weights of type %s are not supported, F32, F16, BF16 and F64 are", path, name, pl_dtype_name(v->type));
    return PL_OK;
}

static pl_status read_dense_weights(pl_folder *f, const char *folder, pl_module *m, pl_error *e)
{
    const char *path = pl__join(f, folder, "model.safetensors", e), *other = path ? pl__join(f, folder, "pytorch_model.bin", e) : NULL;
    if (!other)
        return PL_MACHINE;
    if (!pl__exists(path) && pl__exists(other)) {
        pl_fail(e, PL_BAD_INPUT, "%s: is not read, model.safetensors would be right", other);
        pl_hint(e, "convert it once: python3 -c \"from sentence_transformers import SentenceTransformer as M; M('%s').save('%s')\"", f->root, f->root);
        return PL_BAD_INPUT;
    }
    pl__table table = {.list = NULL};
    uint32_t file;
    pl_status status = pl__safetensors_open(f, path, &table, &file, e);
    if (!status)
        status = pl__table_seal(f, &table, e);
    if (!status)
        status = dense_tensor(f, &table, file, "linear.weight", 2, m, &m->weight, e);
    if (!status && m->has_bias)
        status = dense_tensor(f, &table, file, "linear.bias", 1, m, &m->bias, e);
    return status;
}

static pl_status read_dense(pl_folder *f, pl_json_doc d, const char *folder, pl_module *m, pl_error *e)
{
    bool residual = false;
    const char *activation = NULL;
    pl_status status = pl_json_size(d, "in_features", 1, 1 << 24, 0, &m->in_features, e);
    if (!status)
        status = pl_json_size(d, "out_features", 1, 1 << 24, 0, &m->out_features, e);
    if (!status && (m->in_features == 0 || m->out_features == 0))
        status = pl_fail(e, PL_BAD_INPUT, "%s: in_features and out_features: missing, two sizes would be right", d.path);
    if (!status)
        status = pl_json_bool(d, "bias", true, &m->has_bias, e);
    if (!status)
        status = pl_json_bool(d, "use_residual", false, &residual, e);
    if (!status && residual)
        status = pl_fail(e, PL_BAD_INPUT, "%s: use_residual: a Dense module with a residual is not supported", d.path);
    if (!status)
        status = check_places(d, e);
    if (!status)
        status = pl_json_text(d, "activation_function", "torch.nn.modules.activation.Tanh", &activation, e);
    if (!status && !(m->activation = activation_name(activation)))
        status = pl_fail(e, PL_BAD_INPUT,
            "%s: activation_function: \"%s\" is not supported, torch.nn's Tanh, Identity, ReLU, GELU, SiLU, Sigmoid and the like are", d.path, activation);
    return status ? status : read_dense_weights(f, folder, m, e);
}

static pl_status read_normalize(pl_folder *f, pl_json_doc d, const char *folder, pl_module *m, pl_error *e)
{
    (void)f;
    (void)folder;
    (void)m;
    return check_places(d, e);
}

/* ---- all of them ---- */

static pl_status read_module(pl_folder *f, const char *path, size_t index, const module_entry *entry, pl_module *m, pl_error *e)
{
    static pl_status (*const readers[])(pl_folder *, pl_json_doc, const char *, pl_module *, pl_error *) = {
        [PL_MODULE_POOLING] = read_pooling,
        [PL_MODULE_DENSE] = read_dense,
        [PL_MODULE_NORMALIZE] = read_normalize,
    };
    size_t kind = 0;
    while (kind < PL_COUNT(kinds) && strcmp(entry->kind, kinds[kind]) != 0)
        kind++;
    if (kind == PL_COUNT(kinds) || strncmp(entry->type, "sentence_transformers.", 22) != 0)
        return pl_fail(e, PL_BAD_INPUT, "%s: module %zu: \"%s\" is not supported; Transformer, Pooling, Dense and Normalize of sentence_transformers are", path,
            index, entry->type);
    m->kind = (pl_module_kind)kind;
    if ((index == 0) != (m->kind == PL_MODULE_TRANSFORMER))
        return pl_fail(e, PL_BAD_INPUT, "%s: module %zu: is %s, one Transformer must come first and others follow", path, index, entry->kind);
    if (index == 0)
        return PL_OK;
    const char *folder = pl__join(f, f->root, entry->path, e), *config = folder ? pl__join(f, folder, "config.json", e) : NULL;
    if (!config)
        return PL_MACHINE;
    if (m->kind == PL_MODULE_NORMALIZE && !pl__exists(config))
        return PL_OK;
    json_t *root;
    pl_status status = pl__load(f, config, false, &root, e);
    if (!status)
        status = readers[kind](f, (pl_json_doc){config, root}, folder, m, e);
    pl__forget(f, root);
    return status;
}

pl_status pl__modules_read(pl_folder *f, const json_t *list, pl_error *e)
{
    if (!list)
        return PL_OK;
    const char *path = list_path(f, e);
    size_t count = json_array_size(list);
    f->modules = path ? pl__take(f, count * sizeof *f->modules, e) : NULL;
    if (!f->modules)
        return PL_MACHINE;
    f->module_count = count;
    for (size_t i = 0; i < count; i++) {
        module_entry entry = {NULL, NULL, NULL};
        pl_status status = read_entry(path, list, i, &entry, e);
        if (!status)
            status = read_module(f, path, i, &entry, &f->modules[i], e);
        if (status)
            return status;
    }
    return PL_OK;
}
