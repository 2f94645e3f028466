/* Advice for PyTorch: by cause first, then by phase. */
#include "explain/advise.h"

/* Wordings of PyTorch before 2.1 name other settings. */
static bool old_torch(const pl__list *l) { return pl__says(l, "reserved in total") || pl__says(l, "cached)"); }

static void less_fragmentation(pl__list *l)
{
    uint64_t idle = pl__idle(l->event);
    const char *variable = pl__says(l, "HIP") ? "PYTORCH_HIP_ALLOC_CONF"
        : pl__says(l, "NPU")                  ? "PYTORCH_NPU_ALLOC_CONF"
        : pl__says(l, "PYTORCH_ALLOC_CONF")   ? "PYTORCH_ALLOC_CONF"
                                              : "PYTORCH_CUDA_ALLOC_CONF";
    if (pl__says(l, "XPU") || pl__row_is(l, "mps") || pl__cause_is(l, PL_CAUSE_SINGLE_REQUEST))
        return;
    if (!l->job->expandable && !old_torch(l))
        pl__add(l, idle, "Let the allocator grow its segments, so that idle memory serves any size: %s=expandable_segments:True", variable);
    else if (!l->job->expandable && !l->job->split_conf)
        pl__add(l, idle, "Keep large blocks from being cut up: %s=max_split_size_mb:128 (PyTorch 2.1 and later: expandable_segments:True)", variable);
    if (pl__cause_is(l, PL_CAUSE_FRAGMENTATION))
        pl__add(l, PL_NOT_GIVEN, "Give idle memory back before the step that needs a large block: torch.cuda.empty_cache()");
}

static void smaller_training_batch(pl__list *l)
{
    const pl__job *j = l->job;
    if (j->batch == 1)
        return;
    unsigned long long half = pl__given(j->batch) ? j->batch / 2 : 0, steps = 2 * (pl__given(j->accumulation) ? j->accumulation : 1);
    if (j->trainer && half)
        pl__add(
            l, PL_NOT_GIVEN, "Halve the batch and keep what is learned: --per_device_train_batch_size %llu --gradient_accumulation_steps %llu", half, steps);
    else if (j->trainer)
        pl__add(l, PL_NOT_GIVEN,
            "Halve --per_device_train_batch_size and double --gradient_accumulation_steps, or let Trainer find it: --auto_find_batch_size True");
    else if (half)
        pl__add(l, PL_NOT_GIVEN, "Halve the batch (batch_size=%llu) and step the optimizer every %llu batches, so that what is learned stays", half, steps);
    else
        pl__add(l, PL_NOT_GIVEN, "Halve the batch (batch_size) and step the optimizer every second one, so that what is learned stays");
}

static void checkpointing(pl__list *l)
{
    if (l->job->checkpointing)
        return;
    pl__add(l, PL_NOT_GIVEN,
        l->job->trainer
            ? "Recompute activations instead of keeping them, about a third slower: --gradient_checkpointing True"
            : "Recompute activations instead of keeping them, about a third slower: model.gradient_checkpointing_enable() (torch.utils.checkpoint)");
}

static void half_precision(pl__list *l)
{
    if (l->job->half || l->job->quantized)
        return;
    if (l->training)
        pl__add(l, PL_NOT_GIVEN,
            l->job->trainer          ? "Compute in 16 bits: --bf16 True (--fp16 True on GPUs before Ampere)"
                : l->job->accelerate ? "Compute in 16 bits: accelerate launch --mixed_precision bf16"
                                     : "Compute in 16 bits: with torch.autocast(\"cuda\", torch.bfloat16)");
    else
        pl__add(l, PL_NOT_GIVEN,
            l->job->sentence_transformers ? "Hold the weights in 16 bits: SentenceTransformer(..., model_kwargs={\"torch_dtype\": \"float16\"})"
                                          : "Hold the weights in 16 bits: torch_dtype=torch.bfloat16 (or model.half())");
}

static void small_optimizer(pl__list *l)
{
    if (!l->job->small_optimizer)
        pl__add(l, PL_NOT_GIVEN,
            l->job->trainer ? "Keep the optimizer's states in 8 bits, a quarter of the bytes: --optim adamw_bnb_8bit"
                            : "Keep the optimizer's states in 8 bits, a quarter of the bytes: bitsandbytes.optim.AdamW8bit");
    if (!l->job->offload && l->job->sharded)
        pl__add(l, PL_NOT_GIVEN, "Keep the optimizer's states in host memory: \"offload_optimizer\": {\"device\": \"cpu\"} in the DeepSpeed configuration");
}

