/* Advice for the other frameworks, for host memory, and after the kernel's killer. */
#include "explain/advise.h"

#include <stdio.h>
#include <string.h>

/* ---- TensorFlow, JAX, ONNX Runtime, TensorRT ---- */

void pl__advise_tensorflow(pl__list *l)
{
    if (l->event->kind == PL_KIND_WARNING) {
        pl__add(l, PL_NOT_GIVEN, "Nothing failed: the operation took a way that needs less. A smaller batch would let it take the faster one");
        return;
    }
    if (pl__cause_is(l, PL_CAUSE_FRAGMENTATION))
        pl__add(l, PL_NOT_GIVEN, "Use CUDA's own pool, which fragments less: TF_GPU_ALLOCATOR=cuda_malloc_async");
    if (l->job->batch != 1)
        pl__add(l, PL_NOT_GIVEN,
            pl__given(l->job->batch) ? "A smaller batch: batch_size=%llu" : "A smaller batch: model.fit(..., batch_size=) or dataset.batch()",
            (unsigned long long)l->job->batch / 2);
    if (!l->job->half)
        pl__add(l, PL_NOT_GIVEN, "Compute in 16 bits: tf.keras.mixed_precision.set_global_policy(\"mixed_float16\")");
    if (!l->job->growth && (l->event->kind == PL_KIND_HIDDEN || strncmp(l->o->w->name, "tf-driver", 9) == 0))
        pl__add(l, PL_NOT_GIVEN, "Do not take the whole device at start: TF_FORCE_GPU_ALLOW_GROWTH=true");
    pl__add(l, PL_NOT_GIVEN, "See what else runs on the GPU: nvidia-smi");
}

void pl__advise_jax(pl__list *l)
{
    if (l->event->kind == PL_KIND_WARNING) {
        pl__add(l, PL_NOT_GIVEN, "Nothing failed: XLA took a way that needs less. A smaller batch would let it take the faster one");
        return;
    }
    if (l->job->batch != 1)
        pl__add(l, PL_NOT_GIVEN, pl__given(l->job->batch) ? "A smaller batch: batch_size=%llu" : "A smaller batch, or a loop over parts of it: jax.lax.map",
            (unsigned long long)l->job->batch / 2);
    pl__add(l, PL_NOT_GIVEN, "Recompute instead of keeping: jax.checkpoint (nn.remat) around the layers");
    pl__add(l, PL_NOT_GIVEN, "Let results take the place of arguments: jax.jit(step, donate_argnums=0)");
    if (!l->job->no_preallocate && !pl__given(l->event->capacity))
        pl__add(l, PL_NOT_GIVEN, "If others use the GPU too: XLA_PYTHON_CLIENT_PREALLOCATE=false; if not: XLA_PYTHON_CLIENT_MEM_FRACTION=0.95");
}

void pl__advise_onnx(pl__list *l)
{
    if (pl__cause_is(l, PL_CAUSE_LIMIT))
        pl__add(l, PL_NOT_GIVEN, "Raise the arena's limit: provider option gpu_mem_limit (OrtArenaCfg max_mem)");
    pl__add(l, PL_NOT_GIVEN, "A smaller batch or shorter inputs for session.run");
    pl__add(l, PL_NOT_GIVEN, "Let the arena grow by what is asked, not by doubling: provider option arena_extend_strategy=kSameAsRequested");
    if (l->event->kind == PL_KIND_HOST)
        pl__add(l, PL_NOT_GIVEN, "Return memory after each run: session option enable_cpu_mem_arena=False");
}

