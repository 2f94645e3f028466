/* The pre-tokenizer of tokenizer.json, sequences laid flat. */
#include "text/load.h"
#include "text/regex.h"
#include "text/unicode.h"

#include <stdio.h>
#include <string.h>

enum { PLACE_BYTES = 96 };

typedef pl_status (*parser)(pl__load *l, const char *where, const pl__node *node, pl__splitter *out);

#define SIMPLE(name, its_kind)                                                                       \
    static pl_status name(pl__load *l, const char *where, const pl__node *node, pl__splitter *out) \
    {                                                                                              \
        (void)l, (void)where, (void)node;                                                          \
        out->kind = its_kind;                                                                      \
        return PL_OK;                                                                              \
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

static pl_status parse_delimiter(pl__load *l, const char *where, const pl__node *node, pl__splitter *out)
{
    out->kind = PL__SPLIT_DELIMITER;
    return parse_character(l, where, node, "delimiter", &out->character);
}

static const char gpt2_pattern[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static pl_status parse_byte_level(pl__load *l, const char *where, const pl__node *node, pl__splitter *out)
{
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
static pl_status parse_metaspace(pl__load *l, const char *where, const pl__node *node, pl__splitter *out)
{
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

static pl_status parse_punctuation(pl__load *l, const char *where, const pl__node *node, pl__splitter *out)
{
    out->kind = PL__SPLIT_PUNCTUATION;
    return parse_behavior(l, where, node, false, &out->behavior);
}

static pl_status parse_split(pl__load *l, const char *where, const pl__node *node, pl__splitter *out)
{
    out->kind = PL__SPLIT_PATTERN;
    pl_status status = pl__load_pattern(l, where, pl__tree_get(node, "pattern"), &out->regex, &out->text, &out->text_bytes);
    if (!status)
        status = parse_behavior(l, where, node, true, &out->behavior);
    return status ? status : pl__tree_bool((pl__place){l->path, where}, node, "invert", true, &out->invert, l->e);
}

static pl_status parse_digits(pl__load *l, const char *where, const pl__node *node, pl__splitter *out)
{
    out->kind = PL__SPLIT_DIGITS;
    return pl__tree_bool((pl__place){l->path, where}, node, "individual_digits", true, &out->individual, l->e);
}

static pl_status parse_fixed(pl__load *l, const char *where, const pl__node *node, pl__splitter *out)
{
    out->kind = PL__SPLIT_FIXED;
    out->length = 5;
    pl_status status = pl__tree_whole((pl__place){l->path, where}, node, "length", false, UINT64_MAX, &out->length, l->e);
    return !status && out->length == 0 ? PL__REFUSE(l, where, "\"length\" must not be 0") : status;
}

static const struct {
    const char *name;
    parser parse;
} kinds[] = {
    {"BertPreTokenizer", parse_bert}, {"ByteLevel", parse_byte_level}, {"CharDelimiterSplit", parse_delimiter}, {"Metaspace", parse_metaspace},
    {"Whitespace", parse_words}, {"WhitespaceSplit", parse_whitespace}, {"Split", parse_split}, {"Punctuation", parse_punctuation},
    {"Digits", parse_digits}, {"UnicodeScripts", parse_scripts}, {"FixedLength", parse_fixed},
};

static const char *type_of(const pl__node *node)
{
    const pl__node *type = pl__tree_get(node, "type");
    return type && type->kind == PL_JSON_STRING ? type->text : NULL;
}

static bool is_sequence(const pl__node *node)
{
    const char *type = type_of(node);
    return type && strcmp(type, "Sequence") == 0;
}

/* How many steps a tree has. */
static uint32_t count(const pl__node *node)
{
    if (!is_sequence(node))
        return 1;
    uint32_t n = 0;
    const pl__node *list = pl__tree_get(node, "pretokenizers");
    for (const pl__node *child = list ? list->child : NULL; child; child = child->next)
        n += count(child);
    return n;
}

static pl_status parse(pl__load *l, const char *where, const pl__node *node, pl__splitter **out);

static pl_status parse_sequence(pl__load *l, const char *where, const pl__node *node, pl__splitter **out)
{
    const pl__node *list = pl__tree_get(node, "pretokenizers");
    if (!list || list->kind != PL_JSON_ARRAY)
        return PL__REFUSE(l, where, "a Sequence needs a list of \"pretokenizers\"");
    uint32_t i = 0;
    for (const pl__node *child = list->child; child; child = child->next) {
        char inner[PLACE_BYTES];
        snprintf(inner, sizeof inner, "%.60s[%u]", where, i++);
        pl_status status = parse(l, inner, child, out);
        if (status)
            return status;
    }
    return PL_OK;
}

static pl_status parse(pl__load *l, const char *where, const pl__node *node, pl__splitter **out)
{
    if (node->kind != PL_JSON_OBJECT)
        return PL__REFUSE(l, where, "must be an object");
    if (is_sequence(node))
        return parse_sequence(l, where, node, out);
    const char *type = type_of(node);
    if (!type)
        return PL__REFUSE(l, where, "has no \"type\"");
    for (size_t i = 0; i < PL_COUNT(kinds); i++)
        if (strcmp(type, kinds[i].name) == 0)
            return kinds[i].parse(l, where, node, (*out)++);
    return PL__REFUSE(l, where, "the type \"%s\" is not supported", type);
}

pl_status pl__load_pre_tokenizer(pl__load *l)
{
    const pl__node *node = l->pre_tokenizer;
    if (!node || node->kind == PL_JSON_NULL)
        return PL_OK;
    pl_tokenizer *t = l->t;
    t->splitter_count = count(node);
    if (t->splitter_count > PL__MOST_SPLITTERS)
        return PL__REFUSE(l, "pre_tokenizer", "more than %d steps are not supported", PL__MOST_SPLITTERS);
    pl__splitter *out = t->splitters = pl_region_take(&t->region, t->splitter_count * sizeof *t->splitters);
    return out ? parse(l, "pre_tokenizer", node, &out) : pl__load_no_memory(l);
}
