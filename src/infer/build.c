#include "infer/infer.h"

#include <jansson.h>
#include <stdio.h>

pl_status pl_build_info(pl_write write, void *self, pl_error *e)
{
    char text[512];
    int n = snprintf(text, sizeof text, "jansson %s\n", JANSSON_VERSION);
    pl_status s = write(self, text, (size_t)n, e);
    unsigned present = pl_isa_present();
    n = snprintf(text, sizeof text, "CPU paths:");
    for (unsigned i = 0; i < PL_ISA_COUNT; i++)
        if (present >> i & 1)
            n += snprintf(text + n, sizeof text - (size_t)n, " %s", pl_isa_name((pl_isa)i));
    n += snprintf(text + n, sizeof text - (size_t)n, "; f32 by %s, bf16 by %s\n", pl_kernels_of(pl_isa_best(present, PL_F32), PL_F32)->name,
        pl_kernels_of(pl_isa_best(present, PL_BF16), PL_BF16)->name);
    return s ? s : write(self, text, (size_t)n, e);
}
