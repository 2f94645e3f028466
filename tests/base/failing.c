#include "base/failing.h"

#include <stdlib.h>
#include <string.h>

static void *take(void *self, size_t bytes)
{
    failing *f = self;
    if (++f->takes == f->fail_at)
        return NULL;
    size_t whole = pl_round_up(pl_max(bytes, 1), 64);
    void *block = aligned_alloc(64, whole);
    if (!block)
        abort();
    memset(block, 0, whole);
    f->blocks++;
    f->bytes += bytes;
    f->most = pl_max(f->most, f->bytes);
    return block;
}

static void give(void *self, void *block, size_t bytes)
{
    failing *f = self;
    if (!block)
        return;
    f->blocks--;
    f->bytes -= bytes;
    free(block);
}

void failing_init(failing *f, size_t fail_at) { *f = (failing){.memory = {take, give, f}, .fail_at = fail_at}; }
