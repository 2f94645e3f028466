#include "device/cpu/avx512_bf16/tail.h"
#include "device/cpu/avx512/avx512.h"

/* Activations that are not done on the way: bias and activation in the sums themselves. */
static void sums_activate(const bf16_tail *t, pl_act act, float *sums)
{
    for (size_t i = 0; i < t->rows * BF16_PANEL; i += 16)
        vf_store(sums + i, vf_add(vf_load(sums + i), t->bias[i / 16 % 2]));
    pl__avx512_activate(act, sums, t->rows * BF16_PANEL);
}

void pl__bf16_tail_begin(bf16_tail *t, const pl_gemm *g, size_t row, size_t rows, size_t panel, float *sums)
{
    size_t column = panel * BF16_PANEL, columns = g->columns - column, width = g->c_type == PL_BF16 ? 2 : sizeof(float);
    t->sums = sums;
    t->rows = rows;
    t->c = (char *)g->c + (row * g->c_stride + column) * width;
    t->c_step = g->c_stride * width;
    t->residual = g->residual ? g->residual + row * g->residual_stride + column : NULL;
    t->residual_stride = g->residual_stride;
    t->columns[0] = vm_first(columns);
    t->columns[1] = vm_first(columns > 16 ? columns - 16 : 0);
    t->bias[0] = g->bias ? vf_load_at(g->bias + column, t->columns[0]) : vf_zero();
    t->bias[1] = g->bias ? vf_load_at(g->bias + column + 16, t->columns[1]) : vf_zero();
    if (bf16_act_apart(g)) {
        sums_activate(t, g->act, sums);
        t->bias[0] = t->bias[1] = vf_zero();
    }
}

void pl__bf16_sums_read(const pl_gemm *g, size_t row, size_t rows, size_t panel, float *sums)
{
    size_t column = panel * BF16_PANEL, columns = g->columns - column;
    const float *c = g->c + row * g->c_stride + column;
    for (size_t i = 0; i < rows; i++, c += g->c_stride, sums += BF16_PANEL) {
        vf_store(sums, vf_load_at(c, vm_first(columns)));
        vf_store(sums + 16, vf_load_at(c + 16, vm_first(columns > 16 ? columns - 16 : 0)));
    }
}
