/* Rows of the word table. A batch has few of the words: only their gradients exist, a row each in the
 * order of the table; and only their weights and moments are brought up to date before each step.
 * The others are behind by the steps that passed: AdamW with a gradient of zero is the same
 * arithmetic whenever it is done, so a row catches up, step for step to the same bits, when a batch
 * has it, when PL__WINDOW steps have passed, or when weights are asked for. */
#include "train/update.h"

#include <assert.h>
#include <string.h>

enum { WORD = 64 };

static uint64_t carve(const pl_step_request *r, const pl__parameters *p, char *base, pl__words *w)
{
    pl_carver c = {.base = base};
    uint64_t used = r->used_count, words = (used + WORD - 1) / WORD;
    if (p->words == 0)
        return 0;
    w->paces = pl_carve(&c, PL__WINDOW * sizeof *w->paces);
    w->bits = pl_carve(&c, words * sizeof *w->bits);
    w->ranks = pl_carve(&c, words * sizeof *w->ranks);
    w->places = pl_carve(&c, r->batch_rows * sizeof *w->places);
    w->rows = pl_carve(&c, pl__most_words(r) * sizeof *w->rows);
    w->done = pl_carve(&c, used);
    return c.used;
}

uint64_t pl__words_bytes(const pl_step_request *r, const pl__parameters *p)
{
    pl__words w;
    return carve(r, p, NULL, &w);
}

void pl__words_lay_out(pl_step *s, char *memory)
{
    carve(&s->request, &s->params, memory, &s->words);
    s->words.width = s->params.words ? s->params.words / s->request.used_count : 0;
}

/* ---- the words of a batch ---- */

void pl__words_of_batch(pl_step *s)
{
    pl__words *w = &s->words;
    const pl_batch *b = s->batch;
    uint64_t words = (s->request.used_count + WORD - 1) / WORD;
    if (!w->width)
        return;
    memset(w->bits, 0, words * sizeof *w->bits);
    for (uint32_t i = 0; i < b->rows; i++)
        w->bits[b->ids[i] / WORD] |= UINT64_C(1) << b->ids[i] % WORD;
    w->count = 0;
    for (uint32_t i = 0; i < words; i++) {
        w->ranks[i] = w->count;
        for (uint64_t rest = w->bits[i]; rest; rest &= rest - 1)
            w->rows[w->count++] = i * WORD + (uint32_t)__builtin_ctzll(rest);
    }
    for (uint32_t i = 0; i < b->rows; i++) {
        uint64_t below = w->bits[b->ids[i] / WORD] & ((UINT64_C(1) << b->ids[i] % WORD) - 1);
        w->places[i] = w->ranks[b->ids[i] / WORD] + (uint32_t)__builtin_popcountll(below);
    }
}

/* ---- learning ---- */

/* Rows [first, first + rows), of which each member of the team learns a part at a time. */
static void learn_rows(pl_step *s, uint64_t first, uint64_t rows, const float *gradient, const pl__pace *paces, uint32_t steps, unsigned member)
{
    uint64_t elements = rows * s->words.width, at = s->params.list[0].first + first * s->words.width;
    uint64_t most = gradient ? PL__UPDATE : PL__WORD_ZEROS;
    for (uint64_t i = 0; i < elements; i += most) {
        uint64_t n = pl_min(most, elements - i);
        pl__learn(s, at + i, n, gradient ? gradient + i : (const float *)(const void *)(s->arena + s->program.l.word_zeros), paces, steps, member);
    }
}

static void catch_up(pl_step *s, uint64_t first, uint64_t rows, unsigned member)
{
    const pl__words *w = &s->words;
    uint32_t done = w->done[first];
    if (done < w->window)
        learn_rows(s, first, rows, NULL, w->paces + done, w->window - done, member);
}

void pl__words_catch_up(pl_step *s, unsigned member)
{
    pl__words *w = &s->words;
    for (uint32_t i = member; w->window && i < w->count; i += s->request.threads) {
        catch_up(s, w->rows[i], 1, member);
        w->done[w->rows[i]] = (uint8_t)w->window;
    }
}

void pl__words_update(pl_step *s, unsigned member)
{
    pl__words *w = &s->words;
    const float *gradients = (const float *)(const void *)(s->arena + s->program.word_gradients);
    for (uint32_t i = member; i < w->count; i += s->request.threads) {
        learn_rows(s, w->rows[i], 1, gradients + i * w->width, w->paces + w->window, 1, member);
        w->done[w->rows[i]] = (uint8_t)(w->window + 1);
    }
}

/* Rows one behind the other that are behind by the same steps go together. */
static void settle_job(void *self, unsigned member)
{
    pl_step *s = self;
    const pl__words *w = &s->words;
    uint64_t used = s->request.used_count, most = pl_max(1, PL__WORD_ZEROS / w->width), turn = 0;
    s->request.kernels->enter(&s->members[member].fp);
    for (uint64_t first = 0, end; first < used; first = end, turn++) {
        for (end = first + 1; end < used && end - first < most && w->done[end] == w->done[first];)
            end++;
        if (turn % s->request.threads == member)
            catch_up(s, first, end - first, member);
    }
    s->request.kernels->leave(&s->members[member].fp);
}

pl_status pl__words_settle(pl_step *s, pl_error *e)
{
    pl__words *w = &s->words;
    if (!w->window)
        return PL_OK;
    atomic_store(&s->failed, false);
    atomic_store(&s->error_taken, false);
    pl_team_run(s->team, s->request.threads, settle_job, s);
    if (atomic_load(&s->failed)) {
        if (e)
            *e = s->error;
        return s->status;
    }
    memset(w->done, 0, s->request.used_count);
    w->window = 0;
    return PL_OK;
}

pl_status pl__words_stepped(pl_step *s, pl_error *e)
{
    if (!s->words.width)
        return PL_OK;
    s->words.window++;
    assert(s->words.window <= PL__WINDOW);
    return s->words.window == PL__WINDOW ? pl__words_settle(s, e) : PL_OK;
}
