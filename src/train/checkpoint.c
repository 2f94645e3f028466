/* Checkpoints: everything that training goes on from, in one file of checked blocks. */
#include "train/blocks.h"
#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char stem[] = "checkpoint", file[] = "training.state";
enum { VERSION = 2, MOST_KEPT = 1024 };

typedef struct head {
    char magic[16];
    uint32_t version, entry_bytes;
    uint64_t entries, learned, first; /* lines of the log; elements of the store that learn, and where they begin */
    pl__progress progress;
    char recipe[PL__RECIPE_BYTES];
} head;
static const char magic[16] = "plimsoll train\n";

static uint64_t rest_of(const head *h) { return h->entries * sizeof(pl__entry) + 3 * h->learned * sizeof(float); }

uint64_t pl__checkpoint_size(const pl_trainer *t)
{
    uint64_t entries = t->schedule.steps / t->recipe.log_every + (t->sets[PL_ROLE_EVALUATE].name ? t->schedule.steps / t->schedule.per_epoch + 1 : 0);
    enum { ENTRY_JSON = 160 }; /* trainer_state.json beside it */
    return pl__blocks_bytes(sizeof(head), entries * sizeof(pl__entry) + 3 * t->learned.count * sizeof(float)) + entries * ENTRY_JSON;
}

/* ---- writing ---- */

static pl_status put_journal(pl_trainer *t, pl__block_writer *w, pl_error *e)
{
    pl_status s = PL_OK;
    for (uint64_t i = 0; i < t->journal.count && !s; i++) {
        pl__entry entry;
        s = pl__journal_get(&t->journal, i, &entry, e);
        if (!s)
            pl__blocks_put(w, &entry, sizeof entry);
    }
    return s;
}

static pl_status put_store(pl_trainer *t, pl__block_writer *w, pl_error *e)
{
    enum { CHUNK = 1 << 12 };
    float chunk[CHUNK];
    pl_status s = PL_OK;
    for (int what = 0; what < 3; what++)
        for (uint64_t at = 0; at < t->learned.count && !s && !w->sink.status; at += CHUNK) {
            uint64_t n = pl_min(CHUNK, t->learned.count - at);
            s = pl_step_get(t->step, what, t->learned.first + at, n, chunk, e);
            if (!s)
                pl__blocks_put(w, chunk, n * sizeof *chunk);
        }
    return s;
}

static pl_status write_state(pl_trainer *t, const char *path, pl_error *e)
{
    head *h = calloc(1, sizeof *h);
    if (!h)
        return pl_fail_no_memory(e, sizeof *h, "a checkpoint");
    *h = (head){.version = VERSION,
        .entry_bytes = sizeof(pl__entry),
        .entries = t->journal.count,
        .learned = t->learned.count,
        .first = t->learned.first,
        .progress = t->progress};
    memcpy(h->magic, magic, sizeof magic);
    strncpy(h->recipe, t->recipe_text, sizeof h->recipe - 1);
    pl__block_writer w;
    pl_status s = pl__blocks_begin(&w, path, h, sizeof *h, t->work.buffer, PL__BUFFER, t->work.second, e);
    free(h);
    if (s)
        return s;
    s = put_journal(t, &w, e);
    if (!s)
        s = put_store(t, &w, e);
    pl_status ended = pl__blocks_end(&w);
    return s ? s : ended;
}

/* ---- which stay ---- */

static pl_status read_head(pl_trainer *t, uint64_t number, char *block, pl__block_reader *r, char **path, head *h, pl_error *e);

