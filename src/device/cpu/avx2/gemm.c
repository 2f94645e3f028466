#include "device/cpu/avx2/avx2.h"
#include "device/cpu/avx2/avx2_train.h"
#include "device/cpu/vector/vec_gemm.h"
#include "device/cpu/vector/vec_train_gemm.h"

VF_GEMM_ENTRIES(avx2)
VF_TRAIN_GEMM_ENTRIES(avx2)
