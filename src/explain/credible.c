/* A message, or something that only names one: source code, tests, documentation, a setting, a count
 * of zero. What is asked of the surroundings is stated in the table (traits) and checked here. When
 * in doubt the answer is no: a log that ran out of memory mostly says so more than once. */
#include "explain/sight.h"

#include <string.h>

/* The line under a frame of a traceback is source. */
static bool code_of_frame(const pl__place *p)
{
    size_t begin, end;
    if (p->begin - p->line < 4 || !pl__line_above(p->s, p->line, &begin, &end))
        return false;
    return pl__exact(p->s + begin, end - begin, "\", line ") && pl__exact(p->s + begin, end - begin, "File \"");
}

bool pl__is_source(const pl__sight *v)
{
    static const char *const words[] = {"raise ", "except ", "except(", "assert ", "print(", "printf(", "println", "logger.", "logging.", "log.error(",
        "log.warn", "log.info(", "warn(", "throw ", "catch ", "catch(", "EXPECT_", "ASSERT_", "TEST(", "TEST_", "def ", "#define", "#include", "static const",
        "std::string", "str(e", "str(err", "match=", "pytest.", "grep ", "regex", "re.search(", "re.match(", ".find(", "contains(", "startswith", "includes(",
        "in str", "== \"", "!= \"", "== '", "<!--", "\"\"\"", "self.assert", "echo ", "fprintf", "std::cerr", "cout <<", "console.", "lambda", " import ",
        "return \"", "return '", "return (", "return f", "elif ", " in e.", "f\"", "mock", "side_effect", "/**", "/*", "strcmp", "strstr", "case CU", "=> \"",
        "msg = ", "message = ", "TORCH_CHECK", "GGML_LOG", "LOG(", "GGML_ABORT", "throw_exception(", "_THROW(", "die(", "new Error(", "panic!(", "bail!(",
        "anyhow!(", "fmt.Errorf", "errors.New", "|| ", "if (", "if \"", "if '", "if not ", "if str"};
    if (pl__any(v->before, v->before_n + 1, words, PL_COUNT(words)) || code_of_frame(v->p))
        return true;
    if (pl__exact(v->before, v->before_n, "std::runtime_error") && !pl__exact(v->before, v->before_n, "of type "))
        return true; /* the C++ runtime says "uncaught exception of type std::runtime_error:" */
    for (size_t at = 0; at + 1 < v->before_n; at++)
        if (v->before[at] == '/' && v->before[at + 1] == '/' && (at == 0 || v->before[at - 1] == ' '))
            return true;
    if (v->rest_n >= 5 && memcmp(v->rest, "case ", 5) == 0)
        return true;
    if (pl__begins(v->after, "()") || pl__begins(v->after, ");") || strcmp(v->after, ",") == 0 || pl__begins(v->after, ", /*"))
        return true;
    if (pl__begins(v->after, "::") || (v->rest_n > 1 && v->rest[0] == '(' && v->rest[1] == '"'))
        return true; /* ("NAME", "OTHER_NAME"), */
    static const char *const after[] = {
        ": return", " in str(", "\" in ", "' in ", "\" not in", "' not in", " in repr(", "\" in str", ") as e:", "\"));", "\"});"};
    return pl__any(v->after, v->after_n, after, PL_COUNT(after));
}

/* A class alone on a line that is indented: an item of a list in source code. */
static bool listed(const pl__sight *v)
{
    const char *line = v->p->s + v->p->line;
    size_t n = v->p->begin - v->p->line;
    return v->after_n == 0 && n >= 4 && memcmp(line, "    ", 4) == 0 && v->rest_n == 0 && pl__begins(v->p->s + v->p->begin, "torch.");
}

/* The line below ends in a row of dashes: a heading. */
static bool underlined(const pl__place *p)
{
    char text[PL__SIDE];
    size_t begin = pl__line_next(p->s, p->n, p->line_end), row = 0;
    if (begin < p->n && p->s[begin] == '"') /* ","stream":"stderr"}: the rest of a line of JSON */
        begin = pl__line_next(p->s, p->n, pl__line_end(p->s, p->n, begin));
    size_t end = pl__line_end(p->s, p->n, begin);
    size_t n = pl__clean(p->s + begin, pl_min(end - begin, PL__SIDE - 1), text, sizeof text);
    char mark = n ? text[n - 1] : 0;
    while (row < n && text[n - row - 1] == mark)
        row++;
    bool apart = row == n || !pl__word(text[n - row - 1]);
    return (mark == '-' || mark == '=' || mark == '~') && row >= 3 && apart;
}

/* A row of a table. */
static bool tabular(const pl__sight *v) { return memchr(v->before, '|', v->before_n) && memchr(v->after, '|', v->after_n); }

