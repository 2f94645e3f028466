/* Tiles are a thread's own state, which the kernel saves and moves with the thread, and which a
 * signal handler finds configured and leaves as it was: so they are configured once, on entry. */
#include "device/cpu/amx/amx.h"
#include "device/cpu/tables.h"

typedef struct tile_configuration { /* as LDTILECFG reads it */
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_configuration;
_Static_assert(sizeof(tile_configuration) == 64, "LDTILECFG reads 64 bytes");

bool pl__amx_ready(void)
{
    tile_configuration c;
    __asm__ volatile("sttilecfg %0" : "=m"(c)::"memory");
    return c.palette == 1 && c.rows[7] == 16 && c.row_bytes[7] == 64;
}

void pl__amx_enter(pl_fp_state *saved)
{
    pl__fp_enter(saved);
    saved->tiles = pl__amx_ready(); /* entered within itself, by a caller's callback */
    tile_configuration c = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        c.row_bytes[i] = 64;
        c.rows[i] = 16;
    }
    __asm__ volatile("ldtilecfg %0" ::"m"(c) : "memory");
}

void pl__amx_leave(const pl_fp_state *saved)
{
    if (!saved->tiles) /* without them a context switch has 8 KiB less to save */
        __asm__ volatile("tilerelease" ::: "memory");
    pl__fp_leave(saved);
}
