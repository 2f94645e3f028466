#include "train/plan.h"
#include "train/update.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 4096, HUGE_PAGE = 2 << 20, SMALL = 64 << 20, STACK_BYTES = 128 << 10 };

/* ---- program and memory for a plan ---- */

static void take_tables(pl_step *s, const pl__step_sizes *z)
{
    pl__step_program *p = &s->program;
    char *at = s->tables;
    p->ops = (pl__step_op *)(void *)at;
    at += pl_round_up(z->ops * sizeof *p->ops, 64);
    p->fetches = (pl__fetch *)(void *)at;
    at += pl_round_up(z->fetches * sizeof *p->fetches, 64);
    p->yields = (pl__yield *)(void *)at;
    at += pl_round_up(z->yields * sizeof *p->yields, 64);
    p->stages = (pl__step_stage *)(void *)at;
    p->op_count = z->ops;
    p->fetch_count = z->fetches;
    p->yield_count = z->yields;
    p->stage_count = z->stages;
}

static void point_store(pl_step *s)
{
    const pl__step_layout *l = &s->program.l;
    const pl_step_knobs *k = &s->plan.knobs;
    uint64_t first = s->params.learn_first, state = pl__spilled_state(k, &s->params);
    const struct {
        uint64_t at, skipped, filed;
    } parts[PL__WHATS] = {
        [PL__WEIGHTS] = {l->weights, 0, k->spill_weights ? UINT64_MAX : 0},
        [PL__MOMENT1] = {l->moment1, first, state},
        [PL__MOMENT2] = {l->moment2, first, state},
        [PL__GRADIENTS] = {l->gradients, s->params.gradient_first, k->spill_gradients ? UINT64_MAX : 0},
        [PL__INPUTS] = {l->inputs, 0, k->spill_inputs ? UINT64_MAX : 0},
        [PL__KEPT] = {0, 0, UINT64_MAX},
    };
    for (unsigned i = 0; i < PL__WHATS; i++) {
        s->store.memory[i] = parts[i].filed < UINT64_MAX ? s->arena + parts[i].at : NULL;
        s->store.skipped[i] = parts[i].skipped;
        s->store.filed[i] = parts[i].filed;
    }
}

/* Compiles the plan in force; the arena must be mapped. */
static void compile(pl_step *s)
{
    pl__step_costs c;
    pl__step_measure(&s->request, &s->plan.knobs, &s->params, &c);
    s->program = (pl__step_program){.parameters = s->params.list,
        .parameter_count = s->params.count,
        .elements = s->params.elements,
        .learn_first = s->params.learn_first,
        .words = s->params.list[0].first,
        .l = c.layout};
    assert(c.tables <= s->tables_room);
    take_tables(s, &c.sizes);
    pl__step_sizes again;
    pl__step_emit(&s->request, &s->plan.knobs, &s->params, &s->program, &again);
    assert(again.ops == c.sizes.ops && again.micro == c.sizes.micro);
    pl__store_file_bytes(&s->request, &s->plan.knobs, &s->params, &c.layout, s->store.file_at);
    point_store(s);
}

static pl_status map_arena(pl_step *s, pl_error *e)
{
    pl__step_costs c;
    pl__step_measure(&s->request, &s->plan.knobs, &s->params, &c);
    bool huge = pl__step_huge(&c.layout);
    uint64_t bytes = pl__step_mapped(&c.layout);
    s->mapped_bytes = bytes + (huge ? HUGE_PAGE : 0);
    s->mapped = pl_os_map(s->mapped_bytes);
    if (!s->mapped)
        return pl_fail_no_memory(e, s->mapped_bytes, "arena of the step");
    uintptr_t at = (uintptr_t)s->mapped;
    s->arena = huge ? s->mapped + (pl_round_up(at, HUGE_PAGE) - at) : s->mapped;
    uint64_t whole = huge ? bytes / HUGE_PAGE * HUGE_PAGE : 0; /* the rest is touched page by page */
    if (whole)
        pl_os_advise_huge(s->arena, whole, true);
    pl_os_advise_huge(s->arena + whole, bytes - whole, false);
    return PL_OK;
}

