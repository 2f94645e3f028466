#include "device/cpu/avx512/avx512.h"
#include "device/cpu/vector/vec_attention.h"

size_t pl__avx512_attention_workspace(size_t longest_text, size_t head_width) { return attention_workspace_of(longest_text, head_width); }

void pl__avx512_attention(const pl_attention *a, void *workspace, size_t first_unit, size_t last_unit) { attention_of(a, workspace, first_unit, last_unit); }
