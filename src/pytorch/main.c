/* plimsoll-pytorch: answers `plimsoll plan MODEL --for pytorch ...`, which starts it with its own
 * arguments ("plan" first); runs alone as well. */
#include "pytorch/print.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct options {
    const char *model, *color, *training; /* training: an option that is about it alone */
    pl_torch_settings settings;
    bool json, has_dropout, quiet;
    uint64_t limit;
} options;

static const char usage[] = "usage: plimsoll plan MODEL --for pytorch --device-memory SIZE [--train] [--batch 8] [--max-length N]\n"
                            "                     [--precision f32|bf16|f16] [--attention sdpa|eager] [--checkpointing]\n"
                            "                     [--optimizer adamw|adamw8bit|sgd] [--dropout P] [--json]\n";

static const char *const precisions[] = {"f32", "bf16", "f16", NULL}, *const attentions[] = {"sdpa", "eager", NULL},
                         *const optimizers[] = {"adamw", "adamw8bit", "sgd", NULL}, *const targets[] = {"pytorch", NULL},
                         *const colors[] = {"auto", "always", "never", NULL};

static pl_status choose(const char *option, const char *value, const char *const *names, unsigned *out, pl_error *e)
{
    char all[64] = "";
    for (unsigned i = 0; names[i]; i++) {
        if (strcmp(value, names[i]) == 0) {
            *out = i;
            return PL_OK;
        }
        size_t n = strlen(all);
        snprintf(all + n, sizeof all - n, "%s%s", i == 0 ? "" : names[i + 1] ? ", " : " or ", names[i]);
    }
    return pl_fail(e, PL_USAGE, "%s '%s': must be %s", option, value, all);
}

static pl_status whole(const char *option, const char *value, uint32_t most, uint32_t *out, pl_error *e)
{
    double number;
    if (!*value || strspn(value, "0123456789") != strlen(value) || !pl_double_parse(value, strlen(value), &number) || !(number >= 1 && number <= most))
        return pl_fail(e, PL_USAGE, "%s '%s': must be a whole number from 1 to %u", option, value, most);
    *out = (uint32_t)number;
    return PL_OK;
}

static pl_status set_dropout(options *o, const char *value, pl_error *e)
{
    double p;
    if (!pl_double_parse(value, strlen(value), &p) || !(p >= 0 && p < 1))
        return pl_fail(e, PL_USAGE, "--dropout '%s': must be from 0 to below 1", value);
    o->has_dropout = true;
    o->settings.hidden_dropout = o->settings.attention_dropout = o->settings.classifier_dropout = p;
    return PL_OK;
}

static pl_status set_limit(options *o, const char *value, pl_error *e)
{
    if (!pl_bytes_parse(value, &o->limit) || !o->limit)
        return pl_fail(e, PL_USAGE, "--device-memory '%s': is no size, write it as 11.17GiB, 80GB or 12000000000", value);
    return PL_OK;
}

enum { FOR, BATCH, MAX_LENGTH, DEVICE_MEMORY, PRECISION, ATTENTION, OPTIMIZER, DROPOUT, COLOR, PROGRESS, VALUED };
static const char *const valued[VALUED] = {
    "--for", "--batch", "--max-length", "--device-memory", "--precision", "--attention", "--optimizer", "--dropout", "--color", "--progress"};

static pl_status set(options *o, int option, const char *value, pl_error *e)
{
    enum { MOST_LENGTH = 1 << 24 };
    const char *name = valued[option];
    pl_torch_settings *s = &o->settings;
    unsigned at = 0;
    pl_status status = PL_OK;
    switch (option) {
    case FOR: return choose(name, value, targets, &at, e);
    case BATCH: return whole(name, value, PL_TORCH_MOST_BATCH, &s->batch, e);
    case MAX_LENGTH: return whole(name, value, MOST_LENGTH, &s->length, e);
    case DEVICE_MEMORY: return set_limit(o, value, e);
    case PRECISION:
        status = choose(name, value, precisions, &at, e);
        s->precision = (pl_torch_precision)at;
        break;
    case ATTENTION:
        status = choose(name, value, attentions, &at, e);
        s->attention = (pl_torch_attention)at;
        break;
    case OPTIMIZER:
        o->training = name;
        status = choose(name, value, optimizers, &at, e);
        s->optimizer = (pl_torch_optimizer)at;
        break;
    case DROPOUT: o->training = name; return set_dropout(o, value, e);
    default: o->color = option == COLOR ? value : o->color; return choose(name, value, colors, &at, e);
    }
    return status;
}

