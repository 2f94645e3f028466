/* Inside cpu/avx2: the kernels of its tables, made from cpu/vector at this width. */
#ifndef PL_DEVICE_CPU_AVX2_H
#define PL_DEVICE_CPU_AVX2_H

#include "device/device.h"

size_t pl__avx2_packed_bytes_f32(size_t columns, size_t depth);
size_t pl__avx2_packed_bytes_bf16(size_t columns, size_t depth);
void pl__avx2_pack_f32(const pl_pack *p);
void pl__avx2_pack_bf16(const pl_pack *p);
size_t pl__avx2_gemm_workspace_f32(size_t rows, size_t depth);
size_t pl__avx2_gemm_workspace_bf16(size_t rows, size_t depth);
void pl__avx2_gemm_f32(const pl_gemm *g, void *workspace, size_t first_panel, size_t last_panel);
void pl__avx2_gemm_bf16(const pl_gemm *g, void *workspace, size_t first_panel, size_t last_panel);

#endif
