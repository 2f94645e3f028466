/* The post-processor of tokenizer.json: every kind becomes two templates (for one text and for a
 * pair) and a list of trims. */
#include "text/load.h"

#include <stdio.h>
#include <string.h>

enum { MOST_TYPE = 255 };

static pl_status make_template(pl__load *l, pl__template *out, const pl__part *parts, uint32_t count)
{
    pl__part *copy = pl_region_take(&l->t->region, count * sizeof *copy);
    if (!copy)
        return pl__load_no_memory(l);
    *out = (pl__template){copy, count, 0};
    for (uint32_t i = 0; i < count; i++) {
        copy[i] = parts[i];
        out->tokens += parts[i].kind == PL__PART_TOKEN;
        if (parts[i].kind == PL__PART_TOKEN && parts[i].id >= l->t->ids)
            l->t->ids = parts[i].id + 1;
    }
    return PL_OK;
}

static pl_status set_templates(pl__load *l, const char *where, const pl__part *single, uint32_t single_count, const pl__part *pair, uint32_t pair_count)
{
    pl__post *post = &l->t->post;
    if (post->single.parts)
        return PL__REFUSE(l, where, "a second processor that adds tokens is not supported");
    pl_status status = make_template(l, &post->single, single, single_count);
    return status ? status : make_template(l, &post->pair, pair, pair_count);
}

static const pl__part text_part = {PL__PART_TEXT, 0, 0}, pair_part = {PL__PART_PAIR, 0, 1};

/* ["[SEP]", 102] */
static pl_status parse_token(pl__load *l, const char *where, const pl__node *node, const char *key, uint32_t *id)
{
    const pl__node *list = pl__tree_get(node, key), *text = list && list->kind == PL_JSON_ARRAY ? list->child : NULL;
    uint64_t value = 0;
    if (!text || text->kind != PL_JSON_STRING || !pl__tree_number(text->next, PL__NONE - 1u, &value) || text->next->next)
        return PL__REFUSE(l, where, "\"%s\" must be [token, id]", key);
    *id = (uint32_t)value;
    return PL_OK;
}

static pl_status parse_bert(pl__load *l, const char *where, const pl__node *node)
{
    uint32_t cls = 0, sep = 0;
    pl_status status = parse_token(l, where, node, "cls", &cls);
    if (!status)
        status = parse_token(l, where, node, "sep", &sep);
    if (status)
        return status;
    pl__part first = {PL__PART_TOKEN, cls, 0}, end = {PL__PART_TOKEN, sep, 0}, pair_end = {PL__PART_TOKEN, sep, 1};
    pl__part parts[] = {first, text_part, end, pair_part, pair_end};
    return set_templates(l, where, parts, 3, parts, 5);
}

static pl_status add_trim(pl__load *l, const char *where, const pl__node *node)
{
    pl__place at = {l->path, where};
    pl__post *post = &l->t->post;
    bool trim = true, prefix_space = true;
    pl_status status = pl__tree_bool(at, node, "trim_offsets", true, &trim, l->e);
    if (!status)
        status = pl__tree_bool(at, node, "add_prefix_space", true, &prefix_space, l->e);
    if (status || !trim)
        return status;
    if (post->trim_count == PL__MOST_TRIMS)
        return PL__REFUSE(l, where, "more than %d processors that trim offsets are not supported", PL__MOST_TRIMS);
    post->trims[post->trim_count++] = prefix_space;
    return PL_OK;
}

static pl_status parse_roberta(pl__load *l, const char *where, const pl__node *node)
{
    uint32_t cls = 0, sep = 0;
    pl_status status = parse_token(l, where, node, "cls", &cls);
    if (!status)
        status = parse_token(l, where, node, "sep", &sep);
    if (!status)
        status = add_trim(l, where, node);
    if (status)
        return status;
    pl__part first = {PL__PART_TOKEN, cls, 0}, end = {PL__PART_TOKEN, sep, 0}, pair = {PL__PART_PAIR, 0, 0};
    pl__part parts[] = {first, text_part, end, end, pair, end};
    return set_templates(l, where, parts, 3, parts, 6);
}

