/* What a set of knobs costs in time: a model of few terms, made to rank plans. */
#include "plan/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Measured with bench/bench_kernels on two kinds of machine (Sapphire Rapids, Zen 4), one thread;
 * where they differ the slower figure stands, since plans must not depend on where they are made. */
static const pl_rates built_in[PL_ISA_COUNT][2] = {
    [PL_ISA_REFERENCE] = {{1.0e9, 8e9, 4e9, 8e9, 0.5e9, 0.4e-6, 0.3e-6}, {0.5e9, 8e9, 4e9, 8e9, 0.4e9, 0.4e-6, 0.3e-6}},
    [PL_ISA_AVX2] = {{55e9, 10e9, 10e9, 8e9, 3e9, 0.4e-6, 0.3e-6}, {40e9, 10e9, 10e9, 8e9, 2e9, 0.4e-6, 0.3e-6}},
    [PL_ISA_AVX512] = {{110e9, 40e9, 12e9, 8e9, 3.5e9, 0.4e-6, 0.3e-6}, {80e9, 40e9, 12e9, 8e9, 2.5e9, 0.4e-6, 0.3e-6}},
    [PL_ISA_AVX512_BF16] = {{110e9, 40e9, 12e9, 8e9, 3.5e9, 0.4e-6, 0.3e-6}, {200e9, 40e9, 12e9, 8e9, 3e9, 0.4e-6, 0.3e-6}},
    [PL_ISA_AMX] = {{200e9, 40e9, 12e9, 8e9, 3.5e9, 0.4e-6, 0.3e-6}, {1500e9, 40e9, 12e9, 8e9, 3e9, 0.4e-6, 0.3e-6}},
};

static const struct {
    const char *key;
    size_t at;
} rate_keys[] = {
    {"flops", offsetof(pl_rates, flops)},
    {"weight_bytes", offsetof(pl_rates, weight_bytes)},
    {"touch_bytes", offsetof(pl_rates, touch_bytes)},
    {"read_bytes", offsetof(pl_rates, read_bytes)},
    {"pack_bytes", offsetof(pl_rates, pack_bytes)},
    {"read_call", offsetof(pl_rates, read_call)},
    {"step", offsetof(pl_rates, step)},
};

static pl_status read_line(const char *line, const char *prefix, const char *record, unsigned number, pl_rates *out, pl_error *e)
{
    size_t n = strcspn(line, "="), prefix_length = strlen(prefix);
    if (line[0] == '\0' || line[0] == '#' || strncmp(line, prefix, prefix_length) != 0)
        return PL_OK;
    const char *key = line + prefix_length;
    for (size_t i = 0; i < PL_COUNT(rate_keys); i++)
        if (strlen(rate_keys[i].key) == n - prefix_length && strncmp(key, rate_keys[i].key, n - prefix_length) == 0) {
            double value;
            const char *text = line + n + (line[n] == '=');
            if (!pl_double_parse(text, strlen(text), &value) || !(value > 0 && value < 1e18))
                return pl_fail(e, PL_BAD_INPUT, "%s: line %u: \"%s\" must be KEY=NUMBER, the number above 0", record, number, line);
            memcpy((char *)out + rate_keys[i].at, &value, sizeof value);
            return PL_OK;
        }
    return pl_fail(e, PL_BAD_INPUT, "%s: line %u: \"%s\" is no rate of a machine record", record, number, line);
}

/* A record has lines "ISA.TYPE.KEY=NUMBER", for example "avx512.F32.flops=1.1e11". */
pl_status pl_rates_of(pl_isa isa, pl_dtype compute, const char *record, pl_rates *out, pl_error *e)
{
    *out = built_in[isa][compute == PL_BF16];
    if (!record)
        return PL_OK;
    FILE *f = fopen(record, "re");
    if (!f)
        return pl_fail(e, PL_BAD_INPUT, "%s: cannot be read, it should be a machine record", record);
    char line[256], prefix[64];
    snprintf(prefix, sizeof prefix, "%s.%s.", pl_isa_name(isa), pl_dtype_name(compute));
    pl_status s = PL_OK;
    for (unsigned number = 1; !s && fgets(line, sizeof line, f); number++) {
        line[strcspn(line, "\r\n")] = '\0';
        s = read_line(line, prefix, record, number, out, e);
    }
    fclose(f);
    return s;
}


enum { FLOAT = 4, SMALL_PASS = 16 };
static const double SMALL_PAGES = 1.06; /* misses of the TLB, as measured on MiniLM */
static const double SMALL_SHARE = 0.02; /* of rows that come as a lone short text, where the input is unknown */

double pl__seconds_per_row(const pl_plan_request *r, const pl__cut *cut, const pl_knobs *k, const pl__layout *l)
{
    const pl_rates *v = &r->rates;
    double threads = r->threads, tile = k->tile_rows, pass = k->pass_rows;
    bool streams = pl__streams(r, k);
    double row = (double)cut->row_flops / v->flops;
    row += (double)cut->reload_columns * FLOAT * 2 / v->touch_bytes;
    row += (double)(cut->stages * 3) * v->step / tile;
    /* weights come to the kernel once a tile: from the cache where slabs are small and tiles follow
     * each other on one slab, else from memory */
    row += (double)cut->weight_bytes / v->weight_bytes / tile * (streams ? 0.4 : 1.0);
    /* q, k, v, inner and hidden values that do not stay in the second-level cache */
    if (l->thread_bytes > (uint64_t)3 << 19)
        row *= 1.0 + 0.05 * (double)(l->thread_bytes - ((uint64_t)3 << 19)) / (double)(1 << 20);
    if (!k->huge)
        row *= SMALL_PAGES;
    double idle = 0.1 * tile * threads / pass;
    double per_row = row * (1.0 + idle) / threads;
    if (!streams)
        return per_row;
    double read = (double)cut->streamed_file / v->read_bytes + (double)cut->streamed_file / v->pack_bytes + (double)cut->streamed_calls * v->read_call;
    double beside = k->slots > 1 ? threads : 1.0; /* read-ahead shares the cores; one slot leaves them idle */
    double first = k->slots > 1 ? read / (double)pl_max(cut->stages, 1) : 0;
    if (r->tokens) {
        uint64_t passes = (r->tokens + k->pass_rows - 1) / k->pass_rows;
        return per_row + (double)passes * (read / beside + first) / (double)r->tokens;
    }
    return per_row + (1 - SMALL_SHARE) * (read / beside + first) / pass + SMALL_SHARE * read / SMALL_PASS;
}
