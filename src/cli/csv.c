/* CSV as RFC 4180 has it, with LF as well as CRLF at a row's end, and the same with tabs. Quoted
 * fields may hold delimiters, line ends and doubled quotes. Rows without any byte are passed over. */
#include "cli/input.h"

#include <stdio.h>
#include <string.h>

enum { AT_FIELD, IN_BARE, IN_QUOTED, AFTER_QUOTE, AT_CR_BARE, AT_CR_QUOTED };

/* In the order of preference; a row counts if its text is there, and its pair too where it must be. */
static const struct {
    const char *text, *pair;
    bool needs_pair;
} defaults[CLI_DEFAULTS] = {
    {"text", "text_pair", false},
    {"sentence1", "sentence2", true},
    {"premise", "hypothesis", true},
    {"question", "sentence", true},
    {"sentence", NULL, false},
};

void cli_csv_start(cli_input *in)
{
    cli_csv *csv = &in->as.csv;
    *csv = (cli_csv){.delimiter = in->format == FORMAT_TSV ? '\t' : ',', .in_header = true};
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        csv->at[i] = UINT64_MAX;
    for (size_t i = 0; i < CLI_DEFAULTS; i++)
        csv->text_at[i] = csv->pair_at[i] = UINT64_MAX;
}

/* ---- the header ---- */

/* Names are kept for the message that lists them; a list that grows too long ends in "...". */
static void list_name(cli_input *in)
{
    cli_csv *csv = &in->as.csv;
    const cli_field *name = &in->scratch;
    char *list = in->name_bytes + CLI_NAME_BYTES;
    static const char more[] = "...";
    if (csv->listed + 2 + name->used + sizeof more > CLI_NAME_BYTES) {
        memcpy(list + CLI_NAME_BYTES - sizeof more, more, sizeof more);
        return;
    }
    if (csv->column > 0) {
        memcpy(list + csv->listed, ", ", 2);
        csv->listed += 2;
    }
    memcpy(list + csv->listed, name->bytes, name->used);
    csv->listed += name->used;
}

static void note_place(uint64_t *place, uint64_t column, const cli_field *name, const char *wanted)
{
    if (*place == UINT64_MAX && cli_field_is(name, wanted))
        *place = column;
}

static void note_name(cli_input *in)
{
    cli_csv *csv = &in->as.csv;
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        note_place(&csv->at[i], csv->column, &in->scratch, in->column_names[i]);
    for (size_t i = 0; i < CLI_DEFAULTS; i++) {
        note_place(&csv->text_at[i], csv->column, &in->scratch, defaults[i].text);
        note_place(&csv->pair_at[i], csv->column, &in->scratch, defaults[i].pair);
    }
    list_name(in);
}

/* One column only: most likely another sign stands between them. */
static void hint_delimiter(const cli_csv *csv, const char *list, pl_error *e)
{
    if (csv->columns > 1)
        return;
    if (csv->delimiter == ',' && memchr(list, '\t', csv->listed))
        pl_hint(e, "--input-format tsv reads columns with tabs between them");
    else if (memchr(list, ';', csv->listed))
        pl_hint(e, "columns have a %s between them here, no semicolon", csv->delimiter == '\t' ? "tab" : "comma");
    else if (csv->delimiter == '\t' && memchr(list, ',', csv->listed))
        pl_hint(e, "--input-format csv reads columns with commas between them");
}

static pl_status fail_header(const cli_input *in, const char *what, const char *remedy, pl_error *e)
{
    const cli_csv *csv = &in->as.csv;
    const char *list = in->name_bytes + CLI_NAME_BYTES;
    pl_fail(e, PL_BAD_INPUT, "%s: line %llu: %s", in->name, (unsigned long long)in->record_line, what);
    pl_hint(e, "the columns are: %.*s%s", (int)csv->listed, list, list[CLI_NAME_BYTES - 2] == '.' ? " ..." : "");
    hint_delimiter(csv, list, e);
    pl_hint(e, "choose with %s", remedy);
    return PL_BAD_INPUT;
}

