/* Inside cpu/avx512_bf16. */
#ifndef PL_DEVICE_CPU_AVX512_BF16_H
#define PL_DEVICE_CPU_AVX512_BF16_H

#include "device/device.h"

size_t pl__avx512_bf16_gemm_workspace(size_t rows, size_t depth);
void pl__avx512_bf16_gemm(const pl_gemm *g, void *workspace, size_t first_panel, size_t last_panel);
void pl__avx512_bf16_attention(const pl_attention *a, void *workspace, size_t first_unit, size_t last_unit);

#endif
