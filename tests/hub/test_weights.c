/* safetensors files and shards: what is right is seen, what is wrong is named, files that change or
 * end under us are noticed. */
#include "base/failing.h"
#include "hub/make.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_NAME "model/model.safetensors"
#define INDEX_NAME "model/model.safetensors.index.json"
#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}"
#define B "\"b\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[24,32]}"

static void tensors_are_seen(void **state)
{
    (void)state;
    make_model();
    pl_folder *f = make_open();
    assert_int_equal(pl_folder_tensors(f), 2);
    const pl_tensor_view *a = pl_folder_tensor(f, "a"), *b = pl_folder_tensor(f, "b");
    assert_ptr_equal(a, pl_folder_tensor_at(f, 0));
    assert_ptr_equal(b, pl_folder_tensor_at(f, 1));
    assert_null(pl_folder_tensor(f, "c"));
    assert_null(pl_folder_tensor(f, ""));
    assert_string_equal(a->name, "a");
    assert_int_equal(a->type, PL_F32);
    assert_int_equal(a->rank, 2);
    assert_int_equal(a->shape[0], 2);
    assert_int_equal(a->shape[1], 3);
    assert_int_equal(a->bytes, 24);
    assert_int_equal(a->offset, 8 + strlen(make_header));
    assert_int_equal(b->type, PL_F16);
    assert_int_equal(b->offset, a->offset + 24);
    unsigned char data[8];
    pl_error e;
    assert_int_equal(pl_folder_read(f, b->file, b->offset, data, 8, &e), PL_OK);
    for (int i = 0; i < 8; i++)
        assert_int_equal(data[i], 24 + i);
    assert_int_equal(pl_folder_read(f, b->file, b->offset + 4, data, 8, &e), PL_BAD_INPUT);
    assert_non_null(strstr(e.text, "truncated"));
    assert_non_null(strstr(e.text, FILE_NAME));
    assert_int_equal(pl_folder_files(f), 1);
    assert_string_equal(pl_folder_file_name(f, 0), make_path(FILE_NAME));
    assert_true(fcntl(pl_folder_fd(f, 0), F_GETFD) & FD_CLOEXEC);
    pl_folder_drop(f, 0, 0, 32);
    pl_folder_close(f);
}

static void odd_headers_are_right(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data, tensors;
    } cases[] = {
        {"{}", 0, 0},
        {"{\"__metadata__\":{}}", 0, 0},
        {"{" A "}              ", 24, 1},
        {"{\"s\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]}}", 8, 1},
        {"{\"z\":{\"dtype\":\"F32\",\"shape\":[0,5],\"data_offsets\":[0,0]}}", 0, 1},
        {"{\"z\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[24,24]}," A ",\"y\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}", 24, 3},
        {"{" B "," A "}", 32, 2}, /* in any order */
        {"{\"a\":{\"data_offsets\":[0,24],\"later\":{\"x\":[1]},\"shape\":[2,3],\"dtype\":\"F32\"}}", 24, 1},
        {"{\"\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, 1},
        {"{\"\\u00e9\":{\"dtype\":\"BF16\",\"shape\":[1,1,1,1,1,1,1,1],\"data_offsets\":[0,2]}}", 2, 1},
    };
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        make_model();
        make_safetensors(FILE_NAME, cases[i].header, cases[i].data);
        pl_folder *f = make_open();
        assert_int_equal(pl_folder_tensors(f), cases[i].tensors);
        pl_folder_close(f);
    }
}

