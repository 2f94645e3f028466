/* Walks the program of a step: stage by stage, micro-batch by micro-batch, all threads on each
 * operation; then the gradient's norm. */
#include "train/loss.h"
#include "train/plan.h"
#include "train/update.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { LINE = 64 };

/* ---- ends ---- */

void pl__step_fail(pl_step *s, pl_status status, const pl_error *e)
{
    if (!atomic_exchange(&s->error_taken, true)) {
        s->error = *e;
        s->status = status;
        atomic_store(&s->failed, true);
    }
}

bool pl__step_ending(const pl_step *s)
{
    return atomic_load_explicit(&s->stop, memory_order_relaxed) || atomic_load_explicit(&s->failed, memory_order_relaxed) ||
        atomic_load_explicit(&s->asked, memory_order_relaxed);
}

/* What is left of memory is looked at while a step runs: it may take minutes. */
static void look_around(pl_step *s)
{
    static const double EVERY = 0.1;
    double now = s->look ? pl_os_seconds() : 0;
    if (!s->look || now - s->looked < EVERY)
        return;
    s->looked = now;
    s->look(s->look_self);
}

bool pl__step_agree(pl_step *s, unsigned member)
{
    pl_barrier_wait(&s->barrier);
    if (member == 0) {
        look_around(s);
        s->ends = pl__step_ending(s);
    }
    pl_barrier_wait(&s->barrier);
    return !s->ends;
}

/* ---- weights from the store to where operations read them ---- */

static void fetch_copy(pl_step *s, const pl__fetch *f)
{
    pl_error e;
    pl_status st = pl__store_get(&s->store, PL__WEIGHTS, f->from, (uint64_t)f->rows * f->columns, (float *)(void *)(s->arena + f->copy), &e);
    if (st)
        pl__step_fail(s, st, &e);
}

static void pack_rows(pl_step *s, const pl__fetch *f, const float *in, uint32_t first, uint32_t rows)
{
    uint32_t row = f->first_row + first;
    if (f->pack != UINT64_MAX)
        s->request.kernels->pack(&(pl_pack){.out = s->arena + f->pack,
            .first_column = row,
            .columns = rows,
            .depth = f->columns,
            .in = in,
            .in_stride = f->columns * sizeof(float),
            .type = PL_F32});
    if (f->pack_rows != UINT64_MAX)
        s->request.train->pack_rows(&(pl_pack_rows){
            .out = s->arena + f->pack_rows, .columns = f->columns, .depth = f->all_rows, .first_row = row, .rows = rows, .in = in, .in_stride = f->columns});
}

void pl__fetch_run(pl_step *s, const pl__fetch *f, unsigned member)
{
    if (f->copy != UINT64_MAX) {
        fetch_copy(s, f);
        return;
    }
    const float *there = pl__store_at(&s->store, PL__WEIGHTS, f->from);
    if (there) {
        pack_rows(s, f, there, 0, f->rows);
        return;
    }
    float *staging = pl__workspace(s, member);
    uint32_t chunk = (uint32_t)(s->program.l.workspace_bytes / (f->columns * sizeof(float))) / 16 * 16;
    pl_error e;
    assert(chunk > 0);
    for (uint32_t first = 0; first < f->rows; first += chunk) {
        uint32_t rows = (uint32_t)pl_min(chunk, f->rows - first);
        pl_status st = pl__store_get(&s->store, PL__WEIGHTS, f->from + (uint64_t)first * f->columns, (uint64_t)rows * f->columns, staging, &e);
        if (st) {
            pl__step_fail(s, st, &e);
            return;
        }
        pack_rows(s, f, staging, first, rows);
    }
}

static void fetch_all(pl_step *s, const pl__step_stage *stage, unsigned member)
{
    for (;;) {
        uint64_t i = atomic_fetch_add(&s->next, 1), at = stage->first_fetch, end = stage->first_fetch + stage->fetch_count;
        /* the i-th fetch that does not go with the one before it */
        for (; at < end; at++)
            if (!s->program.fetches[at].goes_with_last && i-- == 0)
                break;
        if (at == end || pl__step_ending(s))
            return;
        do
            pl__fetch_run(s, &s->program.fetches[at++], member);
        while (at < end && s->program.fetches[at].goes_with_last);
    }
}

/* ---- what a stage does before and behind its operations ---- */

static uint64_t inputs_stride(const pl_step *s)
{
    const pl_model *m = s->request.model;
    return pl__train_stride(pl_value_width(m, m->operators[0].out));
}

