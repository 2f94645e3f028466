/* JSON from strangers: a walker that goes through a file value by value in bounded memory, and
 * jansson for the values that are small. */
#ifndef PL_JSON_H
#define PL_JSON_H

#include "base/base.h"

#include <jansson.h>

/* ---- the walker: pull events from a file or a buffer, never holding more than one scalar ---- */
typedef enum pl_json_event {
    PL_JSON_OBJECT,
    PL_JSON_ARRAY,
    PL_JSON_END,
    PL_JSON_STRING,
    PL_JSON_NUMBER,
    PL_JSON_TRUE,
    PL_JSON_FALSE,
    PL_JSON_NULL,
    PL_JSON_DONE
} pl_json_event;

typedef struct pl_json_walker pl_json_walker;

typedef struct pl_json_limits {
    size_t scalar_bytes; /* longest string or number */
    size_t depth;        /* deepest nesting */
    uint64_t bytes;      /* longest file */
} pl_json_limits;

/* Opens a file (name is used in messages). Buffers come from memory. */
pl_status pl_json_open(const char *path, const pl_json_limits *limits, const pl_memory *memory, pl_json_walker **out, pl_error *e);
/* The same over fd's bytes [offset, offset + bytes): a safetensors header. The fd stays the caller's. */
pl_status pl_json_open_range(
    int fd, const char *name, uint64_t offset, uint64_t bytes, const pl_json_limits *limits, const pl_memory *memory, pl_json_walker **out, pl_error *e);
/* The same over text[0..n), which must outlive the walker. */
pl_status pl_json_open_text(
    const char *text, size_t n, const char *name, const pl_json_limits *limits, const pl_memory *memory, pl_json_walker **out, pl_error *e);
void pl_json_close(pl_json_walker *w); /* NULL is allowed */

/* The next event. Inside an object each value's event comes with its key (pl_json_key). Syntax is
 * checked strictly (RFC 8259; duplicate keys are the caller's to judge); lone surrogates in \u
 * escapes, invalid UTF-8, too deep, too long: PL_BAD_INPUT with line and column. After a failure
 * every further call fails too. After PL_JSON_DONE only closing makes sense. */
pl_status pl_json_next(pl_json_walker *w, pl_json_event *event, pl_error *e);
/* Both end in '\0' beyond their n bytes (and may hold others), and are valid until the next event. */
const char *pl_json_key(const pl_json_walker *w, size_t *n);    /* of the current value, NULL in arrays */
const char *pl_json_scalar(const pl_json_walker *w, size_t *n); /* STRING: decoded; NUMBER: as written */
pl_status pl_json_skip(pl_json_walker *w, pl_error *e);         /* the rest of the container just entered; nothing after a scalar */
/* The value just met as a jansson value (NULL on failure): for small ones, at most `bytes` of text.
 * Twice the same key in an object is refused; whole numbers beyond 64 bits become reals. Its heap is
 * bounded too: 64 KiB and 32 bytes a byte of text, which refuses only what is all brackets. */
pl_status pl_json_value(pl_json_walker *w, pl_json_event event, size_t bytes, json_t **out, pl_error *e);
pl_status pl_json_fail(const pl_json_walker *w, pl_error *e, const char *format, ...) PL_PRINTF(3, 4); /* "FILE: line N, column M: ..." of the current value */

/* ---- whole small files: config.json and its kind ---- */
/* At most max_bytes (else refused with the size); the root must be an object (or, for
 * pl_json_load_array, an array). */
pl_status pl_json_load(const char *path, size_t max_bytes, json_t **out, pl_error *e);
pl_status pl_json_load_array(const char *path, size_t max_bytes, const pl_memory *memory, json_t **out, pl_error *e);
/* The same with the walker's buffers from `memory`: at most 48 KiB and the longest string twice. */
pl_status pl_json_load_with(const char *path, size_t max_bytes, const pl_memory *memory, json_t **out, pl_error *e);
/* An upper bound of the heap that a value holds, allocator's overhead included. */
size_t pl_json_held(const json_t *value);

/* Typed members; absent or null gives `fallback`. Wrong type or out of range: PL_BAD_INPUT naming
 * the file, the key and what would be right. */
typedef struct pl_json_doc {
    const char *path;
    const json_t *root;
} pl_json_doc;
pl_status pl_json_size(pl_json_doc d, const char *key, uint64_t least, uint64_t most, uint64_t fallback, uint64_t *out, pl_error *e);
pl_status pl_json_real(pl_json_doc d, const char *key, double fallback, double *out, pl_error *e);
pl_status pl_json_bool(pl_json_doc d, const char *key, bool fallback, bool *out, pl_error *e);
pl_status pl_json_text(pl_json_doc d, const char *key, const char *fallback, const char **out, pl_error *e);
bool pl_json_has(pl_json_doc d, const char *key); /* present and not null */
/* "text", 12, true, an object: a value as messages show it. Returns out. */
const char *pl_json_show(const json_t *value, char out[64]);

#endif
