/* From data and options to a plan of the whole process. */
#include "train/trainer.h"

#include "train/plan.h"
#include "train/files.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

static const double DISK_UNKNOWN = 4e8, DISK_FASTEST = 1e11;                                              /* bytes a second: of a SATA SSD; of none so far */
enum { LAST = PL__TRAIN_MOMENTS - 1, PAGE = 4096, SLACK = 48 << 10 };                                     /* of the heap: names, paths, heads of files */
enum { UNKNOWN_EXAMPLES = 8192, UNKNOWN_RECORD = 4096, MOST_RANKED = 1 << 16, MOST_MEASURED = 64 << 20 }; /* of a plan without data */

/* ---- what is held beside the step ---- */

/* Without data: every word of the vocabulary, batches of the longest texts. */
static bool has_data(const pl_trainer *t) { return t->sets[PL_ROLE_TRAIN].name != NULL; }

static uint64_t id_words(const pl_trainer *t) { return (t->model.vocabulary + 63) / 64; }

void pl__work_lay_out(const pl_trainer *t, pl_carver *c, pl__work *w)
{
    const pl_step_request *r = &t->request;
    uint64_t rows = r->batch_rows, batch = r->batch, labels = t->labels.count, examples = has_data(t) ? t->sets[PL_ROLE_TRAIN].examples : UNKNOWN_EXAMPLES;
    bool multi = t->labels.problem == PL_PROBLEM_MULTI;
    size_t ranked = (size_t)pl_min(t->sets[PL_ROLE_EVALUATE].examples, MOST_RANKED);
    w->index = pl_carve(c, examples * sizeof *w->index);
    w->ids = pl_carve(c, rows * sizeof *w->ids);
    w->positions = pl_carve(c, rows * sizeof *w->positions);
    w->types = pl_carve(c, rows);
    w->starts = pl_carve(c, (batch + 1) * sizeof *w->starts);
    w->examples = pl_carve(c, batch * sizeof *w->examples);
    w->lines = pl_carve(c, batch * sizeof *w->lines);
    w->targets = pl_carve(c, batch * (multi ? labels : 1) * sizeof *w->targets);
    w->logits = pl_carve(c, batch * labels * sizeof *w->logits);
    w->numbers = pl_carve(c, batch * sizeof *w->numbers);
    w->bits = pl_carve(c, (labels + 63) / 64 * sizeof *w->bits);
    w->record = pl_carve(c, has_data(t) ? t->spool.longest : UNKNOWN_RECORD);
    w->buffer = pl_carve(c, PL__BUFFER);
    w->second = pl_carve(c, PL__BUFFER);
    w->score = pl_carve(c, pl_score_bytes(pl__answer_of(t->labels.problem), labels, ranked));
    w->bytes = c->used;
}

static void hold(pl_trainer *t, const char *name, const char *group, uint64_t bytes, unsigned from, unsigned to)
{
    assert(t->request.held_count < PL_COUNT(t->held));
    if (bytes)
        t->held[t->request.held_count++] = (pl_ledger_line){name, group, bytes, (uint8_t)from, (uint8_t)to};
}

/* What the step's planning and opening take of regions: its parameters, twice, and the ledger. */
static uint64_t step_tables(const pl_trainer *t)
{
    uint64_t parameters = t->model.operator_count * (2 * PL_MODEL_PARTS * sizeof(pl_parameter) + sizeof(uint32_t));
    return 2 * pl_round_up(parameters, PAGE) + pl_round_up(PL_COUNT(t->held) * 2 * sizeof(pl_ledger_line), PAGE);
}