static void choose_defaults(cli_input *in)
{
    cli_csv *csv = &in->as.csv;
    for (size_t i = 0; i < CLI_DEFAULTS; i++) {
        bool pair_there = csv->pair_at[i] != UINT64_MAX;
        if (csv->text_at[i] == UINT64_MAX || (defaults[i].needs_pair && !pair_there))
            continue;
        csv->at[COLUMN_TEXT] = csv->text_at[i];
        if (!in->column_names[COLUMN_PAIR])
            csv->at[COLUMN_PAIR] = csv->pair_at[i];
        return;
    }
}

static pl_status end_header(cli_input *in, pl_error *e)
{
    cli_csv *csv = &in->as.csv;
    static const char *const options[COLUMN_COUNT] = {"--text-column", "--text-pair-column", "--label-column"};
    static const char texts[] = "--text-column NAME and --text-pair-column NAME";
    csv->columns = csv->column;
    csv->in_header = false;
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        if (in->column_names[i] && csv->at[i] == UINT64_MAX) {
            char what[256];
            snprintf(what, sizeof what, "there is no column '%.160s' (%s)", in->column_names[i], options[i]);
            return fail_header(in, what, i == COLUMN_LABEL ? "--label-column NAME" : texts, e);
        }
    if (!in->column_names[COLUMN_TEXT])
        choose_defaults(in);
    if (csv->at[COLUMN_TEXT] == UINT64_MAX)
        return fail_header(in, "no column is called text, nor is there another that texts are taken from by itself", texts, e);
    if (csv->at[COLUMN_TEXT] == csv->at[COLUMN_PAIR] || csv->at[COLUMN_TEXT] == csv->at[COLUMN_LABEL])
        return fail_header(in, "the text and its pair or label would be the same column", texts, e);
    if (csv->at[COLUMN_PAIR] == csv->at[COLUMN_LABEL] && csv->at[COLUMN_PAIR] != UINT64_MAX)
        return fail_header(in, "the second text and the label would be the same column", texts, e);
    return PL_OK;
}

/* ---- fields and rows ---- */

static cli_field *field_here(cli_input *in)
{
    const cli_csv *csv = &in->as.csv;
    in->scratch.capacity = csv->in_header ? CLI_NAME_BYTES : 0;
    if (!csv->in_header)
        for (size_t i = 0; i < COLUMN_COUNT; i++)
            if (csv->at[i] == csv->column)
                return &in->fields[i];
    return &in->scratch;
}

static void start_field(cli_input *in)
{
    if (in->as.csv.column == 0)
        in->record_line = in->line;
    cli_field_start(field_here(in));
}

static pl_status end_field(cli_input *in, pl_error *e)
{
    cli_csv *csv = &in->as.csv;
    cli_field *f = field_here(in);
    pl_status status = f == &in->fields[COLUMN_LABEL] ? cli_label_end(in, e) : cli_field_end(in, f, e);
    if (status == PL_OK && csv->in_header)
        note_name(in);
    csv->column++;
    csv->state = AT_FIELD;
    return status;
}

static pl_status end_row(cli_input *in, bool *done, pl_error *e)
{
    cli_csv *csv = &in->as.csv;
    pl_status status = end_field(in, e);
    uint64_t count = csv->column;
    if (status == PL_OK && csv->in_header)
        status = end_header(in, e);
    else if (status == PL_OK && count != csv->columns)
        status = pl_fail(e, PL_BAD_INPUT, "%s: line %llu: %llu fields, the header has %llu; a field that holds a %s must stand in quotes", in->name,
            (unsigned long long)in->record_line, (unsigned long long)count, (unsigned long long)csv->columns, csv->delimiter == '\t' ? "tab" : "comma");
    else
        *done = true;
    csv->column = 0;
    return status;
}

static pl_status fail_after_quote(const cli_input *in, pl_error *e)
{
    return pl_fail(e, PL_BAD_INPUT, "%s: line %llu: a quoted field goes on behind its closing quote; a quote inside must be doubled", in->name,
        (unsigned long long)in->line);
}

/* ---- the machine ---- */

