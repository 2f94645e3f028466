#include "train/labels.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MOST_LABELS = 1 << 16, NUMBER_BYTES = 32, SHOWN = 100 };
static const char ignored[] = "-100";

/* ---- what a label looks like ---- */

typedef enum form { NAME, INTEGER, LARGE, REAL } form; /* LARGE: whole, but not exact in a double */

/* How many digits a whole number has; 0: it is none. */
static size_t digits_of(const char *text, size_t n)
{
    size_t sign = n > 0 && (text[0] == '-' || text[0] == '+'), digits = 0;
    while (sign + digits < n && text[sign + digits] >= '0' && text[sign + digits] <= '9')
        digits++;
    return sign + digits == n ? digits : 0;
}

static form form_of(const pl_label *l)
{
    enum { EXACT = 15 };
    double number;
    size_t digits = l->name ? 0 : digits_of(l->text, l->bytes);
    if (digits > 0)
        return digits <= EXACT ? INTEGER : LARGE;
    return !l->name && pl_double_parse(l->text, l->bytes, &number) && isfinite(number) ? REAL : NAME;
}

/* What numbers are written like that are none, by Python for one. */
static bool is_infinite(const pl_label *l)
{
    static const char *const words[] = {"nan", "inf", "infinity"};
    double number;
    if (!l->name && pl_double_parse(l->text, l->bytes, &number) && !isfinite(number)) /* 1e999 */
        return true;
    size_t sign = l->bytes > 0 && (l->text[0] == '-' || l->text[0] == '+');
    for (size_t i = 0; i < PL_COUNT(words) && !l->name; i++)
        if (l->bytes - sign == strlen(words[i]) && strncasecmp(l->text + sign, words[i], l->bytes - sign) == 0)
            return true;
    return false;
}

static bool is_bracketed(const pl_label *l) { return !l->name && l->bytes >= 2 && l->text[0] == '[' && l->text[l->bytes - 1] == ']'; }

pl_status pl__label_look_add(pl__label_look *look, const pl_example *x, pl_error *e)
{
    if (!x->list && x->label_count != 1)
        return pl_fail(e, PL_BAD_INPUT, "%s", x->label_count ? "several labels for one text, a list would say so" : "there is no label");
    for (size_t i = 0; i < x->label_count; i++) {
        const pl_label *l = &x->labels[i];
        if (l->bytes == 0)
            return pl_fail(e, PL_BAD_INPUT, "the label is empty");
        if (pl_utf8_valid(l->text, l->bytes) < l->bytes || memchr(l->text, '\0', l->bytes))
            return pl_fail(e, PL_BAD_INPUT, "the label is no text in UTF-8");
        form f = form_of(l);
        look->names += f == NAME;
        look->integers += f == INTEGER;
        look->large += f == LARGE;
        look->reals += f == REAL;
        look->bracketed += !x->list && is_bracketed(l);
        if (f == NAME && is_infinite(l) && look->infinite++ == 0)
            look->infinite_line = x->text.line;
    }
    look->lists += x->list;
    look->texts++;
    return PL_OK;
}

/* ---- the labels of a record, one by one, as they are compared ---- */

typedef struct each {
    const pl__labels *l;
    const pl__example *x;
    uint32_t next, at; /* label of the record, and where it stands */
    const char *rest;  /* of a table's list */
    size_t rest_bytes;
    char number[NUMBER_BYTES];
} each;

/* The next part of "a, b" or ["a", 'b']. */
static bool next_part(each *it, pl_label *out)
{
    pl_list_part part;
    if (!pl_list_next(&it->rest, &it->rest_bytes, &part))
        return false;
    *out = (pl_label){part.text, part.bytes, part.quoted};
    return true;
}

/* "01", "+1" and "1.0" are 1 where classes are numbers. */
static void make_canonical(each *it, pl_label *l)
{
    double number;
    if (!it->l->numbers || !pl_double_parse(l->text, l->bytes, &number) || number != floor(number) || fabs(number) > 1e15)
        return;
    int n = snprintf(it->number, sizeof it->number, "%.0f", number == 0 ? 0.0 : number);
    *l = (pl_label){it->number, (size_t)n, false};
}

