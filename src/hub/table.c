#include "hub/folder.h"

#include <string.h>

typedef int (*order)(const pl__tensor *a, const pl__tensor *b);

static int by_name(const pl__tensor *a, const pl__tensor *b) { return strcmp(a->view.name, b->view.name); }

static int by_place(const pl__tensor *a, const pl__tensor *b)
{
    const pl_tensor_view *x = &a->view, *y = &b->view;
    if (x->file != y->file)
        return x->file < y->file ? -1 : 1;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

static void sift(pl__tensor **items, size_t at, size_t count, order less)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && less(items[child], items[child + 1]) < 0)
            child++;
        if (less(items[at], items[child]) >= 0)
            return;
        pl__tensor *t = items[at];
        items[at] = items[child];
        items[child] = t;
    }
}

/* Heapsort: in place and never worse than n log n; qsort may allocate. */
static void sort(pl__tensor **items, size_t count, order less)
{
    for (size_t i = count / 2; i-- > 0;)
        sift(items, i, count, less);
    for (size_t end = count; end-- > 1;) {
        pl__tensor *t = items[0];
        items[0] = items[end];
        items[end] = t;
        sift(items, 0, end, less);
    }
}

static pl_status check_names(const pl_folder *f, const pl__table *table, pl_error *e)
{
    for (size_t i = 1; i < table->count; i++) {
        const pl_tensor_view *a = &table->sorted[i - 1]->view, *b = &table->sorted[i]->view;
        if (strcmp(a->name, b->name) != 0)
            continue;
        const char *where = f->files[a->file].path;
        if (a->file == b->file)
            return pl_fail(e, PL_BAD_INPUT, "%s: header: tensor \"%s\" stands there twice, once would be right", where, a->name);
        return pl_fail(e, PL_BAD_INPUT, "%s: header: tensor \"%s\" stands in %s too, one file would be right", where, a->name, f->files[b->file].path);
    }
    return PL_OK;
}

static pl_status check_file(const pl__file *file, pl__tensor *const *tensors, size_t count, pl_error *e)
{
    uint64_t end = file->data;
    for (size_t i = 0; i < count; i++) {
        const pl_tensor_view *t = &tensors[i]->view;
        if (t->offset < end)
            return pl_fail(
                e, PL_BAD_INPUT, "%s: header: tensors \"%s\" and \"%s\" overlap, each byte must belong to one", file->path, tensors[i - 1]->view.name, t->name);
        if (t->offset > end)
            return pl_fail(e, PL_BAD_INPUT, "%s: header: the %llu bytes before tensor \"%s\" belong to none, tensors must follow without gaps", file->path,
                (unsigned long long)(t->offset - end), t->name);
        end = t->offset + t->bytes;
    }
    uint64_t rest = file->data + file->bytes - end;
    if (rest > 0)
        return pl_fail(e, PL_BAD_INPUT, "%s: header: the last %llu bytes of the file belong to no tensor, the file must end with the last one", file->path,
            (unsigned long long)rest);
    return PL_OK;
}

static pl_status check_places(const pl_folder *f, const pl__table *table, pl_error *e)
{
    for (size_t i = 0, n; i < table->count; i += n) {
        uint32_t file = table->sorted[i]->view.file;
        for (n = 1; i + n < table->count && table->sorted[i + n]->view.file == file; n++)
            ;
        pl_status status = check_file(&f->files[file], table->sorted + i, n, e);
        if (status)
            return status;
    }
    return PL_OK;
}

pl_status pl__table_seal(pl_folder *f, pl__table *table, pl_error *e)
{
    table->sorted = pl__take(f, pl_max(table->count, 1) * sizeof(pl__tensor *), e);
    if (!table->sorted)
        return PL_MACHINE;
    size_t i = 0;
    for (pl__tensor *t = table->list; t; t = t->next)
        table->sorted[i++] = t;
    sort(table->sorted, table->count, by_name);
    pl_status status = check_names(f, table, e);
    if (status)
        return status;
    sort(table->sorted, table->count, by_place);
    status = check_places(f, table, e);
    sort(table->sorted, table->count, by_name);
    return status;
}

pl__tensor *pl__table_find(const pl__table *table, const char *name)
{
    size_t low = 0, high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int c = strcmp(name, table->sorted[middle]->view.name);
        if (c == 0)
            return table->sorted[middle];
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
