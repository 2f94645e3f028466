/* Opening and closing a tokenizer, and what it says of itself. */
#include "text/load.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- memory that counts itself ---- */

static void *counted_take(void *self, size_t bytes)
{
    pl__counted *c = self;
    void *block = c->inner.take(c->inner.self, bytes);
    if (block) {
        c->now += bytes;
        c->peak = pl_max(c->peak, c->now);
    }
    return block;
}

static void counted_give(void *self, void *block, size_t bytes)
{
    pl__counted *c = self;
    if (block)
        c->now -= bytes;
    c->inner.give(c->inner.self, block, bytes);
}

void pl__counted_init(pl__counted *c, const pl_memory *inner)
{
    *c = (pl__counted){.inner = *inner};
    c->face = (pl_memory){counted_take, counted_give, c};
}

/* ---- opening ---- */

static bool exists(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0;
}

static pl_status load(pl__load *l, const char *folder, char *path, size_t capacity)
{
    int n = snprintf(path, capacity, "%s/tokenizer.json", folder);
    if (n < 0 || (size_t)n >= capacity)
        return pl_fail(l->e, PL_BAD_INPUT, "%s: the path is too long", folder);
    l->path = path;
    l->t->file = "tokenizer.json";
    return exists(path) ? pl__load_json(l) : pl__load_folder(l, folder);
}

static void finish(pl_tokenizer *t)
{
    t->ids = t->ids > t->model.vocab.top ? t->ids : t->model.vocab.top;
    pl__bert_prepare(t);
}

pl_status pl_tokenizer_open(const char *folder, const pl_memory *memory, pl_tokenizer **out, pl_error *e)
{
    memory = memory ? memory : pl_memory_system();
    *out = NULL;
    pl_tokenizer *t = memory->take(memory->self, sizeof *t);
    if (!t)
        return pl_fail_no_memory(e, sizeof *t, "the tokenizer");
    *t = (pl_tokenizer){0};
    pl__counted_init(&t->memory, memory);
    t->memory.now = t->memory.peak = sizeof *t;
    pl_region_init(&t->region, &t->memory.face);
    pl__load l = {.t = t, .e = e};
    pl_region_init(&l.scratch, &t->memory.face);
    char path[4096];
    pl_status status = load(&l, folder, path, sizeof path);
    pl_region_free(&l.scratch);
    if (status) {
        pl_tokenizer_close(t);
        return status;
    }
    finish(t);
    *out = t;
    return PL_OK;
}

void pl_tokenizer_close(pl_tokenizer *t)
{
    if (!t)
        return;
    pl_region_free(&t->region);
    pl_memory memory = t->memory.inner;
    memory.give(memory.self, t, sizeof *t);
}

/* ---- facts ---- */

size_t pl_tokenizer_held(const pl_tokenizer *t) { return t->memory.now; }
size_t pl_tokenizer_load_peak(const pl_tokenizer *t) { return t->memory.peak; }
uint32_t pl_tokenizer_ids(const pl_tokenizer *t) { return t->ids; }
uint32_t pl_tokenizer_special_count(const pl_tokenizer *t, bool pair) { return pair ? t->post.pair.tokens : t->post.single.tokens; }

bool pl_tokenizer_lowers(const pl_tokenizer *t)
{
    for (uint32_t i = 0; i < t->normalizer_count; i++) {
        const pl__normalizer *n = &t->normalizers[i];
        if (n->kind == PL__NORM_LOWERCASE || (n->kind == PL__NORM_BERT && n->lowercase))
            return true;
    }
    return false;
}

static const pl__added_token *added_with_id(const pl_tokenizer *t, uint32_t id)
{
    uint32_t low = 0, high = t->added_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (t->added[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < t->added_count && t->added[low].id == id ? &t->added[low] : NULL;
}

const char *pl_tokenizer_token(const pl_tokenizer *t, uint32_t id, size_t *n)
{
    const pl__added_token *added = added_with_id(t, id);
    if (added) {
        *n = added->content_bytes;
        return added->content;
    }
    uint32_t entry = pl__vocab_entry(&t->model.vocab, id);
    if (entry != PL__NONE)
        return pl__vocab_text(&t->model.vocab, entry, n);
    *n = 0;
    return NULL;
}

bool pl_tokenizer_id(const pl_tokenizer *t, const char *token, size_t n, uint32_t *id)
{
    for (uint32_t i = 0; i < t->added_count; i++)
        if (t->added[i].content_bytes == n && memcmp(t->added[i].content, token, n) == 0) {
            *id = t->added[i].id;
            return true;
        }
    uint32_t entry = pl__vocab_find(&t->model.vocab, token, n);
    if (entry == PL__NONE)
        return false;
    *id = pl__vocab_id(&t->model.vocab, entry);
    return true;
}
