/* What the hub says of a repository: the commit of a revision, and its files. Every answer is
 * bounded, read by the walker, and checked whole before any of it is used. */
#include "pull/pull.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_ANSWER = 16 << 20, MOST_PAGES = 200, MOST_ENTRIES = 200000, MOST_TRIES = 4, MOST_WAIT = 60, MOST_PART = 255, MOST_PATH = 1024 };

bool pl__patience_has(pl__patience *p, const pl__reply *reply, const volatile int *stop)
{
    static const long TENTH = 100000000;
    if (!reply->again || ++p->tries >= MOST_TRIES)
        return false;
    uint64_t tenths = reply->wait_seconds ? 10 * pl_min(reply->wait_seconds, MOST_WAIT) : 5u << (p->tries - 1);
    for (; tenths > 0 && !*stop; tenths--)
        nanosleep(&(struct timespec){0, TENTH}, NULL);
    return !*stop;
}

/* ---- an answer held in memory ---- */
typedef struct answer {
    char *text;
    size_t used, room;
    const char *url;
} answer;

static pl_status keep(void *self, const pl__reply *reply, const void *bytes, size_t n, pl_error *e)
{
    answer *a = self;
    (void)reply;
    if (n > MOST_ANSWER - a->used)
        return pl_fail(e, PL_BAD_INPUT, "%s: the answer is larger than %d bytes", a->url, MOST_ANSWER);
    if (a->used + n > a->room) {
        size_t room = pl_max(2 * a->room, a->used + n);
        char *more = realloc(a->text, room);
        if (!more)
            return pl_fail_no_memory(e, room, "the server's answer");
        a->text = more;
        a->room = room;
    }
    memcpy(a->text + a->used, bytes, n);
    a->used += n;
    return PL_OK;
}

static pl_status ask(pl__source *s, const char *url, answer *a, pl__reply *reply, pl_error *e)
{
    pl__patience patience = {0};
    pl_status status;
    *a = (answer){.url = url};
    do {
        pl_error_clear(e);
        a->used = 0;
        status = pl__http_get(s->http, url, 0, keep, a, reply, e);
    } while (status && pl__patience_has(&patience, reply, s->stop));
    if (!status)
        return PL_OK;
    free(a->text);
    a->text = NULL;
    return status;
}

static bool make_url(const pl__source *s, char url[PL__URL_BYTES], const char *what, const char *revision)
{
    snprintf(url, PL__URL_BYTES, "%s/api/models/", s->endpoint);
    return pl__url_add(url, s->repository, strlen(s->repository), "/") && pl__url_add(url, what, strlen(what), "/") &&
        pl__url_add(url, revision, strlen(revision), "");
}

/* ---- the commit ---- */
static bool is_hex(const char *text, size_t n, size_t digits) { return n == digits && strspn(text, "0123456789abcdef") == digits; }

static pl_status read_commit(pl__source *s, pl_json_walker *w, pl_error *e)
{
    pl_json_event event;
    pl_status status = pl_json_next(w, &event, e);
    if (!status && event != PL_JSON_OBJECT)
        return pl_json_fail(w, e, "is no object");
    while (!status && !(status = pl_json_next(w, &event, e)) && event != PL_JSON_END) {
        size_t n, k;
        const char *key = pl_json_key(w, &k);
        if (event == PL_JSON_STRING && k == 3 && memcmp(key, "sha", 3) == 0) {
            const char *text = pl_json_scalar(w, &n);
            if (!is_hex(text, n, PL__COMMIT_BYTES - 1))
                return pl_json_fail(w, e, "sha: is no commit");
            memcpy(s->commit, text, PL__COMMIT_BYTES);
        }
        status = pl_json_skip(w, e);
    }
    if (!status && !*s->commit)
        return pl_json_fail(w, e, "has no sha, the commit");
    return status;
}

/* The hub's own words for what is missing, and what helps. */
static pl_status explain(const pl__source *s, const pl__reply *r, pl_error *e)
{
    const char *name = s->repository;
    if (strcmp(r->reason, "RevisionNotFound") == 0)
        return pl_fail(e, PL_BAD_INPUT, "%s: has no revision %s", name, s->name.revision);
    if (strcmp(r->reason, "GatedRepo") == 0) {
        pl_fail(e, PL_BAD_INPUT, "%s: is shown only to those who accepted its conditions", name);
        pl_hint(e, "accept them at %s/%s, then give HF_TOKEN a token of yours", s->endpoint, name);
    } else if (r->code == 404 || strcmp(r->reason, "RepoNotFound") == 0) {
        pl_fail(e, PL_BAD_INPUT, "%s: there is no such model at %s, or it is private", name, s->endpoint);
        pl_hint(e, "a private one needs HF_TOKEN, a token that may read it");
    } else if (r->code == 401) {
        pl_fail(e, PL_BAD_INPUT, "%s: the server knows no such token, or wants one (401)", name);
        pl_hint(e, "give HF_TOKEN a token of yours; `hf auth login` keeps one in a file");
    } else if (r->code == 403) {
        pl_fail(e, PL_BAD_INPUT, "%s: the token may not read it (403)", name);
        pl_hint(e, "its conditions may have to be accepted at %s/%s", s->endpoint, name);
    }
    return PL_BAD_INPUT;
}

