/* NVIDIA GPUs through NVML, loaded at run time: a machine without the driver has no library, and
 * an old driver lacks the newer entry points. Layouts are those of NVIDIA's public NVML reference;
 * each struct that changed has a version in its entry point's name (_v2, _v3), which fixes it. */
#include "watch/watch.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct nvml_device nvml_device; /* opaque */
typedef struct nvml_memory {
    unsigned long long total, free, used;
} nvml_memory;
typedef struct nvml_memory_v2 {
    unsigned version;
    unsigned long long total, reserved, free, used;
} nvml_memory_v2;
typedef struct nvml_process_v1 {
    unsigned pid;
    unsigned long long bytes;
} nvml_process_v1;
typedef struct nvml_process_v2 { /* of _v2 and _v3 */
    unsigned pid;
    unsigned long long bytes;
    unsigned instance, compute; /* UINT_MAX: no MIG */
} nvml_process_v2;
typedef struct nvml_pci {
    char legacy[16];
    unsigned domain, bus, device, id, subsystem;
    char text[32];
} nvml_pci;
_Static_assert(
    sizeof(nvml_memory_v2) == 40 && sizeof(nvml_process_v1) == 16 && sizeof(nvml_process_v2) == 24 && sizeof(nvml_pci) == 68, "layouts of the NVML reference");

enum {
    NVML_OK = 0,
    NVML_UNINITIALIZED = 1,
    NVML_NOT_SUPPORTED = 3,
    NVML_NO_PERMISSION = 4,
    NVML_SMALL = 7,
    NVML_DRIVER_NOT_LOADED = 9,
    NVML_GPU_IS_LOST = 15,
    NVML_VERSION_MISMATCH = 18,
    NVML_ARGUMENT_VERSION = 25,
};
enum { USES_MOST = 1 << 16 };

typedef int (*get_processes)(nvml_device *, unsigned *count, void *list);

struct watch_nvml {
    void *library;
    int (*init)(void), (*shutdown)(void);
    const char *(*error_text)(int);
    int (*get_count)(unsigned *);
    int (*get_device)(unsigned, nvml_device **);
    int (*get_name)(nvml_device *, char *, unsigned), (*get_uuid)(nvml_device *, char *, unsigned);
    int (*get_pci)(nvml_device *, nvml_pci *);
    int (*get_memory)(nvml_device *, nvml_memory *), (*get_memory_v2)(nvml_device *, nvml_memory_v2 *);
    int (*get_mig_mode)(nvml_device *, unsigned *now, unsigned *pending), (*get_mig_most)(nvml_device *, unsigned *);
    int (*get_mig)(nvml_device *, unsigned, nvml_device **), (*get_instance)(nvml_device *, unsigned *), (*get_compute)(nvml_device *, unsigned *);
    get_processes compute, graphics;
    bool compute_v1, graphics_v1; /* the entries are nvml_process_v1 */
    char *buffer;                 /* entries of either layout */
    unsigned capacity;
};

/* dlsym gives a data pointer; POSIX promises that it can be copied to a function pointer. */
static bool load(void *library, const char *name, void *function)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

/* The newest of name_v3, name_v2 and name. */
static bool load_newest(void *library, const char *name, void *function, bool *plain)
{
    char versioned[80];
    for (int version = 3; version >= 2; version--) {
        snprintf(versioned, sizeof versioned, "%s_v%d", name, version);
        *plain = false;
        if (load(library, versioned, function))
            return true;
    }
    *plain = true;
    return load(library, name, function);
}

static bool load_all(watch_nvml *n)
{
    void *l = n->library;
    bool plain;
    load(l, "nvmlErrorString", &n->error_text);
    load(l, "nvmlDeviceGetName", &n->get_name);
    load(l, "nvmlDeviceGetUUID", &n->get_uuid);
    load_newest(l, "nvmlDeviceGetPciInfo", &n->get_pci, &plain);
    if (plain)
        n->get_pci = NULL; /* the first layout was shorter; the bus is not worth another */
    load(l, "nvmlDeviceGetMemoryInfo", &n->get_memory);
    load(l, "nvmlDeviceGetMemoryInfo_v2", &n->get_memory_v2);
    load(l, "nvmlDeviceGetMigMode", &n->get_mig_mode);
    load(l, "nvmlDeviceGetMaxMigDeviceCount", &n->get_mig_most);
    load(l, "nvmlDeviceGetMigDeviceHandleByIndex", &n->get_mig);
    load(l, "nvmlDeviceGetGpuInstanceId", &n->get_instance);
    load(l, "nvmlDeviceGetComputeInstanceId", &n->get_compute);
    load_newest(l, "nvmlDeviceGetComputeRunningProcesses", &n->compute, &n->compute_v1);
    load_newest(l, "nvmlDeviceGetGraphicsRunningProcesses", &n->graphics, &n->graphics_v1);
    return load_newest(l, "nvmlInit", &n->init, &plain) && load(l, "nvmlShutdown", &n->shutdown) &&
        load_newest(l, "nvmlDeviceGetCount", &n->get_count, &plain) && load_newest(l, "nvmlDeviceGetHandleByIndex", &n->get_device, &plain) &&
        (n->get_memory || n->get_memory_v2);
}

