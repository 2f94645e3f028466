/* Where texts come from: a file or pipe in one of four formats, read block by block, or the command
 * line. Nothing is allocated: the buffers are the caller's, and a text that is longer than its buffer
 * comes `cut`, its rest read and dropped, so that a line of any length costs constant memory.
 *
 * A parser is a state machine that is fed whatever bytes there are and may stop at any of them: input
 * that pauses in the middle of a line is nothing special. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "base/base.h"

typedef enum cli_format { FORMAT_TXT, FORMAT_JSONL, FORMAT_CSV, FORMAT_TSV } cli_format; /* as --input-format lists them */

enum { CLI_BLOCK_BYTES = 1 << 15, CLI_NAME_BYTES = 2048 };

/* A text under construction. All its bytes are checked to be UTF-8, also those that do not fit. */
typedef struct cli_field {
    char *bytes;
    size_t capacity, used;
    uint64_t length; /* of the whole, with what did not fit */
    bool present;
    uint8_t need;      /* continuation bytes that must follow */
    uint8_t low, high; /* range of the next one */
} cli_field;

typedef enum cli_column { COLUMN_TEXT, COLUMN_PAIR, COLUMN_LABEL, COLUMN_COUNT, COLUMN_NONE = COLUMN_COUNT } cli_column;

struct cli_input;
/* Takes a value of the label column: text[0..n), `more` if it is longer than what is shown. A list's
 * values come one by one. */
typedef pl_status (*cli_label_take)(void *self, const struct cli_input *in, const char *text, size_t n, bool more, pl_error *e);

enum { CLI_DEFAULTS = 5 }; /* pairs of names that the header is searched for when no option says which */
typedef struct cli_csv {
    char delimiter;
    int state;
    bool in_header;
    uint64_t column, columns;                              /* of the field being read; of the header */
    uint64_t at[COLUMN_COUNT];                             /* which column is the text, ...; UINT64_MAX: none */
    uint64_t quote_line;                                   /* where the open quote stands */
    uint64_t text_at[CLI_DEFAULTS], pair_at[CLI_DEFAULTS]; /* where the header has the default names */
    size_t listed;                                         /* bytes of the header's names kept for a message, behind the name read */
} cli_csv;

enum { JSON_DEPTH = 512 };
typedef struct cli_json {
    int state, back; /* back: the state after a string */
    unsigned depth;
    uint64_t arrays[JSON_DEPTH / 64]; /* bit d: level d + 1 is an array */
    cli_column column;                /* which one the value being read belongs to */
    cli_field *target;                /* of the string or number being read */
    const char *literal;              /* what must follow of true, false, null */
    unsigned digits, code, high;      /* of a \u escape; high: the first half of a pair */
    uint64_t line_start;              /* offset of the line's first byte */
} cli_json;

typedef struct cli_txt {
    bool held; /* a CR that may be half of a CRLF */
} cli_txt;

typedef struct cli_input {
    const char *name; /* for messages: FILE, "standard input" or "-t" */
    int fd;           /* -1: texts of the command line */
    cli_format format;
    const char *column_names[COLUMN_COUNT]; /* as options say; NULL: by default */
    int watched;                            /* a descriptor whose reader may go away while we wait; -1: none */

    char *block; /* [CLI_BLOCK_BYTES], bytes at..filled are still to be read */
    size_t at, filled;
    bool ended, delivered;
    int mark; /* bytes of a byte order mark seen; 3: that question is settled */

    cli_field fields[COLUMN_COUNT]; /* text, pair, value of the label column */
    cli_field scratch;              /* names, and what is checked but not kept (capacity 0 then) */
    char *name_bytes;               /* [2 * CLI_NAME_BYTES]: a name being read, names for a message */
    uint64_t line, record_line;     /* from 1: of the next byte, of the record being read */
    uint64_t size, consumed;        /* of the file (0: unknown), so far */
    cli_label_take take_label;
    bool label_list, label_name; /* JSON's label is a list; the value of it that was read last is a string */
    void *label_self;
    union {
        cli_txt txt;
        cli_csv csv;
        cli_json json;
    } as;

    const struct cli_pair *pairs; /* the command line's */
    size_t pair_count, pair_at;
    size_t text_capacity;
} cli_input;

/* path "-": standard input. The format by `format` (-1: by the name). Errors: PL_BAD_INPUT, PL_MACHINE. */
pl_status cli_input_open(cli_input *in, const char *path, int format, pl_error *e);
void cli_input_open_texts(cli_input *in, const struct cli_pair *pairs, size_t count);
enum { CLI_FIELDS = 2 }; /* texts under construction: one and its pair */
/* Bytes of memory that reading takes when texts of text_bytes are taken whole. */
size_t cli_input_bytes(size_t text_bytes);
/* Hands over that memory. */
void cli_input_start(cli_input *in, char *memory, size_t text_bytes);
/* A pl_source; PL_STOPPED when a signal came, PL_BROKEN_PIPE when the watched descriptor's reader went. */
pl_status cli_input_next(void *self, int wait_ms, pl_text *text, pl_error *e);
void cli_input_close(cli_input *in);

/* ---- between the files of this concept ---- */
/* Appends to the field what fits, and checks all of it. PL_BAD_INPUT names the line. */
pl_status cli_field_add(const cli_input *in, cli_field *f, const char *bytes, size_t n, pl_error *e);
pl_status cli_field_end(const cli_input *in, cli_field *f, pl_error *e); /* also drops a character cut in its middle */
void cli_field_start(cli_field *f);                                      /* empty, and present */
bool cli_field_is(const cli_field *f, const char *name);
pl_status cli_label_end(cli_input *in, pl_error *e); /* hands a whole value of the label column on */

/* A parser takes bytes until a record is complete (*done) or none are left; *eaten says how many. */
pl_status cli_txt_parse(cli_input *in, const char *bytes, size_t n, size_t *eaten, bool *done, pl_error *e);
pl_status cli_csv_parse(cli_input *in, const char *bytes, size_t n, size_t *eaten, bool *done, pl_error *e);
pl_status cli_jsonl_parse(cli_input *in, const char *bytes, size_t n, size_t *eaten, bool *done, pl_error *e);
/* The input is at its end: whether an unfinished last record is one (*done). */
pl_status cli_txt_finish(cli_input *in, bool *done, pl_error *e);
pl_status cli_csv_finish(cli_input *in, bool *done, pl_error *e);
pl_status cli_jsonl_finish(cli_input *in, bool *done, pl_error *e);
void cli_csv_start(cli_input *in);
void cli_jsonl_start(cli_input *in);

#endif
