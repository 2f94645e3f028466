/* The trained folder: written in OUT.partial, synced, then made OUT by one renaming. */
#define _GNU_SOURCE /* renameat2's RENAME_EXCHANGE */
#include "train/blocks.h"
#include "train/digest.h"
#include "train/trainer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Says that everything is written: only then are checkpoints removed. It goes when OUT has its name. */
static const char marker[] = ".finished";

/* What a tokenizer may consist of; sentence_bert_config.json is where plimsoll finds the longest text. */
static const char *const tokenizer_files[] = {
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentence_bert_config.json",
    "spiece.model",
    "sentencepiece.bpe.model",
};

typedef pl_status (*write_one)(pl_trainer *t, const char *path, pl_error *e);

static const struct {
    const char *name;
    write_one write;
} written_files[] = {
    {"config.json", pl__output_config},
    {"model.safetensors", pl__output_weights},
    {"loss.svg", pl__output_curve},
    {"README.md", pl__output_card},
    {"trainer_state.json", pl__output_state},
};

enum { OUTPUTS = PL_COUNT(written_files) + PL_COUNT(tokenizer_files), NAME_BYTES = 40 };

static const char *output_name(size_t i) { return i < PL_COUNT(written_files) ? written_files[i].name : tokenizer_files[i - PL_COUNT(written_files)]; }

/* The marker: for what recipe, and each file with its size and checksum. */
typedef struct finished {
    char magic[16];
    char recipe[PL__RECIPE_BYTES];
    struct {
        uint64_t there, bytes, sum;
    } files[OUTPUTS];
} finished;
static const char magic[16] = "plimsoll done2\n";

/* ---- beginning ---- */

static pl_status remove_in(const char *folder, const char *name, pl_error *e)
{
    char *path = pl__path_join(folder, name, e);
    pl_status s = path ? pl__folder_remove(path, e) : PL_MACHINE;
    pl__path_free(path);
    return s;
}

/* What an interrupted run left of the output; the marker goes first. */
static pl_status remove_outputs(const pl_trainer *t, pl_error *e)
{
    pl_status s = remove_in(t->paths.partial, marker, e);
    for (size_t i = 0; i < OUTPUTS && !s; i++)
        s = remove_in(t->paths.partial, output_name(i), e);
    return s;
}

/* The folder itself is locked, so that nothing is left to be cleared away behind a run that was killed. */
pl_status pl__output_lock(pl_trainer *t, pl_error *e)
{
    pl__output_unlock(t);
    int fd = open(t->paths.partial, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? PL_OK : pl_fail(e, PL_MACHINE, "%s: cannot be opened: %s", t->paths.partial, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) { /* where a file system has no locks, two runs are not told apart */
        close(fd);
        return pl_fail(e, PL_MACHINE, "%s: another training is writing it, wait for it or write elsewhere", t->paths.partial);
    }
    t->lock = fd + 1;
    return PL_OK;
}

void pl__output_unlock(pl_trainer *t)
{
    if (t->lock > 0)
        close(t->lock - 1);
    t->lock = 0;
}

pl_status pl__output_begin(pl_trainer *t, bool resumed, pl_error *e)
{
    pl_status s = resumed ? remove_outputs(t, e) : pl__folder_remove(t->paths.partial, e);
    if (!s)
        s = pl__folder_make(t->paths.partial, e);
    if (!s && !resumed)
        s = pl__output_lock(t, e);
    if (!s)
        s = pl__kept_sweep(t, e);
    return s ? s : pl__folder_sync(t->paths.parent, e);
}

static bool is_ours(const char *name)
{
    for (size_t i = 0; i < OUTPUTS; i++)
        if (strcmp(name, output_name(i)) == 0)
            return true;
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, marker) == 0 || pl__kept_is_name(name);
}

pl_status pl__output_strangers(const pl_trainer *t, pl_error *e)
{
    DIR *d = opendir(t->paths.partial);
    if (!d)
        return PL_OK; /* there is none, or whoever needs it will say what is wrong */
    pl_status s = PL_OK;
    for (struct dirent *entry; !s && (entry = readdir(d));)
        if (!is_ours(entry->d_name)) {
            s = pl_fail(e, PL_USAGE, "%s/%s: is not of a training", t->paths.partial, entry->d_name);
            pl_hint(e, "move it away and --resume again; --overwrite removes the folder with all that is in it and begins anew");
        }
    closedir(d);
    return s;
}

