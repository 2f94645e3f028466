/* Which plan for an optimizer step: what is resident, kept, spilled, and how micro-batches are cut. */
#include "train/plan.h"
#include "train/update.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { FLOAT = 4, LINE = 64, PAGE = 4096, HUGE_FROM = 16 << 20, STACK_BYTES = 128 << 10, UPDATE_ARRAYS = 4 };

uint64_t pl__step_input_bytes(const pl_step_request *r)
{
    return pl_round_up(pl__train_stride(pl_value_width(r->model, r->model->operators[0].out)) * FLOAT * r->batch_rows, LINE);
}

static uint64_t chunks_of(const pl__parameters *p)
{
    /* a yield rounds up once; there are at most as many yields as parameters */
    return (p->elements - p->learn_first) / PL__CHUNK + p->count + 1;
}

static uint64_t take(uint64_t *at, uint64_t bytes, bool there)
{
    uint64_t place = *at;
    if (!there)
        return UINT64_MAX;
    *at += pl_round_up(bytes, LINE);
    return place;
}

/* Shards that wait for others at most: as many as a count up to the last one has bits set. */
static unsigned levels_of(const pl_step_request *r)
{
    uint64_t shards = pl_min(r->recipe.shards, r->batch);
    unsigned levels = 0;
    while (shards > 1) {
        shards /= 2;
        levels++;
    }
    return levels;
}

static bool spills(const pl_step_knobs *k) { return k->spill_state || k->spill_gradients || k->spill_weights || k->spill_inputs; }

void pl__step_lay_out(const pl_step_request *r, const pl_step_knobs *k, const pl__parameters *p, const pl__step_sizes *z, pl__step_layout *l)
{
    uint64_t at = 0, learned = p->elements - p->learn_first, width = pl_value_width(r->model, r->model->operators[0].out);
    *l = (pl__step_layout){0};
    l->weights = take(&at, p->elements * FLOAT, !k->spill_weights);
    l->gradients = take(&at, (p->elements - p->gradient_first) * FLOAT, !k->spill_gradients);
    uint64_t state = learned - pl__spilled_state(k, p);
    l->moment1 = take(&at, state * FLOAT, state > 0);
    l->moment2 = take(&at, state * FLOAT, state > 0);
    l->input_bytes = pl__step_input_bytes(r);
    l->passing_bytes = k->spill_inputs ? pl_round_up(pl__train_stride(width) * FLOAT * k->micro_rows, LINE) : l->input_bytes;
    l->inputs = take(&at, l->passing_bytes * (k->spill_inputs ? 2 : r->model->layers + 1), true);
    l->hidden_gradient = take(&at, l->passing_bytes, true);
    uint64_t word_width = p->words ? p->words / r->used_count : 0;
    l->word_gradients = take(&at, pl__most_words(r) * word_width * FLOAT, p->words > 0 && !k->spill_gradients);
    l->word_zeros = take(&at, PL__WORD_ZEROS * FLOAT, p->words > 0);
    const uint32_t layers[PL__GROUPS] = {k->kept_layers - k->passing_layers, k->passing_rest ? 0 : r->model->layers - k->kept_layers};
    for (unsigned g = 0; g < PL__GROUPS; g++) {
        l->kept_bytes[g] = z->kept[g];
        l->kept[g] = take(&at, z->kept[g] * layers[g], true);
        l->kept_file[g] = pl_round_up(z->passing_row[g] * r->batch_rows, LINE);
    }
    l->passing = take(&at, z->passing, true);
    l->slab_bytes = z->slab;
    l->slab = take(&at, z->slab, true);
    l->slot_bytes = k->spill_gradients ? z->slot : 0;
    l->slot = take(&at, l->slot_bytes, true);
    l->shard_bytes = z->shard;
    l->shards = take(&at, z->shard * levels_of(r), true);
    l->micro_bytes = z->micro;
    l->micro = take(&at, z->micro, true);
    l->packed_bytes = z->packed;
    l->packed = take(&at, z->packed, true);
    l->keys = take(&at, (r->batch_rows + r->batch) * sizeof(uint64_t), true);
    l->logit_bytes = pl__train_stride(r->recipe.labels) * FLOAT * r->batch;
    l->logits = take(&at, l->logit_bytes, true);
    uint64_t run = 16 * pl_max(width, pl__widest(r)) * FLOAT;
    l->staging_bytes = pl_max(k->spill_weights ? run : 0, spills(k) ? UPDATE_ARRAYS * PL__UPDATE * FLOAT : 0);
    l->workspace_bytes = pl_round_up(pl_max(z->workspace, l->staging_bytes), LINE);
    l->workspace = take(&at, l->workspace_bytes * r->threads, true);
    l->sum_count = chunks_of(p);
    l->sums = take(&at, l->sum_count * sizeof(double), true);
    l->micro_room = r->batch;
    l->micros = take(&at, l->micro_room * sizeof(pl__micro) + (r->batch + l->micro_room) * sizeof(uint32_t), true);
    l->bytes = at;
}

