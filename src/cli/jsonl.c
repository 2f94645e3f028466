/* One JSON object a line (RFC 8259, checked whole): the strings under the wanted keys become texts,
 * everything else is passed over, whatever its length. Lines of white space alone are passed over. */
#include "cli/input.h"

#include <stdio.h>
#include <string.h>

enum {
    LINE,       /* before an object */
    KEY_OR_END, /* behind '{' */
    KEY,        /* behind ',' in an object */
    COLON,
    VALUE,
    VALUE_OR_END, /* behind '[' */
    AFTER,        /* behind a value */
    REST,         /* behind the object, until the line ends */
    STRING,
    ESCAPE,
    HEX,
    LOW,   /* the second half of a surrogate pair must follow: '\' ... */
    LOW_U, /* ... and 'u' */
    LITERAL,
    MINUS, /* the number states are named by the character just read */
    ZERO,
    INTEGER,
    POINT,
    FRACTION,
    EXPONENT,
    EXPONENT_SIGN,
    EXPONENT_DIGITS,
};

void cli_jsonl_start(cli_input *in) { in->as.json = (cli_json){.state = LINE, .column = COLUMN_NONE}; }

/* `at` counts from the first byte not consumed. */
PL_PRINTF(4, 5) static pl_status fail(const cli_input *in, size_t at, pl_error *e, const char *format, ...)
{
    char what[384];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    unsigned long long column = in->consumed + at - in->as.json.line_start + 1;
    return pl_fail(e, PL_BAD_INPUT, "%s: line %llu, column %llu: %s", in->name, (unsigned long long)in->line, column, what);
}

static bool digit(char c) { return c >= '0' && c <= '9'; }

static const char *key_of(const cli_input *in, cli_column column)
{
    if (in->column_names[column] || column == COLUMN_LABEL)
        return in->column_names[column];
    if (column == COLUMN_PAIR && in->column_names[COLUMN_TEXT])
        return NULL; /* --text-column alone takes no pair */
    return column == COLUMN_TEXT ? "text" : "text_pair";
}

/* ---- containers ---- */

static bool in_array(const cli_json *j) { return j->depth > 0 && (j->arrays[(j->depth - 1) / 64] >> (j->depth - 1) % 64 & 1) != 0; }

static pl_status enter(cli_input *in, bool array, size_t at, pl_error *e)
{
    cli_json *j = &in->as.json;
    if (j->depth == JSON_DEPTH)
        return fail(in, at, e, "is nested deeper than %d levels", JSON_DEPTH);
    uint64_t bit = UINT64_C(1) << j->depth % 64, *word = &j->arrays[j->depth / 64];
    *word = array ? *word | bit : *word & ~bit;
    j->depth++;
    j->state = array ? VALUE_OR_END : KEY_OR_END;
    return PL_OK;
}

static void leave(cli_json *j)
{
    j->depth--;
    j->state = j->depth == 0 ? REST : AFTER;
}

/* ---- keys and values ---- */

static void start_string(cli_input *in, cli_field *kept, size_t capacity)
{
    cli_json *j = &in->as.json;
    j->target = kept ? kept : &in->scratch;
    if (!kept)
        in->scratch.capacity = capacity;
    cli_field_start(j->target);
    j->state = STRING;
}

static void end_key(cli_input *in)
{
    cli_json *j = &in->as.json;
    j->state = COLON;
    if (j->depth > 1)
        return;
    j->column = COLUMN_NONE;
    for (int i = COLUMN_LABEL; i >= COLUMN_TEXT; i--)
        if (cli_field_is(&in->scratch, key_of(in, (cli_column)i)))
            j->column = (cli_column)i;
}

/* Behind a string, number or literal. */
static pl_status end_value(cli_input *in, pl_error *e)
{
    cli_json *j = &in->as.json;
    cli_field *f = j->target;
    j->state = AFTER;
    j->target = NULL;
    if (!f)
        return PL_OK;
    return f == &in->fields[COLUMN_LABEL] ? cli_label_end(in, e) : cli_field_end(in, f, e);
}

