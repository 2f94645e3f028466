/* What the disk behind the spill folder does a second, written and read as a step does it. */
#include "train/plan.h"
#include "train/state.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = PL__DISK_BLOCK, LUMP = 8 << 20 };
static const double PATIENCE = 0.3; /* seconds, for either direction */

static bool write_lump(int file, const char *block, uint64_t at)
{
    for (uint64_t i = 0; i < LUMP; i += BLOCK)
        if (pwrite(file, block, BLOCK, (off_t)(at + i)) != BLOCK)
            return false;
    return fdatasync(file) == 0;
}

static bool read_lump(int file, char *block, uint64_t at)
{
    for (uint64_t i = 0; i < LUMP; i += BLOCK)
        if (pread(file, block, BLOCK, (off_t)(at + i)) != BLOCK)
            return false;
    return true;
}

/* Seconds of a byte written and read again; 0: it cannot be told. */
static double seconds_a_byte(int file, uint64_t bytes, char *block)
{
    uint64_t written = 0, read = 0;
    double start = pl_os_seconds();
    for (; written < bytes && pl_os_seconds() - start < PATIENCE; written += LUMP)
        if (!write_lump(file, block, written))
            return 0;
    double writing = pl_os_seconds() - start;
    if (posix_fadvise(file, 0, (off_t)written, POSIX_FADV_DONTNEED))
        return 0;
    start = pl_os_seconds();
    for (; read < written && pl_os_seconds() - start < PATIENCE; read += LUMP)
        if (!read_lump(file, block, read))
            return 0;
    return writing / (double)written + (pl_os_seconds() - start) / (double)read;
}

double pl__disk_rate(const char *folder, uint64_t bytes)
{
    bytes = bytes / LUMP * LUMP;
    pl__store store;
    pl_error e;
    char *block = pl_os_map(BLOCK);
    double each = 0;
    if (block && bytes && pl__spill_open(folder, bytes, &store, &e) == PL_OK) {
        memset(block, 0x5A, BLOCK); /* a disk may pass over zeros */
        each = seconds_a_byte(store.file, bytes, block);
        close(store.file);
    }
    if (block)
        pl_os_unmap(block, BLOCK);
    return each > 0 ? 2 / each : 0;
}
