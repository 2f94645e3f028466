#include "device/cpu/reference/reference.h"
#include "device/cpu/tables.h"

static size_t no_workspace(size_t rows, size_t depth)
{
    (void)rows;
    (void)depth;
    return 0;
}

const pl_kernels pl__avx2_f32 = {
    .name = "avx2",
    .compute = PL_F32,
    .panel = 32,
    .depth_step = 1,
    .enter = pl__fp_enter,
    .leave = pl__fp_leave,
    .packed_bytes = pl__ref_packed_bytes,
    .pack = pl__ref_pack_f32,
    .gemm_workspace = no_workspace,
    .gemm = pl__ref_gemm_f32,
    .attention_workspace = pl__ref_attention_workspace,
    .attention = pl__ref_attention,
    .norm = pl__ref_norm,
    .embed_sum = pl__ref_embed_sum,
    .pool = pl__ref_pool,
    .unit_length = pl__ref_unit_length,
    .activate = pl__ref_activate,
    .widen = pl__ref_widen_all,
};

const pl_kernels pl__avx2_bf16 = {
    .name = "avx2",
    .compute = PL_BF16,
    .panel = 32,
    .depth_step = 1,
    .enter = pl__fp_enter,
    .leave = pl__fp_leave,
    .packed_bytes = pl__ref_packed_bytes,
    .pack = pl__ref_pack_bf16,
    .gemm_workspace = no_workspace,
    .gemm = pl__ref_gemm_bf16,
    .attention_workspace = pl__ref_attention_workspace,
    .attention = pl__ref_attention,
    .norm = pl__ref_norm,
    .embed_sum = pl__ref_embed_sum,
    .pool = pl__ref_pool,
    .unit_length = pl__ref_unit_length,
    .activate = pl__ref_activate,
    .widen = pl__ref_widen_all,
};
