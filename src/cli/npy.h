/* NumPy's format 1.0: float32, shape texts x dimension, written without holding it: the header is
 * padded to a fixed length and gets the number of texts at the end. */
#ifndef CLI_NPY_H
#define CLI_NPY_H

#include "cli/output.h"

enum { CLI_NPY_HEADER = 128 };

/* PL_USAGE if the output is not seekable. `count`: records that the file holds already. */
pl_status cli_npy_begin(cli_output *o, size_t width, uint64_t count, pl_error *e);
pl_status cli_npy_end(cli_output *o, size_t width, uint64_t count, pl_error *e);

#endif
