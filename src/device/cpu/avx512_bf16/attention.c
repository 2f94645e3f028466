#include "device/cpu/avx512_bf16/attention.h"

enum { ROWS = BF16_TILE_ROWS };

/* One text and head on its way; sizes in tiles. */
typedef struct head {
    const pl_attention *call;
    size_t length;            /* rows of the text */
    size_t width, groups;     /* of the head; groups of 32 of it */
    size_t key_steps;         /* steps of 32 keys */
    const char *q, *k, *v;    /* the head's part of the text's first row */
    char *out;                /* likewise */
    size_t in_step, out_step; /* bytes from row to row */
    unsigned char *keys;      /* [groups][2 key_steps] tiles: 16 keys each */
    unsigned char *values;    /* [2 groups][key_steps] tiles: 16 of the width each */
    unsigned char *queries;   /* [groups] tiles */
    unsigned char *weights;   /* [steps of a chunk] tiles */
    float *scores;            /* [2 steps of a chunk] tiles of sums */
    float *context, *part;    /* [2 groups] tiles of sums: all chunks, one chunk */
    float factor;             /* scale log2 e */
    vf greatest, total, fade; /* lane i: of row i */
} head;

static size_t steps_of_chunk(size_t key_steps) { return pl_min(key_steps, BF16_CHUNK_KEYS / BF16_STEP); }

size_t pl__bf16_attention_workspace(size_t longest_text, size_t head_width)
{
    size_t groups = bf16_steps(head_width), key_steps = bf16_steps(longest_text), chunk = steps_of_chunk(key_steps);
    return (2 * key_steps * groups * 2 + groups + chunk + 2 * chunk + 2 * 2 * groups) * BF16_TILE_BYTES;
}

static void head_begin(head *h, const pl_attention *a, size_t unit, unsigned char *workspace)
{
    size_t text = unit / a->heads, column = unit % a->heads * a->head_width, first_row = a->starts[text];
    size_t in_bytes = pl_dtype_bytes(a->in_type), out_bytes = pl_dtype_bytes(a->out_type), in_at = (first_row * a->stride + column) * in_bytes;
    h->call = a;
    h->length = a->starts[text + 1] - first_row;
    h->width = a->head_width;
    h->groups = bf16_steps(h->width);
    h->key_steps = bf16_steps(h->length);
    h->q = (const char *)a->q + in_at;
    h->k = (const char *)a->k + in_at;
    h->v = (const char *)a->v + in_at;
    h->out = (char *)a->out + (first_row * a->out_stride + column) * out_bytes;
    h->in_step = a->stride * in_bytes;
    h->out_step = a->out_stride * out_bytes;
    h->factor = a->scale * 1.44269504f;
    size_t chunk = steps_of_chunk(h->key_steps);
    h->keys = workspace;
    h->values = h->keys + 2 * h->key_steps * h->groups * BF16_TILE_BYTES;
    h->queries = h->values + 2 * h->groups * h->key_steps * BF16_TILE_BYTES;
    h->weights = h->queries + h->groups * BF16_TILE_BYTES;
    h->scores = (float *)(void *)(h->weights + chunk * BF16_TILE_BYTES);
    h->context = h->scores + 2 * chunk * BF16_TILE_SUMS;
    h->part = h->context + 2 * h->groups * BF16_TILE_SUMS;
}

/* ---- tiles from rows: a group of 32 of the width, zero beyond the head's width and the text ---- */
PL_ALWAYS_INLINE void rows_load(const head *h, const char *from, size_t row, size_t group, pl_dtype type, int count, __m512i *rows)
{
    size_t wide = h->width - group * BF16_STEP, left = h->length - row;
    from += row * h->in_step;
    if (left >= (size_t)count) {
#pragma GCC unroll 16
        for (int i = 0; i < count; i++)
            rows[i] = bf16_load(from + (size_t)i * h->in_step, type, group * BF16_STEP, wide);
        return;
    }
    for (int i = 0; i < count; i++)
        rows[i] = (size_t)i < left ? bf16_load(from + (size_t)i * h->in_step, type, group * BF16_STEP, wide) : _mm512_setzero_si512();
}