static pl_status end_string(cli_input *in, pl_error *e)
{
    cli_json *j = &in->as.json;
    if (j->target != &in->scratch || in->scratch.capacity == 0)
        return end_value(in, e);
    pl_status status = cli_field_end(in, j->target, e);
    j->target = NULL;
    end_key(in);
    return status;
}

static const char *kind_of(char c)
{
    return c == '{' ? "an object" : c == '[' ? "a list" : c == 'n' ? "null" : c == 't' || c == 'f' ? "true or false" : "a number";
}

/* The first byte of a value, where the object's own member is wanted; decides whether it is kept. */
static pl_status check_wanted(cli_input *in, char c, size_t at, pl_error *e)
{
    cli_json *j = &in->as.json;
    if (j->column == COLUMN_LABEL) {
        bool item = j->depth == 2;
        if (c == 'n' || c == '{' || (c == '[' && item))
            return fail(in, at, e, "\"%.100s\" is %s, a label is a string, a number or a list of them", key_of(in, COLUMN_LABEL), kind_of(c));
        in->fields[COLUMN_LABEL].present = true;
        return !item && in->take_label ? in->take_label(in->label_self, in, NULL, 0, false, e) : PL_OK;
    }
    if (c == '"')
        return PL_OK;
    if (c == 'n' && j->column == COLUMN_PAIR) { /* as other tools write "none" */
        in->fields[COLUMN_PAIR].present = false;
        return PL_OK;
    }
    return fail(in, at, e, "\"%.100s\" is %s, a string is needed", key_of(in, j->column), kind_of(c));
}

static pl_status begin_value(cli_input *in, char c, size_t at, pl_error *e)
{
    cli_json *j = &in->as.json;
    cli_field *kept = NULL;
    if (!strchr("\"{[tfn-0123456789", c) || c == '\0')
        return fail(in, at, e, "a JSON value is needed here");
    if (j->column != COLUMN_NONE && (j->depth == 1 || (j->depth == 2 && in_array(j) && j->column == COLUMN_LABEL))) {
        pl_status status = check_wanted(in, c, at, e);
        if (status != PL_OK)
            return status;
        kept = &in->fields[j->column];
        if (j->column == COLUMN_LABEL && j->depth == 1)
            in->label_list = c == '[';
        if (j->column == COLUMN_LABEL)
            in->label_name = c == '"';
    }
    if (c == '{' || c == '[')
        return enter(in, c == '[', at, e);
    if (c == '"') {
        start_string(in, kept, 0);
        return PL_OK;
    }
    if (digit(c) || c == '-') {
        j->state = c == '-' ? MINUS : c == '0' ? ZERO : INTEGER;
    } else {
        j->state = LITERAL;
        j->literal = c == 't' ? "rue" : c == 'f' ? "alse" : "ull";
    }
    j->target = kept && j->column == COLUMN_LABEL ? kept : NULL;
    if (!j->target)
        return PL_OK;
    cli_field_start(kept);
    return cli_field_add(in, kept, &c, 1, e);
}

/* ---- strings ---- */

static pl_status add_code(cli_input *in, unsigned code, pl_error *e)
{
    char out[4];
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    out[0] = (char)(leads[n] | code);
    return cli_field_add(in, in->as.json.target, out, n, e);
}

static pl_status escape(cli_input *in, char c, size_t at, pl_error *e)
{
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    cli_json *j = &in->as.json;
    if (c == 'u') {
        j->state = HEX;
        j->digits = j->code = 0;
        return PL_OK;
    }
    const char *name = c ? strchr(names, c) : NULL;
    if (!name)
        return fail(in, at, e, "there is no such escape in JSON strings");
    j->state = STRING;
    return cli_field_add(in, j->target, &meanings[name - names], 1, e);
}

