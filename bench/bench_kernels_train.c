/* Training kernels of one instruction set beside the FMA peak of the same core in the same minute.
 *
 *   bench_kernels_train [ISA [WORD]]      ISA: avx512 (default: the best), avx2, ...; WORD: cases with it
 *
 * CPU time of the calling thread; each figure is the median of rounds that alternate with the peak. */
#define _GNU_SOURCE /* MADV_HUGEPAGE */
#include "device/train.h"

#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { ROUNDS = 21 };

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- the peak: chains of FMA in registers, enough to hide their latency ---- */
#define PEAK(name, isa, type, lanes, set, fma)                                                \
    __attribute__((target(isa))) static double name(void)                                     \
    {                                                                                         \
        enum { CHAINS = 12, TURNS = 300000 };                                                 \
        type x[CHAINS], m = set(0.999f), n = set(0.001f);                                     \
        for (int i = 0; i < CHAINS; i++)                                                      \
            x[i] = set((float)i);                                                             \
        double start = cpu_seconds();                                                         \
        for (long t = 0; t < TURNS; t++) {                                                    \
            _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++) x[i] = fma(x[i], m, n); \
            __asm__ volatile("" ::"v"(x[0]));                                                 \
        }                                                                                     \
        double seconds = cpu_seconds() - start;                                               \
        for (int i = 1; i < CHAINS; i++)                                                      \
            x[0] = fma(x[i], m, x[0]);                                                        \
        __asm__ volatile("" ::"v"(x[0]));                                                     \
        return 2.0 * lanes * CHAINS * TURNS / seconds;                                        \
    }
PEAK(peak_512, "avx512f", __m512, 16, _mm512_set1_ps, _mm512_fmadd_ps)
PEAK(peak_256, "avx2,fma", __m256, 8, _mm256_set1_ps, _mm256_fmadd_ps)

typedef struct bench {
    pl_isa isa;
    const pl_kernels *k;
    const pl_train_kernels *t;
    const char *word;
    char *memory; /* the rest of one mapping of huge pages */
    size_t left;
} bench;

static double peak(const bench *b) { return b->isa >= PL_ISA_AVX512 ? peak_512() : peak_256(); }

static void *take(bench *b, size_t bytes)
{
    bytes = pl_round_up(bytes, 4096);
    if (bytes > b->left) {
        fprintf(stderr, "bench_kernels_train: out of its own memory\n");
        exit(5);
    }
    void *p = b->memory;
    b->memory += bytes;
    b->left -= bytes;
    return p;
}

static float *floats(bench *b, size_t n)
{
    static uint32_t seed = 1;
    float *p = take(b, n * sizeof *p);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[i] = ((float)(seed >> 8) * 0x1p-23f - 1.0f) * 0.25f;
    }
    return p;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct figure {
    double seconds; /* of one run: median */
    double rate;    /* runs per FLOP of the peak measured right before and after: median */
    double peak;    /* FLOP/s: median */
} figure;

static figure measure(const bench *b, void (*run)(void *self), void *self)
{
    double seconds[ROUNDS], rates[ROUNDS], peaks[ROUNDS];
    run(self);
    double start = cpu_seconds();
    run(self);
    double once = cpu_seconds() - start;
    int turns = once > 0.01 ? 1 : (int)(0.01 / (once + 1e-7)) + 1;
    double before = peak(b);
    for (int r = 0; r < ROUNDS; r++) {
        start = cpu_seconds();
        for (int t = 0; t < turns; t++)
            run(self);
        seconds[r] = (cpu_seconds() - start) / turns;
        double after = peak(b);
        peaks[r] = (before + after) / 2;
        rates[r] = 1 / (seconds[r] * peaks[r]);
        before = after;
    }
    qsort(seconds, ROUNDS, sizeof *seconds, ascending);
    qsort(rates, ROUNDS, sizeof *rates, ascending);
    qsort(peaks, ROUNDS, sizeof *peaks, ascending);
    return (figure){seconds[ROUNDS / 2], rates[ROUNDS / 2], peaks[ROUNDS / 2]};
}

