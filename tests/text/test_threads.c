/* One tokenizer serves several threads at once, each with a workspace of its own. */
#include "text/texts.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { THREADS = 4, LENGTH = 512 };

typedef struct job {
    pl_tokenizer *t;
    const json_t *texts;
    uint64_t sum; /* over all ids, in order */
    bool failed;
} job;

static void *encode_all(void *arg)
{
    job *j = arg;
    size_t room = pl_tokenizer_workspace(j->t, 4096, LENGTH);
    void *workspace = malloc(room);
    uint32_t ids[LENGTH];
    for (size_t i = 0; i < json_array_size(j->texts); i++) {
        const json_t *text = json_array_get(j->texts, i);
        pl_text_view view = {json_string_value(text), json_string_length(text), false};
        pl_encoding out = {.ids = ids, .capacity = LENGTH};
        j->failed |= pl_tokenizer_encode(j->t, workspace, room, &view, NULL, LENGTH, &out, NULL) != PL_OK;
        for (size_t k = 0; k < out.count; k++)
            j->sum = j->sum * 31 + ids[k];
    }
    free(workspace);
    return NULL;
}

static void threads_share_a_tokenizer(void **state)
{
    (void)state;
    json_t *texts = golden_json("texts.json");
    for (const char *const *name = golden_tokenizers; *name; name++) {
        pl_tokenizer *t = golden_open(*name);
        job jobs[THREADS + 1];
        pthread_t threads[THREADS];
        for (int i = 0; i <= THREADS; i++)
            jobs[i] = (job){.t = t, .texts = texts};
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, encode_all, &jobs[i]), 0);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        encode_all(&jobs[THREADS]);
        for (int i = 0; i < THREADS; i++) {
            assert_false(jobs[i].failed);
            assert_int_equal(jobs[i].sum, jobs[THREADS].sum);
        }
        pl_tokenizer_close(t);
    }
    json_decref(texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads_share_a_tokenizer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
