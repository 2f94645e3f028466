/* Which files hold the weights, and reading from them. */

#include "hub/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* ---- model.safetensors.index.json: {"weight_map": {tensor: file}} ---- */

typedef struct index_walk {
    pl_folder *f;
    pl_json_walker *w;
    const char *path;
    uint32_t last; /* file of the entry before: neighbours share it */
    pl_error *e;
} index_walk;

typedef pl_status (*on_entry)(index_walk *x, const char *tensor, const char *file, size_t n);

static uint32_t find_file(index_walk *x, const char *name, size_t n)
{
    const pl_folder *f = x->f;
    size_t folder = strlen(f->path) + (f->path[strlen(f->path) - 1] != '/');
    for (uint32_t i = 0; i < f->file_count; i++) {
        uint32_t at = (x->last + i) % f->file_count;
        const char *path = f->files[at].path;
        if (strlen(path) == folder + n && memcmp(path + folder, name, n) == 0)
            return x->last = at;
    }
    return UINT32_MAX;
}

static pl_status open_shard(index_walk *x, const char *tensor, const char *file, size_t n)
{
    (void)tensor;
    if (n == 0 || !pl__stays_inside(file, n))
        return pl_json_fail(x->w, x->e, "\"%s\" is no file of this folder", file);
    if (find_file(x, file, n) != UINT32_MAX)
        return PL_OK;
    if (x->f->file_count == PL__MOST_FILES)
        return pl_json_fail(x->w, x->e, "more than %d files", PL__MOST_FILES);
    const char *path = pl__join(x->f, x->f->path, file, x->e);
    if (!path)
        return PL_MACHINE;
    if (!pl__exists(path)) {
        pl_json_fail(x->w, x->e, "the file %s is missing", file);
        pl_hint(x->e, "a download that did not finish leaves such a folder");
        return PL_BAD_INPUT;
    }
    return pl__safetensors_open(x->f, path, &x->f->tensors, &x->last, x->e);
}

static pl_status check_entry(index_walk *x, const char *tensor, const char *file, size_t n)
{
    pl__tensor *t = pl__table_find(&x->f->tensors, tensor);
    if (!t)
        return pl_json_fail(x->w, x->e, "tensor \"%s\" is not in %s nor in any other of the files", tensor, file);
    if (t->view.file != find_file(x, file, n))
        return pl_json_fail(x->w, x->e, "tensor \"%s\" is not in %s but in %s", tensor, file, x->f->files[t->view.file].path);
    if (t->listed)
        return pl_json_fail(x->w, x->e, "tensor \"%s\" stands there twice", tensor);
    t->listed = true;
    return PL_OK;
}

static pl_status walk_map(index_walk *x, on_entry call)
{
    for (;;) {
        pl_json_event event;
        pl_status status = pl_json_next(x->w, &event, x->e);
        if (status || event == PL_JSON_END)
            return status;
        size_t key_bytes, n = 0;
        const char *tensor = pl_json_key(x->w, &key_bytes);
        const char *file = event == PL_JSON_STRING ? pl_json_scalar(x->w, &n) : NULL;
        if (!file)
            return pl_json_fail(x->w, x->e, "weight_map: tensor \"%s\": the name of a file would be right", tensor);
        status = call(x, tensor, file, n);
        if (status)
            return status;
    }
}

static pl_status walk_index(index_walk *x, on_entry call)
{
    pl_json_event event;
    pl_status status = pl_json_next(x->w, &event, x->e);
    if (!status && event != PL_JSON_OBJECT)
        return pl_json_fail(x->w, x->e, "the file holds no object, {\"weight_map\": {...}} would be right");
    bool seen = false;
    while (!status) {
        status = pl_json_next(x->w, &event, x->e);
        if (status || event == PL_JSON_END)
            break;
        size_t n;
        const char *key = pl_json_key(x->w, &n);
        if (n != strlen("weight_map") || memcmp(key, "weight_map", n) != 0) {
            status = pl_json_skip(x->w, x->e);
        } else if (seen || event != PL_JSON_OBJECT) {
            status = pl_json_fail(x->w, x->e, "weight_map: %s", seen ? "stands there twice" : "an object {tensor: file} would be right");
        } else {
            seen = true;
            status = walk_map(x, call);
        }
    }
    if (!status)
        status = pl_json_next(x->w, &event, x->e);
    if (!status && !seen)
        status = pl_fail(x->e, PL_BAD_INPUT, "%s: weight_map: missing, {tensor: file} would be right", x->path);
    return status;
}

