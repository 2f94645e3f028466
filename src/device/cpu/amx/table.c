#include "device/cpu/amx/amx.h"
#include "device/cpu/avx512/avx512.h"
#include "device/cpu/avx512_bf16/attention.h"
#include "device/cpu/tables.h"

const pl_kernels pl__amx_bf16 = {
    .name = "amx",
    .compute = PL_BF16,
    .activation = PL_BF16,
    .panel = BF16_PANEL,
    .depth_step = BF16_STEP,
    .enter = pl__amx_enter,
    .leave = pl__amx_leave,
    .packed_bytes = pl__bf16_packed_bytes,
    .pack = pl__bf16_pack,
    .gemm_workspace = pl__amx_gemm_workspace,
    .gemm = pl__amx_gemm,
    .attention_workspace = pl__bf16_attention_workspace,
    .attention = pl__amx_attention,
    .norm = pl__avx512_norm,
    .embed_sum = pl__avx512_embed_sum,
    .pool = pl__avx512_pool,
    .unit_length = pl__avx512_unit_length,
    .activate = pl__bf16_activate,
    .widen = pl__avx512_widen,
};
