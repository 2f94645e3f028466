/* Kernels of one instruction set beside the FMA peak of the same core in the same minute.
 *
 *   bench_kernels [ISA [WORD]]      ISA: avx512 (default: the best), avx2, ...; WORD: cases with it
 *
 * CPU time of the calling thread; each figure is the median of rounds that alternate with the peak. */
#define _GNU_SOURCE /* MADV_HUGEPAGE */
#include "device/device.h"

#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { ROUNDS = 31 };

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
            x[i] = set((float)(i + 2));                                                       \
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
    const pl_kernels *kernels;
    const char *word;
    char *memory; /* the rest of one mapping of huge pages */
    size_t left;
} bench;

static double peak(const bench *b) { return b->isa >= PL_ISA_AVX512 ? peak_512() : peak_256(); }

static void *take(bench *b, size_t bytes)
{
    bytes = pl_round_up(bytes, 4096);
    if (bytes > b->left) {
        fprintf(stderr, "bench_kernels: out of its own memory\n");
        exit(5);
    }
    void *p = b->memory;
    b->memory += bytes;
    b->left -= bytes;
    return p;
}

static float *take_floats(bench *b, size_t n)
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

typedef struct job {
    void (*run)(void *self);
    void *self;
} job;

typedef struct figure {
    double seconds; /* of one run: median */
    double rate;    /* runs per FLOP of the peak measured right before and after: median */
    double peak;    /* FLOP/s: median */
} figure;

