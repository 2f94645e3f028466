/* Inside cpu/avx2: the training kernels of its tables, made from cpu/vector at this width. */
#ifndef PL_DEVICE_CPU_AVX2_TRAIN_H
#define PL_DEVICE_CPU_AVX2_TRAIN_H

#include "device/train.h"

void pl__avx2_pack_rows_f32(const pl_pack_rows *p);
void pl__avx2_pack_rows_bf16(const pl_pack_rows *p);
size_t pl__avx2_gemm_tn_workspace_f32(size_t rows, size_t depth);
size_t pl__avx2_gemm_tn_workspace_bf16(size_t rows, size_t depth);
void pl__avx2_gemm_tn_f32(const pl_gemm *g, const pl_row_texts *texts, void *workspace, size_t first_panel, size_t last_panel);
void pl__avx2_gemm_tn_bf16(const pl_gemm *g, const pl_row_texts *texts, void *workspace, size_t first_panel, size_t last_panel);
void pl__avx2_dropout(const pl_dropout_rows *d, size_t first_row, size_t last_row);
size_t pl__avx2_attention_train_workspace(size_t longest_text, size_t head_width);
void pl__avx2_attention_forward(const pl_attention_train *a, void *workspace, size_t first_unit, size_t last_unit);
void pl__avx2_attention_backward(const pl_attention_train *a, void *workspace, size_t first_unit, size_t last_unit);
void pl__avx2_norm_backward(const pl_norm_train *n, size_t first_row, size_t last_row);
void pl__avx2_norm_gains(const pl_norm_train *n, size_t first_column, size_t last_column);
void pl__avx2_act_backward(const pl_act_train *a, size_t first_row, size_t last_row);
void pl__avx2_column_sum(const pl_column_sum *c, size_t first_column, size_t last_column);
void pl__avx2_scatter_add(const pl_scatter *s, size_t first_column, size_t last_column);
void pl__avx2_adamw(const pl_adamw *a, size_t first, size_t last);
double pl__avx2_sum_squares(const float *x, size_t n);

/* What is no product of matrices: the part of a table that others of this width share. */
#define PL_AVX2_TRAIN_ROWS                                                                                                                          \
    .dropout = pl__avx2_dropout, .norm_backward = pl__avx2_norm_backward, .norm_gains = pl__avx2_norm_gains, .act_backward = pl__avx2_act_backward, \
    .column_sum = pl__avx2_column_sum, .scatter_add = pl__avx2_scatter_add, .adamw = pl__avx2_adamw, .sum_squares = pl__avx2_sum_squares

#endif