/* Seconds of one run, or 0 where it was not asked for. */
static double report_flops(const bench *b, const char *name, double flops, void (*run)(void *self), void *self)
{
    if (b->word && !strstr(name, b->word))
        return 0;
    figure f = measure(b, run, self);
    printf("%-52s %9.1f us %8.1f GF/s  %5.1f %% of %.0f\n", name, f.seconds * 1e6, flops / f.seconds * 1e-9, 100 * flops * f.rate, f.peak * 1e-9);
    return f.seconds;
}

static void report_bytes(const bench *b, const char *name, double bytes, void (*run)(void *self), void *self)
{
    if (b->word && !strstr(name, b->word))
        return;
    figure f = measure(b, run, self);
    printf("%-52s %9.1f us %8.2f GB/s\n", name, f.seconds * 1e6, bytes / f.seconds * 1e-9);
}

/* ---- products over rows ---- */
typedef struct product {
    const bench *b;
    pl_gemm g;
    pl_pack_rows p;
    void *workspace;
} product;

static void run_gemm_tn(void *self)
{
    product *j = self;
    j->b->t->gemm_tn(&j->g, NULL, j->workspace, 0, (j->g.columns + j->b->k->panel - 1) / j->b->k->panel);
}

static void run_pack_rows(void *self)
{
    product *j = self;
    j->b->t->pack_rows(&j->p);
}

static void run_both(void *self)
{
    run_pack_rows(self);
    run_gemm_tn(self);
}

static void bench_product(bench whole, size_t rows, size_t columns, size_t depth)
{
    bench b = whole;
    product j = {.b = &b};
    void *packed = take(&b, b.k->packed_bytes(columns, depth));
    j.p = (pl_pack_rows){.out = packed, .columns = columns, .depth = depth, .rows = depth, .in = floats(&b, depth * columns), .in_stride = columns};
    j.g = (pl_gemm){.rows = rows,
        .columns = columns,
        .depth = depth,
        .a = floats(&b, depth * rows),
        .a_stride = rows,
        .b = packed,
        .c = floats(&b, rows * columns),
        .c_stride = columns,
        .go_on = true,
        .last = true};
    j.workspace = take(&b, b.t->gemm_tn_workspace(rows, depth));
    char name[96];
    double flops = 2.0 * (double)rows * (double)columns * (double)depth;
    snprintf(name, sizeof name, "pack_rows %zu x %zu (bytes read)", depth, columns);
    report_bytes(&b, name, (double)(depth * columns) * sizeof(float), run_pack_rows, &j);
    snprintf(name, sizeof name, "gemm_tn %zu x %zu over %zu rows", rows, columns, depth);
    report_flops(&b, name, flops, run_gemm_tn, &j);
    snprintf(name, sizeof name, "pack_rows and gemm_tn %zu x %zu over %zu", rows, columns, depth);
    report_flops(&b, name, flops, run_both, &j);
}

/* ---- attention ---- */
typedef struct attention {
    const bench *b;
    pl_attention_train a;
    void *workspace;
} attention;

static void run_plain(void *self)
{
    attention *j = self;
    j->b->k->attention(&j->a.f, j->workspace, 0, j->a.f.texts * j->a.f.heads);
}
static void run_forward(void *self)
{
    attention *j = self;
    j->b->t->attention_forward(&j->a, j->workspace, 0, j->a.f.texts * j->a.f.heads);
}
static void run_backward(void *self)
{
    attention *j = self;
    j->b->t->attention_backward(&j->a, j->workspace, 0, j->a.f.texts * j->a.f.heads);
}

