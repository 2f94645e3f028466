/* The story of an event in plain words: what could not be had, who held what, why. */
#include "explain/inner.h"

#include <string.h>

#define MIB (1ULL << 20)

static const char *text_of(uint64_t bytes, char out[32]) { return pl__size_text(bytes, out); }

static const char *framework_words(const pl__open *o)
{
    static const char *const words[PL_FRAMEWORK_COUNT] = {[PL_FRAMEWORK_PYTORCH] = "PyTorch",
        [PL_FRAMEWORK_TENSORFLOW] = "TensorFlow",
        [PL_FRAMEWORK_JAX] = "JAX",
        [PL_FRAMEWORK_ONNXRUNTIME] = "ONNX Runtime",
        [PL_FRAMEWORK_LLAMA] = "llama.cpp",
        [PL_FRAMEWORK_VLLM] = "vLLM",
        [PL_FRAMEWORK_TGI] = "text-generation-inference",
        [PL_FRAMEWORK_TEI] = "text-embeddings-inference",
        [PL_FRAMEWORK_OLLAMA] = "Ollama",
        [PL_FRAMEWORK_LINUX] = "the kernel",
        [PL_FRAMEWORK_OTHER] = "the program"};
    return words[o->event.framework];
}

static const char *phase_words(pl_phase phase)
{
    static const char *const words[PL_PHASE_COUNT] = {[PL_PHASE_NONE] = "",
        [PL_PHASE_LOAD] = " while loading",
        [PL_PHASE_FORWARD] = " in the forward pass",
        [PL_PHASE_BACKWARD] = " in the backward pass",
        [PL_PHASE_OPTIMIZER] = " in the optimizer's step",
        [PL_PHASE_GENERATE] = " while generating",
        [PL_PHASE_EVALUATE] = " in evaluation",
        [PL_PHASE_STARTUP] = " at start-up"};
    return words[phase];
}

static void tell_device_name(pl__words *w, const pl_oom *event)
{
    char a[32];
    if (pl__given(event->device))
        pl__say(w, "GPU %llu", (unsigned long long)event->device);
    else
        pl__say(w, "the GPU");
    if (pl__given(event->capacity))
        pl__say(w, " (%s)", text_of(event->capacity, a));
}

/* PyTorch asks the driver for segments, not for tensors. */
static void tell_segment(pl__words *w, const pl_oom *event)
{
    if (event->framework != PL_FRAMEWORK_PYTORCH || event->kind != PL_KIND_DEVICE)
        return;
    if (event->requested == 2 * MIB)
        pl__say(w, " (2 MiB is the segment for tensors of up to 1 MiB: even the smallest found no room)");
    else if (event->requested == 20 * MIB)
        pl__say(w, " (20 MiB is the segment for tensors of 1 to 10 MiB: the tensor itself is smaller)");
}

static void tell_request(pl__words *w, const pl__open *o)
{
    const pl_oom *event = &o->event;
    char a[32];
    pl__say(w, "%s asked for %s", framework_words(o), pl__given(event->requested) ? text_of(event->requested, a) : "memory");
    pl__say(w, "%s", phase_words(event->phase));
    tell_segment(w, event);
    if (event->kind == PL_KIND_HOST)
        pl__say(w, " and the machine had no more to give");
    else if (event->kind == PL_KIND_HIDDEN)
        pl__say(w, "; the message names a library, but what it lacked was memory on ");
    else
        pl__say(w, event->kind == PL_KIND_WARNING ? "; not enough was free on " : " and did not get it from ");
    if (event->kind != PL_KIND_HOST)
        tell_device_name(w, event);
    pl__say(w, ".");
}

