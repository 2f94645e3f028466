/* A double of libplimsoll under the command, for its tests: the whole public header, with answers
 * that anyone can compute from the text alone and failures on demand. MODEL is a list of settings:
 *
 *     task=embed|classify|multi|regression  width=N   labels=a+b+c   window=N   text_bytes=N
 *     fail=plan|fit|open|run|encode|big         (big: the system gives less than was asked for)
 *     wait_ms=N     computing a window takes so long
 *
 * embedding[i] of a text is (sum of bytes + i) / 7 and so on: see answer(). A "token" is a byte. */
#include "base/base.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WINDOW = 64, WIDTH = 4096, LABELS = 64, IDS = 1 << 16 };

typedef struct settings {
    pl_answer answer;
    size_t width, window, text_bytes;
    char labels[LABELS][32], fail[16];
    long wait_ms;
} settings;

struct pl_plan {
    settings s;
    pl_options options;
    uint64_t outside, limit, peak;
    unsigned missing; /* MiB */
    bool saved;
};

struct pl_session {
    const pl_plan *plan;
    atomic_bool stop;
    pl_stats stats;
    float (*values)[WIDTH];
};

struct pl_encoder {
    settings s;
    uint32_t max_length;
    uint32_t ids[IDS], offsets[IDS][2];
    uint8_t types[IDS];
    char token[8];
};

/* ---- settings ---- */

static pl_status parse_one(settings *s, char *item, const char *model, pl_error *e)
{
    char *value = strchr(item, '=');
    if (!value)
        return pl_fail(e, PL_BAD_INPUT, "%s: there is no such model", model);
    *value++ = '\0';
    if (strcmp(item, "task") == 0) {
        s->answer = strcmp(value, "classify") == 0 ? PL_ANSWER_SINGLE_LABEL
            : strcmp(value, "multi") == 0          ? PL_ANSWER_MULTI_LABEL
            : strcmp(value, "regression") == 0     ? PL_ANSWER_REGRESSION
                                                   : PL_ANSWER_EMBEDDING;
    } else if (strcmp(item, "width") == 0) {
        s->width = strtoul(value, NULL, 10);
    } else if (strcmp(item, "window") == 0) {
        s->window = strtoul(value, NULL, 10);
    } else if (strcmp(item, "text_bytes") == 0) {
        s->text_bytes = strtoul(value, NULL, 10);
    } else if (strcmp(item, "wait_ms") == 0) {
        s->wait_ms = strtol(value, NULL, 10);
    } else if (strcmp(item, "fail") == 0) {
        snprintf(s->fail, sizeof s->fail, "%s", value);
    } else if (strcmp(item, "labels") == 0) {
        s->width = 0;
        for (char *label = strtok(value, "+"); label; label = strtok(NULL, "+"))
            snprintf(s->labels[s->width++], sizeof s->labels[0], "%s", label);
    } else {
        return pl_fail(e, PL_BAD_INPUT, "%s: there is no such model", model);
    }
    return PL_OK;
}

static pl_status parse_model(const char *model, const pl_options *o, settings *s, pl_error *e)
{
    char copy[1024];
    *s = (settings){.width = 4, .window = WINDOW, .text_bytes = 1 << 16};
    snprintf(copy, sizeof copy, "%s", model);
    if (strchr(copy, '/'))
        return pl_fail(e, PL_BAD_INPUT, "%s: there is no such model", model);
    char *rest = copy;
    while (rest && *rest) {
        char *item = rest, *comma = strchr(rest, ',');
        rest = comma ? comma + 1 : NULL;
        if (comma)
            *comma = '\0';
        pl_status status = parse_one(s, item, model, e);
        if (status != PL_OK)
            return status;
    }
    assert(s->width <= WIDTH);
    for (size_t i = 0; i < s->width && i < LABELS; i++)
        if (!s->labels[i][0])
            snprintf(s->labels[i], sizeof s->labels[0], "LABEL_%zu", i);
    if (o->max_length > 512)
        return pl_fail(e, PL_USAGE, "--max-length %u: the model's positions allow at most 512 tokens", o->max_length);
    if (o->device && strncmp(o->device, "cuda", 4) == 0)
        return pl_fail(e, PL_USAGE, "--device %s: this build computes on the CPU only", o->device);
    return PL_OK;
}

/* ---- plan ---- */

void pl_options_init(pl_options *options) { *options = (pl_options){.size = sizeof *options}; }

bool pl_size_parse(const char *text, uint64_t *bytes) { return pl_bytes_parse(text, bytes); }

