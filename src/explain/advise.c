/* The changes that help, best first, as they are typed. Each stands only where it fits: the cause,
 * the phase, and nothing that the log shows in use. `saves` is given where it follows from figures. */
#include "explain/inner.h"

#include <stdio.h>
#include <string.h>

typedef struct list {
    pl_event *event;
    const pl__open *o;
    const pl__job *job;
    bool training;
} list;

static void add(list *l, uint64_t saves, const char *format, ...) PL_PRINTF(3, 4);
static void add(list *l, uint64_t saves, const char *format, ...)
{
    if (l->event->advice_count == PL_EVENT_ADVICE)
        return;
    pl_advice *a = &l->event->advice[l->event->advice_count++];
    va_list args;
    va_start(args, format);
    vsnprintf(a->action, sizeof a->action, format, args);
    va_end(args);
    a->saves = saves && pl__given(saves) ? saves : PL_NOT_GIVEN;
}

static bool cause_is(const list *l, pl_cause cause) { return l->event->cause == cause; }
static bool phase_is(const list *l, pl_phase phase) { return l->event->phase == phase; }
static bool row_is(const list *l, const char *prefix) { return strncmp(l->o->w->name, prefix, strlen(prefix)) == 0; }
static bool says(const list *l, const char *word) { return strstr(l->event->message, word) != NULL; }

/* ---- other processes ---- */

static void free_others(list *l)
{
    uint64_t others = pl__others_hold(l->event);
    char size[32], pids[200] = "";
    size_t used = 0;
    for (size_t i = 0; i < l->event->other_count && used + 24 < sizeof pids; i++)
        if (pl__given(l->event->others[i].pid) && !pl__is_self(l->event, i))
            used += (size_t)snprintf(pids + used, sizeof pids - used, "%s%llu", used ? " " : "", (unsigned long long)l->event->others[i].pid);
    if (used)
        add(l, others, "Stop the other processes on the GPU, or wait for them: kill %s (nvidia-smi shows whose they are)", pids);
    else if (pl__given(others) && others > 0)
        add(l, others, "Stop the other processes on the GPU: they hold %s (nvidia-smi lists them; an old notebook kernel or a run that hangs counts)", pl__size_text(others, size));
    else
        add(l, PL_NOT_GIVEN, "Stop other processes on the GPU (nvidia-smi lists them; an old notebook kernel or a run that hangs counts)");
    add(l, PL_NOT_GIVEN, "Use another GPU, e.g. CUDA_VISIBLE_DEVICES=%d", l->event->device == 0 ? 1 : 0);
}

/* ---- PyTorch ---- */

/* Wordings of PyTorch before 2.1 name other settings. */
static bool old_torch(const list *l) { return says(l, "reserved in total") || says(l, "cached)"); }

static void less_fragmentation(list *l)
{
    uint64_t idle = pl__idle(l->event);
    const char *variable = says(l, "HIP") ? "PYTORCH_HIP_ALLOC_CONF" : says(l, "NPU") ? "PYTORCH_NPU_ALLOC_CONF" : says(l, "PYTORCH_ALLOC_CONF") ? "PYTORCH_ALLOC_CONF" : "PYTORCH_CUDA_ALLOC_CONF";
    if (says(l, "XPU") || row_is(l, "mps") || cause_is(l, PL_CAUSE_SINGLE_REQUEST))
        return;
    if (!l->job->expandable && !old_torch(l))
        add(l, idle, "Let the allocator grow its segments, so that idle memory serves any size: %s=expandable_segments:True", variable);
    else if (!l->job->expandable && !l->job->split_conf)
        add(l, idle, "Keep large blocks from being cut up: %s=max_split_size_mb:128 (PyTorch 2.1 and later: expandable_segments:True)", variable);
    if (cause_is(l, PL_CAUSE_FRAGMENTATION))
        add(l, PL_NOT_GIVEN, "Give idle memory back before the step that needs a large block: torch.cuda.empty_cache()");
}

