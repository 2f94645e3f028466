#define _GNU_SOURCE /* struct ucred, F_SETSIG */
#include "cli/requests.h"

#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct request {
    char magic[8];
    uint64_t bytes;
} request;

typedef struct reply {
    char magic[8];
    uint32_t status; /* pl_status */
    uint64_t floor;
} reply;

static const char magic[8] = "plshrin1";

static _Atomic(const cli_bendable *) bendable;
static atomic_int listening = -1;
static uid_t owner;

static socklen_t address_of(long pid, struct sockaddr_un *a)
{
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(a->sun_path + 1, sizeof a->sun_path - 1, "plimsoll-%ld", pid); /* a leading zero byte: an abstract name */
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

/* ---- the job ---- */

/* One datagram and who sent it; false when there is none. Anything odd is dropped. */
static bool receive(int fd, request *r, struct sockaddr_un *from, socklen_t *from_length, bool *trusted)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec part = {r, sizeof *r};
    struct msghdr message = {
        .msg_name = from, .msg_namelen = sizeof *from, .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return false;
    *from_length = message.msg_namelen;
    *trusted = false;
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    if (n == (ssize_t)sizeof *r && memcmp(r->magic, magic, sizeof magic) == 0 && c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
        struct ucred who;
        memcpy(&who, CMSG_DATA(c), sizeof who);
        *trusted = who.uid == owner || who.uid == 0;
    }
    return true;
}

/* Async-signal-safe: system calls, and what cli_bendable promises. Returns how many were answered. */
static int answer_all(void)
{
    const cli_bendable *b = atomic_load(&bendable);
    int fd = atomic_load(&listening), count = 0;
    request r;
    struct sockaddr_un from;
    socklen_t from_length;
    bool trusted;
    while (b && fd >= 0 && receive(fd, &r, &from, &from_length, &trusted)) {
        count++;
        if (!trusted)
            continue;
        reply answer = {.status = (uint32_t)b->shrink(b->self, r.bytes), .floor = b->floor(b->self)};
        memcpy(answer.magic, magic, sizeof magic);
        sendto(fd, &answer, sizeof answer, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&from, from_length);
    }
    return count;
}

static void on_request(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    int saved = errno;
    const cli_bendable *b = atomic_load(&bendable);
    if (answer_all() == 0 && b && info->si_code == SI_USER) /* kill -USR1 */
        b->shrink(b->self, b->floor(b->self));
    errno = saved;
}

void cli_requests_listen(void)
{
    struct sigaction old, action = {.sa_sigaction = on_request, .sa_flags = SA_RESTART | SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGUSR1, NULL, &old) != 0 || old.sa_handler == SIG_IGN || sigaction(SIGUSR1, &action, NULL) != 0)
        return;
    struct sockaddr_un a;
    socklen_t length = address_of((long)getpid(), &a);
    owner = geteuid();
    int on = 1, fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0 || bind(fd, (struct sockaddr *)&a, length) != 0 || fcntl(fd, F_SETOWN, getpid()) != 0 ||
        fcntl(fd, F_SETSIG, SIGUSR1) != 0 || fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK) != 0) {
        close(fd);
        return;
    }
    atomic_store(&listening, fd);
}

void cli_requests_begin(const cli_bendable *b)
{
    atomic_store(&bendable, b);
    /* What came earlier waits: look once, with the handler kept out. */
    sigset_t usr1, before;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, &before);
    answer_all();
    sigprocmask(SIG_SETMASK, &before, NULL);
}

void cli_requests_end(void) { atomic_store(&bendable, NULL); }

/* ---- who asks ---- */

enum { PATIENCE_SECONDS = 10 }; /* a job that loads its weights answers when it has them */

static pl_status exchange(int fd, long pid, uint64_t bytes, reply *answer, pl_error *e)
{
    struct sockaddr_un a, own = {.sun_family = AF_UNIX};
    socklen_t length = address_of(pid, &a);
    struct timeval patience = {PATIENCE_SECONDS, 0};
    request r = {.bytes = bytes};
    memcpy(r.magic, magic, sizeof magic);
    if (bind(fd, (struct sockaddr *)&own, sizeof own.sun_family) != 0 || /* a name of its own, for the answer */
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
        return pl_fail(e, PL_MACHINE, "shrink: no socket: %s", strerror(errno));
    if (connect(fd, (struct sockaddr *)&a, length) != 0 || send(fd, &r, sizeof r, MSG_NOSIGNAL) != (ssize_t)sizeof r)
        return pl_fail(e, PL_USAGE, "shrink: process %ld is no plimsoll that runs a model", pid);
    ssize_t n = recv(fd, answer, sizeof *answer, 0);
    if (n != (ssize_t)sizeof *answer || memcmp(answer->magic, magic, sizeof magic) != 0)
        return pl_fail(e, PL_MACHINE, "shrink: process %ld does not answer; it belongs to somebody else, or is stopped", pid);
    return PL_OK;
}

pl_status cli_requests_ask(long pid, uint64_t bytes, pl_error *e)
{
    reply answer = {.status = PL_MACHINE};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return pl_fail(e, PL_MACHINE, "shrink: no socket: %s", strerror(errno));
    pl_status status = exchange(fd, pid, bytes, &answer, e);
    close(fd);
    if (status != PL_OK || answer.status == PL_OK)
        return status;
    char floor[32], asked[32];
    pl_fail(e, PL_NO_FIT, "shrink: process %ld cannot go on within %llu bytes (%s), it needs %llu bytes (%s)", pid, (unsigned long long)bytes,
        pl_bytes_text(bytes, asked), (unsigned long long)answer.floor, pl_bytes_text(answer.floor, floor));
    pl_hint(e, "plimsoll shrink %ld %llu gives back all that it can", pid, (unsigned long long)answer.floor);
    return PL_NO_FIT;
}
