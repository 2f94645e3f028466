/* Running a program: depth first, with a stack of places to go back to. */
#include "text/regex_program.h"

#include "text/unicode.h"

#include <string.h>

/* Tries in one attempt before it is given up, as Oniguruma does; depth of groups matched on their own. */
enum { MOST_TRIES = 10000000, DEEPEST = 64 };

typedef enum verdict { FAILED, MATCHED, GIVEN_UP } verdict;

typedef struct machine {
    const pl__regex *r;
    const char *text;
    size_t n;
    pl__frame *stack;
    size_t frames, depth; /* depth: frames in use */
    uint64_t tries;
    bool hit_end;
    uint32_t nesting;
    size_t slots[PL__MOST_SLOTS];
} machine;

/* What a frame brings back when it is popped. */
enum { BACK_TO, GIVE_BACK, TAKE_MORE, RESTORE };

static bool push(machine *m, uint32_t kind, uint32_t pc, size_t at, size_t low)
{
    if (m->depth == m->frames)
        return false;
    m->stack[m->depth++] = (pl__frame){.kind = kind, .pc = pc, .at = at, .low = low};
    return true;
}

static bool is_word_at(machine *m, size_t at)
{
    uint32_t c;
    if (at == m->n) {
        m->hit_end = true;
        return false;
    }
    pl__decode(m->text + at, &c);
    return pl__onig_lone_word(c);
}

static bool is_word_before(const machine *m, size_t at)
{
    uint32_t c;
    if (at == 0)
        return false;
    pl__decode_before(m->text, at, &c);
    return pl__onig_lone_word(c);
}

static bool holds(machine *m, pl__op op, size_t at)
{
    switch (op) {
    case PL__OP_TEXT_BEGIN: return at == 0;
    case PL__OP_LINE_BEGIN: m->hit_end |= at == m->n && at > 0; return at == 0 || (m->text[at - 1] == '\n' && at < m->n);
    case PL__OP_TEXT_END: m->hit_end |= at == m->n; return at == m->n;
    case PL__OP_LINE_END: m->hit_end |= at == m->n; return at == m->n || m->text[at] == '\n';
    case PL__OP_TEXT_END_LINE: m->hit_end |= at + 1 >= m->n; return at == m->n || (at + 1 == m->n && m->text[at] == '\n');
    case PL__OP_WORD_EDGE: return is_word_before(m, at) != is_word_at(m, at);
    case PL__OP_NO_WORD_EDGE: return is_word_before(m, at) == is_word_at(m, at);
    default: return false;
    }
}

static bool set_takes(const pl__regex *r, uint32_t set, uint32_t c)
{
    if (set == PL__LOOP_ANY)
        return c != '\n';
    if (set & PL__LOOP_CHARACTER)
        return c == (set & ~(uint32_t)PL__LOOP_CHARACTER);
    if (set & PL__LOOP_FOLDED)
        return pl__fold(c) == (set & ~(uint32_t)PL__LOOP_FOLDED);
    return set == PL__LOOP_ANY_NEWLINE || pl__set_has(r, set, c);
}

/* Goes on over at most `most` characters of the set. */
static size_t run_over(machine *m, uint32_t set, size_t at, uint32_t most, uint32_t *count)
{
    uint32_t n = 0;
    while (n < most) {
        uint32_t c;
        if (at == m->n) {
            m->hit_end = true;
            break;
        }
        size_t width = pl__decode(m->text + at, &c);
        if (!set_takes(m->r, set, c))
            break;
        at += width;
        n++;
    }
    *count = n;
    return at;
}

static verdict run(machine *m, uint32_t pc, size_t at, size_t *end);

static bool step_back(const machine *m, size_t *at, uint32_t characters)
{
    for (; characters > 0; characters--) {
        uint32_t c;
        if (*at == 0)
            return false;
        *at -= pl__decode_before(m->text, *at, &c);
    }
    return true;
}

/* A group matched on its own; its frames are gone when it returns. */
static verdict run_inner(machine *m, uint32_t pc, size_t at, size_t *end)
{
    size_t depth = m->depth;
    if (m->nesting == DEEPEST)
        return GIVEN_UP;
    m->nesting++;
    verdict v = run(m, pc, at, end);
    m->nesting--;
    m->depth = depth;
    return v;
}

/* Runs a loop over one set: how far it goes at first, and the frame that takes it back or on. */
static verdict start_loop(machine *m, const pl__code *code, uint32_t pc, size_t *at)
{
    uint32_t count;
    size_t low = run_over(m, code->a, *at, code->b, &count);
    if (count < code->b)
        return FAILED;
    if (code->d == PL__LAZY) {
        *at = low;
        return push(m, TAKE_MORE, pc, low, code->c == PL__FOREVER ? PL__FOREVER : code->c - code->b) ? MATCHED : GIVEN_UP;
    }
    size_t high = run_over(m, code->a, low, code->c == PL__FOREVER ? PL__FOREVER : code->c - code->b, &count);
    *at = high;
    return code->d == PL__POSSESSIVE || high == low || push(m, GIVE_BACK, pc + 1, high, low) ? MATCHED : GIVEN_UP;
}

