#include "infer/infer.h"

#include <assert.h>
#include <string.h>

/* Twice a pass, so that the next texts are read while this pass computes; duplicates cost no row. */
enum { AHEAD = 2, DUPLICATES = 4 };

static uint32_t power_of_two(uint32_t least)
{
    uint32_t size = 16;
    while (size < least)
        size *= 2;
    return size;
}

void pl__window_lay_out(pl__window *w, pl_carver *c, const pl__reading *r, uint32_t width, uint32_t longest, uint32_t pass_rows, uint32_t pass_texts)
{
    *w = (pl__window){.token_room = AHEAD * pass_rows + (uint32_t)pl_max(longest, r->max_length),
        .text_room = DUPLICATES * pass_texts,
        .pass_rows = pass_rows,
        .pass_texts = pass_texts,
        .table_size = power_of_two(2 * pass_texts)};
    w->ids = pl_carve(c, w->token_room * sizeof *w->ids);
    w->types = pl_carve(c, w->token_room * sizeof *w->types);
    w->starts = pl_carve(c, (w->text_room + 1) * sizeof *w->starts);
    w->row_ids = pl_carve(c, pass_rows * sizeof *w->row_ids);
    w->row_positions = pl_carve(c, pass_rows * sizeof *w->row_positions);
    w->row_types = pl_carve(c, pass_rows * sizeof *w->row_types);
    w->row_starts = pl_carve(c, (pass_texts + 1) * sizeof *w->row_starts);
    w->distinct = pl_carve(c, w->text_room * sizeof *w->distinct);
    w->table = pl_carve(c, w->table_size * sizeof *w->table);
    w->scores = pl_carve(c, width * sizeof *w->scores);
    w->workspace_bytes = pl_tokenizer_workspace(r->tokenizer, r->text_bytes, r->max_length);
    w->workspace = pl_carve(c, w->workspace_bytes);
}

/* An affine bound of what lay_out carves: the table's size is below four slots a text, alignment
 * adds at most a line a piece. */
pl__window_sizes pl__window_measure(const pl__reading *r, uint32_t width, uint32_t longest)
{
    enum { PIECES = 11, LINE = 64, LEAST_TABLE = 16 };
    uint64_t ahead = pl_max(longest, r->max_length);
    uint64_t fixed = ahead * 5 + 8 + LEAST_TABLE * 4 + width * sizeof(float) + pl_tokenizer_workspace(r->tokenizer, r->text_bytes, r->max_length);
    return (pl__window_sizes){fixed + PIECES * LINE + sizeof(pl_session) + LINE, AHEAD * 5 + 9, DUPLICATES * 8 + 4 + 4 * sizeof(uint32_t)};
}

static uint32_t hash(const uint32_t *ids, const uint8_t *types, uint32_t n)
{
    uint64_t h = n * 0x9E3779B97F4A7C15u;
    for (uint32_t i = 0; i < n; i++)
        h = (h ^ (ids[i] + ((uint64_t)types[i] << 32))) * 0xFF51AFD7ED558CCDu, h ^= h >> 32;
    return (uint32_t)h;
}

/* The pass's text equal to waiting text i, or the free place of the table for it. */
static uint32_t *find(pl__window *w, uint32_t i, bool *found)
{
    uint32_t from = w->starts[i], n = w->starts[i + 1] - from;
    uint32_t at = hash(w->ids + from, w->types + from, n) & (w->table_size - 1);
    for (; w->table[at]; at = (at + 1) & (w->table_size - 1)) {
        uint32_t row = w->row_starts[w->table[at] - 1];
        *found = w->row_starts[w->table[at]] - row == n && memcmp(w->row_ids + row, w->ids + from, n * sizeof *w->ids) == 0 &&
            memcmp(w->row_types + row, w->types + from, n) == 0;
        if (*found)
            return &w->table[at];
    }
    *found = false;
    return &w->table[at];
}

uint32_t pl__window_make_pass(pl__window *w, const pl_model *m, uint32_t most_rows, uint32_t most_texts, pl_pass *pass)
{
    uint32_t rows = 0, texts = 0, i = 0;
    memset(w->table, 0, w->table_size * sizeof *w->table);
    w->row_starts[0] = 0;
    for (; i < w->texts; i++) {
        uint32_t from = w->starts[i], n = w->starts[i + 1] - from;
        bool found;
        uint32_t *slot = find(w, i, &found);
        if (!found) {
            if (rows + n > most_rows || texts == most_texts)
                break;
            memcpy(w->row_ids + rows, w->ids + from, n * sizeof *w->ids);
            memcpy(w->row_types + rows, w->types + from, n);
            for (uint32_t k = 0; k < n; k++)
                w->row_positions[rows + k] = m->positions.first + k;
            rows += n;
            w->row_starts[++texts] = rows;
            *slot = texts;
        }
        w->distinct[i] = *slot - 1;
    }
    *pass = (pl_pass){.rows = rows, .texts = texts, .ids = w->row_ids, .types = w->row_types, .positions = w->row_positions, .starts = w->row_starts};
    return i;
}

void pl__window_drop(pl__window *w, uint32_t texts)
{
    assert(texts <= w->texts);
    uint32_t tokens = w->starts[texts];
    memmove(w->ids, w->ids + tokens, (w->tokens - tokens) * sizeof *w->ids);
    memmove(w->types, w->types + tokens, w->tokens - tokens);
    for (uint32_t i = texts; i <= w->texts; i++)
        w->starts[i - texts] = w->starts[i] - tokens;
    w->texts -= texts;
    w->tokens -= tokens;
}
