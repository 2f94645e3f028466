/* The plan of a training, in the form of every plan. */
#include "plan/sheet.h"
#include "train/plan.h"
#include "train/trainer.h"

#include <stdio.h>

static const char *yes_no(bool yes) { return yes ? "true" : "false"; }

static const char *precision_name(const pl_trainer *t) { return pl_trainer_precision(t) == PL_PRECISION_BF16 ? "bf16" : "f32"; }

static pl_sheet sheet_of(const pl_trainer *t)
{
    return (pl_sheet){
        t->model.family, &t->plan.ledger, pl__train_moment_name, PL__TRAIN_MOMENTS, t->plan.fits, t->limit, t->plan.peak, t->plan.floor, t->reason};
}

static double tokens_per_second(const pl_trainer *t) { return (double)pl__usual_rows(&t->request) / t->plan.seconds_per_step; }

static void knobs(pl_printer *p, const pl_trainer *t)
{
    const pl_step_knobs *k = &t->plan.knobs;
    pl_print(p,
        "{\"micro_rows\":%u,\"kept_layers\":%u,\"passing_layers\":%u,\"rest\":\"%s\",\"passing_rest\":%s,\"resident_state\":%u,\"spill_inputs\":%s,\"spill_"
        "state\":%s,\"spill_gradients\":%s,"
        "\"spill_weights\":%s,",
        k->micro_rows, k->kept_layers, k->passing_layers, pl__rest_name(k->rest), yes_no(k->passing_rest), k->resident_state, yes_no(k->spill_inputs),
        yes_no(k->spill_state), yes_no(k->spill_gradients), yes_no(k->spill_weights));
    pl_print(p,
        "\"batch\":%u,\"batch_rows\":%llu,\"longest\":%u,\"words\":%u,\"threads\":%u,\"precision\":\"%s\",\"shards\":%u,\"isa\":\"%s\",\"max_length\":%u}",
        t->request.batch, (unsigned long long)t->request.batch_rows, t->request.longest, t->request.used_count, t->request.threads, precision_name(t),
        t->request.recipe.shards, t->request.kernels->name, t->reading.max_length);
}

pl_status pl_trainer_knobs_json(const pl_trainer *t, pl_write write, void *self, pl_error *e)
{
    pl_printer p = {write, self, e, PL_OK};
    knobs(&p, t);
    return p.status;
}

/* Steps that the disk sees: all of them where the data is known, else one. */
static uint64_t steps(const pl_trainer *t) { return t->sets[PL_ROLE_TRAIN].name ? t->schedule.steps : 1; }

static uint64_t checkpoints_written(const pl_trainer *t) { return t->sets[PL_ROLE_TRAIN].name && t->paths.out ? t->schedule.steps / t->recipe.save_every : 0; }

pl_status pl_trainer_json(const pl_trainer *t, pl_write write, void *self, pl_error *e)
{
    enum { HUGE_PAGE = 2 << 20 };
    pl_printer p = {write, self, e, PL_OK};
    pl_sheet s = sheet_of(t);
    uint64_t saved = t->paths.out ? (t->recipe.keep + 1) * t->checkpoint_bytes + t->output_bytes : 0;
    uint64_t written = steps(t) * t->plan.spill_written + checkpoints_written(t) * t->checkpoint_bytes + (t->paths.out ? t->output_bytes : 0);
    pl_print(&p, "{");
    pl_sheet_json_head(&p, &s);
    pl_print(&p, ",\"knobs\":");
    knobs(&p, t);
    pl_print(&p, ",\"disk_bytes\":%llu,\"read_bytes\":%llu,\"write_bytes\":%llu,\"virtual_bytes\":%llu",
        (unsigned long long)t->plan.spill_bytes + (unsigned long long)t->spool.end + (unsigned long long)saved,
        (unsigned long long)t->learned.count * sizeof(float) + (unsigned long long)steps(t) * t->plan.spill_read,
        (unsigned long long)t->spool.end + (unsigned long long)written, (unsigned long long)t->plan.peak + HUGE_PAGE);
    pl_print(&p, ",\"steps\":%llu,\"step\":{\"seconds\":", (unsigned long long)(t->sets[PL_ROLE_TRAIN].name ? t->schedule.steps : 0));
    pl_print_double(&p, t->plan.seconds_per_step);
    pl_print(&p, ",\"read_bytes\":%llu,\"write_bytes\":%llu},\"spill_bytes\":%llu", (unsigned long long)t->plan.spill_read,
        (unsigned long long)t->plan.spill_written, (unsigned long long)t->plan.spill_bytes);
    pl_sheet_json_ledger(&p, &s);
    pl_print(&p, ",\"estimate\":{\"tokens_per_second\":");
    pl_print_double(&p, tokens_per_second(t));
    if (t->plan.disk_seconds > 0) {
        pl_print(&p, ",\"disk_seconds_per_step\":");
        pl_print_double(&p, t->plan.disk_seconds);
        pl_print(&p, ",\"disk_bytes_per_second\":");
        pl_print_double(&p, t->request.spill_bytes_per_second);
    }
    pl_print(&p, "},");
    if (t->plan.has_next) {
        pl_print(&p, "\"next\":{\"peak_bytes\":%llu,\"tokens_per_second\":", (unsigned long long)t->plan.next_peak);
        pl_print_double(&p, (double)pl__usual_rows(&t->request) / t->plan.next_seconds);
        pl_print(&p, "},");
    }
    pl_print(&p, "\"model\":{\"family\":\"%s\",\"task\":\"train\",\"digest\":\"%016llx\"},\"plimsoll\":\"%s\"}\n", t->model.family,
        (unsigned long long)pl__model_digest(&t->model), PL_VERSION);
    return p.status;
}

