#define _GNU_SOURCE /* dl_iterate_phdr, MADV_POPULATE_READ */
#include "cli/footprint.h"

#include "cli/input.h"
#include "cli/metrics.h"

#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

enum { PAGE = 4096 };

/* The main thread's stack: what the deepest call needs (some 44 KiB were measured), and a command line
 * and environment of usual size. Fixed figures, so that a saved plan runs from another shell too. */
enum { STACK_BYTES = 96 << 10, STACK_START = 32 << 10 };

/* What the kernel maps into every process (vdso) and the first pages of the C library's heap. */
enum { PROCESS_BYTES = 32 << 10 };

typedef struct image {
    uint64_t bytes;
    int objects;
    void (*visit)(char *start, size_t bytes);
} image;

static int add_object(struct dl_phdr_info *info, size_t size, void *self)
{
    (void)size;
    image *found = self;
    unsigned long vdso = getauxval(AT_SYSINFO_EHDR);
    uint64_t bytes = 0;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD)
            continue;
        uint64_t start = (info->dlpi_addr + segment->p_vaddr) / PAGE * PAGE;
        uint64_t end = pl_round_up(info->dlpi_addr + segment->p_vaddr + segment->p_memsz, PAGE);
        if (vdso && start <= vdso && vdso < end)
            return 0;
        bytes += end - start;
        if (found->visit && found->objects == 0)
            found->visit((char *)(uintptr_t)start, (size_t)(end - start));
    }
    found->bytes += bytes;
    found->objects++;
    return 0;
}

static void touch(char *start, size_t bytes)
{
    if (madvise(start, bytes, MADV_POPULATE_READ) == 0)
        return;
    for (size_t i = 0; i < bytes; i += PAGE) /* kernels before 5.14 */
        (void)*(volatile char *)(start + i);
}

void cli_buffers_touch(char *block, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += PAGE)
        *(volatile char *)(block + at) = 0;
}

void cli_program_touch(void)
{
    image all = {.visit = touch};
    dl_iterate_phdr(add_object, &all);
}

/* A long environment or long texts on the command line stand on the stack too; in large steps, so
 * that a plan and its run, which differ a little, agree. */
static uint64_t stack_bytes(const cli_options *o)
{
    extern char **environ;
    uint64_t n = 0;
    for (char **p = environ; p && *p; p++)
        n += strlen(*p) + 1 + sizeof *p;
    for (size_t i = 0; i < o->text_count; i++)
        n += strlen(o->texts[i].text) + (o->texts[i].pair ? strlen(o->texts[i].pair) : 0) + sizeof(cli_pair) + 32;
    return STACK_BYTES + (n > STACK_START ? pl_round_up(n - STACK_START, 256 << 10) : 0);
}

size_t cli_buffers_bytes(const cli_options *o, const cli_needs *needs)
{
    size_t bytes = cli_input_bytes(0) + CLI_OUTPUT_BYTES + cli_order_bytes(needs);
    if (cli_given(o, OPT_LABEL_COLUMN))
        bytes += cli_metrics_bytes(needs->labels, needs->regression);
    return (size_t)pl_round_up(bytes, PAGE);
}

void cli_outside(const cli_options *o, const cli_needs *needs, pl_outside out[CLI_OUTSIDE])
{
    image all = {0};
    dl_iterate_phdr(add_object, &all);
    out[0] = (pl_outside){"program", all.bytes + PROCESS_BYTES, 0};
    out[1] = (pl_outside){"command's buffers", cli_buffers_bytes(o, needs), CLI_FIELDS};
    out[2] = (pl_outside){"stack", stack_bytes(o), 0};
}
