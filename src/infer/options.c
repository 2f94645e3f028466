#include "infer/infer.h"

#include <limits.h>

void pl_options_init(pl_options *options) { *options = (pl_options){.size = sizeof *options}; }

bool pl_size_parse(const char *text, uint64_t *bytes) { return pl_bytes_parse(text, bytes); }

/* A text this long is read whole whatever --max-length says; longer maxima take more, so that
 * words of ordinary length never decide. The limit has no part in it: it must not change answers. */
enum { LEAST_TEXT_BYTES = 32 << 10, BYTES_PER_TOKEN = 128, MOST_TEXT_BYTES = 16 << 20, MOST_TOKENS = 1 << 24 };

pl_status pl__reading_open(const char *model, const pl_options *options, bool config_only, pl__reading *out, pl_error *e)
{
    static const pl_environment nothing = {0};
    const pl_environment *v = options->environment ? options->environment : &nothing;
    pl_hub_env env = {v->hf_hub_cache, v->hf_home, v->xdg_cache_home, v->home};
    char path[PATH_MAX];
    *out = (pl__reading){0};
    pl_status s = pl_hub_find(model, &env, path, sizeof path, e);
    if (!s)
        s = (config_only ? pl_folder_open_config : pl_folder_open)(path, pl_memory_system(), &out->folder, e);
    if (!s)
        s = pl_tokenizer_open(pl_folder_path(out->folder), pl_memory_system(), &out->tokenizer, e);
    return s;
}

/* The folder's own maximum leaves no room for a text; named by what it comes from. */
static pl_status refuse_own(const pl_folder *f, uint64_t own, uint64_t positions, uint32_t special, pl_error *e)
{
    const char *from = own == positions       ? "max_position_embeddings"
        : own == pl_folder_sentence_length(f) ? "max_seq_length"
                                              : "model_max_length of tokenizer_config.json";
    return pl_fail(e, PL_BAD_INPUT, "%s: %s: %llu, the tokenizer's special tokens alone are %u; %u or more would be right", pl_folder_path(f), from,
        (unsigned long long)own, special, special);
}

pl_status pl__reading_length(pl__reading *r, uint32_t asked, uint32_t positions, pl_error *e)
{
    uint64_t most = positions ? positions : MOST_TOKENS, own = most;
    if (pl_folder_sentence_length(r->folder))
        own = pl_min(most, pl_folder_sentence_length(r->folder));
    else if (pl_folder_model_max_length(r->folder))
        own = pl_min(most, pl_folder_model_max_length(r->folder));
    if (asked > most)
        return pl_fail(e, PL_USAGE, "--max-length %u: the model's positions allow at most %llu tokens", asked, (unsigned long long)most);
    r->max_length = (uint32_t)(asked ? asked : own);
    uint32_t special = pl_tokenizer_special_count(r->tokenizer, false);
    if (!asked && own < special)
        return refuse_own(r->folder, own, most, special, e);
    if (asked && asked < special)
        return pl_fail(e, PL_USAGE, "--max-length %u: the tokenizer's special tokens alone are %u", r->max_length, special);
    r->text_bytes = pl_min(MOST_TEXT_BYTES, pl_max(LEAST_TEXT_BYTES, (size_t)r->max_length * BYTES_PER_TOKEN));
    return PL_OK;
}

void pl__reading_close(pl__reading *r)
{
    pl_tokenizer_close(r->tokenizer);
    pl_folder_close(r->folder);
    *r = (pl__reading){0};
}
