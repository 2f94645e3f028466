/* A part of the table of wordings (wordings.c says how to read it): PyTorch, and CUDA's libraries whoever calls them.
 * Included for its rows, with W defined. */
#ifndef PL_EXPLAIN_WORDINGS_TORCH_H
#define PL_EXPLAIN_WORDINGS_TORCH_H
/* clang-format off */
#define TORCH_FIGURES                                                                              \
    "(GPU {device};|(NPU {device};|GPU {device} has a total|NPU {device} has a total|{capacity} total capacity|total capacity of {capacity}"       \
    "|total capacty of {capacity}|{allocated} already allocated|already allocated; {free} free|current active; {free} free|of which {free} is free" \
    "|{reserved} reserved in total|free; {idle} cached|this process has {process} memory in use|Process {opid} has {other} memory in use"          \
    "|{allowed} allowed;|Of the allocated memory {allocated} is allocated|and {idle} is reserved by PyTorch but unallocated"                       \
    "|with {extra} allocated in private pools"

/* ---- PyTorch, CUDA's caching allocator and its kind ---- */
W("torch-tried", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN,
  "out of ^memory. Tried to allocate {requested}", TORCH_FIGURES, "the caching allocator (CUDA, HIP, XPU, NPU ...) could not get a segment from the driver")
W("torch-tried-in", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN,
  "Tried to ^allocate {requested} (GPU {device};", TORCH_FIGURES, "the same, its beginning cut off; up to 2.0")
W("torch-tried-of", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN,
  "Tried to ^allocate {requested}. GPU {device} has a total", TORCH_FIGURES, "the same, its beginning cut off; since 2.1")
W("torch-tried-npu", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "Tried to ^allocate {requested} (NPU {device};", TORCH_FIGURES, "the same on Ascend")
W("torch-exabyte", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR,
  "out of ^memory. Tried to allocate more than 1EB memory", "", "a size that overflowed: usually a negative or corrupt dimension, not a shortage")
W("torch-preempted", PYTORCH, DEVICE, LIMIT, PL__GPU, PL__PLAIN,
  "Allocation was ^preemptively rejected because it would exceed per_process_memory_fraction limit. Requested size: {requested}",
  "{allowed} allowed|limit of {allowed}|GPU {device}|{capacity} total capacity|total capacity of {capacity}|{allocated} already allocated|{free} free",
  "refused by set_per_process_memory_fraction before asking the driver")
W("torch-outside", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR,
  "CUDA ran out of memory ^outside PyTorch's allocator", "", "a library (cuDNN) found no room beside PyTorch's own pool")
W("torch-warn-oom", PYTORCH, WARNING, UNKNOWN, PL__GPU, PL__PLAIN,
  "memory ^allocation failed with OOM on device {device} while trying to allocate {requested}",
  "(free: {free},|total: {capacity})", "the driver refused once; PyTorch frees its cache and tries again")
W("torch-warn-map", PYTORCH, WARNING, UNKNOWN, PL__GPU, PL__PLAIN,
  "memory ^mapping failed with OOM on device {device} while trying to map {requested}",
  "(free: {free},|total: {capacity})", "expandable segments: a page could not be mapped; PyTorch tries again")
W("torch-async", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR,
  "^Allocation on device {device} would exceed allowed memory",
  "Currently allocated : {allocated}|Requested : {requested}|Device limit : {capacity}|Free (according to CUDA): {free}|user-supplied memory fraction){...}: {allowed}",
  "backend:cudaMallocAsync")
W("torch-class", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR | PL__WEAK, "torch.cuda.^OutOfMemoryError", "", "the class alone, its message lost")
W("torch-class-new", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR | PL__WEAK, "torch.^OutOfMemoryError", "", "the class alone, its message lost")
W("torch-class-device", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR, "^OutOfMemoryError: Allocation on device", "", "cudaMallocAsync, the figures cut off")
W("torch-bare", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR | PL__WEAK, "CUDA out of ^memory", TORCH_FIGURES, "cut after the first words")
W("hip-bare", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR | PL__WEAK, "HIP out of ^memory", TORCH_FIGURES, "cut after the first words")
W("xpu-bare", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR | PL__WEAK, "XPU out of ^memory", TORCH_FIGURES, "cut after the first words")
W("npu-bare", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR | PL__WEAK, "NPU out of ^memory", TORCH_FIGURES, "cut after the first words")
W("mps", PYTORCH, DEVICE, LIMIT, PL__GPU, PL__ERROR,
  "MPS ^backend out of memory",
  "(MPS allocated: {allocated},|other allocations: {extra},|max allowed: {allowed})|Tried to allocate {requested} on", "Apple GPUs; the limit is PyTorch's high watermark")
