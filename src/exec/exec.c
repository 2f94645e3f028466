#include "exec/state.h"

#include <assert.h>
#include <string.h>

/* ---- memory of the executor ---- */

/* The state itself is the first piece. */
static void lay_out(const pl_program *p, pl_carver *c, pl_exec *x)
{
    pl_carve(c, sizeof *x);
    x->tile_room = pl_program_tiles(p->pass_rows, p->tile_rows, p->pass_texts, p->tile_texts, p->threads);
    x->tiles = pl_carve(c, x->tile_room * sizeof *x->tiles);
    x->starts = pl_carve(c, (p->pass_texts + x->tile_room) * sizeof *x->starts);
    x->progress = pl_carve(c, x->tile_room * sizeof *x->progress);
    x->ordinal = pl_carve(c, p->stage_count * sizeof *x->ordinal);
    x->freed = pl_carve(c, p->slot_count * sizeof *x->freed);
    x->left = pl_carve(c, p->slot_count * sizeof *x->left);
    x->members = pl_carve(c, (p->threads + 1) * sizeof *x->members);
}

size_t pl_exec_bytes(const pl_program *p)
{
    pl_exec scratch;
    pl_carver c = {0};
    lay_out(p, &c, &scratch);
    assert(c.used <= pl_program_walk_bytes(scratch.tile_room, p->pass_texts, p->stage_count, p->slot_count, p->threads));
    return c.used;
}

void pl_exec_make(const pl_program *p, const pl_kernels *k, const pl_folder *folder, pl_team *team, void *memory, void *arena, pl_exec **out)
{
    pl_carver c = {.base = memory};
    pl_exec *x = memory;
    memset(x, 0, sizeof *x);
    lay_out(p, &c, x);
    x->p = p;
    x->k = k;
    x->folder = folder;
    x->team = team;
    x->arena = arena;
    for (size_t i = 0; i < p->stage_count; i++)
        if (p->stages[i].slab_bytes && p->stages[i].slab == PL_STREAMED)
            x->ordinal[i] = x->streamed_count++;
    *out = x;
}

/* ---- ends ---- */

void pl__gates_release(pl_exec *x)
{
    static const uint32_t BEYOND_ALL = UINT32_MAX / 2;
    pl_gate_open(&x->loaded, BEYOND_ALL);
    for (uint32_t i = 0; i < x->p->slot_count; i++)
        pl_gate_open(&x->freed[i], BEYOND_ALL);
    for (uint32_t i = 0; i < x->tile_count; i++)
        pl_gate_open(&x->progress[i], BEYOND_ALL);
}

void pl__fail(pl_exec *x, pl_status status, const pl_error *e)
{
    if (!atomic_exchange(&x->error_taken, true)) {
        x->error = *e;
        x->status = status;
        atomic_store(&x->failed, true);
    }
}

void pl_exec_stop(pl_exec *x) { atomic_store(&x->stop, true); }
void pl_exec_clear(pl_exec *x) { atomic_store(&x->stop, false); }
void pl_exec_drop_behind(pl_exec *x, bool on) { x->drop_behind = on; }

static void begin(pl_exec *x)
{
    atomic_store(&x->error_taken, false);
    atomic_store(&x->failed, false);
    atomic_store(&x->next, 0);
    atomic_store(&x->next_load, 0);
}

static pl_status end(pl_exec *x, pl_error *e)
{
    if (atomic_load(&x->failed)) {
        if (e)
            *e = x->error;
        return x->status;
    }
    if (atomic_load(&x->stop))
        return pl_fail(e, PL_STOPPED, "stopped on request");
    return PL_OK;
}

/* ---- loading ---- */

static void load_job(void *self, unsigned member)
{
    pl_exec *x = self;
    x->k->enter(&x->members[member].fp);
    pl__load_members(x, member);
    x->k->leave(&x->members[member].fp);
}

pl_status pl_exec_load(pl_exec *x, pl_error *e)
{
    begin(x);
    pl_status s = pl_folder_unchanged(x->folder, e);
    if (s)
        return s;
    double start = pl_os_seconds();
    pl_team_run(x->team, x->p->threads, load_job, x);
    x->read_seconds += pl_os_seconds() - start;
    s = end(x, e);
    return s ? s : pl_folder_unchanged(x->folder, e);
}

/* ---- a pass ---- */

static bool is_streamed(const pl_stage *stage) { return stage->slab_bytes && stage->slab == PL_STREAMED; }

