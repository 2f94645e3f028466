/* Downloads a model into the hub's cache: what is needed, resumably, checked by hash.
 *
 * CACHE/models--ORG--NAME/blobs/HASH holds the files, snapshots/COMMIT/PATH links to them, refs/REV
 * names the commit and is written last: a pull that ends early changes nothing that readers see.
 * CACHE/.locks/models--ORG--NAME/HASH.lock keeps two downloads of a file apart, those of
 * huggingface_hub among them. */
#ifndef PL_PULL_PULL_H
#define PL_PULL_PULL_H

#include "hub/hub.h"
#include "pull/hash.h"
#include "pull/http.h"

#include <stdio.h>

enum { PL__PATH_BYTES = 4096, PL__COMMIT_BYTES = 41 };

typedef struct pl__source {
    pl_hub_name name;
    char repository[256]; /* "ORG/NAME" */
    const char *endpoint;
    pl__http *http;
    const volatile int *stop;
    char commit[PL__COMMIT_BYTES];
} pl__source;

/* A file of the repository; its hash is its blob's name. */
typedef struct pl__entry {
    char *path;
    char hash[PL__HASH_TEXT];
    pl__hash_kind kind;
    uint64_t bytes;
    bool wanted;
    uint64_t downloaded; /* in this run */
} pl__entry;

typedef struct pl__listing {
    pl__entry *entries;
    size_t count, room;
} pl__listing;

/* Keeps what a try said when it may not be tried again, and waits in between: 0.5, 1, 2, 4 s, or as
 * long as the server asks (at most a minute). False: enough. */
typedef struct pl__patience {
    unsigned tries;
} pl__patience;
bool pl__patience_has(pl__patience *p, const pl__reply *reply, const volatile int *stop);

/* ---- list.c ---- */
/* Asks the hub for the commit of name.revision, and for its files. */
pl_status pl__list_commit(pl__source *s, pl_error *e);
pl_status pl__list_files(pl__source *s, pl__listing *out, pl_error *e);
pl__entry *pl__list_find(const pl__listing *l, const char *path, size_t n);
void pl__list_free(pl__listing *l);
/* A path that stays in its folder: parts of printable characters between single slashes, no "..". */
bool pl__list_is_path(const char *path, size_t n);

/* ---- choose.c ---- */
/* Reads a small file of the repository that must be here before the choice is whole. */
typedef pl_status (*pl__reader)(void *self, pl__entry *entry, char *path, size_t capacity, pl_error *e);
/* Marks what plimsoll and transformers need: configs, tokenizers, safetensors, modules. */
pl_status pl__choose(pl__listing *l, const char *repository, pl__reader read, void *self, pl_error *e);

/* ---- progress.c ---- */
typedef struct pl__progress {
    bool shown, drawn;
    const char *what;
    size_t files, files_done;
    uint64_t all, done, begun; /* bytes; done when this run began */
    double start, last;
} pl__progress;
double pl__seconds(void);
void pl__progress_add(pl__progress *p, uint64_t bytes);
void pl__progress_end(pl__progress *p); /* clears the line */

/* ---- store.c ---- */
typedef struct pl__store {
    char folder[PL__PATH_BYTES]; /* CACHE/models--ORG--NAME */
    char locks[PL__PATH_BYTES];
    bool quiet;
} pl__store;
pl_status pl__store_open(pl__store *st, const char *cache, const pl_hub_name *name, pl_error *e);
bool pl__store_path(const pl__store *st, char out[PL__PATH_BYTES], const char *format, ...) PL_PRINTF(3, 4);
/* Makes the folders above `path`. */
pl_status pl__store_folders(const char *path, pl_error *e);
/* Waits for the lock of a blob; *fd keeps it until closed. */
pl_status pl__store_lock(const pl__store *st, const char *hash, const volatile int *stop, int *fd, pl_error *e);
/* Whether the blob is here, whole. */
bool pl__store_has(const pl__store *st, const pl__entry *entry);
/* Bytes of an unfinished blob that are here. */
uint64_t pl__store_begun(const pl__store *st, const pl__entry *entry);
pl_status pl__store_link(const pl__store *st, const char *commit, const pl__entry *entry, pl_error *e);
pl_status pl__store_reference(const pl__store *st, const char *revision, const char *commit, pl_error *e);
/* Refuses before anything is written what the file system has no room for. */
pl_status pl__store_room(const pl__store *st, uint64_t bytes, pl_error *e);

/* ---- fetch.c ---- */
/* The blob, downloaded where it is missing, checked, and linked into the snapshot. */
pl_status pl__fetch(pl__source *s, const pl__store *st, pl__entry *entry, pl__progress *progress, pl_error *e);

#endif
