/* AMX in software (see tiles.c), for tests linked with pl_tiles. */
#ifndef PL_TESTS_TILES_H
#define PL_TESTS_TILES_H

#include <stdbool.h>

/* Whether the tiles are those of tiles.c. Unlike real ones they are not put aside while a signal is handled. */
bool tiles_in_software(void);

#endif
