/* Which files of a repository a model needs. Pickles (*.bin, *.pt), other frameworks' weights and
 * ONNX are never among them. */
#include "pull/pull.h"

#include <string.h>

enum { MOST_JSON = 1 << 16, MOST_INDEX = 1 << 26, MOST_FOLDER = 1024 };

/* Of the model's own folder and of those that modules.json names. */
static const char *const small_files[] = {
    "config.json",
    "modules.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
};

typedef struct choice {
    pl__listing *list;
    const char *repository;
    pl__reader read;
    void *self;
    pl_error *e;
} choice;

/* "folder/name", or "name" where folder is empty; NULL if the repository has none. */
static pl__entry *find(const choice *c, const char *folder, const char *name)
{
    char path[2 * MOST_FOLDER + 2];
    int n = snprintf(path, sizeof path, "%s%s%s", folder, *folder ? "/" : "", name);
    return n > 0 && (size_t)n < sizeof path ? pl__list_find(c->list, path, (size_t)n) : NULL;
}

static bool want(const choice *c, const char *folder, const char *name)
{
    pl__entry *entry = find(c, folder, name);
    if (entry)
        entry->wanted = true;
    return entry != NULL;
}

/* A shard that the index names. */
static pl_status want_shard(const choice *c, const char *folder, const pl_json_walker *w)
{
    size_t n;
    const char *name = pl_json_scalar(w, &n);
    size_t ending = strlen(".safetensors");
    if (!pl__list_is_path(name, n) || n <= ending || n >= MOST_FOLDER || strcmp(name + n - ending, ".safetensors") != 0)
        return pl_json_fail(w, c->e, "\"%s\" is no name of a safetensors file", name);
    if (!want(c, folder, name))
        return pl_json_fail(w, c->e, "names %s, which %s does not have", name, c->repository);
    return PL_OK;
}

static pl_status read_index(const choice *c, const char *folder, pl_json_walker *w)
{
    pl_json_event event;
    size_t n;
    pl_status s = pl_json_next(w, &event, c->e);
    if (!s && event != PL_JSON_OBJECT)
        return pl_json_fail(w, c->e, "is no object");
    while (!s && !(s = pl_json_next(w, &event, c->e)) && event != PL_JSON_END) {
        const char *key = pl_json_key(w, &n);
        if (event != PL_JSON_OBJECT || strcmp(key, "weight_map") != 0) {
            s = pl_json_skip(w, c->e);
            continue;
        }
        while (!s && !(s = pl_json_next(w, &event, c->e)) && event != PL_JSON_END)
            s = event == PL_JSON_STRING ? want_shard(c, folder, w) : pl_json_fail(w, c->e, "names no file");
    }
    return s;
}

static pl_status want_shards(const choice *c, const char *folder, pl__entry *index)
{
    static const pl_json_limits limits = {1 << 16, 32, MOST_INDEX};
    char path[PL__PATH_BYTES];
    pl_json_walker *w = NULL;
    index->wanted = true;
    if (index->bytes > MOST_INDEX)
        return pl_fail(
            c->e, PL_BAD_INPUT, "%s: %s has %llu bytes, an index has at most %d", c->repository, index->path, (unsigned long long)index->bytes, MOST_INDEX);
    pl_status s = c->read(c->self, index, path, sizeof path, c->e);
    if (!s)
        s = pl_json_open(path, &limits, pl_memory_system(), &w, c->e);
    if (!s)
        s = read_index(c, folder, w);
    pl_json_close(w);
    return s;
}

/* A folder's files; *weighs: it has weights. */
static pl_status want_folder(const choice *c, const char *folder, bool *weighs)
{
    for (size_t i = 0; i < PL_COUNT(small_files); i++)
        want(c, folder, small_files[i]);
    if (want(c, folder, "model.safetensors")) {
        *weighs = true;
        return PL_OK;
    }
    pl__entry *index = find(c, folder, "model.safetensors.index.json");
    *weighs |= index != NULL;
    return index ? want_shards(c, folder, index) : PL_OK;
}

static pl_status want_modules(const choice *c, pl__entry *modules, bool *weighs)
{
    char path[PL__PATH_BYTES];
    json_t *list = NULL;
    if (modules->bytes > MOST_JSON)
        return pl_fail(
            c->e, PL_BAD_INPUT, "%s: modules.json has %llu bytes, at most %d would be right", c->repository, (unsigned long long)modules->bytes, MOST_JSON);
    pl_status s = c->read(c->self, modules, path, sizeof path, c->e);
    if (!s)
        s = pl_json_load_array(path, MOST_JSON, pl_memory_system(), &list, c->e);
    for (size_t i = 0; !s && i < json_array_size(list); i++) {
        const json_t *value = json_object_get(json_array_get(list, i), "path");
        const char *folder = json_string_value(value);
        size_t n = json_string_length(value);
        if (!folder || n != strlen(folder) || n >= MOST_FOLDER || (n && !pl__list_is_path(folder, n)))
            s = pl_fail(c->e, PL_BAD_INPUT, "%s: modules.json: module %zu: its path does not stay in the repository", c->repository, i);
        else if (n)
            s = want_folder(c, folder, weighs);
    }
    json_decref(list);
    return s;
}

pl_status pl__choose(pl__listing *l, const char *repository, pl__reader read, void *self, pl_error *e)
{
    choice c = {l, repository, read, self, e};
    bool weighs = false;
    pl_status s = want_folder(&c, "", &weighs);
    pl__entry *modules = find(&c, "", "modules.json");
    if (!s && modules)
        s = want_modules(&c, modules, &weighs);
    if (s)
        return s;
    if (!find(&c, "", "config.json") && !modules)
        return pl_fail(e, PL_BAD_INPUT, "%s: has no config.json, it holds no transformers model", repository);
    if (!weighs) {
        pl_fail(e, PL_BAD_INPUT, "%s: has no safetensors weights (model.safetensors)", repository);
        pl_hint(e, "many models have a conversion as a revision: plimsoll pull %s@refs/pr/1", repository);
        return PL_BAD_INPUT;
    }
    return PL_OK;
}
