/* What the log shows of the job's own settings: its command line, printed arguments, configuration,
 * source lines of a traceback. It decides what advice is already taken, and gives the numbers to
 * write into the rest. */
#include "explain/inner.h"

#include <stddef.h>
#include <string.h>

typedef enum form { NUMBER, REAL, SWITCH, PRESENT, DTYPE, CONF, UNHINTED } form;

typedef struct setting {
    const char *anchor; /* what the scanner looks for, lower case */
    form form;
    size_t at; /* in pl__job */
} setting;

#define AT(member) offsetof(pl__job, member)
static const setting settings[] = {
    {"per_device_train_batch_size", NUMBER, AT(batch)},
    {"per_device_eval_batch_size", NUMBER, AT(eval_batch)},
    {"batch_size", NUMBER, AT(batch)},
    {"batch-size", NUMBER, AT(batch)},
    {"batch size per device", NUMBER, AT(batch)},
    {"batchsize", NUMBER, AT(batch)},
    {"micro_batch_size", NUMBER, AT(batch)},
    {"micro-batch-size", NUMBER, AT(batch)},
    {"gradient_accumulation_steps", NUMBER, AT(accumulation)},
    {"gradient accumulation steps", NUMBER, AT(accumulation)},
    {"max_seq_length", NUMBER, AT(length)},
    {"max_length", NUMBER, AT(length)},
    {"max-length", NUMBER, AT(length)},
    {"cutoff_len", NUMBER, AT(length)},
    {"model_max_length", NUMBER, AT(length)},
    {"max_source_length", NUMBER, AT(length)},
    {"block_size", NUMBER, AT(length)},
    {"max_new_tokens", NUMBER, AT(new_tokens)},
    {"gpu_memory_utilization", REAL, AT(utilization)},
    {"gpu-memory-utilization", REAL, AT(utilization)},
    {"mem-fraction-static", REAL, AT(fraction)},
    {"mem_fraction_static", REAL, AT(fraction)},
    {"max_model_len", NUMBER, AT(model_length)},
    {"max-model-len", NUMBER, AT(model_length)},
    {"max_seq_len", NUMBER, AT(model_length)},
    {"max_num_seqs", NUMBER, AT(sequences)},
    {"max-num-seqs", NUMBER, AT(sequences)},
    {"tensor_parallel_size", NUMBER, AT(tensor_parallel)},
    {"tensor-parallel-size", NUMBER, AT(tensor_parallel)},
    {"max_num_batched_tokens", NUMBER, AT(batched_tokens)},
    {"max-num-batched-tokens", NUMBER, AT(batched_tokens)},
    {"max_batch_prefill_tokens", NUMBER, AT(batched_tokens)},
    {"max-batch-prefill-tokens", NUMBER, AT(batched_tokens)},
    {"max-batch-tokens", NUMBER, AT(batched_tokens)},
    {"max_batch_tokens", NUMBER, AT(batched_tokens)},
    {"n-gpu-layers", NUMBER, AT(layers_on_gpu)},
    {"n_gpu_layers", NUMBER, AT(layers_on_gpu)},
    {"ctx-size", NUMBER, AT(context)},
    {"n_ctx ", NUMBER, AT(context)},
    {"num_ctx", NUMBER, AT(context)},
    {"kvsize:", NUMBER, AT(context)},
    {" -ngl ", NUMBER, AT(layers_on_gpu)},
    {"n_ubatch", NUMBER, AT(micro_batch)},
    {"ubatch-size", NUMBER, AT(micro_batch)},
    {"n_seq_max", NUMBER, AT(parallel)},
    {"--parallel", NUMBER, AT(parallel)},
    {"num_workers", NUMBER, AT(worker_count)},
    {"gradient_checkpointing", SWITCH, AT(checkpointing)},
    {"gradient-checkpointing", SWITCH, AT(checkpointing)},
    {"activation_checkpointing", SWITCH, AT(checkpointing)},
    {"gradient checkpointing", PRESENT, AT(checkpointing)},
    {"utils/checkpoint.py", PRESENT, AT(checkpointing)},
    {"--fp16", SWITCH, AT(half)},
    {"--bf16", SWITCH, AT(half)},
    {"fp16=true", PRESENT, AT(half)},
    {"bf16=true", PRESENT, AT(half)},
    {"fp16: true", PRESENT, AT(half)},
    {"bf16: true", PRESENT, AT(half)},
    {"'fp16': true", PRESENT, AT(half)},
    {"'bf16': true", PRESENT, AT(half)},
    {"torch.float16", PRESENT, AT(half)},
    {"torch.bfloat16", PRESENT, AT(half)},
    {"--half", PRESENT, AT(half)},
    {"mixed_precision", DTYPE, AT(half)},
    {"autocast(", PRESENT, AT(half)},
    {"--dtype", DTYPE, AT(half)},
    {"torch_dtype", DTYPE, AT(half)},
    {"load_in_4bit", SWITCH, AT(quantized)},
    {"load_in_8bit", SWITCH, AT(quantized)},
    {"load-in-4bit", SWITCH, AT(quantized)},
    {"load-in-8bit", SWITCH, AT(quantized)},
    {"bitsandbytes/nn", PRESENT, AT(quantized)},
    {"--quantization", PRESENT, AT(quantized)},
    {"lora_r", PRESENT, AT(lora)},
    {"lora_alpha", PRESENT, AT(lora)},
    {"peft/peft_model", PRESENT, AT(lora)},
    {"peft/tuners", PRESENT, AT(lora)},
    {"--use_peft", PRESENT, AT(lora)},
    {"finetuning_type lora", PRESENT, AT(lora)},
    {"adamw_bnb_8bit", PRESENT, AT(small_optimizer)},
    {"adamw_8bit", PRESENT, AT(small_optimizer)},
    {"paged_adamw", PRESENT, AT(small_optimizer)},
    {"adafactor", PRESENT, AT(small_optimizer)},
    {"bitsandbytes/optim", PRESENT, AT(small_optimizer)},
    {"adam8bit", PRESENT, AT(small_optimizer)},
    {"runtime/zero", PRESENT, AT(sharded)},
    {"zero_stage", PRESENT, AT(sharded)},
    {"zero_optimization", PRESENT, AT(sharded)},
    {"distributed/fsdp", PRESENT, AT(sharded)},
    {"fullyshardeddataparallel", PRESENT, AT(sharded)},
    {"offload_optimizer", PRESENT, AT(offload)},
    {"expandable_segments", CONF, AT(expandable)},
    {"flash_attention", PRESENT, AT(flash)},
    {"flash-attn", PRESENT, AT(flash)},
    {" -fa on", PRESENT, AT(flash)},
    {" -fa 1", PRESENT, AT(flash)},
    {" -fa -", PRESENT, AT(flash)},
    {"flash_attn_func", PRESENT, AT(flash)},
    {"flash_attn = 1", PRESENT, AT(flash)},
    {"scaled_dot_product_attention", PRESENT, AT(flash)},
    {"torch.no_grad", PRESENT, AT(no_grad)},
    {"inference_mode", PRESENT, AT(no_grad)},
    {"enforce_eager=true", PRESENT, AT(eager)},
    {"--enforce-eager", PRESENT, AT(eager)},
    {"kv_cache_dtype=fp8", PRESENT, AT(kv_small)},
    {"kv-cache-dtype fp8", PRESENT, AT(kv_small)},
    {"cache-type-k q", PRESENT, AT(kv_small)},
    {"-ctk q", PRESENT, AT(kv_small)},
    {"ollama_kv_cache_type", PRESENT, AT(kv_small)},
    {"eval_accumulation_steps", SWITCH, AT(eval_moves)},
    {"preprocess_logits_for_metrics=", PRESENT, AT(eval_moves)},
    {"allow_growth", PRESENT, AT(growth)},
    {"set_memory_growth", PRESENT, AT(growth)},
    {"xla_python_client_preallocate=false", PRESENT, AT(no_preallocate)},
    {"transformers/trainer.py", PRESENT, AT(trainer)},
    {"transformers\\trainer.py", PRESENT, AT(trainer)},
    {"trainingarguments", PRESENT, AT(trainer)},
    {"--per_device_train_batch_size", PRESENT, AT(trainer)},
    {"***** running training", PRESENT, AT(trainer)},
    {"***** running training", PRESENT, AT(training)},
    {"optimizer.step", PRESENT, AT(training)},
    {".backward(", PRESENT, AT(training)},
    {"training_step", PRESENT, AT(training)},
    {"per_device_train_batch_size", PRESENT, AT(training)},
    {"torch/optim/", PRESENT, AT(training)},
    {"sentence_transformers", PRESENT, AT(sentence_transformers)},
    {"sentence-transformers", PRESENT, AT(sentence_transformers)},
    {"accelerate launch", PRESENT, AT(accelerate)},
    {"diffusers/", PRESENT, AT(diffusers)},
    {"pytorch_lightning", PRESENT, AT(lightning)},
    {"lightning/pytorch", PRESENT, AT(lightning)},
    {"slurmstepd", PRESENT, AT(slurm)},
    {"#sbatch", PRESENT, AT(slurm)},
    {"srun: error", PRESENT, AT(slurm)},
    {"/kubepods", PRESENT, AT(kubernetes)},
    {"kubelet", PRESENT, AT(kubernetes)},
    {"/docker/", PRESENT, AT(docker)},
    {"device_map", PRESENT, AT(device_map)},
    {"vllmworker", PRESENT, AT(vllm)},
    {"vllm/v1", PRESENT, AT(vllm)},
    {"vllm/worker", PRESENT, AT(vllm)},
    {"vllm.entrypoints", PRESENT, AT(vllm)},
    {"vllm serve", PRESENT, AT(vllm)},
    {"vllm/engine", PRESENT, AT(vllm)},
    {"enginecore", PRESENT, AT(vllm)},
    {"vllm/model_executor", PRESENT, AT(vllm)},
    {"sglang/srt", PRESENT, AT(sglang)},
    {"sglang.launch_server", PRESENT, AT(sglang)},
    {"text_generation_server", PRESENT, AT(tgi)},
    {"text_generation_launcher", PRESENT, AT(tgi)},
    {"text-generation-launcher", PRESENT, AT(tgi)},
    {"mps_high_watermark_ratio", UNHINTED, AT(mps_unlimited)},
    {"group_by_length", SWITCH, AT(bucketed)},
    {"conf=max_split_size_mb", PRESENT, AT(split_conf)},
};

