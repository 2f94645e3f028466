#define _XOPEN_SOURCE 700 /* nftw */
#include "hub/make.h"

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

char make_root[64];
const char make_header[] = "{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                           "\"b\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[24,32]}}";

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    return where->level > 0 ? remove(path) : 0;
}

void make_empty(void) { nftw(make_root, remove_one, 16, FTW_DEPTH | FTW_PHYS); }

int make_begin(void **state)
{
    (void)state;
    strcpy(make_root, "/tmp/plimsoll-XXXXXX");
    return mkdtemp(make_root) ? 0 : -1;
}

int make_end(void **state)
{
    (void)state;
    make_empty();
    return rmdir(make_root);
}

const char *make_path(const char *name)
{
    static char paths[4][4096];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", make_root, name);
    return path;
}

void make_file(const char *name, const void *bytes, size_t n)
{
    char path[4096];
    snprintf(path, sizeof path, "%s", make_path(name));
    for (char *slash = strchr(path + strlen(make_root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0700) != 0)
            assert_int_equal(errno, EEXIST);
        *slash = '/';
    }
    unlink(path);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

void make_text(const char *name, const char *text) { make_file(name, text, strlen(text)); }

void make_safetensors(const char *name, const char *header, size_t data)
{
    size_t n = strlen(header);
    unsigned char *file = calloc(1, 8 + n + data);
    for (size_t i = 0; i < 8; i++)
        file[i] = (unsigned char)((uint64_t)n >> (8 * i));
    memcpy(file + 8, header, n);
    for (size_t i = 0; i < data; i++)
        file[8 + n + i] = (unsigned char)i;
    make_file(name, file, 8 + n + data);
    free(file);
}

void make_model(void)
{
    make_empty();
    make_text("model/config.json", "{\"model_type\":\"bert\",\"architectures\":[\"BertModel\"]}");
    make_safetensors("model/model.safetensors", make_header, MAKE_DATA);
}

pl_folder *make_open(void)
{
    pl_folder *f = NULL;
    pl_error e;
    if (pl_folder_open(make_path("model"), NULL, &f, &e) != PL_OK)
        fail_msg("%s", e.text);
    return f;
}

void make_refused(const char *file, const char *words)
{
    pl_folder *f = (pl_folder *)1;
    pl_error e;
    pl_error_clear(&e);
    pl_status status = pl_folder_open(make_path("model"), NULL, &f, &e);
    if (status != PL_BAD_INPUT)
        fail_msg("%s: %s: status %d: %s", file, words, (int)status, e.text);
    assert_null(f);
    if (strncmp(e.text, make_path(file), strlen(make_path(file))) != 0)
        fail_msg("%s is not named first in: %s", file, e.text);
    if (!strstr(e.text, words))
        fail_msg("no \"%s\" in: %s", words, e.text);
}
