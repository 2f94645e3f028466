#include "program/program.h"

#include <stdio.h>
#include <string.h>

const char *pl_opcode_name(pl_opcode code)
{
    static const char *const names[] = {
#define PL_OPCODE_NAME(name, text, doc) [PL_CODE_##name] = text,
        PL_OPCODE_MAP(PL_OPCODE_NAME)
#undef PL_OPCODE_NAME
    };
    return names[code];
}

const char *pl_space_name(pl_space space)
{
    static const char *const names[] = {
#define PL_SPACE_NAME(name, text) [PL_SPACE_##name] = text,
        PL_SPACE_MAP(PL_SPACE_NAME)
#undef PL_SPACE_NAME
    };
    return names[space];
}

const char *pl_phase_name(pl_phase phase)
{
    static const char *const names[] = {
#define PL_PHASE_NAME(name, text) [PL_PHASE_##name] = text,
        PL_PHASE_MAP(PL_PHASE_NAME)
#undef PL_PHASE_NAME
    };
    return names[phase];
}

typedef struct printer {
    pl_write write;
    void *self;
    pl_error *e;
    char line[512];
} printer;

static pl_status put(printer *p, const char *format, ...) PL_PRINTF(2, 3);
static pl_status put(printer *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(p->line, sizeof p->line, format, args);
    va_end(args);
    return p->write(p->self, p->line, pl_min((size_t)n, sizeof p->line - 1), p->e);
}

static const char *operand_text(pl_operand o, char out[64])
{
    if (o.space == PL_SPACE_NONE)
        return "-";
    snprintf(out, 64, "%s+%llu/%u%s", pl_space_name((pl_space)o.space), (unsigned long long)o.offset, o.stride, o.type == PL_BF16 ? "b" : "");
    return out;
}

static pl_status print_op(printer *p, const pl_op *op)
{
    char a[64], b[64], c[64], d[64], e[64], sizes[32], scalar[32];
    snprintf(sizes, sizeof sizes, op->depth ? "%ux%u" : "%u", op->depth ? op->depth : op->columns, op->columns);
    size_t n = pl_float_text(op->scalar, scalar);
    scalar[op->scalar != 0 ? n : 0] = '\0';
    return put(p, "    %-11s %-10s a=%s b=%s c=%s d=%s e=%s %s%s%s%s%s\n", pl_opcode_name((pl_opcode)op->code), sizes, operand_text(op->a, a),
        operand_text(op->b, b), operand_text(op->c, c), operand_text(op->d, d), operand_text(op->e, e),
        op->code == PL_CODE_GEMM && op->act != PL_ACT_NONE ? pl_act_name((pl_act)op->act) : "", scalar, op->go_on ? " go_on" : "",
        op->code == PL_CODE_GEMM && op->last ? " last" : "", op->texts ? " texts" : "");
}

static pl_status print_load(printer *p, const pl_load *l)
{
    return put(p, "    %-11s %ux%u %s file %u at %llu every %llu -> +%llu column %u of %u\n", l->kind == PL_LOAD_PACK ? "pack" : "widen", l->rows, l->depth,
        pl_dtype_name((pl_dtype)l->type), l->file, (unsigned long long)l->offset, (unsigned long long)l->row_bytes, (unsigned long long)l->to, l->first_column,
        l->columns);
}

pl_status pl_program_print(const pl_program *program, pl_write write, void *self, pl_error *e)
{
    printer p = {.write = write, .self = self, .e = e};
    pl_status s = put(&p, "program: %zu stages, %zu operations, %zu loads; arena %llu bytes%s\n", program->stage_count, program->op_count, program->load_count,
        (unsigned long long)program->arena_bytes, program->huge ? " in huge pages" : "");
    if (!s)
        s = put(&p, "pass: at most %u rows of %u texts in tiles of %u rows; %u threads with %llu bytes of scratch each\n", program->pass_rows,
            program->pass_texts, program->tile_rows, program->threads, (unsigned long long)program->thread_bytes);
    if (!s && program->slot_count)
        s = put(
            &p, "slabs: %u slots of %llu bytes at %llu\n", program->slot_count, (unsigned long long)program->slot_bytes, (unsigned long long)program->slots);
    if (!s)
        s = put(&p, "tables\n");
    for (size_t i = program->first_table_load; i < program->load_count && !s; i++)
        s = print_load(&p, &program->loads[i]);
    for (size_t i = 0; i < program->stage_count && !s; i++) {
        const pl_stage *stage = &program->stages[i];
        const char *residency = !stage->slab_bytes ? "no weights" : stage->slab == PL_STREAMED ? "streamed" : "resident";
        s = put(&p, "stage %zu: %s, layer %u, %s, %llu bytes\n", i, pl_phase_name((pl_phase)stage->phase), stage->layer, residency,
            (unsigned long long)stage->slab_bytes);
        for (uint32_t k = 0; k < stage->load_count && !s; k++)
            s = print_load(&p, &program->loads[stage->first_load + k]);
        for (uint32_t k = 0; k < stage->op_count && !s; k++)
            s = print_op(&p, &program->ops[stage->first_op + k]);
    }
    return s;
}
