/* The phase of the job, from the frames above a message. Plain tracebacks, those of IPython (old and
 * new), of rich and of pytest all name a file and a function on one line and mark the line of code
 * that runs; ranks that print at once are told apart by their prefixes. */
#include "explain/inner.h"

#include <string.h>

typedef enum mark { NOTHING, FORWARD, BACKWARD, OPTIMIZER, GENERATE, EVALUATE, LOAD, START, START_FIRM } mark;

enum { MOST_MARKS = 512, MOST_LINES = 900, MOST_BYTES = 96 * 1024, STRAY_LINES = 4 };

static bool is(pl__slice a, const char *word) { return a.n == strlen(word) && memcmp(a.s, word, a.n) == 0; }

static bool is_one_of(pl__slice a, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is(a, words[i]))
            return true;
    return false;
}

static bool has(pl__slice a, const char *word) { return pl__exact(a.s, a.n, word); }
static bool starts(pl__slice a, const char *word) { return a.n >= strlen(word) && memcmp(a.s, word, strlen(word)) == 0; }

static mark mark_by_name(pl__slice name)
{
    static const char *const evaluate[] = {"evaluate", "evaluation_loop", "evaluation_step", "prediction_step", "prediction_loop", "nested_concat", "test_step",
        "test_epoch", "test_loop", "test", "val", "eval_step", "eval_epoch", "eval_one_epoch", "eval_model", "eval_loop", "run_eval", "run_evaluation",
        "do_eval", "do_evaluation", "run_validation", "run_sanity_check", "_run_sanity_check", "pad_across_processes", "run_val", "do_validation", "run_test",
        "compute_metrics", "predict_step", "inference_on_dataset"};
    static const char *const generate[] = {"generate", "_generate", "generate_step", "_sample", "greedy_search", "_greedy_search", "beam_search",
        "_beam_search", "group_beam_search", "beam_sample", "contrastive_search", "assisted_decoding", "generate_token", "stream_generate", "chat",
        "stream_chat", "batch_chat", "generate_text", "execute_model", "forward_batch_generation", "generate_stream", "generate_response", "generate_batch",
        "_contrastive_search", "_assisted_decoding"};
    static const char *const firm[] = {"warmup", "_warmup", "profile_run", "determine_num_available_blocks", "determine_available_memory", "_dummy_run",
        "capture_model", "profile_cudagraph_memory", "initialize_kv_cache", "initialize_kv_caches", "_initialize_kv_caches", "init_memory_pool",
        "_dummy_sampler_run", "profile_num_available_blocks", "compile_or_warm_up_model", "initialize_cache", "raise_if_cache_size_invalid", "init_cuda_graphs",
        "check_enough_kv_cache_memory", "get_kv_cache_configs", "_allocate_kv_cache_tensors", "_allocate_kv_cache", "init_cache_engine", "_init_cache_engine",
        "initialize_from_config", "Warmup", "profile_max_num_token", "kernel_warmup", "warm_up_model", "init_device_graphs"};
    static const char *const start[] = {"init_process_group", "_lazy_init", "init_distributed", "init_distributed_environment",
        "init_worker_distributed_environment", "set_device", "init_device", "run_scheduler_process", "from_engine_args", "_sync_module_states",
        "_verify_param_shape_across_processes", "_sync_params_and_buffers", "_init_executor", "_ddp_init_helper", "run_engine_core", "create_engine",
        "_init_device", "setup_distributed"};
    static const char *const load[] = {"from_pretrained", "load_state_dict", "_load_state_dict_into_model", "_load_state_dict_into_meta_model",
        "load_checkpoint", "load_model", "load_weights", "_load_pretrained_model", "load_checkpoint_and_dispatch", "load_checkpoint_in_model",
        "restore_location", "default_restore_location", "_cuda_deserialize", "_deserialize", "load_tensor", "load_file", "load_from_checkpoint",
        "_load_from_checkpoint", "set_module_tensor_to_device", "create_quantized_param", "persistent_load", "resume_checkpoint", "load_pretrained_model",
        "_load_model", "load_shard_file", "load_torch_file", "load_model_weights", "load_models_gpu", "load_diffusion_model", "initialize_model", "_init_model",
        "_load_best_model", "safe_load_file", "load_model_from_config", "dispatch_model", "from_single_file", "get_model", "build_model", "load_pipeline",
        "_restore_checkpoint", "load_sharded_checkpoint"};
    static const char *const optimizer[] = {"initialize_optimizer_states", "_init_group", "optimizer_step", "_optimizer_step", "_multi_tensor_adamw",
        "_multi_tensor_adam", "_take_model_step", "_single_tensor_adamw", "_single_tensor_adam", "multi_tensor_adam", "update_non_quantized", "init_state",
        "_single_tensor_sgd", "_multi_tensor_sgd", "fused_adam", "independent_gradient_partition_epilogue"};
    static const char *const backward[] = {"backward", "_engine_run_backward", "_backward", "manual_backward", "backward_step", "run_backward"};
    static const char *const forward[] = {"forward", "_call_impl", "_wrapped_call_impl", "training_step", "compute_loss", "forward_train", "forward_features",
        "_forward_impl", "_forward", "forward_step", "forward_backward_func"};
    if (is_one_of(name, evaluate, PL_COUNT(evaluate)) || starts(name, "evaluat") || starts(name, "valid") || starts(name, "val_") || has(name, "_evaluate"))
        return EVALUATE;
    if (is_one_of(name, generate, PL_COUNT(generate)))
        return GENERATE;
    if (is_one_of(name, firm, PL_COUNT(firm)))
        return START_FIRM;
    if (is_one_of(name, start, PL_COUNT(start)))
        return START;
    if (is_one_of(name, load, PL_COUNT(load)))
        return LOAD;
    if (is_one_of(name, backward, PL_COUNT(backward)))
        return BACKWARD;
    if (is_one_of(name, optimizer, PL_COUNT(optimizer)))
        return OPTIMIZER;
    return is_one_of(name, forward, PL_COUNT(forward)) ? FORWARD : NOTHING;
}

