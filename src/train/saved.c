/* A plan saved by `plan --train --json`, read again: the same knobs for the same work, or a refusal. */
#include "train/trainer.h"

#include "train/plan.h"

#include <stdio.h>
#include <string.h>

enum { MOST_BYTES = 4 << 20 };

static pl_status no_plan(const char *file, const char *key, pl_error *e)
{
    return pl_fail(e, PL_BAD_INPUT, "%s: %s: missing or wrong, a plan saved by `plimsoll plan --train --json` has it", file, key);
}

static pl_status whole(pl_json_doc d, const char *key, uint64_t most, uint64_t *out, pl_error *e)
{
    return pl_json_has(d, key) ? pl_json_size(d, key, 0, most, 0, out, e) : no_plan(d.path, key, e);
}

static pl_status flag(pl_json_doc d, const char *key, bool *out, pl_error *e)
{
    return pl_json_has(d, key) ? pl_json_bool(d, key, false, out, e) : no_plan(d.path, key, e);
}

static pl_status word(pl_json_doc d, const char *key, char *out, size_t capacity, pl_error *e)
{
    const char *text;
    pl_status s = pl_json_text(d, key, "", &text, e);
    if (!s && (*text == '\0' || strlen(text) >= capacity))
        s = no_plan(d.path, key, e);
    if (!s)
        memcpy(out, text, strlen(text) + 1);
    return s;
}

static pl_status read_knobs(pl_json_doc d, pl__saved_plan *p, pl_error *e)
{
    uint64_t micro = 0, kept = 0, passing = 0, resident = 0;
    const struct {
        const char *key;
        uint64_t *out;
    } numbers[] = {{"micro_rows", &micro}, {"kept_layers", &kept}, {"passing_layers", &passing}, {"resident_state", &resident}, {"batch", &p->batch},
        {"batch_rows", &p->batch_rows}, {"longest", &p->longest}, {"words", &p->words}, {"threads", &p->threads}, {"shards", &p->shards},
        {"max_length", &p->max_length}};
    const struct {
        const char *key;
        bool *out;
    } flags[] = {{"spill_inputs", &p->knobs.spill_inputs}, {"spill_state", &p->knobs.spill_state}, {"spill_gradients", &p->knobs.spill_gradients},
        {"spill_weights", &p->knobs.spill_weights}, {"passing_rest", &p->knobs.passing_rest}};
    pl_status s = PL_OK;
    for (size_t i = 0; i < PL_COUNT(numbers) && !s; i++)
        s = whole(d, numbers[i].key, UINT32_MAX, numbers[i].out, e);
    for (size_t i = 0; i < PL_COUNT(flags) && !s; i++)
        s = flag(d, flags[i].key, flags[i].out, e);
    if (!s)
        s = word(d, "precision", p->precision, sizeof p->precision, e);
    if (!s)
        s = word(d, "isa", p->isa, sizeof p->isa, e);
    char rest[16];
    if (!s)
        s = word(d, "rest", rest, sizeof rest, e);
    while (!s && p->knobs.rest < PL_RESTS && strcmp(rest, pl__rest_name(p->knobs.rest)) != 0)
        p->knobs.rest++;
    p->knobs.micro_rows = (uint32_t)micro;
    p->knobs.kept_layers = (uint32_t)kept;
    p->knobs.passing_layers = (uint32_t)passing;
    p->knobs.resident_state = (uint32_t)resident;
    return s;
}

static pl_status read_saved(const char *file, const json_t *root, pl__saved_plan *p, pl_error *e)
{
    pl_json_doc d = {file, root}, knobs = {file, json_object_get(root, "knobs")}, model = {file, json_object_get(root, "model")};
    if (!json_is_object(knobs.root))
        return no_plan(file, "knobs", e);
    if (!json_is_object(model.root))
        return no_plan(file, "model", e);
    pl_status s = whole(d, "limit_bytes", INT64_MAX, &p->limit, e);
    if (!s)
        s = whole(d, "peak_bytes", INT64_MAX, &p->peak, e);
    if (!s)
        s = word(model, "family", p->family, sizeof p->family, e);
    if (!s)
        s = word(model, "digest", p->digest, sizeof p->digest, e);
    if (!s)
        s = read_knobs(knobs, p, e);
    if (!s && json_is_false(json_object_get(root, "fits")))
        s = pl_fail(e, PL_NO_FIT, "%s: this plan did not fit its own limit; plan again with more memory", file);
    return s;
}