static void smaller_training_batch(list *l)
{
    const pl__job *j = l->job;
    if (j->batch == 1)
        return;
    unsigned long long half = pl__given(j->batch) ? j->batch / 2 : 0, steps = 2 * (pl__given(j->accumulation) ? j->accumulation : 1);
    if (j->trainer && half)
        add(l, PL_NOT_GIVEN, "Halve the batch and keep what is learned: --per_device_train_batch_size %llu --gradient_accumulation_steps %llu", half, steps);
    else if (j->trainer)
        add(l, PL_NOT_GIVEN, "Halve --per_device_train_batch_size and double --gradient_accumulation_steps, or let Trainer find it: --auto_find_batch_size True");
    else if (half)
        add(l, PL_NOT_GIVEN, "Halve the batch (batch_size=%llu) and step the optimizer every %llu batches, so that what is learned stays", half, steps);
    else
        add(l, PL_NOT_GIVEN, "Halve the batch (batch_size) and step the optimizer every second one, so that what is learned stays");
}

static void checkpointing(list *l)
{
    if (l->job->checkpointing)
        return;
    add(l, PL_NOT_GIVEN, l->job->trainer ? "Recompute activations instead of keeping them, about a third slower: --gradient_checkpointing True"
                                         : "Recompute activations instead of keeping them, about a third slower: model.gradient_checkpointing_enable() (torch.utils.checkpoint)");
}

static void half_precision(list *l)
{
    if (l->job->half || l->job->quantized)
        return;
    if (l->training)
        add(l, PL_NOT_GIVEN, l->job->trainer ? "Compute in 16 bits: --bf16 True (--fp16 True on GPUs before Ampere)" : l->job->accelerate ? "Compute in 16 bits: accelerate launch --mixed_precision bf16"
            : "Compute in 16 bits: with torch.autocast(\"cuda\", torch.bfloat16)");
    else
        add(l, PL_NOT_GIVEN, l->job->sentence_transformers ? "Hold the weights in 16 bits: SentenceTransformer(..., model_kwargs={\"torch_dtype\": \"float16\"})" : "Hold the weights in 16 bits: torch_dtype=torch.bfloat16 (or model.half())");
}

static void small_optimizer(list *l)
{
    if (!l->job->small_optimizer)
        add(l, PL_NOT_GIVEN, l->job->trainer ? "Keep the optimizer's states in 8 bits, a quarter of the bytes: --optim adamw_bnb_8bit" : "Keep the optimizer's states in 8 bits, a quarter of the bytes: bitsandbytes.optim.AdamW8bit");
    if (!l->job->offload && l->job->sharded)
        add(l, PL_NOT_GIVEN, "Keep the optimizer's states in host memory: \"offload_optimizer\": {\"device\": \"cpu\"} in the DeepSpeed configuration");
}

static void shorter_texts(list *l)
{
    uint64_t length = l->job->length;
    if (pl__given(length) && length >= 128 && length < 1000000)
        add(l, PL_NOT_GIVEN, "Shorter texts: --max_seq_length %llu instead of %llu (attention grows with the square of the length)", (unsigned long long)length / 2, (unsigned long long)length);
    else if (l->job->trainer && !l->job->bucketed)
        add(l, PL_NOT_GIVEN, "Put texts of like length together, so that little is padding: --group_by_length True");
}

static void adapters(list *l)
{
    if (!l->job->lora && !l->job->quantized)
        add(l, PL_NOT_GIVEN, "Train adapters only (peft.LoraConfig): no gradients and no optimizer states for the rest");
    else if (!l->job->quantized)
        add(l, PL_NOT_GIVEN, "Load the frozen weights in 4 bits: BitsAndBytesConfig(load_in_4bit=True)");
}

static void torch_training(list *l)
{
    if (phase_is(l, PL_PHASE_OPTIMIZER)) {
        small_optimizer(l);
        adapters(l);
        if (!l->job->sharded)
            add(l, PL_NOT_GIVEN, "Share optimizer states and weights among GPUs, or move them to host memory: DeepSpeed ZeRO or FSDP");
        return;
    }
    smaller_training_batch(l);
    checkpointing(l);
    half_precision(l);
    shorter_texts(l);
    small_optimizer(l);
    adapters(l);
}

