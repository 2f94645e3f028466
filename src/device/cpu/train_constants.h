/* The numbers of docs/NUMERICS.md, "Training", beside those of coefficients.h. */
#ifndef PL_DEVICE_CPU_TRAIN_CONSTANTS_H
#define PL_DEVICE_CPU_TRAIN_CONSTANTS_H

/* Philox 4x32: multipliers, and what is added to the key each round. */
#define PL_PHILOX_M0 0xD2511F53u
#define PL_PHILOX_M1 0xCD9E8D57u
#define PL_PHILOX_W0 0x9E3779B9u
#define PL_PHILOX_W1 0xBB67AE85u

/* Column of the random bits of a probability: head * it + key. */
#define PL_DROPOUT_KEYS (1u << 20)

/* Beyond these a slope has its limit in f32; x is clipped to them, so that an infinity does not meet
 * a zero. */
#define PL_GELU_SLOPE_MOST 16.0f
#define PL_SIGMOID_SLOPE_MOST 128.0f
#define PL_ROOT_INVERSE_2_PI 0x1.988454p-2f /* 1 / sqrt(2 pi) */
#define PL_GELU_CUBE_3 0x1.12ba9cp-3f       /* 3 * 0.044715 */
#define PL_LAPLACE_SLOPE 0x1.6a09d6p+0f     /* 1 / (width sqrt pi) */

#define PL_SQUARES_BLOCK 4096 /* elements of one sum in f32 */

#endif
