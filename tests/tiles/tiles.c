/* The tile instructions (AMX) in software, for machines that have AVX512_BF16 but no tiles: each raises
 * SIGILL there, which is answered by doing what Intel's manual says it does (Software Developer's Manual,
 * volume 2, LDTILECFG to TILEZERO and TDPBF16PS). What the manual makes a fault ends the process by name.
 * Linked with --wrap=pl_isa_present the program under test then finds AMX; where the CPU has it, nothing
 * is put in its place. */
#define _GNU_SOURCE /* REG_RIP */
#include "tiles/tiles.h"

#include "device/device.h"

#include <immintrin.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

enum { TILES = 8, ROWS = 16, ROW_BYTES = 64, PALETTE_END = 16, COLUMNS = 16, ROW_COUNTS = 48 };

static _Thread_local struct {
    unsigned char configuration[64]; /* as LDTILECFG reads it; zeros: none is loaded */
    unsigned char data[TILES][ROWS][ROW_BYTES];
} tiles;

static _Noreturn void fault(const char *what)
{
    char line[160];
    int n = snprintf(line, sizeof line, "tiles.c: a real CPU would fault here: %s\n", what);
    if (write(STDERR_FILENO, line, (size_t)n) != n)
        _exit(125);
    _exit(124);
}

static unsigned rows_of(unsigned t) { return tiles.configuration[ROW_COUNTS + t]; }
static unsigned columns_of(unsigned t) { return tiles.configuration[COLUMNS + 2 * t] | (unsigned)tiles.configuration[COLUMNS + 2 * t + 1] << 8; }

static void check_tile(unsigned t)
{
    if (tiles.configuration[0] != 1)
        fault("no tile is configured");
    if (t >= TILES || rows_of(t) == 0 || columns_of(t) == 0)
        fault("the tile is not configured");
}

static void configure(const unsigned char *from)
{
    unsigned char c[64];
    memcpy(c, from, sizeof c);
    memset(&tiles, 0, sizeof tiles);
    if (c[0] > 1)
        fault("LDTILECFG of an unknown palette");
    if (c[0] == 0)
        return;
    for (unsigned i = 2; i < sizeof c; i++) {
        bool used = (i >= COLUMNS && i < COLUMNS + 2 * TILES) || (i >= ROW_COUNTS && i < ROW_COUNTS + TILES);
        if (i != 1 && !used && c[i])
            fault("LDTILECFG of reserved bytes");
    }
    memcpy(tiles.configuration, c, sizeof c);
    for (unsigned t = 0; t < TILES; t++)
        if (rows_of(t) > ROWS || columns_of(t) > ROW_BYTES || !rows_of(t) != !columns_of(t))
            fault("LDTILECFG of a tile that is too large, or half of one");
}

static void load(unsigned t, const unsigned char *from, ptrdiff_t step)
{
    check_tile(t);
    memset(tiles.data[t], 0, sizeof tiles.data[t]);
    for (unsigned r = 0; r < rows_of(t); r++)
        memcpy(tiles.data[t][r], from + (ptrdiff_t)r * step, columns_of(t));
}

static void store(unsigned t, unsigned char *to, ptrdiff_t step)
{
    check_tile(t);
    for (unsigned r = 0; r < rows_of(t); r++)
        memcpy(to + (ptrdiff_t)r * step, tiles.data[t][r], columns_of(t));
}

/* Sums of pairs: the even members of a row's chain in one sum, the odd ones in another, both added
 * to what stands at the end. Denormals are zeros, to nearest even, whatever MXCSR says. */
__attribute__((target("avx512f"))) static void product(unsigned sums, unsigned a, unsigned b)
{
    check_tile(sums), check_tile(a), check_tile(b);
    if (sums == a || sums == b || a == b)
        fault("TDPBF16PS of one tile twice");
    if (columns_of(a) % 4 || columns_of(b) % 4 || columns_of(sums) % 4 || rows_of(sums) != rows_of(a) || columns_of(sums) != columns_of(b) ||
        columns_of(a) / 4 != rows_of(b))
        fault("TDPBF16PS of tiles that do not fit");
    unsigned before = _mm_getcsr();
    _mm_setcsr(0x9FC0); /* all masked, flush to zero, denormals are zero, nearest */
    const __m512i high = _mm512_set1_epi32((int)0xFFFF0000);
    for (unsigned m = 0; m < rows_of(sums); m++) {
        __m512 even = _mm512_setzero_ps(), odd = _mm512_setzero_ps();
        for (unsigned k = 0; k < rows_of(b); k++) {
            int pair;
            memcpy(&pair, tiles.data[a][m] + 4 * k, sizeof pair);
            __m512i x = _mm512_set1_epi32(pair), y = _mm512_loadu_si512(tiles.data[b][k]);
            even = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_slli_epi32(x, 16)), _mm512_castsi512_ps(_mm512_slli_epi32(y, 16)), even);
            odd = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_and_si512(x, high)), _mm512_castsi512_ps(_mm512_and_si512(y, high)), odd);
        }
        __m512 stands = _mm512_loadu_ps(tiles.data[sums][m]);
        _mm512_storeu_ps(tiles.data[sums][m], _mm512_add_ps(stands, _mm512_add_ps(even, odd)));
    }
    _mm_setcsr(before);
}

/* ---- decoding ---- */

