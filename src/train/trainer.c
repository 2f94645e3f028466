#include "train/trainer.h"

#include "train/files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pl_training_init(pl_training *t)
{
    *t = (pl_training){.size = sizeof *t,
        .epochs = 3,
        .batch = 8,
        .lr = 5e-5,
        .max_grad_norm = 1,
        .dropout = -1,
        .shuffle = true,
        .seed = 42,
        .shards = 1,
        .log_every = 500,
        .save_every = 500,
        .keep = 2};
}

/* ---- what a recipe may be ---- */

typedef struct range {
    const char *option;
    double value, least, most; /* [least, most] */
} range;

static pl_status check_ranges(const pl_training *r, pl_error *e)
{
    const double below_one = 1.0 - 1.0 / 9007199254740992.0, huge = 1e30;
    const range ranges[] = {
        {"lr", r->lr, 0, huge},
        {"warmup-ratio", r->warmup_ratio, 0, 1},
        {"weight-decay", r->weight_decay, 0, huge},
        {"max-grad-norm", r->max_grad_norm, 0, huge},
        {"label-smoothing", r->label_smoothing, 0, below_one},
        {"dropout", r->dropout < 0 ? 0 : r->dropout, 0, below_one},
        {"epochs", r->epochs, 0, huge},
    };
    for (size_t i = 0; i < PL_COUNT(ranges); i++)
        if (!(ranges[i].value >= ranges[i].least && ranges[i].value <= ranges[i].most))
            return pl_fail(e, PL_USAGE, "--%s %g: must be at least 0%s", ranges[i].option, ranges[i].value,
                ranges[i].most == 1      ? " and at most 1"
                    : ranges[i].most < 1 ? " and below 1"
                                         : " and at most 1e30");
    if (r->epochs == 0 && !r->max_steps)
        return pl_fail(e, PL_USAGE, "--epochs 0: nothing would be learned");
    return PL_OK;
}

static pl_status check_recipe(const pl_options *o, const pl_training *r, pl_error *e)
{
    enum { MOST_BATCH = 1 << 20 };
    if (o->size != sizeof *o)
        return pl_fail(e, PL_USAGE, "pl_options.size: %zu, pl_options_init sets it to %zu", o->size, sizeof *o);
    if (r->size != sizeof *r)
        return pl_fail(e, PL_USAGE, "pl_training.size: %zu, pl_training_init sets it to %zu", r->size, sizeof *r);
    if (o->precision == PL_PRECISION_F16)
        return pl_fail(e, PL_USAGE, "--precision f16: not supported on the CPU; f32, bf16 or auto would do");
    if (r->batch == 0 || r->batch > MOST_BATCH)
        return pl_fail(e, PL_USAGE, "--batch %u: 1 to %d texts a step would do", r->batch, MOST_BATCH);
    if (r->shards == 0 || r->shards > r->batch)
        return pl_fail(e, PL_USAGE, "--shards %u: at least 1, and no more than the texts of a step (--batch %u)", r->shards, r->batch);
    if (!r->log_every || !r->save_every || !r->keep)
        return pl_fail(e, PL_USAGE, "--log-every, --save-every, --keep: at least 1 each");
    if (r->head_only && r->last_layers)
        return pl_fail(e, PL_USAGE, "--tune: head or last:N, not both");
    if (!r->out && !r->dry_run && r->resume)
        return pl_fail(e, PL_USAGE, "--resume: there is no output folder to go on in");
    return check_ranges(r, e);
}

/* ---- where things go ---- */

static char *copy(const char *text, size_t n, pl_error *e)
{
    char *out = malloc(n + 1);
    if (!out) {
        pl_fail_no_memory(e, n + 1, "a path");
        return NULL;
    }
    memcpy(out, text, n);
    out[n] = '\0';
    return out;
}

static char *joined(const char *a, const char *b, pl_error *e)
{
    size_t n = strlen(a), m = strlen(b);
    char *out = malloc(n + m + 1);
    if (!out) {
        pl_fail_no_memory(e, n + m + 1, a);
        return NULL;
    }
    memcpy(out, a, n);
    memcpy(out + n, b, m + 1);
    return out;
}

