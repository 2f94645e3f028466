#include "watch/watch.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

pid_t watch_command_start(const char *command, const char *why, bool quiet)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid < 0 ? 0 : pid;
    sigset_t none;
    int nothing = open("/dev/null", O_RDWR);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    dup2(nothing, STDIN_FILENO);
    dup2(quiet ? nothing : STDERR_FILENO, STDOUT_FILENO);
    if (quiet)
        dup2(nothing, STDERR_FILENO);
    setenv("PLIMSOLL_ALERT", why, 1);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}
