#include "infer/infer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what a request asks of the machine ---- */

pl_status pl__device_check(const char *device, pl_error *e)
{
    if (!device || strcmp(device, "auto") == 0 || strcmp(device, "cpu") == 0)
        return PL_OK;
    if (strncmp(device, "cuda", 4) == 0)
        return pl_fail(e, PL_USAGE, "--device %s: this build computes on the CPU only; cpu or auto would do", device);
    return pl_fail(e, PL_USAGE, "--device %s: unknown device; cpu or auto would do", device);
}

pl_status pl__isa_choose(const pl_options *o, pl_dtype compute, pl_isa *isa, pl_error *e)
{
    unsigned present = pl_isa_present();
    const char *forced = o->environment ? o->environment->isa : NULL;
    *isa = pl_isa_best(present, compute);
    if (!forced || !*forced)
        return PL_OK;
    if (!pl_isa_parse(forced, isa))
        return pl_fail(e, PL_USAGE, "PLIMSOLL_ISA=%s: unknown; reference, avx2, avx512, avx512_bf16 or amx would do", forced);
    if (!(present >> *isa & 1))
        return pl_fail(e, PL_USAGE, "PLIMSOLL_ISA=%s: this machine cannot run it", forced);
    return PL_OK;
}

static pl_os_view view_of(const pl_options *o) { return (pl_os_view){"/proc", "/sys", o->environment ? o->environment->runtime_folder : NULL}; }

pl_status pl__limit_choose(const pl_options *o, uint64_t *limit, char reason[PL__REASON_BYTES], pl_error *e)
{
    if (o->memory) {
        *limit = o->memory;
        snprintf(reason, PL__REASON_BYTES, "set by --memory");
        return PL_OK;
    }
    pl_os_view view = view_of(o);
    pl_spare spare;
    pl_status s = pl_os_spare(&view, &spare, e);
    if (s)
        return s;
    *limit = spare.bytes;
    snprintf(reason, PL__REASON_BYTES, "%s", spare.reason);
    return PL_OK;
}

/* ---- what is held beside the arena ---- */

static void hold(pl_plan *p, const char *name, const char *group, uint64_t bytes, pl_moment from, pl_moment to)
{
    assert(p->request.held_count < PL_COUNT(p->held));
    if (bytes)
        p->held[p->request.held_count++] = (pl_ledger_line){name, group, bytes, (uint8_t)from, (uint8_t)to};
}

static pl_status hold_all(pl_plan *p, const pl_options *o, pl_error *e)
{
    const pl_moment last = (pl_moment)(PL_MOMENT_COUNT - 1);
    const uint64_t compile_bytes = 64 << 10;
    p->request.held = p->held;
    if (o->outside_count > 16)
        return pl_fail(e, PL_USAGE, "pl_options.outside: %zu lines, at most 16 are taken", o->outside_count);
    for (size_t i = 0; i < o->outside_count; i++) {
        const char *name = pl_region_string(&p->region, o->outside[i].name, strlen(o->outside[i].name));
        if (!name)
            return pl_fail_no_memory(e, strlen(o->outside[i].name), "the plan");
        hold(p, name, "program", o->outside[i].bytes + o->outside[i].texts * (uint64_t)p->reading.text_bytes, PL_MOMENT_OPEN, last);
    }
    const pl_tokenizer *t = p->reading.tokenizer;
    const pl_folder *f = p->reading.folder;
    /* one is read after the other, so of the two peaks only the larger counts */
    uint64_t reading_tokenizer = pl_tokenizer_load_peak(t) - pl_tokenizer_held(t), reading_folder = pl_folder_load_peak(f) - pl_folder_held(f);
    hold(p, "tokenizer", "model files", pl_tokenizer_held(t), PL_MOMENT_OPEN, last);
    hold(p, "config and tensor table", "model files", pl_folder_held(f), PL_MOMENT_OPEN, last);
    hold(p, "model files being read", "model files", pl_round_up(pl_max(reading_tokenizer, reading_folder), 4096), PL_MOMENT_OPEN, PL_MOMENT_OPEN);
    hold(p, "room to plan again", "program", PL__BEND_BYTES, PL_MOMENT_LOAD, last);
    hold(p, "operators and plan", "program", p->region.held + compile_bytes, PL_MOMENT_OPEN, last);
    return PL_OK;
}

