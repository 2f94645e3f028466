/* A weight file of any bytes: the folder is refused or its views lie within the file. */
#include "fuzz/fuzz.h"
#include "hub/hub.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const char config[] = "{\"model_type\": \"bert\", \"hidden_size\": 4}";
    fuzz_put("config.json", config, sizeof config - 1);
    fuzz_put("model.safetensors", data, bytes);
    pl_folder *f = NULL;
    pl_error e = {0};
    if (pl_folder_open(fuzz_folder(), pl_memory_system(), &f, &e) != PL_OK) {
        assert(*e.text);
        return 0;
    }
    for (size_t i = 0; i < pl_folder_tensors(f); i++) {
        const pl_tensor_view *t = pl_folder_tensor_at(f, i);
        uint64_t end;
        assert(pl_add(t->offset, t->bytes, &end) && end <= bytes);
        assert(pl_folder_tensor(f, t->name) == t);
    }
    pl_folder_close(f);
    return 0;
}
