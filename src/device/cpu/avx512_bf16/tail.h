/* The end of a product: a block of finished sums waits for bias, activation and residual. */
#ifndef PL_DEVICE_CPU_BF16_TAIL_H
#define PL_DEVICE_CPU_BF16_TAIL_H

#include "device/cpu/avx512_bf16/bf16.h"

typedef enum bf16_act { BF16_PLAIN, BF16_GELU_ERF, BF16_GELU_TANH } bf16_act; /* done on the way; others before, in the sums */

typedef struct bf16_tail {
    const float *sums; /* [rows, 32] */
    size_t rows, next; /* rows before `next` are done; next == rows: nothing waits */
    char *c;           /* first element of the block in C */
    size_t c_step;     /* bytes from row to row */
    const float *residual; /* of the block, or NULL */
    size_t residual_stride;
    bool raw; /* the chain goes on elsewhere: sums as they are */
    vf bias[2];
    vm columns[2];
} bf16_tail;

/* One row of a waiting block. act and c_type are constants where this is called. */
PL_ALWAYS_INLINE void bf16_tail_row(bf16_tail *t, bf16_act act, pl_dtype c_type)
{
    size_t row = t->next++;
    const float *sums = t->sums + row * BF16_PANEL;
    vf x[2] = {vf_load(sums), vf_load(sums + 16)};
    char *c = t->c + row * t->c_step;
    if (t->raw) {
        vf_store_at((float *)(void *)c, x[0], t->columns[0]);
        vf_store_at((float *)(void *)c + 16, x[1], t->columns[1]);
        return;
    }
    x[0] = vf_add(x[0], t->bias[0]);
    x[1] = vf_add(x[1], t->bias[1]);
    if (act != BF16_PLAIN)
        bf16_gelu_two(act == BF16_GELU_ERF ? &pl__bf16_gelu_erf : &pl__bf16_gelu_tanh, x);
    if (t->residual) {
        const float *residual = t->residual + row * t->residual_stride;
        x[0] = vf_add(x[0], vf_load_at(residual, t->columns[0]));
        x[1] = vf_add(x[1], vf_load_at(residual + 16, t->columns[1]));
    }
    if (c_type == PL_BF16) {
        _mm512_mask_storeu_epi16(c, (__mmask32)t->columns[1] << 16 | t->columns[0], bf16_round(x[0], x[1]));
    } else {
        vf_store_at((float *)(void *)c, vf_canonical(x[0]), t->columns[0]);
        vf_store_at((float *)(void *)c + 16, vf_canonical(x[1]), t->columns[1]);
    }
}

PL_ALWAYS_INLINE void bf16_tail_finish(bf16_tail *t, bf16_act act, pl_dtype c_type)
{
    while (t->next < t->rows)
        bf16_tail_row(t, act, c_type);
}

#endif
