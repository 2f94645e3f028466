/* Training kernels for a script: train_main ISA OPERATION [NUMBER...] < floats > floats.
 *
 *   product ROWS COLUMNS DEPTH                          a b -> c
 *   attention TEXTS HEADS WIDTH SCALE SITE THRESHOLD DROPSCALE LENGTH...   q k v dout -> out dq dk dv
 *   norm ROWS WIDTH EPS                                 x residual gain shift dy -> y dx dgain dshift
 *   activation ACT N                                    x dy -> y dx
 *   adamw N STEPS LR B1 B2 EPS DECAY CLIP               w gradient... -> w m v
 *   log N                                               x -> log x
 *
 * Row keys are pl_dropout_row_key(7, 5, text, row in the text); threshold "none" is no dropout. */
#include "device/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct table {
    const pl_kernels *k;
    const pl_train_kernels *t;
    char **next;
} table;

static void *take(size_t bytes)
{
    void *p = aligned_alloc(64, pl_round_up(bytes + 64, 64));
    if (!p)
        exit(5);
    memset(p, 0, pl_round_up(bytes + 64, 64));
    return p;
}

static float *blank(size_t n) { return take(n * sizeof(float)); }

static float *in(size_t n)
{
    float *p = blank(n);
    if (fread(p, sizeof *p, n, stdin) != n)
        exit(3);
    return p;
}

static void out(const float *p, size_t n)
{
    if (fwrite(p, sizeof *p, n, stdout) != n)
        exit(5);
}

static const char *word(table *t)
{
    if (!*t->next)
        exit(2);
    return *t->next++;
}

static size_t count(table *t) { return strtoul(word(t), NULL, 10); }
static double number(table *t) { return strtod(word(t), NULL); }

static void product(table *t)
{
    size_t rows = count(t), columns = count(t), depth = count(t);
    float *a = in(depth * rows), *b = in(depth * columns), *c = blank(rows * columns);
    void *packed = take(t->k->packed_bytes(columns, depth)), *workspace = take(t->t->gemm_tn_workspace(rows, depth));
    t->t->pack_rows(&(pl_pack_rows){.out = packed, .columns = columns, .depth = depth, .rows = depth, .in = b, .in_stride = columns});
    t->t->gemm_tn(
        &(pl_gemm){.rows = rows, .columns = columns, .depth = depth, .a = a, .a_stride = rows, .b = packed, .c = c, .c_stride = columns, .last = true}, NULL,
        workspace, 0, (columns + t->k->panel - 1) / t->k->panel);
    out(c, rows * columns);
}

static void attention(table *t)
{
    size_t texts = count(t), heads = count(t), width = count(t), hidden = heads * width, longest = 0;
    float scale = (float)number(t);
    uint32_t site = (uint32_t)count(t);
    const char *threshold = word(t);
    float drop_scale = (float)number(t);
    uint32_t *starts = take((texts + 1) * sizeof *starts);
    for (size_t i = 0; i < texts; i++) {
        size_t length = count(t);
        starts[i + 1] = starts[i] + (uint32_t)length;
        longest = pl_max(longest, length);
    }
    size_t rows = starts[texts], n = rows * hidden;
    uint64_t *keys = take(rows * sizeof *keys);
    for (size_t i = 0; i < texts; i++)
        for (uint32_t row = starts[i]; row < starts[i + 1]; row++)
            keys[row] = pl_dropout_row_key(7, 5, i, row - starts[i]);
    pl_dropout d = {keys, site, (uint32_t)strtoul(threshold, NULL, 10), drop_scale};
    float *q = in(n), *k = in(n), *v = in(n), *dout = in(n), *o = blank(n), *dq = blank(n), *dk = blank(n), *dv = blank(n);
    pl_attention_train a = {.f = {.texts = texts,
                                .heads = heads,
                                .head_width = width,
                                .starts = starts,
                                .q = q,
                                .k = k,
                                .v = v,
                                .stride = hidden,
                                .out = o,
                                .out_stride = hidden,
                                .scale = scale},
        .dropout = strcmp(threshold, "none") == 0 ? NULL : &d,
        .dout = dout,
        .dout_stride = hidden,
        .dq = dq,
        .dk = dk,
        .dv = dv,
        .dqkv_stride = hidden};
    void *workspace = take(t->t->attention_workspace(longest, width));
    t->t->attention_forward(&a, workspace, 0, texts * heads);
    t->t->attention_backward(&a, workspace, 0, texts * heads);
    out(o, n);
    out(dq, n);
    out(dk, n);
    out(dv, n);
}