static const char *slab_of(const pl_exec *x, size_t stage)
{
    const pl_stage *s = &x->p->stages[stage];
    return is_streamed(s) ? x->arena + x->p->slots + x->ordinal[stage] % x->p->slot_count * x->p->slot_bytes : x->arena + s->slab;
}

static void wait_loaded(pl_exec *x, size_t stage, unsigned member)
{
    if (!is_streamed(&x->p->stages[stage]))
        return;
    double start = pl_os_seconds();
    pl_gate_wait(&x->loaded, x->ordinal[stage] + 1);
    x->members[member].wait_seconds += pl_os_seconds() - start;
}

/* A tile is done with a stage's slab; the last one gives the slot back to the reader. */
static void release_slab(pl_exec *x, size_t stage)
{
    if (!is_streamed(&x->p->stages[stage]))
        return;
    uint32_t ordinal = x->ordinal[stage], slot = ordinal % x->p->slot_count;
    if (atomic_fetch_sub(&x->left[slot], 1) == 1)
        pl_gate_open(&x->freed[slot], ordinal + 1);
}

static void tick(pl_exec *x, unsigned member)
{
    static const double EVERY = 0.1;
    if (member != 0 || !x->pass->tick)
        return;
    double now = pl_os_seconds();
    if (now - x->last_tick < EVERY)
        return;
    x->last_tick = now;
    x->k->leave(&x->members[0].fp);
    x->pass->tick(x->pass->self);
    x->k->enter(&x->members[0].fp);
}

static void run_stage(pl_exec *x, size_t stage, const pl__tile *tile, unsigned member)
{
    tick(x, member);
    const pl_stage *s = &x->p->stages[stage];
    const char *slab = slab_of(x, stage);
    for (uint32_t i = 0; i < s->op_count; i++)
        pl__op_run(x, &x->p->ops[s->first_op + i], tile, slab, member, member, (pl__share){0, 1});
}

/* Stage by stage: (stage, tile) pairs are handed out in order; a tile's stage waits for the one
 * before it, which was handed out a whole round of tiles earlier, so there is no barrier. */
static void work_by_stage(pl_exec *x, unsigned member)
{
    uint64_t tiles = x->tile_count, all = x->p->stage_count * tiles;
    for (;;) {
        uint64_t i = atomic_fetch_add(&x->next, 1);
        if (i >= all || pl__ending(x))
            return;
        size_t stage = (size_t)(i / tiles), tile = (size_t)(i % tiles);
        wait_loaded(x, stage, member);
        pl_gate_wait(&x->progress[tile], (uint32_t)stage);
        if (pl__ending(x))
            return;
        run_stage(x, stage, &x->tiles[tile], member);
        pl_gate_open(&x->progress[tile], (uint32_t)stage + 1);
        release_slab(x, stage);
    }
}

static void work_by_tile(pl_exec *x, unsigned member)
{
    for (;;) {
        uint64_t tile = atomic_fetch_add(&x->next, 1);
        if (tile >= x->tile_count)
            return;
        for (size_t stage = 0; stage < x->p->stage_count; stage++) {
            if (pl__ending(x))
                return;
            run_stage(x, stage, &x->tiles[tile], member);
        }
    }
}

/* All members on one tile, each with a share of every operation. */
static bool run_together(pl_exec *x, size_t stage, const pl__tile *tile, unsigned member)
{
    const pl_stage *s = &x->p->stages[stage];
    tick(x, member);
    if (member == 0)
        x->together_ends = pl__ending(x);
    pl_barrier_wait(&x->barrier);
    if (x->together_ends)
        return false;
    const char *slab = slab_of(x, stage);
    for (uint32_t i = 0; i < s->op_count; i++) {
        pl__op_run(x, &x->p->ops[s->first_op + i], tile, slab, 0, member, (pl__share){member, x->p->threads});
        pl_barrier_wait(&x->barrier);
    }
    return true;
}

static void work_together(pl_exec *x, unsigned member)
{
    size_t stages = x->p->stage_count, tiles = x->tile_count;
    bool streams = x->streamed_count > 0;
    for (size_t i = 0; i < stages * tiles; i++) {
        size_t stage = streams ? i / tiles : i % stages, tile = streams ? i % tiles : i / stages;
        wait_loaded(x, stage, member);
        if (!run_together(x, stage, &x->tiles[tile], member))
            return;
        if (member == 0)
            release_slab(x, stage);
    }
}

static bool in_shares(const pl_exec *x);

