/* The pre-tokenizer of tokenizer.json, sequences laid flat. */
#include "text/load.h"
#include "text/regex.h"
#include "text/unicode.h"

#include <stdio.h>
#include <string.h>

#define SIMPLE(name, its_kind)                                                            \
    static pl_status name(pl__load *l, const char *where, const pl__node *node, void *to) \
    {                                                                                     \
        (void)l, (void)where, (void)node;                                                 \
        ((pl__splitter *)to)->kind = its_kind;                                            \
        return PL_OK;                                                                     \
    }
SIMPLE(parse_bert, PL__SPLIT_BERT)
SIMPLE(parse_words, PL__SPLIT_WORDS)
SIMPLE(parse_whitespace, PL__SPLIT_WHITESPACE)
SIMPLE(parse_scripts, PL__SPLIT_SCRIPTS)

/* A member that is one character. */
static pl_status parse_character(pl__load *l, const char *where, const pl__node *node, const char *key, uint32_t *out)
{
    const char *text = NULL;
    size_t n = 0;
    pl_status status = pl__tree_text((pl__place){l->path, where}, node, key, true, &text, &n, l->e);
    if (!status && (n == 0 || pl__width(*text) != n))
        return PL__REFUSE(l, where, "\"%s\" must be one character", key);
    if (!status)
        pl__decode(text, out);
    return status;
}

static pl_status parse_delimiter(pl__load *l, const char *where, const pl__node *node, void *to)
{
    pl__splitter *out = to;
    out->kind = PL__SPLIT_DELIMITER;
    return parse_character(l, where, node, "delimiter", &out->character);
}

