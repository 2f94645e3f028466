/* Inside cpu/amx. */
#ifndef PL_DEVICE_CPU_AMX_H
#define PL_DEVICE_CPU_AMX_H

#include "device/device.h"

void pl__amx_enter(pl_fp_state *saved);
void pl__amx_leave(const pl_fp_state *saved);
bool pl__amx_ready(void); /* the calling thread has its tiles configured */

size_t pl__amx_gemm_workspace(size_t rows, size_t depth);
void pl__amx_gemm(const pl_gemm *g, void *workspace, size_t first_panel, size_t last_panel);
void pl__amx_attention(const pl_attention *a, void *workspace, size_t first_unit, size_t last_unit);

#endif
