/* A part of the table of wordings (wordings.c says how to read it): other programs, on GPUs and in host memory.
 * Included for its rows, with W defined. */
#ifndef PL_EXPLAIN_WORDINGS_PROGRAMS_H
#define PL_EXPLAIN_WORDINGS_PROGRAMS_H
/* clang-format off */
/* ---- other programs on GPUs ---- */
W("paddle", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN,
  "Cannot ^allocate {requested} memory on GPU {device}", "{allocated} memory has been allocated|available memory is only {free}", "PaddlePaddle")
W("paddle-gpu", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN,
  "Cannot ^allocate {requested} GPU memory, available memory is", "GPU memory, available memory is {free}|memory is only {free}|error on GPU {device}", "PaddlePaddle 1.6")
W("paddle-malloc", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "Cannot ^malloc {requested} GPU memory", "", "PaddlePaddle 1.5")
W("paddle-insufficient", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "^allocating:{requested} > available:{free}", "", "PaddlePaddle 1.2")
W("paddle-title", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN | PL__WEAK, "Out of ^memory error on GPU {device}", "", "PaddlePaddle")
W("paddle-cpu", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "^Fail~to~alloc memory of {requested} size", "", "PaddlePaddle on the CPU")
W("cupy", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN,
  "Out of ^memory allocating {requested} (allocated so far: {allocated}", "allocated so far: {reserved}|limit set to: {allowed})", "CuPy")
W("cupy-old", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "out of ^memory to allocate {requested} (total {reserved})", "", "CuPy before 8")
W("cupy-class", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__ERROR | PL__WEAK, "cupy.cuda.memory.^OutOfMemoryError", "", "CuPy, its message lost")
W("rmm-pool-bad", OTHER, DEVICE, LIMIT, PL__GPU, PL__ERROR,
  "std::^bad_alloc: out_of_memory: RMM failure at:{...}Maximum pool size exceeded", "failed to allocate {requested}", "RMM (RAPIDS): the pool's limit")
W("rmm-pool", OTHER, DEVICE, LIMIT, PL__GPU, PL__ERROR, "^Maximum pool size exceeded", "failed to allocate {requested}", "RMM (RAPIDS): the pool's limit")
W("rmm-oom", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__ERROR, "^out_of_memory: CUDA error", "failed to allocate {requested}", "RMM (RAPIDS)")
W("rmm-bad", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__ERROR, "std::^bad_alloc: out_of_memory", "failed to allocate {requested}", "RMM (RAPIDS)")
W("rmm-old", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__ERROR, "std::^bad_alloc: CUDA error", "", "RMM (RAPIDS)")
W("xgboost", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN,
  "Memory ^allocation error on worker {n}", "Free memory: {free}|Requested memory: {requested}", "XGBoost")
W("julia", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN,
  "Out of GPU ^memory trying to allocate {requested}", "Effective GPU memory usage: {n}% ({n}GiB/{capacity})|Memory pool usage: {allocated} ({reserved} reserved)", "Julia's CUDA.jl")
W("julia-host", OTHER, HOST, HOST, PL__CPU, PL__WORD, "^OutOfMemoryError()", "", "Julia")
W("caffe", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "^cudaSuccess (2 vs. 0) out of memory", "", "Caffe")
W("mxnet", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "^cudaSuccess: CUDA: out of memory", "", "MXNet")
W("cuda-colon", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__ERROR | PL__TORCHLIKE, "CUDA: out of ^memory", "", "DGL, MXNet and others")
W("mxnet-retry", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "^cudaMalloc retry failed: out of memory", "", "MXNet")
W("faiss", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "Failed to ^cudaMalloc {requested} on device {device} (error 2", "", "faiss")
W("faiss-type", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "size {requested} (^cudaMalloc error out of memory", "dev {device} space", "faiss")
W("faiss-alloc", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "(^cudaMalloc error out of memory", "", "faiss")
W("theano", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN,
  "Error ^allocating {requested} of device memory (out of memory)", "report {free} free|and {capacity} total", "Theano")
W("theano-pool", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN,
  "Error ^allocating {requested} of device memory (CNMEM_STATUS_OUT_OF_MEMORY)", "report {free} free|and {capacity} total", "Theano's pool")
