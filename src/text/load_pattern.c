/* The pattern of a Replace or a Split. */
#include "text/load.h"
#include "text/regex.h"

pl_status pl__load_pattern(pl__load *l, const char *where, const pl__node *node, const pl__regex **regex, const char **text, size_t *n)
{
    const pl__node *pattern = node && node->kind == PL_JSON_OBJECT ? node->child : NULL;
    bool is_regex = pl__tree_get(node, "Regex") == pattern, is_text = pl__tree_get(node, "String") == pattern;
    if (!pattern || pattern->next || pattern->kind != PL_JSON_STRING || !(is_regex || is_text))
        return PL__REFUSE(l, where, "\"pattern\" must be {\"String\": text} or {\"Regex\": expression}");
    if (is_text) {
        *text = pl__keep(l, pattern->text, pattern->bytes);
        *n = pattern->bytes;
        return *text ? PL_OK : pl__load_no_memory(l);
    }
    char why[128];
    pl_status status = pl__regex_compile(&l->t->region, &l->scratch, pattern->text, pattern->bytes, regex, why);
    if (status)
        return status == PL_MACHINE ? pl__load_no_memory(l) : PL__REFUSE(l, where, "the regular expression \"%s\": %s", pattern->text, why);
    return PL_OK;
}
