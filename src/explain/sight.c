/* The line of a message, taken apart: what stands before and after its key, without colours, and what
 * of it is the message's own once the prefix of a logger or the opening of a JSON string is gone. */
#include "explain/sight.h"

#include <string.h>

bool pl__any(const char *text, size_t n, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (pl__exact(text, n, words[i]))
            return true;
    return false;
}

bool pl__begins(const char *text, const char *word) { return strncmp(text, word, strlen(word)) == 0; }

bool pl__ends(const char *text, size_t n, const char *word)
{
    size_t w = strlen(word);
    return n >= w && memcmp(text + n - w, word, w) == 0;
}

/* Clean text in which quotes that an outer string escapes are spaces: only its own quotes count. */
static size_t clean_side(const char *s, size_t n, char *out, size_t capacity)
{
    char plain[PL__SIDE];
    size_t used = 0;
    n = pl_min(n, sizeof plain);
    for (size_t i = 0; i < n; i++) {
        bool escaped = s[i] == '\\' && i + 1 < n && (s[i + 1] == '"' || s[i + 1] == '\'' || s[i + 1] == '\\');
        plain[used++] = escaped ? ' ' : s[i];
        i += escaped && s[i + 1] != '\\';
    }
    return pl__clean(plain, used, out, capacity);
}

/* Dates, clocks, levels, streams, [brackets], "name[pid]:", "|" and "-": what loggers put first. */
static bool prefix_word(const char *s, size_t n)
{
    static const char *const words[] = {">", "INFO", "WARN", "WARNING", "ERROR", "DEBUG", "FATAL", "CRITICAL", "TRACE", "E", "W", "I", "F", "P", "stderr",
        "stdout", "-", "|", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun",
        "UTC", "##[error]", "root"};
    for (size_t i = 0; i < PL_COUNT(words); i++)
        if (strlen(words[i]) == n && memcmp(s, words[i], n) == 0)
            return true;
    size_t digits = 0, marks = 0;
    for (size_t i = 0; i < n; i++) {
        digits += pl__digit(s[i]);
        marks += s[i] == ':' || s[i] == '-' || s[i] == '.' || s[i] == ',' || s[i] == '+' || s[i] == '/' || s[i] == 'T' || s[i] == 'Z' || s[i] == '[' ||
            s[i] == ']';
    }
    bool stamp = digits >= 1 && digits + marks == n;
    bool bracketed = n > 1 && ((s[0] == '[' && s[n - 1] == ']') || (s[0] == '[' && n > 2 && s[n - 2] == ']') || (s[0] == '(' && s[n - 1] == ')'));
    return stamp || bracketed;
}

static size_t word_length(const char *s, size_t n)
{
    size_t at = 0;
    while (at < n && s[at] != ' ')
        at++;
    return at;
}

static bool word_ends(const char *s, size_t n, const char *end)
{
    size_t w = strlen(end);
    return n >= w && memcmp(s + n - w, end, w) == 0;
}

static size_t spaces(const char *s, size_t n)
{
    size_t at = 0;
    while (at < n && s[at] == ' ')
        at++;
    return at;
}

/* Length of the prefix's next word at s, with what it needs behind it; 0: the message begins here.
 * "host name[12]: ", "trainer-1 | ", "- train.py - " are prefixes by what follows them. */
static size_t prefix_step(const char *s, size_t n, bool dashed)
{
    size_t word = word_length(s, n), next_at = word + spaces(s + word, n - word), next = word_length(s + next_at, n - next_at);
    if (word == 0)
        return 0;
    if (prefix_word(s, word) || word_ends(s, word, "]:") || word_ends(s, word, ">:"))
        return word;
    bool bar = next == 1 && s[next_at] == '|', dash = dashed && next == 1 && s[next_at] == '-';
    return bar || dash || (next > 3 && word_ends(s + next_at, next, "]:")) ? next_at + next : 0;
}