enum { FLOOR = 4 << 20 };

pl_status pl_plan_make(const char *model, const pl_options *options, pl_plan **out, pl_error *e)
{
    settings s;
    pl_status status = parse_model(model, options, &s, e);
    if (status != PL_OK)
        return status;
    if (strcmp(s.fail, "plan") == 0)
        return pl_fail(e, PL_BAD_INPUT, "%s/config.json: hidden_size: is missing", model);
    if (options->task == PL_TASK_CLASSIFY && s.answer == PL_ANSWER_EMBEDDING)
        return pl_fail(e, PL_BAD_INPUT, "%s: has no classifier", model);
    pl_plan *plan = calloc(1, sizeof *plan);
    assert(plan && options->size == sizeof *options);
    plan->s = s;
    if (options->task == PL_TASK_EMBED)
        plan->s.answer = PL_ANSWER_EMBEDDING;
    plan->options = *options;
    for (size_t i = 0; i < options->outside_count; i++)
        plan->outside += options->outside[i].bytes + options->outside[i].texts * s.text_bytes;
    plan->limit = options->memory ? options->memory : UINT64_C(1) << 30;
    plan->peak = FLOOR + plan->outside + s.window * 4096;
    if (strcmp(s.fail, "big") == 0 && options->memory)
        plan->peak += 1 << 20;
    if (strcmp(s.fail, "busy") == 0) { /* others take some between each plan and its start, thrice */
        static unsigned made;
        plan->missing = 3 - (unsigned)pl_min(made++, 3);
        plan->peak += (uint64_t)plan->missing << 20;
    }
    *out = plan;
    return PL_OK;
}

pl_status pl_plan_load(const char *model, const pl_options *options, const char *file, pl_plan **out, pl_error *e)
{
    int fd;
    uint64_t bytes;
    pl_status status = pl_file_open(file, &fd, &bytes, e);
    if (status == PL_OK)
        status = pl_plan_make(model, options, out, e);
    if (status == PL_OK)
        (*out)->saved = true;
    return status;
}

void pl_plan_free(pl_plan *plan) { free(plan); }
bool pl_plan_fits(const pl_plan *p) { return p->peak <= p->limit && strcmp(p->s.fail, "fit") != 0; }
uint64_t pl_plan_limit(const pl_plan *p) { return p->limit; }
uint64_t pl_plan_peak(const pl_plan *p) { return p->peak; }
uint64_t pl_plan_floor(const pl_plan *p) { return FLOOR + p->outside; }
const char *pl_plan_limit_reason(const pl_plan *p) { return p->options.memory ? "set by --memory" : "what the double spares"; }
pl_task pl_plan_task(const pl_plan *p) { return p->s.answer == PL_ANSWER_EMBEDDING ? PL_TASK_EMBED : PL_TASK_CLASSIFY; }
pl_precision pl_plan_precision(const pl_plan *p) { return p->options.precision == PL_PRECISION_AUTO ? PL_PRECISION_BF16 : p->options.precision; }
uint32_t pl_plan_max_length(const pl_plan *p) { return p->options.max_length ? p->options.max_length : 512; }
uint32_t pl_plan_threads(const pl_plan *p) { return p->options.threads ? p->options.threads : 2; }
pl_answer pl_plan_answer(const pl_plan *p) { return p->s.answer; }
size_t pl_plan_width(const pl_plan *p) { return p->s.width; }
size_t pl_plan_text_bytes(const pl_plan *p) { return p->s.text_bytes; }

const char *pl_plan_label(const pl_plan *p, size_t index)
{
    return p->s.answer != PL_ANSWER_EMBEDDING && index < p->s.width && index < LABELS ? p->s.labels[index] : NULL;
}

pl_status pl_plan_refusal(const pl_plan *p, pl_error *e)
{
    pl_fail(e, PL_NO_FIT, "does not fit: the limit is %llu bytes, the smallest that works is %llu bytes", (unsigned long long)p->limit,
        (unsigned long long)pl_plan_floor(p));
    pl_hint(e, "--memory %llu runs it", (unsigned long long)pl_plan_floor(p));
    return PL_NO_FIT;
}

static pl_status print(pl_write write, void *self, pl_error *e, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return write(self, text, (size_t)n, e);
}

pl_status pl_plan_knobs_json(const pl_plan *p, pl_write write, void *self, pl_error *e)
{
    return print(write, self, e, "{\"window\":%zu,\"longest\":%u}", p->s.window, p->options.longest);
}

