/* The changes that help, best first, as they are typed. Each stands only where it fits: the cause,
 * the phase, and nothing that the log shows in use. `saves` is given where it follows from figures. */
#include "explain/advise.h"

#include <stdio.h>
#include <string.h>

void pl__add(pl__list *l, uint64_t saves, const char *format, ...)
{
    if (l->event->advice_count == PL_OOM_ADVICE)
        return;
    pl_advice *a = &l->event->advice[l->event->advice_count++];
    va_list args;
    va_start(args, format);
    vsnprintf(a->action, sizeof a->action, format, args);
    va_end(args);
    a->saves = saves && pl__given(saves) ? saves : PL_NOT_GIVEN;
}

bool pl__cause_is(const pl__list *l, pl_cause cause) { return l->event->cause == cause; }
bool pl__phase_is(const pl__list *l, pl_phase phase) { return l->event->phase == phase; }
bool pl__row_is(const pl__list *l, const char *prefix) { return strncmp(l->o->w->name, prefix, strlen(prefix)) == 0; }
bool pl__says(const pl__list *l, const char *word) { return strstr(l->event->message, word) != NULL; }

/* ---- other processes ---- */

void pl__free_others(pl__list *l)
{
    uint64_t others = pl__others_hold(l->event);
    char size[32], pids[200] = "";
    size_t used = 0;
    for (size_t i = 0; i < l->event->other_count && used + 24 < sizeof pids; i++)
        if (pl__given(l->event->others[i].pid) && !pl__is_self(l->event, i))
            used += (size_t)snprintf(pids + used, sizeof pids - used, "%s%llu", used ? " " : "", (unsigned long long)l->event->others[i].pid);
    if (used)
        pl__add(l, others, "Stop the other processes on the GPU, or wait for them: kill %s (nvidia-smi shows whose they are)", pids);
    else if (pl__given(others) && others > 0)
        pl__add(l, others, "Stop the other processes on the GPU: they hold %s (nvidia-smi lists them; an old notebook kernel or a run that hangs counts)",
            pl__size_text(others, size));
    else
        pl__add(l, PL_NOT_GIVEN, "Stop other processes on the GPU (nvidia-smi lists them; an old notebook kernel or a run that hangs counts)");
    pl__add(l, PL_NOT_GIVEN, "Use another GPU, e.g. CUDA_VISIBLE_DEVICES=%d", l->event->device == 0 ? 1 : 0);
}

void pl__advise(pl__open *o, const pl__job *job)
{
    pl_oom *event = &o->event;
    bool training = o->training || job->training || job->trainer || event->phase == PL_PHASE_BACKWARD || event->phase == PL_PHASE_OPTIMIZER;
    pl__list l = {event, o, job, training};
    event->advice_count = 0;
    if (event->kind == PL_KIND_KILLED) {
        pl__advise_killed(&l);
    } else if (event->framework == PL_FRAMEWORK_LLAMA) {
        pl__advise_llama(&l);
    } else if (event->framework == PL_FRAMEWORK_OLLAMA) {
        pl__advise_ollama(&l);
    } else if (event->framework == PL_FRAMEWORK_ONNXRUNTIME) {
        pl__advise_onnx(&l);
    } else if (event->kind == PL_KIND_HOST) {
        pl__advise_host(&l);
    } else if (strncmp(o->w->name, "sglang", 6) == 0) {
        pl__advise_sglang(&l);
    } else {
        switch (event->framework) {
        case PL_FRAMEWORK_PYTORCH: pl__advise_torch(&l); break;
        case PL_FRAMEWORK_TENSORFLOW: pl__advise_tensorflow(&l); break;
        case PL_FRAMEWORK_JAX: pl__advise_jax(&l); break;
        case PL_FRAMEWORK_VLLM: pl__advise_vllm(&l); break;
        case PL_FRAMEWORK_TGI: pl__advise_tgi(&l); break;
        case PL_FRAMEWORK_TEI: pl__advise_tei(&l); break;
        default: pl__advise_other_device(&l); break;
        }
    }
}
