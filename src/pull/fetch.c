/* One file: the rest of its blob from where an earlier run stopped, its hash, its place. */
#include "pull/pull.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 1 << 16, ENOUGH = 1 << 20 };

/* Bytes [0, at) of the blob are in the file and in the hash. */
typedef struct blob {
    const pl__source *source;
    pl__entry *entry;
    pl__progress *progress;
    char path[PL__PATH_BYTES];
    int fd;
    pl__hash hash;
    uint64_t at;
    bool placed; /* the reply at hand was seen to go on where the file ends */
} blob;

static void start_hash(blob *b)
{
    pl__hash_start(&b->hash, b->entry->kind);
    if (b->entry->kind != PL__SHA1)
        return;
    char head[32]; /* git's: "blob 12" and a zero */
    int n = snprintf(head, sizeof head, "blob %llu", (unsigned long long)b->entry->bytes);
    pl__hash_add(&b->hash, head, (size_t)n + 1);
}

static pl_status disk(const blob *b, int error, pl_error *e)
{
    pl_fail(e, PL_MACHINE, "%s: cannot be written: %s", b->path, strerror(error));
    if (error == ENOSPC || error == EDQUOT || error == EFBIG)
        pl_hint(e, "with more room the same command goes on from here; HF_HUB_CACHE=FOLDER puts the cache elsewhere");
    return PL_MACHINE;
}

static pl_status begin_anew(blob *b, pl_error *e)
{
    if (ftruncate(b->fd, 0) != 0)
        return disk(b, errno, e);
    b->progress->done -= pl_min(b->progress->done, b->at);
    b->progress->begun = pl_min(b->progress->begun, b->progress->done);
    b->at = 0;
    start_hash(b);
    return PL_OK;
}

/* What is here already goes into the hash. */
static pl_status take_up(blob *b, const volatile int *stop, pl_error *e)
{
    struct stat st;
    b->at = 0;
    start_hash(b);
    if (fstat(b->fd, &st) != 0)
        return disk(b, errno, e);
    if (!S_ISREG(st.st_mode))
        return pl_fail(e, PL_BAD_INPUT, "%s: is no regular file", b->path);
    if ((uint64_t)st.st_size > b->entry->bytes)
        return ftruncate(b->fd, 0) == 0 ? PL_OK : disk(b, errno, e);
    char *piece = malloc(PIECE);
    if (!piece)
        return pl_fail_no_memory(e, PIECE, "reading a file");
    pl_status s = PL_OK;
    while (!s && b->at < (uint64_t)st.st_size) {
        size_t n = (size_t)pl_min((uint64_t)st.st_size - b->at, PIECE);
        s = *stop ? pl_fail(e, PL_STOPPED, "stopped; the same command goes on") : pl_file_read(b->fd, b->path, b->at, piece, n, e);
        if (!s)
            pl__hash_add(&b->hash, piece, n);
        b->at += s ? 0 : n;
    }
    free(piece);
    return s;
}

static pl_status write_all(blob *b, const char *bytes, size_t n, pl_error *e)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = pwrite(b->fd, bytes + done, n - done, (off_t)(b->at + done));
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return disk(b, k < 0 ? errno : ENOSPC, e);
        done += (size_t)k;
    }
    return PL_OK;
}

static pl_status place(blob *b, const pl__reply *reply, pl_error *e)
{
    b->placed = true;
    if (reply->code == 200)
        return b->at ? begin_anew(b, e) : PL_OK; /* the server knows no ranges */
    if (!reply->has_range || reply->from != b->at || reply->total != b->entry->bytes)
        return pl_fail(e, PL_BAD_INPUT, "%s: the server sends another part of the file than it was asked for", b->entry->path);
    return PL_OK;
}

static pl_status take_bytes(void *self, const pl__reply *reply, const void *bytes, size_t n, pl_error *e)
{
    blob *b = self;
    pl_status s = b->placed ? PL_OK : place(b, reply, e);
    if (!s && n > b->entry->bytes - b->at)
        s = pl_fail(e, PL_BAD_INPUT, "%s: the server sends more than the %llu bytes it should have", b->entry->path, (unsigned long long)b->entry->bytes);
    if (!s)
        s = write_all(b, bytes, n, e);
    if (s)
        return s;
    pl__hash_add(&b->hash, bytes, n);
    b->at += n;
    b->entry->downloaded += n;
    pl__progress_add(b->progress, n);
    return PL_OK;
}