/* "[1,3]<stderr>:" of mpirun, glued to the text; {"log":" of a container's JSON. */
static size_t glued_prefix(const char *s, size_t n)
{
    size_t at = 1;
    if (n > 9 && s[0] == '{' && s[1] == '"') {
        while (at + 2 < n && !(s[at] == '"' && s[at + 1] == ':'))
            at++;
        at += 2 + spaces(s + at + 2, n > at + 2 ? n - at - 2 : 0);
        return at < n && s[at] == '"' ? at + 1 : 0;
    }
    if (n < 9 || s[0] != '[' || !pl__digit(s[1]))
        return 0;
    while (at < n && (pl__digit(s[at]) || s[at] == ','))
        at++;
    size_t word = at + 2 < n && s[at] == ']' && s[at + 1] == '<' ? word_length(s + at, n - at) : 0;
    const char *end = word ? memchr(s + at, '>', word) : NULL;
    return end && end + 1 < s + n && end[1] == ':' ? (size_t)(end - s) + 2 : 0;
}

size_t pl__prefix_bytes(const char *line, size_t n)
{
    size_t at = glued_prefix(line, n);
    bool dashed = false;
    while (at < n) {
        size_t step = prefix_step(line + at, n - at, dashed);
        if (step == 0)
            break;
        dashed = line[at + step - 1] == '-';
        at += step;
        at += spaces(line + at, n - at);
    }
    return at;
}

static void find_rest(pl__sight *v)
{
    size_t at = pl__prefix_bytes(v->before, v->before_n);
    v->rest = v->before + at;
    v->rest_n = v->before_n - at;
    /* the last quote that opens a string of a structure: "log":"... */
    size_t quotes = 0, open = SIZE_MAX;
    for (size_t i = 0; i < v->before_n; i++)
        if (v->before[i] == '"' && ++quotes & 1)
            open = i;
    size_t sign = open;
    while (sign != SIZE_MAX && sign > 0 && v->before[sign - 1] == ' ')
        sign--;
    if (!(quotes & 1) || open == SIZE_MAX || sign == 0 || !strchr(":={,[", v->before[sign - 1]))
        return;
    v->rest = v->before + open + 1;
    v->rest_n = v->before_n - open - 1;
    char *end = strchr(v->after, '"');
    if (end) {
        *end = '\0';
        v->after_n = (size_t)(end - v->after);
    }
}

/* In a string of JSON that holds many lines: the last of them ends where the string does. */
static void end_string(pl__sight *v)
{
    char *quote = strchr(v->after, '"');
    size_t line = v->p->line;
    if (line < 2 || v->p->s[line - 2] != '\\' || !quote || !quote[1] ||
        !(strchr("}]", quote[1]) || strncmp(quote + 1, ",\"", 2) == 0 || strncmp(quote + 1, ", \"", 3) == 0))
        return;
    *quote = '\0';
    v->after_n = (size_t)(quote - v->after);
}

void pl__look(const pl__place *p, pl__sight *v)
{
    *v = (pl__sight){.p = p};
    size_t begin = p->begin - p->line > PL__SIDE - 8 ? p->begin - (PL__SIDE - 8) : p->line;
    v->before_n = clean_side(p->s + begin, p->begin - begin, v->before, sizeof v->before - 1);
    memcpy(v->before + v->before_n, " ", 2); /* so that a word there ends in a space as elsewhere */
    size_t end = pl__line_end(p->s, p->n, p->end);
    bool space = p->end < p->n && (p->s[p->end] == ' ' || p->s[p->end] == '\t');
    v->after[0] = ' ';
    v->after_n = space + clean_side(p->s + p->end, pl_min(end - p->end, PL__SIDE - 8), v->after + space, sizeof v->after - space);
    if (v->after_n == 1 && v->after[0] == ' ')
        v->after_n = 0;
    v->after[v->after_n] = '\0';
    end_string(v);
    find_rest(v);
}

/* The character that touches the key, ' ' when none does. */
char pl__touching(const pl__sight *v)
{
    const pl__place *p = v->p;
    bool apart = p->begin == p->line || (unsigned char)p->s[p->begin - 1] <= ' ';
    bool escaped = !apart && p->begin - p->line > 1 && p->s[p->begin - 2] == '\\';
    return apart || escaped || v->before_n == 0 ? ' ' : v->before[v->before_n - 1];
}
