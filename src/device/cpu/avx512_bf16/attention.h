/* Attention in bf16, but for the product of tiles, which differs between the two tables.
 *
 * Per text and head: keys are transposed and values paired into tiles once; then 16 queries at a
 * time meet up to 128 keys, so that all between two products is small beside the first cache:
 * scores = q k^T in f32, weights = 2^(c (score - greatest)) with c = scale log2 e, rounded to bf16
 * for the product with v, their sum kept in f32. Further keys (longer texts) rescale what stands.
 * Blocks begin at the text's first row and everything beyond its last is zero, so the result
 * depends on the text alone. */
#ifndef PL_DEVICE_CPU_BF16_ATTENTION_H
#define PL_DEVICE_CPU_BF16_ATTENTION_H

#include "device/cpu/avx512_bf16/bf16.h"

enum { BF16_TILE_BYTES = 1024, BF16_TILE_SUMS = 256, BF16_TILE_ROWS = 16, BF16_CHUNK_KEYS = 128 };

/* sums[i] = a x b[i] for i < count (even): tiles of 16 rows x 16 columns of f32. a and b[i] are
 * `steps` tiles each; a has [16 rows][32] bf16, b [16 pairs][16 columns][2]. The first `rows` rows
 * are wanted. */
typedef struct bf16_tiles {
    float *sums;
    const unsigned char *a, *b;
    size_t next_b, step_b; /* from b[i] to b[i + 1], and from step to step of it: bytes */
    size_t count, steps, rows;
    size_t last_pairs; /* of the last step; beyond them a and b are zero */
} bf16_tiles;

typedef void (*bf16_multiply)(const bf16_tiles *t);

size_t pl__bf16_attention_workspace(size_t longest_text, size_t head_width);
void pl__bf16_attention(const pl_attention *a, void *workspace, size_t first_unit, size_t last_unit, bf16_multiply multiply);

#endif