/* ---- making ---- */

static pl_status open_model(pl_plan *p, const char *model, const pl_options *o, pl_error *e)
{
    pl_status s = pl__reading_open(model, o, false, &p->reading, e);
    if (s)
        return s;
    pl_model_choice choice = {.task = o->task, .pooling = o->pooling, .normalize = o->normalize};
    s = pl_model_make(p->reading.folder, &choice, &p->region, &p->model, e);
    if (!s)
        s = pl__reading_length(&p->reading, o->max_length, p->model.longest, e);
    const char *lower = pl_folder_lower_case(p->reading.folder);
    if (!s && lower && p->model.task == PL_TASK_EMBED && !pl_tokenizer_lowers(p->reading.tokenizer))
        return pl_fail(e, PL_BAD_INPUT, "%s: do_lower_case: true is not supported with a tokenizer that keeps upper case, false would be right", lower);
    uint32_t ids = s ? 0 : pl_tokenizer_ids(p->reading.tokenizer);
    if (!s && ids > p->model.vocabulary)
        return pl_fail(e, PL_BAD_INPUT, "%s: the tokenizer has ids up to %u, the model's vocab_size is %llu; they do not belong together",
            pl_folder_path(p->reading.folder), ids - 1, (unsigned long long)p->model.vocabulary);
    return s;
}

static uint64_t mix(uint64_t digest, const void *bytes, size_t n)
{
    const unsigned char *b = bytes;
    for (size_t i = 0; i < n; i++)
        digest = (digest ^ b[i]) * 0x100000001b3u; /* FNV-1a */
    return digest;
}

uint64_t pl__model_digest(const pl_model *m)
{
    uint64_t d = mix(0xcbf29ce484222325u, m->family, strlen(m->family));
    d = mix(d, &m->task, sizeof m->task);
    for (size_t i = 0; i < m->operator_count; i++) {
        const pl_operator *op = &m->operators[i];
        uint32_t numbers[] = {(uint32_t)op->kind, (uint32_t)op->act, (uint32_t)op->pooling, op->column, op->head_width};
        d = mix(d, numbers, sizeof numbers);
        for (unsigned k = 0; k < PL_MODEL_PARTS; k++)
            if (op->weight[k]) {
                d = mix(d, op->weight[k]->name, strlen(op->weight[k]->name));
                d = mix(d, op->weight[k]->shape, op->weight[k]->rank * sizeof *op->weight[k]->shape);
                d = mix(d, &op->weight[k]->type, sizeof op->weight[k]->type);
            }
    }
    return d;
}

static pl_status make_request(pl_plan *p, const pl_options *o, pl_dtype compute, pl_error *e)
{
    pl_plan_request *r = &p->request;
    *r = (pl_plan_request){.model = &p->model, .limit = p->limit, .tokens = o->tokens};
    pl_status s = pl__isa_choose(o, compute, &p->isa, e);
    if (!s)
        s = pl_rates_of(p->isa, compute, o->environment ? o->environment->machine_record : NULL, &r->rates, e);
    if (s)
        return s;
    p->precision = compute == PL_BF16 ? PL_PRECISION_BF16 : PL_PRECISION_F32;
    pl_os_view view = view_of(o);
    r->kernels = pl_kernels_of(p->isa, compute);
    r->threads = o->threads ? o->threads : pl_os_cpus(&view);
    r->longest = (uint32_t)pl_max(1, o->longest ? pl_min(o->longest, p->reading.max_length) : p->reading.max_length);
    pl__window_sizes w = pl__window_measure(&p->reading, p->model.width, r->longest);
    r->window_fixed = w.fixed;
    r->window_row = w.row;
    r->window_text = w.text;
    r->team = pl_team_bytes(r->threads + 1, PL__STACK_BYTES);
    s = pl_plan_prepare(r, &p->region, e);
    return s ? s : hold_all(p, o, e);
}