/* ---- templates ---- */

static const pl__node *special_token(const pl__node *specials, const pl__node *id)
{
    for (const pl__node *s = specials->child; s; s = s->next)
        if (s->key_bytes == id->bytes && memcmp(s->key, id->text, id->bytes) == 0)
            return s;
    return NULL;
}

static pl_status parse_special(pl__load *l, const char *where, const pl__node *body, const pl__node *specials, pl__part part, pl__part **out)
{
    const pl__node *id = pl__tree_get(body, "id");
    if (!id || id->kind != PL_JSON_STRING)
        return PL__REFUSE(l, where, "a SpecialToken needs an \"id\"");
    const pl__node *special = special_token(specials, id);
    if (!special)
        return PL__REFUSE(l, where, "\"%s\" is not among its special_tokens", id->text);
    const pl__node *ids = pl__tree_get(special, "ids"), *tokens = pl__tree_get(special, "tokens");
    if (!ids || ids->kind != PL_JSON_ARRAY || !tokens || tokens->kind != PL_JSON_ARRAY)
        return PL__REFUSE(l, where, "the special token \"%s\" needs lists of \"ids\" and \"tokens\"", id->text);
    for (const pl__node *n = ids->child; n; n = n->next) {
        uint64_t value;
        if (!pl__tree_number(n, PL__NONE - 1u, &value))
            return PL__REFUSE(l, where, "the special token \"%s\" has an id that is no whole number", id->text);
        part.id = (uint32_t)value;
        *(*out)++ = part;
    }
    return PL_OK;
}

/* {"SpecialToken": {"id": "[CLS]", "type_id": 0}} or {"Sequence": {"id": "A", "type_id": 0}} */
static pl_status parse_piece(pl__load *l, const char *where, const pl__node *piece, const pl__node *specials, bool pair, pl__part **out)
{
    const pl__node *special = pl__tree_get(piece, "SpecialToken"), *sequence = pl__tree_get(piece, "Sequence");
    const pl__node *body = special ? special : sequence;
    if (!body || body->kind != PL_JSON_OBJECT)
        return PL__REFUSE(l, where, "a piece must be a SpecialToken or a Sequence");
    uint64_t type = 0;
    if (!pl__tree_number(pl__tree_get(body, "type_id"), MOST_TYPE, &type))
        return PL__REFUSE(l, where, "a piece needs a \"type_id\" from 0 to %d", MOST_TYPE);
    pl__part part = {PL__PART_TOKEN, 0, (uint8_t)type};
    if (special)
        return parse_special(l, where, body, specials, part, out);
    const pl__node *id = pl__tree_get(body, "id");
    bool a = PL__TREE_IS(id, "A"), b = PL__TREE_IS(id, "B");
    if (!a && !b)
        return PL__REFUSE(l, where, "a Sequence has the \"id\" A or B");
    if (b && !pair)
        return PL__REFUSE(l, where, "asks for the second text of a single one");
    part.kind = a ? PL__PART_TEXT : PL__PART_PAIR;
    *(*out)++ = part;
    return PL_OK;
}

static size_t most_parts(const pl__node *list, const pl__node *specials)
{
    size_t longest = 1, n = 0;
    for (const pl__node *s = specials->child; s; s = s->next) {
        const pl__node *ids = pl__tree_get(s, "ids");
        size_t here = 0;
        for (const pl__node *i = ids ? ids->child : NULL; i; i = i->next)
            here++;
        longest = pl_max(longest, here);
    }
    for (const pl__node *p = list->child; p; p = p->next)
        n++;
    return n * longest;
}

