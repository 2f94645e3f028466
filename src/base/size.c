#include "base/base.h"

#include <stdio.h>
#include <string.h>

char *pl_bytes_text(uint64_t bytes, char out[32])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    uint64_t scale = 1;
    while (unit + 1 < PL_COUNT(units) && bytes / scale >= 1024) {
        scale *= 1024;
        unit++;
    }
    uint64_t whole = bytes / scale;
    unsigned decimals = unit == 0 || whole >= 100 ? 0 : whole >= 10 ? 1 : 2;
    unsigned ten = decimals == 0 ? 1 : decimals == 1 ? 10 : 100;
    /* rest/scale as a decimal fraction without floating point; scale is at most 2^60 */
    uint64_t rest = bytes % scale;
    uint64_t fraction = scale >= 1024 ? (rest / (scale / 1024)) * ten / 1024 : 0;
    if (decimals == 0)
        snprintf(out, 32, "%llu %s", (unsigned long long)whole, units[unit]);
    else
        snprintf(out, 32, "%llu.%0*llu %s", (unsigned long long)whole, (int)decimals, (unsigned long long)fraction, units[unit]);
    return out;
}

static bool unit_scale(const char *unit, uint64_t *scale)
{
    static const struct {
        const char *name;
        uint64_t scale;
    } units[] = {
        {"", 1},
        {"B", 1},
        {"K", 1ULL << 10},
        {"KiB", 1ULL << 10},
        {"kB", 1000},
        {"KB", 1000},
        {"k", 1ULL << 10},
        {"kiB", 1ULL << 10},
        {"M", 1ULL << 20},
        {"MiB", 1ULL << 20},
        {"MB", 1000000},
        {"G", 1ULL << 30},
        {"GiB", 1ULL << 30},
        {"GB", 1000000000},
        {"T", 1ULL << 40},
        {"TiB", 1ULL << 40},
        {"TB", 1000000000000},
        {"P", 1ULL << 50},
        {"PiB", 1ULL << 50},
        {"PB", 1000000000000000},
        {"E", 1ULL << 60},
        {"EiB", 1ULL << 60},
        {"EB", 1000000000000000000},
    };
    for (size_t i = 0; i < PL_COUNT(units); i++)
        if (strcmp(unit, units[i].name) == 0) {
            *scale = units[i].scale;
            return true;
        }
    return false;
}

/* Exact: whole part and fraction are integers, the fraction scaled by at most 10^18. */
bool pl_bytes_parse(const char *text, uint64_t *bytes)
{
    const char *p = text;
    uint64_t whole = 0, fraction = 0, ten = 1;
    size_t digits = 0;
    for (; *p >= '0' && *p <= '9'; p++, digits++)
        if (!pl_mul(whole, 10, &whole) || !pl_add(whole, (uint64_t)(*p - '0'), &whole))
            return false;
    if (*p == '.') {
        p++;
        for (; *p >= '0' && *p <= '9'; p++, digits++)
            if (ten < 1000000000000000000ULL) {
                fraction = fraction * 10 + (uint64_t)(*p - '0');
                ten *= 10;
            }
    }
    uint64_t scale;
    if (digits == 0 || !unit_scale(p, &scale))
        return false;
    uint64_t part = (uint64_t)((__extension__(unsigned __int128) fraction) * scale / ten);
    return pl_mul(whole, scale, &whole) && pl_add(whole, part, bytes);
}
