#include "base/score.h"

#include <math.h>

size_t pl_score_bytes(pl_answer answer, size_t labels, size_t ranked)
{
    size_t ranks = answer == PL_ANSWER_REGRESSION ? ranked * (3 * sizeof(float) + sizeof(uint32_t)) : 0;
    return 3 * labels * sizeof(uint64_t) + ranks;
}

void pl_score_start(pl_score *s, pl_answer answer, size_t labels, size_t ranked, void *memory)
{
    *s = (pl_score){.answer = answer, .labels = labels, .ranked = answer == PL_ANSWER_REGRESSION ? ranked : 0};
    s->is = memory;
    s->said = s->is + labels;
    s->both = s->said + labels;
    s->x = (float *)(void *)(s->both + labels);
    s->y = s->x + s->ranked;
    s->ranks = s->y + s->ranked;
    s->order = (uint32_t *)(void *)(s->ranks + s->ranked);
}

/* ---- texts ---- */

void pl_score_single(pl_score *s, const float *logits, size_t right)
{
    size_t said = 0;
    for (size_t i = 1; i < s->labels; i++)
        if (logits[i] > logits[said])
            said = i;
    s->is[right]++;
    s->said[said]++;
    s->both[right] += right == said;
    s->right += right == said;
    s->texts++;
}

void pl_score_multi(pl_score *s, const float *logits, const uint64_t *right)
{
    bool all = true;
    for (size_t i = 0; i < s->labels; i++) {
        bool is = (right[i / 64] >> i % 64 & 1) != 0, said = logits[i] > 0; /* a score above one half */
        s->is[i] += is;
        s->said[i] += said;
        s->both[i] += is && said;
        all = all && is == said;
    }
    s->right += all;
    s->texts++;
}

/* Welford's running moments. */
void pl_score_number(pl_score *s, double x, double y)
{
    double n = (double)(s->texts + 1), dx = x - s->mean_x, dy = y - s->mean_y;
    s->mean_x += dx / n;
    s->mean_y += dy / n;
    s->xx += dx * (x - s->mean_x);
    s->yy += dy * (y - s->mean_y);
    s->xy += dx * (y - s->mean_y);
    s->squares += (x - y) * (x - y);
    if (s->texts < s->ranked) {
        s->x[s->texts] = (float)x;
        s->y[s->texts] = (float)y;
    }
    s->texts++;
}

/* ---- figures ---- */

/* Heapsort of order[0..n) by key: in place, and never worse than n log n. */
static void sort_by(uint32_t *order, size_t n, const float *key)
{
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    size_t start = n / 2, end = n;
    while (end > 1) {
        if (start > 0) {
            start--;
        } else {
            uint32_t last = order[--end];
            order[end] = order[0];
            order[0] = last;
        }
        uint32_t moved = order[start];
        size_t hole = start, child;
        while ((child = 2 * hole + 1) < end) {
            if (child + 1 < end && key[order[child + 1]] > key[order[child]])
                child++;
            if (!(key[order[child]] > key[moved]))
                break;
            order[hole] = order[child];
            hole = child;
        }
        order[hole] = moved;
    }
}

/* Behind the last of those that share the rank of order[first], and that rank: the mean of theirs. */
static size_t same_rank(const uint32_t *order, size_t first, size_t n, const float *key, float *rank)
{
    size_t end = first + 1;
    while (end < n && key[order[end]] == key[order[first]])
        end++;
    *rank = (float)(first + 1 + end) / 2;
    return end;
}

static double correlation(double xy, double xx, double yy) { return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : (double)NAN; }

/* Results and right answers stay as they are: the figures may be asked for again. */
static double spearman(pl_score *s)
{
    size_t n = (size_t)s->texts;
    double mean = ((double)n + 1) / 2, xx = 0, yy = 0, xy = 0;
    float rank;
    sort_by(s->order, n, s->x);
    for (size_t i = 0, end; i < n; i = end) {
        end = same_rank(s->order, i, n, s->x, &rank);
        for (size_t j = i; j < end; j++)
            s->ranks[s->order[j]] = rank;
    }
    sort_by(s->order, n, s->y);
    for (size_t i = 0, end; i < n; i = end) {
        end = same_rank(s->order, i, n, s->y, &rank);
        for (size_t j = i; j < end; j++) {
            double dx = (double)s->ranks[s->order[j]] - mean, dy = (double)rank - mean;
            xx += dx * dx;
            yy += dy * dy;
            xy += dx * dy;
        }
    }
    return correlation(xy, xx, yy);
}

