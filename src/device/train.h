/* What training computes beside the forward kernels of device.h: backward of each operator, sums over
 * token rows, dropout, the update. The same law: docs/NUMERICS.md defines every f32 result to the
 * bit, cpu/reference implements it as one reads it, every other table equals it bit for bit.
 *
 * Sums over token rows (weight, bias, gain gradients) are one sequential FMA chain in row order, gone
 * on with where the accumulator stands when `go_on`: so they do not depend on how an optimizer batch
 * is cut into micro-batches. Kernels work on a range of independent outputs (panels, columns, rows,
 * text-head pairs): threads divide outputs, never a sum. */
#ifndef PL_DEVICE_TRAIN_H
#define PL_DEVICE_TRAIN_H

#include "device/device.h"

/* The rows of a chain over token rows as whole texts. A table that takes several rows at a step
 * begins each text at a multiple of `row_step` in the chain, zero rows before it, so that a cut
 * between texts splits no step and the sum does not depend on where the cuts are. */
typedef struct pl_row_texts {
    size_t texts;
    const uint32_t *starts; /* [texts + 1] from 0; NULL: each row is a text of its own */
} pl_row_texts;

/* Packing of a matrix that stands [depth][columns], columns contiguous (activations, or a weight
 * used in dX = dY W), rows [first_row, first_row + rows) of depth at a time, into the panels that
 * gemm reads. Calls come with growing first_row and no gaps; the last one also sets the padding of
 * depth (first_row + rows == depth). Elements are f32. With `texts` the rows come in one call, and
 * the packed depth is pl_padded_rows of them. */
typedef struct pl_pack_rows {
    void *out;
    size_t columns, depth, first_row, rows;
    const float *in;
    size_t in_stride;          /* elements */
    const pl_row_texts *texts; /* NULL: rows follow each other without a gap */
} pl_pack_rows;

/* ---- dropout: y = kept ? x * scale : 0, kept when the element's 32 random bits are >= threshold.
 * The bits are a counter generator's of (row key, site, column): they do not depend on what else is
 * computed. docs/NUMERICS.md states the generator (Philox 4x32-10: key = row key, counter =
 * (column / 4, site, 0, 0), word column % 4). threshold 0 keeps all. ---- */
typedef struct pl_dropout {
    const uint64_t *row_keys; /* [rows] of the tile: mixes seed, step, example and position */
    uint32_t site;
    uint32_t threshold; /* round(p * 2^32) */
    float scale;        /* 1 / (1 - p) */
} pl_dropout;
uint64_t pl_dropout_row_key(uint64_t seed, uint64_t step, uint64_t example, uint32_t position);

typedef struct pl_dropout_rows {
    pl_dropout d;
    size_t width;
    const float *x; /* [rows, width] */
    float *y;       /* may be x */
    size_t x_stride, y_stride;
} pl_dropout_rows;

/* ---- attention with dropout on its probabilities, forward and backward ----
 * Forward: as device.h's attention; with dropout, probability (query i, key j, head h) is dropped by
 * row_keys[row of i], site, column h * 2^20 + j, after the softmax. `dropout` NULL: the very bits of
 * device.h's attention. Backward recomputes the probabilities:
 *   dv_j = sum_i p'_ij do_i     dp_ij = do_i . v_j (through dropout)
 *   ds_ij = p_ij (dp_ij - sum_j p_ij dp_ij)   dq_i = scale sum_j ds_ij k_j   dk_j = scale sum_i ds_ij q_i
 * each sum a chain in key (or query) order, the sum over j the fixed 32-lane tree. */
typedef struct pl_attention_train {
    pl_attention f;            /* q, k, v, out (forward only) and the units */
    const pl_dropout *dropout; /* or NULL */
    const float *dout;         /* [rows, heads * head_width] */
    size_t dout_stride;
    float *dq, *dk, *dv; /* same layout, stride dqkv_stride */
    size_t dqkv_stride;
} pl_attention_train;

/* ---- backward of y = norm(x + residual) * gain + shift ----
 * Row kernel: stats[row] = {mean, 1 / sqrt(variance + eps)} and dx (which is the gradient of x and of
 * residual alike). Column kernel: dgain += dy xhat, dshift += dy, chains over the rows. */
