/* A plan saved by `plan --json`, read again. */
#include "infer/infer.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 4 << 20 };

static pl_status no_plan(const char *file, const char *key, pl_error *e)
{
    return pl_fail(e, PL_BAD_INPUT, "%s: %s: missing or wrong, a plan saved by `plimsoll plan --json` has it", file, key);
}

static pl_status size_of(pl_json_doc d, const char *key, uint64_t most, uint64_t *out, pl_error *e)
{
    return pl_json_has(d, key) ? pl_json_size(d, key, 0, most, 0, out, e) : no_plan(d.path, key, e);
}

typedef struct saved_numbers {
    uint64_t slab, resident, slots, tile_rows, window_rows, threads, max_length, longest;
} saved_numbers;

static pl_status read_knobs(pl_json_doc d, saved_numbers *n, bool *huge, const char **precision, pl_error *e)
{
    struct {
        const char *key;
        uint64_t most, *out;
    } all[] = {{"slab_bytes", INT64_MAX, &n->slab}, {"resident_groups", UINT32_MAX, &n->resident}, {"slots", 16, &n->slots},
        {"tile_rows", UINT32_MAX, &n->tile_rows}, {"window_rows", UINT32_MAX, &n->window_rows}, {"threads", UINT32_MAX, &n->threads},
        {"max_length", UINT32_MAX, &n->max_length}, {"longest", UINT32_MAX, &n->longest}};
    pl_status s = PL_OK;
    for (size_t i = 0; i < PL_COUNT(all) && !s; i++)
        s = size_of(d, all[i].key, all[i].most, all[i].out, e);
    if (!s)
        s = pl_json_bool(d, "huge_pages", false, huge, e);
    return s ? s : pl_json_text(d, "precision", "", precision, e);
}

/* The saved plan's own options stand where the caller left his at their defaults; one that differs
 * is refused by its name. */
static pl_status adopt(const char *file, const char *option, uint32_t saved, uint32_t *given, pl_error *e)
{
    if (*given && *given != saved)
        return pl_fail(e, PL_NO_FIT, "%s: made for %s %u, not %u; plan again or leave %s out", file, option, saved, *given, option);
    *given = saved;
    return PL_OK;
}

static pl_status read_saved(const char *file, const json_t *root, pl_options *o, pl__saved *saved, pl_error *e)
{
    pl_json_doc d = {file, root}, knobs = {file, json_object_get(root, "knobs")};
    pl_json_doc model = {file, json_object_get(root, "model")};
    const char *precision, *digest;
    saved_numbers n;
    if (!json_is_object(knobs.root))
        return no_plan(file, "knobs", e);
    if (!json_is_object(model.root))
        return no_plan(file, "model", e);
    pl_status s = size_of(d, "peak_bytes", INT64_MAX, &saved->peak, e);
    if (!s)
        s = size_of(d, "limit_bytes", INT64_MAX, &saved->limit, e);
    if (!s)
        s = read_knobs(knobs, &n, &saved->knobs.huge, &precision, e);
    if (!s)
        s = pl_json_text(model, "digest", "", &digest, e);
    if (s)
        return s;
    char *end;
    saved->digest = strtoull(digest, &end, 16);
    if (strlen(digest) != 16 || *end)
        return no_plan(file, "model.digest", e);
    if (json_is_false(json_object_get(root, "fits")))
        return pl_fail(e, PL_NO_FIT, "%s: this plan did not fit its own limit; plan again with more memory", file);
    static const char *const names[] = {[PL_PRECISION_F32] = "f32", [PL_PRECISION_BF16] = "bf16"};
    if (o->precision == PL_PRECISION_AUTO)
        o->precision = strcmp(precision, "bf16") == 0 ? PL_PRECISION_BF16 : PL_PRECISION_F32;
    if (o->precision > PL_PRECISION_BF16 || strcmp(precision, names[o->precision]) != 0)
        return pl_fail(e, PL_NO_FIT, "%s: made for --precision %s", file, precision);
    saved->knobs.slab = n.slab;
    saved->knobs.resident = (uint32_t)n.resident;
    saved->knobs.slots = (uint32_t)n.slots;
    saved->knobs.tile_rows = (uint32_t)n.tile_rows;
    saved->knobs.pass_rows = (uint32_t)n.window_rows;
    s = adopt(file, "--threads", (uint32_t)n.threads, &o->threads, e);
    if (!s)
        s = adopt(file, "--max-length", (uint32_t)n.max_length, &o->max_length, e);
    o->longest = (uint32_t)n.longest;
    return s;
}

pl_status pl_plan_load(const char *model, const pl_options *options, const char *file, pl_plan **out, pl_error *e)
{
    json_t *root;
    *out = NULL;
    pl_status s = pl_json_load(file, MOST_BYTES, &root, e);
    if (s)
        return s;
    pl_options o = *options;
    pl__saved saved = {.file = file};
    s = read_saved(file, root, &o, &saved, e);
    json_decref(root);
    return s ? s : pl__plan_from(model, &o, &saved, out, e);
}