static pl_status hold_all(pl_trainer *t, pl_error *e)
{
    const pl_options *o = &t->options;
    t->request.held = t->held;
    t->request.held_count = 0;
    if (o->outside_count > PL_COUNT(t->outside_names))
        return pl_fail(e, PL_USAGE, "pl_options.outside: %zu lines, at most %zu are taken", o->outside_count, PL_COUNT(t->outside_names));
    for (size_t i = 0; i < o->outside_count; i++) {
        const char *name = t->outside_names[i];
        if (!name)
            name = t->outside_names[i] = pl_region_string(&t->region, o->outside[i].name, strlen(o->outside[i].name));
        if (!name)
            return pl_fail_no_memory(e, strlen(o->outside[i].name), "the plan");
        uint32_t texts = o->outside[i].texts; /* room for texts is given back when they have been read */
        hold(t, name, "program", o->outside[i].bytes + texts * (uint64_t)t->reading.text_bytes, 0, texts ? 0 : LAST);
    }
    const pl_folder *f = t->reading.folder;
    /* one is read after the other, so of the two peaks only the larger counts */
    uint64_t reading = pl_max(t->tokenizer_peak - t->tokenizer_held, t->folder_peak - pl_folder_held(f));
    hold(t, "tokenizer", "data", t->tokenizer_held, 0, 0);
    bool lengths = has_data(t) && pl__steps_counted(t); /* given back before the disk is measured */
    uint64_t lengths_bytes = lengths ? pl_round_up(t->sets[PL_ROLE_TRAIN].examples * sizeof(uint32_t), PAGE) : 0;
    hold(t, "lengths of the examples, disk being measured", "data", pl_max(lengths_bytes, PL__DISK_BLOCK), 0, 0);
    hold(t, "texts being tokenised", "data", pl_round_up(t->reader_bytes, PAGE), 0, 0);
    hold(t, "model files being read", "model files", pl_round_up(reading, PAGE), 0, 0);
    hold(t, "config and tensor table", "model files", pl_folder_held(f), 0, LAST);
    pl__work w;
    pl_carver c = {0};
    pl__work_lay_out(t, &c, &w);
    uint64_t index = (has_data(t) ? t->sets[PL_ROLE_TRAIN].examples : UNKNOWN_EXAMPLES) * sizeof *w.index;
    hold(t, "index of the examples", "data", index, PL__TRAIN_LOAD, LAST);
    hold(t, "batch at hand, files, answers", "data", pl_round_up(w.bytes, PAGE) - index, PL__TRAIN_LOAD, LAST);
    hold(t, "tokens of the data, which is memory there", "data", t->spill_is_memory ? t->spool.end : 0, 0, LAST);
    t->region_planned = t->region.held + step_tables(t);
    hold(t, "labels, operators and plan", "program", t->region_planned + SLACK, 0, LAST);
    return PL_OK;
}

pl_status pl__size_for(pl_trainer *t, uint64_t batch_rows, pl_error *e)
{
    const pl__set *train = &t->sets[PL_ROLE_TRAIN];
    pl_step_request *r = &t->request;
    r->batch_rows = batch_rows;
    r->usual_rows = train->examples ? pl_min(batch_rows, pl_max(1, train->tokens * r->batch / train->examples)) : 0;
    return hold_all(t, e);
}

/* ---- where it spills to ---- */

static bool is_memory(const char *folder)
{
    enum { TMPFS = 0x01021994, RAMFS = 0x858458f6, HUGETLBFS = 0x958458f6 };
    struct statfs f;
    if (statfs(folder, &f) != 0)
        return false;
    uint64_t kind = (uint64_t)f.f_type & 0xFFFFFFFF;
    return kind == TMPFS || kind == (uint32_t)RAMFS || kind == (uint32_t)HUGETLBFS;
}

static uint64_t file_limit(void)
{
    struct rlimit l;
    return getrlimit(RLIMIT_FSIZE, &l) == 0 && l.rlim_cur != RLIM_INFINITY ? (uint64_t)l.rlim_cur : UINT64_MAX;
}

static uint64_t free_bytes(const char *folder, unsigned long *id)
{
    struct statvfs f;
    *id = 0;
    if (statvfs(folder, &f) != 0)
        return 0;
    *id = f.f_fsid;
    return (uint64_t)f.f_bavail * f.f_frsize;
}

/* Checkpoints that stand at once: those kept, the one being written, and one that a signal asks for. */
static uint64_t checkpoints(const pl_trainer *t)
{
    uint64_t steps = t->schedule.steps, saves = steps / t->recipe.save_every;
    return pl_min(t->recipe.keep, saves) + 1;
}

