/* A file of checked blocks, hurt in every way: noticed each time. */
#include "train/blocks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { FIRST = 100, REST = PL__BLOCK + 5000 };

static char folder[] = "/tmp/plimsoll-blocks-XXXXXX", path[64], other[64];
static char buffer[PL__BLOCK], block[PL__BLOCK], first[FIRST], rest[REST], got[REST];

static void write_file(const char *name, char mark)
{
    pl__block_writer w;
    pl_error e;
    memset(first, mark, sizeof first);
    for (size_t i = 0; i < sizeof rest; i++)
        rest[i] = (char)(i * 31 + (size_t)mark);
    assert_int_equal(pl__blocks_begin(&w, name, first, sizeof first, buffer, sizeof buffer, block, &e), PL_OK);
    pl__blocks_put(&w, rest, 10);
    pl__blocks_put(&w, rest + 10, sizeof rest - 10);
    assert_int_equal(pl__blocks_end(&w), PL_OK);
}

static pl_status read_file(const char *name, pl_error *e)
{
    pl__block_reader r;
    char head[FIRST];
    pl_status s = pl__blocks_open(&r, name, head, sizeof head, block, e);
    if (s)
        return s;
    s = pl__blocks_expect(&r, sizeof rest);
    if (!s)
        s = pl__blocks_get(&r, got, sizeof got);
    pl__blocks_close(&r);
    if (!s)
        assert_true(memcmp(head, first, sizeof head) == 0 && memcmp(got, rest, sizeof got) == 0);
    return s;
}

static long size_of(const char *name)
{
    FILE *f = fopen(name, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    fclose(f);
    return n;
}

static void test_whole(void **state)
{
    (void)state;
    pl_error e;
    write_file(path, 'a');
    assert_int_equal(read_file(path, &e), PL_OK);
    assert_int_equal(size_of(path), (long)pl__blocks_bytes(FIRST, REST));
}

static void test_cut_and_lengthened(void **state)
{
    (void)state;
    pl_error e;
    write_file(path, 'a');
    long whole = size_of(path);
    static const long lost[] = {1, 8, 4000, 60000};
    for (size_t i = 0; i < PL_COUNT(lost); i++) {
        write_file(path, 'a');
        assert_int_equal(truncate(path, whole - lost[i]), 0);
        assert_int_equal(read_file(path, &e), PL_BAD_INPUT);
        assert_non_null(strstr(e.text, "cut off"));
    }
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(read_file(path, &e), PL_BAD_INPUT);
    write_file(path, 'a');
    assert_int_equal(truncate(path, whole + 1), 0);
    assert_int_equal(read_file(path, &e), PL_BAD_INPUT);
}

static void test_each_bit_counts(void **state)
{
    (void)state;
    pl_error e;
    write_file(path, 'a');
    long whole = size_of(path);
    for (long at = 0; at < whole; at += 997) {
        FILE *f = fopen(path, "r+b");
        assert_non_null(f);
        fseek(f, at, SEEK_SET);
        int byte = fgetc(f);
        fseek(f, at, SEEK_SET);
        fputc(byte ^ 0x10, f);
        fclose(f);
        assert_int_equal(read_file(path, &e), PL_BAD_INPUT);
        f = fopen(path, "r+b");
        fseek(f, at, SEEK_SET);
        fputc(byte, f);
        fclose(f);
    }
    assert_int_equal(read_file(path, &e), PL_OK);
}

/* A block of another file of the same shape, its own checksum with it. */
static void test_swapped_block(void **state)
{
    (void)state;
    pl_error e;
    enum { AT = FIRST + 8, BYTES = PL__BLOCK + 8 };
    char *piece = malloc(BYTES);
    write_file(other, 'b');
    write_file(path, 'a');
    FILE *from = fopen(other, "rb"), *to = fopen(path, "r+b");
    fseek(from, AT, SEEK_SET);
    fseek(to, AT, SEEK_SET);
    assert_int_equal(fread(piece, 1, BYTES, from), BYTES);
    assert_int_equal(fwrite(piece, 1, BYTES, to), BYTES);
    fclose(from);
    fclose(to);
    free(piece);
    assert_int_equal(read_file(path, &e), PL_BAD_INPUT);
    assert_non_null(strstr(e.text, "checksum"));
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/a", folder);
    snprintf(other, sizeof other, "%s/b", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return pl__folder_remove(folder, NULL) == PL_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole), cmocka_unit_test(test_cut_and_lengthened), cmocka_unit_test(test_each_bit_counts), cmocka_unit_test(test_swapped_block)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
