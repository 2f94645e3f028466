#include "train/schedule.h"

/* ---- cosine: reduced by multiples of pi / 2 in two parts (Cody & Waite), then Taylor's series, whose
 * first term left out is below 3e-17 for |r| <= pi / 4 ---- */

static double cosine_of(double r)
{
    double x = r * r, sum = 0;
    static const double terms[] = {
        1.0 / 20922789888000.0, -1.0 / 87178291200.0, 1.0 / 479001600.0, -1.0 / 3628800.0, 1.0 / 40320.0, -1.0 / 720.0, 1.0 / 24.0, -0.5, 1.0};
    for (size_t i = 0; i < PL_COUNT(terms); i++)
        sum = sum * x + terms[i];
    return sum;
}

static double sine_of(double r)
{
    double x = r * r, sum = 0;
    static const double terms[] = {
        1.0 / 355687428096000.0, -1.0 / 1307674368000.0, 1.0 / 6227020800.0, -1.0 / 39916800.0, 1.0 / 362880.0, -1.0 / 5040.0, 1.0 / 120.0, -1.0 / 6.0, 1.0};
    for (size_t i = 0; i < PL_COUNT(terms); i++)
        sum = sum * x + terms[i];
    return sum * r;
}

double pl__cosine(double x)
{
    /* 33 bits of pi / 2, the next 33, and the rest (fdlibm's split): n * HIGH is exact for n < 2^20 */
    static const double TWO_BY_PI = 0.63661977236758134308, HIGH = 1.57079632673412561417e+00, MIDDLE = 6.07710050630396597660e-11,
                        LOW = 2.02226624879595063154e-21;
    uint64_t n = (uint64_t)(x * TWO_BY_PI + 0.5);
    double k = (double)n, r = ((x - k * HIGH) - k * MIDDLE) - k * LOW;
    switch (n % 4) {
    case 0: return cosine_of(r);
    case 1: return -sine_of(r);
    case 2: return -cosine_of(r);
    default: return sine_of(r);
    }
}

/* ---- steps ---- */

enum { MOST_BITS = 53 }; /* steps are counted exactly in a double */

static uint64_t ceiling(double x)
{
    uint64_t whole = (uint64_t)x;
    return whole + ((double)whole < x ? 1 : 0);
}

static uint64_t epochs_of(uint64_t steps, uint64_t per_epoch) { return (steps + per_epoch - 1) / per_epoch; }

pl_status pl__schedule_make(const pl_training *t, uint64_t examples, pl__schedule *out, pl_error *e)
{
    const double most = (double)(UINT64_C(1) << MOST_BITS);
    *out = (pl__schedule){.kind = t->schedule, .lr = t->lr, .per_epoch = pl_max(1, (examples + t->batch - 1) / t->batch), .epochs = t->epochs};
    if (t->max_steps) {
        out->steps = t->max_steps;
        out->epochs = (double)epochs_of(t->max_steps, out->per_epoch);
    } else {
        double steps = t->epochs * (double)out->per_epoch;
        if (!(steps > 0 && steps < most))
            return pl_fail(e, PL_USAGE, "--epochs %g: that is no number of steps; a number above 0 would do", t->epochs);
        out->steps = ceiling(steps);
    }
    if ((double)out->steps >= most)
        return pl_fail(e, PL_USAGE, "--max-steps: too many steps");
    out->warmup = t->warmup_steps ? t->warmup_steps : ceiling((double)out->steps * t->warmup_ratio);
    return PL_OK;
}

/* transformers.optimization: the functions of get_scheduler; `done` steps lie behind this one. */
static double share(const pl__schedule *s, uint64_t done)
{
    static const double PI = 3.14159265358979323846;
    double at = (double)done, warmup = (double)s->warmup, steps = (double)s->steps;
    double rest = steps - warmup < 1 ? 1 : steps - warmup;
    if (s->kind == PL_SCHEDULE_CONSTANT)
        return 1;
    if (done < s->warmup)
        return at / (warmup < 1 ? 1 : warmup);
    if (s->kind == PL_SCHEDULE_CONSTANT_WITH_WARMUP)
        return 1;
    double part;
    if (s->kind == PL_SCHEDULE_LINEAR)
        part = (steps - at) / rest;
    else
        part = 0.5 * (1.0 + pl__cosine(PI * 0.5 * 2.0 * ((at - warmup) / rest)));
    return part > 0 ? part : 0;
}

double pl__schedule_lr(const pl__schedule *s, uint64_t step) { return s->lr * share(s, step - 1); }

double pl__schedule_epoch(const pl__schedule *s, uint64_t step) { return (double)step / (double)s->per_epoch; }