/* How far a field's bytes go without anything to decide on. */
static size_t plain_run(const cli_csv *csv, const char *bytes, size_t n)
{
    size_t at = 0;
    if (csv->state == IN_QUOTED) {
        while (at < n && bytes[at] != '"' && bytes[at] != '\n')
            at++;
    } else {
        while (at < n && bytes[at] != csv->delimiter && bytes[at] != '\n' && bytes[at] != '\r')
            at++;
    }
    return at;
}

/* A byte at the start of a field. A quote opens it, everything else is looked at again as its inside. */
static size_t begin_field(cli_input *in, char c)
{
    cli_csv *csv = &in->as.csv;
    if (c == '\n' && csv->column == 0) { /* a row without any byte */
        in->line++;
        return 1;
    }
    start_field(in);
    csv->state = c == '"' ? IN_QUOTED : IN_BARE;
    csv->quote_line = in->line;
    return c == '"';
}

/* A byte that ends a run of plain ones; returns how many bytes were taken. */
static pl_status decide(cli_input *in, char c, bool *taken, bool *done, pl_error *e)
{
    cli_csv *csv = &in->as.csv;
    *taken = true;
    switch (csv->state) {
    case IN_QUOTED:
        if (c == '"') {
            csv->state = AFTER_QUOTE;
            return PL_OK;
        }
        in->line++;
        return cli_field_add(in, field_here(in), "\n", 1, e);
    case AFTER_QUOTE:
        if (c == '"') {
            csv->state = IN_QUOTED;
            return cli_field_add(in, field_here(in), "\"", 1, e);
        }
        break;
    case AT_CR_BARE:
    case AT_CR_QUOTED:
        if (c == '\n')
            break;
        if (csv->state == AT_CR_QUOTED)
            return fail_after_quote(in, e);
        *taken = false; /* a CR alone is a character like others */
        csv->state = IN_BARE;
        return cli_field_add(in, field_here(in), "\r", 1, e);
    default: break;
    }
    if (c == csv->delimiter && csv->state != AT_CR_BARE)
        return end_field(in, e);
    if (c == '\r') {
        csv->state = csv->state == AFTER_QUOTE ? AT_CR_QUOTED : AT_CR_BARE;
        return PL_OK;
    }
    if (c != '\n')
        return fail_after_quote(in, e);
    if (csv->state == AT_CR_BARE && csv->column == 0 && field_here(in)->length == 0) { /* a row without any byte */
        field_here(in)->present = false;
        csv->state = AT_FIELD;
        in->line++;
        return PL_OK;
    }
    pl_status status = end_row(in, done, e);
    in->line++;
    return status;
}

pl_status cli_csv_parse(cli_input *in, const char *bytes, size_t n, size_t *eaten, bool *done, pl_error *e)
{
    cli_csv *csv = &in->as.csv;
    size_t at = 0;
    pl_status status = PL_OK;
    while (at < n && !*done && status == PL_OK) {
        if (csv->state == AT_FIELD) {
            at += begin_field(in, bytes[at]);
            continue;
        }
        if (csv->state == IN_BARE || csv->state == IN_QUOTED) {
            size_t run = plain_run(csv, bytes + at, n - at);
            if (run > 0)
                status = cli_field_add(in, field_here(in), bytes + at, run, e);
            at += run;
            if (at == n || status != PL_OK)
                break;
        }
        bool taken;
        status = decide(in, bytes[at], &taken, done, e);
        at += taken;
    }
    *eaten = at;
    return status;
}

pl_status cli_csv_finish(cli_input *in, bool *done, pl_error *e)
{
    cli_csv *csv = &in->as.csv;
    if (csv->state == IN_QUOTED)
        return pl_fail(e, PL_BAD_INPUT, "%s: line %llu: the quote that opens here is never closed; a quote inside a quoted field must be doubled", in->name,
            (unsigned long long)csv->quote_line);
    if (csv->state == AT_FIELD && csv->column == 0)
        return PL_OK;
    if (csv->state == AT_FIELD)
        start_field(in); /* "a,b," ends in an empty field */
    pl_status status = csv->state == AT_CR_BARE ? cli_field_add(in, field_here(in), "\r", 1, e) : PL_OK;
    return status == PL_OK ? end_row(in, done, e) : status;
}