/* A digit of \uXXXX; the last one settles the character, of which a surrogate is only half. */
static pl_status hex(cli_input *in, char c, size_t at, pl_error *e)
{
    cli_json *j = &in->as.json;
    unsigned value = digit(c) ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10) : 16;
    if (value == 16)
        return fail(in, at, e, "four hexadecimal digits must follow \\u");
    j->code = j->code << 4 | value;
    if (++j->digits < 4)
        return PL_OK;
    bool is_high = j->code >= 0xD800 && j->code < 0xDC00, is_low = j->code >= 0xDC00 && j->code < 0xE000;
    if (j->high ? !is_low : is_low)
        return fail(in, at, e, "is half of a surrogate pair (\\u%04x), which is no character", j->high ? j->high : j->code);
    if (is_high) {
        j->high = j->code;
        j->state = LOW;
        return PL_OK;
    }
    unsigned code = j->high ? 0x10000 + ((j->high - 0xD800) << 10 | (j->code - 0xDC00)) : j->code;
    j->high = 0;
    j->state = STRING;
    return add_code(in, code, e);
}

static size_t plain_run(const char *bytes, size_t n)
{
    size_t at = 0;
    while (at < n && bytes[at] != '"' && bytes[at] != '\\' && (unsigned char)bytes[at] >= 0x20)
        at++;
    return at;
}

static pl_status string_byte(cli_input *in, char c, size_t at, pl_error *e)
{
    cli_json *j = &in->as.json;
    if (j->state == ESCAPE)
        return escape(in, c, at, e);
    if (j->state == HEX)
        return hex(in, c, at, e);
    if (j->state == LOW || j->state == LOW_U) {
        if (c != (j->state == LOW ? '\\' : 'u'))
            return fail(in, at, e, "is half of a surrogate pair (\\u%04x), which is no character", j->high);
        j->state = j->state == LOW ? LOW_U : HEX;
        j->digits = j->code = 0;
        return PL_OK;
    }
    if (c == '"')
        return end_string(in, e);
    if (c == '\\') {
        j->state = ESCAPE;
        return PL_OK;
    }
    if (c == '\n')
        return fail(in, at, e, "the string is not closed on its line");
    return fail(in, at, e, "a control character in a string must be escaped");
}

/* ---- numbers and literals ---- */

/* The state behind one more character, or -1 where the number cannot go on with it. */
static int number_next(int state, char c)
{
    bool d = digit(c);
    switch (state) {
    case MINUS: return c == '0' ? ZERO : d ? INTEGER : -1;
    case ZERO: return c == '.' ? POINT : c == 'e' || c == 'E' ? EXPONENT : -1;
    case INTEGER: return d ? INTEGER : c == '.' ? POINT : c == 'e' || c == 'E' ? EXPONENT : -1;
    case POINT: return d ? FRACTION : -1;
    case FRACTION: return d ? FRACTION : c == 'e' || c == 'E' ? EXPONENT : -1;
    case EXPONENT: return d ? EXPONENT_DIGITS : c == '+' || c == '-' ? EXPONENT_SIGN : -1;
    default: return d ? EXPONENT_DIGITS : -1;
    }
}

static pl_status number_byte(cli_input *in, char c, bool *taken, size_t at, pl_error *e)
{
    cli_json *j = &in->as.json;
    int next = number_next(j->state, c);
    *taken = next >= 0;
    if (next >= 0) {
        j->state = next;
        return j->target ? cli_field_add(in, j->target, &c, 1, e) : PL_OK;
    }
    bool whole = j->state == ZERO || j->state == INTEGER || j->state == FRACTION || j->state == EXPONENT_DIGITS;
    if (!whole || digit(c))
        return fail(in, at, e, "is no JSON number");
    return end_value(in, e);
}

static pl_status literal_byte(cli_input *in, char c, size_t at, pl_error *e)
{
    cli_json *j = &in->as.json;
    if (c != *j->literal)
        return fail(in, at, e, "a JSON value is needed here");
    j->literal++;
    pl_status status = j->target ? cli_field_add(in, j->target, &c, 1, e) : PL_OK;
    return status == PL_OK && !*j->literal ? end_value(in, e) : status;
}

/* ---- the machine ---- */

