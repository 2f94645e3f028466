/* Inside cpu/reference: "Training" of docs/NUMERICS.md as plain C. */
#ifndef PL_DEVICE_CPU_REF_TRAIN_H
#define PL_DEVICE_CPU_REF_TRAIN_H

#include "device/cpu/reference/reference.h"
#include "device/cpu/train_constants.h"
#include "device/train.h"

/* The 32 random bits of a column under a row key and a site. */
uint32_t pl__ref_random(uint64_t key, uint32_t site, uint64_t column);
bool pl__ref_keeps(const pl_dropout *d, size_t row, uint64_t column);
float pl__ref_act_slope(pl_act act, float x);

void pl__ref_pack_rows_f32(const pl_pack_rows *p);
void pl__ref_pack_rows_bf16(const pl_pack_rows *p);
size_t pl__ref_gemm_tn_workspace(size_t rows, size_t depth);
void pl__ref_gemm_tn_f32(const pl_gemm *g, const pl_row_texts *texts, void *workspace, size_t first_panel, size_t last_panel);
void pl__ref_gemm_tn_bf16(const pl_gemm *g, const pl_row_texts *texts, void *workspace, size_t first_panel, size_t last_panel);
void pl__ref_dropout(const pl_dropout_rows *d, size_t first_row, size_t last_row);
size_t pl__ref_attention_train_workspace(size_t longest_text, size_t head_width);
void pl__ref_attention_forward(const pl_attention_train *a, void *workspace, size_t first_unit, size_t last_unit);
void pl__ref_attention_backward(const pl_attention_train *a, void *workspace, size_t first_unit, size_t last_unit);
void pl__ref_norm_backward(const pl_norm_train *n, size_t first_row, size_t last_row);
void pl__ref_norm_gains(const pl_norm_train *n, size_t first_column, size_t last_column);
void pl__ref_act_backward(const pl_act_train *a, size_t first_row, size_t last_row);
void pl__ref_column_sum(const pl_column_sum *c, size_t first_column, size_t last_column);
void pl__ref_scatter_add(const pl_scatter *s, size_t first_column, size_t last_column);
void pl__ref_adamw(const pl_adamw *a, size_t first, size_t last);
double pl__ref_sum_squares(const float *x, size_t n);

#endif
