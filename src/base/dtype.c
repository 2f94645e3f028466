#include "base/base.h"

#include <string.h>

static const struct {
    const char *name;
    size_t bytes;
} types[] = {
#define PL_DTYPE_ROW(name, bytes) [PL_##name] = {#name, bytes},
    PL_DTYPE_MAP(PL_DTYPE_ROW)
#undef PL_DTYPE_ROW
};

size_t pl_dtype_bytes(pl_dtype type) { return types[type].bytes; }
const char *pl_dtype_name(pl_dtype type) { return types[type].name; }

bool pl_dtype_parse(const char *name, size_t n, pl_dtype *type)
{
    for (size_t i = 0; i < PL_COUNT(types); i++)
        if (strlen(types[i].name) == n && memcmp(types[i].name, name, n) == 0) {
            *type = (pl_dtype)i;
            return true;
        }
    return false;
}