static mark mark_by_path(pl__slice path, pl__slice name)
{
    bool module = has(path, "nn/modules/module.py") || has(path, "nn\\modules\\module.py");
    if (module &&
        (is(name, "to") || is(name, "cuda") || is(name, "_apply") || is(name, "convert") || is(name, "half") || is(name, "<lambda>") || is(name, "float") ||
            is(name, "bfloat16")))
        return LOAD;
    if (has(path, "torch/serialization") || has(path, "torch\\serialization") || has(path, "safetensors/torch"))
        return has(path, "serialization") && (is(name, "save") || is(name, "_save")) ? NOTHING : LOAD;
    if (has(path, "/optim/") || has(path, "\\optim\\") || has(path, "/optimizers/") || has(path, "deepspeed/ops/adam"))
        return OPTIMIZER;
    if (has(path, "autograd/__init__") || has(path, "autograd\\__init__"))
        return BACKWARD;
    if (has(path, "pipelines/text_generation") || has(path, "transformers/generation"))
        return GENERATE;
    if (has(path, "deepspeed/__init__") && is(name, "initialize"))
        return START;
    if ((has(path, "vllm/") && has(path, "engine/")) && is(name, "__init__"))
        return START;
    bool functional = has(path, "nn/modules/") || has(path, "nn\\modules\\") || has(path, "nn/functional.py") || has(path, "nn\\functional.py") ||
        has(path, "torch/functional.py");
    if (functional && (is(name, "__init__") || is(name, "reset_parameters")))
        return LOAD;
    return functional ? FORWARD : NOTHING;
}

