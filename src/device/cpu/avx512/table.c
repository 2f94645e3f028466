#include "device/cpu/avx512/avx512.h"
#include "device/cpu/tables.h"
#include "device/cpu/vector/vec_product.h"

const pl_kernels pl__avx512_f32 = {
    .name = "avx512",
    .compute = PL_F32,
    .panel = VF_PANEL,
    .depth_step = 1,
    .enter = pl__fp_enter,
    .leave = pl__fp_leave,
    .packed_bytes = pl__avx512_packed_bytes_f32,
    .pack = pl__avx512_pack_f32,
    .gemm_workspace = pl__avx512_gemm_workspace_f32,
    .gemm = pl__avx512_gemm_f32,
    .attention_workspace = pl__avx512_attention_workspace,
    .attention = pl__avx512_attention,
    .norm = pl__avx512_norm,
    .embed_sum = pl__avx512_embed_sum,
    .pool = pl__avx512_pool,
    .unit_length = pl__avx512_unit_length,
    .activate = pl__avx512_activate,
    .widen = pl__avx512_widen,
};

const pl_kernels pl__avx512_bf16_by_f32 = {
    .name = "avx512",
    .compute = PL_BF16,
    .panel = VF_PANEL,
    .depth_step = 1,
    .enter = pl__fp_enter,
    .leave = pl__fp_leave,
    .packed_bytes = pl__avx512_packed_bytes_bf16,
    .pack = pl__avx512_pack_bf16,
    .gemm_workspace = pl__avx512_gemm_workspace_bf16,
    .gemm = pl__avx512_gemm_bf16,
    .attention_workspace = pl__avx512_attention_workspace,
    .attention = pl__avx512_attention,
    .norm = pl__avx512_norm,
    .embed_sum = pl__avx512_embed_sum,
    .pool = pl__avx512_pool,
    .unit_length = pl__avx512_unit_length,
    .activate = pl__avx512_activate,
    .widen = pl__avx512_widen,
};
