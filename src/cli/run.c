#include "cli/run.h"

#include "cli/npy.h"
#include "cli/requests.h"
#include "cli/signals.h"
#include "cli/stats.h"

#include <assert.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* ---- texts in ---- */

pl_status cli_input_choose(cli_input *in, const cli_options *o, pl_error *e)
{
    const cli_value *v = o->values;
    bool file = cli_given(o, OPT_INPUT);
    if (file && o->text_count > 0)
        return pl_fail(e, PL_USAGE, "-i and -t: only one of them can be the input");
    if (!file && o->text_count == 0 && isatty(STDIN_FILENO) == 1)
        return pl_fail(e, PL_USAGE, "the input is missing: -i FILE, -i - for standard input, or -t TEXT");
    pl_status status = PL_OK;
    if (o->text_count > 0)
        cli_input_open_texts(in, o->texts, o->text_count);
    else
        status = cli_input_open(in, file ? v[OPT_INPUT].text : "-", cli_given(o, OPT_INPUT_FORMAT) ? v[OPT_INPUT_FORMAT].choice : -1, e);
    in->column_names[COLUMN_TEXT] = v[OPT_TEXT_COLUMN].text;
    in->column_names[COLUMN_PAIR] = v[OPT_TEXT_PAIR_COLUMN].text;
    in->column_names[COLUMN_LABEL] = o->verb == VERB_CLASSIFY ? v[OPT_LABEL_COLUMN].text : NULL;
    bool columns = in->column_names[COLUMN_TEXT] || in->column_names[COLUMN_PAIR] || in->column_names[COLUMN_LABEL];
    if (status == PL_OK && columns && (o->text_count > 0 || in->format == FORMAT_TXT))
        return pl_fail(e, PL_USAGE, "%s: has no columns to choose from; .jsonl, .csv and .tsv have (--input-format)", in->name);
    return status;
}

/* What the machine took or somebody asked for in mid-run is told; its bits are the same. */
static void say_bend(cli_run *run, const pl_stats *stats)
{
    char limit[32], peak[32];
    if (stats->bends == run->bends)
        return;
    run->bends = stats->bends;
    cli_say(&run->call->voice, "memory: going on within %s, planned peak %s", pl_bytes_text(stats->limit_bytes, limit), pl_bytes_text(stats->peak_bytes, peak));
}

static void tick(cli_run *run)
{
    const cli_voice *voice = &run->call->voice;
    if (!voice->progress && !voice->verbose)
        return;
    pl_stats stats;
    pl_session_stats(run->session, &stats);
    if (voice->verbose)
        say_bend(run, &stats);
    cli_progress_tick(&run->progress, &run->input, run->given, run->delivered, stats.tokens);
}

static pl_status shrink_session(void *self, uint64_t bytes) { return pl_shrink(self, bytes); }
static uint64_t session_floor(void *self) { return pl_session_floor(self); }

static pl_status next_text(void *self, int wait_ms, pl_text *text, pl_error *e)
{
    cli_run *run = self;
    pl_status status = PL_OK;
    if (run->output.used > 0) /* the results of the window before: readers should not wait for the next */
        status = cli_output_flush(&run->output, e);
    if (status == PL_OK && run->measures && cli_metrics_full(&run->metrics))
        return PL_AGAIN;
    for (; status == PL_OK && run->skip > 0; run->skip--) {
        status = cli_input_next(&run->input, wait_ms, text, e);
        if (status != PL_OK)
            return status;
    }
    if (status == PL_OK)
        status = cli_input_next(&run->input, wait_ms, text, e);
    if (status == PL_OK && run->measures)
        status = cli_metrics_given(&run->metrics, &run->input, e);
    run->given += status == PL_OK;
    tick(run);
    return status;
}

static pl_status take_result(void *self, const pl_result *result, pl_error *e)
{
    cli_run *run = self;
    pl_status status = run->printer->print(run, result, e);
    if (status != PL_OK)
        return status;
    cli_output_mark(&run->output);
    if (run->measures)
        cli_metrics_result(&run->metrics, result);
    run->delivered++;
    tick(run);
    return PL_OK;
}

