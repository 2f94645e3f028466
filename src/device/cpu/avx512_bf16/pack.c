/* Weights from [columns][depth] to [panel][step][pair of rows][column][2]: sixteen columns by
 * thirty-two of depth are sixteen vectors of sixteen pairs, transposed in registers. */
#include "device/cpu/avx512_bf16/bf16.h"

size_t pl__bf16_packed_bytes(size_t columns, size_t depth) { return (columns + BF16_PANEL - 1) / BF16_PANEL * bf16_steps(depth) * BF16_STEP_BYTES; }

/* Columns group * 16 .. + 16, of which [first, last) come from the source, those before first stay
 * as an earlier call left them, and those from last on become zero. */
PL_ALWAYS_INLINE void group_pack(const pl_pack *p, size_t group, pl_dtype type)
{
    size_t steps = bf16_steps(p->depth), first = p->first_column, last = first + p->columns;
    vm keep = vm_first(first > group * 16 ? first - group * 16 : 0);
    unsigned char *out = (unsigned char *)p->out + group / 2 * steps * BF16_STEP_BYTES + group % 2 * 64;
    const unsigned char *in = (const unsigned char *)p->in;
    for (size_t step = 0; step < steps; step++, out += BF16_STEP_BYTES) {
        vf rows[16];
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++) {
            size_t column = group * 16 + i, at = step * BF16_STEP;
            bool ours = column >= first && column < last;
            rows[i] = ours ? vf_of_bits(bf16_load(in + (column - first) * p->in_stride, type, at, p->depth - at)) : vf_zero();
        }
        vf_transpose(rows);
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++)
            _mm512_mask_storeu_ps(out + i * 128, (vm)~keep, rows[i]);
    }
}

PL_ALWAYS_INLINE void groups_pack(const pl_pack *p, pl_dtype type)
{
    size_t end = (p->first_column + p->columns + BF16_PANEL - 1) / BF16_PANEL * 2;
    for (size_t group = p->first_column / 16; group < end; group++)
        group_pack(p, group, type);
}

void pl__bf16_pack(const pl_pack *p)
{
    switch (p->type) {
    case PL_BF16: groups_pack(p, PL_BF16); break;
    case PL_F16: groups_pack(p, PL_F16); break;
    case PL_F64: groups_pack(p, PL_F64); break;
    default: groups_pack(p, PL_F32); break;
    }
}