static pl_status make_paths(pl_trainer *t, pl_error *e)
{
    const char *out = t->recipe.out;
    pl__paths *p = &t->paths;
    if (out) {
        size_t n = strlen(out);
        while (n > 1 && out[n - 1] == '/')
            n--;
        size_t slash = n;
        while (slash > 0 && out[slash - 1] != '/')
            slash--;
        p->out = copy(out, n, e);
        p->partial = p->out ? joined(p->out, ".partial", e) : NULL;
        p->parent = slash == 0 ? copy(".", 1, e) : copy(out, slash > 1 ? slash - 1 : 1, e);
        if (!p->out || !p->partial || !p->parent)
            return PL_MACHINE;
    }
    const char *spill = t->recipe.spill ? t->recipe.spill : p->parent ? p->parent : ".";
    p->spill = copy(spill, strlen(spill), e);
    return p->spill ? PL_OK : PL_MACHINE;
}

/* "/", "." and ".." are there and keep their names. */
static bool can_be_made(const char *path)
{
    const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
    return *last && strcmp(last, ".") != 0 && strcmp(last, "..") != 0;
}

static pl_status check_paths(const pl_trainer *t, pl_error *e)
{
    const pl_training *r = &t->recipe;
    const pl__paths *p = &t->paths;
    if (r->spill && !pl__is_folder(r->spill))
        return pl_fail(e, PL_USAGE, "--spill %s: there is no such folder", r->spill);
    if (!p->out || r->dry_run)
        return PL_OK;
    if (!can_be_made(p->out))
        return pl_fail(e, PL_USAGE, "-o %s: the name of a folder that can be made is needed", r->out);
    if (!pl__is_folder(p->parent))
        return pl_fail(e, PL_USAGE, "%s: there is no such folder, in which %s could be made", p->parent, p->out);
    if (pl__is_mount(p->out)) {
        pl_fail(e, PL_USAGE, "%s: is where something is mounted, which cannot be replaced", p->out);
        pl_hint(e, "-o %s/trained makes a folder in it", p->out);
        return PL_USAGE;
    }
    bool there = pl__folder_there(p->out);
    if (there && (!r->overwrite || !pl__is_folder(p->out))) {
        pl_fail(e, PL_USAGE, "%s: exists already%s", p->out, pl__is_folder(p->out) ? "" : ", and is no folder");
        if (pl__is_folder(p->out))
            pl_hint(e, "--overwrite replaces it when the training is complete");
        return PL_USAGE;
    }
    if (pl__folder_there(p->partial) && !r->resume && !r->overwrite) {
        pl_fail(e, PL_USAGE, "%s: exists already, an interrupted training left it", p->partial);
        pl_hint(e, "--resume goes on with it, --overwrite begins anew");
        return PL_USAGE;
    }
    if (r->resume && pl__folder_there(p->partial) && !pl__is_folder(p->partial))
        return pl_fail(e, PL_USAGE, "%s: is no folder, no training goes on from it", p->partial);
    return PL_OK;
}

/* ---- opening ---- */

static pl_status check_tokenizer(const pl_trainer *t, const pl_model *m, pl_error *e)
{
    uint32_t ids = pl_tokenizer_ids(t->reading.tokenizer);
    if (ids <= m->vocabulary)
        return PL_OK;
    return pl_fail(e, PL_BAD_INPUT, "%s: the tokenizer has ids up to %u, the model's vocab_size is %llu; they do not belong together",
        pl_folder_path(t->reading.folder), ids - 1, (unsigned long long)m->vocabulary);
}

/* The model with the folder's own labels: is it one that can be trained at all? A head for others is
 * no obstacle. */