W("theano-cnmem", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__NEEDS, "^CNMEM_STATUS_OUT_OF_MEMORY", "", "Theano's pool")
W("blender", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "System is out of GPU ^memory", "", "Blender")
W("blender-cuda", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "Out of memory in ^cuMemAlloc", "", "Blender")
W("blender-shared", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "System is out of GPU and shared host ^memory", "", "Blender")
W("opencl-object", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__NEEDS, "^CL_MEM_OBJECT_ALLOCATION_FAILURE", "", "OpenCL")
W("pyopencl-object", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "failed: ^MEM_OBJECT_ALLOCATION_FAILURE", "", "PyOpenCL")
W("openvino-object", OTHER, DEVICE, SINGLE_REQUEST, PL__GPU, PL__PLAIN,
  "Exceeded max size of memory ^object~allocation: requested {requested}", "max alloc size supported by device is {allowed}|max alloc size is {allowed}", "OpenVINO: one buffer larger than the device allows")
W("openvino-total", OTHER, DEVICE, CAPACITY, PL__GPU, PL__PLAIN,
  "^Exceeded max size of memory allocation: Required {requested}", "memory size is {capacity}|alloc size is {capacity}", "OpenVINO: the network is larger than the device")
W("lightgbm", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "[LightGBM] [Fatal] [CUDA] out of ^memory", "", "LightGBM")
W("ncnn", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "^vkAllocateMemory failed -2", "", "ncnn: Vulkan")
W("opencl-resources", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__NEEDS, "^CL_OUT_OF_RESOURCES", "", "OpenCL")
W("opencl-host", OTHER, HOST, HOST, PL__CPU, PL__NEEDS, "^CL_OUT_OF_HOST_MEMORY", "", "OpenCL")
W("hashcat", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "Not ^enough allocatable device memory", "", "hashcat")
W("matlab-gpu", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "Out of ^memory on device. To view more detail", "", "MATLAB")
W("catboost", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__ERROR, "^TOutOfMemoryError", "", "CatBoost")
W("video-memory", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN, "Out of video ^memory trying to allocate", "", "Unreal Engine")

/* ---- host memory, any program ---- */
W("numpy", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "^Unable to allocate {requested} for an array with shape", "", "NumPy")
W("numpy-old", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "^Unable to allocate array with shape ({shape}) and data type {dtype}", "", "NumPy 1.16")
W("pandas", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "C error: out of ^memory", "", "pandas' reader")
W("arrow", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "^malloc of size {requested} failed", "", "Apache Arrow")
W("arrow-re", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "^realloc of size {requested} failed", "", "Apache Arrow")
W("arrow-class", OTHER, HOST, HOST, PL__CPU, PL__ERROR | PL__WEAK, "^ArrowMemoryError", "malloc of size {requested} failed", "Apache Arrow")
W("python", OTHER, HOST, HOST, PL__CPU, PL__SPECIAL | PL__WEAK, "^MemoryError", "", "Python")
W("safetensors-map", PYTORCH, HOST, HOST, PL__CPU, PL__PLAIN, "Error while memory ^mapping: Cannot allocate memory", "", "safetensors")
W("errno-12", OTHER, HOST, HOST, PL__CPU, PL__ERROR, "[Errno 12] ^Cannot allocate memory", "", "the kernel refused (ENOMEM)")
W("os-error-12", OTHER, HOST, HOST, PL__CPU, PL__ERROR, "^Cannot allocate memory (os error 12)", "", "the kernel refused (ENOMEM)")
W("enomem", OTHER, HOST, HOST, PL__CPU, PL__ERROR, "^Cannot allocate memory", "", "the kernel refused (ENOMEM)")
W("enomem-zh", OTHER, HOST, HOST, PL__CPU, PL__ERROR, "\xE6\x97\xA0\xE6\xB3\x95\xE5\x88\x86\xE9\x85\x8D\xE5\x86\x85\xE5\xAD\x98", "", "the same in Chinese")
W("enomem-de", OTHER, HOST, HOST, PL__CPU, PL__ERROR, "Nicht gen\xC3\xBCgend ^Hauptspeicher verf\xC3\xBCgbar", "", "the same in German")
W("enomem-fr", OTHER, HOST, HOST, PL__CPU, PL__ERROR, "Impossible d'^allouer de la m\xC3\xA9moire", "", "the same in French")
W("enomem-ja", OTHER, HOST, HOST, PL__CPU, PL__ERROR,
  "\xE3\x83\xA1\xE3\x83\xA2\xE3\x83\xAA\xE3\x82\x92\xE7\xA2\xBA\xE4\xBF\x9D\xE3\x81\xA7\xE3\x81\x8D\xE3\x81\xBE\xE3\x81\x9B\xE3\x82\x93", "", "the same in Japanese")