static const char gpt2_pattern[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static pl_status parse_byte_level(pl__load *l, const char *where, const pl__node *node, void *to)
{
    pl__splitter *out = to;
    pl__place at = {l->path, where};
    bool unused = false;
    out->kind = PL__SPLIT_BYTE_LEVEL;
    out->use_regex = true;
    pl_status status = pl__tree_bool(at, node, "add_prefix_space", true, &out->prefix_space, l->e);
    if (!status)
        status = pl__tree_bool(at, node, "trim_offsets", true, &unused, l->e);
    if (!status)
        status = pl__tree_bool(at, node, "use_regex", false, &out->use_regex, l->e);
    char why[128];
    if (!status && out->use_regex && (status = pl__regex_compile(&l->t->region, &l->scratch, gpt2_pattern, sizeof gpt2_pattern - 1, &out->regex, why)))
        return status == PL_MACHINE ? pl__load_no_memory(l) : PL__REFUSE(l, where, "%s", why);
    return status;
}

/* "prepend_scheme" came after "add_prefix_space", which still may stand there. */
static pl_status parse_metaspace(pl__load *l, const char *where, const pl__node *node, void *to)
{
    pl__splitter *out = to;
    pl__place at = {l->path, where};
    const pl__node *scheme = pl__tree_get(node, "prepend_scheme"), *prefix = pl__tree_get(node, "add_prefix_space"), *split = pl__tree_get(node, "split");
    bool prefix_space = true;
    out->kind = PL__SPLIT_METASPACE;
    out->prepend = PL__PREPEND_ALWAYS;
    out->split = true;
    pl_status status = parse_character(l, where, node, "replacement", &out->character);
    if (!status && prefix && prefix->kind != PL_JSON_NULL)
        status = pl__tree_bool(at, node, "add_prefix_space", true, &prefix_space, l->e);
    if (!status && split && split->kind != PL_JSON_NULL)
        status = pl__tree_bool(at, node, "split", true, &out->split, l->e);
    if (status)
        return status;
    if (PL__TREE_IS(scheme, "first"))
        out->prepend = PL__PREPEND_FIRST;
    else if (PL__TREE_IS(scheme, "never"))
        out->prepend = PL__PREPEND_NEVER;
    else if (scheme && !PL__TREE_IS(scheme, "always"))
        return PL__REFUSE(l, where, "\"prepend_scheme\" must be always, first or never");
    if (!prefix_space && out->prepend != PL__PREPEND_NEVER)
        return PL__REFUSE(l, where, "\"add_prefix_space\" false does not go with its \"prepend_scheme\", which would have to be never");
    return PL_OK;
}

static pl_status parse_behavior(pl__load *l, const char *where, const pl__node *node, bool needed, pl__behavior *out)
{
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
    const pl__node *behavior = pl__tree_get(node, "behavior");
    *out = PL__ISOLATED;
    if (!behavior && !needed)
        return PL_OK;
    for (size_t i = 0; i < PL_COUNT(names); i++)
        if (pl__tree_is(behavior, names[i], strlen(names[i]))) {
            *out = (pl__behavior)i;
            return PL_OK;
        }
    return PL__REFUSE(l, where, "\"behavior\" must be Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

static pl_status parse_punctuation(pl__load *l, const char *where, const pl__node *node, void *to)
{
    pl__splitter *out = to;
    out->kind = PL__SPLIT_PUNCTUATION;
    return parse_behavior(l, where, node, false, &out->behavior);
}

static pl_status parse_split(pl__load *l, const char *where, const pl__node *node, void *to)
{
    pl__splitter *out = to;
    out->kind = PL__SPLIT_PATTERN;
    pl_status status = pl__load_pattern(l, where, pl__tree_get(node, "pattern"), &out->regex, &out->text, &out->text_bytes);
    if (!status)
        status = parse_behavior(l, where, node, true, &out->behavior);
    return status ? status : pl__tree_bool((pl__place){l->path, where}, node, "invert", true, &out->invert, l->e);
}

static pl_status parse_digits(pl__load *l, const char *where, const pl__node *node, void *to)
{
    pl__splitter *out = to;
    out->kind = PL__SPLIT_DIGITS;
    return pl__tree_bool((pl__place){l->path, where}, node, "individual_digits", true, &out->individual, l->e);
}

static pl_status parse_fixed(pl__load *l, const char *where, const pl__node *node, void *to)
{
    pl__splitter *out = to;
    out->kind = PL__SPLIT_FIXED;
    out->length = 5;
    pl_status status = pl__tree_whole((pl__place){l->path, where}, node, "length", false, UINT64_MAX, &out->length, l->e);
    return !status && out->length == 0 ? PL__REFUSE(l, where, "\"length\" must not be 0") : status;
}

static const pl__step kinds[] = {
    {"BertPreTokenizer", parse_bert},
    {"ByteLevel", parse_byte_level},
    {"CharDelimiterSplit", parse_delimiter},
    {"Metaspace", parse_metaspace},
    {"Whitespace", parse_words},
    {"WhitespaceSplit", parse_whitespace},
    {"Split", parse_split},
    {"Punctuation", parse_punctuation},
    {"Digits", parse_digits},
    {"UnicodeScripts", parse_scripts},
    {"FixedLength", parse_fixed},
    {NULL, NULL},
};

pl_status pl__load_pre_tokenizer(pl__load *l)
{
    static const pl__steps steps = {"pretokenizers", sizeof(pl__splitter), kinds, NULL};
    const pl__node *node = l->pre_tokenizer;
    if (!node || node->kind == PL_JSON_NULL)
        return PL_OK;
    pl_tokenizer *t = l->t;
    t->splitter_count = pl__load_count_steps(&steps, node);
    if (t->splitter_count > PL__MOST_SPLITTERS)
        return PL__REFUSE(l, "pre_tokenizer", "more than %d steps are not supported", PL__MOST_SPLITTERS);
    t->splitters = pl_region_take(&t->region, t->splitter_count * sizeof *t->splitters);
    char *out = (char *)t->splitters;
    return out ? pl__load_steps(l, &steps, "pre_tokenizer", node, &out) : pl__load_no_memory(l);
}