void pl__job_init(pl__job *job)
{
    memset(job, 0, sizeof *job);
    for (size_t i = 0; i < PL_COUNT(settings); i++)
        if (settings[i].form == NUMBER)
            *(uint64_t *)((char *)job + settings[i].at) = PL_NOT_GIVEN;
    job->utilization = job->fraction = -1;
}

size_t pl__setting_count(void) { return PL_COUNT(settings); }
pl__slice pl__setting_anchor(size_t index) { return (pl__slice){settings[index].anchor, strlen(settings[index].anchor)}; }

/* The value after a name: over "=", ":", quotes and spaces, at most one of the first two. */
static size_t value_at(const char *s, size_t n, size_t at)
{
    size_t end = pl_min(n, at + 24);
    bool sign = false;
    for (; at < end; at++) {
        bool joins = s[at] == '=' || s[at] == ':';
        if (joins && sign)
            return SIZE_MAX;
        sign = sign || joins;
        if (!joins && s[at] != ' ' && s[at] != '"' && s[at] != '\'' && s[at] != '\t' && s[at] != '\\')
            return at;
    }
    return SIZE_MAX;
}

static bool is_true(const char *s, size_t n) { return n >= 4 && pl__find(s, 4, "true") == 0; }
static bool is_false(const char *s, size_t n) { return (n >= 5 && pl__find(s, 5, "fals") == 0) || (n >= 4 && pl__find(s, 4, "none") == 0); }