static void shorter_texts(pl__list *l)
{
    uint64_t length = l->job->length;
    if (pl__given(length) && length >= 128 && length < 1000000)
        pl__add(l, PL_NOT_GIVEN, "Shorter texts: --max_seq_length %llu instead of %llu (attention grows with the square of the length)",
            (unsigned long long)length / 2, (unsigned long long)length);
    else if (l->job->trainer && !l->job->bucketed)
        pl__add(l, PL_NOT_GIVEN, "Put texts of like length together, so that little is padding: --group_by_length True");
}

static void adapters(pl__list *l)
{
    if (!l->job->lora && !l->job->quantized)
        pl__add(l, PL_NOT_GIVEN, "Train adapters only (peft.LoraConfig): no gradients and no optimizer states for the rest");
    else if (!l->job->quantized)
        pl__add(l, PL_NOT_GIVEN, "Load the frozen weights in 4 bits: BitsAndBytesConfig(load_in_4bit=True)");
}

static void torch_training(pl__list *l)
{
    if (pl__phase_is(l, PL_PHASE_OPTIMIZER)) {
        small_optimizer(l);
        adapters(l);
        if (!l->job->sharded)
            pl__add(l, PL_NOT_GIVEN, "Share optimizer states and weights among GPUs, or move them to host memory: DeepSpeed ZeRO or FSDP");
        return;
    }
    smaller_training_batch(l);
    checkpointing(l);
    half_precision(l);
    shorter_texts(l);
    small_optimizer(l);
    adapters(l);
}

static void torch_inference(pl__list *l)
{
    const pl__job *j = l->job;
    if (j->batch != 1) {
        unsigned long long half = pl__given(j->batch) ? j->batch / 2 : 0;
        if (j->sentence_transformers)
            pl__add(l, PL_NOT_GIVEN, "A smaller batch: model.encode(texts, batch_size=%llu)", half ? half : 16);
        else if (half)
            pl__add(l, PL_NOT_GIVEN, "A smaller batch: batch_size=%llu instead of %llu", half, (unsigned long long)j->batch);
        else
            pl__add(l, PL_NOT_GIVEN, "A smaller batch, smaller pictures or shorter texts: the failed tensor shrinks with them");
    }
    if (!j->no_grad && !pl__phase_is(l, PL_PHASE_GENERATE) && !pl__phase_is(l, PL_PHASE_LOAD))
        pl__add(l, PL_NOT_GIVEN, "Keep nothing for a backward pass: with torch.inference_mode():");
    half_precision(l);
    if (j->diffusers)
        pl__add(l, PL_NOT_GIVEN, "Move parts of the pipeline in as they are needed: pipe.enable_model_cpu_offload(), pipe.enable_attention_slicing()");
}

static void torch_load(pl__list *l)
{
    half_precision(l);
    if (!l->job->quantized)
        pl__add(l, PL_NOT_GIVEN, "Load in 4 bits: BitsAndBytesConfig(load_in_4bit=True)");
    if (!l->job->device_map)
        pl__add(l, PL_NOT_GIVEN, "Spread the weights over GPUs and host memory: from_pretrained(..., device_map=\"auto\")");
    pl__add(l, PL_NOT_GIVEN, "Read checkpoints into host memory, not onto the GPU: torch.load(path, map_location=\"cpu\")");
}

static void torch_evaluate(pl__list *l)
{
    if (!l->job->eval_moves) {
        pl__add(l, PL_NOT_GIVEN, "Move predictions to host memory as they come: --eval_accumulation_steps 1");
        pl__add(l, PL_NOT_GIVEN,
            "Keep only what the metric needs of the logits: Trainer(..., preprocess_logits_for_metrics=lambda logits, labels: logits.argmax(-1))");
    }
    if (l->job->eval_batch != 1)
        pl__add(l, PL_NOT_GIVEN, "A smaller batch for evaluation: --per_device_eval_batch_size %llu",
            pl__given(l->job->eval_batch) ? (unsigned long long)l->job->eval_batch / 2 : 1);
    if (!l->job->no_grad && !l->job->trainer)
        pl__add(l, PL_NOT_GIVEN, "Evaluate under torch.no_grad(): else every activation is kept");
}

