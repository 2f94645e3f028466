/* The JSON walker: any bytes end in an error with a place or in PL_JSON_DONE, and what the walker
 * accepts can be given to jansson. */
#include "fuzz/fuzz.h"
#include "json/json.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fuzz_put("value.json", data, bytes);
    char path[128];
    size_t n = strlen(fuzz_folder());
    memcpy(path, fuzz_folder(), n);
    memcpy(path + n, "/value.json", 12);
    pl_json_limits limits = {.scalar_bytes = 4096, .depth = 100, .bytes = 1 << 20};
    pl_json_walker *w = NULL;
    pl_error e = {0};
    if (pl_json_open(path, &limits, pl_memory_system(), &w, &e) != PL_OK)
        return 0;
    pl_json_event event;
    pl_status status;
    unsigned skip = 0;
    while ((status = pl_json_next(w, &event, &e)) == PL_OK && event != PL_JSON_DONE)
        if ((event == PL_JSON_OBJECT || event == PL_JSON_ARRAY) && ++skip % 3 == 0 && (status = pl_json_skip(w, &e)) != PL_OK)
            break;
    assert(status == PL_OK || *e.text);
    pl_json_close(w);
    if (status == PL_OK) {
        json_t *value = json_loadb((const char *)data, bytes, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        json_decref(value);
    }
    return 0;
}
