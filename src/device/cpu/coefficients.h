/* The numbers of docs/NUMERICS.md, "Functions": every implementation takes them from here. The
 * polynomials are minimax fits rounded to f32 (Sollya's fpminimax, relative error); lowest degree
 * first. */
#ifndef PL_DEVICE_CPU_COEFFICIENTS_H
#define PL_DEVICE_CPU_COEFFICIENTS_H

#define PL_NAN_BITS 0x7FC00000u /* the one NaN that kernels give out */

/* exp: x = n ln 2 + r, |r| <= ln 2 / 2 and a little; exp(r) = 1 + r + r^2 Q(r). */
#define PL_EXP_LEAST (-104.0f) /* exp of it rounds to 0 */
#define PL_EXP_MOST 89.0f      /* exp of it rounds to infinity */
#define PL_LOG2E 0x1.715476p+0f
#define PL_ROUNDER 0x1.8p+23f    /* x + it - it rounds x to an integer, |x| < 2^22 */
#define PL_LN2_HIGH 0x1.62e4p-1f /* 15 bits: n * it is exact for |n| < 2^9 */
#define PL_LN2_LOW 0x1.7f7d1cp-20f
#define PL_EXP_COUNT 5
#define PL_EXP_Q                                                                      \
    {                                                                                 \
        0x1.fffffcp-2f, 0x1.55549p-3f, 0x1.5558a2p-5f, 0x1.123adp-7f, 0x1.6a5e34p-10f \
    }

/* erf(x) = x P(x^2 - centre) for x^2 <= 2 centre, beyond it +-1. About the centre Horner's scheme
 * loses nothing to cancellation, neither at 0 nor at the end. */
#define PL_ERF_CENTRE 0x1.ebb98cp+2f /* 3.92^2 / 2 */
#define PL_ERF_COUNT 16
#define PL_ERF_P                                                                                                                                               \
    {                                                                                                                                                          \
        0x1.7164fep-2f, -0x1.80125cp-6f, 0x1.29b79ep-9f, -0x1.f8d3fap-13f, 0x1.b42fcp-16f, -0x1.7310bp-19f, 0x1.30c56p-22f, -0x1.d81dacp-26f, 0x1.505726p-29f, \
            -0x1.d7848p-33f, 0x1.5c13d6p-36f, -0x1.86b5fcp-40f, 0x1.9c97dap-45f, -0x1.379834p-48f, 0x1.e329d6p-51f, -0x1.93ff94p-55f                           \
    }

/* erf(x / sqrt 2) in the same way, for gelu(x) = x/2 (1 + erf(x / sqrt 2)): one term less, since the
 * sum with 1 hides what lies below 2^-24. */
#define PL_GELU_CENTRE 0x1.ebab26p+3f
#define PL_GELU_COUNT 15
#define PL_GELU_P                                                                                                                                \
    {                                                                                                                                            \
        0x1.05375ep-2f, -0x1.0fa07ep-7f, 0x1.a52632p-12f, -0x1.6505dap-16f, 0x1.34a988p-20f, -0x1.077f22p-24f, 0x1.ae03a6p-29f, -0x1.43af9p-33f, \
            0x1.e44838p-38f, -0x1.8623b4p-42f, 0x1.d0db7cp-47f, -0x1.c0c09p-53f, 0x1.7f191ap-57f, -0x1.60dca8p-60f, 0x1.38bcbep-65f              \
    }

/* log(1 + f) = f - f^2/2 + f^3 Q(f), 1 + f between sqrt(1/2) and sqrt(2). */
#define PL_LOG_ROOT_BITS 0x3F3504F3 /* sqrt(1/2) */
#define PL_LOG_COUNT 8
#define PL_LOG_Q                                                                                                                          \
    {                                                                                                                                     \
        0x1.55557p-2f, -0x1.000234p-2f, 0x1.99944ep-3f, -0x1.5466fep-3f, 0x1.239ce2p-3f, -0x1.0e96ccp-3f, 0x1.015974p-3f, -0x1.2a6f78p-4f \
    }

#define PL_TANH_MOST 9.25f /* tanh is 1 in f32 from here */

#define PL_SQRT_2_OVER_PI 0x1.988454p-1f
#define PL_GELU_CUBE 0x1.6e4e26p-5f        /* 0.044715 */
#define PL_QUICK_GELU_SLOPE 0x1.b3b646p+0f /* 1.702 */
#define PL_LAPLACE_MEAN 0.707107f
#define PL_LAPLACE_WIDTH 0.39894256f /* 0.282095 sqrt 2 */
#define PL_MISH_MOST 20.0f           /* tanh(softplus(x)) is 1 in f32 from well before */
#define PL_LEAK 0.01f

#define PL_UNIT_LEAST 1e-12f /* least length that unit_length divides by */

#endif
