#include "train/narrow.h"

#include <assert.h>
#include <string.h>

static uint16_t to_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u)
        return (uint16_t)(bits >> 16 | 0x40); /* a NaN stays one */
    return (uint16_t)((bits + 0x7FFFu + (bits >> 16 & 1)) >> 16);
}

static uint16_t to_f16(float x)
{
    uint32_t bits, sign, magnitude;
    memcpy(&bits, &x, sizeof bits);
    sign = bits >> 16 & 0x8000u;
    magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u)
        return (uint16_t)(sign | 0x7E00u);
    if (magnitude >= 0x477FF000u) /* 65520 and more round to infinity */
        return (uint16_t)(sign | 0x7C00u);
    if (magnitude < 0x38800000u) { /* below 2^-14: multiples of 2^-24 */
        uint32_t exponent = magnitude >> 23;
        if (exponent < 102) /* below 2^-25 */
            return (uint16_t)sign;
        uint32_t mantissa = (magnitude & 0x7FFFFFu) | 0x800000u, shift = 126 - exponent;
        uint32_t half = 1u << (shift - 1), rest = mantissa & ((1u << shift) - 1), out = mantissa >> shift;
        out += rest > half || (rest == half && (out & 1));
        return (uint16_t)(sign | out);
    }
    uint32_t rounded = magnitude + 0xFFFu + (magnitude >> 13 & 1);
    return (uint16_t)(sign | (rounded - 0x38000000u) >> 13);
}

void pl__narrow(void *out, const float *in, size_t n, pl_dtype type)
{
    char *to = out;
    for (size_t i = 0; i < n; i++, to += pl_dtype_bytes(type)) {
        double wide = (double)in[i];
        uint16_t half = type == PL_BF16 ? to_bf16(in[i]) : to_f16(in[i]);
        if (type == PL_F32)
            memcpy(to, &in[i], sizeof in[i]);
        else if (type == PL_F64)
            memcpy(to, &wide, sizeof wide);
        else
            memcpy(to, &half, sizeof half);
        assert(type == PL_F32 || type == PL_F64 || type == PL_F16 || type == PL_BF16);
    }
}
