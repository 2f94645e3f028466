/* A pl_memory for tests: counts what is taken and given back, and fails one take by its number. */
#ifndef TESTS_BASE_FAILING_H
#define TESTS_BASE_FAILING_H

#include "base/base.h"

typedef struct failing {
    pl_memory memory;     /* hand out its address */
    size_t fail_at;       /* 1: the first take; 0: none */
    size_t takes;         /* so far */
    size_t blocks, bytes; /* alive now */
    size_t most;          /* bytes at the fullest moment */
} failing;

void failing_init(failing *f, size_t fail_at);

/* The same for jansson's heap: counts bytes as malloc_usable_size has them, fails one by number. */
void failing_jansson(size_t fail_at);
size_t failing_jansson_takes(void);
size_t failing_jansson_blocks(void);
size_t failing_jansson_bytes(void);

#endif
