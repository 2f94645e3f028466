/* The epilogue of a matrix product on a tile whose chains have ended: + bias, activation,
 * + residual, the one NaN. Done while the tile is in the first cache; at FINISH_ROWS rows of two vectors a
 * step the polynomial of GELU runs at the speed of its operations, not of their latency. */
#ifndef PL_DEVICE_CPU_VEC_FINISH_H
#define PL_DEVICE_CPU_VEC_FINISH_H

#include "device/cpu/vector/vec_math.h"

enum { FINISH_ROWS = VF_LANES == 16 ? 4 : 2 };

/* Where a tile stands: rows [row, row + rows), columns [column, column + columns). */
typedef struct vf_tile {
    size_t row, rows, column, columns;
} vf_tile;

PL_ALWAYS_INLINE void vf_finish_act(pl_act act, vf *v, int n)
{
    if (act == PL_ACT_GELU)
        vf_gelu_many(v, n);
    else if (act != PL_ACT_NONE)
        for (int i = 0; i < n; i++)
            v[i] = vf_act(act, v[i]);
}

/* `vectors` neighbours of `rows` rows; the last vector of each row stands under mask m. */
PL_ALWAYS_INLINE void vf_finish_block(
    const pl_gemm *g, pl_act act, size_t row, size_t column, const float *raw, size_t raw_stride, int rows, int vectors, bool whole, vm m)
{
    vf v[2 * FINISH_ROWS];
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < vectors; i++) {
            const float *from = raw + (size_t)r * raw_stride + (size_t)i * VF_LANES;
            bool full = whole || i < vectors - 1;
            v[r * vectors + i] = full ? vf_load(from) : vf_load_at(from, m);
            if (g->bias) {
                const float *bias = g->bias + column + (size_t)i * VF_LANES;
                v[r * vectors + i] = vf_add(v[r * vectors + i], full ? vf_load(bias) : vf_load_at(bias, m));
            }
        }
    vf_finish_act(act, v, rows * vectors);
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < vectors; i++) {
            size_t at = column + (size_t)i * VF_LANES;
            bool full = whole || i < vectors - 1;
            vf out = v[r * vectors + i];
            if (g->residual) {
                const float *residual = g->residual + (row + (size_t)r) * g->residual_stride + at;
                out = vf_add(out, full ? vf_load(residual) : vf_load_at(residual, m));
            }
            out = vf_canonical(out);
            float *c = g->c + (row + (size_t)r) * g->c_stride + at;
            if (full)
                vf_store(c, out);
            else
                vf_store_at(c, out, m);
        }
}

PL_ALWAYS_INLINE void vf_finish_as(const pl_gemm *g, pl_act act, vf_tile t, const float *raw, size_t raw_stride)
{
    enum { TWO = 2 * VF_LANES };
    for (size_t from = 0; from < t.columns; from += TWO) {
        size_t columns = pl_min(t.columns - from, TWO), column = t.column + from, r = 0;
        const float *at = raw + from;
        vm m = vm_first(columns % VF_LANES ? columns % VF_LANES : VF_LANES);
        if (columns == TWO)
            for (; r + FINISH_ROWS <= t.rows; r += FINISH_ROWS)
                vf_finish_block(g, act, t.row + r, column, at + r * raw_stride, raw_stride, FINISH_ROWS, 2, true, m);
        for (; r < t.rows; r++)
            if (columns > VF_LANES)
                vf_finish_block(g, act, t.row + r, column, at + r * raw_stride, raw_stride, 1, 2, false, m);
            else
                vf_finish_block(g, act, t.row + r, column, at + r * raw_stride, raw_stride, 1, 1, false, m);
    }
}

/* Reads the chains' ends from raw (which may be the tile in C itself) and writes the tile of C. */
static inline void vf_finish_tile(const pl_gemm *g, vf_tile t, const float *raw, size_t raw_stride)
{
    if (g->act == PL_ACT_NONE)
        vf_finish_as(g, PL_ACT_NONE, t, raw, raw_stride);
    else if (g->act == PL_ACT_GELU)
        vf_finish_as(g, PL_ACT_GELU, t, raw, raw_stride);
    else
        vf_finish_as(g, g->act, t, raw, raw_stride);
}

#endif
