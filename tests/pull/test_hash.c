/* Known digests (FIPS 180-4's examples, git's empty blob), and the same however the bytes are cut. */
#include "pull/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void gives(pl__hash_kind kind, const char *text, size_t n, const char *want)
{
    char got[PL__HASH_TEXT];
    for (size_t cut = 1; cut <= n + 1; cut += 1 + n / 50) {
        pl__hash h;
        pl__hash_start(&h, kind);
        for (size_t at = 0; at < n; at += cut)
            pl__hash_add(&h, text + at, n - at < cut ? n - at : cut);
        pl__hash_end(&h, got);
        assert_string_equal(got, want);
    }
}

static void examples(void **state)
{
    (void)state;
    static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    gives(PL__SHA1, "abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d");
    gives(PL__SHA1, two, sizeof two - 1, "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    gives(PL__SHA1, "blob 0", 7, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    gives(PL__SHA256, "", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    gives(PL__SHA256, "abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    gives(PL__SHA256, two, sizeof two - 1, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void a_million(void **state)
{
    (void)state;
    enum { MILLION = 1000000 };
    char *text = malloc(MILLION);
    assert_non_null(text);
    memset(text, 'a', MILLION);
    gives(PL__SHA1, text, MILLION, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    gives(PL__SHA256, text, MILLION, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(examples), cmocka_unit_test(a_million)};
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