static void torch_inference(list *l)
{
    const pl__job *j = l->job;
    if (j->batch != 1) {
        unsigned long long half = pl__given(j->batch) ? j->batch / 2 : 0;
        if (j->sentence_transformers)
            add(l, PL_NOT_GIVEN, "A smaller batch: model.encode(texts, batch_size=%llu)", half ? half : 16);
        else if (half)
            add(l, PL_NOT_GIVEN, "A smaller batch: batch_size=%llu instead of %llu", half, (unsigned long long)j->batch);
        else
            add(l, PL_NOT_GIVEN, "A smaller batch, smaller pictures or shorter texts: the failed tensor shrinks with them");
    }
    if (!j->no_grad && !phase_is(l, PL_PHASE_GENERATE) && !phase_is(l, PL_PHASE_LOAD))
        add(l, PL_NOT_GIVEN, "Keep nothing for a backward pass: with torch.inference_mode():");
    half_precision(l);
    if (j->diffusers)
        add(l, PL_NOT_GIVEN, "Move parts of the pipeline in as they are needed: pipe.enable_model_cpu_offload(), pipe.enable_attention_slicing()");
}

static void torch_load(list *l)
{
    half_precision(l);
    if (!l->job->quantized)
        add(l, PL_NOT_GIVEN, "Load in 4 bits: BitsAndBytesConfig(load_in_4bit=True)");
    if (!l->job->device_map)
        add(l, PL_NOT_GIVEN, "Spread the weights over GPUs and host memory: from_pretrained(..., device_map=\"auto\")");
    add(l, PL_NOT_GIVEN, "Read checkpoints into host memory, not onto the GPU: torch.load(path, map_location=\"cpu\")");
}

static void torch_evaluate(list *l)
{
    if (!l->job->eval_moves) {
        add(l, PL_NOT_GIVEN, "Move predictions to host memory as they come: --eval_accumulation_steps 1");
        add(l, PL_NOT_GIVEN, "Keep only what the metric needs of the logits: Trainer(..., preprocess_logits_for_metrics=lambda logits, labels: logits.argmax(-1))");
    }
    if (l->job->eval_batch != 1)
        add(l, PL_NOT_GIVEN, "A smaller batch for evaluation: --per_device_eval_batch_size %llu", pl__given(l->job->eval_batch) ? (unsigned long long)l->job->eval_batch / 2 : 1);
    if (!l->job->no_grad && !l->job->trainer)
        add(l, PL_NOT_GIVEN, "Evaluate under torch.no_grad(): else every activation is kept");
}

static void torch_generate(list *l)
{
    if (l->job->batch != 1)
        add(l, PL_NOT_GIVEN, "Fewer texts at once: the cache of keys and values grows with batch times length");
    if (pl__given(l->job->new_tokens) && l->job->new_tokens > 64)
        add(l, PL_NOT_GIVEN, "Shorter answers: max_new_tokens=%llu", (unsigned long long)l->job->new_tokens / 2);
    half_precision(l);
    if (!l->job->quantized)
        add(l, PL_NOT_GIVEN, "Load the weights in 4 bits: BitsAndBytesConfig(load_in_4bit=True)");
    add(l, PL_NOT_GIVEN, "Keep the cache in host memory: generate(..., cache_implementation=\"offloaded\")");
}

static void torch_leak(list *l)
{
    add(l, PL_NOT_GIVEN, "Memory grows from event to event: keep numbers, not graphs: total += loss.item(), outputs.detach().cpu()");
    add(l, PL_NOT_GIVEN, "After a caught failure drop what the exception still holds (its traceback keeps the tensors): leave the except block, del the outputs, then torch.cuda.empty_cache()");
}

static void torch_by_phase(list *l)
{
    if (phase_is(l, PL_PHASE_EVALUATE))
        torch_evaluate(l);
    else if (phase_is(l, PL_PHASE_LOAD) || l->o->w->traits & PL__LOADING)
        torch_load(l);
    else if (phase_is(l, PL_PHASE_GENERATE))
        torch_generate(l);
    else if (l->training)
        torch_training(l);
    else
        torch_inference(l);
}

static void torch_limit(list *l)
{
    if (row_is(l, "mps") && l->job->mps_unlimited)
        return;
    if (row_is(l, "mps"))
        add(l, PL_NOT_GIVEN, "Let PyTorch use more of the Mac's memory: PYTORCH_MPS_HIGH_WATERMARK_RATIO=0.0 (the system may begin to swap)");
    else
        add(l, PL_NOT_GIVEN, "Raise the share the process may use: torch.cuda.set_per_process_memory_fraction(1.0), or drop the call (per_process_memory_fraction in PYTORCH_CUDA_ALLOC_CONF)");
}

