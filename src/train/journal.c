#include "train/journal.h"

#include "train/digest.h"
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

/* An entry in the file, with XXH64 of it; its number is the seed. */
typedef struct line {
    pl__entry entry;
    uint64_t sum;
} line;

pl_status pl__journal_add(pl__journal *j, const pl__entry *entry, pl_error *e)
{
    line x = {*entry, pl__digest_of(entry, sizeof *entry, j->count)};
    pl_status s = pl__write_at(j->file, j->count * sizeof x, &x, sizeof x, j->folder, what, e);
    j->count += s ? 0 : 1;
    return s;
}

pl_status pl__journal_get(const pl__journal *j, uint64_t index, pl__entry *out, pl_error *e)
{
    line x = {0};
    assert(index < j->count);
    pl_status s = pl__read_at(j->file, index * sizeof x, &x, sizeof x, j->folder, what, e);
    if (!s && x.sum != pl__digest_of(&x.entry, sizeof x.entry, index))
        s = pl_fail(e, PL_MACHINE, "%s: %s: line %llu: somebody else changed it while it was in use, or the disk is failing", j->folder, what,
            (unsigned long long)index);
    *out = x.entry;
    return s;
}