static uint64_t saved_bytes(const pl_trainer *t)
{
    if (!t->paths.out || t->recipe.dry_run)
        return 0;
    return checkpoints(t) * t->checkpoint_bytes + (t->recipe.best ? 2 : 0) * t->checkpoint_bytes / 3 + t->output_bytes;
}

/* Four fifths of what the job leaves of memory: others' files want some of it. */
static void choose_cache(const pl_trainer *t, pl_step_request *r)
{
    const pl_environment *v = t->options.environment;
    pl_os_view view = {"/proc", "/sys", v ? v->runtime_folder : NULL};
    pl_spare spare;
    uint64_t left = pl_os_spare(&view, &spare, NULL) == PL_OK && spare.bytes > t->limit ? spare.bytes - t->limit : 0;
    r->spill_cached = left / 5 * 4;
    r->spill_waiting = pl_os_may_wait(&view, left);
}

static void choose_spill(pl_trainer *t)
{
    pl_step_request *r = &t->request;
    unsigned long spill_id, out_id = 0;
    uint64_t room = free_bytes(t->paths.spill, &spill_id);
    if (t->paths.parent)
        free_bytes(t->paths.parent, &out_id);
    uint64_t saved = spill_id == out_id ? saved_bytes(t) : 0;
    t->spill_is_memory = is_memory(t->paths.spill);
    r->spill_folder = t->paths.spill;
    r->spill_is_memory = t->spill_is_memory;
    choose_cache(t, r);
    r->spill_free = pl_min(room > saved ? room - saved : 0, file_limit());
    r->spill_bytes_per_second = DISK_UNKNOWN;
}

/* The disk is measured where it could have a say: where with the fastest one a plan would be taken that
 * the page cache does not hold. */
static pl_status measure_disk(pl_trainer *t, pl_error *e)
{
    pl_step_request fast = t->request;
    pl_step_plan plan;
    fast.spill_bytes_per_second = DISK_FASTEST;
    pl_status s = pl__search(&fast, &plan, e);
    if (s || !plan.fits || plan.disk_seconds <= 0)
        return s;
    double rate = pl__disk_rate(t->paths.spill, pl_min(plan.spill_bytes, MOST_MEASURED)); /* so much is free there and allowed */
    if (rate > 0)
        t->request.spill_bytes_per_second = rate;
    return PL_OK;
}

/* What will be written before it is too late to say so. */
static pl_status check_disk(const pl_trainer *t, pl_error *e)
{
    char needs[32], has[32];
    unsigned long id, spill_id;
    uint64_t saved = saved_bytes(t), largest = pl_max(t->checkpoint_bytes, t->output_bytes), limit = file_limit();
    if (!saved)
        return PL_OK;
    if (largest > limit)
        return pl_fail(
            e, PL_MACHINE, "%s: a file of it will have %s, ulimit -f allows %s", t->paths.out, pl_bytes_text(largest, needs), pl_bytes_text(limit, has));
    uint64_t room = free_bytes(t->paths.parent, &id);
    free_bytes(t->paths.spill, &spill_id);
    if (id == spill_id)
        saved += t->plan.spill_bytes;
    if (saved <= room)
        return PL_OK;
    pl_fail(
        e, PL_MACHINE, "%s: the file system has %s free, the training needs %s there", t->paths.parent, pl_bytes_text(room, has), pl_bytes_text(saved, needs));
    pl_hint(e, "--keep 1 keeps one checkpoint only, --spill names another folder for what is spilled");
    return PL_MACHINE;
}

/* ---- the recipe as the step wants it ---- */

static pl_status probability(const pl_trainer *t, const char *key, double fallback, double *out, pl_error *e)
{
    pl_json_doc config = pl_folder_config(t->reading.folder);
    if (t->recipe.dropout >= 0) {
        *out = t->recipe.dropout;
        return PL_OK;
    }
    pl_status s = pl_json_real(config, key, fallback, out, e);
    if (!s && !(*out >= 0 && *out < 1))
        s = pl_fail(e, PL_BAD_INPUT, "%s: %s: %g, must be at least 0 and below 1", config.path, key, *out);
    return s;
}

