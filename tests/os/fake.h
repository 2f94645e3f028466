/* A machine that is not there: folders for /proc, /sys and the runtime folder under a temporary one. */
#ifndef TESTS_OS_FAKE_H
#define TESTS_OS_FAKE_H

#include "os/os.h"

typedef struct fake {
    char root[64], proc[80], sys[80], runtime[80];
    pl_os_view view;
} fake;

void fake_make(fake *f);
void fake_end(fake *f); /* removes everything */
/* Writes root/name, with its folders; text NULL makes a folder. */
void fake_put(const fake *f, const char *name, const char *format, ...) PL_PRINTF(3, 4);
void fake_folder(const fake *f, const char *name);
void fake_remove(const fake *f, const char *name);

#define MIB (1024ULL * 1024)
#define GIB (1024ULL * MIB)

#endif
