#include "device/cpu/amx/amx.h"
#include "device/cpu/avx512/avx512_train.h"
#include "device/cpu/avx512_bf16/attention.h"
#include "device/cpu/avx512_bf16/train.h"
#include "device/cpu/tables.h"
#include "device/cpu/train_tables.h"

enum { ROW_STEP = BF16_STEP /* a tile product sums 32 rows before it adds them */ };

static size_t gemm_tn_workspace(size_t rows, size_t depth) { return pl__bf16_gemm_tn_workspace(&pl__amx_bf16, rows, depth); }

static void pack_rows(const pl_pack_rows *p) { pl__bf16_pack_rows(p, ROW_STEP); }

static void gemm_tn(const pl_gemm *g, const pl_row_texts *texts, void *workspace, size_t first_panel, size_t last_panel)
{
    pl__bf16_gemm_tn(&pl__amx_bf16, ROW_STEP, g, texts, workspace, first_panel, last_panel);
}

static size_t attention_workspace(size_t longest_text, size_t head_width)
{
    return pl_max(pl__bf16_attention_workspace(longest_text, head_width), pl__avx512_attention_train_workspace(longest_text, head_width));
}

static void attention_forward(const pl_attention_train *a, void *workspace, size_t first_unit, size_t last_unit)
{
    if (a->dropout)
        pl__avx512_attention_forward(a, workspace, first_unit, last_unit);
    else
        pl__amx_attention(&a->f, workspace, first_unit, last_unit);
}

const pl_train_kernels pl__train_amx = {
    .row_step = ROW_STEP,
    .pack_rows = pack_rows,
    .gemm_tn_workspace = gemm_tn_workspace,
    .gemm_tn = gemm_tn,
    .attention_workspace = attention_workspace,
    .attention_forward = attention_forward,
    .attention_backward = pl__avx512_attention_backward,
    PL_AVX512_TRAIN_ROWS,
};
