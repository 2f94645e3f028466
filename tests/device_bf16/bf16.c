#include "device_bf16/bf16.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

table table_avx512_bf16 = {PL_ISA_AVX512_BF16, NULL}, table_amx = {PL_ISA_AMX, NULL};

void tables_find(void)
{
    table *all[] = {&table_avx512_bf16, &table_amx};
    for (size_t i = 0; i < PL_COUNT(all); i++)
        if (pl_isa_present() >> all[i]->isa & 1)
            all[i]->k = pl_kernels_of(all[i]->isa, PL_BF16);
}

const pl_kernels *table_enter(void **state, pl_fp_state *saved)
{
    const table *t = *state;
    if (t->k) {
        assert_string_equal(t->k->name, pl_isa_name(t->isa));
        t->k->enter(saved);
        return t->k;
    }
    fprintf(stderr, "skipped: this CPU has no %s\n", pl_isa_name(t->isa));
    skip();
    return NULL;
}

uint16_t bf16_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (x != x)
        return (uint16_t)(bits >> 16 | 0x40);
    if ((bits & 0x7F800000) == 0)
        return (uint16_t)(bits >> 31 << 15);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

float bf16_value(uint16_t x)
{
    uint32_t bits = (uint32_t)x << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

float bf16_near(float x) { return bf16_value(bf16_of(x)); }

uint16_t *bf16_copy(const float *from, size_t n)
{
    uint16_t *p = malloc(n * sizeof *p + 1);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        p[i] = bf16_of(from[i]);
    return p;
}
