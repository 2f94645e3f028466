#include "program/program.h"

uint32_t pl_program_tiles(uint32_t pass_rows, uint32_t tile_rows, uint32_t pass_texts, uint32_t tile_texts, uint32_t threads)
{
    /* two neighbours hold more rows together than one tile is meant to, or the first is full of texts */
    return 2 * (pass_rows / tile_rows + threads + 1) + pass_texts / tile_texts + 2;
}

uint64_t pl_program_walk_bytes(uint32_t tiles, uint32_t pass_texts, size_t stages, uint32_t slots, uint32_t threads)
{
    enum { STATE = 8192, TILE = 40, SLOT = 8, MEMBER = 64 };
    return STATE + (uint64_t)tiles * TILE + pass_texts * 4ull + stages * 4ull + slots * (uint64_t)SLOT + (threads + 1ull) * MEMBER;
}