uint64_t pl__widest(const pl_step_request *r)
{
    uint64_t most = 0;
    for (size_t i = 0; i < r->model->value_count; i++)
        most = pl_max(most, pl_value_width(r->model, (uint32_t)i));
    return most;
}

bool pl__step_huge(const pl__step_layout *l) { return l->bytes >= HUGE_FROM; }
uint64_t pl__step_mapped(const pl__step_layout *l) { return pl_round_up(l->bytes, PAGE); }
uint64_t pl__step_stacks(const pl_step_request *r) { return pl_team_bytes(r->threads, STACK_BYTES); }

uint64_t pl__step_tables(const pl__step_sizes *z)
{
    return pl_round_up(
        z->ops * sizeof(pl__step_op) + z->fetches * sizeof(pl__fetch) + z->yields * sizeof(pl__yield) + z->stages * sizeof(pl__step_stage) + 4 * LINE, PAGE);
}

/* Everything a set of knobs costs in bytes. */
void pl__step_measure(const pl_step_request *r, const pl_step_knobs *k, const pl__parameters *p, pl__step_costs *out)
{
    pl__step_program counting = {.elements = p->elements};
    pl__step_emit(r, k, p, &counting, &out->sizes);
    pl__step_lay_out(r, k, p, &out->sizes, &out->layout);
    uint64_t at[PL__WHATS];
    out->spill = pl__store_file_bytes(r, k, p, &out->layout, at);
    out->tables = pl__step_tables(&out->sizes);
    out->words = pl_round_up(pl__words_bytes(r, p), PAGE);
    out->peak = 0;
    for (unsigned m = 0; m < PL__TRAIN_MOMENTS; m++) {
        uint64_t sum = m == 0 ? 0 : out->tables + out->words + pl__step_stacks(r) + pl__step_mapped(&out->layout) + (r->spill_is_memory ? out->spill : 0);
        for (size_t i = 0; i < r->held_count; i++)
            if (r->held[i].from <= m && m <= r->held[i].to)
                sum += r->held[i].bytes;
        out->peak = pl_max(out->peak, sum);
    }
}

/* ---- time ---- */

uint64_t pl__usual_rows(const pl_step_request *r) { return r->usual_rows ? r->usual_rows : r->batch_rows; }

/* Elements of the words of a usual batch, at most. */
static double words_a_step(const pl_step_request *r, const pl__parameters *p)
{
    uint64_t width = p->words ? p->words / r->used_count : 0, words = pl_min(r->used_count, pl__usual_rows(r));
    return (double)(width * words);
}

/* Bytes of a usual step from and to the spill file. Rows of the batch's words are read and written
 * twice, to catch up and to learn; those of the others not at all. */