static void pass_job(void *self, unsigned member)
{
    pl_exec *x = self;
    x->k->enter(&x->members[member].fp);
    if (member == x->p->threads) {
        pl__reader_run(x);
    } else {
        if (member == 0 && x->pass->beside) {
            x->k->leave(&x->members[0].fp); /* the callback is the caller's code */
            x->pass->beside(x->pass->self);
            x->k->enter(&x->members[0].fp);
        }
        if (in_shares(x))
            work_together(x, member);
        else if (x->streamed_count)
            work_by_stage(x, member);
        else
            work_by_tile(x, member);
        if (pl__ending(x))
            pl__gates_release(x);
    }
    x->k->leave(&x->members[member].fp);
}

/* Few rows: a matrix product then waits for its weights, which shares read once, tiles each. */
static bool in_shares(const pl_exec *x)
{
    enum { FEW_ROWS = 24 };
    return x->p->threads > 1 && (x->tile_count < x->p->threads || x->pass->rows < FEW_ROWS * x->p->threads);
}

static uint32_t rows_of(const pl__tile *t) { return t->last_row - t->first_row; }

/* The largest first: members that take one after the other then end at about the same time. */
static void sort_tiles(pl__tile *tiles, uint32_t count)
{
    for (uint32_t gap = count / 2; gap > 0; gap /= 2) /* Shell's, in place */
        for (uint32_t i = gap; i < count; i++) {
            pl__tile t = tiles[i];
            uint32_t at = i;
            for (; at >= gap && rows_of(&tiles[at - gap]) < rows_of(&t); at -= gap)
                tiles[at] = tiles[at - gap];
            tiles[at] = t;
        }
}

/* Cuts the texts into tiles of about equal rows, a multiple of the threads. */
static void make_tiles(pl_exec *x)
{
    const pl_program *p = x->p;
    const pl_pass *pass = x->pass;
    uint32_t most = p->tile_rows * p->threads, tiles = (uint32_t)pl_max(1, (pass->rows + most - 1) / most) * p->threads;
    uint32_t target = (pass->rows + tiles - 1) / tiles;
    uint32_t *starts = x->starts;
    x->tile_count = 0;
    for (uint32_t text = 0; text < pass->texts;) {
        assert(x->tile_count < x->tile_room);
        pl__tile *t = &x->tiles[x->tile_count];
        *t = (pl__tile){text, text, pass->starts[text], pass->starts[text], starts};
        while (text < pass->texts && text - t->first_text < p->tile_texts) {
            uint32_t rows = pass->starts[text + 1] - t->first_row;
            if (rows > target && (t->last_text > t->first_text || rows > p->tile_rows))
                break;
            *starts++ = t->last_row - t->first_row;
            t->last_row = pass->starts[++text];
            t->last_text = text;
        }
        assert(t->last_text > t->first_text);
        *starts++ = t->last_row - t->first_row;
        x->tile_count++;
    }
    sort_tiles(x->tiles, x->tile_count);
}

pl_status pl_exec_pass(pl_exec *x, const pl_pass *pass, pl_error *e)
{
    const pl_program *p = x->p;
    assert(pass->texts > 0 && pass->rows <= p->pass_rows && pass->texts <= p->pass_texts);
    begin(x);
    x->pass = pass;
    make_tiles(x);
    x->loaded = (pl_gate){0};
    for (uint32_t i = 0; i < p->slot_count; i++)
        x->freed[i] = (pl_gate){0};
    for (uint32_t i = 0; i < x->tile_count; i++)
        x->progress[i] = (pl_gate){0};
    pl_barrier_init(&x->barrier, p->threads);
    pl_status s = pl_folder_unchanged(x->folder, e);
    if (s)
        return s;
    pl_team_run(x->team, p->threads + (x->streamed_count > 0), pass_job, x);
    s = end(x, e);
    return s ? s : pl_folder_unchanged(x->folder, e);
}

const float *pl_exec_result(const pl_exec *x, uint32_t text)
{
    return (const float *)(const void *)(x->arena + x->p->result.offset + (uint64_t)text * x->p->result.stride * sizeof(float));
}

void pl_exec_stats_get(const pl_exec *x, pl_exec_stats *out)
{
    *out = (pl_exec_stats){.read_bytes = atomic_load(&x->read_bytes), .read_seconds = x->read_seconds};
    for (uint32_t i = 0; i < x->p->threads; i++)
        out->wait_seconds += x->members[i].wait_seconds;
}
