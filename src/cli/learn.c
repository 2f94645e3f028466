#include "cli/learn.h"

#include "cli/run.h"

#include <stdlib.h>
#include <string.h>

/* ---- the recipe ---- */

static pl_status small(const cli_options *o, cli_option_id id, uint32_t *out, pl_error *e)
{
    if (!cli_given(o, id))
        return PL_OK;
    if (o->values[id].number > UINT32_MAX)
        return pl_fail(e, PL_USAGE, "--%s: '%s' is too large, at most %u", cli_option_rows[id].name, o->values[id].text, UINT32_MAX);
    *out = (uint32_t)o->values[id].number;
    return PL_OK;
}

static void large(const cli_options *o, cli_option_id id, uint64_t *out)
{
    if (cli_given(o, id))
        *out = o->values[id].number;
}

static void real(const cli_options *o, cli_option_id id, double *out)
{
    if (cli_given(o, id))
        *out = o->values[id].real;
}

/* all, head, last:N */
static pl_status read_tune(const char *text, pl_training *t, pl_error *e)
{
    if (!text || strcmp(text, "all") == 0)
        return PL_OK;
    t->head_only = strcmp(text, "head") == 0;
    if (t->head_only)
        return PL_OK;
    size_t digits = strncmp(text, "last:", 5) == 0 ? strspn(text + 5, "0123456789") : 0;
    if (digits > 0 && digits < 6 && !text[5 + digits])
        t->last_layers = (uint32_t)strtoul(text + 5, NULL, 10);
    return t->last_layers ? PL_OK : pl_fail(e, PL_USAGE, "--tune: '%s' is none of all, head and last:N", text);
}

static pl_status read_recipe(const cli_options *o, pl_training *t, pl_error *e)
{
    const cli_value *v = o->values;
    pl_training_init(t);
    if (cli_given(o, OPT_OPTIMIZER) && v[OPT_OPTIMIZER].choice != 0)
        return pl_fail(e, PL_USAGE, "--optimizer %s: only adamw is supported", v[OPT_OPTIMIZER].text);
    t->out = v[OPT_OUTPUT].text;
    t->spill = v[OPT_SPILL].text;
    t->metric = v[OPT_METRIC].text;
    real(o, OPT_EPOCHS, &t->epochs);
    large(o, OPT_MAX_STEPS, &t->max_steps);
    real(o, OPT_LR, &t->lr);
    if (cli_given(o, OPT_SCHEDULE))
        t->schedule = (pl_schedule)v[OPT_SCHEDULE].choice;
    large(o, OPT_WARMUP_STEPS, &t->warmup_steps);
    real(o, OPT_WARMUP_RATIO, &t->warmup_ratio);
    real(o, OPT_WEIGHT_DECAY, &t->weight_decay);
    real(o, OPT_MAX_GRAD_NORM, &t->max_grad_norm);
    real(o, OPT_LABEL_SMOOTHING, &t->label_smoothing);
    real(o, OPT_DROPOUT, &t->dropout);
    t->shuffle = !cli_given(o, OPT_SHUFFLE) || v[OPT_SHUFFLE].choice == 0;
    large(o, OPT_SEED, &t->seed);
    large(o, OPT_LOG_EVERY, &t->log_every);
    large(o, OPT_SAVE_EVERY, &t->save_every);
    t->best = cli_given(o, OPT_BEST);
    t->resume = cli_given(o, OPT_RESUME);
    t->overwrite = cli_given(o, OPT_OVERWRITE);
    t->dry_run = cli_given(o, OPT_DRY_RUN);
    pl_status status = small(o, OPT_BATCH, &t->batch, e);
    if (status == PL_OK)
        status = small(o, OPT_KEEP, &t->keep, e);
    if (status == PL_OK)
        status = small(o, OPT_SHARDS, &t->shards, e);
    if (status == PL_OK)
        status = small(o, OPT_EARLY_STOPPING, &t->early_stopping, e);
    if (status == PL_OK)
        status = read_tune(v[OPT_TUNE].text, t, e);
    if (status == PL_OK && cli_given(o, OPT_DATA) && !cli_given(o, OPT_EVAL) && (t->best || t->early_stopping || t->metric))
        return pl_fail(e, PL_USAGE, "--%s: goes by an evaluation, --eval FILE is missing", t->best ? "best" : t->early_stopping ? "early-stopping" : "metric");
    return status;
}

