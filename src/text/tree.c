#include "text/tree.h"

#include <string.h>

enum { MOST_MEMBERS = 4096 }; /* each new key is compared with those before it */

static pl__node *make_node(pl_json_walker *w, pl_json_event event, pl_region *region)
{
    size_t key_bytes, bytes;
    const char *key = pl_json_key(w, &key_bytes), *text = pl_json_scalar(w, &bytes);
    pl__node *node = pl_region_take(region, sizeof *node);
    if (!node)
        return NULL;
    *node = (pl__node){.kind = event, .key_bytes = key_bytes, .bytes = bytes};
    if (key && !(node->key = pl_region_string(region, key, key_bytes)))
        return NULL;
    if (text && !(node->text = pl_region_string(region, text, bytes)))
        return NULL;
    return node;
}

static pl_status read_members(pl_json_walker *w, pl__node *parent, pl_region *region, pl_error *e)
{
    pl__node **link = &parent->child;
    for (size_t members = 0;; members++) {
        pl_json_event event;
        pl_status status = pl_json_next(w, &event, e);
        if (status)
            return status;
        if (event == PL_JSON_END)
            return PL_OK;
        size_t n;
        const char *key = pl_json_key(w, &n);
        if (key && members == MOST_MEMBERS)
            return pl_json_fail(w, e, "more than %d members in one object", MOST_MEMBERS);
        for (const pl__node *other = key ? parent->child : NULL; other; other = other->next)
            if (other->key && other->key_bytes == n && memcmp(other->key, key, n) == 0)
                return pl_json_fail(w, e, "the key \"%s\" stands twice in one object", key);
        status = pl__tree_read(w, event, region, link, e);
        if (status || !*link)
            return status;
        link = &(*link)->next;
    }
}

pl_status pl__tree_read(pl_json_walker *w, pl_json_event event, pl_region *region, pl__node **out, pl_error *e)
{
    pl__node *node = make_node(w, event, region);
    if (!node)
        return pl_fail_no_memory(e, sizeof *node, "the tokenizer");
    *out = node;
    return event == PL_JSON_OBJECT || event == PL_JSON_ARRAY ? read_members(w, node, region, e) : PL_OK;
}

const pl__node *pl__tree_get(const pl__node *object, const char *key)
{
    if (object && object->kind == PL_JSON_OBJECT)
        for (const pl__node *node = object->child; node; node = node->next)
            if (strcmp(node->key, key) == 0 && strlen(key) == node->key_bytes)
                return node;
    return NULL;
}

static pl_status missing(pl__place at, const char *key, bool needed, pl_error *e)
{
    return needed ? pl_fail(e, PL_BAD_INPUT, "%s: %s: \"%s\" is missing", at.file, at.where, key) : PL_OK;
}

pl_status pl__tree_bool(pl__place at, const pl__node *object, const char *key, bool needed, bool *out, pl_error *e)
{
    const pl__node *node = pl__tree_get(object, key);
    if (!node)
        return missing(at, key, needed, e);
    if (node->kind != PL_JSON_TRUE && node->kind != PL_JSON_FALSE)
        return pl_fail(e, PL_BAD_INPUT, "%s: %s: \"%s\" must be true or false", at.file, at.where, key);
    *out = node->kind == PL_JSON_TRUE;
    return PL_OK;
}

bool pl__tree_number(const pl__node *node, uint64_t most, uint64_t *out)
{
    if (!node || node->kind != PL_JSON_NUMBER)
        return false;
    uint64_t value = 0;
    for (const char *p = node->text; *p; p++)
        if (*p < '0' || *p > '9' || !pl_mul(value, 10, &value) || !pl_add(value, (uint64_t)(*p - '0'), &value))
            return false;
    *out = value;
    return value <= most;
}

pl_status pl__tree_whole(pl__place at, const pl__node *object, const char *key, bool needed, uint64_t most, uint64_t *out, pl_error *e)
{
    const pl__node *node = pl__tree_get(object, key);
    if (!node)
        return missing(at, key, needed, e);
    if (!pl__tree_number(node, most, out))
        return pl_fail(e, PL_BAD_INPUT, "%s: %s: \"%s\" must be a whole number from 0 to %llu", at.file, at.where, key, (unsigned long long)most);
    return PL_OK;
}

pl_status pl__tree_text(pl__place at, const pl__node *object, const char *key, bool needed, const char **out, size_t *n, pl_error *e)
{
    const pl__node *node = pl__tree_get(object, key);
    if (!node)
        return missing(at, key, needed, e);
    if (node->kind != PL_JSON_STRING)
        return pl_fail(e, PL_BAD_INPUT, "%s: %s: \"%s\" must be a string", at.file, at.where, key);
    *out = node->text;
    *n = node->bytes;
    return PL_OK;
}
