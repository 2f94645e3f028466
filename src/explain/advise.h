/* Advice in the making; shared by advise.c and advise_*.c. */
#ifndef PL_EXPLAIN_ADVISE_H
#define PL_EXPLAIN_ADVISE_H

#include "explain/inner.h"

typedef struct pl__list {
    pl_oom *event;
    const pl__open *o;
    const pl__job *job;
    bool training;
} pl__list;

/* The action as "why: what to type", so that the second part can be copied. */
void pl__add(pl__list *l, uint64_t saves, const char *format, ...) PL_PRINTF(3, 4);
bool pl__cause_is(const pl__list *l, pl_cause cause);
bool pl__phase_is(const pl__list *l, pl_phase phase);
bool pl__row_is(const pl__list *l, const char *prefix); /* of the wording's name */
bool pl__says(const pl__list *l, const char *word);     /* the message does */
void pl__free_others(pl__list *l);

void pl__advise_torch(pl__list *l);
void pl__advise_vllm(pl__list *l);
void pl__advise_sglang(pl__list *l);
void pl__advise_tgi(pl__list *l);
void pl__advise_tei(pl__list *l);
void pl__advise_llama(pl__list *l);
void pl__advise_ollama(pl__list *l);
void pl__advise_tensorflow(pl__list *l);
void pl__advise_jax(pl__list *l);
void pl__advise_onnx(pl__list *l);
void pl__advise_other_device(pl__list *l);
void pl__advise_killed(pl__list *l);
void pl__advise_host(pl__list *l);

#endif
