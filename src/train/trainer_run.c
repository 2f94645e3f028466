/* The loop: batches, steps, lines of the log, evaluations, checkpoints; then the trained folder. */
#include "train/files.h"
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- telling ---- */

static pl_status tell(pl_trainer *t, pl_event *event, pl_error *e)
{
    event->step = t->progress.step;
    event->steps = t->schedule.steps;
    event->epoch = pl__schedule_epoch(&t->schedule, t->progress.step);
    return t->events ? t->events(t->events_self, event, e) : PL_OK;
}

void pl__note(pl_trainer *t, const char *format, ...)
{
    char text[1024];
    pl_error dropped;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tell(t, &(pl_event){.kind = PL_EVENT_NOTE, .text = text}, &dropped);
}

static void note_data(pl_trainer *t)
{
    const pl__labels *l = &t->labels;
    if (l->found == 1 && l->problem == PL_PROBLEM_SINGLE)
        pl__note(t, "warning: all texts have the same label, there is nothing to tell apart");
    for (size_t i = t->model.operator_count; i-- > 0;) {
        const pl_operator *op = &t->model.operators[i];
        if (op->kind == PL_OPERATOR_LINEAR && op->weight[0] && pl_tensor_is_fresh(op->weight[0]))
            pl__note(t, "%s is new: the folder has none for these %u labels", op->weight[0]->name, l->count);
        if (op->phase != PL_PHASE_HEAD)
            break;
    }
}

/* ---- memory taken away ---- */

/* Files on tmpfs are memory of ours that no process has resident. */
static uint64_t files_in_memory(const pl_trainer *t, uint64_t spilled) { return t->spill_is_memory ? t->spool.end + spilled : 0; }

static void look_at_memory(void *self)
{
    pl_trainer *t = self;
    pl_pressure pressure;
    pl_process_memory own;
    uint64_t peak = pl_step_plan_now(t->step)->peak;
    if (atomic_exchange(&t->shown_peak, peak) != peak)
        pl_promise_change(t->promise, peak);
    uint64_t asked = atomic_exchange(&t->asked, 0);
    if (asked) {
        pl_governor_ask(&t->governor, asked - 1);
        peak = pl_min(t->governor.limit, t->plan.peak); /* of the plan that follows: what was asked for need not be there */
    }
    if (!pl_os_process_memory(&t->view, 0, &own)) /* first: what is touched meanwhile counts as taken, not as left */
        return;
    pl_os_watch_read(t->watch, &pressure);
    own.resident += files_in_memory(t, pl_step_plan_now(t->step)->spill_bytes);
    uint64_t held = own.resident > t->foreign ? own.resident - t->foreign : 0;
    uint64_t limit = pl_governor_look(&t->governor, &pressure, pl_min(held, peak), peak, pl_os_seconds());
    if (limit == atomic_load(&t->shown_limit))
        return;
    if (pl_step_shrink(t->step, limit) == PL_OK)
        atomic_store(&t->shown_limit, limit);
}

pl_status pl_trainer_shrink(pl_trainer *t, uint64_t bytes)
{
    if (bytes && bytes < t->plan.floor)
        return PL_NO_FIT;
    atomic_store(&t->asked, bytes + 1);
    pl_step *step = atomic_load(&t->running);
    if (step)
        pl_step_shrink(step, bytes);
    return PL_OK;
}

void pl_trainer_stop(pl_trainer *t)
{
    atomic_store(&t->stop, true);
    pl_step *step = atomic_load(&t->running);
    uint64_t steps = atomic_load(&t->shown_step);
    static const double PATIENCE = 2; /* a step that takes longer is given up and done again later */
    if (step && (steps == 0 || atomic_load(&t->step_seconds) / (double)steps > PATIENCE))
        pl_step_stop(step);
}

/* ---- one step ---- */

