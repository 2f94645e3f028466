/* stream MODEL [MEMORY]: classifies standard input line by line, for input of any length.
 *
 * A source hands over the next line, a sink takes the next answer; between them the library holds as
 * many lines as its plan has room for. Nothing is allocated while it runs, and an interrupt asks it
 * to end after the lines that are finished.
 *
 *     cc stream.c $(pkg-config --cflags --libs --static plimsoll) -o stream
 */
#include <plimsoll.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct lines {
    char *buffer; /* [capacity]; the bytes [taken, used) are read and not handed out */
    size_t capacity, taken, used;
    bool ended, skipping; /* skipping: dropping the rest of a line that was too long */
    uint64_t number;
} lines;

/* Reads more bytes, or says that none came within wait_ms (-1 waits). */
static pl_status fill(lines *in, int wait_ms)
{
    memmove(in->buffer, in->buffer + in->taken, in->used - in->taken);
    in->used -= in->taken;
    in->taken = 0;
    struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll(&ready, 1, wait_ms) == 0)
        return PL_AGAIN;
    ssize_t n = read(STDIN_FILENO, in->buffer + in->used, in->capacity - in->used);
    in->ended = n == 0 || (n < 0 && errno != EINTR);
    in->used += n > 0 ? (size_t)n : 0;
    return PL_OK;
}

static pl_status next_line(void *self, int wait_ms, pl_text *text, pl_error *e)
{
    (void)e;
    lines *in = self;
    for (;;) {
        char *start = in->buffer + in->taken;
        size_t n = in->used - in->taken;
        char *end = memchr(start, '\n', n);
        bool cut = !end && in->taken == 0 && in->used == in->capacity;
        if (end || cut || (in->ended && n)) {
            in->taken = end ? (size_t)(end - in->buffer) + 1 : in->used;
            bool rest = in->skipping; /* of a line handed out before */
            in->skipping = cut;
            if (rest)
                continue;
            *text = (pl_text){.text = start, .text_bytes = end ? (size_t)(end - start) : n, .text_cut = cut, .line = ++in->number};
            return PL_OK;
        }
        if (in->ended)
            return PL_END;
        pl_status status = fill(in, wait_ms);
        if (status != PL_OK)
            return status;
    }
}

typedef struct printer {
    const pl_plan *plan;
} printer;

static pl_status print_label(void *self, const pl_result *result, pl_error *e)
{
    (void)e;
    const printer *out = self;
    size_t best = 0, count = pl_plan_width(out->plan);
    if (!result->scores) { /* regression: the value itself */
        printf("%g\n", (double)result->values[0]);
        return fflush(stdout) ? PL_BROKEN_PIPE : PL_OK;
    }
    for (size_t i = 1; i < count; i++)
        if (result->scores[i] > result->scores[best])
            best = i;
    printf("%s %.3f\n", pl_plan_label(out->plan, best), (double)result->scores[best]);
    return fflush(stdout) ? PL_BROKEN_PIPE : PL_OK;
}

static pl_session *running;
static void on_interrupt(int number)
{
    (void)number;
    pl_stop(running); /* NOLINT(bugprone-signal-handler): the header says that it is async-signal-safe */
}

static int failed(const pl_error *e)
{
    fprintf(stderr, "stream: %s\n%s", e->text, e->hints);
    return pl_status_exit_code(e->status);
}

static int run(const pl_plan *plan)
{
    pl_error e;
    if (!pl_plan_fits(plan)) {
        pl_plan_refusal(plan, &e);
        return failed(&e);
    }
    if (pl_open(plan, &running, &e) != PL_OK)
        return failed(&e);
    signal(SIGINT, on_interrupt);
    lines in = {.capacity = pl_plan_text_bytes(plan) + 1};
    in.buffer = malloc(in.capacity);
    printer out = {plan};
    pl_status status = in.buffer ? pl_run(running, "standard input", next_line, &in, print_label, &out, &e) : PL_MACHINE;
    pl_stats stats;
    pl_session_stats(running, &stats);
    fprintf(stderr, "%llu lines, %llu tokens, %.3f s\n", (unsigned long long)stats.texts, (unsigned long long)stats.tokens, stats.seconds);
    int code = status == PL_OK ? 0 : in.buffer ? failed(&e) : 5;
    free(in.buffer);
    pl_close(running);
    return code;
}

int main(int argc, char **argv)
{
    pl_error e;
    pl_options options;
    pl_options_init(&options);
    options.task = PL_TASK_CLASSIFY;
    if (argc < 2 || argc > 3 || (argc == 3 && !pl_size_parse(argv[2], &options.memory))) {
        fprintf(stderr, "usage: stream MODEL [MEMORY]\n");
        return 2;
    }
    pl_plan *plan;
    if (pl_plan_make(argv[1], &options, &plan, &e) != PL_OK)
        return failed(&e);
    int code = run(plan);
    pl_plan_free(plan);
    return code;
}