/* ---- labels ---- */

/* A cli_label_take: gathers the labels of a record. */
static pl_status take_label(void *self, const cli_input *in, const char *text, size_t n, bool more, pl_error *e)
{
    cli_labels *l = self;
    if (!text || in->format != FORMAT_JSONL) /* a new value; a key given twice counts as its last */
        l->used = l->count = 0;
    if (!text)
        return PL_OK;
    if (more || l->count == CLI_LABELS || n > CLI_LABEL_BYTES - l->used)
        return pl_fail(e, PL_BAD_INPUT, "%s: line %llu: more label than a text can have (%d labels, %d bytes, %d each); is --label-column the right one?",
            in->name, (unsigned long long)in->record_line, CLI_LABELS, CLI_LABEL_BYTES, CLI_NAME_BYTES);
    memcpy(l->bytes + l->used, text, n);
    l->list[l->count++] = (pl_label){l->bytes + l->used, n, in->format == FORMAT_JSONL && in->label_name};
    l->used += n;
    return PL_OK;
}

/* ---- reading ---- */

static pl_status next_example(void *self, pl_example *x, pl_error *e)
{
    cli_learn *l = self;
    l->labels.used = l->labels.count = 0;
    l->input.label_list = false;
    pl_status status = cli_input_next(&l->input, -1, &x->text, e);
    if (status != PL_OK)
        return status;
    x->labels = l->labels.list;
    x->label_count = l->labels.count;
    x->list = l->input.format == FORMAT_JSONL && l->input.label_list;
    l->texts++;
    cli_progress_tick(&l->progress, &l->input, l->texts, l->texts, 0);
    return PL_OK;
}

/* What `plan --train` reads the lengths of: -i and -t give texts alone, --data texts with labels. */
static bool texts_alone(const cli_options *o) { return cli_given(o, OPT_INPUT) || o->text_count > 0; }

static pl_status check_sources(const cli_options *o, pl_error *e)
{
    const char *texts = cli_given(o, OPT_INPUT) ? "-i" : "-t";
    if (texts_alone(o) && cli_given(o, OPT_DATA))
        return pl_fail(e, PL_USAGE, "%s and --data: only one of them can be what is planned for", texts);
    if (cli_given(o, OPT_EVAL) && !cli_given(o, OPT_DATA))
        return pl_fail(e, PL_USAGE, "--eval: goes with --data FILE, which is missing");
    return PL_OK;
}

static pl_status open_data(cli_learn *l, pl_role role, const char *path, pl_error *e)
{
    const cli_options *o = &l->job.call->options;
    const cli_value *v = o->values;
    if (role == PL_ROLE_TEXTS)
        return cli_input_choose(&l->input, o, e);
    pl_status status = cli_input_open(&l->input, path, cli_given(o, OPT_INPUT_FORMAT) ? v[OPT_INPUT_FORMAT].choice : -1, e);
    if (status == PL_OK && l->input.format == FORMAT_TXT)
        status = pl_fail(e, PL_USAGE, "%s: has no labels; a .csv, .tsv or .jsonl with texts and labels is needed (--input-format says which)", l->input.name);
    l->input.column_names[COLUMN_TEXT] = v[OPT_TEXT_COLUMN].text;
    l->input.column_names[COLUMN_PAIR] = v[OPT_TEXT_PAIR_COLUMN].text;
    l->input.column_names[COLUMN_LABEL] = cli_given(o, OPT_LABEL_COLUMN) ? v[OPT_LABEL_COLUMN].text : "label";
    l->input.take_label = take_label;
    l->input.label_self = &l->labels;
    return status;
}

