/* Between the files of json: a walker is a reader of bytes (walker.c opens it and follows the
 * structure, scan.c reads strings and numbers).
 *
 * It holds one window of the file and one text buffer. Invariants:
 *   - window_at + at is the place in the text; line_start <= it.
 *   - text holds the key of the current value, '\0', its scalar, '\0'; key_bytes and scalar_bytes
 *     are their lengths, text_used counts all four.
 *   - nesting has one bit per open container, set for an object. */
#ifndef PL_JSON_WALKER_H
#define PL_JSON_WALKER_H

#include "json/json.h"

enum { PL__JSON_END_OF_TEXT = -1 };

struct pl_json_walker {
    const pl_memory *memory;
    size_t own_bytes; /* of the block that holds this struct, name, nesting and window */
    char *name;
    pl_json_limits limits;

    int fd; /* -1: the window is the whole text */
    bool fd_is_ours;
    uint64_t file_base, end; /* text byte i is file byte file_base + i, for i < end */
    unsigned char *window;
    size_t window_capacity, at, fill;
    uint64_t window_at;

    uint64_t line, line_start;
    uint64_t token_line, token_column; /* of the current value */

    char *text;
    size_t text_capacity, text_used, key_bytes, scalar_bytes;
    bool has_key, has_scalar;

    uint64_t *nesting;
    size_t depth;
    bool started, done, first; /* first: nothing stands in the innermost container yet */
    bool opened;               /* the last event was OBJECT or ARRAY */
    pl_status failed;          /* what the first failure returned */
    pl_error *e;               /* of the running call */
};

static inline uint64_t pl__json_place(const pl_json_walker *w) { return w->window_at + w->at; }
/* The next byte, not taken; PL__JSON_END_OF_TEXT behind the last one or after a failed read. */
int pl__json_peek(pl_json_walker *w);
/* Fails at the reader's place; a read that failed before keeps its own message. */
pl_status pl__json_syntax(pl_json_walker *w, const char *format, ...) PL_PRINTF(2, 3);
/* Makes room for n more bytes of text. */
pl_status pl__json_reserve(pl_json_walker *w, size_t n);
/* Reads a string whose '"' comes next and appends it, decoded, with a '\0'. */
pl_status pl__json_string(pl_json_walker *w, size_t *n);
pl_status pl__json_number(pl_json_walker *w, size_t *n);
/* How messages show the byte that comes next. */
const char *pl__json_show_next(pl_json_walker *w, char out[16]);

#endif
