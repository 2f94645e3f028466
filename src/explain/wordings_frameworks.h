/* A part of the table of wordings (wordings.c says how to read it): TensorFlow, JAX, ONNX Runtime, TensorRT, ggml and servers.
 * Included for its rows, with W defined. */
#ifndef PL_EXPLAIN_WORDINGS_FRAMEWORKS_H
#define PL_EXPLAIN_WORDINGS_FRAMEWORKS_H
/* clang-format off */
/* ---- TensorFlow, XLA, JAX ---- */
W("tf-oom", TENSORFLOW, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN,
  "OOM when ^allocating tensor with shape[{shape}]",
  "and type {dtype}|by allocator GPU_{device}_bfc|device:GPU:{device}|device:CPU:{cpu}", "an operation's output found no room; bytes are shape times type")
W("tf-oom-bare", TENSORFLOW, DEVICE, UNKNOWN, PL__GPU, PL__ERROR,
  "OOM when ^allocating tensor of shape", "type {dtype}|device:GPU:{device}|GPU_{device}_bfc", "the same for constants")
W("bfc-warning", TENSORFLOW, WARNING, UNKNOWN, PL__GPU, PL__PLAIN,
  "(GPU_{device}_bfc) ran out of ^memory trying to allocate {requested} with freed_by_count", "", "the pool refused a workspace; the operation goes on with less")
W("bfc", TENSORFLOW, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN,
  "(GPU_{device}_bfc) ran out of ^memory trying to allocate {requested}", "(rounded to {count}", "the pool (BFC) is full")
W("bfc-any", TENSORFLOW, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN,
  "Allocator ({w}) ran out of ^memory trying to allocate {requested}", "(rounded to {count}", "another of its pools is full")
W("bfc-old", TENSORFLOW, DEVICE, UNKNOWN, PL__GPU, PL__ERROR,
  "Ran out of ^memory trying to allocate {requested}", "(rounded to {count}|GPU_{device}_bfc", "the pool (BFC) is full, TensorFlow 1")
W("bfc-stats", TENSORFLOW, DEVICE, UNKNOWN, PL__GPU, PL__FOLLOW, "Limit: {allowed} ^InUse: {allocated}", "", "the pool's own account")
W("tf-pinned", TENSORFLOW, HOST, HOST, PL__CPU, PL__PLAIN | PL__WEAK,
  "could not allocate ^pinned host memory of size: {requested}", "", "pinned host memory")
W("tf-dst", TENSORFLOW, HIDDEN, UNKNOWN, PL__GPU, PL__PLAIN | PL__WEAK,
  "Dst tensor is not ^initialized", "device:GPU:{device}", "a copy to the GPU found no room")
W("xla-while", JAX, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN,
  "Out of ^memory while trying to allocate {requested}", "device ordinal {device}", "XLA: the program's temporaries do not fit")
W("xla-allocating", JAX, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "RESOURCE_EXHAUSTED: Out of ^memory allocating {requested}", "", "XLA: a buffer does not fit")
W("xla-request", JAX, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN,
  "Failed to ^allocate request for {n}{w}({requested}) on device ordinal {device}", "", "XLA: a buffer does not fit")
W("tpu-hbm", JAX, DEVICE, CAPACITY, PL__GPU, PL__PLAIN,
  "Ran out of ^memory in memory space hbm. Used {requested} of {capacity} hbm", "", "TPU: the compiled program is larger than the device")
W("tpu-vmem", JAX, DEVICE, CAPACITY, PL__GPU, PL__PLAIN,
  "Ran out of ^memory in memory space {w}. Used {requested} of {capacity}", "", "TPU: the compiled program is larger than a memory of the device")
W("tpu-reserve", JAX, DEVICE, CAPACITY, PL__GPU, PL__PLAIN,
  "^Attempting to reserve {requested} at the bottom of memory. That was not possible. There are {free} free", "HBM capacity {capacity}:", "TPU: the program's own memory")
W("tpu-allocate", JAX, DEVICE, CAPACITY, PL__GPU, PL__PLAIN,
  "^Attempting to allocate {requested}. That was not possible. There are {free} free", "HBM capacity {capacity}:", "TPU: a buffer does not fit")