/* f32 unless asked for; `auto` takes bf16 where it is faster. */
static pl_status search(pl_plan *p, const pl_options *o, pl_error *e)
{
    if (o->precision == PL_PRECISION_F16)
        return pl_fail(e, PL_USAGE, "--precision f16: not supported on the CPU; f32, bf16 or auto would do");
    pl_status s = make_request(p, o, o->precision == PL_PRECISION_BF16 ? PL_BF16 : PL_F32, e);
    if (s)
        return s;
    pl_plan_search(&p->request, &p->found);
    if (o->precision != PL_PRECISION_AUTO)
        return PL_OK;
    pl_plan_found f32 = p->found;
    s = make_request(p, o, PL_BF16, e);
    if (s)
        return s;
    pl_plan_search(&p->request, &p->found);
    if (p->found.fits > f32.fits || (p->found.fits == f32.fits && p->found.best.seconds_per_row < f32.best.seconds_per_row))
        return PL_OK;
    s = make_request(p, o, PL_F32, e);
    p->found = f32;
    return s;
}

static pl_status compile(pl_plan *p, pl_error *e)
{
    pl_plan_sizes_of(&p->request, &p->knobs, &p->sizes);
    const pl_memory *memory = pl_memory_system();
    p->tables = memory->take(memory->self, p->sizes.program);
    void *scratch = pl_region_take(&p->region, pl_plan_scratch(&p->request));
    if (!p->tables || !scratch)
        return pl_fail_no_memory(e, p->sizes.program, "the program");
    pl_status s = pl_plan_compile(&p->request, &p->knobs, p->tables, scratch, &p->program, &p->region, &p->ledger, e);
    assert(s || pl_ledger_peak(&p->ledger) == p->peak);
    return s;
}

/* What both ways to a plan begin with. */
static pl_status begin(const char *model, const pl_options *o, pl_plan **out, pl_error *e)
{
    *out = NULL;
    pl_error_clear(e);
    if (o->size != sizeof *o)
        return pl_fail(e, PL_USAGE, "pl_options.size: %zu, pl_options_init sets it to %zu", o->size, sizeof *o);
    pl_status s = pl__device_check(o->device, e);
    if (s)
        return s;
    pl_plan *p = calloc(1, sizeof *p);
    if (!p)
        return pl_fail_no_memory(e, sizeof *p, "the plan");
    *out = p;
    pl_region_init(&p->region, pl_memory_system());
    s = open_model(p, model, o, e);
    if (s)
        return s;
    p->digest = pl__model_digest(&p->model);
    const char *runtime = o->environment ? o->environment->runtime_folder : NULL;
    if (runtime && !(p->runtime_folder = pl_region_string(&p->region, runtime, strlen(runtime))))
        return pl_fail_no_memory(e, strlen(runtime), "the plan");
    return PL_OK;
}

static pl_status finish(pl_status s, pl_plan **plan)
{
    if (s) {
        pl_plan_free(*plan);
        *plan = NULL;
    }
    return s;
}

pl_status pl_plan_make(const char *model, const pl_options *options, pl_plan **out, pl_error *e)
{
    pl_status s = begin(model, options, out, e);
    pl_plan *p = *out;
    if (s || !p)
        return finish(s, out);
    s = pl__limit_choose(options, &p->limit, p->reason, e);
    if (!s)
        s = search(p, options, e);
    if (!s) {
        p->fits = p->found.fits;
        p->knobs = p->found.best.knobs;
        p->peak = p->found.best.peak;
        s = compile(p, e);
    }
    return finish(s, out);
}