static bool set_flag(options *o, const char *word)
{
    static const char *const voices[] = {"-q", "-v", "--quiet", "--verbose"};
    for (size_t i = 0; i < PL_COUNT(voices); i++)
        if (strcmp(word, voices[i]) == 0)
            return true;
    bool train = strcmp(word, "--train") == 0, json = strcmp(word, "--json") == 0, checkpointing = strcmp(word, "--checkpointing") == 0;
    o->settings.train |= train;
    o->json |= json;
    o->settings.checkpointing |= checkpointing;
    if (checkpointing)
        o->training = "--checkpointing";
    return train || json || checkpointing;
}

static pl_status parse_word(int argc, char **argv, int *at, options *o, pl_error *e)
{
    const char *word = argv[*at], *inside = strchr(word, '=');
    size_t n = inside ? (size_t)(inside - word) : strlen(word);
    for (int i = 0; i < VALUED; i++)
        if (strlen(valued[i]) == n && strncmp(word, valued[i], n) == 0) {
            if (!inside && *at + 1 >= argc)
                return pl_fail(e, PL_USAGE, "%s: needs a value", word);
            return set(o, i, inside ? inside + 1 : argv[++*at], e);
        }
    if (set_flag(o, word))
        return PL_OK;
    return pl_fail(e, PL_USAGE, "%s: does not go with plan --for pytorch", word);
}

static pl_status parse(int argc, char **argv, options *o, pl_error *e)
{
    bool words = false; /* behind -- */
    *o = (options){.settings = {.batch = 8}};
    for (int i = argc > 1 && strcmp(argv[1], "plan") == 0 ? 2 : 1; i < argc; i++) {
        pl_status s = PL_OK;
        if (!words && strcmp(argv[i], "--") == 0)
            words = true;
        else if (!words && argv[i][0] == '-')
            s = parse_word(argc, argv, &i, o, e);
        else if (o->model)
            s = pl_fail(e, PL_USAGE, "%s: one MODEL is enough, %s is named before", argv[i], o->model);
        else
            o->model = argv[i];
        if (s)
            return s;
    }
    if (!o->model)
        return pl_fail(e, PL_USAGE, "plan --for pytorch: MODEL is missing, a folder or ORG/NAME");
    if (o->training && !o->settings.train)
        return pl_fail(e, PL_USAGE, "%s: says something about training, but --train is missing", o->training);
    if (!o->limit) {
        pl_fail(e, PL_USAGE, "plan --for pytorch: --device-memory is missing, the memory of the GPU in question");
        pl_hint(e, "nvidia-smi shows it; a Tesla K80 has --device-memory 11.17GiB, an RTX 3090 23.69GiB");
        return PL_USAGE;
    }
    return PL_OK;
}

/* config.json's own, under the names of the families. */
static pl_status read_dropout(const pl_model *m, options *o, pl_error *e)
{
    pl_json_doc config = pl_folder_config(m->folder);
    bool distilbert = strcmp(m->family, "distilbert") == 0;
    const struct {
        const char *key;
        double fallback, *out;
    } keys[] = {
        {distilbert ? "dropout" : "hidden_dropout_prob", 0.1, &o->settings.hidden_dropout},
        {distilbert ? "attention_dropout" : "attention_probs_dropout_prob", 0.1, &o->settings.attention_dropout},
        {distilbert ? "seq_classif_dropout" : "classifier_dropout", distilbert ? 0.2 : -1, &o->settings.classifier_dropout},
    };
    for (size_t i = 0; i < PL_COUNT(keys) && !o->has_dropout; i++) {
        pl_status s = pl_json_real(config, keys[i].key, keys[i].fallback < 0 ? o->settings.hidden_dropout : keys[i].fallback, keys[i].out, e);
        if (s)
            return s;
        if (!(*keys[i].out >= 0 && *keys[i].out < 1))
            return pl_fail(e, PL_BAD_INPUT, "%s: %s: %g, must be from 0 to below 1", config.path, keys[i].key, *keys[i].out);
    }
    return PL_OK;
}