W("mps-buffer", PYTORCH, DEVICE, SINGLE_REQUEST, PL__GPU, PL__ERROR, "^Invalid buffer size: {requested}", "", "Apple GPUs: one buffer larger than Metal allows")
W("mlx-buffer", OTHER, DEVICE, SINGLE_REQUEST, PL__GPU, PL__PLAIN,
  "^Attempting to allocate {requested} which is greater than the maximum allowed buffer size of {allowed}", "", "MLX: one buffer larger than Metal allows")
W("xpu-ur", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR, "^UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY", "", "Intel's runtime")
W("xpu-ur-resources", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR, "^UR_RESULT_ERROR_OUT_OF_RESOURCES", "", "Intel's runtime")
W("xpu-pi", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR, "^PI_ERROR_OUT_OF_RESOURCES", "", "Intel's runtime, older")
W("xpu-pi-host", PYTORCH, HOST, HOST, PL__CPU, PL__ERROR, "^PI_ERROR_OUT_OF_HOST_MEMORY", "", "Intel's runtime, older")
W("xpu-platform", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR, "Allocation is out of device ^memory on current platform", "", "Intel's extension")
W("torch-directml", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN,
  "Could not ^allocate tensor with {requested}. There is not enough GPU video memory available", "", "torch-directml")
W("exllama-split", OTHER, DEVICE, CAPACITY, PL__GPU, PL__ERROR | PL__LOADING, "^Insufficient VRAM in split for model", "", "ExLlama")
W("exllama", OTHER, DEVICE, CAPACITY, PL__GPU, PL__ERROR | PL__LOADING, "^Insufficient VRAM for model", "", "ExLlama")
W("hsa", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__NEEDS | PL__TORCHLIKE, "^HSA_STATUS_ERROR_OUT_OF_RESOURCES", "", "AMD's runtime")
W("neuron", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "Failed to ^allocate {requested} (alignment: {w}usage:", "", "AWS Neuron")
W("mindspore", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "memory isn't ^enough and alloc failed", "alloc size: {requested}|Device(id:{device})", "MindSpore")
W("npu-code", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR, "^aclrtMalloc failed", "", "Ascend's driver")
W("npu-hal", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR, "^halMemAlloc failed", "size={requested}", "Ascend's driver")
W("torch-legacy-check", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "^THCudaCheck FAIL file={...}error=2 : out of memory", "", "PyTorch before 1.0")
W("torch-legacy-runtime", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR, "cuda ^runtime error (2) : out of memory", "", "PyTorch before 1.0")
W("torch-tensor-move", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "out of ^memory at /pytorch/aten", "", "PyTorch before 1.0")
W("torch-dispatch", PYTORCH, DEVICE, CAPACITY, PL__GPU, PL__ERROR | PL__LOADING,
  "Some ^modules are dispatched on the CPU or the disk. Make sure you have enough GPU RAM", "", "the quantized model does not fit the GPU")
W("torch-dispatch-layers", PYTORCH, DEVICE, CAPACITY, PL__GPU, PL__ERROR | PL__LOADING,
  "You can't ^dispatch a model that {...}on the CPU or the disk. Make sure you have enough GPU RAM", "", "the quantized model does not fit the GPU")
W("accelerate-batch", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR,
  "No ^executable batch size found, reached zero", "", "accelerate halved the batch down to nothing")
W("fairseq-oom", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR | PL__WEAK, "OOM: Ran out of ^memory with exception", "", "fairseq skips or retries the batch")
W("fairseq-ran", PYTORCH, WARNING, UNKNOWN, PL__GPU, PL__ERROR | PL__WEAK, "ran out of ^memory with exception", "", "fairseq skips the batch")
W("fairseq-skip", PYTORCH, WARNING, UNKNOWN, PL__GPU, PL__ERROR | PL__WEAK,
  "ran out of ^memory on GPU #{device}, skipping batch", "", "OpenNMT skips the batch")
W("skip-batch", PYTORCH, WARNING, UNKNOWN, PL__GPU, PL__ERROR | PL__WEAK, "ran out of ^memory, skipping batch", "", "a trainer skips the batch")
W("retry-batch", PYTORCH, WARNING, UNKNOWN, PL__GPU, PL__ERROR | PL__WEAK, "ran out of ^memory, retrying batch", "", "a trainer tries the batch again")
W("attempt-batch", PYTORCH, WARNING, UNKNOWN, PL__GPU, PL__ERROR | PL__WEAK,
  "ran out of ^memory in backward pass, skipping batch", "", "a trainer skips the batch")
