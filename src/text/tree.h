/* Small JSON values as a tree in a region: the parts of tokenizer.json that are not long lists. */
#ifndef PL_TEXT_TREE_H
#define PL_TEXT_TREE_H

#include "json/json.h"

typedef struct pl__node {
    pl_json_event kind;
    const char *key;  /* NULL in arrays; ends in '\0' */
    const char *text; /* of strings and numbers; ends in '\0' */
    size_t key_bytes, bytes;
    struct pl__node *child, *next; /* first member, next sibling */
} pl__node;

/* The value that the walker has just met. The same key twice in an object is refused. */
pl_status pl__tree_read(pl_json_walker *w, pl_json_event event, pl_region *region, pl__node **out, pl_error *e);

/* The member with this key, NULL if there is none. */
const pl__node *pl__tree_get(const pl__node *object, const char *key);
static inline bool pl__tree_is(const pl__node *node, const char *text, size_t n)
{
    return node && node->kind == PL_JSON_STRING && node->bytes == n && __builtin_memcmp(node->text, text, n) == 0;
}
#define PL__TREE_IS(node, literal) pl__tree_is(node, literal, sizeof literal - 1)

/* What a message calls a part: "tokenizer.json: normalizer". */
typedef struct pl__place {
    const char *file, *where;
} pl__place;

/* Typed members of an object. `needed`: absent is an error, else it leaves *out as it was. */
pl_status pl__tree_bool(pl__place at, const pl__node *object, const char *key, bool needed, bool *out, pl_error *e);
pl_status pl__tree_whole(pl__place at, const pl__node *object, const char *key, bool needed, uint64_t most, uint64_t *out, pl_error *e);
pl_status pl__tree_text(pl__place at, const pl__node *object, const char *key, bool needed, const char **out, size_t *n, pl_error *e);
/* A whole number 0 <= *out <= most. */
bool pl__tree_number(const pl__node *node, uint64_t most, uint64_t *out);

#endif
