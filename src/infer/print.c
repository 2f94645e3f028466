/* A plan for people and for programs. */
#include "infer/infer.h"
#include "plan/sheet.h"

#include <stdio.h>
#include <string.h>

static const char *moment_name(unsigned moment) { return pl_moment_name((pl_moment)moment); }
static const char *task_name(pl_task task) { return task == PL_TASK_CLASSIFY ? "classify" : "embed"; }
static const char *precision_name(pl_precision precision) { return precision == PL_PRECISION_BF16 ? "bf16" : "f32"; }

static const char *residency(const pl_plan *p) { return p->knobs.slots == 0 ? "resident" : p->knobs.resident ? "mixed" : "streamed"; }

static double tokens_per_second(const pl_plan *p)
{
    double seconds = p->saved || p->fits ? p->found.best.seconds_per_row : p->found.floor.seconds_per_row;
    return 1.0 / seconds;
}

/* Bytes of weights that the job reads: once where they stay, else once a pass. */
static uint64_t read_bytes(const pl_plan *p)
{
    uint64_t all = 0, streamed = pl_program_streamed_bytes(&p->program);
    for (size_t i = 0; i < p->program.load_count; i++)
        all += (uint64_t)p->program.loads[i].rows * p->program.loads[i].depth * pl_dtype_bytes((pl_dtype)p->program.loads[i].type);
    uint64_t passes = p->request.tokens ? (p->request.tokens + p->knobs.pass_rows - 1) / p->knobs.pass_rows : 1;
    return all - streamed + passes * streamed + p->request.tokens * p->program.words.row_bytes;
}

static void knobs_json(pl_printer *p, const pl_plan *plan)
{
    const pl_knobs *k = &plan->knobs;
    pl_print(p,
        "{\"weights\":\"%s\",\"slab_bytes\":%llu,\"resident_groups\":%u,\"slots\":%u,\"tile_rows\":%u,\"window_rows\":%u,\"window_texts\":%u,\"huge_pages\":%"
        "s,",
        residency(plan), (unsigned long long)k->slab, k->resident, k->slots, k->tile_rows, k->pass_rows, plan->program.pass_texts, k->huge ? "true" : "false");
    pl_print(p, "\"threads\":%u,\"precision\":\"%s\",\"isa\":\"%s\",\"max_length\":%u,\"longest\":%u}", plan->request.threads, precision_name(plan->precision),
        plan->request.kernels->name, plan->reading.max_length, plan->request.longest);
}

pl_status pl_plan_knobs_json(const pl_plan *plan, pl_write write, void *self, pl_error *e)
{
    pl_printer p = {write, self, e, PL_OK};
    knobs_json(&p, plan);
    return p.status;
}

static pl_sheet sheet_of(const pl_plan *plan)
{
    return (pl_sheet){plan->model.family, &plan->ledger, moment_name, PL_MOMENT_COUNT, plan->fits, plan->limit, plan->peak, pl_plan_floor(plan), plan->reason};
}

pl_status pl_plan_json(const pl_plan *plan, pl_write write, void *self, pl_error *e)
{
    pl_printer p = {write, self, e, PL_OK};
    pl_sheet s = sheet_of(plan);
    pl_print(&p, "{");
    pl_sheet_json_head(&p, &s);
    pl_print(&p, ",\"knobs\":");
    knobs_json(&p, plan);
    pl_print(&p, ",\"disk_bytes\":0,\"read_bytes\":%llu,\"write_bytes\":0,\"virtual_bytes\":%llu", (unsigned long long)read_bytes(plan),
        (unsigned long long)pl__virtual_bytes(plan));
    pl_sheet_json_ledger(&p, &s);
    pl_print(&p, ",\"estimate\":{\"tokens_per_second\":");
    pl_print_double(&p, tokens_per_second(plan));
    pl_print(&p, "},");
    if (plan->found.has_next) {
        pl_print(&p, "\"next\":{\"peak_bytes\":%llu,\"tokens_per_second\":", (unsigned long long)plan->found.next.peak);
        pl_print_double(&p, 1.0 / plan->found.next.seconds_per_row);
        pl_print(&p, "},");
    }
    pl_print(&p, "\"model\":{\"family\":");
    pl_print_string(&p, plan->model.family);
    pl_print(&p, ",\"task\":\"%s\",\"digest\":\"%016llx\"},\"plimsoll\":\"%s\"}\n", task_name(plan->model.task), (unsigned long long)plan->digest, PL_VERSION);
    return p.status;
}

/* ---- for people ---- */

static void text_knobs(pl_printer *p, const pl_plan *plan)
{
    const pl_knobs *k = &plan->knobs;
    char slab[32], next[32], streamed[32];
    pl_print(p, "\n");
    if (k->slots == 0)
        pl_print(p, "weights stay in memory: there is room for all of them\n");
    else
        pl_print(p, "weights are %s: %s read for each window of %u token rows, in slabs of at most %s, %u in flight\n",
            k->resident ? "partly resident" : "streamed", pl_bytes_text(pl_program_streamed_bytes(&plan->program), streamed), k->pass_rows,
            pl_bytes_text(k->slab, slab), k->slots);
    pl_print(
        p, "windows of %u token rows and %u texts, tiles of %u rows%s\n", k->pass_rows, plan->program.pass_texts, k->tile_rows, k->huge ? ", huge pages" : "");
    pl_print(p, "about %.0f tokens a second\n", tokens_per_second(plan));
    if (plan->found.has_next)
        pl_print(p, "with %s it would be %.2f times as fast\n", pl_bytes_text(plan->found.next.peak, next),
            plan->found.best.seconds_per_row / plan->found.next.seconds_per_row);
}

pl_status pl_plan_text(const pl_plan *plan, bool color, pl_write write, void *self, pl_error *e)
{
    pl_printer p = {write, self, e, PL_OK};
    pl_sheet s = sheet_of(plan);
    const char *bold = color ? "\x1b[1m" : "", *plain = color ? "\x1b[0m" : "";
    pl_print(&p, "%s%s%s  %s, %s, %s on %u thread%s, at most %u tokens a text\n", bold, plan->model.family, plain, task_name(plan->model.task),
        precision_name(plan->precision), plan->request.kernels->name, plan->request.threads, plan->request.threads == 1 ? "" : "s", plan->request.longest);
    pl_sheet_text_head(&p, &s, color);
    pl_sheet_text_ledger(&p, &s, color);
    text_knobs(&p, plan);
    return p.status;
}

pl_status pl_plan_program(const pl_plan *plan, pl_write write, void *self, pl_error *e) { return pl_program_print(&plan->program, write, self, e); }

pl_status pl_plan_svg(const pl_plan *plan, pl_write write, void *self, pl_error *e)
{
    pl_printer p = {write, self, e, PL_OK};
    pl_sheet s = sheet_of(plan);
    pl_sheet_svg(&p, &s);
    return p.status;
}
