#include "cli/metrics.h"

#include <math.h>
#include <stdio.h>

enum { RING_BYTES = 1 << 16, RANKED = 1 << 16 };
static const size_t IGNORED = SIZE_MAX; /* the whole number -100 for an answer, as in training */

static size_t words_of(size_t labels, bool multi) { return multi ? pl_max(1, (labels + 63) / 64) : 1; }

/* A ring has place for one entry at least, however many labels an entry has. */
static size_t ring_bytes(size_t labels) { return pl_max(RING_BYTES, 2 * words_of(labels, true) * sizeof(uint64_t)); }

size_t cli_metrics_bytes(size_t labels, bool regression)
{
    return ring_bytes(labels) + pl_score_bytes(regression ? PL_ANSWER_REGRESSION : PL_ANSWER_SINGLE_LABEL, labels, RANKED);
}

/* A whole number that is exact, however it is written: "1", "01" and the "1.0" of programs that write
 * whole columns so. */
static bool whole(const char *text, size_t n, double *number) { return pl_double_parse(text, n, number) && *number == floor(*number) && fabs(*number) < 1e15; }

/* Classes that are called by numbers: then a number is a name, and never an output's place. */
static bool named_by_numbers(const pl_plan *plan, size_t labels)
{
    double number;
    for (size_t i = 0; i < labels; i++) {
        const char *label = pl_plan_label(plan, i);
        if (!label || !pl_double_parse(label, strlen(label), &number) || number != floor(number))
            return false;
    }
    return true;
}

pl_status cli_metrics_start(cli_metrics *m, const pl_plan *plan, char *memory, pl_error *e)
{
    size_t labels = pl_plan_width(plan);
    *m = (cli_metrics){.plan = plan, .score = {.answer = pl_plan_answer(plan), .labels = labels}};
    if (m->score.answer == PL_ANSWER_EMBEDDING)
        return pl_fail(e, PL_USAGE, "--label-column: the model gives embeddings, which have no labels");
    if (m->score.answer == PL_ANSWER_REGRESSION && labels != 1)
        return pl_fail(e, PL_USAGE, "--label-column: the model gives %zu numbers a text, metrics are known for one", labels);
    m->numbers = named_by_numbers(plan, labels);
    m->words = words_of(labels, m->score.answer == PL_ANSWER_MULTI_LABEL);
    m->ring = (uint64_t *)(void *)memory;
    m->places = ring_bytes(labels) / (m->words * sizeof(uint64_t));
    pl_score_start(&m->score, m->score.answer, labels, RANKED, memory + ring_bytes(labels));
    return PL_OK;
}

/* ---- right answers ---- */

static uint64_t *entry(const cli_metrics *m, uint64_t index) { return m->ring + index % m->places * m->words; }

/* One place stays free for the answer being read. */
bool cli_metrics_full(const cli_metrics *m) { return m->given - m->taken >= m->places - 1; }

static bool find_number(const cli_metrics *m, double number, size_t *index)
{
    if (!m->numbers) {
        *index = number >= 0 && number < (double)m->score.labels ? (size_t)number : m->score.labels;
        return *index < m->score.labels;
    }
    for (size_t i = 0; i < m->score.labels; i++) {
        const char *label = pl_plan_label(m->plan, i);
        double its;
        if (label && whole(label, strlen(label), &its) && its == number) {
            *index = i;
            return true;
        }
    }
    return false;
}

/* By name, else by number. */
static bool find_label(const cli_metrics *m, const char *text, size_t n, size_t *index)
{
    for (size_t i = 0; i < m->score.labels; i++) {
        const char *label = pl_plan_label(m->plan, i);
        if (label && strlen(label) == n && memcmp(label, text, n) == 0) {
            *index = i;
            return true;
        }
    }
    double number;
    if (!whole(text, n, &number))
        return false;
    if (find_number(m, number, index))
        return true;
    *index = IGNORED;
    return number == -100 && m->score.answer == PL_ANSWER_SINGLE_LABEL;
}

static pl_status fail_label(const cli_metrics *m, const cli_input *in, const char *text, size_t n, bool more, pl_error *e)
{
    char names[256];
    size_t used = 0, i = 0;
    for (; i < m->score.labels; i++) {
        const char *label = pl_plan_label(m->plan, i);
        int wrote = snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", label ? label : "");
        if (wrote < 0 || (size_t)wrote >= sizeof names - used)
            break;
        used += (size_t)wrote;
    }
    names[used] = '\0';
    return pl_fail(e, PL_BAD_INPUT, "%s: line %llu: label '%.*s%s' is none of the model's %zu: %s%s", in->name, (unsigned long long)in->record_line,
        (int)pl_min(n, 200), text, more ? "..." : "", m->score.labels, names, i < m->score.labels ? ", ..." : "");
}

static pl_status take_name(cli_metrics *m, const cli_input *in, const char *text, size_t n, bool more, pl_error *e)
{
    size_t index = 0;
    if (more || !find_label(m, text, n, &index))
        return fail_label(m, in, text, n, more, e);
    uint64_t *now = entry(m, m->given);
    if (m->score.answer == PL_ANSWER_MULTI_LABEL)
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
    m->filled = true; /* none is an answer too */
    pl_list_part part;
    while (pl_list_next(&text, &n, &part)) {
        pl_status status = take_name(m, in, part.text, part.bytes, false, e);
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
            m->filled = m->score.answer == PL_ANSWER_MULTI_LABEL;
            return PL_OK;
        }
    }
    if (m->score.answer == PL_ANSWER_MULTI_LABEL)
        return take_list(m, in, text, n, more, e);
    if (m->score.answer != PL_ANSWER_REGRESSION)
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

void cli_metrics_result(cli_metrics *m, const pl_result *result)
{
    const uint64_t *right = entry(m, m->taken);
    double number;
    memcpy(&number, right, sizeof number);
    if (m->score.answer == PL_ANSWER_REGRESSION)
        pl_score_number(&m->score, (double)result->values[0], number);
    else if (m->score.answer == PL_ANSWER_MULTI_LABEL)
        pl_score_multi(&m->score, result->values, right);
    else if (right[0] != IGNORED)
        pl_score_single(&m->score, result->values, (size_t)right[0]);
    m->taken++;
}
