/* Advice for servers and for ggml: vLLM, SGLang, TGI, TEI, llama.cpp, Ollama. */
#include "explain/advise.h"

/* ---- servers ---- */

void pl__advise_vllm(pl__list *l)
{
    const pl__job *j = l->job;
    pl_oom *event = l->event;
    bool startup_share = pl__row_is(l, "vllm-cache") || pl__row_is(l, "vllm-serve") || pl__row_is(l, "vllm-seq");
    if (pl__row_is(l, "vllm-free") && pl__given(event->free) && pl__given(event->capacity) && event->capacity > 0) {
        pl__free_others(l);
        unsigned share = (unsigned)((double)event->free / (double)event->capacity * 100);
        if (share >= 5)
            pl__add(l, PL_NOT_GIVEN, "Ask for what is free: --gpu-memory-utilization 0.%02u", share - 1);
    } else if (startup_share && j->utilization < 0.95) {
        pl__add(l, PL_NOT_GIVEN, "Give vLLM more of the device: --gpu-memory-utilization %s", j->utilization < 0.9 ? "0.92" : "0.95");
    } else if (!startup_share) {
        pl__add(l, PL_NOT_GIVEN, "Leave more room for activations: --gpu-memory-utilization %s", j->utilization > 0.9 || j->utilization < 0 ? "0.85" : "0.75");
    }
    uint64_t holds = l->o->f.value[PL__COUNT]; /* tokens, as vLLM itself says */
    if (startup_share && pl__given(holds) && holds >= 16)
        pl__add(l, PL_NOT_GIVEN, "No longer sequences than the cache holds: --max-model-len %llu", (unsigned long long)holds);
    else if (pl__given(j->model_length) && j->model_length > 1024)
        pl__add(l, PL_NOT_GIVEN, "Shorter sequences: --max-model-len %llu", (unsigned long long)j->model_length / 2);
    else
        pl__add(l, PL_NOT_GIVEN, "Shorter sequences: --max-model-len 8192");
    if (!startup_share)
        pl__add(l, PL_NOT_GIVEN, "Fewer sequences at once: --max-num-seqs %llu",
            pl__given(j->sequences) && j->sequences > 1 ? (unsigned long long)j->sequences / 2 : 64);
    if (!j->kv_small)
        pl__add(l, PL_NOT_GIVEN, "A cache of half the size: --kv-cache-dtype fp8");
    if (!j->eager)
        pl__add(l, PL_NOT_GIVEN, "No CUDA graphs, some speed for their memory: --enforce-eager");
    pl__add(l, PL_NOT_GIVEN, "Spread the weights over more GPUs: --tensor-parallel-size %llu",
        pl__given(j->tensor_parallel) ? (unsigned long long)j->tensor_parallel * 2 : 2);
}

void pl__advise_sglang(pl__list *l)
{
    bool start = pl__row_is(l, "sglang-f") || pl__row_is(l, "sglang-e") || pl__row_is(l, "sglang-w");
    double fraction = l->job->fraction;
    if (pl__cause_is(l, PL_CAUSE_OTHER_PROCESS))
        pl__free_others(l);
    if (start)
        pl__add(l, PL_NOT_GIVEN, "Give weights and cache more of the device: --mem-fraction-static %s", fraction > 0.88 ? "0.95" : "0.9");
    else
        pl__add(l, PL_NOT_GIVEN, "Leave more room for activations: --mem-fraction-static %s", fraction > 0 && fraction < 0.8 ? "0.6" : "0.75");
    pl__add(l, PL_NOT_GIVEN, "Shorter prompts in one piece: --chunked-prefill-size 2048, --context-length 8192");
    pl__add(l, PL_NOT_GIVEN, "Spread the weights over more GPUs (--tp 2) or quantize them (--quantization fp8)");
}

void pl__advise_tgi(pl__list *l)
{
    uint64_t tokens = l->job->batched_tokens;
    pl__add(l, PL_NOT_GIVEN, "A smaller warm-up batch: --max-batch-prefill-tokens %llu --max-batch-total-tokens %llu",
        pl__given(tokens) ? (unsigned long long)tokens / 2 : 2048, pl__given(tokens) ? (unsigned long long)tokens : 4096);
    pl__add(l, PL_NOT_GIVEN, "Shorter inputs: --max-input-length 1024 --max-total-tokens 2048");
    if (!l->job->quantized)
        pl__add(l, PL_NOT_GIVEN, "Weights in fewer bits: --quantize bitsandbytes-nf4");
    pl__add(l, PL_NOT_GIVEN, "Spread the model over more GPUs: --num-shard 2");
}

