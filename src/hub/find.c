/* A model by its folder, or by its name in the Hugging Face hub's cache:
 * CACHE/models--ORG--NAME/{refs/REV holds a commit, snapshots/COMMIT/ holds the files}. */
#include "hub/hub.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, NAME_BYTES = 96 };

typedef struct place {
    char text[PATH_BYTES];
    size_t used;
    bool full; /* something did not fit */
} place;

static void add(place *p, const char *text, size_t n)
{
    if (n >= sizeof p->text - p->used) {
        p->full = true;
        return;
    }
    memcpy(p->text + p->used, text, n);
    p->used += n;
    p->text[p->used] = '\0';
}

static void add_text(place *p, const char *text) { add(p, text, strlen(text)); }

static bool set(const char *value) { return value && *value; }

/* "~/..." is in the home folder, as Python expands it. */
static void add_expanded(place *p, const char *path, const char *home)
{
    if (path[0] == '~' && (path[1] == '/' || path[1] == '\0') && set(home)) {
        add_text(p, home);
        path++;
    }
    add_text(p, path);
}

/* The order is huggingface_hub's. */
static bool find_cache(const pl_hub_env *env, place *out)
{
    if (!env)
        return false;
    if (set(env->hf_hub_cache)) {
        add_expanded(out, env->hf_hub_cache, env->home);
    } else if (set(env->hf_home)) {
        add_expanded(out, env->hf_home, env->home);
        add_text(out, "/hub");
    } else if (set(env->xdg_cache_home)) {
        add_expanded(out, env->xdg_cache_home, env->home);
        add_text(out, "/huggingface/hub");
    } else if (set(env->home)) {
        add_text(out, env->home);
        add_text(out, "/.cache/huggingface/hub");
    }
    return out->used > 0 && !out->full;
}

/* Letters, digits, '-', '_' and '.', no "--" and no "..", which the hub does not allow either. */
static bool is_part(const char *text, size_t n)
{
    if (n == 0 || n > NAME_BYTES || text[0] == '.' || text[0] == '-')
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
            return false;
        if (i > 0 && (c == '-' || c == '.') && text[i - 1] == c)
            return false;
    }
    return true;
}

static bool is_revision(const char *text)
{
    for (const char *part = text;;) {
        size_t n = strcspn(part, "/");
        if (!is_part(part, n))
            return false;
        if (!part[n])
            return true;
        part += n + 1;
    }
}

bool pl_hub_name_parse(const char *model, pl_hub_name *out)
{
    size_t n = strcspn(model, "@");
    *out = (pl_hub_name){.revision = model[n] ? model + n + 1 : "main"};
    const char *slash = memchr(model, '/', n);
    if (slash) {
        out->org = model;
        out->org_bytes = (size_t)(slash - model);
        if (!is_part(out->org, out->org_bytes))
            return false;
    }
    out->name = slash ? slash + 1 : model;
    out->name_bytes = n - (size_t)(out->name - model);
    return is_part(out->name, out->name_bytes) && is_revision(out->revision);
}

bool pl_hub_cache(const pl_hub_env *env, char *path, size_t capacity)
{
    place at = {.used = 0};
    return find_cache(env, &at) && (size_t)snprintf(path, capacity, "%s", at.text) < capacity;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The commit that refs/REV names, or REV itself where there is no such reference. */
static pl_status read_reference(const place *repository_place, const char *revision, char commit[NAME_BYTES + 1], pl_error *e)
{
    place path = *repository_place;
    add_text(&path, "/refs/");
    add_text(&path, revision);
    struct stat st;
    if (path.full || lstat(path.text, &st) != 0) {
        snprintf(commit, NAME_BYTES + 1, "%s", strlen(revision) <= NAME_BYTES && !strchr(revision, '/') ? revision : "");
        return PL_OK;
    }
    int fd;
    uint64_t bytes;
    pl_status status = pl_file_open(path.text, &fd, &bytes, e);
    if (status)
        return status;
    size_t n = (size_t)(bytes < NAME_BYTES ? bytes : NAME_BYTES);
    status = pl_file_read(fd, path.text, 0, commit, n, e);
    close(fd);
    if (status)
        return status;
    while (n > 0 && (commit[n - 1] == '\n' || commit[n - 1] == ' '))
        n--;
    commit[n] = '\0';
    if (bytes > NAME_BYTES || strlen(commit) != n || !is_part(commit, n))
        return pl_fail(e, PL_BAD_INPUT, "%s: holds no commit", path.text);
    return PL_OK;
}

static pl_status not_found(const char *model, const pl_hub_name *r, const char *cache, pl_error *e)
{
    pl_fail(e, PL_BAD_INPUT, "%s: is neither a folder nor a model in the cache%s%s", model, cache ? " " : ", for none is set", cache ? cache : "");
    bool other = strcmp(r->revision, "main") != 0;
    pl_hint(e, "get it: plimsoll pull %.*s%s%s", (int)strcspn(model, "@"), model, other ? "@" : "", other ? r->revision : "");
    return PL_BAD_INPUT;
}

static pl_status hand_over(const char *found, char *path, size_t capacity, pl_error *e)
{
    if ((size_t)snprintf(path, capacity, "%s", found) >= capacity)
        return pl_fail(e, PL_BAD_INPUT, "%s: the path is too long", found);
    return PL_OK;
}

static pl_status find_in_cache(const char *model, const pl_hub_name *r, const pl_hub_env *env, char *path, size_t capacity, pl_error *e)
{
    place at = {.used = 0};
    if (!find_cache(env, &at))
        return not_found(model, r, NULL, e);
    place cache = at;
    add_text(&at, "/models--");
    if (r->org) {
        add(&at, r->org, r->org_bytes);
        add_text(&at, "--");
    }
    add(&at, r->name, r->name_bytes);
    if (at.full || !is_folder(at.text))
        return not_found(model, r, cache.text, e);
    char commit[NAME_BYTES + 1];
    pl_status status = read_reference(&at, r->revision, commit, e);
    if (status)
        return status;
    add_text(&at, "/snapshots/");
    add_text(&at, commit);
    if (!*commit || at.full || !is_folder(at.text))
        return not_found(model, r, cache.text, e);
    return hand_over(at.text, path, capacity, e);
}

pl_status pl_hub_find(const char *model, const pl_hub_env *env, char *path, size_t capacity, pl_error *e)
{
    if (!*model)
        return pl_fail(e, PL_BAD_INPUT, "the model's name is empty, a folder or ORG/NAME would be right");
    struct stat st;
    if (stat(model, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return hand_over(model, path, capacity, e);
        return pl_fail(e, PL_BAD_INPUT, "%s: is no folder, a model's folder with config.json is needed", model);
    }
    int error = errno;
    pl_hub_name r;
    if ((error == ENOENT || error == ENOTDIR) && pl_hub_name_parse(model, &r))
        return find_in_cache(model, &r, env, path, capacity, e);
    if (error == ENOENT)
        return pl_fail(e, PL_BAD_INPUT, "%s: there is no such folder", model);
    return pl_file_fail(model, error, "cannot be examined", e);
}
