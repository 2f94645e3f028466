/* The kernel tables of this CPU family, by instruction set and compute type. */
#ifndef PL_DEVICE_CPU_TABLES_H
#define PL_DEVICE_CPU_TABLES_H

#include "device/device.h"

extern const pl_kernels pl__reference_f32, pl__reference_bf16;
extern const pl_kernels pl__avx2_f32, pl__avx2_bf16;
extern const pl_kernels pl__avx512_f32, pl__avx512_bf16_by_f32;
/* Defined where the compiler has the instructions (PL_HAVE_AVX512_BF16, PL_HAVE_AMX); they take
 * what is no product of matrices from pl__avx512_f32. */
extern const pl_kernels pl__avx512_bf16;
extern const pl_kernels pl__amx_bf16;

/* MXCSR for kernels: nearest, denormals kept, exceptions masked. */
void pl__fp_enter(pl_fp_state *saved);
void pl__fp_leave(const pl_fp_state *saved);

#endif
