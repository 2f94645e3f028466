/* nearest MODEL MEMORY QUERY TEXT...: which of the texts is nearest to the query?
 *
 * Plans an embedding job inside MEMORY (say 32MiB), runs it for all texts at once, and prints the
 * texts in order of their cosine to the query. The whole way through the library, in one page.
 *
 *     cc nearest.c $(pkg-config --cflags --libs --static plimsoll) -o nearest
 */
#include <plimsoll.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Every call reports through the same record; print it as the command would and give the exit code. */
static int failed(const pl_error *e)
{
    fprintf(stderr, "nearest: %s\n%s", e->text, e->hints);
    return pl_status_exit_code(e->status);
}

static double cosine(const float *a, const float *b, size_t width)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < width; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

/* Prints the texts best first: few texts, so each round looks for the best one left. */
static void print_ranked(const float *vectors, size_t width, char **texts, size_t count)
{
    bool *done = calloc(count, sizeof *done);
    for (size_t rank = 0; done && rank < count; rank++) {
        size_t best = count;
        double score = 0;
        for (size_t i = 0; i < count; i++) {
            double c = cosine(vectors, vectors + (i + 1) * width, width);
            if (!done[i] && (best == count || c > score)) {
                best = i;
                score = c;
            }
        }
        done[best] = true;
        printf("%6.3f  %s\n", score, texts[best]);
    }
    free(done);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: nearest MODEL MEMORY QUERY TEXT...\n");
        return 2;
    }
    pl_error e;
    pl_options options;
    pl_options_init(&options);
    options.task = PL_TASK_EMBED;
    if (!pl_size_parse(argv[2], &options.memory)) {
        fprintf(stderr, "nearest: '%s' is no size; 32MiB is one\n", argv[2]);
        return 2;
    }

    pl_plan *plan;
    if (pl_plan_make(argv[1], &options, &plan, &e) != PL_OK)
        return failed(&e);
    pl_session *session = NULL;
    float *vectors = NULL;
    int code = 0;
    if (!pl_plan_fits(plan)) {
        pl_plan_refusal(plan, &e);
        code = failed(&e);
    } else if (pl_open(plan, &session, &e) != PL_OK) {
        code = failed(&e);
    } else {
        size_t count = (size_t)argc - 3, width = pl_plan_width(plan); /* the query, then the texts */
        vectors = malloc(count * width * sizeof *vectors);
        if (!vectors) {
            fprintf(stderr, "nearest: no memory for %zu vectors\n", count);
            code = 5;
        } else if (pl_embed(session, (const char *const *)(argv + 3), count, vectors, &e) != PL_OK) {
            code = failed(&e);
        } else {
            print_ranked(vectors, width, argv + 4, count - 1);
            fprintf(stderr, "planned %llu bytes of %llu\n", (unsigned long long)pl_plan_peak(plan), (unsigned long long)pl_plan_limit(plan));
        }
    }
    free(vectors);
    pl_close(session);
    pl_plan_free(plan);
    return code;
}