static pl_status try_model(pl_trainer *t, pl_error *e)
{
    pl_region region;
    pl_model m;
    pl_region_init(&region, pl_memory_system());
    pl_model_choice choice = {.task = PL_TASK_CLASSIFY, .fresh_head = true, .labels = (uint32_t)pl_folder_labels(t->reading.folder)};
    pl_status s = pl_model_make(t->reading.folder, &choice, &region, &m, e);
    if (!s)
        s = pl__reading_length(&t->reading, t->options.max_length, m.longest, e);
    if (!s)
        s = check_tokenizer(t, &m, e);
    if (!s && t->recipe.last_layers >= m.layers)
        s = pl_fail(e, PL_USAGE, "--tune last:%u: the model has %u layers; `all` learns them and the embeddings", t->recipe.last_layers, m.layers);
    t->types = m.types;
    t->model.vocabulary = m.vocabulary;
    pl_region_free(&region);
    return s;
}

static void lay_out_reader(pl_trainer *t, pl_carver *c)
{
    const pl__reading *r = &t->reading;
    size_t words = (size_t)(t->model.vocabulary + 63) / 64;
    t->workspace_bytes = pl_tokenizer_workspace(r->tokenizer, r->text_bytes, r->max_length);
    t->workspace = pl_carve(c, t->workspace_bytes);
    t->encoding.capacity = r->max_length;
    t->encoding.ids = pl_carve(c, r->max_length * sizeof *t->encoding.ids);
    t->encoding.types = pl_carve(c, r->max_length);
    t->longest = pl_carve(c, t->recipe.batch * sizeof *t->longest);
    t->used_bits = pl_carve(c, words * sizeof *t->used_bits);
    t->spool.buffer = pl_carve(c, PL__BUFFER);
}

static pl_status take_reader(pl_trainer *t, pl_error *e)
{
    pl_carver c = {0};
    lay_out_reader(t, &c);
    t->reader_bytes = c.used;
    t->reader = pl_memory_system()->take(pl_memory_system()->self, c.used);
    if (!t->reader)
        return pl_fail_no_memory(e, c.used, "reading the data");
    c = (pl_carver){.base = t->reader};
    lay_out_reader(t, &c);
    return PL_OK;
}

void pl__reader_free(pl_trainer *t)
{
    if (t->reader)
        pl_memory_system()->give(pl_memory_system()->self, t->reader, t->reader_bytes);
    t->reader = NULL;
    pl_tokenizer_close(t->reading.tokenizer);
    t->reading.tokenizer = NULL;
}

static pl_status open_all(pl_trainer *t, const char *model, pl_error *e)
{
    pl_status s = make_paths(t, e);
    if (!s)
        s = check_paths(t, e);
    if (!s)
        s = pl__reading_open(model, &t->options, false, &t->reading, e);
    if (!s)
        s = try_model(t, e);
    if (s)
        return s;
    t->tokenizer_held = pl_tokenizer_held(t->reading.tokenizer);
    t->tokenizer_peak = pl_tokenizer_load_peak(t->reading.tokenizer);
    t->folder_peak = pl_folder_load_peak(t->reading.folder);
    return take_reader(t, e);
}

pl_status pl_trainer_open(const char *model, const pl_options *options, const pl_training *training, pl_trainer **out, pl_error *e)
{
    *out = NULL;
    pl_error_clear(e);
    pl_status s = check_recipe(options, training, e);
    if (!s)
        s = pl__device_check(options->device, e);
    if (s)
        return s;
    pl_trainer *t = calloc(1, sizeof *t);
    if (!t)
        return pl_fail_no_memory(e, sizeof *t, "the training");
    t->name = model;
    t->options = *options;
    t->recipe = *training;
    t->spool.file = t->journal.file = -1;
    pl_region_init(&t->region, pl_memory_system());
    s = open_all(t, model, e);
    if (s)
        pl_trainer_close(t);
    else
        *out = t;
    return s;
}

void pl_trainer_close(pl_trainer *t)
{
    if (!t)
        return;
    const pl_memory *memory = pl_memory_system();
    pl__reader_free(t);
    pl__spool_close(&t->spool);
    pl__journal_close(&t->journal);
    if (t->work_memory)
        memory->give(memory->self, t->work_memory, t->work.bytes);
    pl_folder_close(t->reading.folder);
    pl_region_free(&t->region);
    free(t->paths.out);
    free(t->paths.partial);
    free(t->paths.parent);
    free(t->paths.spill);
    free(t);
}

size_t pl_trainer_text_bytes(const pl_trainer *t) { return t->reading.text_bytes; }