static pl_status read_length(const pl_model *m, options *o, pl_error *e)
{
    uint64_t sentence = pl_folder_sentence_length(m->folder), most = pl_folder_model_max_length(m->folder), own = sentence ? sentence : most;
    if (o->settings.length > m->longest)
        return pl_fail(e, PL_USAGE, "--max-length %u: the model's positions allow at most %u tokens", o->settings.length, m->longest);
    if (!o->settings.length)
        o->settings.length = (uint32_t)(own ? pl_min(own, m->longest) : m->longest);
    return PL_OK;
}

static pl_status refuse(const pl_torch_fit *fit, const pl_torch_fit *others, size_t count, pl_error *e)
{
    char peak[32], limit[32], how[PL_TORCH_HOW];
    pl_fail(e, PL_NO_FIT, "does not fit: PyTorch needs %s, the device has %s", pl_bytes_text(fit->peak, peak), pl_bytes_text(fit->limit, limit));
    if (fit->biggest_batch > 0)
        pl_hint(e, "--batch %u fits", fit->biggest_batch);
    if (count > 0 && others[0].fits)
        pl_hint(e, "--batch %u fits with %s", others[0].settings.batch, pl_torch_how(&others[0].settings, how));
    else if (fit->biggest_batch == 0 && count > 0 && others[0].biggest_batch > 0)
        pl_hint(e, "--batch %u fits with %s", others[0].biggest_batch, pl_torch_how(&others[0].settings, how));
    return PL_NO_FIT;
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static pl_status answer(const pl_model *m, options *o, pl_error *e)
{
    static pl_torch_fit fit, others[PL_TORCH_ALTERNATIVES];
    size_t count = 0;
    pl_status s = pl_torch_fit_make(m, &o->settings, o->limit, &fit, e);
    if (!s)
        s = pl_torch_alternatives(m, &o->settings, o->limit, others, PL_COUNT(others), &count, e);
    if (s)
        return s;
    bool asked = o->color && strcmp(o->color, "auto") != 0;
    bool color = asked ? strcmp(o->color, "always") == 0 : pl_terminal_colored(STDOUT_FILENO);
    if (o->json)
        pl_torch_print_json(&fit, others, count, stdout);
    else
        pl_torch_print_text(m->family, &fit, others, count, color, stdout);
    if (fflush(stdout))
        return pl_fail(e, PL_MACHINE, "standard output cannot be written");
    return fit.fits ? PL_OK : refuse(&fit, others, count, e);
}

static pl_status run(options *o, pl_error *e)
{
    pl_hub_env env = {variable("HF_HUB_CACHE"), variable("HF_HOME"), variable("XDG_CACHE_HOME"), variable("HOME")};
    if (!env.hf_hub_cache)
        env.hf_hub_cache = variable("HUGGINGFACE_HUB_CACHE"); /* its older name */
    pl_model_choice choice = {.task = o->settings.train ? PL_TASK_CLASSIFY : PL_TASK_AUTO, .fresh_head = o->settings.train};
    char path[PATH_MAX];
    pl_folder *folder = NULL;
    pl_region region;
    pl_region_init(&region, pl_memory_system());
    pl_model model;
    pl_status s = pl_hub_find(o->model, &env, path, sizeof path, e);
    if (!s)
        s = pl_folder_open(path, pl_memory_system(), &folder, e);
    if (!s)
        s = pl_model_make(folder, &choice, &region, &model, e);
    if (!s)
        s = read_dropout(&model, o, e);
    if (!s)
        s = read_length(&model, o, e);
    if (!s)
        s = answer(&model, o, e);
    pl_folder_close(folder);
    pl_region_free(&region);
    return s;
}

int main(int argc, char **argv)
{
    static options o;
    static pl_error e;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return fflush(stdout) ? pl_status_exit_code(PL_MACHINE) : 0;
        }
    pl_error_clear(&e);
    pl_status s = parse(argc, argv, &o, &e);
    if (!s)
        s = run(&o, &e);
    if (s) {
        static char message[sizeof e + 4096];
        size_t n = pl_error_print(&e, message, sizeof message);
        fwrite(message, 1, pl_min(n, sizeof message - 1), stderr);
    }
    return pl_status_exit_code(s);
}