static void add_traffic(const pl_step_request *r, const pl_step_knobs *k, const pl__parameters *p, const pl__step_costs *c, uint64_t *read, uint64_t *written)
{
    uint64_t rows = pl__usual_rows(r), seen = (uint64_t)words_a_step(r, p), filed = pl__spilled_state(k, p), other = p->elements - p->gradient_first;
    uint64_t filed_words = pl_min(filed, p->words), state = 2 * (filed - filed_words) + (p->words ? 4 * (seen * filed_words / p->words) : 0);
    uint64_t inputs = c->layout.input_bytes / r->batch_rows * rows * (r->model->layers + 1);
    uint64_t kept = rows *
        (c->sizes.passing_row[PL__KEPT_WHOLE] * k->passing_layers + c->sizes.passing_row[PL__KEPT_REST] * (r->model->layers - k->kept_layers));
    uint64_t fetched = p->elements - (p->list[0].words ? p->list[0].count : 0), gathered = 2 * rows * pl_value_width(r->model, r->model->operators[0].out);
    *read = (k->spill_weights ? 2 * fetched + gathered + other + 2 * seen : 0) * FLOAT;
    *written = (k->spill_weights ? other + 2 * seen : 0) * FLOAT;
    *read += state * FLOAT + (k->spill_gradients ? other * FLOAT : 0) + (k->spill_inputs ? 3 * inputs : 0) + kept;
    *written += state * FLOAT + (k->spill_gradients ? other * FLOAT : 0) + (k->spill_inputs ? 2 * inputs : 0) + kept;
}

static double thread_seconds(
    const pl_step_request *r, const pl_step_knobs *k, const pl__parameters *p, const pl__step_costs *c, uint64_t *read, uint64_t *written)
{
    const pl_model *m = r->model;
    double flops = 0, again = 0, dense = 0, rows = (double)pl__usual_rows(r), learned = (double)(p->elements - p->learn_first);
    for (size_t i = 0; i < m->operator_count; i++) {
        const pl_operator *op = &m->operators[i];
        if (op->kind != PL_OPERATOR_LINEAR || m->values[op->out].extent != PL_EXTENT_ROWS)
            continue;
        double work = 2.0 * (double)pl_value_width(m, op->in) * (double)pl_value_width(m, op->out) * rows;
        bool learns = p->list[p->of_operator[i]].learns;
        flops += work * (learns ? 3 : 1);
        again += learns && op->phase != PL_PHASE_HEAD && !pl__keeps(k, op->layer, op) ? work : 0;
        dense += learns ? (double)pl_value_width(m, op->in) * (double)pl_value_width(m, op->out) : 0;
    }
    uint32_t shards = (uint32_t)pl_min(r->recipe.shards, r->batch);
    double micros = rows / k->micro_rows + shards, t = (flops + again) / r->rates.flops;
    t += 0.10 * flops / r->rates.flops;                     /* what is no product, as measured on MiniLM and bert-base */
    t += micros * dense * FLOAT * 2 / r->rates.touch_bytes; /* gradients stored and loaded again */
    t += 3 * dense * FLOAT / r->rates.pack_bytes;
    t += 4 * (shards - 1) * learned * FLOAT / r->rates.touch_bytes;
    double words = (double)p->words, seen = words_a_step(r, p);
    t += (learned - words + seen) * 7 * FLOAT / r->rates.touch_bytes; /* update */
    t += words * FLOAT / r->rates.touch_bytes;                        /* rows that catch up, in the cache many steps at a time: as measured on MiniLM */
    add_traffic(r, k, p, c, read, written);
    t += (double)(*read + *written) / r->rates.read_bytes; /* from and to the page cache, by the threads */
    return t / r->threads;
}

/* The disk's part of a step, beside which the threads compute: what is written and what has left the
 * page cache meanwhile; of a file that stays there, what is more than may wait. */