/* ---- the files ---- */

static pl_status copy_tokenizer(pl_trainer *t, pl_error *e)
{
    pl_status s = PL_OK;
    for (size_t i = 0; i < PL_COUNT(tokenizer_files) && !s; i++) {
        char *from = pl__path_join(pl_folder_path(t->reading.folder), tokenizer_files[i], e), *to = pl__path_join(t->paths.partial, tokenizer_files[i], e);
        s = from && to ? PL_OK : PL_MACHINE;
        if (!s && access(from, F_OK) == 0)
            s = pl__file_copy(from, to, t->work.buffer, PL__BUFFER, e);
        pl__path_free(from);
        pl__path_free(to);
    }
    return s;
}

static pl_status measure_file(const char *path, char *buffer, size_t capacity, uint64_t *bytes, uint64_t *sum, pl_error *e)
{
    int fd;
    pl__digest d;
    pl_status s = pl_file_open(path, &fd, bytes, e);
    if (s)
        return s;
    pl__digest_start(&d, 0);
    for (uint64_t at = 0; at < *bytes && !s; at += capacity) {
        size_t n = pl_min(capacity, *bytes - at);
        s = pl_file_read(fd, path, at, buffer, n, e);
        pl__digest_add(&d, buffer, s ? 0 : n);
    }
    *sum = pl__digest_value(&d);
    close(fd);
    return s;
}

static pl_status list_files(pl_trainer *t, finished *f, pl_error *e)
{
    pl_status s = PL_OK;
    for (size_t i = 0; i < OUTPUTS && !s; i++) {
        char *path = pl__path_join(t->paths.partial, output_name(i), e);
        f->files[i].there = path && access(path, F_OK) == 0;
        s = path ? PL_OK : PL_MACHINE;
        if (!s && f->files[i].there)
            s = measure_file(path, t->work.buffer, PL__BUFFER, &f->files[i].bytes, &f->files[i].sum, e);
        pl__path_free(path);
    }
    return s;
}

static pl_status write_marker(pl_trainer *t, const char *path, pl_error *e)
{
    finished f = {{0}, {0}, {{0}}};
    memcpy(f.magic, magic, sizeof magic);
    strncpy(f.recipe, t->recipe_text, sizeof f.recipe - 1);
    pl_status s = list_files(t, &f, e);
    pl__block_writer w;
    if (!s)
        s = pl__blocks_begin(&w, path, &f, sizeof f, t->work.buffer, PL__BUFFER, t->work.second, e);
    return s ? s : pl__blocks_end(&w);
}

static pl_status write_files(pl_trainer *t, pl_error *e)
{
    pl_status s = copy_tokenizer(t, e);
    for (size_t i = 0; i < PL_COUNT(written_files) && !s; i++) {
        char *path = pl__path_join(t->paths.partial, written_files[i].name, e);
        s = path ? written_files[i].write(t, path, e) : PL_MACHINE;
        pl__path_free(path);
    }
    return s ? s : pl__folder_sync(t->paths.partial, e);
}

pl_status pl__output_finish(pl_trainer *t, pl_error *e)
{
    pl_status s = write_files(t, e);
    char *path = s ? NULL : pl__path_join(t->paths.partial, marker, e);
    if (!s)
        s = path ? write_marker(t, path, e) : PL_MACHINE;
    pl__path_free(path);
    if (!s)
        s = pl__folder_sync(t->paths.partial, e);
    return s ? s : pl__output_place(t, e);
}

/* ---- placing ---- */

static pl_status check_files(const finished *f, const char *folder, char *block, pl_error *e)
{
    pl_status s = PL_OK;
    for (size_t i = 0; i < OUTPUTS && !s; i++) {
        uint64_t bytes = 0, sum = 0;
        char *path = pl__path_join(folder, output_name(i), e);
        if (!path)
            return PL_MACHINE;
        if (f->files[i].there || i < PL_COUNT(written_files))
            s = measure_file(path, block, PL__BLOCK, &bytes, &sum, e);
        if (!s && (bytes != f->files[i].bytes || sum != f->files[i].sum))
            s = pl_fail(e, PL_BAD_INPUT, "%s: was damaged since it was written", path);
        pl__path_free(path);
    }
    return s;
}

