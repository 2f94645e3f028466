#include "text/regex.h"

#include "text/unicode.h"

#include <string.h>

void pl__matcher_init(
    pl__matcher *m, const pl__regex *regex, pl__frames frames, const char *literal, size_t literal_bytes, const char *text, size_t n, bool open)
{
    *m = (pl__matcher){.regex = regex, .frames = frames, .literal = literal, .literal_bytes = literal_bytes, .text = text, .n = n, .open = open, .certain = n};
}

static pl__searched search_literal(const pl__matcher *m, pl__match *match, size_t *reached)
{
    *reached = m->n + 1;
    for (size_t at = m->last_end; at <= m->n; at++) {
        size_t left = m->n - at;
        if (m->literal_bytes > 0) {
            const char *first = left ? memchr(m->text + at, m->literal[0], left) : NULL;
            if (!first)
                break;
            at = (size_t)(first - m->text);
            left = m->n - at;
        }
        if (memcmp(m->text + at, m->literal, pl_min(left, m->literal_bytes)) != 0)
            continue;
        if (left <= m->literal_bytes && at < *reached)
            *reached = at;
        if (left >= m->literal_bytes) {
            *match = (pl__match){at, at + m->literal_bytes};
            return PL__SEARCH_FOUND;
        }
    }
    return PL__SEARCH_NONE;
}

/* An empty match right behind the last match is passed over, by one character. */
bool pl__matcher_next(pl__matcher *m, pl__match *match)
{
    while (m->last_end <= m->n && !m->failed) {
        size_t reached;
        pl__searched result = m->regex ? pl__regex_search(m->regex, m->frames, m->text, m->n, m->last_end, match, &reached)
                                       : search_literal(m, match, &reached);
        if (result == PL__SEARCH_FAILED) {
            m->failed = true;
            return false;
        }
        if (m->open && reached <= m->n) {
            m->certain = reached;
            return false;
        }
        if (result == PL__SEARCH_NONE)
            return false;
        if (match->start == match->stop && m->matched && m->last_match_end == match->stop) {
            m->last_end += m->last_end < m->n ? pl__width(m->text[m->last_end]) : 1;
            continue;
        }
        m->last_end = m->last_match_end = match->stop;
        m->matched = true;
        return true;
    }
    return false;
}