static void read_number(const char *s, size_t n, uint64_t *value)
{
    uint64_t v = 0;
    size_t at = 0;
    while (at < n && at < 9 && pl__digit(s[at]))
        v = v * 10 + (uint64_t)(s[at++] - '0');
    if (at > 0 && v > 0)
        *value = v;
}

static void read_real(const char *s, size_t n, double *value)
{
    double v;
    size_t width = 0;
    while (width < n && width < 12 && (pl__digit(s[width]) || s[width] == '.'))
        width++;
    if (width > 0 && pl_double_parse(s, width, &v) && v > 0 && v <= 1)
        *value = v;
}

/* A name alone switches on: --gradient_checkpointing, model.gradient_checkpointing_enable(). */
static void read_switch(const char *s, size_t n, size_t name, size_t end, bool *value)
{
    size_t at = value_at(s, n, end);
    bool usage = name > 0 && s[name - 1] == '['; /* "usage: train.py [--bf16]" */
    bool option = !usage && (s[name] == '-' || (name > 1 && s[name - 1] == '-'));
    bool call = end + 8 < n && pl__find(s + end, 8, "_enable(") == 0;
    bool number = at != SIZE_MAX && pl__digit(s[at]) && s[at] != '0';
    if (at != SIZE_MAX && is_true(s + at, n - at))
        *value = true;
    else if (at != SIZE_MAX && is_false(s + at, n - at))
        *value = false;
    else if (option || call || number)
        *value = true;
}

