/* Golden cases: a case file holds a model folder as a recipe (files, and for every tensor its type,
 * shape and distribution) together with the answers expected of it. The weights come from a counter
 * generator, so that the tree holds no weights and every machine makes the same ones.
 *
 *   {"tokenizer": "wordpiece",            // tokenizers/wordpiece.json, copied as tokenizer.json; or null
 *    "files": {"config.json": {...}, "vocab.txt": "[PAD]\n..."},   // objects are written as JSON
 *    "weights": {"model.safetensors": [[type, offset, scale, name, [shape]], ...], ...},
 *    ...}                                 // what is expected: see make_models.py
 *
 * Value i of a tensor is offset + scale * u, where u is uniform in [-1, 1): the top 24 bits of
 * mix(fnv1a(name) + i * GAMMA); scale "count" makes the tensor 0, 1, 2, ... */
#ifndef PL_TEST_GOLDEN_H
#define PL_TEST_GOLDEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes the model folder of a case file into `folder`, which is made. On failure `why` says why. */
bool golden_make(const char *case_file, const char *folder, char *why, size_t capacity);

/* The generator, for tests that need numbers without a case. */
uint64_t golden_key(const char *name);
double golden_uniform(uint64_t key, uint64_t index); /* [-1, 1) */

#endif