static bool next_label(each *it, pl_label *out)
{
    bool found = it->rest_bytes > 0 && next_part(it, out);
    while (!found && it->next < it->x->head.labels) {
        *out = pl__example_label(it->x, &it->at);
        it->next++;
        found = !it->l->split || it->x->head.list || out->name; /* a string of JSON is one name */
        if (!found) {
            it->rest = out->text;
            it->rest_bytes = out->bytes;
            found = next_part(it, out);
        }
    }
    if (found)
        make_canonical(it, out);
    return found;
}

static bool is_ignored(const pl__labels *l, const pl_label *label)
{
    return l->problem == PL_PROBLEM_SINGLE && l->numbers && label->bytes == sizeof ignored - 1 && memcmp(label->text, ignored, sizeof ignored - 1) == 0;
}

/* ---- the table ---- */

static uint32_t *slot_of(const pl__labels *l, const char *text, size_t n)
{
    uint32_t at = (uint32_t)pl__digest_of(text, n, 0) & (l->slot_count - 1);
    while (l->slots[at]) {
        const char *name = l->names[l->slots[at] - 1];
        if (strlen(name) == n && memcmp(name, text, n) == 0)
            break;
        at = (at + 1) & (l->slot_count - 1);
    }
    return &l->slots[at];
}

static pl_status grow(pl__labels *l, uint32_t room, pl_region *region, pl_error *e)
{
    const char **names = pl_region_take(region, room * sizeof *names);
    l->slots = pl_region_take(region, 2 * (size_t)room * sizeof *l->slots);
    l->slot_count = 2 * room;
    if (!names || !l->slots)
        return pl_fail_no_memory(e, room * sizeof *names, "the labels");
    if (l->found)
        memcpy(names, l->names, l->found * sizeof *names);
    l->names = names;
    for (uint32_t i = 0; i < l->found; i++)
        *slot_of(l, names[i], strlen(names[i])) = i + 1;
    return PL_OK;
}

static pl_status add(pl__labels *l, const pl_label *label, pl_region *region, pl_error *e)
{
    uint32_t *slot = slot_of(l, label->text, label->bytes);
    if (*slot)
        return PL_OK;
    if (l->found == MOST_LABELS)
        return pl_fail(
            e, PL_BAD_INPUT, "more than %d different labels; is --label-column the right one? Numbers to be predicted as such are written 1.0", MOST_LABELS);
    char *name = pl_region_string(region, label->text, label->bytes);
    if (!name)
        return pl_fail_no_memory(e, label->bytes, "the labels");
    l->names[l->found++] = name;
    *slot = l->found;
    return 2 * l->found < l->slot_count ? PL_OK : grow(l, l->slot_count, region, e);
}

/* A list names the labels that a text has. [0, 1, 1] says of each label whether the text has it, and
 * [0.2, 1.5] gives numbers to be predicted, or likelihoods: none of them are names. */
static pl_status check_list(const pl__labels *l, const pl__example *x, const char *name, pl_error *e)
{
    each it = {.l = l, .x = x};
    pl_label label;
    double number;
    uint64_t count = 0;
    bool bits = true;
    for (; next_label(&it, &label); count++) {
        bool is_number = pl_double_parse(label.text, label.bytes, &number);
        bits = bits && is_number && (number == 0 || number == 1);
        if (!label.name && is_number && number != floor(number))
            return pl_fail(e, PL_BAD_INPUT,
                "%s: line %llu: %.*s in a list of labels; it should name those that the text has, numbers with a fraction in quotes", name,
                (unsigned long long)x->head.line, (int)pl_min(label.bytes, SHOWN), label.text);
    }
    if (!bits || count <= 2)
        return PL_OK;
    return pl_fail(
        e, PL_BAD_INPUT, "%s: line %llu: a list of zeros and ones; it should name the labels that the text has", name, (unsigned long long)x->head.line);
}

static pl_status collect(pl__labels *l, const pl__label_source *from, pl_region *region, pl_error *e)
{
    pl_status s = grow(l, 16, region, e);
    for (uint64_t at = from->first; at < from->end && !s;) {
        pl__example x;
        pl_label label;
        pl_error inner;
        s = pl__spool_read(from->spool, at, from->memory, &x, e);
        if (s)
            break;
        at += x.head.bytes;
        each it = {.l = l, .x = &x};
        s = l->problem == PL_PROBLEM_MULTI ? check_list(l, &x, from->name, e) : PL_OK;
        while (!s && next_label(&it, &label))
            if (!is_ignored(l, &label)) {
                s = add(l, &label, region, &inner);
                if (s)
                    pl_fail(e, s, "%s: line %llu: %s", from->name, (unsigned long long)x.head.line, inner.text);
            }
    }
    return s;
}