pl_status pl_trainer_load_plan(pl_trainer *t, const char *file, pl_error *e)
{
    json_t *root;
    pl_error_clear(e);
    if (t->planned)
        return pl_fail(e, PL_USAGE, "pl_trainer_load_plan: before pl_trainer_plan");
    pl_status s = pl_json_load(file, MOST_BYTES, &root, e);
    if (s)
        return s;
    pl__saved_plan *p = &t->saved_plan;
    *p = (pl__saved_plan){0};
    s = read_saved(file, root, p, e);
    json_decref(root);
    if (s)
        return s;
    p->file = file;
    if (!t->options.threads)
        t->options.threads = (uint32_t)p->threads;
    return PL_OK;
}

/* ---- taking it ---- */

static pl_status differs(const char *file, const char *what, uint64_t saved, uint64_t now, pl_error *e)
{
    return saved == now ? PL_OK
                        : pl_fail(e, PL_NO_FIT, "%s: made for %s %llu, not %llu; plan again", file, what, (unsigned long long)saved, (unsigned long long)now);
}

static pl_status differs_in_name(const char *file, const char *what, const char *saved, const char *now, pl_error *e)
{
    return strcmp(saved, now) == 0 ? PL_OK : pl_fail(e, PL_NO_FIT, "%s: made for %s %s, not %s; plan again", file, what, saved, now);
}

static pl_status same_work(const pl_trainer *t, pl_error *e)
{
    const pl__saved_plan *p = &t->saved_plan;
    const pl_step_request *r = &t->request;
    const struct {
        const char *what;
        uint64_t saved, now;
    } numbers[] = {{"--max-length", p->max_length, t->reading.max_length}, {"texts of", p->longest, r->longest}, {"--batch", p->batch, r->batch},
        {"--shards", p->shards, r->recipe.shards}, {"--threads", p->threads, r->threads},
        {"tokens in the largest step (data, --epochs, --max-steps, --shuffle, --seed)", p->batch_rows, r->batch_rows},
        {"words in the data", p->words, r->used_count}};
    const char *precision = pl_trainer_precision(t) == PL_PRECISION_BF16 ? "bf16" : "f32";
    char digest[24];
    snprintf(digest, sizeof digest, "%016llx", (unsigned long long)pl__model_digest(&t->model));
    pl_status s = differs_in_name(p->file, "the family", p->family, t->model.family, e);
    if (!s && strcmp(p->digest, digest) != 0)
        s = pl_fail(e, PL_NO_FIT, "%s: made for another model of this family, or for other labels; plan again", p->file);
    if (!s)
        s = differs_in_name(p->file, "--precision", p->precision, precision, e);
    if (!s)
        s = differs_in_name(p->file, "the instruction set", p->isa, r->kernels->name, e);
    for (size_t i = 0; i < PL_COUNT(numbers) && !s; i++)
        s = differs(p->file, numbers[i].what, numbers[i].saved, numbers[i].now, e);
    return s;
}

static bool possible(const pl_step_request *r, const pl_step_knobs *k)
{
    return k->micro_rows >= r->longest && k->micro_rows <= pl_max(r->batch_rows, r->longest) && k->kept_layers <= r->model->layers &&
        k->passing_layers <= k->kept_layers && k->rest < PL_RESTS && (k->rest == PL_REST_NOTHING || k->kept_layers < r->model->layers) &&
        (!k->passing_rest || k->rest != PL_REST_NOTHING) && k->resident_state < (k->spill_state ? PL_STATE_PARTS : 1);
}

pl_status pl__saved_take(pl_trainer *t, pl_error *e)
{
    const pl__saved_plan *p = &t->saved_plan;
    pl_status s = same_work(t, e);
    if (s)
        return s;
    if (!possible(&t->request, &p->knobs))
        return pl_fail(e, PL_BAD_INPUT, "%s: knobs: no plan of this training has these", p->file);
    s = pl_step_plan_with(&t->request, &p->knobs, &t->region, &t->plan, e);
    if (s)
        return s;
    char needs[32], limit[32];
    if (t->plan.peak != p->peak)
        return pl_fail(e, PL_NO_FIT, "%s: made for other data, other options or another version of plimsoll; plan again", p->file);
    if (!t->plan.fits)
        return pl_fail(e, PL_NO_FIT, "%s: needs %s of memory and %llu bytes of the spill folder, there are %s and %llu; plan again", p->file,
            pl_bytes_text(t->plan.peak, needs), (unsigned long long)t->plan.spill_bytes, pl_bytes_text(t->limit, limit),
            (unsigned long long)(t->request.spill_is_memory ? 0 : t->request.spill_free));
    return PL_OK;
}
