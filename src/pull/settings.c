#include "pull/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const char *given(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static bool is_true(const char *value)
{
    static const char *const yes[] = {"1", "on", "yes", "true"};
    for (size_t i = 0; value && i < PL_COUNT(yes); i++)
        if (strcasecmp(value, yes[i]) == 0)
            return true;
    return false;
}

/* The token without the line's end; others' bytes do not belong into a header. */
static pl_status clean(const char *from, const char *text, char out[PL__TOKEN_BYTES], pl_error *e)
{
    text += strspn(text, " \t\r\n");
    size_t n = strlen(text);
    while (n > 0 && strchr(" \t\r\n", text[n - 1]))
        n--;
    if (n >= PL__TOKEN_BYTES)
        return pl_fail(e, PL_USAGE, "%s: holds %zu characters, which is no token", from, n);
    for (size_t i = 0; i < n; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return pl_fail(e, PL_USAGE, "%s: holds what is no token", from);
    memcpy(out, text, n);
    out[n] = '\0';
    return PL_OK;
}

static bool token_file(const pl_hub_env *hub, char path[4096])
{
    const char *own = given("HF_TOKEN_PATH"), *base = own, *home = hub->home ? hub->home : "", *behind = "";
    if (!base && hub->hf_home) {
        base = hub->hf_home;
        behind = "/token";
    } else if (!base && hub->xdg_cache_home) {
        base = hub->xdg_cache_home;
        behind = "/huggingface/token";
    } else if (!base && hub->home) {
        base = hub->home;
        behind = "/.cache/huggingface/token";
    }
    if (!base)
        return false;
    bool tilde = base[0] == '~' && (base[1] == '/' || !base[1]);
    return snprintf(path, 4096, "%s%s%s", tilde ? home : "", base + tilde, behind) < 4096;
}

static pl_status read_token(pl__settings *s, pl_error *e)
{
    const char *name = given("HF_TOKEN") ? "HF_TOKEN" : "HUGGING_FACE_HUB_TOKEN", *value = given(name);
    char path[4096], text[PL__TOKEN_BYTES + 2];
    if (value)
        return clean(name, value, s->token, e);
    if (is_true(given("HF_HUB_DISABLE_IMPLICIT_TOKEN")) || !token_file(&s->hub, path))
        return PL_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? PL_OK : pl_file_fail(path, errno, "cannot be read", e);
    ssize_t n = read(fd, text, sizeof text - 1);
    int error = errno;
    close(fd);
    if (n < 0)
        return pl_file_fail(path, error, "cannot be read", e);
    text[n] = '\0';
    return clean(path, text, s->token, e);
}

static pl_status read_endpoint(pl__settings *s, pl_error *e)
{
    const char *value = given("HF_ENDPOINT");
    if (!value)
        value = "https://huggingface.co";
    size_t n = strlen(value);
    while (n > 0 && value[n - 1] == '/')
        n--;
    if (n >= sizeof s->endpoint)
        return pl_fail(e, PL_USAGE, "HF_ENDPOINT: is too long for an address");
    memcpy(s->endpoint, value, n);
    s->endpoint[n] = '\0';
    return PL_OK;
}

pl_status pl__settings_read(pl__settings *s, pl_error *e)
{
    *s = (pl__settings){.hub = {given("HF_HUB_CACHE"), given("HF_HOME"), given("XDG_CACHE_HOME"), given("HOME")}};
    if (!s->hub.hf_hub_cache)
        s->hub.hf_hub_cache = given("HUGGINGFACE_HUB_CACHE"); /* its older name */
    s->offline = is_true(given("HF_HUB_OFFLINE")) || is_true(given("TRANSFORMERS_OFFLINE"));
    if (!pl_hub_cache(&s->hub, s->cache, sizeof s->cache))
        return pl_fail(e, PL_USAGE, "no folder for the cache: set HF_HUB_CACHE, HF_HOME or HOME");
    pl_status status = read_endpoint(s, e);
    return status ? status : read_token(s, e);
}
