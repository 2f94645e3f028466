/* The program of a step as `plan --train --program` shows it. */
#include "plan/sheet.h"
#include "train/plan.h"
#include "train/trainer.h"


const char *pl__step_code_name(pl__step_code code)
{
#define NAME(name, text, doc) text,
    static const char *const names[PL__STEP_CODES] = {PL__STEP_MAP(NAME)};
#undef NAME
    return names[code];
}

static const char *doc(pl__step_code code)
{
#define DOC(name, text, what) what,
    static const char *const docs[PL__STEP_CODES] = {PL__STEP_MAP(DOC)};
#undef DOC
    return docs[code];
}

static void print_ref(pl_printer *p, const char *name, pl__ref r)
{
    static const char *const places[] = {
        [PL__PLACE_NONE] = "", [PL__PLACE_MICRO] = "micro", [PL__PLACE_BATCH] = "batch", [PL__PLACE_PASSING] = "passing", [PL__PLACE_FIXED] = "fixed"};
    if (r.place)
        pl_print(p, " %s=%s+%llu/%u", name, places[r.place], (unsigned long long)r.offset, r.stride);
}

static void print_op(pl_printer *p, const pl__step_op *op)
{
    pl_print(p, "    %-18s %u", pl__step_code_name((pl__step_code)op->code), op->columns);
    if (op->depth)
        pl_print(p, " x %u", op->depth);
    if (op->texts)
        pl_print(p, " texts");
    if (op->drop > 0)
        pl_print(p, " drop=%g", (double)op->drop);
    const struct {
        const char *name;
        pl__ref ref;
    } refs[] = {{"a", op->a}, {"b", op->b}, {"c", op->c}, {"d", op->d}, {"e", op->e}, {"f", op->f}};
    for (size_t i = 0; i < PL_COUNT(refs); i++)
        print_ref(p, refs[i].name, refs[i].ref);
    pl_print(p, "    ; %s\n", doc((pl__step_code)op->code));
}

pl_status pl__step_print(const pl__step_program *program, pl_write write, void *self, pl_error *e)
{
    static const char *const kinds[] = {"forward", "head", "backward"};
    pl_printer p = {write, self, e, PL_OK};
    for (size_t i = 0; i < program->stage_count && !p.status; i++) {
        const pl__step_stage *s = &program->stages[i];
        pl_print(&p, "stage %zu: %s", i, kinds[s->kind]);
        if (s->layer != PL_NO_VALUE)
            pl_print(&p, " of layer %u", s->layer);
        else if (s->kind != PL__HEAD)
            pl_print(&p, " of the embeddings");
        pl_print(&p, ", %u weights in, %u gradients out\n", s->fetch_count, s->yield_count);
        for (uint32_t k = 0; k < s->op_count; k++)
            print_op(&p, &program->ops[s->first_op + k]);
    }
    return p.status;
}

pl_status pl_trainer_program(const pl_trainer *t, pl_write write, void *self, pl_error *e)
{
    pl_region region;
    pl__parameters parameters;
    pl_region_init(&region, pl_memory_system());
    pl_status s = pl__parameters_make(&t->request, &region, &parameters, e);
    if (!s) {
        pl__step_costs c;
        pl__step_sizes again;
        pl__step_measure(&t->request, &t->plan.knobs, &parameters, &c);
        pl__step_program program = {.elements = parameters.elements, .l = c.layout, .op_count = c.sizes.ops, .stage_count = c.sizes.stages};
        program.ops = pl_region_take(&region, c.sizes.ops * sizeof *program.ops);
        program.stages = pl_region_take(&region, c.sizes.stages * sizeof *program.stages);
        if (program.ops && program.stages) {
            pl__step_emit(&t->request, &t->plan.knobs, &parameters, &program, &again);
            s = pl__step_print(&program, write, self, e);
        } else {
            s = pl_fail_no_memory(e, c.sizes.ops * sizeof *program.ops, "the program");
        }
    }
    pl_region_free(&region);
    return s;
}
