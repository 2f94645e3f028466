/* log against libm's double, slopes against differences of the functions in double. */
#include "device_train/train.h"

#include <math.h>
#include <string.h>

static float of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Error in units of the last place of the exact value, in f32. */
static double ulps(float got, double want)
{
    int exponent;
    frexp(want, &exponent);
    return fabs((double)got - want) / ldexp(1.0, (exponent < -125 ? -125 : exponent) - 24);
}

static void test_log(void **state)
{
    (void)state;
    double worst = 0;
    for (uint32_t bits = 1; bits < 0x7F800000u; bits += 211) {
        float x = of_bits(bits);
        double want = log((double)x);
        if (want != 0)
            worst = fmax(worst, ulps(pl_math_log(x), want));
    }
    for (uint32_t bits = 0x3F700000u; bits < 0x3F900000u; bits++) { /* about 1 */
        double want = log((double)of_bits(bits));
        if (want != 0)
            worst = fmax(worst, ulps(pl_math_log(of_bits(bits)), want));
    }
    print_message("log: %.3f ulp\n", worst);
    assert_true(worst < 1.0);
    assert_true(pl_math_log(1.0f) == 0.0f);
    assert_true(pl_math_log(0.0f) == -INFINITY && pl_math_log(-0.0f) == -INFINITY);
    assert_true(pl_math_log(INFINITY) == INFINITY);
    assert_true(isnan(pl_math_log(-1.0f)) && isnan(pl_math_log(-INFINITY)) && isnan(pl_math_log(NAN)));
}

/* ---- the activations in double ---- */
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double gelu(double x) { return 0.5 * x * erfc(-x / sqrt(2)); }

static double activation(pl_act act, double x)
{
    switch (act) {
    case PL_ACT_GELU: return gelu(x);
    case PL_ACT_GELU_10: return fmin(10, fmax(-10, gelu(x)));
    case PL_ACT_GELU_NEW:
    case PL_ACT_GELU_FAST: return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
    case PL_ACT_QUICK_GELU: return x * sigmoid(1.702 * x);
    case PL_ACT_RELU: return x > 0 ? x : 0;
    case PL_ACT_RELU2: return x > 0 ? x * x : 0;
    case PL_ACT_RELU6: return fmin(6, fmax(0, x));
    case PL_ACT_LEAKY_RELU: return x > 0 ? x : 0.01 * x;
    case PL_ACT_SILU: return x * sigmoid(x);
    case PL_ACT_MISH: return x * tanh(log1p(exp(x)));
    case PL_ACT_LAPLACE: return 0.5 * (1 + erf((x - 0.707107) / (0.282095 * sqrt(2))));
    case PL_ACT_SIGMOID: return sigmoid(x);
    case PL_ACT_TANH: return tanh(x);
    case PL_ACT_NONE:
    case PL_ACT_COUNT: break;
    }
    return x;
}

static float slope(pl_act act, float x)
{
    float one = 1.0f, dx;
    pl_act_train a = {.act = act, .width = 1, .x = &x, .dy = &one, .dx = &dx};
    pl_train_kernels_of(PL_ISA_REFERENCE, PL_F32)->act_backward(&a, 0, 1);
    return dx;
}

static void test_slopes(void **state)
{
    (void)state;
    for (int i = 0; i < PL_ACT_COUNT; i++) {
        pl_act act = (pl_act)i;
        double worst = 0;
        for (int at = 0; at < 12000; at++) {
            float x = (float)(-20 + at * 0.00371);
            double h = 1e-4, left = (double)x - h, right = (double)x + h;
            bool kink = (left < 0 && right > 0 && act >= PL_ACT_RELU && act <= PL_ACT_LEAKY_RELU) || (left < 6 && right > 6 && act == PL_ACT_RELU6) ||
                (left < 10 && right > 10 && act == PL_ACT_GELU_10);
            if (kink)
                continue;
            /* differences of fourth order */
            double want = (8 * (activation(act, right) - activation(act, left)) - (activation(act, (double)x + 2 * h) - activation(act, (double)x - 2 * h))) /
                (12 * h);
            worst = fmax(worst, fabs((double)slope(act, x) - want) / fmax(1, fabs(want)));
        }
        print_message("slope of %s: %.2g\n", pl_act_name(act), worst);
        assert_true(worst < 1e-6);
    }
}

static void test_slope_limits(void **state)
{
    (void)state;
    for (int i = 0; i < PL_ACT_COUNT; i++) {
        pl_act act = (pl_act)i;
        bool one = act == PL_ACT_NONE || act == PL_ACT_GELU || act == PL_ACT_GELU_NEW || act == PL_ACT_GELU_FAST || act == PL_ACT_QUICK_GELU ||
            act == PL_ACT_RELU || act == PL_ACT_LEAKY_RELU || act == PL_ACT_SILU || act == PL_ACT_MISH;
        float left = act == PL_ACT_NONE ? 1.0f : act == PL_ACT_LEAKY_RELU ? 0.01f : 0.0f;
        assert_true(slope(act, 1e30f) == (act == PL_ACT_RELU2 ? 2e30f : one ? 1.0f : 0.0f));
        assert_true(slope(act, INFINITY) == (act == PL_ACT_RELU2 ? INFINITY : one ? 1.0f : 0.0f));
        assert_true(slope(act, -INFINITY) == left);
        assert_true(slope(act, -1e30f) == left);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_slopes),
        cmocka_unit_test(test_slope_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
