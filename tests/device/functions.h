/* The functions of cpu/vector on arrays, one build for each vector width. */
#ifndef PL_TESTS_DEVICE_FUNCTIONS_H
#define PL_TESTS_DEVICE_FUNCTIONS_H

#include <stddef.h>

typedef struct functions {
    const char *name;
    void (*exp)(float *x, size_t n);
    void (*log)(float *x, size_t n);
    void (*erf)(float *x, size_t n);
    void (*tanh)(float *x, size_t n);
    void (*sigmoid)(float *x, size_t n);
    void (*round_bf16)(float *x, size_t n);
} functions;

extern const functions functions_avx2, functions_avx512;

#endif
