/* plimsoll tokenize */
#include "cli/job.h"
#include "cli/run.h"
#include "cli/signals.h"

#include <unistd.h>

typedef struct cli_tokenizing {
    cli_call *call;
    cli_job job; /* for its options and environment */
    cli_input input;
    cli_output output;
    pl_encoder *encoder;
    cli_progress progress;
    uint64_t skip, texts, tokens, base;
} cli_tokenizing;

/* ---- a line ---- */

static pl_status put_ids(cli_output *o, const pl_tokens *tokens, pl_error *e)
{
    pl_status status = cli_output_text(o, "{\"ids\":[", e);
    for (size_t i = 0; i < tokens->count && status == PL_OK; i++) {
        if (i > 0)
            status = cli_output_text(o, ",", e);
        if (status == PL_OK)
            status = cli_output_number(o, tokens->ids[i], e);
    }
    return status == PL_OK ? cli_output_text(o, "]", e) : status;
}

static pl_status put_tokens(cli_tokenizing *t, const pl_tokens *tokens, pl_error *e)
{
    cli_output *o = &t->output;
    pl_status status = cli_output_text(o, ",\"tokens\":[", e);
    for (size_t i = 0; i < tokens->count && status == PL_OK; i++) {
        size_t n = 0;
        const char *token = pl_encoder_token(t->encoder, tokens->ids[i], &n);
        if (i > 0)
            status = cli_output_text(o, ",", e);
        if (status == PL_OK)
            status = cli_output_string(o, token ? token : "", token ? n : 0, e);
    }
    return status == PL_OK ? cli_output_text(o, "]", e) : status;
}

static pl_status put_offsets(cli_output *o, const pl_tokens *tokens, pl_error *e)
{
    pl_status status = cli_output_text(o, ",\"offsets\":[", e);
    for (size_t i = 0; i < tokens->count && status == PL_OK; i++) {
        status = cli_output_text(o, i > 0 ? ",[" : "[", e);
        if (status == PL_OK)
            status = cli_output_number(o, tokens->offsets[i][0], e);
        if (status == PL_OK)
            status = cli_output_text(o, ",", e);
        if (status == PL_OK)
            status = cli_output_number(o, tokens->offsets[i][1], e);
        if (status == PL_OK)
            status = cli_output_text(o, "]", e);
    }
    return status == PL_OK ? cli_output_text(o, "]", e) : status;
}

static pl_status put_line(cli_tokenizing *t, const pl_text *text, pl_error *e)
{
    pl_tokens tokens;
    pl_status status = pl_encoder_run(t->encoder, t->input.name, text, &tokens, e);
    if (status == PL_OK)
        status = put_ids(&t->output, &tokens, e);
    if (status == PL_OK && cli_given(&t->call->options, OPT_TOKENS))
        status = put_tokens(t, &tokens, e);
    if (status == PL_OK && cli_given(&t->call->options, OPT_OFFSETS))
        status = put_offsets(&t->output, &tokens, e);
    if (status == PL_OK)
        status = cli_output_text(&t->output, "}\n", e);
    if (status != PL_OK)
        return status;
    cli_output_mark(&t->output);
    t->tokens += tokens.count;
    return PL_OK;
}

/* ---- all lines ---- */

/* What is there is taken at once; before waiting for more, readers get what is finished. */
static pl_status next_text(cli_tokenizing *t, pl_text *text, pl_error *e)
{
    pl_status status = cli_input_next(&t->input, 0, text, e);
    if (status != PL_AGAIN)
        return status;
    status = cli_output_flush(&t->output, e);
    return status == PL_OK ? cli_input_next(&t->input, -1, text, e) : status;
}

static pl_status run_all(cli_tokenizing *t, pl_error *e)
{
    for (;;) {
        pl_text text;
        pl_status status = next_text(t, &text, e);
        if (status == PL_END)
            return PL_OK;
        if (status == PL_OK && t->skip > 0) {
            t->skip--;
            continue;
        }
        if (status == PL_OK)
            status = put_line(t, &text, e);
        if (status != PL_OK)
            return status;
        t->texts++;
        if (t->texts % 64 == 0)
            cli_progress_tick(&t->progress, &t->input, t->texts, t->texts, t->tokens);
    }
}

static pl_status open_all(cli_tokenizing *t, pl_error *e)
{
    const cli_options *o = &t->call->options;
    pl_status status = cli_job_start(&t->job, t->call, PL_TASK_AUTO, e);
    if (status == PL_OK)
        status = cli_input_choose(&t->input, o, e);
    if (status == PL_OK)
        status = pl_encoder_open(o->operands[0], &t->job.options, &t->encoder, e);
    if (status != PL_OK)
        return status;
    const pl_memory *memory = pl_memory_system();
    size_t text_bytes = pl_encoder_text_bytes(t->encoder), bytes = CLI_OUTPUT_BYTES + cli_input_bytes(text_bytes);
    char *block = memory->take(memory->self, bytes);
    if (!block)
        return pl_fail_no_memory(e, bytes, "the command's buffers");
    cli_input_start(&t->input, block + CLI_OUTPUT_BYTES, text_bytes);
    t->skip = o->values[OPT_SKIP].number;
    status = cli_output_open(&t->output, o->values[OPT_OUTPUT].text, t->skip > 0 ? CLI_OUTPUT_RESUME : 0, block, CLI_OUTPUT_BYTES, e);
    if (status == PL_OK && t->output.resumed) {
        t->base = t->skip;
        status = cli_output_take_over(&t->output, t->skip, e);
    }
    if (status == PL_OK && !t->output.regular)
        t->input.watched = t->output.fd;
    return status;
}

pl_status cli_verb_tokenize(cli_call *call, pl_error *e)
{
    static cli_tokenizing t;
    cli_signals_install();
    t.call = call;
    t.output.fd = -1;
    pl_status status = open_all(&t, e);
    if (status == PL_OK) {
        cli_signals_begin(NULL);
        cli_progress_start(&t.progress, &call->voice);
        status = run_all(&t, e);
        if (status == PL_OK)
            status = cli_output_commit(&t.output, e);
        cli_progress_end(&t.progress, &t.input, t.texts, t.texts, t.tokens);
    }
    if (status != PL_OK) {
        if (t.output.fd >= 0)
            cli_output_settle(&t.output);
        cli_keep_finished(&t.output, status, t.base, call->options.values[OPT_SKIP].number - t.skip, t.texts - t.output.lost, e);
    }
    pl_encoder_close(t.encoder);
    cli_input_close(&t.input);
    return status;
}