/* ---- order ---- */

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static int by_number(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    double m = 0, n = 0;
    pl_double_parse(x, strlen(x), &m);
    pl_double_parse(y, strlen(y), &n);
    return m < n ? -1 : m > n ? 1 : strcmp(x, y);
}

/* The folder's labels are exactly those of the data, each once; of a single one: it is among them. */
static pl_status folder_names_them(const pl__labels *l, const pl_folder *folder, pl_region *region, bool *out, pl_error *e)
{
    size_t count = pl_folder_labels(folder);
    uint32_t hits = 0;
    unsigned char *seen = pl_region_take(region, l->found);
    if (!seen)
        return pl_fail_no_memory(e, l->found, "the labels");
    for (size_t i = 0; i < count; i++) {
        const char *name = pl_folder_label(folder, i);
        uint32_t slot = *slot_of(l, name, strlen(name));
        if (slot && !seen[slot - 1]) {
            seen[slot - 1] = 1;
            hits++;
        }
    }
    *out = hits == l->found && (count == l->found || (l->found == 1 && l->problem == PL_PROBLEM_SINGLE));
    return PL_OK;
}

/* transformers wants two outputs at least of one label a text; one output is a regression. */
static pl_status add_second(pl__labels *l, pl_region *region, pl_error *e)
{
    const char *name = strcmp(l->names[0], "LABEL_1") == 0 ? "LABEL_0" : "LABEL_1";
    uint32_t found = l->found;
    pl_status s = add(l, &(pl_label){name, strlen(name), true}, region, e);
    l->count = l->found;
    l->found = found;
    return s;
}

static pl_status put_in_order(pl__labels *l, const pl_folder *folder, pl_region *region, pl_error *e)
{
    pl_status s = folder_names_them(l, folder, region, &l->of_folder, e);
    if (s)
        return s;
    l->count = l->found;
    if (l->of_folder) {
        l->count = (uint32_t)pl_folder_labels(folder);
        l->names = pl_region_take(region, l->count * sizeof *l->names);
        for (uint32_t i = 0; i < l->count && l->names; i++)
            l->names[i] = pl_folder_label(folder, i);
        if (!l->names)
            return pl_fail_no_memory(e, l->count * sizeof *l->names, "the labels");
        while (2 * l->count >= l->slot_count)
            l->slot_count *= 2;
        l->slots = pl_region_take(region, l->slot_count * sizeof *l->slots);
        if (!l->slots)
            return pl_fail_no_memory(e, l->slot_count * sizeof *l->slots, "the labels");
    } else {
        qsort(l->names, l->found, sizeof *l->names, l->numbers ? by_number : by_text);
        if (l->found == 1 && l->problem == PL_PROBLEM_SINGLE) {
            s = add_second(l, region, e);
            if (s)
                return s;
        }
    }
    memset(l->slots, 0, l->slot_count * sizeof *l->slots);
    for (uint32_t i = 0; i < l->count; i++)
        *slot_of(l, l->names[i], strlen(l->names[i])) = i + 1;
    return PL_OK;
}

/* ---- making ---- */

static pl_problem problem_of(const pl__label_look *look, const pl_folder *folder)
{
    if (pl_json_has(pl_folder_config(folder), "problem_type"))
        return pl_folder_problem(folder);
    if (look->lists || look->bracketed == look->texts)
        return PL_PROBLEM_MULTI;
    return look->names == 0 && look->reals > 0 ? PL_PROBLEM_REGRESSION : PL_PROBLEM_SINGLE;
}

