#include "device/cpu/avx512/avx512.h"
#include "device/cpu/vector/vec_gemm.h"

VF_GEMM_ENTRIES(avx512)