/* ---- for people ---- */

static void text_spill(pl_printer *p, const pl_trainer *t)
{
    const pl_step_plan *q = &t->plan;
    char file[32], read[32], written[32], all[32];
    if (!q->spill_bytes) {
        pl_print(p, "nothing is spilled: weights, gradients and moments stay in memory\n");
        return;
    }
    const pl_step_knobs *k = &q->knobs;
    char moments[32] = "", layers[64] = "";
    static const char *const rests[PL_RESTS] = {"", "sums of the others, ", "feed-forward values of the others, "};
    if (k->spill_state && k->resident_state)
        snprintf(moments, sizeof moments, "%u/%d of the ", PL_STATE_PARTS - k->resident_state, PL_STATE_PARTS);
    if (k->passing_layers)
        snprintf(layers, sizeof layers, "inner values of %u layers, ", k->passing_layers);
    pl_print(p, "spilled to %s%s: %s%s%s%s%s%s%s%s a file of %s, %s read and %s written a step", t->paths.spill, t->spill_is_memory ? " (which is memory)" : "",
        moments, k->spill_state ? "moments, " : "", k->spill_gradients ? "gradients, " : "", k->spill_weights ? "weights, " : "",
        k->spill_inputs ? "inputs of the layers, " : "", layers, k->passing_rest ? rests[k->rest] : "", "in", pl_bytes_text(q->spill_bytes, file),
        pl_bytes_text(q->spill_read, read), pl_bytes_text(q->spill_written, written));
    uint64_t total = steps(t) * q->spill_written;
    if (steps(t) > 1)
        pl_print(p, ", %s in all%s", pl_bytes_text(total, all), total >> 40 ? ": that wears a drive out" : "");
    pl_print(p, "\n");
    if (q->disk_seconds > 0)
        pl_print(p, "the page cache does not hold it: the disk at %s a second takes %.3g s of a step%s\n",
            pl_bytes_text((uint64_t)t->request.spill_bytes_per_second, all), q->disk_seconds,
            q->disk_seconds >= q->seconds_per_step ? " and decides how long it is" : ", beside what is computed");
}

pl_status pl_trainer_text(const pl_trainer *t, bool color, pl_write write, void *self, pl_error *e)
{
    pl_printer p = {write, self, e, PL_OK};
    pl_sheet s = sheet_of(t);
    const pl_step_plan *q = &t->plan;
    const char *bold = color ? "\x1b[1m" : "", *plain = color ? "\x1b[0m" : "";
    char next[32];
    pl_print(&p, "%s%s%s  train, %s, %s on %u thread%s, %u texts a step of at most %u tokens, %llu in all\n", bold, t->model.family, plain, precision_name(t),
        t->request.kernels->name, t->request.threads, t->request.threads == 1 ? "" : "s", t->request.batch, t->request.longest,
        (unsigned long long)t->request.batch_rows);
    pl_sheet_text_head(&p, &s, color);
    pl_sheet_text_ledger(&p, &s, color);
    static const char *const rests[PL_RESTS] = {"", " but for their sums", " but for their feed-forward"};
    pl_print(&p, "\nmicro-batches of %u token rows; inner values of %u of %u layers are kept, the others computed again%s\n", q->knobs.micro_rows,
        q->knobs.kept_layers, t->model.layers, rests[q->knobs.rest]);
    text_spill(&p, t);
    if (t->sets[PL_ROLE_TRAIN].name)
        pl_print(&p, "%llu steps of about %.3g s\n", (unsigned long long)t->schedule.steps, q->seconds_per_step);
    pl_print(&p, "about %.0f tokens a second\n", tokens_per_second(t));
    if (q->has_next)
        pl_print(&p, "with %s it would be %.2f times as fast\n", pl_bytes_text(q->next_peak, next), q->seconds_per_step / q->next_seconds);
    return p.status;
}

pl_status pl_trainer_svg(const pl_trainer *t, pl_write write, void *self, pl_error *e)
{
    pl_printer p = {write, self, e, PL_OK};
    pl_sheet s = sheet_of(t);
    pl_sheet_svg(&p, &s);
    return p.status;
}
