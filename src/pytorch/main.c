/* plimsoll-pytorch: answers `plimsoll plan MODEL --for pytorch ...`, which starts it with its own
 * arguments ("plan" first); runs alone as well. */
#include "pytorch/print.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct options {
    const char *model, *color, *max_length, *batch, *dropout, *device_memory;
    pl_torch_settings settings;
    bool json, has_dropout;
    uint64_t limit;
} options;

static const char usage[] =
    "usage: plimsoll plan MODEL --for pytorch [--train] [--batch 8] [--max-length N] --device-memory SIZE\n"
    "                     [--precision f32|bf16|f16] [--attention sdpa|eager] [--checkpointing]\n"
    "                     [--optimizer adamw|adamw8bit|sgd] [--dropout P] [--json]\n";

static pl_status choose(const char *option, const char *value, const char *const *names, unsigned *out, pl_error *e)
{
    for (unsigned i = 0; names[i]; i++)
        if (strcmp(value, names[i]) == 0) {
            *out = i;
            return PL_OK;
        }
    return pl_fail(e, PL_USAGE, "%s %s: unknown; %s or %s would do", option, value, names[0], names[1]);
}

static pl_status whole(const char *option, const char *value, uint32_t *out, pl_error *e)
{
    double number;
    if (strspn(value, "0123456789") != strlen(value) || !pl_double_parse(value, strlen(value), &number) || !(number >= 1 && number <= 16777216))
        return pl_fail(e, PL_USAGE, "%s '%s': must be a whole number from 1 to 16777216", option, value);
    *out = (uint32_t)number;
    return PL_OK;
}

static pl_status set(options *o, const char *name, const char *value, pl_error *e)
{
    static const char *const precisions[] = {"f32", "bf16", "f16", NULL}, *const attentions[] = {"sdpa", "eager", NULL}, *const optimizers[] = {"adamw", "adamw8bit", "sgd", NULL};
    unsigned at = 0;
    pl_status s = PL_OK;
    if (strcmp(name, "--for") == 0)
        return strcmp(value, "pytorch") == 0 ? PL_OK : pl_fail(e, PL_USAGE, "--for %s: only pytorch is known", value);
    if (strcmp(name, "--batch") == 0)
        return whole(name, value, &o->settings.batch, e);
    if (strcmp(name, "--max-length") == 0)
        return whole(name, value, &o->settings.length, e);
    if (strcmp(name, "--device-memory") == 0)
        return pl_bytes_parse(value, &o->limit) && o->limit ? PL_OK : pl_fail(e, PL_USAGE, "--device-memory '%s': is no size, write it as 11.17GiB, 80GB or 12000000000", value);
    if (strcmp(name, "--precision") == 0 && !(s = choose(name, value, precisions, &at, e)))
        o->settings.precision = (pl_torch_precision)at;
    else if (strcmp(name, "--attention") == 0 && !(s = choose(name, value, attentions, &at, e)))
        o->settings.attention = (pl_torch_attention)at;
    else if (strcmp(name, "--optimizer") == 0 && !(s = choose(name, value, optimizers, &at, e)))
        o->settings.optimizer = (pl_torch_optimizer)at;
    else if (strcmp(name, "--color") == 0)
        o->color = value;
    else if (strcmp(name, "--dropout") == 0) {
        o->has_dropout = true;
        double p;
        if (!pl_double_parse(value, strlen(value), &p) || !(p >= 0 && p < 1))
            return pl_fail(e, PL_USAGE, "--dropout '%s': must be from 0 to below 1", value);
        o->settings.hidden_dropout = o->settings.attention_dropout = o->settings.classifier_dropout = p;
    }
    return s;
}

