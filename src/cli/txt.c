/* One text a line: a line ends at LF or CRLF and at nothing else. */
#include "cli/input.h"

#include <string.h>

static pl_status add(cli_input *in, const char *bytes, size_t n, pl_error *e)
{
    cli_field *text = &in->fields[COLUMN_TEXT];
    if (!text->present) {
        cli_field_start(text);
        in->record_line = in->line;
    }
    return cli_field_add(in, text, bytes, n, e);
}

pl_status cli_txt_parse(cli_input *in, const char *bytes, size_t n, size_t *eaten, bool *done, pl_error *e)
{
    const char *end = memchr(bytes, '\n', n);
    size_t length = end ? (size_t)(end - bytes) : n;
    bool held = in->as.txt.held;
    in->as.txt.held = false;
    pl_status status = PL_OK;
    if (held && length > 0)
        status = add(in, "\r", 1, e);
    size_t kept = length;
    if (length > 0 && bytes[length - 1] == '\r') {
        kept--;
        in->as.txt.held = !end;
    }
    if (status == PL_OK)
        status = add(in, bytes, kept, e);
    if (status == PL_OK && end)
        status = cli_field_end(in, &in->fields[COLUMN_TEXT], e);
    if (status != PL_OK)
        return status;
    *eaten = length + (end != NULL);
    *done = end != NULL;
    in->line += *done;
    return PL_OK;
}

pl_status cli_txt_finish(cli_input *in, bool *done, pl_error *e)
{
    pl_status status = in->as.txt.held ? add(in, "\r", 1, e) : PL_OK;
    in->as.txt.held = false;
    *done = in->fields[COLUMN_TEXT].present;
    return status == PL_OK && *done ? cli_field_end(in, &in->fields[COLUMN_TEXT], e) : status;
}
