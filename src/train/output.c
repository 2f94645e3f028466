/* The trained folder: written in OUT.partial, synced, then made OUT by one renaming. */
#define _GNU_SOURCE /* renameat2's RENAME_EXCHANGE */
#include "train/blocks.h"
#include "train/trainer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

typedef struct finished {
    char magic[16];
    char recipe[PL__RECIPE_BYTES];
} finished;

/* ---- beginning ---- */

pl_status pl__output_begin(pl_trainer *t, bool resumed, pl_error *e)
{
    pl_status s = PL_OK;
    if (!resumed)
        s = pl__folder_remove(t->paths.partial, e);
    if (!s)
        s = pl__folder_make(t->paths.partial, e);
    if (!s)
        s = pl__kept_sweep(t, e);
    return s ? s : pl__folder_sync(t->paths.parent, e);
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

static pl_status write_marker(pl_trainer *t, const char *path, pl_error *e)
{
    finished f = {.magic = "plimsoll done\n"};
    strncpy(f.recipe, t->recipe_text, sizeof f.recipe - 1);
    pl__block_writer w;
    pl_status s = pl__blocks_begin(&w, path, &f, sizeof f, t->work.buffer, PL__BUFFER, t->work.second, e);
    return s ? s : pl__blocks_end(&w);
}

typedef pl_status (*write_one)(pl_trainer *t, const char *path, pl_error *e);

static pl_status write_files(pl_trainer *t, pl_error *e)
{
    static const struct {
        const char *name;
        write_one write;
    } files[] = {
        {"config.json", pl__output_config},
        {"model.safetensors", pl__output_weights},
        {"loss.svg", pl__output_curve},
        {"README.md", pl__output_card},
        {"trainer_state.json", pl__output_state},
    };
    pl_status s = copy_tokenizer(t, e);
    for (size_t i = 0; i < PL_COUNT(files) && !s; i++) {
        char *path = pl__path_join(t->paths.partial, files[i].name, e);
        s = path ? files[i].write(t, path, e) : PL_MACHINE;
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

pl_status pl__output_is_finished(pl_trainer *t, bool *yes, pl_error *e)
{
    *yes = false;
    char *path = pl__path_join(t->paths.partial, marker, e), *block = malloc(PL__BLOCK);
    finished *f = malloc(sizeof *f);
    pl_status s = path && block && f ? PL_OK : pl_fail_no_memory(e, PL__BLOCK, "a checkpoint");
    pl__block_reader r;
    if (!s && path && f && access(path, F_OK) == 0 && pl__blocks_open(&r, path, f, sizeof *f, block, NULL) == PL_OK) {
        pl__blocks_close(&r);
        f->recipe[sizeof f->recipe - 1] = '\0';
        s = pl__recipe_compare(f->recipe, t->recipe_text, t->paths.partial, e);
        *yes = !s;
    }
    pl__path_free(path);
    free(block);
    free(f);
    return s;
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

pl_status pl__output_place(pl_trainer *t, pl_error *e)
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
    if (!s)
        s = pl__folder_sync(t->paths.parent, e);
    char *path = s ? NULL : pl__path_join(t->paths.out, marker, e);
    if (path)
        unlink(path);
    pl__path_free(path);
    return s;
}
