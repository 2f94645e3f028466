/* Where a series is going. Allocators take memory in steps and give it back in steps, so a line
 * through least squares would be drawn by the last step; the median of pairwise slopes is not. */
#include "watch/watch.h"

#include <math.h>

void watch_trend_add(watch_trend *t, double at, double value)
{
    t->at[t->next] = at;
    t->value[t->next] = value;
    t->next = (t->next + 1) % TREND_POINTS;
    t->count += t->count < TREND_POINTS;
}

/* Hoare's selection: the k-th smallest comes to place k. */
static double select_kth(double *v, size_t n, size_t k)
{
    size_t low = 0, high = n - 1;
    while (low < high) {
        double pivot = v[low + (high - low) / 2];
        size_t i = low, j = high;
        while (i <= j) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i <= j) {
                double swap = v[i];
                v[i++] = v[j];
                v[j] = swap;
                if (j == 0)
                    break;
                j--;
            }
        }
        if (k <= j)
            high = j;
        else if (k >= i)
            low = i;
        else
            break;
    }
    return v[k];
}

enum { FEWEST_POINTS = 6 };
static const double shortest_span = 5; /* seconds: what goes up within one may come down in the next */
static const double one_way = 0.4;     /* share of pairs, less those the other way, that makes a direction */

bool watch_trend_slope(const watch_trend *t, double *per_second, bool *sure)
{
    double slopes[TREND_POINTS * (TREND_POINTS - 1) / 2];
    size_t n = 0;
    long up = 0, down = 0;
    unsigned oldest = t->count < TREND_POINTS ? 0 : t->next, newest = (t->next + TREND_POINTS - 1) % TREND_POINTS;
    if (t->count < FEWEST_POINTS || t->at[newest] - t->at[oldest] < shortest_span)
        return false;
    for (unsigned i = 0; i < t->count; i++)
        for (unsigned j = 0; j < i; j++) {
            double time = t->at[i] - t->at[j], change = t->value[i] - t->value[j];
            if (time == 0)
                continue;
            double slope = change / time;
            up += slope > 0;
            down += slope < 0;
            slopes[n++] = slope;
        }
    if (n == 0)
        return false;
    *per_second = select_kth(slopes, n, n / 2);
    *sure = fabs((double)(up - down)) >= one_way * (double)n;
    return true;
}

double watch_trend_until(const watch_trend *t, double left)
{
    double slope;
    bool sure;
    if (!watch_trend_slope(t, &slope, &sure) || !sure || slope <= 0)
        return -1;
    double seconds = left / slope;
    return seconds < 3.2e9 ? seconds : -1; /* a century: no trend worth a word */
}

void watch_history_add(watch_history *h, double part)
{
    h->part[h->next] = (float)part;
    h->next = (h->next + 1) % HISTORY_POINTS;
    h->count += h->count < HISTORY_POINTS;
}

double watch_history_back(const watch_history *h, unsigned ago)
{
    if (ago >= h->count)
        return -1;
    return (double)h->part[(h->next + HISTORY_POINTS - 1 - ago) % HISTORY_POINTS];
}
