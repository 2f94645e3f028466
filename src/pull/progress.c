#include "pull/pull.h"

#include <time.h>

double pl__seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void draw(pl__progress *p, double now)
{
    char done[32], all[32], rate[32];
    double seconds = now - p->start, each = seconds > 0 ? (double)(p->done - p->begun) / seconds : 0;
    unsigned percent = p->all ? (unsigned)(100.0 * (double)p->done / (double)p->all) : 100;
    fprintf(stderr, "\r\x1b[K%s: %u %%, %s of %s, %zu of %zu files, %s/s", p->what, percent, pl_bytes_text(p->done, done), pl_bytes_text(p->all, all),
        p->files_done, p->files, pl_bytes_text((uint64_t)each, rate));
    if (each > 0)
        fprintf(stderr, ", %.0f s left", (double)(p->all - p->done) / each);
    fflush(stderr);
    p->drawn = true;
    p->last = now;
}

void pl__progress_add(pl__progress *p, uint64_t bytes)
{
    static const double OFTEN = 0.1;
    p->done = pl_min(p->done + bytes, p->all); /* what is fetched a second time counts once */
    double now = pl__seconds();
    if (p->shown && now - p->last >= OFTEN)
        draw(p, now);
}

void pl__progress_end(pl__progress *p)
{
    if (p->drawn)
        fputs("\r\x1b[K", stderr);
    p->drawn = false;
}