W("recover-fairseq", PYTORCH, WARNING, UNKNOWN, PL__GPU, PL__PLAIN | PL__WEAK | PL__FOLLOW | PL__RECOVERED,
  "^attempting to recover from OOM", "", "fairseq skips the batch and goes on")
W("recover-autobatch", PYTORCH, WARNING, UNKNOWN, PL__GPU, PL__PLAIN | PL__WEAK | PL__FOLLOW | PL__RECOVERED,
  "AutoBatch: ^Using~batch-size {n}", "", "Ultralytics tried sizes until one failed")
W("recover-lightning", PYTORCH, WARNING, UNKNOWN, PL__GPU, PL__PLAIN | PL__WEAK | PL__FOLLOW | PL__RECOVERED,
  "^Finished batch size finder, will continue with full run", "", "Lightning tried sizes until one failed")
W("recover-accelerate", PYTORCH, WARNING, UNKNOWN, PL__GPU, PL__PLAIN | PL__WEAK | PL__FOLLOW | PL__RECOVERED,
  "^Decreasing batch size to: {n}", "", "accelerate tries again with less")
W("comfy-oom", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR | PL__WEAK, "Got an OOM, ^unloading all loaded models", "", "ComfyUI")
W("bnb-line", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR, "Error out of ^memory at line {n}", "", "bitsandbytes' kernels")
W("spawn-oom", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR | PL__WEAK, "GPU out of ^memory", "", "a trainer's own words")
W("cuda-host-alloc", PYTORCH, HOST, HOST, PL__CPU, PL__ERROR, "^cudaHostAlloc failed: out of memory", "", "pinned host memory")

/* ---- CUDA and its libraries, whoever calls them ---- */
W("cuda-error", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR | PL__TORCHLIKE,
  "CUDA error: out of ^memory", "", "the driver refused outside the caching allocator: context, kernels, a copy to the device")
W("turbomind", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "[TM][ERROR] CUDA ^runtime error: out of memory", "", "LMDeploy")
W("cuda-runtime-error", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__ERROR | PL__TORCHLIKE, "CUDA ^runtime error: out of memory", "", "the driver refused")
W("cuda-error-2", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR | PL__TORCHLIKE, "CUDA error 2: out of ^memory", "", "the driver refused")
W("cuda-error-at", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR | PL__TORCHLIKE,
  "CUDA error 2 at {...}: out of ^memory", "", "the driver refused; older llama.cpp")
W("cuda-driver-error", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR | PL__TORCHLIKE, "CUDA driver error: out of ^memory", "", "the driver refused")
W("hip-error", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR | PL__TORCHLIKE, "HIP error: out of ^memory", "", "AMD's driver refused")
W("rocm-error", LLAMA, DEVICE, UNKNOWN, PL__GPU, PL__ERROR | PL__TORCHLIKE, "ROCm error: out of ^memory", "", "AMD's driver refused")
W("hip-enum", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__NEEDS | PL__TORCHLIKE, "^hipErrorOutOfMemory", "", "AMD's driver refused")
W("cuda-failed", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__ERROR | PL__TORCHLIKE, "CUDA failed with error out of ^memory", "", "CTranslate2 (faster-whisper)")
W("ort-failure", ONNXRUNTIME, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "CUDA ^failure 2: out of memory", "GPU={device}", "ONNX Runtime's CUDA provider")
W("hip-failure", ONNXRUNTIME, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "HIP ^failure 2: out of memory", "GPU={device}", "ONNX Runtime's ROCm provider")
W("trt-allocator", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "^allocate: 2 (out of memory)", "", "TensorRT's allocator")
W("trt-cuda-runtime", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "Cuda ^Runtime (out of memory)", "", "TensorRT")
W("trtllm-async", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "CUDA runtime error in {...}: out of ^memory", "", "TensorRT-LLM")
W("numba", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "Call to ^cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY", "", "numba")
W("numba-other", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "Call to {w} results in ^CUDA_ERROR_OUT_OF_MEMORY", "", "numba")
W("pycuda", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__ERROR, "^cuMemAlloc failed: out of memory", "", "PyCUDA")
W("pycuda-host", OTHER, HOST, HOST, PL__CPU, PL__ERROR, "^cuMemHostAlloc failed: out of memory", "", "PyCUDA, pinned memory")
W("pycuda-context", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__ERROR, "^cuCtxCreate failed: out of memory", "", "PyCUDA, no room for a context")
W("tei-driver", TEI, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "^DriverError(CUDA_ERROR_OUT_OF_MEMORY", "", "text-embeddings-inference, candle")
W("tf-driver", TENSORFLOW, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN,
  "failed to ^allocate {n}{w}({requested}) from device: CUDA_ERROR_OUT_OF_MEMORY", "", "TensorFlow reserves its pool; it tries again with less")