static void bench_attention(bench whole, size_t length, size_t heads, size_t width)
{
    bench b = whole;
    size_t texts = length < 480 ? 480 / length : 1, hidden = heads * width, rows = texts * length;
    uint32_t *starts = take(&b, (texts + 1) * sizeof *starts);
    for (size_t t = 0; t <= texts; t++)
        starts[t] = (uint32_t)(t * length);
    uint64_t *keys = take(&b, rows * sizeof *keys);
    for (size_t r = 0; r < rows; r++)
        keys[r] = pl_dropout_row_key(1, 2, r / length, (uint32_t)(r % length));
    pl_dropout dropout = {keys, 3, (uint32_t)(0.1 * 0x1p32), 1.0f / 0.9f};
    float *qkv = floats(&b, rows * 3 * hidden), *dqkv = floats(&b, rows * 3 * hidden);
    attention j = {.b = &b};
    j.a = (pl_attention_train){.f = {.texts = texts,
                                   .heads = heads,
                                   .head_width = width,
                                   .starts = starts,
                                   .q = qkv,
                                   .k = qkv + hidden,
                                   .v = qkv + 2 * hidden,
                                   .stride = 3 * hidden,
                                   .out = floats(&b, rows * hidden),
                                   .out_stride = hidden,
                                   .scale = 0.176776695f},
        .dout = floats(&b, rows * hidden),
        .dout_stride = hidden,
        .dq = dqkv,
        .dk = dqkv + hidden,
        .dv = dqkv + 2 * hidden,
        .dqkv_stride = 3 * hidden};
    j.workspace = take(&b, pl_max(b.k->attention_workspace(length, width), b.t->attention_workspace(length, width)));
    char name[96];
    double flops = 4.0 * (double)(texts * length * length * hidden);
    snprintf(name, sizeof name, "attention forward %zu x %zu, heads of %zu", texts, length, width);
    report_flops(&b, name, flops, run_plain, &j);
    snprintf(name, sizeof name, "attention backward %zu x %zu, heads of %zu", texts, length, width);
    report_flops(&b, name, 2.5 * flops, run_backward, &j);
    j.a.dropout = &dropout;
    snprintf(name, sizeof name, "attention dropout forward %zu x %zu, heads of %zu", texts, length, width);
    report_flops(&b, name, flops, run_forward, &j);
    snprintf(name, sizeof name, "attention dropout backward %zu x %zu, heads of %zu", texts, length, width);
    report_flops(&b, name, 2.5 * flops, run_backward, &j);
}

/* ---- rows and elements ---- */
typedef struct row_job {
    const bench *b;
    pl_norm_train norm;
    pl_act_train act;
    pl_column_sum sum;
    pl_scatter scatter;
    pl_dropout_rows dropout;
    pl_adamw adamw;
    size_t rows, n;
    const float *x;
    double total;
} row_job;

static void run_norm(void *self)
{
    row_job *j = self;
    j->b->t->norm_backward(&j->norm, 0, j->rows);
}
static void run_gains(void *self)
{
    row_job *j = self;
    j->b->t->norm_gains(&j->norm, 0, j->norm.f.width);
}
static void run_act(void *self)
{
    row_job *j = self;
    j->b->t->act_backward(&j->act, 0, j->rows);
}
static void run_sum(void *self)
{
    row_job *j = self;
    j->b->t->column_sum(&j->sum, 0, 384);
}
static void run_scatter(void *self)
{
    row_job *j = self;
    j->b->t->scatter_add(&j->scatter, 0, 384);
}
static void run_dropout(void *self)
{
    row_job *j = self;
    j->b->t->dropout(&j->dropout, 0, j->rows);
}
static void run_adamw(void *self)
{
    row_job *j = self;
    j->b->t->adamw(&j->adamw, 0, j->n);
}
static void run_squares(void *self)
{
    row_job *j = self;
    j->total = j->b->t->sum_squares(j->x, j->n);
}

