#include "device/cpu/avx512/avx512.h"
#include "device/cpu/avx512/avx512_train.h"
#include "device/cpu/vector/vec_gemm.h"
#include "device/cpu/vector/vec_train_gemm.h"

VF_GEMM_ENTRIES(avx512)
VF_TRAIN_GEMM_ENTRIES(avx512)