static void broken_headers_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data;
        const char *words;
    } cases[] = {
        {"[1,2]", 0, "does not begin with '{'"},
        {"  {}", 0, "does not begin with '{'"},
        {"{" A, 24, "header: line 1, column 57: the end of the text"},
        {"{" A "} x", 24, "after the end of the value"},
        {"{\"a\":5}", 0, "tensor \"a\": an object with dtype"},
        {"{\"a\":{\"shape\":[0],\"data_offsets\":[0,0]}}", 0, "tensor \"a\": dtype is missing"},
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,0]}}", 0, "tensor \"a\": shape is missing"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0]}}", 0, "tensor \"a\": data_offsets is missing"},
        {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0, "dtype stands there twice"},
        {"{\"a\":{\"dtype\":\"F31\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0, "tensor \"a\": dtype \"F31\" is not known"},
        {"{\"a\":{\"dtype\":5,\"shape\":[0],\"data_offsets\":[0,0]}}", 0, "dtype must be a string"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":6,\"data_offsets\":[0,24]}}", 24, "shape must be an array"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-2,-3],\"data_offsets\":[0,24]}}", 24, "tensor \"a\": shape: whole numbers"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0,3],\"data_offsets\":[0,24]}}", 24, "tensor \"a\": shape: whole numbers"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[\"6\"],\"data_offsets\":[0,24]}}", 24, "tensor \"a\": shape: whole numbers"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[18446744073709551616],\"data_offsets\":[0,24]}}", 24, "tensor \"a\": shape: whole numbers"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[[6]],\"data_offsets\":[0,24]}}", 24, "tensor \"a\": shape: whole numbers"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1, "more than 8 dimensions"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0, "more than any file holds"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}", 0, "more than any file holds"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,20]}}", 20, "shape [2, 3] of F32 is 24 bytes, data_offsets give 20"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[24,0]}}", 24, "before they begin"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0]}}", 24, "must be two numbers"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24,24]}}", 24, "must be two numbers"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":{}}}", 24, "must be an array"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[9223372036854775808,9223372036854775832]}}", 24, "it is cut"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[18446744073709551592,18446744073709551615]}}", 24, "data_offsets give 23"},
        {"{" A "}", 23, "its data end at byte 24, the file has 23: it is cut"},
        {"{" A "}", 25, "the last 1 bytes of the file belong to no tensor"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[4,28]}}", 28, "the 4 bytes before tensor \"a\" belong to none"},
        {"{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[28,36]}}", 36, "the 4 bytes before tensor \"b\""},
        {"{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[20,28]}}", 28, "tensors \"a\" and \"b\" overlap"},
        {"{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24]}}", 24, "overlap"},
        {"{" A "," A "}", 24, "tensor \"a\" stands there twice"},
        {"{}", 5, "names no tensor, but 5 bytes follow"},
        {"{\"__metadata__\":{\"x\":5}}", 0, "values must be strings"},
        {"{\"__metadata__\":[]}", 0, "an object of strings"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "__metadata__ stands there twice"},
        {"{\"a\\u0000b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "NUL"},
        {"{\"\xFF\":{}}", 0, "not valid UTF-8"},
    };
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        make_model();
        make_safetensors(FILE_NAME, cases[i].header, cases[i].data);
        make_refused(FILE_NAME, cases[i].words);
    }
}

