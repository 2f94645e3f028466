/* Requests to a running job: `plimsoll shrink PID SIZE` asks it to go on within another limit, and a
 * bare SIGUSR1 to go on with the least it can.
 *
 * The job listens on a datagram socket of the abstract name "plimsoll-PID" and is woken by SIGUSR1;
 * requests are answered inside the handler, for the same user and root only. A request that comes
 * while the job is still being prepared waits in the socket. */
#ifndef CLI_REQUESTS_H
#define CLI_REQUESTS_H

#include <plimsoll.h>

/* What can be asked; each function is async-signal-safe. */
typedef struct cli_bendable {
    pl_status (*shrink)(void *self, uint64_t bytes); /* 0: the limit it began with; PL_NO_FIT below the floor */
    uint64_t (*floor)(void *self);
    void *self;
} cli_bendable;

void cli_requests_listen(void);                 /* never fails the job: without a socket nobody can ask */
void cli_requests_begin(const cli_bendable *b); /* b must stay until the end */
void cli_requests_end(void);

/* The asking side. PL_USAGE if no such job listens, PL_NO_FIT with the floor if that is above bytes. */
pl_status cli_requests_ask(long pid, uint64_t bytes, pl_error *e);

#endif
