/* The bf16 kernels beside the peak of their own instruction in the same minute.
 *
 *   bench_kernels_bf16 [ISA [WORD]]   ISA: amx, avx512_bf16 (default: the best); WORD: cases with it
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

enum { ROUNDS = 15 };

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- the peak: products of registers or tiles that do not wait for each other ---- */
static double peak_tiles(void)
{
    enum { TURNS = 30000 };
    double start = cpu_seconds();
    for (int i = 0; i < TURNS; i++)
        __asm__ volatile("tdpbf16ps %tmm6, %tmm4, %tmm0; tdpbf16ps %tmm7, %tmm4, %tmm1; tdpbf16ps %tmm6, %tmm5, %tmm2; tdpbf16ps %tmm7, %tmm5, %tmm3");
    return 4.0 * 16384 * TURNS / (cpu_seconds() - start);
}

__attribute__((target("avx512f,avx512bf16"))) static double peak_vectors(void)
{
    enum { CHAINS = 16, TURNS = 100000 };
    __m512 x[CHAINS];
    __m512i m = _mm512_set1_epi32(0x3F803F80);
    for (int i = 0; i < CHAINS; i++)
        x[i] = _mm512_setzero_ps();
    double start = cpu_seconds();
    for (int t = 0; t < TURNS; t++)
        _Pragma("GCC unroll 16") for (int i = 0; i < CHAINS; i++) __asm__ volatile("vdpbf16ps %1, %1, %0" : "+v"(x[i]) : "v"(m));
    return 64.0 * CHAINS * TURNS / (cpu_seconds() - start);
}

typedef struct bench {
    pl_isa isa;
    const pl_kernels *kernels;
    const char *word;
    char *memory; /* the rest of one mapping of huge pages */
    size_t left;
} bench;

static double peak(const bench *b) { return b->isa == PL_ISA_AMX ? peak_tiles() : peak_vectors(); }