W("xla-remat", JAX, WARNING, CAPACITY, PL__GPU, PL__PLAIN,
  "Can't reduce ^memory use below {capacity}", "", "XLA could not make the program fit by recomputation")
W("jax-exhausted", JAX, DEVICE, UNKNOWN, PL__GPU, PL__ERROR, "RESOURCE_EXHAUSTED: Out of ^memory", "", "XLA, cut after the first words")

/* ---- ONNX Runtime, TensorRT ---- */
W("ort-arena", ONNXRUNTIME, DEVICE, LIMIT, PL__GPU, PL__PLAIN,
  "^Available memory of {free} is smaller than requested bytes of {requested}", "", "the arena's gpu_mem_limit")
W("ort-buffer", ONNXRUNTIME, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN,
  "Failed to ^allocate memory for requested buffer of size {requested}", "", "the arena got no more memory")
W("ort-bad", ONNXRUNTIME, HOST, HOST, PL__CPU, PL__PLAIN, "[ONNXRuntimeError] : {n} : {w} : bad allocation", "", "ONNX Runtime on Windows")
W("dml", ONNXRUNTIME, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "^8007000E Not enough memory resources are available", "", "DirectML")
W("trt-code", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN | PL__WEAK,
  "Error Code 2: ^OutOfMemory", "Requested size was {requested}|requested amount of GPU memory ({requested})", "TensorRT's builder or runtime")
W("trt-requested", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "^Requested amount of GPU memory ({requested}) could not be allocated", "", "TensorRT's builder")
W("trt-requested-old", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "^Requested amount of memory ({requested}) could not be allocated", "", "TensorRT 7's builder")
W("trt-error-in", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN | PL__WEAK, "^OutOfMemory Error in {w}:", "", "TensorRT 7's builder")
W("trt-skip-insufficient", OTHER, WARNING, UNKNOWN, PL__GPU, PL__PLAIN,
  "tactic {n} due to ^insufficient memory on requested size of {requested}", "", "TensorRT skips a tactic that would need more")
W("trt-tactic", OTHER, WARNING, UNKNOWN, PL__GPU, PL__PLAIN,
  "^Tactic Device request: {requested:MiB} Available: {free:MiB}", "", "TensorRT skips a tactic that would need more")
W("trt-skip", OTHER, WARNING, UNKNOWN, PL__GPU, PL__PLAIN | PL__FOLLOW, "^Skipping tactic {n} due to", "", "TensorRT skips a tactic that would need more")
W("trt-best", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN | PL__WEAK, "GPU memory allocation error during ^getBestTactic", "", "TensorRT's builder")

/* ---- ggml: llama.cpp, whisper.cpp, and Ollama around them ---- */
W("ggml-alloc", LLAMA, DEVICE, CAPACITY, PL__GPU, PL__PLAIN,
  "^allocating {requested:MiB} on device {device}: cudaMalloc failed: out of memory", "", "a buffer on a CUDA or HIP device")
W("ggml-buffer-cuda", LLAMA, DEVICE, CAPACITY, PL__GPU, PL__PLAIN, "failed to ^allocate CUDA{device} buffer of size {requested}", "", "a buffer on that device")
W("ggml-buffer-rocm", LLAMA, DEVICE, CAPACITY, PL__GPU, PL__PLAIN, "failed to ^allocate ROCm{device} buffer of size {requested}", "", "a buffer on that device")
W("ggml-buffer-vulkan", LLAMA, DEVICE, CAPACITY, PL__GPU, PL__PLAIN,
  "failed to ^allocate Vulkan{device} buffer of size {requested}", "", "a buffer on that device")
