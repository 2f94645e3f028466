/* Wordings that are believed only under conditions of their own: a shell's "Killed", an exit by signal
 * nine, a container's reason, Python's class without a message. */
#include "explain/sight.h"

#include <string.h>

enum { AROUND = 1600 };

/* Something else than memory ended the job: a time limit, a person, a container told to stop. */
static bool other_reason(const pl__place *p)
{
    static const char *const words[] = {"TIME LIMIT", "time limit", "DUE TO", "kill -9", "pkill", "PREEMPT", "preempt", "docker stop", "docker kill",
        "\"OOMKilled\": false", "\"OOMKilled\":false", "iveness probe", "OOMKilled=false", "walltime", "Keyboard", "kill -KILL", "OOMKilled: false",
        "OOMKilled:false", "scancel", "timeout: sending signal", "timed out after", "was cancelled by", "Stopping 1/", "due to timeout"};
    size_t begin = p->begin > AROUND ? p->begin - AROUND : 0, end = pl_min(p->n, p->end + AROUND);
    return pl__any(p->s + begin, end - begin, words, PL_COUNT(words));
}

static bool all_digits(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!pl__digit(s[i]))
            return false;
    return n > 0;
}

/* The last word of the text before: its start. */
static size_t last_word(const pl__sight *v, size_t end)
{
    while (end > 0 && v->before[end - 1] != ' ')
        end--;
    return end;
}

/* A first glance at raw text: as a shell prints it the word stands alone or in a column of its own, not
 * in a sentence. */
bool pl__killed_near(const char *s, size_t n, size_t at)
{
    size_t end = at + strlen("killed"), p = at;
    bool stands = end >= n || (unsigned char)s[end] <= ' ' || strchr("\"\\:.([\x1b", s[end]);
    bool colour = at > 1 && s[at - 1] == 'm' && (pl__digit(s[at - 2]) || s[at - 2] == '[');
    while (p > 0 && (s[p - 1] == ' ' || s[p - 1] == '\t'))
        p--;
    bool escaped = p > 1 && s[p - 1] == 'n' && s[p - 2] == '\\';
    bool sentence = p > 0 && s[p - 1] >= 'a' && s[p - 1] <= 'z';
    return stands && (colour || escaped || !sentence);
}

/* "line 28:  8156 Killed  python3 main.py", "zsh: killed  python", "[1]+  Killed  python", "Killed" */
static bool shell_killed(const pl__sight *v)
{
    const pl__place *p = v->p;
    bool upper = p->s[p->begin] == 'K';
    bool spaces = p->end + 1 < p->n && p->s[p->end] == ' ' && p->s[p->end + 1] == ' ';
    size_t word = last_word(v, v->before_n);
    bool pid = all_digits(v->before + word, v->before_n - word);
    bool job = v->before_n > 2 && v->before[0] == '[' && pl__digit(v->before[1]);
    if (upper && (v->after_n == 0 || strcmp(v->after, ": 9") == 0 || pl__begins(v->after, " (core")))
        return pl__alone_on_line(v) || strcmp(v->after, ": 9") == 0 || pid || job || pl__ends(v->before, v->before_n, "]");
    if (spaces)
        return pid || job || (v->rest_n == 4 && memcmp(v->rest, "zsh:", 4) == 0) || (upper && v->rest_n == 0);
    return upper && pid && pl__exact(v->before, v->before_n, "line ") && v->after[0] == ' ';
}

static bool container_reason(const pl__sight *v)
{
    char value[16]; /* "OOMKilled": true */
    size_t n_value = pl__clean(v->p->s + v->p->end, pl_min(v->p->n - v->p->end, 9), value, sizeof value);
    if (pl__exact(value, n_value, "tru"))
        return true;
    if (pl__exact(value, n_value, "fal") || pl__is_source(v))
        return false;
    size_t n = v->before_n;
    while (n > 0 && (v->before[n - 1] == '"' || v->before[n - 1] == ' ' || v->before[n - 1] == '\'' || v->before[n - 1] == ':' || v->before[n - 1] == '='))
        n--;
    if (n >= 6 && (pl__ends(v->before, n, "eason") || pl__ends(v->before, n, "EASON") || pl__ends(v->before, n, "tatus") || pl__ends(v->before, n, "tate")))
        return true;
    size_t word = last_word(v, v->before_n);
    bool ready = v->before_n - word >= 3 && pl__digit(v->before[word]) && memchr(v->before + word, '/', v->before_n - word); /* 0/1 of kubectl get pods */
    return ready || (v->rest_n == 0 && v->after_n == 0) || (pl__exact(v->before, n, "137") && !pl__is_prose(v)) ||
        (pl__exact(v->after, v->after_n, "137") && !pl__is_prose(v));
}

static bool signal_nine(const pl__sight *v)
{
    if (!pl__ends_as_message(v) || pl__is_source(v) || pl__is_document(v, 0) || pl__is_prose(v))
        return false;
    if (v->rest_n == 0 && v->after_n > 0 && v->after[0] == ' ' && v->after[1] != '(')
        return false;
    size_t begin = v->p->begin > 240 ? v->p->begin - 240 : 0;
    size_t reason = pl__find(v->p->s + begin, v->p->begin - begin, "Reason:");
    if (reason != SIZE_MAX) { /* of Kubernetes: it would say OOMKilled */
        char text[64];
        pl__clean(v->p->s + begin + reason + 7, pl_min(v->p->begin - begin - reason - 7, 40), text, sizeof text);
        if (pl__begins(text, "Error") || pl__begins(text, "Completed") || pl__begins(text, "ContainerStatusUnknown"))
            return false;
    }
    return !other_reason(v->p);
}