static pl_status make_url(const blob *b, char url[PL__URL_BYTES], pl_error *e)
{
    const pl__source *s = b->source;
    snprintf(url, PL__URL_BYTES, "%s/", s->endpoint);
    const char *path = b->entry->path;
    if (pl__url_add(url, s->repository, strlen(s->repository), "/") && pl__url_add(url, "/resolve/", 9, "/") &&
        pl__url_add(url, s->commit, strlen(s->commit), "") && pl__url_add(url, "/", 1, "/") && pl__url_add(url, path, strlen(path), "/"))
        return PL_OK;
    return pl_fail(e, PL_BAD_INPUT, "%s: the path is too long", path);
}

static pl_status refused(const blob *b, const pl__reply *reply, pl_error *e)
{
    if (reply->code == 401 || reply->code == 403) {
        pl_fail(e, PL_BAD_INPUT, "%s: %s may not be read with %s (%ld)", b->source->repository, b->entry->path, "this token or without one", reply->code);
        pl_hint(e, "its conditions may have to be accepted at %s/%s; HF_TOKEN takes a token of yours", b->source->endpoint, b->source->repository);
    }
    return PL_BAD_INPUT;
}

/* Tries until the whole is here; what came stays for the next try, or the next run. */
static pl_status download(blob *b, pl_error *e)
{
    char url[PL__URL_BYTES];
    pl__patience patience = {0};
    pl_status s = make_url(b, url, e);
    while (!s && b->at < b->entry->bytes) {
        pl__reply reply;
        uint64_t before = b->at;
        b->placed = false;
        s = pl__http_get(b->source->http, url, b->at, take_bytes, b, &reply, e);
        if (!s && b->at < b->entry->bytes) {
            reply.again = true;
            s = pl_fail(e, PL_MACHINE, "%s: the transfer ended early", url);
        }
        if (s == PL_BAD_INPUT && reply.code == 416 && before > 0) {
            reply.again = true; /* what is here is no beginning of it */
            pl_status anew = begin_anew(b, e);
            s = anew ? anew : s;
        }
        if (b->at >= before + ENOUGH)
            patience.tries = 0;
        if (s == PL_BAD_INPUT && (reply.code == 401 || reply.code == 403))
            return refused(b, &reply, e);
        if (s && pl__patience_has(&patience, &reply, b->source->stop)) {
            pl_error_clear(e);
            s = PL_OK;
        }
    }
    return s;
}

static pl_status check(blob *b, pl_error *e)
{
    char hash[PL__HASH_TEXT];
    pl__hash_end(&b->hash, hash);
    if (strcmp(hash, b->entry->hash) == 0)
        return PL_OK;
    unlink(b->path);
    pl_fail(e, PL_BAD_INPUT, "%s: what came has the hash %s, %s would be right; it is removed", b->entry->path, hash, b->entry->hash);
    pl_hint(e, "the same command downloads it anew");
    return PL_BAD_INPUT;
}

static pl_status make_blob(blob *b, const pl__store *st, pl_error *e)
{
    char whole[PL__PATH_BYTES];
    if (!pl__store_path(st, whole, "blobs/%s", b->entry->hash) || !pl__store_path(st, b->path, "blobs/%s.incomplete", b->entry->hash))
        return pl_fail(e, PL_BAD_INPUT, "%s: paths in it are too long", st->folder);
    b->fd = open(b->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (b->fd < 0)
        return disk(b, errno, e);
    pl_status s = take_up(b, b->source->stop, e);
    if (!s)
        s = download(b, e);
    if (!s)
        s = check(b, e);
    if (!s && (fsync(b->fd) != 0 || rename(b->path, whole) != 0))
        s = disk(b, errno, e);
    close(b->fd);
    return s;
}

pl_status pl__fetch(pl__source *source, const pl__store *st, pl__entry *entry, pl__progress *progress, pl_error *e)
{
    blob b = {.source = source, .entry = entry, .progress = progress, .fd = -1};
    int lock;
    pl_status s = pl__store_lock(st, entry->hash, source->stop, &lock, e);
    if (s)
        return s;
    if (!pl__store_has(st, entry))
        s = make_blob(&b, st, e);
    if (!s)
        s = pl__store_link(st, source->commit, entry, e);
    close(lock);
    return s;
}