static void norm(table *t)
{
    size_t rows = count(t), width = count(t), n = rows * width;
    float eps = (float)number(t);
    float *x = in(n), *residual = in(n), *gain = in(width), *shift = in(width), *dy = in(n);
    float *y = blank(n), *dx = blank(n), *stats = blank(2 * rows), *dgain = blank(width), *dshift = blank(width);
    pl_norm_train p = {.f = {.width = width,
                           .x = x,
                           .residual = residual,
                           .x_stride = width,
                           .residual_stride = width,
                           .y = y,
                           .y_stride = width,
                           .gain = gain,
                           .shift = shift,
                           .eps = eps},
        .dy = dy,
        .dy_stride = width,
        .dx = dx,
        .dx_stride = width,
        .stats = (float(*)[2])(void *)stats,
        .rows = rows,
        .dgain = dgain,
        .dshift = dshift};
    t->k->norm(&p.f, 0, rows);
    t->t->norm_backward(&p, 0, rows);
    t->t->norm_gains(&p, 0, width);
    out(y, n);
    out(dx, n);
    out(dgain, width);
    out(dshift, width);
}

static void activation(table *t)
{
    pl_act act;
    if (!pl_act_parse(word(t), &act))
        exit(2);
    size_t n = count(t);
    float *x = in(n), *dy = in(n), *dx = blank(n);
    t->t->act_backward(&(pl_act_train){.act = act, .width = n, .x = x, .dy = dy, .dx = dx}, 0, 1);
    t->k->activate(act, x, n);
    out(x, n);
    out(dx, n);
}

static void adamw(table *t)
{
    size_t n = count(t), steps = count(t);
    double lr = number(t), b1 = number(t), b2 = number(t), eps = number(t), decay = number(t), clip = number(t);
    pl_adamw a = {.w = in(n), .m = blank(n), .v = blank(n), .clip = (float)clip, .keep = (float)(1 - lr * decay), .b1 = b1, .b2 = b2, .eps = (float)eps};
    for (size_t i = 1; i <= steps; i++) {
        a.gradient = in(n);
        a.step_size = (float)(lr / (1 - pow(b1, (double)i)));
        a.root2 = (float)sqrt(1 - pow(b2, (double)i));
        t->t->adamw(&a, 0, n);
    }
    out(a.w, n);
    out(a.m, n);
    out(a.v, n);
}

static void logs(table *t)
{
    size_t n = count(t);
    float *x = in(n);
    for (size_t i = 0; i < n; i++)
        x[i] = pl_math_log(x[i]);
    out(x, n);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(table *t);
    } operations[] = {{"product", product}, {"attention", attention}, {"norm", norm}, {"activation", activation}, {"adamw", adamw}, {"log", logs}};
    pl_isa isa;
    if (argc < 3 || !pl_isa_parse(argv[1], &isa) || !(pl_isa_present() >> isa & 1))
        return 2;
    table t = {pl_kernels_of(isa, PL_F32), pl_train_kernels_of(isa, PL_F32), argv + 3};
    for (size_t i = 0; i < PL_COUNT(operations); i++)
        if (strcmp(argv[2], operations[i].name) == 0) {
            operations[i].run(&t);
            return 0;
        }
    return 2;
}
