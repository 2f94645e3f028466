#define _XOPEN_SOURCE 700 /* mkdtemp, nftw */
#include "os/fake.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

void fake_make(fake *f)
{
    strcpy(f->root, "/tmp/plimsoll-os-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    snprintf(f->proc, sizeof f->proc, "%s/proc", f->root);
    snprintf(f->sys, sizeof f->sys, "%s/sys", f->root);
    snprintf(f->runtime, sizeof f->runtime, "%s/run", f->root);
    fake_folder(f, "proc");
    fake_folder(f, "sys");
    fake_folder(f, "run");
    f->view = (pl_os_view){f->proc, f->sys, f->runtime};
}

static int remove_entry(const char *path, const struct stat *s, int flag, struct FTW *ftw)
{
    (void)s, (void)flag, (void)ftw;
    return remove(path);
}

void fake_end(fake *f) { nftw(f->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS); }

static void make_folders(char *path, const char *from)
{
    for (char *p = strchr(from, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
        *p = '/';
    }
}

void fake_folder(const fake *f, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s/", f->root, name);
    make_folders(path, path + strlen(f->root) + 1);
}

static FILE *create(const fake *f, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", f->root, name);
    make_folders(path, path + strlen(f->root) + 1);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    return file;
}

void fake_put(const fake *f, const char *name, const char *format, ...)
{
    char text[1 << 15];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert_in_range(n, 0, sizeof text - 1);
    FILE *file = create(f, name);
    fwrite(text, 1, (size_t)n, file);
    assert_int_equal(fclose(file), 0);
}

void fake_remove(const fake *f, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", f->root, name);
    assert_int_equal(remove(path), 0);
}
