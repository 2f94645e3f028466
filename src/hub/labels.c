/* What a classifier's outputs are called: id2label, num_labels, problem_type of config.json. */
#include "hub/folder.h"

#include <stdio.h>
#include <string.h>

/* "0", "17": a whole number below count, written as numbers are. */
static bool read_id(const char *key, size_t count, size_t *id)
{
    size_t value = 0, n = strspn(key, "0123456789");
    if (n == 0 || n > 9 || key[n] || (n > 1 && key[0] == '0'))
        return false;
    for (size_t i = 0; i < n; i++)
        value = value * 10 + (size_t)(key[i] - '0');
    *id = value;
    return value < count;
}

static pl_status read_names(pl_folder *f, const json_t *names, pl_error *e)
{
    const char *path = f->config.path;
    if (!json_is_object(names) || json_object_size(names) == 0)
        return pl_fail(e, PL_BAD_INPUT, "%s: id2label: {\"0\": \"NAME\", ...} would be right", path);
    f->label_count = json_object_size(names);
    if (f->label_count > PL__MOST_LABELS)
        return pl_fail(e, PL_BAD_INPUT, "%s: id2label: more than %d labels", path, PL__MOST_LABELS);
    f->labels = pl__take(f, f->label_count * sizeof *f->labels, e);
    if (!f->labels)
        return PL_MACHINE;
    for (void *at = json_object_iter((json_t *)(uintptr_t)names); at; at = json_object_iter_next((json_t *)(uintptr_t)names, at)) {
        size_t id;
        if (!read_id(json_object_iter_key(at), f->label_count, &id))
            return pl_fail(
                e, PL_BAD_INPUT, "%s: id2label: key \"%s\", the numbers \"0\" to \"%zu\" would be right", path, json_object_iter_key(at), f->label_count - 1);
        const json_t *name = json_object_iter_value(at);
        char shown[64];
        if (!json_is_string(name) || strlen(json_string_value(name)) != json_string_length(name))
            return pl_fail(e, PL_BAD_INPUT, "%s: id2label: label %zu is %s, a string would be right", path, id, pl_json_show(name, shown));
        f->labels[id] = json_string_value(name); /* keys differ, so each id comes once */
    }
    return PL_OK;
}

/* LABEL_0, LABEL_1 ... as transformers calls them. */
static pl_status make_names(pl_folder *f, pl_error *e)
{
    enum { NAME_BYTES = 16 };
    f->labels = pl__take(f, f->label_count * sizeof *f->labels, e);
    char *text = f->labels ? pl__take(f, f->label_count * NAME_BYTES, e) : NULL;
    if (!text)
        return PL_MACHINE;
    for (size_t i = 0; i < f->label_count; i++, text += NAME_BYTES) {
        snprintf(text, NAME_BYTES, "LABEL_%u", (unsigned)i);
        f->labels[i] = text;
    }
    return PL_OK;
}

static pl_status read_problem(pl_folder *f, pl_error *e)
{
    static const char *const names[] = {
        [PL_PROBLEM_SINGLE] = "single_label_classification",
        [PL_PROBLEM_MULTI] = "multi_label_classification",
        [PL_PROBLEM_REGRESSION] = "regression",
    };
    const char *type;
    pl_status status = pl_json_text(f->config, "problem_type", NULL, &type, e);
    if (status)
        return status;
    f->problem = f->label_count == 1 ? PL_PROBLEM_REGRESSION : PL_PROBLEM_SINGLE;
    if (!type)
        return PL_OK;
    for (size_t i = 0; i < PL_COUNT(names); i++)
        if (strcmp(type, names[i]) == 0) {
            f->problem = (pl_problem)i;
            if (f->problem == PL_PROBLEM_SINGLE && f->label_count == 1)
                return pl_fail(e, PL_BAD_INPUT, "%s: problem_type: %s needs two labels or more, one is regression", f->config.path, type);
            return PL_OK;
        }
    return pl_fail(e, PL_BAD_INPUT, "%s: problem_type: is \"%s\", %s, %s or %s would be right", f->config.path, type, names[0], names[1], names[2]);
}

pl_status pl__labels_read(pl_folder *f, pl_error *e)
{
    uint64_t count;
    pl_status status = pl_json_size(f->config, "num_labels", 1, PL__MOST_LABELS, 2, &count, e);
    const json_t *back = json_object_get(f->config.root, "label2id");
    if (!status && back && !json_is_null(back) && !json_is_object(back))
        return pl_fail(e, PL_BAD_INPUT, "%s: label2id: {\"NAME\": 0, ...} would be right", f->config.path);
    if (status)
        return status;
    f->label_count = (size_t)count;
    if (pl_json_has(f->config, "id2label")) /* it decides, as in transformers */
        status = read_names(f, json_object_get(f->config.root, "id2label"), e);
    else
        status = make_names(f, e);
    return status ? status : read_problem(f, e);
}

size_t pl_folder_labels(const pl_folder *f) { return f->label_count; }
const char *pl_folder_label(const pl_folder *f, size_t index) { return index < f->label_count ? f->labels[index] : NULL; }
pl_problem pl_folder_problem(const pl_folder *f) { return f->problem; }