/* Set in the environment; not the hint in PyTorch's own message ("try setting ..."). */
static void read_conf(const char *s, size_t n, size_t name, size_t end, bool *value)
{
    size_t begin = name > 64 ? name - 64 : 0;
    bool on = end + 5 <= n && s[end] == ':' && is_true(s + end + 1, n - end - 1);
    if (on && !pl__has(s + begin, name - begin, "setting") && !pl__has(s + begin, name - begin, "try "))
        *value = true;
}

static void read_dtype(const char *s, size_t n, size_t end, bool *value)
{
    size_t at = value_at(s, n, end);
    if (at == SIZE_MAX)
        return;
    size_t rest = pl_min(n - at, 20);
    if (pl__has(s + at, rest, "16") || pl__find(s + at, rest, "half") == 0)
        *value = true;
}

/* "per_device_eval_batch_size" holds "batch_size" too. */
static bool for_evaluation(const char *s, size_t at)
{
    size_t begin = at > 6 ? at - 6 : 0;
    return pl__has(s + begin, at - begin, "eval") || pl__has(s + begin, at - begin, "test");
}

void pl__setting_read(size_t index, const char *s, size_t n, size_t at, pl__job *job)
{
    const setting *t = &settings[index];
    void *member = (char *)job + t->at;
    size_t end = at + strlen(t->anchor), value;
    switch (t->form) {
    case NUMBER:
        value = value_at(s, n, end);
        if (value != SIZE_MAX && !(t->at == AT(batch) && for_evaluation(s, at)))
            read_number(s + value, n - value, member);
        break;
    case REAL:
        value = value_at(s, n, end);
        if (value != SIZE_MAX)
            read_real(s + value, n - value, member);
        break;
    case SWITCH: read_switch(s, n, at, end, member); break;
    case DTYPE: read_dtype(s, n, end, member); break;
    case CONF: read_conf(s, n, at, end, member); break;
    case UNHINTED: /* named by the user, not by the message's own "Use PYTORCH_..." */
        *(bool *)member = *(bool *)member || !pl__has(s + (at > 16 ? at - 16 : 0), pl_min(at, 16), "use");
        break;
    case PRESENT: *(bool *)member = true; break;
    }
}
