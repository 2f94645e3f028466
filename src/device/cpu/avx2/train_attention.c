#include "device/cpu/avx2/avx2_train.h"
#include "device/cpu/vector/vec_train_attention.h"

size_t pl__avx2_attention_train_workspace(size_t longest_text, size_t head_width) { return attention_train_workspace_of(longest_text, head_width); }

void pl__avx2_attention_forward(const pl_attention_train *a, void *workspace, size_t first_unit, size_t last_unit)
{
    attention_forward_of(a, workspace, first_unit, last_unit);
}

void pl__avx2_attention_backward(const pl_attention_train *a, void *workspace, size_t first_unit, size_t last_unit)
{
    attention_backward_of(a, workspace, first_unit, last_unit);
}
