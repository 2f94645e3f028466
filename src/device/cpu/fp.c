#include "device/cpu/tables.h"

#include <xmmintrin.h>

enum { MXCSR_PLAIN = 0x1F80 }; /* exceptions masked, nearest, no flush to zero, denormals are denormals */

void pl__fp_enter(pl_fp_state *saved)
{
    *saved = (pl_fp_state){.control = _mm_getcsr()};
    _mm_setcsr(MXCSR_PLAIN);
}

void pl__fp_leave(const pl_fp_state *saved) { _mm_setcsr(saved->control); }