/* Source: the config classes of transformers. */
static pl_status read_dropouts(pl_trainer *t, pl_error *e)
{
    bool distil = strcmp(t->model.family, "distilbert") == 0;
    double *d = t->dropouts;
    pl_status s = probability(t, distil ? "dropout" : "hidden_dropout_prob", 0.1, &d[0], e);
    if (!s)
        s = probability(t, distil ? "attention_dropout" : "attention_probs_dropout_prob", 0.1, &d[1], e);
    if (!s)
        s = probability(t, distil ? "seq_classif_dropout" : "classifier_dropout", distil ? 0.2 : d[0], &d[2], e);
    return s;
}

static void make_recipe(pl_trainer *t)
{
    const pl_training *r = &t->recipe;
    t->request.recipe = (pl_recipe){
        .problem = t->labels.problem,
        .labels = t->labels.count,
        .label_smoothing = r->label_smoothing,
        .hidden_dropout = t->dropouts[0],
        .attention_dropout = t->dropouts[1],
        .classifier_dropout = t->dropouts[2],
        .projection_dropout = strcmp(t->model.family, "distilbert") == 0 ? 0 : t->dropouts[0],
        .b1 = 0.9,
        .b2 = 0.999,
        .eps = 1e-8,
        .weight_decay = r->weight_decay,
        .max_grad_norm = r->max_grad_norm,
        .seed = r->seed,
        .first_layer = r->last_layers ? t->model.layers - r->last_layers : 0,
        .head_only = r->head_only,
        .shards = r->shards,
    };
}

/* Without data: as many labels as the folder has. */
static pl_status list_used(pl_trainer *t, pl_error *e)
{
    uint64_t words = id_words(t), *bits = pl_region_take(&t->region, words * sizeof *bits);
    t->used_rank = pl_region_take(&t->region, words * sizeof *t->used_rank);
    if (!bits || !t->used_rank)
        return pl_fail_no_memory(e, words * sizeof *bits, "the words of the data");
    memcpy(bits, t->used_bits, words * sizeof *bits);
    t->used_bits = bits;
    for (uint64_t i = 0; i < words; i++) {
        t->used_rank[i] = t->used_count;
        t->used_count += (uint32_t)__builtin_popcountll(bits[i]);
    }
    t->used = pl_region_take(&t->region, t->used_count * sizeof *t->used);
    if (!t->used)
        return pl_fail_no_memory(e, t->used_count * sizeof *t->used, "the words of the data");
    uint32_t n = 0;
    for (uint64_t i = 0; i < words; i++)
        for (uint64_t rest = bits[i]; rest; rest &= rest - 1)
            t->used[n++] = (uint32_t)(i * 64 + (uint64_t)__builtin_ctzll(rest));
    return PL_OK;
}

/* ---- making ---- */

static pl_status check_evaluation(const pl_trainer *t, pl_error *e)
{
    const pl_training *r = &t->recipe;
    unsigned index;
    bool less;
    if ((!r->best && !r->early_stopping && !r->metric) || t->texts_only)
        return PL_OK;
    if (has_data(t) && !t->sets[PL_ROLE_EVALUATE].name)
        return pl_fail(e, PL_USAGE, "%s: goes by an evaluation, and there is no --eval",
            r->best                 ? "--best"
                : r->early_stopping ? "--early-stopping"
                                    : "--metric");
    return has_data(t) ? pl__metric_find(t, &index, &less, e) : PL_OK;
}

static pl_status check_smoothing(const pl_trainer *t, pl_error *e)
{
    pl_problem problem = t->labels.problem;
    if (t->recipe.label_smoothing == 0 || problem == PL_PROBLEM_SINGLE || !has_data(t) || t->texts_only)
        return PL_OK;
    return pl_fail(e, PL_USAGE, "--label-smoothing: smooths one label a text, the data has %s", problem == PL_PROBLEM_MULTI ? "several" : "numbers");
}

