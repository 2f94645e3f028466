/* The normalizer of tokenizer.json, sequences laid flat. */
#include "text/load.h"
#include "text/precompiled.h"

#include <stdio.h>
#include <string.h>

static pl_status parse_bert(pl__load *l, const char *where, const pl__node *node, void *to)
{
    pl__normalizer *out = to;
    pl__place at = {l->path, where};
    out->kind = PL__NORM_BERT;
    pl_status status = pl__tree_bool(at, node, "clean_text", true, &out->clean_text, l->e);
    if (!status)
        status = pl__tree_bool(at, node, "handle_chinese_chars", true, &out->chinese, l->e);
    if (!status)
        status = pl__tree_bool(at, node, "lowercase", true, &out->lowercase, l->e);
    out->strip_accents = out->lowercase;
    const pl__node *accents = pl__tree_get(node, "strip_accents");
    if (!status && accents && accents->kind != PL_JSON_NULL)
        status = pl__tree_bool(at, node, "strip_accents", true, &out->strip_accents, l->e);
    return status;
}

static pl_status parse_strip(pl__load *l, const char *where, const pl__node *node, void *to)
{
    pl__normalizer *out = to;
    pl__place at = {l->path, where};
    out->kind = PL__NORM_STRIP;
    pl_status status = pl__tree_bool(at, node, "strip_left", true, &out->left, l->e);
    return status ? status : pl__tree_bool(at, node, "strip_right", true, &out->right, l->e);
}

#define SIMPLE(name, its_kind)                                                            \
    static pl_status name(pl__load *l, const char *where, const pl__node *node, void *to) \
    {                                                                                     \
        (void)l, (void)where, (void)node;                                                 \
        ((pl__normalizer *)to)->kind = its_kind;                                          \
        return PL_OK;                                                                     \
    }
SIMPLE(parse_lowercase, PL__NORM_LOWERCASE)
SIMPLE(parse_strip_accents, PL__NORM_STRIP_ACCENTS)
SIMPLE(parse_nmt, PL__NORM_NMT)
SIMPLE(parse_byte_level, PL__NORM_BYTE_LEVEL)

/* NFD, NFC, NFKD, NFKC */
static pl_status parse_form(pl__load *l, const char *where, const pl__node *node, void *to)
{
    pl__normalizer *out = to;
    (void)l, (void)where;
    const char *type = pl__tree_get(node, "type")->text;
    out->kind = PL__NORM_FORM;
    out->compatible = type[2] == 'K';
    out->compose = strchr(type + 2, 'C') != NULL;
    return PL_OK;
}

static pl_status keep_text(pl__load *l, const char *where, const pl__node *node, const char *key, const char **out, size_t *n)
{
    pl_status status = pl__tree_text((pl__place){l->path, where}, node, key, true, out, n, l->e);
    if (!status && !(*out = pl__keep(l, *out, *n)))
        return pl__load_no_memory(l);
    return status;
}

static pl_status parse_prepend(pl__load *l, const char *where, const pl__node *node, void *to)
{
    pl__normalizer *out = to;
    out->kind = PL__NORM_PREPEND;
    return keep_text(l, where, node, "prepend", &out->content, &out->content_bytes);
}

static pl_status parse_replace(pl__load *l, const char *where, const pl__node *node, void *to)
{
    pl__normalizer *out = to;
    out->kind = PL__NORM_REPLACE;
    pl_status status = pl__load_pattern(l, where, pl__tree_get(node, "pattern"), &out->regex, &out->text, &out->text_bytes);
    return status ? status : keep_text(l, where, node, "content", &out->content, &out->content_bytes);
}

/* ---- the charsmap, in base 64 ---- */

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Writes what text[0..n) stands for and its length; false: it is no base 64. */
static bool decode_base64(const char *text, size_t n, unsigned char *out, size_t *bytes)
{
    if (n % 4)
        return false;
    size_t padding = n && text[n - 1] == '=' ? (text[n - 2] == '=' ? 2 : 1) : 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        int digit = i >= n - padding ? 0 : digit_of(text[i]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 == 3) {
            *out++ = (unsigned char)(bits >> 16);
            *out++ = (unsigned char)(bits >> 8);
            *out++ = (unsigned char)bits;
        }
    }
    *bytes = n / 4 * 3 - padding;
    return true;
}

static pl_status parse_precompiled(pl__load *l, const char *where, const pl__node *node, void *to)
{
    pl__normalizer *out = to;
    const char *text = NULL;
    size_t n = 0, bytes = 0;
    out->kind = PL__NORM_PRECOMPILED;
    pl_status status = pl__tree_text((pl__place){l->path, where}, node, "precompiled_charsmap", true, &text, &n, l->e);
    if (status)
        return status;
    pl__charsmap *map = pl_region_take(&l->t->region, sizeof *map);
    unsigned char *raw = pl_region_take(&l->t->region, n / 4 * 3 + 4);
    if (!map || !raw)
        return pl__load_no_memory(l);
    if (!decode_base64(text, n, raw, &bytes) || !pl__charsmap_parse(raw, bytes, map))
        return PL__REFUSE(l, where, "\"precompiled_charsmap\" is no character map of SentencePiece");
    out->charsmap = map;
    return PL_OK;
}

static const pl__step kinds[] = {
    {"BertNormalizer", parse_bert},
    {"Bert", parse_bert},
    {"Strip", parse_strip},
    {"StripAccents", parse_strip_accents},
    {"NFC", parse_form},
    {"NFD", parse_form},
    {"NFKC", parse_form},
    {"NFKD", parse_form},
    {"Lowercase", parse_lowercase},
    {"Nmt", parse_nmt},
    {"Precompiled", parse_precompiled},
    {"Replace", parse_replace},
    {"Prepend", parse_prepend},
    {"ByteLevel", parse_byte_level},
    {NULL, NULL},
};

/* Of before types were written: told by its members. */
static const char *guess(const pl__node *node)
{
    return pl__tree_get(node, "clean_text") ? "BertNormalizer" : pl__tree_get(node, "strip_left") ? "Strip" : NULL;
}

pl_status pl__load_normalizer(pl__load *l)
{
    static const pl__steps steps = {"normalizers", sizeof(pl__normalizer), kinds, guess};
    const pl__node *node = l->normalizer;
    if (!node || node->kind == PL_JSON_NULL)
        return PL_OK;
    pl_tokenizer *t = l->t;
    t->normalizer_count = pl__load_count_steps(&steps, node);
    t->normalizers = pl_region_take(&t->region, t->normalizer_count * sizeof *t->normalizers);
    char *out = (char *)t->normalizers;
    return out ? pl__load_steps(l, &steps, "normalizer", node, &out) : pl__load_no_memory(l);
}