PL_ALWAYS_INLINE void keys_pack(const head *h, pl_dtype type)
{
    unsigned char *out = h->keys;
    for (size_t group = 0; group < h->groups; group++)
        for (size_t key = 0; key < h->key_steps * BF16_STEP; key += 16, out += BF16_TILE_BYTES) {
            __m512i in[16] = {0};
            vf rows[16];
            if (key < h->length)
                rows_load(h, h->k, key, group, type, 16, in);
#pragma GCC unroll 16
            for (int i = 0; i < 16; i++)
                rows[i] = vf_of_bits(in[i]);
            vf_transpose(rows);
#pragma GCC unroll 16
            for (int i = 0; i < 16; i++)
                vf_store((float *)(void *)(out + i * 64), rows[i]);
        }
}

/* Two rows become pairs by an unpack within 128 bits: the first tile of a group takes elements
 * 0-3, 8-11, 16-19, 24-27 of it, the second the others; context_write puts them back. */
PL_ALWAYS_INLINE void values_pack(const head *h, pl_dtype type)
{
    for (size_t group = 0; group < h->groups; group++) {
        unsigned char *first = h->values + 2 * group * h->key_steps * BF16_TILE_BYTES, *second = first + h->key_steps * BF16_TILE_BYTES;
        for (size_t key = 0; key < h->key_steps * BF16_STEP; key += 2, first += 64, second += 64) {
            __m512i two[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
            if (key < h->length)
                rows_load(h, h->v, key, group, type, 2, two);
            _mm512_store_si512(first, _mm512_unpacklo_epi16(two[0], two[1]));
            _mm512_store_si512(second, _mm512_unpackhi_epi16(two[0], two[1]));
        }
    }
}

/* Rows beyond the last one stay as they are: nobody reads what comes of them. */
PL_ALWAYS_INLINE void queries_pack(const head *h, size_t first_query, size_t rows, pl_dtype type)
{
    unsigned char *out = h->queries;
    for (size_t group = 0; group < h->groups; group++) {
        const char *from = h->q + first_query * h->in_step;
        for (size_t i = 0; i < rows; i++, from += h->in_step)
            _mm512_store_si512(out + i * 64, bf16_load(from, type, group * BF16_STEP, h->width - group * BF16_STEP));
        out += BF16_TILE_BYTES;
    }
}

/* ---- softmax ---- */
/* Lane i of the result: row i's sixteen lanes joined by a fixed tree. */
#define ROWS_JOIN(name, op)                                                                                                                   \
    static inline vf name(const vf v[16])                                                                                                     \
    {                                                                                                                                         \
        vf fours[4];                                                                                                                          \
        for (int i = 0; i < 4; i++) {                                                                                                         \
            __m512d a = _mm512_castps_pd(op(_mm512_unpacklo_ps(v[4 * i], v[4 * i + 1]), _mm512_unpackhi_ps(v[4 * i], v[4 * i + 1])));         \
            __m512d b = _mm512_castps_pd(op(_mm512_unpacklo_ps(v[4 * i + 2], v[4 * i + 3]), _mm512_unpackhi_ps(v[4 * i + 2], v[4 * i + 3]))); \
            fours[i] = op(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)), _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));                            \
        }                                                                                                                                     \
        vf low = op(_mm512_shuffle_f32x4(fours[0], fours[1], 0x88), _mm512_shuffle_f32x4(fours[0], fours[1], 0xDD));                          \
        vf high = op(_mm512_shuffle_f32x4(fours[2], fours[3], 0x88), _mm512_shuffle_f32x4(fours[2], fours[3], 0xDD));                         \
        return op(_mm512_shuffle_f32x4(low, high, 0x88), _mm512_shuffle_f32x4(low, high, 0xDD));                                              \
    }
ROWS_JOIN(rows_greatest, vf_max)
ROWS_JOIN(rows_total, vf_add)
#undef ROWS_JOIN

