#include "infer/folder.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct writer {
    FILE *header, *data;
    uint64_t at, seed;
} writer;

static float noise(writer *w)
{
    uint64_t x = w->seed += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return (float)((double)((x ^ (x >> 31)) >> 40) / (1 << 23) - 1);
}

static void tensor(writer *w, const char *name, unsigned rows, unsigned columns, float middle, float scale)
{
    uint64_t count = (uint64_t)rows * (columns ? columns : 1);
    fprintf(w->header, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%u", w->at ? "," : "", name, rows);
    if (columns)
        fprintf(w->header, ",%u", columns);
    fprintf(w->header, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)w->at, (unsigned long long)w->at + (unsigned long long)count * 4);
    w->at += count * 4;
    for (uint64_t i = 0; i < count; i++) {
        float value = middle + scale * noise(w);
        fwrite(&value, 4, 1, w->data);
    }
}

static void linear(writer *w, const char *stem, const char *name, unsigned out, unsigned in)
{
    char full[256];
    snprintf(full, sizeof full, "%s%s.weight", stem, name);
    tensor(w, full, out, in, 0, 1.7f / __builtin_sqrtf((float)in));
    snprintf(full, sizeof full, "%s%s.bias", stem, name);
    tensor(w, full, out, 0, 0, 0.1f);
}

static void norm(writer *w, const char *stem, const char *name, unsigned width)
{
    char full[256];
    snprintf(full, sizeof full, "%s%s.weight", stem, name);
    tensor(w, full, width, 0, 1, 0.2f);
    snprintf(full, sizeof full, "%s%s.bias", stem, name);
    tensor(w, full, width, 0, 0, 0.2f);
}

static void bert(writer *w, const test_model *m)
{
    char stem[64];
    tensor(w, "embeddings.word_embeddings.weight", TEST_VOCABULARY, m->hidden, 0, 1);
    tensor(w, "embeddings.position_embeddings.weight", m->positions, m->hidden, 0, 0.3f);
    tensor(w, "embeddings.token_type_embeddings.weight", 2, m->hidden, 0, 0.3f);
    norm(w, "embeddings.", "LayerNorm", m->hidden);
    for (unsigned i = 0; i < m->layers; i++) {
        snprintf(stem, sizeof stem, "encoder.layer.%u.", i);
        linear(w, stem, "attention.self.query", m->hidden, m->hidden);
        linear(w, stem, "attention.self.key", m->hidden, m->hidden);
        linear(w, stem, "attention.self.value", m->hidden, m->hidden);
        linear(w, stem, "attention.output.dense", m->hidden, m->hidden);
        norm(w, stem, "attention.output.LayerNorm", m->hidden);
        linear(w, stem, "intermediate.dense", m->inner, m->hidden);
        linear(w, stem, "output.dense", m->hidden, m->inner);
        norm(w, stem, "output.LayerNorm", m->hidden);
    }
    if (m->labels) {
        linear(w, "", "pooler.dense", m->hidden, m->hidden);
        linear(w, "", "classifier", m->labels, m->hidden);
    }
}

static void distilbert(writer *w, const test_model *m)
{
    char stem[64];
    tensor(w, "embeddings.word_embeddings.weight", TEST_VOCABULARY, m->hidden, 0, 1);
    tensor(w, "embeddings.position_embeddings.weight", m->positions, m->hidden, 0, 0.3f);
    norm(w, "embeddings.", "LayerNorm", m->hidden);
    for (unsigned i = 0; i < m->layers; i++) {
        snprintf(stem, sizeof stem, "transformer.layer.%u.", i);
        linear(w, stem, "attention.q_lin", m->hidden, m->hidden);
        linear(w, stem, "attention.k_lin", m->hidden, m->hidden);
        linear(w, stem, "attention.v_lin", m->hidden, m->hidden);
        linear(w, stem, "attention.out_lin", m->hidden, m->hidden);
        norm(w, stem, "sa_layer_norm", m->hidden);
        linear(w, stem, "ffn.lin1", m->inner, m->hidden);
        linear(w, stem, "ffn.lin2", m->hidden, m->inner);
        norm(w, stem, "output_layer_norm", m->hidden);
    }
    if (m->labels) {
        linear(w, "", "pre_classifier", m->hidden, m->hidden);
        linear(w, "", "classifier", m->labels, m->hidden);
    }
}

static FILE *open_in(const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert(f);
    return f;
}

static void write_config(const char *folder, const test_model *m)
{
    FILE *f = open_in(folder, "config.json");
    const char *class = m->labels ? "ForSequenceClassification" : "Model";
    if (m->distilbert)
        fprintf(f,
            "{\"model_type\":\"distilbert\",\"architectures\":[\"DistilBert%s\"],\"dim\":%u,\"n_heads\":%u,\"hidden_dim\":%u,\"n_layers\":%u,\"activation\":"
            "\"gelu\",",
            class, m->hidden, m->heads, m->inner, m->layers);
    else
        fprintf(f,
            "{\"model_type\":\"bert\",\"architectures\":[\"Bert%s\"],\"hidden_size\":%u,\"num_attention_heads\":%u,\"intermediate_size\":%u,\"num_hidden_"
            "layers\":%u,\"hidden_act\":\"gelu\",\"type_vocab_size\":2,\"layer_norm_eps\":1e-12,",
            class, m->hidden, m->heads, m->inner, m->layers);
    fprintf(f, "\"vocab_size\":%d,\"max_position_embeddings\":%u,\"num_labels\":%u}", TEST_VOCABULARY, m->positions, m->labels ? m->labels : 2);
    fclose(f);
    f = open_in(folder, "vocab.txt");
    fputs("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n", f);
    for (int i = 0; i < TEST_VOCABULARY - 5; i++)
        fprintf(f, "w%d\n", i);
    fclose(f);
    f = open_in(folder, "tokenizer_config.json");
    fputs("{\"do_lower_case\":true,\"tokenizer_class\":\"BertTokenizer\"}", f);
    fclose(f);
}

static void copy(FILE *from, FILE *to)
{
    char bytes[65536];
    rewind(from);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, from)) > 0;)
        fwrite(bytes, 1, n, to);
    fclose(from);
}

const char *test_folder_make(const test_model *m)
{
    static char folder[64];
    snprintf(folder, sizeof folder, "/tmp/plimsoll-model-XXXXXX");
    const char *made = mkdtemp(folder);
    assert(made);
    (void)made;
    write_config(folder, m);
    writer w = {.header = tmpfile(), .data = tmpfile(), .seed = 7};
    fputc('{', w.header);
    (m->distilbert ? distilbert : bert)(&w, m);
    fputc('}', w.header);
    while (ftell(w.header) % 8)
        fputc(' ', w.header);
    uint64_t length = (uint64_t)ftell(w.header);
    FILE *f = open_in(folder, "model.safetensors");
    fwrite(&length, 8, 1, f);
    copy(w.header, f);
    copy(w.data, f);
    fclose(f);
    return folder;
}

void test_folder_remove(const char *path)
{
    static const char *const names[] = {"config.json", "vocab.txt", "tokenizer_config.json", "model.safetensors"};
    char file[512];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(file, sizeof file, "%s/%s", path, names[i]);
        unlink(file);
    }
    rmdir(path);
}
