/* A heap sort: the C library's sort may allocate. */
#ifndef PL_TEXT_SORT_H
#define PL_TEXT_SORT_H

#include <stddef.h>

/* Sorts items[0..n) of `size` bytes each, at most PL__SORTED_BYTES. compare: below, at, above 0. */
enum { PL__SORTED_BYTES = 64 };
typedef int (*pl__compare)(const void *a, const void *b, const void *context);
void pl__sort(void *items, size_t n, size_t size, pl__compare compare, const void *context);

#endif
