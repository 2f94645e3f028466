#include "cli/metrics.h"

#include <math.h>
#include <stdio.h>

enum { RING_BYTES = 1 << 16, RANKED = 1 << 16 };

static size_t words_of(size_t labels, bool multi) { return multi ? (labels + 63) / 64 : 1; }

/* A ring has place for one entry at least, however many labels an entry has. */
static size_t ring_bytes(size_t labels) { return pl_max(RING_BYTES, 2 * words_of(labels, true) * sizeof(uint64_t)); }

size_t cli_metrics_bytes(size_t labels, bool regression)
{
    size_t counts = 3 * labels * sizeof(uint64_t), ranks = RANKED * (3 * sizeof(float) + sizeof(uint32_t));
    return ring_bytes(labels) + counts + (regression ? ranks : 0);
}

pl_status cli_metrics_start(cli_metrics *m, const pl_plan *plan, char *memory, pl_error *e)
{
    size_t labels = pl_plan_width(plan);
    *m = (cli_metrics){.plan = plan, .answer = pl_plan_answer(plan), .labels = labels};
    if (m->answer == PL_ANSWER_EMBEDDING)
        return pl_fail(e, PL_USAGE, "--label-column: the model gives embeddings, which have no labels");
    if (m->answer == PL_ANSWER_REGRESSION && labels != 1)
        return pl_fail(e, PL_USAGE, "--label-column: the model gives %zu numbers a text, metrics are known for one", labels);
    m->words = words_of(labels, m->answer == PL_ANSWER_MULTI_LABEL);
    m->ring = (uint64_t *)(void *)memory;
    m->places = ring_bytes(labels) / (m->words * sizeof(uint64_t));
    m->is = (uint64_t *)(void *)(memory + ring_bytes(labels));
    m->said = m->is + labels;
    m->both = m->said + labels;
    m->x = (float *)(void *)(m->both + labels);
    m->y = m->x + RANKED;
    m->ranks = m->y + RANKED;
    m->order = (uint32_t *)(void *)(m->ranks + RANKED);
    return PL_OK;
}

/* ---- right answers ---- */

static uint64_t *entry(const cli_metrics *m, uint64_t index) { return m->ring + index % m->places * m->words; }

/* One place stays free for the answer being read. */
bool cli_metrics_full(const cli_metrics *m) { return m->given - m->taken >= m->places - 1; }

/* By name, else by number: "2", and "2.0" as other programs write whole columns. */
static bool find_label(const cli_metrics *m, const char *text, size_t n, size_t *index)
{
    for (size_t i = 0; i < m->labels; i++) {
        const char *label = pl_plan_label(m->plan, i);
        if (label && strlen(label) == n && memcmp(label, text, n) == 0) {
            *index = i;
            return true;
        }
    }
    double number;
    if (!pl_double_parse(text, n, &number) || !(number >= 0 && number < (double)m->labels) || number != floor(number))
        return false;
    *index = (size_t)number;
    return true;
}

static pl_status fail_label(const cli_metrics *m, const cli_input *in, const char *text, size_t n, bool more, pl_error *e)
{
    char names[256];
    size_t used = 0, i = 0;
    for (; i < m->labels; i++) {
        const char *label = pl_plan_label(m->plan, i);
        int wrote = snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", label ? label : "");
        if (wrote < 0 || (size_t)wrote >= sizeof names - used)
            break;
        used += (size_t)wrote;
    }
    names[used] = '\0';
    return pl_fail(e, PL_BAD_INPUT, "%s: line %llu: label '%.*s%s' is none of the model's %zu: %s%s", in->name, (unsigned long long)in->record_line,
        (int)pl_min(n, 200), text, more ? "..." : "", m->labels, names, i < m->labels ? ", ..." : "");
}

static pl_status take_name(cli_metrics *m, const cli_input *in, const char *text, size_t n, bool more, pl_error *e)
{
    size_t index = 0;
    if (more || !find_label(m, text, n, &index))
        return fail_label(m, in, text, n, more, e);
    uint64_t *now = entry(m, m->given);
    if (m->answer == PL_ANSWER_MULTI_LABEL)
        now[index / 64] |= UINT64_C(1) << index % 64;
    else if (m->filled)
        return pl_fail(e, PL_BAD_INPUT, "%s: line %llu: several labels for one text, the model gives one", in->name, (unsigned long long)in->record_line);
    else
        now[0] = index;
    m->filled = true;
    return PL_OK;
}

