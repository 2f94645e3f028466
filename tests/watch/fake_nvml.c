/* A libnvidia-ml.so.1 whose GPUs stand in the file $FAKE_NVML, read again at each call that starts a
 * look (nvmlDeviceGetCount), so that a test can change the world while it is watched:
 *
 *     fail CODE                      every call fails with CODE, nvmlInit included
 *     gpu NAME TOTAL RESERVED USED   sizes in MiB; blanks in NAME are written _
 *     lost                           the last gpu cannot be reached (15)
 *     nomemory                       its memory is not for us to see (4)
 *     mig INSTANCE COMPUTE TOTAL USED
 *     process PID MIB [INSTANCE COMPUTE]   MIB -1: not available
 *     graphics PID MIB               as process, but in the graphics list
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    GPUS = 16,
    MIGS = 8,
    PROCESSES = 512,
    GPU_IS_LOST = 15,
    NO_PERMISSION = 4,
    NOT_FOUND = 6,
    SMALL = 7,
    NOT_SUPPORTED = 3,
    INVALID = 2,
    ARGUMENT_VERSION = 25
};

typedef struct device {
    char name[64], uuid[64];
    int lost, hidden, is_mig;
    unsigned instance, compute;
    unsigned long long total, reserved, used;
    struct device *migs[MIGS];
    unsigned mig_count;
    struct {
        unsigned pid, instance, compute;
        int graphics;
        long long mib;
    } processes[PROCESSES];
    unsigned process_count;
} device;

static device gpus[GPUS], migs[GPUS * MIGS];
static unsigned gpu_count, mig_total;
static int failing;

static void read_line(const char *line)
{
    char name[64], what[16];
    unsigned long long a, b, c;
    long long mib;
    unsigned pid, instance = UINT_MAX, compute = UINT_MAX;
    device *last = gpu_count ? &gpus[gpu_count - 1] : NULL;
    if (sscanf(line, "fail %d", &failing) == 1)
        return;
    if (gpu_count < GPUS && sscanf(line, "gpu %63s %llu %llu %llu", name, &a, &b, &c) == 4) {
        device *d = &gpus[gpu_count];
        memset(d, 0, sizeof *d);
        for (char *p = name; *p; p++)
            *p = *p == '_' ? ' ' : *p;
        strcpy(d->name, name);
        snprintf(d->uuid, sizeof d->uuid, "GPU-%u", gpu_count++);
        d->total = a << 20;
        d->reserved = b << 20;
        d->used = c << 20;
    } else if (last && strncmp(line, "lost", 4) == 0) {
        last->lost = 1;
    } else if (last && strncmp(line, "nomemory", 8) == 0) {
        last->hidden = 1;
    } else if (last && last->mig_count < MIGS && sscanf(line, "mig %u %u %llu %llu", &instance, &compute, &a, &b) == 4) {
        device *d = &migs[mig_total++];
        memset(d, 0, sizeof *d);
        snprintf(d->name, sizeof d->name, "%.40s MIG %u", last->name, instance);
        snprintf(d->uuid, sizeof d->uuid, "MIG-%u-%u", gpu_count - 1, instance);
        d->is_mig = 1;
        d->instance = instance;
        d->compute = compute;
        d->total = a << 20;
        d->used = b << 20;
        last->migs[last->mig_count++] = d;
    } else if (last && last->process_count < PROCESSES && sscanf(line, "%15s %u %lld %u %u", what, &pid, &mib, &instance, &compute) >= 3) {
        last->processes[last->process_count].pid = pid;
        last->processes[last->process_count].mib = mib;
        last->processes[last->process_count].instance = instance;
        last->processes[last->process_count].compute = compute;
        last->processes[last->process_count++].graphics = strcmp(what, "graphics") == 0;
    }
}

static void read_world(void)
{
    char line[256];
    const char *path = getenv("FAKE_NVML");
    FILE *f = path ? fopen(path, "re") : NULL;
    gpu_count = mig_total = 0;
    failing = f ? 0 : 9;
    while (f && fgets(line, sizeof line, f))
        read_line(line);
    if (f)
        fclose(f);
}

static int start(void)
{
    read_world();
    return failing;
}
int nvmlShutdown(void);
int nvmlShutdown(void) { return failing; }
const char *nvmlErrorString(int error);
const char *nvmlErrorString(int error)
{
    return error == 0            ? "Success"
        : error == GPU_IS_LOST   ? "GPU is lost"
        : error == NO_PERMISSION ? "Insufficient Permissions"
        : error == 9             ? "Driver Not Loaded"
        : error == 18            ? "Driver/library version mismatch"
                                 : "Unknown Error";
}

static int count(unsigned *out)
{
    read_world();
    *out = gpu_count;
    return failing;
}

static int device_at(unsigned i, device **out)
{
    if (failing || i >= gpu_count)
        return failing ? failing : INVALID;
    *out = &gpus[i];
    return gpus[i].lost ? GPU_IS_LOST : 0;
}

int nvmlDeviceGetName(device *d, char *out, unsigned n);
int nvmlDeviceGetName(device *d, char *out, unsigned n)
{
    snprintf(out, n, "%s", d->name);
    return failing;
}

int nvmlDeviceGetUUID(device *d, char *out, unsigned n);
int nvmlDeviceGetUUID(device *d, char *out, unsigned n)
{
    snprintf(out, n, "%s", d->uuid);
    return failing;
}

int nvmlDeviceGetMemoryInfo(device *d, unsigned long long out[3]);
int nvmlDeviceGetMemoryInfo(device *d, unsigned long long out[3])
{
    out[0] = d->total;
    out[1] = d->total - d->used - d->reserved;
    out[2] = d->used + d->reserved;
    return failing ? failing : d->hidden ? NO_PERMISSION : 0;
}

static int processes(const device *d, unsigned *n, char *out, int graphics, int v1)
{
    unsigned here = 0;
    for (unsigned i = 0; i < d->process_count; i++)
        here += d->processes[i].graphics == graphics;
    unsigned room = *n;
    *n = here;
    if (failing)
        return failing;
    if (here > room)
        return SMALL;
    for (unsigned i = 0; i < d->process_count; i++) {
        unsigned long long bytes = d->processes[i].mib < 0 ? ULLONG_MAX : (unsigned long long)d->processes[i].mib << 20;
        if (d->processes[i].graphics != graphics)
            continue;
        memcpy(out, &d->processes[i].pid, 4);
        memcpy(out + 8, &bytes, 8);
        if (!v1) {
            memcpy(out + 16, &d->processes[i].instance, 4);
            memcpy(out + 20, &d->processes[i].compute, 4);
        }
        out += v1 ? 16 : 24;
    }
    return 0;
}

#ifdef FAKE_OLD
int nvmlInit(void);
int nvmlInit(void) { return start(); }
int nvmlDeviceGetCount(unsigned *n);
int nvmlDeviceGetCount(unsigned *n) { return count(n); }
int nvmlDeviceGetHandleByIndex(unsigned i, device **d);
int nvmlDeviceGetHandleByIndex(unsigned i, device **d) { return device_at(i, d); }
int nvmlDeviceGetComputeRunningProcesses(device *d, unsigned *n, void *out);
int nvmlDeviceGetComputeRunningProcesses(device *d, unsigned *n, void *out) { return processes(d, n, out, 0, 1); }
#else
int nvmlInit_v2(void);
int nvmlInit_v2(void) { return start(); }
int nvmlDeviceGetCount_v2(unsigned *n);
int nvmlDeviceGetCount_v2(unsigned *n) { return count(n); }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, device **d);
int nvmlDeviceGetHandleByIndex_v2(unsigned i, device **d) { return device_at(i, d); }
int nvmlDeviceGetComputeRunningProcesses_v3(device *d, unsigned *n, void *out);
int nvmlDeviceGetComputeRunningProcesses_v3(device *d, unsigned *n, void *out) { return processes(d, n, out, 0, 0); }
int nvmlDeviceGetGraphicsRunningProcesses_v2(device *d, unsigned *n, void *out);
int nvmlDeviceGetGraphicsRunningProcesses_v2(device *d, unsigned *n, void *out) { return processes(d, n, out, 1, 0); }

int nvmlDeviceGetMemoryInfo_v2(device *d, void *out);
int nvmlDeviceGetMemoryInfo_v2(device *d, void *out)
{
    unsigned version;
    unsigned long long v[4] = {d->total, d->reserved, d->total - d->used - d->reserved, d->used};
    memcpy(&version, out, 4);
    if (version != (40 | 2 << 24))
        return ARGUMENT_VERSION;
    memcpy((char *)out + 8, v, sizeof v);
    return failing ? failing : d->hidden ? NO_PERMISSION : 0;
}

int nvmlDeviceGetPciInfo_v3(device *d, char *out);
int nvmlDeviceGetPciInfo_v3(device *d, char *out)
{
    memset(out, 0, 68);
    snprintf(out + 36, 32, "00000000:%02X:00.0", d->is_mig ? 0U : 0x17U + (unsigned)(d - gpus));
    return d->is_mig ? INVALID : failing;
}

int nvmlDeviceGetMigMode(device *d, unsigned *now, unsigned *pending);
int nvmlDeviceGetMigMode(device *d, unsigned *now, unsigned *pending)
{
    *now = *pending = d->mig_count > 0;
    return d->is_mig ? NOT_SUPPORTED : failing;
}
int nvmlDeviceGetMaxMigDeviceCount(device *d, unsigned *n);
int nvmlDeviceGetMaxMigDeviceCount(device *d, unsigned *n)
{
    (void)d;
    *n = 7;
    return failing;
}
int nvmlDeviceGetMigDeviceHandleByIndex(device *d, unsigned i, device **out);
int nvmlDeviceGetMigDeviceHandleByIndex(device *d, unsigned i, device **out)
{
    if (i % 2 || i / 2 >= d->mig_count) /* places in between are empty, as on real machines */
        return NOT_FOUND;
    *out = d->migs[i / 2];
    return failing;
}
int nvmlDeviceGetGpuInstanceId(device *d, unsigned *out);
int nvmlDeviceGetGpuInstanceId(device *d, unsigned *out)
{
    *out = d->instance;
    return failing;
}
int nvmlDeviceGetComputeInstanceId(device *d, unsigned *out);
int nvmlDeviceGetComputeInstanceId(device *d, unsigned *out)
{
    *out = d->compute;
    return failing;
}
#endif