static bool python_class(const pl__sight *v)
{
    char last = pl__touching(v);
    if (pl__word(last) || pl__is_source(v) || pl__is_document(v, 0) || !(v->after_n == 0 || v->after[0] == ':' || strcmp(v->after, "()") == 0))
        return false;
    size_t n = v->rest_n;
    while (last == '.' && n > 0 && (pl__word(v->rest[n - 1]) || v->rest[n - 1] == '.')) /* module.path. */
        n--;
    while (n > 0 && v->rest[n - 1] == ' ')
        n--;
    return n == 0 || (strchr(":|]>)-", v->rest[n - 1]) && !pl__is_prose(v)) || pl__ends(v->rest, n, "ERROR") || pl__ends(v->rest, n, "error");
}

static bool slurm_state(const pl__sight *v)
{
    if (pl__word(pl__touching(v)) || pl__is_source(v) || pl__is_prose(v))
        return false;
    return pl__exact(v->before, v->before_n, "State") || pl__exact(v->before, v->before_n, "Reason=") || pl__digit(v->before[0]) ||
        pl__exact(v->before, v->before_n, "STATE");
}

/* The line above or below tells of a failure. */
static bool beside_failure(const pl__place *p)
{
    static const char *const words[] = {"ailed", "rror", "RROR", "ggml", "cuda", "CUDA", "abort", "metal", "alloc"};
    size_t begin, end;
    size_t next = pl__line_next(p->s, p->n, p->line_end), next_end = pl__line_end(p->s, p->n, next);
    return (pl__line_above(p->s, p->line, &begin, &end) && pl__any(p->s + begin, end - begin, words, PL_COUNT(words))) ||
        (next < p->n && pl__any(p->s + next, next_end - next, words, PL_COUNT(words)));
}

static bool some_workers(const pl__place *p)
{
    size_t at = p->begin;
    while (at > 0 && p->s[at - 1] == ' ')
        at--;
    size_t end = at;
    while (at > 0 && pl__digit(p->s[at - 1]))
        at--;
    return end > at && !(end - at == 1 && p->s[at] == '0');
}

/* "out of memory" without more: alone beside a line that tells of a failure, or right after "error:". */
static bool two_words(const pl__sight *v)
{
    bool over = v->after_n == 0 || strcmp(v->after, ".") == 0 || strcmp(v->after, "!") == 0 || pl__begins(v->after, "\n");
    if (!over || pl__is_source(v) || pl__is_document(v, 0) || pl__is_prose(v))
        return false;
    if (v->rest_n == 0)
        return v->after[0] == '!' || beside_failure(v->p); /* "Out of memory!" of Perl */
    char last = v->rest[v->rest_n - 1];
    return (last == ':' || last == '-' || last == ',') && pl__error_before(v);
}

/* memory.events, or a copy of it in a string of JSON; not in one of source code. */
static bool counts_kills(const pl__sight *v)
{
    const pl__place *p = v->p;
    size_t physical = p->line;
    if (physical > 1 && p->s[physical - 2] == '\\') {
        while (physical > 0 && p->s[physical - 1] != '\n' && p->line - physical < PL__SIDE)
            physical--;
        while (p->s[physical] == ' ' || p->s[physical] == '\t')
            physical++;
        if (p->s[physical] != '{' && p->s[physical] != '"')
            return false;
    }
    bool string = v->before_n > 0 && v->before[v->before_n - 1] == '"';
    if (string && v->before[0] != '{' && v->before[0] != '[')
        return false;
    return v->after_n == 0 && (v->rest_n == 0 || pl__exact(v->before, v->before_n, "memory.") || pl__exact(v->before, v->before_n, "cgroup"));
}

bool pl__special(const pl__wording *w, const pl__sight *v, const pl__figures *f)
{
    const char *name = w->name;
    if (pl__begins(name, "exit-"))
        return signal_nine(v);
    if (strcmp(name, "shell-killed") == 0)
        return shell_killed(v) && !other_reason(v->p);
    if (strcmp(name, "k8s-reason") == 0)
        return container_reason(v);
    if (strcmp(name, "python") == 0)
        return python_class(v);
    if (strcmp(name, "slurm-state") == 0)
        return slurm_state(v);
    if (strcmp(name, "cgroup-events") == 0)
        return counts_kills(v);
    if (strcmp(name, "alone") == 0 || strcmp(name, "lua") == 0)
        return two_words(v);
    if (strcmp(name, "ray-workers") == 0)
        return some_workers(v->p);
    if (strcmp(name, "earlyoom-old") == 0)
        return pl__exact(v->after, v->after_n, "VmRSS") || pl__exact(v->after, v->after_n, "badness");
    if (strcmp(name, "systemd-oomd") == 0)
        return pl__exact(v->before, v->before_n, "Killed ");
    if (pl__begins(name, "ggml-fit"))
        return f->value[PL__REQUESTED] > f->value[PL__FREE];
    return false;
}