static const char *error_text(const watch_nvml *n, int error)
{
    const char *text = n->error_text ? n->error_text(error) : NULL;
    return text ? text : "unknown error";
}

watch_nvml *watch_nvml_open(char *note, size_t capacity)
{
    watch_nvml *n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    n->library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!n->library) {
        snprintf(note, capacity, "NVIDIA GPUs (libnvidia-ml.so.1 cannot be loaded: no driver here)");
    } else if (!load_all(n)) {
        snprintf(note, capacity, "NVIDIA GPUs (libnvidia-ml.so.1 lacks functions of NVML)");
    } else {
        int error = n->init();
        if (error == NVML_OK) {
            *note = '\0';
            return n;
        }
        snprintf(note, capacity, "NVIDIA GPUs (%s)", error_text(n, error));
    }
    if (n->library)
        dlclose(n->library);
    free(n);
    return NULL;
}

void watch_nvml_close(watch_nvml *n)
{
    if (!n)
        return;
    n->shutdown();
    dlclose(n->library);
    free(n->buffer);
    free(n);
}

static bool driver_gone(int error) { return error == NVML_UNINITIALIZED || error == NVML_DRIVER_NOT_LOADED || error == NVML_VERSION_MISMATCH; }

/* The newer call counts what the driver keeps for itself apart, as nvidia-smi does. */
static int read_memory(const watch_nvml *n, nvml_device *d, watch_gpu *x)
{
    nvml_memory_v2 v2 = {.version = sizeof v2 | 2U << 24};
    nvml_memory v1 = {0};
    int error = n->get_memory_v2 ? n->get_memory_v2(d, &v2) : NVML_NOT_SUPPORTED;
    if (error != NVML_OK && n->get_memory &&
        (!n->get_memory_v2 || error == NVML_NOT_SUPPORTED || error == NVML_ARGUMENT_VERSION || error == 2 || error == 13)) {
        error = n->get_memory(d, &v1);
        v2.total = v1.total;
        v2.free = v1.free;
        v2.used = v1.used;
    }
    x->known = error == NVML_OK && v2.total > 0 && v2.free <= v2.total;
    x->total = x->known ? v2.total : 0;
    x->free = x->known ? v2.free : 0;
    x->used = x->known ? v2.used : 0;
    x->trouble[0] = '\0';
    if (error != NVML_OK)
        snprintf(x->trouble, sizeof x->trouble, "%s", error_text(n, error));
    else if (!x->known)
        watch_copy(x->trouble, sizeof x->trouble, "the driver's figures make no sense");
    return error;
}

/* Fills n->buffer; returns the number of entries, 0 also on errors. */
static unsigned list_processes(watch_nvml *n, get_processes get, nvml_device *d, int *error)
{
    *error = NVML_NOT_SUPPORTED;
    if (!get)
        return 0;
    for (unsigned wanted = n->capacity ? n->capacity : 64; wanted <= USES_MOST; wanted *= 2) {
        if (wanted > n->capacity) {
            void *larger = realloc(n->buffer, wanted * sizeof(nvml_process_v2));
            if (!larger)
                return 0;
            n->buffer = larger;
            n->capacity = wanted;
        }
        unsigned count = n->capacity;
        *error = get(d, &count, n->buffer);
        if (*error != NVML_SMALL)
            return *error == NVML_OK ? (unsigned)pl_min(count, n->capacity) : 0;
    }
    return 0;
}

static nvml_process_v2 entry_at(const watch_nvml *n, unsigned i, bool v1)
{
    nvml_process_v2 p = {.instance = UINT32_MAX, .compute = UINT32_MAX};
    if (v1)
        memcpy(&p, n->buffer + i * sizeof(nvml_process_v1), sizeof(nvml_process_v1));
    else
        memcpy(&p, n->buffer + i * sizeof p, sizeof p);
    return p;
}