pl_status pl__plan_from(const char *model, const pl_options *options, const pl__saved *saved, pl_plan **out, pl_error *e)
{
    pl_status s = begin(model, options, out, e);
    pl_plan *p = *out;
    if (s || !p)
        return finish(s, out);
    if (p->digest != saved->digest)
        s = pl_fail(e, PL_NO_FIT, "%s: this plan was made for another model, task or pooling; plan again", saved->file);
    if (!s) {
        p->limit = options->memory ? options->memory : saved->limit;
        snprintf(p->reason, sizeof p->reason, "%s", options->memory ? "set by --memory" : "of the saved plan");
        s = search(p, options, e);
    }
    if (s)
        return finish(s, out);
    p->knobs = saved->knobs;
    p->peak = pl_plan_peak_of(&p->request, &saved->knobs);
    p->found.best = (pl_choice){saved->knobs, p->peak, pl_plan_cost_of(&p->request, &saved->knobs)};
    p->saved = p->fits = true;
    if (p->peak != saved->peak)
        s = pl_fail(e, PL_NO_FIT, "%s: this plan was made for other options or another version of plimsoll; plan again", saved->file);
    else if (p->peak > p->limit)
        s = pl_fail(e, PL_NO_FIT, "%s: this plan needs %llu bytes, the limit is %llu", saved->file, (unsigned long long)p->peak, (unsigned long long)p->limit);
    else
        s = compile(p, e);
    return finish(s, out);
}

void pl_plan_free(pl_plan *p)
{
    if (!p)
        return;
    const pl_memory *memory = pl_memory_system();
    if (p->tables)
        memory->give(memory->self, p->tables, p->sizes.program);
    pl__reading_close(&p->reading);
    pl_region_free(&p->region);
    free(p);
}

/* ---- what a plan says ---- */

bool pl_plan_fits(const pl_plan *p) { return p->fits; }
uint64_t pl_plan_limit(const pl_plan *p) { return p->limit; }
uint64_t pl_plan_peak(const pl_plan *p) { return p->peak; }
uint64_t pl_plan_floor(const pl_plan *p) { return p->found.floor.peak; }
const char *pl_plan_limit_reason(const pl_plan *p) { return p->reason; }
pl_task pl_plan_task(const pl_plan *p) { return p->model.task; }
pl_precision pl_plan_precision(const pl_plan *p) { return p->precision; }
uint32_t pl_plan_max_length(const pl_plan *p) { return p->reading.max_length; }
uint32_t pl_plan_threads(const pl_plan *p) { return p->request.threads; }
pl_answer pl_plan_answer(const pl_plan *p) { return p->model.answer; }
size_t pl_plan_width(const pl_plan *p) { return p->model.width; }
size_t pl_plan_text_bytes(const pl_plan *p) { return p->reading.text_bytes; }

const char *pl_plan_label(const pl_plan *p, size_t index)
{
    return p->model.task == PL_TASK_CLASSIFY && index < p->model.width ? pl_folder_label(p->reading.folder, index) : NULL;
}

/* The smallest peak with a request changed in one way. */
static uint64_t floor_with(const pl_plan *p, uint32_t threads, uint32_t longest)
{
    pl_plan_request r = p->request;
    pl_plan_found found;
    r.threads = threads;
    r.longest = longest;
    r.team = pl_team_bytes(threads + 1, PL__STACK_BYTES);
    pl__window_sizes w = pl__window_measure(&p->reading, p->model.width, longest);
    r.window_fixed = w.fixed;
    pl_plan_search(&r, &found);
    return found.floor.peak;
}

pl_status pl_plan_refusal(const pl_plan *p, pl_error *e)
{
    char limit[32], least[32], with[32];
    uint64_t floor = pl_plan_floor(p);
    pl_fail(e, PL_NO_FIT, "%s: does not fit: the limit is %llu bytes (%s, %s), the smallest that works is %llu bytes (%s)", pl_folder_path(p->reading.folder),
        (unsigned long long)p->limit, pl_bytes_text(p->limit, limit), p->reason, (unsigned long long)floor, pl_bytes_text(floor, least));
    pl_hint(e, "--memory %llu runs it", (unsigned long long)floor);
    if (p->request.threads > 1)
        pl_hint(e, "--threads 1 needs %s at least", pl_bytes_text(floor_with(p, 1, p->request.longest), with));
    if (p->request.longest > 16) {
        uint32_t half = p->request.longest / 2;
        pl_hint(e, "--max-length %u needs %s at least, but cuts longer texts", half, pl_bytes_text(floor_with(p, p->request.threads, half), with));
    }
    return PL_NO_FIT;
}
