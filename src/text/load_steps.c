/* What normalizers and pre-tokenizers have in common: a tree of steps and Sequences of steps, which is
 * laid flat. */
#include "text/load.h"

#include <stdio.h>
#include <string.h>

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

uint32_t pl__load_count_steps(const pl__steps *steps, const pl__node *node)
{
    if (!is_sequence(node))
        return 1;
    uint32_t n = 0;
    const pl__node *list = pl__tree_get(node, steps->list);
    for (const pl__node *child = list ? list->child : NULL; child; child = child->next)
        n += pl__load_count_steps(steps, child);
    return n;
}

static pl_status parse_sequence(pl__load *l, const pl__steps *steps, const char *where, const pl__node *node, char **out)
{
    const pl__node *list = pl__tree_get(node, steps->list);
    if (!list || list->kind != PL_JSON_ARRAY)
        return PL__REFUSE(l, where, "a Sequence needs a list of \"%s\"", steps->list);
    uint32_t i = 0;
    for (const pl__node *child = list->child; child; child = child->next) {
        char inner[PL__WHERE_BYTES];
        snprintf(inner, sizeof inner, "%.60s[%u]", where, i++);
        pl_status status = pl__load_steps(l, steps, inner, child, out);
        if (status)
            return status;
    }
    return PL_OK;
}

pl_status pl__load_steps(pl__load *l, const pl__steps *steps, const char *where, const pl__node *node, char **out)
{
    if (node->kind != PL_JSON_OBJECT)
        return PL__REFUSE(l, where, "must be an object");
    if (is_sequence(node))
        return parse_sequence(l, steps, where, node, out);
    const char *type = type_of(node);
    if (!type && steps->guess)
        type = steps->guess(node);
    if (!type)
        return PL__REFUSE(l, where, "has no \"type\"");
    for (const pl__step *step = steps->kinds; step->name; step++)
        if (strcmp(type, step->name) == 0) {
            pl_status status = step->parse(l, where, node, *out);
            *out += steps->size;
            return status;
        }
    return PL__REFUSE(l, where, "the type \"%s\" is not supported", type);
}