static pl_status prune(pl_trainer *t, uint64_t *numbers, uint64_t *best, head *h, pl_error *e)
{
    size_t count = 0, kept = 0;
    pl_status s = pl__kept_list(t, stem, numbers, MOST_KEPT - 1, &count, e);
    best[0] = t->progress.best_step;
    for (size_t i = 0; i < count && !s; i++) {
        bool stays = numbers[i] <= t->progress.step && kept < t->recipe.keep; /* a later one was damaged and passed over */
        if (!stays) {
            s = pl__kept_remove(t, stem, numbers[i], e);
            continue;
        }
        pl__block_reader r;
        char *path = NULL;
        if (t->recipe.best && read_head(t, numbers[i], t->work.second, &r, &path, h, NULL) == PL_OK) {
            best[kept + 1] = h->progress.best_step;
            pl__blocks_close(&r);
        }
        pl__path_free(path);
        kept++;
    }
    if (!s && t->recipe.best)
        s = pl__best_prune(t, best, kept + 1, e);
    return s;
}

pl_status pl__checkpoint_prune(pl_trainer *t, pl_error *e)
{
    uint64_t *numbers = calloc(2 * MOST_KEPT, sizeof *numbers);
    head *h = malloc(sizeof *h);
    pl_status s = numbers && h ? prune(t, numbers, numbers + MOST_KEPT, h, e) : pl_fail_no_memory(e, sizeof *h, "a checkpoint");
    free(numbers);
    free(h);
    return s;
}

pl_status pl__checkpoint_save(pl_trainer *t, pl_error *e)
{
    double start = pl_os_seconds();
    char *folder = NULL, *state = NULL, *log = NULL;
    uint64_t number = t->progress.step;
    pl_status s = pl__kept_begin(t, stem, number, &folder, e);
    if (!s)
        s = (state = pl__path_join(folder, file, e)) && (log = pl__path_join(folder, "trainer_state.json", e)) ? PL_OK : PL_MACHINE;
    if (!s)
        s = write_state(t, state, e);
    if (!s)
        s = pl__output_state(t, log, e);
    if (!s)
        s = pl__kept_end(t, stem, number, folder, e);
    if (s && folder) {
        pl_error second;
        pl__folder_remove(folder, &second); /* room for others; the first failure is told */
    }
    pl__path_free(folder);
    pl__path_free(state);
    pl__path_free(log);
    if (!s)
        s = pl__checkpoint_prune(t, e);
    t->save_seconds += pl_os_seconds() - start;
    return s;
}

/* ---- reading ---- */

/* Checksums show damage; they do not show that a file is what this training wrote. */
static pl_status check_head(const head *h, uint64_t number, const char *path, pl_error *e)
{
    if (memcmp(h->magic, magic, sizeof magic) != 0)
        return pl_fail(e, PL_BAD_INPUT, "%s: is no checkpoint of plimsoll", path);
    if (h->version != VERSION || h->entry_bytes != sizeof(pl__entry))
        return pl_fail(e, PL_BAD_INPUT, "%s: was written by another version of plimsoll", path);
    if (h->progress.step != number)
        return pl_fail(e, PL_BAD_INPUT, "%s: is the checkpoint of step %llu, not %llu", path, (unsigned long long)h->progress.step, (unsigned long long)number);
    if (h->recipe[sizeof h->recipe - 1])
        return pl_fail(e, PL_BAD_INPUT, "%s: its recipe has no end", path);
    return PL_OK;
}

static bool between(uint64_t least, uint64_t x, uint64_t most) { return x >= least && x <= most; }

/* What no training of this recipe can have come to; NULL: nothing. `ended` is read as the byte that it is. */
static const char *impossible(const pl_trainer *t, const head *h)
{
    const pl__progress *g = &h->progress;
    const pl__set *set = &t->sets[PL_ROLE_TRAIN];
    const pl_training *r = &t->recipe;
    uint64_t epochs = g->step / t->schedule.per_epoch, evaluations = t->sets[PL_ROLE_EVALUATE].name ? epochs + 1 : 0;
    unsigned char ended;
    memcpy(&ended, &g->ended, 1);
    if (!between(1, g->step, t->schedule.steps))
        return "the number of its step";
    if (g->loss_steps != g->step % r->log_every || !isfinite(g->loss_sum) || !isfinite(g->total_loss))
        return "the sum of its losses";
    if (!between(epochs * set->examples, g->texts, (epochs + 1) * set->examples) || !between(epochs * set->tokens, g->tokens, (epochs + 1) * set->tokens))
        return "the number of its texts";
    if (g->evaluated > g->step || g->best_step > g->evaluated || g->worse > evaluations || (g->evaluated && !evaluations) || !isfinite(g->best_value))
        return "its evaluation";
    if (ended != (r->early_stopping && g->worse >= r->early_stopping))
        return "its end";
    if (!between(g->step / r->log_every, h->entries, g->step / r->log_every + evaluations))
        return "the length of its log";
    if (h->learned != t->learned.count || h->first != t->learned.first)
        return "how many numbers it learns";
    return NULL;
}

