#include "text/normalize.h"
void pl__normalize_precompiled(const struct pl__charsmap *map, const pl__span *in, pl__span *out) { (void)map; pl__span_copy(out, in, 0, in->n); }
