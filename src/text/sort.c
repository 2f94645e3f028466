#include "text/sort.h"

#include <assert.h>
#include <string.h>

typedef struct heap {
    char *items;
    size_t n, size;
    pl__compare compare;
    const void *context;
} heap;

static char *at(const heap *h, size_t i) { return h->items + i * h->size; }

/* Lets the item at `i` sink until none below it is larger. */
static void sink(heap *h, size_t i)
{
    char value[PL__SORTED_BYTES];
    memcpy(value, at(h, i), h->size);
    for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
        if (child + 1 < h->n && h->compare(at(h, child + 1), at(h, child), h->context) > 0)
            child++;
        if (h->compare(at(h, child), value, h->context) <= 0)
            break;
        memcpy(at(h, i), at(h, child), h->size);
    }
    memcpy(at(h, i), value, h->size);
}

void pl__sort(void *items, size_t n, size_t size, pl__compare compare, const void *context)
{
    heap h = {items, n, size, compare, context};
    char value[PL__SORTED_BYTES];
    assert(size <= PL__SORTED_BYTES);
    for (size_t i = n / 2; i-- > 0;)
        sink(&h, i);
    while (h.n > 1) {
        h.n--;
        memcpy(value, at(&h, h.n), size);
        memcpy(at(&h, h.n), at(&h, 0), size);
        memcpy(at(&h, 0), value, size);
        sink(&h, 0);
    }
}