/* A process with a CUDA and a graphics context stands in both lists with the same figure. */
static bool used_already(const watch_gpus *g, size_t from, unsigned gpu, int pid)
{
    for (size_t i = from; i < g->use_count; i++)
        if (g->uses[i].gpu == gpu && g->uses[i].pid == pid)
            return true;
    return false;
}

/* Processes of a GPU; in MIG mode each belongs to the MIG device with its instance ids. */
static void read_uses(watch_nvml *n, watch_gpus *g, size_t first, nvml_device *d)
{
    size_t from = g->use_count;
    for (int kind = 0; kind < 2; kind++) {
        bool v1 = kind ? n->graphics_v1 : n->compute_v1;
        int error;
        unsigned count = list_processes(n, kind ? n->graphics : n->compute, d, &error);
        if (error == NVML_NO_PERMISSION && !g->list[first].trouble[0])
            watch_copy(g->list[first].trouble, sizeof g->list[first].trouble, "its processes are hidden: no permission");
        for (unsigned i = 0; i < count; i++) {
            nvml_process_v2 p = entry_at(n, i, v1);
            size_t at = first;
            for (size_t k = first + 1; k < g->count; k++)
                if (g->list[k].present && g->list[k].mig && g->list[k].index == g->list[first].index && g->list[k].instance == p.instance &&
                    g->list[k].compute == p.compute)
                    at = k;
            if (p.pid > 0 && p.pid <= INT32_MAX && !used_already(g, from, (unsigned)at, (int)p.pid))
                watch_gpus_use(g, &g->list[at], (int)p.pid, p.bytes);
        }
    }
}

static void describe(const watch_nvml *n, nvml_device *d, watch_gpu *x)
{
    nvml_pci pci = {0};
    if (!x->name[0] && (!n->get_name || n->get_name(d, x->name, sizeof x->name) != NVML_OK))
        watch_copy(x->name, sizeof x->name, x->mig ? "MIG device" : "NVIDIA GPU");
    x->name[sizeof x->name - 1] = '\0';
    if (!x->bus[0] && n->get_pci && n->get_pci(d, &pci) == NVML_OK)
        snprintf(x->bus, sizeof x->bus, "%.31s", pci.text);
    watch_clean(x->name);
    watch_clean(x->bus);
}

static void read_uuid(const watch_nvml *n, nvml_device *d, char out[96])
{
    if (!n->get_uuid || n->get_uuid(d, out, 96) != NVML_OK)
        out[0] = '\0';
    out[95] = '\0';
    watch_clean(out);
}

static void read_mig(watch_nvml *n, watch_gpus *g, unsigned index, nvml_device *d)
{
    unsigned now = 0, pending = 0, most = 0;
    if (!n->get_mig_mode || !n->get_mig_most || !n->get_mig || n->get_mig_mode(d, &now, &pending) != NVML_OK || now != 1 ||
        n->get_mig_most(d, &most) != NVML_OK)
        return;
    for (unsigned i = 0; i < pl_min(most, 64); i++) {
        nvml_device *mig = NULL;
        char uuid[96];
        if (n->get_mig(d, i, &mig) != NVML_OK || !mig)
            continue; /* no such device in this place */
        read_uuid(n, mig, uuid);
        watch_gpu *x = watch_gpus_place(g, "nvidia", uuid, index, true);
        if (!x)
            return;
        if (!n->get_instance || n->get_instance(mig, &x->instance) != NVML_OK)
            x->instance = UINT32_MAX;
        if (!n->get_compute || n->get_compute(mig, &x->compute) != NVML_OK)
            x->compute = UINT32_MAX;
        describe(n, mig, x);
        read_memory(n, mig, x);
    }
}

bool watch_nvml_read(watch_nvml *n, watch_gpus *g, bool uses)
{
    unsigned count = 0;
    int error = n->get_count(&count);
    if (error != NVML_OK)
        return false;
    for (unsigned i = 0; i < count; i++) {
        nvml_device *d = NULL;
        char uuid[96] = "";
        error = n->get_device(i, &d);
        if (driver_gone(error))
            return false;
        if (error == NVML_OK)
            read_uuid(n, d, uuid);
        watch_gpu *x = watch_gpus_place(g, "nvidia", uuid, i, false);
        if (!x)
            return true;
        if (error != NVML_OK) { /* lost, or not ours to see */
            x->known = false;
            snprintf(x->trouble, sizeof x->trouble, "%s", error_text(n, error));
            continue;
        }
        size_t first = (size_t)(x - g->list);
        describe(n, d, x);
        if (driver_gone(read_memory(n, d, x)))
            return false;
        read_mig(n, g, i, d);
        if (uses)
            read_uses(n, g, first, d);
    }
    return true;
}
