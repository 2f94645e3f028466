/* A right folder with one of its files replaced by any bytes: the first byte says which. Opening it is
 * refused with a text that names the folder, or everything that it shows lies within bounds. */
#include "hub/hub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* also in Release builds */
#define CHECK(condition)                                                    \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

static const struct {
    const char *name, *right;
    size_t data; /* bytes of tensors; 0: no safetensors file */
} files[] = {
    {"config.json", "{\"model_type\":\"bert\",\"id2label\":{\"0\":\"a\",\"1\":\"b\"},\"problem_type\":null}", 0},
    {"modules.json",
        "[{\"path\":\"\",\"type\":\"sentence_transformers.models.Transformer\"},{\"path\":\"p\",\"type\":\"sentence_transformers.models.Pooling\"},"
        "{\"path\":\"d\",\"type\":\"sentence_transformers.models.Dense\"},{\"path\":\"n\",\"type\":\"sentence_transformers.models.Normalize\"}]",
        0},
    {"p/config.json", "{\"word_embedding_dimension\":3,\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":true}", 0},
    {"d/config.json", "{\"in_features\":6,\"out_features\":2,\"bias\":true,\"activation_function\":\"torch.nn.modules.activation.Tanh\"}", 0},
    {"d/model.safetensors",
        "{\"linear.weight\":{\"dtype\":\"F32\",\"shape\":[2,6],\"data_offsets\":[0,48]},\"linear.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[48,"
        "56]}}",
        56},
    {"n/config.json", "{}", 0},
    {"sentence_bert_config.json", "{\"max_seq_length\":128,\"do_lower_case\":false}", 0},
    {"tokenizer_config.json", "{\"model_max_length\":512,\"x\":[{\"y\":1}]}", 0},
    {"model.safetensors.index.json", "{\"metadata\":{\"total_size\":20},\"weight_map\":{\"a\":\"s1\",\"b\":\"s2\"}}", 0},
    {"s1", "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]}}", 12},
    {"s2", "{\"__metadata__\":{\"format\":\"pt\"},\"b\":{\"dtype\":\"F16\",\"shape\":[2,2],\"data_offsets\":[0,8]}}", 8},
};

static char folder[64];

static void path_of(size_t file, char path[128]) { snprintf(path, 128, "%s/%s", folder, files[file].name); }

static void put(size_t file, const void *bytes, size_t n, size_t zeros)
{
    char path[128];
    path_of(file, path);
    FILE *f = fopen(path, "wb");
    CHECK(f);
    if (files[file].data && zeros) {
        for (size_t i = 0; i < 8; i++)
            fputc((int)((uint64_t)n >> (8 * i) & 0xFF), f);
    }
    CHECK(fwrite(bytes, 1, n, f) == n);
    for (; zeros; zeros--)
        fputc(0, f);
    CHECK(fclose(f) == 0);
}

static void put_right(size_t file) { put(file, files[file].right, strlen(files[file].right), files[file].data); }

static void remove_folder(void)
{
    char path[128];
    for (size_t i = 0; i < PL_COUNT(files); i++) {
        path_of(i, path);
        unlink(path);
    }
    for (const char *sub = "pdn"; *sub; sub++) {
        snprintf(path, sizeof path, "%s/%c", folder, *sub);
        rmdir(path);
    }
    rmdir(folder);
}

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "%s/plimsoll-fuzz-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    CHECK(mkdtemp(folder));
    atexit(remove_folder);
    for (const char *sub = "pdn"; *sub; sub++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%c", folder, *sub);
        CHECK(mkdir(path, 0700) == 0);
    }
    for (size_t i = 0; i < PL_COUNT(files); i++)
        put_right(i);
}

static void check_tensor(const pl_folder *f, const pl_tensor_view *t)
{
    struct stat st;
    uint64_t end, bytes = pl_dtype_bytes(t->type);
    CHECK(t->file < pl_folder_files(f));
    CHECK(fstat(pl_folder_fd(f, t->file), &st) == 0);
    CHECK(pl_add(t->offset, t->bytes, &end) && end <= (uint64_t)st.st_size);
    CHECK(t->rank <= PL_COUNT(t->shape));
    for (uint32_t i = 0; i < t->rank; i++)
        CHECK(pl_mul(bytes, t->shape[i], &bytes));
    CHECK(bytes == t->bytes);
}

static void check_module(const pl_folder *f, const pl_module *m, size_t index)
{
    CHECK((m->kind == PL_MODULE_TRANSFORMER) == (index == 0));
    if (m->kind == PL_MODULE_POOLING) {
        CHECK(m->pooling_count >= 1 && m->pooling_count <= PL_HUB_POOLING_COUNT);
        uint32_t bits = 0;
        for (uint32_t i = 0; i < m->pooling_count; i++)
            bits |= 1u << m->pooling_order[i];
        CHECK(bits == m->pooling && m->pooling >> PL_HUB_POOLING_COUNT == 0);
    }
    if (m->kind == PL_MODULE_DENSE) {
        CHECK(m->activation && m->weight && m->has_bias == (m->bias != NULL));
        check_tensor(f, m->weight);
        CHECK(m->weight->shape[0] == m->out_features && m->weight->shape[1] == m->in_features);
    }
}

static void check_folder(const pl_folder *f)
{
    for (size_t i = 0; i < pl_folder_tensors(f); i++) {
        check_tensor(f, pl_folder_tensor_at(f, i));
        CHECK(pl_folder_tensor(f, pl_folder_tensor_at(f, i)->name) == pl_folder_tensor_at(f, i));
    }
    for (size_t i = 0; i < pl_folder_modules(f); i++)
        check_module(f, pl_folder_module(f, i), i);
    CHECK(pl_folder_labels(f) >= 1);
    for (size_t i = 0; i < pl_folder_labels(f); i++)
        CHECK(pl_folder_label(f, i));
    CHECK(pl_folder_held(f) <= pl_folder_load_peak(f));
    CHECK(pl_folder_unchanged(f, NULL) == PL_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes == 0)
        return 0;
    if (!*folder)
        make_folder();
    size_t file = data[0] % PL_COUNT(files);
    put(file, data + 1, bytes - 1, 0);
    pl_folder *f = NULL;
    pl_error e;
    pl_error_clear(&e);
    pl_status status = pl_folder_open(folder, NULL, &f, &e);
    if (status) {
        CHECK(status == PL_BAD_INPUT && f == NULL);
        CHECK(strncmp(e.text, folder, strlen(folder)) == 0 && !strchr(e.text, '\n'));
        CHECK(pl_utf8_valid(e.text, strlen(e.text)) == strlen(e.text));
    } else {
        check_folder(f);
    }
    pl_folder_close(f);
    put_right(file);
    return 0;
}
