/* Models by folder and by name in the hub's cache, with every variable that moves the cache. */
#include "hub/make.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char commit[] = "0123456789abcdef0123456789abcdef01234567";

static void make_repository(const char *cache, const char *name, const char *reference, const char *hash)
{
    char file[512];
    snprintf(file, sizeof file, "%s/%s/refs/%s", cache, name, reference);
    make_text(file, hash);
    snprintf(file, sizeof file, "%s/%s/snapshots/%.40s/config.json", cache, name, hash);
    make_text(file, "{}");
}

static void found(const char *model, const pl_hub_env *env, const char *ending)
{
    char path[4096];
    pl_error e;
    if (pl_hub_find(model, env, path, sizeof path, &e))
        fail_msg("%s: %s", model, e.text);
    size_t n = strlen(path), m = strlen(ending);
    if (n < m || strcmp(path + n - m, ending) != 0)
        fail_msg("%s: found in %s instead of %s", model, path, ending);
}

static void missing(const char *model, const pl_hub_env *env, const char *words)
{
    char path[4096];
    pl_error e;
    if (pl_hub_find(model, env, path, sizeof path, &e) != PL_BAD_INPUT)
        fail_msg("%s: found in %s", model, path);
    if (!strstr(e.text, words))
        fail_msg("%s: no \"%s\" in: %s", model, words, e.text);
}

static void folders_win(void **state)
{
    (void)state;
    make_empty();
    make_text("model/config.json", "{}");
    make_text("file", "");
    char path[4096];
    pl_error e;
    assert_int_equal(pl_hub_find(make_path("model"), NULL, path, sizeof path, &e), PL_OK);
    assert_string_equal(path, make_path("model"));
    missing(make_path("nomodel"), NULL, "nomodel: there is no such folder");
    missing(make_path("file"), NULL, "is no folder");
    missing(make_path("file/inside"), NULL, "cannot be examined");
    missing("", NULL, "empty");
    assert_int_equal(symlink("loop", make_path("loop")), 0);
    missing(make_path("loop"), NULL, "cannot be examined");
    char vast[6000];
    memset(vast, 'a', sizeof vast - 1);
    vast[sizeof vast - 1] = '\0';
    missing(vast, NULL, "cannot be examined");
    assert_int_equal(pl_hub_find(make_path("model"), NULL, path, 5, &e), PL_BAD_INPUT);
}

static void variables_move_the_cache(void **state)
{
    (void)state;
    make_empty();
    make_repository("a", "models--org--name", "main", commit);
    make_repository("b/hub", "models--org--name", "main", "1111111111111111111111111111111111111111");
    make_repository("c/huggingface/hub", "models--org--name", "main", "2222222222222222222222222222222222222222");
    make_repository("d/.cache/huggingface/hub", "models--org--name", "main", "3333333333333333333333333333333333333333");
    make_repository("d/e", "models--org--name", "main", "4444444444444444444444444444444444444444");
    char a[100], b[100], c[100], d[100];
    snprintf(a, sizeof a, "%s/a", make_root);
    snprintf(b, sizeof b, "%s/b", make_root);
    snprintf(c, sizeof c, "%s/c", make_root);
    snprintf(d, sizeof d, "%s/d", make_root);
    pl_hub_env env = {.hf_hub_cache = a, .hf_home = b, .xdg_cache_home = c, .home = d};
    found("org/name", &env, "a/models--org--name/snapshots/0123456789abcdef0123456789abcdef01234567");
    env.hf_hub_cache = "";
    found("org/name", &env, "b/hub/models--org--name/snapshots/1111111111111111111111111111111111111111");
    env.hf_home = NULL;
    found("org/name", &env, "snapshots/2222222222222222222222222222222222222222");
    env.xdg_cache_home = NULL;
    found("org/name", &env, "snapshots/3333333333333333333333333333333333333333");
    env.hf_hub_cache = "~/e";
    found("org/name", &env, "d/e/models--org--name/snapshots/4444444444444444444444444444444444444444");
    env = (pl_hub_env){.home = NULL};
    missing("org/name", &env, "for none is set");
    missing("org/name", NULL, "for none is set");
}

static void revisions_are_followed(void **state)
{
    (void)state;
    make_empty();
    make_repository("cache", "models--org--some.model-v2_x", "main", "0123456789abcdef0123456789abcdef01234567\n");
    make_repository("cache", "models--org--some.model-v2_x", "refs/pr/7", "7777777777777777777777777777777777777777");
    make_repository("cache", "models--bert-base", "main", commit);
    pl_hub_env env = {.hf_hub_cache = make_path("cache")};
    found("org/some.model-v2_x", &env, commit);
    found("org/some.model-v2_x@main", &env, commit);
    found("org/some.model-v2_x@refs/pr/7", &env, "7777777777777777777777777777777777777777");
    found("org/some.model-v2_x@7777777777777777777777777777777777777777", &env, "7777777777777777777777777777777777777777");
    found("bert-base", &env, commit);
    missing("org/some.model-v2_x@v3", &env, "neither a folder nor a model in the cache");
    missing("org/other", &env, "neither a folder nor a model in the cache");
    missing("org/some.model-v2_x@", &env, "no such folder");
    missing("org/some.model-v2_x@../main", &env, "no such folder");
    missing("org/../cache", &env, "no such folder");
    missing("../cache/models--bert-base", &env, "no such folder");
    missing("a/b/c", &env, "no such folder");
    missing("org--name/x", &env, "no such folder");
    pl_error e;
    char path[64];
    assert_int_equal(pl_hub_find("org/other@v1", &env, path, sizeof path, &e), PL_BAD_INPUT);
    assert_string_equal(e.hints, "get it: plimsoll pull org/other@v1\n");
}

static void hostile_caches_are_refused(void **state)
{
    (void)state;
    make_empty();
    char cache[100];
    snprintf(cache, sizeof cache, "%s/cache", make_root);
    pl_hub_env env = {.hf_hub_cache = cache};
    static const char *const contents[] = {"../../../../etc", "", "a b", "/etc", "..", "0123\n0123", "\xFF",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < PL_COUNT(contents); i++) {
        make_text("cache/models--o--n/refs/main", contents[i]);
        missing("o/n", &env, "holds no commit");
    }
    make_file("cache/models--o--n/refs/main", "abc\0def", 7);
    missing("o/n", &env, "holds no commit");
    make_text("cache/models--o--n/refs/main", commit); /* its snapshot is missing */
    missing("o/n", &env, "neither");
    assert_int_equal(unlink(make_path("cache/models--o--n/refs/main")), 0);
    missing("o/n", &env, "neither");
    char vast[5000];
    memset(vast, 'x', sizeof vast - 1);
    vast[sizeof vast - 1] = '\0';
    pl_hub_env far = {.hf_hub_cache = vast};
    missing("o/n", &far, "o/n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(folders_win), cmocka_unit_test(variables_move_the_cache), cmocka_unit_test(revisions_are_followed),
        cmocka_unit_test(hostile_caches_are_refused)};
    return cmocka_run_group_tests_name("find", tests, make_begin, make_end);
}
