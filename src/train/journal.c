#include "train/journal.h"

#include "train/files.h"

#include <assert.h>
#include <unistd.h>

static const char what[] = "the log";

pl_status pl__journal_open(pl__journal *j, const char *folder, pl_error *e)
{
    *j = (pl__journal){.folder = folder};
    return pl__unnamed_open(folder, &j->file, e);
}

void pl__journal_close(pl__journal *j)
{
    if (j->file >= 0)
        close(j->file);
    j->file = -1;
}

pl_status pl__journal_add(pl__journal *j, const pl__entry *entry, pl_error *e)
{
    pl_status s = pl__write_at(j->file, j->count * sizeof *entry, entry, sizeof *entry, j->folder, what, e);
    j->count += s ? 0 : 1;
    return s;
}

pl_status pl__journal_get(const pl__journal *j, uint64_t index, pl__entry *out, pl_error *e)
{
    assert(index < j->count);
    return pl__read_at(j->file, index * sizeof *out, out, sizeof *out, j->folder, what, e);
}