/* ---- before ---- */

static pl_status open_outputs(cli_run *run, char *memory, pl_error *e)
{
    const cli_options *o = &run->call->options;
    const cli_printer *printer = run->printer;
    unsigned flags = (printer->seeks ? CLI_OUTPUT_SEEK : 0u) | (run->skip > 0 ? CLI_OUTPUT_RESUME : 0u);
    pl_status status = cli_output_open(&run->output, o->values[OPT_OUTPUT].text, flags, memory, CLI_OUTPUT_BYTES, e);
    run->output.header_bytes = printer->header_bytes;
    run->output.record_bytes = printer->record_bytes ? printer->record_bytes(run) : 0;
    if (status == PL_OK && run->output.resumed) {
        status = cli_output_take_over(&run->output, run->skip, e);
        run->base = run->skip;
    }
    if (status == PL_OK && !run->output.regular)
        run->input.watched = run->output.fd;
    if (status == PL_OK && cli_given(o, OPT_STATS) && run->output.replaces && strcmp(o->values[OPT_OUTPUT].text, o->values[OPT_STATS].text) == 0)
        return pl_fail(e, PL_USAGE, "-o and --stats: both name %s, which only one of them can be", run->output.name);
    if (status == PL_OK && cli_given(o, OPT_STATS))
        status = cli_output_open(&run->stats, o->values[OPT_STATS].text, 0, memory, CLI_OUTPUT_BYTES, e); /* written when the results are */
    return status;
}

/* One block for all buffers; cli_buffers_bytes says how large. */
static pl_status take_buffers(cli_run *run, pl_error *e)
{
    const cli_options *o = &run->call->options;
    const pl_memory *memory = pl_memory_system();
    size_t text_bytes = pl_plan_text_bytes(run->job.plan), bytes = cli_buffers_bytes(o, &run->job.needs) + CLI_FIELDS * text_bytes;
    char *block = memory->take(memory->self, bytes);
    if (!block)
        return pl_fail_no_memory(e, bytes, "the command's buffers");
    cli_buffers_touch(block, bytes - CLI_FIELDS * text_bytes); /* texts of this length may never come */
    char *at = block + CLI_OUTPUT_BYTES;
    run->order = (uint32_t *)(void *)at;
    at += cli_order_bytes(&run->job.needs);
    run->measures = cli_given(o, OPT_LABEL_COLUMN);
    pl_status status = PL_OK;
    if (run->measures) {
        status = cli_metrics_start(&run->metrics, run->job.plan, at, e);
        run->input.take_label = cli_metrics_take;
        run->input.label_self = &run->metrics;
        at += cli_metrics_bytes(run->job.needs.labels, run->job.needs.regression);
    }
    cli_input_start(&run->input, at, text_bytes);
    return status == PL_OK ? open_outputs(run, block, e) : status;
}

static pl_status say_knobs(void *self, const char *text, size_t n, pl_error *e)
{
    (void)self;
    (void)e;
    cli_say_raw(text, n);
    return PL_OK;
}

static const char *precision_name(pl_precision precision)
{
    size_t n;
    return cli_word(cli_option_rows[OPT_PRECISION].words, (int)precision, &n);
}

/* What was decided without being asked for is always told. */
static void say_plan(const cli_run *run)
{
    const cli_options *o = &run->call->options;
    const cli_voice *voice = &run->call->voice;
    const pl_plan *plan = run->job.plan;
    char limit[32], peak[32], floor[32];
    pl_bytes_text(pl_plan_limit(plan), limit);
    pl_bytes_text(pl_plan_peak(plan), peak);
    pl_bytes_text(pl_plan_floor(plan), floor);
    if (!cli_given(o, OPT_MEMORY) || voice->verbose)
        cli_say(voice, "memory: limit %s (%s), planned peak %s, at least %s needed", limit, pl_plan_limit_reason(plan), peak, floor);
    if (run->job.options.precision == PL_PRECISION_AUTO)
        cli_say(voice, "precision: %.4s, chosen by --precision auto", precision_name(pl_plan_precision(plan)));
    if (voice->verbose && !voice->quiet) {
        cli_say(voice, "threads: %u, longest text: %u tokens", pl_plan_threads(plan), pl_plan_max_length(plan));
        cli_say_raw("knobs: ", 7);
        pl_plan_knobs_json(plan, say_knobs, NULL, NULL);
        cli_say_raw("\n", 1);
    }
}

