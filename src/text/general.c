#include "text/tokenizer.h"
size_t pl__general_workspace(const pl_tokenizer *t, size_t text_bytes) { (void)t, (void)text_bytes; return 64; }
pl_status pl__general_encode(const pl_tokenizer *t, void *workspace, size_t text_bytes, const pl__visible *v, pl__sink *sink, pl__outcome *outcome, pl_error *e)
{
    (void)t, (void)workspace, (void)text_bytes, (void)v, (void)sink, (void)outcome;
    return pl_fail(e, PL_BAD_INPUT, "not supported");
}