W("ggml-buffer-sycl", LLAMA, DEVICE, CAPACITY, PL__GPU, PL__PLAIN, "failed to ^allocate SYCL{device} buffer of size {requested}", "", "a buffer on that device")
W("ggml-buffer-metal", LLAMA, DEVICE, CAPACITY, PL__GPU, PL__PLAIN, "failed to ^allocate Metal buffer of size {requested}", "", "a buffer on Apple's GPU")
W("ggml-buffer-cpu", LLAMA, HOST, HOST, PL__GPU, PL__PLAIN, "failed to ^allocate CPU buffer of size {requested}", "", "a buffer in host memory")
W("ggml-buffer-mtl", LLAMA, DEVICE, CAPACITY, PL__GPU, PL__PLAIN, "failed to ^allocate MTL{device} buffer of size {requested}", "", "a buffer on Apple's GPU")
W("ggml-buffer", LLAMA, HOST, HOST, PL__GPU, PL__PLAIN, "failed to ^allocate buffer of size {requested}", "", "a buffer in host memory")
W("ggml-aligned", LLAMA, HOST, HOST, PL__GPU, PL__PLAIN, "^insufficient memory (attempted to allocate {requested})", "", "a buffer in host memory")
W("ggml-unable", LLAMA, DEVICE, CAPACITY, PL__GPU, PL__ERROR | PL__WEAK | PL__LOADING, "^unable to allocate CUDA{device} buffer", "", "the weights' buffer")
W("ggml-unable-rocm", LLAMA, DEVICE, CAPACITY, PL__GPU, PL__ERROR | PL__WEAK | PL__LOADING,
  "^unable to allocate ROCm{device} buffer", "", "the weights' buffer")
W("ggml-unable-vulkan", LLAMA, DEVICE, CAPACITY, PL__GPU, PL__ERROR | PL__WEAK | PL__LOADING,
  "^unable to allocate Vulkan{device} buffer", "", "the weights' buffer")
W("ggml-unable-cpu", LLAMA, HOST, HOST, PL__GPU, PL__ERROR | PL__WEAK | PL__LOADING, "^unable to allocate CPU buffer", "", "the weights' buffer in host memory")
W("ggml-unable-backend", LLAMA, DEVICE, CAPACITY, PL__GPU, PL__ERROR | PL__WEAK | PL__LOADING, "^unable to allocate backend buffer", "", "the weights' buffer")
W("ggml-compute", LLAMA, DEVICE, CAPACITY, PL__GPU, PL__ERROR | PL__WEAK, "failed to ^allocate compute buffers", "", "the scratch memory of a batch")
W("ggml-compute-pp", LLAMA, DEVICE, CAPACITY, PL__GPU, PL__ERROR | PL__WEAK, "failed to ^allocate compute pp buffers", "", "the scratch memory of a batch")
W("ggml-compute-tg", LLAMA, DEVICE, CAPACITY, PL__GPU, PL__ERROR | PL__WEAK, "failed to ^allocate compute tg buffers", "", "the scratch memory of a batch")
W("ggml-kv", LLAMA, DEVICE, CAPACITY, PL__GPU, PL__ERROR | PL__WEAK, "failed to ^allocate buffer for kv cache", "", "the cache of keys and values")
W("ggml-kv-memory", LLAMA, DEVICE, CAPACITY, PL__GPU, PL__ERROR | PL__WEAK, "failed to ^allocate memory for the kv cache", "", "the cache of keys and values")
W("mxnet-storage", OTHER, DEVICE, CAPACITY, PL__GPU, PL__PLAIN, "_storage_manager.h:{n}: ^cudaMalloc failed: out of memory", "", "MXNet")
W("ggml-pool", LLAMA, DEVICE, CAPACITY, PL__GPU, PL__PLAIN | PL__WEAK, "^cudaMalloc failed: out of memory", "", "a buffer on the device")
W("ggml-pinned", LLAMA, WARNING, HOST, PL__ALONE, PL__PLAIN,
  "failed to ^allocate {requested} of pinned memory", "", "no pinned host memory; the copy is slower")
W("ggml-pinned-vulkan", LLAMA, WARNING, HOST, PL__ALONE, PL__PLAIN,
  "Failed to ^allocate pinned memory ({w}: ErrorOutOfDeviceMemory", "", "no pinned host memory; the copy is slower")
W("ggml-pinned-old", LLAMA, WARNING, HOST, PL__ALONE, PL__PLAIN, "ggml_vulkan: Failed to ^allocate pinned memory", "", "no pinned host memory; the copy is slower")
W("ggml-fit", LLAMA, WARNING, CAPACITY, PL__GPU, PL__PLAIN | PL__SPECIAL,
  "^projected to use {requested:MiB} of device memory vs. {free:MiB} of free device memory", "", "the plan at start is larger than what is free")
W("ggml-fit-host", LLAMA, WARNING, HOST, PL__GPU, PL__PLAIN | PL__SPECIAL,
  "^projected to use {requested:MiB} of host memory vs. {free:MiB} of", "", "the plan at start is larger than what is free")
