#include "cli/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t kilobytes_behind(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? strtoull(at + strlen(name), NULL, 10) * 1024 : 0;
}

/* Not ru_maxrss: that starts at the peak of the process that called exec, so a small program started
 * by a large one seems large. VmHWM belongs to the address space, which exec makes anew. */
uint64_t cli_peak_measured(void)
{
    char text[4096];
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    while (n < 0 && errno == EINTR)
        n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return kilobytes_behind(text, "\nVmHWM:") + kilobytes_behind(text, "\nVmSwap:");
}

typedef struct writer {
    cli_output *out;
    pl_error *e;
    pl_status status; /* the first failure stays */
} writer;

static void text(writer *w, const char *s)
{
    if (w->status == PL_OK)
        w->status = cli_output_text(w->out, s, w->e);
}

static void number(writer *w, const char *before, uint64_t value)
{
    text(w, before);
    if (w->status == PL_OK)
        w->status = cli_output_number(w->out, value, w->e);
}

static void real(writer *w, const char *before, double value)
{
    text(w, before);
    if (w->status == PL_OK && isfinite(value))
        w->status = cli_output_double(w->out, value, w->e);
    else
        text(w, "null");
}

static void name(writer *w, const char *before, const char *s)
{
    text(w, before);
    if (w->status == PL_OK)
        w->status = cli_output_string(w->out, s, strlen(s), w->e);
}

static void phases(writer *w, const pl_stats *stats)
{
    text(w, ",\"phases\":[");
    for (size_t i = 0; i < stats->phase_count; i++) {
        name(w, i ? ",{\"name\":" : "{\"name\":", stats->phases[i].name);
        real(w, ",\"seconds\":", stats->phases[i].seconds);
        number(w, ",\"bytes\":", stats->phases[i].bytes);
        text(w, "}");
    }
    text(w, "]");
}

static void metrics(writer *w, cli_metrics *m)
{
    pl_figure figures[PL_FIGURES];
    size_t count = pl_score_figures(&m->score, figures);
    number(w, ",\"metrics\":{\"texts\":", m->score.texts);
    for (size_t i = 0; i < count; i++) {
        name(w, ",", figures[i].name);
        real(w, ":", figures[i].value);
    }
    text(w, "}");
}

pl_status cli_stats_write(cli_output *out, const cli_call *call, const pl_plan *plan, const pl_stats *stats, cli_metrics *m, pl_error *e)
{
    writer w = {out, e, PL_OK};
    number(&w, "{\"texts\":", stats->texts);
    number(&w, ",\"tokens\":", stats->tokens);
    real(&w, ",\"seconds\":", stats->seconds);
    real(&w, ",\"load_seconds\":", stats->load_seconds);
    number(&w, ",\"limit_bytes\":", pl_plan_limit(plan));
    number(&w, ",\"planned_peak_bytes\":", pl_plan_peak(plan));
    number(&w, ",\"floor_bytes\":", pl_plan_floor(plan));
    number(&w, ",\"final_limit_bytes\":", stats->limit_bytes);
    number(&w, ",\"bends\":", stats->bends);
    number(&w, ",\"distinct_texts\":", stats->distinct_texts);
    number(&w, ",\"windows\":", stats->windows);
    number(&w, ",\"read_bytes\":", stats->read_bytes);
    phases(&w, stats);
    text(&w, ",\"knobs\":");
    if (w.status == PL_OK)
        w.status = pl_plan_knobs_json(plan, cli_output_write, out, e);
    if (m)
        metrics(&w, m);
    real(&w, ",\"wall_seconds\":", cli_seconds() - call->started);
    number(&w, ",\"measured_peak_bytes\":", cli_peak_measured());
    text(&w, "}\n");
    if (w.status != PL_OK)
        return w.status;
    cli_output_mark(out);
    return cli_output_commit(out, e);
}

pl_status cli_stats_training(cli_output *out, const cli_call *call, const pl_trainer *trainer, const pl_training_stats *stats, pl_error *e)
{
    writer w = {out, e, PL_OK};
    number(&w, "{\"texts\":", stats->texts);
    number(&w, ",\"tokens\":", stats->tokens);
    number(&w, ",\"step\":", stats->step);
    number(&w, ",\"steps\":", stats->steps);
    real(&w, ",\"seconds\":", stats->seconds);
    number(&w, ",\"limit_bytes\":", pl_trainer_limit(trainer));
    number(&w, ",\"planned_peak_bytes\":", pl_trainer_peak(trainer));
    number(&w, ",\"floor_bytes\":", pl_trainer_floor(trainer));
    number(&w, ",\"final_limit_bytes\":", stats->limit_bytes);
    number(&w, ",\"bends\":", stats->bends);
    number(&w, ",\"read_bytes\":", stats->read_bytes);
    number(&w, ",\"write_bytes\":", stats->written_bytes);
    const pl_phase_stats parts[] = {{"read and tokenize", stats->read_seconds, 0}, {"train", stats->seconds, 0}, {"evaluate", stats->evaluate_seconds, 0},
        {"save", stats->save_seconds, 0}};
    pl_stats all = {.phase_count = PL_COUNT(parts)};
    for (size_t i = 0; i < PL_COUNT(parts); i++)
        all.phases[i] = parts[i];
    phases(&w, &all);
    text(&w, ",\"knobs\":");
    if (w.status == PL_OK)
        w.status = pl_trainer_knobs_json(trainer, cli_output_write, out, e);
    real(&w, ",\"wall_seconds\":", cli_seconds() - call->started);
    number(&w, ",\"measured_peak_bytes\":", cli_peak_measured());
    text(&w, "}\n");
    if (w.status != PL_OK)
        return w.status;
    cli_output_mark(out);
    return cli_output_commit(out, e);
}
