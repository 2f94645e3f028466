/* Shared by the tests of the bf16 tables. */
#ifndef PL_TESTS_DEVICE_BF16_H
#define PL_TESTS_DEVICE_BF16_H

#include "device/kernels.h"

typedef struct table {
    pl_isa isa;
    const pl_kernels *k; /* NULL: this CPU has no such instructions */
} table;

/* One test per table; `state` of a test is its table. Skips, and says so, where the CPU has none. */
extern table table_avx512_bf16, table_amx;
void tables_find(void);
const pl_kernels *table_enter(void **state, pl_fp_state *saved); /* calls enter */

#define BOTH_TABLES(f) \
    {#f " by avx512_bf16", f, NULL, NULL, &table_avx512_bf16}, { #f " by amx", f, NULL, NULL, &table_amx }

/* To the nearest bf16, ties to even, denormals to zero. */
uint16_t bf16_of(float x);
float bf16_value(uint16_t x);
float bf16_near(float x); /* both */
uint16_t *bf16_copy(const float *from, size_t n);

#endif