static pl_status open_line(cli_input *in, char c, size_t at, pl_error *e)
{
    if (c != '{')
        return fail(in, at, e, "a JSON object like {\"text\":\"...\"} is needed on each line");
    in->record_line = in->line;
    return enter(in, false, at, e);
}

static pl_status structure_byte(cli_input *in, char c, size_t at, pl_error *e)
{
    cli_json *j = &in->as.json;
    switch (j->state) {
    case LINE: return open_line(in, c, at, e);
    case KEY_OR_END:
        if (c == '}') {
            leave(j);
            return PL_OK;
        }
        /* fall through */
    case KEY:
        if (c != '"')
            return fail(in, at, e, "a key in double quotes is needed here");
        start_string(in, NULL, CLI_NAME_BYTES);
        return PL_OK;
    case COLON: j->state = VALUE; return c == ':' ? PL_OK : fail(in, at, e, "':' is needed here");
    case VALUE_OR_END:
        if (c == ']') {
            leave(j);
            return PL_OK;
        }
        /* fall through */
    case VALUE: return begin_value(in, c, at, e);
    case AFTER:
        if (c == ',')
            j->state = in_array(j) ? VALUE : KEY;
        else if (c == (in_array(j) ? ']' : '}'))
            leave(j);
        else
            return fail(in, at, e, "',' or '%c' is needed here", in_array(j) ? ']' : '}');
        return PL_OK;
    default: return fail(in, at, e, "there is more behind the object, which must be alone on its line");
    }
}

static pl_status end_record(cli_input *in, bool *done, pl_error *e)
{
    for (int i = COLUMN_TEXT; i < COLUMN_COUNT; i++) {
        const char *key = key_of(in, (cli_column)i);
        bool needed = i == COLUMN_TEXT || in->column_names[i];
        if (i == COLUMN_PAIR && needed)
            needed = false; /* a text may stand alone among pairs */
        if (needed && !in->fields[i].present)
            return pl_fail(e, PL_BAD_INPUT, "%s: line %llu: the object has no \"%s\"", in->name, (unsigned long long)in->record_line, key);
    }
    in->as.json.state = LINE;
    *done = true;
    return PL_OK;
}

static pl_status end_line(cli_input *in, size_t at, bool *done, pl_error *e)
{
    cli_json *j = &in->as.json;
    if (j->state != LINE && j->state != REST)
        return fail(in, at, e, "the object is not closed on its line");
    pl_status status = j->state == REST ? end_record(in, done, e) : PL_OK;
    in->line++;
    j->line_start = in->consumed + at + 1;
    return status;
}

pl_status cli_jsonl_parse(cli_input *in, const char *bytes, size_t n, size_t *eaten, bool *done, pl_error *e)
{
    cli_json *j = &in->as.json;
    size_t at = 0;
    pl_status status = PL_OK;
    while (at < n && !*done && status == PL_OK) {
        char c = bytes[at];
        bool taken = true;
        if (j->state == STRING && c != '"' && c != '\\' && (unsigned char)c >= 0x20) {
            size_t run = plain_run(bytes + at, n - at);
            status = cli_field_add(in, j->target, bytes + at, run, e);
            at += run;
            continue;
        }
        if (j->state >= STRING && j->state <= LOW_U)
            status = string_byte(in, c, at, e);
        else if (j->state == LITERAL)
            status = literal_byte(in, c, at, e);
        else if (j->state >= MINUS)
            status = number_byte(in, c, &taken, at, e);
        else if (c == '\n')
            status = end_line(in, at, done, e);
        else if (c != ' ' && c != '\t' && c != '\r')
            status = structure_byte(in, c, at, e);
        at += taken;
    }
    *eaten = at;
    return status;
}

pl_status cli_jsonl_finish(cli_input *in, bool *done, pl_error *e)
{
    cli_json *j = &in->as.json;
    if (j->state == LINE)
        return PL_OK;
    if (j->state != REST)
        return fail(in, 0, e, "the input ends in the middle of an object");
    return end_record(in, done, e);
}
