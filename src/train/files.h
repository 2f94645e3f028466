/* Files and folders of a training: each failure is PL_MACHINE and says which one. */
#ifndef PL_TRAIN_FILES_H
#define PL_TRAIN_FILES_H

#include "base/base.h"

/* A file without a name in `folder`, gone with the process. */
pl_status pl__unnamed_open(const char *folder, int *fd, pl_error *e);
/* Whole, whatever signals and short transfers; `what` says which part of `name`, or is empty. */
pl_status pl__write_at(int fd, uint64_t offset, const void *bytes, size_t n, const char *name, const char *what, pl_error *e);
pl_status pl__read_at(int fd, uint64_t offset, void *bytes, size_t n, const char *name, const char *what, pl_error *e);

/* "folder/name" from the system's memory; give back with pl__path_free. NULL after failing e. */
char *pl__path_join(const char *folder, const char *name, pl_error *e);
void pl__path_free(char *path);

pl_status pl__folder_make(const char *path, pl_error *e);   /* PL_OK where it is there already */
pl_status pl__folder_sync(const char *path, pl_error *e);   /* so that names in it outlast a crash */
pl_status pl__folder_remove(const char *path, pl_error *e); /* with all that is in it; links are not followed; PL_OK where there is none */
bool pl__folder_there(const char *path);                    /* anything of that name */
bool pl__is_mount(const char *path);                        /* something is mounted there: it cannot be renamed */
bool pl__is_folder(const char *path);
pl_status pl__rename(const char *from, const char *to, pl_error *e);

/* A file that is being written: buffered by the caller's memory, synced to the disk at its end. */
typedef struct pl__sink {
    int fd;
    const char *path;
    char *buffer;
    size_t used, capacity;
    uint64_t done;
    pl_status status; /* the first failure; later pieces are dropped */
    pl_error *e;
} pl__sink;
pl_status pl__sink_open(pl__sink *s, const char *path, char *buffer, size_t capacity, pl_error *e); /* made anew */
void pl__sink_put(pl__sink *s, const void *bytes, size_t n);
pl_status pl__sink_write(void *self, const char *text, size_t n, pl_error *e); /* a pl_write */
/* Flushes, syncs, closes; after a failure the file is removed. */
pl_status pl__sink_close(pl__sink *s);

pl_status pl__file_copy(const char *from, const char *to, char *buffer, size_t capacity, pl_error *e);

#endif
