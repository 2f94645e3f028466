#include "hub/folder.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096 };

/* ---- the counter in front of the caller's memory ---- */

static void *counted_take(void *self, size_t bytes)
{
    pl_folder *f = self;
    void *block = f->source->take(f->source->self, bytes);
    if (block)
        pl__heap(f, pl_round_up(bytes, PAGE_BYTES), 0);
    return block;
}

static void counted_give(void *self, void *block, size_t bytes)
{
    pl_folder *f = self;
    if (block)
        pl__heap(f, 0, pl_round_up(bytes, PAGE_BYTES));
    f->source->give(f->source->self, block, bytes);
}

/* ---- opening ---- */

static pl_status check_folder(const char *path, pl_error *e)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return errno == ENOENT ? pl_fail(e, PL_BAD_INPUT, "%s: there is no such folder", path) : pl_file_fail(path, errno, "cannot be examined", e);
    if (!S_ISDIR(st.st_mode))
        return pl_fail(e, PL_BAD_INPUT, "%s: is no folder, a model's folder with config.json is needed", path);
    return PL_OK;
}

static pl_status read_config(pl_folder *f, bool may_miss, pl_error *e)
{
    f->config.path = pl__join(f, f->path, "config.json", e);
    if (!f->config.path)
        return PL_MACHINE;
    pl_status status = PL_OK;
    if (pl__exists(f->config.path))
        status = pl_json_load_with(f->config.path, PL__CONFIG_JSON, &f->memory, &f->config_root, e);
    else if (!may_miss)
        return pl_fail(e, PL_BAD_INPUT, "%s: there is no config.json in it, a folder as save_pretrained writes it is needed", f->path);
    else if (!(f->config_root = json_object()))
        return pl_fail_no_memory(e, 0, f->path);
    if (status)
        return status;
    f->config.root = f->config_root;
    pl__heap(f, pl_json_held(f->config_root), 0);
    return PL_OK;
}

static pl_status read_folder(pl_folder *f, bool whole, pl_error *e)
{
    json_t *modules = NULL;
    pl_status status = pl__modules_find(f, &modules, e);
    if (!status)
        status = read_config(f, !whole, e);
    if (!status)
        status = pl__labels_read(f, e);
    if (!status)
        status = pl__lengths_read(f, e);
    if (!status && whole)
        status = pl__weights_open(f, e);
    if (!status && whole)
        status = pl__modules_read(f, modules, e);
    if (!status && modules && whole)
        status = pl__prompts_read(f, e);
    pl__forget(f, modules);
    return status;
}

static pl_status open_folder(const char *path, bool whole, const pl_memory *memory, pl_folder **out, pl_error *e)
{
    *out = NULL;
    pl_status status = check_folder(path, e);
    if (status)
        return status;
    memory = memory ? memory : pl_memory_system();
    size_t bytes = sizeof(pl_folder);
    pl_folder *f = memory->take(memory->self, bytes);
    if (!f)
        return pl_fail_no_memory(e, bytes, path);
    *f = (pl_folder){.memory = {counted_take, counted_give, f}, .source = memory, .own_bytes = bytes};
    pl__heap(f, pl_round_up(bytes, PAGE_BYTES), 0);
    pl_region_init(&f->region, &f->memory);
    f->root = f->path = path;
    f->root = f->path = pl__join(f, path, "", e);
    status = f->root ? read_folder(f, whole, e) : PL_MACHINE;
    if (status)
        pl_folder_close(f);
    else
        *out = f;
    return status;
}

pl_status pl_folder_open(const char *path, const pl_memory *memory, pl_folder **out, pl_error *e) { return open_folder(path, true, memory, out, e); }

pl_status pl_folder_open_config(const char *path, const pl_memory *memory, pl_folder **out, pl_error *e) { return open_folder(path, false, memory, out, e); }

void pl_folder_close(pl_folder *f)
{
    if (!f)
        return;
    for (uint32_t i = 0; i < f->file_count; i++)
        close(f->files[i].fd);
    json_decref(f->config_root);
    pl_region_free(&f->region);
    f->source->give(f->source->self, f, f->own_bytes);
}

/* ---- what it holds ---- */

const char *pl_folder_path(const pl_folder *f) { return f->path; }
pl_json_doc pl_folder_config(const pl_folder *f) { return f->config; }
size_t pl_folder_held(const pl_folder *f) { return f->now; }
size_t pl_folder_load_peak(const pl_folder *f) { return f->peak; }

size_t pl_folder_tensors(const pl_folder *f) { return f->tensors.count; }
const pl_tensor_view *pl_folder_tensor_at(const pl_folder *f, size_t index) { return &f->tensors.sorted[index]->view; }

const pl_tensor_view *pl_folder_tensor(const pl_folder *f, const char *name)
{
    const pl__tensor *t = pl__table_find(&f->tensors, name);
    return t ? &t->view : NULL;
}

size_t pl_folder_modules(const pl_folder *f) { return f->module_count; }
const pl_module *pl_folder_module(const pl_folder *f, size_t index) { return &f->modules[index]; }