static double disk_seconds(const pl_step_request *r, const pl__step_costs *c, uint64_t read, uint64_t written)
{
    double file = (double)c->spill, bytes = 0;
    if (r->spill_bytes_per_second <= 0)
        return 0;
    if (c->spill > r->spill_cached)
        bytes = (double)written + (double)read * (1 - (double)r->spill_cached / file);
    else if (c->spill > r->spill_waiting)
        bytes = (double)written * (1 - (double)r->spill_waiting / file);
    return bytes / r->spill_bytes_per_second;
}

/* ---- search ---- */

typedef struct search {
    const pl_step_request *r;
    const pl__parameters *p;
    pl_step_plan *out;
    double bound;
    uint64_t written; /* by the fastest */
    bool second;
} search;

/* Is there a disk for what is spilled? */
static bool affordable(const pl_step_request *r, const pl__step_costs *c)
{
    return !c->spill || (r->spill_folder && !r->spill_is_memory && c->spill <= r->spill_free);
}

/* Returns the bytes by which it stays below the limit: 0 if it does not. */
static uint64_t consider(search *s, const pl_step_knobs *k, pl__step_costs *costs)
{
    pl__step_costs c;
    uint64_t read, written;
    pl__step_measure(s->r, k, s->p, &c);
    *costs = c;
    pl_step_plan *o = s->out;
    if (!affordable(s->r, &c))
        return 0;
    double t = thread_seconds(s->r, k, s->p, &c, &read, &written), disk = disk_seconds(s->r, &c, read, written);
    t = fmax(t, disk);
    bool fits = c.peak <= s->r->limit;
    if (!s->second && c.peak < o->floor)
        o->floor = c.peak;
    /* memory that buys no speed is not taken, but a disk is not worn out for it either */
    bool better = !s->second ? fits && (!o->fits || t < o->seconds_per_step) : fits && t <= s->bound && c.peak < o->peak && written <= s->written;
    if (!s->second && !o->fits && !fits && (o->peak == 0 || c.peak < o->peak))
        better = true;
    if (better)
        *o = (pl_step_plan){.fits = fits,
            .knobs = *k,
            .peak = c.peak,
            .floor = o->floor,
            .seconds_per_step = t,
            .disk_seconds = disk,
            .spill_bytes = c.spill,
            .spill_read = read,
            .spill_written = written,
            .has_next = o->has_next,
            .next_peak = o->next_peak,
            .next_seconds = o->next_seconds};
    if (s->second && !fits && t <= s->bound * 0.93 && (!o->has_next || c.peak < o->next_peak)) {
        o->has_next = true;
        o->next_peak = c.peak;
        o->next_seconds = t;
    }
    return fits ? s->r->limit - c.peak : 0;
}

/* Moments come back into memory as far as there is room. */
static void try_state(search *s, pl_step_knobs k, uint64_t room)
{
    pl__step_costs c;
    uint64_t part = 2 * ((s->p->elements - s->p->learn_first) / PL_STATE_PARTS * FLOAT + LINE);
    k.resident_state = (uint32_t)pl_min(PL_STATE_PARTS - 1, room / part);
    if (k.spill_state && k.resident_state > 0)
        consider(s, &k, &c);
}

/* What layers keep goes through the spill file: of all, then of as few as there is no room for. */
static void try_passing(search *s, pl_step_knobs k)
{
    pl__step_costs c;
    k.passing_layers = k.kept_layers;
    k.passing_rest = k.rest != PL_REST_NOTHING;
    uint64_t room = consider(s, &k, &c), layer = c.sizes.passing_row[PL__KEPT_WHOLE] * s->r->batch_rows + PL__PASSING * LINE;
    try_state(s, k, room);
    uint32_t back = (uint32_t)pl_min(k.kept_layers, room / layer);
    if (back == 0 || (back == k.kept_layers && !k.passing_rest))
        return;
    k.passing_layers -= back;
    consider(s, &k, &c);
}

