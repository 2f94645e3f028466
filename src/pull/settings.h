/* What the environment says, under the names that huggingface_hub gives it. */
#ifndef PL_PULL_SETTINGS_H
#define PL_PULL_SETTINGS_H

#include "hub/hub.h"

enum { PL__TOKEN_BYTES = 1024, PL__ENDPOINT_BYTES = 512 };

typedef struct pl__settings {
    pl_hub_env hub;
    char cache[4096];
    char endpoint[PL__ENDPOINT_BYTES]; /* no slash behind */
    char token[PL__TOKEN_BYTES];       /* "": none */
    bool offline;
} pl__settings;

pl_status pl__settings_read(pl__settings *s, pl_error *e);

#endif
