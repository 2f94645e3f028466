/* config.json of the trained folder: the source's, with the classifier it now has. */
#include "train/files.h"
#include "train/trainer.h"

#include <stdio.h>
#include <string.h>

typedef struct out {
    pl__sink sink;
    bool first;
} out;

static int put_piece(const char *bytes, size_t n, void *self)
{
    out *o = self;
    pl__sink_put(&o->sink, bytes, n);
    return o->sink.status ? -1 : 0;
}

static void put(out *o, const char *text) { pl__sink_put(&o->sink, text, strlen(text)); }

static void put_string(out *o, const char *text)
{
    enum { PIECE = 128 };
    char quoted[6 * PIECE + 2];
    put(o, "\"");
    for (size_t n = strlen(text), at = 0, part; at < n; at += part) {
        part = pl_min(n - at, PIECE);
        while (part > PIECE - 4 && at + part < n && ((unsigned char)text[at + part] & 0xC0) == 0x80)
            part--; /* whole characters */
        size_t used = pl_json_string(text + at, part, quoted, sizeof quoted);
        pl__sink_put(&o->sink, quoted + 1, used - 2);
    }
    put(o, "\"");
}

static void key(out *o, const char *name)
{
    put(o, o->first ? "\n  " : ",\n  ");
    o->first = false;
    put_string(o, name);
    put(o, ": ");
}

/* As Python writes it: the shortest that reads back, and never like a whole number. */
static void put_real(out *o, double value)
{
    char text[40];
    size_t n = pl_double_text(value, text);
    pl__sink_put(&o->sink, text, n);
    if (!memchr(text, '.', n) && !memchr(text, 'e', n))
        put(o, ".0");
}

static bool is_ours(const char *name)
{
    static const char *const ours[] = {"architectures", "id2label", "label2id", "num_labels", "_num_labels", "problem_type"};
    for (size_t i = 0; i < PL_COUNT(ours); i++)
        if (strcmp(ours[i], name) == 0)
            return true;
    return false;
}

static void put_labels(out *o, const pl__labels *l)
{
    char number[16];
    key(o, "id2label");
    put(o, "{");
    for (uint32_t i = 0; i < l->count; i++) {
        snprintf(number, sizeof number, "\"%u\": ", i);
        put(o, i ? ",\n    " : "\n    ");
        put(o, number);
        put_string(o, l->names[i]);
    }
    put(o, "\n  }");
    key(o, "label2id");
    put(o, "{");
    for (uint32_t i = 0; i < l->count; i++) {
        snprintf(number, sizeof number, ": %u", i);
        put(o, i ? ",\n    " : "\n    ");
        put_string(o, l->names[i]);
        put(o, number);
    }
    put(o, "\n  }");
}

static const char *architecture(const pl_trainer *t)
{
    return strcmp(t->model.family, "distilbert") == 0 ? "DistilBertForSequenceClassification" : "BertForSequenceClassification";
}

static const char *problem_name(pl_problem problem)
{
    static const char *const names[] = {
        [PL_PROBLEM_SINGLE] = "single_label_classification", [PL_PROBLEM_MULTI] = "multi_label_classification", [PL_PROBLEM_REGRESSION] = "regression"};
    return names[problem];
}

pl_status pl__output_config(pl_trainer *t, const char *path, pl_error *e)
{
    out o = {.first = true};
    json_t *root = (json_t *)(uintptr_t)pl_folder_config(t->reading.folder).root; /* jansson's iterators want it so */
    pl_status s = pl__sink_open(&o.sink, path, t->work.buffer, PL__BUFFER, e);
    if (s)
        return s;
    put(&o, "{");
    key(&o, "architectures");
    put(&o, "[\n    ");
    put_string(&o, architecture(t));
    put(&o, "\n  ]");
    for (void *at = json_object_iter(root); at; at = json_object_iter_next(root, at)) {
        if (is_ours(json_object_iter_key(at)))
            continue;
        key(&o, json_object_iter_key(at));
        if (json_is_real(json_object_iter_value(at)))
            put_real(&o, json_real_value(json_object_iter_value(at)));
        else if (json_dump_callback(json_object_iter_value(at), put_piece, &o, JSON_ENCODE_ANY | JSON_INDENT(0)) != 0 && !o.sink.status)
            o.sink.status = pl_fail_no_memory(e, 0, "config.json");
    }
    put_labels(&o, &t->labels);
    key(&o, "problem_type");
    put_string(&o, problem_name(t->labels.problem));
    put(&o, "\n}\n");
    return pl__sink_close(&o.sink);
}
