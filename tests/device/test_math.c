/* The functions of docs/NUMERICS.md: their errors against libm's doubles over all floats by a
 * stride, and every vector width against the scalar reference, bit for bit. */
#include "device/functions.h"
#include "device/kernels.h"

#include "device/cpu/reference/reference.h"

#include <math.h>
#include <string.h>

enum { BATCH = 4096 };

/* Every STRIDE-th float of all 2^32 (an odd number, so that all low bits occur). */
enum { STRIDE = 8191 };

static double ulp_of(double x)
{
    int e;
    frexp(x, &e);
    return ldexp(1, e - 24 < -149 ? -149 : e - 24);
}

typedef struct function {
    const char *name;
    float (*reference)(float x);
    double (*exact)(double x);
    double ulps; /* stated in docs/NUMERICS.md */
} function;

static double exact_sigmoid(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }

static const function all[] = {
    {"exp", pl__ref_exp, exp, 0.9},
    {"log", pl__ref_log, log, 0.9},
    {"erf", pl__ref_erf, erf, 4.0},
    {"tanh", pl__ref_tanh, tanh, 2.7},
    {"sigmoid", pl__ref_sigmoid, exact_sigmoid, 2.4},
};

static void batch_fill(float x[BATCH], uint64_t from)
{
    for (uint64_t i = 0; i < BATCH; i++) {
        uint32_t bits = (uint32_t)(from + i * STRIDE);
        memcpy(x + i, &bits, sizeof bits);
    }
}

static void test_errors(void **state)
{
    (void)state;
    for (size_t f = 0; f < PL_COUNT(all); f++)
        for (uint64_t bits = 0; bits < 1ull << 32; bits += STRIDE) {
            float x;
            uint32_t low = (uint32_t)bits;
            memcpy(&x, &low, sizeof x);
            float got = all[f].reference(x);
            double want = all[f].exact((double)x);
            if (want != want) {
                assert_true(got != got);
            } else if (isinf(want) || fabs(want) > 0x1.ffffffp127) {
                assert_true(got == (float)want);
            } else if (fabs(want - (double)got) > all[f].ulps * ulp_of(want)) {
                fail_msg("%s(%a) is %a, exact %a: %.2f ulp", all[f].name, (double)x, (double)got, want, fabs(want - (double)got) / ulp_of(want));
            }
        }
}

static size_t widths(const functions *out[2])
{
    size_t count = 0;
    if (pl_isa_present() >> PL_ISA_AVX2 & 1)
        out[count++] = &functions_avx2;
    if (pl_isa_present() >> PL_ISA_AVX512 & 1)
        out[count++] = &functions_avx512;
    return count;
}

static void test_widths(void **state)
{
    (void)state;
    const functions *vectors[2];
    size_t count = widths(vectors);
    for (uint64_t from = 0; from < 1ull << 32; from += (uint64_t)BATCH * STRIDE)
        for (size_t v = 0; v < count; v++) {
            const struct {
                const char *name;
                void (*run)(float *x, size_t n);
                float (*reference)(float x);
            } pairs[] = {
                {"exp", vectors[v]->exp, pl__ref_exp},
                {"log", vectors[v]->log, pl__ref_log},
                {"erf", vectors[v]->erf, pl__ref_erf},
                {"tanh", vectors[v]->tanh, pl__ref_tanh},
                {"sigmoid", vectors[v]->sigmoid, pl__ref_sigmoid},
                {"round_bf16", vectors[v]->round_bf16, pl__ref_round_bf16},
            };
            for (size_t f = 0; f < PL_COUNT(pairs); f++) {
                float x[BATCH], y[BATCH];
                batch_fill(x, from);
                memcpy(y, x, sizeof y);
                pairs[f].run(y, BATCH);
                for (size_t i = 0; i < BATCH; i++) {
                    float want = pl__ref_canonical(pairs[f].reference(x[i]));
                    if (pl__ref_bits(want) != pl__ref_bits(y[i]))
                        fail_msg("%s(%a) by %s is %a, not %a", pairs[f].name, (double)x[i], vectors[v]->name, (double)y[i], (double)want);
                }
            }
        }
}

/* Activations as Hugging Face states them, within a few ulp of the larger of |x| and the result. */
static double exact_act(pl_act act, double x)
{
    double cube = sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x);
    switch (act) {
    case PL_ACT_GELU: return x / 2 * (1 + erf(x / sqrt(2)));
    case PL_ACT_GELU_10: return fmin(10, fmax(-10, x / 2 * (1 + erf(x / sqrt(2)))));
    case PL_ACT_GELU_NEW:
    case PL_ACT_GELU_FAST: return x / 2 * (1 + tanh(cube));
    case PL_ACT_QUICK_GELU: return x * exact_sigmoid(1.702 * x);
    case PL_ACT_RELU: return fmax(0, x);
    case PL_ACT_RELU2: return fmax(0, x) * fmax(0, x);
    case PL_ACT_RELU6: return fmin(6, fmax(0, x));
    case PL_ACT_LEAKY_RELU: return x > 0 ? x : 0.01 * x;
    case PL_ACT_SILU: return x * exact_sigmoid(x);
    case PL_ACT_MISH: return x * tanh(log1p(exp(x)));
    case PL_ACT_LAPLACE: return 0.5 * (1 + erf((x - 0.707107) / (0.282095 * sqrt(2))));
    case PL_ACT_SIGMOID: return exact_sigmoid(x);
    case PL_ACT_TANH: return tanh(x);
    case PL_ACT_NONE:
    case PL_ACT_COUNT: break;
    }
    return x;
}

static void test_activations(void **state)
{
    (void)state;
    for (unsigned act = 0; act < PL_ACT_COUNT; act++)
        for (int i = -4000; i <= 4000; i++) {
            float x = (float)i * (12.0f / 4000), got = pl__ref_act((pl_act)act, x);
            double want = exact_act((pl_act)act, (double)x);
            double size = fmax(fabs((double)x), fabs(want));
            if (fabs(want - (double)got) > 4 * 0x1p-24 * fmax(size, 0.5))
                fail_msg("%s(%g) is %.9g, exact %.9g", pl_act_name((pl_act)act), (double)x, (double)got, want);
        }
}

static void test_edges(void **state)
{
    (void)state;
    assert_true(pl_math_exp(0) == 1 && pl_math_exp(-INFINITY) == 0 && pl_math_exp(INFINITY) == INFINITY);
    assert_true(pl_math_exp(89) == INFINITY && pl_math_exp(-104) == 0 && pl_math_exp(-103) > 0);
    assert_true(pl_math_tanh(INFINITY) == 1 && pl_math_tanh(-20) == -1 && signbit(pl_math_tanh(-0.0f)));
    assert_true(pl_math_sigmoid(0) == 0.5f && pl_math_sigmoid(-INFINITY) == 0 && pl_math_sigmoid(100) == 1);
    float results[] = {pl_math_exp(NAN), pl_math_tanh(-NAN), pl_math_sigmoid(NAN)};
    for (size_t i = 0; i < PL_COUNT(results); i++)
        assert_true(pl__ref_bits(results[i]) == PL_NAN_BITS);
    assert_true(pl__ref_act(PL_ACT_GELU, 1000) == 1000 && pl__ref_act(PL_ACT_GELU, -1000) == 0);
    assert_true(pl__ref_erf(4) == 1 && pl__ref_erf(-4) == -1 && pl__ref_log(1) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
