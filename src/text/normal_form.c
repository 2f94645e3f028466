/* Decomposition, composition, lower case of single characters. */
#include "text/unicode.h"

enum { S_BASE = 0xAC00, L_BASE = 0x1100, V_BASE = 0x1161, T_BASE = 0x11A7, L_COUNT = 19, V_COUNT = 21, T_COUNT = 28 };
enum { S_COUNT = L_COUNT * V_COUNT * T_COUNT };

static size_t decompose_hangul(uint32_t index, uint32_t out[PL__DECOMPOSED])
{
    out[0] = L_BASE + index / (V_COUNT * T_COUNT);
    out[1] = V_BASE + index % (V_COUNT * T_COUNT) / T_COUNT;
    out[2] = T_BASE + index % T_COUNT;
    return out[2] == T_BASE ? 2 : 3;
}

size_t pl__decompose(uint32_t c, bool compatible, uint32_t out[PL__DECOMPOSED])
{
    if (c - S_BASE < S_COUNT)
        return decompose_hangul(c - S_BASE, out);
    uint32_t entry = c < 0x80 ? 0 : pl__decomposition(c);
    out[0] = c;
    if (entry == 0)
        return 1;
    const uint8_t *p = pl__decomposition_pool + entry - 1;
    if (compatible && p[1 + p[0]] > 0)
        p += 1 + p[0];
    if (*p == 0)
        return 1;
    size_t n = 0;
    for (const char *text = (const char *)p + 1, *end = text + *p; text < end; n++)
        text += pl__decode(text, &out[n]);
    return n;
}

static uint32_t compose_listed(uint32_t first, uint32_t second)
{
    uint32_t low = 0, high = pl__compositions;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t a = pl__composition_first[middle], b = pl__composition_second[middle];
        if (a == first && b == second)
            return pl__composition_whole[middle];
        if (a < first || (a == first && b < second))
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

uint32_t pl__compose(uint32_t first, uint32_t second)
{
    if (first - L_BASE < L_COUNT && second - V_BASE < V_COUNT)
        return S_BASE + ((first - L_BASE) * V_COUNT + second - V_BASE) * T_COUNT;
    if (first - S_BASE < S_COUNT && (first - S_BASE) % T_COUNT == 0 && second - T_BASE - 1 < T_COUNT - 1)
        return first + second - T_BASE;
    return second < 0x300 ? 0 : compose_listed(first, second);
}

size_t pl__lowercase(uint32_t c, uint32_t out[2])
{
    int32_t delta = pl__lower_delta[pl__lower(c)];
    if (delta == PL__LOWER_TWO) {
        out[0] = 'i';
        out[1] = 0x307;
        return 2;
    }
    out[0] = (uint32_t)((int32_t)c + delta);
    return 1;
}

/* The library's blocks: one of them begins at 0x2B920, where Google's code has 0x2B820. */
bool pl__is_chinese(uint32_t c)
{
    static const uint32_t blocks[][2] = {{0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, {0xF900, 0xFAFF}, {0x20000, 0x2A6DF}, {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F},
        {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F}};
    for (size_t i = 0; c >= blocks[0][0] && i < sizeof blocks / sizeof *blocks; i++)
        if (c >= blocks[i][0] && c <= blocks[i][1])
            return true;
    return false;
}