/* A table has no lists: there a field names several labels as "a, b" or ["a", "b"]. */
static pl_status take_list(cli_metrics *m, const cli_input *in, const char *text, size_t n, bool more, pl_error *e)
{
    size_t index;
    if (more || in->format == FORMAT_JSONL || find_label(m, text, n, &index))
        return take_name(m, in, text, n, more, e);
    static const char around[] = " \t[]\"'";
    m->filled = true; /* none is an answer too */
    for (size_t at = 0, end; at < n; at = end + 1) {
        const char *comma = memchr(text + at, ',', n - at);
        end = comma ? (size_t)(comma - text) : n;
        size_t first = at, last = end;
        while (first < last && strchr(around, text[first]))
            first++;
        while (last > first && strchr(around, text[last - 1]))
            last--;
        pl_status status = first < last ? take_name(m, in, text + first, last - first, false, e) : PL_OK;
        if (status != PL_OK)
            return status;
    }
    return PL_OK;
}

pl_status cli_metrics_take(void *self, const cli_input *in, const char *text, size_t n, bool more, pl_error *e)
{
    cli_metrics *m = self;
    uint64_t *now = entry(m, m->given);
    if (!text || in->format != FORMAT_JSONL) { /* a new value; a key given twice counts as its last */
        memset(now, 0, m->words * sizeof *now);
        m->filled = false;
        if (!text) {
            m->filled = m->answer == PL_ANSWER_MULTI_LABEL;
            return PL_OK;
        }
    }
    if (m->answer == PL_ANSWER_MULTI_LABEL)
        return take_list(m, in, text, n, more, e);
    if (m->answer != PL_ANSWER_REGRESSION)
        return take_name(m, in, text, n, more, e);
    double number;
    if (more || m->filled || !pl_double_parse(text, n, &number) || !isfinite(number))
        return pl_fail(e, PL_BAD_INPUT, "%s: line %llu: '%.*s' is no number, which the model gives", in->name, (unsigned long long)in->record_line,
            (int)pl_min(n, 200), text);
    memcpy(now, &number, sizeof number);
    m->filled = true;
    return PL_OK;
}

pl_status cli_metrics_given(cli_metrics *m, const cli_input *in, pl_error *e)
{
    if (!m->filled)
        return pl_fail(e, PL_BAD_INPUT, "%s: line %llu: the list of labels is empty, the model gives one", in->name, (unsigned long long)in->record_line);
    m->given++;
    m->filled = false;
    return PL_OK;
}

/* ---- results ---- */

static void count_single(cli_metrics *m, const float *logits)
{
    size_t said = 0;
    for (size_t i = 1; i < m->labels; i++)
        if (logits[i] > logits[said])
            said = i;
    size_t is = (size_t)entry(m, m->taken)[0];
    m->is[is]++;
    m->said[said]++;
    m->both[is] += is == said;
    m->right += is == said;
}

static void count_multi(cli_metrics *m, const float *logits)
{
    const uint64_t *bits = entry(m, m->taken);
    bool all = true;
    for (size_t i = 0; i < m->labels; i++) {
        bool is = (bits[i / 64] >> i % 64 & 1) != 0, said = logits[i] > 0; /* a score above one half */
        m->is[i] += is;
        m->said[i] += said;
        m->both[i] += is && said;
        all = all && is == said;
    }
    m->right += all;
}

/* Welford's running moments. */
static void count_number(cli_metrics *m, double x)
{
    double y, n = (double)(m->texts + 1);
    memcpy(&y, entry(m, m->taken), sizeof y);
    double dx = x - m->mean_x, dy = y - m->mean_y;
    m->mean_x += dx / n;
    m->mean_y += dy / n;
    m->xx += dx * (x - m->mean_x);
    m->yy += dy * (y - m->mean_y);
    m->xy += dx * (y - m->mean_y);
    m->squares += (x - y) * (x - y);
    if (m->texts < RANKED) {
        m->x[m->texts] = (float)x;
        m->y[m->texts] = (float)y;
    }
}