static uint64_t kept_width(const pl_step *s, const pl__step_stage *stage)
{
    uint64_t width = 0;
    for (uint32_t i = 0; i < s->program.passing[stage->group].count; i++)
        width += s->program.passing[stage->group].strides[i];
    return width;
}

static uint64_t kept_element(const pl_step *s, const pl__step_stage *stage, const pl__micro *micro)
{
    const pl_step_knobs *k = &s->plan.knobs;
    const uint64_t *bytes = s->program.l.kept_file;
    uint64_t at = stage->group == PL__KEPT_WHOLE ? stage->layer * bytes[PL__KEPT_WHOLE]
                                                 : k->passing_layers * bytes[PL__KEPT_WHOLE] + (stage->layer - k->kept_layers) * bytes[PL__KEPT_REST];
    return at / sizeof(float) + micro->first_row * kept_width(s, stage);
}

/* Rows of a micro-batch of one input (or, behind the last, of the hidden gradient) from or to the
 * spill file. */
static void pass_rows(pl_step *s, const pl__micro *micro, uint32_t input, uint64_t at, bool out, unsigned member)
{
    uint64_t stride = inputs_stride(s), rows = micro->last_row - micro->first_row, threads = s->request.threads;
    uint64_t first = rows * member / threads, count = rows * (member + 1) / threads - first;
    float *here = (float *)(void *)(s->arena + at) + first * stride;
    uint64_t element = input * (s->program.l.input_bytes / sizeof(float)) + (micro->first_row + first) * stride;
    pl_error e;
    pl_status st = out ? pl__store_set(&s->store, PL__INPUTS, element, count * stride, here, &e)
                       : pl__store_get(&s->store, PL__INPUTS, element, count * stride, here, &e);
    if (st)
        pl__step_fail(s, st, &e);
    if (out)
        pl__store_behind(&s->store, PL__INPUTS, element, count * stride);
}

/* Kept inner values of a layer: in the file a layer has one stretch, in it a micro-batch has one, in
 * that the values stand one behind the other, rows of a value together. */
static void pass_kept(pl_step *s, const pl__step_stage *stage, const pl__micro *micro, bool out, unsigned member)
{
    const pl__step_layout *l = &s->program.l;
    uint64_t rows = micro->last_row - micro->first_row, threads = s->request.threads;
    uint64_t first = rows * member / threads, count = rows * (member + 1) / threads - first;
    uint64_t element = kept_element(s, stage, micro);
    char *at = s->arena + l->passing;
    for (uint32_t i = 0; i < s->program.passing[stage->group].count; i++) {
        uint64_t stride = s->program.passing[stage->group].strides[i];
        float *here = (float *)(void *)at + first * stride;
        pl_error e;
        pl_status st = out ? pl__store_set(&s->store, PL__KEPT, element + first * stride, count * stride, here, &e)
                           : pl__store_get(&s->store, PL__KEPT, element + first * stride, count * stride, here, &e);
        if (st)
            pl__step_fail(s, st, &e);
        if (out)
            pl__store_behind(&s->store, PL__KEPT, element + first * stride, count * stride);
        element += rows * stride;
        at += pl_round_up(stride * sizeof(float) * s->plan.knobs.micro_rows, LINE);
    }
}

static void pass_in(pl_step *s, const pl__step_stage *stage, const pl__micro *micro, unsigned member)
{
    const pl__step_layout *l = &s->program.l;
    bool inputs = !s->store.memory[PL__INPUTS];
    if (inputs && stage->input != PL_NO_VALUE)
        pass_rows(s, micro, stage->input, l->inputs + stage->input % 2 * l->passing_bytes, false, member);
    if (inputs && stage->gradient_in)
        pass_rows(s, micro, s->request.model->layers + 1, l->hidden_gradient, false, member);
    if (stage->kept_in)
        pass_kept(s, stage, micro, false, member);
    if (inputs || stage->kept_in)
        pl_barrier_wait(&s->barrier);
}

static void pass_out(pl_step *s, const pl__step_stage *stage, const pl__micro *micro, unsigned member)
{
    const pl__step_layout *l = &s->program.l;
    if (stage->kept_out && !s->eval)
        pass_kept(s, stage, micro, true, member);
    if (s->store.memory[PL__INPUTS])
        return;
    if (stage->output != PL_NO_VALUE)
        pass_rows(s, micro, stage->output, l->inputs + stage->output % 2 * l->passing_bytes, true, member);
    if (stage->gradient_out && !s->eval)
        pass_rows(s, micro, s->request.model->layers + 1, l->hidden_gradient, true, member);
}