/* Goes back to the last place where there was another way. */
static verdict backtrack(machine *m, size_t base, uint32_t *pc, size_t *at)
{
    if (++m->tries > MOST_TRIES)
        return GIVEN_UP;
    while (m->depth > base) {
        pl__frame *f = &m->stack[m->depth - 1];
        switch (f->kind) {
        case RESTORE:
            m->slots[f->pc] = f->at;
            m->depth--;
            continue;
        case BACK_TO:
            *pc = f->pc;
            *at = f->at;
            m->depth--;
            return MATCHED;
        case GIVE_BACK: {
            uint32_t c;
            f->at -= pl__decode_before(m->text, f->at, &c);
            *pc = f->pc;
            *at = f->at;
            if (f->at == f->low)
                m->depth--;
            return MATCHED;
        }
        default: { /* TAKE_MORE: low counts what may still come */
            uint32_t count;
            size_t next = f->low ? run_over(m, m->r->code[f->pc].a, f->at, 1, &count) : f->at;
            if (next == f->at) {
                m->depth--;
                continue;
            }
            f->at = next;
            f->low -= f->low != PL__FOREVER;
            *pc = f->pc + 1;
            *at = next;
            return MATCHED;
        }
        }
    }
    return FAILED;
}

static verdict run_group(machine *m, const pl__code *code, uint32_t *pc, size_t *at)
{
    size_t from = *at, end = from;
    bool there = code->op != PL__OP_BEHIND || step_back(m, &from, code->c);
    verdict v = there ? run_inner(m, *pc + 1, from, &end) : FAILED;
    if (v == GIVEN_UP)
        return GIVEN_UP;
    *pc = code->b;
    if (code->op == PL__OP_ATOMIC) {
        *at = end;
        return v;
    }
    return (v == MATCHED) == (code->a == 1) ? MATCHED : FAILED;
}

static bool takes(machine *m, const pl__code *code, size_t *at)
{
    uint32_t c;
    if (*at == m->n) {
        m->hit_end = true;
        return false;
    }
    size_t width = pl__decode(m->text + *at, &c);
    bool yes = code->op == PL__OP_CHARACTER ? c == code->a
        : code->op == PL__OP_FOLDED         ? pl__fold(c) == code->a
        : code->op == PL__OP_ANY            ? code->a || c != '\n'
                                            : pl__set_has(m->r, code->a, c);
    *at += yes ? width : 0;
    return yes;
}

static verdict run(machine *m, uint32_t pc, size_t at, size_t *end)
{
    size_t base = m->depth;
    for (;;) {
        const pl__code *code = &m->r->code[pc];
        verdict v = MATCHED;
        switch ((pl__op)code->op) {
        case PL__OP_MATCH: *end = at; return MATCHED;
        case PL__OP_CHARACTER:
        case PL__OP_FOLDED:
        case PL__OP_SET:
        case PL__OP_ANY:
            v = takes(m, code, &at) ? MATCHED : FAILED;
            pc++;
            break;
        case PL__OP_SPLIT:
            if (code->d && at < m->n && (unsigned char)m->text[at] != code->c) {
                pc = code->b;
                break;
            }
            v = push(m, BACK_TO, code->b, at, 0) ? MATCHED : GIVEN_UP;
            pc = code->a;
            break;
        case PL__OP_JUMP: pc = code->a; break;
        case PL__OP_LOOP: v = start_loop(m, code, pc++, &at); break;
        case PL__OP_AHEAD:
        case PL__OP_BEHIND:
        case PL__OP_ATOMIC: v = run_group(m, code, &pc, &at); break;
        case PL__OP_ENTER:
            v = push(m, RESTORE, code->a, m->slots[code->a], 0) ? MATCHED : GIVEN_UP;
            m->slots[code->a] = at;
            pc++;
            break;
        case PL__OP_AGAIN:
            if (m->slots[code->a] == at) /* an empty turn: the loop ends here */
                pc += 2;
            else
                pc++;
            break;
        default:
            v = holds(m, (pl__op)code->op, at) ? MATCHED : FAILED;
            pc++;
            break;
        }
        if (v == FAILED)
            v = backtrack(m, base, &pc, &at);
        if (v != MATCHED)
            return v;
    }
}

pl__searched pl__regex_search(const pl__regex *r, pl__frames frames, const char *text, size_t n, size_t from, pl__match *match, size_t *reached)
{
    machine m = {.r = r, .text = text, .n = n, .stack = frames.at, .frames = frames.count};
    *reached = n + 1;
    for (size_t at = from; at <= n; at += at < n ? pl__width(text[at]) : 1) {
        if (!r->any_first) {
            while (at < n && !(r->first[(unsigned char)text[at] / 64] >> ((unsigned char)text[at] % 64) & 1))
                at += pl__width(text[at]);
        }
        size_t end;
        m.depth = 0;
        m.tries = 0;
        m.hit_end = false;
        verdict v = run(&m, 0, at, &end);
        if (m.hit_end && at < *reached)
            *reached = at;
        if (v == GIVEN_UP)
            return PL__SEARCH_FAILED;
        if (v == MATCHED) {
            *match = (pl__match){at, end};
            return PL__SEARCH_FOUND;
        }
    }
    return PL__SEARCH_NONE;
}