/* The kernels and rates of a compute type. */
static pl_status compute_in(const pl_trainer *t, pl_step_request *r, pl_dtype compute, pl_error *e)
{
    const pl_options *o = &t->options;
    pl_isa isa;
    pl_status s = pl__isa_choose(o, compute, &isa, e);
    if (s)
        return s;
    r->kernels = pl_kernels_of(isa, compute);
    r->train = pl_train_kernels_of(isa, compute);
    return pl_rates_of(isa, compute, o->environment ? o->environment->machine_record : NULL, &r->rates, e);
}

static pl_status make_request(pl_trainer *t, pl_error *e)
{
    const pl_options *o = &t->options;
    const pl_environment *v = o->environment;
    pl_os_view view = {"/proc", "/sys", v ? v->runtime_folder : NULL};
    pl_step_request *r = &t->request;
    const pl__set *train = &t->sets[PL_ROLE_TRAIN], *eval = &t->sets[PL_ROLE_EVALUATE];
    *r = (pl_step_request){.model = &t->model, .batch = t->recipe.batch};
    pl_status s = compute_in(t, r, o->precision == PL_PRECISION_BF16 ? PL_BF16 : PL_F32, e);
    if (!s)
        s = pl__limit_choose(o, &t->limit, t->reason, e);
    if (!s && t->saved_plan.file && !o->memory) {
        t->limit = t->saved_plan.limit;
        snprintf(t->reason, sizeof t->reason, "of the saved plan");
    }
    if (s)
        return s;
    r->limit = t->limit;
    r->threads = o->threads ? o->threads : pl_os_cpus(&view);
    r->longest = has_data(t) ? (uint32_t)pl_max(train->longest, eval->longest) : t->reading.max_length;
    r->batch = (uint32_t)(has_data(t) ? pl_min(t->recipe.batch, pl_max(train->examples, eval->examples)) : t->recipe.batch);
    r->batch_rows = t->most_rows = (uint64_t)t->recipe.batch * r->longest;
    s = has_data(t) ? pl__count_rows(t, &r->batch_rows, &t->most_rows, e) : PL_OK;
    if (s)
        return s;
    t->most_rows = pl_max(t->most_rows, r->longest);
    r->batch_rows = pl_max(r->batch_rows, r->longest);
    if (t->saved_plan.file && t->saved_plan.batch_rows <= t->most_rows)
        r->batch_rows = pl_max(r->batch_rows, t->saved_plan.batch_rows); /* it may be of more epochs */
    r->used = t->used;
    r->used_count = t->used_count;
    if (t->most_rows > UINT32_MAX / 2)
        return pl_fail(e, PL_USAGE, "--batch %u: a step of %llu tokens is too much", t->recipe.batch, (unsigned long long)t->most_rows);
    make_recipe(t);
    return PL_OK;
}

/* `auto` takes bf16 where it is faster, or where f32 does not fit. */
static pl_status choose_precision(pl_trainer *t, pl_error *e)
{
    pl_step_plan plans[2];
    if (t->options.precision != PL_PRECISION_AUTO)
        return PL_OK;
    pl_step_request half = t->request;
    pl_status s = compute_in(t, &half, PL_BF16, e);
    if (!s)
        s = pl__search(&t->request, &plans[0], e);
    if (!s)
        s = pl__search(&half, &plans[1], e);
    if (!s && (plans[1].fits > plans[0].fits || (plans[1].fits == plans[0].fits && plans[1].seconds_per_step < plans[0].seconds_per_step)))
        t->request = half;
    return s;
}

static pl_status make_model(pl_trainer *t, pl_error *e)
{
    pl_model_choice choice = {.task = PL_TASK_CLASSIFY, .fresh_head = true, .labels = t->labels.count};
    pl_status s = pl_model_make(t->reading.folder, &choice, &t->region, &t->model, e);
    return s ? s : read_dropouts(t, e);
}

static pl_status measure_learned(pl_trainer *t, pl_error *e)
{
    pl_region region;
    pl__parameters p;
    pl_region_init(&region, pl_memory_system());
    pl_status s = pl__parameters_make(&t->request, &region, &p, e);
    if (!s)
        t->learned = (pl__learned){p.learn_first, p.elements - p.learn_first};
    pl_region_free(&region);
    return s;
}