void pl__advise_other_device(pl__list *l)
{
    if (pl__row_is(l, "trt")) {
        pl__add(l, PL_NOT_GIVEN,
            "Less workspace for the builder: trtexec --memPoolSize=workspace:1024 (config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, 1 << 30))");
        pl__add(l, PL_NOT_GIVEN, "Smaller maximum shapes in the optimization profile, or precision FP16");
    } else if (pl__row_is(l, "rmm") || pl__row_is(l, "cupy")) {
        pl__add(l, PL_NOT_GIVEN, "Work in parts, and let memory spill to the host: rmm.reinitialize(managed_memory=True)");
        pl__add(l, PL_NOT_GIVEN, "Give the pool back between steps: cupy.get_default_memory_pool().free_all_blocks(); raise its limit with set_limit");
    } else if (pl__row_is(l, "xgboost")) {
        pl__add(l, PL_NOT_GIVEN, "Fewer bins and shallower trees (max_bin=128, max_depth), QuantileDMatrix, or external memory");
    } else if (pl__row_is(l, "blender")) {
        pl__add(l, PL_NOT_GIVEN, "Smaller textures, less subdivision, or tiles; render on the CPU");
    } else {
        pl__add(l, PL_NOT_GIVEN, "Less at once: a smaller batch, shorter or smaller inputs");
    }
    pl__add(l, PL_NOT_GIVEN, "See what else runs on the GPU: nvidia-smi");
}

/* ---- host memory and the kernel's killer ---- */

static void more_for_container(pl__list *l)
{
    uint64_t limit = l->event->allowed;
    char now[64] = "";
    if (pl__given(limit)) {
        char size[32];
        snprintf(now, sizeof now, " (now %s)", pl__size_text(limit, size));
    }
    if (l->job->slurm || pl__row_is(l, "slurm"))
        pl__add(l, PL_NOT_GIVEN, "Ask Slurm for more memory: #SBATCH --mem=64G, or --mem-per-cpu%s", now);
    else if (l->job->kubernetes || pl__row_is(l, "k8s"))
        pl__add(l, PL_NOT_GIVEN, "Raise the container's limit%s: resources.limits.memory of the pod, or docker run --memory", now);
    else if (pl__row_is(l, "pbs") || pl__row_is(l, "lsf") || pl__row_is(l, "htcondor") || pl__row_is(l, "yarn"))
        pl__add(l, PL_NOT_GIVEN, "Ask the batch system for more memory%s", now);
    else
        pl__add(l, PL_NOT_GIVEN, "Raise the limit%s: docker run --memory, resources.limits.memory, systemd's MemoryMax, --mem of the batch system", now);
}

void pl__advise_killed(pl__list *l)
{
    if (pl__cause_is(l, PL_CAUSE_LIMIT))
        more_for_container(l);
    else if (pl__cause_is(l, PL_CAUSE_UNKNOWN))
        pl__add(l, PL_NOT_GIVEN,
            "Signal 9 is almost always the kernel's memory killer: make sure with dmesg -T | grep -i killed, or the memory.events of the container");
    if (strncmp(l->o->w->name, "gcc", 3) == 0 || pl__row_is(l, "exit-9-cargo")) {
        pl__add(l, PL_NOT_GIVEN, "Fewer compilers at once: make -j2 (MAX_JOBS=2 for PyTorch extensions, cargo build -j 2)");
    } else {
        if (l->job->worker_count != 0)
            pl__add(l, PL_NOT_GIVEN,
                pl__given(l->job->worker_count) && l->job->worker_count > 1
                    ? "Fewer processes that each hold data: num_workers=%llu"
                    : "Fewer processes that each hold data (num_workers of a DataLoader, tasks of the scheduler)",
                (unsigned long long)l->job->worker_count / 2);
        pl__add(l, PL_NOT_GIVEN, "Do not hold the data set in memory: map or stream it (np.load(..., mmap_mode=\"r\"), datasets with streaming=True)");
    }
    if (!pl__cause_is(l, PL_CAUSE_LIMIT))
        pl__add(l, PL_NOT_GIVEN, "Close what else uses memory on the machine, or add swap");
}