static pl_status fail_loss(pl_trainer *t, const pl_step_result *r, pl_error *e)
{
    enum { CHUNK = 1 << 12 };
    float chunk[CHUNK];
    const char *tensor = NULL;
    for (size_t i = 0; i < pl_step_parameters(t->step) && !tensor; i++) {
        const pl_parameter *p = pl_step_parameter(t->step, i);
        for (uint64_t at = 0; at < p->count && !tensor; at += CHUNK) {
            uint64_t n = pl_min(CHUNK, p->count - at);
            if (pl_step_get(t->step, 0, p->first + at, n, chunk, NULL))
                break;
            for (uint64_t k = 0; k < n && !tensor; k++)
                if (!isfinite(chunk[k]))
                    tensor = p->name;
        }
    }
    uint64_t line = t->work.lines[r->bad_text];
    pl_fail(e, PL_BAD_INPUT, "%s: line %llu: the loss of this text is not finite in step %llu: %s%s", t->sets[PL_ROLE_TRAIN].name, (unsigned long long)line,
        (unsigned long long)t->progress.step + 1, tensor ? "weights are not in " : "its logits are too large", tensor ? tensor : "");
    return PL_BAD_INPUT;
}

static pl_status check_result(pl_trainer *t, const pl_step_result *r, pl_error *e)
{
    pl_status s = PL_OK;
    if (r->bad_text != UINT32_MAX)
        s = fail_loss(t, r, e);
    else if (r->bad_parameter != SIZE_MAX)
        s = pl_fail(e, PL_BAD_INPUT, "%s: lines %llu ..: the gradient of %s is not finite in step %llu", t->sets[PL_ROLE_TRAIN].name,
            (unsigned long long)t->work.lines[0], pl_step_parameter(t->step, r->bad_parameter)->name, (unsigned long long)t->progress.step + 1);
    if (s)
        pl_hint(e, "a smaller --lr, more --warmup-steps or --max-grad-norm 1 help most often");
    return s;
}

static pl_status load_batch(pl_trainer *t, uint64_t step, pl_batch *b, pl_error *e)
{
    const pl__set *set = &t->sets[PL_ROLE_TRAIN];
    pl__order order;
    pl__order_of(t, step, &order);
    for (uint32_t i = 0; i < order.texts; i++)
        t->work.examples[i] = pl__order_at(&order, i);
    return pl__batch_load(t, set, t->work.index, order.texts, b, e);
}

static pl_status log_loss(pl_trainer *t, double lr, double grad_norm, pl_error *e)
{
    pl__progress *g = &t->progress;
    double loss = g->loss_sum / (double)g->loss_steps;
    pl__entry x = {.step = g->step, .kind = PL__ENTRY_LOSS, .count = 3, .epoch = pl__schedule_epoch(&t->schedule, g->step), .values = {loss, lr, grad_norm}};
    pl_status s = pl__journal_add(&t->journal, &x, e);
    g->loss_sum = 0;
    g->loss_steps = 0;
    return s ? s : tell(t, &(pl_event){.kind = PL_EVENT_LOG, .loss = loss, .lr = lr, .grad_norm = grad_norm}, e);
}

static pl_status one_step(pl_trainer *t, pl_error *e)
{
    pl__progress *g = &t->progress;
    pl_batch b;
    pl_step_result r;
    uint64_t step = g->step + 1;
    double lr = pl__schedule_lr(&t->schedule, step), start = pl_os_seconds();
    pl_status s = load_batch(t, step, &b, e);
    if (!s)
        s = pl_step_run(t->step, &b, step, lr, &r, e);
    if (!s)
        s = check_result(t, &r, e);
    if (s)
        return s;
    g->step = step;
    g->loss_sum += r.loss;
    g->loss_steps++;
    g->total_loss += r.loss;
    g->texts += b.texts;
    g->tokens += b.rows;
    atomic_store(&t->step_seconds, atomic_load(&t->step_seconds) + pl_os_seconds() - start);
    atomic_fetch_add(&t->shown_step, 1);
    atomic_fetch_add(&t->shown_texts, b.texts);
    atomic_fetch_add(&t->shown_tokens, b.rows);
    if (step % t->recipe.log_every == 0 || t->recipe.dry_run)
        s = log_loss(t, lr, r.grad_norm, e);
    return s ? s : tell(t, &(pl_event){.kind = PL_EVENT_STEP}, e);
}

/* ---- evaluation ---- */