W("ggml-fit-failed", LLAMA, WARNING, CAPACITY, PL__GPU, PL__ERROR | PL__WEAK, "failed to fit ^params to free device memory", "", "no settings fit")
W("ggml-vulkan", LLAMA, DEVICE, CAPACITY, PL__GPU, PL__PLAIN, "Device memory ^allocation of size {requested} failed", "", "Vulkan")
W("vulkan-error", LLAMA, DEVICE, CAPACITY, PL__GPU, PL__PLAIN | PL__WEAK | PL__TORCHLIKE, "^ErrorOutOfDeviceMemory", "", "Vulkan")
W("vulkan-enum", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__NEEDS | PL__WEAK | PL__TORCHLIKE, "^VK_ERROR_OUT_OF_DEVICE_MEMORY", "", "Vulkan")
W("vulkan-host", LLAMA, HOST, HOST, PL__GPU, PL__PLAIN | PL__WEAK | PL__TORCHLIKE, "^ErrorOutOfHostMemory", "", "Vulkan")
W("ggml-metal", LLAMA, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN | PL__TORCHLIKE, "^kIOGPUCommandBufferCallbackErrorOutOfMemory", "", "Metal")
W("ggml-metal-insufficient", LLAMA, DEVICE, UNKNOWN, PL__GPU, PL__ERROR | PL__WEAK | PL__TORCHLIKE, "error: ^Insufficient Memory", "", "Metal")
W("ggml-metal-buffer", LLAMA, DEVICE, CAPACITY, PL__GPU, PL__PLAIN, "error: failed to ^allocate buffer, size = {requested}", "", "Metal")
W("ggml-metal-add", LLAMA, DEVICE, CAPACITY, PL__GPU, PL__PLAIN, "error: failed to ^allocate {w} buffer, size = {requested}", "", "Metal")
W("ggml-metal-set", LLAMA, WARNING, CAPACITY, PL__GPU, PL__PLAIN,
  "current ^allocated size is greater than the recommended max working set size", "", "Metal: more than the GPU may hold")
W("ollama-system", OLLAMA, HOST, HOST, PL__CPU, PL__PLAIN,
  "^requires more system memory ({requested}) than is available ({free})", "", "Ollama refuses before loading")
W("ollama-large", OLLAMA, HOST, HOST, PL__CPU, PL__PLAIN,
  "^request too large for system", "requested={requested}|requested=\"{requested}|available={free}|available=\"{free}", "Ollama refuses before loading")
W("ollama-may-not", OLLAMA, HOST, UNKNOWN, PL__CPU, PL__ERROR, "you may not have ^enough available memory to run this model", "", "the runner died")
W("ollama-terminated", OLLAMA, KILLED, UNKNOWN, PL__KILL, PL__PLAIN, "runner terminated\" error=\"signal: ^killed", "", "the kernel killed the runner")
W("ollama-killed", OLLAMA, KILLED, UNKNOWN, PL__KILL, PL__PLAIN, "runner process has ^terminated: signal: killed", "", "the kernel killed the runner")

/* ---- servers ---- */
W("vllm-cache", VLLM, DEVICE, LIMIT, PL__GPU, PL__ERROR | PL__STARTUP,
  "No available memory for the cache ^blocks", "", "weights and activations fill the share that vLLM may use")
W("vllm-free", VLLM, DEVICE, OTHER_PROCESS, PL__GPU, PL__PLAIN | PL__STARTUP,
  "Free ^memory on device ({free:GiB}/{capacity}) on startup is less than desired GPU memory utilization ({n}, {requested})", "", "less is free than vLLM is told to take")
W("vllm-free-cuda", VLLM, DEVICE, OTHER_PROCESS, PL__GPU, PL__PLAIN | PL__STARTUP,
  "Free ^memory on device cuda:{device} ({free:GiB}/{capacity}) on startup is less than desired GPU memory utilization ({n}, {requested})", "", "less is free than vLLM is told to take")
W("vllm-serve", VLLM, DEVICE, LIMIT, PL__GPU, PL__PLAIN | PL__STARTUP,
  "To serve at least one ^request with the models's max seq len ({n}), ({requested} KV cache is needed, which is larger than the available KV cache memory ({free})",
  "estimated maximum model length is {count}", "one text of the full length needs more cache than is left")
