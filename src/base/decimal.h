/* Between the files of base: the one form in which decimals are written. */
#ifndef PL_BASE_DECIMAL_H
#define PL_BASE_DECIMAL_H

#include "base/base.h"

/* Writes 0.d1d2d3... x 10^(exponent + 1): plainly from 1e-4 up to 15 digits before the point, else
 * with an exponent of at least two digits, as Python does: "0.1" "1e-07" "5e-05" "123456" "1e+15".
 * Minus zero keeps its point ("-0.0"), since readers of "-0" make an integer of it. `digits` has no
 * zero at its end unless it is all there is. */
size_t pl__decimal_text(bool negative, const char *digits, size_t count, int exponent, char *out);

#endif
