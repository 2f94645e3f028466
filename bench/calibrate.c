/* The machine record: what the planner's cost model rests on, measured here.
 *
 *   calibrate [FOLDER]     FOLDER (default: .): where a file of 64 MiB is made, read and removed
 *
 * Prints a line ISA.TYPE.KEY=NUMBER for every rate of every instruction set of this CPU; rates are
 * of one thread, each the median of some rounds. plimsoll reads it by PLIMSOLL_MACHINE=FILE. */
#define _GNU_SOURCE /* O_TMPFILE */
#include "device/device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 9, BIG = 64 << 20, ROWS = 240, WIDTH = 384, INNER = 1536, SMALL = 32, FLOAT = 4 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What the pieces work on. A small value everywhere, so that no sum grows out of range. */
typedef struct machine {
    const pl_kernels *k;
    float *rows, *out;     /* activations, BIG bytes each */
    float *weights;        /* as a file holds them, BIG bytes */
    unsigned char *panels; /* packed, BIG bytes and what rounding adds */
    void *workspace;
    int file;
} machine;

static void *mapped(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        fprintf(stderr, "calibrate: no memory for %zu bytes: %s\n", bytes, strerror(errno));
        exit(5);
    }
    madvise(p, bytes, MADV_HUGEPAGE);
    return p;
}

/* ---- the pieces of work: each returns the units (operations, bytes, calls) that it did ---- */
static double multiply(const machine *m, size_t rows, size_t depth, size_t columns, const void *weights)
{
    m->k->gemm(
        &(pl_gemm){
            .rows = rows, .columns = columns, .depth = depth, .a = m->rows, .a_stride = depth, .b = weights, .c = m->out, .c_stride = columns, .last = true},
        m->workspace, 0, (columns + m->k->panel - 1) / m->k->panel);
    return 2.0 * (double)(rows * depth * columns);
}

static double flops(const machine *m) { return multiply(m, ROWS, WIDTH, INNER, m->panels); }

/* One row meets weights that no cache holds. */
static double weight_bytes(const machine *m)
{
    size_t each = m->k->packed_bytes(INNER, WIDTH), at = 0;
    for (; at + each <= BIG; at += each)
        multiply(m, 1, WIDTH, INNER, m->panels + at);
    return (double)at;
}

static double touch_bytes(const machine *m)
{
    size_t rows = BIG / (WIDTH * FLOAT);
    m->k->norm(
        &(pl_norm){.width = WIDTH, .x = m->rows, .x_stride = WIDTH, .y = m->out, .y_stride = WIDTH, .gain = m->weights, .shift = m->weights, .eps = 1e-5f}, 0,
        rows);
    return 2.0 * (double)(rows * WIDTH * FLOAT);
}

static double pack_bytes(const machine *m)
{
    size_t columns = BIG / (WIDTH * FLOAT) / m->k->panel * m->k->panel;
    m->k->pack(&(pl_pack){.out = m->panels, .columns = columns, .depth = WIDTH, .in = m->weights, .in_stride = WIDTH * FLOAT, .type = PL_F32});
    return (double)(columns * WIDTH * FLOAT);
}

static double file_read(const machine *m, size_t piece, size_t pieces)
{
    for (size_t i = 0; i < pieces; i++) {
        ssize_t got = pread(m->file, m->weights, piece, (off_t)(i * piece % BIG));
        if (got != (ssize_t)piece) {
            fprintf(stderr, "calibrate: the file could not be read back: %s\n", got < 0 ? strerror(errno) : "it is shorter");
            exit(5);
        }
    }
    return (double)(piece * pieces);
}

static double read_bytes(const machine *m) { return file_read(m, 256 << 10, BIG / (256 << 10)); }

static double read_calls(const machine *m)
{
    enum { CALLS = 20000 };
    file_read(m, 64, CALLS);
    return CALLS;
}

static double steps(const machine *m)
{
    enum { CALLS = 20000 };
    for (size_t i = 0; i < CALLS; i++)
        multiply(m, 1, SMALL, SMALL, m->panels);
    return CALLS;
}

/* ---- rates ---- */
static double units_a_second(const machine *m, double (*piece)(const machine *m))
{
    double rates[ROUNDS];
    piece(m);
    for (int r = 0; r < ROUNDS; r++) {
        double start = now(), units = piece(m);
        rates[r] = units / (now() - start);
    }
    qsort(rates, ROUNDS, sizeof *rates, ascending);
    return rates[ROUNDS / 2];
}

static void report(machine *m, pl_isa isa, pl_dtype type)
{
    static const struct {
        const char *key;
        double (*piece)(const machine *m);
        bool seconds; /* the key is seconds a call */
    } rates[] = {{"pack_bytes", pack_bytes, false}, {"flops", flops, false}, {"weight_bytes", weight_bytes, false}, {"touch_bytes", touch_bytes, false},
        {"read_bytes", read_bytes, false}, {"read_call", read_calls, true}, {"step", steps, true}};
    pl_fp_state saved;
    m->k = pl_kernels_of(isa, type);
    m->k->enter(&saved);
    for (size_t i = 0; i < PL_COUNT(rates); i++) {
        double rate = units_a_second(m, rates[i].piece);
        printf("%s.%s.%s=%.4g\n", pl_isa_name(isa), pl_dtype_name(type), rates[i].key, rates[i].seconds ? 1 / rate : rate);
        fflush(stdout);
    }
    m->k->leave(&saved);
}

static size_t most_workspace(void)
{
    size_t most = 64;
    for (unsigned isa = 0; isa < PL_ISA_COUNT; isa++)
        for (int bf16 = 0; bf16 < 2; bf16++)
            most = pl_max(most, pl_kernels_of((pl_isa)isa, bf16 ? PL_BF16 : PL_F32)->gemm_workspace(ROWS, INNER));
    return most;
}

static int file_of(const char *folder, const void *bytes)
{
    int file = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    for (size_t at = 0; file >= 0 && at < BIG;) {
        ssize_t n = write(file, (const char *)bytes + at, BIG - at);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    if (file < 0 || lseek(file, 0, SEEK_END) != BIG) {
        fprintf(stderr, "calibrate: %s: a file of 64 MiB cannot be made there: %s\n", folder, strerror(errno));
        exit(5);
    }
    return file;
}

int main(int argc, char **argv)
{
    if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
        fprintf(stderr, "usage: calibrate [FOLDER]\n");
        return 2;
    }
    machine m = {.rows = mapped(BIG), .out = mapped(BIG), .weights = mapped(BIG), .panels = mapped(2 * (size_t)BIG), .workspace = mapped(most_workspace())};
    for (size_t i = 0; i < BIG / FLOAT; i++)
        m.rows[i] = m.weights[i] = (float)(i % 7) * 0x1p-10f - 0x1p-9f;
    m.file = file_of(argc > 1 ? argv[1] : ".", m.weights);
    unsigned present = pl_isa_present();
    printf("# rates of one thread, measured by ./dev calibrate\n");
    for (unsigned isa = 0; isa < PL_ISA_COUNT; isa++) {
        if (isa == PL_ISA_REFERENCE || !(present >> isa & 1))
            continue; /* the reference is not there to be fast */
        report(&m, (pl_isa)isa, PL_F32);
        report(&m, (pl_isa)isa, PL_BF16);
    }
    return 0;
}
