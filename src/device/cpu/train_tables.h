/* The tables of training kernels of this CPU family; each reads and writes the packed form of the
 * table of kernels that has its name in tables.h. */
#ifndef PL_DEVICE_CPU_TRAIN_TABLES_H
#define PL_DEVICE_CPU_TRAIN_TABLES_H

#include "device/train.h"

extern const pl_train_kernels pl__train_reference_f32, pl__train_reference_bf16;
extern const pl_train_kernels pl__train_avx2_f32, pl__train_avx2_bf16;
extern const pl_train_kernels pl__train_avx512_f32, pl__train_avx512_bf16_by_f32;
/* Defined as pl__avx512_bf16 and pl__amx_bf16 are; what is no product they take from pl__train_avx512_f32. */
extern const pl_train_kernels pl__train_avx512_bf16;
extern const pl_train_kernels pl__train_amx;

#endif
