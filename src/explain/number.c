/* Numbers of squeezed text: sizes with their units, shapes, types, whole numbers. */
#include "explain/inner.h"

#include <string.h>

/* After a whole number a short unit must not run on in letters: "33285996544 total" has none. */
static size_t unit_parse(const char *s, size_t n, bool whole, unsigned *shift)
{
    static const struct {
        const char *text;
        unsigned shift;
    } units[] = {{"bytes", 0}, {"byte", 0}, {"kib", 10}, {"mib", 20}, {"gib", 30}, {"tib", 40}, {"kb", 10}, {"mb", 20}, {"gb", 30}, {"tb", 40}, {"ki", 10},
        {"mi", 20}, {"gi", 30}, {"b", 0}, {"k", 10}, {"m", 20}, {"g", 30}, {"t", 40}};
    for (size_t i = 0; i < PL_COUNT(units); i++) {
        size_t width = strlen(units[i].text);
        bool short_unit = width == 1 || units[i].text[1] == 'i';
        if (n >= width && memcmp(s, units[i].text, width) == 0 && !(short_unit && width < 3 && whole && n > width && pl__letter(s[width]))) {
            *shift = units[i].shift;
            return width;
        }
    }
    return 0;
}

/* The number as whole x 10^-decimals; separators only before groups of three. */
size_t pl__digits_parse(const char *s, size_t n, double *value)
{
    size_t at = 0, digits = 0;
    double whole = 0, scale = 1;
    bool point = false;
    for (; at < n && digits < 24; at++) {
        if (pl__digit(s[at])) {
            whole = whole * 10 + (s[at] - '0');
            scale *= point ? 10 : 1;
            digits++;
        } else if (s[at] == '.' && !point && at > 0) {
            point = true;
        } else if (!(s[at] == ',' && !point && at > 0 && at + 3 < n && pl__digit(s[at + 1]) && pl__digit(s[at + 2]) && pl__digit(s[at + 3]) &&
                       (at + 4 >= n || !pl__digit(s[at + 4])))) {
            break;
        }
    }
    *value = whole / scale;
    return digits ? at : 0;
}

/* A whole number to the byte, where a double would round it. */
static bool exact_parse(const char *s, size_t n, unsigned shift, uint64_t *bytes)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == ',')
            continue;
        if (!pl__digit(s[i]) || !pl_mul(v, 10, &v) || !pl_add(v, (uint64_t)(s[i] - '0'), &v))
            return false;
    }
    return pl_mul(v, 1ULL << shift, bytes) && *bytes != PL_NOT_GIVEN;
}

/* All sizes are binary: every program of the table divides by 1024, whatever it prints. */
size_t pl__size_parse(const char *s, size_t n, unsigned default_unit, uint64_t *bytes)
{
    double value;
    size_t number = pl__digits_parse(s, n, &value);
    if (!number)
        return 0;
    unsigned shift = default_unit == PL__UNIT_NEEDED ? 0 : default_unit;
    size_t unit = unit_parse(s + number, n - number, !memchr(s, '.', number), &shift);
    if (!unit && default_unit == PL__UNIT_NEEDED)
        return 0;
    double size = value * (double)(1ULL << shift);
    bool whole = !memchr(s, '.', number);
    if (whole ? !exact_parse(s, number, shift, bytes) : !(size < 1.8e19))
        return 0;
    if (!whole)
        *bytes = (uint64_t)(size + 0.5);
    if (!unit && number > 1 && s[number - 1] == '.')
        number--; /* the sentence's full stop */
    return number + unit;
}

size_t pl__whole_parse(const char *s, size_t n, uint64_t *value)
{
    size_t at = 0;
    uint64_t v = 0;
    while (at < n && pl__digit(s[at]) && at < 19)
        v = v * 10 + (uint64_t)(s[at++] - '0');
    *value = v;
    return at;
}

/* "32,1024,64,64" (or with x): the product. */
size_t pl__shape_parse(const char *s, size_t n, uint64_t *elements)
{
    size_t at = 0;
    *elements = 1;
    for (;;) {
        uint64_t v;
        size_t width = pl__whole_parse(s + at, n - at, &v);
        if (!width || !pl_mul(*elements, v, elements))
            return 0;
        at += width;
        if (at >= n || (s[at] != ',' && s[at] != 'x'))
            return at;
        at++;
    }
}

size_t pl__dtype_parse(const char *s, size_t n, uint64_t *bytes)
{
    static const struct {
        const char *text;
        unsigned bytes;
    } types[] = {{"float64", 8}, {"float32", 4}, {"float16", 2}, {"bfloat16", 2}, {"float", 4}, {"double", 8}, {"half", 2}, {"int64", 8}, {"int32", 4},
        {"int16", 2}, {"int8", 1}, {"uint8", 1}, {"bool", 1}, {"complex64", 8}, {"complex128", 16}};
    for (size_t i = 0; i < PL_COUNT(types); i++) {
        size_t width = strlen(types[i].text);
        if (n >= width && memcmp(s, types[i].text, width) == 0) {
            *bytes = types[i].bytes;
            return width;
        }
    }
    return 0;
}