static void put_length(uint64_t length, const char *rest)
{
    unsigned char bytes[64];
    for (size_t i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(length >> (8 * i));
    memcpy(bytes + 8, rest, strlen(rest));
    make_file(FILE_NAME, bytes, 8 + strlen(rest));
}

static void lengths_are_checked(void **state)
{
    (void)state;
    make_model();
    for (size_t n = 0; n < 9; n++) {
        make_file(FILE_NAME, "\0\0\0\0\0\0\0\0\0", n);
        make_refused(FILE_NAME, "too few for a safetensors file");
    }
    put_length(0, "{}");
    make_refused(FILE_NAME, "does not begin");
    put_length(3, "{}");
    make_refused(FILE_NAME, "has 3 bytes by its own account, the file ends after 2: it is cut");
    put_length(100000001, "{}");
    make_refused(FILE_NAME, "more than the 100000000");
    put_length(UINT64_MAX, "{}");
    make_refused(FILE_NAME, "18446744073709551615");
    put_length(1ULL << 63, "{}");
    make_refused(FILE_NAME, "9223372036854775808");
    make_text(FILE_NAME, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n");
    make_refused(FILE_NAME, "Git LFS pointer");
    /* the whole file at each length */
    size_t n = 8 + strlen(make_header) + MAKE_DATA;
    make_safetensors(FILE_NAME, make_header, MAKE_DATA);
    for (size_t cut = n; cut-- > 0;) {
        assert_int_equal(truncate(make_path(FILE_NAME), (off_t)cut), 0);
        make_refused(FILE_NAME, "");
    }
}

static void other_things_in_its_place(void **state)
{
    (void)state;
    make_model();
    assert_int_equal(unlink(make_path(FILE_NAME)), 0);
    make_refused("model", "there is no model.safetensors");
    make_text("model/tf_model.h5", "x");
    make_refused("model/tf_model.h5", "is not read");
    make_text("model/pytorch_model.bin", "x");
    make_refused("model/pytorch_model.bin", "model.safetensors would be right");
    pl_folder *f;
    pl_error e;
    pl_folder_open(make_path("model"), NULL, &f, &e);
    assert_non_null(strstr(e.hints, "import BertModel as M"));
    assert_int_equal(mkdir(make_path(FILE_NAME), 0700), 0);
    make_refused(FILE_NAME, "folder");
    assert_int_equal(rmdir(make_path(FILE_NAME)), 0);
    assert_int_equal(mkfifo(make_path(FILE_NAME), 0600), 0);
    make_refused(FILE_NAME, "named pipe");
    static const char *const targets[] = {"nowhere", "model.safetensors", "/dev/zero"};
    static const char *const words[] = {"no such file", "cannot be opened", "device"};
    for (size_t i = 0; i < PL_COUNT(targets); i++) {
        unlink(make_path(FILE_NAME));
        assert_int_equal(symlink(targets[i], make_path(FILE_NAME)), 0);
        make_refused(FILE_NAME, words[i]);
    }
}

/* ---- shards ---- */

static void make_shards(const char *index)
{
    make_model();
    unlink(make_path(FILE_NAME));
    make_safetensors("model/one.safetensors", "{" A "}", 24);
    make_safetensors("model/sub/two.safetensors",
        "{\"b\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[0,8]},\"extra\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[8,10]}}", 10);
    make_text(INDEX_NAME, index);
}

static void shards_are_joined(void **state)
{
    (void)state;
    make_shards("{\"metadata\":{\"total_size\":34},\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"sub/two.safetensors\"}}");
    pl_folder *f = make_open();
    assert_int_equal(pl_folder_files(f), 2);
    assert_int_equal(pl_folder_tensors(f), 3); /* with what the index passes over */
    const pl_tensor_view *a = pl_folder_tensor(f, "a"), *b = pl_folder_tensor(f, "b");
    assert_string_equal(pl_folder_file_name(f, a->file), make_path("model/one.safetensors"));
    assert_string_equal(pl_folder_file_name(f, b->file), make_path("model/sub/two.safetensors"));
    pl_folder_close(f);
    make_safetensors(FILE_NAME, make_header, MAKE_DATA); /* the single file comes first */
    f = make_open();
    assert_int_equal(pl_folder_files(f), 1);
    pl_folder_close(f);
}

static void broken_indexes_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *index, *words;
    } cases[] = {
        {"", "empty"},
        {"[]", "no object"},
        {"{}", "weight_map: missing"},
        {"{\"weight_map\":[]}", "weight_map: an object"},
        {"{\"weight_map\":{\"a\":1}}", "the name of a file"},
        {"{\"weight_map\":{\"a\":\"\"}}", "no file of this folder"},
        {"{\"weight_map\":{\"a\":\"../one.safetensors\"}}", "no file of this folder"},
        {"{\"weight_map\":{\"a\":\"sub/../../one.safetensors\"}}", "no file of this folder"},
        {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "no file of this folder"},
        {"{\"weight_map\":{\"a\":\"one.safetensors\\u0000\"}}", "no file of this folder"},
        {"{\"weight_map\":{\"a\":\"three.safetensors\"}}", "the file three.safetensors is missing"},
        {"{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"one.safetensors\"}}", "tensor \"b\" is not in one.safetensors nor in any other"},
        {"{\"weight_map\":{\"a\":\"sub/two.safetensors\",\"b\":\"one.safetensors\"}}", "tensor \"a\" is not in sub/two.safetensors but in"},
        {"{\"weight_map\":{\"a\":\"one.safetensors\",\"a\":\"one.safetensors\"}}", "tensor \"a\" stands there twice"},
        {"{\"weight_map\":{\"a\":\"one.safetensors\"},\"weight_map\":{}}", "weight_map: stands there twice"},
        {"{\"weight_map\":{\"a\":\"one.safetensors\"}", "the end of the text"},
        {"{\"weight_map\":{\"a\":\"one.safetensors\"}} 5", "after the end"},
    };
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        make_shards(cases[i].index);
        make_refused(INDEX_NAME, cases[i].words);
    }
    make_shards("{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"sub/two.safetensors\"}}");
    make_safetensors("model/sub/two.safetensors", make_header, MAKE_DATA);
    make_refused("model/", "tensor \"a\" stands in");
}

