#include "text/load.h"
pl_status pl__load_folder(pl__load *l, const char *folder) { return pl_fail(l->e, PL_BAD_INPUT, "%s: has no tokenizer.json", folder); }
