/* A plan as people and programs read it: its ledger as JSON, as a table and drawn over time. The same
 * form for every kind of job, whatever its moments are. */
#ifndef PL_SHEET_H
#define PL_SHEET_H

#include "plan/plan.h"

/* Pieces of text on their way to the reader; after the first failure the rest is dropped. */
typedef struct pl_printer {
    pl_write write;
    void *self;
    pl_error *e;
    pl_status status;
} pl_printer;
void pl_print(pl_printer *p, const char *format, ...) PL_PRINTF(2, 3); /* at most 1023 bytes a call */
void pl_print_string(pl_printer *p, const char *text);                 /* as JSON, cut after 160 bytes */
void pl_print_double(pl_printer *p, double value);

typedef struct pl_sheet {
    const char *what; /* "bert": whose memory it is */
    const pl_ledger *ledger;
    const char *(*moment_name)(unsigned moment);
    unsigned moments;
    bool fits;
    uint64_t limit, peak, floor;
    const char *reason; /* of the limit */
} pl_sheet;

/* ,"ledger":[...],"moments":[...] and, before it, the figures from "fits" to "floor_bytes". */
void pl_sheet_json_head(pl_printer *p, const pl_sheet *s);
void pl_sheet_json_ledger(pl_printer *p, const pl_sheet *s);
/* Limit and peak in two lines; the table of lines, then of moments. */
void pl_sheet_text_head(pl_printer *p, const pl_sheet *s, bool color);
void pl_sheet_text_ledger(pl_printer *p, const pl_sheet *s, bool color);
void pl_sheet_svg(pl_printer *p, const pl_sheet *s);

#endif
