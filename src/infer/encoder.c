/* The tokenizer alone, and what the program is built of. */
#include "infer/infer.h"

#include <stdlib.h>
#include <string.h>

struct pl_encoder {
    pl__reading reading;
    char *memory;
    size_t bytes;
    void *workspace;
    size_t workspace_bytes;
    pl_encoding encoding;
};

/* Positions of families that keep some for padding; see each family's source. */
static pl_status positions_of(const pl_folder *folder, uint32_t *out, pl_error *e)
{
    static const char *const padded[] = {"roberta", "xlm-roberta", "camembert", "mpnet", "longformer", "data2vec-text", "esm", "ibert", "mobilebert-roberta"};
    pl_json_doc config = pl_folder_config(folder);
    const char *type;
    uint64_t positions, padding;
    pl_status s = pl_json_text(config, "model_type", "", &type, e);
    if (!s)
        s = pl_json_size(config, "max_position_embeddings", 1, UINT32_MAX, 0, &positions, e);
    if (!s)
        s = pl_json_size(config, "pad_token_id", 0, UINT32_MAX, 1, &padding, e);
    if (s)
        return s;
    for (size_t i = 0; i < PL_COUNT(padded); i++)
        if (strcmp(type, padded[i]) == 0 && positions > padding + 1)
            positions -= padding + 1;
    *out = (uint32_t)positions;
    return PL_OK;
}

static pl_status take_memory(pl_encoder *x, pl_error *e)
{
    x->workspace_bytes = pl_tokenizer_workspace(x->reading.tokenizer, x->reading.text_bytes, x->reading.max_length);
    for (int round = 0; round < 2; round++) {
        pl_carver c = {.base = x->memory};
        x->encoding.capacity = x->reading.max_length;
        x->encoding.ids = pl_carve(&c, x->encoding.capacity * sizeof *x->encoding.ids);
        x->encoding.types = pl_carve(&c, x->encoding.capacity);
        x->encoding.offsets = pl_carve(&c, x->encoding.capacity * sizeof *x->encoding.offsets);
        x->workspace = pl_carve(&c, x->workspace_bytes);
        x->bytes = c.used;
        if (!x->memory && !(x->memory = pl_memory_system()->take(pl_memory_system()->self, x->bytes)))
            return pl_fail_no_memory(e, x->bytes, "tokenizer's workspace");
    }
    return PL_OK;
}

pl_status pl_encoder_open(const char *model, const pl_options *options, pl_encoder **out, pl_error *e)
{
    *out = NULL;
    pl_error_clear(e);
    pl_encoder *x = calloc(1, sizeof *x);
    if (!x)
        return pl_fail_no_memory(e, sizeof *x, "tokenizer");
    uint32_t positions;
    pl_status s = pl__reading_open(model, options, true, &x->reading, e);
    if (!s)
        s = positions_of(x->reading.folder, &positions, e);
    if (!s)
        s = pl__reading_length(&x->reading, options->max_length, positions, e);
    if (!s)
        s = take_memory(x, e);
    if (s)
        pl_encoder_close(x);
    else
        *out = x;
    return s;
}

void pl_encoder_close(pl_encoder *x)
{
    if (!x)
        return;
    if (x->memory)
        pl_memory_system()->give(pl_memory_system()->self, x->memory, x->bytes);
    pl__reading_close(&x->reading);
    free(x);
}

uint32_t pl_encoder_max_length(const pl_encoder *x) { return x->reading.max_length; }
size_t pl_encoder_text_bytes(const pl_encoder *x) { return x->reading.text_bytes; }

pl_status pl_encoder_run(pl_encoder *x, const char *input, const pl_text *t, pl_tokens *out, pl_error *e)
{
    pl_text_view first = {t->text, t->text_bytes, t->text_cut}, second = {t->pair, t->pair_bytes, t->pair_cut};
    pl_error inner;
    pl_status s = pl_tokenizer_encode(
        x->reading.tokenizer, x->workspace, x->workspace_bytes, &first, t->pair ? &second : NULL, x->reading.max_length, &x->encoding, &inner);
    if (s)
        return t->line ? pl_fail(e, s, "%s: line %llu: %s", input, (unsigned long long)t->line, inner.text) : pl_fail(e, s, "%s: %s", input, inner.text);
    *out = (pl_tokens){x->encoding.count, x->encoding.ids, x->encoding.types, (const uint32_t(*)[2])x->encoding.offsets};
    return PL_OK;
}

const char *pl_encoder_token(const pl_encoder *x, uint32_t id, size_t *n) { return pl_tokenizer_token(x->reading.tokenizer, id, n); }