void cli_metrics_result(cli_metrics *m, const pl_result *result)
{
    if (m->answer == PL_ANSWER_REGRESSION)
        count_number(m, (double)result->values[0]);
    else if (m->answer == PL_ANSWER_MULTI_LABEL)
        count_multi(m, result->values);
    else
        count_single(m, result->values);
    m->texts++;
    m->taken++;
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

/* Equal keys share the mean of their ranks. */
static void rank(const uint32_t *order, size_t n, const float *key, float *ranks)
{
    for (size_t i = 0, end; i < n; i = end) {
        end = i + 1;
        while (end < n && key[order[end]] == key[order[i]])
            end++;
        for (size_t j = i; j < end; j++)
            ranks[order[j]] = (float)(i + 1 + end) / 2;
    }
}

static double correlation(double xy, double xx, double yy) { return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : (double)NAN; }

static double spearman(cli_metrics *m)
{
    size_t n = (size_t)m->texts;
    sort_by(m->order, n, m->x);
    rank(m->order, n, m->x, m->ranks);
    sort_by(m->order, n, m->y);
    float *of_y = m->x; /* the results themselves are of no more use */
    rank(m->order, n, m->y, of_y);
    double mean = ((double)n + 1) / 2, xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; i < n; i++) {
        double dx = (double)m->ranks[i] - mean, dy = (double)of_y[i] - mean;
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    return correlation(xy, xx, yy);
}

static double f1(uint64_t both, uint64_t is, uint64_t said) { return is + said > 0 ? 2 * (double)both / ((double)is + (double)said) : 0; }

/* The mean over the labels that occur, in results or right answers. */
static double macro_f1(const cli_metrics *m)
{
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < m->labels; i++)
        if (m->is[i] + m->said[i] > 0) {
            sum += f1(m->both[i], m->is[i], m->said[i]);
            count++;
        }
    return count > 0 ? sum / (double)count : 0;
}

static double micro_f1(const cli_metrics *m)
{
    uint64_t both = 0, is = 0, said = 0;
    for (size_t i = 0; i < m->labels; i++) {
        both += m->both[i];
        is += m->is[i];
        said += m->said[i];
    }
    return f1(both, is, said);
}

/* For any number of labels (Gorodkin 2004), from the margins alone; 0 where it is not defined. */
static double matthews(const cli_metrics *m)
{
    double n = (double)m->texts, products = 0, is = 0, said = 0;
    for (size_t i = 0; i < m->labels; i++) {
        products += (double)m->is[i] * (double)m->said[i];
        is += (double)m->is[i] * (double)m->is[i];
        said += (double)m->said[i] * (double)m->said[i];
    }
    double below = sqrt((n * n - said) * (n * n - is));
    return below > 0 ? ((double)m->right * n - products) / below : 0;
}

size_t cli_metrics_figures(cli_metrics *m, cli_figure out[CLI_FIGURES])
{
    size_t count = 0;
    double n = (double)m->texts;
    if (m->texts == 0)
        return 0;
    if (m->answer == PL_ANSWER_REGRESSION) {
        out[count++] = (cli_figure){"mse", "mean squared error", m->squares / n};
        out[count++] = (cli_figure){"pearson", "Pearson", correlation(m->xy, m->xx, m->yy)};
        out[count++] = (cli_figure){"spearman", "Spearman", m->texts <= RANKED ? spearman(m) : (double)NAN};
        return count;
    }
    out[count++] = (cli_figure){"accuracy", "accuracy", (double)m->right / n};
    if (m->answer == PL_ANSWER_MULTI_LABEL) {
        out[count++] = (cli_figure){"f1_micro", "F1 (micro)", micro_f1(m)};
        out[count++] = (cli_figure){"f1_macro", "F1 (macro)", macro_f1(m)};
    } else {
        bool two = m->labels == 2;
        double value = two ? f1(m->both[1], m->is[1], m->said[1]) : macro_f1(m);
        out[count++] = two ? (cli_figure){"f1", "F1", value} : (cli_figure){"f1_macro", "F1 (macro)", value};
        out[count++] = (cli_figure){"matthews", "Matthews", matthews(m)};
    }
    return count;
}
