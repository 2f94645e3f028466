/* README.md of the trained folder: a model card with data, arguments and figures. */
#include "train/files.h"
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

PL_PRINTF(2, 3) static void put(pl__sink *s, const char *format, ...)
{
    char piece[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    pl__sink_put(s, piece, pl_min((size_t)n, sizeof piece - 1));
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* A name from outside, as YAML and Markdown both take it: in quotes, with what could end them or begin
 * markup left out. */
static void put_name(pl__sink *s, const char *name)
{
    for (const char *p = name; *p; p++) {
        unsigned char c = (unsigned char)*p;
        pl__sink_put(s, c < 0x20 || strchr("\"\\`|<>", c) ? "_" : p, 1);
    }
}

static void put_row(pl__sink *s, const char *name, double value)
{
    char text[32];
    size_t n = pl_double_text(value, text);
    put(s, "| %s | %.*s |\n", name, (int)n, text);
}

static void put_head(const pl_trainer *t, pl__sink *s)
{
    put(s, "---\nlibrary_name: transformers\npipeline_tag: text-classification\ntags:\n- plimsoll\n- text-classification\nmodel_name: \"");
    put_name(s, last_part(t->paths.out));
    put(s, "\"\n---\n\n# ");
    put_name(s, last_part(t->paths.out));
    put(s, "\n\nFine-tuned from `");
    put_name(s, last_part(t->name));
    put(s, "` (%s) by plimsoll %s.\n\n", t->model.family, PL_VERSION);
}

static void put_data(const pl_trainer *t, pl__sink *s)
{
    static const char *const titles[] = {"training", "evaluation"};
    const pl__labels *l = &t->labels;
    put(s, "## Data\n\n| | file | texts | tokens | longest text |\n|---|---|---|---|---|\n");
    for (int i = 0; i < 2; i++) {
        const pl__set *set = &t->sets[i];
        if (!set->name)
            continue;
        put(s, "| %s | `", titles[i]);
        put_name(s, last_part(set->name));
        put(s, "` | %llu | %llu | %u |\n", (unsigned long long)set->examples, (unsigned long long)set->tokens, set->longest);
    }
    put(s, "\n");
    if (l->problem == PL_PROBLEM_REGRESSION) {
        put(s, "The model predicts a number.\n\n");
        return;
    }
    put(s, "Labels (%s a text): ", l->problem == PL_PROBLEM_MULTI ? "several" : "one");
    enum { SHOWN = 100 };
    for (uint32_t i = 0; i < l->count && i < SHOWN; i++) {
        put(s, i ? ", `" : "`");
        put_name(s, l->names[i]);
        put(s, "`");
    }
    put(s, "%s\n\n", l->count > SHOWN ? ", ..." : "");
}

static void put_arguments(const pl_trainer *t, pl__sink *s)
{
    static const char *const schedules[] = {"linear", "cosine", "constant", "constant_with_warmup"};
    const pl_training *r = &t->recipe;
    put(s, "## Arguments\n\n| | |\n|---|---|\n");
    put_row(s, "epochs", pl__schedule_epoch(&t->schedule, t->progress.step));
    put(s, "| steps | %llu of %llu |\n| batch | %u |\n", (unsigned long long)t->progress.step, (unsigned long long)t->schedule.steps, r->batch);
    put_row(s, "learning rate", r->lr);
    put(s, "| schedule | %s, %llu steps of warm-up |\n", schedules[r->schedule], (unsigned long long)t->schedule.warmup);
    put(s, "| optimizer | AdamW (0.9, 0.999, 1e-08) |\n");
    put_row(s, "weight decay", r->weight_decay);
    put_row(s, "gradient clipped to", r->max_grad_norm);
    put_row(s, "label smoothing", r->label_smoothing);
    put_row(s, "dropout of hidden rows", t->dropouts[0]);
    put_row(s, "dropout of attention", t->dropouts[1]);
    put_row(s, "dropout of the classifier", t->dropouts[2]);
    put(s, "| precision | %s |\n| shards of a step | %u |\n", pl__precision_text(t->request.kernels), r->shards);
    put(s, "| longest text | %u tokens |\n| seed | %llu |\n| shuffled | %s |\n", t->reading.max_length, (unsigned long long)r->seed,
        r->shuffle ? "each epoch" : "no");
    if (r->head_only || r->last_layers)
        put(s, "| learned | %s |\n", r->head_only ? "the head" : "the last layers and the head");
    put(s, "\n");
}

/* The evaluation of the weights in this folder. */
static pl_status put_figures(pl_trainer *t, pl__sink *s, pl_error *e)
{
    const char *names[PL__MOST_FIGURES];
    size_t count = pl__figure_names(t, names);
    uint64_t step = t->recipe.best && t->progress.best_step ? t->progress.best_step : t->progress.step;
    put(s, "## Results\n\n");
    put(s, "Mean training loss %.4f.\n\n", t->progress.total_loss / (double)pl_max(1, t->progress.step));
    for (uint64_t i = t->journal.count; i-- > 0;) {
        pl__entry x;
        pl_status st = pl__journal_get(&t->journal, i, &x, e);
        if (st)
            return st;
        if (x.kind != PL__ENTRY_EVALUATION || x.step != step)
            continue;
        put(s, "| on the evaluation texts, step %llu | |\n|---|---|\n", (unsigned long long)step);
        for (size_t k = 0; k < count; k++)
            if (isfinite(x.values[k]))
                put(s, "| %s | %.4f |\n", names[k] + sizeof "eval_" - 1, x.values[k]);
        put(s, "\n");
        break;
    }
    put(s, "![loss by step](loss.svg)\n\n");
    return PL_OK;
}

pl_status pl__output_card(pl_trainer *t, const char *path, pl_error *e)
{
    pl__sink s;
    pl_status st = pl__sink_open(&s, path, t->work.buffer, PL__BUFFER, e);
    if (st)
        return st;
    put_head(t, &s);
    put_data(t, &s);
    put_arguments(t, &s);
    st = put_figures(t, &s, e);
    put(&s,
        "## Use\n\n```python\nfrom transformers import pipeline\nclassify = pipeline(\"text-classification\", "
        "model=\"PATH/TO/THIS/FOLDER\")\nprint(classify(\"a text\"))\n```\n\n");
    put(&s, "```\nplimsoll classify PATH/TO/THIS/FOLDER -t 'a text'\n```\n");
    pl_status closed = pl__sink_close(&s);
    return st ? st : closed;
}
