/* Between the files of hub: the folder while it is read and after.
 *
 * Everything lives in the folder's region; the folder itself and the walkers' buffers are blocks of
 * their own. `memory` is the caller's source with a counter in front, so that held and peak are
 * exact. jansson's values are the one thing outside; pl__heap counts them. */
#ifndef PL_HUB_FOLDER_H
#define PL_HUB_FOLDER_H

#include "hub/hub.h"

#include <sys/stat.h>

enum {
    PL__SMALL_JSON = 1 << 16,     /* modules.json, a module's config.json ... */
    PL__CONFIG_JSON = 1 << 20,    /* config.json: 20,000 labels fit */
    PL__TOKENIZER_JSON = 1 << 26, /* tokenizer_config.json, streamed */
    PL__INDEX_JSON = 1 << 26,     /* model.safetensors.index.json, streamed */
    PL__HEADER_BYTES = 100000000, /* what the safetensors library allows */
    PL__MOST_TENSORS = 1 << 16,   /* of one folder */
    PL__MOST_FILES = 500,         /* each stays open */
    PL__MOST_MODULES = 64,
    PL__MOST_LABELS = 1 << 16,
    PL__JSON_DEPTH = 128,
    PL__JSON_SCALAR = 1 << 24,
};

typedef struct pl__tensor {
    pl_tensor_view view;
    struct pl__tensor *next; /* in the order of reading */
    bool listed;             /* the index has named it */
} pl__tensor;

typedef struct pl__table {
    pl__tensor *list;
    pl__tensor **sorted; /* [count] by name once sealed */
    size_t count;
} pl__table;

typedef struct pl__file {
    const char *path;
    int fd;
    struct stat stat;     /* at opening */
    uint64_t data, bytes; /* where the tensors begin, and how many bytes they have */
} pl__file;

struct pl_folder {
    pl_memory memory; /* counts, then asks `source` */
    const pl_memory *source;
    size_t own_bytes, now, peak;
    pl_region region;

    const char *root; /* where modules.json is */
    const char *path;
    pl_json_doc config;
    json_t *config_root;

    pl__file *files;
    uint32_t file_count, file_capacity;
    pl__table tensors;
    size_t tensor_total; /* with those of modules */

    pl_module *modules;
    size_t module_count;

    const char **labels; /* [label_count] */
    size_t label_count;
    pl_problem problem;
    uint64_t sentence_length, model_max_length;
    const char *lower_case; /* the file that asks for it, or NULL */
};

/* ---- memory.c ---- */
void pl__heap(pl_folder *f, size_t more, size_t less);
/* A zeroed piece of the folder's region, NULL after failing e. */
void *pl__take(pl_folder *f, size_t bytes, pl_error *e);
char *pl__copy(pl_folder *f, const char *text, size_t n, pl_error *e);
/* "folder/name", or "folder" where name is empty. */
char *pl__join(pl_folder *f, const char *folder, const char *name, pl_error *e);
bool pl__exists(const char *path); /* a dangling link exists: opening it says what is wrong */
/* Stays within its folder: relative, no "..", no NUL. */
bool pl__stays_inside(const char *path, size_t n);
/* A small JSON object or array, counted as heap until pl__forget. */
pl_status pl__load(pl_folder *f, const char *path, bool array, json_t **out, pl_error *e);
void pl__forget(pl_folder *f, json_t *value);

/* ---- safetensors.c, table.c, weights.c ---- */
/* Opens one file and adds its tensors to the table; *index is its place among files. */
pl_status pl__safetensors_open(pl_folder *f, const char *path, pl__table *table, uint32_t *index, pl_error *e);
/* Sorts by name; refuses names that stand twice and, in each file, overlaps, gaps and a rest. */
pl_status pl__table_seal(pl_folder *f, pl__table *table, pl_error *e);
pl__tensor *pl__table_find(const pl__table *table, const char *name);
/* model.safetensors, or the index and its shards. */
pl_status pl__weights_open(pl_folder *f, pl_error *e);

/* ---- modules.c, prompts.c, labels.c, lengths.c ---- */
/* Reads modules.json if there is one (else *out is NULL) and finds the Transformer's folder. */
pl_status pl__modules_find(pl_folder *f, json_t **out, pl_error *e);
pl_status pl__modules_read(pl_folder *f, const json_t *list, pl_error *e);
pl_status pl__prompts_read(pl_folder *f, pl_error *e);
pl_status pl__labels_read(pl_folder *f, pl_error *e);
pl_status pl__lengths_read(pl_folder *f, pl_error *e);

#endif
