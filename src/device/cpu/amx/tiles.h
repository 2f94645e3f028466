/* The tile instructions, each with its tile by number. Written as assembly because the compilers'
 * intrinsics do not tell them that memory is read (GCC 12 moves stores past _tile_loadd, and
 * past _tile_loadconfig). All eight tiles have sixteen rows of 64 bytes, always. */
#ifndef PL_DEVICE_CPU_TILES_H
#define PL_DEVICE_CPU_TILES_H

#include <stddef.h>

#define TILE_ZERO(t) __asm__ volatile("tilezero %%tmm" #t ::: "memory")
#define TILE_LOAD(t, from, step) __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t ::"r"((const void *)(from)), "r"((size_t)(step)) : "memory")
/* for what passes by once: not to push from the first cache what stays */
#define TILE_LOAD_PASSING(t, from, step) __asm__ volatile("tileloaddt1 (%0,%1,1), %%tmm" #t ::"r"((const void *)(from)), "r"((size_t)(step)) : "memory")
#define TILE_STORE(t, to, step) __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)" ::"r"((void *)(to)), "r"((size_t)(step)) : "memory")
/* sums += a x b: sixteen rows of 32 bf16 by sixteen pairs of rows of sixteen columns */
#define TILE_PRODUCT(sums, a, b) __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #sums ::)

#endif
