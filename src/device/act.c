#include "device/device.h"

#include <string.h>

const char *pl_act_name(pl_act act)
{
    static const char *const names[] = {
#define PL_ACT_NAME(name, text) text,
        PL_ACT_MAP(PL_ACT_NAME)
#undef PL_ACT_NAME
    };
    return (unsigned)act < PL_COUNT(names) ? names[act] : "unknown";
}

bool pl_act_parse(const char *name, pl_act *act)
{
    static const struct {
        const char *name;
        pl_act act;
    } known[] = {
#define PL_ACT_ENTRY(name, text) {text, PL_ACT_##name},
        PL_ACT_MAP(PL_ACT_ENTRY)
#undef PL_ACT_ENTRY
            {"gelu_python", PL_ACT_GELU},
        {"gelu_pytorch_tanh", PL_ACT_GELU_NEW},
        {"gelu_python_tanh", PL_ACT_GELU_NEW},
        {"gelu_accurate", PL_ACT_GELU_NEW},
        {"swish", PL_ACT_SILU},
    };
    for (size_t i = 0; i < PL_COUNT(known); i++)
        if (strcmp(name, known[i].name) == 0) {
            *act = known[i].act;
            return true;
        }
    return false;
}