W("tf-driver-old", TENSORFLOW, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN,
  "failed to ^allocate {requested} from device: CUDA_ERROR_OUT_OF_MEMORY", "", "TensorFlow reserves its pool")
W("tf-host", TENSORFLOW, HOST, HOST, PL__CPU, PL__PLAIN,
  "failed to alloc {requested} on host: ^CUDA_ERROR_OUT_OF_MEMORY", "", "pinned host memory; it tries again with less")
W("cuda-enum", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__NEEDS | PL__TORCHLIKE, "^CUDA_ERROR_OUT_OF_MEMORY", "", "the driver's own name for it")
W("cuda-enum-runtime", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__NEEDS | PL__TORCHLIKE, "^cudaErrorMemoryAllocation", "", "the runtime's own name for it")
W("nccl-failure", PYTORCH, HIDDEN, UNKNOWN, PL__GPU, PL__PLAIN | PL__WEAK, "Cuda ^failure 'out of memory'", "", "NCCL found no room for its buffers")
W("nccl-failure-2", PYTORCH, HIDDEN, UNKNOWN, PL__GPU, PL__PLAIN | PL__WEAK, "Cuda ^failure 2 'out of memory'", "", "NCCL found no room for its buffers")
W("nccl-calloc", PYTORCH, HIDDEN, UNKNOWN, PL__GPU, PL__PLAIN, "Failed to CUDA ^calloc {requested}", "", "NCCL found no room for its buffers")
W("nccl-calloc-async", PYTORCH, HIDDEN, UNKNOWN, PL__GPU, PL__PLAIN, "Failed to CUDA ^calloc async {requested}", "", "NCCL found no room for its buffers")
W("nccl-host-alloc", PYTORCH, HIDDEN, UNKNOWN, PL__GPU, PL__PLAIN, "Failed to CUDA ^host~alloc {requested}", "", "NCCL found no room for pinned buffers")
W("cublas", PYTORCH, HIDDEN, UNKNOWN, PL__GPU, PL__NEEDS | PL__TORCHLIKE, "^CUBLAS_STATUS_ALLOC_FAILED", "", "cuBLAS found no room for its handle or workspace")
W("hipblas", PYTORCH, HIDDEN, UNKNOWN, PL__GPU, PL__NEEDS | PL__TORCHLIKE, "^HIPBLAS_STATUS_ALLOC_FAILED", "", "hipBLAS found no room")
W("rocblas", PYTORCH, HIDDEN, UNKNOWN, PL__GPU, PL__NEEDS | PL__TORCHLIKE, "^rocblas_status_memory_error", "", "rocBLAS found no room")
W("cudnn", PYTORCH, HIDDEN, UNKNOWN, PL__GPU, PL__NEEDS | PL__TORCHLIKE, "^CUDNN_STATUS_ALLOC_FAILED", "", "cuDNN found no room for its handle or workspace")
W("cudnn-device", PYTORCH, HIDDEN, UNKNOWN, PL__GPU, PL__NEEDS | PL__TORCHLIKE,
  "^CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED", "", "cuDNN 9 found no room")
W("cudnn-host", PYTORCH, HIDDEN, UNKNOWN, PL__GPU, PL__NEEDS | PL__TORCHLIKE,
  "^CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED", "", "cuDNN 9 found no room")
W("cudnn-noncontiguous", PYTORCH, HIDDEN, UNKNOWN, PL__GPU, PL__NEEDS,
  "^CUDNN_STATUS_NOT_SUPPORTED. This error may appear if you passed in a non-contiguous input", "", "often no room for a workspace: no convolution algorithm is left")
W("cudnn-algorithm", PYTORCH, HIDDEN, UNKNOWN, PL__GPU, PL__ERROR,
  "Unable to find a valid cuDNN ^algorithm to run convolution", "", "every algorithm's workspace was too large")
W("cudnn-engine", PYTORCH, HIDDEN, UNKNOWN, PL__GPU, PL__ERROR,
  "GET was unable to find an ^engine to execute this computation", "", "every engine's workspace was too large")
