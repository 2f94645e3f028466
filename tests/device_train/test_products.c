/* Packing of rows and C = A^T B: every table against the reference, cuts against the whole. */
#include "device_train/train.h"

#include <math.h>
#include <string.h>

typedef struct product {
    size_t rows, columns, depth, a_stride, b_stride, c_stride;
    float *a, *b, *c;
    bool go_on;
} product;

static product product_make(dice *d, size_t rows, size_t columns, size_t depth, bool wild)
{
    product p = {.rows = rows, .columns = columns, .depth = depth, .go_on = dice_one_in(d, 2)};
    p.a_stride = rows + dice_between(d, 0, 9);
    p.b_stride = columns + dice_between(d, 0, 9);
    p.c_stride = columns + dice_between(d, 0, 9);
    p.a = floats_take(d, depth ? (depth - 1) * p.a_stride + rows : 0, wild);
    p.b = floats_take(d, depth ? (depth - 1) * p.b_stride + columns : 0, wild);
    p.c = floats_take(d, (rows - 1) * p.c_stride + columns, false);
    return p;
}

static size_t c_floats(const product *p) { return (p->rows - 1) * p->c_stride + p->columns; }

static void product_free(product *p)
{
    floats_free(p->a);
    floats_free(p->b);
    floats_free(p->c);
}

/* Rows [from, from + depth) of the depth, packed in two calls and multiplied in three ranges of panels. */
static void multiply(dice *d, pair t, const product *p, size_t from, size_t depth, float *c, bool go_on, bool last)
{
    size_t bytes = t.k->packed_bytes(p->columns, depth);
    char *packed = workspace_take(bytes + 64);
    memset(packed + bytes, 0x5A, 64);
    size_t part = dice_between(d, 0, depth), panels = (p->columns + t.k->panel - 1) / t.k->panel;
    pl_pack_rows pack = {.out = packed, .columns = p->columns, .depth = depth, .rows = part, .in = p->b + from * p->b_stride, .in_stride = p->b_stride};
    t.t->pack_rows(&pack);
    pack.first_row = part;
    pack.rows = depth - part;
    pack.in += part * p->b_stride;
    t.t->pack_rows(&pack);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(packed[bytes + i], 0x5A);
    pl_gemm g = {.rows = p->rows,
        .columns = p->columns,
        .depth = depth,
        .a = p->a + from * p->a_stride,
        .a_stride = p->a_stride,
        .b = packed,
        .c = c,
        .c_stride = p->c_stride,
        .go_on = go_on,
        .last = last};
    void *workspace = workspace_take(t.t->gemm_tn_workspace(p->rows, depth));
    cuts cut = cuts_take(d, panels);
    pl_fp_state state;
    t.k->enter(&state);
    for (size_t i = 0; i < 3; i++)
        t.t->gemm_tn(&g, NULL, workspace, cut.at[i], cut.at[i + 1]);
    t.k->leave(&state);
    workspace_free(workspace);
    workspace_free(packed);
}

/* The whole, its depth in up to three micro-batches. */
static float *run(dice *d, pair t, const product *p, bool cut)
{
    float *c = floats_copy(p->c, c_floats(p));
    cuts at = cut ? cuts_take(d, p->depth) : (cuts){{0, 0, 0, p->depth}};
    at.at[1] -= at.at[1] % t.k->depth_step;
    at.at[2] -= at.at[2] % t.k->depth_step;
    for (size_t i = 0, done = 0; i < 3; i++)
        if (at.at[i] < at.at[i + 1] || (i == 2 && !done)) {
            multiply(d, t, p, at.at[i], at.at[i + 1] - at.at[i], c, p->go_on || done, true);
            done++;
        }
    floats_check(c);
    return c;
}

static void compare(dice *d, const product *p, const pair *pairs, size_t count)
{
    float *want = run(d, pairs[0], p, false);
    for (size_t t = 0; t < count; t++) {
        float *got = run(d, pairs[t], p, dice_one_in(d, 2));
        floats_equal("gemm_tn", pairs[t].k, got, want, c_floats(p), false);
        floats_free(got);
    }
    floats_free(want);
}

