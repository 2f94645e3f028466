/* Shared by the tests of training kernels. */
#ifndef PL_TESTS_DEVICE_TRAIN_H
#define PL_TESTS_DEVICE_TRAIN_H

#include "device/train.h"
#include "device/kernels.h"

/* A table of kernels and that of training which goes with it. */
typedef struct pair {
    const pl_kernels *k;
    const pl_train_kernels *t;
} pair;

/* Those of this CPU that promise equal bits, the reference first. Returns how many. */
size_t pairs_take(pair out[PL_ISA_COUNT], pl_dtype compute);

/* The cut points of [0, n) into three ranges. */
typedef struct cuts {
    size_t at[4];
} cuts;
cuts cuts_take(dice *d, size_t n);

#endif
