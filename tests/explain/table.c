/* Writes the table of wordings into docs/EXPLAIN.md, between its two marks:
 *     explain_table docs/EXPLAIN.md          writes it
 *     explain_table --check docs/EXPLAIN.md  says whether it stands there as it should */
#include "explain/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char begin_mark[] = "<!-- table: written by explain_table -->\n", end_mark[] = "<!-- end of table -->\n";

typedef struct text {
    char *s;
    size_t n, capacity;
} text;

static void add(text *t, const char *s, size_t n)
{
    if (!t->s || t->n + n + 1 > t->capacity) {
        t->capacity = 2 * (t->n + n + 1);
        t->s = realloc(t->s, t->capacity);
        if (!t->s)
            exit(2);
    }
    memcpy(t->s + t->n, s, n);
    t->n += n;
    t->s[t->n] = '\0';
}

static void add_string(text *t, const char *s) { add(t, s, strlen(s)); }

/* A key as people read it: without the scanner's marks, figures in italics' place as they are. */
static void add_key(text *t, const char *key)
{
    add_string(t, "`");
    for (const char *p = key; *p; p++)
        if (*p == '|')
            add_string(t, "\\|");
        else if (*p != '^')
            add(t, *p == '~' ? " " : p, 1);
    add_string(t, "`");
}

/* The names of the figures that a row reads, each once. */
static void add_figures(text *t, const char *key, const char *figures)
{
    char seen[512] = " ";
    const char *parts[] = {key, figures};
    for (size_t i = 0; i < 2; i++)
        for (const char *p = strchr(parts[i], '{'); p; p = strchr(p + 1, '{')) {
            char name[32];
            int n = snprintf(name, sizeof name, " %.*s ", (int)strcspn(p + 1, ":}"), p + 1);
            bool silent = strcmp(name, " n ") == 0 || strcmp(name, " w ") == 0 || strcmp(name, " ... ") == 0 || strcmp(name, " count ") == 0;
            if (n < 0 || silent || strstr(seen, name))
                continue;
            if (seen[1])
                add_string(t, ", ");
            add(t, name + 1, (size_t)n - 2);
            snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s", name + 1);
        }
}

static void write_table(text *t)
{
    pl_wording_view w;
    add_string(t, "| Wording | framework | kind | figures | what it means |\n|---|---|---|---|---|\n");
    for (size_t i = 0; pl_wording_at(i, &w); i++) {
        add_string(t, "| ");
        add_key(t, w.key);
        add_string(t, " | ");
        add_string(t, pl_framework_name(w.framework));
        add_string(t, " | ");
        add_string(t, pl_kind_name(w.kind));
        add_string(t, " | ");
        add_figures(t, w.key, w.figures);
        add_string(t, " | ");
        add_string(t, w.meaning);
        add_string(t, " |\n");
    }
}

static text read_file(const char *path)
{
    text t = {0};
    add(&t, "", 0);
    char piece[4096];
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(2);
    }
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;)
        add(&t, piece, n);
    fclose(f);
    return t;
}

/* The page with today's table between its marks. */
static bool page_make(text *new, const text *old)
{
    char *begin = strstr(old->s, begin_mark), *end = strstr(old->s, end_mark);
    if (!begin || !end || end < begin)
        return false;
    add(new, old->s, (size_t)(begin - old->s) + sizeof begin_mark - 1);
    write_table(new);
    add_string(new, end);
    return true;
}

static bool page_write(const char *path, const text *t)
{
    FILE *f = fopen(path, "wb");
    if (f && fwrite(t->s, 1, t->n, f) == t->n && fclose(f) == 0)
        return true;
    perror(path);
    return false;
}

int main(int argc, char **argv)
{
    bool check = argc == 3 && strcmp(argv[1], "--check") == 0;
    if (argc != 2 && !check) {
        fprintf(stderr, "usage: explain_table [--check] docs/EXPLAIN.md\n");
        return 2;
    }
    const char *path = argv[argc - 1];
    text old = read_file(path), new = {0};
    int result = 0;
    if (!page_make(&new, &old)) {
        fprintf(stderr, "%s: the marks of the table are missing\n", path);
        result = 2;
    } else if (new.n != old.n || memcmp(new.s, old.s, old.n) != 0) {
        if (check)
            fprintf(stderr, "%s: the table is not that of wordings.c; explain_table %s writes it\n", path, path);
        result = check ? 1 : page_write(path, &new) ? 0 : 2;
    }
    free(old.s);
    free(new.s);
    return result;
}
