/* A text file line by line, in bounded memory. */
#ifndef PL_TEXT_LINES_H
#define PL_TEXT_LINES_H

#include "base/base.h"

typedef struct pl__text_lines {
    const char *path;
    const pl_memory *memory;
    char *buffer;
    int fd;
    uint64_t at, end; /* of the file */
    size_t used, fill;
    uint64_t number; /* of the line given last, from 1 */
} pl__text_lines;

pl_status pl__text_lines_open(pl__text_lines *lines, const char *path, const pl_memory *memory, pl_error *e);
/* PL_END behind the last line. A line ends at LF or CRLF and must be UTF-8; valid until the next. */
pl_status pl__text_lines_next(pl__text_lines *lines, const char **text, size_t *n, pl_error *e);
void pl__text_lines_close(pl__text_lines *lines);

#endif