W("enomem-es", OTHER, HOST, HOST, PL__CPU, PL__ERROR, "No se pudo ^asignar memoria", "", "the same in Spanish")
W("bad-alloc", OTHER, HOST, HOST, PL__CPU, PL__ERROR | PL__WEAK, "std::^bad_alloc", "", "C++")
W("bad-alloc-windows", OTHER, HOST, HOST, PL__CPU, PL__ERROR | PL__WEAK, "bad ^allocation", "", "C++ on Windows")
W("malloc-failed", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "Out of memory, ^malloc failed (tried to allocate {requested})", "", "git")
W("realloc-failed", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "Out of memory, ^realloc failed", "", "git")
W("go", OTHER, HOST, HOST, PL__CPU, PL__PLAIN | PL__WEAK, "^runtime: out of memory", "cannot allocate {requested:B}|({process:B} in use)", "Go")
W("go-cannot", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "^runtime: cannot allocate memory", "", "Go")
W("rust", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "memory ^allocation of {requested} failed", "", "Rust")
W("java-heap", OTHER, HOST, LIMIT, PL__CPU, PL__ERROR, "java.lang.^OutOfMemoryError", "Cannot reserve {requested} of direct|limit: {allowed})", "Java: the heap's or the machine's limit")
W("java-native", OTHER, HOST, HOST, PL__CPU, PL__PLAIN | PL__CODE,
  "There is ^insufficient memory for the Java Runtime Environment to continue", "failed to map {requested}|failed to allocate {requested}", "Java: the machine gave no more")
W("java-commit", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "os::^commit_memory({w}, {requested}, {n}) failed; error='", "", "Java: the machine gave no more")
W("java-native-map", OTHER, HOST, HOST, PL__CPU, PL__PLAIN | PL__CODE | PL__WEAK,
  "Native memory ^allocation (", "failed to map {requested}|failed to allocate {requested}", "Java: the machine gave no more")
W("java-reserve", OTHER, HOST, HOST, PL__CPU, PL__PLAIN,
  "Could not ^reserve enough space for", "for {requested} object heap", "Java: no room for the heap at start")