static pl_status read_data(cli_learn *l, pl_role role, const char *path, pl_error *e)
{
    pl_status status = open_data(l, role, path, e);
    l->texts = 0;
    if (status == PL_OK) {
        cli_input_start(&l->input, l->reading + CLI_LABEL_BYTES + CLI_LABELS * sizeof(pl_label), pl_trainer_text_bytes(l->trainer));
        cli_progress_start(&l->progress, &l->job.call->voice);
        status = pl_trainer_read(l->trainer, role, l->input.name, next_example, l, e);
        cli_progress_end(&l->progress, &l->input, l->texts, l->texts, 0);
    }
    cli_input_close(&l->input);
    return status;
}

/* Without the texts under construction. */
static size_t reading_bytes(void) { return CLI_LABEL_BYTES + CLI_LABELS * sizeof(pl_label) + cli_input_bytes(0); }

static pl_status take_buffers(cli_learn *l, pl_error *e)
{
    const pl_memory *memory = pl_memory_system();
    l->reading_bytes = reading_bytes() + CLI_FIELDS * pl_trainer_text_bytes(l->trainer);
    l->reading = memory->take(memory->self, l->reading_bytes);
    l->output = memory->take(memory->self, CLI_OUTPUT_BYTES);
    if (!l->reading || !l->output)
        return pl_fail_no_memory(e, l->reading_bytes, "the command's buffers");
    cli_buffers_touch(l->output, CLI_OUTPUT_BYTES);
    l->labels.bytes = l->reading;
    l->labels.list = (pl_label *)(void *)(l->reading + CLI_LABEL_BYTES);
    return PL_OK;
}

static void give(char **block, size_t bytes)
{
    if (*block)
        pl_memory_system()->give(pl_memory_system()->self, *block, bytes);
    *block = NULL;
}

static void state_outside(cli_learn *l, const cli_options *o)
{
    cli_outside(o, &l->job.needs, l->outside);
    l->outside[1] = (pl_outside){"command's buffers", CLI_OUTPUT_BYTES, 0};
    l->outside[CLI_OUTSIDE] = (pl_outside){"data being read", pl_round_up(reading_bytes(), 4096), CLI_FIELDS};
    l->job.options.outside = l->outside;
    l->job.options.outside_count = CLI_OUTSIDE + 1;
}

pl_status cli_learn_prepare(cli_learn *l, cli_call *call, pl_error *e)
{
    const cli_options *o = &call->options;
    pl_status status = check_sources(o, e);
    if (status == PL_OK)
        status = cli_job_start(&l->job, call, PL_TASK_CLASSIFY, e);
    if (status == PL_OK)
        status = read_recipe(o, &l->training, e);
    if (status != PL_OK)
        return status;
    state_outside(l, o);
    status = pl_trainer_open(l->job.model, &l->job.options, &l->training, &l->trainer, e);
    if (status == PL_OK && cli_given(o, OPT_PLAN))
        status = pl_trainer_load_plan(l->trainer, o->values[OPT_PLAN].text, e);
    if (status == PL_OK)
        status = take_buffers(l, e);
    if (status == PL_OK && texts_alone(o))
        status = read_data(l, PL_ROLE_TEXTS, NULL, e);
    if (status == PL_OK && cli_given(o, OPT_DATA))
        status = read_data(l, PL_ROLE_TRAIN, o->values[OPT_DATA].text, e);
    if (status == PL_OK && cli_given(o, OPT_EVAL))
        status = read_data(l, PL_ROLE_EVALUATE, o->values[OPT_EVAL].text, e);
    give(&l->reading, l->reading_bytes);
    return status == PL_OK ? pl_trainer_plan(l->trainer, e) : status;
}

void cli_learn_end(cli_learn *l)
{
    pl_trainer_close(l->trainer);
    give(&l->reading, l->reading_bytes);
    give(&l->output, CLI_OUTPUT_BYTES);
    cli_job_end(&l->job);
    l->trainer = NULL;
}
