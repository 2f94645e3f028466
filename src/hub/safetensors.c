/* One safetensors file: eight bytes of header length, the header (a JSON object), the tensors' data.
 * https://huggingface.co/docs/safetensors: data must cover the file without gaps or overlaps. */
#include "hub/folder.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LENGTH_BYTES = 8 };

typedef struct header {
    pl_folder *f;
    pl_json_walker *w;
    const pl__file *file;
    uint32_t file_index;
    pl__table *table;
    pl_error *e;
} header;

static bool is_key(const pl_json_walker *w, const char *wanted)
{
    size_t n;
    const char *key = pl_json_key(w, &n);
    return strlen(wanted) == n && memcmp(key, wanted, n) == 0;
}

/* The current value as a whole number below 2^64. */
static pl_status read_whole(header *h, pl_json_event event, const char *name, const char *what, uint64_t *out)
{
    size_t n = 0;
    const char *text = event == PL_JSON_NUMBER ? pl_json_scalar(h->w, &n) : "";
    uint64_t value = 0;
    bool fine = n > 0;
    for (size_t i = 0; i < n && fine; i++)
        fine = text[i] >= '0' && text[i] <= '9' && pl_mul(value, 10, &value) && pl_add(value, (uint64_t)(text[i] - '0'), &value);
    *out = value;
    return fine ? PL_OK : pl_json_fail(h->w, h->e, "tensor \"%s\": %s: whole numbers from 0 to 2^64 - 1 would be right", name, what);
}

static pl_status read_metadata(header *h, pl_json_event event)
{
    if (event != PL_JSON_OBJECT)
        return pl_json_fail(h->w, h->e, "__metadata__: an object of strings would be right");
    for (;;) {
        pl_status status = pl_json_next(h->w, &event, h->e);
        if (status || event == PL_JSON_END)
            return status;
        if (event != PL_JSON_STRING)
            return pl_json_fail(h->w, h->e, "__metadata__: its values must be strings");
    }
}

static pl_status read_dtype(header *h, pl_json_event event, pl_tensor_view *t)
{
    if (event != PL_JSON_STRING)
        return pl_json_fail(h->w, h->e, "tensor \"%s\": dtype must be a string", t->name);
    size_t n;
    const char *name = pl_json_scalar(h->w, &n);
    if (!pl_dtype_parse(name, n, &t->type))
        return pl_json_fail(h->w, h->e, "tensor \"%s\": dtype \"%s\" is not known, F32, F16, BF16 and the like would be right", t->name, name);
    return PL_OK;
}

static pl_status read_shape(header *h, pl_json_event event, pl_tensor_view *t)
{
    if (event != PL_JSON_ARRAY)
        return pl_json_fail(h->w, h->e, "tensor \"%s\": shape must be an array", t->name);
    for (t->rank = 0;; t->rank++) {
        pl_status status = pl_json_next(h->w, &event, h->e);
        if (status || event == PL_JSON_END)
            return status;
        if (t->rank == PL_COUNT(t->shape))
            return pl_json_fail(h->w, h->e, "tensor \"%s\": more than %zu dimensions", t->name, PL_COUNT(t->shape));
        status = read_whole(h, event, t->name, "shape", &t->shape[t->rank]);
        if (status)
            return status;
    }
}

static pl_status read_offsets(header *h, pl_json_event event, const char *name, uint64_t offsets[2])
{
    if (event != PL_JSON_ARRAY)
        return pl_json_fail(h->w, h->e, "tensor \"%s\": data_offsets must be an array", name);
    for (size_t i = 0;; i++) {
        pl_status status = pl_json_next(h->w, &event, h->e);
        if (status || (event == PL_JSON_END && i == 2))
            return status;
        if (event == PL_JSON_END || i == 2)
            return pl_json_fail(h->w, h->e, "tensor \"%s\": data_offsets must be two numbers, begin and end", name);
        status = read_whole(h, event, name, "data_offsets", &offsets[i]);
        if (status)
            return status;
    }
}