static void one_large_tensor(list *l)
{
    char size[32];
    if (!l->job->flash && !l->job->diffusers)
        add(l, PL_NOT_GIVEN, "One tensor of %s can never fit: if it is attention's square of scores, load with attn_implementation=\"sdpa\"", pl__size_text(l->event->requested, size));
    add(l, PL_NOT_GIVEN, "Split the work that makes this tensor: fewer texts or pictures at once, shorter or smaller ones, or a loop over chunks");
}

static void advise_vllm(list *l);
static void advise_sglang(list *l);
static void advise_tgi(list *l);

static void advise_torch(list *l)
{
    if (l->job->vllm || l->job->sglang || l->job->tgi) {
        if (cause_is(l, PL_CAUSE_OTHER_PROCESS))
            free_others(l);
        l->job->vllm ? advise_vllm(l) : l->job->sglang ? advise_sglang(l) : advise_tgi(l);
        return;
    }
    switch (l->event->cause) {
    case PL_CAUSE_FRAGMENTATION: less_fragmentation(l); break;
    case PL_CAUSE_OTHER_PROCESS: free_others(l); break;
    case PL_CAUSE_LIMIT: torch_limit(l); break;
    case PL_CAUSE_LEAK: torch_leak(l); break;
    case PL_CAUSE_SINGLE_REQUEST: one_large_tensor(l); break;
    default: break;
    }
    torch_by_phase(l);
    uint64_t idle = pl__idle(l->event);
    if (!cause_is(l, PL_CAUSE_FRAGMENTATION) && pl__given(idle) && pl__given(l->event->requested) && idle >= l->event->requested / 2 && idle >= 64u << 20)
        less_fragmentation(l);
    if (l->event->kind == PL_KIND_HIDDEN || (l->event->cause == PL_CAUSE_UNKNOWN && phase_is(l, PL_PHASE_STARTUP)))
        add(l, PL_NOT_GIVEN, "See who holds the device: nvidia-smi; give each rank its own: torch.cuda.set_device(local_rank)");
}

/* ---- servers ---- */

static void advise_vllm(list *l)
{
    const pl__job *j = l->job;
    pl_event *event = l->event;
    bool startup_share = row_is(l, "vllm-cache") || row_is(l, "vllm-serve") || row_is(l, "vllm-seq");
    if (row_is(l, "vllm-free") && pl__given(event->free) && pl__given(event->capacity) && event->capacity > 0) {
        free_others(l);
        unsigned share = (unsigned)((double)event->free / (double)event->capacity * 100);
        if (share >= 5)
            add(l, PL_NOT_GIVEN, "Ask for what is free: --gpu-memory-utilization 0.%02u", share - 1);
    } else if (startup_share && j->utilization < 0.95) {
        add(l, PL_NOT_GIVEN, "Give vLLM more of the device: --gpu-memory-utilization %s", j->utilization < 0.9 ? "0.92" : "0.95");
    } else if (!startup_share) {
        add(l, PL_NOT_GIVEN, "Leave more room for activations: --gpu-memory-utilization %s", j->utilization > 0.9 || j->utilization < 0 ? "0.85" : "0.75");
    }
    if (pl__given(j->model_length) && j->model_length > 1024)
        add(l, PL_NOT_GIVEN, "Shorter sequences: --max-model-len %llu", (unsigned long long)j->model_length / 2);
    else
        add(l, PL_NOT_GIVEN, "Shorter sequences: --max-model-len 8192");
    if (!startup_share)
        add(l, PL_NOT_GIVEN, "Fewer sequences at once: --max-num-seqs %llu", pl__given(j->sequences) && j->sequences > 1 ? (unsigned long long)j->sequences / 2 : 64);
    if (!j->kv_small)
        add(l, PL_NOT_GIVEN, "A cache of half the size: --kv-cache-dtype fp8");
    if (!j->eager)
        add(l, PL_NOT_GIVEN, "No CUDA graphs, some speed for their memory: --enforce-eager");
    add(l, PL_NOT_GIVEN, "Spread the weights over more GPUs: --tensor-parallel-size %llu", pl__given(j->tensor_parallel) ? (unsigned long long)j->tensor_parallel * 2 : 2);
}

