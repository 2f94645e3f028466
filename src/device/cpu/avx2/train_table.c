#include "device/cpu/avx2/avx2_train.h"
#include "device/cpu/train_tables.h"

const pl_train_kernels pl__train_avx2_f32 = {
    .row_step = 1,
    .pack_rows = pl__avx2_pack_rows_f32,
    .gemm_tn_workspace = pl__avx2_gemm_tn_workspace_f32,
    .gemm_tn = pl__avx2_gemm_tn_f32,
    .attention_workspace = pl__avx2_attention_train_workspace,
    .attention_forward = pl__avx2_attention_forward,
    .attention_backward = pl__avx2_attention_backward,
    PL_AVX2_TRAIN_ROWS,
};

const pl_train_kernels pl__train_avx2_bf16 = {
    .row_step = 1,
    .pack_rows = pl__avx2_pack_rows_bf16,
    .gemm_tn_workspace = pl__avx2_gemm_tn_workspace_bf16,
    .gemm_tn = pl__avx2_gemm_tn_bf16,
    .attention_workspace = pl__avx2_attention_train_workspace,
    .attention_forward = pl__avx2_attention_forward,
    .attention_backward = pl__avx2_attention_backward,
    PL_AVX2_TRAIN_ROWS,
};