/* A yield's elements in this batch. */
static uint64_t yielded(const pl_step *s, const pl__yield *y) { return y->words ? s->words.count * s->words.width : y->count; }

static void clear_gradients(pl_step *s, const pl__step_stage *stage, unsigned member)
{
    uint64_t threads = s->request.threads;
    for (uint32_t i = 0; i < stage->yield_count; i++) {
        const pl__yield *y = &s->program.yields[stage->first_yield + i];
        uint64_t first = yielded(s, y) * member / threads, last = yielded(s, y) * (member + 1) / threads;
        memset((float *)(void *)(s->arena + y->at) + first, 0, (last - first) * sizeof(float));
    }
}

/* A shard's sums are complete. Shards are added by a tree: that of n shards is the tree of the first
 * 2^k, the largest power of two below n, plus that of the rest. So the shards that wait are as the bits
 * of their count: one more joins those of the bits that a carry clears; the last one all. Members keep
 * to their part of each gradient, so that nothing waits within. */
static void close_shard(pl_step *s, const pl__step_stage *stage, const pl__micro *micro, unsigned member)
{
    const pl__step_layout *l = &s->program.l;
    bool last = micro->shard + 1 == s->shard_count;
    unsigned waiting = (unsigned)__builtin_popcount(micro->shard), joins = last ? waiting : (unsigned)__builtin_ctz(micro->shard + 1);
    uint64_t threads = s->request.threads, at = l->shards;
    for (uint32_t i = 0; i < stage->yield_count; i++) {
        const pl__yield *y = &s->program.yields[stage->first_yield + i];
        uint64_t first = yielded(s, y) * member / threads, n = yielded(s, y) * (member + 1) / threads - first;
        float *sum = (float *)(void *)(s->arena + y->at) + first;
        for (unsigned k = 1; k <= joins; k++) {
            const float *other = (const float *)(const void *)(s->arena + at + (waiting - k) * l->shard_bytes) + first;
            for (uint64_t j = 0; j < n; j++)
                sum[j] = other[j] + sum[j];
        }
        if (!last) {
            memcpy((float *)(void *)(s->arena + at + (waiting - joins) * l->shard_bytes) + first, sum, n * sizeof *sum);
            memset(sum, 0, n * sizeof *sum);
        }
        at += pl__shard_bytes(y->count);
    }
    pl_barrier_wait(&s->barrier);
}

static uint64_t chunks_before(const pl_step *s, size_t yield)
{
    uint64_t chunks = 0;
    for (size_t i = 0; i < yield; i++)
        chunks += (s->program.yields[i].count + PL__CHUNK - 1) / PL__CHUNK;
    return chunks;
}

/* Sums of squares, a chunk each, and out to the spill file. */
static void finish_gradients(pl_step *s, const pl__step_stage *stage, unsigned member)
{
    double *sums = (double *)(void *)(s->arena + s->program.l.sums);
    uint64_t chunk = chunks_before(s, stage->first_yield);
    pl_error e;
    for (uint32_t i = 0; i < stage->yield_count; i++) {
        const pl__yield *y = &s->program.yields[stage->first_yield + i];
        uint64_t count = yielded(s, y), place = chunk;
        chunk += (y->count + PL__CHUNK - 1) / PL__CHUNK;
        for (uint64_t first = 0; first < count; first += PL__CHUNK, place++) {
            if (place % s->request.threads != member)
                continue;
            uint64_t n = pl_min(PL__CHUNK, count - first);
            const float *at = (const float *)(const void *)(s->arena + y->at) + first;
            sums[place] = s->request.train->sum_squares(at, n);
            bool spilled = !s->store.memory[PL__GRADIENTS] && !y->words;
            pl_status st = !spilled ? PL_OK : pl__store_set(&s->store, PL__GRADIENTS, y->first + first, n, at, &e);
            if (st)
                pl__step_fail(s, st, &e);
            if (spilled)
                pl__store_behind(&s->store, PL__GRADIENTS, y->first + first, n);
        }
    }
}

