/* A tokenizer.json of any bytes: refused, or it encodes what it is given, within the room it is given. */
#include "fuzz/fuzz.h"
#include "text/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH = 24 };

static void encode(const pl_tokenizer *t, const char *first, const char *second)
{
    pl_text_view text = {.text = first, .bytes = strlen(first)}, pair = {.text = second, .bytes = second ? strlen(second) : 0};
    size_t bytes = pl_tokenizer_workspace(t, 256, LENGTH);
    void *workspace = aligned_alloc(64, pl_round_up(bytes + 1, 64));
    uint32_t ids[LENGTH], offsets[LENGTH][2];
    uint8_t types[LENGTH];
    pl_encoding out = {.ids = ids, .types = types, .offsets = offsets, .capacity = LENGTH};
    pl_error e = {0};
    if (pl_tokenizer_encode(t, workspace, bytes, &text, second ? &pair : NULL, LENGTH, &out, &e) == PL_OK) {
        assert(out.count <= LENGTH);
        for (size_t i = 0; i < out.count; i++)
            assert(ids[i] < pl_tokenizer_ids(t));
    } else {
        assert(*e.text);
    }
    free(workspace);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fuzz_put("tokenizer.json", data, bytes);
    pl_tokenizer *t = NULL;
    pl_error e = {0};
    if (pl_tokenizer_open(fuzz_folder(), pl_memory_system(), &t, &e) != PL_OK) {
        assert(*e.text);
        return 0;
    }
    encode(t, "", NULL);
    encode(t, "Anchored ships, naïve café 日本 [SEP] don't!", NULL);
    encode(t, "the ship", "in the harbour, and a longer second text that has to be cut somewhere");
    pl_tokenizer_close(t);
    return 0;
}
