#include "device/cpu/reference/ref_train.h"
#include "device/cpu/train_tables.h"

#define ROWS                                                                                                                              \
    .dropout = pl__ref_dropout, .attention_workspace = pl__ref_attention_train_workspace, .attention_forward = pl__ref_attention_forward, \
    .attention_backward = pl__ref_attention_backward, .norm_backward = pl__ref_norm_backward, .norm_gains = pl__ref_norm_gains,           \
    .act_backward = pl__ref_act_backward, .column_sum = pl__ref_column_sum, .scatter_add = pl__ref_scatter_add, .adamw = pl__ref_adamw,   \
    .sum_squares = pl__ref_sum_squares

const pl_train_kernels pl__train_reference_f32 = {
    .row_step = 1,
    .pack_rows = pl__ref_pack_rows_f32,
    .gemm_tn_workspace = pl__ref_gemm_tn_workspace,
    .gemm_tn = pl__ref_gemm_tn_f32,
    ROWS,
};

const pl_train_kernels pl__train_reference_bf16 = {
    .row_step = 1,
    .pack_rows = pl__ref_pack_rows_bf16,
    .gemm_tn_workspace = pl__ref_gemm_tn_workspace,
    .gemm_tn = pl__ref_gemm_tn_bf16,
    ROWS,
};
