/* Any bytes as JSON: the walker's values are exactly those of jansson's own reader, and a number is
 * read as strtod reads it. */
#include "json/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void differ(const char *what)
{
    fprintf(stderr, "%s\n", what);
    abort();
}

static void check_number(const char *text, size_t n)
{
    char copy[512];
    double ours;
    if (n >= sizeof copy || !pl_double_parse(text, n, &ours))
        return;
    memcpy(copy, text, n);
    copy[n] = '\0';
    char *end;
    double theirs = strtod(copy, &end);
    if (*end || ours != theirs || signbit(ours) != signbit(theirs))
        differ("a number is read otherwise than by strtod");
    char back[32];
    double again;
    if (isfinite(ours) && (!pl_double_parse(back, pl_double_text(ours, back), &again) || again != ours))
        differ("a number does not read back");
}

static pl_status read_value(const char *text, size_t n, json_t **value, pl_error *e)
{
    static const pl_json_limits limits = {.scalar_bytes = 1 << 16, .depth = 300, .bytes = 1 << 16};
    pl_json_walker *w;
    *value = NULL;
    pl_status status = pl_json_open_text(text, n, "text", &limits, NULL, &w, e);
    if (status)
        return status;
    pl_json_event event;
    status = pl_json_next(w, &event, e);
    if (!status)
        status = pl_json_value(w, event, 1 << 16, value, e);
    if (!status)
        status = pl_json_next(w, &event, e);
    pl_json_close(w);
    if (status) {
        json_decref(*value);
        *value = NULL;
    }
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const char *text = (const char *)data;
    check_number(text, bytes);
    pl_error e;
    json_t *ours;
    pl_status status = read_value(text, bytes, &ours, &e);
    if (status && status != PL_BAD_INPUT)
        differ(e.text);
    json_error_t error;
    json_t *theirs = json_loadb(text, bytes, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
    /* what only one of the two allows: NUL in keys or (jansson's slip) between values, whole numbers of
     * any size, heaps of nothing, depth */
    bool excused = (!theirs && json_error_code(&error) == json_error_numeric_overflow) || memchr(text, '\0', bytes) ||
        (status && (strstr(e.text, "too many values") || strstr(e.text, "deeper") || strstr(e.text, "NUL")));
    if (!excused && (status == PL_OK) != (theirs != NULL))
        differ(status ? e.text : error.text);
    if (ours && theirs && !json_equal(ours, theirs))
        differ("another value than jansson's");
    if (ours && pl_json_held(ours) > ((size_t)1 << 16) + 64 * (bytes + 64))
        differ("holds too much");
    json_decref(ours);
    json_decref(theirs);
    return 0;
}