W("cusolver", PYTORCH, HIDDEN, UNKNOWN, PL__GPU, PL__NEEDS | PL__TORCHLIKE, "^CUSOLVER_STATUS_ALLOC_FAILED", "", "cuSOLVER found no room")
W("cusparse", PYTORCH, HIDDEN, UNKNOWN, PL__GPU, PL__NEEDS | PL__TORCHLIKE, "^CUSPARSE_STATUS_ALLOC_FAILED", "", "cuSPARSE found no room")
W("cusparse-resources", PYTORCH, HIDDEN, UNKNOWN, PL__GPU, PL__NEEDS | PL__TORCHLIKE, "^CUSPARSE_STATUS_INSUFFICIENT_RESOURCES", "", "cuSPARSE found no room")
W("curand", PYTORCH, HIDDEN, UNKNOWN, PL__GPU, PL__NEEDS | PL__TORCHLIKE, "^CURAND_STATUS_ALLOCATION_FAILED", "", "cuRAND found no room")
W("cufft-status", PYTORCH, HIDDEN, UNKNOWN, PL__GPU, PL__NEEDS | PL__TORCHLIKE, "^CUFFT_ALLOC_FAILED", "", "cuFFT found no room for its plan")
W("cufft", OTHER, HIDDEN, UNKNOWN, PL__GPU, PL__PLAIN, "cuFFT failed to ^allocate GPU or CPU memory", "", "cuFFT found no room for its plan (Julia)")
W("miopen", PYTORCH, HIDDEN, UNKNOWN, PL__GPU, PL__NEEDS | PL__TORCHLIKE, "^miopenStatusAllocFailed", "", "MIOpen found no room")
W("nvml-assert", PYTORCH, HIDDEN, UNKNOWN, PL__GPU, PL__PLAIN,
  "^NVML_SUCCESS == r INTERNAL ASSERT FAILED", "", "the allocator failed while it wrote its out-of-memory message")
W("nvml-assert-new", PYTORCH, HIDDEN, UNKNOWN, PL__GPU, PL__PLAIN,
  "^NVML_SUCCESS == DriverAPI::get(){...}INTERNAL ASSERT FAILED", "", "the allocator failed while it wrote its out-of-memory message")
W("graph-oom", PYTORCH, DEVICE, UNKNOWN, PL__GPU, PL__ERROR | PL__WEAK,
  "CUDA out of ^memory occurred when warming up sampler", "", "vLLM's warm-up of the sampler")

/* ---- PyTorch, host memory ---- */
W("torch-cpu", PYTORCH, HOST, HOST, PL__CPU, PL__PLAIN,
  "^DefaultCPUAllocator: can't allocate memory: you tried to allocate {requested}", "", "PyTorch's CPU allocator, Linux and macOS")
W("torch-cpu-windows", PYTORCH, HOST, HOST, PL__CPU, PL__PLAIN,
  "^DefaultCPUAllocator: not enough memory: you tried to allocate {requested}", "", "PyTorch's CPU allocator, Windows")
W("torch-cpu-old", PYTORCH, HOST, HOST, PL__CPU, PL__PLAIN, "Torch: not ^enough memory: you tried to allocate {requested}", "", "PyTorch before 1.0")
W("torch-mmap", PYTORCH, HOST, HOST, PL__CPU, PL__PLAIN,
  "unable to mmap {requested} from file {...}: ^Cannot allocate memory", "", "a file mapped by torch.load or a DataLoader")
W("torch-mmap-memory", PYTORCH, HOST, HOST, PL__CPU, PL__PLAIN, "unable to mmap ^memory: you tried to mmap {requested}", "", "PyTorch before 1.0")
W("torch-mmap-file", PYTORCH, HOST, HOST, PL__CPU, PL__PLAIN, "unable to allocate ^shared memory(shm) for file", "", "shared memory of a DataLoader")
W("torch-shm-open", PYTORCH, HOST, LIMIT, PL__SHM, PL__ERROR,
  "This might be caused by ^insufficient shared memory (shm)", "", "/dev/shm is full: a DataLoader worker died")
W("torch-shm-bus", PYTORCH, HOST, LIMIT, PL__SHM, PL__PLAIN,
  "^DataLoader worker (pid {pid}) is killed by signal: Bus error", "", "/dev/shm is full: a DataLoader worker died")
W("torch-shm-bus-s", PYTORCH, HOST, LIMIT, PL__SHM, PL__PLAIN,
  "^DataLoader worker (pid(s) {pid}) is killed by signal: Bus error", "", "/dev/shm is full: a DataLoader worker died")
W("torch-worker-killed", PYTORCH, KILLED, UNKNOWN, PL__KILL, PL__PLAIN,
  "^DataLoader worker (pid {pid}) is killed by signal: Killed", "", "the kernel killed a DataLoader worker")
W("torch-worker-memory", PYTORCH, HOST, HOST, PL__CPU, PL__ERROR,
  "Caught MemoryError in ^DataLoader worker process {n}", "", "a DataLoader worker got no memory")
/* clang-format on */
#endif
