/* Texts in by callback, answers out by callback, in order, window by window. */
#include "infer/infer.h"

#include <string.h>

enum {
    CLOSE_AFTER_MS = 50, /* a window closes when nothing came for so long */
    IDLE_MS = 500        /* while nothing comes at all, what is left is looked at */
};

typedef struct run {
    pl_session *s;
    const char *input;
    pl_source source;
    void *source_self;
    pl_status ended; /* PL_OK: more may come; PL_END; or the error with which the input ended */
    pl_error error;
    bool beside; /* reading while a pass computes */
    uint64_t answered;
} run;

static void end_input(run *r, pl_status status, uint64_t line)
{
    r->ended = status;
    if (status == PL_END || !line)
        return;
    pl_error inner = r->error;
    pl_fail(&r->error, status, "%s: line %llu: %s", r->input, (unsigned long long)line, inner.text);
    memcpy(r->error.hints, inner.hints, sizeof inner.hints);
}

/* Types beyond the model's table have no embedding; a table of one row serves every type. */
static pl_status check_types(const pl_model *m, pl_encoding *encoding, pl_error *e)
{
    if (m->types <= 1) {
        memset(encoding->types, 0, encoding->count);
        return PL_OK;
    }
    for (size_t i = 0; i < encoding->count; i++)
        if (encoding->types[i] >= m->types)
            return pl_fail(e, PL_BAD_INPUT, "the tokenizer gives token type %u, the model has types below %u", encoding->types[i], m->types);
    return PL_OK;
}

static pl_status encode(run *r, const pl_text *t)
{
    pl_session *s = r->s;
    const pl_plan *p = s->plan;
    pl__window *w = &s->window;
    pl_encoding out = {.ids = w->ids + w->tokens, .types = w->types + w->tokens, .capacity = w->token_room - w->tokens};
    pl_text_view first = {t->text, t->text_bytes, t->text_cut}, second = {t->pair, t->pair_bytes, t->pair_cut};
    pl_status st = pl_tokenizer_encode(
        p->reading.tokenizer, w->workspace, w->workspace_bytes, &first, t->pair ? &second : NULL, p->reading.max_length, &out, &r->error);
    if (!st)
        st = check_types(&p->model, &out, &r->error);
    if (!st && out.count > p->request.longest)
        st = pl_fail(&r->error, PL_NO_FIT, "%zu tokens, the plan was made for texts of at most %u", out.count, p->request.longest);
    if (st)
        return st;
    w->tokens += (uint32_t)out.count;
    w->starts[++w->texts] = w->tokens;
    s->text_bytes += t->text_bytes + (t->pair ? t->pair_bytes : 0);
    return PL_OK;
}

/* Reads until the window is full, the input ends, or nothing is ready within wait_ms. */
static void fill(run *r, int first_wait_ms, int wait_ms)
{
    pl__window *w = &r->s->window;
    int wait = first_wait_ms;
    while (r->ended == PL_OK && w->texts < w->text_room && w->tokens + r->s->plan->reading.max_length <= w->token_room) {
        pl_text text = {0};
        pl_status st = r->source(r->source_self, wait, &text, &r->error);
        if (st == PL_AGAIN)
            return;
        if (st) {
            end_input(r, st, 0);
            return;
        }
        wait = wait_ms;
        double start = r->beside ? 0 : pl_os_seconds();
        st = encode(r, &text);
        if (!r->beside)
            r->s->tokenize_seconds += pl_os_seconds() - start;
        if (st)
            end_input(r, st, text.line);
    }
}

static void fill_beside(void *self) { fill(self, 0, 0); }

static void look(void *self) { pl__bend_look(((run *)self)->s); }

static void softmax(const float *logits, float *out, size_t n)
{
    float most = logits[0], sum = 0;
    for (size_t i = 1; i < n; i++)
        most = most > logits[i] ? most : logits[i];
    for (size_t i = 0; i < n; i++)
        sum += out[i] = pl_math_exp(logits[i] - most);
    for (size_t i = 0; i < n; i++)
        out[i] /= sum;
}

static const float *scores_of(pl_session *s, const float *logits)
{
    const pl_model *m = &s->plan->model;
    const pl_kernels *k = s->plan->request.kernels;
    float *scores = s->window.scores;
    if (m->answer != PL_ANSWER_SINGLE_LABEL && m->answer != PL_ANSWER_MULTI_LABEL)
        return NULL;
    pl_fp_state fp;
    k->enter(&fp);
    if (m->answer == PL_ANSWER_SINGLE_LABEL)
        softmax(logits, scores, m->width);
    for (size_t i = 0; m->answer == PL_ANSWER_MULTI_LABEL && i < m->width; i++)
        scores[i] = pl_math_sigmoid(logits[i]);
    k->leave(&fp);
    return scores;
}

