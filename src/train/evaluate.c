#include "train/trainer.h"

#include <string.h>

pl_answer pl__answer_of(pl_problem problem)
{
    static const pl_answer answers[] = {
        [PL_PROBLEM_SINGLE] = PL_ANSWER_SINGLE_LABEL, [PL_PROBLEM_MULTI] = PL_ANSWER_MULTI_LABEL, [PL_PROBLEM_REGRESSION] = PL_ANSWER_REGRESSION};
    return answers[problem];
}

/* ---- figures by name ---- */

/* With Trainer's prefix; the names of base/score.h behind it. */
static const char *const prefixed[] = {
    "eval_accuracy", "eval_f1", "eval_f1_macro", "eval_f1_micro", "eval_matthews", "eval_mse", "eval_pearson", "eval_spearmanr"};
enum { PREFIX = sizeof "eval_" - 1 };

static const char *with_prefix(const char *name)
{
    for (size_t i = 0; i < PL_COUNT(prefixed); i++)
        if (strcmp(prefixed[i] + PREFIX, name) == 0)
            return prefixed[i];
    return name;
}

size_t pl__figure_names(const pl_trainer *t, const char *names[PL__MOST_FIGURES])
{
    size_t count;
    const pl_figure_name *known = pl_score_names(pl__answer_of(t->labels.problem), t->labels.count, &count);
    names[0] = "eval_loss";
    for (size_t i = 0; i < count; i++)
        names[i + 1] = with_prefix(known[i].name);
    return count + 1;
}

/* "f1" is the one there is; GLUE's longer names are understood. */
static bool means(const char *metric, const char *name)
{
    return strcmp(metric, name) == 0 || (strcmp(metric, "f1") == 0 && strncmp(name, "f1", 2) == 0) ||
        (strcmp(metric, "matthews_correlation") == 0 && strcmp(name, "matthews") == 0) || (strcmp(metric, "spearman") == 0 && strcmp(name, "spearmanr") == 0);
}

pl_status pl__metric_find(const pl_trainer *t, unsigned *index, bool *less_is_better, pl_error *e)
{
    const char *names[PL__MOST_FIGURES], *metric = t->recipe.metric ? t->recipe.metric : "loss";
    size_t count = pl__figure_names(t, names);
    const char *plain = strncmp(metric, "eval_", PREFIX) == 0 ? metric + PREFIX : metric;
    for (size_t i = 0; i < count; i++)
        if (means(plain, names[i] + PREFIX)) {
            *index = (unsigned)i;
            *less_is_better = i == 0 || strcmp(plain, "mse") == 0;
            return PL_OK;
        }
    pl_fail(e, PL_USAGE, "--metric %s: an evaluation of this data has no such figure", metric);
    for (size_t i = 0; i < count; i++)
        pl_hint(e, "--metric %s", names[i] + PREFIX);
    return PL_USAGE;
}

/* ---- evaluating ---- */

/* Right answers of one text of the batch at hand. */
static void score_text(pl_trainer *t, uint32_t text, const float *logits, const float *target)
{
    pl__work *w = &t->work;
    if (t->labels.problem == PL_PROBLEM_REGRESSION) {
        pl_score_number(&t->score, (double)logits[0], w->numbers[text]);
    } else if (t->labels.problem == PL_PROBLEM_MULTI) {
        for (uint32_t i = 0; i < t->labels.count; i++) {
            uint64_t bit = UINT64_C(1) << i % 64;
            w->bits[i / 64] = target[i] > 0 ? w->bits[i / 64] | bit : w->bits[i / 64] & ~bit;
        }
        pl_score_multi(&t->score, logits, w->bits);
    } else {
        pl_score_single(&t->score, logits, (size_t)target[0]);
    }
}

static pl_status evaluate_batch(pl_trainer *t, const pl_batch *b, double *loss, uint64_t *counted, pl_error *e)
{
    pl__work *w = &t->work;
    uint32_t labels = t->labels.count, bad;
    size_t width = t->labels.problem == PL_PROBLEM_MULTI ? labels : 1;
    pl_status s = pl_step_eval(t->step, b, w->logits, e);
    for (uint32_t i = 0; i < b->texts && !s; i++) {
        const float *logits = w->logits + (size_t)i * labels, *target = w->targets + i * width;
        if (t->labels.problem == PL_PROBLEM_SINGLE && target[0] < 0)
            continue; /* ignored */
        *loss += pl_step_loss(&t->request.recipe, logits, target, 1, &bad);
        score_text(t, i, logits, target);
        ++*counted;
    }
    return s;
}

/* Text by text in the order of the data, so that the figures do not depend on how they are batched. */
pl_status pl__evaluate(pl_trainer *t, double values[PL__MOST_FIGURES], pl_error *e)
{
    const pl__set *set = &t->sets[PL_ROLE_EVALUATE];
    double start = pl_os_seconds(), loss = 0;
    uint64_t at = set->first, counted = 0;
    pl_answer answer = pl__answer_of(t->labels.problem);
    size_t ranked = (size_t)pl_min(set->examples, 1 << 16);
    memset(t->work.score, 0, pl_score_bytes(answer, t->labels.count, ranked));
    pl_score_start(&t->score, answer, t->labels.count, ranked, t->work.score);
    pl_status s = PL_OK;
    while (at < set->end && !s) {
        pl_batch b;
        s = pl__batch_next(t, set, &at, &b, e);
        if (!s && atomic_load(&t->stop))
            s = pl_fail(e, PL_STOPPED, "stopped on request");
        if (!s)
            s = evaluate_batch(t, &b, &loss, &counted, e);
    }
    t->evaluate_seconds += pl_os_seconds() - start;
    pl_figure figures[PL_FIGURES];
    size_t count = s ? 0 : pl_score_figures(&t->score, figures);
    for (size_t i = 0; i < PL__MOST_FIGURES; i++)
        values[i] = __builtin_nan("");
    values[0] = counted ? loss / (double)counted : __builtin_nan("");
    for (size_t i = 0; i < count; i++)
        values[i + 1] = figures[i].value;
    return s;
}
