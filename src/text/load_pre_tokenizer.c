/* The pre-tokenizer of tokenizer.json, sequences laid flat. */
#include "text/load.h"

#include <stdio.h>
#include <string.h>

enum { PLACE_BYTES = 96 };

typedef pl_status (*parser)(pl__load *l, const char *where, const pl__node *node, pl__splitter *out);

static pl_status parse_bert(pl__load *l, const char *where, const pl__node *node, pl__splitter *out)
{
    (void)l, (void)where, (void)node;
    out->kind = PL__SPLIT_BERT;
    return PL_OK;
}

static const struct {
    const char *name;
    parser parse;
} kinds[] = {
    {"BertPreTokenizer", parse_bert},
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
    pl__splitter *out = t->splitters = pl_region_take(&t->region, t->splitter_count * sizeof *t->splitters);
    return out ? parse(l, "pre_tokenizer", node, &out) : pl__load_no_memory(l);
}