static double f1(uint64_t both, uint64_t is, uint64_t said) { return is + said > 0 ? 2 * (double)both / ((double)is + (double)said) : 0; }

/* As scikit-learn has it: where a text has one label, the mean over the labels that occur in results or
 * right answers; where it has several, over all of them. */
static double macro_f1(const pl_score *s)
{
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < s->labels; i++)
        if (s->answer == PL_ANSWER_MULTI_LABEL || s->is[i] + s->said[i] > 0) {
            sum += f1(s->both[i], s->is[i], s->said[i]);
            count++;
        }
    return count > 0 ? sum / (double)count : 0;
}

static double micro_f1(const pl_score *s)
{
    uint64_t both = 0, is = 0, said = 0;
    for (size_t i = 0; i < s->labels; i++) {
        both += s->both[i];
        is += s->is[i];
        said += s->said[i];
    }
    return f1(both, is, said);
}

/* For any number of labels (Gorodkin 2004), from the margins alone; 0 where it is not defined. */
static double matthews(const pl_score *s)
{
    double n = (double)s->texts, products = 0, is = 0, said = 0;
    for (size_t i = 0; i < s->labels; i++) {
        products += (double)s->is[i] * (double)s->said[i];
        is += (double)s->is[i] * (double)s->is[i];
        said += (double)s->said[i] * (double)s->said[i];
    }
    double below = sqrt((n * n - said) * (n * n - is));
    return below > 0 ? ((double)s->right * n - products) / below : 0;
}

/* ---- which there are ---- */

static const pl_figure_name single[] = {{"accuracy", "accuracy"}, {"f1_macro", "F1 (macro)"}, {"matthews", "Matthews"}};
static const pl_figure_name binary[] = {{"accuracy", "accuracy"}, {"f1", "F1"}, {"matthews", "Matthews"}};
static const pl_figure_name multi[] = {{"accuracy", "accuracy"}, {"f1_micro", "F1 (micro)"}, {"f1_macro", "F1 (macro)"}};
static const pl_figure_name numbers[] = {{"mse", "mean squared error"}, {"pearson", "Pearson"}, {"spearmanr", "Spearman"}};

const pl_figure_name *pl_score_names(pl_answer answer, size_t labels, size_t *count)
{
    *count = PL_COUNT(single);
    switch (answer) {
    case PL_ANSWER_REGRESSION: return numbers;
    case PL_ANSWER_MULTI_LABEL: return multi;
    case PL_ANSWER_SINGLE_LABEL: return labels == 2 ? binary : single;
    case PL_ANSWER_EMBEDDING: break;
    }
    *count = 0;
    return NULL;
}

size_t pl_score_figures(pl_score *s, pl_figure out[PL_FIGURES])
{
    size_t count;
    const pl_figure_name *names = pl_score_names(s->answer, s->labels, &count);
    double n = (double)s->texts, values[PL_FIGURES] = {0};
    if (s->texts == 0)
        return 0;
    if (s->answer == PL_ANSWER_REGRESSION) {
        values[0] = s->squares / n;
        values[1] = correlation(s->xy, s->xx, s->yy);
        values[2] = s->texts <= s->ranked ? spearman(s) : (double)NAN;
    } else {
        values[0] = (double)s->right / n;
        if (s->answer == PL_ANSWER_MULTI_LABEL) {
            values[1] = micro_f1(s);
            values[2] = macro_f1(s);
        } else {
            values[1] = s->labels == 2 ? f1(s->both[1], s->is[1], s->said[1]) : macro_f1(s);
            values[2] = matthews(s);
        }
    }
    for (size_t i = 0; i < count; i++)
        out[i] = (pl_figure){names[i].name, names[i].title, values[i]};
    return count;
}
