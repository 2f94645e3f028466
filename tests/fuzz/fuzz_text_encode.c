/* Any bytes as a text for every golden tokenizer: refused as no UTF-8, or encoded within its room; and
 * a beginning of it, cut, has the same tokens or says that they are not certain. The first byte picks
 * the tokenizer, the second how many tokens are wanted. */
#include "fuzz/fuzz.h"
#include "text/text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH = 80 };

static const char *const names[] = {"wordpiece_uncased", "wordpiece_flags", "wordpiece_short", "wordpiece_unclean", "wordlevel", "bpe_roberta",
    "bpe_prefix_space", "bpe_llama3", "bpe_llama2", "bpe_clip", "unigram_metaspace", "unigram_first", "unigram_bytes"};
static pl_tokenizer *tokenizers[PL_COUNT(names)];

static void close_all(void)
{
    for (size_t i = 0; i < PL_COUNT(names); i++)
        pl_tokenizer_close(tokenizers[i]);
}

static void open_all(void)
{
    for (size_t i = 0; i < PL_COUNT(names); i++) {
        char path[512];
        snprintf(path, sizeof path, PL_SOURCE_DIR "/tests/golden/tokenizer/%s", names[i]);
        if (pl_tokenizer_open(path, NULL, &tokenizers[i], NULL))
            abort();
    }
    atexit(close_all);
}

typedef struct result {
    uint32_t ids[LENGTH], offsets[LENGTH][2];
    uint8_t types[LENGTH];
    size_t count;
    pl_status status;
} result;

static result encode(const pl_tokenizer *t, const char *bytes, size_t n, bool cut, const pl_text_view *pair, size_t length)
{
    result r;
    char *copy = malloc(n + !n); /* so that a byte too much read is seen */
    memcpy(copy, bytes, n);
    pl_text_view text = {copy, n, cut};
    size_t room = pl_tokenizer_workspace(t, pl_max(n, pair ? pair->bytes : 0), length);
    void *workspace = malloc(room);
    pl_encoding out = {r.ids, r.types, r.offsets, length, 0};
    pl_error e;
    r.status = pl_tokenizer_encode(t, workspace, room, &text, pair, length, &out, &e);
    r.count = r.status ? 0 : out.count;
    assert(r.status == PL_OK || (r.status == PL_BAD_INPUT && *e.text));
    free(workspace);
    free(copy);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (!tokenizers[0])
        open_all();
    if (bytes < 2)
        return 0;
    const pl_tokenizer *t = tokenizers[data[0] % PL_COUNT(names)];
    const char *text = (const char *)data + 2;
    size_t n = bytes - 2, length = 4 + data[1] % (LENGTH - 4), characters = 0;
    for (size_t i = 0; i < n; i++)
        characters += (data[2 + i] & 0xC0) != 0x80;
    result whole = encode(t, text, n, false, NULL, length);
    bool valid = pl_utf8_valid(text, n) == n;
    assert(valid || whole.status == PL_BAD_INPUT);
    assert(whole.count <= length);
    for (size_t i = 0; i < whole.count; i++) {
        assert(whole.ids[i] < pl_tokenizer_ids(t));
        assert(whole.offsets[i][0] <= whole.offsets[i][1] && whole.offsets[i][1] <= characters);
    }
    for (size_t part = n; valid && part > 0; part = part * 2 / 3) {
        result cut = encode(t, text, part, true, NULL, length);
        assert(cut.status || (cut.count == whole.count && memcmp(cut.ids, whole.ids, whole.count * sizeof *whole.ids) == 0));
    }
    pl_text_view pair = {text + n / 2, valid ? n - n / 2 : 0, false};
    if (valid && pl_utf8_valid(pair.text, pair.bytes) == pair.bytes && length >= pl_tokenizer_special_count(t, true))
        assert(encode(t, text, n / 2, true, &pair, length).count <= length);
    return 0;
}