void pl__advise_tei(pl__list *l)
{
    uint64_t tokens = l->job->batched_tokens;
    pl__add(l, PL_NOT_GIVEN, "A smaller batch: --max-batch-tokens %llu", pl__given(tokens) && tokens > 1024 ? (unsigned long long)tokens / 2 : 4096);
    if (!l->job->half)
        pl__add(l, PL_NOT_GIVEN, "Weights in 16 bits: --dtype float16");
    pl__add(l, PL_NOT_GIVEN, "Stop what else runs on the GPU (nvidia-smi lists it), or use another: CUDA_VISIBLE_DEVICES=1");
}

/* ---- ggml ---- */

void pl__advise_llama(pl__list *l)
{
    const pl__job *j = l->job;
    bool weights = pl__phase_is(l, PL_PHASE_LOAD) || pl__row_is(l, "ggml-unable") || pl__says(l, "load_tensors");
    bool host = l->event->kind == PL_KIND_HOST;
    if (weights && !host)
        pl__add(l, PL_NOT_GIVEN,
            pl__given(j->layers_on_gpu) && j->layers_on_gpu < 200 ? "Fewer layers on the GPU: -ngl %llu"
                                                                  : "Fewer layers on the GPU: -ngl 20, then more while it fits",
            (unsigned long long)j->layers_on_gpu * 3 / 4);
    if (pl__given(j->context) && j->context > 1024)
        pl__add(l, PL_NOT_GIVEN, "A shorter context, whose KV cache grows with it: -c %llu (--ctx-size)", (unsigned long long)j->context / 2);
    else
        pl__add(l, PL_NOT_GIVEN, "A shorter context, whose KV cache grows with it: -c 4096 (--ctx-size)");
    if (!host && !weights)
        pl__add(l, PL_NOT_GIVEN, "Smaller scratch buffers: -ub %llu (--ubatch-size)",
            pl__given(j->micro_batch) && j->micro_batch > 64 ? (unsigned long long)j->micro_batch / 2 : 256);
    if (!j->flash && !host)
        pl__add(l, PL_NOT_GIVEN, "Attention without its square of scores: -fa on (--flash-attn)");
    if (!j->kv_small)
        pl__add(l, PL_NOT_GIVEN, "A KV cache of half the size: -ctk q8_0 -ctv q8_0");
    if (!weights && !host)
        pl__add(l, PL_NOT_GIVEN,
            pl__given(j->layers_on_gpu) && j->layers_on_gpu < 200 ? "Fewer layers on the GPU: -ngl %llu"
                                                                  : "Fewer layers on the GPU: -ngl 20, then more while it fits",
            (unsigned long long)j->layers_on_gpu * 3 / 4);
    if (pl__given(j->parallel) && j->parallel > 1)
        pl__add(l, PL_NOT_GIVEN, "One request at a time: --parallel 1");
    pl__add(l, PL_NOT_GIVEN, "A smaller quantization of the model (Q4_K_M) or a smaller model");
}

void pl__advise_ollama(pl__list *l)
{
    const pl__job *j = l->job;
    pl__add(l, PL_NOT_GIVEN, "A shorter context: /set parameter num_ctx %llu (OLLAMA_CONTEXT_LENGTH)",
        pl__given(j->context) && j->context > 2048 ? (unsigned long long)j->context / 2 : 2048);
    pl__add(l, PL_NOT_GIVEN, "One request and one model at a time: OLLAMA_NUM_PARALLEL=1 OLLAMA_MAX_LOADED_MODELS=1");
    if (!j->kv_small)
        pl__add(l, PL_NOT_GIVEN, "A cache of half the size: OLLAMA_FLASH_ATTENTION=1 OLLAMA_KV_CACHE_TYPE=q8_0");
    pl__add(l, PL_NOT_GIVEN, "A smaller model, or a smaller quantization of this one (q4_K_M)");
    if (l->event->kind == PL_KIND_HOST)
        pl__add(l,
            pl__given(l->event->requested) && pl__given(l->event->free) && l->event->requested > l->event->free ? l->event->requested - l->event->free
                                                                                                                : PL_NOT_GIVEN,
            "Free host memory or add swap: that much is missing");
}