/* Damage is no failure yet: there may be checkpoints. */
static pl_status look_into(const pl_trainer *t, const char *folder, const char *path, finished *f, char *block, bool *yes, pl_error *damage, pl_error *e)
{
    pl__block_reader r;
    pl_status s = pl__blocks_open(&r, path, f, sizeof *f, block, damage);
    if (s)
        return s == PL_BAD_INPUT ? PL_OK : s;
    pl__blocks_close(&r);
    f->recipe[sizeof f->recipe - 1] = '\0';
    if (memcmp(f->magic, magic, sizeof magic) != 0) {
        pl_fail(damage, PL_BAD_INPUT, "%s: was written by another version of plimsoll", path);
        return PL_OK;
    }
    s = pl__recipe_compare(f->recipe, t->recipe_text, folder, e);
    if (s)
        return s;
    s = check_files(f, folder, block, damage);
    *yes = !s;
    return PL_OK;
}

static pl_status is_finished_in(const pl_trainer *t, const char *folder, bool *yes, pl_error *damage, pl_error *e)
{
    *yes = false;
    char *path = pl__path_join(folder, marker, e), *block = malloc(PL__BLOCK);
    finished *f = malloc(sizeof *f);
    pl_status s = path && block && f ? PL_OK : pl_fail_no_memory(e, PL__BLOCK, "a checkpoint");
    if (!s && path && block && f && pl__folder_there(path))
        s = look_into(t, folder, path, f, block, yes, damage, e);
    if (s == PL_MACHINE && damage->status == PL_MACHINE && e)
        *e = *damage;
    pl__path_free(path);
    free(block);
    free(f);
    return s;
}

pl_status pl__output_is_finished(pl_trainer *t, bool *yes, pl_error *damage, pl_error *e)
{
    pl_error dropped = {0};
    pl_error_clear(damage);
    pl_status s = is_finished_in(t, t->paths.partial, yes, damage, e);
    if (s || *yes || !t->recipe.overwrite || !pl__folder_there(t->paths.partial))
        return s;
    if (is_finished_in(t, t->paths.out, &t->placed, &dropped, NULL) != PL_OK) /* an older OUT of another recipe */
        t->placed = false;
    *yes = t->placed;
    return PL_OK;
}

static pl_status remove_all(pl_trainer *t, const char *stem, pl_error *e)
{
    enum { ROOM = 64 };
    uint64_t numbers[ROOM];
    size_t count;
    pl_status s;
    do {
        s = pl__kept_list(t, stem, numbers, ROOM, &count, e);
        for (size_t i = 0; i < count && !s; i++)
            s = pl__kept_remove(t, stem, numbers[i], e);
    } while (!s && count == ROOM);
    return s;
}

/* The old OUT and the new one change places at once, where the file system can do it. */
static pl_status replace(const pl_trainer *t, pl_error *e)
{
    if (syscall(SYS_renameat2, AT_FDCWD, t->paths.partial, AT_FDCWD, t->paths.out, 2u /* RENAME_EXCHANGE */) == 0)
        return pl__folder_remove(t->paths.partial, e);
    if (errno != EINVAL && errno != ENOSYS)
        return pl_fail(e, PL_MACHINE, "%s: cannot take the place of %s: %s", t->paths.partial, t->paths.out, strerror(errno));
    pl_status s = pl__folder_remove(t->paths.out, e);
    return s ? s : pl__rename(t->paths.partial, t->paths.out, e);
}

static pl_status take_place(pl_trainer *t, pl_error *e)
{
    pl_status s = pl__kept_sweep(t, e);
    if (!s)
        s = remove_all(t, "checkpoint", e);
    if (!s)
        s = remove_all(t, "best", e);
    bool there = pl__folder_there(t->paths.out);
    if (!s && there && !t->recipe.overwrite)
        s = pl_fail(e, PL_MACHINE, "%s: has come to be in the meantime; the trained model is kept in %s", t->paths.out, t->paths.partial);
    if (!s)
        s = there ? replace(t, e) : pl__rename(t->paths.partial, t->paths.out, e);
    return s;
}

pl_status pl__output_place(pl_trainer *t, pl_error *e)
{
    pl_status s = t->placed ? pl__folder_remove(t->paths.partial, e) : take_place(t, e);
    if (!s)
        s = pl__folder_sync(t->paths.parent, e);
    char *path = s ? NULL : pl__path_join(t->paths.out, marker, e);
    if (path)
        unlink(path);
    pl__path_free(path);
    return s;
}
