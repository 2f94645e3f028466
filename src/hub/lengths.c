/* How long texts may be, and whether in lower case: sentence_bert_config.json and tokenizer_config.json. */
#include "hub/folder.h"

#include <string.h>

static pl_status read_sentence_length(pl_folder *f, pl_error *e)
{
    /* the names that sentence-transformers tries, in its order */
    static const char *const names[] = {
        "sentence_bert_config.json",
        "sentence_roberta_config.json",
        "sentence_distilbert_config.json",
        "sentence_camembert_config.json",
        "sentence_albert_config.json",
        "sentence_xlm-roberta_config.json",
        "sentence_xlnet_config.json",
    };
    for (size_t i = 0; i < PL_COUNT(names); i++) {
        const char *path = pl__join(f, f->path, names[i], e);
        if (!path)
            return PL_MACHINE;
        if (!pl__exists(path))
            continue;
        json_t *root;
        pl_status status = pl__load(f, path, false, &root, e);
        if (!status)
            status = pl_json_size((pl_json_doc){path, root}, "max_seq_length", 1, UINT32_MAX, 0, &f->sentence_length, e);
        bool lower = false;
        if (!status)
            status = pl_json_bool((pl_json_doc){path, root}, "do_lower_case", false, &lower, e);
        f->lower_case = lower ? path : NULL;
        pl__forget(f, root);
        return status;
    }
    return PL_OK;
}

/* Tokenizers without a limit write 10^30; what no text reaches is as good as none. */
static const double LONGEST = 1 << 30;

static pl_status read_max_length(pl_json_walker *w, pl_json_event event, uint64_t *out, pl_error *e)
{
    size_t n = 0;
    const char *text = event == PL_JSON_NUMBER ? pl_json_scalar(w, &n) : "";
    double value;
    if (event == PL_JSON_NULL)
        return PL_OK;
    if (!pl_double_parse(text, n, &value) || value < 1 || (value <= LONGEST && value != (double)(uint64_t)value))
        return pl_json_fail(w, e, "model_max_length: a whole number of tokens, at least 1, would be right");
    *out = value <= LONGEST ? (uint64_t)value : 0;
    return PL_OK;
}

static pl_status walk_tokenizer_config(pl_json_walker *w, uint64_t *out, pl_error *e)
{
    static const char wanted[] = "model_max_length";
    pl_json_event event;
    pl_status status = pl_json_next(w, &event, e);
    if (!status && event != PL_JSON_OBJECT)
        return pl_json_fail(w, e, "the file holds no object, {...} would be right");
    bool seen = false;
    while (!status) {
        status = pl_json_next(w, &event, e);
        if (status || event == PL_JSON_END)
            break;
        size_t n;
        const char *key = pl_json_key(w, &n);
        if (n != sizeof wanted - 1 || memcmp(key, wanted, n) != 0) {
            status = pl_json_skip(w, e);
        } else if (seen) {
            status = pl_json_fail(w, e, "%s stands there twice", wanted);
        } else {
            seen = true;
            status = read_max_length(w, event, out, e);
        }
    }
    return status ? status : pl_json_next(w, &event, e);
}

static pl_status read_model_max_length(pl_folder *f, pl_error *e)
{
    const char *path = pl__join(f, f->path, "tokenizer_config.json", e);
    if (!path)
        return PL_MACHINE;
    if (!pl__exists(path))
        return PL_OK;
    const pl_json_limits limits = {.scalar_bytes = PL__JSON_SCALAR, .depth = PL__JSON_DEPTH, .bytes = PL__TOKENIZER_JSON};
    pl_json_walker *w;
    pl_status status = pl_json_open(path, &limits, &f->memory, &w, e);
    if (status)
        return status;
    status = walk_tokenizer_config(w, &f->model_max_length, e);
    pl_json_close(w);
    return status;
}

pl_status pl__lengths_read(pl_folder *f, pl_error *e)
{
    pl_status status = read_sentence_length(f, e);
    return status ? status : read_model_max_length(f, e);
}

uint64_t pl_folder_sentence_length(const pl_folder *f) { return f->sentence_length; }
const char *pl_folder_lower_case(const pl_folder *f) { return f->lower_case; }
uint64_t pl_folder_model_max_length(const pl_folder *f) { return f->model_max_length; }
