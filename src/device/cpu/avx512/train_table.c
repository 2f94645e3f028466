#include "device/cpu/avx512/avx512_train.h"
#include "device/cpu/train_tables.h"

#define ROWS                                                                                                                                        \
    .dropout = pl__avx512_dropout, .attention_workspace = pl__avx512_attention_train_workspace, .attention_forward = pl__avx512_attention_forward,  \
    .attention_backward = pl__avx512_attention_backward, .norm_backward = pl__avx512_norm_backward, .norm_gains = pl__avx512_norm_gains,            \
    .act_backward = pl__avx512_act_backward, .column_sum = pl__avx512_column_sum, .scatter_add = pl__avx512_scatter_add, .adamw = pl__avx512_adamw, \
    .sum_squares = pl__avx512_sum_squares

const pl_train_kernels pl__train_avx512_f32 = {
    .pack_rows = pl__avx512_pack_rows_f32,
    .gemm_tn_workspace = pl__avx512_gemm_tn_workspace_f32,
    .gemm_tn = pl__avx512_gemm_tn_f32,
    ROWS,
};

const pl_train_kernels pl__train_avx512_bf16 = {
    .pack_rows = pl__avx512_pack_rows_bf16,
    .gemm_tn_workspace = pl__avx512_gemm_tn_workspace_bf16,
    .gemm_tn = pl__avx512_gemm_tn_bf16,
    ROWS,
};
