/* plimsoll embed */
#include "cli/npy.h"
#include "cli/run.h"

static pl_status print_line(cli_run *run, const pl_result *result, pl_error *e)
{
    cli_output *o = &run->output;
    pl_status status = cli_output_text(o, "{\"embedding\":[", e);
    for (size_t i = 0; i < run->width && status == PL_OK; i++) {
        status = cli_output_reserve(o, 17, e);
        if (status != PL_OK)
            break;
        if (i > 0)
            cli_output_byte(o, ',');
        o->used += pl_float_text(result->values[i], o->buffer + o->used);
    }
    return status == PL_OK ? cli_output_text(o, "]}\n", e) : status;
}

static size_t record_bytes(const cli_run *run) { return run->width * sizeof(float); }

static pl_status begin_npy(cli_run *run, pl_error *e) { return cli_npy_begin(&run->output, run->width, run->base, e); }

static pl_status print_record(cli_run *run, const pl_result *result, pl_error *e)
{
    return cli_output_put(&run->output, (const char *)result->values, record_bytes(run), e);
}

static pl_status end_npy(cli_run *run, pl_error *e) { return cli_npy_end(&run->output, run->width, run->base + run->delivered, e); }

static const cli_printer lines = {.task = PL_TASK_EMBED, .print = print_line};

static const cli_printer npy = {
    .task = PL_TASK_EMBED,
    .seeks = true,
    .header_bytes = CLI_NPY_HEADER,
    .record_bytes = record_bytes,
    .begin = begin_npy,
    .print = print_record,
    .end = end_npy,
};

pl_status cli_verb_embed(cli_call *call, pl_error *e)
{
    enum { JSONL, NPY };
    static cli_run run;
    const cli_value *format = &call->options.values[OPT_FORMAT];
    return cli_run_texts(&run, call, format->given && format->choice == NPY ? &npy : &lines, e);
}
