#include "pytorch/shape.h"
#include "hub/make.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A safetensors header while it is written. */
typedef struct header {
    FILE *out;
    uint64_t at;
    bool begun;
} header;

static void add(header *h, uint64_t rows, uint64_t columns, const char *format, ...) PL_PRINTF(4, 5);
static void add(header *h, uint64_t rows, uint64_t columns, const char *format, ...)
{
    uint64_t bytes = 4 * rows * (columns ? columns : 1);
    fputs(h->begun ? ",\"" : "{\"", h->out);
    va_list args;
    va_start(args, format);
    vfprintf(h->out, format, args);
    va_end(args);
    fprintf(h->out, "\":{\"dtype\":\"F32\",\"shape\":[%llu", (unsigned long long)rows);
    if (columns)
        fprintf(h->out, ",%llu", (unsigned long long)columns);
    uint64_t begin = h->at;
    h->at += bytes;
    fprintf(h->out, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)begin, (unsigned long long)h->at);
    h->begun = true;
}

static void linear(header *h, uint64_t rows, uint64_t columns, const char *stem, unsigned layer, const char *name)
{
    add(h, rows, columns, "%s%u.%s.weight", stem, layer, name);
    add(h, rows, 0, "%s%u.%s.bias", stem, layer, name);
}

static void layer(header *h, const shape *s, unsigned at)
{
    static const char *const names[2][8] = {
        {"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense", "intermediate.dense", "output.dense",
            "attention.output.LayerNorm", "output.LayerNorm"},
        {"attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin", "ffn.lin1", "ffn.lin2", "sa_layer_norm", "output_layer_norm"},
    };
    const char *stem = s->distilbert ? "distilbert.transformer.layer." : "bert.encoder.layer.";
    for (unsigned i = 0; i < 6; i++)
        linear(h, i == 4 ? s->inner : s->hidden, i == 5 ? s->inner : s->hidden, stem, at, names[s->distilbert][i]);
    for (unsigned i = 6; i < 8; i++) {
        add(h, s->hidden, 0, "%s%u.%s.weight", stem, at, names[s->distilbert][i]);
        add(h, s->hidden, 0, "%s%u.%s.bias", stem, at, names[s->distilbert][i]);
    }
}

static void head(header *h, const shape *s)
{
    if (!s->distilbert || !s->headless) {
        const char *dense = s->distilbert ? "pre_classifier" : "bert.pooler.dense";
        add(h, s->hidden, s->hidden, "%s.weight", dense);
        add(h, s->hidden, 0, "%s.bias", dense);
    }
    if (s->headless)
        return;
    add(h, s->labels, s->hidden, "classifier.weight");
    add(h, s->labels, 0, "classifier.bias");
}

static void embeddings(header *h, const shape *s)
{
    const char *stem = s->distilbert ? "distilbert.embeddings" : "bert.embeddings";
    add(h, s->vocabulary, s->hidden, "%s.word_embeddings.weight", stem);
    add(h, s->positions, s->hidden, "%s.position_embeddings.weight", stem);
    if (!s->distilbert)
        add(h, 2, s->hidden, "%s.token_type_embeddings.weight", stem);
    add(h, s->hidden, 0, "%s.LayerNorm.weight", stem);
    add(h, s->hidden, 0, "%s.LayerNorm.bias", stem);
}

static uint64_t write_header(const shape *s, char **text, size_t *n)
{
    header h = {.out = open_memstream(text, n)};
    assert_non_null(h.out);
    embeddings(&h, s);
    for (unsigned i = 0; i < s->layers; i++)
        layer(&h, s, i);
    head(&h, s);
    fputc('}', h.out);
    fclose(h.out);
    return h.at;
}

uint64_t shape_parameters(const shape *s)
{
    char *text;
    size_t n;
    uint64_t bytes = write_header(s, &text, &n);
    free(text);
    return bytes / 4;
}

static void write_config(const shape *s)
{
    static const char *const keys[2][6] = {{"bert", "Bert", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"},
        {"distilbert", "DistilBert", "dim", "n_layers", "n_heads", "hidden_dim"}};
    const char *const *k = keys[s->distilbert];
    char *text;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    assert_non_null(out);
    fprintf(out, "{\"model_type\":\"%s\",\"architectures\":[\"%s%s\"],\"%s\":%u,\"%s\":%u,\"%s\":%u,\"%s\":%u,", k[0], k[1],
        s->headless ? "Model" : "ForSequenceClassification", k[2], s->hidden, k[3], s->layers, k[4], s->heads, k[5], s->inner);
    fprintf(out, "\"vocab_size\":%u,\"max_position_embeddings\":%u,\"%s\":\"%s\",\"id2label\":{", s->vocabulary, s->positions,
        s->distilbert ? "activation" : "hidden_act", s->act ? s->act : "gelu");
    for (unsigned i = 0; i < s->labels; i++)
        fprintf(out, "%s\"%u\":\"L%u\"", i ? "," : "", i, i);
    fputs("}}", out);
    fclose(out);
    make_text("model/config.json", text);
    free(text);
}

void shape_write(const shape *s)
{
    make_empty();
    write_config(s);
    char *text;
    size_t n;
    uint64_t data = write_header(s, &text, &n);
    char *file = malloc(8 + n);
    assert_non_null(file);
    for (size_t i = 0; i < 8; i++)
        file[i] = (char)(unsigned char)((uint64_t)n >> (8 * i));
    memcpy(file + 8, text, n);
    make_file("model/model.safetensors", file, 8 + n);
    assert_int_equal(truncate(make_path("model/model.safetensors"), (off_t)(8 + n + data)), 0);
    free(file);
    free(text);
}

void shape_open(const shape *s, bool train, shape_model *out)
{
    pl_error e;
    shape_write(s);
    pl_region_init(&out->region, pl_memory_system());
    if (pl_folder_open(make_path("model"), pl_memory_system(), &out->folder, &e))
        fail_msg("%s", e.text);
    pl_model_choice choice = {.task = train ? PL_TASK_CLASSIFY : PL_TASK_AUTO, .fresh_head = train};
    if (pl_model_make(out->folder, &choice, &out->region, &out->model, &e))
        fail_msg("%s", e.text);
}

void shape_close(shape_model *m)
{
    pl_folder_close(m->folder);
    pl_region_free(&m->region);
}