/* Headings, list items, comments, quotes: the marks of documentation at the start of a line. */
bool pl__is_document(const pl__sight *v, unsigned traits)
{
    const char *s = v->rest;
    bool tag = v->before_n > 2 && v->before[0] == '<' && pl__letter(v->before[1]) && v->before[v->before_n - 1] == '"'; /* <a id="... */
    if (v->rest_n == 0)
        return underlined(v->p) || tabular(v) || tag;
    if (s[0] == '#' && !(traits & PL__CODE) && !pl__begins(s, "##["))
        return true;
    if (tabular(v))
        return true;
    static const char *const tags[] = {"<p", "<a ", "<li", "<h", "<td", "<tr", "<code", "<pre", "<div", "<span", "<b>", "<em"};
    for (size_t i = 0; i < PL_COUNT(tags); i++)
        if (pl__begins(s, tags[i]))
            return true;
    if (s[0] == '<' && v->rest_n > 2 && pl__letter(s[1]) && !pl__begins(s, "<class") && v->before[v->before_n - 1] == '>')
        return true;
    return pl__begins(s, "* ") || pl__begins(s, "- ") || pl__begins(s, "<li") || pl__begins(s, "<h") || pl__begins(s, "<p") || pl__begins(s, "+ ") ||
        pl__begins(s, "+++") || pl__begins(s, "; ");
}

bool pl__is_prose(const pl__sight *v)
{
    static const char *const words[] = {" if ", "If ", " when ", "When ", " how to ", "How to ", "how to ", " fix", "Fix", "fix", " avoid", "Avoid", " prevent",
        " you ", "You ", " your ", " such as ", " like ", " may ", " might ", " e.g.", " known ", " common", "Common", " typical", " often ", " see ", "See ",
        " such ", " following ", " called ", " named ", " means ", " about ", " handle", "Handle", " catch", " should ", " would ", " stops with", " that ",
        " instead of ", " without ", " getting ", " got ", " issue", " bug", " workaround", " example", " possible", " causes ", "Why ", "Add ", "Added ",
        "Improve", "Support", " solve", "Solve", "this error", " an ", " are ", "Test", " test_", "Simulate", "simulate", " until ", " any ", "Any ", " helps",
        " against ", " on ROCm", "refactor", "docs", "What ", "- name"};
    return pl__any(v->before, v->before_n + 1, words, PL_COUNT(words));
}

/* Even inside an error's wording: questions and instructions about it. */
static bool is_advice(const pl__sight *v)
{
    static const char *const words[] = {"How to ", "how to ", " fix", "Fix ", "fix:", " avoid", "Avoid", "if you ", "If you ", "such as", "e.g.", "When you",
        "Why ", "workaround", "Handle ", "Test that", "Solution", "Troubleshoot", "In case of", "example:", "Example:", "means "};
    return pl__any(v->before, v->before_n + 1, words, PL_COUNT(words));
}

static bool odd_quotes(const pl__sight *v, char quote)
{
    size_t count = 0;
    for (size_t i = 0; i < v->before_n; i++)
        count += v->before[i] == quote;
    return count & 1;
}

/* The words stand in a string that structure opens ("error":"..., Generation("..., msg='...). */
static bool opens_string(const pl__sight *v)
{
    size_t n = v->before_n;
    if (n < 2 || !(v->before[n - 1] == '"' || v->before[n - 1] == '\'') || !odd_quotes(v, v->before[n - 1]))
        return false;
    while (n > 0 && (v->before[n - 1] == '"' || v->before[n - 1] == '\'' || v->before[n - 1] == ' '))
        n--;
    return n > 0 && strchr(":=({,[", v->before[n - 1]);
}

bool pl__error_before(const pl__sight *v)
{
    static const char *const words[] = {"rror", "RROR", "ailed", "AILED", "xception", "FATAL", "Fatal", "fatal", "WARN", "Warn", "warn", "failure", "Failure",
        "what()", "ABORT", "abort", "terminate called", "could not", "Could not", "unable", "Unable", "[E]", "[W]", "[F]", " E ", " F ", "panic", "skipped",
        "Killed", "killed", "OOM"};
    return pl__any(v->rest, v->rest_n + 1, words, PL_COUNT(words));
}

/* The message's words are over, or go on as messages do. */
bool pl__ends_as_message(const pl__sight *v)
{
    static const char *const go_on[] = {" (", " at ", " when ", " in ", " while ", " trying ", " on ", " during ", " [", " - ", " for ", " -- ", " | ",
        " error ", " #", " Try", " by ", " after "};
    if (v->after_n == 0 || strchr(".:;,)!]}\"'`|<\n", v->after[0]))
        return true;
    for (size_t i = 0; i < PL_COUNT(go_on); i++)
        if (pl__begins(v->after, go_on[i]))
            return true;
    return v->after[0] == ' ' && v->after_n > 1 && strchr(":.;|(\"'", v->after[1]);
}