/* "It held 9.50 GiB there, 0.50 GiB of it idle; others held ...; 1.50 GiB was free." */
static void tell_balance(pl__words *w, const pl_oom *event)
{
    char a[32], b[32];
    uint64_t own = pl__given(event->process) ? event->process : pl__given(event->reserved) ? event->reserved : event->allocated;
    uint64_t idle = pl__idle(event), others = pl__others_hold(event);
    size_t before = w->n;
    if (pl__given(own))
        pl__say(w, " It held %s", text_of(own, a));
    if (pl__given(own) && pl__given(event->allocated) && event->allocated != own)
        pl__say(w, ", %s of it in tensors", text_of(event->allocated, a));
    if (pl__given(idle) && idle > 0)
        pl__say(w, " and %s kept idle by its allocator", text_of(idle, b));
    if (pl__given(others) && others >= 64 * MIB)
        pl__say(w, "%s %s", w->n > before ? "; other processes held" : " Other processes held", text_of(others, a));
    if (pl__given(event->free))
        pl__say(w, "%s %s was free", w->n > before ? ";" : " Only", text_of(event->free, a));
    if (w->n > before)
        pl__say(w, ".");
    if (pl__given(event->allowed))
        pl__say(w, " The limit was %s.", text_of(event->allowed, a));
}

static void tell_missing(pl__words *w, const pl_oom *event)
{
    char a[32];
    if (pl__given(event->requested) && pl__given(event->free) && event->requested > event->free)
        pl__say(w, " Missing: %s.", text_of(event->requested - event->free, a));
}

static void tell_cause(pl__words *w, const pl_oom *event)
{
    switch (event->cause) {
    case PL_CAUSE_CAPACITY: pl__say(w, " The job is larger than what the device has."); break;
    case PL_CAUSE_SINGLE_REQUEST: pl__say(w, " This one request is larger than the whole device: it can never fit, however much is freed."); break;
    case PL_CAUSE_FRAGMENTATION: pl__say(w, " Enough is held idle, but in pieces too small: the memory is fragmented."); break;
    case PL_CAUSE_OTHER_PROCESS: pl__say(w, " What is missing is held by other processes."); break;
    case PL_CAUSE_LIMIT:
        pl__say(w, event->kind == PL_KIND_KILLED ? " It went over the limit that was set for it." : " A set limit stopped it, not the device itself.");
        break;
    case PL_CAUSE_HOST: pl__say(w, event->kind == PL_KIND_KILLED ? " The whole machine was short of memory." : ""); break;
    case PL_CAUSE_LEAK: pl__say(w, " What it holds has grown from failure to failure: something is kept that should be dropped."); break;
    case PL_CAUSE_UNKNOWN:
    case PL_CAUSE_COUNT: break;
    }
}

static void tell_killed(pl__words *w, const pl__open *o)
{
    const pl_oom *event = &o->event;
    char a[32];
    uint64_t pid = o->f.value[PL__PID];
    pl__say(w, "A process");
    if (pl__given(pid))
        pl__say(w, " (%llu)", (unsigned long long)pid);
    pl__say(w, "%s was killed%s", phase_words(event->phase),
        o->told == PL_CAUSE_UNKNOWN ? " by signal 9, as the kernel does when memory runs out" : " for the memory it used");
    if (pl__given(event->process))
        pl__say(w, "; it held %s", text_of(event->process, a));
    if (pl__given(event->allowed))
        pl__say(w, " under a limit of %s", text_of(event->allowed, a));
    pl__say(w, ".");
}

void pl__tell(pl__open *o, const pl__job *job)
{
    pl_oom *event = &o->event;
    pl__words w = {event->summary, 0, sizeof event->summary};
    event->summary[0] = '\0';
    if (event->kind == PL_KIND_KILLED) {
        tell_killed(&w, o);
    } else {
        tell_request(&w, o);
        tell_balance(&w, event);
        tell_missing(&w, event);
    }
    tell_cause(&w, event);
    if (event->kind == PL_KIND_WARNING)
        pl__say(&w, " This is a warning: the program went on.");
    else if (event->cause == PL_CAUSE_UNKNOWN && event->kind != PL_KIND_KILLED)
        pl__say(&w, " The message does not tell who held the rest (%s).", o->w->meaning);
    if (job->batch == 1 && event->kind == PL_KIND_DEVICE)
        pl__say(&w, " The batch is 1 already.");
}