static mark mark_by_code(pl__slice code)
{
    if (has(code, ".backward("))
        return BACKWARD;
    if (has(code, "optimizer.step(") || has(code, "optim.step(") || has(code, "scaler.step(") || has(code, "opt.step(") || has(code, "optimizer_step("))
        return OPTIMIZER;
    if (has(code, ".generate("))
        return GENERATE;
    if (has(code, ".evaluate(") || has(code, "evaluate(") || has(code, "validate(") || has(code, ".predict("))
        return EVALUATE;
    if (has(code, ".from_pretrained(") || has(code, "torch.load(") || has(code, ".load_state_dict(") || has(code, "load_checkpoint(") ||
        has(code, "load_model("))
        return LOAD;
    bool network = has(code, "model") || has(code, "net") || has(code, "pipe") || has(code, "unet") || has(code, "encoder") || has(code, "Model");
    if (network && (has(code, ".to(") || has(code, ".cuda(") || has(code, ".half()")))
        return LOAD;
    static const char *const functional[] = {"F.linear(", "F.conv", "F.layer_norm(", "F.embedding(", "F.scaled_dot_product_attention(", "F.cross_entropy(",
        "F.softmax(", "F.dropout(", "F.gelu(", "F.relu("};
    for (size_t i = 0; i < PL_COUNT(functional); i++)
        if (has(code, functional[i]))
            return FORWARD;
    if (has(code, "model(") || has(code, "net(") || has(code, ".forward("))
        return FORWARD;
    return NOTHING;
}

/* ---- lines of a traceback ---- */

/* Path and function of a frame's line; false if it is none. */
static bool frame_parse(pl__slice line, pl__slice *path, pl__slice *name)
{
    static const char *const files[] = {".py", ".pyx", "ipython-input", "Cell In[", "File \"<"};
    size_t file = SIZE_MAX;
    for (size_t i = 0; i < PL_COUNT(files) && file == SIZE_MAX; i++)
        file = pl__find(line.s, line.n, files[i]);
    if (file == SIZE_MAX)
        return false;
    size_t in = pl__find(line.s + file, line.n - file, " in ");
    if (in == SIZE_MAX)
        return false;
    size_t begin = file + in + 4, end = begin;
    while (end < line.n && (pl__word(line.s[end]) || line.s[end] == '.' || line.s[end] == '<' || line.s[end] == '>'))
        end++;
    bool angle = end > begin && line.s[begin] == '<';
    for (size_t at = end; !angle && at > begin; at--) /* the last of Class.function */
        if (line.s[at - 1] == '.') {
            begin = at;
            break;
        }
    *path = (pl__slice){line.s, file + in};
    *name = (pl__slice){line.s + begin, end - begin};
    return end > begin || (begin < line.n && line.s[begin] == '\\'); /* "\u003cmodule\u003e" in JSON */
}

/* The line of code that runs, as IPython, rich and pytest mark it. */
static bool arrow_line(pl__slice line)
{
    size_t at = 0;
    while (at < line.n && at < 64 && !pl__letter(line.s[at])) {
        if (starts((pl__slice){line.s + at, line.n - at}, "-->") || starts((pl__slice){line.s + at, line.n - at}, "-> ") ||
            starts((pl__slice){line.s + at, line.n - at}, "\xE2\x9D\xB1"))
            return true;
        at++;
    }
    if (pl__find(line.s, pl_min(line.n, 96), "\\u003e   ") != SIZE_MAX)
        return true;
    size_t sign = pl__find(line.s, pl_min(line.n, 96), ">   ");                                       /* pytest's, behind a logger's prefix too */
    return sign != SIZE_MAX && (sign == 0 || !pl__word(line.s[sign - 1]) || line.s[sign - 1] == 'm'); /* m: the end of a colour */
}

/* Indented, numbered, framed or a row of carets: belongs to a traceback though it is no frame. */
static bool part_of_trace(pl__slice line)
{
    if (line.n == 0)
        return true;
    size_t two = pl__find(line.s, line.n, "    ");
    return line.s[0] == ' ' || line.s[0] == '\t' || pl__digit(line.s[0]) || line.s[0] == '-' || starts(line, "\xE2\x94") || starts(line, "\xE2\x95") ||
        two < 100;
}

