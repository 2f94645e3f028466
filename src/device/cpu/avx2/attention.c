#include "device/cpu/avx2/avx2.h"
#include "device/cpu/vector/vec_attention.h"

size_t pl__avx2_attention_workspace(size_t longest_text, size_t head_width) { return attention_workspace_of(longest_text, head_width); }

void pl__avx2_attention(const pl_attention *a, void *workspace, size_t first_unit, size_t last_unit) { attention_of(a, workspace, first_unit, last_unit); }