static pl_status deliver(run *r, uint32_t texts, pl_sink sink, void *sink_self, pl_error *e)
{
    pl_session *s = r->s;
    for (uint32_t i = 0; i < texts; i++) {
        const float *values = pl_exec_result(s->exec, s->window.distinct[i]);
        pl_result result = {r->answered++, values, scores_of(s, values)};
        pl_status st = sink(sink_self, &result, e);
        if (st)
            return st;
        atomic_fetch_add(&s->tokens, s->window.starts[i + 1] - s->window.starts[i]);
        atomic_fetch_add(&s->texts, 1);
    }
    return PL_OK;
}

static pl_status run_pass(run *r, uint32_t *texts, pl_error *e)
{
    pl_session *s = r->s;
    pl_pass pass;
    double start = pl_os_seconds();
    *texts = pl__window_make_pass(&s->window, &s->plan->model, s->program.pass_rows, s->program.pass_texts, &pass);
    pass.beside = fill_beside;
    pass.tick = look;
    pass.self = r;
    r->beside = true;
    pl_status st = pl_exec_pass(s->exec, &pass, e);
    r->beside = false;
    s->pass_seconds += pl_os_seconds() - start;
    atomic_store(&s->seconds, s->pass_seconds + s->tokenize_seconds);
    if (!st) {
        atomic_fetch_add(&s->distinct, pass.texts);
        atomic_fetch_add(&s->windows, 1);
    }
    return st;
}

/* Goes on within another limit if one is wanted, and ends if that was asked. */
static pl_status make_way(pl_session *s, pl_error *e)
{
    pl__bend_look(s);
    pl_exec_clear(s->exec);
    while (pl__bend_wanted(s)) {
        pl_status st = pl__bend(s, e);
        if (st)
            return st;
    }
    if (!atomic_load(&s->stop))
        return PL_OK;
    pl_exec_stop(s->exec);
    return pl_fail(e, PL_STOPPED, "stopped on request");
}

static pl_status run_all(run *r, pl_sink sink, void *sink_self, pl_error *e)
{
    pl_session *s = r->s;
    pl__window *w = &s->window;
    for (;;) {
        fill(r, w->texts ? CLOSE_AFTER_MS : IDLE_MS, CLOSE_AFTER_MS);
        if (w->texts == 0 && r->ended != PL_OK)
            break;
        uint32_t texts;
        pl_status st = make_way(s, e);
        if (!st && w->texts == 0)
            continue;
        if (!st)
            st = run_pass(r, &texts, e);
        if (st == PL_STOPPED && !atomic_load(&s->stop))
            continue; /* another limit was asked for; the texts still wait and are computed within it */
        if (!st)
            st = deliver(r, texts, sink, sink_self, e);
        if (!st && atomic_load(&s->stop))
            st = pl_fail(e, PL_STOPPED, "stopped on request");
        if (st)
            return st;
        pl__window_drop(w, texts);
    }
    atomic_store(&s->seconds, s->pass_seconds + s->tokenize_seconds);
    if (r->ended == PL_END)
        return PL_OK;
    if (e)
        *e = r->error;
    return r->ended;
}

pl_status pl_run(pl_session *s, const char *input, pl_source source, void *source_self, pl_sink sink, void *sink_self, pl_error *e)
{
    if (atomic_exchange(&s->busy, true))
        return pl_fail(e, PL_BUSY, "this session serves another call");
    pl_error_clear(e);
    run r = {.s = s, .input = input ? input : "text", .source = source, .source_self = source_self};
    s->window.texts = s->window.tokens = 0;
    pl_status st = run_all(&r, sink, sink_self, e);
    atomic_store(&s->busy, false);
    return st;
}

/* ---- arrays in, arrays out ---- */

typedef struct array {
    const char *const *texts;
    size_t next, count, width;
    float *out;
} array;

static pl_status array_source(void *self, int wait_ms, pl_text *text, pl_error *e)
{
    array *a = self;
    (void)wait_ms;
    (void)e;
    if (a->next == a->count)
        return PL_END;
    *text = (pl_text){.text = a->texts[a->next], .text_bytes = strlen(a->texts[a->next]), .line = a->next + 1};
    a->next++;
    return PL_OK;
}

static pl_status array_sink(void *self, const pl_result *result, pl_error *e)
{
    array *a = self;
    (void)e;
    memcpy(a->out, result->values, a->width * sizeof *a->out);
    a->out += a->width;
    return PL_OK;
}

pl_status pl_embed(pl_session *session, const char *const *texts, size_t count, float *out, pl_error *e)
{
    array a = {.texts = texts, .count = count, .width = session->plan->model.width, .out = out};
    return pl_run(session, "texts", array_source, &a, array_sink, &a, e);
}
