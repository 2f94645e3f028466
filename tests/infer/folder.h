/* Small model folders with random weights, written into a temporary folder. */
#ifndef PL_TEST_FOLDER_H
#define PL_TEST_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct test_model {
    unsigned hidden, heads, inner, layers, positions, labels; /* labels 0: a base model */
    bool distilbert;
} test_model;

/* Vocabulary: [PAD] [UNK] [CLS] [SEP] [MASK], then w0 .. w194. Returns the folder's path (static). */
enum { TEST_VOCABULARY = 200 };
const char *test_folder_make(const test_model *m);
void test_folder_remove(const char *path);

#endif
