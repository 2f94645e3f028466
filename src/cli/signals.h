/* SIGINT, SIGTERM and SIGHUP. Until cli_signals_begin one of them ends the process at once and takes
 * the still empty outputs with it; from then on the first one asks the run to stop, so that finished
 * results are kept, and a second one ends the process at once. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <plimsoll.h>

/* Handles what the caller of the program does not ignore; ignores SIGPIPE and SIGXFSZ, so that a
 * reader that went away and a file size limit come back as errors of write(2). */
void cli_signals_install(void);
/* `session` may be NULL where nothing runs that pl_stop could stop. */
void cli_signals_begin(pl_session *session);
void cli_signals_begin_training(pl_trainer *trainer);
void cli_signals_end(void); /* before the session is closed */
/* The signal that came, or 0. */
int cli_signals_caught(void);

/* A file that holds nothing of worth before cli_signals_begin: removed when a signal ends the process
 * then. The text must stay. NULL path takes nothing back: use cli_signals_keep. */
void cli_signals_discard(const char *path);
void cli_signals_keep(const char *path);

#endif