static void advise_sglang(list *l)
{
    bool start = row_is(l, "sglang-f") || row_is(l, "sglang-e") || row_is(l, "sglang-w");
    double fraction = l->job->fraction;
    if (cause_is(l, PL_CAUSE_OTHER_PROCESS))
        free_others(l);
    if (start)
        add(l, PL_NOT_GIVEN, "Give weights and cache more of the device: --mem-fraction-static %s", fraction > 0.88 ? "0.95" : "0.9");
    else
        add(l, PL_NOT_GIVEN, "Leave more room for activations: --mem-fraction-static %s", fraction > 0 && fraction < 0.8 ? "0.6" : "0.75");
    add(l, PL_NOT_GIVEN, "Shorter prompts in one piece: --chunked-prefill-size 2048, --context-length 8192");
    add(l, PL_NOT_GIVEN, "Spread the weights over more GPUs (--tp 2) or quantize them (--quantization fp8)");
}

static void advise_tgi(list *l)
{
    uint64_t tokens = l->job->batched_tokens;
    add(l, PL_NOT_GIVEN, "A smaller warm-up batch: --max-batch-prefill-tokens %llu --max-batch-total-tokens %llu", pl__given(tokens) ? (unsigned long long)tokens / 2 : 2048, pl__given(tokens) ? (unsigned long long)tokens : 4096);
    add(l, PL_NOT_GIVEN, "Shorter inputs: --max-input-length 1024 --max-total-tokens 2048");
    if (!l->job->quantized)
        add(l, PL_NOT_GIVEN, "Weights in fewer bits: --quantize bitsandbytes-nf4");
    add(l, PL_NOT_GIVEN, "Spread the model over more GPUs: --num-shard 2");
}

static void advise_tei(list *l)
{
    uint64_t tokens = l->job->batched_tokens;
    add(l, PL_NOT_GIVEN, "A smaller batch: --max-batch-tokens %llu", pl__given(tokens) && tokens > 1024 ? (unsigned long long)tokens / 2 : 4096);
    if (!l->job->half)
        add(l, PL_NOT_GIVEN, "Weights in 16 bits: --dtype float16");
    add(l, PL_NOT_GIVEN, "Stop what else runs on the GPU (nvidia-smi lists it), or use another: CUDA_VISIBLE_DEVICES=1");
}

/* ---- ggml ---- */

static void advise_llama(list *l)
{
    const pl__job *j = l->job;
    bool weights = phase_is(l, PL_PHASE_LOAD) || row_is(l, "ggml-unable") || says(l, "load_tensors");
    bool host = l->event->kind == PL_KIND_HOST;
    if (weights && !host)
        add(l, PL_NOT_GIVEN, pl__given(j->layers_on_gpu) && j->layers_on_gpu < 200 ? "Fewer layers on the GPU: -ngl %llu" : "Fewer layers on the GPU: -ngl 20, then more while it fits", (unsigned long long)j->layers_on_gpu * 3 / 4);
    if (pl__given(j->context) && j->context > 1024)
        add(l, PL_NOT_GIVEN, "A shorter context, whose KV cache grows with it: -c %llu (--ctx-size)", (unsigned long long)j->context / 2);
    else
        add(l, PL_NOT_GIVEN, "A shorter context, whose KV cache grows with it: -c 4096 (--ctx-size)");
    if (!host && !weights)
        add(l, PL_NOT_GIVEN, "Smaller scratch buffers: -ub %llu (--ubatch-size)", pl__given(j->micro_batch) && j->micro_batch > 64 ? (unsigned long long)j->micro_batch / 2 : 256);
    if (!j->flash && !host)
        add(l, PL_NOT_GIVEN, "Attention without its square of scores: -fa on (--flash-attn)");
    if (!j->kv_small)
        add(l, PL_NOT_GIVEN, "A KV cache of half the size: -ctk q8_0 -ctv q8_0");
    if (!weights && !host)
        add(l, PL_NOT_GIVEN, pl__given(j->layers_on_gpu) && j->layers_on_gpu < 200 ? "Fewer layers on the GPU: -ngl %llu" : "Fewer layers on the GPU: -ngl 20, then more while it fits", (unsigned long long)j->layers_on_gpu * 3 / 4);
    if (pl__given(j->parallel) && j->parallel > 1)
        add(l, PL_NOT_GIVEN, "One request at a time: --parallel 1");
    add(l, PL_NOT_GIVEN, "A smaller quantization of the model (Q4_K_M) or a smaller model");
}