pl_status pl_plan_json(const pl_plan *p, pl_write write, void *self, pl_error *e)
{
    return print(write, self, e, "{\"fits\":%s,\"limit_bytes\":%llu,\"peak_bytes\":%llu,\"outside\":%llu,\"task\":%d,\"longest\":%u,\"tokens\":%llu}\n",
        pl_plan_fits(p) ? "true" : "false", (unsigned long long)p->limit, (unsigned long long)p->peak, (unsigned long long)p->outside, (int)pl_plan_task(p),
        p->options.longest, (unsigned long long)p->options.tokens);
}

pl_status pl_plan_text(const pl_plan *p, bool color, pl_write write, void *self, pl_error *e)
{
    return print(write, self, e, "%speak %llu bytes\n", color ? "\033[1m" : "", (unsigned long long)p->peak);
}

pl_status pl_plan_program(const pl_plan *p, pl_write write, void *self, pl_error *e)
{
    (void)p;
    return print(write, self, e, "0  load\n1  run\n");
}

pl_status pl_plan_svg(const pl_plan *p, pl_write write, void *self, pl_error *e)
{
    (void)p;
    return print(write, self, e, "<svg xmlns=\"http://www.w3.org/2000/svg\"/>\n");
}

pl_status pl_build_info(pl_write write, void *self, pl_error *e) { return print(write, self, e, "double 1.0\n"); }

/* ---- run ---- */

pl_status pl_open(const pl_plan *plan, pl_session **out, pl_error *e)
{
    if (strcmp(plan->s.fail, "open") == 0)
        return pl_fail(e, PL_BAD_INPUT, "model.safetensors: is truncated");
    if (strcmp(plan->s.fail, "big") == 0 && plan->options.memory)
        return pl_fail(e, PL_NO_FIT, "the plan needs more than the machine can spare now");
    if (strcmp(plan->s.fail, "taken") == 0 || plan->missing > 0)
        return pl_fail(e, PL_NO_FIT, "the plan needs more than the machine can spare now");
    pl_session *s = calloc(1, sizeof *s);
    assert(s && pl_plan_fits(plan));
    s->plan = plan;
    s->stats.limit_bytes = plan->limit;
    s->values = calloc(plan->s.window, sizeof *s->values);
    assert(s->values);
    *out = s;
    return PL_OK;
}

void pl_close(pl_session *session)
{
    if (session)
        free(session->values);
    free(session);
}

uint64_t pl_session_floor(const pl_session *session) { return pl_plan_floor(session->plan); }

pl_status pl_shrink(pl_session *session, uint64_t bytes)
{
    if (bytes > 0 && bytes < pl_session_floor(session))
        return PL_NO_FIT;
    session->stats.limit_bytes = bytes > 0 ? bytes : session->plan->limit;
    session->stats.bends++;
    return PL_OK;
}

void pl_stop(pl_session *session) { atomic_store(&session->stop, true); }

void pl_session_stats(const pl_session *session, pl_stats *out)
{
    *out = session->stats;
    out->phase_count = 1;
    out->phases[0] = (pl_phase_stats){"compute", 0.25, 1024};
}

/* What the tests can compute too: from the bytes of text and pair, and whether there is one. */
static void answer(const settings *s, const pl_text *text, float *out)
{
    uint64_t sum = text->text_cut ? 1000003 : 0;
    for (size_t i = 0; i < text->text_bytes; i++)
        sum = sum * 31 + (unsigned char)text->text[i];
    if (text->pair)
        for (size_t i = 0; i <= text->pair_bytes; i++)
            sum = sum * 37 + (i < text->pair_bytes ? (unsigned char)text->pair[i] : 255u);
    for (size_t i = 0; i < s->width; i++)
        out[i] = (float)((sum >> i % 32) % 1009) / 97 - 5;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Signals do not shorten it. */
static void compute(long ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0) {}
}