W("node", OTHER, HOST, LIMIT, PL__CPU, PL__PLAIN, "^JavaScript heap out of memory", "", "Node.js: V8's heap limit")
W("node-worker", OTHER, HOST, LIMIT, PL__CPU, PL__ERROR, "^ERR_WORKER_OUT_OF_MEMORY", "", "Node.js: a worker's heap limit")
W("js-buffer", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "RangeError: ^Array~buffer allocation failed", "", "JavaScript")
W("js-wasm", OTHER, HOST, LIMIT, PL__CPU, PL__PLAIN, "WebAssembly.Memory(): could not ^allocate memory", "", "JavaScript: WebAssembly's memory")
W("php", OTHER, HOST, LIMIT, PL__CPU, PL__PLAIN, "^Allowed memory size of {allowed} exhausted (tried to allocate {requested})", "", "PHP: memory_limit")
W("ruby", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "failed to ^allocate memory (NoMemoryError)", "", "Ruby")
W("r-vector", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "^cannot allocate vector of size {requested}", "", "R")
W("matlab-array", OTHER, HOST, LIMIT, PL__CPU, PL__PLAIN, "array ^exceeds maximum array size preference", "({requested}) array exceeds", "MATLAB")
W("stata", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "op. sys. ^refuses to provide memory", "", "Stata")
W("matlab-help", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "Out of ^memory. Type \"help memory\" for your options", "", "MATLAB")
W("perl", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "Out of ^memory in perl:{w}:", "", "Perl")
W("haskell", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "out of ^memory (requested {requested})", "", "Haskell")
W("ocaml", OTHER, HOST, HOST, PL__CPU, PL__ERROR, "exception ^Out_of_memory", "", "OCaml")
W("erlang", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "^eheap_alloc: Cannot allocate {requested}", "", "Erlang")
W("erlang-other", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "^binary_alloc: Cannot allocate {requested}", "", "Erlang")
W("lisp", OTHER, HOST, LIMIT, PL__CPU, PL__PLAIN, "Heap ^exhausted during {w}: {free} available, {requested} requested", "", "SBCL")
W("lmstudio", OTHER, HOST, HOST, PL__CPU, PL__ERROR, "^insufficient system resources", "", "LM Studio")
W("lua", OTHER, HOST, HOST, PL__CPU, PL__SPECIAL | PL__WEAK, "not ^enough memory", "", "Lua and others")
W("dotnet", OTHER, HOST, HOST, PL__CPU, PL__ERROR, "System.^OutOfMemoryException", "", ".NET")
W("opencv", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "(-4:Insufficient memory) Failed to ^allocate {requested}", "", "OpenCV")
W("gcc-allocating", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "out of ^memory allocating {requested} after a total of {process}", "", "GCC")
W("llvm", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "LLVM ^ERROR: out of memory", "", "LLVM")
W("virtual-exhausted", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "^virtual memory exhausted", "", "GNU programs")
W("ld-exhausted", OTHER, HOST, HOST, PL__CPU, PL__ERROR, "memory ^exhausted", "buffer of size {requested}", "GNU ld and others")
W("postgres", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "^Failed on request of size {requested}", "", "PostgreSQL")
W("mysql", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "Out of memory (^Needed {requested})", "", "MySQL")
W("redis", OTHER, HOST, LIMIT, PL__CPU, PL__PLAIN, "OOM ^command not allowed when used memory > 'maxmemory'", "", "Redis: maxmemory")
W("memcached", OTHER, HOST, LIMIT, PL__CPU, PL__PLAIN, "SERVER_ERROR out of ^memory storing object", "", "memcached: its limit")
W("duckdb", OTHER, HOST, LIMIT, PL__CPU, PL__PLAIN, "Out of Memory Error: could not ^allocate block of size {requested} ({process}/{allowed} used)", "", "DuckDB: memory_limit")
W("duckdb-data", OTHER, HOST, LIMIT, PL__CPU, PL__PLAIN, "Out of Memory Error: failed to ^allocate data of size {requested} ({process}/{allowed} used)", "", "DuckDB: memory_limit")
W("clickhouse", OTHER, HOST, LIMIT, PL__CPU, PL__PLAIN, "^exceeded: would use {process} (attempt to allocate chunk of {requested}), maximum: {allowed}", "", "ClickHouse: max_memory_usage")
W("spark-acquire", OTHER, HOST, LIMIT, PL__CPU, PL__PLAIN, "Unable to ^acquire {requested} of memory, got {free}", "", "Spark: its share of the heap")
W("unity", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "Could not allocate memory: ^System out of memory", "", "Unity")
W("chrome", OTHER, HOST, LIMIT, PL__CPU, PL__PLAIN, "^SBOX_FATAL_MEMORY_EXCEEDED", "", "Chrome: a tab's limit")
W("fortran-intel", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "severe (41): insufficient ^virtual memory", "", "Intel Fortran")
W("fortran-gnu", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "Allocation would ^exceed memory limit", "", "GNU Fortran")
W("lammps", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "Failed to ^allocate {requested} for array", "", "LAMMPS")
W("netcdf", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "Memory ^allocation (malloc) failure", "", "netCDF")
W("xrealloc", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "^xrealloc: cannot allocate {requested}", "", "bash and GNU programs")
W("xmalloc", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "^xmalloc: cannot allocate {requested}", "", "bash and GNU programs")
W("win-paging", OTHER, HOST, HOST, PL__CPU, PL__ERROR,
  "The ^paging file is too small for this operation to complete", "", "Windows: RAM and page file are full")