/* What the next micro-batch reads of the spill file, while this one is computed. */
static void read_ahead(const pl_step *s, const pl__step_stage *stage, const pl__micro *next)
{
    uint64_t stride = inputs_stride(s), rows = next->last_row - next->first_row, each = s->program.l.input_bytes / sizeof(float);
    if (stage->kept_in)
        pl__store_ahead(&s->store, PL__KEPT, kept_element(s, stage, next), rows * kept_width(s, stage));
    if (stage->input != PL_NO_VALUE)
        pl__store_ahead(&s->store, PL__INPUTS, stage->input * each + next->first_row * stride, rows * stride);
    if (stage->gradient_in)
        pl__store_ahead(&s->store, PL__INPUTS, (s->request.model->layers + 1) * each + next->first_row * stride, rows * stride);
}

/* What the next stage reads first, while this one begins. */
static void read_ahead_stage(const pl_step *s, const pl__step_stage *stage)
{
    if (stage + 1 == s->program.stages + s->program.stage_count || (s->eval && stage[1].kind == PL__BACKWARD))
        return;
    stage++;
    for (uint32_t i = 0; i < stage->fetch_count; i++) {
        const pl__fetch *f = &s->program.fetches[stage->first_fetch + i];
        pl__store_ahead(&s->store, PL__WEIGHTS, f->from, (uint64_t)f->rows * f->columns);
    }
    read_ahead(s, stage, &s->micros[0]);
}

static bool run_stage(pl_step *s, const pl__step_stage *stage, unsigned member)
{
    if (member == 0)
        atomic_store(&s->next, 0);
    if (!pl__step_agree(s, member))
        return false;
    fetch_all(s, stage, member);
    if (member == 0)
        read_ahead_stage(s, stage);

    if (!s->eval)
        clear_gradients(s, stage, member);
    uint32_t ops = s->eval && stage->kind == PL__HEAD ? stage->eval_ops : stage->op_count;
    for (uint32_t i = 0; i < s->micro_count; i++) {
        if (!pl__step_agree(s, member))
            return false;
        pass_in(s, stage, &s->micros[i], member);
        if (member == 0 && i + 1 < s->micro_count)
            read_ahead(s, stage, &s->micros[i + 1]);
        for (uint32_t k = 0; k < ops; k++) {
            pl__step_op_run(s, &s->program.ops[stage->first_op + k], &s->micros[i], s->micros[i].opens, member);
            pl_barrier_wait(&s->barrier);
        }
        if (s->micros[i].closes && s->shard_count > 1 && stage->yield_count)
            close_shard(s, stage, &s->micros[i], member);
        pass_out(s, stage, &s->micros[i], member);
    }
    if (!s->eval)
        finish_gradients(s, stage, member);
    return true;
}

/* Norm over all gradients: chunk sums in the order of the yields. */
static double grad_norm(pl_step *s)
{
    const double *sums = (const double *)(const void *)(s->arena + s->program.l.sums);
    double sum = 0;
    uint64_t chunk = 0;
    s->bad_yield = SIZE_MAX;
    for (size_t i = 0; i < s->program.yield_count; i++) {
        const pl__yield *y = &s->program.yields[i];
        for (uint64_t first = 0; first < yielded(s, y); first += PL__CHUNK) {
            double part = sums[chunk + first / PL__CHUNK];
            sum += part;
            if (!isfinite(part) && s->bad_yield == SIZE_MAX)
                s->bad_yield = i;
        }
        chunk += (y->count + PL__CHUNK - 1) / PL__CHUNK;
    }
    return sqrt(sum);
}

/* ---- a batch ---- */

static void make_keys(pl_step *s, unsigned member)
{
    const pl_batch *b = s->batch;
    for (uint32_t t = 0; t < b->texts; t++) {
        if (t % s->request.threads != member)
            continue;
        for (uint32_t i = b->starts[t]; i < b->starts[t + 1]; i++)
            s->keys[i] = pl_dropout_row_key(s->request.recipe.seed, s->t, b->examples[t], i - b->starts[t]);
        s->keys[s->request.batch_rows + t] = pl_dropout_row_key(s->request.recipe.seed, s->t, b->examples[t], UINT32_MAX);
    }
}

static void step_job(void *self, unsigned member)
{
    pl_step *s = self;
    s->request.kernels->enter(&s->members[member].fp);
    pl__words_catch_up(s, member);
    if (!s->eval)
        make_keys(s, member);
    bool on = true;
    for (size_t i = 0; i < s->program.stage_count && on; i++) {
        const pl__step_stage *stage = &s->program.stages[i];
        if (s->eval && stage->kind == PL__BACKWARD)
            break;
        on = run_stage(s, stage, member);
    }
    s->request.kernels->leave(&s->members[member].fp);
}

