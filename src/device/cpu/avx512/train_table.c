#include "device/cpu/avx512/avx512_train.h"
#include "device/cpu/train_tables.h"

const pl_train_kernels pl__train_avx512_f32 = {
    .row_step = 1,
    .pack_rows = pl__avx512_pack_rows_f32,
    .gemm_tn_workspace = pl__avx512_gemm_tn_workspace_f32,
    .gemm_tn = pl__avx512_gemm_tn_f32,
    .attention_workspace = pl__avx512_attention_train_workspace,
    .attention_forward = pl__avx512_attention_forward,
    .attention_backward = pl__avx512_attention_backward,
    PL_AVX512_TRAIN_ROWS,
};

const pl_train_kernels pl__train_avx512_bf16_by_f32 = {
    .row_step = 1,
    .pack_rows = pl__avx512_pack_rows_bf16,
    .gemm_tn_workspace = pl__avx512_gemm_tn_workspace_bf16,
    .gemm_tn = pl__avx512_gemm_tn_bf16,
    .attention_workspace = pl__avx512_attention_train_workspace,
    .attention_forward = pl__avx512_attention_forward,
    .attention_backward = pl__avx512_attention_backward,
    PL_AVX512_TRAIN_ROWS,
};
