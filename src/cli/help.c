/* plimsoll help, --help, --version */
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "cli/texts.h"

#include <stdio.h>

enum { COLUMNS = 80, INDENT = 26 };

/* A page: the first failure stays, so that each line need not be checked. */
typedef struct page {
    cli_output out;
    char buffer[4096];
    pl_status status;
    pl_error *e;
    size_t column;
} page;

static void put(page *p, const char *text, size_t n)
{
    if (p->status == PL_OK)
        p->status = cli_output_put(&p->out, text, n, p->e);
    p->column += n;
}

static void line_end(page *p)
{
    put(p, "\n", 1);
    p->column = 0;
}

static void put_text(page *p, const char *text) { put(p, text, strlen(text)); }

static void put_to(page *p, size_t column)
{
    while (p->column < column)
        put(p, " ", 1);
}

/* Words of text from `indent` on, broken before the last column. */
static void put_wrapped(page *p, size_t indent, const char *text)
{
    put_to(p, indent);
    while (*text) {
        size_t n = strcspn(text, " ");
        if (p->column > indent && p->column + 1 + n > COLUMNS) {
            line_end(p);
            put_to(p, indent);
        } else if (p->column > indent) {
            put(p, " ", 1);
        }
        put(p, text, n);
        text += n;
        text += *text == ' ';
    }
    line_end(p);
}

static void put_note(page *p, const char *title, const char *text)
{
    put_text(p, "  ");
    put_text(p, title);
    if (p->column + 2 > INDENT)
        line_end(p);
    put_wrapped(p, INDENT, text);
}

static page the_page;

static void start(page *p, pl_error *e)
{
    cli_signals_install(); /* a reader that leaves ends us quietly */
    p->e = e;
    p->status = cli_output_open(&p->out, NULL, 0, p->buffer, sizeof p->buffer, e);
}

static pl_status finish(page *p) { return p->status == PL_OK ? cli_output_commit(&p->out, p->e) : p->status; }

/* ---- the whole command ---- */

pl_status cli_usage_print(pl_error *e)
{
    page *p = &the_page;
    start(p, e);
    put_text(p, "usage: plimsoll VERB [OPTIONS] ...");
    line_end(p);
    line_end(p);
    put_wrapped(p, 0, cli_description);
    line_end(p);
    for (int i = 0; i < VERB_COUNT; i++) {
        char title[64];
        snprintf(title, sizeof title, "%s %s", cli_verbs[i].name, cli_verbs[i].operands);
        put_note(p, title, cli_verbs[i].purpose);
    }
    line_end(p);
    put_text(p, "Words");
    line_end(p);
    for (size_t i = 0; i < PL_COUNT(cli_words); i++)
        put_note(p, cli_words[i].title, cli_words[i].text);
    line_end(p);
    put_text(p, "Exit codes");
    line_end(p);
    for (size_t i = 0; i < PL_COUNT(cli_exit_codes); i++)
        put_note(p, cli_exit_codes[i].title, cli_exit_codes[i].text);
    line_end(p);
    put_wrapped(p, 0, "`plimsoll help VERB` says all about a verb, `plimsoll --version` what this program is made of.");
    return finish(p);
}

/* ---- a verb ---- */

/* "-i, --input FILE", "--precision f32|bf16|f16|auto" */
static void option_title(const cli_option_row *row, char *out, size_t capacity)
{
    char words[128] = "";
    if (row->words) {
        snprintf(words, sizeof words, "%s", row->words);
        for (char *p = words; *p; p++)
            if (*p == ' ')
                *p = '|';
    }
    char letter[8] = "";
    if (row->letter)
        snprintf(letter, sizeof letter, "-%c, ", row->letter);
    const char *argument = row->words ? words : row->argument;
    snprintf(out, capacity, "%s--%s%s%s", letter, row->name, argument ? " " : "", argument ? argument : "");
}

static void put_options(page *p, cli_verb_id verb)
{
    for (int group = 0; group < GROUP_COUNT; group++) {
        bool any = false;
        for (int id = 0; id < OPT_COUNT; id++) {
            const cli_option_row *row = &cli_option_rows[id];
            if ((int)row->group != group || !(row->verbs >> verb & 1))
                continue;
            if (!any) {
                line_end(p);
                put_text(p, cli_group_titles[group]);
                line_end(p);
                any = true;
            }
            char title[192];
            option_title(row, title, sizeof title);
            put_note(p, title, row->meaning);
        }
    }
}

static void put_examples(page *p, const cli_verb_text *text)
{
    if (!text->examples[0].command)
        return;
    line_end(p);
    put_text(p, "Examples");
    line_end(p);
    for (size_t i = 0; i < CLI_EXAMPLES && text->examples[i].command; i++) {
        put_text(p, "  # ");
        put_text(p, text->examples[i].meaning);
        line_end(p);
        put_text(p, "  ");
        put_text(p, text->examples[i].command);
        line_end(p);
    }
}

pl_status cli_help_print(cli_verb_id verb, pl_error *e)
{
    page *p = &the_page;
    const cli_verb_row *row = &cli_verbs[verb];
    const cli_verb_text *text = &cli_verb_texts[verb];
    start(p, e);
    put_text(p, "usage: plimsoll ");
    put_text(p, row->name);
    put_text(p, " [OPTIONS]");
    put_text(p, *row->operands ? " " : "");
    put_text(p, row->operands);
    line_end(p);
    line_end(p);
    put_text(p, "plimsoll ");
    put_text(p, row->name);
    put_text(p, ":");
    put_wrapped(p, 0, row->purpose);
    for (size_t i = 0; i < CLI_NOTES && text->paragraphs[i]; i++) {
        line_end(p);
        put_wrapped(p, 0, text->paragraphs[i]);
    }
    put_options(p, verb);
    put_examples(p, text);
    return finish(p);
}

pl_status cli_verb_help(cli_call *call, pl_error *e)
{
    if (call->options.operand_count == 0)
        return cli_usage_print(e);
    cli_verb_id verb;
    pl_status status = cli_verb_find(call->options.operands[0], &verb, e);
    return status == PL_OK ? cli_help_print(verb, e) : status;
}

/* ---- --version ---- */

pl_status cli_version_print(pl_error *e)
{
    page *p = &the_page;
    start(p, e);
    put_text(p, "plimsoll ");
    put_text(p, pl_version());
    line_end(p);
    if (p->status == PL_OK)
        p->status = pl_build_info(cli_output_write, &p->out, e);
    return finish(p);
}
