/* Trees to programs. */
#include "text/regex_program.h"

#include "text/unicode.h"

#include <string.h>

enum { MOST_CODE = 1 << 15, MOST_DEPTH = 512 };

typedef struct compiler {
    pl__code *code; /* NULL: only counted */
    uint32_t n, slots, depth;
    const char *why;
} compiler;

static uint32_t put(compiler *c, pl__op op, uint32_t a, uint32_t b)
{
    if (c->n == MOST_CODE)
        c->why = "makes too large a program";
    if (c->why)
        return 0;
    if (c->code)
        c->code[c->n] = (pl__code){.op = op, .a = a, .b = b};
    return c->n++;
}

static void patch(compiler *c, uint32_t at, bool second, uint32_t value)
{
    if (!c->code || c->why)
        return;
    if (second)
        c->code[at].b = value;
    else
        c->code[at].a = value;
}

static void compile(compiler *c, const pl__branch *b);

static bool is_single(const pl__branch *b) { return b->shape == PL__SHAPE_CHARACTER || b->shape == PL__SHAPE_SET || b->shape == PL__SHAPE_ANY; }

/* What a loop over one character takes. */
static uint32_t loop_set(const pl__branch *b)
{
    if (b->shape == PL__SHAPE_CHARACTER)
        return b->value | (b->folded ? PL__LOOP_FOLDED : PL__LOOP_CHARACTER);
    return b->shape == PL__SHAPE_SET ? b->value : b->value ? PL__LOOP_ANY_NEWLINE : PL__LOOP_ANY;
}

/* Whether it can match nothing. */
static bool is_nullable(const pl__branch *b)
{
    switch (b->shape) {
    case PL__SHAPE_CHARACTER:
    case PL__SHAPE_SET:
    case PL__SHAPE_ANY: return false;
    case PL__SHAPE_SEQUENCE:
        for (const pl__branch *child = b->child; child; child = child->next)
            if (!is_nullable(child))
                return false;
        return true;
    case PL__SHAPE_CHOICE:
        for (const pl__branch *child = b->child; child; child = child->next)
            if (is_nullable(child))
                return true;
        return false;
    case PL__SHAPE_REPEAT: return b->low == 0 || is_nullable(b->child);
    case PL__SHAPE_ATOMIC: return is_nullable(b->child);
    default: return true;
    }
}

/* Its length in characters, PL__FOREVER if it has no fixed one. */
static uint32_t fixed_length(const pl__branch *b)
{
    uint32_t n = 0;
    switch (b->shape) {
    case PL__SHAPE_CHARACTER:
    case PL__SHAPE_SET:
    case PL__SHAPE_ANY: return 1;
    case PL__SHAPE_SEQUENCE:
        for (const pl__branch *child = b->child; child; child = child->next) {
            uint32_t m = fixed_length(child);
            if (m == PL__FOREVER || (n += m) > MOST_CODE)
                return PL__FOREVER;
        }
        return n;
    case PL__SHAPE_CHOICE:
        n = fixed_length(b->child);
        for (const pl__branch *child = b->child->next; child; child = child->next)
            if (fixed_length(child) != n)
                return PL__FOREVER;
        return n;
    case PL__SHAPE_REPEAT:
        n = fixed_length(b->child);
        return b->low != b->high || n == PL__FOREVER || (uint64_t)n * b->low > MOST_CODE ? PL__FOREVER : n * b->low;
    case PL__SHAPE_ATOMIC: return fixed_length(b->child);
    default: return 0;
    }
}

static void compile_loop(compiler *c, const pl__branch *b)
{
    uint32_t at = put(c, PL__OP_LOOP, loop_set(b->child), b->low);
    if (c->code && !c->why) {
        c->code[at].c = b->high;
        c->code[at].d = b->greed;
    }
}

/* x* as: again: split turn, out; turn: x, jump again; out: */
static void compile_star(compiler *c, const pl__branch *b, bool lazy)
{
    bool guarded = is_nullable(b->child);
    uint32_t slot = 0;
    if (guarded && (slot = c->slots++) >= PL__MOST_SLOTS)
        c->why = "has too many loops over what may be empty";
    uint32_t again = put(c, PL__OP_SPLIT, 0, 0);
    patch(c, again, lazy, c->n);
    if (guarded)
        put(c, PL__OP_ENTER, slot, 0);
    compile(c, b->child);
    if (guarded)
        put(c, PL__OP_AGAIN, slot, 0);
    put(c, PL__OP_JUMP, again, 0);
    patch(c, again, !lazy, c->n);
}