static void torch_generate(pl__list *l)
{
    if (l->job->batch != 1)
        pl__add(l, PL_NOT_GIVEN, "Fewer texts at once: the cache of keys and values grows with batch times length");
    if (pl__given(l->job->new_tokens) && l->job->new_tokens > 64)
        pl__add(l, PL_NOT_GIVEN, "Shorter answers: max_new_tokens=%llu", (unsigned long long)l->job->new_tokens / 2);
    half_precision(l);
    if (!l->job->quantized)
        pl__add(l, PL_NOT_GIVEN, "Load the weights in 4 bits: BitsAndBytesConfig(load_in_4bit=True)");
    pl__add(l, PL_NOT_GIVEN, "Keep the cache in host memory: generate(..., cache_implementation=\"offloaded\")");
}

static void torch_leak(pl__list *l)
{
    pl__add(l, PL_NOT_GIVEN, "Memory grows from event to event: keep numbers, not graphs: total += loss.item(), outputs.detach().cpu()");
    pl__add(l, PL_NOT_GIVEN,
        "After a caught failure drop what the exception still holds (its traceback keeps the tensors): leave the except block, del the outputs, then "
        "torch.cuda.empty_cache()");
}

static void torch_by_phase(pl__list *l)
{
    if (pl__phase_is(l, PL_PHASE_EVALUATE))
        torch_evaluate(l);
    else if (pl__phase_is(l, PL_PHASE_LOAD) || l->o->w->traits & PL__LOADING)
        torch_load(l);
    else if (pl__phase_is(l, PL_PHASE_GENERATE))
        torch_generate(l);
    else if (l->training)
        torch_training(l);
    else
        torch_inference(l);
}

static void torch_limit(pl__list *l)
{
    if (pl__row_is(l, "mps") && l->job->mps_unlimited)
        return;
    if (pl__row_is(l, "mps"))
        pl__add(l, PL_NOT_GIVEN, "Let PyTorch use more of the Mac's memory: PYTORCH_MPS_HIGH_WATERMARK_RATIO=0.0 (the system may begin to swap)");
    else
        pl__add(l, PL_NOT_GIVEN,
            "Raise the share the process may use: torch.cuda.set_per_process_memory_fraction(1.0), or drop the call (per_process_memory_fraction in "
            "PYTORCH_CUDA_ALLOC_CONF)");
}

static void one_large_tensor(pl__list *l)
{
    char size[32];
    if (!l->job->flash && !l->job->diffusers)
        pl__add(l, PL_NOT_GIVEN, "One tensor of %s can never fit: if it is attention's square of scores, load with attn_implementation=\"sdpa\"",
            pl__size_text(l->event->requested, size));
    pl__add(l, PL_NOT_GIVEN, "Split the work that makes this tensor: fewer texts or pictures at once, shorter or smaller ones, or a loop over chunks");
}

void pl__advise_torch(pl__list *l)
{
    if (l->job->vllm || l->job->sglang || l->job->tgi) {
        if (pl__cause_is(l, PL_CAUSE_OTHER_PROCESS))
            pl__free_others(l);
        l->job->vllm ? pl__advise_vllm(l) : l->job->sglang ? pl__advise_sglang(l) : pl__advise_tgi(l);
        return;
    }
    switch (l->event->cause) {
    case PL_CAUSE_FRAGMENTATION: less_fragmentation(l); break;
    case PL_CAUSE_OTHER_PROCESS: pl__free_others(l); break;
    case PL_CAUSE_LIMIT: torch_limit(l); break;
    case PL_CAUSE_LEAK: torch_leak(l); break;
    case PL_CAUSE_SINGLE_REQUEST: one_large_tensor(l); break;
    default: break;
    }
    torch_by_phase(l);
    uint64_t idle = pl__idle(l->event);
    if (!pl__cause_is(l, PL_CAUSE_FRAGMENTATION) && pl__given(idle) && pl__given(l->event->requested) && idle >= l->event->requested / 2 && idle >= 64u << 20)
        less_fragmentation(l);
    if (l->event->kind == PL_KIND_HIDDEN || (l->event->cause == PL_CAUSE_UNKNOWN && pl__phase_is(l, PL_PHASE_STARTUP)))
        pl__add(l, PL_NOT_GIVEN, "See who holds the device: nvidia-smi; give each rank its own: torch.cuda.set_device(local_rank)");
}
