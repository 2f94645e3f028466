/* plimsoll-doc man|bash|zsh|fish: the manual page and the shell completions, from the same tables as
 * the parser and the help. Built beside the command; its output stands in docs/man and completions,
 * and a test compares. */
#include "cli/texts.h"

#include <stdio.h>
#include <string.h>

/* ---- manual page ---- */

/* Text for roff: what would be taken for a command or an escape is neither. */
static void roff(const char *text)
{
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '\'')
            fputs("\\(aq", stdout);
        else
            putchar(*text);
    }
}

static void roff_line(const char *text)
{
    roff(text);
    putchar('\n');
}

static void roff_notes(const char *title, const cli_note *notes, size_t count)
{
    printf(".SH %s\n", title);
    for (size_t i = 0; i < count && notes[i].title; i++) {
        fputs(".TP\n.B ", stdout);
        roff_line(notes[i].title);
        roff_line(notes[i].text);
    }
}

static void roff_verb(int verb)
{
    const cli_verb_row *row = &cli_verbs[verb];
    const cli_verb_text *text = &cli_verb_texts[verb];
    printf(".SS \"plimsoll %s", row->name);
    printf("%s%s\"\n", *row->operands ? " " : "", row->operands);
    for (size_t i = 0; i < CLI_NOTES && text->paragraphs[i]; i++) {
        if (i > 0)
            puts(".PP");
        roff_line(text->paragraphs[i]);
    }
    if (!text->paragraphs[0])
        roff_line(row->purpose);
}

static void roff_option(const cli_option_row *row)
{
    fputs(".TP\n.B ", stdout);
    if (row->letter)
        printf("\\-%c, ", row->letter);
    fputs("\\-\\-", stdout);
    roff(row->name);
    if (row->argument)
        printf(" \\fI%s\\fR", row->argument);
    putchar('\n');
    roff(row->meaning);
    if (row->words) {
        fputs(" (", stdout);
        for (const char *p = row->words; *p; p++)
            fputs(*p == ' ' ? ", " : (char[]){*p, '\0'}, stdout);
        putchar(')');
    }
    puts(".");
    if (row->verbs == OF_ALL)
        return;
    fputs(".br\nVerbs: ", stdout);
    bool first = true;
    for (int verb = 0; verb < VERB_COUNT; verb++)
        if (row->verbs >> verb & 1) {
            printf("%s%s", first ? "" : ", ", cli_verbs[verb].name);
            first = false;
        }
    puts(".");
}

static void roff_options(void)
{
    puts(".SH OPTIONS");
    for (int group = 0; group < GROUP_COUNT; group++) {
        printf(".SS %s\n", cli_group_titles[group]);
        for (int id = 0; id < OPT_COUNT; id++)
            if ((int)cli_option_rows[id].group == group)
                roff_option(&cli_option_rows[id]);
    }
}

static void roff_examples(void)
{
    puts(".SH EXAMPLES");
    for (int verb = 0; verb < VERB_COUNT; verb++)
        for (size_t i = 0; i < CLI_EXAMPLES && cli_verb_texts[verb].examples[i].command; i++) {
            fputs(".TP\n.B ", stdout);
            roff_line(cli_verb_texts[verb].examples[i].command);
            roff_line(cli_verb_texts[verb].examples[i].meaning);
        }
}

static void print_man(void)
{
    printf(".TH PLIMSOLL 1 \"\" \"plimsoll %s\" \"User Commands\"\n", PL_VERSION);
    fputs(".SH NAME\nplimsoll \\- ", stdout);
    roff_line(cli_purpose);
    puts(".SH SYNOPSIS\n.B plimsoll\n.I VERB\n.RI [ OPTIONS ]\n.RI [ ARGUMENT ...]\n.SH DESCRIPTION");
    roff_line(cli_description);
    for (size_t i = 0; i < PL_COUNT(cli_words); i++) {
        fputs(".TP\n.I ", stdout);
        roff_line(cli_words[i].title);
        roff_line(cli_words[i].text);
    }
    puts(".SH VERBS");
    for (int verb = 0; verb < VERB_COUNT; verb++)
        roff_verb(verb);
    roff_options();
    roff_examples();
    roff_notes("EXIT STATUS", cli_exit_codes, PL_COUNT(cli_exit_codes));
    roff_notes("ENVIRONMENT", cli_environment, PL_COUNT(cli_environment));
}

/* ---- completions ---- */

static bool takes_file(const cli_option_row *row) { return row->kind == KIND_FILE; }
static bool takes_value(const cli_option_row *row) { return row->kind != KIND_FLAG; }

static void print_options_of(int verb)
{
    for (int id = 0; id < OPT_COUNT; id++)
        if (cli_option_rows[id].verbs >> verb & 1) {
            if (cli_option_rows[id].letter)
                printf(" -%c", cli_option_rows[id].letter);
            printf(" --%s", cli_option_rows[id].name);
        }
}

static void bash_names(const cli_option_row *row)
{
    if (row->letter)
        printf("-%c|", row->letter);
    printf("--%s", row->name);
}