/* A small arena is touched whole at once: its peak is the plan's from the first moment on. */
static void touch_arena(pl_step *s)
{
    uint64_t bytes = pl__step_mapped(&s->program.l);
    for (uint64_t touched = 0; bytes <= SMALL && touched < bytes; touched += PAGE) {
        volatile char *page = s->arena + touched;
        *page = *page;
    }
}

/* ---- weights ---- */

/* Rows of a tensor of the folder as f32 into the store; the word table's rows by `used`. */
static pl_status read_parameter(pl_step *s, const pl_parameter *p, const pl_tensor_view *t, pl_error *e)
{
    uint64_t width = t->rank > 1 ? t->shape[1] : t->shape[0], rows = p->count / width, element = pl_dtype_bytes(t->type);
    float *row = malloc(width * (sizeof(float) + element));
    if (!row)
        return pl_fail_no_memory(e, width * (sizeof(float) + element), "a row of weights");
    char *raw = (char *)(row + width);
    pl_status st = PL_OK;
    for (uint64_t i = 0; i < rows && !st; i++) {
        uint64_t from = p->words ? s->request.used[i] : i;
        st = pl_folder_read(s->request.model->folder, t->file, t->offset + from * width * element, raw, width * element, e);
        if (st)
            break;
        s->request.kernels->widen(row, raw, t->type, width);
        st = pl__store_set(&s->store, PL__WEIGHTS, p->first + i * width, width, row, e);
    }
    free(row);
    return st;
}

/* About normal by the sum of twelve uniform numbers (Irwin-Hall), from a counter: the head's start
 * depends on seed, parameter and element alone. */
static float fresh_value(uint64_t seed, uint64_t parameter, uint64_t element)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < 6; i++) {
        uint64_t x = pl_dropout_row_key(seed ^ 0x6865616400000000u, parameter * 8 + i, element, 0);
        sum += (x & 0xFFFFFFFFu) + (x >> 32);
    }
    return (float)((double)sum / 4294967296.0 - 6.0);
}

static pl_status draw_parameter(pl_step *s, size_t index, pl_error *e)
{
    const pl_parameter *p = &s->params.list[index];
    double range;
    pl_status st = pl_json_real(pl_folder_config(s->request.model->folder), "initializer_range", 0.02, &range, e);
    for (uint64_t i = 0; i < p->count && !st; i++) {
        float value = p->rank > 1 ? (float)((double)fresh_value(s->request.recipe.seed, index, i) * range) : 0;
        st = pl__store_set(&s->store, PL__WEIGHTS, p->first + i, 1, &value, e);
    }
    return st;
}

static pl_status read_weights(pl_step *s, pl_error *e)
{
    pl_status st = PL_OK;
    const pl_model *m = s->request.model;
    for (size_t i = 0; i < m->operator_count && !st; i++) {
        const pl_operator *op = &m->operators[i];
        size_t at = s->params.of_operator[i];
        for (unsigned k = 0; k < 2 * PL_MODEL_PARTS && !st; k++) {
            const pl_tensor_view *t = k < PL_MODEL_PARTS ? op->weight[k] : op->bias[k - PL_MODEL_PARTS];
            if (!t)
                continue;
            st = pl_tensor_is_fresh(t) ? draw_parameter(s, at, e) : read_parameter(s, &s->params.list[at], t, e);
            at++;
        }
    }
    return st ? st : pl_folder_unchanged(m->folder, e);
}

/* ---- opening ---- */

