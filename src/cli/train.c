/* plimsoll train */
#include "cli/learn.h"
#include "cli/requests.h"
#include "cli/signals.h"
#include "cli/stats.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

typedef struct training {
    cli_call *call;
    cli_learn learn;
    cli_output output, stats;
    double started, shown; /* seconds: of the run, of the last line of progress */
    bool line_open;
    uint64_t bends; /* told so far */
} training;

static pl_status check(const cli_options *o, pl_error *e)
{
    if (!cli_given(o, OPT_DATA))
        return pl_fail(e, PL_USAGE, "train: --data FILE is missing, what shall it learn from?");
    if (!cli_given(o, OPT_OUTPUT) && !cli_given(o, OPT_DRY_RUN))
        return pl_fail(e, PL_USAGE, "train: -o OUT is missing, where shall the trained model go?");
    return PL_OK;
}

/* ---- progress ---- */

static const double terminal_step = 0.2, file_step = 10;

static void put_time(char *out, size_t capacity, double seconds)
{
    unsigned long s = seconds < 1e7 ? (unsigned long)(seconds + 0.5) : 9999999;
    if (s >= 3600)
        snprintf(out, capacity, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, capacity, "%lu:%02lu", s / 60, s % 60);
}

static void clear_line(training *t)
{
    if (t->line_open)
        cli_say_raw("\n", 1);
    t->line_open = false;
}

static void show(training *t, double now)
{
    const cli_voice *voice = &t->call->voice;
    pl_training_stats s;
    char line[256], left[32] = "", peak[32], limit[32];
    pl_trainer_stats(t->learn.trainer, &s);
    double rate = s.seconds > 0 ? (double)s.tokens / s.seconds : 0;
    if (s.run_steps > 0)
        put_time(left, sizeof left, (now - t->started) / (double)s.run_steps * (double)(s.steps - s.step));
    int n = snprintf(line, sizeof line, "%sstep %llu of %llu  loss %.4f  %.0f tokens/s  %s left  %s of %s%s", voice->terminal ? "\r" : "",
        (unsigned long long)s.step, (unsigned long long)s.steps, s.loss, rate, left, pl_bytes_text(cli_peak_measured(), peak),
        pl_bytes_text(s.limit_bytes, limit), voice->terminal ? "\033[K" : "\n");
    cli_say_raw(line, pl_min((size_t)n, sizeof line - 1));
    t->line_open = voice->terminal;
    t->shown = now;
}

static void tick(training *t)
{
    const cli_voice *voice = &t->call->voice;
    double now = cli_seconds();
    if (voice->progress && now - t->shown >= (voice->terminal ? terminal_step : file_step))
        show(t, now);
    if (!voice->verbose)
        return;
    pl_training_stats s;
    char limit[32], peak[32];
    pl_trainer_stats(t->learn.trainer, &s);
    if (s.bends == t->bends)
        return;
    t->bends = s.bends;
    clear_line(t);
    cli_say(voice, "memory: going on within %s, planned peak %s", pl_bytes_text(s.limit_bytes, limit), pl_bytes_text(s.peak_bytes, peak));
}

/* ---- what it prints ---- */

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

static void number(writer *w, const char *before, double value)
{
    text(w, before);
    if (w->status == PL_OK)
        w->status = cli_output_float(w->out, (float)value, w->e);
}

static void head(writer *w, const pl_event *event)
{
    text(w, "{\"step\":");
    if (w->status == PL_OK)
        w->status = cli_output_number(w->out, event->step, w->e);
    number(w, ",\"epoch\":", event->epoch);
}

static pl_status end(writer *w)
{
    text(w, "}\n");
    if (w->status != PL_OK)
        return w->status;
    cli_output_mark(w->out);
    return cli_output_flush(w->out, w->e);
}

static pl_status print_loss(training *t, const pl_event *event, pl_error *e)
{
    writer w = {&t->output, e, PL_OK};
    head(&w, event);
    number(&w, ",\"loss\":", event->loss);
    number(&w, ",\"lr\":", event->lr);
    number(&w, ",\"grad_norm\":", event->grad_norm);
    return end(&w);
}

static pl_status print_evaluation(training *t, const pl_event *event, pl_error *e)
{
    writer w = {&t->output, e, PL_OK};
    head(&w, event);
    for (size_t i = 0; i < event->figures; i++) {
        text(&w, ",\"");
        text(&w, event->names[i]);
        number(&w, "\":", event->values[i]);
    }
    return end(&w);
}

