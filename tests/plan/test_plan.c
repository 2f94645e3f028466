/* Plans of many limits: within them, sums true, programs whose every operand lies where the ledger
 * has room for it. */
#include "../infer/folder.h"

#include "plan/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const test_model models[] = {
    {.hidden = 72, .heads = 6, .inner = 200, .layers = 3, .positions = 64},
    {.hidden = 128, .heads = 4, .inner = 512, .layers = 4, .positions = 512, .labels = 3},
    {.hidden = 60, .heads = 3, .inner = 130, .layers = 2, .positions = 128, .labels = 2, .distilbert = true},
};

typedef struct fixture {
    const char *path;
    pl_folder *folder;
    pl_region region;
    pl_model model;
    pl_plan_request request;
    pl_ledger_line held[2];
} fixture;

static void open_model(fixture *f, const test_model *m, pl_dtype compute)
{
    pl_error e;
    f->path = test_folder_make(m);
    pl_region_init(&f->region, NULL);
    assert_int_equal(pl_folder_open(f->path, pl_memory_system(), &f->folder, &e), PL_OK);
    if (pl_model_make(f->folder, &(pl_model_choice){.task = PL_TASK_AUTO}, &f->region, &f->model, &e))
        fail_msg("%s", e.text);
    pl_isa isa = pl_isa_best(pl_isa_present(), compute);
    f->held[0] = (pl_ledger_line){"program", "program", 2000000, PL_MOMENT_OPEN, PL_MOMENT_COUNT - 1};
    f->held[1] = (pl_ledger_line){"files being read", "model files", 300000, PL_MOMENT_OPEN, PL_MOMENT_OPEN};
    f->request = (pl_plan_request){.model = &f->model,
        .kernels = pl_kernels_of(isa, compute),
        .threads = 2,
        .longest = (uint32_t)m->positions,
        .held = f->held,
        .held_count = 2,
        .window_fixed = 100000,
        .window_row = 19,
        .window_text = 60,
        .team = 200000};
    assert_int_equal(pl_rates_of(isa, compute, NULL, &f->request.rates, &e), PL_OK);
    assert_int_equal(pl_plan_prepare(&f->request, &f->region, &e), PL_OK);
}

static void close_model(fixture *f)
{
    pl_folder_close(f->folder);
    pl_region_free(&f->region);
    test_folder_remove(f->path);
}

/* Bytes of a space behind an operand's offset, for `rows` rows of it. */
static void check_operand(const pl_program *p, const pl_stage *stage, pl_operand o, uint64_t rows, uint64_t width)
{
    uint64_t element = pl_dtype_bytes((pl_dtype)o.type), last = o.offset + ((rows - 1) * o.stride + width) * element;
    switch ((pl_space)o.space) {
    case PL_SPACE_NONE: return;
    case PL_SPACE_SLAB: assert_true(o.offset < stage->slab_bytes); return;
    case PL_SPACE_FIXED: assert_true(o.offset < p->arena_bytes); return;
    case PL_SPACE_THREAD:
        assert_true(width <= o.stride || rows == 1);
        assert_true(last <= p->workspace);
        return;
    default: assert_true(width <= o.stride); assert_true(last <= p->arena_bytes);
    }
}

static void check_program(const pl_program *p)
{
    uint64_t resident = 0;
    assert_true(p->thread + p->threads * p->thread_bytes <= p->arena_bytes);
    assert_true(p->slots + p->slot_count * p->slot_bytes <= p->arena_bytes);
    for (size_t s = 0; s < p->stage_count; s++) {
        const pl_stage *stage = &p->stages[s];
        if (stage->slab_bytes && stage->slab == PL_STREAMED)
            assert_true(p->slot_count > 0 && stage->slab_bytes <= p->slot_bytes);
        else if (stage->slab_bytes) {
            assert_true(stage->slab >= resident && stage->slab % 64 == 0);
            resident = stage->slab + stage->slab_bytes;
            assert_true(resident <= p->arena_bytes);
        }
        for (uint32_t i = 0; i < stage->load_count; i++)
            assert_true(p->loads[stage->first_load + i].to < stage->slab_bytes);
        for (uint32_t i = 0; i < stage->op_count; i++) {
            const pl_op *op = &p->ops[stage->first_op + i];
            uint64_t rows = op->a.space == PL_SPACE_THREAD ? op->texts ? p->tile_texts : p->tile_rows : op->texts ? p->pass_texts : p->pass_rows;
            check_operand(p, stage, op->a, rows, op->columns);
            if (op->code == PL_CODE_GEMM) {
                uint64_t in_rows = op->b.space == PL_SPACE_THREAD ? op->texts ? p->tile_texts : p->tile_rows : op->texts ? p->pass_texts : p->pass_rows;
                check_operand(p, stage, op->b, in_rows, op->depth);
                check_operand(p, stage, op->c, 1, 1);
                check_operand(p, stage, op->d, 1, 1);
            }
        }
    }
}

