/* A folder without tokenizer.json: a vocabulary file, and tokenizer_config.json for the rest. It is
 * put together as the `transformers` library does it: the parts are written as the JSON that a
 * tokenizer.json would have, and read by the same code. */
#include "text/lines.h"
#include "text/load.h"
#include "text/unicode.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 4096, CONFIG_BYTES = 1 << 22, JSON_BYTES = 1 << 16 };

enum { BOS, EOS, UNK, SEP, PAD, CLS, MASK, ROLES };
static const char *const role_keys[ROLES] = {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

/* What a class of `transformers` makes of its files. */
typedef struct recipe {
    const char *classes;       /* " Bert DistilBert ": without Tokenizer and Fast */
    const char *models;        /* model_type of config.json */
    bool bpe;                  /* vocab.json and merges.txt, else vocab.txt */
    const char *tokens[ROLES]; /* by default; NULL: none */
    bool mpnet;                /* its mask takes the blank before it */
    bool roberta, post;        /* roberta: two separators between the texts; post: anything is added at all */
} recipe;

static const recipe recipes[] = {
    {" Bert DistilBert Electra ConvBert MobileBert SqueezeBert LayoutLM Lxmert Retribert ",
        " bert distilbert electra convbert mobilebert squeezebert layoutlm nomic_bert ", false, {NULL, NULL, "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"},
        false, false, true},
    {" Funnel ", " funnel ", false, {"<s>", "</s>", "<unk>", "<sep>", "<pad>", "<cls>", "<mask>"}, false, false, true},
    {" MPNet ", " mpnet ", false, {"<s>", "</s>", "[UNK]", "</s>", "<pad>", "<s>", "<mask>"}, true, true, true},
    {" Roberta Longformer Bart LED ", " roberta longformer bart led ", true, {"<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"}, false, true, true},
    {" GPT2 ", " gpt2 gpt_neo gptj ", true, {"<|endoftext|>", "<|endoftext|>", "<|endoftext|>", NULL, NULL, NULL, NULL}, false, false, false},
};

/* ---- the configuration ---- */

static pl_status read_tree(pl__load *l, const char *folder, const char *name, char path[PATH_BYTES], pl__node **out)
{
    struct stat s;
    *out = NULL;
    snprintf(path, PATH_BYTES, "%.4000s/%s", folder, name);
    if (stat(path, &s) != 0)
        return PL_OK;
    pl_json_walker *w;
    pl_json_limits limits = pl__load_limits();
    limits.bytes = CONFIG_BYTES;
    pl_status status = pl_json_open(path, &limits, &l->t->memory.face, &w, l->e);
    if (status)
        return status;
    pl_json_event event;
    status = pl_json_next(w, &event, l->e);
    if (!status && event != PL_JSON_OBJECT)
        status = pl_json_fail(w, l->e, "must be an object");
    if (!status)
        status = pl__tree_read(w, event, &l->scratch, out, l->e);
    if (!status)
        status = pl_json_next(w, &event, l->e);
    pl_json_close(w);
    return status;
}

static bool lists(const char *words, const char *word, size_t n)
{
    for (const char *at = words; (at = strchr(at, ' ')) && at[1]; at++)
        if (strncmp(at + 1, word, n) == 0 && at[1 + n] == ' ')
            return true;
    return false;
}

static const recipe *recipe_of_class(const char *name, size_t n)
{
    static const char *const endings[] = {"Fast", "Tokenizer"};
    for (size_t i = 0; i < PL_COUNT(endings); i++) {
        size_t m = strlen(endings[i]);
        if (n > m && memcmp(name + n - m, endings[i], m) == 0)
            n -= m;
    }
    for (size_t i = 0; i < PL_COUNT(recipes); i++)
        if (lists(recipes[i].classes, name, n))
            return &recipes[i];
    return NULL;
}

static pl_status find_recipe(pl__load *l, const char *folder, const pl__node *config, bool bpe, const recipe **out)
{
    char path[PATH_BYTES];
    const pl__node *class = pl__tree_get(config, "tokenizer_class");
    pl__node *model = NULL;
    if (class && class->kind == PL_JSON_STRING && strcmp(class->text, "PreTrainedTokenizerFast") != 0) {
        *out = recipe_of_class(class->text, class->bytes);
        if (!*out || (*out)->bpe != bpe)
            return pl_fail(
                l->e, PL_BAD_INPUT, "%s: tokenizer_config.json: tokenizer_class: \"%s\" without a tokenizer.json is not supported", folder, class->text);
        return PL_OK;
    }
    pl_status status = read_tree(l, folder, "config.json", path, &model);
    const pl__node *type = pl__tree_get(model, "model_type");
    *out = bpe ? NULL : &recipes[0];
    for (size_t i = 0; type && type->kind == PL_JSON_STRING && i < PL_COUNT(recipes); i++)
        if (recipes[i].bpe == bpe && lists(recipes[i].models, type->text, type->bytes))
            *out = &recipes[i];
    if (!status && !*out)
        return pl_fail(
            l->e, PL_BAD_INPUT, "%s: has vocab.json and merges.txt, but nothing says what kind of tokenizer they are; a tokenizer.json would be right", folder);
    return status;
}

/* ---- JSON, written ---- */

typedef struct writer {
    char *text;
    size_t n;
    bool full;
} writer;

static void put(writer *w, const char *format, ...) PL_PRINTF(2, 3);
static void put(writer *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(w->text + w->n, JSON_BYTES - w->n, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= JSON_BYTES - w->n)
        w->full = true;
    else
        w->n += (size_t)n;
}

static void put_string(writer *w, const char *text, size_t n)
{
    size_t needed = pl_json_string(text, n, w->text + w->n, JSON_BYTES - w->n);
    if (needed >= JSON_BYTES - w->n)
        w->full = true;
    else
        w->n += needed;
}

static void put_flag(writer *w, const pl__node *token, const char *key, bool fallback)
{
    const pl__node *flag = pl__tree_get(token, key);
    bool value = flag ? flag->kind == PL_JSON_TRUE : fallback;
    put(w, ",\"%s\":%s", key, value ? "true" : "false");
}

/* A token is a string, or an object with content and flags. */
static const pl__node *content_of(const pl__node *token)
{
    const pl__node *content = token && token->kind == PL_JSON_OBJECT ? pl__tree_get(token, "content") : token;
    return content && content->kind == PL_JSON_STRING ? content : NULL;
}

static void put_added(writer *w, const pl__node *token, const char *content, size_t n, bool lstrip, bool normalized, bool special)
{
    put(w, "%s{\"id\":0,\"content\":", w->text[w->n - 1] == '[' ? "" : ",");
    put_string(w, content, n);
    put_flag(w, token, "single_word", false);
    put_flag(w, token, "lstrip", lstrip);
    put_flag(w, token, "rstrip", false);
    put_flag(w, token, "normalized", normalized);
    put_flag(w, token, "special", special);
    put(w, "}");
}

/* ---- special tokens ---- */

static bool is_true(const pl__node *config, const char *key, bool fallback)
{
    const pl__node *node = pl__tree_get(config, key);
    return node && (node->kind == PL_JSON_TRUE || node->kind == PL_JSON_FALSE) ? node->kind == PL_JSON_TRUE : fallback;
}

typedef struct roles {
    const char *text[ROLES];
    size_t n[ROLES];
    const pl__node *node[ROLES];
} roles;

static void find_roles(const recipe *how, const pl__node *config, roles *r)
{
    for (int i = 0; i < ROLES; i++) {
        const pl__node *content = content_of(pl__tree_get(config, role_keys[i]));
        r->node[i] = pl__tree_get(config, role_keys[i]);
        r->text[i] = content ? content->text : how->tokens[i];
        r->n[i] = content ? content->bytes : r->text[i] ? strlen(r->text[i]) : 0;
    }
}

/* The tokens that files list by id: added_tokens_decoder of the configuration, {"id": token}, or the
 * older added_tokens.json, {"content": id}. */
typedef struct listing {
    const pl__node *by_id, *by_content; /* NULL: none; never both */
} listing;

static bool is_listed(const listing *list, const char *text, size_t n)
{
    for (const pl__node *t = list->by_id ? list->by_id->child : NULL; t; t = t->next) {
        const pl__node *content = content_of(t);
        if (content && content->bytes == n && memcmp(content->text, text, n) == 0)
            return true;
    }
    for (const pl__node *t = list->by_content ? list->by_content->child : NULL; t; t = t->next)
        if (t->key_bytes == n && memcmp(t->key, text, n) == 0)
            return true;
    return false;
}

static bool is_role(const roles *r, const char *text, size_t n)
{
    for (int i = 0; i < ROLES; i++)
        if (r->text[i] && r->n[i] == n && memcmp(r->text[i], text, n) == 0)
            return true;
    return false;
}

/* One content may have two roles; with other flags it is said twice, and the later holds. */
static bool is_same_role(const roles *r, int a, int b)
{
    static const char *const flags[] = {"single_word", "lstrip", "rstrip", "normalized"};
    if (!r->text[b] || r->n[a] != r->n[b] || memcmp(r->text[a], r->text[b], r->n[a]) != 0)
        return false;
    bool object = r->node[a] && r->node[a]->kind == PL_JSON_OBJECT, other = r->node[b] && r->node[b]->kind == PL_JSON_OBJECT;
    for (size_t i = 0; object && other && i < PL_COUNT(flags); i++)
        if (is_true(r->node[a], flags[i], false) != is_true(r->node[b], flags[i], false))
            return false;
    return object == other;
}

/* By ascending id; of one id the last. */
static pl_status write_listed(pl__load *l, writer *w, const char *folder, const pl__node *list, const roles *r)
{
    for (uint64_t from = 0;;) {
        const pl__node *next = NULL;
        uint64_t least = UINT64_MAX, id = 0;
        for (const pl__node *t = list ? list->child : NULL; t; t = t->next) {
            if (!pl__tree_number(t, UINT32_MAX, &id))
                return pl_fail(l->e, PL_BAD_INPUT, "%s: added_tokens.json: \"%.200s\" has no id, a whole number would be right", folder, t->key);
            if (id >= from && id <= least) {
                least = id;
                next = t;
            }
        }
        if (!next || w->full)
            return PL_OK;
        bool special = is_role(r, next->key, next->key_bytes);
        put_added(w, NULL, next->key, next->key_bytes, false, !special, special);
        from = least + 1;
    }
}

static void write_extra(writer *w, const listing *listed, const pl__node *extra)
{
    for (const pl__node *t = extra && extra->kind == PL_JSON_ARRAY ? extra->child : NULL; t; t = t->next) {
        const pl__node *content = content_of(t);
        if (content && !is_listed(listed, content->text, content->bytes))
            put_added(w, t->kind == PL_JSON_OBJECT ? t : NULL, content->text, content->bytes, false, false, true);
    }
}

/* Tokens that the configuration lists by id come first, then those of the roles, then the additional
 * ones. What is said twice is taken once by the reader. */
static pl_status write_added(pl__load *l, writer *w, const char *folder, const recipe *how, const pl__node *config, const listing *listed, const roles *r)
{
    put(w, "\"added_tokens\":[");
    pl_status status = write_listed(l, w, folder, listed->by_content, r);
    if (status)
        return status;
    for (const pl__node *t = listed->by_id ? listed->by_id->child : NULL; t; t = t->next) {
        const pl__node *content = content_of(t), *special = pl__tree_get(t, "special");
        bool is_special = special && special->kind == PL_JSON_TRUE;
        if (content)
            put_added(w, t, content->text, content->bytes, false, !is_special, is_special);
    }
    for (int i = 0; i < ROLES; i++) {
        bool there = !r->text[i] || is_listed(listed, r->text[i], r->n[i]);
        for (int j = 0; j < i; j++)
            there |= r->text[i] && is_same_role(r, i, j);
        if (!there)
            put_added(w, r->node[i] && r->node[i]->kind == PL_JSON_OBJECT ? r->node[i] : NULL, r->text[i], r->n[i], how->mpnet && i == MASK, false, true);
    }
    write_extra(w, listed, pl__tree_get(config, "additional_special_tokens"));
    write_extra(w, listed, pl__tree_get(config, "extra_special_tokens"));
    put(w, "]");
    return PL_OK;
}

static pl_status write_post(pl__load *l, writer *w, const char *folder, const recipe *how, const pl__node *config, const roles *r)
{
    const int ends[] = {CLS, SEP};
    uint32_t ids[2];
    for (int i = 0; i < 2; i++) {
        const pl__vocab *v = &l->t->model.vocab;
        uint32_t entry = pl__vocab_find(v, r->text[ends[i]], r->n[ends[i]]);
        if (entry == PL__NONE)
            return pl_fail(l->e, PL_BAD_INPUT, "%s: the vocabulary has no \"%s\", which stands around every text", folder, r->text[ends[i]]);
        ids[i] = pl__vocab_id(v, entry);
    }
    const pl__node *trim = pl__tree_get(config, "trim_offsets"), *prefix = pl__tree_get(config, "add_prefix_space");
    put(w, ",\"post_processor\":{\"sep\":[");
    put_string(w, r->text[SEP], r->n[SEP]);
    put(w, ",%u],\"cls\":[", ids[1]);
    put_string(w, r->text[CLS], r->n[CLS]);
    put(w, ",%u]", ids[0]);
    if (how->roberta)
        put(w, ",\"trim_offsets\":%s,\"add_prefix_space\":%s", trim && trim->kind == PL_JSON_FALSE ? "false" : "true",
            prefix && prefix->kind == PL_JSON_TRUE ? "true" : "false");
    put(w, "}");
    return PL_OK;
}

static void write_stages(writer *w, const recipe *how, const pl__node *config)
{
    if (how->bpe) {
        put(w, ",\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":%s,\"trim_offsets\":true,\"use_regex\":true}",
            is_true(config, "add_prefix_space", false) ? "true" : "false");
        return;
    }
    const pl__node *accents = pl__tree_get(config, "strip_accents");
    const char *strip = !accents || accents->kind == PL_JSON_NULL ? "null" : accents->kind == PL_JSON_TRUE ? "true" : "false";
    put(w, ",\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":%s,\"strip_accents\":%s,\"lowercase\":%s}",
        is_true(config, "tokenize_chinese_chars", true) ? "true" : "false", strip, is_true(config, "do_lower_case", true) ? "true" : "false");
    put(w, ",\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}");
}

static void write_model(writer *w, const recipe *how, const roles *r)
{
    put(w, ",\"model\":{");
    if (!how->bpe) {
        put(w, "\"type\":\"WordPiece\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,\"unk_token\":");
        put_string(w, r->text[UNK], r->n[UNK]);
    } else {
        put(w, "\"type\":\"BPE\"");
    }
    put(w, "}");
}

/* ---- the vocabulary ---- */

static size_t trim_end(const char *text, size_t n)
{
    uint32_t c;
    while (n > 0) {
        size_t width = pl__decode_before(text, n, &c);
        if (!(pl__class(c) & PL__WHITE))
            break;
        n -= width;
    }
    return n;
}

/* Goes through the lines of a file: counts them, or adds them. */
static pl_status each_line(pl__load *l, const char *path, bool adds)
{
    pl__text_lines lines;
    const char *text;
    size_t n;
    pl_status status = pl__text_lines_open(&lines, path, &l->t->memory.face, l->e);
    if (status)
        return status;
    while (!(status = pl__text_lines_next(&lines, &text, &n, l->e))) {
        n = trim_end(text, n);
        if (!adds) {
            l->vocab_count++;
            l->vocab_bytes += n;
        } else if (!pl__vocab_add(&l->t->model.vocab, text, n, l->t->model.vocab.count)) {
            status = pl_fail(l->e, PL_BAD_INPUT, "%s: changed while it was read", path);
            break;
        }
    }
    pl__text_lines_close(&lines);
    return status == PL_END ? PL_OK : status;
}

static pl_status read_lines(pl__load *l)
{
    pl__vocab *v = &l->t->model.vocab;
    pl_status status = each_line(l, l->path, false);
    if (status)
        return status;
    if (l->vocab_count == 0 || l->vocab_count >= 1u << 30 || l->vocab_bytes >= UINT32_MAX)
        return pl_fail(l->e, PL_BAD_INPUT, "%s: has %llu tokens", l->path, (unsigned long long)l->vocab_count);
    if (!pl__vocab_init(v, &l->t->region, &l->scratch, (size_t)l->vocab_count, (size_t)l->vocab_bytes))
        return pl__load_no_memory(l);
    status = each_line(l, l->path, true);
    pl__vocab_clash clash;
    if (!status && (status = pl__vocab_finish(v, &l->t->region, true, &clash)))
        return status == PL_MACHINE ? pl__load_no_memory(l) : pl__load_clash(l, &clash);
    return status;
}

/* ---- all of it ---- */

static pl_status read_written(pl__load *l, const writer *w)
{
    pl_json_walker *walker;
    pl_json_limits limits = pl__load_limits();
    pl_status status = pl_json_open_text(w->text, w->n, l->path, &limits, &l->t->memory.face, &walker, l->e);
    if (status)
        return status;
    status = pl__load_parts(l, walker);
    pl_json_close(walker);
    return status;
}

/* A configuration of before tokens were listed in it has two files beside it; what the first of them
 * says of a key goes before what the configuration says. */
static pl_status read_older(pl__load *l, const char *folder, pl__node **config, listing *listed)
{
    char path[PATH_BYTES];
    pl__node *map = NULL, *added = NULL;
    *listed = (listing){.by_id = pl__tree_get(*config, "added_tokens_decoder")};
    if (listed->by_id)
        return PL_OK;
    pl_status status = read_tree(l, folder, "special_tokens_map.json", path, &map);
    if (!status)
        status = read_tree(l, folder, "added_tokens.json", path, &added);
    listed->by_content = added;
    pl__node **end = map ? &map->child : NULL;
    while (end && *end)
        end = &(*end)->next;
    if (end && *config)
        *end = (*config)->child;
    if (map)
        *config = map;
    return status;
}

static pl_status put_together(pl__load *l, const char *folder, const recipe *how, pl__node *config, const char *merges)
{
    roles r;
    listing listed;
    writer w = {.text = pl_region_take(&l->scratch, JSON_BYTES)};
    if (!w.text)
        return pl__load_no_memory(l);
    pl_status status = read_older(l, folder, &config, &listed);
    if (status)
        return status;
    find_roles(how, config, &r);
    l->t->model.kind = how->bpe ? PL__BPE : PL__WORDPIECE;
    status = how->bpe ? pl__load_vocab_file(l) : read_lines(l);
    if (status)
        return status;
    put(&w, "{");
    status = write_added(l, &w, folder, how, config, &listed, &r);
    if (!status && how->post)
        status = write_post(l, &w, folder, how, config, &r);
    write_stages(&w, how, config);
    write_model(&w, how, &r);
    put(&w, "}");
    if (!status && w.full)
        status = pl_fail(l->e, PL_BAD_INPUT, "%s: has more added tokens than are read without a tokenizer.json, which would be right", folder);
    if (!status)
        status = read_written(l, &w);
    l->has_vocab = true;
    l->has_merges = how->bpe;
    if (!status)
        status = pl__load_model(l);
    if (!status && how->bpe)
        status = pl__load_merges_file(l, merges);
    return status ? status : pl__load_stages(l);
}

pl_status pl__load_folder(pl__load *l, const char *folder)
{
    char vocab[PATH_BYTES], merges[PATH_BYTES], path[PATH_BYTES];
    struct stat s;
    bool bpe = false;
    snprintf(vocab, sizeof vocab, "%.4000s/vocab.txt", folder);
    snprintf(merges, sizeof merges, "%.4000s/merges.txt", folder);
    if (stat(vocab, &s) != 0) {
        snprintf(vocab, sizeof vocab, "%.4000s/vocab.json", folder);
        bpe = true;
        if (stat(vocab, &s) != 0 || stat(merges, &s) != 0)
            return pl_fail(l->e, PL_BAD_INPUT, "%s: has no tokenizer.json, and neither a vocab.txt nor vocab.json with merges.txt", folder);
    }
    pl__node *config = NULL;
    const recipe *how = NULL;
    pl_status status = read_tree(l, folder, "tokenizer_config.json", path, &config);
    if (!status)
        status = find_recipe(l, folder, config, bpe, &how);
    if (!(l->path = pl_region_string(&l->scratch, vocab, strlen(vocab))))
        return pl_fail_no_memory(l->e, sizeof vocab, folder);
    l->t->file = bpe ? "vocab.json" : "vocab.txt";
    return status || !how ? status : put_together(l, folder, how, config, merges);
}
