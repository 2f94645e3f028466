#include "cli/npy.h"

#include <stdio.h>

/* Magic, version 1.0, length of the rest, a Python dictionary padded with blanks and a newline. */
static void make_header(char header[CLI_NPY_HEADER], size_t width, uint64_t count)
{
    enum { PREFIX = 10 };
    static const char prefix[PREFIX] = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, CLI_NPY_HEADER - PREFIX, 0};
    memcpy(header, prefix, PREFIX);
    int n = snprintf(
        header + PREFIX, CLI_NPY_HEADER - PREFIX, "{'descr': '<f4', 'fortran_order': False, 'shape': (%llu, %zu), }", (unsigned long long)count, width);
    memset(header + PREFIX + n, ' ', CLI_NPY_HEADER - PREFIX - (size_t)n);
    header[CLI_NPY_HEADER - 1] = '\n';
}

pl_status cli_npy_begin(cli_output *o, size_t width, uint64_t count, pl_error *e)
{
    char header[CLI_NPY_HEADER];
    make_header(header, width, count);
    if (o->flushed > 0) /* goes on behind records that are there */
        return cli_output_patch(o, 0, header, sizeof header, e);
    pl_status status = cli_output_put(o, header, sizeof header, e);
    return status == PL_OK ? cli_output_flush(o, e) : status;
}

pl_status cli_npy_end(cli_output *o, size_t width, uint64_t count, pl_error *e)
{
    char header[CLI_NPY_HEADER];
    make_header(header, width, count);
    pl_status status = cli_output_flush(o, e);
    return status == PL_OK ? cli_output_patch(o, 0, header, sizeof header, e) : status;
}
