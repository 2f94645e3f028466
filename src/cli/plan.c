/* plimsoll plan */
#include "cli/job.h"
#include "cli/learn.h"
#include "cli/run.h"
#include "cli/signals.h"

typedef struct cli_planning {
    cli_call *call;
    cli_job job;
    cli_output output, drawing;
} cli_planning;

static bool any_given(const cli_options *o, const cli_option_id *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (cli_given(o, ids[i]))
            return true;
    return false;
}

/* Options that would have no effect are mistakes: most likely another one was forgotten. */
static pl_status check(const cli_options *o, pl_error *e)
{
    for (int id = 0; id < OPT_COUNT; id++) {
        bool training = cli_option_rows[id].group == GROUP_TRAIN, pytorch = id == OPT_ATTENTION || id == OPT_CHECKPOINTING;
        if (!cli_given(o, (cli_option_id)id) || (!training && !pytorch) || cli_given(o, OPT_FOR) || (training && cli_given(o, OPT_TRAINING)))
            continue;
        return pl_fail(e, PL_USAGE, "--%s: says something about %s, but %s is missing", cli_option_rows[id].name, pytorch ? "PyTorch" : "training",
            pytorch ? "--for pytorch" : "--train");
    }
    static const cli_option_id inference[] = {OPT_SKIP, OPT_FORMAT, OPT_POOLING, OPT_NORMALIZE, OPT_NO_NORMALIZE, OPT_LOGITS, OPT_TOP, OPT_TASK};
    for (size_t i = 0; i < PL_COUNT(inference) && cli_given(o, OPT_TRAINING) && !cli_given(o, OPT_FOR); i++)
        if (cli_given(o, inference[i]))
            return pl_fail(e, PL_USAGE, "--%s: says nothing about a training, which --train plans", cli_option_rows[inference[i]].name);
    return PL_OK;
}

/* The run that is planned for: as --task says, else as the other options can only mean. */
static pl_task task_of(const cli_options *o)
{
    static const cli_option_id embed[] = {OPT_FORMAT, OPT_POOLING, OPT_NORMALIZE, OPT_NO_NORMALIZE};
    static const cli_option_id classify[] = {OPT_LOGITS, OPT_TOP, OPT_LABEL_COLUMN};
    if (cli_given(o, OPT_TASK))
        return (pl_task)o->values[OPT_TASK].choice;
    if (any_given(o, embed, PL_COUNT(embed)))
        return PL_TASK_EMBED;
    return any_given(o, classify, PL_COUNT(classify)) ? PL_TASK_CLASSIFY : PL_TASK_AUTO;
}

/* Tokenises the whole input, in constant memory, for its longest text and the number of its tokens. */
static pl_status measure_texts(cli_planning *p, cli_input *in, pl_encoder *encoder, pl_error *e)
{
    const pl_memory *memory = pl_memory_system();
    size_t text_bytes = pl_encoder_text_bytes(encoder), bytes = cli_input_bytes(text_bytes);
    char *block = memory->take(memory->self, bytes);
    if (!block)
        return pl_fail_no_memory(e, bytes, "the command's buffers");
    cli_input_start(in, block, text_bytes);
    pl_status status;
    pl_text text;
    pl_tokens tokens;
    size_t longest = 0;
    while ((status = cli_input_next(in, -1, &text, e)) == PL_OK) {
        status = pl_encoder_run(encoder, in->name, &text, &tokens, e);
        if (status != PL_OK)
            break;
        longest = pl_max(longest, tokens.count);
        p->job.options.tokens += tokens.count;
    }
    memory->give(memory->self, block, bytes);
    p->job.options.longest = (uint32_t)longest;
    return status == PL_END ? PL_OK : status;
}

static pl_status read_input(cli_planning *p, pl_error *e)
{
    const cli_options *o = &p->call->options;
    if (!cli_given(o, OPT_INPUT) && o->text_count == 0)
        return PL_OK;
    static cli_input in;
    pl_encoder *encoder = NULL;
    pl_status status = cli_input_choose(&in, o, e);
    if (status == PL_OK)
        status = pl_encoder_open(p->job.model, &p->job.options, &encoder, e);
    if (status == PL_OK)
        status = measure_texts(p, &in, encoder, e);
    pl_encoder_close(encoder);
    cli_input_close(&in);
    return status;
}

static pl_status print_plan(cli_planning *p, pl_error *e)
{
    const cli_options *o = &p->call->options;
    const pl_plan *plan = p->job.plan;
    if (cli_given(o, OPT_PROGRAM))
        return pl_plan_program(plan, cli_output_write, &p->output, e);
    if (cli_given(o, OPT_JSON))
        return pl_plan_json(plan, cli_output_write, &p->output, e);
    return pl_plan_text(plan, cli_stdout_colored(o), cli_output_write, &p->output, e);
}

static pl_status draw_plan(cli_planning *p, char *memory, pl_error *e)
{
    const char *path = p->call->options.values[OPT_SVG].text;
    pl_status status = cli_output_open(&p->drawing, path, 0, memory, CLI_OUTPUT_BYTES, e);
    if (status == PL_OK)
        status = pl_plan_svg(p->job.plan, cli_output_write, &p->drawing, e);
    cli_output_mark(&p->drawing);
    if (status == PL_OK)
        status = cli_output_commit(&p->drawing, e);
    if (status != PL_OK) {
        p->drawing.whole = 0; /* half a drawing is of no use */
        cli_output_abandon(&p->drawing);
    }
    return status;
}

static pl_status show_plan(cli_planning *p, pl_error *e)
{
    const pl_memory *memory = pl_memory_system();
    char *block = memory->take(memory->self, 2 * (size_t)CLI_OUTPUT_BYTES);
    if (!block)
        return pl_fail_no_memory(e, 2 * (size_t)CLI_OUTPUT_BYTES, "the command's buffers");
    pl_status status = PL_OK;
    if (cli_given(&p->call->options, OPT_SVG))
        status = draw_plan(p, block + CLI_OUTPUT_BYTES, e);
    if (status == PL_OK)
        status = cli_output_open(&p->output, NULL, 0, block, CLI_OUTPUT_BYTES, e);
    if (status == PL_OK)
        status = print_plan(p, e);
    if (status == PL_OK)
        status = cli_output_commit(&p->output, e);
    return status;
}

pl_status cli_verb_plan(cli_call *call, pl_error *e)
{
    const cli_options *o = &call->options;
    pl_status status = check(o, e);
    if (status != PL_OK)
        return status;
    if (cli_given(o, OPT_FOR))
        return cli_helper_exec(call, "plimsoll-pytorch", e);
    if (cli_given(o, OPT_TRAINING))
        return cli_plan_training(call, e);
    static cli_planning p;
    p.call = call;
    cli_signals_install();
    status = cli_job_start(&p.job, call, task_of(o), e);
    if (status == PL_OK)
        status = read_input(&p, e);
    if (status == PL_OK)
        status = cli_job_plan(&p.job, e);
    if (status == PL_OK)
        status = show_plan(&p, e);
    if (status == PL_OK && !pl_plan_fits(p.job.plan))
        status = pl_plan_refusal(p.job.plan, e);
    cli_job_end(&p.job);
    return status;
}