static pl_status make_plan(cli_run *run, pl_error *e)
{
    pl_status status = cli_job_plan(&run->job, e);
    if (status == PL_OK && !pl_plan_fits(run->job.plan))
        status = pl_plan_refusal(run->job.plan, e);
    if (status == PL_OK && run->printer->check)
        status = run->printer->check(run, e);
    return status;
}

/* A plan within what there is now takes the place of the present one if it is smaller. Where none fits, `e`,
 * which says why the present one could not be opened, gets what would be needed. */
static bool plan_again(cli_run *run, pl_error *e)
{
    cli_job *job = &run->job;
    uint64_t wanted = pl_plan_peak(job->plan), asked = job->options.memory;
    size_t text_bytes = pl_plan_text_bytes(job->plan);
    (void)text_bytes;
    pl_error why;
    pl_plan *first = job->plan;
    job->plan = NULL;
    job->options.memory = 0;
    bool made = cli_job_plan(job, &why) == PL_OK, fits = made && pl_plan_fits(job->plan);
    job->options.memory = asked;
    char had[32], has[32];
    if (!fits || pl_plan_peak(job->plan) >= wanted) {
        if (made && !fits)
            pl_hint(e, "the smallest that works needs %s", pl_bytes_text(pl_plan_floor(job->plan), has));
        pl_plan_free(job->plan);
        job->plan = first;
        return false;
    }
    assert(pl_plan_text_bytes(job->plan) == text_bytes); /* the buffers are taken already; the limit has no part in it */
    cli_say(&run->call->voice, "memory: %s is not there now, going on with %s (%s)", pl_bytes_text(wanted, had), pl_bytes_text(pl_plan_peak(job->plan), has),
        pl_plan_limit_reason(job->plan));
    pl_plan_free(first);
    return true;
}

/* The system gives less than was asked for, or less than it had when the plan was made: jobs that start
 * together each plan with all of it. Each turn's plan is smaller than the one before. A saved plan is run
 * as it is or not at all. */
static pl_status open_session(cli_run *run, pl_error *e)
{
    enum { TURNS = 16 };
    pl_status status = pl_open(run->job.plan, &run->session, e);
    for (int turn = 0; turn < TURNS && (status == PL_MACHINE || status == PL_NO_FIT); turn++) {
        if (cli_given(&run->call->options, OPT_PLAN) || !plan_again(run, e))
            break;
        pl_error_clear(e);
        status = pl_open(run->job.plan, &run->session, e);
    }
    return status;
}

static pl_status prepare(cli_run *run, pl_error *e)
{
    const cli_options *o = &run->call->options;
    pl_status status = cli_job_start(&run->job, run->call, run->printer->task, e);
    if (status == PL_OK)
        status = cli_input_choose(&run->input, o, e);
    if (status == PL_OK)
        status = make_plan(run, e);
    if (status != PL_OK)
        return status;
    run->width = pl_plan_width(run->job.plan);
    run->skip = o->values[OPT_SKIP].number;
    status = take_buffers(run, e);
    if (status != PL_OK)
        return status;
    say_plan(run);
    return open_session(run, e);
}

/* ---- after ---- */

static void say_metrics(cli_run *run)
{
    pl_figure figures[PL_FIGURES];
    size_t count = pl_score_figures(&run->metrics.score, figures);
    for (size_t i = 0; i < count; i++)
        if (isfinite(figures[i].value))
            cli_say(&run->call->voice, "%s: %.6f (%llu texts)", figures[i].title, figures[i].value, (unsigned long long)run->metrics.score.texts);
        else
            cli_say(&run->call->voice, "%s: not defined for these texts", figures[i].title);
}