static void shapes(dice *d, pl_dtype compute)
{
    pair pairs[PL_ISA_COUNT];
    size_t count = pairs_take(pairs, compute);
    for (size_t i = 0; i < 160; i++) {
        bool large = i % 16 == 0;
        product p = product_make(d, i < 60 ? i + 1 : dice_between(d, 1, large ? 400 : 100), dice_between(d, 1, large ? 60 : 150),
            dice_between(d, i % 40 == 1 ? 0 : 1, large ? 900 : 100), dice_one_in(d, 4));
        compare(d, &p, pairs, count);
        product_free(&p);
    }
}

static void test_equal_f32(void **state)
{
    (void)state;
    shapes(&(dice){11}, PL_F32);
}

static void test_equal_bf16(void **state)
{
    (void)state;
    shapes(&(dice){12}, PL_BF16);
}

/* What pack_rows writes is what pack writes of the transposed matrix, and gemm_tn multiplies as gemm. */
static void test_as_forward(void **state)
{
    (void)state;
    dice d = {13};
    for (int bf16 = 0; bf16 < 2; bf16++) {
        pair pairs[PL_ISA_COUNT];
        size_t count = 0;
        for (int isa = 0; isa < PL_ISA_COUNT; isa++)
            if (pl_isa_present() >> isa & 1)
                pairs[count++] = (pair){pl_kernels_of((pl_isa)isa, bf16 ? PL_BF16 : PL_F32), pl_train_kernels_of((pl_isa)isa, bf16 ? PL_BF16 : PL_F32)};
        for (size_t i = 0; i < 20 * count; i++) {
            pair t = pairs[i % count];
            product p = product_make(&d, dice_between(&d, 1, i % 7 ? 60 : 600), dice_between(&d, 1, 90), dice_between(&d, 1, i % 11 ? 120 : 900), false);
            float *a = floats_take(&d, p.rows * p.depth, false), *w = floats_take(&d, p.columns * p.depth, false);
            for (size_t k = 0; k < p.depth; k++) {
                for (size_t r = 0; r < p.rows; r++)
                    a[r * p.depth + k] = p.a[k * p.a_stride + r];
                for (size_t c = 0; c < p.columns; c++)
                    w[c * p.depth + k] = p.b[k * p.b_stride + c];
            }
            size_t bytes = t.k->packed_bytes(p.columns, p.depth);
            char *one = workspace_take(bytes), *other = workspace_take(bytes);
            t.t->pack_rows(&(pl_pack_rows){.out = one, .columns = p.columns, .depth = p.depth, .rows = p.depth, .in = p.b, .in_stride = p.b_stride});
            t.k->pack(&(pl_pack){.out = other, .columns = p.columns, .depth = p.depth, .in = w, .in_stride = p.depth * sizeof(float), .type = PL_F32});
            assert_memory_equal(one, other, bytes);
            void *workspace = workspace_take(t.k->gemm_workspace(p.rows, p.depth));
            float *want = floats_copy(p.c, c_floats(&p));
            pl_fp_state fp;
            t.k->enter(&fp);
            t.k->gemm(&(pl_gemm){.rows = p.rows,
                          .columns = p.columns,
                          .depth = p.depth,
                          .a = a,
                          .a_stride = p.depth,
                          .b = other,
                          .c = want,
                          .c_stride = p.c_stride,
                          .go_on = p.go_on,
                          .last = true},
                workspace, 0, (p.columns + t.k->panel - 1) / t.k->panel);
            t.k->leave(&fp);
            float *got = run(&d, t, &p, true);
            floats_equal("gemm_tn beside gemm", t.k, got, want, c_floats(&p), false);
            workspace_free(one);
            workspace_free(other);
            workspace_free(workspace);
            floats_free(a);
            floats_free(w);
            floats_free(got);
            floats_free(want);
            product_free(&p);
        }
    }
}

/* ---- texts that begin at steps of their own ---- */
enum { MOST_TEXTS = 12 };

/* Rows of `texts` with the zero rows that a table adds, from `from`. */
static float *spread(const float *from, size_t stride, size_t width, const pl_row_texts *t, size_t step, size_t padded)
{
    float *out = workspace_take(pl_max(padded, 1) * width * sizeof *out);
    memset(out, 0, pl_max(padded, 1) * width * sizeof *out);
    size_t at = 0;
    for (size_t i = 0; i < t->texts; i++) {
        size_t first = t->starts ? t->starts[i] : i, last = t->starts ? t->starts[i + 1] : i + 1;
        for (size_t row = first; row < last; row++)
            memcpy(out + (at + row - first) * width, from + row * stride, width * sizeof *out);
        at += pl_round_up(last - first, step);
    }
    assert_int_equal(at, padded);
    return out;
}