static pl_status judge(pl_trainer *t, const double *values, pl_error *e)
{
    pl__progress *g = &t->progress;
    unsigned index;
    bool less;
    pl_status s = pl__metric_find(t, &index, &less, e);
    if (s)
        return s;
    double value = values[index];
    bool better = isfinite(value) && (!g->best_step || (less ? value < g->best_value : value > g->best_value));
    if (!better) {
        g->worse++;
        g->ended = t->recipe.early_stopping && g->worse >= t->recipe.early_stopping;
        return PL_OK;
    }
    g->best_step = g->step;
    g->best_value = value;
    g->worse = 0;
    if (!t->recipe.best || t->recipe.dry_run || !t->paths.out)
        return PL_OK;
    s = pl__best_save(t, e);
    return s ? s : pl__checkpoint_prune(t, e);
}

static pl_status evaluate(pl_trainer *t, pl_error *e)
{
    pl__progress *g = &t->progress;
    const char *names[PL__MOST_FIGURES];
    double values[PL__MOST_FIGURES];
    pl_status s = pl__evaluate(t, values, e);
    if (s)
        return s;
    size_t count = pl__figure_names(t, names);
    pl__entry x = {.step = g->step, .kind = PL__ENTRY_EVALUATION, .count = (uint32_t)count, .epoch = pl__schedule_epoch(&t->schedule, g->step)};
    memcpy(x.values, values, count * sizeof *values);
    s = pl__journal_add(&t->journal, &x, e);
    g->evaluated = g->step;
    if (!s && (t->recipe.best || t->recipe.early_stopping))
        s = judge(t, values, e);
    return s ? s : tell(t, &(pl_event){.kind = PL_EVENT_EVALUATION, .names = names, .values = values, .figures = count}, e);
}

static bool wants_evaluation(const pl_trainer *t)
{
    const pl__progress *g = &t->progress;
    return t->sets[PL_ROLE_EVALUATE].name && g->step > 0 && g->evaluated != g->step && (g->step % t->schedule.per_epoch == 0 || g->step == t->schedule.steps);
}

/* ---- the loop ---- */

static bool saves(const pl_trainer *t) { return t->paths.out && !t->recipe.dry_run; }

static pl_status save(pl_trainer *t, pl_error *e)
{
    pl_status s = pl__checkpoint_save(t, e);
    if (s)
        return s;
    t->saved = t->progress.step;
    char *folder = pl__kept_path(t, "checkpoint", t->saved, "", e);
    s = folder ? tell(t, &(pl_event){.kind = PL_EVENT_SAVED, .text = folder}, e) : PL_MACHINE;
    pl__path_free(folder);
    return s;
}

static bool is_done(const pl_trainer *t)
{
    const pl__progress *g = &t->progress;
    return g->ended || g->step == t->schedule.steps || (t->recipe.dry_run && g->step > 0);
}

static pl_status go_on(pl_trainer *t, pl_error *e)
{
    pl_status s = PL_OK;
    while (!s) {
        if (wants_evaluation(t))
            s = evaluate(t, e);
        if (!s && saves(t) && t->progress.step > 0 && t->progress.step % t->recipe.save_every == 0 && t->saved != t->progress.step)
            s = save(t, e);
        if (s || is_done(t))
            return s;
        if (atomic_load(&t->stop))
            return pl_fail(e, PL_STOPPED, "stopped on request");
        s = one_step(t, e);
    }
    return s;
}

/* What is done is kept, whatever ended it; where that fails too, what was kept before stays. */
static void keep_progress(pl_trainer *t, pl_status status, pl_error *e)
{
    pl_error why;
    if (!saves(t))
        return;
    if (t->progress.step == 0) {
        rmdir(t->paths.partial); /* nothing is in it */
        return;
    }
    bool worth = status == PL_STOPPED || status == PL_BROKEN_PIPE;
    if (worth && t->saved != t->progress.step && pl__checkpoint_save(t, &why) == PL_OK)
        t->saved = t->progress.step;
    if (worth && t->saved != t->progress.step)
        pl_hint(e, "%s", why.text);
    if (t->saved) {
        pl_hint(e, "%s/checkpoint-%llu is kept, --resume goes on from it", t->paths.partial, (unsigned long long)t->saved);
    } else {
        rmdir(t->paths.partial); /* unless something is in it */
        pl_hint(e, "no checkpoint was written yet");
    }
}