static void advise_ollama(list *l)
{
    const pl__job *j = l->job;
    add(l, PL_NOT_GIVEN, "A shorter context: /set parameter num_ctx %llu (OLLAMA_CONTEXT_LENGTH)", pl__given(j->context) && j->context > 2048 ? (unsigned long long)j->context / 2 : 2048);
    add(l, PL_NOT_GIVEN, "One request and one model at a time: OLLAMA_NUM_PARALLEL=1 OLLAMA_MAX_LOADED_MODELS=1");
    if (!j->kv_small)
        add(l, PL_NOT_GIVEN, "A cache of half the size: OLLAMA_FLASH_ATTENTION=1 OLLAMA_KV_CACHE_TYPE=q8_0");
    add(l, PL_NOT_GIVEN, "A smaller model, or a smaller quantization of this one (q4_K_M)");
    if (l->event->kind == PL_KIND_HOST)
        add(l, pl__given(l->event->requested) && pl__given(l->event->free) && l->event->requested > l->event->free ? l->event->requested - l->event->free : PL_NOT_GIVEN,
            "Free host memory or add swap: that much is missing");
}

/* ---- TensorFlow, JAX, ONNX Runtime, TensorRT ---- */

static void advise_tensorflow(list *l)
{
    if (l->event->kind == PL_KIND_WARNING) {
        add(l, PL_NOT_GIVEN, "Nothing failed: the operation took a way that needs less. A smaller batch would let it take the faster one");
        return;
    }
    if (cause_is(l, PL_CAUSE_FRAGMENTATION))
        add(l, PL_NOT_GIVEN, "Use CUDA's own pool, which fragments less: TF_GPU_ALLOCATOR=cuda_malloc_async");
    if (l->job->batch != 1)
        add(l, PL_NOT_GIVEN, pl__given(l->job->batch) ? "A smaller batch: batch_size=%llu" : "A smaller batch: model.fit(..., batch_size=) or dataset.batch()", (unsigned long long)l->job->batch / 2);
    if (!l->job->half)
        add(l, PL_NOT_GIVEN, "Compute in 16 bits: tf.keras.mixed_precision.set_global_policy(\"mixed_float16\")");
    if (!l->job->growth && (l->event->kind == PL_KIND_HIDDEN || strncmp(l->o->w->name, "tf-driver", 9) == 0))
        add(l, PL_NOT_GIVEN, "Do not take the whole device at start: TF_FORCE_GPU_ALLOW_GROWTH=true");
    add(l, PL_NOT_GIVEN, "See what else runs on the GPU: nvidia-smi");
}

static void advise_jax(list *l)
{
    if (l->event->kind == PL_KIND_WARNING) {
        add(l, PL_NOT_GIVEN, "Nothing failed: XLA took a way that needs less. A smaller batch would let it take the faster one");
        return;
    }
    if (l->job->batch != 1)
        add(l, PL_NOT_GIVEN, pl__given(l->job->batch) ? "A smaller batch: batch_size=%llu" : "A smaller batch, or a loop over parts of it: jax.lax.map", (unsigned long long)l->job->batch / 2);
    add(l, PL_NOT_GIVEN, "Recompute instead of keeping: jax.checkpoint (nn.remat) around the layers");
    add(l, PL_NOT_GIVEN, "Let results take the place of arguments: jax.jit(step, donate_argnums=0)");
    if (!l->job->no_preallocate && !pl__given(l->event->capacity))
        add(l, PL_NOT_GIVEN, "If others use the GPU too: XLA_PYTHON_CLIENT_PREALLOCATE=false; if not: XLA_PYTHON_CLIENT_MEM_FRACTION=0.95");
}

static void advise_onnx(list *l)
{
    if (cause_is(l, PL_CAUSE_LIMIT))
        add(l, PL_NOT_GIVEN, "Raise the arena's limit: provider option gpu_mem_limit (OrtArenaCfg max_mem)");
    add(l, PL_NOT_GIVEN, "A smaller batch or shorter inputs for session.run");
    add(l, PL_NOT_GIVEN, "Let the arena grow by what is asked, not by doubling: provider option arena_extend_strategy=kSameAsRequested");
    if (l->event->kind == PL_KIND_HOST)
        add(l, PL_NOT_GIVEN, "Return memory after each run: session option enable_cpu_mem_arena=False");
}

