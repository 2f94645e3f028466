#include "base/failing.h"

#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>

static size_t fail_number, takes, blocks, bytes;

static void *counted_malloc(size_t n)
{
    if (++takes == fail_number)
        return NULL;
    void *p = malloc(n);
    if (p) {
        blocks++;
        bytes += malloc_usable_size(p) + sizeof(size_t);
    }
    return p;
}

static void counted_free(void *p)
{
    if (!p)
        return;
    blocks--;
    bytes -= malloc_usable_size(p) + sizeof(size_t);
    free(p);
}

void failing_jansson(size_t fail_at)
{
    fail_number = fail_at;
    takes = blocks = bytes = 0;
    json_set_alloc_funcs(counted_malloc, counted_free);
}

size_t failing_jansson_takes(void) { return takes; }
size_t failing_jansson_blocks(void) { return blocks; }
size_t failing_jansson_bytes(void) { return bytes; }
