/* Loss of a text and its gradient, as transformers computes them: cross entropy with label
 * smoothing (single label), binary cross entropy with logits (multi label), mean square
 * (regression). Sums in double, in the order of the texts. */
#include "train/emit.h"
#include "train/loss.h"

#include <math.h>

bool pl__counts(const pl_recipe *r, const float *targets, uint32_t text) { return r->problem != PL_PROBLEM_SINGLE || targets[text] >= 0; }

static double cross_entropy(const pl_recipe *r, const float *x, float target, double scale, float *out)
{
    uint32_t n = r->labels, right = (uint32_t)target;
    float most = x[0], sum = 0;
    for (uint32_t i = 1; i < n; i++)
        most = most > x[i] ? most : x[i];
    for (uint32_t i = 0; i < n; i++)
        sum += pl_math_exp(x[i] - most);
    double log_sum = (double)most + (double)pl_math_log(sum), smooth = r->label_smoothing, mean = 0;
    for (uint32_t i = 0; i < n; i++)
        mean += log_sum - (double)x[i];
    for (uint32_t i = 0; i < n && out; i++) {
        double p = (double)(pl_math_exp(x[i] - most) / sum), want = smooth / n + (i == right ? 1 - smooth : 0);
        out[i] = (float)((p - want) * scale);
    }
    return (1 - smooth) * (log_sum - (double)x[right]) + smooth * mean / n;
}

static double binary_cross_entropy(const pl_recipe *r, const float *x, const float *target, double scale, float *out)
{
    double sum = 0;
    for (uint32_t i = 0; i < r->labels; i++) {
        float size = x[i] < 0 ? -x[i] : x[i];
        sum += (double)(x[i] > 0 ? x[i] : 0) - (double)x[i] * (double)target[i] + (double)pl_math_log(1.0f + pl_math_exp(-size));
        if (out)
            out[i] = (float)(((double)pl_math_sigmoid(x[i]) - (double)target[i]) * scale / r->labels);
    }
    return sum / r->labels;
}

double pl__loss_text(const pl_recipe *r, const float *logits, const float *targets, uint32_t text, uint32_t valid, float *gradient, uint32_t *bad)
{
    double scale = valid ? 1.0 / valid : 0, loss = 0;
    if (!pl__counts(r, targets, text)) {
        for (uint32_t i = 0; i < r->labels && gradient; i++)
            gradient[i] = 0;
    } else if (r->problem == PL_PROBLEM_SINGLE) {
        loss = cross_entropy(r, logits, targets[text], scale, gradient);
    } else if (r->problem == PL_PROBLEM_MULTI) {
        loss = binary_cross_entropy(r, logits, targets + (uint64_t)text * r->labels, scale, gradient);
    } else {
        double d = (double)logits[0] - (double)targets[text];
        loss = d * d;
        if (gradient)
            gradient[0] = (float)(2 * d * scale);
    }
    *bad = isfinite(loss) ? 0u : 1u;
    return loss * scale;
}

double pl_step_loss(const pl_recipe *r, const float *logits, const float *targets, uint32_t texts, uint32_t *bad_text)
{
    uint32_t valid = 0, bad;
    double sum = 0;
    *bad_text = UINT32_MAX;
    for (uint32_t t = 0; t < texts; t++)
        valid += pl__counts(r, targets, t) ? 1u : 0u;
    for (uint32_t t = 0; t < texts; t++) {
        sum += pl__loss_text(r, logits + (uint64_t)t * r->labels, targets, t, valid, NULL, &bad);
        if (bad && *bad_text == UINT32_MAX)
            *bad_text = t;
    }
    return sum;
}
