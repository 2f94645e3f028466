/* The generator and the folder writer: fixed numbers, so that goldens cannot drift unseen. */
#include "golden/golden.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void generator_is_fixed(void **state)
{
    (void)state;
    assert_true(golden_key("") == 0xCBF29CE484222325u);
    assert_true(golden_key("a") == 0xAF63DC4C8601EC8Cu);
    uint64_t key = golden_key("weight");
    assert_true(golden_uniform(key, 0) == -0.04523122310638428);
    assert_true(golden_uniform(key, 1) == -0.6935395002365112);
    double sum = 0, squares = 0;
    for (uint64_t i = 0; i < 100000; i++) {
        double u = golden_uniform(key, i);
        assert_true(u >= -1 && u < 1);
        sum += u;
        squares += u * u;
    }
    assert_true(sum < 600 && sum > -600); /* 3.3 standard errors of a uniform mean */
    assert_true(squares > 33033 && squares < 33633);
}

static void folder_has_what_the_case_says(void **state)
{
    (void)state;
    char folder[] = "/tmp/golden-XXXXXX", why[512] = "", path[128];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/case.json", folder);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs("{\"tokenizer\": null, \"files\": {\"a/config.json\": {\"x\": 1}, \"vocab.txt\": \"one\\ntwo\\n\"},"
          "\"weights\": {\"model.safetensors\": [[\"F16\", 1, 0, \"ones\", [2, 3]], [\"I64\", 0, \"count\", \"ids\", [1, 4]],"
          "[\"BF16\", -2, 0, \"minus\", [1]], [\"F16\", 6e-8, 0, \"tiny\", [1]]]}}",
        f);
    fclose(f);
    assert_true(golden_make(path, folder, why, sizeof why));
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    f = fopen(path, "rb");
    assert_non_null(f);
    unsigned char bytes[1024];
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    uint64_t header;
    memcpy(&header, bytes, 8);
    assert_int_equal(n, 8 + header + 12 + 32 + 2 + 2);
    assert_memory_equal(bytes + 8 + header, "\x00\x3C\x00\x3C", 4);
    assert_memory_equal(bytes + 8 + header + 12 + 24, "\x03\0\0\0\0\0\0\0", 8);
    assert_memory_equal(bytes + 8 + header + 44, "\x00\xC0\x01\x00", 4);
    snprintf(path, sizeof path, "rm -r '%s'", folder);
    assert_int_equal(system(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(generator_is_fixed), cmocka_unit_test(folder_has_what_the_case_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