/* dtype, shape and data_offsets, each once; keys of later versions are passed over. */
static pl_status read_fields(header *h, pl_tensor_view *t, uint64_t offsets[2])
{
    static const char *const keys[] = {"dtype", "shape", "data_offsets"};
    unsigned seen = 0;
    for (;;) {
        pl_json_event event;
        pl_status status = pl_json_next(h->w, &event, h->e);
        if (status)
            return status;
        if (event == PL_JSON_END)
            break;
        size_t i = 0;
        while (i < PL_COUNT(keys) && !is_key(h->w, keys[i]))
            i++;
        if (i < PL_COUNT(keys) && (seen >> i & 1))
            return pl_json_fail(h->w, h->e, "tensor \"%s\": %s stands there twice", t->name, keys[i]);
        seen |= 1U << i;
        status = i == 0 ? read_dtype(h, event, t)
            : i == 1    ? read_shape(h, event, t)
            : i == 2    ? read_offsets(h, event, t->name, offsets)
                        : pl_json_skip(h->w, h->e);
        if (status)
            return status;
    }
    for (size_t i = 0; i < PL_COUNT(keys); i++)
        if (!(seen >> i & 1))
            return pl_json_fail(h->w, h->e, "tensor \"%s\": %s is missing", t->name, keys[i]);
    return PL_OK;
}

static const char *shape_text(const pl_tensor_view *t, char out[256])
{
    size_t used = (size_t)snprintf(out, 256, "[");
    for (uint32_t i = 0; i < t->rank; i++)
        used += (size_t)snprintf(out + used, 256 - used, "%s%llu", i ? ", " : "", (unsigned long long)t->shape[i]);
    snprintf(out + used, 256 - used, "]");
    return out;
}

static pl_status check_bounds(header *h, pl_tensor_view *t, const uint64_t offsets[2])
{
    const char *path = h->file->path;
    char shape[256];
    uint64_t bytes = pl_dtype_bytes(t->type);
    for (uint32_t i = 0; i < t->rank; i++)
        if (!pl_mul(bytes, t->shape[i], &bytes))
            return pl_fail(h->e, PL_BAD_INPUT, "%s: header: tensor \"%s\": shape %s is more than any file holds", path, t->name, shape_text(t, shape));
    if (offsets[0] > offsets[1])
        return pl_fail(h->e, PL_BAD_INPUT, "%s: header: tensor \"%s\": data_offsets end at %llu, before they begin at %llu", path, t->name,
            (unsigned long long)offsets[1], (unsigned long long)offsets[0]);
    if (offsets[1] - offsets[0] != bytes)
        return pl_fail(h->e, PL_BAD_INPUT, "%s: header: tensor \"%s\": shape %s of %s is %llu bytes, data_offsets give %llu", path, t->name,
            shape_text(t, shape), pl_dtype_name(t->type), (unsigned long long)bytes, (unsigned long long)(offsets[1] - offsets[0]));
    if (offsets[1] > h->file->bytes) {
        pl_fail(h->e, PL_BAD_INPUT, "%s: header: tensor \"%s\": its data end at byte %llu, the file has %llu: it is cut", path, t->name,
            (unsigned long long)offsets[1], (unsigned long long)h->file->bytes);
        pl_hint(h->e, "get the file again; its download may not have finished");
        return PL_BAD_INPUT;
    }
    t->offset = h->file->data + offsets[0];
    t->bytes = bytes;
    return PL_OK;
}

static pl_status read_tensor(header *h, pl_json_event event)
{
    size_t n;
    const char *name = pl_json_key(h->w, &n);
    if (memchr(name, '\0', n))
        return pl_json_fail(h->w, h->e, "the name of a tensor holds a NUL character");
    if (event != PL_JSON_OBJECT)
        return pl_json_fail(h->w, h->e, "tensor \"%s\": an object with dtype, shape and data_offsets would be right", name);
    if (h->f->tensor_total == PL__MOST_TENSORS)
        return pl_json_fail(h->w, h->e, "more than %d tensors", PL__MOST_TENSORS);
    pl__tensor *t = pl__take(h->f, sizeof *t, h->e);
    if (t)
        t->view.name = pl__copy(h->f, name, n, h->e);
    if (!t || !t->view.name)
        return PL_MACHINE;
    t->view.file = h->file_index;
    uint64_t offsets[2] = {0, 0};
    pl_status status = read_fields(h, &t->view, offsets);
    if (!status)
        status = check_bounds(h, &t->view, offsets);
    if (status)
        return status;
    t->next = h->table->list;
    h->table->list = t;
    h->table->count++;
    h->f->tensor_total++;
    return PL_OK;
}

