/* The ground floor: errors, checked sizes, byte counts as text, where memory comes from.
 * Every room may include this face; it includes nothing of plimsoll but the public header. */
#ifndef PL_BASE_H
#define PL_BASE_H

#include <plimsoll.h>

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_PRINTF(format_at, args_at) __attribute__((format(printf, format_at, args_at)))
#define PL_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- errors: each returns its status, so that `return pl_fail(e, PL_BAD_INPUT, ...)` reads well.
 * The text is made one clean line: control characters and invalid UTF-8 become \xNN. ---- */
pl_status pl_fail(pl_error *e, pl_status status, const char *format, ...) PL_PRINTF(3, 4);
void pl_hint(pl_error *e, const char *format, ...) PL_PRINTF(2, 3); /* adds one hint line */
void pl_error_clear(pl_error *e);
pl_status pl_fail_no_memory(pl_error *e, size_t bytes, const char *what);
/* "plimsoll: <text>\n" then "  hint: <hint>\n" each, as the command prints them. */
size_t pl_error_print(const pl_error *e, char *out, size_t capacity);

/* ---- sizes ---- */
static inline bool pl_add(uint64_t a, uint64_t b, uint64_t *out) { return !__builtin_add_overflow(a, b, out); }
static inline bool pl_mul(uint64_t a, uint64_t b, uint64_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline uint64_t pl_round_up(uint64_t value, uint64_t multiple) { return (value + multiple - 1) / multiple * multiple; }
static inline size_t pl_min(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t pl_max(size_t a, size_t b) { return a > b ? a : b; }

/* "9.4 MiB": three significant digits, binary units. `out` holds at least 32 bytes. Returns out. */
char *pl_bytes_text(uint64_t bytes, char out[32]);
/* 300MiB 2GiB 1.5G 800MB 123456789: iB and bare letters are powers of 1024, kB MB GB of 1000. */
bool pl_bytes_parse(const char *text, uint64_t *bytes);

/* ---- element types of tensors, as safetensors names them ---- */
#define PL_DTYPE_MAP(X) \
    X(F32, 4)           \
    X(F16, 2) X(BF16, 2) X(F64, 8) X(I64, 8) X(I32, 4) X(I16, 2) X(I8, 1) X(U8, 1) X(BOOL, 1) X(U16, 2) X(U32, 4) X(U64, 8) X(F8_E4M3, 1) X(F8_E5M2, 1)
typedef enum pl_dtype {
#define PL_DTYPE_ENUM(name, bytes) PL_##name,
    PL_DTYPE_MAP(PL_DTYPE_ENUM)
#undef PL_DTYPE_ENUM
        PL_DTYPE_COUNT
} pl_dtype;
size_t pl_dtype_bytes(pl_dtype type);
const char *pl_dtype_name(pl_dtype type); /* "BF16" */
bool pl_dtype_parse(const char *name, size_t n, pl_dtype *type);

/* ---- text ---- */
/* Length of the valid UTF-8 prefix of text[0..n): n if all of it is valid (no surrogates, no
 * overlong forms, at most U+10FFFF). */
size_t pl_utf8_valid(const char *text, size_t n);
/* The next label of a table's list: a, b or ["a", 'b, c']; *rest goes on behind it. A comma between quotes
 * is part of the name; what a backslash stands before is taken as it is written. False where none is left. */
typedef struct pl_list_part {
    const char *text;
    size_t bytes;
    bool quoted;
} pl_list_part;
bool pl_list_next(const char **rest, size_t *bytes, pl_list_part *out);
/* The candidate nearest to `word` (edit distance with transpositions, at most a third of its
 * length), or NULL. */
const char *pl_nearest(const char *word, const char *const *candidates, size_t count);

/* ---- numbers, whatever the locale ---- */
/* Shortest decimal that reads back to the same float32 ("0.1", "1e-07", "123456.0" prints as
 * 123456.0 in Python, here as 123456). NaN and infinities give "null". Not terminated; returns the
 * length, at most 16. */
size_t pl_float_text(float value, char out[16]);
/* Shortest that reads back to the same double; at most 32 characters, not terminated. */
size_t pl_double_text(double value, char out[32]);
/* Decimal notation over the whole of text[0..n), rounded to nearest; beyond the range of a double it
 * is infinite or zero, as strtod has it. No white space, infinities, NaN or hexadecimal. */
bool pl_double_parse(const char *text, size_t n, double *value);
/* `text` as a JSON string with its quotes: valid UTF-8 kept, control characters escaped, U+FFFD for
 * each byte that is no UTF-8. Returns
 * the length needed; writes nothing beyond capacity. At most 6 * n + 2 bytes. */
size_t pl_json_string(const char *text, size_t n, char *out, size_t capacity);

/* ---- files of strangers ---- */
/* Opens a regular file for reading; a folder, pipe, socket or device in its place is refused and
 * never waited for. The caller closes *fd. */
pl_status pl_file_open(const char *path, int *fd, uint64_t *bytes, pl_error *e);
/* pread whole, whatever signals and short reads: a file that ends early is PL_BAD_INPUT (named as
 * truncated), a read error PL_MACHINE. */
pl_status pl_file_read(int fd, const char *name, uint64_t offset, void *out, size_t bytes, pl_error *e);
/* The failure of a system call on a file by its errno: PL_BAD_INPUT, or PL_MACHINE where it is the
 * machine's fault (EIO, EMFILE, ENOMEM ...). */
pl_status pl_file_fail(const char *path, int error, const char *what, pl_error *e);

/* ---- memory: one injected source; mmap, malloc and the failing test allocator look alike ---- */
typedef struct pl_memory {
    void *(*take)(void *self, size_t bytes); /* zeroed, 64-byte aligned; NULL when there is none */
    void (*give)(void *self, void *block, size_t bytes);
    void *self;
} pl_memory;

const pl_memory *pl_memory_system(void); /* anonymous pages, returned to the kernel on give */

/* A terminal that knows escape sequences (TERM says so); and one on which nobody minds colours (NO_COLOR). */
bool pl_terminal(int fd);
bool pl_terminal_colored(int fd);

/* A region: a bump allocator over blocks of a source; freed whole. It is how tables that live as
 * long as a model (vocabulary, tensor table) are held, so that their bytes are known exactly. */
typedef struct pl_region {
    const pl_memory *memory;
    struct pl_region_block *blocks;
    size_t held; /* bytes taken from the source */
} pl_region;

void pl_region_init(pl_region *r, const pl_memory *memory);
/* Zeroed, aligned to 16; NULL when the source has none. Large requests get a block of their own. */
void *pl_region_take(pl_region *r, size_t bytes);
char *pl_region_string(pl_region *r, const char *text, size_t n); /* copy with a final '\0' */
/* Writes to what has not been handed out yet, so that it is there when it is needed. */
void pl_region_touch(pl_region *r);
void pl_region_free(pl_region *r);

/* A carver hands out 64-byte aligned pieces of one block; with base NULL it only adds them up, so
 * that one function both measures and lays out. */
typedef struct pl_carver {
    char *base;
    size_t used;
} pl_carver;
static inline void *pl_carve(pl_carver *c, size_t bytes)
{
    void *p = c->base ? c->base + c->used : NULL;
    c->used += pl_round_up(bytes, 64);
    return p;
}

#endif
