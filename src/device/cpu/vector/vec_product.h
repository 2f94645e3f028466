/* The heart of every product: a block of C in registers, one FMA chain over depth per element.
 *
 * B stands in panels of two vectors, [panel][depth][VF_PANEL]. Twelve rows of AVX-512 (six of AVX2)
 * by one panel use 24 (12) accumulators; with few rows several panels are taken at once, since each
 * accumulator is a chain of its own and about eight must be under way to fill two FMA units of four
 * cycles each. */
#ifndef PL_DEVICE_CPU_VEC_PRODUCT_H
#define PL_DEVICE_CPU_VEC_PRODUCT_H

#include "device/cpu/vector/vec.h"

enum {
    VF_PANEL = 2 * VF_LANES,
    VF_ROWS = VF_LANES == 16 ? 12 : 6, /* rows of a block */
};

typedef struct vf_block {
    size_t depth;
    const float *a; /* element (row, k) at a[row * a_row + k * a_step] */
    size_t a_row, a_step;
    const float *b;
    size_t b_panel; /* elements from one panel to the next */
    float *c;
    size_t c_stride;
    bool go_on;
    const char *ahead;  /* what the next block needs: fetched meanwhile */
    const float *touch; /* rows that the end of this one needs: fetched shortly before it */
    size_t touch_stride;
    /* With finish, C gets chain + bias + residual with NaNs made one, else the chain itself. */
    bool finish;
    const float *bias, *residual; /* NULL: none */
    size_t residual_stride;
    const float *share; /* of attention: C gets share[row] chain, NaNs made one; NULL: the chain */
} vf_block;

enum { VF_DEPTH_STEP = 4, VF_A_AHEAD = 8 * VF_DEPTH_STEP };

PL_ALWAYS_INLINE void vf_block_step(
    const int rows, const int vectors, vf chain[VF_ROWS][8], const float *a, const size_t a_row, const float *b, const size_t b_panel)
{
    vf w[8];
    PL_UNROLL
    for (int j = 0; j < vectors; j++)
        w[j] = vf_load(b + (size_t)(j / 2) * b_panel + (size_t)(j % 2) * VF_LANES);
    PL_UNROLL
    for (int r = 0; r < rows; r++) {
        vf s = vf_set(a[(size_t)r * a_row]);
        PL_UNROLL
        for (int j = 0; j < vectors; j++)
            chain[r][j] = vf_fma(s, w[j], chain[r][j]);
    }
}

PL_ALWAYS_INLINE void vf_block_start(const int rows, const int vectors, const vf_block *x, vf chain[VF_ROWS][8])
{
    if (x->go_on) {
        PL_UNROLL
        for (int r = 0; r < rows; r++) {
            PL_UNROLL
            for (int j = 0; j < vectors; j++)
                chain[r][j] = vf_load(x->c + (size_t)r * x->c_stride + (size_t)j * VF_LANES);
        }
    } else {
        PL_UNROLL
        for (int r = 0; r < rows; r++) {
            PL_UNROLL
            for (int j = 0; j < vectors; j++)
                chain[r][j] = vf_zero();
        }
    }
}

PL_ALWAYS_INLINE void vf_block_end(const int rows, const int vectors, const bool weights, const vf_block *x, vf chain[VF_ROWS][8])
{
    if (weights && x->finish && x->bias) {
        PL_UNROLL
        for (int j = 0; j < vectors; j++) {
            vf bias = vf_load(x->bias + (size_t)j * VF_LANES);
            PL_UNROLL
            for (int r = 0; r < rows; r++)
                chain[r][j] = vf_add(chain[r][j], bias);
        }
    }
    if (weights && x->finish && x->residual) {
        PL_UNROLL
        for (int r = 0; r < rows; r++) {
            PL_UNROLL
            for (int j = 0; j < vectors; j++)
                chain[r][j] = vf_add(chain[r][j], vf_load(x->residual + (size_t)r * x->residual_stride + (size_t)j * VF_LANES));
        }
    }
    if (weights && x->finish) {
        PL_UNROLL
        for (int r = 0; r < rows; r++) {
            PL_UNROLL
            for (int j = 0; j < vectors; j++)
                chain[r][j] = vf_canonical(chain[r][j]);
        }
    }
    if (!weights && x->share) {
        PL_UNROLL
        for (int r = 0; r < rows; r++) {
            PL_UNROLL
            for (int j = 0; j < vectors; j++)
                chain[r][j] = vf_canonical(vf_mul(chain[r][j], vf_set(x->share[r])));
        }
    }
    PL_UNROLL
    for (int r = 0; r < rows; r++) {
        PL_UNROLL
        for (int j = 0; j < vectors; j++)
            vf_store(x->c + (size_t)r * x->c_stride + (size_t)j * VF_LANES, chain[r][j]);
    }
}

/* The constants (all but x) make each use a kernel of its own, with every accumulator in a register.
 * With weights, every four steps of depth ask for the lines of packed A some steps on, for two lines
 * of x->ahead (into the second cache), and towards the end for a row of x->touch. */
PL_ALWAYS_INLINE void vf_block_run(const int rows, const int vectors, const bool weights, const vf_block *x, const size_t a_row, const size_t a_step)
{
    vf chain[VF_ROWS][8];
    vf_block_start(rows, vectors, x, chain);
    const float *a = x->a, *b = x->b;
    const char *ahead = x->ahead;
    const float *touch = x->touch;
    const size_t b_panel = x->b_panel;
    size_t left = x->depth;
    for (; left >= VF_DEPTH_STEP; left -= VF_DEPTH_STEP) {
        if (weights) {
            PL_UNROLL
            for (int line = 0; line < VF_DEPTH_STEP * rows / 16; line++)
                _mm_prefetch((const char *)(a + VF_A_AHEAD * a_step + 16 * line), _MM_HINT_T0);
            _mm_prefetch(ahead, _MM_HINT_T1);
            _mm_prefetch(ahead + 64, _MM_HINT_T1);
            ahead += 128;
            _mm_prefetch((const char *)touch, _MM_HINT_T0);
            _mm_prefetch((const char *)(touch + VF_LANES), _MM_HINT_T0);
            touch += left / VF_DEPTH_STEP <= (size_t)rows + 8 ? x->touch_stride : 0;
        }
        PL_UNROLL
        for (int i = 0; i < VF_DEPTH_STEP; i++)
            vf_block_step(rows, vectors, chain, a + (size_t)i * a_step, a_row, b + i * VF_PANEL, b_panel);
        a += VF_DEPTH_STEP * a_step;
        b += VF_DEPTH_STEP * VF_PANEL;
    }
    for (; left > 0; left--) {
        vf_block_step(rows, vectors, chain, a, a_row, b, b_panel);
        a += a_step;
        b += VF_PANEL;
    }
    vf_block_end(rows, vectors, weights, x, chain);
}

typedef void (*vf_block_fn)(const vf_block *x);

/* Balanced heights: rows in ceil(rows / VF_ROWS) strips that differ by one row at most, so that no
 * strip is too low to fill the FMA units unless the whole is. */
static inline size_t vf_strips(size_t rows) { return (rows + VF_ROWS - 1) / VF_ROWS; }
static inline size_t vf_strip_start(size_t rows, size_t strips, size_t strip)
{
    size_t low = rows / strips, higher = rows % strips;
    return strip * low + pl_min(strip, higher);
}

#endif
