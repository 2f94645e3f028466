#include "device_train/train.h"

size_t pairs_take(pair out[PL_ISA_COUNT], pl_dtype compute)
{
    static const pl_isa isas[] = {PL_ISA_REFERENCE, PL_ISA_AVX2, PL_ISA_AVX512};
    size_t count = 0;
    for (size_t i = 0; i < PL_COUNT(isas); i++)
        if (pl_isa_present() >> isas[i] & 1)
            out[count++] = (pair){pl_kernels_of(isas[i], compute), pl_train_kernels_of(isas[i], compute)};
    return count;
}

cuts cuts_take(dice *d, size_t n)
{
    cuts c = {{0, dice_between(d, 0, n), dice_between(d, 0, n), n}};
    if (c.at[1] > c.at[2])
        c = (cuts){{0, c.at[2], c.at[1], n}};
    return c;
}
