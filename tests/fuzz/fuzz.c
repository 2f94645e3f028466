#include "fuzz/fuzz.h"

#include "golden/golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command))
        perror(folder);
}

const char *fuzz_folder(void)
{
    if (!*folder) {
        snprintf(folder, sizeof folder, "%s/plimsoll-fuzz-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
        if (!mkdtemp(folder))
            abort();
        atexit(remove_folder);
    }
    return folder;
}

void fuzz_put(const char *name, const void *data, size_t bytes)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, bytes, f) != bytes || fclose(f))
        abort();
}

void fuzz_golden(const char *name)
{
    char path[512], why[512];
    snprintf(path, sizeof path, PL_SOURCE_DIR "/tests/golden/cases/%s.json", name);
    if (!golden_make(path, fuzz_folder(), why, sizeof why)) {
        fprintf(stderr, "%s\n", why);
        abort();
    }
}