/* x{0,n} as: split x1, out; x1; split x2, out; x2; ... out: every turn has the same length. */
static void compile_optional(compiler *c, const pl__branch *b, uint32_t n, bool lazy)
{
    uint32_t turn = 0;
    for (uint32_t i = 0; i < n && !c->why; i++) {
        uint32_t split = put(c, PL__OP_SPLIT, 0, 0);
        patch(c, split, lazy, c->n);
        compile(c, b->child);
        turn = c->n - split;
    }
    for (uint32_t i = 1; i <= n && !c->why; i++)
        patch(c, c->n - i * turn, !lazy, c->n);
}

static void compile_repeat(compiler *c, const pl__branch *b)
{
    if (is_single(b->child)) {
        compile_loop(c, b);
        return;
    }
    uint32_t atomic = b->greed == PL__POSSESSIVE ? put(c, PL__OP_ATOMIC, 0, 0) : 0;
    bool lazy = b->greed == PL__LAZY;
    for (uint32_t i = 0; i < b->low && !c->why; i++)
        compile(c, b->child);
    if (b->high == PL__FOREVER) {
        compile_star(c, b, lazy);
    } else {
        compile_optional(c, b, b->high - b->low, lazy);
    }
    if (b->greed == PL__POSSESSIVE) {
        put(c, PL__OP_MATCH, 0, 0);
        patch(c, atomic, true, c->n);
    }
}

static void compile_choice(compiler *c, const pl__branch *b)
{
    uint32_t last_jump = PL__FOREVER; /* jumps to the end, chained through their targets */
    for (const pl__branch *child = b->child; child && !c->why; child = child->next) {
        if (!child->next) {
            compile(c, child);
            break;
        }
        uint32_t split = put(c, PL__OP_SPLIT, c->n + 1, 0);
        compile(c, child);
        last_jump = put(c, PL__OP_JUMP, last_jump, 0);
        patch(c, split, true, c->n);
    }
    while (c->code && !c->why && last_jump != PL__FOREVER) {
        uint32_t before = c->code[last_jump].a;
        c->code[last_jump].a = c->n;
        last_jump = before;
    }
}

/* A group that is matched on its own: its code ends in MATCH. */
static void compile_inner(compiler *c, const pl__branch *b, pl__op op, uint32_t length)
{
    uint32_t at = put(c, op, b->value, 0);
    compile(c, b->child);
    put(c, PL__OP_MATCH, 0, 0);
    patch(c, at, true, c->n);
    if (c->code && !c->why)
        c->code[at].c = length;
}

/* Looking back needs a length; the alternatives of a choice may each have one of their own. */
static void compile_behind(compiler *c, const pl__branch *b)
{
    uint32_t length = fixed_length(b->child);
    if (length != PL__FOREVER) {
        compile_inner(c, b, PL__OP_BEHIND, length);
        return;
    }
    if (b->child->shape != PL__SHAPE_CHOICE) {
        c->why = "looks back over something of no fixed length";
        return;
    }
    pl__branch parts[32], list = {.shape = b->value ? PL__SHAPE_CHOICE : PL__SHAPE_SEQUENCE, .child = parts};
    pl__branch alone[32];
    uint32_t n = 0;
    for (const pl__branch *child = b->child->child; child; child = child->next, n++) {
        if (n == 32 || fixed_length(child) == PL__FOREVER) {
            c->why = "looks back over something of no fixed length";
            return;
        }
        alone[n] = *child;
        alone[n].next = NULL;
        parts[n] = (pl__branch){.shape = PL__SHAPE_BEHIND, .value = b->value, .child = &alone[n]};
        if (n > 0)
            parts[n - 1].next = &parts[n];
    }
    compile(c, &list);
}

static void compile(compiler *c, const pl__branch *b)
{
    if (++c->depth > MOST_DEPTH)
        c->why = "is nested too deeply";
    if (!c->why)
        switch (b->shape) {
        case PL__SHAPE_EMPTY: break;
        case PL__SHAPE_CHARACTER: put(c, b->folded ? PL__OP_FOLDED : PL__OP_CHARACTER, b->value, 0); break;
        case PL__SHAPE_SET: put(c, PL__OP_SET, b->value, 0); break;
        case PL__SHAPE_ANY: put(c, PL__OP_ANY, b->value, 0); break;
        case PL__SHAPE_SEQUENCE:
            for (const pl__branch *child = b->child; child && !c->why; child = child->next)
                compile(c, child);
            break;
        case PL__SHAPE_CHOICE: compile_choice(c, b); break;
        case PL__SHAPE_REPEAT: compile_repeat(c, b); break;
        case PL__SHAPE_AHEAD: compile_inner(c, b, PL__OP_AHEAD, 0); break;
        case PL__SHAPE_BEHIND: compile_behind(c, b); break;
        case PL__SHAPE_ATOMIC: compile_inner(c, b, PL__OP_ATOMIC, 0); break;
        case PL__SHAPE_ANCHOR: put(c, (pl__op)b->value, 0, 0); break;
        }
    c->depth--;
}