/* The keys of a chunk that exist, of its tiles' lanes. */
static inline vm tile_lanes(size_t keys, size_t tile) { return vm_first(keys > tile * 16 ? keys - tile * 16 : 0); }

/* Lane i: the greatest score of row i; of rows from `rows` on anything. */
static vf scores_greatest(const float *scores, size_t rows, size_t keys)
{
    vf v[16];
    size_t last = (keys - 1) / 16;
    vm some = tile_lanes(keys, last);
    for (size_t row = 0; row < rows; row++, scores += 16) {
        const float *s = scores;
        vf most = vf_set(-__builtin_inff());
        for (size_t tile = 0; tile < last; tile++, s += BF16_TILE_SUMS)
            most = vf_max(most, vf_load(s));
        v[row] = _mm512_mask_max_ps(most, some, most, vf_load(s));
    }
    for (size_t row = rows; row < ROWS; row++)
        v[row] = vf_zero();
    return rows_greatest(v);
}

PL_ALWAYS_INLINE vf weights_step(const float *scores, vf most, vf factor, vm m0, vm m1, unsigned char *out)
{
    vf low = _mm512_maskz_mov_ps(m0, bf16_exp2(vf_mul(vf_sub(vf_load(scores), most), factor)));
    vf high = _mm512_maskz_mov_ps(m1, bf16_exp2(vf_mul(vf_sub(vf_load(scores + BF16_TILE_SUMS), most), factor)));
    _mm512_store_si512(out, bf16_round(low, high));
    return vf_add(low, high);
}

/* Scores of up to sixteen rows become weights; returns their sums. */
static vf weights_make(const float *scores, vf greatest, vf factor, size_t rows, size_t keys, unsigned char *out)
{
    vf v[16];
    _Alignas(64) float each[16];
    vf_store(each, greatest);
    size_t last = (keys - 1) / BF16_STEP;
    vm m0 = tile_lanes(keys, 2 * last), m1 = tile_lanes(keys, 2 * last + 1);
    for (size_t row = 0; row < rows; row++, scores += 16, out += 64) {
        const float *s = scores;
        unsigned char *to = out;
        vf sum = vf_zero(), most = vf_set(each[row]);
        for (size_t step = 0; step < last; step++, s += 2 * BF16_TILE_SUMS, to += BF16_TILE_BYTES)
            sum = vf_add(sum, weights_step(s, most, factor, 0xFFFF, 0xFFFF, to));
        v[row] = vf_add(sum, weights_step(s, most, factor, m0, m1, to));
    }
    for (size_t row = rows; row < ROWS; row++)
        v[row] = vf_zero();
    return rows_total(v);
}

/* The softmax of one chunk, and by how much what stands from earlier chunks fades. */
static void chunk_weigh(head *h, size_t rows, size_t keys, bool first)
{
    vf factor = vf_set(h->factor), most = scores_greatest(h->scores, rows, keys);
    if (!first) {
        most = vf_max(h->greatest, most);
        h->fade = bf16_exp2(vf_mul(vf_sub(h->greatest, most), factor));
    }
    h->greatest = most;
    vf sum = weights_make(h->scores, most, factor, rows, keys, h->weights);
    h->total = first ? sum : vf_fma(h->total, h->fade, sum);
}

/* context = context * fade + part */
static void context_add(const head *h, size_t rows)
{
    _Alignas(64) float fade[16];
    vf_store(fade, h->fade);
    for (size_t tile = 0; tile < 2 * h->groups; tile++)
        for (size_t row = 0; row < rows; row++) {
            size_t at = tile * BF16_TILE_SUMS + row * 16;
            vf_store(h->context + at, vf_fma(vf_load(h->context + at), vf_set(fade[row]), vf_load(h->part + at)));
        }
}

