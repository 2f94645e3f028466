/* What the functions of transformers' ACT2FN save for their backward pass: those written in Python
 * keep every product's factors; under autocast on CUDA pow computes in f32. Measured with
 * saved-tensor hooks: tests/golden/make_pytorch.py. */
#include "pytorch/step.h"

#include <string.h>

static const pl__torch_act table[] = {
    {"linear", 1, 1, 0},
    {"gelu", 2, 2, 0},
    {"gelu_python", 4, 4, 0},
    {"gelu_10", 3, 3, 0},
    {"gelu_new", 5, 2, 3},
    {"gelu_pytorch_tanh", 2, 2, 0},
    {"gelu_python_tanh", 5, 2, 3},
    {"gelu_accurate", 5, 2, 3},
    {"gelu_fast", 8, 8, 0},
    {"quick_gelu", 3, 3, 0},
    {"relu", 1, 1, 0},
    {"relu2", 2, 2, 1},
    {"relu6", 2, 2, 0},
    {"leaky_relu", 2, 2, 0},
    {"silu", 2, 2, 0},
    {"swish", 2, 2, 0},
    {"mish", 2, 2, 0},
    {"laplace", 2, 2, 0},
    {"sigmoid", 1, 1, 0},
    {"tanh", 1, 1, 0},
};

const pl__torch_act *pl__torch_act_find(const char *name)
{
    for (size_t i = 0; i < PL_COUNT(table); i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

const pl__torch_act *pl__torch_act_of(const pl_model *m)
{
    const char *key = strcmp(m->family, "distilbert") == 0 ? "activation" : "hidden_act", *name = NULL;
    if (m->folder)
        name = json_string_value(json_object_get(pl_folder_config(m->folder).root, key));
    const pl__torch_act *act = pl__torch_act_find(name ? name : "gelu");
    return act ? act : pl__torch_act_find("gelu");
}
