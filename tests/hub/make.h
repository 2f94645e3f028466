/* Model folders for tests, below one temporary folder that make_end removes. */
#ifndef TESTS_HUB_MAKE_H
#define TESTS_HUB_MAKE_H

#include "hub/hub.h"

extern char make_root[64];

int make_begin(void **state); /* for cmocka's group set-up and tear-down */
int make_end(void **state);
void make_empty(void); /* removes all that is in make_root */

/* "make_root/name"; valid until the fourth call after it. */
const char *make_path(const char *name);
/* Writes a file, and the folders it needs. */
void make_file(const char *name, const void *bytes, size_t n);
void make_text(const char *name, const char *text);
/* A safetensors file: the header's length, the header, `data` bytes of zeros. */
void make_safetensors(const char *name, const char *header, size_t data);
/* A small right model in "model": config.json and two tensors "a" (F32 [2, 3]) and "b" (F16 [4]). */
void make_model(void);
extern const char make_header[]; /* of its model.safetensors */
enum { MAKE_DATA = 32 };         /* bytes of its tensors */

/* Opens "model", or fails the test with the message. */
pl_folder *make_open(void);
/* Opening "model" must be refused with PL_BAD_INPUT and a text that names the file and holds words. */
void make_refused(const char *file, const char *words);

#endif
