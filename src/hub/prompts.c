/* config_sentence_transformers.json can name a text to be put before each input. Leaving it out would
 * give other embeddings than sentence-transformers gives, so such a folder is refused. */
#include "hub/folder.h"

static pl_status check_prompt(pl_json_doc d, pl_error *e)
{
    const char *name;
    pl_status status = pl_json_text(d, "default_prompt_name", NULL, &name, e);
    if (status || !name)
        return status;
    const json_t *prompt = json_object_get(json_object_get(d.root, "prompts"), name);
    char shown[64];
    if (!prompt || json_is_null(prompt) || (json_is_string(prompt) && json_string_length(prompt) == 0))
        return PL_OK;
    pl_fail(e, PL_BAD_INPUT, "%s: default_prompt_name: \"%s\" puts %s before each text, which is not supported, null would be right", d.path, name,
        pl_json_show(prompt, shown));
    pl_hint(e, "put the prompt before the texts yourself, and null into a copy of the folder");
    return PL_BAD_INPUT;
}

pl_status pl__prompts_read(pl_folder *f, pl_error *e)
{
    const char *path = pl__join(f, f->root, "config_sentence_transformers.json", e);
    if (!path)
        return PL_MACHINE;
    if (!pl__exists(path))
        return PL_OK;
    json_t *root;
    pl_status status = pl__load(f, path, false, &root, e);
    if (!status)
        status = check_prompt((pl_json_doc){path, root}, e);
    pl__forget(f, root);
    return status;
}