static void *take(bench *b, size_t bytes)
{
    bytes = pl_round_up(bytes, 4096);
    if (bytes > b->left) {
        fprintf(stderr, "bench_kernels_bf16: out of its own memory\n");
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

/* n elements of an activation of the type; bf16 ones are the upper halves of floats. */
static void *take_elements(bench *b, size_t n, pl_dtype type)
{
    if (type == PL_F32)
        return take_floats(b, n);
    uint16_t *p = take(b, n * 2);
    bench rest = *b;
    float *from = take_floats(&rest, n);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, from + i, sizeof bits);
        p[i] = (uint16_t)(bits >> 16);
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
    int turns = once > 0.005 ? 1 : (int)(0.005 / (once + 1e-7)) + 1;
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

static void report(const bench *b, const char *name, double flops, double rows, job j)
{
    if (b->word && !strstr(name, b->word))
        return;
    figure f = measure(b, j);
    printf("%-52s %9.1f us %7.3f us/row %7.1f GF/s  %5.1f %% of %.0f\n", name, f.seconds * 1e6, f.seconds * 1e6 / rows, flops / f.seconds * 1e-9,
        100 * flops * f.rate, f.peak * 1e-9);
}

/* ---- matrix products; the weights of many layers in turn, as a model has them ---- */
typedef struct gemm_case {
    size_t rows, depth, columns;
    pl_act act;
    bool residual;
    pl_dtype a_type, c_type;
} gemm_case;

typedef struct gemm_job {
    const pl_kernels *kernels;
    pl_gemm g;
    char *weights;
    size_t weight_bytes, copies, at;
    void *workspace;
} gemm_job;

static size_t panels(const pl_kernels *k, size_t columns) { return (columns + k->panel - 1) / k->panel; }

static void run_gemm(void *self)
{
    gemm_job *j = self;
    j->g.b = j->weights + j->at * j->weight_bytes;
    j->at = j->copies ? (j->at + 1) % j->copies : 0;
    j->kernels->gemm(&j->g, j->workspace, 0, panels(j->kernels, j->g.columns));
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
        .a = take_elements(&b, c.rows * c.depth, c.a_type),
        .a_stride = c.depth,
        .a_type = c.a_type,
        .c = take_elements(&b, c.rows * c.columns, c.c_type),
        .c_stride = c.columns,
        .c_type = c.c_type,
        .bias = take_floats(&b, c.columns),
        .act = c.act,
        .last = true,
        .residual = c.residual ? take_floats(&b, c.rows * c.columns) : NULL,
        .residual_stride = c.columns};
    j.workspace = take(&b, k->gemm_workspace(c.rows, c.depth));
    char name[96];
    snprintf(name, sizeof name, "gemm %zu x %zu x %zu %s%s %s -> %s", c.rows, c.depth, c.columns, pl_act_name(c.act), c.residual ? " +residual" : "",
        pl_dtype_name(c.a_type), pl_dtype_name(c.c_type));
    report(&b, name, 2.0 * (double)c.rows * (double)c.depth * (double)c.columns, (double)c.rows, (job){run_gemm, &j});
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

static void bench_attention(bench whole, size_t length, size_t heads, size_t width, pl_dtype type)
{
    bench b = whole;
    size_t texts = length < 240 ? 240 / length : 1, hidden = heads * width, bytes = pl_dtype_bytes(type);
    uint32_t *starts = take(&b, (texts + 1) * sizeof *starts);
    for (size_t t = 0; t <= texts; t++)
        starts[t] = (uint32_t)(t * length);
    char *qkv = take_elements(&b, texts * length * 3 * hidden, type);
    attention_job j = {.kernels = b.kernels};
    j.a = (pl_attention){.texts = texts,
        .heads = heads,
        .head_width = width,
        .starts = starts,
        .stride = 3 * hidden,
        .out_stride = hidden,
        .scale = 0.176776695f,
        .in_type = type,
        .out_type = type};
    j.a.q = (void *)qkv;
    j.a.k = (void *)(qkv + hidden * bytes);
    j.a.v = (void *)(qkv + 2 * hidden * bytes);
    j.a.out = take_elements(&b, texts * length * hidden, type);
    j.workspace = take(&b, b.kernels->attention_workspace(length, width));
    char name[96];
    snprintf(name, sizeof name, "attention %zu texts of %zu, %zu heads of %zu, %s", texts, length, heads, width, pl_dtype_name(type));
    report(&b, name, 4.0 * (double)(texts * length * length * hidden), (double)(texts * length), (job){run_attention, &j});
}

/* ---- a whole encoder, tile by tile: what the kernels alone allow end to end ---- */
typedef struct encoder {
    const pl_kernels *kernels;
    size_t rows, hidden, inner, heads, layers, texts, skip; /* skip: 1 products, 2 attention, 4 norms */
    uint32_t *starts;
    char *weights;
    size_t qkv_bytes, out_bytes, up_bytes, down_bytes;
    pl_dtype type; /* of what only products and attention read */
    float *x, *y, *vectors;
    char *qkv, *context, *h;
    void *workspace;
} encoder;

static void encoder_product(const encoder *e, pl_gemm g, size_t columns, size_t depth)
{
    g.rows = e->rows;
    g.columns = g.c_stride = g.residual_stride = columns;
    g.depth = g.a_stride = depth;
    g.bias = e->vectors;
    g.last = true;
    if (!(e->skip & 1))
        e->kernels->gemm(&g, e->workspace, 0, panels(e->kernels, columns));
}

static void encoder_norm(const encoder *e, float *x)
{
    pl_norm n = {.width = e->hidden, .x = x, .x_stride = e->hidden, .y = x, .y_stride = e->hidden, .gain = e->vectors, .shift = e->vectors, .eps = 1e-12f};
    if (!(e->skip & 4))
        e->kernels->norm(&n, 0, e->rows);
}

static void run_encoder(void *self)
{
    const encoder *e = self;
    const char *w = e->weights;
    size_t hidden = e->hidden, width = hidden / e->heads, bytes = pl_dtype_bytes(e->type);
    for (size_t layer = 0; layer < e->layers; layer++) {
        encoder_product(e, (pl_gemm){.a = e->x, .b = w, .c = (void *)e->qkv, .c_type = e->type}, 3 * hidden, hidden);
        w += e->qkv_bytes;
        pl_attention a = {.texts = e->texts,
            .heads = e->heads,
            .head_width = width,
            .starts = e->starts,
            .stride = 3 * hidden,
            .out_stride = hidden,
            .scale = 0.176776695f,
            .in_type = e->type,
            .out_type = e->type};
        a.q = (void *)e->qkv;
        a.k = (void *)(e->qkv + hidden * bytes);
        a.v = (void *)(e->qkv + 2 * hidden * bytes);
        a.out = (void *)e->context;
        if (!(e->skip & 2))
            e->kernels->attention(&a, e->workspace, 0, e->texts * e->heads);
        encoder_product(e, (pl_gemm){.a = (void *)e->context, .a_type = e->type, .b = w, .c = e->y, .residual = e->x}, hidden, hidden);
        w += e->out_bytes;
        encoder_norm(e, e->y);
        encoder_product(e, (pl_gemm){.a = e->y, .b = w, .c = (void *)e->h, .c_type = e->type, .act = PL_ACT_GELU}, e->inner, hidden);
        w += e->up_bytes;
        encoder_product(e, (pl_gemm){.a = (void *)e->h, .a_type = e->type, .b = w, .c = e->x, .residual = e->y}, hidden, e->inner);
        w += e->down_bytes;
        encoder_norm(e, e->x);
    }
}

static void bench_encoder(bench whole, size_t rows, size_t length, pl_dtype type, size_t skip)
{
    bench b = whole;
    const pl_kernels *k = b.kernels;
    encoder e = {.kernels = k, .rows = rows, .hidden = 384, .inner = 1536, .heads = 12, .layers = 6, .type = type, .skip = skip};
    e.texts = (rows + length - 1) / length;
    e.starts = take(&b, (e.texts + 1) * sizeof *e.starts);
    for (size_t t = 0; t <= e.texts; t++)
        e.starts[t] = (uint32_t)pl_min(t * length, rows);
    e.qkv_bytes = k->packed_bytes(3 * e.hidden, e.hidden);
    e.out_bytes = k->packed_bytes(e.hidden, e.hidden);
    e.up_bytes = k->packed_bytes(e.inner, e.hidden);
    e.down_bytes = k->packed_bytes(e.hidden, e.inner);
    size_t layer = e.qkv_bytes + e.out_bytes + e.up_bytes + e.down_bytes;
    e.weights = take_elements(&b, e.layers * layer / 2, PL_BF16);
    e.x = take_floats(&b, rows * e.hidden);
    e.y = take_floats(&b, rows * e.hidden);
    e.context = take_elements(&b, rows * e.hidden, type);
    e.qkv = take_elements(&b, rows * 3 * e.hidden, type);
    e.h = take_elements(&b, rows * e.inner, type);
    e.vectors = take_floats(&b, e.inner);
    e.workspace = take(
        &b, pl_max(pl_max(k->gemm_workspace(rows, e.hidden), k->gemm_workspace(rows, e.inner)), k->attention_workspace(length, e.hidden / e.heads)));
    double products = 2.0 * (double)rows * (double)e.layers * 12 * (double)(e.hidden * e.hidden);
    double scores = 4.0 * (double)rows * (double)(length * e.hidden * e.layers);
    char name[96];
    snprintf(name, sizeof name, "encoder MiniLM, %zu rows, texts of %zu, %s%s%s%s", rows, length, pl_dtype_name(type), skip & 1 ? " -products" : "",
        skip & 2 ? " -attention" : "", skip & 4 ? " -norms" : "");
    report(&b, name, products + scores, (double)rows, (job){run_encoder, &e});
}

static void bench_all(bench b)
{
    static const gemm_case gemms[] = {
        {480, 384, 1152, PL_ACT_NONE, false, PL_F32, PL_F32},
        {480, 384, 1152, PL_ACT_NONE, false, PL_F32, PL_BF16},
        {480, 384, 384, PL_ACT_NONE, true, PL_F32, PL_F32},
        {480, 384, 384, PL_ACT_NONE, true, PL_BF16, PL_F32},
        {480, 384, 1536, PL_ACT_GELU, false, PL_F32, PL_F32},
        {480, 384, 1536, PL_ACT_GELU, false, PL_F32, PL_BF16},
        {480, 1536, 384, PL_ACT_NONE, true, PL_F32, PL_F32},
        {480, 1536, 384, PL_ACT_NONE, true, PL_BF16, PL_F32},
        {240, 384, 1152, PL_ACT_NONE, false, PL_F32, PL_F32},
        {240, 384, 1152, PL_ACT_NONE, false, PL_F32, PL_BF16},
        {240, 384, 384, PL_ACT_NONE, true, PL_F32, PL_F32},
        {240, 384, 384, PL_ACT_NONE, true, PL_BF16, PL_F32},
        {240, 384, 1536, PL_ACT_GELU, false, PL_F32, PL_F32},
        {240, 384, 1536, PL_ACT_GELU, false, PL_F32, PL_BF16},
        {240, 1536, 384, PL_ACT_NONE, true, PL_F32, PL_F32},
        {240, 1536, 384, PL_ACT_NONE, true, PL_BF16, PL_F32},
        {240, 1024, 4096, PL_ACT_GELU, false, PL_F32, PL_BF16},
        {240, 4096, 1024, PL_ACT_NONE, true, PL_BF16, PL_F32},
        {240, 384, 1536, PL_ACT_GELU_NEW, false, PL_F32, PL_F32},
        {240, 384, 1536, PL_ACT_SILU, false, PL_F32, PL_F32},
        {240, 384, 96, PL_ACT_NONE, false, PL_F32, PL_F32},
        {1, 384, 1536, PL_ACT_GELU, false, PL_F32, PL_F32},
        {8, 384, 1536, PL_ACT_GELU, false, PL_F32, PL_F32},
        {8, 1536, 384, PL_ACT_NONE, true, PL_F32, PL_F32},
        {16, 384, 1536, PL_ACT_GELU, false, PL_F32, PL_F32},
        {26, 384, 1536, PL_ACT_GELU, false, PL_F32, PL_F32},
        {37, 384, 1536, PL_ACT_GELU, false, PL_F32, PL_F32},
        {64, 384, 1536, PL_ACT_GELU, false, PL_F32, PL_F32},
    };
    for (size_t i = 0; i < PL_COUNT(gemms); i++)
        bench_gemm(b, gemms[i]);
    static const size_t lengths[] = {1, 8, 16, 24, 37, 48, 64, 128, 256, 512, 2048, 8192};
    for (size_t i = 0; i < PL_COUNT(lengths); i++)
        bench_attention(b, lengths[i], 12, 32, PL_BF16);
    bench_attention(b, 48, 12, 32, PL_F32);
    bench_attention(b, 256, 12, 32, PL_F32);
    bench_attention(b, 128, 12, 64, PL_BF16);
    bench_attention(b, 512, 16, 64, PL_BF16);
    for (size_t rows = 120; rows <= 480; rows += 120) {
        bench_encoder(b, rows, 48, PL_F32, 0);
        bench_encoder(b, rows, 48, PL_BF16, 0);
    }
    for (size_t skip = 1; skip <= 4; skip *= 2)
        bench_encoder(b, 240, 48, PL_BF16, skip);
    bench_encoder(b, 240, 16, PL_BF16, 0);
    bench_encoder(b, 240, 240, PL_BF16, 0);
    bench_encoder(b, 8, 8, PL_BF16, 0);
    bench_encoder(b, 1, 1, PL_BF16, 0);
}

int main(int argc, char **argv)
{
    unsigned present = pl_isa_present();
    pl_isa isa = present >> PL_ISA_AMX & 1 ? PL_ISA_AMX : PL_ISA_AVX512_BF16;
    if ((argc > 1 && !pl_isa_parse(argv[1], &isa)) || isa < PL_ISA_AVX512_BF16 || !(present >> isa & 1)) {
        fprintf(stderr, "bench_kernels_bf16: %s: no such instruction set here, or none for bf16\n", argc > 1 ? argv[1] : pl_isa_name(isa));
        return 2;
    }
    enum { MEMORY = 384 << 20, HUGE = 2 << 20 };
    char *memory = mmap(NULL, MEMORY + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return 5;
    memory += HUGE - (uintptr_t)memory % HUGE;
    madvise(memory, MEMORY, MADV_HUGEPAGE);
    bench b = {isa, pl_kernels_of(isa, PL_BF16), argc > 2 ? argv[2] : NULL, memory, MEMORY};
    printf("%s, %s\n", b.kernels->name, pl_dtype_name(b.kernels->compute));
    pl_fp_state state;
    b.kernels->enter(&state);
    bench_all(b);
    b.kernels->leave(&state);
    return 0;
}
