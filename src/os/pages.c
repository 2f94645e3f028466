#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, madvise */
#include "os/os.h"

#include <sys/mman.h>

void *pl_os_map(uint64_t bytes)
{
    if (bytes == 0 || bytes > SIZE_MAX)
        return NULL;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void pl_os_unmap(void *p, uint64_t bytes)
{
    if (p)
        munmap(p, bytes);
}

/* Advice: a kernel without huge pages refuses, and that is what was wanted. */
void pl_os_advise_huge(void *p, uint64_t bytes, bool huge)
{
    if (bytes)
        madvise(p, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

void pl_os_release(void *p, uint64_t bytes)
{
    if (bytes)
        madvise(p, bytes, MADV_DONTNEED);
}
