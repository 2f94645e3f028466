/* The list of GPUs, whoever reports them. An entry keeps its place and history as long as its device
 * is reported, and beyond that unless it was a MIG device: a GPU that fell off the bus is news. */
#include "watch/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double retry_seconds = 10; /* a driver may be loaded, or come back, while we watch */

watch_gpu *watch_gpus_place(watch_gpus *g, const char *vendor, const char *uuid, unsigned index, bool mig)
{
    for (size_t i = 0; i < g->count; i++) {
        watch_gpu *x = &g->list[i];
        bool same = *uuid && *x->uuid ? strcmp(x->uuid, uuid) == 0 : x->index == index && x->mig == mig && !mig;
        if (!x->present && strcmp(x->vendor, vendor) == 0 && same) {
            x->present = true;
            x->index = index;
            return x;
        }
    }
    if (!watch_grow((void **)&g->list, &g->capacity, g->count, sizeof *g->list))
        return NULL;
    watch_gpu *x = &g->list[g->count++];
    memset(x, 0, sizeof *x);
    watch_copy(x->vendor, sizeof x->vendor, vendor);
    watch_copy(x->uuid, sizeof x->uuid, uuid);
    x->index = index;
    x->mig = mig;
    x->present = true;
    return x;
}

void watch_gpus_use(watch_gpus *g, const watch_gpu *gpu, int pid, uint64_t bytes)
{
    if (watch_grow((void **)&g->uses, &g->use_capacity, g->use_count, sizeof *g->uses))
        g->uses[g->use_count++] = (watch_use){(unsigned)(gpu - g->list), pid, bytes};
}

static void forget_uses(watch_gpus *g, const char *vendor)
{
    size_t kept = 0;
    for (size_t i = 0; i < g->use_count; i++)
        if (strcmp(g->list[g->uses[i].gpu].vendor, vendor) != 0)
            g->uses[kept++] = g->uses[i];
    g->use_count = kept;
}

/* Takes out MIG devices that are no more; uses point into the list and are moved along. */
static void drop_vanished(watch_gpus *g)
{
    for (size_t i = 0; i < g->count;) {
        watch_gpu *x = &g->list[i];
        if (x->present || !x->mig) {
            if (!x->present) {
                x->known = false;
                if (!x->trouble[0])
                    watch_copy(x->trouble, sizeof x->trouble, "no longer reported");
            }
            i++;
            continue;
        }
        memmove(x, x + 1, (g->count - i - 1) * sizeof *x);
        g->count--;
        size_t kept = 0;
        for (size_t k = 0; k < g->use_count; k++) {
            watch_use u = g->uses[k];
            if (u.gpu == i)
                continue;
            u.gpu -= u.gpu > i;
            g->uses[kept++] = u;
        }
        g->use_count = kept;
    }
}

static void read_nvidia(watch_gpus *g, double now, bool uses)
{
    if (!g->nvml && now >= g->nvidia_retry) {
        g->nvidia_retry = now + retry_seconds;
        g->nvml = watch_nvml_open(g->nvidia_note, sizeof g->nvidia_note);
    }
    if (g->nvml && !watch_nvml_read(g->nvml, g, uses)) {
        watch_nvml_close(g->nvml);
        g->nvml = NULL;
        g->nvidia_retry = now + retry_seconds;
        forget_uses(g, "nvidia");
        snprintf(g->nvidia_note, sizeof g->nvidia_note, "NVIDIA GPUs (the driver has gone, asking again every %.0f s)", retry_seconds);
    }
}

void watch_gpus_read(watch_gpus *g, const char *sys, double now, bool uses)
{
    for (size_t i = 0; i < g->count; i++)
        g->list[i].present = false;
    if (uses) {
        forget_uses(g, "nvidia");
        forget_uses(g, "amd");
    }
    read_nvidia(g, now, uses);
    watch_amd_read(g, sys, uses);
    drop_vanished(g);
    for (size_t i = 0; i < g->count; i++) {
        watch_gpu *x = &g->list[i];
        watch_history_add(&x->history, x->known && x->total ? (double)(x->total - x->free) / (double)x->total : -1);
        if (x->known)
            watch_trend_add(&x->trend, now, (double)(x->total - x->free));
    }
}

void watch_gpus_free(watch_gpus *g)
{
    watch_nvml_close(g->nvml);
    free(g->list);
    free(g->uses);
    *g = (watch_gpus){0};
}
