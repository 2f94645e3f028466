/* The best evaluated weights, in a folder of their own as long as a checkpoint speaks of them. */
#include "train/blocks.h"
#include "train/trainer.h"

#include <stdlib.h>
#include <string.h>

static const char stem[] = "best", file[] = "weights.state";
enum { CHUNK = 1 << 12, MOST_KEPT = 1024 };

typedef struct head {
    char magic[16];
    uint64_t step, first, learned, recipe; /* recipe: its digest */
} head;

static void make_head(const pl_trainer *t, uint64_t step, head *h)
{
    *h = (head){.magic = "plimsoll best\n", .step = step, .first = t->learned.first, .learned = t->learned.count};
    h->recipe = pl__digest_of(t->recipe_text, strlen(t->recipe_text), 0);
}

pl_status pl__best_save(pl_trainer *t, pl_error *e)
{
    float chunk[CHUNK];
    head h;
    pl__block_writer w;
    char *folder = NULL;
    uint64_t step = t->progress.step;
    make_head(t, step, &h);
    pl_status s = pl__kept_begin(t, stem, step, &folder, e);
    char *path = s ? NULL : pl__path_join(folder, file, e);
    if (!s)
        s = path ? pl__blocks_begin(&w, path, &h, sizeof h, t->work.buffer, PL__BUFFER, t->work.second, e) : PL_MACHINE;
    if (!s) {
        for (uint64_t at = 0; at < t->learned.count && !s && !w.sink.status; at += CHUNK) {
            uint64_t n = pl_min(CHUNK, t->learned.count - at);
            s = pl_step_get(t->step, 0, t->learned.first + at, n, chunk, e);
            if (!s)
                pl__blocks_put(&w, chunk, n * sizeof *chunk);
        }
        pl_status ended = pl__blocks_end(&w);
        s = s ? s : ended;
    }
    if (!s)
        s = pl__kept_end(t, stem, step, folder, e);
    pl__path_free(path);
    pl__path_free(folder);
    return s;
}

static pl_status read_all(pl_trainer *t, uint64_t step, bool set, char *block, pl_error *e)
{
    float chunk[CHUNK];
    head h, want;
    pl__block_reader r;
    make_head(t, step, &want);
    char *path = pl__kept_path(t, stem, step, file, e);
    pl_status s = path ? pl__blocks_open(&r, path, &h, sizeof h, block, e) : PL_MACHINE;
    if (s) {
        pl__path_free(path);
        return s;
    }
    if (memcmp(&h, &want, sizeof h) != 0)
        s = pl_fail(e, PL_BAD_INPUT, "%s: is not of this training's step %llu", path, (unsigned long long)step);
    if (!s)
        s = pl__blocks_expect(&r, t->learned.count * sizeof *chunk);
    for (uint64_t at = 0; at < t->learned.count && !s; at += CHUNK) {
        uint64_t n = pl_min(CHUNK, t->learned.count - at);
        s = pl__blocks_get(&r, chunk, n * sizeof *chunk);
        if (!s && set)
            s = pl_step_set(t->step, 0, t->learned.first + at, n, chunk, e);
    }
    pl__blocks_close(&r);
    pl__path_free(path);
    return s;
}

pl_status pl__best_load(pl_trainer *t, pl_error *e) { return read_all(t, t->progress.best_step, true, t->work.second, e); }

/* While a checkpoint is being read into work.second. */
pl_status pl__best_check(pl_trainer *t, uint64_t step, pl_error *e) { return read_all(t, step, false, t->work.buffer, e); }

pl_status pl__best_prune(pl_trainer *t, const uint64_t *wanted, size_t count, pl_error *e)
{
    uint64_t *numbers = calloc(MOST_KEPT, sizeof *numbers);
    size_t there = 0;
    pl_status s = numbers ? pl__kept_list(t, stem, numbers, MOST_KEPT, &there, e) : pl_fail_no_memory(e, MOST_KEPT * sizeof *numbers, "a checkpoint");
    for (size_t i = 0; i < there && !s; i++) {
        bool stays = false;
        for (size_t k = 0; k < count; k++)
            stays = stays || wanted[k] == numbers[i];
        if (!stays)
            s = pl__kept_remove(t, stem, numbers[i], e);
    }
    free(numbers);
    return s;
}