W("win-1455", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "^WinError 1455", "", "Windows: RAM and page file are full, in any language")
W("win-os-1455", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "os ^error~1455", "", "Windows: RAM and page file are full, in any language")
W("win-error-1455", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "^error=1455", "", "Windows: RAM and page file are full")
W("win-1455-zh", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "\xE9\xA1\xB5\xE9\x9D\xA2\xE6\x96\x87\xE4\xBB\xB6\xE5\xA4\xAA\xE5\xB0\x8F", "", "the same in Chinese")
W("win-1455-tw", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "\xE5\x88\x86\xE9\xA0\x81\xE6\xAA\x94\xE5\xA4\xAA\xE5\xB0\x8F", "", "the same in traditional Chinese")
W("win-1455-ja", OTHER, HOST, HOST, PL__CPU, PL__PLAIN,
  "\xE3\x83\x9A\xE3\x83\xBC\xE3\x82\xB8\xE3\x83\xB3\xE3\x82\xB0 \xE3\x83\x95\xE3\x82\xA1\xE3\x82\xA4\xE3\x83\xAB\xE3\x81\x8C\xE5\xB0\x8F\xE3\x81\x95\xE3\x81\x99\xE3\x81\x8E\xE3\x82\x8B",
  "", "the same in Japanese")
W("win-1455-ko", OTHER, HOST, HOST, PL__CPU, PL__PLAIN,
  "\xED\x8E\x98\xEC\x9D\xB4\xEC\xA7\x95 \xED\x8C\x8C\xEC\x9D\xBC\xEC\x9D\xB4 \xEB\x84\x88\xEB\xAC\xB4 \xEC\x9E\x91\xEC\x95\x84", "", "the same in Korean")
W("win-1455-de", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "Die ^Auslagerungsdatei ist zu klein", "", "the same in German")
W("win-1455-fr", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "fichier de ^pagination est insuffisant", "", "the same in French")
W("win-1455-es", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "archivo de ^paginaci\xC3\xB3n es demasiado peque\xC3\xB1o", "", "the same in Spanish")
W("win-1455-pt", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "arquivo de ^pagina\xC3\xA7\xC3\xA3o \xC3\xA9 muito pequeno", "", "the same in Portuguese")
W("win-1455-it", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "file di ^paging \xC3\xA8 troppo piccolo", "", "the same in Italian")
W("win-1455-ru", OTHER, HOST, HOST, PL__CPU, PL__PLAIN,
  "\xD0\xA4\xD0\xB0\xD0\xB9\xD0\xBB \xD0\xBF\xD0\xBE\xD0\xB4\xD0\xBA\xD0\xB0\xD1\x87\xD0\xBA\xD0\xB8 \xD1\x81\xD0\xBB\xD0\xB8\xD1\x88\xD0\xBA\xD0\xBE\xD0\xBC \xD0\xBC\xD0\xB0\xD0\xBB",
  "", "the same in Russian")
W("win-resources", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "Not enough memory ^resources are available to process this command", "", "Windows")
W("win-1450", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "^WinError 1450", "", "Windows: no system resources")
W("win-e-outofmemory", OTHER, HOST, HOST, PL__CPU, PL__NEEDS, "^E_OUTOFMEMORY", "", "Windows")
W("win-continue", OTHER, HOST, HOST, PL__CPU, PL__PLAIN, "^Insufficient memory to continue the execution of the program", "", ".NET")
W("alone", OTHER, DEVICE, UNKNOWN, PL__GPU, PL__SPECIAL | PL__WEAK | PL__TORCHLIKE,
  "out of ^memory", "", "the two words alone on a line, beside a line that tells of a failure")

/* ---- what any program may say; after all others ---- */
W("any-allocating", JAX, DEVICE, UNKNOWN, PL__GPU, PL__PLAIN | PL__TORCHLIKE, "Out of ^memory allocating {requested:!}", "", "XLA, or another program by its surroundings")
W("any-failed", OTHER, HOST, HOST, PL__CPU, PL__ERROR, "failed to ^allocate {requested:!}", "", "any program")
W("any-could-not", OTHER, HOST, HOST, PL__CPU, PL__ERROR, "could not ^allocate {requested:!}", "", "any program")
W("any-cannot", OTHER, HOST, HOST, PL__CPU, PL__ERROR, "cannot ^allocate {requested:!}", "", "any program")
W("any-unable", OTHER, HOST, HOST, PL__CPU, PL__ERROR, "unable to ^allocate {requested:!}", "", "any program")
/* clang-format on */
#endif