static pl_status check_progress(const pl_trainer *t, const head *h, const char *path, pl_error *e)
{
    const char *what = impossible(t, h);
    return what ? pl_fail(e, PL_BAD_INPUT, "%s: %s cannot be, it does not come from this training", path, what) : PL_OK;
}

static pl_status read_head(pl_trainer *t, uint64_t number, char *block, pl__block_reader *r, char **path, head *h, pl_error *e)
{
    *path = pl__kept_path(t, stem, number, file, e);
    pl_status s = *path ? pl__blocks_open(r, *path, h, sizeof *h, block, e) : PL_MACHINE;
    if (s)
        return s;
    s = check_head(h, number, *path, e);
    if (s)
        pl__blocks_close(r);
    return s;
}

static bool follows(const pl_trainer *t, const pl__entry *x, uint64_t last, uint64_t step)
{
    const char *names[PL__MOST_FIGURES];
    uint32_t figures = x->kind == PL__ENTRY_LOSS ? 3 : x->kind == PL__ENTRY_EVALUATION ? (uint32_t)pl__figure_names(t, names) : 0;
    return figures > 0 && x->count == figures && x->step > 0 && between(last, x->step, step) && x->epoch == pl__schedule_epoch(&t->schedule, x->step);
}

static pl_status get_journal(pl_trainer *t, pl__block_reader *r, const head *h, pl_error *e)
{
    pl_status s = PL_OK;
    uint64_t last = 0;
    t->journal.count = 0;
    for (uint64_t i = 0; i < h->entries && !s; i++) {
        pl__entry entry;
        s = pl__blocks_get(r, &entry, sizeof entry);
        if (!s && !follows(t, &entry, last, h->progress.step))
            s = pl_fail(e, PL_BAD_INPUT, "%s: line %llu of its log cannot be, it does not come from this training", r->path, (unsigned long long)i);
        last = entry.step;
        if (!s)
            s = pl__journal_add(&t->journal, &entry, e);
    }
    return s;
}

static const char *tensor_of(const pl_trainer *t, uint64_t element)
{
    for (size_t i = 0; i < pl_step_parameters(t->step); i++) {
        const pl_parameter *p = pl_step_parameter(t->step, i);
        if (element - p->first < p->count)
            return p->name;
    }
    return "a tensor";
}

/* Numbers that a step leaves: finite, and no square below zero. */
static pl_status check_numbers(const pl_trainer *t, int what, uint64_t first, const float *x, uint64_t n, const char *path, pl_error *e)
{
    static const char *const whats[] = {"a weight", "a first moment", "a second moment"};
    for (uint64_t i = 0; i < n; i++)
        if (!isfinite(x[i]) || (what == 2 && x[i] < 0))
            return pl_fail(e, PL_BAD_INPUT, "%s: %s of %s is %g", path, whats[what], tensor_of(t, first + i), (double)x[i]);
    return PL_OK;
}

static pl_status get_store(pl_trainer *t, pl__block_reader *r, pl_error *e)
{
    enum { CHUNK = 1 << 12 };
    float chunk[CHUNK];
    pl_status s = PL_OK;
    for (int what = 0; what < 3; what++)
        for (uint64_t at = 0; at < t->learned.count && !s; at += CHUNK) {
            uint64_t n = pl_min(CHUNK, t->learned.count - at), first = t->learned.first + at;
            s = pl__blocks_get(r, chunk, n * sizeof *chunk);
            if (!s)
                s = check_numbers(t, what, first, chunk, n, r->path, e);
            if (!s)
                s = pl_step_set(t->step, what, first, n, chunk, e);
        }
    return s;
}