pl_status pl_step_open(const pl_step_request *r, const pl_step_plan *plan, pl_step **out, pl_error *e)
{
    *out = NULL;
    assert(plan->fits);
    pl_step *s = calloc(1, sizeof *s);
    if (!s)
        return pl_fail_no_memory(e, sizeof *s, "the step");
    s->request = *r;
    s->plan = *plan;
    s->limit = r->limit;
    s->store.file = -1;
    s->store.traffic = &s->traffic;
    pl_region_init(&s->region, pl_memory_system());
    pl_status st = pl__parameters_make(r, &s->region, &s->params, e);
    if (!st)
        st = pl__step_prepare(s, e);
    s->front_bytes = pl__step_stacks(r);
    if (!st && !(s->front = pl_os_map(s->front_bytes)))
        st = pl_fail_no_memory(e, s->front_bytes, "threads' stacks");
    if (!st)
        st = map_arena(s, e);
    if (!st && plan->spill_bytes)
        st = pl__spill_open(r->spill_folder, plan->spill_bytes, &s->store, e);
    s->store.disk = plan->spill_bytes > r->spill_cached;
    if (!st) {
        compile(s);
        touch_arena(s);
        pl_os_advise_huge(s->front, s->front_bytes, false);
        st = pl_team_start(s->front, r->threads, STACK_BYTES, &s->team, e);
    }
    if (!st)
        st = read_weights(s, e);
    if (st) {
        pl_step_close(s);
        return st;
    }
    *out = s;
    return PL_OK;
}

void pl_step_close(pl_step *s)
{
    if (!s)
        return;
    if (s->team)
        pl_team_stop(s->team);
    if (s->mapped)
        pl_os_unmap(s->mapped, s->mapped_bytes);
    if (s->front)
        pl_os_unmap(s->front, s->front_bytes);
    if (s->store.file >= 0)
        close(s->store.file);
    free(s->tables);
    free(s->words_memory);
    free(s->members);
    pl_region_free(&s->region);
    free(s);
}

pl_status pl__step_prepare(pl_step *s, pl_error *e)
{
    pl__step_costs c;
    pl_step_knobs finest = {.micro_rows = s->request.longest, .spill_state = true, .spill_gradients = true, .spill_weights = true, .spill_inputs = true};
    pl__step_measure(&s->request, &s->plan.knobs, &s->params, &c);
    s->tables_room = c.tables;
    pl__step_measure(&s->request, &finest, &s->params, &c);
    s->tables_room = pl_max(s->tables_room, c.tables);
    s->tables = calloc(1, s->tables_room);
    s->words_memory = calloc(1, pl_max(1, c.words));
    s->members = aligned_alloc(64, pl_round_up(s->request.threads * sizeof *s->members, 64));
    s->floor = s->plan.floor;
    if (s->words_memory)
        pl__words_lay_out(s, s->words_memory);
    return s->tables && s->members && s->words_memory ? PL_OK : pl_fail_no_memory(e, s->tables_room, "program of the step");
}

/* ---- parameters ---- */

size_t pl_step_parameters(const pl_step *s) { return s->params.count; }
const pl_parameter *pl_step_parameter(const pl_step *s, size_t index) { return &s->params.list[index]; }
uint64_t pl_step_elements(const pl_step *s) { return s->params.elements; }
const pl_step_plan *pl_step_plan_now(const pl_step *s) { return &s->plan; }
uint64_t pl_step_bends(const pl_step *s) { return s->bends; }

void pl_step_traffic(const pl_step *s, uint64_t *read, uint64_t *written)
{
    *read = atomic_load(&s->traffic.read);
    *written = atomic_load(&s->traffic.written);
}

static const pl__what whats[] = {PL__WEIGHTS, PL__MOMENT1, PL__MOMENT2};

pl_status pl_step_get(pl_step *s, int what, uint64_t first, uint64_t count, float *out, pl_error *e)
{
    uint64_t learn = s->params.learn_first;
    if (what && first < learn) { /* what does not learn has no moments */
        uint64_t none = pl_min(count, learn - first);
        memset(out, 0, none * sizeof *out);
        first += none;
        out += none;
        count -= none;
    }
    pl_status st = first < s->params.words ? pl__words_settle(s, e) : PL_OK;
    return count && !st ? pl__store_get(&s->store, whats[what], first, count, out, e) : st;
}

