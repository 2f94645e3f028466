/* A config.json of any bytes beside good weights: refused, or a plan comes of it. */
#include "fuzz/fuzz.h"

#include <assert.h>
#include <plimsoll.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static bool made;
    if (!made)
        fuzz_golden("bert_cls3");
    made = true;
    fuzz_put("config.json", data, bytes);
    pl_options options;
    pl_options_init(&options);
    options.memory = 64u << 20;
    options.threads = 1;
    pl_plan *plan = NULL;
    pl_error e = {0};
    if (pl_plan_make(fuzz_folder(), &options, &plan, &e) == PL_OK) {
        assert(pl_plan_floor(plan) > 0);
        assert(!pl_plan_fits(plan) || pl_plan_peak(plan) <= pl_plan_limit(plan));
        pl_plan_free(plan);
    } else {
        assert(*e.text);
    }
    return 0;
}