static pl_status read_index(pl_folder *f, const char *path, on_entry call, pl_error *e)
{
    const pl_json_limits limits = {.scalar_bytes = PL__JSON_SCALAR, .depth = PL__JSON_DEPTH, .bytes = PL__INDEX_JSON};
    index_walk x = {.f = f, .path = path, .e = e};
    pl_status status = pl_json_open(path, &limits, &f->memory, &x.w, e);
    if (status)
        return status;
    status = walk_index(&x, call);
    pl_json_close(x.w);
    return status;
}

/* ---- opening ---- */

static bool is_identifier(const char *name)
{
    size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    return n > 0 && name[n] == '\0';
}

/* What lies there instead of safetensors decides what is said. */
static pl_status refuse_missing(pl_folder *f, pl_error *e)
{
    static const char *const others[] = {"pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack"};
    for (size_t i = 0; i < PL_COUNT(others); i++) {
        const char *path = pl__join(f, f->path, others[i], e);
        if (!path)
            return PL_MACHINE;
        if (!pl__exists(path))
            continue;
        const char *class = json_string_value(json_array_get(json_object_get(f->config_root, "architectures"), 0));
        if (!class || !is_identifier(class))
            class = "AutoModel";
        pl_fail(e, PL_BAD_INPUT, "%s: is not read, model.safetensors would be right", path);
        if (i < 2)
            pl_hint(e,
                "convert it once: python3 -c \"from transformers import %s as M; M.from_pretrained('%s').save_pretrained('%s', safe_serialization=True)\"",
                class, f->path, f->path);
        return PL_BAD_INPUT;
    }
    return pl_fail(e, PL_BAD_INPUT, "%s: there is no model.safetensors in it (nor model.safetensors.index.json)", f->path);
}

pl_status pl__weights_open(pl_folder *f, pl_error *e)
{
    const char *single = pl__join(f, f->path, "model.safetensors", e);
    const char *index = single ? pl__join(f, f->path, "model.safetensors.index.json", e) : NULL;
    if (!index)
        return PL_MACHINE;
    uint32_t file;
    if (pl__exists(single)) {
        pl_status status = pl__safetensors_open(f, single, &f->tensors, &file, e);
        return status ? status : pl__table_seal(f, &f->tensors, e);
    }
    if (!pl__exists(index))
        return refuse_missing(f, e);
    pl_status status = read_index(f, index, open_shard, e);
    if (!status)
        status = pl__table_seal(f, &f->tensors, e);
    return status ? status : read_index(f, index, check_entry, e);
}

/* ---- reading ---- */

size_t pl_folder_files(const pl_folder *f) { return f->file_count; }
const char *pl_folder_file_name(const pl_folder *f, uint32_t file) { return f->files[file].path; }
int pl_folder_fd(const pl_folder *f, uint32_t file) { return f->files[file].fd; }

pl_status pl_folder_read(const pl_folder *f, uint32_t file, uint64_t offset, void *out, size_t bytes, pl_error *e)
{
    return pl_file_read(f->files[file].fd, f->files[file].path, offset, out, bytes, e);
}

void pl_folder_drop(const pl_folder *f, uint32_t file, uint64_t offset, uint64_t bytes)
{
    (void)posix_fadvise(f->files[file].fd, (off_t)offset, (off_t)bytes, POSIX_FADV_DONTNEED);
}

static bool same_time(const struct timespec *a, const struct timespec *b) { return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec; }

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && same_time(&a->st_mtim, &b->st_mtim) &&
        same_time(&a->st_ctim, &b->st_ctim);
}

pl_status pl_folder_unchanged(const pl_folder *f, pl_error *e)
{
    for (uint32_t i = 0; i < f->file_count; i++) {
        const pl__file *file = &f->files[i];
        struct stat now, named;
        if (fstat(file->fd, &now) != 0)
            return pl_fail(e, PL_MACHINE, "%s: cannot be examined: %s", file->path, strerror(errno));
        if (stat(file->path, &named) != 0)
            return pl_fail(e, PL_BAD_INPUT, "%s: is gone or out of reach since it was opened: %s", file->path, strerror(errno));
        if (!same_file(&file->stat, &now) || !same_file(&file->stat, &named))
            return pl_fail(e, PL_BAD_INPUT, "%s: was changed since it was opened, weights must stay as they are during a run", file->path);
    }
    return PL_OK;
}
