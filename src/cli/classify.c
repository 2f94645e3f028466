/* plimsoll classify */
#include "cli/run.h"

/* ---- pieces of a line ---- */

static pl_status put_label(cli_run *run, size_t index, pl_error *e)
{
    const char *label = pl_plan_label(run->job.plan, index);
    return cli_output_string(&run->output, label ? label : "", label ? strlen(label) : 0, e);
}

static pl_status put_label_score(cli_run *run, size_t index, float score, pl_error *e)
{
    pl_status status = cli_output_text(&run->output, "\"label\":", e);
    if (status == PL_OK)
        status = put_label(run, index, e);
    if (status == PL_OK)
        status = cli_output_text(&run->output, ",\"score\":", e);
    return status == PL_OK ? cli_output_float(&run->output, score, e) : status;
}

static pl_status put_labels(cli_run *run, const pl_result *result, const uint32_t *order, size_t count, pl_error *e)
{
    pl_status status = cli_output_text(&run->output, "\"labels\":[", e);
    for (size_t i = 0; i < count && status == PL_OK; i++) {
        size_t index = order ? order[i] : i;
        status = cli_output_text(&run->output, i > 0 ? ",{" : "{", e);
        if (status == PL_OK)
            status = put_label_score(run, index, result->scores[index], e);
        if (status == PL_OK)
            status = cli_output_text(&run->output, "}", e);
    }
    return status == PL_OK ? cli_output_text(&run->output, "]", e) : status;
}

static pl_status put_logits(cli_run *run, const pl_result *result, pl_error *e)
{
    pl_status status = cli_output_text(&run->output, ",\"logits\":[", e);
    for (size_t i = 0; i < run->width && status == PL_OK; i++) {
        if (i > 0)
            status = cli_output_text(&run->output, ",", e);
        if (status == PL_OK)
            status = cli_output_float(&run->output, result->values[i], e);
    }
    return status == PL_OK ? cli_output_text(&run->output, "]", e) : status;
}

/* ---- the order of labels ---- */

/* Better: the larger logit (scores may round to the same), then the earlier; NaN comes last. */
static bool better(const float *logits, uint32_t a, uint32_t b)
{
    float x = logits[a], y = logits[b];
    if (x != y && !(x != x && y != y))
        return y != y || x > y;
    return a < b;
}

/* order[0..count) becomes a heap with its worst on top. */
static void sink_worst(uint32_t *order, size_t count, const float *logits)
{
    uint32_t moved = order[0];
    size_t hole = 0, child;
    while ((child = 2 * hole + 1) < count) {
        if (child + 1 < count && better(logits, order[child], order[child + 1]))
            child++;
        if (!better(logits, moved, order[child]))
            break;
        order[hole] = order[child];
        hole = child;
    }
    order[hole] = moved;
}

/* The `count` best of all labels, best first: a heap of the best so far, then taken apart. */
static void best_labels(uint32_t *order, size_t count, const float *logits, size_t labels)
{
    size_t held = 0;
    for (uint32_t i = 0; i < labels; i++) {
        if (held < count) {
            size_t at = held++;
            for (; at > 0 && better(logits, order[(at - 1) / 2], i); at = (at - 1) / 2)
                order[at] = order[(at - 1) / 2];
            order[at] = i;
        } else if (better(logits, i, order[0])) {
            order[0] = i;
            sink_worst(order, held, logits);
        }
    }
    while (held > 1) {
        uint32_t worst = order[0];
        order[0] = order[--held];
        sink_worst(order, held, logits);
        order[held] = worst;
    }
}

/* ---- a line ---- */

static pl_status put_answer(cli_run *run, const pl_result *result, pl_error *e)
{
    const cli_value *top = &run->call->options.values[OPT_TOP];
    pl_answer answer = pl_plan_answer(run->job.plan);
    if (answer == PL_ANSWER_REGRESSION) {
        pl_status status = cli_output_text(&run->output, "\"score\":", e);
        return status == PL_OK ? cli_output_float(&run->output, result->values[0], e) : status;
    }
    if (top->given) {
        size_t count = top->number < run->width ? (size_t)top->number : run->width;
        best_labels(run->order, count, result->values, run->width);
        return put_labels(run, result, run->order, count, e);
    }
    if (answer == PL_ANSWER_MULTI_LABEL)
        return put_labels(run, result, NULL, run->width, e);
    best_labels(run->order, 1, result->values, run->width);
    return put_label_score(run, run->order[0], result->scores[run->order[0]], e);
}

static pl_status print_line(cli_run *run, const pl_result *result, pl_error *e)
{
    pl_status status = cli_output_text(&run->output, "{", e);
    if (status == PL_OK)
        status = put_answer(run, result, e);
    if (status == PL_OK && cli_given(&run->call->options, OPT_LOGITS))
        status = put_logits(run, result, e);
    return status == PL_OK ? cli_output_text(&run->output, "}\n", e) : status;
}

static pl_status check(cli_run *run, pl_error *e)
{
    if (cli_given(&run->call->options, OPT_TOP) && pl_plan_answer(run->job.plan) == PL_ANSWER_REGRESSION)
        return pl_fail(e, PL_USAGE, "--top: %s is a regression, which gives one score and no labels", run->job.model);
    return PL_OK;
}

pl_status cli_verb_classify(cli_call *call, pl_error *e)
{
    static const cli_printer printer = {.task = PL_TASK_CLASSIFY, .check = check, .print = print_line};
    static cli_run run;
    return cli_run_texts(&run, call, &printer, e);
}
