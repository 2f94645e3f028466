/* Training kernels by instruction set, and the keys of dropout. */
#include "device/train.h"

#include "device/cpu/train_tables.h"

const pl_train_kernels *pl_train_kernels_of(pl_isa isa, pl_dtype compute)
{
    bool bf16 = compute == PL_BF16;
    switch (isa) {
    case PL_ISA_AMX:
#ifdef PL_HAVE_AMX
        if (bf16)
            return &pl__train_amx;
#endif
        return bf16 ? &pl__train_avx512_bf16_by_f32 : &pl__train_avx512_f32;
    case PL_ISA_AVX512_BF16:
#ifdef PL_HAVE_AVX512_BF16
        if (bf16)
            return &pl__train_avx512_bf16;
#endif
        return bf16 ? &pl__train_avx512_bf16_by_f32 : &pl__train_avx512_f32;
    case PL_ISA_AVX512: return bf16 ? &pl__train_avx512_bf16_by_f32 : &pl__train_avx512_f32;
    case PL_ISA_AVX2: return bf16 ? &pl__train_avx2_bf16 : &pl__train_avx2_f32;
    case PL_ISA_REFERENCE:
    case PL_ISA_COUNT: break;
    }
    return bf16 ? &pl__train_reference_bf16 : &pl__train_reference_f32;
}

size_t pl_padded_rows(const pl_row_texts *texts, size_t rows, size_t row_step)
{
    if (!texts || row_step == 1)
        return rows;
    if (!texts->starts)
        return rows * row_step;
    size_t padded = 0;
    for (size_t t = 0; t < texts->texts; t++)
        padded += pl_round_up(texts->starts[t + 1] - texts->starts[t], row_step);
    return padded;
}

/* The finaliser of SplitMix64 (Steele, Lea & Flood 2014). */
static uint64_t mix(uint64_t z)
{
    z += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

uint64_t pl_dropout_row_key(uint64_t seed, uint64_t step, uint64_t example, uint32_t position) { return mix(mix(mix(mix(seed) ^ step) ^ example) ^ position); }