static pl_status read_header(header *h)
{
    pl_json_event event;
    pl_status status = pl_json_next(h->w, &event, h->e);
    if (status)
        return status;
    bool metadata = false;
    for (;;) {
        status = pl_json_next(h->w, &event, h->e);
        if (status || event == PL_JSON_END)
            break;
        if (!is_key(h->w, "__metadata__")) {
            status = read_tensor(h, event);
        } else {
            status = metadata ? pl_json_fail(h->w, h->e, "__metadata__ stands there twice") : read_metadata(h, event);
            metadata = true;
        }
        if (status)
            break;
    }
    return status ? status : pl_json_next(h->w, &event, h->e); /* nothing may follow but blanks */
}

/* The header's length, with the file's size and first bytes checked. */
static pl_status read_length(const pl__file *file, uint64_t *length, pl_error *e)
{
    uint64_t size = (uint64_t)file->stat.st_size;
    unsigned char bytes[LENGTH_BYTES + 1];
    if (size < sizeof bytes)
        return pl_fail(e, PL_BAD_INPUT, "%s: has %llu bytes, too few for a safetensors file", file->path, (unsigned long long)size);
    pl_status status = pl_file_read(file->fd, file->path, 0, bytes, sizeof bytes, e);
    if (status)
        return status;
    if (memcmp(bytes, "version ", 8) == 0) {
        pl_fail(e, PL_BAD_INPUT, "%s: is a Git LFS pointer, not the weights themselves", file->path);
        pl_hint(e, "git lfs pull, in its folder, fetches them");
        return PL_BAD_INPUT;
    }
    *length = 0;
    for (size_t i = LENGTH_BYTES; i-- > 0;)
        *length = *length << 8 | bytes[i];
    if (*length > PL__HEADER_BYTES)
        return pl_fail(e, PL_BAD_INPUT, "%s: header: a length of %llu bytes, more than the %d that safetensors allows: this is no safetensors file", file->path,
            (unsigned long long)*length, PL__HEADER_BYTES);
    if (*length > size - LENGTH_BYTES) {
        pl_fail(e, PL_BAD_INPUT, "%s: header: has %llu bytes by its own account, the file ends after %llu: it is cut", file->path, (unsigned long long)*length,
            (unsigned long long)(size - LENGTH_BYTES));
        pl_hint(e, "get the file again; its download may not have finished");
        return PL_BAD_INPUT;
    }
    if (*length < 2 || bytes[LENGTH_BYTES] != '{')
        return pl_fail(e, PL_BAD_INPUT, "%s: header: does not begin with '{', as a safetensors header must", file->path);
    return PL_OK;
}

/* A slot for one more file; region memory, so that what a growth leaves behind is freed at the end. */
static pl__file *add_file(pl_folder *f, pl_error *e)
{
    if (f->file_count == f->file_capacity) {
        uint32_t capacity = f->file_capacity ? 4 * f->file_capacity : 2;
        pl__file *files = pl__take(f, capacity * sizeof *files, e);
        if (!files)
            return NULL;
        if (f->files)
            memcpy(files, f->files, f->file_count * sizeof *files);
        f->files = files;
        f->file_capacity = capacity;
    }
    return &f->files[f->file_count];
}

pl_status pl__safetensors_open(pl_folder *f, const char *path, pl__table *table, uint32_t *index, pl_error *e)
{
    pl__file *file = add_file(f, e);
    if (!file)
        return PL_MACHINE;
    *file = (pl__file){.path = path};
    uint64_t size, length = 0;
    pl_status status = pl_file_open(path, &file->fd, &size, e);
    if (status)
        return status;
    *index = f->file_count++; /* from here on, closing the folder closes it */
    if (fstat(file->fd, &file->stat) != 0)
        return pl_fail(e, PL_MACHINE, "%s: cannot be examined", path);
    status = read_length(file, &length, e);
    if (status)
        return status;
    file->data = LENGTH_BYTES + length;
    file->bytes = (uint64_t)file->stat.st_size - file->data;

    char name[4352];
    snprintf(name, sizeof name, "%s: header", path);
    const pl_json_limits limits = {.scalar_bytes = PL__JSON_SCALAR, .depth = PL__JSON_DEPTH, .bytes = PL__HEADER_BYTES};
    header h = {.f = f, .file = file, .file_index = *index, .table = table, .e = e};
    status = pl_json_open_range(file->fd, name, LENGTH_BYTES, length, &limits, &f->memory, &h.w, e);
    if (status)
        return status;
    size_t before = table->count;
    status = read_header(&h);
    pl_json_close(h.w);
    if (!status && table->count == before && file->bytes > 0)
        return pl_fail(e, PL_BAD_INPUT, "%s: header: names no tensor, but %llu bytes follow", path, (unsigned long long)file->bytes);
    return status;
}
