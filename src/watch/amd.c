/* AMD GPUs from sysfs: /sys/class/drm/cardN/device/mem_info_vram_*, and for compute processes
 * /sys/class/kfd/kfd/proc/PID/vram_GPUID, whose ids the topology ties to a card's render node. */
#include "watch/watch.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "card0" -> 0; connectors (card0-DP-1) and other names: -1. */
static long card_number(const char *name)
{
    char *end;
    if (strncmp(name, "card", 4) != 0 || name[4] < '0' || name[4] > '9')
        return -1;
    long n = strtol(name + 4, &end, 10);
    return *end == '\0' && n < 4096 ? n : -1;
}

static void read_line(const char *sys, const char *name, char *out, size_t capacity)
{
    if (watch_file_read(sys, name, out, capacity) <= 0)
        out[0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    watch_clean(out);
}

/* False if the card is no AMD GPU with memory of its own. */
static bool read_card(watch_gpus *g, const char *sys, long card, unsigned index)
{
    char name[96], uuid[96];
    uint64_t total, used;
    snprintf(name, sizeof name, "class/drm/card%ld/device/mem_info_vram_total", card);
    if (!watch_file_number(sys, name, &total) || total == 0)
        return false;
    snprintf(name, sizeof name, "class/drm/card%ld/device/unique_id", card);
    read_line(sys, name, uuid, sizeof uuid);
    if (!uuid[0])
        snprintf(uuid, sizeof uuid, "card%ld", card);
    watch_gpu *x = watch_gpus_place(g, "amd", uuid, index, false);
    if (!x)
        return false;
    x->compute = (unsigned)card; /* no MIG here: kept for find_card */
    snprintf(name, sizeof name, "class/drm/card%ld/device/product_name", card);
    if (!x->name[0])
        read_line(sys, name, x->name, sizeof x->name);
    if (!x->name[0])
        watch_copy(x->name, sizeof x->name, "AMD GPU");
    snprintf(name, sizeof name, "class/drm/card%ld/device/mem_info_vram_used", card);
    x->known = watch_file_number(sys, name, &used) && used <= total;
    x->total = total;
    x->used = x->known ? used : 0;
    x->free = x->known ? total - used : 0;
    watch_copy(x->trouble, sizeof x->trouble, x->known ? "" : "mem_info_vram_used cannot be read");
    return true;
}

/* "drm_render_minor 128" of the node with this id; the card is the one with device/drm/renderD128. */
static watch_gpu *find_card(watch_gpus *g, const char *sys, uint64_t id)
{
    for (int node = 0; node < 256; node++) {
        char name[96], text[4096];
        uint64_t here;
        snprintf(name, sizeof name, "class/kfd/kfd/topology/nodes/%d/gpu_id", node);
        if (!watch_file_number(sys, name, &here))
            return NULL;
        if (here != id)
            continue;
        snprintf(name, sizeof name, "class/kfd/kfd/topology/nodes/%d/properties", node);
        const char *minor = watch_file_read(sys, name, text, sizeof text) > 0 ? watch_line_find(text, "drm_render_minor ") : NULL;
        long render = minor ? strtol(minor, NULL, 10) : -1;
        for (size_t i = 0; i < g->count; i++) {
            char path[4352];
            snprintf(path, sizeof path, "%s/class/drm/card%u/device/drm/renderD%ld", sys, g->list[i].compute, render);
            DIR *d = strcmp(g->list[i].vendor, "amd") == 0 && g->list[i].present ? opendir(path) : NULL;
            if (d) {
                closedir(d);
                return &g->list[i];
            }
        }
        return NULL;
    }
    return NULL;
}

static void read_process(watch_gpus *g, const char *sys, int pid)
{
    char path[4352];
    if ((size_t)snprintf(path, sizeof path, "%s/class/kfd/kfd/proc/%d", sys, pid) >= sizeof path)
        return;
    DIR *d = opendir(path);
    for (struct dirent *entry; d && (entry = readdir(d));) {
        uint64_t bytes;
        if (strncmp(entry->d_name, "vram_", 5) != 0 || !watch_file_number(path, entry->d_name, &bytes) || bytes == 0)
            continue;
        watch_gpu *x = find_card(g, sys, strtoull(entry->d_name + 5, NULL, 10));
        if (x)
            watch_gpus_use(g, x, pid, bytes);
    }
    if (d)
        closedir(d);
}

static int compare_numbers(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

void watch_amd_read(watch_gpus *g, const char *sys, bool uses)
{
    char path[4352];
    long cards[256];
    size_t count = 0;
    unsigned index = 0;
    if ((size_t)snprintf(path, sizeof path, "%s/class/drm", sys) >= sizeof path)
        return;
    DIR *d = opendir(path);
    if (!d)
        return; /* no graphics at all */
    for (struct dirent *entry; count < PL_COUNT(cards) && (entry = readdir(d));) {
        long card = card_number(entry->d_name);
        if (card >= 0)
            cards[count++] = card;
    }
    closedir(d);
    qsort(cards, count, sizeof *cards, compare_numbers);
    for (size_t i = 0; i < count; i++)
        index += read_card(g, sys, cards[i], index);
    if (!uses || index == 0 || (size_t)snprintf(path, sizeof path, "%s/class/kfd/kfd/proc", sys) >= sizeof path || !(d = opendir(path)))
        return;
    for (struct dirent *entry; (entry = readdir(d));) {
        long pid = strtol(entry->d_name, NULL, 10);
        if (pid > 0 && pid <= INT32_MAX)
            read_process(g, sys, (int)pid);
    }
    closedir(d);
}
