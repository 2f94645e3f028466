/* trainer_state.json as transformers' Trainer writes it, and the loss drawn. */
#include "train/files.h"
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

PL_PRINTF(2, 3) static void put(pl__sink *s, const char *format, ...)
{
    char piece[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    pl__sink_put(s, piece, pl_min((size_t)n, sizeof piece - 1));
}

/* Shortest that reads back to the same float32, as everywhere; NaN is null. */
static void put_number(pl__sink *s, double value)
{
    char text[16];
    pl__sink_put(s, text, pl_float_text((float)value, text));
}

static void put_member(pl__sink *s, const char *name, double value)
{
    put(s, "      \"%s\": ", name);
    put_number(s, value);
    put(s, ",\n");
}

static void put_entry(const pl_trainer *t, pl__sink *s, const pl__entry *x)
{
    const char *names[PL__MOST_FIGURES];
    put(s, "    {\n");
    put_member(s, "epoch", x->epoch);
    if (x->kind == PL__ENTRY_LOSS) {
        put_member(s, "grad_norm", x->values[2]);
        put_member(s, "learning_rate", x->values[1]);
        put_member(s, "loss", x->values[0]);
    } else {
        size_t count = pl__figure_names(t, names);
        for (size_t i = 0; i < count; i++)
            put_member(s, names[i], x->values[i]);
    }
    put(s, "      \"step\": %llu\n    }", (unsigned long long)x->step);
}

static pl_status put_history(pl_trainer *t, pl__sink *s, bool ended, pl_error *e)
{
    pl_status st = PL_OK;
    put(s, "  \"log_history\": [");
    for (uint64_t i = 0; i < t->journal.count && !st; i++) {
        pl__entry x;
        st = pl__journal_get(&t->journal, i, &x, e);
        if (st)
            break;
        put(s, i ? ",\n" : "\n");
        put_entry(t, s, &x);
    }
    if (ended) { /* Trainer's summary */
        put(s, "%s    {\n", t->journal.count ? ",\n" : "\n");
        put_member(s, "epoch", pl__schedule_epoch(&t->schedule, t->progress.step));
        put_member(s, "train_loss", t->progress.total_loss / (double)pl_max(1, t->progress.step));
        put(s, "      \"step\": %llu\n    }", (unsigned long long)t->progress.step);
    }
    put(s, "\n  ],\n");
    return st;
}

/* Names are in the order of their letters, as Trainer sorts them. */
pl_status pl__output_state(pl_trainer *t, const char *path, pl_error *e)
{
    const pl__progress *g = &t->progress;
    bool ended = g->ended || g->step == t->schedule.steps;
    pl__sink s;
    pl_status st = pl__sink_open(&s, path, t->work.buffer, PL__BUFFER, e);
    if (st)
        return st;
    put(&s, "{\n");
    if (t->recipe.best && g->best_step) {
        put(&s, "  \"best_global_step\": %llu,\n  \"best_metric\": ", (unsigned long long)g->best_step);
        put_number(&s, g->best_value);
        put(&s, ",\n");
    } else {
        put(&s, "  \"best_global_step\": null,\n  \"best_metric\": null,\n");
    }
    put(&s, "  \"best_model_checkpoint\": null,\n  \"epoch\": ");
    put_number(&s, pl__schedule_epoch(&t->schedule, g->step));
    put(&s, ",\n  \"eval_steps\": %llu,\n  \"global_step\": %llu,\n", (unsigned long long)t->schedule.per_epoch, (unsigned long long)g->step);
    put(&s, "  \"is_hyper_param_search\": false,\n  \"is_local_process_zero\": true,\n  \"is_world_process_zero\": true,\n");
    st = put_history(t, &s, ended, e);
    put(&s, "  \"logging_steps\": %llu,\n  \"max_steps\": %llu,\n  \"num_input_tokens_seen\": %llu,\n  \"num_train_epochs\": %llu,\n",
        (unsigned long long)t->recipe.log_every, (unsigned long long)t->schedule.steps, (unsigned long long)g->tokens,
        (unsigned long long)ceil(t->schedule.epochs));
    put(&s,
        "  \"save_steps\": %llu,\n  \"stateful_callbacks\": {},\n  \"total_flos\": 0,\n  \"train_batch_size\": %u,\n  \"trial_name\": null,\n  "
        "\"trial_params\": null\n}\n",
        (unsigned long long)t->recipe.save_every, t->recipe.batch);
    pl_status closed = pl__sink_close(&s);
    return st ? st : closed;
}

/* ---- the loss, drawn ---- */

enum { WIDTH = 720, HEIGHT = 360, LEFT = 60, TOP = 40, PLOT_WIDTH = 620, PLOT_HEIGHT = 270, POINTS = 300 };

typedef struct scale {
    double most, steps;
} scale;

static double x_of(const scale *c, double step) { return LEFT + PLOT_WIDTH * step / c->steps; }
static double y_of(const scale *c, double loss) { return TOP + PLOT_HEIGHT * (1 - (loss < c->most ? loss : c->most) / c->most); }

static pl_status greatest(const pl_trainer *t, double *most, pl_error *e)
{
    *most = 0;
    for (uint64_t i = 0; i < t->journal.count; i++) {
        pl__entry x;
        pl_status s = pl__journal_get(&t->journal, i, &x, e);
        if (s)
            return s;
        if (x.values[0] > *most && isfinite(x.values[0]))
            *most = x.values[0];
    }
    if (*most == 0)
        *most = 1;
    return PL_OK;
}

/* Of many points, means of some hundred stretches. */
static pl_status put_line(const pl_trainer *t, pl__sink *s, const scale *c, pl__entry_kind kind, const char *color, pl_error *e)
{
    uint64_t each = pl_max(1, t->journal.count / POINTS), held = 0;
    double step = 0, sum = 0;
    put(s, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"", color);
    for (uint64_t i = 0; i < t->journal.count; i++) {
        pl__entry x;
        pl_status st = pl__journal_get(&t->journal, i, &x, e);
        if (st)
            return st;
        if (x.kind != kind || !isfinite(x.values[0]))
            continue;
        step += (double)x.step;
        sum += x.values[0];
        if (++held == each || kind == PL__ENTRY_EVALUATION) {
            put(s, "%.1f,%.1f ", x_of(c, step / (double)held), y_of(c, sum / (double)held));
            step = sum = 0;
            held = 0;
        }
    }
    put(s, "\"/>\n");
    return PL_OK;
}

static void put_axes(pl__sink *s, const scale *c)
{
    for (int i = 0; i <= 4; i++) {
        double loss = c->most * i / 4, step = c->steps * i / 4, y = y_of(c, loss), x = x_of(c, step);
        put(s, "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.3g</text>\n", LEFT,
            LEFT + PLOT_WIDTH, y, y, LEFT - 6, y + 4, loss);
        put(s, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.0f</text>\n", x, TOP + PLOT_HEIGHT + 18, step);
    }
}

pl_status pl__output_curve(pl_trainer *t, const char *path, pl_error *e)
{
    scale c = {.steps = (double)pl_max(1, t->progress.step)};
    pl__sink s;
    pl_status st = greatest(t, &c.most, e);
    if (!st)
        st = pl__sink_open(&s, path, t->work.buffer, PL__BUFFER, e);
    if (st)
        return st;
    bool evaluated = t->sets[PL_ROLE_EVALUATE].name != NULL;
    put(&s,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" "
        "fill=\"#fff\"/>\n",
        WIDTH, HEIGHT);
    put(&s, "<text x=\"%d\" y=\"22\" font-size=\"15\">loss by step</text><text x=\"%d\" y=\"22\" fill=\"#4c78a8\">training</text>", LEFT,
        LEFT + PLOT_WIDTH - 130);
    if (evaluated)
        put(&s, "<text x=\"%d\" y=\"22\" fill=\"#e45756\">evaluation</text>", LEFT + PLOT_WIDTH - 64);
    put(&s, "\n");
    put_axes(&s, &c);
    st = put_line(t, &s, &c, PL__ENTRY_LOSS, "#4c78a8", e);
    if (!st && evaluated)
        st = put_line(t, &s, &c, PL__ENTRY_EVALUATION, "#e45756", e);
    put(&s, "</svg>\n");
    pl_status closed = pl__sink_close(&s);
    return st ? st : closed;
}
