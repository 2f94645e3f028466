#include "text/regex.h"
#include <stdio.h>
struct pl__regex { int x; };
pl_status pl__regex_compile(pl_region *region, pl_region *scratch, const char *text, size_t n, const pl__regex **out, char why[128])
{
    (void)region, (void)scratch, (void)text, (void)n, (void)out;
    snprintf(why, 128, "not supported");
    return PL_BAD_INPUT;
}
pl__searched pl__regex_search(const pl__regex *r, const char *text, size_t n, size_t from, pl__match *match, size_t *reached)
{
    (void)r, (void)text, (void)n, (void)from, (void)match, (void)reached;
    return PL__SEARCH_NONE;
}