typedef struct walk {
    mark marks[MOST_MARKS]; /* innermost first */
    size_t count;
    unsigned strays, frames;
    pl__slice below; /* the line under the present one */
} walk;

static void add_mark(walk *w, mark m)
{
    if (m != NOTHING && w->count < MOST_MARKS)
        w->marks[w->count++] = m;
}

/* Takes one line, going up; false: the traceback begins here. */
static bool walk_line(walk *w, pl__slice line)
{
    pl__slice path, name;
    if (frame_parse(line, &path, &name)) {
        w->frames++;
        w->strays = 0;
        if (has(line, "\", line "))
            add_mark(w, mark_by_code(w->below));
        mark m = mark_by_path(path, name);
        add_mark(w, m != NOTHING ? m : mark_by_name(name));
        return true;
    }
    if (has(line, "Traceback (most recent call last)"))
        return false;
    if (arrow_line(line)) {
        add_mark(w, mark_by_code(line));
        w->strays = 0;
        return true;
    }
    if (!part_of_trace(line))
        w->strays++;
    return w->strays <= (w->frames ? STRAY_LINES : 3 * STRAY_LINES);
}

/* From the outermost mark inwards. Evaluation, generation and a server's start keep what happens
 * inside them; an optimizer's step may run a closure, which is then what counts. */
static pl_phase phase_of(const walk *w)
{
    mark state = NOTHING;
    for (size_t i = w->count; i > 0; i--) {
        mark m = w->marks[i - 1];
        switch (m) {
        case NOTHING: break;
        case EVALUATE: state = EVALUATE; break;
        case GENERATE:
        case START_FIRM: state = state == EVALUATE || state == GENERATE || state == START_FIRM ? state : m; break;
        case BACKWARD: state = state == EVALUATE || state == GENERATE || state == START_FIRM ? state : BACKWARD; break;
        case OPTIMIZER: state = state == NOTHING || state == FORWARD || state == START ? OPTIMIZER : state; break;
        case FORWARD: state = state == NOTHING || state == OPTIMIZER ? FORWARD : state; break;
        case LOAD: state = state == NOTHING || state == START ? LOAD : state; break;
        case START: state = state == NOTHING ? START : state; break;
        }
    }
    static const pl_phase phases[] = {[NOTHING] = PL_PHASE_NONE,
        [FORWARD] = PL_PHASE_FORWARD,
        [BACKWARD] = PL_PHASE_BACKWARD,
        [OPTIMIZER] = PL_PHASE_OPTIMIZER,
        [GENERATE] = PL_PHASE_GENERATE,
        [EVALUATE] = PL_PHASE_EVALUATE,
        [LOAD] = PL_PHASE_LOAD,
        [START] = PL_PHASE_STARTUP,
        [START_FIRM] = PL_PHASE_STARTUP};
    return phases[state];
}

static pl__slice without_end(const char *s, size_t n)
{
    while (n > 0 && (s[n - 1] == '\r' || s[n - 1] == ' ' || s[n - 1] == '\\'))
        n--;
    return (pl__slice){s, n};
}

pl_phase pl__phase(const char *s, size_t message, pl__who who)
{
    walk w = {.count = 0};
    size_t at = pl__line_begin(s, message), least = at > MOST_BYTES ? at - MOST_BYTES : 0;
    for (size_t lines = 0; at > least && lines < MOST_LINES; lines++) {
        size_t end = at - 1, begin = pl__line_begin(s, end);
        at = begin;
        pl__slice line = without_end(s + begin, end - begin);
        pl__who writer = pl__who_wrote(line.s, line.n);
        if (writer.kind == PL__RANK && who.kind == PL__RANK && writer.id != who.id)
            continue;
        bool json_rest = line.n > 1 && line.s[0] == '"' && (line.s[1] == ',' || line.s[1] == '}'); /* ","stream":"stderr"} */
        if (line.n == 0 || json_rest)
            continue;
        if (!walk_line(&w, line))
            break;
        w.below = line;
    }
    return phase_of(&w);
}
