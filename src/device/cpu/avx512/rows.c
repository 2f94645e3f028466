#include "device/cpu/avx512/avx512.h"
#include "device/cpu/vector/vec_rows.h"

void pl__avx512_norm(const pl_norm *n, size_t first_row, size_t last_row) { norm_all(n, first_row, last_row); }

void pl__avx512_embed_sum(const pl_embed_sum *e, size_t first_row, size_t last_row)
{
    for (size_t row = first_row; row < last_row; row++)
        embed_sum_row(e, row);
}

void pl__avx512_pool(const pl_pool *p, size_t first_text, size_t last_text)
{
    for (size_t text = first_text; text < last_text; text++)
        pool_text(p, text);
}

void pl__avx512_unit_length(float *x, size_t stride, size_t width, size_t first_row, size_t last_row)
{
    for (size_t row = first_row; row < last_row; row++)
        unit_length_row(x + row * stride, width);
}

void pl__avx512_activate(pl_act act, float *x, size_t n) { activate_all(act, x, n); }
void pl__avx512_widen(float *out, const void *in, pl_dtype type, size_t n) { widen_all(out, in, type, n); }
