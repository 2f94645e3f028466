/* f32 to the element types of weight files, rounded to nearest, ties to even. */
#ifndef PL_TRAIN_NARROW_H
#define PL_TRAIN_NARROW_H

#include "base/base.h"

/* out: n elements of `type` (F32, F64, F16 or BF16), not aligned. */
void pl__narrow(void *out, const float *in, size_t n, pl_dtype type);

#endif