static figure measure(const bench *b, job j)
{
    double seconds[ROUNDS], rates[ROUNDS], peaks[ROUNDS];
    j.run(j.self);
    double start = cpu_seconds();
    j.run(j.self);
    double once = cpu_seconds() - start;
    int turns = once > 0.01 ? 1 : (int)(0.01 / (once + 1e-7)) + 1;
    double before = peak(b);
    for (int r = 0; r < ROUNDS; r++) {
        start = cpu_seconds();
        for (int t = 0; t < turns; t++)
            j.run(j.self);
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

static void report_flops(const bench *b, const char *name, double flops, job j)
{
    if (b->word && !strstr(name, b->word))
        return;
    figure f = measure(b, j);
    printf("%-46s %9.1f us %8.1f GF/s  %5.1f %% of %.0f\n", name, f.seconds * 1e6, flops / f.seconds * 1e-9, 100 * flops * f.rate, f.peak * 1e-9);
}

static void report_bytes(const bench *b, const char *name, double bytes, job j)
{
    if (b->word && !strstr(name, b->word))
        return;
    figure f = measure(b, j);
    printf("%-46s %9.1f us %8.2f GB/s\n", name, f.seconds * 1e6, bytes / f.seconds * 1e-9);
}

/* ---- matrix products; the weights of many layers in turn, as a model has them ---- */
typedef struct gemm_case {
    size_t rows, depth, columns;
    pl_act act;
    bool residual, go_on;
} gemm_case;

typedef struct gemm_job {
    const pl_kernels *kernels;
    pl_gemm g;
    char *weights;
    size_t weight_bytes, copies, at;
    void *workspace;
} gemm_job;

static void run_gemm(void *self)
{
    gemm_job *j = self;
    j->g.b = j->weights + j->at * j->weight_bytes;
    j->at = j->at + 1 < j->copies ? j->at + 1 : 0;
    j->kernels->gemm(&j->g, j->workspace, 0, (j->g.columns + j->kernels->panel - 1) / j->kernels->panel);
}

static void bench_gemm(bench whole, gemm_case c)
{
    bench b = whole; /* memory is taken back on return */
    const pl_kernels *k = b.kernels;
    gemm_job j = {.kernels = k, .weight_bytes = k->packed_bytes(c.columns, c.depth)};
    j.copies = ((size_t)16 << 20) / j.weight_bytes + 1;
    j.weights = take(&b, j.copies * j.weight_bytes);
    float *w = take_floats(&b, c.columns * c.depth);
    for (size_t i = 0; i < j.copies; i++)
        k->pack(&(pl_pack){
            .out = j.weights + i * j.weight_bytes, .columns = c.columns, .depth = c.depth, .in = w, .in_stride = c.depth * sizeof *w, .type = PL_F32});
    j.g = (pl_gemm){.rows = c.rows,
        .columns = c.columns,
        .depth = c.depth,
        .a = take_floats(&b, c.rows * c.depth),
        .a_stride = c.depth,
        .c = take_floats(&b, c.rows * c.columns),
        .c_stride = c.columns,
        .bias = take_floats(&b, c.columns),
        .act = c.act,
        .last = true,
        .go_on = c.go_on,
        .residual = c.residual ? take_floats(&b, c.rows * c.columns) : NULL,
        .residual_stride = c.columns};
    j.workspace = take(&b, k->gemm_workspace(c.rows, c.depth));
    char name[96];
    snprintf(name, sizeof name, "gemm %zu x %zu x %zu %s%s%s", c.rows, c.depth, c.columns, pl_act_name(c.act), c.residual ? " +residual" : "",
        c.go_on ? " go_on" : "");
    report_flops(&b, name, 2.0 * (double)c.rows * (double)c.depth * (double)c.columns, (job){run_gemm, &j});
}

/* ---- attention ---- */
typedef struct attention_job {
    const pl_kernels *kernels;
    pl_attention a;
    void *workspace;
} attention_job;

static void run_attention(void *self)
{
    attention_job *j = self;
    j->kernels->attention(&j->a, j->workspace, 0, j->a.texts * j->a.heads);
}

static void bench_attention(bench whole, size_t length, size_t heads, size_t width)
{
    bench b = whole;
    size_t texts = length < 480 ? 480 / length : 1, hidden = heads * width;
    uint32_t *starts = take(&b, (texts + 1) * sizeof *starts);
    for (size_t t = 0; t <= texts; t++)
        starts[t] = (uint32_t)(t * length);
    float *qkv = take_floats(&b, texts * length * 3 * hidden);
    attention_job j = {.kernels = b.kernels};
    j.a = (pl_attention){.texts = texts,
        .heads = heads,
        .head_width = width,
        .starts = starts,
        .q = qkv,
        .k = qkv + hidden,
        .v = qkv + 2 * hidden,
        .stride = 3 * hidden,
        .out = take_floats(&b, texts * length * hidden),
        .out_stride = hidden,
        .scale = 0.176776695f};
    j.workspace = take(&b, b.kernels->attention_workspace(length, width));
    char name[96];
    snprintf(name, sizeof name, "attention %zu texts of %zu, %zu heads of %zu", texts, length, heads, width);
    report_flops(&b, name, 4.0 * (double)(texts * length * length * hidden), (job){run_attention, &j});
}

/* ---- rows and elements ---- */
typedef struct row_job {
    const pl_kernels *kernels;
    pl_norm norm;
    pl_embed_sum sum;
    pl_pool pool;
    pl_pack pack;
    pl_act act;
    size_t rows, texts, n;
    float *x;
    const void *in;
    pl_dtype type;
} row_job;

static void run_norm(void *self)
{
    row_job *j = self;
    j->kernels->norm(&j->norm, 0, j->rows);
}
static void run_sum(void *self)
{
    row_job *j = self;
    j->kernels->embed_sum(&j->sum, 0, j->rows);
}
static void run_pool(void *self)
{
    row_job *j = self;
    j->kernels->pool(&j->pool, 0, j->texts);
}
static void run_unit(void *self)
{
    row_job *j = self;
    j->kernels->unit_length(j->x, 384, 384, 0, j->rows);
}
static void run_act(void *self)
{
    row_job *j = self;
    j->kernels->activate(j->act, j->x, j->n);
}
static void run_widen(void *self)
{
    row_job *j = self;
    j->kernels->widen(j->x, j->in, j->type, j->n);
}
static void run_pack(void *self)
{
    row_job *j = self;
    j->kernels->pack(&j->pack);
}

static void bench_rows(bench whole)
{
    enum { ROWS = 480, WIDTH = 384, TEXTS = 10 };
    bench b = whole;
    static uint32_t starts[TEXTS + 1], positions[ROWS];
    static uint8_t types[ROWS];
    for (size_t t = 0; t <= TEXTS; t++)
        starts[t] = (uint32_t)(t * (ROWS / TEXTS));
    for (size_t r = 0; r < ROWS; r++)
        positions[r] = (uint32_t)(r % (ROWS / TEXTS));
    row_job j = {.kernels = b.kernels, .rows = ROWS, .texts = TEXTS, .n = ROWS * WIDTH};
    float *x = j.x = take_floats(&b, ROWS * WIDTH), *y = take_floats(&b, ROWS * WIDTH);
    float *table = take_floats(&b, ROWS * WIDTH);
    j.norm = (pl_norm){.width = WIDTH,
        .x = y,
        .residual = table,
        .x_stride = WIDTH,
        .residual_stride = WIDTH,
        .y = x,
        .y_stride = WIDTH,
        .gain = table,
        .shift = table,
        .eps = 1e-12f};
    j.sum = (pl_embed_sum){.width = WIDTH, .x = x, .stride = WIDTH, .position = table, .positions = positions, .type = table, .types = types};
    j.pool = (pl_pool){.width = WIDTH, .starts = starts, .x = y, .x_stride = WIDTH, .y = table, .y_stride = WIDTH};
    double bytes = ROWS * WIDTH * sizeof(float);
    report_bytes(&b, "norm 480 x 384 (x, residual, y)", 3 * bytes, (job){run_norm, &j});
    report_bytes(&b, "embed_sum 480 x 384 (x in and out)", 2 * bytes, (job){run_sum, &j});
    for (unsigned m = 0; m < PL_POOLING_COUNT; m++) {
        j.pool.mode = (pl_pooling)m;
        char name[64];
        snprintf(name, sizeof name, "pool mode %u, 10 texts of 48 x 384", m);
        report_bytes(&b, name, bytes, (job){run_pool, &j});
    }
    report_bytes(&b, "unit_length 480 x 384", bytes, (job){run_unit, &j});
    for (unsigned a = 1; a < PL_ACT_COUNT; a++) {
        j.act = (pl_act)a;
        char name[64];
        snprintf(name, sizeof name, "activate %s 480 x 384", pl_act_name(j.act));
        report_bytes(&b, name, bytes, (job){run_act, &j});
    }
}

static void bench_weights(bench whole)
{
    enum { COLUMNS = 1536, DEPTH = 1152 };
    static const struct {
        pl_dtype type;
        const char *name;
    } types[] = {{PL_F32, "F32"}, {PL_F16, "F16"}, {PL_BF16, "BF16"}, {PL_F64, "F64"}};
    for (size_t i = 0; i < PL_COUNT(types); i++) {
        bench b = whole;
        row_job j = {.kernels = b.kernels, .type = types[i].type, .n = COLUMNS * DEPTH};
        size_t in_bytes = j.n * pl_dtype_bytes(j.type);
        j.x = take(&b, j.n * sizeof(float));
        char *in = take(&b, in_bytes);
        memset(in, 0x21, in_bytes);
        j.in = in;
        j.pack = (pl_pack){.out = take(&b, b.kernels->packed_bytes(COLUMNS, DEPTH)),
            .columns = COLUMNS,
            .depth = DEPTH,
            .in = in,
            .in_stride = DEPTH * pl_dtype_bytes(j.type),
            .type = j.type};
        char name[64];
        snprintf(name, sizeof name, "pack %s 1536 x 1152 (bytes read)", types[i].name);
        report_bytes(&b, name, (double)in_bytes, (job){run_pack, &j});
        snprintf(name, sizeof name, "widen %s (bytes read)", types[i].name);
        report_bytes(&b, name, (double)in_bytes, (job){run_widen, &j});
    }
}

/* ---- a whole encoder, tile by tile: what the kernels alone allow end to end ---- */
typedef struct encoder {
    const pl_kernels *kernels;
    size_t rows, hidden, inner, heads, layers, texts;
    uint32_t *starts;
    char *weights;
    size_t qkv_bytes, out_bytes, up_bytes, down_bytes;
    float *x, *qkv, *context, *y, *h, *vectors;
    void *workspace;
} encoder;

static void encoder_product(const encoder *e, const char *weights, size_t columns, size_t depth, const float *a, float *c, pl_act act, const float *residual)
{
    pl_gemm g = {.rows = e->rows,
        .columns = columns,
        .depth = depth,
        .a = a,
        .a_stride = depth,
        .b = weights,
        .c = c,
        .c_stride = columns,
        .bias = e->vectors,
        .act = act,
        .residual = residual,
        .residual_stride = columns,
        .last = true};
    e->kernels->gemm(&g, e->workspace, 0, (columns + e->kernels->panel - 1) / e->kernels->panel);
}

static void encoder_norm(const encoder *e, float *x)
{
    pl_norm n = {.width = e->hidden, .x = x, .x_stride = e->hidden, .y = x, .y_stride = e->hidden, .gain = e->vectors, .shift = e->vectors, .eps = 1e-12f};
    e->kernels->norm(&n, 0, e->rows);
}

static void run_encoder(void *self)
{
    const encoder *e = self;
    const char *w = e->weights;
    size_t hidden = e->hidden, width = hidden / e->heads;
    for (size_t layer = 0; layer < e->layers; layer++) {
        encoder_product(e, w, 3 * hidden, hidden, e->x, e->qkv, PL_ACT_NONE, NULL);
        w += e->qkv_bytes;
        pl_attention a = {.texts = e->texts,
            .heads = e->heads,
            .head_width = width,
            .starts = e->starts,
            .q = e->qkv,
            .k = e->qkv + hidden,
            .v = e->qkv + 2 * hidden,
            .stride = 3 * hidden,
            .out = e->context,
            .out_stride = hidden,
            .scale = 0.176776695f};
        e->kernels->attention(&a, e->workspace, 0, e->texts * e->heads);
        encoder_product(e, w, hidden, hidden, e->context, e->y, PL_ACT_NONE, e->x);
        w += e->out_bytes;
        encoder_norm(e, e->y);
        encoder_product(e, w, e->inner, hidden, e->y, e->h, PL_ACT_GELU, NULL);
        w += e->up_bytes;
        encoder_product(e, w, hidden, e->inner, e->h, e->x, PL_ACT_NONE, e->y);
        w += e->down_bytes;
        encoder_norm(e, e->x);
    }
}

static void bench_encoder(bench whole, size_t rows, size_t length)
{
    bench b = whole;
    const pl_kernels *k = b.kernels;
    encoder e = {.kernels = k, .rows = rows, .hidden = 384, .inner = 1536, .heads = 12, .layers = 6};
    e.texts = (rows + length - 1) / length;
    e.starts = take(&b, (e.texts + 1) * sizeof *e.starts);
    for (size_t t = 0; t <= e.texts; t++)
        e.starts[t] = (uint32_t)pl_min(t * length, rows);
    e.qkv_bytes = k->packed_bytes(3 * e.hidden, e.hidden);
    e.out_bytes = k->packed_bytes(e.hidden, e.hidden);
    e.up_bytes = k->packed_bytes(e.inner, e.hidden);
    e.down_bytes = k->packed_bytes(e.hidden, e.inner);
    size_t layer = e.qkv_bytes + e.out_bytes + e.up_bytes + e.down_bytes;
    e.weights = (char *)take_floats(&b, e.layers * layer / sizeof(float));
    e.x = take_floats(&b, rows * e.hidden);
    e.y = take_floats(&b, rows * e.hidden);
    e.context = take_floats(&b, rows * e.hidden);
    e.qkv = take_floats(&b, rows * 3 * e.hidden);
    e.h = take_floats(&b, rows * e.inner);
    e.vectors = take_floats(&b, e.inner);
    e.workspace = take(
        &b, pl_max(pl_max(k->gemm_workspace(rows, e.hidden), k->gemm_workspace(rows, e.inner)), k->attention_workspace(length, e.hidden / e.heads)));
    double products = 2.0 * (double)rows * (double)e.layers * 12 * (double)(e.hidden * e.hidden);
    double scores = 4.0 * (double)rows * (double)(length * e.hidden * e.layers);
    char name[96];
    snprintf(name, sizeof name, "encoder MiniLM, %zu rows, texts of %zu", rows, length);
    report_flops(&b, name, products + scores, (job){run_encoder, &e});
}

int main(int argc, char **argv)
{
    unsigned present = pl_isa_present();
    pl_isa isa = pl_isa_best(present, PL_F32);
    if (argc > 1 && (!pl_isa_parse(argv[1], &isa) || !(present >> isa & 1))) {
        fprintf(stderr, "bench_kernels: %s: no such instruction set here\n", argv[1]);
        return 2;
    }
    enum { MEMORY = 256 << 20, HUGE = 2 << 20 };
    char *memory = mmap(NULL, MEMORY + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return 5;
    memory += HUGE - (uintptr_t)memory % HUGE;
    madvise(memory, MEMORY, MADV_HUGEPAGE);
    const char *bf16 = getenv("BENCH_BF16");
    bench b = {isa, pl_kernels_of(isa, bf16 ? PL_BF16 : PL_F32), argc > 2 ? argv[2] : NULL, memory, MEMORY};
    printf("%s, %s\n", b.kernels->name, pl_dtype_name(b.kernels->compute));
    static const gemm_case gemms[] = {
        {480, 384, 1152, PL_ACT_NONE, false, false},
        {480, 384, 384, PL_ACT_NONE, true, false},
        {480, 384, 1536, PL_ACT_GELU, false, false},
        {480, 1536, 384, PL_ACT_NONE, true, false},
        {240, 384, 1152, PL_ACT_NONE, false, false},
        {240, 1536, 384, PL_ACT_NONE, true, false},
        {240, 384, 1536, PL_ACT_GELU, false, false},
        {360, 384, 96, PL_ACT_NONE, false, false},
        {360, 384, 32, PL_ACT_NONE, false, false},
        {240, 128, 512, PL_ACT_NONE, false, false},
        {240, 768, 3072, PL_ACT_GELU, false, false},
        {240, 1024, 4096, PL_ACT_GELU, false, false},
        {240, 256, 1024, PL_ACT_NONE, false, true},
        {480, 384, 1536, PL_ACT_GELU_NEW, false, false},
        {480, 384, 1536, PL_ACT_RELU, false, false},
        {1, 384, 1536, PL_ACT_GELU, false, false},
        {2, 384, 1536, PL_ACT_GELU, false, false},
        {3, 384, 1536, PL_ACT_GELU, false, false},
        {4, 384, 1536, PL_ACT_GELU, false, false},
        {5, 384, 1536, PL_ACT_GELU, false, false},
        {6, 384, 1536, PL_ACT_GELU, false, false},
        {8, 384, 1536, PL_ACT_GELU, false, false},
        {1, 1536, 384, PL_ACT_NONE, true, false},
        {6, 1536, 384, PL_ACT_NONE, true, false},
        {12, 384, 1536, PL_ACT_GELU, false, false},
        {26, 384, 1536, PL_ACT_GELU, false, false},
        {37, 384, 1536, PL_ACT_GELU, false, false},
    };
    for (size_t i = 0; i < PL_COUNT(gemms); i++)
        bench_gemm(b, gemms[i]);
    static const size_t lengths[] = {5, 8, 16, 24, 37, 48, 64, 128, 256, 512, 2048};
    for (size_t i = 0; i < PL_COUNT(lengths); i++)
        bench_attention(b, lengths[i], 12, 32);
    bench_attention(b, 128, 12, 64);
    bench_attention(b, 512, 16, 64);
    bench_rows(b);
    bench_weights(b);
    bench_encoder(b, 480, 48);
    bench_encoder(b, 240, 48);
    bench_encoder(b, 120, 48);
    bench_encoder(b, 192, 48);
    bench_encoder(b, 360, 20);
    bench_encoder(b, 480, 240);
    bench_encoder(b, 8, 8);
    bench_encoder(b, 1, 1);
    return 0;
}