static void bench_rows(bench whole)
{
    enum { ROWS = 480, WIDTH = 384, MANY = 4 << 20 };
    bench b = whole;
    static uint64_t keys[ROWS];
    static uint32_t index[ROWS];
    static float stats[ROWS][2];
    for (size_t r = 0; r < ROWS; r++) {
        keys[r] = r;
        index[r] = (uint32_t)(r * 7 % 200);
    }
    float *x = floats(&b, ROWS * WIDTH), *y = floats(&b, ROWS * WIDTH), *z = floats(&b, ROWS * WIDTH), *row = floats(&b, WIDTH);
    double bytes = ROWS * WIDTH * sizeof(float);
    row_job j = {.b = &b, .rows = ROWS, .n = MANY, .x = floats(&b, MANY)};
    j.norm = (pl_norm_train){.f = {.width = WIDTH, .x = x, .x_stride = WIDTH, .residual = z, .residual_stride = WIDTH, .gain = row, .eps = 1e-12f},
        .dy = y,
        .dy_stride = WIDTH,
        .dx = floats(&b, ROWS * WIDTH),
        .dx_stride = WIDTH,
        .stats = stats,
        .rows = ROWS,
        .dgain = floats(&b, WIDTH),
        .dshift = floats(&b, WIDTH)};
    report_bytes(&b, "norm_backward 480 x 384 (x, residual, dy, dx)", 4 * bytes, run_norm, &j);
    report_bytes(&b, "norm_gains 480 x 384 (x, residual, dy)", 3 * bytes, run_gains, &j);
    j.sum = (pl_column_sum){.rows = ROWS, .x = x, .stride = WIDTH, .sum = row};
    report_bytes(&b, "column_sum 480 x 384", bytes, run_sum, &j);
    j.scatter = (pl_scatter){.rows = ROWS, .x = x, .stride = WIDTH, .index = index, .table = z, .table_stride = WIDTH};
    report_bytes(&b, "scatter_add 480 x 384", bytes, run_scatter, &j);
    j.dropout = (pl_dropout_rows){.d = {keys, 1, 1u << 28, 1.1f}, .width = WIDTH, .x = x, .y = z, .x_stride = WIDTH, .y_stride = WIDTH};
    report_bytes(&b, "dropout 480 x 384 (x in)", bytes, run_dropout, &j);
    for (unsigned a = 1; a < PL_ACT_COUNT; a++) {
        j.act = (pl_act_train){.act = (pl_act)a, .width = WIDTH, .x = x, .dy = y, .dx = z, .x_stride = WIDTH, .dy_stride = WIDTH, .dx_stride = WIDTH};
        char name[64];
        snprintf(name, sizeof name, "act_backward %s 480 x 384 (x in)", pl_act_name((pl_act)a));
        report_bytes(&b, name, bytes, run_act, &j);
    }
    j.adamw = (pl_adamw){.w = floats(&b, MANY),
        .m = floats(&b, MANY),
        .v = take(&b, MANY * sizeof(float)),
        .gradient = j.x,
        .clip = 1,
        .keep = 0.9999f,
        .b1 = 0.9,
        .b2 = 0.999,
        .step_size = 1e-5f,
        .root2 = 0.1f,
        .eps = 1e-8f};
    report_bytes(&b, "adamw 4 Mi (28 bytes an element)", 28.0 * MANY, run_adamw, &j);
    report_bytes(&b, "sum_squares 4 Mi", 4.0 * MANY, run_squares, &j);
}

int main(int argc, char **argv)
{
    unsigned present = pl_isa_present();
    const char *bf16 = getenv("BENCH_BF16");
    pl_dtype compute = bf16 ? PL_BF16 : PL_F32;
    pl_isa isa = pl_isa_best(present, compute);
    if (argc > 1 && (!pl_isa_parse(argv[1], &isa) || !(present >> isa & 1))) {
        fprintf(stderr, "bench_kernels_train: %s: no such instruction set here\n", argv[1]);
        return 2;
    }
    enum { MEMORY = 256 << 20, HUGE = 2 << 20 };
    char *memory = mmap(NULL, MEMORY + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return 5;
    memory += HUGE - (uintptr_t)memory % HUGE;
    madvise(memory, MEMORY, MADV_HUGEPAGE);
    bench b = {isa, pl_kernels_of(isa, compute), pl_train_kernels_of(isa, compute), argc > 2 ? argv[2] : NULL, memory, MEMORY};
    pl_fp_state state;
    b.k->enter(&state);
    printf("%s, %s\n", b.k->name, pl_dtype_name(b.k->compute));
    static const size_t products[][3] = {{384, 384, 512}, {1152, 384, 512}, {1536, 384, 512}, {384, 1536, 512}, {384, 384, 1024}, {1152, 384, 1024},
        {1536, 384, 1024}, {384, 1536, 1024}, {384, 384, 128}, {768, 768, 512}, {3072, 768, 512}, {768, 3072, 512}, {2, 384, 32}};
    for (size_t i = 0; i < PL_COUNT(products); i++)
        bench_product(b, products[i][0], products[i][1], products[i][2]);
    static const size_t lengths[] = {8, 16, 24, 37, 64, 128, 256, 512, 2048};
    for (size_t i = 0; i < PL_COUNT(lengths); i++)
        bench_attention(b, lengths[i], 12, 32);
    bench_attention(b, 128, 12, 64);
    bench_attention(b, 512, 16, 64);
    bench_rows(b);
    b.k->leave(&state);
    return 0;
}
