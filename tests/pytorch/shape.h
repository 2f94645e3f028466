/* Models of any shape as folders: true headers, weight files of holes. */
#ifndef TESTS_PYTORCH_SHAPE_H
#define TESTS_PYTORCH_SHAPE_H

#include "pytorch/pytorch.h"

typedef struct shape {
    bool distilbert, headless;
    unsigned hidden, layers, heads, inner, vocabulary, positions, labels;
    const char *act; /* NULL: gelu */
} shape;

/* Writes the folder "model" below make_root. */
void shape_write(const shape *s);

/* The model of a shape as plan --for pytorch reads it; shape_close frees it. */
typedef struct shape_model {
    pl_folder *folder;
    pl_region region;
    pl_model model;
} shape_model;
void shape_open(const shape *s, bool train, shape_model *out);
void shape_close(shape_model *m);
uint64_t shape_parameters(const shape *s); /* elements */

#endif