static void product_of(
    pair t, const product *p, const float *a, size_t a_stride, const float *b, size_t b_stride, size_t rows, const pl_row_texts *texts, float *c)
{
    size_t depth = pl_padded_rows(texts, rows, t.t->row_step);
    void *packed = workspace_take(t.k->packed_bytes(p->columns, depth)), *workspace = workspace_take(t.t->gemm_tn_workspace(p->rows, depth));
    t.t->pack_rows(&(pl_pack_rows){.out = packed, .columns = p->columns, .depth = rows, .rows = rows, .in = b, .in_stride = b_stride, .texts = texts});
    pl_fp_state state;
    t.k->enter(&state);
    t.t->gemm_tn(&(pl_gemm){.rows = p->rows,
                     .columns = p->columns,
                     .depth = rows,
                     .a = a,
                     .a_stride = a_stride,
                     .b = packed,
                     .c = c,
                     .c_stride = p->c_stride,
                     .go_on = true,
                     .last = true},
        texts, workspace, 0, (p->columns + t.k->panel - 1) / t.k->panel);
    t.k->leave(&state);
    workspace_free(packed);
    workspace_free(workspace);
}

static void texts_check(dice *d, pair t)
{
    uint32_t starts[MOST_TEXTS + 1] = {0}, rest[MOST_TEXTS + 1];
    size_t texts = dice_between(d, 1, MOST_TEXTS), cut = dice_between(d, 0, texts);
    bool each = dice_one_in(d, 3); /* each row a text */
    for (size_t i = 0; i < texts; i++)
        starts[i + 1] = starts[i] + (each ? 1 : (uint32_t)dice_between(d, 0, 45));
    for (size_t i = cut; i <= texts; i++)
        rest[i - cut] = starts[i] - starts[cut];
    product p = product_make(d, dice_between(d, 1, 50), dice_between(d, 1, 80), starts[texts], false);
    pl_row_texts whole = {texts, each ? NULL : starts}, first = {cut, each ? NULL : starts}, second = {texts - cut, each ? NULL : rest};
    size_t padded = pl_padded_rows(&whole, p.depth, t.t->row_step);
    float *a = spread(p.a, p.a_stride, p.rows, &whole, t.t->row_step, padded), *b = spread(p.b, p.b_stride, p.columns, &whole, t.t->row_step, padded);
    float *want = floats_copy(p.c, c_floats(&p)), *got = floats_copy(p.c, c_floats(&p)), *parts = floats_copy(p.c, c_floats(&p));
    product_of(t, &p, a, p.rows, b, p.columns, padded, NULL, want);
    product_of(t, &p, p.a, p.a_stride, p.b, p.b_stride, p.depth, &whole, got);
    product_of(t, &p, p.a, p.a_stride, p.b, p.b_stride, starts[cut], &first, parts);
    product_of(t, &p, p.a + starts[cut] * p.a_stride, p.a_stride, p.b + starts[cut] * p.b_stride, p.b_stride, p.depth - starts[cut], &second, parts);
    floats_equal("gemm_tn of texts", t.k, got, want, c_floats(&p), false);
    floats_equal("gemm_tn of texts, cut", t.k, parts, want, c_floats(&p), false);
    workspace_free(a);
    workspace_free(b);
    floats_free(want);
    floats_free(got);
    floats_free(parts);
    product_free(&p);
}

/* The chain over texts is that over the same rows with zero rows between, and a cut between texts is free. */
static void test_texts(void **state)
{
    (void)state;
    dice d = {14};
    for (int isa = 0; isa < PL_ISA_COUNT; isa++)
        for (int bf16 = 0; bf16 < 2 && pl_isa_present() >> isa & 1; bf16++)
            for (size_t i = 0; i < 60; i++)
                texts_check(&d, (pair){pl_kernels_of((pl_isa)isa, bf16 ? PL_BF16 : PL_F32), pl_train_kernels_of((pl_isa)isa, bf16 ? PL_BF16 : PL_F32)});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_f32),
        cmocka_unit_test(test_equal_bf16),
        cmocka_unit_test(test_as_forward),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