static void print_bash(void)
{
    puts("# bash completion of plimsoll; made by plimsoll-doc\n_plimsoll() {\n"
         "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]} words=\n"
         "    COMPREPLY=()\n    if [ \"$COMP_CWORD\" = 1 ]; then");
    fputs("        words=\"", stdout);
    for (int verb = 0; verb < VERB_COUNT; verb++)
        printf("%s ", cli_verbs[verb].name);
    puts("--help --version\"\n        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n        return\n    fi");
    puts("    [ \"$before\" = = ] && before=${COMP_WORDS[COMP_CWORD-2]} # readline parts --option=value\n"
         "    [ \"$word\" = = ] && word=\n    case $before in");
    for (int id = 0; id < OPT_COUNT; id++) {
        const cli_option_row *row = &cli_option_rows[id];
        if (!takes_value(row))
            continue;
        fputs("    ", stdout);
        bash_names(row);
        if (takes_file(row))
            puts(") compopt -o default; return ;;");
        else if (row->words)
            printf(") words=\"%s\" ;;\n", row->words);
        else
            puts(") return ;;");
    }
    puts("    esac\n    if [ -z \"$words\" ]; then\n        case $verb in");
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        printf("        %s) words=\"", cli_verbs[verb].name);
        if (verb == VERB_HELP)
            for (int other = 0; other < VERB_COUNT; other++)
                printf("%s ", cli_verbs[other].name);
        print_options_of(verb);
        puts("\" ;;");
    }
    puts("        esac\n        case $word in\n        -*) ;;\n        *) [ \"$verb\" = help ] || { compopt -o default; return; } ;;\n        esac\n    fi\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n}\ncomplete -F _plimsoll plimsoll");
}

/* Inside a zsh argument specification in single quotes. */
static void zsh_text(const char *text)
{
    for (; *text; text++) {
        if (strchr("[]:\\", *text))
            putchar('\\');
        if (*text == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*text);
    }
}

static void zsh_option(const cli_option_row *row)
{
    if (row->letter)
        printf(" \\\n            {-%c,--%s}'", row->letter, row->name);
    else
        printf(" \\\n            '--%s", row->name);
    putchar('[');
    zsh_text(row->meaning);
    putchar(']');
    if (takes_value(row)) {
        printf(":%s:", row->argument);
        if (takes_file(row))
            fputs("_files", stdout);
        else if (row->words)
            printf("(%s)", row->words);
    }
    putchar('\'');
}

static void print_zsh(void)
{
    puts("#compdef plimsoll\n# zsh completion of plimsoll; made by plimsoll-doc\n_plimsoll() {\n    local -a verbs\n    verbs=(");
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        printf("        '%s:", cli_verbs[verb].name);
        zsh_text(cli_verbs[verb].purpose);
        puts("'");
    }
    puts("    )\n    if (( CURRENT == 2 )); then\n        _describe verb verbs\n        return\n    fi\n    local verb=$words[2]\n    shift words\n"
         "    (( CURRENT-- ))\n    case $verb in");
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        printf("    %s)\n", cli_verbs[verb].name);
        fputs(verb == VERB_HELP ? "        _describe verb verbs" : "        _arguments", stdout);
        for (int id = 0; verb != VERB_HELP && id < OPT_COUNT; id++)
            if (cli_option_rows[id].verbs >> verb & 1)
                zsh_option(&cli_option_rows[id]);
        if (verb != VERB_HELP && cli_verbs[verb].most > 0)
            fputs(" \\\n            '*:argument:_files'", stdout);
        puts("\n        ;;");
    }
    puts("    esac\n}\n_plimsoll \"$@\"");
}

static void fish_text(const char *text)
{
    putchar('\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('\'');
}

static void fish_option(const cli_option_row *row)
{
    fputs("complete -c plimsoll -n '__fish_seen_subcommand_from", stdout);
    for (int verb = 0; verb < VERB_COUNT; verb++)
        if (row->verbs >> verb & 1)
            printf(" %s", cli_verbs[verb].name);
    putchar('\'');
    if (row->letter)
        printf(" -s %c", row->letter);
    printf(" -l %s", row->name);
    if (takes_file(row))
        fputs(" -r -F", stdout);
    else if (row->words)
        printf(" -x -a '%s'", row->words);
    else if (takes_value(row))
        fputs(" -x", stdout);
    fputs(" -d ", stdout);
    fish_text(row->meaning);
    putchar('\n');
}

static void print_fish(void)
{
    puts("# fish completion of plimsoll; made by plimsoll-doc\ncomplete -c plimsoll -n __fish_use_subcommand -l version -d 'what this program is made of'");
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        printf("complete -c plimsoll -n __fish_use_subcommand -f -a %s -d ", cli_verbs[verb].name);
        fish_text(cli_verbs[verb].purpose);
        putchar('\n');
    }
    fputs("complete -c plimsoll -n '__fish_seen_subcommand_from help' -f -a '", stdout);
    for (int verb = 0; verb < VERB_COUNT; verb++)
        printf("%s%s", verb ? " " : "", cli_verbs[verb].name);
    puts("'");
    for (int id = 0; id < OPT_COUNT; id++)
        fish_option(&cli_option_rows[id]);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*print)(void);
    } kinds[] = {{"man", print_man}, {"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    for (size_t i = 0; argc == 2 && i < PL_COUNT(kinds); i++)
        if (strcmp(argv[1], kinds[i].name) == 0) {
            kinds[i].print();
            return fflush(stdout) == 0 ? 0 : 5;
        }
    fputs("usage: plimsoll-doc man|bash|zsh|fish\n", stderr);
    return 2;
}
