#include "cli/options.h"

#include <string.h>

const cli_verb_row cli_verbs[VERB_COUNT] = {
#define CLI_VERB_ROW(id, name, operands, least, most, purpose) {name, operands, least, most, purpose},
    CLI_VERB_MAP(CLI_VERB_ROW)
#undef CLI_VERB_ROW
};

const cli_option_row cli_option_rows[OPT_COUNT] = {
#define CLI_OPTION_ROW(id, letter, name, kind, argument, words, group, verbs, meaning) \
    {letter, name, KIND_##kind, argument, words, GROUP_##group, verbs, meaning},
    CLI_OPTION_MAP(CLI_OPTION_ROW)
#undef CLI_OPTION_ROW
};

const char *cli_word(const char *words, int index, size_t *n)
{
    while (index-- > 0) {
        words = strchr(words, ' ');
        if (!words)
            return NULL;
        words++;
    }
    *n = strcspn(words, " ");
    return words;
}

pl_status cli_verb_find(const char *name, cli_verb_id *verb, pl_error *e)
{
    const char *names[VERB_COUNT];
    for (int i = 0; i < VERB_COUNT; i++) {
        names[i] = cli_verbs[i].name;
        if (strcmp(name, names[i]) == 0) {
            *verb = (cli_verb_id)i;
            return PL_OK;
        }
    }
    const char *nearest = pl_nearest(name, names, VERB_COUNT);
    if (nearest)
        pl_fail(e, PL_USAGE, "'%s': there is no such verb, did you mean '%s'?", name, nearest);
    else
        pl_fail(e, PL_USAGE, "'%s': there is no such verb", name);
    pl_hint(e, "`plimsoll help` lists the verbs");
    return PL_USAGE;
}

/* ---- one option ---- */

static const char *verb_name(const cli_options *o) { return cli_verbs[o->verb].name; }
static bool belongs(const cli_options *o, int id) { return (cli_option_rows[id].verbs >> o->verb & 1) != 0; }

static pl_status hint_help(const cli_options *o, pl_error *e)
{
    pl_hint(e, "`plimsoll help %s` lists its options", verb_name(o));
    return PL_USAGE;
}

/* The option is known to other verbs, or to none: says so with what would be right. */
static pl_status fail_unknown(const cli_options *o, const char *shown, size_t n, pl_error *e)
{
    char dashed[OPT_COUNT][24];
    const char *candidates[OPT_COUNT];
    size_t count = 0;
    for (int id = 0; id < OPT_COUNT; id++) {
        const cli_option_row *row = &cli_option_rows[id];
        if (n == strlen(row->name) + 2 && memcmp(shown + 2, row->name, n - 2) == 0) {
            pl_fail(e, PL_USAGE, "%.*s: is no option of %s", (int)n, shown, verb_name(o));
            return hint_help(o, e);
        }
        if (belongs(o, id) && strlen(row->name) + 3 <= sizeof dashed[0]) {
            dashed[count][0] = dashed[count][1] = '-';
            strcpy(dashed[count] + 2, row->name);
            candidates[count] = dashed[count];
            count++;
        }
    }
    char word[64];
    const char *nearest = NULL;
    if (n < sizeof word) {
        memcpy(word, shown, n);
        word[n] = '\0';
        nearest = pl_nearest(word, candidates, count);
    }
    if (nearest)
        pl_fail(e, PL_USAGE, "%.*s: there is no such option, did you mean %s?", (int)n, shown, nearest);
    else
        pl_fail(e, PL_USAGE, "%.*s: there is no such option", (int)n, shown);
    return hint_help(o, e);
}

static bool parse_number(const char *text, uint64_t least, uint64_t *number)
{
    uint64_t value = 0;
    if (*text == '\0')
        return false;
    for (; *text; text++)
        if (*text < '0' || *text > '9' || !pl_mul(value, 10, &value) || !pl_add(value, (uint64_t)(*text - '0'), &value))
            return false;
    *number = value;
    return value >= least;
}

static pl_status parse_choice(const cli_option_row *row, const char *shown, cli_value *value, pl_error *e)
{
    size_t n;
    for (int i = 0;; i++) {
        const char *word = cli_word(row->words, i, &n);
        if (!word)
            return pl_fail(e, PL_USAGE, "%s: '%s' is none of: %s", shown, value->text, row->words);
        if (strlen(value->text) == n && memcmp(value->text, word, n) == 0) {
            value->choice = i;
            return PL_OK;
        }
    }
}

/* Values that are texts until here get their meaning; `shown` is the option as the user wrote it. */
static pl_status parse_value(const cli_option_row *row, const char *shown, cli_value *value, pl_error *e)
{
    const char *text = value->text;
    switch (row->kind) {
    case KIND_SIZE:
        if (!pl_bytes_parse(text, &value->number))
            return pl_fail(e, PL_USAGE, "%s: '%s' is no size, write it as 300MiB, 2GiB, 1.5G, 800MB or 123456789", shown, text);
        if (value->number == 0)
            return pl_fail(e, PL_USAGE, "%s: '%s' is nothing, a limit of at least 1 byte is needed", shown, text);
        return PL_OK;
    case KIND_COUNT:
    case KIND_NATURAL: {
        unsigned least = row->kind == KIND_COUNT;
        if (!parse_number(text, least, &value->number))
            return pl_fail(e, PL_USAGE, "%s: '%s' is no whole number from %u to 18446744073709551615", shown, text, least);
        return PL_OK;
    }
    case KIND_REAL:
        if (!pl_double_parse(text, strlen(text), &value->real) || !(value->real >= 0 && value->real <= 1e300))
            return pl_fail(e, PL_USAGE, "%s: '%s' is no number of at least 0", shown, text);
        return PL_OK;
    case KIND_CHOICE: return parse_choice(row, shown, value, e);
    case KIND_FILE: return *text ? PL_OK : pl_fail(e, PL_USAGE, "%s: an empty name names no file", shown);
    case KIND_TEXT:
    case KIND_FLAG: return PL_OK;
    }
    return PL_OK;
}

/* -t opens a pair, --text-pair closes it. `most` bounds how many there can be. */
static pl_status add_text(cli_options *o, cli_option_id id, const char *text, size_t most, pl_error *e)
{
    if (id == OPT_TEXT_PAIR) {
        cli_pair *last = o->text_count > 0 ? &o->texts[o->text_count - 1] : NULL;
        if (!last)
            return pl_fail(e, PL_USAGE, "--text-pair: there is no -t before it that it could go with");
        if (last->pair)
            return pl_fail(e, PL_USAGE, "--text-pair: the -t before it has a second text already");
        last->pair = text;
        return PL_OK;
    }
    if (!o->texts) {
        const pl_memory *memory = pl_memory_system();
        o->texts = memory->take(memory->self, most * sizeof *o->texts);
        if (!o->texts)
            return pl_fail_no_memory(e, most * sizeof *o->texts, "the texts of the command line");
    }
    o->texts[o->text_count++] = (cli_pair){text, NULL};
    return PL_OK;
}

static pl_status set_option(cli_options *o, cli_option_id id, const char *shown, const char *text, size_t most, pl_error *e)
{
    cli_value value = {.given = true, .text = text};
    pl_status status = parse_value(&cli_option_rows[id], shown, &value, e);
    if (status != PL_OK)
        return status;
    o->values[id] = value;
    return id == OPT_TEXT || id == OPT_TEXT_PAIR ? add_text(o, id, text, most, e) : PL_OK;
}

static pl_status fail_no_value(cli_option_id id, const char *shown, pl_error *e)
{
    const cli_option_row *row = &cli_option_rows[id];
    return pl_fail(e, PL_USAGE, "%s: its value is missing, write %s %s", shown, shown, row->argument);
}

/* ---- the words of the command line ---- */

typedef struct words {
    char *const *list;
    int count, at;
} words;

static pl_status parse_long(cli_options *o, words *w, pl_error *e)
{
    const char *word = w->list[w->at++];
    size_t n = strcspn(word, "=");
    const char *attached = word[n] == '=' ? word + n + 1 : NULL;
    for (int id = 0; id < OPT_COUNT; id++) {
        const cli_option_row *row = &cli_option_rows[id];
        if (!belongs(o, id) || strlen(row->name) + 2 != n || memcmp(word + 2, row->name, n - 2) != 0)
            continue;
        char shown[32] = "--";
        strncat(shown, row->name, sizeof shown - 3);
        if (row->kind == KIND_FLAG) {
            if (attached)
                return pl_fail(e, PL_USAGE, "%s: takes no value, but has '%s'", shown, attached);
        } else if (!attached) {
            if (w->at == w->count)
                return fail_no_value((cli_option_id)id, shown, e);
            attached = w->list[w->at++];
        }
        return set_option(o, (cli_option_id)id, shown, attached, (size_t)w->count, e);
    }
    return fail_unknown(o, word, n, e);
}

/* "-qv", "-iFILE", "-i FILE". */
static pl_status parse_short(cli_options *o, words *w, pl_error *e)
{
    const char *word = w->list[w->at++];
    for (const char *p = word + 1; *p; p++) {
        int id = 0;
        while (id < OPT_COUNT && (cli_option_rows[id].letter != *p || !belongs(o, id)))
            id++;
        char shown[3] = {'-', *p, '\0'};
        if (id == OPT_COUNT) {
            pl_fail(e, PL_USAGE, "%s: there is no such option", p == word + 1 ? word : shown);
            return hint_help(o, e);
        }
        const char *attached = NULL;
        if (cli_option_rows[id].kind != KIND_FLAG) {
            if (!p[1] && w->at == w->count)
                return fail_no_value((cli_option_id)id, shown, e);
            attached = p[1] ? p + 1 : w->list[w->at++];
        }
        pl_status status = set_option(o, (cli_option_id)id, shown, attached, (size_t)w->count, e);
        if (status != PL_OK || attached)
            return status;
    }
    return PL_OK;
}

static pl_status add_operand(cli_options *o, const char *word, pl_error *e)
{
    const cli_verb_row *verb = &cli_verbs[o->verb];
    if (o->operand_count == verb->most) {
        if (verb->most == 0)
            pl_fail(e, PL_USAGE, "'%s': %s takes no argument", word, verb->name);
        else
            pl_fail(e, PL_USAGE, "'%s': %s takes %s and nothing more, '%s' is given already", word, verb->name, verb->operands, o->operands[verb->most - 1]);
        return hint_help(o, e);
    }
    if (!*word)
        return pl_fail(e, PL_USAGE, "%s: an empty argument names nothing, %s is needed", verb->name, verb->operands);
    o->operands[o->operand_count++] = word;
    return PL_OK;
}

pl_status cli_options_parse(cli_options *o, cli_verb_id verb, int count, char *const *list, pl_error *e)
{
    *o = (cli_options){.verb = verb};
    words w = {list, count, 0};
    bool only_operands = false;
    while (w.at < w.count) {
        const char *word = w.list[w.at];
        pl_status status = PL_OK;
        if (!only_operands && strcmp(word, "--") == 0) {
            only_operands = true;
            w.at++;
        } else if (only_operands || word[0] != '-' || word[1] == '\0') {
            status = add_operand(o, word, e);
            w.at++;
        } else {
            status = word[1] == '-' ? parse_long(o, &w, e) : parse_short(o, &w, e);
        }
        if (status != PL_OK || cli_given(o, OPT_HELP))
            return status;
    }
    if (o->operand_count < cli_verbs[verb].least) {
        pl_fail(e, PL_USAGE, "%s: %s is missing", cli_verbs[verb].name, cli_verbs[verb].operands);
        return hint_help(o, e);
    }
    return PL_OK;
}
