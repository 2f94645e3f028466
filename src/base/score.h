/* How right answers are: the figures that `classify --label-column` and training's evaluation print,
 * counted in one way. Nothing is allocated: the memory is the caller's. */
#ifndef PL_SCORE_H
#define PL_SCORE_H

#include "base/base.h"

typedef struct pl_score {
    pl_answer answer;
    size_t labels;
    uint64_t *is, *said, *both; /* [labels]: texts with that right answer, with that result, with both */
    uint64_t texts, right;
    double mean_x, mean_y, xx, yy, xy, squares; /* running moments of a regression: x result, y right answer */
    size_t ranked;                              /* texts that ranks are kept of */
    float *x, *y, *ranks;                       /* [ranked] */
    uint32_t *order;
} pl_score;

/* `ranked`: Spearman's correlation is known for up to so many texts; only a regression uses it. */
size_t pl_score_bytes(pl_answer answer, size_t labels, size_t ranked);
void pl_score_start(pl_score *s, pl_answer answer, size_t labels, size_t ranked, void *memory); /* memory: zeroed, aligned to 8 */

/* One text: its logits[labels] (a regression's single number) and its right answer. */
void pl_score_single(pl_score *s, const float *logits, size_t right);
void pl_score_multi(pl_score *s, const float *logits, const uint64_t *right); /* bit i of word i / 64: label i */
void pl_score_number(pl_score *s, double x, double y);                        /* result, right answer */

/* Which figures there are for a kind of answer, in order. */
typedef struct pl_figure_name {
    const char *name, *title;
} pl_figure_name;
const pl_figure_name *pl_score_names(pl_answer answer, size_t labels, size_t *count);

/* The figures, each once; returns how many. Those of no text are none. */
typedef struct pl_figure {
    const char *name, *title;
    double value; /* NaN: not defined for this data */
} pl_figure;
enum { PL_FIGURES = 3 };
size_t pl_score_figures(pl_score *s, pl_figure out[PL_FIGURES]);

#endif
