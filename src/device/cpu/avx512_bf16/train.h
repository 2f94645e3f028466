/* What the training tables of avx512_bf16 and amx have in common. */
#ifndef PL_DEVICE_CPU_BF16_TRAIN_H
#define PL_DEVICE_CPU_BF16_TRAIN_H

#include "device/train.h"

void pl__bf16_pack_rows(const pl_pack_rows *p, size_t row_step);
/* By the product of table k. */
size_t pl__bf16_gemm_tn_workspace(const pl_kernels *k, size_t rows, size_t depth);
void pl__bf16_gemm_tn(
    const pl_kernels *k, size_t row_step, const pl_gemm *g, const pl_row_texts *texts, void *workspace, size_t first_panel, size_t last_panel);

#endif