static const char *signal_name(int number) { return number == SIGINT ? "SIGINT" : number == SIGHUP ? "SIGHUP" : "SIGTERM"; }

void cli_keep_finished(cli_output *o, pl_status status, uint64_t base, uint64_t passed, uint64_t delivered, pl_error *e)
{
    typedef unsigned long long u;
    bool stays = cli_output_abandon(o);
    if (status == PL_STOPPED)
        pl_fail(e, PL_STOPPED, "stopped by %s after %llu results", signal_name(cli_signals_caught()), (u)delivered);
    if (stays && base == passed) /* what is kept are the first results of the input */
        pl_hint(e, "the first %llu results are kept in %s, --skip %llu goes on", (u)base + (u)delivered, o->partial, (u)base + (u)delivered);
    else if (stays)
        pl_hint(e, "%llu results behind the first %llu are kept in %s", (u)delivered, (u)passed, o->partial);
    else if (!o->replaces && status == PL_STOPPED && passed + delivered > 0)
        pl_hint(e, "--skip %llu goes on", (u)passed + (u)delivered);
}

static pl_status finish(cli_run *run, pl_status status, pl_error *e)
{
    pl_stats stats = {0};
    pl_session_stats(run->session, &stats);
    cli_requests_end();
    cli_signals_end();
    if (status == PL_OK && run->printer->end)
        status = run->printer->end(run, e);
    if (status == PL_OK)
        status = cli_output_commit(&run->output, e);
    cli_progress_end(&run->progress, &run->input, run->given, run->delivered, stats.tokens);
    if (status != PL_OK) {
        cli_output_settle(&run->output);
        run->delivered -= run->output.lost;
        if (run->printer->end && run->delivered > 0)
            run->printer->end(run, NULL); /* what is finished shall be a whole file */
        cli_keep_finished(&run->output, status, run->base, run->call->options.values[OPT_SKIP].number - run->skip, run->delivered, e);
    }
    if (run->measures && status == PL_OK)
        say_metrics(run);
    bool told = status == PL_OK || status == PL_STOPPED;
    if (told && cli_given(&run->call->options, OPT_STATS)) {
        pl_error other;
        pl_status wrote = cli_stats_write(&run->stats, run->call, run->job.plan, &stats, run->measures ? &run->metrics : NULL, &other);
        if (wrote != PL_OK && status == PL_OK) {
            status = wrote;
            *e = other;
        }
    }
    if (run->call->voice.verbose && status == PL_OK) {
        char peak[32];
        cli_say(&run->call->voice, "done: %llu texts, %llu tokens in %.2f s, measured peak %s", (unsigned long long)stats.texts,
            (unsigned long long)stats.tokens, stats.seconds, pl_bytes_text(cli_peak_measured(), peak));
    }
    return status;
}

pl_status cli_run_texts(cli_run *run, cli_call *call, const cli_printer *printer, pl_error *e)
{
    cli_program_touch();
    cli_signals_install();
    cli_requests_listen();
    run->call = call;
    run->printer = printer;
    run->output.fd = run->stats.fd = -1;
    pl_status status = prepare(run, e);
    if (status == PL_OK) {
        const cli_bendable bendable = {shrink_session, session_floor, run->session};
        cli_signals_begin(run->session);
        cli_requests_begin(&bendable);
        cli_progress_start(&run->progress, &call->voice);
        if (printer->begin)
            status = printer->begin(run, e);
        if (status == PL_OK)
            status = pl_run(run->session, run->input.name, next_text, run, take_result, run, e);
        status = finish(run, status, e);
    }
    cli_output_abandon(&run->output);
    cli_output_abandon(&run->stats);
    pl_close(run->session);
    cli_input_close(&run->input);
    cli_job_end(&run->job);
    return status;
}