/* ---- before and after ---- */

/* The machine has less than the plan needs: another plan within what there is. */
static pl_status make_do(pl_trainer *t, uint64_t bytes, const char *why, pl_error *e)
{
    char had[32], has[32];
    pl_step_request r = t->request;
    pl_step_plan plan;
    r.limit = bytes;
    pl_status s = pl_step_plan_make(&r, &t->region, &plan, e);
    if (s)
        return s;
    if (!plan.fits)
        return pl_fail(e, PL_NO_FIT, "the plan needs %s, the machine can spare %s now (%s), which no plan fits", pl_bytes_text(t->plan.peak, had),
            pl_bytes_text(bytes, has), why);
    pl__note(t, "memory: %s is not there now, going on with %s (%s)", pl_bytes_text(t->plan.peak, had), pl_bytes_text(plan.peak, has), why);
    t->plan = plan;
    return PL_OK;
}

static pl_status check_machine(pl_trainer *t, pl_error *e)
{
    pl_spare spare;
    pl_process_memory own;
    if (pl_os_spare(&t->view, &spare, NULL) || !pl_os_process_memory(&t->view, 0, &own))
        return PL_OK; /* without /proc nothing says what there is, and the limit that was set stands */
    own.resident += files_in_memory(t, 0);
    t->foreign = pl_ledger_outside(&t->plan.ledger, own.resident);
    uint64_t ours = spare.bytes + own.resident - t->foreign;
    return ours >= t->plan.peak ? PL_OK : make_do(t, ours, spare.reason, e);
}

static pl_status take_work(pl_trainer *t, pl_error *e)
{
    pl_carver c = {0};
    pl__work_lay_out(t, &c, &t->work);
    size_t bytes = c.used;
    t->work_memory = pl_memory_system()->take(pl_memory_system()->self, bytes);
    if (!t->work_memory)
        return pl_fail_no_memory(e, bytes, "the training");
    c = (pl_carver){.base = t->work_memory};
    pl__work_lay_out(t, &c, &t->work);
    pl_status s = pl__journal_open(&t->journal, t->paths.spill, e);
    return s ? s : pl__index_make(t, e);
}

static pl_status open_step(pl_trainer *t, pl_error *e)
{
    size_t watch_bytes = pl_os_watch_bytes(&t->view);
    void *watch = pl_region_take(&t->region, watch_bytes);
    if (!watch)
        return pl_fail_no_memory(e, watch_bytes, "the training");
    t->watch = pl_os_watch_open(&t->view, watch, watch_bytes);
    pl_governor_init(&t->governor, t->limit, t->plan.floor);
    atomic_store(&t->shown_limit, t->limit);
    atomic_store(&t->shown_peak, t->plan.peak);
    pl_status s = pl_step_open(&t->request, &t->plan, &t->step, e);
    if (s)
        return s;
    pl_step_watch(t->step, look_at_memory, t);
    atomic_store(&t->running, t->step);
    return PL_OK;
}

/* Is there something to go on from, or to finish? Nothing has been touched when it fails. */
static pl_status look_back(pl_trainer *t, bool *resumed, bool *finished, pl_error *e)
{
    *resumed = *finished = false;
    if (!saves(t))
        return PL_OK;
    pl_status s = pl__output_lock(t, e);
    if (!s)
        s = pl__recipe_text(t, &t->recipe_text, e);
    if (s || !t->recipe.resume)
        return s;
    pl_error damage;
    s = pl__output_is_finished(t, finished, &damage, e);
    if (!s && !t->placed)
        s = pl__output_strangers(t, e);
    if (!s && !*finished)
        s = pl__checkpoint_look(t, resumed, e);
    if (s || *finished)
        return s;
    if (damage.status && !*resumed) { /* beginning anew would remove what may still be mended */
        if (e)
            *e = damage;
        pl_hint(e, "no checkpoint is left in %s; --overwrite begins anew", t->paths.partial);
        return damage.status;
    }
    if (damage.status)
        pl__note(t, "the finished model is passed over: %s", damage.text);
    if (!*resumed)
        pl__note(t, "%s holds no checkpoint: beginning from the start", t->paths.partial);
    return PL_OK;
}