static pl_status parse_list(pl__load *l, const char *where, const pl__node *node, const char *key, pl__part **parts, uint32_t *count)
{
    const pl__node *list = pl__tree_get(node, key), *specials = pl__tree_get(node, "special_tokens");
    char inner[PL__WHERE_BYTES];
    snprintf(inner, sizeof inner, "%.60s.%s", where, key);
    if (!list || list->kind != PL_JSON_ARRAY)
        return PL__REFUSE(l, inner, "must be a list of pieces");
    if (!specials || specials->kind != PL_JSON_OBJECT)
        return PL__REFUSE(l, where, "\"special_tokens\" must be an object");
    size_t most = most_parts(list, specials);
    if (most > 1 << 16)
        return PL__REFUSE(l, inner, "has more than %d pieces", 1 << 16);
    pl__part *out = *parts = pl_region_take(&l->scratch, most * sizeof *out);
    if (!out)
        return pl__load_no_memory(l);
    for (const pl__node *piece = list->child; piece; piece = piece->next) {
        pl_status status = parse_piece(l, inner, piece, specials, strcmp(key, "pair") == 0, &out);
        if (status)
            return status;
    }
    *count = (uint32_t)(out - *parts);
    return PL_OK;
}

static pl_status parse_template(pl__load *l, const char *where, const pl__node *node)
{
    pl__part *single = NULL, *pair = NULL;
    uint32_t single_count = 0, pair_count = 0;
    pl_status status = parse_list(l, where, node, "single", &single, &single_count);
    if (!status)
        status = parse_list(l, where, node, "pair", &pair, &pair_count);
    return status ? status : set_templates(l, where, single, single_count, pair, pair_count);
}

/* ---- which kind ---- */

static pl_status parse(pl__load *l, const char *where, const pl__node *node);

static pl_status parse_sequence(pl__load *l, const char *where, const pl__node *node)
{
    const pl__node *list = pl__tree_get(node, "processors");
    if (!list || list->kind != PL_JSON_ARRAY)
        return PL__REFUSE(l, where, "a Sequence needs a list of \"processors\"");
    uint32_t i = 0;
    for (const pl__node *child = list->child; child; child = child->next) {
        char inner[PL__WHERE_BYTES];
        snprintf(inner, sizeof inner, "%.60s[%u]", where, i++);
        pl_status status = parse(l, inner, child);
        if (status)
            return status;
    }
    return PL_OK;
}

static pl_status parse(pl__load *l, const char *where, const pl__node *node)
{
    static const struct {
        const char *name;
        pl_status (*parse)(pl__load *l, const char *where, const pl__node *node);
    } kinds[] = {{"RobertaProcessing", parse_roberta}, {"BertProcessing", parse_bert}, {"ByteLevel", add_trim}, {"TemplateProcessing", parse_template},
        {"Sequence", parse_sequence}};
    if (node->kind != PL_JSON_OBJECT)
        return PL__REFUSE(l, where, "must be an object");
    const pl__node *type = pl__tree_get(node, "type");
    /* the library tells these two by their members, whatever the type says */
    if (pl__tree_get(node, "sep") && pl__tree_get(node, "cls"))
        return pl__tree_get(node, "trim_offsets") && pl__tree_get(node, "add_prefix_space") ? parse_roberta(l, where, node) : parse_bert(l, where, node);
    if (!type) {
        if (pl__tree_get(node, "single") && pl__tree_get(node, "pair"))
            return parse_template(l, where, node);
        return PL__REFUSE(l, where, "has no \"type\", and not the members of any kind");
    }
    for (size_t i = 0; i < PL_COUNT(kinds); i++)
        if (pl__tree_is(type, kinds[i].name, strlen(kinds[i].name)))
            return kinds[i].parse(l, where, node);
    return PL__REFUSE(l, where, "the type \"%s\" is not supported", type->kind == PL_JSON_STRING ? type->text : "?");
}

pl_status pl__load_post_processor(pl__load *l)
{
    pl__post *post = &l->t->post;
    if (l->post_processor && l->post_processor->kind != PL_JSON_NULL) {
        pl_status status = parse(l, "post_processor", l->post_processor);
        if (status)
            return status;
    }
    if (post->single.parts)
        return PL_OK;
    pl__part parts[] = {text_part, pair_part};
    return set_templates(l, "post_processor", parts, 1, parts, 2);
}
