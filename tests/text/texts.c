#include "text/texts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

const char *const golden_tokenizers[] = {"wordpiece_uncased", "wordpiece_cased", "wordpiece_flags", "wordpiece_short", "wordpiece_unclean", "wordlevel",
    "bpe_roberta", "bpe_prefix_space", "bpe_llama3", "bpe_llama2", "bpe_clip", "unigram_metaspace", "unigram_first", "unigram_bytes", "folder_bert",
    "folder_roberta", NULL};

static const char *golden_path(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, PL_SOURCE_DIR "/tests/golden/tokenizer/%s", name);
    return path;
}

json_t *golden_json(const char *name)
{
    json_error_t error;
    json_t *value = json_load_file(golden_path(name), JSON_ALLOW_NUL, &error);
    if (!value)
        fail_msg("%s: %s", name, error.text);
    return value;
}

pl_tokenizer *golden_open(const char *name)
{
    pl_tokenizer *t = NULL;
    pl_error e;
    if (pl_tokenizer_open(golden_path(name), NULL, &t, &e))
        fail_msg("%s: %s", name, e.text);
    return t;
}

void bench_init(bench *b, pl_tokenizer *t, size_t text_bytes, size_t length)
{
    *b = (bench){.t = t, .length = length, .workspace_bytes = pl_tokenizer_workspace(t, text_bytes, length)};
    b->workspace = malloc(b->workspace_bytes);
    b->out = (pl_encoding){
        .ids = malloc(length * sizeof(uint32_t)), .types = malloc(length), .offsets = malloc(length * sizeof(uint32_t[2])), .capacity = length};
    assert_non_null(b->workspace);
}

void bench_free(bench *b)
{
    free(b->workspace);
    free(b->out.ids);
    free(b->out.types);
    free(b->out.offsets);
    pl_tokenizer_close(b->t);
}

pl_status bench_encode(bench *b, pl_text_view text, const pl_text_view *pair, size_t length, pl_error *e)
{
    b->out.count = 0;
    return pl_tokenizer_encode(b->t, b->workspace, b->workspace_bytes, &text, pair, length, &b->out, e);
}

static char folder[] = "/tmp/plimsoll-text-XXXXXX", last[512];

static void remove_scratch(void)
{
    unlink(last);
    rmdir(folder);
}

const char *scratch_folder(const char *file, const char *text)
{
    static bool made;
    if (!made) {
        assert_non_null(mkdtemp(folder));
        atexit(remove_scratch);
        made = true;
    }
    if (*last)
        unlink(last);
    snprintf(last, sizeof last, "%s/%s", folder, file);
    FILE *f = fopen(last, "wb");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return folder;
}
