#include "train/emit.h"

#include <stdio.h>
#include <string.h>

enum { ALIGN = 16 /* elements: a cache line */ };

typedef struct lister {
    const pl_step_request *r;
    pl__parameters *out;
    uint32_t first_learning_operator;
} lister;

static void add(lister *l, const pl_tensor_view *t, bool decays, bool words, uint32_t operator)
{
    pl_parameter *p = &l->out->list[l->out->count++];
    *p = (pl_parameter){.name = t->name,
        .type = t->type,
        .rank = t->rank,
        .first = l->out->elements,
        .words = words,
        .decays = decays,
        .learns = operator>= l->first_learning_operator };
    p->count = 1;
    for (uint32_t i = 0; i < t->rank; i++) {
        p->shape[i] = t->shape[i];
        p->count *= words && i == 0 ? l->r->used_count : t->shape[i];
    }
    if (p->learns && l->out->learn_first == UINT64_MAX)
        l->out->learn_first = p->first;
    l->out->elements += p->count;
}

/* An operator's tensors: weights first, so that those of q, k, v stand one behind the other. */
static void list_operator(lister *l, uint32_t i)
{
    const pl_operator *op = &l->r->model->operators[i];
    bool norm = op->kind == PL_OPERATOR_NORM;
    l->out->of_operator[i] = UINT32_MAX;
    for (unsigned k = 0; k < PL_MODEL_PARTS; k++)
        if (op->weight[k]) {
            if (l->out->of_operator[i] == UINT32_MAX)
                l->out->of_operator[i] = (uint32_t)l->out->count;
            add(l, op->weight[k], !norm, op->kind == PL_OPERATOR_GATHER, i);
        }
    for (unsigned k = 0; k < PL_MODEL_PARTS; k++)
        if (op->bias[k])
            add(l, op->bias[k], false, false, i);
    l->out->elements = pl_round_up(l->out->elements, ALIGN);
}

static uint32_t first_learning(const pl_step_request *r)
{
    const pl_model *m = r->model;
    for (uint32_t i = 0; i < m->operator_count; i++) {
        const pl_operator *op = &m->operators[i];
        if (op->phase == PL_PHASE_HEAD)
            return i;
        if (!r->recipe.head_only && (r->recipe.first_layer == 0 || (op->phase != PL_PHASE_EMBED && op->layer >= r->recipe.first_layer)))
            return i;
    }
    return (uint32_t)m->operator_count;
}

pl_status pl__parameters_make(const pl_step_request *r, pl_region *region, pl__parameters *out, pl_error *e)
{
    size_t room = r->model->operator_count * 2 * PL_MODEL_PARTS;
    *out = (pl__parameters){.list = pl_region_take(region, room * sizeof *out->list), .learn_first = UINT64_MAX};
    out->of_operator = pl_region_take(region, r->model->operator_count * sizeof *out->of_operator);
    if (!out->list || !out->of_operator)
        return pl_fail_no_memory(e, room * sizeof *out->list, "parameters");
    lister l = {r, out, first_learning(r)};
    for (uint32_t i = 0; i < r->model->operator_count; i++)
        list_operator(&l, i);
    const pl_parameter *words = &out->list[0];
    bool learn = words->words && words->learns;
    out->words = learn ? words->count : 0;
    out->gradient_first = learn ? out->list[1].first : out->learn_first;
    return PL_OK;
}