static pl_status train(pl_trainer *t, bool resumed, pl_error *e)
{
    pl_status s = take_work(t, e);
    if (!s)
        s = open_step(t, e);
    if (!s && resumed)
        s = pl__checkpoint_load(t, e);
    if (!s && saves(t))
        s = pl__output_begin(t, resumed, e);
    if (!s && resumed) /* an interrupted run may have left one too many */
        s = pl__checkpoint_prune(t, e);
    if (s)
        return s;
    t->saved = t->progress.step;
    if (resumed)
        pl__note(t, "going on behind step %llu of %llu", (unsigned long long)t->progress.step, (unsigned long long)t->schedule.steps);
    s = go_on(t, e);
    if (!s && saves(t) && t->recipe.best && t->progress.best_step)
        s = pl__best_load(t, e);
    if (!s && saves(t))
        s = pl__output_finish(t, e);
    if (s)
        keep_progress(t, s, e);
    return s;
}

pl_status pl_trainer_run(pl_trainer *t, pl_events events, void *self, pl_error *e)
{
    if (atomic_exchange(&t->busy, true))
        return pl_fail(e, PL_BUSY, "this training runs already");
    pl_error_clear(e);
    if (!t->planned || !t->sets[PL_ROLE_TRAIN].name || t->texts_only || t->work_memory)
        return pl_fail(e, PL_USAGE, "pl_trainer_run: once, behind pl_trainer_read and pl_trainer_plan");
    if (!t->plan.fits)
        return pl_trainer_refusal(t, e);
    t->events = events;
    t->events_self = self;
    t->view = (pl_os_view){"/proc", "/sys", t->options.environment ? t->options.environment->runtime_folder : NULL};
    note_data(t);
    bool resumed, finished;
    int turn = pl_promise_turn(&t->view);
    pl_status s = check_machine(t, e);
    if (!s)
        pl_promise_make(&t->view, t->plan.peak, &t->promise);
    pl_promise_turn_end(turn);
    if (!s)
        s = look_back(t, &resumed, &finished, e);
    if (!s)
        s = finished ? pl__output_place(t, e) : train(t, resumed, e);
    atomic_store(&t->running, NULL);
    t->bends = t->step ? pl_step_bends(t->step) : 0;
    if (t->step)
        pl_step_traffic(t->step, &t->read, &t->written);
    pl_step_close(t->step);
    t->step = NULL;
    pl_promise_end(t->promise);
    t->promise = NULL;
    if (t->watch)
        pl_os_watch_close(t->watch);
    t->watch = NULL;
    pl__output_unlock(t);
    return s;
}

/* Of the last steps, where there are some since the last line, else of all. */
static double recent_loss(const pl__progress *g) { return g->loss_steps ? g->loss_sum / (double)g->loss_steps : g->step ? g->total_loss / (double)g->step : 0; }

void pl_trainer_stats(const pl_trainer *t, pl_training_stats *out)
{
    uint64_t read = t->read, written = t->written;
    if (t->step)
        pl_step_traffic(t->step, &read, &written);
    *out = (pl_training_stats){
        .step = t->progress.step,
        .steps = t->schedule.steps,
        .run_steps = atomic_load(&t->shown_step),
        .loss = recent_loss(&t->progress),
        .texts = atomic_load(&t->shown_texts),
        .tokens = atomic_load(&t->shown_tokens),
        .seconds = atomic_load(&t->step_seconds),
        .read_seconds = t->read_seconds,
        .evaluate_seconds = t->evaluate_seconds,
        .save_seconds = t->save_seconds,
        .limit_bytes = atomic_load(&t->shown_limit),
        .peak_bytes = atomic_load(&t->shown_peak),
        .bends = t->step ? pl_step_bends(t->step) : t->bends,
        .read_bytes = read,
        .written_bytes = written,
    };
}
