#include "device/cpu/avx2/avx2.h"
#include "device/cpu/vector/vec_gemm.h"

VF_GEMM_ENTRIES(avx2)