/* ---- many tensors ---- */

static char *vast_header(size_t count, size_t *data)
{
    char *header = malloc(count * 96 + 8), *p = header;
    *p++ = '{';
    for (size_t i = 0; i < count; i++) /* names out of order, two bytes each */
        p += sprintf(p, "%s\"t%zu\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[%zu,%zu]}", i ? "," : "", (i * 7919) % count, 2 * i, 2 * i + 2);
    strcpy(p, "}");
    *data = 2 * count;
    return header;
}

static void thousands_are_found(void **state)
{
    (void)state;
    make_model();
    size_t data, count = 20011; /* prime, so that the names above are all different */
    char *header = vast_header(count, &data), name[32];
    make_safetensors(FILE_NAME, header, data);
    free(header);
    pl_folder *f = make_open();
    assert_int_equal(pl_folder_tensors(f), count);
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "t%zu", (i * 7919) % count);
        const pl_tensor_view *t = pl_folder_tensor(f, name);
        assert_non_null(t);
        assert_int_equal(t->offset, pl_folder_tensor(f, "t0")->offset + 2 * i);
        if (i)
            assert_true(strcmp(pl_folder_tensor_at(f, i - 1)->name, pl_folder_tensor_at(f, i)->name) < 0);
    }
    pl_folder_close(f);
    header = vast_header(65537, &data);
    make_safetensors(FILE_NAME, header, data);
    free(header);
    make_refused(FILE_NAME, "more than 65536 tensors");
}

/* A header of megabytes is read in the memory that one string needs. */
static void metadata_may_be_large(void **state)
{
    (void)state;
    make_model();
    size_t n = 8 << 20;
    char *header = malloc(n + 100), *p = header;
    p += sprintf(p, "{\"__metadata__\":{");
    for (size_t i = 0; (size_t)(p - header) < n; i++)
        p += sprintf(p, "%s\"k%zu\":\"%0100d\"", i ? "," : "", i, 0);
    sprintf(p, "}}");
    make_safetensors(FILE_NAME, header, 0);
    free(header);
    failing source;
    failing_init(&source, 0);
    pl_folder *f;
    pl_error e;
    assert_int_equal(pl_folder_open(make_path("model"), &source.memory, &f, &e), PL_OK);
    assert_true(source.most < 200000);
    pl_folder_close(f);
    assert_int_equal(source.blocks, 0);
}

/* ---- changes underneath ---- */

static void changed(const char *words)
{
    pl_folder *f = make_open();
    pl_error e;
    assert_int_equal(pl_folder_unchanged(f, &e), PL_OK);
    struct timespec pause = {0, 20000000}; /* the kernel's clock for files is a coarse one */
    nanosleep(&pause, NULL);
    const char *path = make_path(FILE_NAME);
    if (strcmp(words, "touched") == 0) {
        int fd = open(path, O_WRONLY);
        assert_int_equal(pwrite(fd, "x", 1, 200), 1);
        close(fd);
    } else if (strcmp(words, "cut") == 0) {
        assert_int_equal(truncate(path, 100), 0);
    } else if (strcmp(words, "replaced") == 0) {
        make_safetensors("model/other", make_header, MAKE_DATA);
        assert_int_equal(rename(make_path("model/other"), path), 0);
    } else {
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(pl_folder_unchanged(f, &e), PL_BAD_INPUT);
    assert_non_null(strstr(e.text, path));
    pl_folder_close(f);
}

static void changes_are_noticed(void **state)
{
    (void)state;
    static const char *const ways[] = {"touched", "cut", "replaced", "gone"};
    for (size_t i = 0; i < PL_COUNT(ways); i++) {
        make_model();
        changed(ways[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_are_seen),
        cmocka_unit_test(odd_headers_are_right),
        cmocka_unit_test(broken_headers_are_named),
        cmocka_unit_test(lengths_are_checked),
        cmocka_unit_test(other_things_in_its_place),
        cmocka_unit_test(shards_are_joined),
        cmocka_unit_test(broken_indexes_are_named),
        cmocka_unit_test(thousands_are_found),
        cmocka_unit_test(metadata_may_be_large),
        cmocka_unit_test(changes_are_noticed),
    };
    return cmocka_run_group_tests_name("weights", tests, make_begin, make_end);
}
