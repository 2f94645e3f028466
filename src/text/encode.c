/* From texts to ids: each text to its tokens, then truncation, then the post-processor's template. */
#include "text/tokenizer.h"

#include "text/unicode.h"

#include <assert.h>
#include <string.h>

/* A text being encoded. */
typedef struct sequence {
    const pl_text_view *view;
    pl__visible visible;
    pl__sink sink;
    pl__outcome outcome; /* WHOLE: sink.count is all of its tokens, else at least as many */
} sequence;

/* ---- workspace: a sink for each text, then what the stages need ---- */

static size_t sink_bytes(const pl_tokenizer *t, size_t max_length) { return pl_round_up(max_length * (sizeof(uint32_t) * (t->post.trim_count ? 5 : 3)), 64); }

static size_t stage_bytes(const pl_tokenizer *t, size_t text_bytes)
{
    return pl_round_up(t->bert ? pl__bert_workspace(t, text_bytes) : pl__general_workspace(t, text_bytes), 64);
}

size_t pl_tokenizer_workspace(const pl_tokenizer *t, size_t text_bytes, size_t max_length)
{
    return 2 * sink_bytes(t, max_length) + stage_bytes(t, text_bytes) + 64;
}

static char *make_sink(const pl_tokenizer *t, char *at, size_t max_length, pl__sink *sink)
{
    *sink = (pl__sink){.ids = (uint32_t *)at, .capacity = max_length};
    sink->spans = (uint32_t(*)[2])(sink->ids + max_length);
    sink->trims = t->post.trim_count ? sink->spans + max_length : NULL;
    return at + sink_bytes(t, max_length);
}

/* ---- reading ---- */

/* Length of the valid prefix, fast over ASCII. */
static size_t valid_prefix(const char *text, size_t n)
{
    size_t at = 0;
    while (at < n) {
        uint64_t eight;
        while (n - at >= sizeof eight && (memcpy(&eight, text + at, sizeof eight), !(eight & 0x8080808080808080ULL)))
            at += sizeof eight;
        size_t part = pl_min(n - at, 64);
        while (part > 0 && at + part < n && ((unsigned char)text[at + part] & 0xC0) == 0x80)
            part--;
        if (part == 0)
            part = pl_min(n - at, 64);
        size_t good = pl_utf8_valid(text + at, part);
        at += good;
        if (good < part)
            return at;
    }
    return n;
}

/* The reader may have cut its last character. */
static bool is_cut_character(const char *text, size_t n, size_t good)
{
    size_t left = n - good;
    return left < 4 && (unsigned char)text[good] >= 0xC2 && (unsigned char)text[good] <= 0xF4 && left < pl__width(text[good]);
}

static pl_status check(sequence *s, pl_error *e)
{
    const pl_text_view *view = s->view;
    if (view->bytes >= 1u << 31)
        return pl_fail(e, PL_BAD_INPUT, "a text of %zu bytes, at most 2 GiB are supported", view->bytes);
    size_t good = valid_prefix(view->text, view->bytes);
    if (good < view->bytes && !(view->cut && is_cut_character(view->text, view->bytes, good)))
        return pl_fail(e, PL_BAD_INPUT, "is not UTF-8: byte %zu of the text is 0x%02x", good, (unsigned char)view->text[good]);
    s->visible = (pl__visible){view->text, good, view->cut};
    return PL_OK;
}

typedef struct room {
    char *at;
    size_t bytes;
} room;

static pl_status read_tokens(const pl_tokenizer *t, room stages, size_t enough, sequence *s, pl_error *e)
{
    s->sink.count = 0;
    s->sink.enough = enough;
    s->outcome = PL__ENOUGH;
    if (enough == 0)
        return PL_OK;
    return t->bert ? pl__bert_encode(t, stages.at, s->visible.n, &s->visible, &s->sink, &s->outcome, e)
                   : pl__general_encode(t, stages.at, stages.bytes, &s->visible, &s->sink, &s->outcome, e);
}

static pl_status needs_more(const sequence *s, pl_error *e)
{
    return pl_fail(e, PL_BAD_INPUT, "a text longer than the %zu bytes that fit here, whose tokens are not certain before its end", s->view->bytes);
}

/* ---- truncation ---- */

/* How many tokens of each text stay, `places` in all: the library's longest_first. */
static void share(size_t places, size_t *first, size_t *second)
{
    if (*first + *second <= places)
        return;
    bool swapped = *first > *second;
    size_t less = swapped ? *second : *first;
    size_t more = less > places ? less : pl_max(less, places - less);
    if (less + more > places) {
        less = places / 2;
        more = less + places % 2;
    }
    *first = swapped ? more : less;
    *second = swapped ? less : more;
}

static bool is_longer(const sequence *a, const sequence *b) { return b->outcome == PL__WHOLE && a->sink.count > b->sink.count; }

/* Of an odd number of places the longer text gets one more. When both fill their half, it takes
 * counting on until one ends; what was kept of them stays as it is. */
static pl_status find_longer(const pl_tokenizer *t, room stages, size_t places, sequence texts[2], pl_error *e)
{
    sequence *a = &texts[0], *b = &texts[1];
    size_t enough = pl_max(places, 16);
    while (places % 2 && 2 * pl_min(a->sink.count, b->sink.count) > places) {
        bool known = (a->outcome == PL__WHOLE && b->outcome == PL__WHOLE) || is_longer(a, b) || is_longer(b, a);
        if (known)
            break;
        for (int i = 0; i < 2; i++)
            if (texts[i].outcome == PL__MORE)
                return needs_more(&texts[i], e);
        enough *= 4;
        for (int i = 0; i < 2; i++) {
            pl_status status = texts[i].outcome == PL__WHOLE ? PL_OK : read_tokens(t, stages, enough, &texts[i], e);
            if (status)
                return status;
        }
    }
    return PL_OK;
}

