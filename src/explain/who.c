/* Who wrote a line: a rank, a process, a container, as their prefixes tell. Several ranks fail each
 * for itself; an engine that reports its workers' failure does not. */
#include "explain/inner.h"

#include <string.h>

enum { PREFIX = 200 };

static size_t number_at(const char *s, size_t n, uint64_t *value)
{
    size_t at = 0;
    *value = 0;
    while (at < n && at < 9 && pl__digit(s[at]))
        *value = *value * 10 + (uint64_t)(s[at++] - '0');
    return at;
}

/* "rank0", "rank=1", "Rank 2", "local_rank: 3" */
static bool rank_word(const char *s, size_t n, uint64_t *rank)
{
    for (size_t from = 0; from < n;) {
        size_t found = pl__find(s + from, n - from, "rank");
        if (found == SIZE_MAX)
            return false;
        size_t at = from + found + 4;
        bool word = from + found == 0 || !pl__letter(s[from + found - 1]);
        while (at < n && (s[at] == '=' || s[at] == ':' || s[at] == ' ' || s[at] == '_' || s[at] == '#' || s[at] == '"'))
            at++;
        if (word && number_at(s + at, n - at, rank))
            return true;
        from += found + 4;
    }
    return false;
}

/* "TP0", "DP1 TP3", "Worker_TP0": the numbers of all axes as one. */
static bool parallel_word(const char *s, size_t n, uint64_t *id)
{
    bool found = false;
    *id = 0;
    for (size_t at = 0; at + 2 < n; at++) {
        bool axis = s[at + 1] == 'P' && strchr("TDPE", s[at]) && pl__digit(s[at + 2]);
        if (!axis || (at > 0 && pl__letter(s[at - 1])))
            continue;
        uint64_t value;
        at += 1 + number_at(s + at + 2, n - at - 2, &value);
        *id = *id * 4096 + value;
        found = true;
    }
    return found;
}

/* "[1,3]<stderr>:" of mpirun, "[default3]:" of torchrun, " 3: " of srun -l. */
static bool launcher_prefix(const char *s, size_t n, uint64_t *rank)
{
    size_t at = 0;
    uint64_t job;
    if (n > 3 && s[0] == '[') {
        size_t width = number_at(s + 1, n - 1, &job);
        if (width && width + 2 < n && s[1 + width] == ',') {
            size_t more = number_at(s + 2 + width, n - 2 - width, rank);
            return more && 2 + width + more + 1 < n && s[2 + width + more] == ']' && s[3 + width + more] == '<';
        }
        for (at = 1; at < n && (pl__letter(s[at]) || s[at] == '_');)
            at++;
        width = at > 1 ? number_at(s + at, n - at, rank) : 0;
        return width && at + width + 1 < n && s[at + width] == ']' && s[at + width + 1] == ':';
    }
    while (at < n && s[at] == ' ')
        at++;
    size_t width = number_at(s + at, n - at, rank);
    return width && width < 5 && at + width + 1 < n && s[at + width] == ':' && s[at + width + 1] == ' ';
}

/* "host:3063025:3066048 [0] file.cc:49 NCCL WARN", behind whatever other prefix. */
static bool nccl_prefix(const char *s, size_t n, pl__who *who)
{
    for (size_t end = 0; end + 4 < n; end++) {
        if (s[end] != ' ' || s[end + 1] != '[' || end == 0 || !pl__digit(s[end - 1]))
            continue;
        size_t at = end, colons = 0;
        while (at > 0 && colons < 2 && (pl__digit(s[at - 1]) || s[at - 1] == ':'))
            colons += s[--at] == ':';
        uint64_t device;
        if (colons < 2 || at == 0 || !number_at(s + end + 2, n - end - 2, &device))
            continue;
        if (number_at(s + at + 1, n - at - 1, &who->id) < 3 && pl__digit(s[at - 1]))
            continue; /* a clock: 12:30:05 [0] */
        who->kind = PL__PID_OF;
        who->device = device;
        return true;
    }
    return false;
}

/* "vllm-1  | " of docker compose: the name's hash. */
static bool compose_prefix(const char *s, size_t n, uint64_t *id)
{
    size_t at = 0;
    uint64_t hash = 1469598103934665603ULL;
    while (at < n && at < 64 && (pl__word(s[at]) || s[at] == '-' || s[at] == '.'))
        hash = (hash ^ (unsigned char)s[at++]) * 1099511628211ULL;
    size_t name = at;
    while (at < n && s[at] == ' ')
        at++;
    *id = hash;
    return name > 0 && at > name && at + 1 < n && s[at] == '|' && s[at + 1] == ' ';
}

static bool pid_word(const char *s, size_t n, uint64_t *pid)
{
    size_t found = pl__find(s, n, "pid=");
    return found != SIZE_MAX && number_at(s + found + 4, n - found - 4, pid) > 0;
}

pl__who pl__who_wrote(const char *line, size_t n)
{
    pl__who who = {PL__NOBODY, 0, PL_NOT_GIVEN};
    n = pl_min(n, PREFIX);
    if (nccl_prefix(line, n, &who))
        return who;
    if (launcher_prefix(line, n, &who.id) || rank_word(line, n, &who.id)) {
        who.kind = PL__RANK;
    } else if (pl__exact(line, n, "EngineCore") || pl__exact(line, n, "APIServer") || pl__exact(line, n, "(raylet")) {
        who.kind = PL__ENGINE;
    } else if (parallel_word(line, n, &who.id)) {
        who.kind = PL__RANK;
    } else if (pid_word(line, n, &who.id)) {
        who.kind = PL__PID_OF;
    } else if (compose_prefix(line, n, &who.id)) {
        who.kind = PL__NAME;
    }
    return who;
}

bool pl__who_may_be(pl__who a, pl__who b) { return a.kind != b.kind || a.kind == PL__NOBODY || a.kind == PL__ENGINE || a.id == b.id; }

int64_t pl__clock(const char *line, size_t n)
{
    n = pl_min(n, PREFIX);
    for (size_t at = 0; at + 8 <= n; at++) {
        const char *s = line + at;
        bool shape = s[2] == ':' && s[5] == ':' && pl__digit(s[0]) && pl__digit(s[1]) && pl__digit(s[3]) && pl__digit(s[4]) && pl__digit(s[6]) &&
            pl__digit(s[7]);
        if (!shape || (at > 0 && pl__digit(s[-1])) || (at + 8 < n && pl__digit(s[8])))
            continue;
        int64_t hours = (s[0] - '0') * 10 + s[1] - '0', minutes = (s[3] - '0') * 10 + s[4] - '0', seconds = (s[6] - '0') * 10 + s[7] - '0';
        if (hours < 24 && minutes < 60 && seconds < 61)
            return hours * 3600 + minutes * 60 + seconds;
    }
    return -1;
}