static bool as_error(const pl__sight *v, unsigned traits)
{
    if (pl__is_source(v) || pl__is_document(v, traits) || is_advice(v) || listed(v))
        return false;
    if (pl__begins(v->after, "?") || pl__begins(v->after, "\"?") || pl__begins(v->after, "'?") || pl__begins(v->after, "\" - "))
        return false; /* a question about it, a page's title */
    char last = v->before_n ? v->before[v->before_n - 1] : 0;
    if (v->rest_n == 0 || (v->rest_n == 1 && last == '('))
        return pl__ends_as_message(v);
    if (opens_string(v))
        return true;
    if (last == '`' || ((last == '"' || last == '\'') && odd_quotes(v, last)))
        return pl__exact(v->before, v->before_n, "terminate called") ||
            (v->before_n == 1 && v->after_n > 0 && strchr("\"'`", v->after[0]) && (v->after_n == 1 || strchr(",.;:)]}", v->after[1])));
    if (last == ':' || last == ']' || last == '|' || last == '>' || last == '=')
        return pl__error_before(v) || !pl__is_prose(v);
    if (last == '(' || last == ',' || last == '-' || last == ')' || last == '.')
        return pl__error_before(v) && !pl__is_prose(v);
    return pl__error_before(v) && !pl__is_prose(v) && pl__ends_as_message(v);
}

/* Nothing but a prefix of the logger before, nothing after. */
bool pl__alone_on_line(const pl__sight *v)
{
    bool closes = v->after[0] == '"' && (v->after_n == 1 || strchr(",}]", v->after[1]));
    bool nothing_after = v->after_n == 0 || closes || strcmp(v->after, ".") == 0 || strcmp(v->after, "!") == 0;
    char last = v->rest_n ? v->before[v->before_n - 1] : 0;
    bool prefix = v->rest_n == 0 ||
        ((last == ':' || last == '|' || last == ']' || last == '>') && v->rest_n < 120 && !pl__is_prose(v) && !pl__is_source(v) && !pl__is_document(v, 0));
    return nothing_after && prefix;
}

/* The line above, as wide as a terminal's at least, is a logger's or an exception's and tells of a failure:
 * wrapped there. */
static bool wrapped_error(const pl__sight *v)
{
    enum { NARROWEST = 60 };
    const pl__place *p = v->p;
    size_t begin, end;
    if (v->rest_n > NARROWEST || !pl__line_above(p->s, p->line, &begin, &end))
        return false;
    if (end - begin < NARROWEST || end - begin >= PL__SIDE)
        return false;
    char text[PL__SIDE];
    size_t n = pl__clean(p->s + begin, end - begin, text, sizeof text), prefix = pl__prefix_bytes(text, n);
    static const char *const words[] = {"rror", "ailed to", "ould not ", "nable to "};
    bool raised = pl__exact(text, n, "Error: "); /* of an exception, which has no prefix */
    return (prefix > 0 || raised) && pl__any(text + prefix, n - prefix, words, PL_COUNT(words));
}

/* A library's status: after words of failure, or as the last thing of "handle: STATUS". */
static bool named_by_error(const pl__sight *v)
{
    bool last = v->rest_n > 4 && v->rest[v->rest_n - 1] == ':' && v->after_n == 0 && !pl__is_prose(v) && !pl__has(v->rest, v->rest_n, "return") &&
        !pl__has(v->rest, v->rest_n, "values");
    return pl__error_before(v) || opens_string(v) || last || wrapped_error(v) || pl__begins(v->after, " when calling") || pl__begins(v->after, ", error code");
}

/* After the key come these letters, spaces and line breaks aside. */
static bool goes_on(const pl__place *p, const char *letters)
{
    size_t at = p->end;
    for (; *letters; letters++, at++) {
        while (at < p->n && (unsigned char)p->s[at] <= ' ')
            at++;
        if (at >= p->n || p->s[at] != *letters)
            return false;
    }
    return true;
}

bool pl__credible(const pl__wording *w, const pl__place *p, const pl__figures *f, size_t figure_count)
{
    pl__sight v;
    pl__look(p, &v);
    size_t near = p->begin > 160 ? p->begin - 160 : 0;
    if (w->family == PL__CPU && (pl__exact(p->s + near, p->begin - near, "mlock") || pl__exact(p->s + near, p->begin - near, "ibv_reg_mr")))
        return false; /* a limit on locked pages, not a shortage */
    if (goes_on(p, "instaticTLS"))
        return false; /* the loader's own small table */
    if (pl__letter(w->key[w->key[0] == '^']) && pl__word(pl__touching(&v)))
        return false; /* the end of a longer word */
    if ((w->traits & PL__COUNTED) && f->value[PL__COUNT] == 0)
        return false;
    if (w->traits & PL__SPECIAL)
        return pl__special(w, &v, f);
    switch (w->traits & PL__GUARD) {
    case PL__ERROR: return as_error(&v, w->traits);
    case PL__WORD: return pl__alone_on_line(&v);
    case PL__NEEDS: return !pl__is_source(&v) && !pl__is_document(&v, w->traits) && !is_advice(&v) && named_by_error(&v);
    default: return figure_count > 1 || !(pl__is_source(&v) || pl__is_document(&v, w->traits) || is_advice(&v));
    }
}