/* A way that begins with an ASCII character is only entered where that stands. */
static void mark_splits(pl__code *code, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (code[i].op == PL__OP_SPLIT && code[code[i].a].op == PL__OP_CHARACTER && code[code[i].a].a < 128) {
            code[i].c = code[code[i].a].a;
            code[i].d = 1;
        }
}

/* ---- what a match can begin with ---- */

static void add_byte(uint64_t first[4], unsigned byte) { first[byte / 64] |= 1ULL << (byte % 64); }

static void add_character(uint64_t first[4], uint32_t c)
{
    char bytes[4];
    pl__encode(c, bytes);
    add_byte(first, (unsigned char)bytes[0]);
}

/* Adds the first bytes of b; false: it may be empty or is not looked through. */
static bool add_first(const pl__branch *b, const pl__set *sets, uint64_t first[4])
{
    switch (b->shape) {
    case PL__SHAPE_CHARACTER: {
        uint32_t cases[16];
        size_t n = b->folded ? pl__unfold(b->value, cases) : 1;
        for (size_t i = 0; i < n; i++)
            add_character(first, b->folded ? cases[i] : b->value);
        return true;
    }
    case PL__SHAPE_SET:
        first[0] |= sets[b->value].ascii[0];
        first[1] |= sets[b->value].ascii[1];
        first[2] = first[3] = ~0ULL;
        return true;
    case PL__SHAPE_ANY: memset(first, 0xFF, 4 * sizeof *first); return true;
    case PL__SHAPE_SEQUENCE:
        for (const pl__branch *child = b->child; child; child = child->next)
            if (add_first(child, sets, first))
                return true;
        return false;
    case PL__SHAPE_CHOICE: {
        bool all = true;
        for (const pl__branch *child = b->child; child; child = child->next)
            all &= add_first(child, sets, first);
        return all;
    }
    case PL__SHAPE_REPEAT: return add_first(b->child, sets, first) && b->low > 0;
    case PL__SHAPE_ATOMIC: return add_first(b->child, sets, first);
    default: return false;
    }
}

/* ---- all of it ---- */

static pl_status refuse(const char *what, char why[128])
{
    size_t n = strlen(what);
    memcpy(why, what, n + 1);
    return PL_BAD_INPUT;
}

static pl_status build(pl_region *region, const pl__pattern *p, const pl__branch *tree, pl__regex *r, char why[128])
{
    compiler c = {0};
    compile(&c, tree);
    put(&c, PL__OP_MATCH, 0, 0);
    if (c.why)
        return refuse(c.why, why);
    pl__code *code = pl_region_take(region, c.n * sizeof *code);
    pl__set *sets = pl_region_take(region, p->set_count * sizeof *sets);
    pl__item *items = pl_region_take(region, p->item_count * sizeof *items);
    if (!code || !sets || !items)
        return PL_MACHINE;
    c = (compiler){.code = code};
    compile(&c, tree);
    put(&c, PL__OP_MATCH, 0, 0);
    mark_splits(code, c.n);
    memcpy(sets, p->sets, p->set_count * sizeof *sets);
    memcpy(items, p->items, p->item_count * sizeof *items);
    *r = (pl__regex){.code = code, .sets = sets, .items = items, .code_count = c.n, .set_count = p->set_count};
    r->any_first = !add_first(tree, sets, r->first);
    return PL_OK;
}

pl_status pl__regex_compile(pl_region *region, pl_region *scratch, const char *text, size_t n, const pl__regex **out, char why[128])
{
    enum { LONGEST = 1 << 14, ROOM = 4096 };
    if (n > LONGEST)
        return refuse("is too long", why);
    pl__pattern p = {.text = text, .n = n, .scratch = scratch, .room = ROOM, .why = why};
    p.sets = pl_region_take(scratch, ROOM * sizeof *p.sets);
    p.items = pl_region_take(scratch, ROOM * sizeof *p.items);
    pl__regex *r = pl_region_take(region, sizeof *r);
    if (!p.sets || !p.items || !r)
        return PL_MACHINE;
    const pl__branch *tree = pl__pattern_parse(&p);
    if (!tree)
        return p.status;
    *out = r;
    return build(region, &p, tree, r, why);
}
