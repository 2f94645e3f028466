#include "device/cpu/avx2/avx2.h"
#include "device/cpu/tables.h"
#include "device/cpu/vector/vec_product.h"

const pl_kernels pl__avx2_f32 = {
    .name = "avx2",
    .compute = PL_F32,
    .panel = VF_PANEL,
    .depth_step = 1,
    .enter = pl__fp_enter,
    .leave = pl__fp_leave,
    .packed_bytes = pl__avx2_packed_bytes_f32,
    .pack = pl__avx2_pack_f32,
    .gemm_workspace = pl__avx2_gemm_workspace_f32,
    .gemm = pl__avx2_gemm_f32,
    .attention_workspace = pl__avx2_attention_workspace,
    .attention = pl__avx2_attention,
    .norm = pl__avx2_norm,
    .embed_sum = pl__avx2_embed_sum,
    .pool = pl__avx2_pool,
    .unit_length = pl__avx2_unit_length,
    .activate = pl__avx2_activate,
    .widen = pl__avx2_widen,
};

const pl_kernels pl__avx2_bf16 = {
    .name = "avx2",
    .compute = PL_BF16,
    .panel = VF_PANEL,
    .depth_step = 1,
    .enter = pl__fp_enter,
    .leave = pl__fp_leave,
    .packed_bytes = pl__avx2_packed_bytes_bf16,
    .pack = pl__avx2_pack_bf16,
    .gemm_workspace = pl__avx2_gemm_workspace_bf16,
    .gemm = pl__avx2_gemm_bf16,
    .attention_workspace = pl__avx2_attention_workspace,
    .attention = pl__avx2_attention,
    .norm = pl__avx2_norm,
    .embed_sum = pl__avx2_embed_sum,
    .pool = pl__avx2_pool,
    .unit_length = pl__avx2_unit_length,
    .activate = pl__avx2_activate,
    .widen = pl__avx2_widen,
};
