/* A message, or something that only names one: source code, tests, documentation, a setting, a count
 * of zero. What is asked of the surroundings is stated in the table (traits) and checked here. When
 * in doubt the answer is no: a log that ran out of memory mostly says so more than once. */
#include "explain/inner.h"

#include <string.h>

enum { SIDE = 480, AROUND = 1600 };

typedef struct sight {
    char before[SIDE], after[SIDE]; /* of the line, clean; before[before_n] is a space */
    size_t before_n, after_n;
    const char *rest; /* before, without the prefix of a logger or the opening of a JSON string */
    size_t rest_n;
    bool in_string;
    const pl__place *p;
} sight;

/* Clean text in which quotes that an outer string escapes are spaces: only its own quotes count. */
static size_t clean_side(const char *s, size_t n, char *out, size_t capacity)
{
    char plain[SIDE];
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
    static const char *const words[] = {">", "INFO", "WARN", "WARNING", "ERROR", "DEBUG", "FATAL", "CRITICAL", "TRACE", "E", "W", "I", "F", "P", "stderr", "stdout", "-", "|", "Jan", "Feb", "Mar", "Apr", "May", "Jun",
        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "UTC", "##[error]", "root"};
    for (size_t i = 0; i < PL_COUNT(words); i++)
        if (strlen(words[i]) == n && memcmp(s, words[i], n) == 0)
            return true;
    size_t digits = 0, marks = 0;
    for (size_t i = 0; i < n; i++) {
        digits += pl__digit(s[i]);
        marks += s[i] == ':' || s[i] == '-' || s[i] == '.' || s[i] == ',' || s[i] == '+' || s[i] == '/' || s[i] == 'T' || s[i] == 'Z' || s[i] == '[' || s[i] == ']';
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

/* Length of the prefix's next word at s, with what it needs behind it; 0: the message begins here.
 * "host name[12]: ", "trainer-1 | ", "- train.py - " are prefixes by what follows them. */
static size_t prefix_step(const char *s, size_t n, bool dashed)
{
    size_t word = word_length(s, n), next_at = pl_min(word + 1, n), next = word_length(s + next_at, n - next_at);
    if (word == 0)
        return 0;
    if (prefix_word(s, word) || word_ends(s, word, "]:") || word_ends(s, word, ">:"))
        return word;
    bool bar = next == 1 && s[next_at] == '|', dash = dashed && next == 1 && s[next_at] == '-';
    return bar || dash || (next > 3 && word_ends(s + next_at, next, "]:")) ? next_at + next : 0;
}

static void find_rest(sight *v)
{
    size_t at = 0;
    bool dashed = false;
    while (at < v->before_n) {
        size_t n = prefix_step(v->before + at, v->before_n - at, dashed);
        if (n == 0)
            break;
        dashed = v->before[at + n - 1] == '-';
        at = pl_min(at + n + 1, v->before_n);
    }
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
    v->in_string = true;
    v->rest = v->before + open + 1;
    v->rest_n = v->before_n - open - 1;
    char *end = strchr(v->after, '"');
    if (end) {
        *end = '\0';
        v->after_n = (size_t)(end - v->after);
    }
}

static sight look(const pl__place *p)
{
    sight v = {.p = p};
    size_t begin = p->begin - p->line > SIDE - 8 ? p->begin - (SIDE - 8) : p->line;
    v.before_n = clean_side(p->s + begin, p->begin - begin, v.before, sizeof v.before - 1);
    memcpy(v.before + v.before_n, " ", 2); /* so that a word there ends in a space as elsewhere */
    size_t end = pl__line_end(p->s, p->n, p->end);
    bool space = p->end < p->n && (p->s[p->end] == ' ' || p->s[p->end] == '\t');
    v.after[0] = ' ';
    v.after_n = space + clean_side(p->s + p->end, pl_min(end - p->end, SIDE - 8), v.after + space, sizeof v.after - space);
    if (v.after_n == 1 && v.after[0] == ' ')
        v.after_n = 0;
    v.after[v.after_n] = '\0';
    find_rest(&v);
    return v;
}

/* The character that touches the key, ' ' when none does. */
static char touching(const sight *v)
{
    const pl__place *p = v->p;
    bool apart = p->begin == p->line || p->s[p->begin - 1] == ' ' || p->s[p->begin - 1] == '\t';
    return apart || v->before_n == 0 ? ' ' : v->before[v->before_n - 1];
}

static bool any(const char *text, size_t n, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (pl__exact(text, n, words[i]))
            return true;
    return false;
}

static bool begins(const char *text, const char *word) { return strncmp(text, word, strlen(word)) == 0; }

static bool ends(const char *text, size_t n, const char *word)
{
    size_t w = strlen(word);
    return n >= w && memcmp(text + n - w, word, w) == 0;
}

/* The line under a frame of a traceback is source. */
static bool code_of_frame(const pl__place *p)
{
    if (p->line == 0 || p->begin - p->line < 4)
        return false;
    size_t end = p->line - 1, begin = pl__line_begin(p->s, end);
    return pl__exact(p->s + begin, end - begin, "\", line ") && pl__exact(p->s + begin, end - begin, "File \"");
}

static bool is_source(const sight *v)
{
    static const char *const words[] = {"raise ", "except ", "except(", "assert ", "print(", "printf(", "println", "logger.", "logging.", "log.error(", "log.warn", "log.info(",
        "warn(", "throw ", "catch ", "catch(", "EXPECT_", "ASSERT_", "TEST(", "TEST_", "def ", "#define", "#include", "static const", "std::string", "str(e", "str(err", "match=", "pytest.",
        "grep ", "regex", "re.search(", "re.match(", ".find(", "contains(", "startswith", "includes(", "in str", "== \"", "!= \"", "== '", "<!--", "\"\"\"", "self.assert", "echo ", "fprintf", "std::cerr",
        "cout <<", "console.", "lambda", " import ", "return \"", "return '", "return (", "return f", "elif ", " in e.", "f\"", "mock", "side_effect", "/**", "/*", "strcmp", "strstr", "case CU", "=> \"", "msg = ",
        "message = ", "TORCH_CHECK", "GGML_LOG", "LOG(", "GGML_ABORT", "std::runtime_error", "new Error(", "panic!(", "bail!(", "anyhow!(", "fmt.Errorf", "errors.New", "|| ", "if (", "if \"", "if '", "if not ", "if str"};
    if (any(v->before, v->before_n + 1, words, PL_COUNT(words)) || code_of_frame(v->p))
        return true;
    for (size_t at = 0; at + 1 < v->before_n; at++)
        if (v->before[at] == '/' && v->before[at + 1] == '/' && (at == 0 || v->before[at - 1] == ' '))
            return true;
    if (v->rest_n >= 5 && memcmp(v->rest, "case ", 5) == 0)
        return true;
    static const char *const after[] = {": return", " in str(", "\" in ", "' in ", "\" not in", "' not in", " in repr(", "\" in str", ") as e:", "\"));", "\"});"};
    return any(v->after, v->after_n, after, PL_COUNT(after));
}

/* The line below ends in a row of dashes: a heading. */
static bool underlined(const pl__place *p)
{
    char text[SIDE];
    size_t begin = pl__line_next(p->s, p->n, p->line_end), row = 0;
    if (begin < p->n && p->s[begin] == '"') /* ","stream":"stderr"}: the rest of a line of JSON */
        begin = pl__line_next(p->s, p->n, pl__line_end(p->s, p->n, begin));
    size_t end = pl__line_end(p->s, p->n, begin);
    size_t n = pl__clean(p->s + begin, pl_min(end - begin, SIDE - 1), text, sizeof text);
    char mark = n ? text[n - 1] : 0;
    while (row < n && text[n - row - 1] == mark)
        row++;
    bool apart = row == n || text[n - row - 1] == ' ' || text[n - row - 1] == '"';
    return (mark == '-' || mark == '=' || mark == '~') && row >= 3 && apart;
}

/* A row of a table. */
static bool tabular(const sight *v) { return memchr(v->before, '|', v->before_n) && memchr(v->after, '|', v->after_n); }

/* Headings, list items, comments, quotes: the marks of documentation at the start of a line. */
static bool is_document(const sight *v, unsigned traits)
{
    const char *s = v->rest;
    if (v->rest_n == 0)
        return underlined(v->p) || tabular(v);
    if (s[0] == '#' && !(traits & PL__CODE) && !begins(s, "##["))
        return true;
    if (tabular(v))
        return true;
    if (s[0] == '<' && v->rest_n > 2 && pl__letter(s[1]) && !begins(s, "<class") && v->before[v->before_n - 1] == '>')
        return true;
    return begins(s, "* ") || begins(s, "- ") || begins(s, "<li") || begins(s, "<h") || begins(s, "<p") || begins(s, "+ ") || begins(s, "+++") || begins(s, "; ");
}

static bool is_prose(const sight *v)
{
    static const char *const words[] = {" if ", "If ", " when ", "When ", " how to ", "How to ", "how to ", " fix", "Fix", "fix", " avoid", "Avoid", " prevent", " you ", "You ", " your ", " such as ", " like ",
        " may ", " might ", " e.g.", " known ", " common", "Common", " typical", " often ", " see ", "See ", " such ", " following ", " called ", " named ", " means ", " about ", " handle", "Handle", " catch",
        " should ", " would ", " stops with", " that ", " instead of ", " without ", " getting ", " got ", " issue", " bug", " workaround", " example", " possible", " causes ", "Why ", "Add ", "Added ", "Improve", "Support",
        " solve", "Solve", "this error", " an ", " are ", "Test", " test_", "Simulate", "simulate", " until ", " any ", "Any ", " helps", " against ", " on ROCm", "refactor", "docs", "What ", "- name"};
    return any(v->before, v->before_n + 1, words, PL_COUNT(words));
}

/* Even inside an error's wording: questions and instructions about it. */
static bool is_advice(const sight *v)
{
    static const char *const words[] = {"How to ", "how to ", " fix", "Fix ", "fix:", " avoid", "Avoid", "if you ", "If you ", "such as", "e.g.", "When you", "Why ", "workaround", "Handle ", "Test that", "Solution", "Troubleshoot", "In case of", "example:", "Example:", "means "};
    return any(v->before, v->before_n + 1, words, PL_COUNT(words));
}

static bool odd_quotes(const sight *v, char quote)
{
    size_t count = 0;
    for (size_t i = 0; i < v->before_n; i++)
        count += v->before[i] == quote;
    return count & 1;
}

/* The words stand in a string that structure opens ("error":"..., Generation("..., msg='...). */
static bool opens_string(const sight *v)
{
    size_t n = v->before_n;
    if (n < 2 || !(v->before[n - 1] == '"' || v->before[n - 1] == '\'') || !odd_quotes(v, v->before[n - 1]))
        return false;
    while (n > 0 && (v->before[n - 1] == '"' || v->before[n - 1] == '\'' || v->before[n - 1] == ' '))
        n--;
    return n > 0 && strchr(":=({,[", v->before[n - 1]);
}

static bool error_before(const sight *v)
{
    static const char *const words[] = {"rror", "RROR", "ailed", "AILED", "xception", "FATAL", "Fatal", "fatal", "WARN", "Warn", "warn", "failure", "Failure", "what()", "ABORT", "abort", "terminate called",
        "could not", "Could not", "unable", "Unable", "[E]", "[W]", "[F]", " E ", " F ", "panic", "skipped", "Killed", "killed", "OOM"};
    return any(v->rest, v->rest_n + 1, words, PL_COUNT(words));
}

/* The message's words are over, or go on as messages do. */
static bool ends_as_message(const sight *v)
{
    static const char *const go_on[] = {" (", " at ", " when ", " in ", " while ", " trying ", " on ", " during ", " [", " - ", " for ", " -- ", " | ", " error ", " #", " Try", " by ", " after "};
    if (v->after_n == 0 || strchr(".:;,)!]}\"'`|<\n", v->after[0]))
        return true;
    for (size_t i = 0; i < PL_COUNT(go_on); i++)
        if (begins(v->after, go_on[i]))
            return true;
    return v->after[0] == ' ' && v->after_n > 1 && strchr(":.;|(\"'", v->after[1]);
}

static bool as_error(const sight *v, unsigned traits)
{
    if (is_source(v) || is_document(v, traits) || is_advice(v))
        return false;
    char last = v->before_n ? v->before[v->before_n - 1] : 0;
    if (v->rest_n == 0 || (v->rest_n == 1 && last == '('))
        return ends_as_message(v);
    if (opens_string(v))
        return true;
    if (last == '`' || ((last == '"' || last == '\'') && odd_quotes(v, last)))
        return pl__exact(v->before, v->before_n, "terminate called") || (v->before_n == 1 && ends_as_message(v));
    if (last == ':' || last == ']' || last == '|' || last == '>' || last == '=')
        return error_before(v) || !is_prose(v);
    if (last == '(' || last == ',' || last == '-' || last == ')' || last == '.')
        return error_before(v) && !is_prose(v);
    return error_before(v) && !is_prose(v) && ends_as_message(v);
}

/* Nothing but a prefix of the logger before, nothing after. */
static bool alone_on_line(const sight *v)
{
    bool closes = v->after[0] == '"' && (v->after_n == 1 || strchr(",}]", v->after[1]));
    bool nothing_after = v->after_n == 0 || closes || strcmp(v->after, ".") == 0 || strcmp(v->after, "!") == 0;
    char last = v->rest_n ? v->before[v->before_n - 1] : 0;
    bool prefix = v->rest_n == 0 || ((last == ':' || last == '|' || last == ']' || last == '>') && v->rest_n < 120 && !is_prose(v) && !is_source(v) && !is_document(v, 0));
    return nothing_after && prefix;
}

/* ---- checked by name ---- */

/* Something else than memory ended the job: a time limit, a person, a container told to stop. */
static bool other_reason(const pl__place *p)
{
    static const char *const words[] = {"TIME LIMIT", "time limit", "DUE TO", "kill -9", "pkill", "PREEMPT", "preempt", "docker stop", "docker kill", "\"OOMKilled\": false", "\"OOMKilled\":false",
        "iveness probe", "OOMKilled=false", "walltime", "Keyboard", "kill -KILL", "OOMKilled: false", "OOMKilled:false", "scancel", "timeout: sending signal", "timed out after", "was cancelled by", "Stopping 1/", "due to timeout"};
    size_t begin = p->begin > AROUND ? p->begin - AROUND : 0, end = pl_min(p->n, p->end + AROUND);
    return any(p->s + begin, end - begin, words, PL_COUNT(words));
}

static bool all_digits(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!pl__digit(s[i]))
            return false;
    return n > 0;
}

/* The last word of the text before: its start. */
static size_t last_word(const sight *v, size_t end)
{
    while (end > 0 && v->before[end - 1] != ' ')
        end--;
    return end;
}

/* "line 28:  8156 Killed  python3 main.py", "zsh: killed  python", "[1]+  Killed  python", "Killed" */
static bool shell_killed(const sight *v)
{
    const pl__place *p = v->p;
    bool upper = p->s[p->begin] == 'K';
    bool spaces = p->end + 1 < p->n && p->s[p->end] == ' ' && p->s[p->end + 1] == ' ';
    size_t word = last_word(v, v->before_n);
    bool pid = all_digits(v->before + word, v->before_n - word);
    bool job = v->before_n > 2 && v->before[0] == '[' && pl__digit(v->before[1]);
    if (upper && (v->after_n == 0 || strcmp(v->after, ": 9") == 0 || begins(v->after, " (core")))
        return alone_on_line(v) || strcmp(v->after, ": 9") == 0 || pid || job || ends(v->before, v->before_n, "]");
    if (spaces)
        return pid || job || (v->rest_n == 4 && memcmp(v->rest, "zsh:", 4) == 0) || (upper && v->rest_n == 0);
    return upper && pid && pl__exact(v->before, v->before_n, "line ") && v->after[0] == ' ';
}

static bool container_reason(const sight *v)
{
    char value[16]; /* "OOMKilled": true */
    size_t n_value = pl__clean(v->p->s + v->p->end, pl_min(v->p->n - v->p->end, 9), value, sizeof value);
    if (pl__exact(value, n_value, "tru"))
        return true;
    if (pl__exact(value, n_value, "fal") || is_source(v))
        return false;
    size_t n = v->before_n;
    while (n > 0 && (v->before[n - 1] == '"' || v->before[n - 1] == ' ' || v->before[n - 1] == '\'' || v->before[n - 1] == ':' || v->before[n - 1] == '='))
        n--;
    if (n >= 6 && (ends(v->before, n, "eason") || ends(v->before, n, "EASON") || ends(v->before, n, "tatus") || ends(v->before, n, "tate")))
        return true;
    size_t word = last_word(v, v->before_n);
    bool ready = v->before_n - word >= 3 && pl__digit(v->before[word]) && memchr(v->before + word, '/', v->before_n - word); /* 0/1 of kubectl get pods */
    return ready || (v->rest_n == 0 && v->after_n == 0) || (pl__exact(v->before, n, "137") && !is_prose(v)) || (pl__exact(v->after, v->after_n, "137") && !is_prose(v));
}

static bool signal_nine(const sight *v)
{
    if (!ends_as_message(v) || is_source(v) || is_document(v, 0) || is_prose(v))
        return false;
    if (v->rest_n == 0 && v->after_n > 0 && v->after[0] == ' ' && v->after[1] != '(')
        return false;
    size_t begin = v->p->begin > 240 ? v->p->begin - 240 : 0;
    size_t reason = pl__find(v->p->s + begin, v->p->begin - begin, "Reason:");
    if (reason != SIZE_MAX) { /* of Kubernetes: it would say OOMKilled */
        char text[64];
        pl__clean(v->p->s + begin + reason + 7, pl_min(v->p->begin - begin - reason - 7, 40), text, sizeof text);
        if (begins(text, "Error") || begins(text, "Completed") || begins(text, "ContainerStatusUnknown"))
            return false;
    }
    return !other_reason(v->p);
}

static bool python_class(const sight *v)
{
    char last = touching(v);
    if (pl__word(last) || is_source(v) || is_document(v, 0) || !(v->after_n == 0 || v->after[0] == ':' || strcmp(v->after, "()") == 0))
        return false;
    size_t n = v->rest_n;
    while (last == '.' && n > 0 && (pl__word(v->rest[n - 1]) || v->rest[n - 1] == '.')) /* module.path. */
        n--;
    while (n > 0 && v->rest[n - 1] == ' ')
        n--;
    return n == 0 || (strchr(":|]>)-", v->rest[n - 1]) && !is_prose(v)) || ends(v->rest, n, "ERROR") || ends(v->rest, n, "error");
}

static bool slurm_state(const sight *v)
{
    if (pl__word(touching(v)) || is_source(v) || is_prose(v))
        return false;
    return pl__exact(v->before, v->before_n, "State") || pl__exact(v->before, v->before_n, "Reason=") || pl__digit(v->before[0]) || pl__exact(v->before, v->before_n, "STATE");
}

/* The line above or below tells of a failure. */
static bool beside_failure(const pl__place *p)
{
    static const char *const words[] = {"ailed", "rror", "RROR", "ggml", "cuda", "CUDA", "abort", "metal", "alloc"};
    size_t end = p->line ? p->line - 1 : 0, begin = pl__line_begin(p->s, end);
    size_t next = pl_min(p->n, p->line_end + 1), next_end = pl__line_end(p->s, p->n, next);
    return (p->line && end > begin && any(p->s + begin, end - begin, words, PL_COUNT(words))) || (next < p->n && any(p->s + next, next_end - next, words, PL_COUNT(words)));
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
static bool two_words(const sight *v)
{
    bool over = v->after_n == 0 || strcmp(v->after, ".") == 0 || strcmp(v->after, "!") == 0 || begins(v->after, "\n");
    if (!over || is_source(v) || is_document(v, 0) || is_prose(v))
        return false;
    if (v->rest_n == 0)
        return beside_failure(v->p);
    char last = v->rest[v->rest_n - 1];
    return (last == ':' || last == '-' || last == ',') && error_before(v);
}

static bool special(const pl__wording *w, const sight *v, const pl__figures *f)
{
    const char *name = w->name;
    if (begins(name, "exit-"))
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
        return v->after_n == 0 && (v->rest_n == 0 || pl__exact(v->before, v->before_n, "memory.") || pl__exact(v->before, v->before_n, "cgroup"));
    if (strcmp(name, "alone") == 0 || strcmp(name, "lua") == 0)
        return two_words(v);
    if (strcmp(name, "ray-workers") == 0)
        return some_workers(v->p);
    if (strcmp(name, "earlyoom-old") == 0)
        return pl__exact(v->after, v->after_n, "VmRSS") || pl__exact(v->after, v->after_n, "badness");
    if (strcmp(name, "systemd-oomd") == 0)
        return pl__exact(v->before, v->before_n, "Killed ");
    if (begins(name, "ggml-fit"))
        return f->value[PL__REQUESTED] > f->value[PL__FREE];
    return false;
}

/* A library's status: after words of failure, or as the last thing of "handle: STATUS". */
static bool named_by_error(const sight *v)
{
    bool last = v->rest_n > 4 && v->rest[v->rest_n - 1] == ':' && v->after_n == 0 && !is_prose(v) && !pl__has(v->rest, v->rest_n, "return") && !pl__has(v->rest, v->rest_n, "values");
    return error_before(v) || opens_string(v) || last || begins(v->after, " when calling");
}

bool pl__credible(const pl__wording *w, const pl__place *p, const pl__figures *f, size_t figure_count)
{
    sight v = look(p);
    size_t near = p->begin > 160 ? p->begin - 160 : 0;
    if (w->family == PL__CPU && pl__exact(p->s + near, p->begin - near, "mlock"))
        return false; /* a limit on locked pages, not a shortage */
    size_t next = p->end;
    while (next < p->n && next < p->end + 8 && (unsigned char)p->s[next] <= ' ')
        next++;
    if (p->n - next > 13 && memcmp(p->s + next, "in static TLS", 13) == 0)
        return false; /* the loader's own small table */
    if ((w->traits & PL__COUNTED) && f->value[PL__COUNT] == 0)
        return false;
    if (w->traits & PL__SPECIAL)
        return special(w, &v, f);
    switch (w->traits & PL__GUARD) {
    case PL__ERROR: return as_error(&v, w->traits);
    case PL__WORD: return alone_on_line(&v);
    case PL__NEEDS: return !is_source(&v) && !is_document(&v, w->traits) && !is_advice(&v) && named_by_error(&v);
    default: return figure_count > 1 || !(is_source(&v) || is_document(&v, w->traits) || is_advice(&v));
    }
}