/* Micro-batches of whole texts, none of two shards. */
static void make_micros(pl_step *s)
{
    const pl_batch *b = s->batch;
    const pl__step_layout *l = &s->program.l;
    uint32_t shards = s->eval ? 1 : (uint32_t)pl_min(s->request.recipe.shards, b->texts), most = pl__micro_texts(&s->request, &s->plan.knobs);
    s->micros = (pl__micro *)(void *)(s->arena + l->micros);
    uint32_t *starts = (uint32_t *)(void *)(s->micros + l->micro_room);
    s->micro_count = 0;
    s->shard_count = shards;
    for (uint32_t text = 0, shard = 0; text < b->texts;) {
        uint32_t end = (uint32_t)((uint64_t)b->texts * (shard + 1) / shards);
        pl__micro *m = &s->micros[s->micro_count++];
        *m = (pl__micro){.first_text = text, .last_text = text, .first_row = b->starts[text], .last_row = b->starts[text], .shard = shard, .starts = starts};
        m->opens = text == (uint32_t)((uint64_t)b->texts * shard / shards);
        while (text < end && (text == m->first_text || (text - m->first_text < most && b->starts[text + 1] - m->first_row <= s->plan.knobs.micro_rows))) {
            *starts++ = m->last_row - m->first_row;
            m->last_row = b->starts[++text];
            m->last_text = text;
        }
        *starts++ = m->last_row - m->first_row;
        m->closes = text == end;
        shard += m->closes;
    }
}

static pl_status run_batch(pl_step *s, const pl_batch *b, bool eval, pl_error *e)
{
    assert(b->texts > 0 && b->texts <= s->request.batch && b->rows <= s->request.batch_rows);
    for (;;) {
        pl_status st = pl__step_bend(s, e);
        if (st)
            return st;
        if (atomic_load(&s->stop))
            return pl_fail(e, PL_STOPPED, "stopped on request");
        s->batch = b;
        s->eval = eval;
        s->loss = 0;
        s->bad_text = UINT32_MAX;
        s->valid_texts = 0;
        for (uint32_t t = 0; t < b->texts && !eval; t++)
            s->valid_texts += pl__counts(&s->request.recipe, b->targets, t) ? 1u : 0u;
        atomic_store(&s->failed, false);
        atomic_store(&s->error_taken, false);
        s->keys = (uint64_t *)(void *)(s->arena + s->program.l.keys);
        make_micros(s);
        pl__words_of_batch(s);
        pl_barrier_init(&s->barrier, s->request.threads);
        pl_team_run(s->team, s->request.threads, step_job, s);
        if (atomic_load(&s->failed)) {
            if (e)
                *e = s->error;
            return s->status;
        }
        if (!s->ends)
            return PL_OK;
        /* another limit was asked for: nothing has been updated, the step is computed again */
    }
}

pl_status pl_step_run(pl_step *s, const pl_batch *batch, uint64_t t, double lr, pl_step_result *out, pl_error *e)
{
    s->t = t;
    s->lr = lr;
    *out = (pl_step_result){.bad_text = UINT32_MAX, .bad_parameter = SIZE_MAX};
    pl_status st = run_batch(s, batch, false, e);
    if (st)
        return st;
    out->loss = s->loss;
    out->grad_norm = grad_norm(s);
    out->bad_text = s->bad_text;
    if (s->bad_text != UINT32_MAX)
        return PL_OK;
    if (s->bad_yield != SIZE_MAX) {
        for (size_t i = 0; i < s->program.parameter_count; i++)
            if (s->program.parameters[i].first == s->program.yields[s->bad_yield].first)
                out->bad_parameter = i;
        return PL_OK;
    }
    double most = s->request.recipe.max_grad_norm;
    double clip = most > 0 ? most / (out->grad_norm + 1e-6) : 1; /* torch.nn.utils.clip_grad_norm_ */
    s->clip = clip < 1 ? clip : 1;
    return pl__update(s, e);
}

pl_status pl_step_eval(pl_step *s, const pl_batch *batch, float *logits, pl_error *e)
{
    pl_status st = run_batch(s, batch, true, e);
    uint32_t labels = s->request.recipe.labels;
    uint64_t stride = pl__train_stride(labels);
    const float *at = (const float *)(const void *)(s->arena + s->program.l.logits);
    for (uint32_t t = 0; t < batch->texts && !st; t++)
        memcpy(logits + (uint64_t)t * labels, at + t * stride, labels * sizeof *logits);
    return st;
}