W("vllm-serve-any", VLLM, DEVICE, LIMIT, PL__GPU, PL__PLAIN | PL__STARTUP,
  "To serve at least one ^request with the {...}({requested} KV cache is needed", "available KV cache memory ({free})|estimated maximum model length is {count}", "one text of the full length needs more cache than is left")
W("vllm-serve-new", VLLM, DEVICE, LIMIT, PL__GPU, PL__PLAIN | PL__STARTUP,
  "To serve at least one ^request with the {...}max seq len ({n}), {requested} KV cache is needed",
  "available KV cache memory ({free})|estimated maximum model length is {count}", "one text of the full length needs more cache than is left")
W("vllm-seq-len", VLLM, DEVICE, LIMIT, PL__GPU, PL__PLAIN | PL__STARTUP,
  "max seq len ({n}) is larger than the ^maximum number of tokens that can be stored in KV cache ({count})", "", "one text of the full length needs more cache than is left")
W("mlc-weights", OTHER, DEVICE, LIMIT, PL__GPU, PL__PLAIN | PL__STARTUP,
  "^Insufficient GPU memory error: The available single GPU memory is {free}", "", "MLC: weights and buffers fill the share it may use")
W("sglang-fraction", OTHER, DEVICE, LIMIT, PL__GPU, PL__ERROR | PL__STARTUP,
  "Not enough memory. Please try to increase --mem-^fraction-static", "", "SGLang: weights fill the share it may use")
W("sglang-enough", OTHER, DEVICE, LIMIT, PL__GPU, PL__ERROR | PL__STARTUP,
  "Not ^enough memory. Please try to increase", "", "SGLang: weights fill the share it may use")
W("sglang-weights", OTHER, DEVICE, LIMIT, PL__GPU, PL__ERROR | PL__STARTUP,
  "Loaded ^weights leave no GPU memory for the KV cache", "", "SGLang: weights fill the share it may use")
W("sglang-prefill", OTHER, DEVICE, CAPACITY, PL__GPU, PL__ERROR, "Prefill out of ^memory. Try to lower your batch size", "", "SGLang")
W("sglang-decode", OTHER, DEVICE, CAPACITY, PL__GPU, PL__ERROR, "Decode out of ^memory. Try to lower your batch size", "", "SGLang")
W("tgi-prefill", TGI, DEVICE, CAPACITY, PL__GPU, PL__ERROR | PL__STARTUP,
  "Not ^enough memory to handle {n} prefill tokens", "", "the warm-up batch does not fit")
W("tgi-total", TGI, DEVICE, CAPACITY, PL__GPU, PL__ERROR | PL__STARTUP, "Not ^enough memory to handle {n} total tokens", "", "the warm-up batch does not fit")
W("tgi-prefill-max", TGI, DEVICE, CAPACITY, PL__GPU, PL__ERROR | PL__STARTUP, "Not ^enough memory to handle max", "", "the warm-up batch does not fit")
W("tgi-shard-killed", TGI, KILLED, UNKNOWN, PL__KILL, PL__PLAIN, "Shard process was ^signaled to shutdown with signal 9", "", "the kernel killed a shard")
W("ray-task", OTHER, KILLED, HOST, PL__KILL, PL__ERROR,
  "killed due to the node ^running low on memory", "running was {n}GB / {capacity}", "Ray's memory monitor")
W("ray-threshold", OTHER, KILLED, HOST, PL__KILL, PL__PLAIN | PL__WEAK, "exceeds the memory usage ^threshold of {n}", "", "Ray's memory monitor")
W("ray-workers", OTHER, KILLED, HOST, PL__KILL, PL__PLAIN | PL__SPECIAL,
  "Workers (tasks / actors) killed due to memory ^pressure (OOM)", "", "Ray's memory monitor")
W("ray-low", OTHER, KILLED, HOST, PL__KILL, PL__PLAIN,
  "killing latest task with {...}to avoid ^running out of memory", "Used memory ({process}) / total capacity ({capacity})", "Ray's memory monitor")
W("dask-budget", OTHER, KILLED, LIMIT, PL__KILL, PL__PLAIN, "^exceeded {n}% memory budget", "(pid={pid})", "Dask restarts a worker")
/* clang-format on */
#endif
