/* Names, tables and the floating-point state. */
#include "device/kernels.h"

#include <string.h>
#include <xmmintrin.h>

static void test_isa_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PL_ISA_COUNT; i++) {
        pl_isa isa;
        assert_true(pl_isa_parse(pl_isa_name((pl_isa)i), &isa));
        assert_int_equal(isa, i);
    }
    pl_isa isa = PL_ISA_AVX2;
    assert_false(pl_isa_parse("avx", &isa));
    assert_false(pl_isa_parse("", &isa));
    assert_int_equal(isa, PL_ISA_AVX2);
}

static void test_act_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        pl_act act;
    } known[] = {
        {"gelu", PL_ACT_GELU},
        {"gelu_python", PL_ACT_GELU},
        {"gelu_10", PL_ACT_GELU_10},
        {"gelu_new", PL_ACT_GELU_NEW},
        {"gelu_pytorch_tanh", PL_ACT_GELU_NEW},
        {"gelu_python_tanh", PL_ACT_GELU_NEW},
        {"gelu_accurate", PL_ACT_GELU_NEW},
        {"gelu_fast", PL_ACT_GELU_FAST},
        {"quick_gelu", PL_ACT_QUICK_GELU},
        {"relu", PL_ACT_RELU},
        {"relu2", PL_ACT_RELU2},
        {"relu6", PL_ACT_RELU6},
        {"leaky_relu", PL_ACT_LEAKY_RELU},
        {"silu", PL_ACT_SILU},
        {"swish", PL_ACT_SILU},
        {"mish", PL_ACT_MISH},
        {"laplace", PL_ACT_LAPLACE},
        {"sigmoid", PL_ACT_SIGMOID},
        {"tanh", PL_ACT_TANH},
        {"linear", PL_ACT_NONE},
    };
    for (size_t i = 0; i < PL_COUNT(known); i++) {
        pl_act act;
        assert_true(pl_act_parse(known[i].name, &act));
        assert_int_equal(act, known[i].act);
        assert_true(pl_act_parse(pl_act_name(known[i].act), &act));
        assert_int_equal(act, known[i].act);
    }
    pl_act act;
    assert_false(pl_act_parse("prelu", &act));
    assert_false(pl_act_parse("GELU", &act));
}

static void test_tables(void **state)
{
    (void)state;
    unsigned present = pl_isa_present();
    assert_true(present & 1u << PL_ISA_REFERENCE);
    assert_int_equal(present, pl_isa_present());
    for (unsigned i = 0; i < PL_ISA_COUNT; i++)
        for (unsigned bf16 = 0; bf16 < 2; bf16++) {
            const pl_kernels *k = pl_kernels_of((pl_isa)i, bf16 ? PL_BF16 : PL_F32);
            assert_non_null(k);
            assert_int_equal(k->compute, bf16 ? PL_BF16 : PL_F32);
            assert_true(k->panel > 0 && k->depth_step > 0);
            assert_int_equal(k->packed_bytes(33, 7) % 64, 0);
        }
    assert_string_equal(pl_kernels_of(PL_ISA_AMX, PL_F32)->name, "avx512");
}

static void test_best(void **state)
{
    (void)state;
    unsigned reference = 1u << PL_ISA_REFERENCE, avx2 = reference | 1u << PL_ISA_AVX2;
    unsigned avx512 = avx2 | 1u << PL_ISA_AVX512, all = avx512 | 1u << PL_ISA_AVX512_BF16 | 1u << PL_ISA_AMX;
    assert_int_equal(pl_isa_best(reference, PL_F32), PL_ISA_REFERENCE);
    assert_int_equal(pl_isa_best(reference, PL_BF16), PL_ISA_REFERENCE);
    assert_int_equal(pl_isa_best(avx2, PL_F32), PL_ISA_AVX2);
    assert_int_equal(pl_isa_best(avx512, PL_BF16), PL_ISA_AVX512);
    assert_int_equal(pl_isa_best(all, PL_F32), PL_ISA_AVX512);
    assert_int_equal(pl_isa_best(all, PL_BF16), PL_ISA_AMX);
}

/* Whatever the caller set: nearest, denormals kept, within; the caller's own after. */
static void test_state(void **state)
{
    (void)state;
    const pl_kernels *k = pl_kernels_of(PL_ISA_REFERENCE, PL_F32);
    unsigned own = _mm_getcsr(), odd = (own & ~0x6000u) | 0x6000u | 0x8040u; /* toward zero, FTZ, DAZ */
    _mm_setcsr(odd);
    pl_fp_state saved;
    k->enter(&saved);
    unsigned within = _mm_getcsr();
    volatile float tiny = 0x1p-126f, half = 0.5f;
    float denormal = tiny * half;
    k->leave(&saved);
    unsigned after = _mm_getcsr();
    _mm_setcsr(own);
    assert_int_equal(within & 0xFFC0u, 0x1F80u);
    assert_int_equal(after & 0xFFC0u, odd & 0xFFC0u);
    assert_true(denormal == 0x1p-127f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_isa_names),
        cmocka_unit_test(test_act_names),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_best),
        cmocka_unit_test(test_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