PL_ALWAYS_INLINE void context_write(const head *h, size_t first_query, size_t rows, pl_dtype type)
{
    __m512i quads = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
    __m512i front = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), back = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    _Alignas(64) float share[16];
    vf_store(share, vf_div(vf_set(1.0f), h->total));
    for (size_t group = 0; group < h->groups; group++) {
        const float *sums = h->context + group * 2 * BF16_TILE_SUMS;
        __mmask32 m = bf16_first(h->width - group * BF16_STEP);
        char *out = h->out + first_query * h->out_step + group * BF16_STEP * (type == PL_BF16 ? 2 : sizeof(float));
        for (size_t i = 0; i < rows; i++, sums += 16, out += h->out_step) {
            vf first = vf_mul(vf_load(sums), vf_set(share[i])), second = vf_mul(vf_load(sums + BF16_TILE_SUMS), vf_set(share[i]));
            if (type == PL_BF16) {
                _mm512_mask_storeu_epi16(out, m, _mm512_permutexvar_epi64(quads, bf16_round(first, second)));
                continue;
            }
            __m512d a = _mm512_castps_pd(first), b = _mm512_castps_pd(second);
            vf low = _mm512_castpd_ps(_mm512_permutex2var_pd(a, front, b)), high = _mm512_castpd_ps(_mm512_permutex2var_pd(a, back, b));
            vf_store_at((float *)(void *)out, vf_canonical(low), (vm)m);
            vf_store_at((float *)(void *)out + 16, vf_canonical(high), (vm)(m >> 16));
        }
    }
}

/* Pairs of the last step of a depth. */
static inline size_t last_pairs(size_t depth) { return ((depth - 1) % BF16_STEP + 2) / 2; }

/* Up to sixteen queries against all keys of the text. */
static void block_attend(head *h, size_t first_query, bf16_multiply multiply)
{
    size_t rows = pl_min(ROWS, h->length - first_query), most = steps_of_chunk(h->key_steps);
    if (h->call->in_type == PL_BF16)
        queries_pack(h, first_query, rows, PL_BF16);
    else
        queries_pack(h, first_query, rows, PL_F32);
    h->greatest = h->total = h->fade = vf_zero();
    for (size_t step = 0; step < h->key_steps; step += most) {
        size_t steps = pl_min(most, h->key_steps - step), keys = pl_min(steps * BF16_STEP, h->length - step * BF16_STEP);
        multiply(&(bf16_tiles){.sums = h->scores,
            .a = h->queries,
            .b = h->keys + 2 * step * BF16_TILE_BYTES,
            .next_b = BF16_TILE_BYTES,
            .step_b = 2 * h->key_steps * BF16_TILE_BYTES,
            .count = 2 * steps,
            .steps = h->groups,
            .rows = rows,
            .last_pairs = last_pairs(h->width)});
        chunk_weigh(h, rows, keys, step == 0);
        multiply(&(bf16_tiles){.sums = step == 0 ? h->context : h->part,
            .a = h->weights,
            .b = h->values + step * BF16_TILE_BYTES,
            .next_b = h->key_steps * BF16_TILE_BYTES,
            .step_b = BF16_TILE_BYTES,
            .count = 2 * h->groups,
            .steps = steps,
            .rows = rows,
            .last_pairs = last_pairs(keys)});
        if (step > 0)
            context_add(h, rows);
    }
    if (h->call->out_type == PL_BF16)
        context_write(h, first_query, rows, PL_BF16);
    else
        context_write(h, first_query, rows, PL_F32);
}

void pl__bf16_attention(const pl_attention *a, void *workspace, size_t first_unit, size_t last_unit, bf16_multiply multiply)
{
    head h;
    for (size_t unit = first_unit; unit < last_unit; unit++) {
        head_begin(&h, a, unit, workspace);
        if (a->in_type == PL_BF16) {
            keys_pack(&h, PL_BF16);
            values_pack(&h, PL_BF16);
        } else {
            keys_pack(&h, PL_F32);
            values_pack(&h, PL_F32);
        }
        for (size_t query = 0; query < h.length; query += ROWS)
            block_attend(&h, query, multiply);
    }
}