static void try_micros(search *s, pl_step_knobs k)
{
    const pl_step_request *r = s->r;
    for (uint64_t rows = r->longest;; rows = rows * 5 / 4 + 1) {
        k.micro_rows = (uint32_t)pl_min(rows, pl_max(r->batch_rows, r->longest));
        pl__step_costs c;
        try_state(s, k, consider(s, &k, &c));
        if (k.kept_layers > 0 || k.rest != PL_REST_NOTHING)
            try_passing(s, k);
        if (rows >= r->batch_rows)
            return;
    }
}

static void try_all(search *s)
{
    static const pl_step_knobs levels[] = {{0}, {.spill_state = true}, {.spill_state = true, .spill_gradients = true},
        {.spill_state = true, .spill_gradients = true, .spill_weights = true},
        {.spill_state = true, .spill_gradients = true, .spill_weights = true, .spill_inputs = true}, {.spill_inputs = true}};
    uint32_t layers = s->r->model->layers;
    for (size_t i = 0; i < PL_COUNT(levels); i++)
        for (uint32_t step = 0; step <= 4; step++) {
            pl_step_knobs k = levels[i];
            k.kept_layers = layers * step / 4;
            if (step && k.kept_layers == layers * (step - 1) / 4)
                continue;
            for (k.rest = 0; k.rest < (k.kept_layers < layers ? PL_RESTS : 1); k.rest++)
                try_micros(s, k);
        }
}

pl_status pl__step_search(const pl_step_request *r, const pl__parameters *p, pl_step_plan *out)
{
    *out = (pl_step_plan){.floor = UINT64_MAX};
    search s = {.r = r, .p = p, .out = out};
    try_all(&s);
    if (out->fits) {
        s.second = true;
        s.bound = out->seconds_per_step * 1.01;
        s.written = out->spill_written;
        try_all(&s);
    }
    return PL_OK;
}

/* ---- ledger ---- */

static void line(pl_ledger *l, const char *name, const char *group, uint64_t bytes, unsigned from, unsigned to)
{
    if (bytes)
        l->lines[l->count++] = (pl_ledger_line){name, group, bytes, (uint8_t)from, (uint8_t)to};
}

