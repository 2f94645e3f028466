/* Whole small files and their typed members. */
#include "json/json.h"

#include <stdio.h>
#include <string.h>

enum { FILE_DEPTH = 128 };

static pl_status load(const char *path, size_t max_bytes, const pl_memory *memory, pl_json_event root, json_t **out, pl_error *e)
{
    *out = NULL;
    const pl_json_limits limits = {.scalar_bytes = max_bytes, .depth = FILE_DEPTH, .bytes = max_bytes};
    pl_json_walker *w;
    pl_status status = pl_json_open(path, &limits, memory, &w, e);
    if (status)
        return status;
    pl_json_event event;
    status = pl_json_next(w, &event, e);
    if (!status && event != root)
        status = pl_json_fail(w, e, "the file holds no %s", root == PL_JSON_OBJECT ? "object, {...} would be right" : "array, [...] would be right");
    json_t *value = NULL;
    if (!status)
        status = pl_json_value(w, event, max_bytes, &value, e);
    if (!status)
        status = pl_json_next(w, &event, e); /* nothing may follow */
    pl_json_close(w);
    if (status)
        json_decref(value);
    else
        *out = value;
    return status;
}

pl_status pl_json_load(const char *path, size_t max_bytes, json_t **out, pl_error *e) { return load(path, max_bytes, NULL, PL_JSON_OBJECT, out, e); }

pl_status pl_json_load_with(const char *path, size_t max_bytes, const pl_memory *memory, json_t **out, pl_error *e)
{
    return load(path, max_bytes, memory, PL_JSON_OBJECT, out, e);
}

pl_status pl_json_load_array(const char *path, size_t max_bytes, const pl_memory *memory, json_t **out, pl_error *e)
{
    return load(path, max_bytes, memory, PL_JSON_ARRAY, out, e);
}

const char *pl_json_show(const json_t *value, char out[64])
{
    char number[32];
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: snprintf(out, 64, "\"%.48s%s\"", json_string_value(value), json_string_length(value) > 48 ? "..." : ""); break;
    case JSON_INTEGER: snprintf(out, 64, "%lld", (long long)json_integer_value(value)); break;
    case JSON_REAL: snprintf(out, 64, "%.*s", (int)pl_double_text(json_real_value(value), number), number); break;
    case JSON_TRUE: return "true";
    case JSON_FALSE: return "false";
    case JSON_NULL: return "null";
    }
    return out;
}

bool pl_json_has(pl_json_doc d, const char *key)
{
    const json_t *value = json_object_get(d.root, key);
    return value && !json_is_null(value);
}

static pl_status wrong(pl_json_doc d, const char *key, const char *right, pl_error *e)
{
    char shown[64];
    return pl_fail(e, PL_BAD_INPUT, "%s: %s: is %s, %s would be right", d.path, key, pl_json_show(json_object_get(d.root, key), shown), right);
}

pl_status pl_json_size(pl_json_doc d, const char *key, uint64_t least, uint64_t most, uint64_t fallback, uint64_t *out, pl_error *e)
{
    *out = fallback;
    if (!pl_json_has(d, key))
        return PL_OK;
    const json_t *value = json_object_get(d.root, key);
    json_int_t whole = json_integer_value(value);
    if (!json_is_integer(value) || whole < 0 || (uint64_t)whole < least || (uint64_t)whole > most) {
        char right[80];
        snprintf(right, sizeof right, "a whole number from %llu to %llu", (unsigned long long)least, (unsigned long long)most);
        return wrong(d, key, right, e);
    }
    *out = (uint64_t)whole;
    return PL_OK;
}

pl_status pl_json_real(pl_json_doc d, const char *key, double fallback, double *out, pl_error *e)
{
    *out = fallback;
    if (!pl_json_has(d, key))
        return PL_OK;
    const json_t *value = json_object_get(d.root, key);
    if (!json_is_number(value))
        return wrong(d, key, "a number", e);
    *out = json_number_value(value);
    return PL_OK;
}

pl_status pl_json_bool(pl_json_doc d, const char *key, bool fallback, bool *out, pl_error *e)
{
    *out = fallback;
    if (!pl_json_has(d, key))
        return PL_OK;
    const json_t *value = json_object_get(d.root, key);
    if (!json_is_boolean(value))
        return wrong(d, key, "true or false", e);
    *out = json_is_true(value);
    return PL_OK;
}

pl_status pl_json_text(pl_json_doc d, const char *key, const char *fallback, const char **out, pl_error *e)
{
    *out = fallback;
    if (!pl_json_has(d, key))
        return PL_OK;
    const json_t *value = json_object_get(d.root, key);
    if (!json_is_string(value))
        return wrong(d, key, "a string", e);
    if (strlen(json_string_value(value)) != json_string_length(value))
        return wrong(d, key, "a string without NUL characters", e);
    *out = json_string_value(value);
    return PL_OK;
}