static pl_status deliver(pl_session *s, size_t count, pl_sink sink, void *self, pl_error *e)
{
    const settings *set = &s->plan->s;
    double begin = seconds();
    compute(set->wait_ms);
    s->stats.seconds += seconds() - begin;
    if (strcmp(set->fail, "run") == 0 && s->stats.texts > 0)
        return pl_fail(e, PL_MACHINE, "model.safetensors: cannot be read: Input/output error");
    for (size_t i = 0; i < count; i++) {
        float scores[WIDTH];
        float sum = 0, *values = s->values[i];
        for (size_t j = 0; j < set->width; j++)
            sum += scores[j] = values[j] + 6;
        for (size_t j = 0; j < set->width; j++)
            scores[j] /= sum;
        bool scored = set->answer == PL_ANSWER_SINGLE_LABEL || set->answer == PL_ANSWER_MULTI_LABEL;
        pl_result result = {s->stats.texts, values, scored ? scores : NULL};
        pl_status status = sink(self, &result, e);
        if (status != PL_OK)
            return status;
        s->stats.texts++;
    }
    s->stats.windows++;
    return atomic_load(&s->stop) ? pl_fail(e, PL_STOPPED, "stopped on request") : PL_OK;
}

pl_status pl_run(pl_session *s, const char *input, pl_source source, void *source_self, pl_sink sink, void *sink_self, pl_error *e)
{
    for (;;) {
        size_t count = 0;
        pl_status status = PL_OK;
        while (count < s->plan->s.window) {
            pl_text text = {0};
            status = source(source_self, count ? 50 : -1, &text, e);
            if (status != PL_OK)
                break;
            if (strcmp(s->plan->s.fail, "encode") == 0 && s->stats.texts + count == 2)
                return pl_fail(e, PL_BAD_INPUT, "%s: line %llu: is refused", input, (unsigned long long)text.line);
            answer(&s->plan->s, &text, s->values[count++]);
            s->stats.tokens += text.text_bytes + text.pair_bytes;
        }
        pl_status delivered = count > 0 ? deliver(s, count, sink, sink_self, e) : PL_OK;
        if (delivered != PL_OK)
            return delivered;
        if (status == PL_END)
            return PL_OK;
        if (status != PL_OK && status != PL_AGAIN)
            return status;
    }
}

pl_status pl_embed(pl_session *session, const char *const *texts, size_t count, float *out, pl_error *e)
{
    (void)e;
    for (size_t i = 0; i < count; i++) {
        pl_text text = {.text = texts[i], .text_bytes = strlen(texts[i])};
        answer(&session->plan->s, &text, out + i * session->plan->s.width);
    }
    return PL_OK;
}

/* ---- tokenizer: a token a byte, 256 before a pair, 257 for what was cut ---- */

pl_status pl_encoder_open(const char *model, const pl_options *options, pl_encoder **out, pl_error *e)
{
    pl_encoder *x = calloc(1, sizeof *x);
    assert(x);
    pl_status status = parse_model(model, options, &x->s, e);
    if (status != PL_OK) {
        free(x);
        return status;
    }
    x->max_length = options->max_length ? options->max_length : IDS;
    *out = x;
    return PL_OK;
}

void pl_encoder_close(pl_encoder *encoder) { free(encoder); }
uint32_t pl_encoder_max_length(const pl_encoder *encoder) { return encoder->max_length; }
size_t pl_encoder_text_bytes(const pl_encoder *encoder) { return encoder->s.text_bytes; }

static void add(pl_encoder *x, size_t *count, uint32_t id, uint32_t at)
{
    if (*count == x->max_length)
        return;
    x->ids[*count] = id;
    x->offsets[*count][0] = at;
    x->offsets[(*count)++][1] = at + 1;
}

pl_status pl_encoder_run(pl_encoder *x, const char *input, const pl_text *text, pl_tokens *out, pl_error *e)
{
    size_t count = 0;
    if (text->text_bytes == 6 && memcmp(text->text, "refuse", 6) == 0)
        return pl_fail(e, PL_BAD_INPUT, "%s: line %llu: is refused", input, (unsigned long long)text->line);
    for (size_t i = 0; i < text->text_bytes; i++)
        add(x, &count, (unsigned char)text->text[i], (uint32_t)i);
    if (text->text_cut)
        add(x, &count, 257, 0);
    if (text->pair)
        add(x, &count, 256, 0);
    for (size_t i = 0; text->pair && i < text->pair_bytes; i++)
        add(x, &count, (unsigned char)text->pair[i], (uint32_t)i);
    *out = (pl_tokens){.count = count, .ids = x->ids, .types = x->types, .offsets = (const uint32_t(*)[2])x->offsets};
    return PL_OK;
}

const char *pl_encoder_token(const pl_encoder *encoder, uint32_t id, size_t *n)
{
    char *token = ((pl_encoder *)(uintptr_t)encoder)->token;
    *n = (size_t)snprintf(token, sizeof encoder->token, id >= 32 && id < 127 ? "%c" : "<%u>", id);
    return token;
}
