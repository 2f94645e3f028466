/* The normalizer of tokenizer.json, sequences laid flat. */
#include "text/load.h"

#include <stdio.h>
#include <string.h>

enum { PLACE_BYTES = 96 };

typedef pl_status (*parser)(pl__load *l, const char *where, const pl__node *node, pl__normalizer *out);

static pl_status parse_bert(pl__load *l, const char *where, const pl__node *node, pl__normalizer *out)
{
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

static pl_status parse_lowercase(pl__load *l, const char *where, const pl__node *node, pl__normalizer *out)
{
    (void)l, (void)where, (void)node;
    out->kind = PL__NORM_LOWERCASE;
    return PL_OK;
}

static const struct {
    const char *name;
    parser parse;
} kinds[] = {
    {"BertNormalizer", parse_bert},
    {"Lowercase", parse_lowercase},
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
    const pl__node *list = pl__tree_get(node, "normalizers");
    for (const pl__node *child = list ? list->child : NULL; child; child = child->next)
        n += count(child);
    return n;
}

static pl_status parse(pl__load *l, const char *where, const pl__node *node, pl__normalizer **out);

static pl_status parse_sequence(pl__load *l, const char *where, const pl__node *node, pl__normalizer **out)
{
    const pl__node *list = pl__tree_get(node, "normalizers");
    if (!list || list->kind != PL_JSON_ARRAY)
        return PL__REFUSE(l, where, "a Sequence needs a list of \"normalizers\"");
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

static pl_status parse(pl__load *l, const char *where, const pl__node *node, pl__normalizer **out)
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

pl_status pl__load_normalizer(pl__load *l)
{
    const pl__node *node = l->normalizer;
    if (!node || node->kind == PL_JSON_NULL)
        return PL_OK;
    pl_tokenizer *t = l->t;
    t->normalizer_count = count(node);
    pl__normalizer *out = t->normalizers = pl_region_take(&t->region, t->normalizer_count * sizeof *t->normalizers);
    return out ? parse(l, "normalizer", node, &out) : pl__load_no_memory(l);
}
