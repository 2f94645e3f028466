/* What people read about each verb beyond the table of options: printed by help, and put into the
 * manual page. */
#ifndef CLI_TEXTS_H
#define CLI_TEXTS_H

#include "cli/options.h"

enum { CLI_EXAMPLES = 4, CLI_NOTES = 6 };

typedef struct cli_example {
    const char *command, *meaning;
} cli_example;

typedef struct cli_verb_text {
    const char *paragraphs[CLI_NOTES]; /* NULL ends */
    cli_example examples[CLI_EXAMPLES];
} cli_verb_text;

typedef struct cli_note {
    const char *title, *text;
} cli_note;

extern const cli_verb_text cli_verb_texts[VERB_COUNT];
extern const char *const cli_group_titles[GROUP_COUNT];
extern const cli_note cli_exit_codes[7], cli_environment[9], cli_words[3];
extern const char cli_purpose[], cli_description[];

#endif