static pl_status take_event(void *self, const pl_event *event, pl_error *e)
{
    training *t = self;
    switch (event->kind) {
    case PL_EVENT_NOTE:
        clear_line(t);
        cli_say(&t->call->voice, "%s", event->text);
        return PL_OK;
    case PL_EVENT_SAVED:
        if (t->call->voice.verbose) {
            clear_line(t);
            cli_say(&t->call->voice, "saved %s", event->text);
        }
        return PL_OK;
    case PL_EVENT_LOG: return print_loss(t, event, e);
    case PL_EVENT_EVALUATION: return print_evaluation(t, event, e);
    case PL_EVENT_STEP: break;
    }
    tick(t);
    return PL_OK;
}

/* ---- before and after ---- */

static void say_plan(const training *t)
{
    const pl_trainer *trainer = t->learn.trainer;
    const cli_voice *voice = &t->call->voice;
    char limit[32], peak[32], floor[32];
    pl_bytes_text(pl_trainer_limit(trainer), limit);
    pl_bytes_text(pl_trainer_peak(trainer), peak);
    pl_bytes_text(pl_trainer_floor(trainer), floor);
    if (!cli_given(&t->call->options, OPT_MEMORY) || voice->verbose)
        cli_say(voice, "memory: limit %s (%s), planned peak %s, at least %s needed", limit, pl_trainer_limit_reason(trainer), peak, floor);
    if (t->learn.job.options.precision == PL_PRECISION_AUTO)
        cli_say(voice, "precision: %s, chosen by --precision auto", pl_trainer_precision(trainer) == PL_PRECISION_BF16 ? "bf16" : "f32");
}

static pl_status open_outputs(training *t, pl_error *e)
{
    const cli_options *o = &t->call->options;
    pl_status status = cli_output_open(&t->output, NULL, 0, t->learn.output, CLI_OUTPUT_BYTES, e);
    if (status == PL_OK && cli_given(o, OPT_STATS))
        status = cli_output_open(&t->stats, o->values[OPT_STATS].text, 0, t->learn.output, CLI_OUTPUT_BYTES, e); /* written when the lines are */
    return status;
}

static pl_status shrink(void *self, uint64_t bytes) { return pl_trainer_shrink(self, bytes); }
static uint64_t floor_of(void *self) { return pl_trainer_floor(self); }

static pl_status write_stats(training *t, pl_error *e)
{
    pl_training_stats s;
    pl_trainer_stats(t->learn.trainer, &s);
    return cli_stats_training(&t->stats, t->call, t->learn.trainer, &s, e);
}

static pl_status run(training *t, pl_error *e)
{
    const cli_bendable bendable = {shrink, floor_of, t->learn.trainer};
    cli_signals_begin_training(t->learn.trainer);
    cli_requests_begin(&bendable);
    t->started = t->shown = cli_seconds();
    pl_status status = pl_trainer_run(t->learn.trainer, take_event, t, e);
    cli_requests_end();
    cli_signals_end();
    if (t->call->voice.progress && status == PL_OK && (t->line_open || !t->call->voice.terminal))
        show(t, cli_seconds());
    clear_line(t);
    if (status == PL_OK)
        status = cli_output_commit(&t->output, e);
    if (status == PL_STOPPED) {
        pl_training_stats s;
        pl_error before = *e;
        pl_trainer_stats(t->learn.trainer, &s);
        pl_fail(e, PL_STOPPED, "stopped by %s behind step %llu of %llu",
            cli_signals_caught() == SIGINT       ? "SIGINT"
                : cli_signals_caught() == SIGHUP ? "SIGHUP"
                                                 : "SIGTERM",
            (unsigned long long)s.step, (unsigned long long)s.steps);
        memcpy(e->hints, before.hints, sizeof e->hints);
    }
    return status;
}

pl_status cli_verb_train(cli_call *call, pl_error *e)
{
    static training t;
    t.call = call;
    t.output.fd = t.stats.fd = -1;
    pl_status status = check(&call->options, e);
    if (status != PL_OK)
        return status;
    cli_program_touch();
    cli_signals_install();
    cli_requests_listen();
    status = cli_learn_prepare(&t.learn, call, e);
    if (status == PL_OK && !pl_trainer_fits(t.learn.trainer))
        status = pl_trainer_refusal(t.learn.trainer, e);
    if (status == PL_OK)
        status = open_outputs(&t, e);
    if (status == PL_OK) {
        say_plan(&t);
        status = run(&t, e);
    }
    bool told = status == PL_OK || status == PL_STOPPED;
    if (told && cli_given(&call->options, OPT_STATS)) {
        pl_error other;
        pl_status wrote = write_stats(&t, &other);
        if (wrote != PL_OK && status == PL_OK) {
            status = wrote;
            *e = other;
        }
    }
    cli_output_abandon(&t.output);
    cli_output_abandon(&t.stats);
    cli_learn_end(&t.learn);
    return status;
}