static void advise_runtime(pl__list *l)
{
    if (pl__row_is(l, "java"))
        pl__add(l, PL_NOT_GIVEN,
            pl__says(l, "Metaspace")           ? "Raise the limit of classes: java -XX:MaxMetaspaceSize=512m"
                : pl__says(l, "irect")         ? "Raise the limit of direct buffers: java -XX:MaxDirectMemorySize=2g"
                : pl__says(l, "native thread") ? "Fewer threads, or a higher limit: ulimit -u"
                : pl__row_is(l, "java-heap")   ? "A larger heap: java -Xmx8g (keep it below the machine's or container's limit)"
                                               : "A smaller heap, so that the machine can give it: java -Xmx2g");
    else if (pl__row_is(l, "node"))
        pl__add(l, PL_NOT_GIVEN, "A larger heap: NODE_OPTIONS=--max-old-space-size=8192");
    else if (pl__row_is(l, "php"))
        pl__add(l, PL_NOT_GIVEN, "Raise memory_limit in php.ini, or php -d memory_limit=512M");
    else if (pl__row_is(l, "redis"))
        pl__add(l, PL_NOT_GIVEN, "Raise maxmemory, or let old keys go: maxmemory-policy allkeys-lru");
}

void pl__advise_host(pl__list *l)
{
    bool runtime = pl__row_is(l, "java") || pl__row_is(l, "node") || pl__row_is(l, "php") || pl__row_is(l, "redis");
    if (runtime) {
        advise_runtime(l);
        pl__add(l, PL_NOT_GIVEN, "Hold less at once: read and write in pieces, drop what is no longer needed");
        return;
    }
    if (pl__row_is(l, "torch-shm") || l->o->w->family == PL__SHM) {
        pl__add(l, PL_NOT_GIVEN,
            "Give the container more shared memory: docker run --shm-size=8g (or --ipc=host); in Kubernetes mount an emptyDir of medium Memory at /dev/shm");
        pl__add(l, PL_NOT_GIVEN, "Fewer workers: DataLoader(num_workers=%d)",
            pl__given(l->job->worker_count) && l->job->worker_count > 1 ? (int)(l->job->worker_count / 2) : 0);
        return;
    }
    if (pl__row_is(l, "win")) {
        pl__add(l, PL_NOT_GIVEN, "Enlarge the page file: System > Advanced > Performance > Virtual memory, to twice the RAM or system managed");
        pl__add(l, PL_NOT_GIVEN, "Fewer processes that load the libraries again: num_workers=0");
        return;
    }
    if (pl__row_is(l, "numpy")) {
        pl__add(l, pl__given(l->event->requested) && pl__says(l, "float64") ? l->event->requested / 2 : PL_NOT_GIVEN, "Half the bytes: dtype=np.float32");
        pl__add(l, PL_NOT_GIVEN, "Work in pieces, or map the file: np.load(..., mmap_mode=\"r\"), np.memmap");
    } else if (l->event->framework == PL_FRAMEWORK_PYTORCH && pl__phase_is(l, PL_PHASE_LOAD)) {
        pl__add(l, PL_NOT_GIVEN, "Map the file instead of reading it: torch.load(path, mmap=True), or from_pretrained(..., low_cpu_mem_usage=True)");
        if (!l->job->half)
            pl__add(l, PL_NOT_GIVEN, "Half the bytes: torch_dtype=torch.bfloat16");
    } else if (l->event->framework == PL_FRAMEWORK_PYTORCH && pl__phase_is(l, PL_PHASE_OPTIMIZER)) {
        pl__add(l, PL_NOT_GIVEN, "An optimizer with less state: torch.optim.SGD, or Adafactor instead of AdamW (two numbers a weight)");
    } else if (l->event->framework == PL_FRAMEWORK_PYTORCH) {
        if (l->job->batch != 1)
            pl__add(l, PL_NOT_GIVEN, pl__given(l->job->batch) ? "A smaller batch: batch_size=%llu" : "Less at once: fewer or shorter texts, smaller pictures",
                (unsigned long long)l->job->batch / 2);
        if (!l->job->half)
            pl__add(l, pl__given(l->event->requested) ? l->event->requested / 2 : PL_NOT_GIVEN, "Half the bytes: torch_dtype=torch.bfloat16");
        if (!l->job->no_grad && !l->training)
            pl__add(l, PL_NOT_GIVEN, "Keep nothing that only training needs: with torch.inference_mode():");
    } else {
        pl__add(l, PL_NOT_GIVEN, "Hold less at once: read and work in pieces, drop what is no longer needed");
    }
    pl__add(l, PL_NOT_GIVEN, "Close what else uses memory, add RAM or swap, or raise the limit of the container or of ulimit -v");
}