pl_status pl__labels_make(const pl__label_look *look, const pl_folder *folder, const pl__label_source *from, pl_region *region, pl__labels *out, pl_error *e)
{
    assert(look->texts > 0);
    *out = (pl__labels){.problem = problem_of(look, folder), .numbers = look->names == 0 && look->large == 0};
    out->split = out->problem == PL_PROBLEM_MULTI && look->lists == 0;
    if (out->split)
        out->numbers = false;
    if (look->lists && out->problem != PL_PROBLEM_MULTI)
        return pl_fail(e, PL_BAD_INPUT, "%s: lists of labels, config.json's problem_type takes one a text", from->name);
    if (out->problem == PL_PROBLEM_SINGLE && look->reals > 0 && look->infinite > 0 && look->names == look->infinite)
        return pl_fail(
            e, PL_BAD_INPUT, "%s: line %llu: the labels are numbers, but this one is not finite", from->name, (unsigned long long)look->infinite_line);
    if (out->problem == PL_PROBLEM_REGRESSION) {
        out->count = 1;
        out->names = pl_region_take(region, sizeof *out->names);
        if (!out->names)
            return pl_fail_no_memory(e, sizeof *out->names, "the labels");
        out->names[0] = pl_folder_labels(folder) == 1 ? pl_folder_label(folder, 0) : "LABEL_0"; /* as transformers has it */
        return PL_OK;
    }
    pl_status s = collect(out, from, region, e);
    if (!s && out->found == 0)
        s = pl_fail(e, PL_BAD_INPUT, "%s: no text has a label that could be learned", from->name);
    return s ? s : put_in_order(out, folder, region, e);
}

pl_status pl__labels_assume(const pl_folder *folder, pl_region *region, pl__labels *out, pl_error *e)
{
    *out = (pl__labels){.problem = pl_folder_problem(folder), .count = (uint32_t)pl_folder_labels(folder), .of_folder = true};
    out->names = pl_region_take(region, out->count * sizeof *out->names);
    if (!out->names)
        return pl_fail_no_memory(e, out->count * sizeof *out->names, "the labels");
    for (uint32_t i = 0; i < out->count; i++)
        out->names[i] = pl_folder_label(folder, i);
    return PL_OK;
}

/* ---- right answers ---- */

static pl_status unknown(const pl__labels *l, const pl__example *x, const char *name, const pl_label *label, pl_error *e)
{
    char names[256];
    size_t used = 0;
    uint32_t i = 0;
    for (; i < l->count; i++) {
        int n = snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", l->names[i]);
        if (n < 0 || (size_t)n >= sizeof names - used)
            break;
        used += (size_t)n;
    }
    names[used] = '\0';
    pl_fail(e, PL_BAD_INPUT, "%s: line %llu: label '%.*s' is none of the %u that the training data has: %s%s", name, (unsigned long long)x->head.line,
        (int)pl_min(label->bytes, SHOWN), label->text, l->count, names, i < l->count ? ", ..." : "");
    return PL_BAD_INPUT;
}

static pl_status number_of(const pl__example *x, const char *name, double *number, pl_error *e)
{
    uint32_t at = 0;
    pl_label l = pl__example_label(x, &at);
    if (x->head.labels == 1 && pl_double_parse(l.text, l.bytes, number) && isfinite((float)*number))
        return PL_OK;
    return pl_fail(e, PL_BAD_INPUT, "%s: line %llu: label '%.*s' is no number, which a regression needs", name, (unsigned long long)x->head.line,
        (int)pl_min(l.bytes, SHOWN), l.text);
}

pl_status pl__labels_target(const pl__labels *l, const pl__example *x, const char *name, float *target, double *number, pl_error *e)
{
    if (l->problem == PL_PROBLEM_REGRESSION) {
        pl_status s = number_of(x, name, number, e);
        target[0] = s ? 0 : (float)*number;
        return s;
    }
    bool multi = l->problem == PL_PROBLEM_MULTI;
    if (multi)
        memset(target, 0, l->count * sizeof *target);
    else if (x->head.list || x->head.labels != 1)
        return pl_fail(e, PL_BAD_INPUT, "%s: line %llu: a list of labels, the training data has one a text", name, (unsigned long long)x->head.line);
    each it = {.l = l, .x = x};
    pl_label label;
    while (next_label(&it, &label)) {
        uint32_t slot = *slot_of(l, label.text, label.bytes);
        bool skip = is_ignored(l, &label);
        if (!slot && !skip)
            return unknown(l, x, name, &label, e);
        if (multi)
            target[slot - 1] = 1;
        else
            target[0] = skip ? (float)PL__LABEL_IGNORED : (float)(slot - 1);
    }
    return PL_OK;
}
