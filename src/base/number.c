/* Shortest decimals of float32 by the Schubfach method (R. Giulietti, "The Schubfach way to render
 * doubles", 2020): the value and the two ends of its rounding interval are scaled by one power of
 * ten, in fixed point with a sticky last bit; at most one multiple of ten and at most two integers
 * lie between the ends, and one of them is the answer. No loop, no division but by constants. */
#include "base/decimal.h"

#include <string.h>

enum { LEAST_TEN = -31, MOST_TEN = 45, FRACTION_BITS = 23, LEAST_EXPONENT = -149 };

/* 10^k for k = LEAST_TEN .. MOST_TEN: the leading 64 bits, rounded up. */
/* clang-format off */
static const uint64_t tens[] = {
    0x81CEB32C4B43FCF5, 0xA2425FF75E14FC32, 0xCAD2F7F5359A3B3F, 0xFD87B5F28300CA0E,
    0x9E74D1B791E07E49, 0xC612062576589DDB, 0xF79687AED3EEC552, 0x9ABE14CD44753B53,
    0xC16D9A0095928A28, 0xF1C90080BAF72CB2, 0x971DA05074DA7BEF, 0xBCE5086492111AEB,
    0xEC1E4A7DB69561A6, 0x9392EE8E921D5D08, 0xB877AA3236A4B44A, 0xE69594BEC44DE15C,
    0x901D7CF73AB0ACDA, 0xB424DC35095CD810, 0xE12E13424BB40E14, 0x8CBCCC096F5088CC,
    0xAFEBFF0BCB24AAFF, 0xDBE6FECEBDEDD5BF, 0x89705F4136B4A598, 0xABCC77118461CEFD,
    0xD6BF94D5E57A42BD, 0x8637BD05AF6C69B6, 0xA7C5AC471B478424, 0xD1B71758E219652C,
    0x83126E978D4FDF3C, 0xA3D70A3D70A3D70B, 0xCCCCCCCCCCCCCCCD, 0x8000000000000000,
    0xA000000000000000, 0xC800000000000000, 0xFA00000000000000, 0x9C40000000000000,
    0xC350000000000000, 0xF424000000000000, 0x9896800000000000, 0xBEBC200000000000,
    0xEE6B280000000000, 0x9502F90000000000, 0xBA43B74000000000, 0xE8D4A51000000000,
    0x9184E72A00000000, 0xB5E620F480000000, 0xE35FA931A0000000, 0x8E1BC9BF04000000,
    0xB1A2BC2EC5000000, 0xDE0B6B3A76400000, 0x8AC7230489E80000, 0xAD78EBC5AC620000,
    0xD8D726B7177A8000, 0x878678326EAC9000, 0xA968163F0A57B400, 0xD3C21BCECCEDA100,
    0x84595161401484A0, 0xA56FA5B99019A5C8, 0xCECB8F27F4200F3A, 0x813F3978F8940985,
    0xA18F07D736B90BE6, 0xC9F2C9CD04674EDF, 0xFC6F7C4045812297, 0x9DC5ADA82B70B59E,
    0xC5371912364CE306, 0xF684DF56C3E01BC7, 0x9A130B963A6C115D, 0xC097CE7BC90715B4,
    0xF0BDC21ABB48DB21, 0x96769950B50D88F5, 0xBC143FA4E250EB32, 0xEB194F8E1AE525FE,
    0x92EFD1B8D0CF37BF, 0xB7ABC627050305AE, 0xE596B7B0C643C71A, 0x8F7E32CE7BEA5C70,
    0xB35DBF821AE4F38C,
};
/* clang-format on */
_Static_assert(PL_COUNT(tens) == MOST_TEN - LEAST_TEN + 1, "one row for each power");

static int floor_log2_of_ten(int k) { return (k * 1741647) >> 19; } /* of 10^k, |k| <= 1233 */

/* The upper 64 bits of ten x value (a product of 96 bits), the last bit set if the rest is not zero
 * but for the error of the table, which is below 2 of the 32 bits that follow. */
static uint32_t scale(uint64_t ten, uint32_t value)
{
    __extension__ unsigned __int128 product = (unsigned __int128)ten * value;
    uint32_t rest = (uint32_t)(product >> 32);
    return (uint32_t)(product >> 64) | (rest > 1);
}

