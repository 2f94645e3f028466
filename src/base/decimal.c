/* Doubles as decimals. Digits and exponent pass through strtod and printf without a decimal point
 * of ours, or are read past whatever point the locale has, so the locale has no say. */
#include "base/decimal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A double that lies exactly between two decimals needs at most 767 significant digits to tell;
 * what follows matters only by being zero or not. */
enum { DIGITS_KEPT = 780, EXPONENT_LIMIT = 1 << 20 };

typedef struct decimal {
    char digits[DIGITS_KEPT + 2]; /* value = digits x 10^exponent */
    size_t count;
    int64_t exponent;
    bool negative;
} decimal;

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static void add_digit(decimal *d, char c, bool fraction)
{
    if (d->count == 0 && c == '0') {
        d->exponent -= fraction;
    } else if (d->count < DIGITS_KEPT) {
        d->digits[d->count++] = c;
        d->exponent -= fraction;
    } else {
        if (d->count == DIGITS_KEPT)
            d->digits[d->count++] = '0';
        if (c != '0')
            d->digits[DIGITS_KEPT] = '1'; /* sticky: a little more than what is kept */
        d->exponent += !fraction;
    }
}

/* [+-] digits [. digits] [e [+-] digits], with a digit on at least one side of the point. */
static bool read_decimal(const char *text, size_t n, decimal *d)
{
    size_t at = 0, seen = 0;
    d->negative = n > 0 && text[0] == '-';
    at += n > 0 && (text[0] == '-' || text[0] == '+');
    for (; at < n && is_digit(text[at]); at++, seen++)
        add_digit(d, text[at], false);
    if (at < n && text[at] == '.')
        for (at++; at < n && is_digit(text[at]); at++, seen++)
            add_digit(d, text[at], true);
    if (seen == 0)
        return false;
    d->exponent -= d->count > DIGITS_KEPT; /* the sticky digit */
    if (at < n && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        bool down = at < n && text[at] == '-';
        at += at < n && (text[at] == '-' || text[at] == '+');
        if (at == n)
            return false;
        int64_t exponent = 0;
        for (; at < n && is_digit(text[at]); at++)
            if (exponent < INT64_MAX / 100)
                exponent = exponent * 10 + (text[at] - '0');
        d->exponent += down ? -exponent : exponent;
    }
    return at == n;
}

bool pl_double_parse(const char *text, size_t n, double *value)
{
    static const double tens[] = {
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    decimal d = {.count = 0};
    if (!read_decimal(text, n, &d))
        return false;
    double magnitude = 0;
    if (d.count > 0 && d.count <= 15 && d.exponent >= -22 && d.exponent <= 22) {
        /* both factors are exact doubles, so one IEEE operation rounds once (Clinger 1990) */
        for (size_t i = 0; i < d.count; i++)
            magnitude = magnitude * 10 + (d.digits[i] - '0');
        magnitude = d.exponent < 0 ? magnitude / tens[-d.exponent] : magnitude * tens[d.exponent];
    } else if (d.count > 0) {
        int64_t exponent = d.exponent > EXPONENT_LIMIT ? EXPONENT_LIMIT : d.exponent < -EXPONENT_LIMIT ? -EXPONENT_LIMIT : d.exponent;
        char plain[DIGITS_KEPT + 32];
        memcpy(plain, d.digits, d.count);
        snprintf(plain + d.count, sizeof plain - d.count, "e%lld", (long long)exponent);
        magnitude = strtod(plain, NULL);
    }
    *value = d.negative ? -magnitude : magnitude;
    return true;
}

/* The digits of printf's %.*e without its point; returns the exponent of the first digit. */
static int rounded_digits(double magnitude, int count, char digits[24])
{
    char text[64];
    snprintf(text, sizeof text, "%.*e", count - 1, magnitude);
    int n = 0;
    const char *p = text;
    for (; *p != 'e'; p++)
        if (is_digit(*p))
            digits[n++] = *p;
    digits[n] = '\0';
    return atoi(p + 1);
}

size_t pl_double_text(double value, char out[32])
{
    if (!(value - value == 0)) { /* NaN or infinite */
        memcpy(out, "null", 4);
        return 4;
    }
    double magnitude = __builtin_fabs(value);
    char digits[24], plain[40];
    int exponent = 0, count = 1;
    for (; count <= 17; count++) {
        exponent = rounded_digits(magnitude, count, digits);
        snprintf(plain, sizeof plain, "%se%d", digits, exponent - (count - 1));
        if (strtod(plain, NULL) == magnitude)
            break;
    }
    return pl__decimal_text(__builtin_signbit(value) != 0, digits, (size_t)(count > 17 ? 17 : count), exponent, out);
}