static pl_status make_ledger(const pl_step_request *r, const pl__parameters *p, const pl_step_plan *plan, pl_region *region, pl_ledger *out, pl_error *e)
{
    enum { LINES = 24 };
    const unsigned load = PL__TRAIN_LOAD, last = PL__TRAIN_MOMENTS - 1;
    pl__step_costs c;
    pl__step_measure(r, &plan->knobs, p, &c);
    const pl__step_layout *l = &c.layout;
    uint64_t learned = (p->elements - p->learn_first) * FLOAT, words = p->list[0].words ? p->list[0].count * FLOAT : 0;
    *out = (pl_ledger){.lines = pl_region_take(region, (r->held_count + LINES) * sizeof *out->lines)};
    if (!out->lines)
        return pl_fail_no_memory(e, LINES * sizeof *out->lines, "the ledger");
    for (size_t i = 0; i < r->held_count; i++)
        line(out, r->held[i].name, r->held[i].group, r->held[i].bytes, r->held[i].from, r->held[i].to);
    const pl_step_knobs *k = &plan->knobs;
    line(out, "weights of the words in the data", "weights", k->spill_weights ? 0 : words, load, last);
    line(out, "other weights", "weights", k->spill_weights ? 0 : p->elements * FLOAT - words, load, last);
    line(out, "gradients", "gradients", k->spill_gradients ? 0 : (p->elements - p->gradient_first) * FLOAT, load, last);
    line(out, "gradients of the words of a batch", "gradients", k->spill_gradients ? 0 : pl__most_words(r) * (p->words ? p->words / r->used_count : 0) * FLOAT,
        load, last);
    uint64_t state = learned - pl__spilled_state(k, p) * FLOAT;
    line(out, "first moments", "optimizer", state, load, last);
    line(out, "second moments", "optimizer", state, load, last);
    line(out, "inputs of the layers", "activations", l->passing_bytes * (k->spill_inputs ? 2 : r->model->layers + 1), load, last);
    line(out, "gradient of the hidden rows", "activations", l->passing_bytes, load, last);
    line(out, "kept activations", "activations", l->kept_bytes[PL__KEPT_WHOLE] * (k->kept_layers - k->passing_layers), load, last);
    line(out, k->rest == PL_REST_SUMS ? "kept sums of the other layers" : "kept feed-forward values of the other layers", "activations",
        l->kept_bytes[PL__KEPT_REST] * (k->passing_rest ? 0 : r->model->layers - k->kept_layers), load, last);
    line(out, "kept activations on their way", "activations", c.sizes.passing, load, last);
    line(out, "packed weights of a layer", "weights", l->slab_bytes, load, last);
    line(out, "gradients of a layer", "gradients", l->slot_bytes, load, last);
    line(out, "gradients of a layer, of other shards", "gradients", l->shard_bytes * levels_of(r), load, last);
    line(out, "micro-batch", "activations", l->micro_bytes + l->packed_bytes, load, last);
    line(out, "kernel workspaces", "workspace", l->workspace_bytes * r->threads, load, last);
    line(out, "logits, dropout keys, sums", "workspace", l->bytes - l->sums + (l->workspace - l->keys), load, last);
    line(out, "spill file, which is memory there", "optimizer", r->spill_is_memory ? c.spill : 0, load, last);
    line(out, "program of the step", "program", c.tables, load, last);
    line(out, "places of the words", "program", c.words, load, last);
    line(out, "threads' stacks", "program", pl__step_stacks(r), load, last);
    uint64_t sum = 0, mapped = pl__step_mapped(l);
    for (size_t i = r->held_count; i < out->count; i++)
        sum += out->lines[i].bytes;
    line(out, "rounding to pages", "program", mapped + c.tables + c.words + pl__step_stacks(r) + (r->spill_is_memory ? c.spill : 0) - sum, load, last);
    assert(pl_ledger_peak(out) == plan->peak);
    return PL_OK;
}

pl_status pl_step_plan_make(const pl_step_request *r, pl_region *region, pl_step_plan *out, pl_error *e)
{
    pl__parameters p;
    pl_status s = pl__parameters_make(r, region, &p, e);
    if (!s)
        s = pl__step_search(r, &p, out);
    return s ? s : make_ledger(r, &p, out, region, &out->ledger, e);
}

pl_status pl_step_plan_with(const pl_step_request *r, const pl_step_knobs *knobs, pl_region *region, pl_step_plan *out, pl_error *e)
{
    pl__parameters p;
    pl__step_costs c;
    pl_status s = pl__parameters_make(r, region, &p, e);
    if (!s)
        s = pl__step_search(r, &p, out);
    if (s)
        return s;
    pl__step_measure(r, knobs, &p, &c);
    out->fits = c.peak <= r->limit && affordable(r, &c);
    out->knobs = *knobs;
    out->peak = c.peak;
    out->spill_bytes = c.spill;
    double computing = thread_seconds(r, knobs, &p, &c, &out->spill_read, &out->spill_written);
    out->disk_seconds = disk_seconds(r, &c, out->spill_read, out->spill_written);
    out->seconds_per_step = fmax(computing, out->disk_seconds);
    return make_ledger(r, &p, out, region, &out->ledger, e);
}

const char *pl__rest_name(uint32_t rest)
{
    static const char *const names[PL_RESTS] = {"nothing", "sums", "feed_forward"};
    return names[rest];
}

const char *pl__train_moment_name(unsigned moment)
{
    static const char *const names[] = {"opening", "loading", "forward", "backward", "update"};
    return names[moment];
}
