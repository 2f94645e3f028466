/* Dropout: Philox 4x32-10 (Salmon, Moraes, Dror & Shaw 2011), one word an element. */
#include "device/cpu/reference/ref_train.h"

uint32_t pl__ref_random(uint64_t key, uint32_t site, uint64_t column)
{
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    uint32_t c[4] = {(uint32_t)(column / 4), site, 0, 0};
    for (int round = 0; round < 10; round++) {
        uint64_t p = (uint64_t)PL_PHILOX_M0 * c[0], q = (uint64_t)PL_PHILOX_M1 * c[2];
        c[0] = (uint32_t)(q >> 32) ^ c[1] ^ k0;
        c[1] = (uint32_t)q;
        c[2] = (uint32_t)(p >> 32) ^ c[3] ^ k1;
        c[3] = (uint32_t)p;
        k0 += PL_PHILOX_W0;
        k1 += PL_PHILOX_W1;
    }
    return c[column % 4];
}

bool pl__ref_keeps(const pl_dropout *d, size_t row, uint64_t column) { return pl__ref_random(d->row_keys[row], d->site, column) >= d->threshold; }

void pl__ref_dropout(const pl_dropout_rows *d, size_t first_row, size_t last_row)
{
    for (size_t row = first_row; row < last_row; row++)
        for (size_t j = 0; j < d->width; j++) {
            float x = d->x[row * d->x_stride + j];
            d->y[row * d->y_stride + j] = pl__ref_keeps(&d->d, row, j) ? pl__ref_canonical(x * d->d.scale) : 0.0f;
        }
}
