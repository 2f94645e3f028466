/* Any bytes as a regular expression, a zero byte, and a text: refused, or its matches ascend, and those
 * that are certain in an open beginning are those of the whole. */
#include "fuzz/fuzz.h"
#include "text/regex.h"

#include <assert.h>
#include <string.h>

enum { MOST = 64 };
static pl__frame stack[256];

typedef struct found {
    pl__match matches[MOST];
    size_t count, certain;
    bool failed;
} found;

static found find(const pl__regex *r, const char *text, size_t n, bool open)
{
    found f = {.count = 0};
    pl__matcher m;
    pl__matcher_init(&m, r, (pl__frames){stack, PL_COUNT(stack)}, NULL, 0, text, n, open);
    while (f.count < MOST && pl__matcher_next(&m, &f.matches[f.count])) {
        const pl__match *match = &f.matches[f.count];
        assert(match->start <= match->stop && match->stop <= n);
        assert(f.count == 0 || match->start >= f.matches[f.count - 1].stop);
        f.count++;
    }
    f.certain = m.certain;
    f.failed = m.failed;
    return f;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const uint8_t *zero = memchr(data, 0, bytes);
    size_t pattern_bytes = zero ? (size_t)(zero - data) : bytes;
    const char *text = (const char *)data + pattern_bytes + (zero != NULL);
    size_t n = bytes - pattern_bytes - (zero != NULL);
    if (n > 200 || pl_utf8_valid((const char *)data, pattern_bytes) != pattern_bytes || pl_utf8_valid(text, n) != n)
        return 0;
    pl_region region, scratch;
    pl_region_init(&region, NULL);
    pl_region_init(&scratch, NULL);
    const pl__regex *r;
    char why[128] = "";
    if (pl__regex_compile(&region, &scratch, (const char *)data, pattern_bytes, &r, why)) {
        assert(*why);
    } else {
        found whole = find(r, text, n, false);
        size_t half = n / 2;
        while (half > 0 && ((unsigned char)text[half] & 0xC0) == 0x80)
            half--;
        found open = find(r, text, half, true);
        for (size_t i = 0; !whole.failed && !open.failed && i < open.count; i++)
            assert(i < whole.count && open.matches[i].start == whole.matches[i].start && open.matches[i].stop == whole.matches[i].stop);
    }
    pl_region_free(&region);
    pl_region_free(&scratch);
    return 0;
}