static void advise_other_device(list *l)
{
    if (row_is(l, "trt")) {
        add(l, PL_NOT_GIVEN, "Less workspace for the builder: trtexec --memPoolSize=workspace:1024 (config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, 1 << 30))");
        add(l, PL_NOT_GIVEN, "Smaller maximum shapes in the optimization profile, or precision FP16");
    } else if (row_is(l, "rmm") || row_is(l, "cupy")) {
        add(l, PL_NOT_GIVEN, "Work in parts, and let memory spill to the host: rmm.reinitialize(managed_memory=True)");
        add(l, PL_NOT_GIVEN, "Give the pool back between steps: cupy.get_default_memory_pool().free_all_blocks(); raise its limit with set_limit");
    } else if (row_is(l, "xgboost")) {
        add(l, PL_NOT_GIVEN, "Fewer bins and shallower trees (max_bin=128, max_depth), QuantileDMatrix, or external memory");
    } else if (row_is(l, "blender")) {
        add(l, PL_NOT_GIVEN, "Smaller textures, less subdivision, or tiles; render on the CPU");
    } else {
        add(l, PL_NOT_GIVEN, "Less at once: a smaller batch, shorter or smaller inputs");
    }
    add(l, PL_NOT_GIVEN, "See what else runs on the GPU: nvidia-smi");
}

/* ---- host memory and the kernel's killer ---- */

static void more_for_container(list *l)
{
    uint64_t limit = l->event->allowed;
    char now[64] = "";
    if (pl__given(limit)) {
        char size[32];
        snprintf(now, sizeof now, " (now %s)", pl__size_text(limit, size));
    }
    if (l->job->slurm || row_is(l, "slurm"))
        add(l, PL_NOT_GIVEN, "Ask Slurm for more memory: #SBATCH --mem=64G, or --mem-per-cpu%s", now);
    else if (l->job->kubernetes || row_is(l, "k8s"))
        add(l, PL_NOT_GIVEN, "Raise the container's limit%s: resources.limits.memory of the pod, or docker run --memory", now);
    else if (row_is(l, "pbs") || row_is(l, "lsf") || row_is(l, "htcondor") || row_is(l, "yarn"))
        add(l, PL_NOT_GIVEN, "Ask the batch system for more memory%s", now);
    else
        add(l, PL_NOT_GIVEN, "Raise the limit%s: docker run --memory, resources.limits.memory, systemd's MemoryMax, --mem of the batch system", now);
}

static void advise_killed(list *l)
{
    if (cause_is(l, PL_CAUSE_LIMIT))
        more_for_container(l);
    else if (cause_is(l, PL_CAUSE_UNKNOWN))
        add(l, PL_NOT_GIVEN, "Signal 9 is almost always the kernel's memory killer: make sure with dmesg -T | grep -i killed, or the memory.events of the container");
    if (strncmp(l->o->w->name, "gcc", 3) == 0 || row_is(l, "exit-9-cargo")) {
        add(l, PL_NOT_GIVEN, "Fewer compilers at once: make -j2 (MAX_JOBS=2 for PyTorch extensions, cargo build -j 2)");
    } else {
        if (l->job->worker_count != 0)
            add(l, PL_NOT_GIVEN, pl__given(l->job->worker_count) && l->job->worker_count > 1 ? "Fewer processes that each hold data: num_workers=%llu" : "Fewer processes that each hold data (num_workers of a DataLoader, tasks of the scheduler)", (unsigned long long)l->job->worker_count / 2);
        add(l, PL_NOT_GIVEN, "Do not hold the data set in memory: map or stream it (np.load(..., mmap_mode=\"r\"), datasets with streaming=True)");
    }
    if (!cause_is(l, PL_CAUSE_LIMIT))
        add(l, PL_NOT_GIVEN, "Close what else uses memory on the machine, or add swap");
}

static void advise_runtime(list *l)
{
    if (row_is(l, "java"))
        add(l, PL_NOT_GIVEN, says(l, "Metaspace") ? "Raise the limit of classes: java -XX:MaxMetaspaceSize=512m" : says(l, "irect") ? "Raise the limit of direct buffers: java -XX:MaxDirectMemorySize=2g"
            : says(l, "native thread") ? "Fewer threads, or a higher limit: ulimit -u" : row_is(l, "java-heap") ? "A larger heap: java -Xmx8g (keep it below the machine's or container's limit)" : "A smaller heap, so that the machine can give it: java -Xmx2g");
    else if (row_is(l, "node"))
        add(l, PL_NOT_GIVEN, "A larger heap: NODE_OPTIONS=--max-old-space-size=8192");
    else if (row_is(l, "php"))
        add(l, PL_NOT_GIVEN, "Raise memory_limit in php.ini, or php -d memory_limit=512M");
    else if (row_is(l, "redis"))
        add(l, PL_NOT_GIVEN, "Raise maxmemory, or let old keys go: maxmemory-policy allkeys-lru");
}

