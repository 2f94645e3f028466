/* Private to the room. */
#ifndef PL_PYTORCH_PRINT_H
#define PL_PYTORCH_PRINT_H

#include "pytorch/pytorch.h"

#include <stdio.h>

void pl_torch_print_json(const pl_torch_fit *fit, const pl_torch_fit *others, size_t count, FILE *out);
void pl_torch_print_text(const char *family, const pl_torch_fit *fit, const pl_torch_fit *others, size_t count, bool color, FILE *out);

/* "--precision bf16 --attention sdpa --checkpointing": what to type. Returns out. */
enum { PL_TORCH_HOW = 128 };
const char *pl_torch_how(const pl_torch_settings *s, char out[PL_TORCH_HOW]);

#endif
