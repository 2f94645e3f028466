/* softmax((scale q) k^T) v of one text and head. */
#include "device/cpu/reference/reference.h"

#include <assert.h>
#include <math.h>

size_t pl__ref_attention_workspace(size_t longest_text, size_t head_width)
{
    (void)head_width;
    return pl_round_up(longest_text * sizeof(float), 64);
}

/* p: exp(score - greatest score) of each key; returns 1 / their sum. */
static float weigh(float *p, size_t keys)
{
    float greatest = -INFINITY;
    for (size_t j = 0; j < keys; j++)
        greatest = pl__ref_greater(p[j], greatest); /* passes over NaN */
    float lanes[32] = {0};
    for (size_t j = 0; j < keys; j++) {
        p[j] = pl__ref_exp(p[j] - greatest);
        lanes[j % 32] += p[j];
    }
    return 1.0f / pl__ref_fold_32(lanes);
}

static void attend(const pl_attention *a, float *p, size_t first, size_t last, size_t head)
{
    size_t width = a->head_width, from = head * width;
    for (size_t row = first; row < last; row++) {
        const float *q = a->q + row * a->stride + from;
        for (size_t key = first; key < last; key++) {
            const float *k = a->k + key * a->stride + from;
            float chain = 0.0f;
            for (size_t c = 0; c < width; c++)
                chain = fmaf(q[c] * a->scale, k[c], chain);
            p[key - first] = chain;
        }
        float share = weigh(p, last - first);
        for (size_t c = 0; c < width; c++) {
            float chain = 0.0f;
            for (size_t key = first; key < last; key++)
                chain = fmaf(p[key - first], a->v[key * a->stride + from + c], chain);
            a->out[row * a->out_stride + from + c] = pl__ref_canonical(chain * share);
        }
    }
}

void pl__ref_attention(const pl_attention *a, void *workspace, size_t first_unit, size_t last_unit)
{
    assert(a->in_type == PL_F32 && a->out_type == PL_F32);
    for (size_t unit = first_unit; unit < last_unit; unit++) {
        size_t text = unit / a->heads;
        attend(a, workspace, a->starts[text], a->starts[text + 1], unit % a->heads);
    }
}
