/* plimsoll plan --train */
#include "cli/learn.h"
#include "cli/signals.h"

typedef struct planning {
    cli_learn learn;
    cli_output output, drawing;
} planning;

static pl_status draw(planning *p, const char *path, pl_error *e)
{
    pl_status status = cli_output_open(&p->drawing, path, 0, p->learn.output, CLI_OUTPUT_BYTES, e);
    if (status == PL_OK)
        status = pl_trainer_svg(p->learn.trainer, cli_output_write, &p->drawing, e);
    cli_output_mark(&p->drawing);
    if (status == PL_OK)
        status = cli_output_commit(&p->drawing, e);
    if (status != PL_OK) {
        p->drawing.whole = 0; /* half a drawing is of no use */
        cli_output_abandon(&p->drawing);
    }
    return status;
}

static pl_status print(planning *p, const cli_options *o, pl_error *e)
{
    pl_status status = cli_output_open(&p->output, NULL, 0, p->learn.output, CLI_OUTPUT_BYTES, e);
    if (status != PL_OK)
        return status;
    if (cli_given(o, OPT_PROGRAM))
        status = pl_trainer_program(p->learn.trainer, cli_output_write, &p->output, e);
    else if (cli_given(o, OPT_JSON))
        status = pl_trainer_json(p->learn.trainer, cli_output_write, &p->output, e);
    else
        status = pl_trainer_text(p->learn.trainer, cli_stdout_colored(o), cli_output_write, &p->output, e);
    return status == PL_OK ? cli_output_commit(&p->output, e) : status;
}

pl_status cli_plan_training(cli_call *call, pl_error *e)
{
    static planning p;
    const cli_options *o = &call->options;
    cli_signals_install();
    pl_status status = cli_learn_prepare(&p.learn, call, e);
    if (status == PL_OK && cli_given(o, OPT_SVG))
        status = draw(&p, o->values[OPT_SVG].text, e);
    if (status == PL_OK)
        status = print(&p, o, e);
    if (status == PL_OK && !pl_trainer_fits(p.learn.trainer))
        status = pl_trainer_refusal(p.learn.trainer, e);
    cli_learn_end(&p.learn);
    return status;
}
