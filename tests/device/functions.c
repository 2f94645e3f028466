/* Compiled once for each vector width; FUNCTIONS is the table's name, FUNCTIONS_NAME its text. */
#include "device/functions.h"

#include "device/cpu/vector/vec_math.h"

/* n is a multiple of 16. */
#define APPLY(name)                                                   \
    static void apply_##name(float *x, size_t n)                      \
    {                                                                 \
        for (size_t i = 0; i < n; i += VF_LANES)                      \
            vf_store(x + i, vf_canonical(vf_##name(vf_load(x + i)))); \
    }
APPLY(exp)
APPLY(log)
APPLY(erf)
APPLY(tanh)
APPLY(sigmoid)
APPLY(round_bf16)

const functions FUNCTIONS = {FUNCTIONS_NAME, apply_exp, apply_log, apply_erf, apply_tanh, apply_sigmoid, apply_round_bf16};
