#include "device/cpu/avx2/avx2_train.h"
#include "device/cpu/train_tables.h"

#define ROWS                                                                                                                                 \
    .dropout = pl__avx2_dropout, .attention_workspace = pl__avx2_attention_train_workspace, .attention_forward = pl__avx2_attention_forward, \
    .attention_backward = pl__avx2_attention_backward, .norm_backward = pl__avx2_norm_backward, .norm_gains = pl__avx2_norm_gains,           \
    .act_backward = pl__avx2_act_backward, .column_sum = pl__avx2_column_sum, .scatter_add = pl__avx2_scatter_add, .adamw = pl__avx2_adamw,  \
    .sum_squares = pl__avx2_sum_squares

const pl_train_kernels pl__train_avx2_f32 = {
    .pack_rows = pl__avx2_pack_rows_f32,
    .gemm_tn_workspace = pl__avx2_gemm_tn_workspace_f32,
    .gemm_tn = pl__avx2_gemm_tn_f32,
    ROWS,
};

const pl_train_kernels pl__train_avx2_bf16 = {
    .pack_rows = pl__avx2_pack_rows_bf16,
    .gemm_tn_workspace = pl__avx2_gemm_tn_workspace_bf16,
    .gemm_tn = pl__avx2_gemm_tn_bf16,
    ROWS,
};
