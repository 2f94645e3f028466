/* What the fuzz targets share: a scratch folder that holds the file under test. */
#ifndef PL_TEST_FUZZ_H
#define PL_TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* The scratch folder, made once and removed at exit. */
const char *fuzz_folder(void);
/* Writes folder/name; both the file under test and what stands around it. */
void fuzz_put(const char *name, const void *data, size_t bytes);
/* Writes the model folder of a golden case into the scratch folder. */
void fuzz_golden(const char *name);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#endif
