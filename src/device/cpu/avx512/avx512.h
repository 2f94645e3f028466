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
size_t pl__avx512_attention_workspace(size_t longest_text, size_t head_width);
void pl__avx512_attention(const pl_attention *a, void *workspace, size_t first_unit, size_t last_unit);
void pl__avx512_norm(const pl_norm *n, size_t first_row, size_t last_row);
void pl__avx512_embed_sum(const pl_embed_sum *e, size_t first_row, size_t last_row);
void pl__avx512_pool(const pl_pool *p, size_t first_text, size_t last_text);
void pl__avx512_unit_length(float *x, size_t stride, size_t width, size_t first_row, size_t last_row);
void pl__avx512_activate(pl_act act, float *x, size_t n);
void pl__avx512_widen(float *out, const void *in, pl_dtype type, size_t n);

#endif
