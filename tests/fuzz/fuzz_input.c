/* Input files of any bytes, in each format: texts of valid UTF-8 within their buffers, or an error with
 * its line. The format is the first byte's. */
#include "cli/input.h"
#include "fuzz/fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (!bytes)
        return 0;
    fuzz_put("input", data + 1, bytes - 1);
    char path[128];
    size_t n = strlen(fuzz_folder());
    memcpy(path, fuzz_folder(), n);
    memcpy(path + n, "/input", 7);
    cli_input in = {.watched = -1};
    pl_error e = {0};
    if (cli_input_open(&in, path, data[0] % 4, &e) != PL_OK)
        return 0;
    char *memory = malloc(cli_input_bytes(TEXT_BYTES));
    cli_input_start(&in, memory, TEXT_BYTES);
    pl_text text;
    pl_status status;
    uint64_t line = 0;
    while ((status = cli_input_next(&in, -1, &text, &e)) == PL_OK) {
        assert(text.text_bytes <= TEXT_BYTES + 4 && pl_utf8_valid(text.text, text.text_bytes) == text.text_bytes);
        assert(!text.pair || pl_utf8_valid(text.pair, text.pair_bytes) == text.pair_bytes);
        assert(text.line > line);
        line = text.line;
    }
    assert(status == PL_END || *e.text);
    cli_input_close(&in);
    free(memory);
    return 0;
}