pl_status pl__list_commit(pl__source *s, pl_error *e)
{
    static const pl_json_limits limits = {1 << 20, 64, MOST_ANSWER};
    char url[PL__URL_BYTES];
    answer a;
    pl__reply reply;
    pl_json_walker *w = NULL;
    if (!make_url(s, url, "/revision/", s->name.revision))
        return pl_fail(e, PL_USAGE, "%s: the name is too long", s->repository);
    pl_status status = ask(s, url, &a, &reply, e);
    if (status == PL_BAD_INPUT && reply.code >= 400)
        return explain(s, &reply, e);
    if (!status)
        status = pl_json_open_text(a.text ? a.text : "", a.used, url, &limits, pl_memory_system(), &w, e);
    if (!status)
        status = read_commit(s, w, e);
    pl_json_close(w);
    free(a.text);
    return status;
}

/* ---- the files ---- */
bool pl__list_is_path(const char *path, size_t n)
{
    if (n == 0 || n > MOST_PATH || pl_utf8_valid(path, n) != n)
        return false;
    for (size_t at = 0; at <= n;) {
        const char *slash = memchr(path + at, '/', n - at);
        size_t part = slash ? (size_t)(slash - path) - at : n - at;
        const char *p = path + at;
        if (part == 0 || part > MOST_PART || (part == 1 && p[0] == '.') || (part == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        for (size_t i = 0; i < part; i++)
            if ((unsigned char)p[i] < ' ' || p[i] == 127 || p[i] == '\\')
                return false;
        at += part + 1;
    }
    return true;
}

/* What a file's object says; the walker's texts are copied at once. */
typedef struct facts {
    char path[MOST_PATH + 1], oid[PL__HASH_TEXT], lfs[PL__HASH_TEXT];
    bool is_file, has_bytes, has_lfs;
    uint64_t bytes;
} facts;

static pl_status read_text(pl_json_walker *w, pl_json_event event, char *out, size_t capacity, const char *what, pl_error *e)
{
    size_t n;
    const char *text = event == PL_JSON_STRING ? pl_json_scalar(w, &n) : NULL;
    if (!text || n >= capacity || strlen(text) != n)
        return pl_json_fail(w, e, "%s: is no text of less than %zu bytes", what, capacity);
    memcpy(out, text, n + 1);
    return PL_OK;
}

static bool key_is(const pl_json_walker *w, const char *name)
{
    size_t n;
    const char *key = pl_json_key(w, &n);
    return key && n == strlen(name) && memcmp(key, name, n) == 0;
}

static pl_status read_bytes(pl_json_walker *w, pl_json_event event, facts *f, pl_error *e)
{
    size_t n;
    const char *text = event == PL_JSON_NUMBER ? pl_json_scalar(w, &n) : "x";
    f->bytes = 0;
    for (; *text >= '0' && *text <= '9' && f->bytes < (uint64_t)1 << 50; text++)
        f->bytes = 10 * f->bytes + (uint64_t)(*text - '0');
    f->has_bytes = *text == '\0';
    return f->has_bytes ? PL_OK : pl_json_fail(w, e, "size: is no number of bytes");
}

static pl_status read_lfs(pl_json_walker *w, facts *f, pl_error *e)
{
    pl_json_event event;
    pl_status status;
    while (!(status = pl_json_next(w, &event, e)) && event != PL_JSON_END) {
        if (key_is(w, "oid")) {
            f->has_lfs = true;
            status = read_text(w, event, f->lfs, sizeof f->lfs, "lfs: oid", e);
        } else if (key_is(w, "size")) {
            status = read_bytes(w, event, f, e); /* the file's; the outer one may be that of its pointer */
        } else {
            status = pl_json_skip(w, e);
        }
        if (status)
            return status;
    }
    return status;
}

static pl_status read_facts(pl_json_walker *w, facts *f, pl_error *e)
{
    pl_json_event event;
    pl_status status;
    bool lfs_size = false;
    *f = (facts){.is_file = false};
    while (!(status = pl_json_next(w, &event, e)) && event != PL_JSON_END) {
        char type[16];
        if (key_is(w, "path")) {
            status = read_text(w, event, f->path, sizeof f->path, "path", e);
        } else if (key_is(w, "oid")) {
            status = read_text(w, event, f->oid, sizeof f->oid, "oid", e);
        } else if (key_is(w, "type")) {
            status = read_text(w, event, type, sizeof type, "type", e);
            f->is_file = !status && strcmp(type, "file") == 0;
        } else if (key_is(w, "size") && !lfs_size) {
            status = read_bytes(w, event, f, e);
        } else if (key_is(w, "lfs") && event == PL_JSON_OBJECT) {
            status = read_lfs(w, f, e);
            lfs_size = true;
        } else {
            status = pl_json_skip(w, e);
        }
        if (status)
            return status;
    }
    return status;
}

static pl_status add(pl__listing *l, pl_json_walker *w, const facts *f, pl_error *e)
{
    size_t digits = f->has_lfs ? PL__HASH_TEXT - 1 : PL__COMMIT_BYTES - 1;
    const char *hash = f->has_lfs ? f->lfs : f->oid;
    if (!f->is_file)
        return PL_OK;
    if (!pl__list_is_path(f->path, strlen(f->path)))
        return pl_json_fail(w, e, "path: \"%s\" is no path inside the repository", f->path);
    if (!is_hex(hash, strlen(hash), digits))
        return pl_json_fail(w, e, "%s: its hash is not %zu hexadecimal digits", f->path, digits);
    if (!f->has_bytes)
        return pl_json_fail(w, e, "%s: has no size", f->path);
    if (l->count >= MOST_ENTRIES)
        return pl_json_fail(w, e, "more than %d files", MOST_ENTRIES);
    if (l->count == l->room) {
        size_t room = l->room ? 2 * l->room : 64;
        pl__entry *more = realloc(l->entries, room * sizeof *more);
        if (!more)
            return pl_fail_no_memory(e, room * sizeof *more, "the list of files");
        l->entries = more;
        l->room = room;
    }
    pl__entry *entry = &l->entries[l->count];
    *entry = (pl__entry){.path = strdup(f->path), .kind = f->has_lfs ? PL__SHA256 : PL__SHA1, .bytes = f->bytes};
    if (!entry->path)
        return pl_fail_no_memory(e, strlen(f->path), "the list of files");
    memcpy(entry->hash, hash, digits + 1);
    l->count++;
    return PL_OK;
}

static pl_status read_page(pl__listing *l, const char *url, const answer *a, pl_error *e)
{
    static const pl_json_limits limits = {1 << 16, 32, MOST_ANSWER};
    pl_json_walker *w = NULL;
    pl_json_event event;
    facts f;
    pl_status status = pl_json_open_text(a->text ? a->text : "", a->used, url, &limits, pl_memory_system(), &w, e);
    if (!status)
        status = pl_json_next(w, &event, e);
    if (!status && event != PL_JSON_ARRAY)
        status = pl_json_fail(w, e, "is no list of files");
    while (!status && !(status = pl_json_next(w, &event, e)) && event != PL_JSON_END) {
        if (event != PL_JSON_OBJECT)
            status = pl_json_fail(w, e, "is no object of a file");
        if (!status)
            status = read_facts(w, &f, e);
        if (!status)
            status = add(l, w, &f, e);
    }
    pl_json_close(w);
    return status;
}

static int by_path(const void *a, const void *b) { return strcmp(((const pl__entry *)a)->path, ((const pl__entry *)b)->path); }

static pl_status seal(pl__listing *l, const char *name, pl_error *e)
{
    if (l->count)
        qsort(l->entries, l->count, sizeof *l->entries, by_path);
    for (size_t i = 1; i < l->count; i++)
        if (strcmp(l->entries[i - 1].path, l->entries[i].path) == 0)
            return pl_fail(e, PL_BAD_INPUT, "%s: the server lists %s twice", name, l->entries[i].path);
    return PL_OK;
}

pl_status pl__list_files(pl__source *s, pl__listing *out, pl_error *e)
{
    char url[PL__URL_BYTES];
    *out = (pl__listing){0};
    if (!make_url(s, url, "/tree/", s->commit) || strlen(url) + 32 > sizeof url)
        return pl_fail(e, PL_USAGE, "%s: the name is too long", s->repository);
    strcat(url, "?recursive=true&expand=false");
    for (unsigned page = 0; page < MOST_PAGES; page++) {
        answer a;
        pl__reply reply;
        pl_status status = ask(s, url, &a, &reply, e);
        if (status)
            return status == PL_BAD_INPUT && reply.code >= 400 ? explain(s, &reply, e) : status;
        status = read_page(out, url, &a, e);
        free(a.text);
        if (status)
            return status;
        if (!reply.next[0])
            return seal(out, s->repository, e);
        if (!pl__http_is_own(s->http, reply.next))
            return pl_fail(e, PL_BAD_INPUT, "%s: the list of files goes on elsewhere, at %s", s->repository, reply.next);
        memcpy(url, reply.next, sizeof url);
    }
    return pl_fail(e, PL_BAD_INPUT, "%s: the list of files has no end", s->repository);
}

pl__entry *pl__list_find(const pl__listing *l, const char *path, size_t n)
{
    size_t low = 0, high = l->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strncmp(l->entries[middle].path, path, n);
        if (order == 0 && l->entries[middle].path[n])
            order = 1;
        if (order == 0)
            return &l->entries[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

void pl__list_free(pl__listing *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->entries[i].path);
    free(l->entries);
    *l = (pl__listing){0};
}
