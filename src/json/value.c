/* Small values of the walker as jansson values. */
#include "json/walker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_DEPTH = 256 }; /* of the recursion below */
enum { HEAP_LEAST = 1 << 16, HEAP_PER_BYTE = 32 };

typedef struct builder {
    pl_json_walker *w;
    uint64_t last; /* the place in the text where the value must have ended */
    size_t bytes, depth;
    size_t heap, most_heap; /* taken so far, by pl_json_held's measure but for an object's growth */
    pl_error *e;
} builder;

static pl_status build(builder *b, pl_json_event event, json_t **out);

static pl_status no_memory(builder *b) { return pl_fail_no_memory(b->e, b->bytes, b->w->name); }

static pl_status build_number(builder *b, json_t **out)
{
    size_t n;
    const char *text = pl_json_scalar(b->w, &n);
    if (!memchr(text, '.', n) && !memchr(text, 'e', n) && !memchr(text, 'E', n)) {
        errno = 0;
        long long whole = strtoll(text, NULL, 10);
        if (errno == 0) {
            *out = json_integer(whole);
            return *out ? PL_OK : no_memory(b);
        }
    }
    double real;
    if (!pl_double_parse(text, n, &real) || !(real - real == 0))
        return pl_json_fail(b->w, b->e, "a number beyond the range of a double");
    *out = json_real(real);
    return *out ? PL_OK : no_memory(b);
}

/* The most that a block of malloc takes (glibc; others round alike): its own word, in steps of 16, at
 * least 32, up to 16 more where a free one was not worth splitting; large ones are pages. */
static size_t block(size_t bytes)
{
    if (bytes >= 128 << 10)
        return pl_round_up(bytes, 4096) + 4096;
    return pl_max(32, pl_round_up(bytes + 8, 16)) + 16;
}

/* What jansson's structures take (2.14 on 64 bits; earlier ones take no more). */
enum { OBJECT_BYTES = 80, PAIR_BYTES = 64, BUCKET_BYTES = 16, FEWEST_BUCKETS = 8, ARRAY_BYTES = 40, STRING_BYTES = 32, NUMBER_BYTES = 24 };

static size_t event_heap(pl_json_event event, size_t scalar_bytes)
{
    switch (event) {
    case PL_JSON_OBJECT: return block(OBJECT_BYTES) + block(FEWEST_BUCKETS * BUCKET_BYTES);
    case PL_JSON_ARRAY: return block(ARRAY_BYTES) + block(FEWEST_BUCKETS * sizeof(json_t *));
    case PL_JSON_STRING: return block(STRING_BYTES) + block(scalar_bytes + 1);
    case PL_JSON_NUMBER: return block(NUMBER_BYTES);
    default: return 0; /* true, false and null are static */
    }
}

/* Counts a value before it is made. */
static pl_status add_heap(builder *b, pl_json_event event)
{
    size_t key_bytes, scalar_bytes;
    bool member = pl_json_key(b->w, &key_bytes) != NULL;
    pl_json_scalar(b->w, &scalar_bytes);
    b->heap += event_heap(event, scalar_bytes) + (member ? block(PAIR_BYTES + key_bytes + 1) + BUCKET_BYTES : sizeof(json_t *));
    if (b->heap > b->most_heap)
        return pl_json_fail(b->w, b->e, "too many values for a text of its size");
    return PL_OK;
}

static pl_status add_member(builder *b, json_t *object, pl_json_event event)
{
    size_t n;
    const char *key = pl_json_key(b->w, &n);
    if (memchr(key, '\0', n))
        return pl_json_fail(b->w, b->e, "a key with a NUL character in it");
    if (json_object_get(object, key))
        return pl_json_fail(b->w, b->e, "the key \"%s\" stands twice in one object", key);
    /* the walker forgets the key at the next event, so the object takes it before the value is there */
    if (json_object_set_new_nocheck(object, key, json_null()) != 0)
        return no_memory(b);
    void *place = json_object_iter_at(object, key);
    json_t *value = NULL;
    pl_status status = build(b, event, &value);
    if (!status && json_object_iter_set_new(object, place, value) != 0)
        status = no_memory(b);
    return status;
}

static pl_status add_item(builder *b, json_t *array, pl_json_event event)
{
    json_t *value = NULL;
    pl_status status = build(b, event, &value);
    if (!status && json_array_append_new(array, value) != 0)
        status = no_memory(b);
    return status;
}

static pl_status build_container(builder *b, bool object, json_t **out)
{
    if (b->depth == VALUE_DEPTH)
        return pl_json_fail(b->w, b->e, "nested deeper than %d levels", VALUE_DEPTH);
    json_t *container = object ? json_object() : json_array();
    pl_status status = container ? PL_OK : no_memory(b);
    b->depth++;
    while (!status) {
        pl_json_event event;
        status = pl_json_next(b->w, &event, b->e);
        if (status || event == PL_JSON_END)
            break;
        if (pl__json_place(b->w) > b->last)
            status = pl_json_fail(b->w, b->e, "a value of more than %zu bytes", b->bytes);
        else
            status = object ? add_member(b, container, event) : add_item(b, container, event);
    }
    b->depth--;
    if (status)
        json_decref(container);
    else
        *out = container;
    return status;
}

static pl_status build(builder *b, pl_json_event event, json_t **out)
{
    size_t n;
    const char *text;
    pl_status status = add_heap(b, event);
    if (status)
        return status;
    switch (event) {
    case PL_JSON_OBJECT:
    case PL_JSON_ARRAY: return build_container(b, event == PL_JSON_OBJECT, out);
    case PL_JSON_STRING:
        text = pl_json_scalar(b->w, &n);
        *out = json_stringn_nocheck(text, n); /* the walker has checked its UTF-8 */
        break;
    case PL_JSON_NUMBER: return build_number(b, out);
    case PL_JSON_TRUE: *out = json_true(); break;
    case PL_JSON_FALSE: *out = json_false(); break;
    default: *out = json_null(); break;
    }
    return *out ? PL_OK : no_memory(b);
}

pl_status pl_json_value(pl_json_walker *w, pl_json_event event, size_t bytes, json_t **out, pl_error *e)
{
    builder b = {.w = w, .bytes = bytes, .e = e};
    if (!pl_add(pl__json_place(w), bytes, &b.last))
        b.last = UINT64_MAX;
    b.most_heap = HEAP_LEAST + HEAP_PER_BYTE * (size_t)(w->end < bytes ? w->end : bytes);
    *out = NULL;
    return build(&b, event, out);
}

size_t pl_json_held(const json_t *value)
{
    size_t bytes = 0, n, index, slots = FEWEST_BUCKETS;
    const json_t *item;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        for (n = json_object_size(value); slots < n; slots *= 2)
            ;
        bytes = block(OBJECT_BYTES) + block(slots * BUCKET_BYTES);
        for (void *at = json_object_iter((json_t *)(uintptr_t)value); at; at = json_object_iter_next((json_t *)(uintptr_t)value, at))
            bytes += block(PAIR_BYTES + strlen(json_object_iter_key(at)) + 1) + pl_json_held(json_object_iter_value(at));
        return bytes;
    case JSON_ARRAY:
        for (n = json_array_size(value); slots < n; slots *= 2)
            ;
        bytes = block(ARRAY_BYTES) + block(slots * sizeof(json_t *));
        json_array_foreach(value, index, item) bytes += pl_json_held(item);
        return bytes;
    case JSON_STRING: return event_heap(PL_JSON_STRING, json_string_length(value));
    case JSON_INTEGER:
    case JSON_REAL: return event_heap(PL_JSON_NUMBER, 0);
    default: return 0;
    }
}