typedef struct pl_norm_train {
    pl_norm f; /* x, residual, gain, eps, width as forward; y and shift unused */
    const float *dy;
    size_t dy_stride;
    float *dx; /* may be dy */
    size_t dx_stride;
    float (*stats)[2];     /* [rows] */
    size_t rows;           /* column kernel */
    float *dgain, *dshift; /* [width] */
    bool go_on;
} pl_norm_train;

/* dx = dy * act'(x), x before the activation; in place (dx may be dy). */
typedef struct pl_act_train {
    pl_act act;
    size_t width;
    const float *x, *dy;
    float *dx;
    size_t x_stride, dy_stride, dx_stride;
} pl_act_train;

/* sum[j] = chain over rows of x[row][j]. */
typedef struct pl_column_sum {
    size_t rows;
    const float *x;
    size_t stride;
    float *sum;
    bool go_on;
} pl_column_sum;

/* table[index[row]][j] += x[row][j], rows in order. `table` is not cleared. */
typedef struct pl_scatter {
    size_t rows;
    const float *x;
    size_t stride;
    const uint32_t *index; /* [rows] */
    float *table;
    size_t table_stride;
} pl_scatter;

/* AdamW as torch.optim.AdamW computes it (Loshchilov & Hutter 2019, decoupled decay):
 *   g = gradient * clip;  w -= w * (lr * decay) computed as w * (1 - lr * decay);
 *   m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g g;
 *   w -= step_size * m / (sqrt(v) / root2 + eps),  step_size = lr / (1 - b1^t), root2 = sqrt(1 - b2^t). */
typedef struct pl_adamw {
    float *w, *m, *v;
    const float *gradient;
    float clip, keep /* 1 - lr * decay */, step_size, root2, eps;
    double b1, b2; /* as the user wrote them: 1 - b2 loses its digits to a b2 in f32 */
} pl_adamw;

typedef struct pl_train_kernels {
    size_t row_step; /* rows that a chain over rows takes at a step: 1, 2 (AVX512_BF16), 32 (AMX) */
    void (*pack_rows)(const pl_pack_rows *p);
    /* gemm with A standing [depth][rows], a_stride from one depth to the next: C = A^T B. No epilogue
     * but go_on; bias, residual and act are unused. For dW: rows = out features, depth = token rows.
     * `texts` as B was packed with, or NULL; the workspace's depth is the padded one. */
    size_t (*gemm_tn_workspace)(size_t rows, size_t depth);
    void (*gemm_tn)(const pl_gemm *g, const pl_row_texts *texts, void *workspace, size_t first_panel, size_t last_panel);
    void (*dropout)(const pl_dropout_rows *d, size_t first_row, size_t last_row);
    size_t (*attention_workspace)(size_t longest_text, size_t head_width); /* forward and backward */
    void (*attention_forward)(const pl_attention_train *a, void *workspace, size_t first_unit, size_t last_unit);
    void (*attention_backward)(const pl_attention_train *a, void *workspace, size_t first_unit, size_t last_unit);
    void (*norm_backward)(const pl_norm_train *n, size_t first_row, size_t last_row);
    void (*norm_gains)(const pl_norm_train *n, size_t first_column, size_t last_column);
    void (*act_backward)(const pl_act_train *a, size_t first_row, size_t last_row);
    void (*column_sum)(const pl_column_sum *c, size_t first_column, size_t last_column);
    void (*scatter_add)(const pl_scatter *s, size_t first_column, size_t last_column);
    void (*adamw)(const pl_adamw *a, size_t first, size_t last);
    /* Sum of squares of x[0..n) as one fixed tree: blocks of 4096 elements, each the 32-lane chains
     * and halving in f32, block sums added in order in double. */
    double (*sum_squares)(const float *x, size_t n);
} pl_train_kernels;

/* Depth of a chain over `rows` rows of those texts, zero rows counted. */
size_t pl_padded_rows(const pl_row_texts *texts, size_t rows, size_t row_step);

/* Never NULL: the training kernels that go with a table of pl_kernels_of. */
const pl_train_kernels *pl_train_kernels_of(pl_isa isa, pl_dtype compute);

float pl_math_log(float x);

#endif
