/* A model folder: found, validated whole, then viewed. Weights stay in their files. */
#ifndef PL_HUB_H
#define PL_HUB_H

#include "base/base.h"
#include "json/json.h"

/* ---- finding ---- */
/* The environment's say on where the hub's cache is; the caller reads the environment. */
typedef struct pl_hub_env {
    const char *hf_hub_cache, *hf_home, *xdg_cache_home, *home; /* NULL where unset */
} pl_hub_env;
/* MODEL is a folder, or ORG/NAME (or NAME) with optional @REV found in the hub's cache
 * (models--ORG--NAME/snapshots/REV, refs/main). `path` gets the folder. Not found: PL_BAD_INPUT
 * that says how to pull it. */
pl_status pl_hub_find(const char *model, const pl_hub_env *env, char *path, size_t capacity, pl_error *e);

/* ORG/NAME (or NAME) with optional @REV, in parts; they point into the text. */
typedef struct pl_hub_name {
    const char *org, *name, *revision; /* org NULL: a name alone; revision: "main" where none is given */
    size_t org_bytes, name_bytes;
} pl_hub_name;
bool pl_hub_name_parse(const char *text, pl_hub_name *out); /* false: no name that the hub allows */
/* The cache's folder. False: the environment names none, or it is too long. */
bool pl_hub_cache(const pl_hub_env *env, char *path, size_t capacity);

/* ---- a folder ---- */
typedef struct pl_tensor_view {
    const char *name;
    pl_dtype type;
    uint32_t rank;
    uint64_t shape[8];
    uint32_t file;   /* index of the safetensors file */
    uint64_t offset; /* of the first byte in that file */
    uint64_t bytes;
} pl_tensor_view;

/* Pooling modes as sentence-transformers names them, in the order in which it concatenates those of
 * its older configs: newer name, older key. */
#define PL_HUB_POOLING_MAP(X)                                                 \
    X(CLS, "cls", "pooling_mode_cls_token")                                   \
    X(MAX, "max", "pooling_mode_max_tokens")                                  \
    X(MEAN, "mean", "pooling_mode_mean_tokens")                               \
    X(SQRT_MEAN, "mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens") \
    X(WEIGHTED_MEAN, "weightedmean", "pooling_mode_weightedmean_tokens")      \
    X(LAST, "lasttoken", "pooling_mode_lasttoken")
typedef enum pl_hub_pooling {
#define PL_HUB_POOLING_ENUM(id, name, key) PL_HUB_POOLING_##id,
    PL_HUB_POOLING_MAP(PL_HUB_POOLING_ENUM)
#undef PL_HUB_POOLING_ENUM
        PL_HUB_POOLING_COUNT
} pl_hub_pooling;

/* A module of modules.json, in order. */
typedef enum pl_module_kind { PL_MODULE_TRANSFORMER, PL_MODULE_POOLING, PL_MODULE_DENSE, PL_MODULE_NORMALIZE } pl_module_kind;
typedef struct pl_module {
    pl_module_kind kind;
    uint32_t pooling;                            /* POOLING: a bit per pl_hub_pooling */
    uint32_t pooling_count;                      /* POOLING: how many modes, at least 1 */
    uint8_t pooling_order[PL_HUB_POOLING_COUNT]; /* POOLING: pl_hub_pooling in the order of concatenation; a newer config may have any */
    uint64_t in_features, out_features;          /* DENSE; POOLING: the token embeddings' width (0: not given) and pooling_count times it */
    bool has_bias;                               /* DENSE */
    const char *activation;                      /* DENSE: "tanh", "linear", ... a name that ACT2FN knows */
    const pl_tensor_view *weight, *bias;         /* DENSE */
} pl_module;

typedef struct pl_folder pl_folder;

/* Opens and validates config.json, every safetensors header (index and shards; overlaps, gaps,
 * bounds against the file's size, shapes against bytes), modules.json with its modules,
 * sentence_bert_config.json. Files stay open for reading. `memory` holds the tables. */
pl_status pl_folder_open(const char *path, const pl_memory *memory, pl_folder **out, pl_error *e);
/* The same without modules and weights, for the tokenizer alone: lengths, labels and config.json,
 * which may be missing (an empty object then). */
pl_status pl_folder_open_config(const char *path, const pl_memory *memory, pl_folder **out, pl_error *e);
void pl_folder_close(pl_folder *f); /* NULL is allowed */

/* Where config.json, tokenizer and weights are: the folder, or the one below it that modules.json
 * gives for the Transformer. */
const char *pl_folder_path(const pl_folder *f);
pl_json_doc pl_folder_config(const pl_folder *f); /* config.json */
/* Bytes taken from `memory` (each block rounded up to pages) and an upper bound of what jansson's
 * values hold in the heap; now, and the most while loading. */
size_t pl_folder_held(const pl_folder *f);
size_t pl_folder_load_peak(const pl_folder *f);

/* The model's tensors, by name in strcmp's order; those of Dense modules are not among them. */
size_t pl_folder_tensors(const pl_folder *f);
const pl_tensor_view *pl_folder_tensor_at(const pl_folder *f, size_t index);
const pl_tensor_view *pl_folder_tensor(const pl_folder *f, const char *name); /* NULL if absent; O(log n) or better */

size_t pl_folder_modules(const pl_folder *f); /* 0: no modules.json */
const pl_module *pl_folder_module(const pl_folder *f, size_t index);

size_t pl_folder_labels(const pl_folder *f);                   /* num_labels: from id2label, else num_labels, else 2 */
const char *pl_folder_label(const pl_folder *f, size_t index); /* "LABEL_0" where id2label is absent */
typedef enum pl_problem { PL_PROBLEM_SINGLE, PL_PROBLEM_MULTI, PL_PROBLEM_REGRESSION } pl_problem;
pl_problem pl_folder_problem(const pl_folder *f); /* null: one label is regression, else single */

/* Longest text: sentence_bert_config.json's max_seq_length (0: not given), tokenizer_config.json's
 * model_max_length (0: not given or absurdly large). */
uint64_t pl_folder_sentence_length(const pl_folder *f);
uint64_t pl_folder_model_max_length(const pl_folder *f);
/* The file whose do_lower_case asks for texts in lower case whatever the tokenizer does, or NULL. */
const char *pl_folder_lower_case(const pl_folder *f);

/* ---- reading weights ---- */
size_t pl_folder_files(const pl_folder *f);
const char *pl_folder_file_name(const pl_folder *f, uint32_t file);
int pl_folder_fd(const pl_folder *f, uint32_t file);
/* Fails with PL_BAD_INPUT (file named) if inode, size or times of any weight file changed since
 * opening: the weights were rewritten underneath. */
pl_status pl_folder_unchanged(const pl_folder *f, pl_error *e);
/* pread whole: short file PL_BAD_INPUT (truncated in mid-run), read error PL_MACHINE. */
pl_status pl_folder_read(const pl_folder *f, uint32_t file, uint64_t offset, void *out, size_t bytes, pl_error *e);
/* Tells the kernel that a range of the file is not needed in its cache (posix_fadvise). */
void pl_folder_drop(const pl_folder *f, uint32_t file, uint64_t offset, uint64_t bytes);

#endif