static pl_status parse(int argc, char **argv, options *o, pl_error *e)
{
    static const char *const valued[] = {"--for", "--batch", "--max-length", "--device-memory", "--precision", "--attention", "--optimizer", "--color", "--dropout", "--progress", "--device"};
    static const char *const flags[] = {"--train", "--json", "--checkpointing", "-q", "-v", "--quiet", "--verbose"};
    *o = (options){.settings = {.batch = 8}};
    for (int i = argc > 1 && strcmp(argv[1], "plan") == 0 ? 2 : 1; i < argc; i++) {
        char name[64];
        size_t n = strcspn(argv[i], "=");
        snprintf(name, sizeof name, "%.*s", (int)pl_min(n, sizeof name - 1), argv[i]);
        const char *inlined = argv[i][n] == '=' && argv[i][0] == '-' ? argv[i] + n + 1 : NULL;
        bool flag = false, value = false;
        for (size_t k = 0; k < PL_COUNT(flags); k++)
            flag |= strcmp(argv[i], flags[k]) == 0;
        for (size_t k = 0; k < PL_COUNT(valued); k++)
            value |= strcmp(name, valued[k]) == 0;
        if (argv[i][0] != '-' && !o->model) {
            o->model = argv[i];
        } else if (flag) {
            o->settings.train |= strcmp(argv[i], "--train") == 0;
            o->json |= strcmp(argv[i], "--json") == 0;
            o->settings.checkpointing |= strcmp(argv[i], "--checkpointing") == 0;
        } else if (value) {
            if (!inlined && i + 1 == argc)
                return pl_fail(e, PL_USAGE, "%s: needs a value", name);
            pl_status s = set(o, name, inlined ? inlined : argv[++i], e);
            if (s)
                return s;
        } else {
            return pl_fail(e, PL_USAGE, "%s: does not go with plan --for pytorch", argv[i]);
        }
    }
    if (!o->model)
        return pl_fail(e, PL_USAGE, "plan --for pytorch: no MODEL is named");
    if (!o->limit)
        return pl_fail(e, PL_USAGE, "plan --for pytorch: --device-memory SIZE is missing, the memory of the GPU in question");
    return PL_OK;
}

/* config.json's own dropout, under the names of the families. */
static pl_status read_dropout(const pl_folder *folder, options *o, pl_error *e)
{
    pl_json_doc config = pl_folder_config(folder);
    bool distil = pl_json_has(config, "dropout") && !pl_json_has(config, "hidden_dropout_prob");
    pl_torch_settings *s = &o->settings;
    if (o->has_dropout)
        return PL_OK;
    pl_status st = pl_json_real(config, distil ? "dropout" : "hidden_dropout_prob", 0.1, &s->hidden_dropout, e);
    if (!st)
        st = pl_json_real(config, distil ? "attention_dropout" : "attention_probs_dropout_prob", 0.1, &s->attention_dropout, e);
    if (!st)
        st = pl_json_real(config, distil ? "seq_classif_dropout" : "classifier_dropout", distil ? 0.2 : s->hidden_dropout, &s->classifier_dropout, e);
    return st;
}

static pl_status answer(options *o, pl_error *e)
{
    pl_hub_env env = {getenv("HF_HUB_CACHE"), getenv("HF_HOME"), getenv("XDG_CACHE_HOME"), getenv("HOME")};
    char path[PATH_MAX];
    pl_folder *folder = NULL;
    pl_region region;
    pl_region_init(&region, pl_memory_system());
    pl_model model;
    pl_status s = pl_hub_find(o->model, &env, path, sizeof path, e);
    if (!s)
        s = pl_folder_open(path, pl_memory_system(), &folder, e);
    if (!s)
        s = pl_model_make(folder, &(pl_model_choice){.task = PL_TASK_CLASSIFY, .fresh_head = true}, &region, &model, e);
    if (!s)
        s = read_dropout(folder, o, e);
    if (!s && o->settings.length > model.longest)
        s = pl_fail(e, PL_USAGE, "--max-length %u: the model's positions allow at most %u tokens", o->settings.length, model.longest);
    if (!s) {
        static pl_torch_fit others[PL_TORCH_ALTERNATIVES];
        pl_torch_fit fit;
        if (!o->settings.length)
            o->settings.length = model.longest;
        pl_torch_fit_make(&model, &o->settings, o->limit, &fit);
        size_t count = pl_torch_alternatives(&model, &o->settings, o->limit, others, PL_COUNT(others));
        bool color = o->color ? strcmp(o->color, "always") == 0 : isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
        if (o->json)
            pl_torch_print_json(&fit, others, count, stdout);
        else
            pl_torch_print_text(model.family, &fit, others, count, color, stdout);
        if (fflush(stdout))
            s = pl_fail(e, PL_MACHINE, "standard output cannot be written");
        else if (!fit.fits)
            s = PL_NO_FIT; /* printed all the same; the exit code says it */
    }
    pl_folder_close(folder);
    pl_region_free(&region);
    return s;
}

int main(int argc, char **argv)
{
    options o;
    pl_error e;
    pl_error_clear(&e);
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        }
    pl_status s = parse(argc, argv, &o, &e);
    if (!s)
        s = answer(&o, &e);
    if (e.text[0]) {
        char message[sizeof e + 64];
        size_t n = pl_error_print(&e, message, sizeof message);
        fwrite(message, 1, pl_min(n, sizeof message - 1), stderr);
    }
    return pl_status_exit_code(s);
}