pl_status pl_step_set(pl_step *s, int what, uint64_t first, uint64_t count, const float *in, pl_error *e)
{
    uint64_t learn = s->params.learn_first;
    if (what && first < learn) {
        uint64_t none = pl_min(count, learn - first);
        first += none;
        in += none;
        count -= none;
    }
    pl_status st = first < s->params.words ? pl__words_settle(s, e) : PL_OK;
    return count && !st ? pl__store_set(&s->store, whats[what], first, count, in, e) : st;
}

void pl_step_watch(pl_step *s, void (*look)(void *self), void *self)
{
    s->look = look;
    s->look_self = self;
}

void pl_step_stop(pl_step *s) { atomic_store(&s->stop, true); }

/* ---- going on with less ---- */

pl_status pl_step_shrink(pl_step *s, uint64_t bytes)
{
    if (bytes && bytes < s->floor)
        return PL_NO_FIT;
    atomic_store(&s->asked, bytes + 1);
    return PL_OK;
}

/* Whole pages within a stretch that has been moved: two copies never stand side by side. */
static void release_pages(const void *at, uint64_t bytes)
{
    uintptr_t first = pl_round_up((uintptr_t)at, PAGE), last = ((uintptr_t)at + bytes) / PAGE * PAGE;
    if (last > first)
        pl_os_release((void *)first, last - first);
}

/* Moves weights and moments to where another plan wants them, through a file of that plan. */
static pl_status move_store(pl_step *s, const pl_step_plan *next, pl_error *e)
{
    pl_step old = *s;
    s->plan = *next;
    s->store.file = -1;
    const pl__step_layout *l = &old.program.l;
    if (l->gradients != UINT64_MAX)
        release_pages(old.arena + l->gradients, (s->params.elements - s->params.gradient_first) * sizeof(float));
    release_pages(old.arena + l->inputs, l->bytes - l->inputs);
    pl_status st = map_arena(s, e);
    if (!st && next->spill_bytes)
        st = pl__spill_open(s->request.spill_folder, next->spill_bytes, &s->store, e);
    s->store.disk = next->spill_bytes > s->request.spill_cached;
    if (!st) {
        compile(s);
        float *chunk = pl__workspace(s, 0);
        uint64_t n = s->program.l.workspace_bytes / sizeof(float);
        for (int what = 0; what < 3 && !st; what++)
            for (uint64_t first = what ? s->params.learn_first : 0; first < s->params.elements && !st; first += n) {
                uint64_t count = pl_min(n, s->params.elements - first);
                const float *from = pl__store_at(&old.store, whats[what], first);
                if (!from) {
                    st = pl__store_get(&old.store, whats[what], first, count, chunk, e);
                    from = chunk;
                }
                if (!st)
                    st = pl__store_set(&s->store, whats[what], first, count, from, e);
                if (from != chunk)
                    release_pages(from, count * sizeof(float));
            }
    }
    if (old.mapped)
        pl_os_unmap(old.mapped, old.mapped_bytes);
    if (old.store.file >= 0)
        close(old.store.file);
    if (!st)
        touch_arena(s); /* not before the old one is gone */
    return st;
}

/* By member: what lies between them is nobody's. */
static bool same_knobs(const pl_step_knobs *a, const pl_step_knobs *b)
{
    return a->micro_rows == b->micro_rows && a->kept_layers == b->kept_layers && a->passing_layers == b->passing_layers && a->rest == b->rest &&
        a->passing_rest == b->passing_rest && a->resident_state == b->resident_state && a->spill_inputs == b->spill_inputs &&
        a->spill_state == b->spill_state && a->spill_gradients == b->spill_gradients && a->spill_weights == b->spill_weights;
}

pl_status pl__step_bend(pl_step *s, pl_error *e)
{
    uint64_t asked = atomic_exchange(&s->asked, 0);
    if (!asked)
        return PL_OK;
    pl_step_request r = s->request;
    r.limit = asked - 1 ? asked - 1 : s->limit;
    pl_step_plan next;
    pl_status st = pl__step_search(&r, &s->params, &next);
    if (st || !next.fits || same_knobs(&next.knobs, &s->plan.knobs))
        return st;
    next.ledger = s->plan.ledger;
    s->bends++;
    return move_store(s, &next, e);
}
