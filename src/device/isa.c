/* Which instruction sets the CPU has and the operating system saves, and the table for each. */
#define _DEFAULT_SOURCE /* syscall */
#include "device/cpu/tables.h"

#include <cpuid.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *pl_isa_name(pl_isa isa)
{
    static const char *const names[] = {
#define PL_ISA_NAME(name, text) text,
        PL_ISA_MAP(PL_ISA_NAME)
#undef PL_ISA_NAME
    };
    return (unsigned)isa < PL_COUNT(names) ? names[isa] : "unknown";
}

bool pl_isa_parse(const char *name, pl_isa *isa)
{
    for (unsigned i = 0; i < PL_ISA_COUNT; i++)
        if (strcmp(name, pl_isa_name((pl_isa)i)) == 0) {
            *isa = (pl_isa)i;
            return true;
        }
    return false;
}

/* ---- CPUID ---- */
typedef struct cpuid_leaf {
    unsigned a, b, c, d;
} cpuid_leaf;

/* Zeros where the CPU has no such leaf. */
static cpuid_leaf cpuid(unsigned leaf, unsigned part)
{
    cpuid_leaf r = {0};
    if (!__get_cpuid_count(leaf, part, &r.a, &r.b, &r.c, &r.d))
        return (cpuid_leaf){0};
    return r;
}

static bool has(unsigned word, unsigned bits) { return (word & bits) == bits; }

/* The register state that the operating system saves for us (XCR0). */
static unsigned saved_state(void)
{
    if (!has(cpuid(1, 0).c, bit_OSXSAVE))
        return 0;
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

enum {
    STATE_YMM = 1 << 1 | 1 << 2,
    STATE_ZMM = STATE_YMM | 1 << 5 | 1 << 6 | 1 << 7,
    STATE_TILES = 1 << 17 | 1 << 18,
};

/* Tiles are given on request: the state is large and the kernel keeps it for those who ask. */
static bool ask_for_tiles(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

static unsigned present;

static void look(void)
{
    cpuid_leaf basic = cpuid(1, 0), more = cpuid(7, 0), last = cpuid(7, 1);
    unsigned state = saved_state();
    present = 1u << PL_ISA_REFERENCE;
    if (!has(state, STATE_YMM) || !has(basic.c, bit_AVX | bit_FMA | bit_F16C) || !has(more.b, bit_AVX2))
        return;
    present |= 1u << PL_ISA_AVX2;
    if (!has(state, STATE_ZMM) || !has(more.b, bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL))
        return;
    present |= 1u << PL_ISA_AVX512;
#ifdef PL_HAVE_AVX512_BF16
    if (has(last.a, 1u << 5))
        present |= 1u << PL_ISA_AVX512_BF16;
#endif
#ifdef PL_HAVE_AMX
    if (has(more.d, 1u << 24 | 1u << 22) && has(state, STATE_TILES) && ask_for_tiles())
        present |= 1u << PL_ISA_AMX;
#endif
    (void)last;
    (void)ask_for_tiles;
}

unsigned pl_isa_present(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, look);
    return present;
}

static bool is_intel(void)
{
    cpuid_leaf vendor = cpuid(0, 0);
    return vendor.b == signature_INTEL_ebx && vendor.d == signature_INTEL_edx && vendor.c == signature_INTEL_ecx;
}

pl_isa pl_isa_best(unsigned among, pl_dtype compute)
{
    if (compute == PL_BF16) {
        if (has(among, 1u << PL_ISA_AMX))
            return PL_ISA_AMX;
        /* Intel's vdpbf16ps has half the rate of f32 FMA: no gain over f32 arithmetic */
        if (has(among, 1u << PL_ISA_AVX512_BF16) && !is_intel())
            return PL_ISA_AVX512_BF16;
    }
    if (has(among, 1u << PL_ISA_AVX512))
        return PL_ISA_AVX512;
    return has(among, 1u << PL_ISA_AVX2) ? PL_ISA_AVX2 : PL_ISA_REFERENCE;
}

const pl_kernels *pl_kernels_of(pl_isa isa, pl_dtype compute)
{
    bool bf16 = compute == PL_BF16;
    switch (isa) {
    case PL_ISA_AMX:
#ifdef PL_HAVE_AMX
        if (bf16)
            return &pl__amx_bf16;
#endif
        return bf16 ? &pl__avx512_bf16_by_f32 : &pl__avx512_f32;
    case PL_ISA_AVX512_BF16:
#ifdef PL_HAVE_AVX512_BF16
        if (bf16)
            return &pl__avx512_bf16;
#endif
        return bf16 ? &pl__avx512_bf16_by_f32 : &pl__avx512_f32;
    case PL_ISA_AVX512: return bf16 ? &pl__avx512_bf16_by_f32 : &pl__avx512_f32;
    case PL_ISA_AVX2: return bf16 ? &pl__avx2_bf16 : &pl__avx2_f32;
    case PL_ISA_REFERENCE:
    case PL_ISA_COUNT: break;
    }
    return bf16 ? &pl__reference_bf16 : &pl__reference_f32;
}