/* ---- putting together ---- */

/* Turns places in bytes into characters; asked for places that mostly ascend. */
typedef struct counter {
    const char *text;
    size_t at, characters;
} counter;

static uint32_t character_at(counter *c, size_t place)
{
    while (c->at < place)
        c->characters += ((unsigned char)c->text[c->at++] & 0xC0) != 0x80;
    while (c->at > place)
        c->characters -= ((unsigned char)c->text[--c->at] & 0xC0) != 0x80;
    return (uint32_t)c->characters;
}

/* Takes the white space at a token's ends out of its offsets, as often as the post-processor says. */
static void trim(const pl__post *post, const uint32_t white[2], bool first, uint32_t offset[2])
{
    for (uint32_t i = 0; i < post->trim_count; i++) {
        uint32_t lead = white[0], tail = white[1];
        if (lead == 1 && post->trims[i] && (first || offset[0] == 0))
            lead = 0;
        if (white[0] > 0)
            offset[0] = offset[0] + lead < offset[1] ? offset[0] + lead : offset[1];
        if (tail > 0 && offset[1] >= tail)
            offset[1] = offset[1] - tail > offset[0] ? offset[1] - tail : offset[0];
    }
}

static void put_text(const pl_tokenizer *t, const sequence *s, size_t n, uint8_t type, pl_encoding *out)
{
    counter count = {s->visible.text, 0, 0};
    for (size_t i = 0; i < n; i++) {
        size_t to = out->count++;
        out->ids[to] = s->sink.ids[i];
        if (out->types)
            out->types[to] = type;
        if (!out->offsets)
            continue;
        out->offsets[to][0] = character_at(&count, s->sink.spans[i][0]);
        out->offsets[to][1] = character_at(&count, s->sink.spans[i][1]);
        if (s->sink.trims)
            trim(&t->post, s->sink.trims[i], i == 0, out->offsets[to]);
    }
}

static pl_status assemble(const pl_tokenizer *t, const sequence *texts, size_t count, const size_t kept[2], pl_encoding *out, pl_error *e)
{
    const pl__template *template = count == 2 ? &t->post.pair : &t->post.single;
    size_t total = template->tokens;
    for (uint32_t i = 0; i < template->count; i++)
        total += template->parts[i].kind == PL__PART_TEXT ? kept[0] : template->parts[i].kind == PL__PART_PAIR ? kept[1] : 0;
    if (total > out->capacity)
        return pl_fail(e, PL_BAD_INPUT, "%s: post_processor: makes %zu tokens of a text, more than the %zu asked for", t->file, total, out->capacity);
    out->count = 0;
    for (uint32_t i = 0; i < template->count; i++) {
        const pl__part *part = &template->parts[i];
        if (part->kind != PL__PART_TOKEN) {
            size_t which = part->kind == PL__PART_PAIR;
            put_text(t, &texts[which], kept[which], part->type, out);
            continue;
        }
        size_t to = out->count++;
        out->ids[to] = part->id;
        if (out->types)
            out->types[to] = part->type;
        if (out->offsets)
            out->offsets[to][0] = out->offsets[to][1] = 0;
    }
    return PL_OK;
}

pl_status pl_tokenizer_encode(const pl_tokenizer *t, void *workspace, size_t workspace_bytes, const pl_text_view *text, const pl_text_view *pair,
    size_t max_length, pl_encoding *out, pl_error *e)
{
    size_t count = pair ? 2 : 1, special = pl_tokenizer_special_count(t, pair != NULL);
    assert(workspace_bytes >= pl_tokenizer_workspace(t, pl_max(text->bytes, pair ? pair->bytes : 0), max_length));
    assert(out->capacity >= max_length);
    if (special > max_length)
        return pl_fail(e, PL_USAGE, "%zu tokens are asked for, and %zu special ones alone belong to %s", max_length, special, pair ? "a pair" : "a text");
    size_t places = max_length - special, kept[2] = {0, 0};
    sequence texts[2] = {{.view = text}, {.view = pair}};
    char *at = (char *)(uintptr_t)pl_round_up((uintptr_t)workspace, 64);
    for (size_t i = 0; i < count; i++)
        at = make_sink(t, at, max_length, &texts[i].sink);
    room stages = {at, workspace_bytes - (size_t)(at - (char *)workspace)};
    for (size_t i = 0; i < count; i++) {
        pl_status status = check(&texts[i], e);
        if (!status)
            status = read_tokens(t, stages, places, &texts[i], e);
        if (!status && texts[i].outcome == PL__MORE)
            status = needs_more(&texts[i], e);
        if (status)
            return status;
    }
    if (pair) {
        pl_status status = find_longer(t, stages, places, texts, e);
        if (status)
            return status;
    }
    for (size_t i = 0; i < count; i++)
        kept[i] = texts[i].sink.count;
    if (pair)
        share(places, &kept[0], &kept[1]);
    else
        kept[0] = pl_min(kept[0], places);
    return assemble(t, texts, count, kept, out, e);
}
