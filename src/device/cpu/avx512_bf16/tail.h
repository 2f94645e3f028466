/* The end of a product: a block of finished sums waits for bias, activation and residual. */
#ifndef PL_DEVICE_CPU_BF16_TAIL_H
#define PL_DEVICE_CPU_BF16_TAIL_H

#include "device/cpu/avx512_bf16/bf16.h"

#include <assert.h>

/* What is done to sums on their way to C. RAW: nothing, the chain goes on elsewhere. PLAIN: bias and
 * residual; activations without a form of their own are done before, in the sums. */
typedef enum bf16_act { BF16_RAW, BF16_PLAIN, BF16_GELU_ERF, BF16_GELU_TANH } bf16_act;

typedef struct bf16_tail {
    size_t rows;       /* that still wait; the pointers stand at the first of them */
    const float *sums; /* [rows, 32] */
    char *c;
    size_t c_step;         /* bytes from row to row */
    const float *residual; /* or NULL */
    size_t residual_stride;
    vf bias[2];
    vm columns[2];
} bf16_tail;

/* The sums x of the next `rows` rows (1 or 2), two vectors each, go to C. rows, act and c_type are
 * constants, and `t` is a local of the caller, so that it lives in registers. */
PL_ALWAYS_INLINE void bf16_tail_write(bf16_tail *t, vf *x, int rows, bf16_act act, pl_dtype c_type)
{
    if (act != BF16_RAW)
        for (int i = 0; i < 2 * rows; i++)
            x[i] = vf_add(x[i], t->bias[i % 2]);
    if (act == BF16_GELU_ERF || act == BF16_GELU_TANH)
        bf16_gelu_many(act == BF16_GELU_ERF ? &pl__bf16_gelu_erf : &pl__bf16_gelu_tanh, x, 2 * rows);
    for (int r = 0; r < rows; r++) {
        vf *y = x + 2 * r;
        if (act != BF16_RAW && t->residual) {
            y[0] = vf_add(y[0], vf_load_at(t->residual, t->columns[0]));
            y[1] = vf_add(y[1], vf_load_at(t->residual + 16, t->columns[1]));
            t->residual += t->residual_stride;
        }
        if (c_type == PL_BF16) {
            _mm512_mask_storeu_epi16(t->c, (__mmask32)t->columns[1] << 16 | t->columns[0], bf16_round(y[0], y[1]));
        } else {
            vf_store_at((float *)(void *)t->c, act == BF16_RAW ? y[0] : vf_canonical(y[0]), t->columns[0]);
            vf_store_at((float *)(void *)t->c + 16, act == BF16_RAW ? y[1] : vf_canonical(y[1]), t->columns[1]);
        }
        t->c += t->c_step;
    }
}

/* The next `rows` rows of a waiting block, likewise. */
PL_ALWAYS_INLINE void bf16_tail_rows(bf16_tail *t, int rows, bf16_act act, pl_dtype c_type)
{
    vf x[4];
    for (int i = 0; i < 2 * rows; i++)
        x[i] = vf_load(t->sums + i * 16);
    bf16_tail_write(t, x, rows, act, c_type);
    t->sums += (size_t)rows * BF16_PANEL;
    t->rows -= (size_t)rows;
}

PL_ALWAYS_INLINE void bf16_tail_finish(bf16_tail *t, bf16_act act, pl_dtype c_type)
{
    while (t->rows >= 2)
        bf16_tail_rows(t, 2, act, c_type);
    if (t->rows)
        bf16_tail_rows(t, 1, act, c_type);
}

/* The activation as far as it is done on the way. */
static inline bf16_act bf16_act_of(const pl_gemm *g)
{
    if (!g->last)
        return BF16_RAW;
    return g->act == PL_ACT_GELU ? BF16_GELU_ERF : g->act == PL_ACT_GELU_NEW || g->act == PL_ACT_GELU_FAST ? BF16_GELU_TANH : BF16_PLAIN;
}

/* An activation that has no form of its own: applied in the sums before they go on their way. */
static inline bool bf16_act_apart(const pl_gemm *g) { return g->last && g->act != PL_ACT_NONE && bf16_act_of(g) == BF16_PLAIN; }

static inline void bf16_gemm_check(const pl_gemm *g)
{
    assert(g->a_type == PL_F32 || g->a_type == PL_BF16);
    assert(g->c_type == PL_F32 || (g->c_type == PL_BF16 && g->last && !g->go_on));
    (void)g;
}

/* The block of C at row and panel, whose sums are finished, begins to wait. */
void pl__bf16_tail_begin(bf16_tail *t, const pl_gemm *g, size_t row, size_t rows, size_t panel, float *sums);
/* The sums of a chain that goes on from what C holds. */
void pl__bf16_sums_read(const pl_gemm *g, size_t row, size_t rows, size_t panel, float *sums);

#endif
