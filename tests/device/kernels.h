/* Shared by the tests of kernels: random numbers, guarded buffers, tables to compare. */
#ifndef PL_TESTS_DEVICE_KERNELS_H
#define PL_TESTS_DEVICE_KERNELS_H

#include "device/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* ---- random numbers from one seed a test ---- */
typedef struct dice {
    uint64_t state;
} dice;
uint64_t dice_roll(dice *d);
size_t dice_between(dice *d, size_t least, size_t most); /* both included */
bool dice_one_in(dice *d, size_t n);
float dice_float(dice *d); /* normal values about 1 in size */
float dice_wild(dice *d);  /* any bits: NaN, infinities, denormals */

/* ---- buffers that end where they are said to end: a sanitizer and the guard see an overrun ---- */
float *floats_take(dice *d, size_t n, bool wild); /* filled; free with floats_free */
float *floats_copy(const float *from, size_t n);
void floats_free(float *p);
void floats_check(const float *p); /* the guard behind the buffer is untouched */

/* Every f32 table that this CPU runs, the reference first; bf16 tables that compute by f32
 * arithmetic likewise. Returns how many. */
size_t tables_f32(const pl_kernels *out[PL_ISA_COUNT]);
size_t tables_bf16_by_f32(const pl_kernels *out[PL_ISA_COUNT]);

/* Fails the test at the first element whose bits differ. Where only NaN-ness is promised,
 * any_nan makes all NaNs equal. */
void floats_equal(const char *what, const pl_kernels *k, const float *got, const float *want, size_t n, bool any_nan);

/* Kernels run as the executor runs them: between enter and leave. */
void *workspace_take(size_t bytes);
void workspace_free(void *p);

#endif