typedef struct shortest {
    uint32_t digits; /* value = digits x 10^exponent; may end in zeros */
    int exponent;
} shortest;

/* significand x 2^exponent, significand not zero. */
static shortest find_shortest(uint32_t significand, int exponent)
{
    bool odd = significand & 1;
    /* below a power of two the neighbour is half as far */
    bool near_below = significand == 1U << FRACTION_BITS && exponent > LEAST_EXPONENT;
    int k = (exponent * 1262611 - (near_below ? 524031 : 0)) >> 22; /* floor(log10) of the interval's width */
    int shift = exponent + floor_log2_of_ten(-k) + 1;
    uint64_t ten = tens[-k - LEAST_TEN];
    uint32_t four = 4 * significand;
    /* value and ends, in quarters of 10^k; an even significand owns its ends */
    uint32_t low = scale(ten, (four - 2 + near_below) << shift) + odd;
    uint32_t value = scale(ten, four << shift);
    uint32_t high = scale(ten, (four + 2) << shift) - odd;

    uint32_t s = value / 4;
    if (s >= 10) {
        uint32_t tenth = s / 10;
        bool below = low <= 40 * tenth, above = 40 * tenth + 40 <= high;
        if (below != above)
            return (shortest){tenth + above, k + 1};
    }
    bool below = low <= 4 * s, above = 4 * s + 4 <= high;
    if (below != above)
        return (shortest){s + above, k};
    uint32_t middle = 4 * s + 2;
    return (shortest){s + (value > middle || (value == middle && (s & 1))), k};
}

size_t pl__decimal_text(bool negative, const char *digits, size_t count, int exponent, char *out)
{
    char *p = out;
    if (negative)
        *p++ = '-';
    if (digits[0] == '0') {
        memcpy(p, "0.0", 3);
        return (size_t)(p - out) + (negative ? 3 : 1);
    }
    if (exponent >= 0 && exponent < 15) {
        size_t whole = (size_t)exponent + 1;
        memcpy(p, digits, pl_min(count, whole));
        if (count <= whole) {
            memset(p + count, '0', whole - count);
            return (size_t)(p - out) + whole;
        }
        p[whole] = '.';
        memcpy(p + whole + 1, digits + whole, count - whole);
        return (size_t)(p - out) + count + 1;
    }
    if (exponent < 0 && exponent >= -4) {
        size_t zeros = (size_t)(-exponent - 1);
        memcpy(p, "0.000", 2 + zeros);
        memcpy(p + 2 + zeros, digits, count);
        return (size_t)(p - out) + 2 + zeros + count;
    }
    *p++ = digits[0];
    if (count > 1) {
        *p++ = '.';
        memcpy(p, digits + 1, count - 1);
        p += count - 1;
    }
    *p++ = 'e';
    *p++ = exponent < 0 ? '-' : '+';
    int size = exponent < 0 ? -exponent : exponent;
    if (size >= 100)
        *p++ = (char)('0' + size / 100);
    *p++ = (char)('0' + size / 10 % 10);
    *p++ = (char)('0' + size % 10);
    return (size_t)(p - out);
}

size_t pl_float_text(float value, char out[16])
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t fraction = bits & ((1U << FRACTION_BITS) - 1), biased = bits >> FRACTION_BITS & 0xFF;
    if (biased == 0xFF) {
        memcpy(out, "null", 4);
        return 4;
    }
    bool negative = bits >> 31;
    if (fraction == 0 && biased == 0)
        return pl__decimal_text(negative, "0", 1, 0, out);
    shortest s = biased ? find_shortest(fraction | 1U << FRACTION_BITS, (int)biased - 1 + LEAST_EXPONENT) : find_shortest(fraction, LEAST_EXPONENT);
    char text[10];
    size_t at = sizeof text;
    uint32_t rest = s.digits;
    do
        text[--at] = (char)('0' + rest % 10);
    while (rest /= 10);
    int exponent = s.exponent + (int)(sizeof text - at) - 1;
    size_t end = sizeof text;
    while (end > at + 1 && text[end - 1] == '0')
        end--;
    return pl__decimal_text(negative, text + at, end - at, exponent, out);
}