static void check_chains(const pl_program *p)
{
    /* every output of a cut product is begun once, gone on with, and ended once */
    bool open = false;
    for (size_t i = 0; i < p->op_count; i++) {
        const pl_op *op = &p->ops[i];
        if (op->code != PL_CODE_GEMM || (!op->go_on && op->last))
            continue;
        assert_true(op->go_on == open);
        open = !op->last;
    }
    assert_false(open);
}

static void many_limits(void **state)
{
    (void)state;
    for (size_t m = 0; m < PL_COUNT(models); m++)
        for (int bf16 = 0; bf16 < 2; bf16++) {
            fixture f;
            pl_error e;
            open_model(&f, &models[m], bf16 ? PL_BF16 : PL_F32);
            f.request.limit = 1;
            pl_plan_found found;
            pl_plan_search(&f.request, &found);
            assert_false(found.fits);
            uint64_t floor = found.floor.peak;
            double slowest = 1e9;
            for (uint64_t limit = floor; limit < 200 << 20; limit += limit / 5 + 4096) {
                f.request.limit = limit;
                pl_plan_search(&f.request, &found);
                assert_true(found.fits);
                assert_int_equal(found.floor.peak, floor);
                assert_true(found.best.peak <= limit);
                assert_int_equal(pl_plan_peak_of(&f.request, &found.best.knobs), found.best.peak);
                assert_true(found.best.seconds_per_row <= slowest * 1.021); /* more memory is never worse, but for what 2 % saves */
                slowest = found.best.seconds_per_row < slowest ? found.best.seconds_per_row : slowest;
                pl_plan_sizes sizes;
                pl_plan_sizes_of(&f.request, &found.best.knobs, &sizes);
                void *tables = calloc(1, sizes.program), *scratch = calloc(1, pl_plan_scratch(&f.request));
                pl_program program;
                pl_ledger ledger;
                assert_int_equal(pl_plan_compile(&f.request, &found.best.knobs, tables, scratch, &program, &f.region, &ledger, &e), PL_OK);
                assert_int_equal(pl_ledger_peak(&ledger), found.best.peak);
                check_program(&program);
                check_chains(&program);
                free(tables);
                free(scratch);
            }
            close_model(&f);
        }
}

static void wrong_knobs_are_refused(void **state)
{
    (void)state;
    fixture f;
    open_model(&f, &models[0], PL_F32);
    f.request.limit = 1 << 28;
    pl_plan_found found;
    pl_plan_search(&f.request, &found);
    pl_knobs k = found.best.knobs;
    assert_true(pl_plan_peak_of(&f.request, &k) != UINT64_MAX);
    k.tile_rows = f.request.longest - 1;
    assert_true(pl_plan_peak_of(&f.request, &k) == UINT64_MAX);
    k = found.best.knobs;
    k.pass_rows = k.tile_rows - 1;
    assert_true(pl_plan_peak_of(&f.request, &k) == UINT64_MAX);
    k = found.best.knobs;
    k.slab = 64;
    assert_true(pl_plan_peak_of(&f.request, &k) == UINT64_MAX);
    k = found.best.knobs;
    k.resident = UINT32_MAX;
    assert_true(pl_plan_peak_of(&f.request, &k) == UINT64_MAX);
    close_model(&f);
}

static pl_status count_lines(void *self, const char *text, size_t n, pl_error *e)
{
    (void)e;
    for (size_t i = 0; i < n; i++)
        *(size_t *)self += text[i] == '\n';
    return PL_OK;
}

static void the_program_is_printed_whole(void **state)
{
    (void)state;
    fixture f;
    pl_error e;
    open_model(&f, &models[1], PL_F32);
    f.request.limit = 8 << 20;
    pl_plan_found found;
    pl_plan_search(&f.request, &found);
    assert_true(found.fits);
    pl_plan_sizes sizes;
    pl_plan_sizes_of(&f.request, &found.best.knobs, &sizes);
    void *tables = calloc(1, sizes.program), *scratch = calloc(1, pl_plan_scratch(&f.request));
    pl_program program;
    assert_int_equal(pl_plan_compile(&f.request, &found.best.knobs, tables, scratch, &program, NULL, NULL, &e), PL_OK);
    size_t lines = 0;
    assert_int_equal(pl_program_print(&program, count_lines, &lines, &e), PL_OK);
    assert_true(lines >= program.op_count + program.load_count + program.stage_count);
    free(tables);
    free(scratch);
    close_model(&f);
}

/* A host of 1,000 bytes; ours: 30 from the first moment on, 20 in it only and given back, 50 later. */
static void what_the_host_holds(void **state)
{
    (void)state;
    pl_ledger_line lines[] = {{"tokenizer", "", 30, 0, 5}, {"read", "", 20, 0, 0}, {"weights", "", 50, 1, 5}};
    pl_ledger l = {.lines = lines, .count = PL_COUNT(lines)};
    assert_int_equal(pl_ledger_outside(&l, 1030), 1000);
    assert_int_equal(pl_ledger_outside(&l, 10), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(many_limits), cmocka_unit_test(wrong_knobs_are_refused), cmocka_unit_test(the_program_is_printed_whole),
        cmocka_unit_test(what_the_host_holds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
