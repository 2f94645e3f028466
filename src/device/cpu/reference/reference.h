/* Inside cpu/reference: docs/NUMERICS.md as plain C. */
#ifndef PL_DEVICE_CPU_REFERENCE_H
#define PL_DEVICE_CPU_REFERENCE_H

#include "device/cpu/coefficients.h"
#include "device/device.h"

uint32_t pl__ref_bits(float x);
float pl__ref_of_bits(uint32_t bits);
float pl__ref_canonical(float x);        /* every NaN becomes PL_NAN_BITS */
float pl__ref_greater(float a, float b); /* a > b ? a : b */
float pl__ref_less(float a, float b);    /* a < b ? a : b */
float pl__ref_round_bf16(float x);       /* nearest even; NaN becomes PL_NAN_BITS */

float pl__ref_exp(float x);
float pl__ref_tanh(float x);
float pl__ref_sigmoid(float x);
float pl__ref_erf(float x);
float pl__ref_erf_root(float x); /* erf(x / sqrt 2) */
float pl__ref_log(float x);
float pl__ref_act(pl_act act, float x);

/* One element of a tensor file as f32; `in` need not be aligned. */
float pl__ref_widen(const void *in, pl_dtype type, size_t at);

/* Sum of the 32 lanes of a row by halving; the lanes are used up. */
float pl__ref_fold_32(float lanes[32]);

size_t pl__ref_packed_bytes(size_t columns, size_t depth);
void pl__ref_pack_f32(const pl_pack *p);
void pl__ref_pack_bf16(const pl_pack *p);
void pl__ref_gemm_f32(const pl_gemm *g, void *workspace, size_t first_panel, size_t last_panel);
void pl__ref_gemm_bf16(const pl_gemm *g, void *workspace, size_t first_panel, size_t last_panel);
void pl__ref_attention(const pl_attention *a, void *workspace, size_t first_unit, size_t last_unit);
size_t pl__ref_attention_workspace(size_t longest_text, size_t head_width);
void pl__ref_norm(const pl_norm *n, size_t first_row, size_t last_row);
void pl__ref_embed_sum(const pl_embed_sum *e, size_t first_row, size_t last_row);
void pl__ref_pool(const pl_pool *p, size_t first_text, size_t last_text);
void pl__ref_unit_length(float *x, size_t stride, size_t width, size_t first_row, size_t last_row);
void pl__ref_activate(pl_act act, float *x, size_t n);
void pl__ref_widen_all(float *out, const void *in, pl_dtype type, size_t n);

#endif
