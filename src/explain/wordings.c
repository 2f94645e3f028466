/* The table of wordings: what drives the reader, docs/EXPLAIN.md and the tests. Its rows:
 *
 *   W(name, framework, kind, cause, family, traits, key, figures, meaning)
 *
 * key      what must stand in the log. Spaces count for nothing, case neither. {requested} and its
 *          kind are sizes with their unit ({requested:MiB}: where the text has none; {requested:!}: never without), {device} {pid}
 *          {count} are whole numbers, {n} a number and {w} a word that is read over, {...} a short gap.
 *          '^' marks the word that the scanner looks for ('~' is a space in it), else the longest.
 * figures  further figures, each looked for in the message by itself.
 * cause    what the wording alone says; arithmetic on the figures may say more (diagnose.c). */
#include "explain/inner.h"

#define W(name, framework, kind, cause, family, traits, key, figures, meaning) \
    {name, PL_FRAMEWORK_##framework, PL_KIND_##kind, PL_CAUSE_##cause, family, (traits), key, figures, meaning},
const pl__wording pl__wordings[] = {
#include "explain/wordings_torch.h"
#include "explain/wordings_frameworks.h"
#include "explain/wordings_linux.h"
#include "explain/wordings_programs.h"
};
#undef W
const size_t pl__wording_count = PL_COUNT(pl__wordings);

bool pl_wording_at(size_t index, pl_wording_view *out)
{
    if (index >= pl__wording_count)
        return false;
    const pl__wording *w = &pl__wordings[index];
    *out = (pl_wording_view){w->name, w->key, w->figures, w->meaning, w->framework, w->kind, w->cause};
    return true;
}

#define NAME_FRAMEWORK(name, text) [PL_FRAMEWORK_##name] = text,
#define NAME_KIND(name, text) [PL_KIND_##name] = text,
#define NAME_CAUSE(name, text) [PL_CAUSE_##name] = text,
#define NAME_PHASE(name, text) [PL_PHASE_##name] = text,

const char *pl_framework_name(pl_framework framework)
{
    static const char *const names[] = {PL_FRAMEWORK_MAP(NAME_FRAMEWORK)};
    return names[framework];
}

const char *pl_kind_name(pl_kind kind)
{
    static const char *const names[] = {PL_KIND_MAP(NAME_KIND)};
    return names[kind];
}

const char *pl_cause_name(pl_cause cause)
{
    static const char *const names[] = {PL_CAUSE_MAP(NAME_CAUSE)};
    return names[cause];
}

const char *pl_phase_name(pl_phase phase)
{
    static const char *const names[] = {PL_PHASE_MAP(NAME_PHASE)};
    return names[phase];
}