static pl_status make(pl_trainer *t, pl_error *e)
{
    pl_status s = has_data(t) ? list_used(t, e) : pl__labels_assume(t->reading.folder, &t->region, &t->labels, e);
    if (!has_data(t))
        t->used_count = (uint32_t)pl_min(t->model.vocabulary, UINT32_MAX);
    if (!s)
        s = check_evaluation(t, e);
    if (!s)
        s = check_smoothing(t, e);
    if (!s)
        s = make_model(t, e);
    if (!s)
        s = pl__schedule_make(&t->recipe, t->sets[PL_ROLE_TRAIN].examples, &t->schedule, e);
    if (!s)
        s = make_request(t, e);
    if (s)
        return s;
    s = measure_learned(t, e);
    if (s)
        return s;
    t->checkpoint_bytes = pl__checkpoint_size(t);
    t->output_bytes = pl__output_bytes(t);
    choose_spill(t);
    s = pl__size_for(t, t->request.batch_rows, e);
    if (!s)
        s = measure_disk(t, e);
    if (!s)
        s = choose_precision(t, e);
    if (!s)
        s = t->saved_plan.file ? pl__saved_take(t, e) : pl__fit(t, e);
    return s ? s : check_disk(t, e);
}

pl_status pl_trainer_plan(pl_trainer *t, pl_error *e)
{
    pl_error_clear(e);
    if (t->planned || !t->reading.tokenizer)
        return pl_fail(e, PL_USAGE, "pl_trainer_plan: once, behind pl_trainer_read");
    pl_status s = make(t, e);
    pl__reader_free(t); /* `longest` was in it */
    t->planned = !s;
    return s;
}

/* ---- what it says ---- */

bool pl_trainer_fits(const pl_trainer *t) { return t->plan.fits; }
pl_precision pl_trainer_precision(const pl_trainer *t) { return t->request.kernels->compute == PL_BF16 ? PL_PRECISION_BF16 : PL_PRECISION_F32; }
uint64_t pl_trainer_limit(const pl_trainer *t) { return t->limit; }
uint64_t pl_trainer_peak(const pl_trainer *t) { return t->plan.peak; }
uint64_t pl_trainer_floor(const pl_trainer *t) { return t->plan.floor; }
const char *pl_trainer_limit_reason(const pl_trainer *t) { return t->reason; }

static uint64_t floor_with(const pl_step_request *r)
{
    pl_step_plan plan;
    return pl__search(r, &plan, NULL) == PL_OK ? plan.floor : UINT64_MAX;
}

pl_status pl_trainer_refusal(const pl_trainer *t, pl_error *e)
{
    char limit[32], least[32], with[32];
    uint64_t floor = t->plan.floor;
    pl_fail(e, PL_NO_FIT, "%s: does not fit: the limit is %llu bytes (%s, %s), the smallest that works is %llu bytes (%s)", pl_folder_path(t->reading.folder),
        (unsigned long long)t->limit, pl_bytes_text(t->limit, limit), t->reason, (unsigned long long)floor, pl_bytes_text(floor, least));
    pl_hint(e, "--memory %llu runs it", (unsigned long long)floor);
    pl_step_request r = t->request;
    if (r.spill_is_memory) {
        r.spill_is_memory = false;
        pl_hint(e, "--spill FOLDER on a disk (%s is memory) needs %s at least", t->paths.spill, pl_bytes_text(floor_with(&r), with));
    }
    r = t->request;
    if (r.threads > 1) {
        r.threads = 1;
        pl_hint(e, "--threads 1 needs %s at least", pl_bytes_text(floor_with(&r), with));
    }
    r = t->request;
    if (r.batch > 1) {
        r.batch /= 2;
        r.batch_rows = pl_max(r.batch_rows / 2, r.longest);
        pl_hint(e, "--batch %u needs %s at least, but learns something else", r.batch, pl_bytes_text(floor_with(&r), with));
    }
    return PL_NO_FIT;
}
