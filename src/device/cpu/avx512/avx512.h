/* Inside cpu/avx512: the kernels of its tables, made from cpu/vector at this width. */
#ifndef PL_DEVICE_CPU_AVX512_H
#define PL_DEVICE_CPU_AVX512_H

#include "device/device.h"

size_t pl__avx512_packed_bytes_f32(size_t columns, size_t depth);
size_t pl__avx512_packed_bytes_bf16(size_t columns, size_t depth);
void pl__avx512_pack_f32(const pl_pack *p);
void pl__avx512_pack_bf16(const pl_pack *p);
size_t pl__avx512_gemm_workspace_f32(size_t rows, size_t depth);
size_t pl__avx512_gemm_workspace_bf16(size_t rows, size_t depth);
void pl__avx512_gemm_f32(const pl_gemm *g, void *workspace, size_t first_panel, size_t last_panel);
void pl__avx512_gemm_bf16(const pl_gemm *g, void *workspace, size_t first_panel, size_t last_panel);

#endif