static pl_status load_one(pl_trainer *t, uint64_t number, head *h, pl_error *e)
{
    pl__block_reader r;
    char *path = NULL;
    pl_status s = read_head(t, number, t->work.second, &r, &path, h, e);
    if (s) {
        pl__path_free(path);
        return s;
    }
    s = pl__recipe_compare(h->recipe, t->recipe_text, path, e);
    if (!s)
        s = check_progress(t, h, path, e);
    if (!s)
        s = pl__blocks_expect(&r, rest_of(h));
    if (!s && t->recipe.best && h->progress.best_step) /* --early-stopping alone keeps no weights */
        s = pl__best_check(t, h->progress.best_step, e);
    if (!s)
        s = get_journal(t, &r, h, e);
    if (!s)
        s = get_store(t, &r, e);
    pl__blocks_close(&r);
    pl__path_free(path);
    if (!s)
        t->progress = h->progress;
    return s;
}

/* Calls `use` on each, newest first, until one is good. */
typedef pl_status (*use)(pl_trainer *t, uint64_t number, head *h, pl_error *e);

static pl_status try_all(pl_trainer *t, use f, bool tell, bool *found, pl_error *e)
{
    uint64_t *numbers = calloc(MOST_KEPT, sizeof *numbers);
    head *h = malloc(sizeof *h);
    size_t count = 0;
    *found = false;
    pl_status s = numbers && h ? pl__kept_list(t, stem, numbers, MOST_KEPT, &count, e) : pl_fail_no_memory(e, sizeof *h, "a checkpoint");
    pl_error first = {0}, inner;
    for (size_t i = 0; i < count && !s && !*found; i++) {
        pl_status one = f(t, numbers[i], h, &inner);
        *found = one == PL_OK;
        if (one != PL_OK && one != PL_BAD_INPUT) {
            s = one;
            if (e)
                *e = inner;
            if (one == PL_MACHINE && i + 1 < count)
                pl_hint(e, "without %s/%s-%llu it goes on from an older one", t->paths.partial, stem, (unsigned long long)numbers[i]);
        } else if (!*found) {
            if (!first.status)
                first = inner;
            if (tell)
                pl__note(t, "checkpoint-%llu is passed over: %s", (unsigned long long)numbers[i], inner.text);
        }
    }
    free(numbers);
    free(h);
    if (s || *found || count == 0)
        return s;
    if (e)
        *e = first;
    pl_hint(e, "no checkpoint of %s can be gone on from; --overwrite begins anew", t->paths.partial);
    return PL_BAD_INPUT;
}

static pl_status look_at(pl_trainer *t, uint64_t number, head *h, pl_error *e)
{
    pl__block_reader r;
    char *path = NULL, *block = malloc(PL__BLOCK);
    pl_status s = block ? read_head(t, number, block, &r, &path, h, e) : pl_fail_no_memory(e, PL__BLOCK, "a checkpoint");
    if (!s) {
        pl__blocks_close(&r);
        s = pl__recipe_compare(h->recipe, t->recipe_text, path, e);
        if (!s)
            s = check_progress(t, h, path, e);
    }
    free(block);
    pl__path_free(path);
    return s;
}

pl_status pl__checkpoint_look(pl_trainer *t, bool *found, pl_error *e) { return try_all(t, look_at, false, found, e); }

pl_status pl__checkpoint_load(pl_trainer *t, pl_error *e)
{
    bool found;
    pl_status s = try_all(t, load_one, true, &found, e);
    if (!s && !found)
        s = pl_fail(e, PL_BAD_INPUT, "%s: its checkpoints are gone", t->paths.partial);
    return s;
}
