/* measure REPORT SECONDS COMMAND [ARGUMENT...]: runs a command, kills it after SECONDS, and writes
 * to REPORT: exit status as of wait(), 1 if killed, peak resident KiB, wall and CPU seconds.
 * It is small because a process inherits the peak of the one that started it, and a test in Python
 * would pass on its own ten megabytes. */
#define _DEFAULT_SOURCE /* wait4 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t late;
static pid_t child;

static void on_alarm(int number)
{
    (void)number;
    late = 1;
    kill(-child, SIGKILL);
}

static double seconds(struct timeval t) { return (double)t.tv_sec + 1e-6 * (double)t.tv_usec; }

int main(int argc, char **argv)
{
    if (argc < 4)
        return 125;
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    child = fork();
    if (child < 0)
        return 126;
    if (child == 0) {
        setpgid(0, 0);
        execvp(argv[3], argv + 3);
        perror(argv[3]);
        _exit(127);
    }
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    double limit = atof(argv[2]);
    struct itimerval timer = {.it_value = {(time_t)limit, (suseconds_t)((limit - (double)(time_t)limit) * 1e6)}};
    setitimer(ITIMER_REAL, &timer, NULL);
    int status = 0;
    struct rusage used = {0};
    while (wait4(child, &status, 0, &used) < 0)
        if (errno != EINTR)
            return 126;
    clock_gettime(CLOCK_MONOTONIC, &end);
    FILE *f = fopen(argv[1], "w");
    if (!f)
        return 126;
    fprintf(f, "%d %d %ld %.6f %.6f\n", status, (int)late, used.ru_maxrss, (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec),
        seconds(used.ru_utime) + seconds(used.ru_stime));
    return fclose(f) ? 126 : 0;
}