/* Registers in the order of their numbers in an instruction. */
static const int registers[] = {
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

typedef struct instruction {
    unsigned opcode, prefix, third; /* prefix: 0 none, 1 66, 2 F3, 3 F2 */
    unsigned mode, reg, rm;
    intptr_t base, index; /* of a memory operand: base and displacement; scaled index, 0 where there is none */
    size_t length;
} instruction;

static void decode_memory(instruction *i, const unsigned char *at, const greg_t *g, unsigned inverted)
{
    unsigned high_base = inverted & 0x20 ? 0 : 8, high_index = inverted & 0x40 ? 0 : 8;
    size_t n = i->length;
    if (i->rm == 4) {
        unsigned sib = at[n++], index = (sib >> 3 & 7) | high_index, base = (sib & 7) | high_base;
        i->index = index != 4 ? (intptr_t)g[registers[index]] * (intptr_t)(1u << (sib >> 6)) : 0;
        if ((sib & 7) == 5 && i->mode == 0)
            fault("an address that tiles.c does not decode");
        i->base = (intptr_t)g[registers[base]];
    } else if (i->rm == 5 && i->mode == 0)
        fault("an address that tiles.c does not decode");
    else
        i->base = (intptr_t)g[registers[i->rm | high_base]];
    if (i->mode == 1)
        i->base += (signed char)at[n++];
    if (i->mode == 2) {
        int32_t displacement;
        memcpy(&displacement, at + n, sizeof displacement);
        i->base += displacement;
        n += sizeof displacement;
    }
    i->length = n;
}

/* VEX.128.prefix.0F38.W0 of opcodes 49, 4B and 5C; false: something else. */
static bool decode(instruction *i, const unsigned char *at, const greg_t *g)
{
    if (at[0] != 0xC4 || (at[1] & 0x1F) != 2 || at[2] & 0x84 || (at[3] != 0x49 && at[3] != 0x4B && at[3] != 0x5C))
        return false;
    *i = (instruction){
        .opcode = at[3], .prefix = at[2] & 3, .third = ~at[2] >> 3 & 0xF, .mode = at[4] >> 6, .reg = at[4] >> 3 & 7, .rm = at[4] & 7, .length = 5};
    if (i->mode != 3)
        decode_memory(i, at, g, at[1]);
    return true;
}

/* LDTILECFG, STTILECFG, TILELOADD, TILELOADDT1, TILESTORED */
static bool answer_memory(const instruction *i)
{
    unsigned char *place = (unsigned char *)i->base;
    bool stepped = i->rm == 4; /* these take base, index and nothing else */
    switch (i->opcode << 4 | i->prefix) {
    case 0x490: configure(place); return true;
    case 0x491: memcpy(place, tiles.configuration, sizeof tiles.configuration); return true;
    case 0x4B1:
    case 0x4B3:
        if (stepped)
            load(i->reg, place, i->index);
        return stepped;
    case 0x4B2:
        if (stepped)
            store(i->reg, place, i->index);
        return stepped;
    }
    return false;
}

/* TILERELEASE, TILEZERO, TDPBF16PS */
static bool answer_tiles(const instruction *i)
{
    switch (i->opcode << 4 | i->prefix) {
    case 0x490: memset(&tiles, 0, sizeof tiles); return true;
    case 0x493:
        check_tile(i->reg);
        memset(tiles.data[i->reg], 0, sizeof tiles.data[i->reg]);
        return true;
    case 0x5C2: product(i->reg, i->rm, i->third); return true;
    }
    return false;
}

static bool answer(const instruction *i)
{
    if (i->mode == 3)
        return answer_tiles(i);
    return i->base && answer_memory(i);
}

static bool in_software;

bool tiles_in_software(void) { return in_software; }

/* In the C library's place: cmocka asks for SIGILL anew at each test. */
__attribute__((visibility("default"))) void (*signal(int sig, void (*handler)(int)))(int)
{
    struct sigaction act = {.sa_handler = handler, .sa_flags = SA_RESTART}, old;
    sigemptyset(&act.sa_mask);
    if (sig == SIGILL && in_software)
        return SIG_DFL;
    return sigaction(sig, &act, &old) ? SIG_ERR : old.sa_handler;
}

static void illegal(int signal_number, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    greg_t *g = c->uc_mcontext.gregs;
    instruction i;
    (void)info;
    if (decode(&i, (const unsigned char *)g[REG_RIP], g) && answer(&i)) {
        g[REG_RIP] += (greg_t)i.length;
        return;
    }
    in_software = false;
    signal(signal_number, SIG_DFL); /* not ours: it comes again and ends the process */
}

/* ---- in place of what the CPU says ---- */

unsigned __real_pl_isa_present(void);
unsigned __wrap_pl_isa_present(void);
unsigned __wrap_pl_isa_present(void)
{
    unsigned present = __real_pl_isa_present();
    bool real = present >> PL_ISA_AMX & 1, able = present >> PL_ISA_AVX512_BF16 & 1;
    if (real || !able || strcmp(pl_kernels_of(PL_ISA_AMX, PL_BF16)->name, "amx") != 0)
        return present;
    struct sigaction act = {.sa_sigaction = illegal, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigemptyset(&act.sa_mask);
    if (sigaction(SIGILL, &act, NULL))
        fault("no handler for SIGILL");
    in_software = true;
    return present | 1u << PL_ISA_AMX;
}
