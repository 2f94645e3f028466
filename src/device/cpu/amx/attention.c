#include "device/cpu/amx/amx.h"
#include "device/cpu/amx/tiles.h"
#include "device/cpu/avx512_bf16/attention.h"

#include <assert.h>

static void tiles_multiply(const bf16_tiles *t)
{
    for (size_t i = 0; i < t->count; i += 2) {
        const unsigned char *a = t->a, *b = t->b + i * t->next_b;
        TILE_ZERO(0);
        TILE_ZERO(1);
        for (size_t step = 0; step < t->steps; step++, a += BF16_TILE_BYTES, b += t->step_b) {
            TILE_LOAD(4, a, 64);
            TILE_LOAD(6, b, 64);
            TILE_LOAD(7, b + t->next_b, 64);
            TILE_PRODUCT(0, 4, 6);
            TILE_PRODUCT(1, 4, 7);
        }
        TILE_STORE(0, t->sums + i * BF16_TILE_SUMS, 64);
        TILE_STORE(1, t->sums + (i + 1) * BF16_TILE_SUMS, 64);
    }
}

void pl__amx_attention(const pl_attention *a, void *workspace, size_t first_unit, size_t last_unit)
{
    assert(pl__amx_ready());
    pl__bf16_attention(a, workspace, first_unit, last_unit, tiles_multiply);
}