static void advise_host(list *l)
{
    bool runtime = row_is(l, "java") || row_is(l, "node") || row_is(l, "php") || row_is(l, "redis");
    if (runtime) {
        advise_runtime(l);
        add(l, PL_NOT_GIVEN, "Hold less at once: read and write in pieces, drop what is no longer needed");
        return;
    }
    if (row_is(l, "torch-shm") || l->o->w->family == PL__SHM) {
        add(l, PL_NOT_GIVEN, "Give the container more shared memory: docker run --shm-size=8g (or --ipc=host); in Kubernetes mount an emptyDir of medium Memory at /dev/shm");
        add(l, PL_NOT_GIVEN, "Fewer workers: DataLoader(num_workers=%d)", pl__given(l->job->worker_count) && l->job->worker_count > 1 ? (int)(l->job->worker_count / 2) : 0);
        return;
    }
    if (row_is(l, "win")) {
        add(l, PL_NOT_GIVEN, "Enlarge the page file: System > Advanced > Performance > Virtual memory, to twice the RAM or system managed");
        add(l, PL_NOT_GIVEN, "Fewer processes that load the libraries again: num_workers=0");
        return;
    }
    if (row_is(l, "numpy")) {
        add(l, pl__given(l->event->requested) && says(l, "float64") ? l->event->requested / 2 : PL_NOT_GIVEN, "Half the bytes: dtype=np.float32");
        add(l, PL_NOT_GIVEN, "Work in pieces, or map the file: np.load(..., mmap_mode=\"r\"), np.memmap");
    } else if (l->event->framework == PL_FRAMEWORK_PYTORCH) {
        if (l->job->batch != 1)
            add(l, PL_NOT_GIVEN, pl__given(l->job->batch) ? "A smaller batch: batch_size=%llu" : "Less at once: fewer or shorter texts, smaller pictures", (unsigned long long)l->job->batch / 2);
        if (!l->job->half)
            add(l, pl__given(l->event->requested) ? l->event->requested / 2 : PL_NOT_GIVEN, "Half the bytes: torch_dtype=torch.bfloat16");
        if (!l->job->no_grad && !l->training)
            add(l, PL_NOT_GIVEN, "Keep nothing that only training needs: with torch.inference_mode():");
    } else {
        add(l, PL_NOT_GIVEN, "Hold less at once: read and work in pieces, drop what is no longer needed");
    }
    add(l, PL_NOT_GIVEN, "Close what else uses memory, add RAM or swap, or raise the limit of the container or of ulimit -v");
}

void pl__advise(pl__open *o, const pl__job *job)
{
    pl_event *event = &o->event;
    bool training = o->training || job->training || job->trainer || event->phase == PL_PHASE_BACKWARD || event->phase == PL_PHASE_OPTIMIZER;
    list l = {event, o, job, training};
    event->advice_count = 0;
    if (event->kind == PL_KIND_KILLED) {
        advise_killed(&l);
    } else if (event->framework == PL_FRAMEWORK_LLAMA) {
        advise_llama(&l);
    } else if (event->framework == PL_FRAMEWORK_OLLAMA) {
        advise_ollama(&l);
    } else if (event->framework == PL_FRAMEWORK_ONNXRUNTIME) {
        advise_onnx(&l);
    } else if (event->kind == PL_KIND_HOST) {
        advise_host(&l);
    } else if (strncmp(o->w->name, "sglang", 6) == 0) {
        advise_sglang(&l);
    } else {
        switch (event->framework) {
        case PL_FRAMEWORK_PYTORCH: advise_torch(&l); break;
        case PL_FRAMEWORK_TENSORFLOW: advise_tensorflow(&l); break;
        case PL_FRAMEWORK_JAX: advise_jax(&l); break;
        case PL_FRAMEWORK_VLLM: advise_vllm(&l); break;
        case PL_FRAMEWORK_TGI: advise_tgi(&l); break;
        case PL_FRAMEWORK_TEI: advise_tei(&l); break;
        default: advise_other_device(&l); break;
        }
    }
}
